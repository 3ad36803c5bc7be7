"""Mean power, its maximum and time, trade-off, charging time, advantage and exponent against closed forms."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

import mps_battery as mb
from mps_battery.measure.flows import power, scaling
from mps_battery.models import cavity, spin_chain

ANGLE = brentq(lambda x: np.tan(x) - 2 * x, 1.0, 1.3)
BEST = np.sin(ANGLE) ** 2 / ANGLE
"""max sin^2(x) / x = 0.724611 of REFERENCES 3.1, and where."""


@dataclass(frozen=True)
class Recorded:
    """Data and bars as a run has them."""

    data: xr.Dataset
    bars: xr.Dataset = field(default_factory=xr.Dataset)
    card: dict = field(default_factory=lambda: {"cells": 1})


def recorded(times, energy, slope, energy_bar=None, power_bar=None):
    def over_time(**given):
        return xr.Dataset({k: ("time", v) for k, v in given.items()}, coords={"time": times})

    bars = xr.Dataset() if energy_bar is None else over_time(energy=energy_bar, power=power_bar)
    return Recorded(over_time(energy=energy, power=slope), bars)


def charged(battery, stop, points=21, **given):
    record = {"energy": mb.Energy(), "power": mb.Power()}
    return mb.charge(battery, np.linspace(0, stop, points), record=record, **given)


# -- closed forms and tables ---------------------------------------------------------------------------------------
def test_one_cell_and_one_photon():
    """P_max = 0.724611 lambda at tan x = 2 x, between the times recorded, within the bars."""
    assert abs(BEST - 0.724611) < 1e-6
    found = power.maximum_power(charged(cavity.tavis_cummings(cells=1), 40, 41))
    assert abs(found.value - 0.05 * BEST) < min(found.bar, 1e-7)
    assert abs(found.time - ANGLE / 0.05) < min(found.time_bar, 1e-3)
    assert found.bar < 1e-7
    assert found.time_bar < 1e-3
    assert abs(found.energy - np.sin(ANGLE) ** 2) < 1e-5
    assert found.inside


@pytest.mark.parametrize(("model", "coupling", "cells", "largest", "when", "filled"), [
    ("tavis_cummings", 0.05, 2, 0.088667, 15.28, 0.678), ("tavis_cummings", 0.05, 4, 0.240336, 10.72, 0.644),
    ("tavis_cummings", 0.05, 6, 0.436479, 8.790, 0.639), ("dicke", 0.5, 2, 1.19190, 0.803, 0.479),
    ("dicke", 0.5, 4, 3.38754, 0.624, 0.529), ("dicke", 2.0, 4, 14.2812, 0.163, 0.580)])
def test_table_of_cavities(model, coupling, cells, largest, when, filled):
    """REFERENCES 3.1, whose times are the best of a grid."""
    run = charged(getattr(cavity, model)(cells=cells, coupling=coupling), 1.8 * when, 19)
    found = power.maximum_power(run)
    assert found.value == pytest.approx(largest, rel=2e-5)
    assert found.bar < 1e-4 * largest
    assert found.time == pytest.approx(when, rel=6e-3)
    assert found.energy / cells == pytest.approx(filled, abs=4e-3)


def test_isotropic_chain_charges_as_its_cells_alone():
    """REFERENCES 1.2: W / N = 2 B (w / O)^2 sin^2(O t) with O^2 = B^2 + w^2, for any range of the coupling."""
    b, w = 1.1, 0.8
    battery = spin_chain.power_law(cells=6, field=b, drive=w, coupling=0.7, exponent=1.3, anisotropy=1.0)
    o = np.hypot(b, w)
    run = charged(battery, 2.0, 25)
    times = run.data["time"].values
    values, _ = power.mean_power(run)
    top = 6 * 2 * b * (w / o) ** 2
    np.testing.assert_allclose(values.values[1:], top * np.sin(o * times[1:]) ** 2 / times[1:], atol=1e-10)
    found = power.maximum_power(run)
    assert abs(found.value - top * o * BEST) < found.bar < 1e-4
    assert abs(found.time - ANGLE / o) < found.time_bar < 1e-3


# -- the functions on known curves ---------------------------------------------------------------------------------
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
def test_trade_off_of_a_sine(alpha):
    times = np.linspace(2.0, 4.0, 23)                            # time counts from the first
    run = recorded(times, np.sin(times - 2) ** 2, np.sin(2 * (times - 2)))
    best = minimize_scalar(lambda t: -np.sin(t) ** 2 / t**alpha, bounds=(0.5, 2), method="bounded",
                           options={"xatol": 1e-12})
    found = power.best_trade_off(run, alpha)
    assert abs(found.value + best.fun) < min(found.bar, 1e-6)
    assert abs(found.time - best.x) < min(found.time_bar, 1e-3)
    values, bars = power.trade_off(run, alpha)
    np.testing.assert_allclose(values[1:], np.sin(times[1:] - 2) ** 2 / (times[1:] - 2) ** alpha, rtol=1e-14)
    assert values[0] == 0
    assert not bars.any()
    assert found.value >= float(values.max())


def wave(rng):
    """A random sum of waves that starts at zero, as functions of time, and its slope."""
    a, w, phase = rng.normal(size=3), rng.uniform(0.5, 3, size=3), rng.uniform(0, 2 * np.pi, size=3)
    return (lambda t: sum(x * (np.sin(y * t + z) - np.sin(z)) for x, y, z in zip(a, w, phase, strict=True)),
            lambda t: sum(x * y * np.cos(y * t + z) for x, y, z in zip(a, w, phase, strict=True)))


def true_best(f, slope, alpha, stop):
    """(value, time) of the largest W / t^alpha up to `stop`: ends, and zeros of t W' - alpha W from a fine grid."""
    def steady(t):
        return t * slope(t) - alpha * f(t)

    fine = np.linspace(1e-3, stop, 2001)
    signs = np.sign(steady(fine))
    places = [brentq(steady, fine[k], fine[k + 1], xtol=1e-13) for k in np.flatnonzero(signs[:-1] * signs[1:] < 0)]
    found = [(slope(0.0) if alpha == 1 else 0.0, 0.0), *((f(t) / t**alpha, t) for t in [*places, stop])]
    return max(found)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_bars_cover_the_error_of_coarse_times(alpha):
    """120 random curves on 9 to 25 times: true maxima within the bars on 97 % of them, bars not far above errors."""
    rng, covered, ratios = np.random.default_rng(3), [], []
    for _ in range(120):
        f, slope = wave(rng)
        times = np.linspace(0, 4, int(rng.integers(9, 26)))
        found = power.best_trade_off(recorded(times, f(times), slope(times)), alpha)
        value, when = true_best(f, slope, alpha, 4.0)
        error, late = abs(found.value - value), abs(found.time - when)
        covered.append(error <= found.bar + 1e-12 and late <= found.time_bar + 1e-12)
        if error > 1e-12:
            ratios.append(found.bar / error)
    assert np.mean(covered) >= 0.97
    assert np.median(ratios) < 30


