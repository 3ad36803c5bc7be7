"""Energy teleportation on the steady states of long chains between two baths, against free fermions."""

import time
from itertools import permutations

import numpy as np
import pytest
import quasi_free
import solved
from solved import X, Y, Z, pauli_string
from test_teleport_protocols import ising

import mps_battery as mb

MATRICES = {"X": X, "Y": Y, "Z": Z}


def rates(field, beta, rate):
    n = 1 / np.expm1(2 * field * beta)
    return rate * (1 + n), rate * n


def between(n, field, hot, cold, rate):
    """The battery, and the covariance of its steady state."""
    ends = [(0, hot, rate), (n - 1, cold, rate)]
    baths = [(site, *rates(field, beta, rate)) for site, beta, rate in ends]
    return ising(n, field, ends), quasi_free.steady_covariance(quasi_free.ising_generator(n, 1.0, field), baths)


def test_referee():
    """The covariance against the dense steady state, and its Pfaffians against dense traces."""
    n = 4
    (_, battery), g = between(n, 0.8, 0.4, 1.5, 0.7)
    rho = mb.steady_state(battery, method=mb.Dense(), progress=False).state.to_dense()
    for factors in ({1: "Z"}, {0: "X", 1: "Y"}, {0: "X", 3: "Y"}, {0: "Y", 2: "Z", 3: "Y"}, {0: "Z", 1: "Z", 2: "Z"},
                    {0: "X", 1: "X", 2: "Y", 3: "X"}, {2: "X"}):
        exact = np.trace(pauli_string(n, {k: MATRICES[o] for k, o in factors.items()}) @ rho).real
        assert quasi_free.mean(g, factors) == pytest.approx(exact, abs=1e-12)
    h = battery.energy.to_dense()
    levels, vectors = np.linalg.eigh(h)
    gibbs = (vectors * np.exp(-0.9 * (levels - levels[0]))) @ vectors.conj().T
    g = quasi_free.gibbs_covariance(quasi_free.ising_generator(n, 1.0, 0.8), 0.9)
    exact = np.trace(pauli_string(n, {0: Y, 2: Z, 3: Y}) @ gibbs) / np.trace(gibbs)
    assert quasi_free.mean(g, {0: "Y", 2: "Z", 3: "Y"}) == pytest.approx(exact.real, abs=1e-12)


def agree(steady, battery, g, pairs, field, tolerance):
    """Engine against free fermions, inside the bars."""
    for a, b in pairs:
        found = mb.teleport(steady.state, battery.energy, a, b, earlier=steady.earlier)
        k = quasi_free.teleported(g, 1.0, field, a, b)
        drawn = np.array([solved.local_ergotropy_closed_form(x)[0] for x in (*k, k.sum(axis=0))])
        assert quasi_free.work(k) == pytest.approx(drawn[:2], abs=1e-13)
        exact = {"extracted": drawn[0] + drawn[1], "without_message": drawn[2],
                 "surplus": drawn[0] + drawn[1] - drawn[2]}
        for name, value in exact.items():
            assert getattr(found, name) == pytest.approx(value, abs=tolerance)
            assert abs(getattr(found, name) - value) <= found.bars[name] + 1e-13
        assert found.audits["no_signalling"] < 1e-12
        assert abs(found.audits["ledger"]) < 1e-11


def test_eight_sites():
    """By sweeps, the steady state solved by nothing but free fermions on the other side."""
    (_, battery), g = between(8, 1.0, 1 / 3, 2.0, 1.0)
    steady = mb.steady_state(battery, method=mb.Sweeps(first_bond=16), truncation=mb.Truncation(20, 1e-24),
                             tolerance=1e-9, progress=False)
    agree(steady, battery, g, [(0, 1), (2, 4), (5, 2), (0, 7), (6, 7)], 1.0, 1e-7)


@pytest.mark.slow
def test_every_pair_of_eight_sites():
    """All 56 pairs to 1e-7, the steady state of the engine against that of free fermions."""
    (_, battery), g = between(8, 0.7, 0.3, 2.0, 0.5)
    steady = mb.steady_state(battery, tolerance=1e-10, progress=False)
    agree(steady, battery, g, list(permutations(range(8), 2)), 0.7, 1e-7)


def test_message_is_worth_nothing_far_away_at_equal_temperatures():
    """Local baths of one temperature: beyond nearest neighbours the message adds nothing, a bias opens it."""
    terms, biased = ising(5, 1.0, [(0, 1 / 3, 1.0), (4, 2.0, 1.0)])
    _, equal = ising(5, 1.0, [(0, 0.5, 1.0), (4, 0.5, 1.0)])
    for battery, least, most in ((biased, 1e-5, 1.0), (equal, 0.0, 1e-25)):
        state = mb.steady_state(battery, method=mb.Dense(), progress=False).state
        for a, b in ((1, 3), (0, 3), (3, 1)):
            assert least <= mb.teleport(state, terms, a, b).surplus <= most


@pytest.mark.slow
def test_forty_sites():
    """All distances of a certified steady state of forty sites within ten minutes of one core."""
    begun = time.process_time()
    (_, battery), g = between(40, 1.0, 1 / 3, 2.0, 1.0)
    steady = mb.steady_state(battery, method=mb.Sweeps(first_bond=16), truncation=mb.Truncation(24, 1e-22),
                             tolerance=1e-9, progress=False, seconds=900)
    solved_in = time.process_time() - begun
    agree(steady, battery, g, [((40 - d) // 2, (40 - d) // 2 + d) for d in range(1, 40)], 1.0, 1e-6)
    spent = time.process_time() - begun
    print(steady, f"solved in {solved_in:.0f} s, all distances after {spent:.0f} s")
    assert spent < 600
    assert steady.certificate.least_eigenvalue > 0
    assert steady.certificate.residual < 1e-5
