"""How far a cavity charges: the tables and exponents of the literature, and the engine beside one large spin."""

from math import sqrt

import numpy as np
import pytest
from collective import Collective, best, conserving, ergotropy

import mps_battery as mb
from mps_battery.models import cavity

ENERGY = {"energy": mb.Energy()}


TAVIS_CUMMINGS = {1: (0.036231, 23.29, 0.844), 2: (0.088667, 15.28, 0.678), 4: (0.240336, 10.72, 0.644),
                  6: (0.436479, 8.790, 0.639), 8: (0.668460, 7.612, 0.636), 10: (0.931371, 6.809, 0.634)}
DICKE = {0.5: {2: (1.19190, 0.803, 0.479), 4: (3.38754, 0.624, 0.529), 6: (6.22834, 0.528, 0.548),
               8: (9.59047, 0.463, 0.554), 10: (13.40282, 0.418, 0.561)},
         2.0: {4: (14.2812, 0.163, 0.580), 10: (54.7661, 0.106, 0.583)}}
PEAKS = {2: (8 / 9, 0.8333), 4: (0.86146, 0.7247), 6: (0.86977, 0.7442), 8: (0.87869, 0.7763), 10: (0.88633, 0.8077)}


def exponent(power):
    """Slope of log P against log N from N = 4."""
    counts = [N for N in power if N >= 4]
    return np.polyfit(np.log(counts), np.log([power[N] for N in counts]), 1)[0]


def test_tavis_cummings_table():
    power = {}
    for N, (expected, when, filled) in TAVIS_CUMMINGS.items():
        power[N], t = best(lambda t, N=N: conserving(N, 0.05, t)[0], 1.0, 40 / sqrt(N))
        assert power[N] == pytest.approx(expected, rel=1e-5, abs=5e-7)
        assert t == pytest.approx(when, rel=3e-3)                       # the table took the best of a grid of times
        assert power[N] * t / N == pytest.approx(filled, abs=2e-3)
    assert exponent(power) == pytest.approx(1.478, abs=1e-3)
    assert power[1] == pytest.approx(0.724611 * 0.05, rel=1e-6)


def test_ergotropy_at_the_first_maximum():
    """REFERENCES 3.2 counts unitaries among the symmetric states; all unitaries of the cells draw more from N > 2."""
    for N, (height, symmetric) in PEAKS.items():
        times = np.linspace(0, 30, 12001)
        energies, populations = conserving(N, 0.05, times)
        k = 1 + np.flatnonzero((energies[1:-1] > energies[:-2]) & (energies[1:-1] >= energies[2:]))[0]
        assert energies[k] / N == pytest.approx(height, abs=1e-5)
        passive = np.sort(populations[k])[::-1] @ np.arange(N + 1)
        assert (energies[k] - passive) / N == pytest.approx(symmetric, abs=1e-3)     # falls fast there: a grid of times
        assert ergotropy(populations[k]) >= energies[k] - passive - 1e-12


@pytest.mark.parametrize("N", [2, 4])
def test_ergotropy_of_the_cells_by_the_engine(N):
    """Dense passive energy of the cells' density, sum r_k e_k with r falling and e rising, at the first maximum."""
    t = {2: np.pi / sqrt(6) / 0.05, 4: 18.39}[N]
    state = mb.charge(cavity.tavis_cummings(cells=N), [0, t], bars=False, record=ENERGY).state
    cells = [n for n in range(N + 1) if n != N // 2]
    rho = state.reduced(cells)
    levels = sum(np.kron(np.kron(np.eye(2**n), np.diag([1.0, 0.0])), np.eye(2**(N - n - 1))) for n in range(N))
    drawn = np.trace(rho @ levels).real - np.linalg.eigvalsh(rho)[::-1] @ np.sort(np.diag(levels))
    assert drawn == pytest.approx(ergotropy(conserving(N, 0.05, np.array([t]))[1][0]), abs=1e-8)
    if N == 2:
        assert drawn / N == pytest.approx(0.8333, abs=1e-4)


def powers_of_dicke(coupling, counts, cutoff, scaled=False):
    power, when = {}, {}
    for N in counts:
        large = Collective(N, cutoff(N))
        g = coupling / sqrt(N) if scaled else coupling
        h, start, around = large.dicke(1.0, g), large.start(N), 0.7 / coupling / (1 if scaled else sqrt(N))
        power[N], when[N] = best(lambda t: large.excitations(h, start, t), 0.5 * around, 2 * around, 16)  # noqa: B023
    return power, when


@pytest.mark.parametrize("coupling", [0.5, pytest.param(2.0, marks=pytest.mark.slow)])
def test_dicke_table(coupling):
    counts = DICKE[coupling] if coupling == 0.5 else (4, 6, 8, 10)
    power, when = powers_of_dicke(coupling, counts, lambda N: 3 * N + 8 if coupling == 0.5 else 6 * N + 20)
    for N, (expected, t, filled) in DICKE[coupling].items():
        assert power[N] == pytest.approx(expected, rel=1e-5)
        assert when[N] == pytest.approx(t, rel=6e-3)
        assert power[N] * when[N] / N == pytest.approx(filled, abs=3e-3)
    assert exponent(power) == pytest.approx({0.5: 1.501, 2.0: 1.467}[coupling], abs=1e-3)


@pytest.mark.slow
def test_power_is_not_superextensive_at_fixed_density():
    """With coupling / sqrt(N) the exponent is below one."""
    power, _ = powers_of_dicke(0.5, (4, 6, 8, 10), lambda N: 3 * N + 8, scaled=True)
    assert exponent(power) == pytest.approx(0.970, abs=2e-3)


@pytest.mark.slow
def test_two_photons_charge_quadratically():
    power = {}
    for N in (4, 6, 8, 10):
        large = Collective(N, 6 * N + 8)
        h, start = large.dicke(1.0, 0.002, quanta=2), large.start(2 * N)
        around = 248 / N
        power[N], _ = best(lambda t: large.excitations(h, start, t), 0.6 * around, 1.4 * around, 9)  # noqa: B023
    assert exponent(power) == pytest.approx(2.0, abs=0.05)


@pytest.mark.slow
def test_forty_cells_and_photons():
    """The engine's choice against the tridiagonal matrix of the conserved excitations."""
    N, times = 40, [0, 0.55, 1.1]
    run = mb.charge(cavity.tavis_cummings(cells=N), times, bars=False, record=ENERGY,
                    truncation=mb.Truncation(64, 1e-14))
    assert "TEBD" in run.card["method"]
    error = run.data["energy"].values - conserving(N, 0.05, np.array(times))[0]
    assert np.abs(error).max() / N < 1e-9
    assert run.budget.max_bond <= N // 2 + 3           # N / 2 + 1, but that gates one after another are not symmetric


@pytest.mark.slow
def test_hundred_cells_and_photons():
    """The cavity walks along a hundred cells, to the first maximum and beyond; default truncation."""
    N, times = 100, np.linspace(0, 4.2, 4)
    run = mb.charge(cavity.tavis_cummings(cells=N), times, record=ENERGY)
    error = np.abs(run.data["energy"].values - conserving(N, 0.05, times)[0])
    assert error.max() / N < 1e-6
    assert np.all(error <= run.bars["energy"].values)
    assert "walks" in run.outcome
