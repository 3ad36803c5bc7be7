"""The model of memory in the card of a run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.evolve.memory import footprint
from mps_battery.liouville import generator
from mps_battery.measure.resources.pairs import Concurrence
from mps_battery.models import open_chain, spin_chain

COSTS = Path(__file__).parent.parent / "studies" / "speed" / "costs.py"


@pytest.mark.parametrize(("build", "method"), [
    (spin_chain.xxz, mb.TEBD(dt=0.1)), (spin_chain.xxz, mb.TDVP(dt=0.1, order=2)),
    (spin_chain.xxz, mb.TEBD(dt=0.1, blocks=0)), (spin_chain.xxz, mb.TEBD(dt=0.1, moving_centre=True)),
    (open_chain.boundary_driven, mb.TEBD(dt=0.1)), (open_chain.boundary_driven, mb.TDVP(dt=0.1, order=2))])
def test_model_is_in_the_card(build, method):
    """A number of the right size, and `print(run)` shows it."""
    run = mb.charge(build(cells=6), [0.0, 0.3], method=method, truncation=mb.Truncation(8, 1e-12))
    card = run.card
    assert card["peak_megabytes"] >= card["baseline_megabytes"] > 0
    assert 0.0 < card["model_megabytes"] < 4.0
    assert "model" in str(run)


@pytest.mark.parametrize(("method", "record"), [
    (mb.Exact(), None), (mb.TDVP(dt=0.1, sites=1), None), (mb.TEBD(dt=0.1), {"c": Concurrence()})])
def test_what_is_not_modelled_has_no_number(method, record):
    run = mb.charge(spin_chain.xxz(cells=4), [0.0, 0.2], method=method, record=record)
    assert run.card["model_megabytes"] is None
    assert "model" not in str(run).split("cost")[1].split("\n")[0]


@pytest.mark.parametrize("method", [mb.TEBD(dt=0.1), mb.TEBD(dt=0.1, blocks=0),
                                    mb.TEBD(dt=0.1, moving_centre=True), mb.TDVP(dt=0.1, order=2)])
@pytest.mark.parametrize("drive", [0.0, 0.9])
def test_footprint_counts_what_is_held(method, drive):
    """What lies in memory between steps, array by array; a domain wall has a charge without the drive."""
    battery = spin_chain.xxz(cells=8, drive=drive)
    start = mb.MPS.product(battery.sites, ["up"] * 4 + ["down"] * 4)
    evolution = method.start(start, generator(battery), mb.Truncation(16, 1e-12))
    evolution.advance(2.0)
    found = footprint(evolution)

    def size(arrays):
        return arrays.nbytes if isinstance(arrays, np.ndarray) else sum(map(size, (
            arrays.values() if isinstance(arrays, dict) else arrays)))

    memory = evolution.memory()
    assert found.held == size(memory["blocks" if "blocks" in memory else "tensors"])
    assert found.dense == size(evolution.state.tensors)
    assert found.step > found.largest


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["TEBD", "TEBD in blocks", "TDVP", "TEBD density"])
def test_model_agrees_with_the_peak(engine):
    """Within a fifth of what a run of more than 500 MB takes beyond its process, which is a fresh one."""
    code = f"import costs, json; print(json.dumps(costs.peak_of({engine!r}, *costs.LARGE[{engine!r}])))"
    done = subprocess.run([sys.executable, "-c", code], cwd=COSTS.parent, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["measured"] > 500
    assert found["model"] == pytest.approx(found["measured"], rel=0.2)
