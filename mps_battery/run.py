"""The verb `charge`, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from mps_battery.audit import Audit
from mps_battery.audit import audits as audits_of
from mps_battery.battery import Battery, Schedule
from mps_battery.budget import (
    CAPPED,
    SAFETY,
    SAFETY_DENSITY,
    SAFETY_PROJECTED,
    Budget,
    relative_bars,
)
from mps_battery.checkpoint import Checkpoint
from mps_battery.checks import InputError, must
from mps_battery.evolve.choose import Method
from mps_battery.evolve.exact import Exact, ExactEvolution
from mps_battery.evolve.memory import footprint, peak
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import CentreEvolution
from mps_battery.evolve.tenpy import TenpyEvolution
from mps_battery.evolve.threads import libraries
from mps_battery.measure.cutoff import top_population, watched_modes
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot
from mps_battery.measure.quantity import Quantity, TwoTimeQuantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.progress import Progress
from mps_battery.record import STANDARD, STANDARD_MIXED, Table
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation

ONE_THREAD_BELOW = 192
"""Up to this bond BLAS is kept to one thread: more threads wait longer than they work."""


LEG = 16
"""Most steps between two safe points. Layers of gates are not merged across one, which costs less than 1 %."""
NOTED = ("states", "least_eigenvalue", "generator_energies", "capped_at", "discarded", "proven", "cutoff_population")
"""What a lane notes beside its record."""
WEIGHED = {type(q) for q in (*STANDARD.values(), *STANDARD_MIXED.values())}
"""Quantities whose need of memory is in the model of it."""
NEIGHBOURS = 4
"""As many channels of an operator take the memory that correlations of neighbouring qubits take."""


@dataclass(frozen=True)
class Recipe:
    """What a run was made from, and its values before any extrapolation: what `Run.refine` starts from.

    Attributes:
        battery: What was charged.
        method: The method with its step filled in.
        truncation: The truncation.
        record: Name -> quantity.
        trust: Largest relative bar that counts as trusted.
        data: The values as they were measured.
        discarded: Discarded weight in all, up to every time.
        steps: Steps between each time and the next.
    """

    battery: Battery
    method: Method
    truncation: Truncation
    record: Mapping[str, Quantity]
    trust: float
    data: xr.Dataset
    discarded: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Run:
    """A charged battery: data, bars, outcome and budget.

    Attributes:
        data: What was recorded, over time (hbar = 1).
        bars: Error bars with the same names and dimensions, each with attrs["kind"]; empty if switched off.
        outcome: What happened, in a sentence.
        budget: Where the errors come from.
        card: Facts about model, method and cost, for the record. `peak_megabytes` is the largest resident memory of
            the process so far, `baseline_megabytes` what it was before the evolution began, `model_megabytes` what
            the run adds to it by its shapes (`mps_battery.evolve.memory`), all in units of 2^20 bytes. The last is
            within a fifth of what is measured where that is over 500 and the process did not hold more before; it is
            None where there is no model: Exact, Tenpy, devices, walking hubs, one-site TDVP, and records beyond
            the standard one.
        state: The state at the last time; None for a run loaded from a file.
        states: The states at all times, where they were asked for.
        recipe: What it was made from; None for a run loaded from a file.
    """

    data: xr.Dataset
    bars: xr.Dataset
    outcome: str
    budget: Budget
    card: Mapping[str, Any]
    state: MPS | Density | None = field(default=None, repr=False)
    states: Sequence[MPS | Density] = field(default=(), repr=False)
    recipe: Recipe | None = field(default=None, repr=False)

    def refine(self, progress: bool | None = None) -> Run:
        """Check convergence with a second step and a second bond, and extrapolate where that is sound.

        See `mps_battery.refine.refine`.
        """
        from mps_battery.refine import refine

        return refine(self, progress)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write everything but the states to a NetCDF file, atomically; an existing file is kept unless told."""
        from mps_battery.storage import save

        return save(self, path, overwrite)

    def plot(self, path: str | Path | None = None, overwrite: bool = False) -> Any:
        """Draw the run; with a path, write the figure to it."""
        from mps_battery.plot import plot

        return plot(self, path, overwrite)

    @property
    def audits(self) -> dict[str, Audit]:
        """The bounds on power and speed that were recorded, each compared with what it bounds; see `audit`."""
        return audits_of(self)

    def __str__(self) -> str:
        from mps_battery.plot import card_text

        return card_text(self)