def test_bars_of_a_run_are_passed_on():
    """Energy and power off by as much as their bars say move the maximum by less than its bars."""
    rng, times = np.random.default_rng(5), np.linspace(0, 3, 61)
    f, slope = np.sin(times) ** 2, np.sin(2 * times)
    blur = np.full(61, 1e-3)
    for alpha in (0.0, 0.4, 1.0):
        exact = power.best_trade_off(recorded(times, f, slope), alpha)
        for _ in range(10):
            w, phase = rng.uniform(0, 1), rng.uniform(0, 6)
            off, slope_off = 1e-3 * np.sin(w * times + phase), 1e-3 * w * np.cos(w * times + phase)
            # the energy counts from the first time, so that its own error there moves all
            run = recorded(times, f + off - off[0], slope + slope_off, 2 * blur, blur)
            found = power.best_trade_off(run, alpha)
            assert abs(found.value - exact.value) <= found.bar
            assert abs(found.time - exact.time) <= found.time_bar
            assert found.bar < 1e-2
            assert found.time_bar < 2e-2
    values, bars = power.mean_power(recorded(times, f, slope, blur, blur))
    np.testing.assert_allclose(bars[1:], 1e-3 / times[1:])
    assert bars[0] == 1e-3
    assert values[0] == slope[0]


