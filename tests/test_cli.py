"""The command line: what it writes, what it says, and where it stays quiet."""

import dataclasses
import inspect
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import mps_battery as mb
from mps_battery import cli
from mps_battery.models import catalogue
from mps_battery.spec import METHODS, MethodTable

PROGRAM = Path(sys.executable).with_name("mps-battery")
SMALL = "charge xxz --cells 3 --stop 0.2 --points 3"
LARGER = "charge xxz --cells 11 --stop 0.2 --points 3"      # beyond the dense twin
PNG = b"\x89PNG"


@pytest.fixture
def program(tmp_path, monkeypatch, capsys):
    """The program run in place, in an empty folder: words -> (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(words):
        monkeypatch.setattr(sys, "argv", ["mps-battery", *words.split()])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


def test_charge_shows_the_card_and_writes_data_and_figure(program):
    code, out, err = program(SMALL + " --output run.nc --figure run.png")
    assert (code, err) == (0, "")
    saved = mb.load("run.nc")
    assert out == f"{saved}\nwrote run.nc\nwrote run.png\n"
    assert saved.card["model"] == "xxz"
    assert list(saved.data) == list(mb.STANDARD)
    assert saved.data["time"].values.tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert Path("run.png").read_bytes().startswith(PNG)
    assert sorted(p.name for p in Path().iterdir()) == ["run.nc", "run.png"]


def test_charge_without_files_writes_none(program):
    code, out, _ = program(SMALL)
    assert code == 0
    assert out.startswith("xxz: 3 cells on 3 sites")
    assert not list(Path().iterdir())


def test_parameters_reach_the_model(program):
    fields = [0.5, -1.0, 2.0]
    assert program("charge mbl --cells=3 --fields [0.5,-1.0,2.0] --points 2 --output a.nc")[0] == 0
    assert mb.load("a.nc").card["parameters"]["fields"] == fields
    assert program("charge xyz --cells 3 --keep-battery false --drive -0.5 --points 2 --output b.nc")[0] == 0
    given = mb.load("b.nc").card["parameters"]
    assert (given["keep_battery"], given["drive"]) == (False, -0.5)
    assert program("charge power_law --cells 3 --exponent inf --points 2 --output c.nc")[0] == 0
    assert mb.load("c.nc").card["parameters"]["exponent"] == float("inf")


def test_settings_reach_the_engine(program):
    words = SMALL + " --method tdvp --dt 0.05 --order 2 --bond 7 --weight 1e-9 --no-bars --output run.nc"
    code, out, _ = program(words)
    assert code == 0
    assert "TDVP of second order with dt <= 0.05, as asked" in out
    saved = mb.load("run.nc")
    assert not saved.bars
    assert (saved.card["bond_cap"], saved.card["weight"]) == (7, 1e-9)


def test_bars_can_be_proven_and_bounds_audited(program):
    """By options and by a spec file alike: rigorous bars of the recorded values, audits that hold."""
    words = SMALL.replace("cells 3", "cells 5") + " --rigorous --audits --output line.nc"
    code, out, err = program(words)
    assert (code, err) == (0, "")
    Path("run.toml").write_text("""
bars = "rigorous"
audits = true
[model]
name = "xxz"
cells = 5
[times]
stop = 0.2
points = 3
[output]
data = "spec.nc"
""")
    assert program("run run.toml")[0] == 0
    line, spec = mb.load("line.nc"), mb.load("spec.nc")
    xr.testing.assert_identical(line.data, spec.data)
    xr.testing.assert_identical(line.bars, spec.bars)
    assert {line.bars[name].attrs["kind"] for name in mb.STANDARD} == {"rigorous"}
    assert "robertson" in line.audits
    assert all(audit.holds for audit in line.audits.values())
    assert "all bounds hold: robertson by" in out
    program(SMALL + " --output plain.nc")
    assert not mb.load("plain.nc").audits


def test_a_low_cutoff_is_raised_on_request(program):
    """The same run as from a cutoff that is high enough, and one sentence where there is nothing to raise."""
    words = "charge rabi --photons 2 --coupling 1 --stop 2 --points 3 --cutoff "
    assert program(words + "3 --enlarge --output low.nc")[::2] == (0, "")
    assert program(words + "40 --output high.nc")[0] == 0
    assert program(words + "3 --output cut.nc")[0] == 0
    low, high, cut = (mb.load(f"{name}.nc").data["energy"].values for name in ("low", "high", "cut"))
    assert abs(low - high).max() < 1e-4 < abs(cut - high).max()
    for wrong, sentence in [
        (SMALL, "mps-battery: Key `enlarge` must be false for model 'xxz', which has no cutoff, but is True."),
        (words + "3 --checkpoint a.h5", "mps-battery: Option --enlarge must not be given together with --checkpoint, "
                                        "but is."),
    ]:
        code, _, err = program(wrong + " --enlarge")
        assert (code, err.strip()) == (2, sentence)


@pytest.mark.parametrize("taken", ["run.nc", "run.png"])
def test_existing_files_are_kept_and_nothing_is_computed(program, taken, monkeypatch):
    monkeypatch.setattr(cli, "charge_battery", lambda *_, **__: pytest.fail("this should not be computed"))
    Path(taken).write_bytes(b"precious")
    code, out, err = program(SMALL + " --output run.nc --figure run.png")
    assert (code, out) == (2, "")
    assert err == (f"mps-battery: File '{taken}' must not exist yet, but does: choose another name or pass "
                   "--overwrite.\n")
    assert [(p.name, p.read_bytes()) for p in Path().iterdir()] == [(taken, b"precious")]


def test_overwrite_replaces(program):
    for name in ("run.nc", "run.png"):
        Path(name).write_bytes(b"old")
    assert program(SMALL + " --output run.nc --figure run.png --overwrite")[0] == 0
    assert mb.load("run.nc").card["cells"] == 3
    assert Path("run.png").read_bytes().startswith(PNG)


def test_spec_runs_as_the_command_does(program):
    Path("run.toml").write_text("""
