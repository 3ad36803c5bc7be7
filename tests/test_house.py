"""The rules of the house that a tool can check: who imports whom, what is public, how long things are."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import jaxtyping
import pytest
from threadpoolctl import threadpool_info

import mps_battery as mb
from mps_battery.checks import nearest

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "mps_battery"
SOURCES = sorted(p for folder in ("mps_battery", "models", "tests", "studies") for p in (ROOT / folder).rglob("*.py")
                 if ENGINE / "models" not in p.parents)
PACKAGE = [p for p in SOURCES if p.is_relative_to(ENGINE)]

ORDER = ["checks", "sites", "tensors", "terms", "battery", "channels", "liouville", "baths", "evolve", "measure",
         "budget", "storage", "archive", "checkpoint", "steady", "teleport", "record", "progress", "executors",
         "statistics", "audit", "plot", "run", "refine", "enlarge", "job", "plan", "sweep", "resume", "cycle",
         "optimise", "spec", "models", "cli"]
"""Files and folders of the package, each importing only those to its left (and its own folder)."""
INSIDE_FUNCTIONS = {("battery", "steady"), ("measure", "steady"), ("run", "mps_battery"), ("storage", "run"),
                    ("run", "refine"), ("run", "job"), ("storage", "sweep")}
"""The other way only where it is called: a ground or Gibbs state as a start, reference energies, the version of a card,
the class of a result, what leads from one result to the next."""
FOR_TYPES = {("tensors", "terms"), ("storage", "run"), ("storage", "sweep"), ("plot", "run")}
"""The other way only under TYPE_CHECKING."""
ONLY_IN = {"tenpy": {"evolve/tenpy.py"}, "quimb": {"tensors/mps.py"}, "pydantic": {"spec.py"}, "typer": {"cli.py"},
           "rich": {"cli.py", "progress.py"}, "matplotlib": {"plot.py"}, "h5py": {"archive.py", "storage.py"},
           "numba": {"evolve/compiled.py"}, "distributed": {"executors/cluster.py"},
           "dask_jobqueue": {"executors/cluster.py"}, "torch": {"evolve/device.py"}}
"""Borrowed libraries that show in one place."""
PUBLIC = {
    "Battery", "Schedule", "charge", "Run", "Budget", "load", "InputError",
    "Spin", "Boson", "Fermion", "Levels", "Terms", "MPS", "Truncation",
    "TEBD", "TDVP", "Exact", "Tenpy", "ground_state",
    "STANDARD", "Energy", "Power", "EnergyVariance", "LocalErgotropy", "LocalCapacity", "Entropy", "Expect",
    "Correlator", "Reduced", "Jump", "Density", "STANDARD_MIXED", "OperatorEntropy", "BlockEntropy", "Purity",
    "Renyi2", "steady_state", "SteadyState", "Certificate", "Sweeps", "Relaxation", "Dense", "ChargeCurrent",
    "EnergyCurrent", "HeatCurrent", "LocalHeat", "LocalWork", "EntropyProduction", "thermal_state",
    "ThermalState", "thermal_jumps",
    "davies_jumps", "apply_channel", "local_ergotropy", "local_capacity", "teleport", "Teleport", "cycle",
    "optimise", "enlarge", "sweep", "resume", "Checkpoint",
}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """(module, name or "", where) of every import, where being "top", "function" or "types"."""
    found = []

    def visit(node, where):
        if isinstance(node, ast.Import):
            found.extend((alias.name, "", where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written from the root"
            found.extend((node.module, alias.name, where) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            where = "function"
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            where = "types"
        for child in ast.iter_child_nodes(node):
            visit(child, where)

    visit(tree(path), "top")
    return found


def part(path):
    """The file or folder of the package that a file belongs to."""
    if path.is_relative_to(ROOT / "models"):
        return "models"
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


def imported_parts(path):
    for module, name, where in imports(path):
        if module.split(".")[0] == "mps_battery":
            rest = [*module.split(".")[1:], name]
            yield rest[0] if rest[0] in ORDER else "mps_battery", where


RULED = [p for p in PACKAGE if p != ENGINE / "__init__.py"] + sorted((ROOT / "models").glob("*.py"))


# -- imports -----------------------------------------------------------------------------------------------------
def test_every_part_has_its_place():
    assert {part(p) for p in RULED} == set(ORDER)


@pytest.mark.parametrize("path", RULED, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    here = part(path)
    for there, where in imported_parts(path):
        if there in ORDER and (there == here or ORDER.index(there) < ORDER.index(here)):
            continue
        allowed = {"top": set(), "function": INSIDE_FUNCTIONS, "types": FOR_TYPES | INSIDE_FUNCTIONS}[where]
        assert (here, there) in allowed, f"{here} imports {there} ({where})"


def test_exceptions_are_still_needed():
    used = {(part(p), there, where) for p in RULED for there, where in imported_parts(p)}
    assert {(here, there, "function") for here, there in INSIDE_FUNCTIONS} <= used
    assert {(here, there, "types") for here, there in FOR_TYPES} <= used


def test_models_and_measures_know_no_run():
    for path in RULED:
        if part(path) in ("models", "measure"):
            there = {name for name, _ in imported_parts(path)}
            assert not there & {"run", "record", "spec", "cli"}, path
        if part(path) == "models":
            there = {name for name, _ in imported_parts(path)}
            assert there <= {"checks", "sites", "terms", "battery", "baths", "models"}


def test_only_the_command_line_knows_the_models():
    assert {part(p) for p in RULED if "models" in {there for there, _ in imported_parts(p)}} == {"cli", "models"}


def test_models_are_imported_from_the_package():
    for path in SOURCES:
        for module, name, _ in imports(path):
            assert module.split(".")[0] != "models", path
            assert not module.startswith("studies"), path
            assert (module, name) != ("mps_battery", "studies"), path


@pytest.mark.parametrize("library", ONLY_IN)
def test_borrowed_library_shows_in_one_place(library):
    users = {str(p.relative_to(ENGINE)) for p in PACKAGE for m, _, _ in imports(p) if m.split(".")[0] == library}
    assert users == ONLY_IN[library]
    assert not [p for p in (ROOT / "models").glob("*.py") for m, _, _ in imports(p) if m.split(".")[0] == library]


def test_every_library_is_declared():
    declared = {"physics-tenpy": "tenpy", "dask[distributed]": "distributed", "dask-jobqueue": "dask_jobqueue"}
    optional = project()["optional-dependencies"]["cluster"] + project()["optional-dependencies"]["gpu"]
    names = {d.split(">")[0].strip() for d in project()["dependencies"] + optional}
    known = {declared.get(n, n) for n in names} | set(sys.stdlib_module_names) | {"mps_battery"}
    assert {m.split(".")[0] for p in RULED for m, _, _ in imports(p)} <= known


def test_no_pickle():
    for path in PACKAGE:
        names = {word for m, name, _ in imports(path) for word in (*m.split("."), name)}
        assert not names & {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}, path
        assert "allow_pickle" not in path.read_text(encoding="utf-8"), path


def test_no_rag_bags():
    assert not {p.stem for p in PACKAGE} & {"utils", "util", "core", "common", "helpers", "misc"}
    assert not {p.name for p in ENGINE.rglob("*") if p.is_dir()} & {"utils", "core", "common", "helpers"}


# -- the public names --------------------------------------------------------------------------------------------
def test_public_names_are_frozen():
    body = [n for n in tree(ENGINE / "__init__.py").body if isinstance(n, ast.ImportFrom)]
    assert all(alias.asname == alias.name for n in body for alias in n.names)
    assert {alias.name for n in body for alias in n.names} == PUBLIC
    assert len(PUBLIC) <= 64
    assert all(hasattr(mb, name) for name in PUBLIC)


def test_every_public_name_says_what_it_is():
    assert [n for n in PUBLIC - {"STANDARD", "STANDARD_MIXED"} if not (getattr(mb, n).__doc__ or "").strip()] == []


def test_version_is_one():
    assert mb.__version__ == project()["version"]
    citation = ROOT / "CITATION.cff"
    if citation.exists():
        assert f"version: {mb.__version__}\n" in citation.read_text(encoding="utf-8")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# -- sizes -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f.name: f.end_lineno - f.lineno + 1 for f in functions}
    assert {name: n for name, n in lengths.items() if n > 80} == {}


# -- tools -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tool", [["ruff", "check"], ["mypy"]], ids=lambda t: t[0])
def test_tool_has_no_complaint(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_annotations_are_checked_in_the_tests():
    assert nearest("sz", ["Sx", "Sz"]) == "did you mean 'Sz'?"
    with pytest.raises(jaxtyping.TypeCheckError):
        nearest(3, ["Sx", "Sz"])


def test_one_thread_in_the_tests():
    assert {library["num_threads"] for library in threadpool_info()} == {1}
