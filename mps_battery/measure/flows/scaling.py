"""Whether charging together pays: the advantage over charging in parallel, and how it grows with the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq

from mps_battery.checks import InputError, must
from mps_battery.measure.flows.power import Charged, integral, maximum_power

Array = np.ndarray


@runtime_checkable
class Counted(Charged, Protocol):
    """A run that knows how many cells it has."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Facts, the number of cells among them."""


@dataclass(frozen=True)
class Advantage:
    """The power of cells charged together over that of the same cells charged in parallel.

    Attributes:
        value: Gamma.
        bar: Its bar.
        copies: How many of the parallel batteries make as many cells.
        power: Largest mean power together.
        parallel_power: Largest mean power of all copies.
        resource: Ratio of the resources that was divided out, 1 where none was.
    """

    value: float
    bar: float
    copies: int
    power: float
    parallel_power: float
    resource: float


def collective_advantage(run: Counted, parallel: Counted, resource: str | None = None) -> Advantage:
    """Gamma = <P> together / <P> in parallel, each at its best time [Campaioli et al. 2017, PRL 118, 150601].

    Copies of the battery of `parallel` that know nothing of each other make up as many cells as `run` has; their powers
    add. Multiplying a whole Hamiltonian by s divides all times by s, so that any battery charges faster with stronger
    fields: a comparison needs equal resources. Without `resource` the couplings are compared as they are given
    [eq. 35 of the review doi 10.7498/aps.75.20251507: sqrt(N) for Dicke at equal coupling, which is gone where the
    coupling falls with the volume of the cavity, arXiv:2411.04132]; else both are scaled to equal resource, closed
    batteries only.

    Args:
        run: Cells charged together.
        parallel: One of the batteries charged in parallel, often of one cell.
        resource: None; "speed" for equal Delta H, its mean up to the best time, of which k copies have sqrt(k) times
            that of one; "strength" for equal ||H||, of which they have k times that. Both must be recorded as `Speed`
            and `Strength` under these names, as `charge(..., audits=True)` does.

    Returns:
        The Advantage, with a bar from those of the runs; a resource counts with its own bar.
    """
    must(resource in (None, "speed", "strength"), "resource", "be speed, strength or None", resource)
    cells, each = int(run.card["cells"]), int(parallel.card["cells"])
    if cells % each:
        raise InputError(f"Argument `parallel` must have a number of cells that divides {cells}, but has {each}.")
    copies = cells // each
    together, alone = maximum_power(run), maximum_power(parallel)
    must(alone.value > 0, "parallel", "store energy at some time", alone.value)
    share, blur = 1.0, 0.0
    if resource is not None:
        (a, a_bar), (b, b_bar) = (_mean(r, resource, p.time) for r, p in ((run, together), (parallel, alone)))
        must(b > 0, "parallel", f"have a {resource} above zero", b)
        share, blur = a / b / (copies**0.5 if resource == "speed" else copies), a_bar / a + b_bar / b
    value = together.value / (copies * alone.value) / share
    bar = abs(value) * (together.bar / max(abs(together.value), 1e-300) + alone.bar / alone.value + blur)
    return Advantage(value, bar, copies, together.value, copies * alone.value, share)


def _mean(run: Charged, name: str, until: float) -> tuple[float, float]:
    """Mean over time of a recorded number up to a time from the first, and its bar."""
    if name not in run.data:
        raise InputError(f"Argument `run` must have recorded {name}, but has not: charge with audits=True.")
    times, values = run.data["time"].values, run.data[name].values
    bars = run.bars[name].values if name in run.bars else None
    if until <= 0:
        return float(values[0]), float(bars[0]) if bars is not None else 0.0
    total, error = integral(times - times[0], values, bars)
    return (float(np.interp(until, times - times[0], total)) / until,
            float(np.interp(until, times - times[0], error)) / until)


