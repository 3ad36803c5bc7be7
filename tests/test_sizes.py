"""The largest sizes at which models beside the plain chains were compared with an exact result; see docs/systems.md.

Each through the engine's own choice of method, at its own step; errors are of the whole stored energy.
"""

from math import sqrt

import numpy as np
import pytest
from collective import Collective, conserving
from scipy.linalg import eigh, expm

import mps_battery as mb
from mps_battery.models import cavity, light, networks, spin_chain

TIMES = np.array([0.0, 0.5, 1.0])
ENERGY = {"energy": mb.Energy()}
pytestmark = pytest.mark.slow


def large_spin(j):
    """J+ and J_z, highest state first."""
    m = j - np.arange(round(2 * j + 1))
    return np.diag(np.sqrt(j * (j + 1) - m[1:] * (m[1:] + 1)), 1), np.diag(m)


def evolved(h, start, operator, times):
    """<operator> under a dense h."""
    values, v = eigh(h)
    states = [v @ (np.exp(-1j * values * t) * (v.conj().T @ start)) for t in times]
    return np.array([np.vdot(x, operator @ x).real for x in states])


def anisotropic():
    battery = cavity.anisotropic_dicke(cells=12, coupling=0.3, counter=0.4)
    large = Collective(12, battery.parameters["cutoff"])
    return battery, large.excitations(large.dicke(1.0, 0.3, 0.4), large.start(12), TIMES)


def dipoles():
    battery = cavity.extended_dicke(cells=8, photons=4, coupling=0.3, dipole=0.2, drive=0.3, cutoff=24)
    large = Collective(8, 24)
    h = large.dicke(1.0, 0.3) + 0.2 * (large.plus @ large.plus.T - large.excited) + 0.3 * (large.plus + large.plus.T)
    return battery, large.excitations(h, large.start(4), TIMES)


def isotropic():
    battery = cavity.cavity_heisenberg(cells=10, exchange=0.3, anisotropy=1.0)
    large = Collective(10, battery.parameters["cutoff"])
    return battery, large.excitations(large.dicke(1.0, 0.2), large.start(10), TIMES)


def ising_in_a_cavity():
    battery = cavity.dicke_ising(cells=8)
    return battery, mb.charge(battery, TIMES, record=ENERGY, method=mb.Exact()).data["energy"].values


def idle_mode():
    return light.two_mode(cells=6, photons=6, coupling=0.3, second=0.0, cutoff=6), conserving(6, 0.3, TIMES)[0]


def array():
    n, g, hop = 10, 0.5, 0.7
    row = np.eye(n, k=1) + np.eye(n, k=-1)
    h = np.block([[np.zeros((n, n)), g * np.eye(n)], [g * np.eye(n), hop * row]])
    return light.cavity_array(cells=n, photons=1, coupling=g, hopping=hop), np.array(
        [np.sum(np.abs(expm(-1j * t * h)[:n, n]) ** 2) for t in TIMES])


def unlike():
    g = np.random.default_rng(4).uniform(0.1, 0.3, 40)
    total = np.sum(g**2)
    return cavity.disordered_cavity(cells=40, photons=1, couplings=g), np.sin(np.sqrt(total) * TIMES) ** 2


def three_levels():
    battery = light.three_level_dicke(cells=8, photons=8, coupling=0.4, counter=0.0)
    large = Collective(16, battery.parameters["cutoff"])
    return battery, large.excitations(large.dicke(1.0, 0.4 / sqrt(2), 0.0), large.start(8), TIMES)


def qubits_in_flight():
    """The photons meet one qubit after another, which leaves with sin^2(coupling transit sqrt(n) / 2) of one."""
    battery = light.flying_qubits(cells=8, photons=3, coupling=1.7, transit=0.6, interval=0.7)
    photons, expected, total = np.eye(4)[3], [0.0], 0.0
    for _ in range(8):
        taken = photons * np.sin(1.7 * 0.6 * np.sqrt(np.arange(4)) / 2) ** 2
        photons = photons - taken + np.append(taken[1:], 0)
        total += taken.sum()
        expected.append(total)
    return battery, np.array(expected), np.r_[0, 0.65 + 0.7 * np.arange(8)]