def test_maxima_at_the_ends():
    times = np.linspace(0, 1, 11)
    rising = power.maximum_energy(recorded(times, np.sin(times) ** 2, np.sin(2 * times)))
    assert (rising.time, rising.inside) == (1.0, False)
    assert rising.value == np.sin(1) ** 2
    falling = power.maximum_power(recorded(times, np.sin(times), np.cos(times)))     # sin(t) / t falls from 1
    assert (falling.time, falling.value, falling.inside) == (0.0, 1.0, False)
    nothing = power.maximum_power(recorded(times, 0 * times, 0 * times))
    assert nothing.value == 0
    twin = recorded(np.linspace(0, 9, 91), *(f(np.linspace(0, 9, 91)) for f in (
        lambda t: np.sin(t) ** 2, lambda t: np.sin(2 * t))))
    assert power.maximum_energy(twin).time_bar >= np.pi - 1e-3                       # three equal maxima


def test_charging_time():
    times = np.linspace(0, 2, 21)
    run = recorded(times, np.sin(times) ** 2, np.sin(2 * times))
    for fraction, expected in ((1.0, np.pi / 2), (0.5, np.pi / 4), (0.25, np.pi / 6)):
        when, bar = power.charging_time(run, fraction)
        assert abs(when - expected) < min(bar, 1e-3)


def random_battery(seed):
    """A random interacting battery of three spins: pure, mixed, scheduled or with jumps, by the seed."""
    rng = np.random.default_rng(seed)
    sites = [mb.Spin()] * 3

    def terms(count):
        out = mb.Terms(sites)
        for _ in range(count):
            places = rng.choice(3, size=int(rng.integers(1, 3)), replace=False)
            out += rng.normal(), *[("XYZ"[rng.integers(3)], int(n)) for n in places]
        return out

    energy, drive, other = terms(5), terms(5), terms(4)
    frequency = rng.uniform(1, 3)
    waves = mb.Schedule([(energy, None), (drive, lambda t: np.sin(frequency * t)), (other, lambda t: 1 - t)])
    charging = [energy + drive, drive, waves][seed % 3]
    jumps = []
    if seed % 4 == 3:
        for n, rate in ((0, None), (2, lambda t: 1 + t)):
            lowering = mb.Terms(sites)
            lowering += rng.uniform(0.3, 0.8), ("Sm", n)
            jumps.append(mb.Jump(lowering, rate))
    start = "down"
    if seed % 4 in (2, 3):
        start = []
        for _ in sites:
            m = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
            m = m @ m.conj().T
            start.append(m / np.trace(m).real)
    return mb.Battery(sites, range(3), energy, charging, jumps, empty=start, name=f"random {seed}")


@pytest.mark.parametrize("seed", range(8))
def test_power_adds_up_to_the_energy(seed):
    """Eqs 14, 15: the integral of the power is the stored energy, within the bar of the integral; the mean agrees."""
    run = charged(random_battery(seed), 1.0, 33)
    times, energy = run.data["time"].values, run.data["energy"].values
    total, bar = power.integral(times, run.data["power"].values)
    assert np.all(np.abs(total - energy) <= bar + 1e-10)
    assert bar.max() < 2e-3
    assert np.abs(total - energy).max() < 1e-4
    values, _ = power.mean_power(run)
    np.testing.assert_allclose(values[1:], energy[1:] / times[1:], rtol=1e-12)


# -- together against parallel -------------------------------------------------------------------------------------
def field_battery(cells, strength=1.0):
    """Cells in a field of their own each, H_B off: nothing collective."""
    sites = [mb.Spin()] * cells
    energy, drive = mb.Terms(sites), mb.Terms(sites)
    for n in range(cells):
        energy += 0.5, ("Z", n)
        drive += strength, ("X", n)
    return mb.Battery(sites, range(cells), energy, drive)


def test_nothing_is_gained_by_cells_that_do_not_meet():
    runs = {n: mb.charge(field_battery(n), np.linspace(0, 1.6, 17), audits=True) for n in (1, 2, 6)}
    strong = mb.charge(field_battery(6, 2.0), np.linspace(0, 0.8, 17), audits=True)
    for resource in (None, "speed", "strength"):
        for parallel in (runs[1], runs[2]):
            found = scaling.collective_advantage(runs[6], parallel, resource)
            assert found.value == pytest.approx(1, abs=1e-9)
            assert found.copies == (6 if parallel is runs[1] else 3)
        # twice the field is no advantage, at equal resource
        found = scaling.collective_advantage(strong, runs[1], resource)
        assert found.value == pytest.approx(2 if resource is None else 1, abs=1e-5)
        assert found.resource == pytest.approx(1 if resource is None else 2, abs=1e-9)
        assert found.bar < 1e-4


