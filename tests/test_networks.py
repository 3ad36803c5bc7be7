"""Batteries beyond the spin-1/2 chain: Hamiltonians by hand, closed forms, and exact solutions in small subspaces."""

from functools import reduce

import numpy as np
import pytest
from scipy.linalg import eigh

import mps_battery as mb
from mps_battery.models import networks

UP = np.diag([1.0, 0.0])
RAISE = np.array([[0.0, 1.0], [0.0, 0.0]])
X, Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def at(dims, **factors):
    """A product of operators given as s0=..., s3=... on sites of the dimensions given."""
    return reduce(np.kron, [factors.get(f"s{n}", np.eye(d)) for n, d in enumerate(dims)])


def hop(dims, n, m, raising=RAISE):
    term = at(dims, **{f"s{n}": raising, f"s{m}": raising.T})
    return term + term.T


def stored(battery, times, method=None):
    return mb.charge(battery, times, method=method, bars=False).data["energy"].values


TIMES = np.linspace(0, 2.5, 6)


# -- Hamiltonians by hand ------------------------------------------------------------------------------------------
def test_central_spins_by_hand():
    battery = networks.central_spins(cells=1, chargers=2, splitting=1.2, coupling=0.3, ising=0.7)
    d = (2, 2, 2)                                                       # charger, cell, charger
    energy = 1.2 * at(d, s1=UP)
    coupling = hop(d, 1, 0) + hop(d, 1, 2) + 0.35 * (at(d, s0=Z, s1=Z) + at(d, s1=Z, s2=Z))
    assert battery.cells == (1,)
    np.testing.assert_allclose(battery.energy.to_dense(), energy, atol=1e-14)
    np.testing.assert_allclose(battery.charging.to_dense(), energy + 1.2 * (at(d, s0=UP) + at(d, s2=UP))
                               + 0.3 * coupling, atol=1e-14)


def test_spin_ladder_by_hand():
    battery = networks.spin_ladder(cells=2, splitting=1.2, rung=0.4, leg=0.3, anisotropy=0.7)
    d = (2, 2, 2, 2)
    legs = [1.2 * (at(d, **{f"s{a}": UP}) + at(d, **{f"s{a + 2}": UP})) + 0.3 * hop(d, a, a + 2)
            + 0.105 * at(d, **{f"s{a}": Z, f"s{a + 2}": Z}) for a in (0, 1)]
    np.testing.assert_allclose(battery.energy.to_dense(), legs[0], atol=1e-14)
    np.testing.assert_allclose(battery.charging.to_dense(), sum(legs) + 0.4 * (hop(d, 0, 1) + hop(d, 2, 3)), atol=1e-14)


@pytest.mark.parametrize("spin", [0.5, 1.0, 1.5])
def test_spin_j_chain_by_hand(spin):
    battery = networks.spin_j_chain(cells=2, spin=spin, field=0.9, exchange=0.4, anisotropy=0.3, biquadratic=0.6,
                                    drive=0.7)
    m = spin - np.arange(round(2 * spin + 1))
    raising = np.diag(np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1)), 1)
    s = [(raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)]
    dots = [np.kron(a, a) for a in s]
    one = np.eye(len(m))
    whole = sum(dots)
    energy = 0.9 * (np.kron(s[2], one) + np.kron(one, s[2])) + 0.4 * (dots[0] + dots[1] + 0.3 * dots[2]) \
        + 0.24 * whole @ whole
    np.testing.assert_allclose(battery.energy.to_dense(), energy, atol=1e-13)
    np.testing.assert_allclose(battery.charging.to_dense(),
                               energy + 0.7 * (np.kron(s[0], one) + np.kron(one, s[0])), atol=1e-13)


@pytest.mark.parametrize("reach", [None, 1])
def test_rydberg_array_by_hand(reach):
    battery = networks.rydberg_array(cells=3, splitting=1.1, rabi=0.8, detuning=0.3, interaction=2.0, exponent=3,
                                     reach=reach)
    d = (2, 2, 2)
    n = [at(d, **{f"s{k}": UP}) for k in range(3)]
    x = sum(at(d, **{f"s{k}": X}) for k in range(3))
    repulsion = 2.0 * (n[0] @ n[1] + n[1] @ n[2]) + (0.25 * n[0] @ n[2] if reach is None else 0.0)
    np.testing.assert_allclose(battery.energy.to_dense(), 1.1 * sum(n), atol=1e-14)
    np.testing.assert_allclose(battery.charging.to_dense(), 0.4 * x - 0.3 * sum(n) + repulsion, atol=1e-14)