def central():
    battery = networks.central_spins(cells=2, chargers=20, coupling=0.1, ising=0.4)
    (bp, bz), (cp, cz) = large_spin(1), large_spin(10)
    exchange = np.kron(bp, cp.T) + np.kron(bp.T, cp) + 0.2 * 4 * np.kron(bz, cz)
    h = np.kron(bz, np.eye(21)) + np.kron(np.eye(3), cz) + 0.1 * exchange
    start = np.kron(np.eye(3)[2], np.eye(21)[0])
    return battery, evolved(h, start, np.kron(bz, np.eye(21)), TIMES) + 1


def null():
    return spin_chain.power_law(cells=12, field=0.8, coupling=0.7, exponent=1.2, anisotropy=1.0, drive=0.6), \
        12 * 2 * 0.8 * 0.36 * np.sin(TIMES) ** 2


def lipkin():
    p, z = large_spin(10)
    x2, y2 = (p + p.T) @ (p + p.T), -(p - p.T) @ (p - p.T)          # sums over pairs: (sum X)^2 = N + 2 sum X X
    h = -0.5 / 20 * (x2 - 20 * np.eye(21) + 0.3 * (y2 - 20 * np.eye(21))) / 2 + 2 * z
    energy = evolved(h + 0.9 * (p + p.T), np.eye(21)[20], h, TIMES)
    return spin_chain.lipkin(cells=20, coupling=0.5, asymmetry=0.3), energy - energy[0]


def pairs_of_a_chain():
    """Full dimerisation: twenty pairs, each alone."""
    x, y, z = (mb.Spin().operator(name) for name in "XYZ")
    one = np.eye(2)
    h = 0.5 * 2 * (0.75 * np.kron(x, x) + 0.25 * np.kron(y, y)) + np.kron(z, one) + np.kron(one, z)
    energy = evolved(h + 0.9 * (np.kron(x, one) + np.kron(one, x)), np.eye(4)[3], h, TIMES)
    return spin_chain.xy_dimerised(cells=40, dimerisation=1.0), 20 * (energy - energy[0])


def large_spins():
    battery = networks.spin_j_chain(cells=40, spin=1.5, field=1.1, exchange=0.4, anisotropy=1.0, biquadratic=0.2,
                                    drive=0.8)
    w2 = 1.1**2 + 0.8**2
    return battery, 40 * 3 * 1.1 * 0.64 / w2 * np.sin(np.sqrt(w2) * TIMES / 2) ** 2


def rungs():
    return networks.spin_ladder(cells=20, splitting=1.2, rung=0.5, leg=0.0), 20 * 1.2 * np.sin(0.5 * TIMES) ** 2


def blockade():
    return networks.rydberg_array(cells=10, rabi=0.8, interaction=1e6, exponent=0.0), \
        np.sin(0.4 * np.sqrt(10) * TIMES) ** 2


def oscillators():
    return networks.oscillators(cells=4, splitting=1.1, coupling=0.3, quanta=1.0), 1.1 * np.sin(0.6 * TIMES) ** 2


CASES = {case.__name__: (case, within) for case, within in [
    (anisotropic, 1e-6), (dipoles, 1e-6), (isotropic, 1e-5), (ising_in_a_cavity, 1e-6), (idle_mode, 1e-6),
    (array, 1e-6), (unlike, 1e-6), (three_levels, 1e-5), (qubits_in_flight, 1e-6), (central, 1e-6), (null, 1e-6),
    (lipkin, 1e-5), (pairs_of_a_chain, 1e-5), (large_spins, 1e-5), (rungs, 1e-6), (blockade, 1e-4),
    (oscillators, 1e-5)]}


@pytest.mark.parametrize("case", CASES)
def test_largest_size(case):
    made, within = CASES[case]
    battery, expected, *times = made()
    run = mb.charge(battery, times[0] if times else TIMES, record=ENERGY, bars=False)
    error = np.abs(run.data["energy"].values - expected).max()
    print(f"{case}: {len(battery.cells)} cells, {len(battery.sites)} sites, error {error:.1e}, {run.card['method']}")
    assert error < within
    assert np.abs(expected).max() > 0.1
