"""Steady states continued to longer chains: exact where the bond space is complete."""

import numpy as np
import pytest
import solved_open
from test_steady import driven_chain, pauli_current

import mps_battery as mb
from mps_battery.liouville import generator
from mps_battery.steady import lengthen
from mps_battery.steady.lengthen import closest, continued
from mps_battery.tensors import trains
from mps_battery.tensors.density import density_sites
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation


def exact(n, delta, bias=1.0, dephasing=0.0):
    return mb.steady_state(driven_chain(n, delta, bias, dephasing=dephasing), method=mb.Dense()).state


@pytest.mark.parametrize(("delta", "short", "long"), [(0.0, 2, 3), (0.0, 3, 5), (0.0, 2, 4), (0.5, 4, 5)])
def test_uniform_chains_are_continued_exactly(delta, short, long):
    """Matrices of finite size that do not know the length: bond 4 without interaction, 9 at Delta = 1/2."""
    longest = 2 * long - short
    found = continued(exact(short, delta), exact(long, delta))
    assert len(found) == longest
    assert found.trace == pytest.approx(1, abs=1e-12)
    assert np.abs(found.to_dense() - exact(longest, delta).to_dense()).max() < 1e-8


def test_fifty_sites_from_dense_chains():
    """Delta = 1/2 (REFERENCES 4.2): N = 2 M - n by linear algebra alone, from chains of at most 6 sites."""
    chain = {n: exact(n, 0.5) for n in (4, 5)}
    for n, short in ((6, 4), (8, 4), (10, 6), (16, 4), (27, 5)):
        middle = (n + short) // 2
        chain[n] = exact(n, 0.5) if n == 6 else continued(chain[short], chain[middle])
    battery = driven_chain(50, 0.5, 1.0)
    steady = mb.steady_state(battery, method=mb.Sweeps(most=1), truncation=mb.Truncation(32, 1e-24), tolerance=1e-8,
                             start=(chain[4], chain[27]))
    assert pauli_current(steady) == pytest.approx(solved_open.maximal_driving_current(50, 0.5, 1), rel=1e-10)
    assert steady.certificate.residual < 1e-11
    assert steady.certificate.spread < 1e-11
    assert max(int(np.sum(x > 1e-10 * x[0])) for x in steady.state.train.schmidt_values) <= 9


def test_start_from_shorter_chains_is_near():
    """Where the bond space grows with the length, at Delta = 1: a start far better than the identity."""
    battery = driven_chain(6, 1.0, 1.0, dephasing=0.2)
    start = continued(*(exact(n, 1.0, dephasing=0.2) for n in (4, 5)))
    truth = mb.steady_state(battery, method=mb.Dense()).state.to_dense()
    apart = [np.linalg.norm(x.to_dense() - truth) for x in (start, mb.Density.product(battery.sites, "mixed"))]
    assert apart[0] < 0.25 * apart[1]


@pytest.mark.parametrize("lengths", [(5, 4), (4, 4), (3, 4)])
def test_two_states_that_do_not_make_the_length(lengths):
    pair = tuple(mb.Density.product([mb.Spin()] * n, "mixed") for n in lengths)
    with pytest.raises(mb.InputError, match="start"):
        mb.steady_state(driven_chain(8, 0.5, 1.0), start=pair)


def test_closest_of_several_continuations(monkeypatch):
    """Small Schmidt values are inverted only where that brings the residual down."""
    several = (0.5, 0.01, 0.2)
    monkeypatch.setattr(lengthen, "LEAST_SCHMIDT", several)
    battery = driven_chain(6, 1.0, 1.0)
    parts = generator(battery).parts
    total = sum((t for t, _ in parts[1:]), parts[0][0].copy())
    dense, cut = total.to_sparse().real, Truncation(12, 0.0)

    def off(vector):
        return np.linalg.norm(dense @ vector) / np.linalg.norm(vector)

    pair = exact(4, 1.0), exact(5, 1.0)
    each = [off(MPS(density_sites(battery.sites), trains.cut(continued(*pair, least).train.tensors, cut)).to_dense())
            for least in several]
    found = closest(*pair, total.to_mpo(), cut, 1.0)
    assert max(found.bonds) <= 12
    assert off(found.train.to_dense()) == pytest.approx(min(each), rel=1e-6)
    assert max(each) > 1.05 * min(each)


def test_continued_chain_with_a_heavy_identity():
    """Stabilised sweeps from the seam outwards: N = 8, Delta = 1, from 4 and 6."""
    steady = mb.steady_state(driven_chain(8, 1.0, 1.0), start=(exact(4, 1.0), exact(6, 1.0)), tolerance=1e-5,
                             method=mb.Sweeps(most=14, identity_weight=2.0, stabilisation=1.0),
                             truncation=mb.Truncation(28, 1e-24))
    assert pauli_current(steady) == pytest.approx(solved_open.maximal_driving_current(8, 1.0, 1), rel=3e-5)
    assert steady.certificate.spread < 1e-5
    assert steady.history.sizes["step"] <= 14


@pytest.mark.parametrize("bond", [2, 3, 5])
def test_stabilised_sweeps_of_a_small_bond(bond):
    """Enrichment leaves room for a state, however small the bond."""
    steady = mb.steady_state(driven_chain(5, 0.0, 0.4), truncation=mb.Truncation(bond), tolerance=1e-6,
                             method=mb.Sweeps(most=2, first_bond=2, stabilisation=2.0))
    assert steady.history.sizes["step"] == 2
    assert steady.state.trace == pytest.approx(1, abs=1e-10)
