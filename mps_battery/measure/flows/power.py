"""How fast a run charged: mean power, its maximum and when, charging time, and the trade-off of power and energy.

A run records the stored energy W and its slope, the power P, at the same times. Between two times W is the cubic with
these values and slopes (Hermite), whose error is h^4 / 384 W''''. Maxima of

    F_alpha(t) = <P>^alpha W^(1 - alpha) = W / t^alpha,      <P> = W / t,       0 <= alpha <= 1

[Binder et al. 2015, NJP 17, 075015; eq. 16 of the review doi 10.7498/aps.75.20251507] are then roots of a cubic,
(t W' - alpha W) = 0, and need no fine grid of times: alpha = 1 is the mean power, alpha = 0 the energy. Time counts
from the first one recorded. Bars hold those of the run and the error of the polynomial, the latter from the times left
out: what the cubic through every second time misses is 16 times the error of the cubic through all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr
from scipy.interpolate import CubicHermiteSpline, CubicSpline

from mps_battery.checks import InputError, must, number

Array = np.ndarray

MARGIN = 4.0
"""Factor on the estimated error of the cubic, which holds for close times and is put to use for wide ones too."""


@runtime_checkable
class Charged(Protocol):
    """A run, or whatever has the recorded data and bars of one."""

    @property
    def data(self) -> xr.Dataset:
        """What was recorded."""

    @property
    def bars(self) -> xr.Dataset:
        """Its bars, empty where they were left out."""


@dataclass(frozen=True)
class Curve:
    """Stored energy over time with its slope.

    Attributes:
        times: When, from zero.
        energy: W, zero at the first time.
        power: dW / dt.
        energy_bar: Bar of the energy, zeros where there is none.
        power_bar: Bar of the power.
    """

    times: Array
    energy: Array
    power: Array
    energy_bar: Array
    power_bar: Array

    @classmethod
    def of(cls, run: Charged, fewest: int = 3) -> Curve:
        """The curve of a run that recorded `energy` and `power`."""
        for name in ("energy", "power"):
            if name not in run.data:
                raise InputError(f"Argument `run` must have recorded Energy() as energy and Power() as power, but has "
                                 f"no {name}.")
        times = run.data["time"].values
        must(len(times) >= fewest, "run", f"have recorded at least {fewest} times", len(times))
        energy, power = run.data["energy"].values, run.data["power"].values
        bars = [run.bars[name].values if name in run.bars else np.zeros(len(times)) for name in ("energy", "power")]
        return cls(times - times[0], energy - energy[0], power, *bars)

    @cached_property
    def cubic(self) -> CubicHermiteSpline:
        """W between the times."""
        return CubicHermiteSpline(self.times, self.energy, self.power)

    @cached_property
    def missed(self) -> Array:
        """Estimated error of the cubic in the middle of every interval, (times - 1,)."""
        t, n = self.times, len(self.times)
        kept = np.unique(np.r_[np.arange(0, n, 2), n - 1])
        wide = CubicHermiteSpline(t[kept], self.energy[kept], self.power[kept])
        error: Array = np.abs(wide(t) - self.energy) / 16 * MARGIN
        # zero at the times kept: the neighbours left out speak for them
        return np.array([error[max(k - 1, 0):k + 3].max() for k in range(n - 1)])

    def bar(self, time: float) -> tuple[float, float]:
        """Bars of W and dW / dt at a time."""
        k = int(np.clip(np.searchsorted(self.times, time) - 1, 0, len(self.times) - 2))
        h = self.times[k + 1] - self.times[k]
        x = min(max((time - self.times[k]) / h, 0.0), 1.0)
        inside = self.missed[k] * 16 * (x * (1 - x)) ** 2                 # the shape of the error of the cubic
        slope = self.missed[k] / h * 3.1                                  # its steepest: 16 max |d/dx (x - x^2)^2|
        energy, power = (float(np.interp(time, self.times, b)) for b in (self.energy_bar, self.power_bar))
        return float(energy + inside), float(power + (slope if 0 < x < 1 else 0.0))


@dataclass(frozen=True)
class Optimum:
    """The largest F_alpha of a run, and when.

    Attributes:
        value: F_alpha there.
        bar: Its bar.
        time: When, from the first time recorded.
        time_bar: The bar of that, as far as another maximum within the bars.
        energy: The energy stored by then.
        inside: Whether it is a maximum; if not, the run ended while F_alpha still rose, or began with it falling.
    """

    value: float
    bar: float
    time: float
    time_bar: float
    energy: float
    inside: bool


def mean_power(run: Charged) -> tuple[xr.DataArray, xr.DataArray]:
    """<P> = W / t at every recorded time, and its bar; the power itself at the first (eqs 14, 15 of the review)."""
    return trade_off(run, 1.0)


def trade_off(run: Charged, alpha: float) -> tuple[xr.DataArray, xr.DataArray]:
    """F_alpha = W / t^alpha at every recorded time, and its bar (eq. 16 of the review); see the module."""
    _check_alpha(alpha)
    curve = Curve.of(run, fewest=1)
    t = curve.times[1:] ** alpha
    first = (curve.power[0], curve.power_bar[0]) if alpha == 1 else (0.0, curve.energy_bar[0] if alpha == 0 else 0.0)
    values, bars = np.r_[first[0], curve.energy[1:] / t], np.r_[first[1], curve.energy_bar[1:] / t]
    unit = "energy" if alpha == 0 else "energy / time" if alpha == 1 else f"energy / time^{alpha:g}"
    attrs, coords = {"unit": unit}, {"time": run.data["time"].values}
    return xr.DataArray(values, coords, ["time"], attrs=attrs), xr.DataArray(bars, coords, ["time"], attrs=attrs)


def maximum_power(run: Charged) -> Optimum:
    """The largest mean power W / t of a run and the charging time at which it is reached."""
    return best_trade_off(run, 1.0)


def maximum_energy(run: Charged) -> Optimum:
    """The largest stored energy of a run, and when."""
    return best_trade_off(run, 0.0)


def best_trade_off(run: Charged, alpha: float) -> Optimum:
    """The largest F_alpha = W / t^alpha of a run, between the recorded times too; see the module.

    Args:
        run: A run that recorded energy and power at three times at least.
        alpha: From 0, the energy alone, to 1, the power alone.
    """
    _check_alpha(alpha)
    curve = Curve.of(run)
    t, last = curve.times, float(curve.times[-1])
    cubic = curve.cubic
    places = [0.0, last]
    for k, (c3, c2, c1, c0) in enumerate(cubic.c.T):
        begin, h = t[k], t[k + 1] - t[k]
        slope = np.array([3 * c3, 2 * c2, c1])
        steady = np.polyadd(np.polymul([1.0, begin], slope), -alpha * np.array([c3, c2, c1, c0]))
        roots = np.roots(steady)
        real = roots.real[np.abs(roots.imag) < 1e-9 * h]
        places += [float(begin + x) for x in real if 0 < x <= h and begin + x > 1e-12 * last]
    value = [float(curve.power[0]) if alpha == 1 else 0.0] * len(places)
    bar = [float(curve.power_bar[0]) if alpha == 1 else 0.0] * len(places)
    for k, place in enumerate(places):
        if place > 0:
            value[k], bar[k] = float(cubic(place)) / place**alpha, curve.bar(place)[0] / place**alpha
    best = int(np.argmax(value))
    when = places[best]
    rivals = [abs(place - when) for place, high in zip(places, np.add(value, bar), strict=True)
              if high >= value[best] - bar[best]]
    inside = 0 < when < last
    width = _blur(curve, when, alpha) if inside else 0.0
    return Optimum(value[best], bar[best], when, max([width, *rivals]), float(cubic(when)), inside)


def _blur(curve: Curve, when: float, alpha: float) -> float:
    """How far bars may move a stationary point of W / t^alpha: the bar of t W' - alpha W over its slope."""
    energy_bar, power_bar = curve.bar(when)
    first, second = float(curve.cubic(when, 1)), float(curve.cubic(when, 2))
    slope = when * second + (1 - alpha) * first
    return float((when * power_bar + alpha * energy_bar) / max(abs(slope), 1e-300))


