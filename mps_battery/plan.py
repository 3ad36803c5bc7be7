"""The runs of a sweep: at which parameters, with which disorder, recorded how; and one of them performed."""

from __future__ import annotations

import inspect
import itertools
import resource
import sys
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, nearest, shown, whole
from mps_battery.evolve.choose import Method
from mps_battery.evolve.threads import libraries
from mps_battery.executors import Executor, Lost, Processes
from mps_battery.measure.quantity import Quantity
from mps_battery.progress import spoken
from mps_battery.record import Table, standard_record
from mps_battery.run import charge, check_times
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray
Model = Callable[..., Battery]

SEEDS = ("seed", "realisation")
"""Arguments of a model with disorder, which draws from SeedSequence([seed, realisation, stream])."""
PILOTS = 8
"""Points of the grid that are tried for an estimate of the cost."""


@dataclass(frozen=True)
class Settings:
    """What all runs of a sweep share; see `charge`."""

    times: Array
    method: Method | None = None
    truncation: Truncation | None = None
    record: Mapping[str, Quantity] | None = None
    bars: bool = False
    trust: float = 1e-2


@dataclass(frozen=True)
class Item:
    """One run: a model, its arguments, the settings."""

    model: Model
    arguments: Mapping[str, Any]
    settings: Settings


@dataclass(frozen=True)
class Result:
    """What a sweep keeps of a run.

    Attributes:
        values: Recorded values by name, (time, ...).
        bars: Their error bars; empty where switched off.
        facts: Plain numbers: t_trust, max_bond, discarded_weight.
        failure: The sentence of a run that failed; empty otherwise.
        seconds: Processor time.
        megabytes: Peak memory of the process so far.
    """

    values: Mapping[str, Array] = field(default_factory=dict)
    bars: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


FACTS = ("t_trust", "max_bond", "discarded_weight")
"""Facts of a run that a sweep keeps."""


def perform(item: Item) -> Result:
    """Charge once, with one BLAS thread wherever it is done; a run that fails returns its sentence."""
    begun, settings = clock.process_time(), item.settings
    try:
        with libraries().limit(limits=1):
            battery = item.model(**item.arguments)
            run = charge(battery, settings.times, method=settings.method, truncation=settings.truncation,
                         record=settings.record, bars=settings.bars, trust=settings.trust, progress=False)
    except Exception as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        return Result(failure=kind + " ".join(str(error).split()), seconds=clock.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)
    return Result({str(n): v.values for n, v in run.data.items()}, {str(n): v.values for n, v in run.bars.items()},
                  {name: float(getattr(run.budget, name)) for name in FACTS},
                  seconds=clock.process_time() - begun, megabytes=peak)


def result_of(returned: Result | Lost) -> Result:
    """A result, also where the process that worked on it died."""
    return Result(failure=returned.sentence) if isinstance(returned, Lost) else returned


