"""A run to be done, with all that is needed to begin it, to leave it at a safe point, and to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from mps_battery import archive
from mps_battery.audit import with_audits
from mps_battery.battery import Battery, as_schedule
from mps_battery.budget import bars_from, proven_bars, shared_times
from mps_battery.checkpoint import Checkpoint, Keeper
from mps_battery.checks import InputError, must
from mps_battery.evolve.choose import Method, choose, choose_proven, coarser
from mps_battery.evolve.exact import Exact
from mps_battery.evolve.memory import idle
from mps_battery.evolve.tenpy import Tenpy
from mps_battery.liouville import generator
from mps_battery.measure.mixed import MixedObservables
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Observables
from mps_battery.progress import Progress
from mps_battery.record import Table, standard_record
from mps_battery.run import (
    Lane,
    Recipe,
    Run,
    budget_of,
    card_of,
    check_times,
    model_megabytes,
    outcome_of,
    steps_between,
)
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import FOR_DENSITIES, Truncation

Array = np.ndarray


@dataclass(frozen=True)
class Job:
    """What `charge` was asked to do, checked and with what it left open filled in; see there.

    Attributes:
        asked: Names of the quantities that were asked for, not added by audits.
        why: Why the method was chosen.
        start: The state at the first time.
        stride: How many times there are to one of the run that bars are read from.
        visits: Which times that run visits.
    """

    battery: Battery
    grid: Array
    method: Method
    why: str
    truncation: Truncation
    record: Mapping[str, Quantity]
    asked: Sequence[str]
    bars: bool | str
    trust: float
    keep_states: bool
    start: MPS | Density
    stride: int
    visits: Array

    @classmethod
    def of(cls, battery: Battery, times: Sequence[float] | Array, method: Method | None, truncation: Truncation | None,
           record: Mapping[str, Quantity] | None, audits: bool, bars: bool | Literal["rigorous"], trust: float,
           keep_states: bool) -> Job:
        """Checked arguments of `charge`."""
        if not isinstance(battery, Battery):
            raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
        grid = check_times(times)
        must(isinstance(bars, bool) or bars == "rigorous", "bars", "be True, False or 'rigorous'", bars)
        truncation = truncation if truncation is not None else FOR_DENSITIES if battery.mixed else Truncation()
        must(isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
        must(isinstance(trust, int | float) and trust > 0, "trust", "be a positive number", trust)
        table = Table(standard_record(battery) if record is None else record, battery)
        asked = list(table.record)
        if audits:
            table = Table(with_audits(table.record, battery), battery)
        drive = generator(battery)
        method, why = choose_proven(drive, method, truncation, grid) if bars == "rigorous" else \
            choose(drive, method, truncation, grid, charging=True)
        short = not isinstance(method, Exact) and len(grid) > 1 and np.min(np.diff(grid)) <= method.dt
        stride = 2 if short else 1
        return cls(battery, grid, method, why, truncation, table.record, asked, bars, trust, keep_states,
                   archive.in_order(battery.initial_state()), stride, shared_times(len(grid), stride))

    # -- doing it ------------------------------------------------------------------------------------------------
    def begin(self, checkpoint: Checkpoint | None, progress: bool | None) -> Run:
        """Do it, with or without checkpoints."""
        must(checkpoint is None or isinstance(checkpoint, Checkpoint), "checkpoint", "be None or a Checkpoint",
             checkpoint)
        if checkpoint is not None and isinstance(self.method, Tenpy):
            raise InputError("Argument `checkpoint` must be None for Tenpy, whose states are not written down: use "
                             "TEBD.")
        return self.perform(Keeper(checkpoint, "charge", self.request), None, progress)

    def perform(self, keeper: Keeper, memory: Mapping[str, Any] | None, progress: bool | None) -> Run:
        """Evolve from the start, or from what a checkpoint remembers, to the last time."""
        proven, grid, baseline = self.bars == "rigorous", self.grid, idle(self.method, not self.battery.mixed)
        schedule = generator(self.battery)
        observables = MixedObservables(self.battery) if self.battery.mixed else Observables(self.battery)
        vars(observables)["start"] = self.start                     # in place of computing it again
        with_bars = bool(self.bars) and not isinstance(self.method, Exact) and len(grid) > 1
        loose_method, loose = coarser(self.method, self.truncation)

        def lane(coarse: bool) -> Lane:
            return Lane(loose_method if coarse else self.method, self.start, observables, schedule,
                        loose if coarse else self.truncation, Table(self.record, self.battery), grid,
                        self.visits if coarse else np.arange(len(grid)), proven=proven and not coarse)

        main, coarse = lane(coarse=False), None

        def remember() -> dict[str, Any]:
            before = memory["coarse"] if memory is not None else None
            return {"main": main.memory(), "coarse": before if coarse is None else coarse.memory()}

        def pause() -> None:
            keeper.pause(remember)

        with keeper, Progress(progress, self.battery.name, grid[-1] - grid[0], parts=1.4 if with_bars else 1.0) as bar:
            if memory is not None:
                main.recall(memory["main"])
            elif keeper.settings is not None:
                keeper.write(remember())
            main.run(bar, 1.0, self.keep_states, watch=True, pause=pause)
            if with_bars and not (proven and main.all_proven):
                coarse = lane(coarse=True)
                if memory is not None and memory["coarse"] is not None:
                    coarse.recall(memory["coarse"])
                coarse.run(bar, 0.4, pause=pause)
            if keeper.settings is not None:
                keeper.write(remember())
        return self._run(main, coarse, keeper.elapsed, baseline)

    def _run(self, main: Lane, coarse: Lane | None, wall: float, baseline: float) -> Run:
        """What the lanes found."""
        data = main.dataset()
        if coarse is not None:
            error_bars = bars_from(data, coarse.dataset(), self.visits, main.safety(), self.truncation.weight,
                                   main.drift())
        else:
            exact = isinstance(self.method, Exact) and self.bars
            error_bars = bars_from(data, data, np.arange(len(self.grid))) if exact else xr.Dataset()
        if self.bars == "rigorous":
            error_bars = error_bars.assign(proven_bars(data, main.proven))
        shown = error_bars.drop_vars(set(self.record) - set(self.asked), errors="ignore")
        budget = budget_of(main, data, shown, self.trust)
        card = card_of(self.battery, self.method, self.why, self.truncation, data, wall, baseline,
                       model_megabytes(main, coarse))
        recipe = Recipe(self.battery, self.method, self.truncation, self.record, self.trust, data,
                        np.array(main.discarded), steps_between(self.grid, self.method))
        outcome = outcome_of(self.method, self.why, self.truncation, budget, self.grid) + budget.cutoff_warning
        return Run(data, error_bars, outcome, budget, card, main.evolution.state, tuple(main.states), recipe)

    # -- writing it down -----------------------------------------------------------------------------------------
    def request(self) -> archive.Packed:
        """Its plain form; a battery or record with functions of the caller in it is left out, but recognised."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("battery", "record"):
            if not archive.plain(held[name]):
                del held[name]
        return archive.pack({"job": held, "battery": mark_of(self.battery, self.grid), "record": named(self.record)})

    @classmethod
    def requested(cls, packed: archive.Packed, path: Path, battery: Battery | None,
                  record: Mapping[str, Quantity] | None) -> Job:
        """The job of a file, completed by what the file could not hold."""
        parts = archive.unpack(packed)
        held = parts["job"]
        if battery is not None and mark_of(battery, held["grid"]) != parts["battery"]:
            raise InputError(f"Argument `battery` must be that of {str(path)!r}, but is another one.")
        if "battery" not in held:
            if battery is None:
                raise InputError(f"Argument `battery` must be given to resume {str(path)!r}, whose battery has "
                                 "functions of time that a file cannot hold, but is None.")
            held["battery"] = battery
        if "record" not in held:
            if record is None or named(record) != parts["record"]:
                raise InputError(f"Argument `record` must be that of {str(path)!r}, which holds quantities of the "
                                 f"caller ({parts['record']}), but is {'None' if record is None else named(record)}.")
            held["record"] = dict(record)
        return cls(**held)

    def extended(self, times: Sequence[float] | Array) -> Job:
        """The same job with later times."""
        later = check_times(times)
        more = later[later > self.grid[-1]]
        for t in later[:len(later) - len(more)]:
            must(t in self.grid, "times", f"go on from the times of the run, which end at {self.grid[-1]:g}", float(t))
        grid = np.concatenate([self.grid, more])
        strided = shared_times(len(grid), self.stride)
        visits = np.union1d(self.visits, strided[strided >= len(self.grid)])
        return replace(self, grid=grid, visits=visits)


def mark_of(battery: Battery, grid: Array) -> str:
    """A digest of a battery; functions of time count by their values at 33 times."""
    times = np.linspace(grid[0], grid[-1], 33)
    charging = [(h, None if f is None else np.array([f(float(t)) for t in times]))
                for h, f in as_schedule(battery.charging).parts]
    jumps = [(j.terms, j.bath, np.array([j.rate_at(float(t)) for t in times])) for j in battery.jumps]
    return archive.fingerprint([list(battery.sites), list(battery.cells), battery.energy, charging, jumps])


def named(record: Mapping[str, Quantity]) -> str:
    """The names and kinds of quantities, in words."""
    return ", ".join(f"{name}: {type(q).__name__}" for name, q in record.items())
