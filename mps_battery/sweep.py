"""The verb `sweep`: many runs over parameters and realisations of disorder, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mps_battery import archive
from mps_battery.checkpoint import Checkpoint, Keeper
from mps_battery.checks import InputError, must, number, shown, whole
from mps_battery.evolve.choose import Method
from mps_battery.executors import Executor, InProcess
from mps_battery.job import named
from mps_battery.measure.quantity import Quantity
from mps_battery.plan import FACTS, Model, Plan, Result, perform, result_of
from mps_battery.progress import Count
from mps_battery.statistics import standard_error, with_statistics
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray

AHEAD = 2
"""Runs handed out a worker: one it works on, one that waits."""
REMEMBERED = ("values", "bars", "facts", "done", "closed", "failures", "seconds")
"""What a checkpoint holds of a table."""
WORDS = ("mean", "error", "low", "high", "quantile")
"""What statistics append to the name of a quantity."""


@dataclass(frozen=True)
class Sweep:
    """Many runs in one table.

    Attributes:
        data: Every recorded quantity over (parameters, realisation, time, ...), NaN where a run failed or was not
            needed; for a quantity `x` also `x_mean`, `x_error`, `x_low`, `x_high` and `x_quantile` over its other
            dimensions (see `statistics.with_statistics`); `count`, how many realisations are behind a mean;
            `failure`, the sentence of every run that failed; `t_trust`, `max_bond` and `discarded_weight` of each.
        bars: Error bars of every run; empty if switched off. They are systematic: those of a mean are their mean.
        outcome: What happened, in a sentence.
        card: Facts about model and cost.
    """

    data: xr.Dataset
    bars: xr.Dataset
    outcome: str
    card: Mapping[str, Any]

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write it to a NetCDF file, atomically; an existing file is kept unless told."""
        from mps_battery.storage import save_table

        return save_table(self, path, overwrite)

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {n}" for name, n in self.data.sizes.items() if name != "quantile")
        lines = [f"sweep of {self.card['model']}: {sizes}", self.outcome]
        facts = {"cost": f"{self.card['processor_seconds']:.3g} s of processor time in {self.card['wall_seconds']:.3g} "
                         f"s, {self.card['executor']}"}
        for name in self.card["quantities"]:
            if np.isrealobj(self.data[name].values):
                mean, error = self.data[f"{name}_mean"].isel(time=-1), self.data[f"{name}_error"].isel(time=-1)
                worst = float(error.max()) if np.isfinite(error.values).any() else np.nan
                facts[name] = (f"{float(mean.min()):.6g} to {float(mean.max()):.6g} at the end, standard error at most "
                               f"{worst:.1e}")
        width = max(map(len, facts))
        return "\n".join([*lines, *(f"  {k:<{width}}  {v}" for k, v in facts.items())])


def sweep(model: Model, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]], *,
          realisations: int | Sequence[int] | None = None, times: Sequence[float] | Array, seed: int = 0,
          executor: Executor | None = None, method: Method | None = None, truncation: Truncation | None = None,
          record: Mapping[str, Quantity] | None = None, bars: bool = False, trust: float = 1e-2,
          error: Mapping[str, float] | None = None, batch: int = 20, confidence: float = 0.95,
          quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95), checkpoint: Checkpoint | None = None,
          progress: bool | None = None) -> Sweep:
    """Charge a model at many parameters and realisations of its disorder.

    Runs do not know of each other: realisation r at any parameters draws its disorder from
    SeedSequence([seed, r, stream]), so that points of the grid see the same draws, whatever else is swept, and any run
    can be repeated alone by `model(..., seed=seed, realisation=r)`. Results are the same to the last bit on every
    executor.

    Args:
        model: A function that returns a Battery; with `seed` and `realisation` among its arguments where it has
            disorder.
        parameters: Name -> value or list of values, whose Cartesian grid is swept, each list a dimension; or a list of
            mappings name -> value, swept along the one dimension `point`.
        realisations: How many realisations a point, or a list of their indices; None for a model without disorder.
        times: Increasing times at which to record.
        seed: First coordinate of all random numbers.
        executor: Where to run, see `mps_battery.executors`; None for this process.
        method: As for `charge`.
        truncation: As for `charge`.
        record: As for `charge`.
        bars: Whether every run gets error bars; see `Sweep.bars`.
        trust: As for `charge`.
        error: Quantity -> standard error of its mean at which a point is done early, the largest over times and
            places. Looked at after every `batch` realisations, in their order.
        batch: See `error`.
        confidence: Probability of the bootstrap intervals.
        quantiles: Quantiles over realisations.
        checkpoint: Where to write down, at intervals, what `resume` needs to go on; None writes nothing. Runs in
            flight when a sweep is interrupted are done again.
        progress: Whether to show runs done, rate and time left; None shows them on a terminal only.

    Returns:
        A Sweep. Runs that fail are part of it, with their sentence.

    Raises:
        InputError: If an argument does not make sense, or no point of the grid has a battery.
        StoppedError: If a signal or the wall time of the checkpoint ended it.
    """
    must(checkpoint is None or isinstance(checkpoint, Checkpoint), "checkpoint", "be None or a Checkpoint", checkpoint)
    settings = {"method": method, "truncation": truncation, "record": record, "bars": bars, "trust": trust}
    plan = Plan.of(model, parameters, realisations, times, seed, settings)
    rules = Rules(dict(error or {}), batch, confidence, tuple(quantiles))
    harvest = Harvest(plan, rules)
    return perform_sweep(harvest, executor, Keeper(checkpoint, "sweep", harvest.request), progress)