@dataclass(frozen=True)
class Estimate:
    """What a sweep will cost, from pilot runs.

    Attributes:
        runs: Number of runs, at most.
        pilots: Runs that were tried.
        processor_seconds: Processor time of all runs.
        seconds: Wall time with the workers of the executor.
        worker_megabytes: Peak memory of a worker.
        data_megabytes: Memory of the data returned, without statistics.
        where: The executor.
        failures: Sentences of pilots that failed.
    """

    runs: int
    pilots: int
    processor_seconds: float
    seconds: float
    worker_megabytes: float
    data_megabytes: float
    where: str
    failures: Sequence[str] = ()

    def __str__(self) -> str:
        text = (f"{self.runs} runs would take about {spoken(self.processor_seconds)} of processor time, "
                f"{spoken(self.seconds)} with {self.where}; {self.worker_megabytes:.0f} MB a worker, "
                f"{self.data_megabytes:.3g} MB of data; from {self.pilots} pilot runs.")
        return " ".join([text, *(f"A pilot failed: {s}" for s in self.failures)])


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep; see `sweep` for the arguments.

    Attributes:
        model: From arguments to a battery.
        axes: Dimension -> values, in order.
        points: The arguments of every point, in the order of the axes, last axis fastest.
        realisations: Indices of the disorder; one index 0 where the model has none.
        seed: First coordinate of the disorder.
        settings: What all runs share.
    """

    model: Model
    axes: Mapping[str, Sequence[Any]]
    points: Sequence[Mapping[str, Any]]
    realisations: Sequence[int]
    seed: int
    settings: Settings

    @classmethod
    def of(cls, model: Model, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]],
           realisations: int | Sequence[int] | None, times: Sequence[float] | Array, seed: int,
           settings: Mapping[str, Any]) -> Plan:
        """Checked arguments of `sweep`."""
        must(callable(model), "model", "be a function that returns a Battery, such as those of mps_battery.models",
             model)
        must(whole(seed) and seed >= 0, "seed", "be an integer of at least 0", seed)
        axes, points = _grid(parameters)
        known = inspect.signature(model).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
        name = getattr(model, "__name__", "model")
        for key in points[0]:
            if key in SEEDS:
                raise InputError(f"Argument `parameters` must not hold {key!r}: give `{key}"
                                 f"{'s' if key == 'realisation' else ''}` beside it.")
            if key not in known and not open_ended:
                raise InputError(f"Unknown parameter {shown(key)} of model {name!r}: {nearest(key, known)}")
        if realisations is None:
            indices = [0]
        else:
            must("realisation" in known or open_ended, "realisations",
                 f"be None for a model without an argument `realisation`, such as {name}", realisations)
            indices = list(range(realisations)) if whole(realisations) else list(realisations)  # type: ignore
            must(len(indices) >= 1 and all(whole(r) and r >= 0 for r in indices)
                 and len(set(indices)) == len(indices), "realisations",
                 "be a number of at least 1, or a list of different indices from 0", realisations)
        return cls(model, axes, points, [int(r) for r in indices], int(seed),
                   Settings(check_times(times), **settings))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(v) for v in self.axes.values())

    def arguments(self, point: int, realisation: int) -> dict[str, Any]:
        """What the model is called with."""
        known = inspect.signature(self.model).parameters
        seeds = {"seed": self.seed, "realisation": realisation}
        return {**self.points[point], **{k: v for k, v in seeds.items() if k in known}}

    def item(self, point: int, realisation: int) -> Item:
        """One run."""
        return Item(self.model, self.arguments(point, realisation), self.settings)

    def coordinates(self) -> dict[str, Any]:
        """Coordinates of the dimensions, and in a list of points of every parameter."""
        if list(self.axes) != ["point"]:
            return {name: _coordinate(values) for name, values in self.axes.items()}
        names = dict.fromkeys(k for p in self.points for k in p)
        return {"point": np.arange(len(self.points)),
                **{k: ("point", _coordinate([p.get(k) for p in self.points])) for k in names}}

    def tables(self) -> Iterator[tuple[int, Table]]:
        """What is recorded, at every point that has a battery.

        Raises:
            InputError: If no point has one.
        """
        first: InputError | None = None
        found = False
        for k in range(len(self.points)):
            try:
                battery = self.model(**self.arguments(k, self.realisations[0]))
                if not isinstance(battery, Battery):
                    raise InputError(f"Argument `model` must return a Battery, but returned {shown(battery)}.")
                record = self.settings.record
                yield k, Table(standard_record(battery) if record is None else record, battery)
                found = True
            except InputError as error:
                first = first or error
        if not found:
            assert first is not None
            raise first

    def estimate(self, executor: Executor) -> Estimate:
        """Cost and memory from pilot runs, in a process of its own, at up to `PILOTS` points spread over the grid."""
        places = np.unique(np.linspace(0, len(self.points) - 1, min(PILOTS, len(self.points))).round().astype(int))
        results: list[Result] = []
        with Processes(1).open() as pool:
            for k in places:
                pool.submit(int(k), perform, self.item(int(k), self.realisations[0]))
            while len(results) < len(places):
                done = pool.next(1.0)
                if done is not None:
                    results.append(result_of(done[1]))
        well = [r for r in results if not r.failure]
        runs = len(self.points) * len(self.realisations)
        mean = float(np.mean([r.seconds for r in well])) if well else np.nan
        size = float(np.mean([sum(a.nbytes for a in (*r.values.values(), *r.bars.values())) for r in well])) \
            if well else np.nan
        return Estimate(runs, len(results), mean * runs, mean * runs / min(executor.size(), runs),
                        max((r.megabytes for r in well), default=np.nan), size * runs / 1e6, str(executor),
                        [r.failure for r in results if r.failure])


def _grid(parameters: object) -> tuple[dict[str, Sequence[Any]], list[dict[str, Any]]]:
    """Axes and points of a mapping (every list is an axis) or of a list of mappings (one axis, `point`)."""
    if isinstance(parameters, Sequence) and not isinstance(parameters, str):
        must(len(parameters) >= 1 and all(isinstance(p, Mapping) and p for p in parameters), "parameters",
             "be a mapping of names to values or lists of values, or a list of mappings", parameters)
        must(len({frozenset(p) for p in parameters}) == 1, "parameters", "give the same names at every point",
             parameters)
        return {"point": range(len(parameters))}, [dict(p) for p in parameters]
    if not isinstance(parameters, Mapping):
        raise InputError("Argument `parameters` must be a mapping of names to values or lists of values, or a list of "
                         f"mappings, but is {shown(parameters)}.")
    axes: dict[str, Sequence[Any]] = {}
    fixed: dict[str, Any] = {}
    for name, value in parameters.items():
        must(isinstance(name, str), "parameters", "map names to values", name)
        if isinstance(value, list | tuple | range | np.ndarray):
            values = value.tolist() if isinstance(value, np.ndarray) else list(value)
            must(len(values) >= 1, "parameters", f"have at least one value of {name!r}", values)
            must(all(a != b for a, b in itertools.combinations(values, 2)), "parameters",
                 f"have different values of {name!r}", values)
            axes[name] = values
        else:
            fixed[name] = value
    points = [{**fixed, **dict(zip(axes, values, strict=True))} for values in itertools.product(*axes.values())]
    return axes, points


def _coordinate(values: Sequence[Any]) -> Array:
    """Values of a parameter as a coordinate: numbers, switches and words as they are, others in words."""
    plain = all(isinstance(v, bool | np.bool_) for v in values) or all(
        isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values) or all(
        isinstance(v, str) for v in values)
    return np.array(list(values) if plain else [str(v) for v in values])