def charging_time(run: Charged, fraction: float = 1.0) -> tuple[float, float]:
    """The first time at which a fraction of the largest stored energy of a run is reached, and its bar.

    Args:
        run: A run that recorded energy and power at three times at least.
        fraction: Above 0, up to 1; 1 is the time of the largest energy.
    """
    must(number(fraction) and 0 < fraction <= 1, "fraction", "be a number above 0 and up to 1", fraction)
    top = best_trade_off(run, 0.0)
    must(top.value > 0, "run", "store energy at some time", top.value)
    if fraction == 1:
        return top.time, top.time_bar
    curve = Curve.of(run)
    when = float(np.nanmin(curve.cubic.solve(fraction * top.value, extrapolate=False)))
    error = curve.bar(when)[0] + fraction * top.bar
    return when, float(error / max(abs(float(curve.cubic(when, 1))), 1e-300))


def integral(times: Array, values: Array, bars: Array | None = None) -> tuple[Array, Array]:
    """The integral of recorded values from the first time to every time by a cubic spline, and its bar.

    The bar holds the integral of `bars` and an estimate of the error of the spline: the difference to the spline
    through every second time, which is about 16 times the error; below eight times, the difference to straight lines.
    """
    n = len(times)
    if n == 1:
        return np.zeros(1), np.zeros(1)
    whole = CubicSpline(times, values).antiderivative()(times)
    if n >= 8:
        kept = np.unique(np.r_[np.arange(0, n, 2), n - 1])
        other = CubicSpline(times[kept], values[kept]).antiderivative()(times)
    else:
        other = np.r_[0.0, np.cumsum(np.diff(times) * (values[1:] + values[:-1]) / 2)]
    error = np.maximum.accumulate(np.abs(whole - other))
    if bars is not None:
        error = error + np.r_[0.0, np.cumsum(np.diff(times) * np.maximum(bars[1:], bars[:-1]))]
    return whole, error


def _check_alpha(alpha: float) -> None:
    must(number(alpha) and 0 <= alpha <= 1, "alpha", "be a number from 0 to 1", alpha)