def charge(battery: Battery, times: Sequence[float] | np.ndarray, *, method: Method | None = None,
           truncation: Truncation | None = None, record: Mapping[str, Quantity] | None = None, audits: bool = False,
           bars: bool | Literal["rigorous"] = True, trust: float = 1e-2, keep_states: bool = False,
           checkpoint: Checkpoint | None = None, progress: bool | None = None) -> Run:
    """Charge a battery and record what it stores.

    Beside the run itself a second one with twice the step and a hundred times the discarded weight is evolved, at less
    than half the cost; the difference of the two gives the error bars (see `mps_battery.budget`).

    Args:
        battery: What is charged, and by what.
        times: Increasing times at which to record; the battery is empty at the first.
        method: TEBD, TDVP, Exact or Tenpy; None lets the engine choose.
        truncation: Bond cap and discarded weight; default bond 256, weight 1e-12, of densities 160 and 1e-13.
        record: Name -> quantity; None records energy, power, energy variance, local ergotropy and capacity of every
            cell and the entropy of every cut.
        audits: Whether to record bounds on power and speed too, and compare in `Run.audits`; see `audit`.
        bars: Whether to evolve the second run. "rigorous" proves bars instead, for a pure state under a constant
            nearest-neighbour Hamiltonian: TEBD sweeps a moving centre, whose truncations are orthogonal projections
            (`CentreEvolution.distance`), nested commutators bound its Trotter error (`StepError`), and each quantity
            turns the distance of the state from the exact evolution of its start into a bar (`Quantity.bar`); those
            that cannot get an estimate. attrs["kind"] says which it is.
        trust: Largest bar, relative to the largest value of its quantity, that counts as trusted in `t_trust`.
        keep_states: Whether to keep the state at every time.
        checkpoint: Where to write down, at intervals, what `resume` needs to go on; None writes nothing.
        progress: Whether to show a progress bar; None shows it on a terminal only.

    Returns:
        The Run.

    Raises:
        InputError: If an argument does not make sense; the sentence says which and why.
        StoppedError: If a signal or the wall time of the checkpoint ended it.
    """
    from mps_battery.job import Job

    job = Job.of(battery, times, method, truncation, record, audits, bars, trust, keep_states)
    return job.begin(checkpoint, progress)


def check_times(times: Sequence[float] | np.ndarray) -> np.ndarray:
    """Times as an array, checked to be finite and increasing."""
    try:
        grid = np.asarray(times, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"Argument `times` must be a list of numbers, but is {times!r:.80}.") from None
    must(grid.ndim == 1 and grid.size >= 1, "times", "be a one-dimensional list of at least one time", times)
    must(np.all(np.isfinite(grid)), "times", "be finite", times)
    if np.any(np.diff(grid) <= 0):
        k = int(np.argmax(np.diff(grid) <= 0))
        raise InputError(f"Argument `times` must increase, but goes from {grid[k]:g} to {grid[k + 1]:g}.")
    return grid


def steps_between(grid: np.ndarray, method: Method) -> np.ndarray:
    """How many equal steps of at most `dt` lead from each time to the next."""
    longest = np.inf if isinstance(method, Exact) or method.dt is None else method.dt
    return np.maximum(1, np.ceil(np.diff(grid) / longest - 1e-9)).astype(int)


