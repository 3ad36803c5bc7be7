"""Compiled updates of small bonds against the same evolution without numba."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve import compiled, tebd
from mps_battery.tensors.truncation import Truncation

KINDS = {
    "charge": ([mb.Spin()] * 8, False),
    "no charge": ([mb.Spin()] * 8, True),
    "spin one": ([mb.Spin(1)] * 6, False),
    "mixed sites": ([mb.Spin(), mb.Spin(1), mb.Boson(3), mb.Spin(), mb.Boson(2), mb.Spin(1.5)], False),
    "mixed sites, no charge": ([mb.Spin(), mb.Spin(1), mb.Spin(), mb.Spin(1.5), mb.Spin()], True),
    "two sites": ([mb.Spin()] * 2, False),
}


def flip(site):
    """Names of the raising and the lowering operator."""
    return ("Sp", "Sm") if "Sp" in site.operators else ("Ad", "A")


def battery(kind, rng):
    """Random fields and exchange, and a drive where nothing is conserved."""
    sites, driven = KINDS[kind]
    h = mb.Terms(sites)
    for n, site in enumerate(sites):
        h += rng.normal(), ("Sz" if "Sz" in site.operators else "N", n)
        if driven:
            h += rng.normal(), ("Sx", n)
    for n in range(len(sites) - 1):
        (up, down), (raises, lowers), x = flip(sites[n]), flip(sites[n + 1]), rng.normal()
        h += x, (up, n), (lowers, n + 1)
        h += x, (down, n), (raises, n + 1)
    return mb.Battery(sites, cells=range(len(sites)), energy=h, charging=h, empty=[n % 2 for n in range(len(sites))])


def evolved(case, truncation, times, blocks=tebd.CROSSOVER, hands=1):
    evolution = mb.TEBD(dt=0.1, blocks=blocks).start(case.initial_state(), as_schedule(case.charging), truncation)
    assert isinstance(evolution, tebd.HastingsEvolution)
    evolution._hands = hands
    states = []
    for t in times:
        evolution.advance(t)
        states.append(evolution.state)
    return evolution, states


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", [Truncation(256, 1e-12), Truncation(256, 1e-6), Truncation(6, 1e-12)], ids=str)
def test_same_states_as_without_numba(kind, truncation, monkeypatch):
    case, times = battery(kind, np.random.default_rng([61, list(KINDS).index(kind)])), [0.3, 0.7, 1.2]
    fast, quick = evolved(case, truncation, times)
    assert fast._labels is not None
    assert any(len(set(q)) > 1 for q in fast._labels) == ("no charge" not in kind)
    monkeypatch.setattr(tebd, "compiled", lambda: None)
    slow, plain = evolved(case, truncation, times)
    assert slow._labels is None
    for a, b in zip(quick, plain, strict=True):
        assert a.bonds == b.bonds
        assert a.overlap(a).real == pytest.approx(b.overlap(b).real, abs=1e-11)
        assert abs(a.overlap(b)) ** 2 == pytest.approx((a.overlap(a) * b.overlap(b)).real, abs=1e-11)
        for s, z in zip(a.schmidt_values, b.schmidt_values, strict=True):
            np.testing.assert_allclose(s**2, z**2, atol=1e-11)
    assert fast.ledger.truncations == slow.ledger.truncations
    assert fast.ledger.cap_bound == slow.ledger.cap_bound
    assert fast.ledger.discarded_weight == pytest.approx(slow.ledger.discarded_weight, rel=1e-6, abs=1e-13)


@pytest.mark.parametrize("kind", ["charge", "no charge"])
def test_threads_change_nothing(kind, monkeypatch):
    monkeypatch.setattr(compiled, "LEAST_BOND", 1)
    case = battery(kind, np.random.default_rng(67))
    one, three = (evolved(case, Truncation(256, 1e-9), [0.3, 0.6], hands=n)[0] for n in (1, 3))
    assert one.ledger == three.ledger
    for a, b in zip(one._tensors, three._tensors, strict=True):
        np.testing.assert_array_equal(a, b)


def test_on_to_blocks_and_to_stacks(monkeypatch):
    times = [0.4, 0.8, 1.2]
    case = battery("charge", np.random.default_rng(62))
    turned, states = evolved(case, Truncation(), times, blocks=5)
    assert turned._chain is not None
    _, dense = evolved(case, Truncation(), times)
    assert abs(states[-1].overlap(dense[-1])) == pytest.approx(1, abs=1e-10)
    case = battery("no charge", np.random.default_rng(63))
    _, whole = evolved(case, Truncation(), times)
    monkeypatch.setattr(tebd, "COMPILED", 5)
    turned, states = evolved(case, Truncation(), times)
    assert turned._labels is None
    assert abs(states[-1].overlap(whole[-1])) == pytest.approx(1, abs=1e-10)


def test_a_start_without_a_charge_is_dense():
    case = battery("charge", np.random.default_rng(64))
    vector = np.random.default_rng(65).normal(size=2**8)
    start = mb.MPS.from_dense(case.sites, vector / np.linalg.norm(vector))
    evolution = mb.TEBD(dt=0.1).start(start, as_schedule(case.charging), Truncation())
    evolution.advance(0.2)
    assert not any(q.any() for q in evolution._labels)
    exact = mb.Exact().start(start, as_schedule(case.charging), Truncation())
    exact.advance(0.2)
    assert abs(evolution.state.overlap(exact.state)) == pytest.approx(1, abs=1e-7)


def test_norms_are_kept():
    case = battery("charge", np.random.default_rng(68))
    start = case.initial_state()
    start = mb.MPS(start.sites, [1e-9 * start.tensors[0], *start.tensors[1:]], 0, start.schmidt)
    evolution = mb.TEBD(dt=0.1).start(start, as_schedule(case.charging), Truncation())
    assert evolution.state.overlap(start).real == pytest.approx(1e-18, rel=1e-12)
    evolution.advance(0.3)
    assert evolution.state.norm == pytest.approx(1e-9, rel=1e-9)


def test_weights_are_dropped_as_by_the_truncation():
    rng = np.random.default_rng(66)
    for _ in range(200):
        rows, columns = rng.integers(0, 7, 4), rng.integers(0, 7, 4)
        ranks = np.minimum(rows, columns)
        if not ranks.any():
            continue
        weights = np.zeros((4, 7))
        for m, (w, k) in enumerate(zip(columns, ranks, strict=True)):
            weights[m, w - k:w] = np.sort(10.0 ** rng.uniform(-14, 0, k))
        truncation = Truncation(int(rng.integers(1, 12)), 10.0 ** rng.uniform(-12, -1))
        pooled = np.sort(weights[weights > 0])[::-1]
        kept, discarded, capped = truncation.kept(pooled)
        dropped, count, lost, met = compiled._dropped(weights, rows, columns, truncation.weight, truncation.bond)
        assert (count, met) == (kept, capped)
        assert lost == pytest.approx(discarded, rel=1e-9, abs=1e-25)
        left = np.sort(np.concatenate([weights[m, dropped[m]:columns[m]] for m in range(4)]))[::-1]
        np.testing.assert_array_equal(left, pooled[:kept])
