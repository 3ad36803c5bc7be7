"""Convergence in the step and in the bond, and extrapolation where it is sound.

Four runs stand in an L with the one in question as its foot:

    bond:   the run  ->  sqrt(2) bond, weight / 10  ->  2 bond, weight / 100      at the steps of the run,
    step:   twice as long  ->  as the run  ->  half                               at 2 bond, weight / 100,

or as the run, half and a quarter, where some interval between two times holds an odd number of steps.

Step. With values f0, f1, f2 at steps that halve each time, an error of order p obeys f1 - f0 = 2^p (f2 - f1). Where
that holds for a quantity as a whole (over all places and times, the norm of the difference at most `SOUND` of the left
side), the limit f2 + (f2 - f1) / (2^p - 1) is taken [Richardson 1911]; elsewhere f2 stands.

Bond. With values g0, g1, g2 of runs that have discarded the weight W0, W1, W2 up to each time, an error linear in the
weight obeys (g0 - g1) / (W0 - W1) = (g1 - g2) / (W1 - W2). Where that holds in the same sense, values are extrapolated
to W = 0; elsewhere they stand: truncations mostly have no such law.

A bar is what the last step in either direction still changed, in the values that stand there, extrapolated or not.
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from mps_battery.budget import ROUNDING, Budget, estimated_bar, largest_so_far
from mps_battery.checks import InputError
from mps_battery.evolve.exact import Exact
from mps_battery.evolve.memory import peak
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.evolve.tenpy import Tenpy
from mps_battery.liouville import generator
from mps_battery.measure.mixed import MixedObservables
from mps_battery.measure.snapshot import Observables
from mps_battery.progress import Progress
from mps_battery.record import Table
from mps_battery.run import Lane, Recipe, Run, budget_of, card_of, describe
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray

SOUND = 0.25
"""Largest share by which differences may miss their law and still be extrapolated."""


@dataclass(frozen=True)
class Limit:
    """Where a sequence of three approximations is going.

    Attributes:
        correction: What is added to the finest values; zero where the law does not hold.
        change: What the last approximation still changed, in absolute value.
        sound: Whether the law holds.
    """

    correction: Array
    change: Array
    sound: bool


def limit_in_step(values: Sequence[Array], order: int) -> Limit:
    """Limit of values at three steps, each half of the one before, by a method of some order."""
    coarse, middle, fine = values
    first, last, factor = middle - coarse, fine - middle, 2.0**order
    missing, correction = factor * last - first, last / (factor - 1)
    share = _share(missing, first, fine)
    if share <= SOUND:
        return Limit(correction, np.abs(missing) / (factor - 1) + share * np.abs(correction), True)
    return Limit(np.zeros_like(fine), np.abs(last), False)


def limit_in_weight(values: Sequence[Array], weights: Sequence[Array], present: Array) -> Limit:
    """Limit of values at zero discarded weight.

    Args:
        values: Three approximations with less and less weight discarded, (time, ...).
        weights: What each has discarded up to each time.
        present: What the values that are to be corrected have discarded.
    """
    def times(change: Array, above: Array, below: Array) -> Array:
        """A change times a ratio of weights, zero where nothing was discarded."""
        ratio = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return change * ratio.reshape(-1, *[1] * (change.ndim - 1))

    first, last = values[0] - values[1], values[1] - values[2]
    gain, rest = weights[0] - weights[1], weights[1] - weights[2]
    share = _share(last - times(first, rest, gain), last, values[2])
    if np.all(rest[1:] > 0) and share <= SOUND:
        correction = -times(last, present, rest)
        before, after = values[1] - times(first, weights[1], gain), values[2] - times(last, weights[2], rest)
        return Limit(correction, np.abs(after - before) + share * np.abs(correction), True)
    return Limit(np.zeros_like(last), np.abs(last), False)


def _share(missing: Array, difference: Array, values: Array) -> float:
    """By how much a difference misses its law, relative to itself; infinite where it is rounding."""
    rounding = 100 * ROUNDING * np.max(np.abs(values), initial=0.0)
    if np.max(np.abs(difference), initial=0.0) <= rounding:
        return np.inf
    return float(np.linalg.norm(missing) / np.linalg.norm(difference))


def refine(run: Run, progress: bool | None = None) -> Run:
    """Check convergence with a second step and a second bond, and extrapolate where that is sound.

    Costs 4.5 to 8 times the run, more where the bond grows much.

    Args:
        run: What `charge` returned, or `refine` itself.
        progress: Whether to show a progress bar; None shows it on a terminal only.

    Returns:
        A Run at half the step (or a quarter), twice the bond and a hundredth of the weight. Each variable of its data
        says in attrs["extrapolated"] whether it was taken to its limit in the "step", in the "weight", in "step and
        weight" or in none ("no"); its bars are estimates, and its outcome is the verdict on convergence. It can be
        refined again.

    Raises:
        InputError: If the run has nothing to refine or was loaded from a file.
    """
    recipe, begun, baseline = _recipe(run), clock.perf_counter(), peak()
    corner = _corner(recipe, progress)
    names = list(corner.tables[-1])
    steps = {n: limit_in_step([t[n].values for t in corner.tables], corner.method.order) for n in names}
    bonds = {n: limit_in_weight([t[n].values for t in corner.widths], corner.weights,
                                np.array(corner.finest.discarded)) for n in names}
    data, bars = corner.tables[-1].copy(), xr.Dataset()
    for n in names:
        taken = [word for word, limit in (("step", steps[n]), ("weight", bonds[n])) if limit.sound]
        data[n] = data[n].copy(data=data[n].values + steps[n].correction + bonds[n].correction)
        data[n].attrs = {**data[n].attrs, "extrapolated": " and ".join(taken) or "no"}
        bars[n] = estimated_bar(data[n], _until_next(steps[n].change) + _until_next(bonds[n].change),
                                corner.finest.safety(), corner.truncation.weight,
                                None if taken else corner.finest.drift())
    budget = budget_of(corner.finest, data, bars, recipe.trust)
    outcome = _verdict(run, corner, data, bars, budget) + budget.cutoff_warning
    card = card_of(recipe.battery, corner.method, "refined", corner.truncation, data, clock.perf_counter() - begun,
                   baseline, None)
    again = replace(recipe, method=corner.method, truncation=corner.truncation, data=corner.tables[-1],
                    discarded=np.array(corner.finest.discarded), steps=corner.steps)
    return Run(data, bars, outcome, budget, card, corner.finest.evolution.state, recipe=again)


def _recipe(run: Run) -> Recipe:
    """What the run was made from, or a sentence why it cannot be refined."""
    if run.recipe is None:
        raise InputError("Argument `run` must come from charge() to be refined, but was loaded from a file, which "
                         "holds no battery: charge it again.")
    if isinstance(run.recipe.method, Exact):
        raise InputError("Argument `run` must have a step and a bond to be refined, but is exact.")
    if not len(run.recipe.steps):
        raise InputError("Argument `run` must go beyond its first time to be refined, but holds that one only.")
    return run.recipe


@dataclass(frozen=True)
class _Corner:
    """The runs of the L.

    Attributes:
        tables: Values at steps that halve each time, at the best truncation.
        widths: Values at truncations that widen each time, at the steps of the run in question.
        weights: What those have discarded up to each time.
        halving: The two of `tables` that show what half the step of the run in question changes.
        finest: The lane with the shortest steps.
        method: Its method.
        steps: Its steps between the times.
        truncation: The best truncation.
    """

    tables: list[xr.Dataset]
    widths: list[xr.Dataset]
    weights: list[Array]
    halving: tuple[xr.Dataset, xr.Dataset]
    finest: Lane
    method: TEBD | TDVP | Tenpy
    steps: Array
    truncation: Truncation


def _corner(recipe: Recipe, progress: bool | None) -> _Corner:
    """Evolve the runs of the L."""
    assert not isinstance(recipe.method, Exact)
    assert recipe.method.dt is not None
    battery, grid, bond, weight = (recipe.battery, recipe.data["time"].values, recipe.truncation.bond,
                                   recipe.truncation.weight)
    observables = MixedObservables(battery) if battery.mixed else Observables(battery)
    start, schedule = battery.initial_state(), generator(battery)
    between, best = Truncation(math.ceil(2**0.5 * bond), weight / 10), Truncation(2 * bond, weight / 100)
    at = 1 if np.all(recipe.steps % 2 == 0) else 0                   # which of the three steps is the run's
    factors = [2.0 ** (k - at) for k in range(3)]
    methods = [replace(recipe.method, dt=recipe.method.dt / f) for f in factors]
    with Progress(progress, f"{battery.name} refined", grid[-1] - grid[0], parts=sum(factors) + 1) as bar:
        def lane(k: int, truncation: Truncation) -> Lane:
            """The values at the step of index k."""
            out = Lane(methods[k], start, observables, schedule, truncation, Table(recipe.record, battery), grid,
                       np.arange(len(grid)), np.r_[1, np.round(factors[k] * recipe.steps).astype(int)])
            out.run(bar, factors[k], watch=True)
            return out

        middle = lane(at, between)
        lanes = [lane(k, best) for k in range(3)]
    tables = [one.dataset() for one in lanes]
    return _Corner(
        tables, [recipe.data, middle.dataset(), tables[at]],
        [recipe.discarded, np.array(middle.discarded), np.array(lanes[at].discarded)], (tables[at], tables[at + 1]),
        lanes[-1], methods[-1], np.round(factors[-1] * recipe.steps).astype(int), best)


def _until_next(change: Array) -> Array:
    """The largest change met until the next time, since one may pass through zero where the error does not."""
    n = len(change)
    return largest_so_far(change)[np.minimum(np.arange(n) + (np.arange(n) > 0), n - 1)]


def _verdict(run: Run, corner: _Corner, data: xr.Dataset, bars: xr.Dataset, budget: Budget) -> str:
    """Whether the values have converged, what still moves them, and what was extrapolated."""
    def largest(one: xr.Dataset, other: xr.Dataset) -> str:
        moves = {n: float(np.max(np.abs(one[n].values - other[n].values))) / (float(np.max(np.abs(data[n]))) or 1.0)
                 for n in data}
        name = max(moves, key=lambda n: moves[n])
        return f"{moves[name]:.1e} of {name}"

    beyond = [str(n) for n, bar in run.bars.items()
              if np.any(np.abs(data[n].values - run.data[n].values) > bar.values + bars[n].values)]
    end = float(data["time"][-1])
    settled = budget.t_trust >= end
    held = "" if not run.bars else ("; the bars of the run hold" if not beyond else
                                    f"; beyond the bars of the run move {', '.join(beyond)}")
    fate = "Converged" if settled and not beyond else f"Converged to t = {budget.t_trust:g} only" if not beyond else \
        "Not converged"
    taken = {word: [str(n) for n in data if word in data[n].attrs["extrapolated"]] for word in ("step", "weight")}
    step, weight = (", ".join(names) or "none" for names in taken.values())
    return (f"{fate}: half the step moves values by at most {largest(*corner.halving)}, twice the bond at a hundredth "
            f"of the weight by {largest(corner.widths[0], corner.widths[2])}, relative to the largest value{held}. "
            f"Reached t = {end:g} by {describe(corner.method)}; taken to zero step: {step}; to zero discarded weight: "
            f"{weight}.")