class Lane:
    """One evolution with its record, at some of the times.

    Args:
        method: How to evolve.
        start: The state at the first time.
        observables: The operators of the battery.
        schedule: What moves the state.
        truncation: What is cut.
        table: What is recorded.
        grid: All times.
        visits: Indices of the times to visit.
        pieces: Into how many legs, equal in length, the way to each visit is cut; None for the fewest of at most
            `LEG` steps. Behind every leg is a safe point, where the lane may be left and taken up again.
        proven: Whether every quantity is asked for its rigorous bar.
    """

    def __init__(self, method: Method, start: MPS | Density, observables: Observables, schedule: Schedule,
                 truncation: Truncation, table: Table, grid: np.ndarray, visits: np.ndarray,
                 pieces: np.ndarray | None = None, proven: bool = False) -> None:
        self.evolution = method.start(start, schedule, truncation, float(grid[0]))  # type: ignore[arg-type]
        self.method = method
        beside = {q: q.companion(observables) for q in table.record.values() if isinstance(q, TwoTimeQuantity)}
        self.companions = {q: method.start(c, schedule, truncation, float(grid[0]))  # type: ignore[arg-type]
                           for q, c in beside.items() if c is not None}
        self.table, self.observables, self.grid, self.visits = table, observables, grid, visits
        self.states: list[MPS | Density] = []
        self.least_eigenvalue = np.inf
        self.generator_energies: list[float] = []
        self.capped_at: list[bool] = []
        self.discarded: list[float] = []
        self.proven: dict[str, list[Any]] = {name: [] for name in table.record} if proven else {}
        self._pieces, self._position = pieces, 0
        self.modes = watched_modes(observables.battery, start)
        self.cutoff_population = 0.0
        self._conserves = schedule.constant and not observables.battery.jumps
        self.bytes: float | None = 0.0 if {type(q) for q in table.record.values()} <= WEIGHED else None

    def run(self, bar: Progress, share: float, keep_states: bool = False, watch: bool = False,
            pause: Callable[[], None] | None = None) -> None:
        """Visit the times; BLAS gets more than one thread only where bonds are large."""
        before = self.evolution.time
        for time, visited in self._legs()[self._position:]:
            small = self.evolution.ledger.max_bond <= ONE_THREAD_BELOW
            with libraries().limit(limits=1, user_api="blas") if small else nullcontext():
                for evolution in (self.evolution, *self.companions.values()):
                    evolution.advance(time)
                if visited:
                    self._visit(time, keep_states, watch)
            self._weigh(visited)
            self._position += 1
            bar.advance(share * (time - before))
            before = time
            if not isinstance(self.evolution, TenpyEvolution):
                self._recall_states(self._remember_states())
                if pause is not None:
                    pause()

    def _legs(self) -> list[tuple[float, bool]]:
        """The times at which the evolution pauses, and whether it is measured there."""
        legs, before = [], float(self.grid[0])
        for j, k in enumerate(self.visits):
            t = float(self.grid[k])
            if self._pieces is not None:
                marks, count = np.arange(1, self._pieces[j] + 1), int(self._pieces[j])
            else:
                count = int(steps_between(np.array([before, t]), self.method)[0])
                marks = np.unique(np.r_[np.arange(LEG, count, LEG), count])
            legs += [(before + (t - before) * m / count, False) for m in marks[:-1]] + [(t, True)]
            before = t
        return legs

    def _remember_states(self) -> list[dict[str, Any]]:
        return [e.memory() for e in (self.evolution, *self.companions.values())]  # type: ignore[union-attr]

    def _recall_states(self, memories: list[dict[str, Any]]) -> None:
        """What goes on from a safe point is what a file would give back: the same numbers in the same order."""
        for evolution, memory in zip((self.evolution, *self.companions.values()), memories, strict=True):
            evolution.recall(memory)  # type: ignore[union-attr]

    def memory(self) -> dict[str, Any]:
        """All that `recall` needs to go on from the last safe point."""
        return {"evolutions": self._remember_states(), "position": self._position,
                "rows": {name: np.array(rows) for name, rows in self.table.rows.items()},
                "noted": {name: getattr(self, name) for name in NOTED}}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory of a lane with the same arguments."""
        self._recall_states(memory["evolutions"])
        self._position = memory["position"]
        self.table.rows = {name: list(rows) for name, rows in memory["rows"].items()}
        for name, value in memory["noted"].items():
            setattr(self, name, value)

    def _weigh(self, visited: bool) -> None:
        """Note in `bytes` how much memory the way so far took at most, by the shapes at this safe point."""
        now = footprint(self.evolution) if self.bytes is not None else None
        if now is None or self.bytes is None:
            self.bytes = None
            return
        most = now.step
        if visited:
            known, width, stored = vars(self.observables), 0, 0
            if not isinstance(self.observables, MixedObservables):
                made = [known[name] for name in ("energy", "energy_squared") if name in known]
                made += known.get("powers", []) + known.get("generators", [])
                width = max([NEIGHBOURS, *(w.shape[1] for operator in made for w in operator.tensors)])
                stored = 0 if self.observables.neighbours is not None or not made else max(
                    w.shape[1] for w in self.observables.energy.tensors)
            most = max(most, now.measuring(width, stored))
        self.bytes = max(self.bytes, now.held + most + len(self.states) * now.dense)

    def _visit(self, t: float, keep_states: bool, watch: bool) -> None:
        """Measure at a time that the evolution has reached."""
        state, companions = self.evolution.state, {q: c.state for q, c in self.companions.items()}
        if isinstance(state, Density):
            assert isinstance(self.observables, MixedObservables)
            snapshot: Snapshot = MixedSnapshot(state, t, self.observables, companions)
            if watch:
                self.least_eigenvalue = min(self.least_eigenvalue, state.least_marginal())
        else:
            snapshot = Snapshot(state, t, self.observables, companions)
        if watch and self.modes:
            self.cutoff_population = max(self.cutoff_population, top_population(state, self.modes))
        if watch and self._conserves:           # first, since other quantities share what this needs
            self.generator_energies.append(
                self.evolution.energy() if isinstance(self.evolution, ExactEvolution) and isinstance(state, MPS)
                else snapshot.generator_energy)
        self.table.add(snapshot)
        self.capped_at.append(self.cap_bound > 0)
        self.discarded.append(self.evolution.ledger.discarded_weight)
        if self.proven:
            assert isinstance(self.evolution, CentreEvolution)
            distance = self.evolution.distance()
            for name, quantity in self.table.record.items():
                self.proven[name].append(quantity.bar(snapshot, distance))
        if keep_states:
            self.states.append(state)

    @property
    def all_proven(self) -> bool:
        """Whether every quantity had a rigorous bar."""
        return all(rows[0] is not None for rows in self.proven.values())

    def safety(self) -> np.ndarray:
        """The factor between a difference of runs and a bar, at every time."""
        density = isinstance(self.evolution.state, Density)
        kind = SAFETY_DENSITY if density else SAFETY_PROJECTED if isinstance(self.method, TDVP) else SAFETY
        return kind * np.where(self.capped_at, CAPPED, 1.0)

    @property
    def cap_bound(self) -> int:
        """How often the bond cap dropped too much, in the state or beside it."""
        return int(sum(e.ledger.cap_bound for e in (self.evolution, *self.companions.values())))

    def drift(self) -> np.ndarray | None:
        """How far <H> of a constant generator has moved at every time; None for a schedule."""
        energies = np.array(self.generator_energies)
        return np.abs(energies - energies[0]) if len(energies) else None

    def dataset(self) -> xr.Dataset:
        """The record; the stored energy counts from the first time."""
        times = self.grid[self.visits]
        attributes: dict[str, dict[str, Any]] = {}
        for name, quantity in self.table.record.items():
            if type(quantity).__name__ == "Energy":
                initial = float(self.table.rows[name][0])
                attributes[name] = {"energy_initial": initial}
        data = self.table.dataset(times, attributes)
        for name, attrs in attributes.items():
            data[name] = data[name] - attrs["energy_initial"]
            data[name].attrs.update(attrs, unit="energy")
        return data


def budget_of(lane: Lane, data: xr.Dataset, bars: xr.Dataset, trust: float) -> Budget:
    """The budget of a lane whose data and bars are given."""
    ledger, grid = lane.evolution.ledger, lane.grid
    trusted = ~np.array(lane.capped_at)
    worst = None
    if len(bars):
        relative = relative_bars(data, bars)
        trusted &= relative <= trust
        worst = float(relative[-1])
    failed = np.flatnonzero(~trusted)
    last = int(failed[0]) - 1 if len(failed) else len(grid) - 1
    moved = lane.drift()
    drift = None if moved is None else float(moved.max())
    state = lane.evolution.state
    density = isinstance(state, Density)
    defect = abs(state.trace - 1.0) if isinstance(state, Density) else abs(state.norm**2 - 1.0)
    return Budget(
        discarded_weight=float(ledger.discarded_weight), state_error=float(ledger.state_error), energy_drift=drift,
        norm_defect=defect, krylov_residual=float(ledger.krylov_residual),
        max_bond=int(ledger.max_bond), cap_bound=lane.cap_bound, t_trust=float(grid[max(last, 0)]), trust=trust,
        worst_bar=worst, least_eigenvalue=float(lane.least_eigenvalue) if density else None,
        splitting_error=lane.evolution.splitting_error() if lane.proven else None,  # type: ignore[union-attr]
        cutoff_population=lane.cutoff_population if lane.modes else None)


def outcome_of(method: Method, why: str, truncation: Truncation, budget: Budget, grid: np.ndarray) -> str:
    """What happened, in a sentence."""
    how = f"Reached t = {grid[-1]:g} by {describe(method)}, because {why}" if why != "asked for" else \
        f"Reached t = {grid[-1]:g} by {describe(method)}, as asked"
    if budget.t_trust >= grid[-1]:
        return how + "; trusted throughout."
    if budget.cap_bound:
        return (how + f"; trust it to t = {budget.t_trust:g} only: the bond cap of {truncation.bond} bound, so allow a "
                "larger bond in Truncation.")
    return (how + f"; trust it to t = {budget.t_trust:g} only: bars exceed {budget.trust:g} of their quantity beyond, "
            "so allow less weight in Truncation or a smaller dt.")


def describe(method: Method) -> str:
    """A method in words."""
    if isinstance(method, Exact):
        return "exact evolution of the whole state"
    order = {2: "second", 4: "fourth"}[method.order]
    sites = f"{'two' if method.sites == 2 else 'one'}-site " if hasattr(method, "sites") else ""
    return f"{sites}{type(method).__name__} of {order} order with dt <= {method.dt:.3g}"


def model_megabytes(main: Lane, coarse: Lane | None) -> float | None:
    """Largest memory of a run beyond that of an idle process, by the shapes of its lanes, in units of 2^20 bytes."""
    own = footprint(main.evolution)
    if main.bytes is None or own is None:
        return None
    # the second lane runs, and the last state is shown, while the first one is still there
    kept = own.held + len(main.states) * own.dense
    most, last = main.bytes, max(own.showing, 0.0 if own.shared else own.dense)
    if coarse is not None:
        beside = footprint(coarse.evolution)
        if coarse.bytes is None or beside is None:
            return None
        most, kept = max(most, kept + coarse.bytes), kept + beside.held
    return max(most, kept + last) / 2**20


def card_of(battery: Battery, method: Method, why: str, truncation: Truncation, data: xr.Dataset, wall: float,
            baseline: float, model: float | None) -> dict[str, Any]:
    """Facts about model, method and cost; memory in units of 2^20 bytes."""
    from mps_battery import __version__

    return {
        "model": battery.name, "parameters": dict(battery.parameters), "reference": battery.reference,
        "sites": len(battery.sites), "cells": len(battery.cells), "method": describe(method), "why": why,
        "bond_cap": truncation.bond, "weight": truncation.weight, "times": int(data.sizes["time"]),
        "wall_seconds": round(wall, 3), "peak_megabytes": round(peak(), 1), "baseline_megabytes": round(baseline, 1),
        "model_megabytes": None if model is None else round(model, 3), "version": __version__,
    }
