"""Every model against its Hamiltonian written out with np.kron, and against what its paper says."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse.linalg import expm_multiply

import mps_battery.models as models
from mps_battery.checks import InputError
from mps_battery.models import bath, catalogue, cavity, control, levels, light, spin_chain

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
UP, DOWN = np.array([1, 0]), np.array([0, 1])


def at(cells, **sites):
    """Product of one-site matrices, given as _n=matrix; identity elsewhere."""
    product = np.eye(1)
    for n in range(cells):
        product = np.kron(product, sites.get(f"_{n}", ONE))
    return product


def pair(cells, a, i, b, j):
    return at(cells, **{f"_{i}": a, f"_{j}": b})


def total(cells, a, weights=None):
    weights = np.ones(cells) if weights is None else weights
    return sum(w * at(cells, **{f"_{n}": a}) for n, w in enumerate(weights))


def product(*vectors):
    out = np.ones(1)
    for v in vectors:
        out = np.kron(out, v)
    return out


# -- the Hamiltonians, written out: (arguments, H_B, generator while charging) -------------------------------
def xxz():
    h = sum(0.3 * (pair(5, X, n, X, n + 1) + pair(5, Y, n, Y, n + 1) + 0.6 * pair(5, Z, n, Z, n + 1))
            for n in range(4)) + 1.1 * total(5, Z)
    given = {"cells": 5, "field": 1.1, "exchange": 0.3, "anisotropy": 0.6, "drive": 0.8}
    return given, h, h + 0.8 * total(5, X)


def xyz(keep=True):
    h = sum(0.5 * pair(4, X, n, X, n + 1) + 0.2 * pair(4, Y, n, Y, n + 1) - 0.3 * pair(4, Z, n, Z, n + 1)
            + 0.4 * (pair(4, X, n, Y, n + 1) - pair(4, Y, n, X, n + 1)) for n in range(3)) + 1.1 * total(4, Z)
    given = {"cells": 4, "field": 1.1, "exchange_x": 0.5, "exchange_y": 0.2, "exchange_z": -0.3,
             "dzyaloshinskii": 0.4, "drive": 0.7, "keep_battery": keep}
    return given, h, keep * h + 0.7 * total(4, X)


def ising_quench(periodic=False):
    bonds = sum(pair(4, X, n, X, (n + 1) % 4) for n in range(4 if periodic else 3))
    given = {"cells": 4, "coupling": 0.9, "field": 1.7, "quench_coupling": 1.2, "quench_field": 0.4,
             "periodic": periodic}
    return given, -0.9 * bonds - 1.7 * total(4, Z), -1.2 * bonds - 0.4 * total(4, Z)


def ising_disordered():
    bonds = [0.5, 1.5, -0.2, 0.9]
    h = -(sum(b * pair(5, X, n, X, n + 1) for n, b in enumerate(bonds))
          + 0.35 * sum(pair(5, X, n, X, n + 2) for n in range(3)) + 0.7 * total(5, Z))
    given = {"cells": 5, "field": 0.7, "next_nearest": 0.35, "splitting": 1.4, "bonds": bonds}
    return given, 0.7 * total(5, Z), h


def xy_dimerised():
    h = sum(b * (0.6 * pair(5, X, n, X, n + 1) + 0.4 * pair(5, Y, n, Y, n + 1))
            for n, b in enumerate([0.65, 0.35, 0.65, 0.35])) + 0.8 * total(5, Z)
    given = {"cells": 5, "field": 0.8, "exchange": 0.5, "dimerisation": 0.3, "anisotropy": 0.2, "drive": 0.9}
    return given, h, h + 0.9 * total(5, X)


def power_law(intrinsic=True, exponent=1.5):
    coupling = -sum(0.6 / (j - i) ** exponent
                    * (pair(5, Z, i, Z, j) + 0.3 * (pair(5, X, i, X, j) + pair(5, Y, i, Y, j)))
                    for j in range(5) for i in range(j))
    given = {"cells": 5, "field": 1.2, "coupling": 0.6, "exponent": exponent, "anisotropy": 0.3, "drive": 0.7,
             "intrinsic": intrinsic}
    return given, 1.2 * total(5, Z) + intrinsic * coupling, 1.2 * total(5, Z) + coupling + 0.7 * total(5, X)


def lipkin():
    h = -0.8 / 4 * sum(pair(4, X, i, X, j) + 0.3 * pair(4, Y, i, Y, j) for j in range(4) for i in range(j))
    h = h + 1.1 * total(4, Z)
    given = {"cells": 4, "field": 1.1, "coupling": 0.8, "asymmetry": 0.3, "drive": 0.6}
    return given, h, h + 0.6 * total(4, X)


def mbl():
    fields = [0.3, -1.2, 2.5, -0.7, 0.9]
    h = 1.3 / 4 * sum(pair(5, a, n, a, n + 1) for a in (X, Y, Z) for n in range(4)) + total(5, Z / 2, fields)
    return {"cells": 5, "coupling": 1.3, "fields": fields}, h, h


CASES = {
    "xxz": (spin_chain.xxz, xxz()),
    "xyz": (spin_chain.xyz, xyz()),
    "xyz, drive alone": (spin_chain.xyz, xyz(keep=False)),
    "ising_quench": (spin_chain.ising_quench, ising_quench()),
    "ising_quench, ring": (spin_chain.ising_quench, ising_quench(periodic=True)),
    "ising_disordered": (spin_chain.ising_disordered, ising_disordered()),
    "xy_dimerised": (spin_chain.xy_dimerised, xy_dimerised()),
    "power_law": (spin_chain.power_law, power_law()),
    "power_law, extrinsic": (spin_chain.power_law, power_law(intrinsic=False)),
    "power_law, all to all": (spin_chain.power_law, power_law(exponent=0.0)),
    "power_law, nearest": (spin_chain.power_law, power_law(exponent=np.inf)),
    "lipkin": (spin_chain.lipkin, lipkin()),
    "mbl": (spin_chain.mbl, mbl()),
}
MODELS = sorted(catalogue())
GROUND = {"xyz", "ising_quench"}


@pytest.fixture(params=CASES)
def case(request):
    model, (given, energy, charging) = CASES[request.param]
    return SimpleNamespace(model=model, given=given, energy=energy, charging=charging, battery=model(**given))


def test_every_model_has_a_case():
    assert {model.__name__ for model, _ in CASES.values()} == set(spin_chain.__all__)


def test_energy_is_the_formula(case):
    np.testing.assert_allclose(case.battery.energy.to_dense(), case.energy, atol=1e-13)


def test_charging_is_the_formula(case):
    np.testing.assert_allclose(case.battery.charging.to_dense(), case.charging, atol=1e-13)


def test_all_is_hermitian(case):
    assert case.battery.energy.is_hermitian()
    assert case.battery.charging.is_hermitian()


def test_start_is_what_the_docstring_says(case):
    cells, state = case.given["cells"], case.battery.initial_state().to_dense()
    if case.battery.name in GROUND:
        expected = np.linalg.eigh(case.energy)[1][:, 0]
        assert np.linalg.eigvalsh(case.energy)[1] - np.linalg.eigvalsh(case.energy)[0] > 1e-3
    elif case.battery.name == "mbl":
        expected = product(*[(UP, DOWN)[n % 2] for n in range(cells)])
    else:
        expected = product(*[DOWN] * cells)
    assert abs(np.vdot(expected, state)) == pytest.approx(1, abs=1e-12)


def test_record_makes_the_same_battery(case):
    record = dict(case.battery.parameters)
    assert set(record) == set(inspect.signature(case.model).parameters)
    assert all(type(v) in (int, float, bool, list) for v in record.values())
    again = case.model(**record)
    np.testing.assert_array_equal(again.charging.to_dense(), case.battery.charging.to_dense())
    assert again.parameters == record


# -- all models of the catalogue ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", MODELS)
def test_defaults_work(name):
    battery = catalogue()[name]()
    assert battery.name == name
    assert len(battery.cells) == battery.parameters.get("cells", 1) <= len(battery.sites)
    assert battery.energy.is_hermitian()


@pytest.mark.parametrize("name", MODELS)
def test_docstring_gives_formula_and_reference(name):
    model = catalogue()[name]
    doc = " ".join(inspect.getdoc(model).split())
    assert " Energy: " in doc
    assert " Charging: " in doc
    assert f" Reference: {model().reference}" in doc
    assert model().reference
    assert all(f" {argument}: " in doc for argument in inspect.signature(model).parameters)


def test_catalogue_holds_every_file_of_the_folder():
    files = {f.stem for f in Path(models.__file__).parent.glob("*.py")} - {"__init__", "build"}
    assert files == {family.__name__.rsplit(".", 1)[1] for family in models.FAMILIES}


def test_catalogue_refuses_two_models_of_one_name():
    twin = SimpleNamespace(__name__="twin", __all__=["xxz"], xxz=spin_chain.xxz)
    with pytest.raises(InputError, match=r"Model 'xxz' is in mps_battery\.models\.spin_chain and in twin\."):
        catalogue([spin_chain, twin])


# -- what the papers say -----------------------------------------------------------------------------------
def stored(battery, time):
    """Energy stored after a time, by the exponential of the sparse matrix."""
    psi, h = battery.initial_state().to_dense(), battery.energy.to_sparse()
    late = expm_multiply(-1j * time * battery.charging.to_sparse(), psi, traceA=0)
    return (np.vdot(late, h @ late) - np.vdot(psi, h @ psi)).real


def test_isotropic_power_law_is_a_null():
    # REFERENCES 1.2: W/N = 2 B (w/W)^2 sin^2(W t), W^2 = B^2 + w^2, for any couplings
    battery = spin_chain.power_law(cells=5, field=0.8, coupling=0.7, exponent=1.2, anisotropy=1.0, drive=0.6)
    assert stored(battery, 0.9) == pytest.approx(5 * 2 * 0.8 * 0.36 * np.sin(0.9) ** 2, abs=1e-12)


def test_ising_ring_stores_what_free_fermions_do():
    # REFERENCES 1.1, table: N = 10, periodic, even sector, (J, h) = (1, 2) -> (1, 0.5)
    battery = spin_chain.ising_quench(cells=10, periodic=True)
    assert stored(battery, 0.3) == pytest.approx(3.4234869897, abs=1e-9)
    assert stored(battery, 2.7) == pytest.approx(6.2193933054, abs=1e-9)


def test_all_down_is_empty_for_the_disordered_chain():
    energy = spin_chain.ising_disordered(cells=4).energy.to_dense()
    assert np.argmin(np.diag(energy)) == 15


def test_long_range_compresses():
    assert max(spin_chain.power_law(cells=40).charging.to_mpo().bonds) < 20
    assert max(spin_chain.lipkin(cells=40, asymmetry=0.5).charging.to_mpo().bonds) == 4


# -- randomness --------------------------------------------------------------------------------------------
DRAWS = [(spin_chain.mbl, "fields", 0.0, 0), (spin_chain.ising_disordered, "bonds", 0.4, 1)]


@pytest.mark.parametrize(("model", "name", "mean", "less"), DRAWS)
def test_draws_are_uniform_and_have_coordinates(model, name, mean, less):
    def draw(**given):
        return np.array(model(**({"cells": 12, "disorder": 2.0, "coupling": 0.4} | given)).parameters[name])

    values = draw()
    assert len(values) == 12 - less
    np.testing.assert_array_equal(values, draw(seed=0, realisation=0))
    expected = np.random.default_rng(np.random.SeedSequence([3, 7])).uniform(-2, 2, 12 - less)
    np.testing.assert_allclose(draw(seed=3, realisation=7), mean + expected)
    assert not np.allclose(values, draw(seed=1))
    assert not np.allclose(values, draw(realisation=1))
    np.testing.assert_allclose(draw(disorder=0.0), mean)
    assert np.all(np.abs(draw(cells=200) - mean) <= 2)


# -- bad input ---------------------------------------------------------------------------------------------
FROM_ONE_CELL = {*bath.__all__, *cavity.__all__, *control.__all__, *levels.__all__, *light.__all__, "central_spins",
                 "oscillators", "spin_ladder"}
"""Models that one cell makes sense of."""
COUNTED = [name for name in MODELS if "cells" in inspect.signature(catalogue()[name]).parameters]


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("cells", [0, 1, 4.0, True, "4", None])
def test_cells_must_count(name, cells):
    least = 1 if name in FROM_ONE_CELL else 2
    if type(cells) is int and cells >= least:
        assert len(catalogue()[name](cells=cells).cells) == cells
        return
    with pytest.raises(InputError) as error:
        catalogue()[name](cells=cells)
    assert str(error.value) == f"Argument `cells` must be an integer of at least {least}, but is {cells!r}."


@pytest.mark.parametrize("name", MODELS)
def test_numbers_must_be_numbers(name):
    model = catalogue()[name]
    floats = [a for a, p in inspect.signature(model).parameters.items() if isinstance(p.default, float)]
    assert len(floats) >= 2
    for argument in floats:
        for value in (np.nan, "1", None, True, 1j):
            with pytest.raises(InputError, match=rf"^Argument `{argument}` must be a .*number.*, but is .+"):
                model(**{argument: value})


@pytest.mark.parametrize(("model", "given", "sentence"), [
    ("mbl", {"disorder": -1.0}, r"`disorder` must be at least 0, but is -1\.0\."),
    ("mbl", {"seed": -1}, r"`seed` must be an integer of at least 0, but is -1\."),
    ("mbl", {"seed": True}, r"`seed` must be an integer of at least 0, but is True\."),
    ("mbl", {"realisation": 0.5}, r"`realisation` must be an integer of at least 0, but is 0\.5\."),
    ("mbl", {"cells": 3, "fields": [1, 2]}, r"`fields` must hold 3 finite numbers, but is \[1, 2\]\."),
    ("mbl", {"cells": 2, "fields": [1, np.inf]}, r"`fields` must hold 2 finite numbers, but is \[1, inf\]\."),
    ("mbl", {"cells": 2, "fields": ["1", "2"]}, r"`fields` must hold 2 finite numbers, but is \['1', '2'\]\."),
    ("ising_disordered", {"cells": 3, "bonds": [1]}, r"`bonds` must hold 2 finite numbers, but is \[1\]\."),
    ("ising_disordered", {"disorder": -0.1}, r"`disorder` must be at least 0, but is -0\.1\."),
    ("ising_disordered", {"splitting": 0.0}, r"`splitting` must be positive, but is 0\.0\."),
    ("power_law", {"exponent": -1.0}, r"`exponent` must be a number of at least 0 or inf, but is -1\.0\."),
    ("power_law", {"intrinsic": 1}, r"`intrinsic` must be True or False, but is 1\."),
    ("ising_quench", {"periodic": "yes"}, r"`periodic` must be True or False, but is 'yes'\."),
    ("xyz", {"drive": np.inf}, r"`drive` must be a finite number, but is inf\."),
])
def test_bad_input_is_one_sentence(model, given, sentence):
    with pytest.raises(InputError, match=f"^Argument {sentence}$"):
        catalogue()[model](**given)


def test_numpy_numbers_are_numbers():
    battery = spin_chain.xxz(cells=np.int64(4), field=np.float64(1.0), drive=np.float32(0.5), exchange=1)
    plain = spin_chain.xxz(cells=4, field=1.0, drive=0.5, exchange=1.0)
    assert battery.parameters == plain.parameters
    np.testing.assert_array_equal(battery.charging.to_dense(), plain.charging.to_dense())
