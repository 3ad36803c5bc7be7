"""TEBD on a device of torch against TEBD in numpy: the same results to 1e-10, and one sentence where it cannot be."""

import sys

import numpy as np
import pytest
from interrupted import in_pieces, same
from test_compiled import KINDS, battery

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve.choose import choose
from mps_battery.models import cavity, open_chain, spin_chain
from mps_battery.spec import check_spec
from mps_battery.tensors.truncation import Truncation

RECORD = {"energy": mb.Energy(), "entropy": mb.Entropy(), "variance": mb.EnergyVariance()}


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    torch = pytest.importorskip("torch")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no graphics processor")
    return request.param


def evolved(case, truncation, times, device):
    evolution = mb.TEBD(dt=0.1, device=device).start(case.initial_state(), as_schedule(case.charging), truncation)
    states = []
    for t in times:
        evolution.advance(t)
        states.append(evolution.state)
    return evolution, states


def same_state(a, b):
    """Bonds, spectra, norm and direction, and the density matrix of every site."""
    assert a.bonds == b.bonds
    for s, z in zip(a.schmidt_values, b.schmidt_values, strict=True):
        np.testing.assert_allclose(s**2, z**2, atol=1e-10)
    norms = a.overlap(a).real, b.overlap(b).real
    assert norms[0] == pytest.approx(norms[1], abs=1e-10)
    assert abs(a.overlap(b)) ** 2 == pytest.approx(norms[0] * norms[1], abs=1e-10)
    for n in range(len(a.sites)):
        np.testing.assert_allclose(a.reduced([n]), b.reduced([n]), atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", [Truncation(256, 1e-12), Truncation(256, 1e-6), Truncation(6, 1e-12),
                                        Truncation(6, 0.0)], ids=str)
def test_same_states_as_in_numpy(kind, truncation, device):
    case, times = battery(kind, np.random.default_rng([81, list(KINDS).index(kind)])), [0.3, 0.7, 1.2]
    there, far = evolved(case, truncation, times, device)
    here, near = evolved(case, truncation, times, None)
    for a, b in zip(far, near, strict=True):
        same_state(a, b)
    assert there.ledger.truncations == here.ledger.truncations
    assert there.ledger.cap_bound == here.ledger.cap_bound
    assert there.ledger.discarded_weight == pytest.approx(here.ledger.discarded_weight, rel=1e-6, abs=1e-13)


def driven(cells):
    """A chain under a drive that swings."""
    base = spin_chain.xxz(cells=cells)
    drive = mb.Terms(base.sites)
    for n in range(cells):
        drive += 0.8 + 0.1 * n, ("X", n)
    return mb.Battery(base.sites, range(cells), base.energy, mb.Schedule([(base.energy, None), (drive, np.cos)]),
                      empty="down", name="driven")


@pytest.mark.parametrize("case", [lambda: spin_chain.mbl(cells=12), lambda: driven(9)], ids=["mbl", "schedule"])
def test_same_run_as_in_numpy(case, device):
    there, here = (mb.charge(case(), [0, 0.4, 1.0], method=mb.TEBD(dt=0.1, device=d)) for d in (device, None))
    for name in mb.STANDARD:
        np.testing.assert_allclose(there.data[name], here.data[name], atol=1e-10)
        np.testing.assert_allclose(there.bars[name], here.bars[name], atol=1e-9)
    assert there.budget.max_bond == here.budget.max_bond


def test_stacks_are_cut_where_they_are_large(device, monkeypatch):
    case, cut = battery("no charge", np.random.default_rng(82)), Truncation(2, 1e-12)
    _, (whole,) = evolved(case, cut, [0.6], device)
    monkeypatch.setattr("mps_battery.evolve.device.LARGEST", 20)       # one pair of spins at bond two has 16
    _, (parts,) = evolved(case, cut, [0.6], device)
    same_state(whole, parts)


def test_numpy_takes_over_where_svd_does_not_converge(device, monkeypatch):
    import torch

    def fail(*_, **__):
        raise torch.linalg.LinAlgError

    case = battery("charge", np.random.default_rng(83))
    _, (plain,) = evolved(case, Truncation(256, 0.0), [0.6], device)
    monkeypatch.setattr(torch.linalg, "svd", fail)
    _, (sturdy,) = evolved(case, Truncation(256, 0.0), [0.6], device)
    same_state(plain, sturdy)