bars = true
[model]
name = "xxz"
cells = 11
field = 1.1
[times]
stop = 0.2
points = 3
[truncation]
bond = 12
weight = 1e-10
[method]
name = "tebd"
dt = 0.05
order = 2
[output]
data = "spec.nc"
figure = "spec.png"
""")
    assert program("run run.toml")[0] == 0
    assert program("charge xxz --cells 11 --field 1.1 --stop 0.2 --points 3 --bond 12 --weight 1e-10"
                   " --method tebd --dt 0.05 --order 2 --output line.nc --figure line.png")[0] == 0
    one, other = mb.load("spec.nc"), mb.load("line.nc")
    xr.testing.assert_identical(one.data, other.data)
    xr.testing.assert_identical(one.bars, other.bars)
    assert (one.outcome, one.budget) == (other.outcome, other.budget)
    assert one.bars
    assert Path("spec.png").exists()
    code, _, err = program("run run.toml")
    assert code == 2
    assert "'spec.nc' must not exist yet" in err
    assert program("run run.toml --overwrite")[0] == 0


def test_plot_draws_a_saved_run(program):
    program(SMALL + " --output run.nc")
    assert program("plot run.nc run.png") == (0, "wrote run.png\n", "")
    assert Path("run.png").read_bytes().startswith(PNG)
    Path("run.png").write_bytes(b"precious")
    code, _, err = program("plot run.nc run.png")
    assert code == 2
    assert "must name a new file" in err
    assert Path("run.png").read_bytes() == b"precious"
    assert program("plot run.nc run.png --overwrite")[0] == 0
    assert Path("run.png").read_bytes().startswith(PNG)
    assert program("plot run.nc run.pdf")[0] == 0
    assert Path("run.pdf").read_bytes().startswith(b"%PDF")


def test_models_lists_every_model_with_formula_and_reference(program):
    code, out, err = program("models")
    assert (code, err) == (0, "")
    blocks, name = {}, ""
    for row in out.splitlines():
        name = name if row.startswith(" ") else row
        blocks[name] = blocks.get(name, "") + row + "\n"
    assert set(blocks) == set(catalogue())
    for name, model in catalogue().items():
        doc = " ".join(inspect.getdoc(model).split())
        energy = doc.partition("Energy: ")[2].partition(" Charging:")[0]
        assert f"energy: {energy}" in blocks[name]
        assert "charging: " in blocks[name]
        assert f"reference: {model().reference}" in blocks[name]
        assert all(f"{p} = " in blocks[name] for p in inspect.signature(model).parameters)


def test_steady_prints_the_certificate(program):
    code, out, err = program("steady boundary_driven --cells 4 --anisotropy 1 --bias 1")
    assert (code, err) == (0, "")
    assert "steady state of boundary_driven: 4 sites" in out
    assert "residual" in out
    assert "current     0.5858585859" in out            # 116/99 for Pauli Z [REFERENCES 4.2], half of it here
    assert program("steady xxz --cells 4")[0] == 2
    assert "must have jumps" in program("steady xxz --cells 4")[2]
    assert "Unknown" in program("steady boundary_driven --cell 4")[2]


@pytest.mark.parametrize("words", ["", "--help"])
def test_help_names_the_commands(program, words):
    code, out, err = program(words)
    assert (code, err) == (0, "")
    assert all(command in out for command in ("charge", "steady", "run", "plot", "models"))


def test_help_of_charge_names_its_options(program):
    code, out, _ = program("charge --help")
    assert code == 0
    options = {p for p in inspect.signature(cli.charge).parameters} - {"context", "model"}
    assert len(options) == 18
    assert all(f"--{option.replace('_', '-')}" in out for option in options)


def test_an_interrupt_ends_in_one_sentence(program, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "charge_battery", interrupted)
    code, out, err = program(SMALL + " --output run.nc")
    assert (code, out, err.strip()) == (130, "", "mps-battery: stopped by the user.")
    assert not list(Path().iterdir())


def test_a_log_holds_the_card_and_nothing_else(tmp_path):
    words = [PROGRAM, *LARGER.split()]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not {"\r", "\x1b"} & set(done.stdout)
    assert done.stdout.startswith("xxz: 11 cells on 11 sites")
    assert not list(tmp_path.iterdir())


def test_a_terminal_sees_a_progress_bar(tmp_path):
    ours, theirs = pty.openpty()
    words = [PROGRAM, *LARGER.split()]
    done = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, check=True,
                          env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "charging xxz" in seen
    assert b"charging xxz" not in done.stdout


def test_every_setting_of_a_method_can_stand_in_a_spec():
    settings = {field.name for kind in METHODS.values() for field in dataclasses.fields(kind)}
    assert set(MethodTable.model_fields) == settings | {"name"}
    assert all(MethodTable(name=name) for name in METHODS)


# -- sweeps and checkpoints ----------------------------------------------------------------------------------------
SWEEP = "sweep mbl --cells 4 --disorder 1,8 --realisations 3 --seed 7 --times 0,1,4 --record imbalance,entropy"


def test_sweep_shows_its_card_and_writes_its_table(program):
    code, out, err = program(SWEEP + " --output table.nc")
    assert (code, err) == (0, "")
    table = mb.load("table.nc")
    assert out == f"{table}\nwrote table.nc\n"
    assert table.data["imbalance"].dims == ("disorder", "realisation", "time")
    same = mb.sweep(catalogue()["mbl"], {"cells": 4, "disorder": [1, 8]}, realisations=3, times=[0, 1, 4], seed=7,
                    record={"imbalance": mb.measure.Imbalance(), "entropy": mb.Entropy()})
    xr.testing.assert_identical(table.data, same.data)
    assert program(SWEEP + " --output table.nc")[0] == 2
    code, _, err = program("plot table.nc a.png")
    assert (code, err) == (2, "mps-battery: File 'table.nc' must hold a run to be drawn, but holds a sweep.\n")


@pytest.mark.parametrize(("words", "said"), [
    ("sweep mbll", "Unknown model 'mbll': did you mean 'mbl'?"),
    ("sweep mbl --cells 4 --times 1,a", "Key `times.0` must be a number, but is '1,a'."),
    ("sweep mbl --cells 4 --record energie", "Unknown quantity 'energie' in option --record: did you mean 'energy'?"),
    ("sweep mbl --cells 4 --workers 2 --scheduler a", "Option --workers must be the only one of --workers,"),
    ("sweep mbl --cells 4 --workers a", "Argument `workers` must be None or an integer of at least 1, but is 'a'."),
    ("sweep mbl --cells 4 --error energy", "Argument `error` must be written as name=number,..., but is 'energy='."),
    ("charge xxz --cells 3 --wall-time 3", "Option --checkpoint must be given where --wall-time is, but is empty."),
    ("resume none.h5", "Argument `path` must name an existing file, but 'none.h5' is none."),
])
def test_mistakes_in_sweeps_and_checkpoints(program, words, said):
    code, out, err = program(words)
    assert (code, out) == (2, "")
    assert err.startswith(f"mps-battery: {said}")


def test_a_run_out_of_time_is_resumed_and_extended(program):
    code, out, err = program(LARGER + " --checkpoint job.h5 --wall-time 1e-9 --output run.nc")
    assert (code, out) == (75, "")
    assert err == "mps-battery: Stopped by wall time; all that was done is in 'job.h5': resume it.\n"
    code, out, err = program("resume job.h5 --output run.nc --figure run.png")
    assert (code, err) == (0, "")
    whole = mb.charge(catalogue()["xxz"](cells=11), [0.0, 0.1, 0.2])
    xr.testing.assert_identical(mb.load("run.nc").data, whole.data)
    assert program("resume job.h5 --times 0.3,0.4")[0] == 0
    assert mb.resume("job.h5").data["time"].values.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    code, _, err = program(LARGER + " --checkpoint job.h5")
    assert code == 2
    assert "exists: resume it" in err