def perform_sweep(harvest: Harvest, executor: Executor | None, keeper: Keeper, progress: bool | None) -> Sweep:
    """Do the runs that are missing in a table."""
    executor = InProcess() if executor is None else executor
    must(isinstance(executor, Executor), "executor", "be one of mps_battery.executors", executor)
    with keeper:
        _gather(harvest, executor, keeper, progress)
    return harvest.sweep(keeper.elapsed, str(executor))


@dataclass(frozen=True)
class Rules:
    """When a point is done, and which statistics are wanted; see `sweep`."""

    error: Mapping[str, float]
    batch: int
    confidence: float
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        must(all(number(e) and e > 0 for e in self.error.values()), "error", "map quantities to positive numbers",
             self.error)
        must(whole(self.batch) and self.batch >= 2, "batch", "be an integer of at least 2", self.batch)
        must(number(self.confidence) and 0 < self.confidence < 1, "confidence", "be a number between 0 and 1",
             self.confidence)
        must(all(number(q) and 0 <= q <= 1 for q in self.quantiles), "quantiles", "be numbers from 0 to 1",
             self.quantiles)


class Harvest:
    """The table of a sweep while it fills.

    Attributes:
        values: Quantity -> array over (points, realisations, time, ...).
        done: Which runs are in.
        closed: Which points need no more of them.
    """

    def __init__(self, plan: Plan, rules: Rules) -> None:
        self.plan, self.rules = plan, rules
        self.axes: dict[str, dict[str, list]] = {}
        self.places: dict[str, list] = {}
        self.units: dict[str, str] = {}
        self._axes_at: dict[int, dict[str, dict[str, list]]] = {}
        for point, table in plan.tables():
            self._axes_at[point] = table.axes
            for name, axes in table.axes.items():
                self.units[name] = table.record[name].unit
                if list(self.axes.setdefault(name, axes)) != list(axes):
                    raise InputError(f"Argument `record` must hold quantities with the same dimensions at every point, "
                                     f"but {name!r} has not.")
                for dim, values in axes.items():
                    self.places[dim] = list(dict.fromkeys([*self.places.get(dim, []), *values]))
        self._check_names()
        counts = (len(plan.points), len(plan.realisations))
        shapes = {name: (len(plan.settings.times), *(len(self.places[d]) for d in axes))
                  for name, axes in self.axes.items()}
        self.values = {name: np.full((*counts, *shape), np.nan) for name, shape in shapes.items()}
        self.bars = {name: np.full((*counts, *shape), np.nan) for name, shape in shapes.items()} \
            if plan.settings.bars else {}
        self.facts = {name: np.full(counts, np.nan) for name in FACTS}
        self.done, self.closed = np.zeros(counts, dtype=bool), np.zeros(counts[0], dtype=bool)
        self.failures: dict[tuple[int, int], str] = {}
        self.seconds = 0.0

    def _check_names(self) -> None:
        taken = {"realisation", "time", "count", "failure", "quantile", *FACTS, *self.places, *self.axes,
                 *(f"{name}_{word}" for name in self.axes for word in WORDS)}
        parameters = {*self.plan.axes, *(k for k in self.plan.coordinates())}
        for name in parameters & taken:
            raise InputError(f"Argument `parameters` must not sweep {name!r} beside a quantity or dimension of that "
                             "name: record it under another.")
        for name in self.axes:
            if name in {"count", "failure", "quantile", *FACTS, *(f"{n}_{w}" for n in self.axes for w in WORDS)}:
                raise InputError(f"Argument `record` must use other names than {name!r}, which a sweep needs itself.")
        for name in self.rules.error:
            must(name in self.axes, "error", f"name quantities that are recorded: {', '.join(self.axes)}", name)

    @property
    def left(self) -> int:
        """Runs that may still be needed."""
        return int(np.sum(~self.done[~self.closed]))

    def wanted(self) -> list[tuple[int, int]]:
        """Runs that are needed next, whatever their results: of every open point the batch it is in."""
        out = []
        for point in np.flatnonzero(~self.closed):
            first = int(np.argmin(self.done[point]))
            size = self.rules.batch if self.rules.error else len(self.plan.realisations)
            stop = min((first // size + 1) * size, len(self.plan.realisations))
            out += [(int(point), k) for k in range(first, stop) if not self.done[point, k]]
        return out

    def add(self, point: int, k: int, result: Result) -> None:
        """Enter a run; results come in any order and do not depend on it."""
        self.seconds += result.seconds
        self.done[point, k] = True
        if result.failure:
            self.failures[point, k] = result.failure
        for table, found in ((self.values, result.values), (self.bars, result.bars)):
            for name, value in found.items():
                if np.iscomplexobj(value) and not np.iscomplexobj(table[name]):
                    table[name] = table[name].astype(complex)
                table[name][point, k][self._where(point, name)] = value
        for name, fact in result.facts.items():
            self.facts[name][point, k] = fact

    def _where(self, point: int, name: str) -> Any:
        """The places of a point among those of all points."""
        axes = self._axes_at[point][name]
        if all(values == self.places[dim] for dim, values in axes.items()):
            return ...
        places = {dim: {v: i for i, v in enumerate(self.places[dim])} for dim in axes}
        return np.ix_(range(len(self.plan.settings.times)),
                      *([places[dim][v] for v in values] for dim, values in axes.items()))

    def memory(self) -> dict[str, Any]:
        """All that `recall` needs to go on."""
        return {name: getattr(self, name) for name in REMEMBERED}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory of a table of the same plan."""
        for name in REMEMBERED:
            setattr(self, name, memory[name])

    def request(self) -> archive.Packed:
        """The plain form of plan and rules; a model or record of the caller is left out, but recognised."""
        held = {f.name: getattr(self.plan, f.name) for f in fields(self.plan)}
        names, record = {"model": _where_from(self.plan.model)}, self.plan.settings.record
        if not archive.plain(self.plan.model):
            del held["model"]
        if not archive.plain(record):
            names["record"] = named(record or {})
            held["settings"] = replace(self.plan.settings, record=None)
        return archive.pack({"plan": held, "rules": self.rules, "names": names})

    @classmethod
    def requested(cls, packed: archive.Packed, path: Path, model: Model | None, record: Mapping[str, Quantity] | None
                  ) -> Harvest:
        """The empty table of a file, completed by what the file could not hold."""
        parts = archive.unpack(packed)
        held, names = parts["plan"], parts["names"]
        if model is not None or "model" not in held:
            if model is None or _where_from(model) != names["model"]:
                raise InputError(f"Argument `model` must be given to resume {str(path)!r}, which sweeps "
                                 f"{names['model']}, but is {'None' if model is None else _where_from(model)}.")
            held["model"] = model
        if "record" in names:
            if record is None or named(record) != names["record"]:
                raise InputError(f"Argument `record` must be that of {str(path)!r}, which holds quantities of the "
                                 f"caller ({names['record']}), but is {'None' if record is None else named(record)}.")
            held["settings"] = replace(held["settings"], record=dict(record))
        return cls(Plan(**held), parts["rules"])

    def close_points(self) -> None:
        """Close the points that have all their runs, or errors small enough after a whole batch."""
        for point in np.flatnonzero(~self.closed):
            count = int(np.sum(self.done[point]))
            if count == len(self.plan.realisations):
                self.closed[point] = True
            elif self.rules.error and count and count % self.rules.batch == 0:
                well = [k for k in range(count) if (point, k) not in self.failures]
                self.closed[point] = len(well) > 1 and all(
                    np.nanmax(standard_error(self.values[name][point, well])) <= wanted
                    for name, wanted in self.rules.error.items())

    def sweep(self, wall: float, where: str) -> Sweep:
        """The table with its statistics."""
        plan, used = self.plan, int(np.max(np.sum(self.done, axis=1)))
        front = (*plan.axes, "realisation")

        def whole_table(arrays: Mapping[str, Array], extra: Mapping[str, Mapping[str, Any]]) -> xr.Dataset:
            out = {}
            for name, a in arrays.items():
                a = a[:, :used].reshape(*plan.shape, used, *a.shape[2:])
                dims = (*front, *(("time", *self.axes[name]) if name in self.axes else ()))
                out[name] = xr.DataArray(a, dims=dims, attrs=dict(extra.get(name, {})))
            return xr.Dataset(out, {**plan.coordinates(), "realisation": plan.realisations[:used],
                                    **({"time": plan.settings.times, **self.places} if arrays else {})})

        failed = ~self.done[:, :used]
        sentences = np.full(failed.shape, "", dtype=object)
        for (point, k), sentence in self.failures.items():
            failed[point, k], sentences[point, k] = True, sentence
        data = whole_table(self.values, {name: {"unit": u} for name, u in self.units.items()})
        rules = self.rules
        data = with_statistics(data, failed.reshape(*plan.shape, used), plan.seed, rules.confidence, rules.quantiles)
        facts = {**{name: a[:, :used] for name, a in self.facts.items()}, "failure": sentences.astype(str)}
        data = data.assign({name: (front, a.reshape(*plan.shape, used)) for name, a in facts.items()})
        data.attrs.update(seed=plan.seed, confidence=rules.confidence)
        bars = whole_table(self.bars, {name: {"kind": "estimate", "unit": u} for name, u in self.units.items()}) \
            if self.bars else xr.Dataset()
        card = {"model": getattr(plan.model, "__name__", "a model"), "quantities": list(self.axes),
                "runs": int(self.done.sum()), "failed": len(self.failures), "seed": plan.seed,
                "fixed": {k: shown(v) for k, v in plan.points[0].items() if k not in plan.axes},
                "processor_seconds": round(self.seconds, 3), "wall_seconds": round(wall, 3), "executor": where}
        return Sweep(data, bars, self._outcome(), card)

    def _outcome(self) -> str:
        runs = int(self.done.sum())
        text = f"{runs} runs at {len(self.plan.points)} points"
        if self.rules.error:
            early = int(np.sum(np.sum(self.done, axis=1) < len(self.plan.realisations)))
            text += f", {early} of them done early with the errors wanted"
        if not self.failures:
            return text + "; none failed."
        (point, k), sentence = next(iter(sorted(self.failures.items())))
        arguments = ", ".join(f"{a} = {shown(v)}" for a, v in
                              self.plan.arguments(point, self.plan.realisations[k]).items())
        return f"{text}; {len(self.failures)} failed, the first at {arguments}: {sentence}"


def _where_from(model: Model) -> str:
    return f"{getattr(model, '__module__', '')}.{getattr(model, '__qualname__', type(model).__qualname__)}"


def _gather(harvest: Harvest, executor: Executor, keeper: Keeper, progress: bool | None) -> None:
    """Perform the runs that are missing, batch by batch; what is in flight is bounded."""
    plan = harvest.plan
    if keeper.settings is not None and not harvest.done.any():
        keeper.write(harvest.memory())
    harvest.close_points()
    if np.all(harvest.closed):
        return                                        # a finished sweep that is resumed starts no workers
    total, news = int(harvest.done.sum()) + harvest.left, False
    with Count(progress, f"sweeping {getattr(plan.model, '__name__', 'a model')}", total,
               int(harvest.done.sum())) as count, executor.open() as pool:
        while not np.all(harvest.closed):
            waiting = iter(harvest.wanted())
            flying: dict[int, tuple[int, int]] = {}
            number, exhausted = 0, False
            while flying or not exhausted:
                while not exhausted and len(flying) < AHEAD * pool.workers:
                    place = next(waiting, None)
                    if place is None:
                        exhausted = True
                        break
                    flying[number] = place
                    pool.submit(number, perform, plan.item(place[0], plan.realisations[place[1]]))
                    number += 1
                finished = pool.next(0.2) if flying else None
                if finished is not None:
                    harvest.add(*flying.pop(finished[0]), result_of(finished[1]))
                    count.step()
                    news = True
                news = not keeper.pause(harvest.memory, news) and news
            harvest.close_points()
    keeper.write(harvest.memory())