# -- closed forms and small subspaces ------------------------------------------------------------------------------
def test_central_spins_in_the_space_of_two_large_spins():
    """Three cells and five chargers: collective spins 3/2 and 5/2, by matrices of 24 states."""
    battery = networks.central_spins(cells=3, chargers=5, coupling=0.25, ising=0.4)
    def spin(j):
        m = j - np.arange(round(2 * j + 1))
        return np.diag(np.sqrt(j * (j + 1) - m[1:] * (m[1:] + 1)), 1), np.diag(m)
    (bp, bz), (cp, cz) = spin(1.5), spin(2.5)
    ones = np.eye(4), np.eye(6)
    exchange = np.kron(bp, cp.T) + np.kron(bp.T, cp) + 0.2 * 4 * np.kron(bz, cz)
    h = np.kron(bz, ones[1]) + np.kron(ones[0], cz) + 0.25 * exchange
    start = np.kron(np.eye(4)[3], np.eye(6)[0])
    e = np.kron(bz, ones[1])
    values, v = eigh(h)
    states = [v @ (np.exp(-1j * values * t) * (v.T @ start)) for t in TIMES]
    expected = np.array([(x.conj() @ e @ x).real for x in states]) + 1.5
    np.testing.assert_allclose(stored(battery, TIMES, mb.TDVP(dt=0.05, order=4)), expected, atol=2e-6)
    np.testing.assert_allclose(stored(battery, TIMES, mb.Exact()), expected, atol=1e-9)


def test_ladder_of_free_rungs():
    found = stored(networks.spin_ladder(cells=4, splitting=1.2, rung=0.5, leg=0.0), TIMES)
    np.testing.assert_allclose(found, 4 * 1.2 * np.sin(0.5 * TIMES) ** 2, atol=1e-9)


def test_isotropic_spins_of_size_three_halves_stay_a_product():
    battery = networks.spin_j_chain(cells=10, spin=1.5, field=1.1, exchange=0.4, anisotropy=1.0, biquadratic=0.2,
                                    drive=0.8)
    run = mb.charge(battery, TIMES, method=mb.TEBD(dt=0.02), bars=False)
    w2 = 1.1**2 + 0.8**2
    np.testing.assert_allclose(run.data["energy"], 10 * 3 * 1.1 * 0.64 / w2 * np.sin(np.sqrt(w2) * TIMES / 2) ** 2,
                               atol=1e-6)
    assert run.data["entropy"].max() < 1e-9


def test_two_atoms_in_blockade():
    found = stored(networks.rydberg_array(cells=2, rabi=0.8, interaction=1e5), TIMES)
    np.testing.assert_allclose(found, np.sin(0.8 * TIMES / np.sqrt(2)) ** 2, atol=1e-4)


@pytest.mark.parametrize("dimers", [3, 20])
def test_charging_through_edge_states(dimers):
    """One excitation: a hopping matrix of as many sites. Long dimerised chains leave the cell empty."""
    battery = networks.ssh_charger(dimers=dimers, weak=0.4, strong=1.0, coupling=0.2)
    hops = np.r_[0.2, [0.4, 1.0] * dimers]
    hops[-1] = 0.2
    values, v = eigh(np.diag(hops, 1) + np.diag(hops, -1))
    times = np.linspace(0, 40, 5)
    amplitude = [(v[-1] * np.exp(-1j * values * t)) @ v[0] for t in times]
    np.testing.assert_allclose(stored(battery, times), np.abs(amplitude) ** 2, atol=1e-7)


@pytest.mark.parametrize("coherent", [True, False])
def test_oscillators_are_classical_in_the_mean(coherent):
    battery = networks.oscillators(cells=2, splitting=1.1, coupling=0.3, quanta=1.0, coherent=coherent)
    run = mb.charge(battery, TIMES, method=mb.Exact(), bars=False)
    np.testing.assert_allclose(run.data["energy"], 1.1 * np.sin(0.3 * np.sqrt(2) * TIMES) ** 2, atol=1e-9)
    entropy = run.data["entropy"].max()
    assert entropy < 1e-4 if coherent else entropy > 0.3


@pytest.mark.parametrize(("model", "arguments", "word"), [
    ("central_spins", {"chargers": 0}, "chargers"), ("rydberg_array", {"reach": 0}, "reach"),
    ("rydberg_array", {"exponent": -1.0}, "exponent"), ("ssh_charger", {"dimers": 0}, "dimers"),
    ("oscillators", {"quanta": 1.5, "coherent": False}, "quanta"), ("oscillators", {"quanta": -1.0}, "quanta"),
    ("spin_j_chain", {"spin": 0.7}, "S")])
def test_bad_arguments(model, arguments, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        getattr(networks, model)(**arguments)