def test_global_flip_is_faster_by_the_root_of_the_cells_at_equal_variance():
    """exp(-i s t X..X) turns all N cells as one: at equal Delta H N^(1/2) faster than a field on each, at equal norm N.

    [Binder et al. 2015, NJP 17, 075015; Campaioli et al. 2017, PRL 118, 150601].
    """
    n = 4
    sites = [mb.Spin()] * n
    energy, flip = mb.Terms(sites), mb.Terms(sites)
    for k in range(n):
        energy += 0.5, ("Z", k)
    flip += 1.0, *[("X", k) for k in range(n)]
    together = mb.charge(mb.Battery(sites, range(n), energy, flip), np.linspace(0, 1.6, 17), audits=True)
    alone = mb.charge(field_battery(1), np.linspace(0, 1.6, 17), audits=True)
    for resource, expected in ((None, 1.0), ("speed", n**0.5), ("strength", n)):
        assert scaling.collective_advantage(together, alone, resource).value == pytest.approx(expected, rel=1e-9)


def test_cavity_shared_by_four_cells():
    together = charged(cavity.tavis_cummings(cells=4), 20, 29)
    alone = charged(cavity.tavis_cummings(cells=1), 40, 41)
    found = scaling.collective_advantage(together, alone)
    assert found.value == pytest.approx(0.240336 / (4 * 0.05 * BEST), rel=5e-6)
    assert found.bar < 1e-5


# -- exponents -----------------------------------------------------------------------------------------------------
def symmetric_power(cells, coupling, rotating):
    """Largest W / t of cells around a resonant mode in the symmetric subspace, by diagonalisation."""
    j, cutoff = cells / 2, cells if rotating else 3 * cells + 8
    m = np.arange(-j, j + 1)
    raising = np.diag(np.sqrt(j * (j + 1) - m[:-1] * (m[:-1] + 1)), -1)
    a = np.diag(np.sqrt(np.arange(1.0, cutoff + 1)), 1)
    both = np.kron(a, raising) if rotating else np.kron(a, raising) + np.kron(a.T, raising)
    bare = np.kron(np.diag(np.arange(cutoff + 1.0)), np.eye(cells + 1)) + np.kron(np.eye(cutoff + 1), np.diag(m + j))
    e, u = np.linalg.eigh(bare + coupling * (both + both.T))
    start = np.zeros((cutoff + 1, cells + 1))
    start[cells, 0] = 1
    c, stored = u.T @ start.ravel(), np.kron(np.ones(cutoff + 1), m + j)

    def mean(t):
        return stored @ np.abs(u @ (np.exp(-1j * e * t) * c)) ** 2 / t

    guess = 1.2 / (coupling * cells**0.5)
    near = min(np.linspace(0.3, 1.5, 60) * guess, key=lambda t: -mean(t))
    return -minimize_scalar(lambda t: -mean(t), bounds=(near * 0.95, near * 1.05), method="bounded",
                            options={"xatol": 1e-9 * near}).fun


@pytest.mark.parametrize(("rotating", "coupling", "shrinks", "expected", "truth"), [
    (True, 0.05, False, 1.478, 1.5), (False, 0.5, False, 1.501, 1.5), (False, 2.0, False, 1.467, 1.5),
    (False, 0.5, True, 0.970, 1.0)])
def test_exponents_of_cavities(rotating, coupling, shrinks, expected, truth):
    """REFERENCES 3.1, N = 4 to 10; the bar holds what they drift to."""
    sizes = np.array([4, 6, 8, 10])
    values = [symmetric_power(n, coupling / n**0.5 if shrinks else coupling, rotating) for n in sizes]
    found = scaling.scaling_exponent(sizes, values)
    assert found.value == pytest.approx(expected, abs=4e-3)
    assert abs(found.value - truth) < found.bar < 0.06
    assert abs(found.limit - truth) < 0.015
    assert found.bar == found.drift + found.blur


def test_power_law_without_error():
    found = scaling.scaling_exponent([16, 2, 4, 8], 3.0 * np.array([16.0, 2, 4, 8]) ** 1.7)
    assert found.value == pytest.approx(1.7, abs=1e-12)
    assert found.prefactor == pytest.approx(3, abs=1e-11)
    assert found.bar < 1e-10
    np.testing.assert_allclose(found.slopes, 1.7, atol=1e-12)
    np.testing.assert_allclose(found.places, [8**0.5, 32**0.5, 128**0.5])