@dataclass(frozen=True)
class Exponent:
    """A power law fitted to a family of runs, value = prefactor x size^exponent.

    Attributes:
        value: The fitted exponent.
        bar: `drift` + `blur`: the far side of what it drifts to.
        scatter: Standard error of the fit, from the bars and from what the law misses of the values.
        drift: How far a first correction in 1 / size moves the exponent, |limit - value|.
        limit: The exponent with that correction: what it drifts to as the sizes grow.
        blur: Standard error of the limit.
        prefactor: The prefactor of the fit.
        slopes: Local exponents between neighbouring sizes, (sizes - 1,).
        places: Geometric means of the sizes that these belong to.
    """

    value: float
    bar: float
    scatter: float
    drift: float
    limit: float
    blur: float
    prefactor: float
    slopes: Array
    places: Array


def scaling_exponent(sizes: Sequence[float] | Array, values: Sequence[float] | Array,
                     bars: Sequence[float] | Array | None = None) -> Exponent:
    """The exponent of a family of runs with its uncertainty, of the bars and of finite size.

    Fits ln value = ln prefactor + exponent ln size by least squares, each value with its bar and a common scatter s:
    s is what the law misses beyond the bars, such that chi^2 is the number of degrees of freedom [Mandel, Paule 1970,
    Anal. Chem. 42, 1194], so that values of small bar do not rule a law that holds only roughly. The same fit with a
    term c / size, whose local exponent drifts as exponent - c / size, gives `limit`, and its distance the drift.
    The standard error takes the bars of different runs as independent.

    Args:
        sizes: Numbers of cells, different and positive, three at least.
        values: What grows, positive: powers, 1 / charging times, advantages.
        bars: Bars of the values; None for none.

    Returns:
        The Exponent. Sizes span a range, not infinity: quote `value` +- `bar` with the sizes, never alone.
    """
    n, v = _positive("sizes", sizes), _positive("values", values)
    must(len(n) >= 3 and len(np.unique(n)) == len(n), "sizes", "be three different sizes at least", sizes)
    must(len(v) == len(n), "values", f"be one for each of the {len(n)} sizes", values)
    errors = np.zeros(len(n)) if bars is None else np.asarray(bars, dtype=float)
    must(errors.shape == n.shape and np.all(np.isfinite(errors)) and np.all(errors >= 0), "bars",
         "be a finite number of at least zero for each value", bars)
    order = np.argsort(n)
    n, v, errors = n[order], v[order], errors[order]
    x, y, sigma = np.log(n), np.log(v), np.maximum(errors / v, 1e-14)
    straight = np.array([np.ones(len(n)), x]).T
    s = _common_scatter(straight, y, sigma)
    (constant, exponent), covariance = _fit(straight, y, sigma**2 + s**2)
    (_, limit, _), wider = _fit(np.column_stack([straight, 1 / n]), y, sigma**2 + s**2)
    scatter, blur, drift = float(covariance[1, 1] ** 0.5), float(wider[1, 1] ** 0.5), float(abs(limit - exponent))
    return Exponent(float(exponent), drift + blur, scatter, drift, float(limit), blur, float(np.exp(constant)),
                    np.diff(y) / np.diff(x), np.exp((x[1:] + x[:-1]) / 2))


def _fit(columns: Array, y: Array, variance: Array) -> tuple[Array, Array]:
    """Weighted least squares: coefficients and their covariance."""
    weights = variance**-0.5
    q, r = np.linalg.qr(columns * weights[:, None])
    inverse = np.linalg.inv(r)
    return inverse @ (q.T @ (y * weights)), inverse @ inverse.T


def _common_scatter(columns: Array, y: Array, sigma: Array) -> float:
    """The scatter beyond the bars that makes chi^2 equal to its degrees of freedom; zero where the bars suffice."""
    free = len(y) - columns.shape[1]

    def excess(s: float) -> float:
        beta, _ = _fit(columns, y, sigma**2 + s**2)
        return float(np.sum((y - columns @ beta) ** 2 / (sigma**2 + s**2)) - free)

    if excess(0.0) <= 0:
        return 0.0
    high = float(np.ptp(y)) + 1e-12
    return float(brentq(excess, 0.0, high, xtol=1e-15))


def _positive(argument: str, given: Sequence[float] | Array) -> Array:
    try:
        numbers = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    must(numbers.ndim == 1 and len(numbers) >= 1 and np.all(np.isfinite(numbers)) and np.all(numbers > 0), argument,
         "be positive numbers", given)
    return numbers