def test_norms_are_kept(device):
    case = battery("charge", np.random.default_rng(84))
    start = case.initial_state()
    start = mb.MPS(start.sites, [1e-9 * start.tensors[0], *start.tensors[1:]], 0, start.schmidt)
    evolution = mb.TEBD(dt=0.1, device=device).start(start, as_schedule(case.charging), Truncation())
    evolution.advance(0.3)
    assert evolution.state.norm == pytest.approx(1e-9, rel=1e-9)


def test_resumed_with_the_same_bits(device, tmp_path):
    asked = {"method": mb.TEBD(dt=0.05, device=device), "record": RECORD}
    grid = [0.0, 0.3, 1.0]
    whole = mb.charge(spin_chain.xxz(cells=8), grid, **asked)
    again, stops = in_pieces(lambda kept: mb.charge(spin_chain.xxz(cells=8), grid, checkpoint=kept, **asked),
                             tmp_path / "job.h5")
    assert stops > 1
    same(whole.data, again.data)


# -- where it cannot be --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta"])
def test_no_such_device(name):
    pytest.importorskip("torch")
    with pytest.raises(mb.InputError, match=f"`device` must name a device that torch finds.*but is '{name}': "):
        mb.charge(spin_chain.xxz(cells=4), [0, 1], method=mb.TEBD(device=name))


@pytest.mark.parametrize("device", [0, ""])
def test_devices_are_named(device):
    with pytest.raises(mb.InputError, match="`device` must be None or the name of a device"):
        mb.TEBD(device=device)


@pytest.mark.parametrize(("case", "method", "bars", "obstacle"), [
    (lambda: open_chain.boundary_driven(cells=3), mb.TEBD(device="cpu"), True, "a density"),
    (lambda: cavity.tavis_cummings(cells=3), mb.TEBD(device="cpu"), True, "a walking hub"),
    (lambda: spin_chain.xxz(cells=4), mb.TEBD(device="cpu", moving_centre=True), True, "a moving centre"),
    (lambda: spin_chain.xxz(cells=4), mb.TEBD(device="cpu"), "rigorous", "a moving centre"),
], ids=["density", "hub", "centre", "rigorous"])
def test_what_runs_in_numpy_only(case, method, bars, obstacle):
    with pytest.raises(mb.InputError, match=f"`device` must be None for {obstacle}, which evolves in numpy only, but"):
        mb.charge(case(), [0, 1], method=method, bars=bars)


def test_both_doors_are_watched():
    """Before anything is computed, and where an evolution is begun without `charge`."""
    hub, chain = cavity.tavis_cummings(cells=3), open_chain.boundary_driven(cells=3)
    with pytest.raises(mb.InputError, match="must be None for a walking hub"):
        choose(as_schedule(hub.charging), mb.TEBD(device="cpu"), Truncation(), np.array([0.0, 1.0]))
    with pytest.raises(mb.InputError, match="must be None for a density"):
        mb.TEBD(dt=0.1, device="cpu").start(mb.Density.product(chain.sites, "mixed"), as_schedule(chain.charging),
                                            Truncation())


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "mps_battery.evolve.device", raising=False)
    monkeypatch.delattr("mps_battery.evolve.device", raising=False)
    with pytest.raises(mb.InputError, match="where torch cannot be imported, but is 'cuda': install torch to"):
        mb.charge(spin_chain.xxz(cells=4), [0, 1], method=mb.TEBD(device="cuda"))
    case = spin_chain.xxz(cells=4)
    with pytest.raises(mb.InputError, match="install torch"):
        mb.TEBD(dt=0.1, device="cpu").start(case.initial_state(), as_schedule(case.charging), Truncation())
    assert mb.charge(case, [0, 0.1], method=mb.TEBD()).budget.max_bond > 1


def test_spec_files_name_a_device():
    raw = {"model": {"name": "xxz"}, "times": [0.0, 1.0], "method": {"name": "tebd", "device": "cuda:1"}}
    assert check_spec(raw).solver() == mb.TEBD(device="cuda:1")
    with pytest.raises(mb.InputError, match=r"`method\.device` must belong to the method 'exact'"):
        check_spec(raw | {"method": {"name": "exact", "device": "cuda"}}).solver()