def test_weights_are_those_of_least_squares():
    """Where the bars explain the scatter, coefficients and error are those of polyfit with absolute weights."""
    rng = np.random.default_rng(8)
    n = np.array([4.0, 6, 9, 13, 20, 30])
    v = 2 * n**1.2 * np.exp(0.001 * rng.normal(size=6))
    bars = v * rng.uniform(0.01, 0.05, size=6)
    found = scaling.scaling_exponent(n, v, bars)
    coefficients, covariance = np.polyfit(np.log(n), np.log(v), 1, w=v / bars, cov="unscaled")
    assert found.value == pytest.approx(coefficients[0], abs=1e-12)
    assert found.scatter == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-9)


def test_bar_of_the_exponent_covers():
    """Values with noise of known size and a correction 1 / N: the bar covers the exponent on 95 % of 300 families."""
    rng, sizes = np.random.default_rng(11), np.array([4.0, 6, 8, 12, 16, 24])
    covered, plain = [], []
    for _ in range(300):
        exponent, correction, noise = rng.uniform(0.5, 2), rng.uniform(-0.5, 0.5), 10 ** rng.uniform(-6, -2)
        clean = sizes**exponent * (1 + correction / sizes)
        v = clean * (1 + noise * rng.normal(size=6))
        found = scaling.scaling_exponent(sizes, v, noise * clean)
        covered.append(abs(found.value - exponent) <= found.bar)
        plain.append(abs(found.value - exponent) <= found.scatter)
    assert np.mean(covered) >= 0.95
    assert np.mean(plain) < 0.3                                     # without the drift it would not


def test_one_value_of_tiny_bar_does_not_rule():
    """A scatter far beyond the bars is shared by all: the exponent is that of the unweighted fit."""
    n = np.array([4.0, 6, 8, 10, 12])
    v = n**1.5 * np.exp(0.02 * np.array([1, -1, 1, -1, 1]))
    found = scaling.scaling_exponent(n, v, v * np.array([1e-12, 1e-4, 1e-12, 1e-5, 1e-4]))
    assert found.value == pytest.approx(np.polyfit(np.log(n), np.log(v), 1)[0], abs=1e-4)


# -- bad input -----------------------------------------------------------------------------------------------------
def test_bad_input_is_one_sentence():
    times = np.linspace(0, 1, 5)
    run = recorded(times, times**2, 2 * times)
    cases = [
        (lambda: power.best_trade_off(run, 1.5), "`alpha` must be a number from 0 to 1, but is 1.5"),
        (lambda: power.charging_time(run, 0), "`fraction` must be a number above 0"),
        (lambda: power.charging_time(recorded(times, -times, -times**0)), "`run` must store energy at some time"),
        (lambda: power.maximum_power(recorded(times[:2], times[:2], times[:2])), "at least 3 times, but is 2"),
        (lambda: power.mean_power(Recorded(run.data[["energy"]])), "has no power"),
        (lambda: scaling.scaling_exponent([1, 2], [1, 2]), "`sizes` must be three different sizes"),
        (lambda: scaling.scaling_exponent([1, 2, 2], [1, 2, 3]), "`sizes` must be three different sizes"),
        (lambda: scaling.scaling_exponent([1, 2, 3], [1, 2]), "`values` must be one for each of the 3 sizes"),
        (lambda: scaling.scaling_exponent([1, 2, 3], [1, -2, 3]), "`values` must be positive numbers"),
        (lambda: scaling.scaling_exponent([1, 2, 3], [1, 2, 3], [0, 0, -1]), "`bars` must be a finite number"),
        (lambda: scaling.collective_advantage(run, run, "photons"), "`resource` must be speed, strength or None"),
        (lambda: scaling.collective_advantage(run, run, "speed"), "`run` must have recorded speed"),
        (lambda: scaling.collective_advantage(run, Recorded(run.data, card={"cells": 2})), "cells that divides 1"),
    ]
    for call, words in cases:
        with pytest.raises(mb.InputError) as error:
            call()
        assert words in str(error.value), words
        assert "\n" not in str(error.value)
