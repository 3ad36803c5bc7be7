"""Strokes by turns: pieces of evolution, measurements, channels and resets, repeated as a cycle.

A stroke is an object that says what happens; `cycle` makes it happen, to a pure state while every stroke keeps it pure
and to a density where any mixes. So a battery is measured again and again to keep it charged, set up anew from what a
measurement found, charged and drawn upon over many cycles in a bath that remembers, or hit by a stream of ancillas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from mps_battery.battery import Battery, Jump, Schedule
from mps_battery.budget import SAFETY, SAFETY_DENSITY, bars_from
from mps_battery.checks import InputError, must, number, whole
from mps_battery.evolve.choose import Method, choose, coarser
from mps_battery.evolve.exact import Exact
from mps_battery.liouville import generator
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot
from mps_battery.measure.quantity import Quantity, TwoTimeQuantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.measure.work.measuring import act_on, measurement
from mps_battery.record import Table, standard_record
from mps_battery.sites import Label
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept
from mps_battery.tensors.truncation import FOR_DENSITIES, Truncation
from mps_battery.terms import Terms

Array = np.ndarray

NEVER = 1e-14
"""Probability below which an outcome does not occur."""
LARGEST = 64
"""Largest dimension of the sites that a stroke acts on at once."""
ROUNDING = 1e-14
"""Singular values below this fraction of the largest are dropped after an operation."""


@dataclass(frozen=True)
class Evolve:
    """Evolution for a while, by the clock of the stroke, which starts at 0.

    Args:
        duration: How long.
        charging: Hamiltonian, Terms or Schedule; None for that of the battery.
        jumps: Lindblad operators; None for those of the battery.
        points: Equally spaced moments at which to record, the last at the end.
        name: What the moments are called.
    """

    duration: float
    charging: Terms | Schedule | None = None
    jumps: Sequence[Jump] | None = None
    points: int = 1
    name: str = "evolve"

    def __post_init__(self) -> None:
        must(number(self.duration) and 0 < self.duration < np.inf, "duration", "be a positive number", self.duration)
        must(whole(self.points) and self.points >= 1, "points", "be an integer of at least 1", self.points)


@dataclass(frozen=True)
class Apply:
    """A unitary or a channel on a few sites: rho -> sum_k K_k rho K_k+.

    Args:
        kraus: Kraus matrices with sum K+ K = 1, the first site leading, or one unitary matrix.
        sites: Where they act.
        name: What the moment is called.
    """

    kraus: Sequence[Array] | Array
    sites: Sequence[int]
    name: str = "apply"


@dataclass(frozen=True)
class Measure:
    """A measurement on a few sites, and what is done about its outcome.

    Args:
        operator: Name of a Hermitian operator, measured on each of the sites (outcomes in order of falling eigenvalues,
            the first site leading), or Kraus matrices on all of them.
        sites: The measured sites.
        strength: Of a named measurement: 1 is projective, 0 tells nothing; see `measuring.measurement`.
        outcome: "average" forgets the outcome, "sample" draws one, a number keeps that one alone.
        response: Unitary matrices on the measured sites, one an outcome, applied at once: feedback, such as the flip
            that sets up anew what was found empty. None for nothing.
        name: What the moment is called.
    """

    operator: str | Sequence[Array]
    sites: Sequence[int]
    strength: float = 1.0
    outcome: str | int = "average"
    response: Sequence[Array] | None = None
    name: str = "measure"


@dataclass(frozen=True)
class Reset:
    """Sites that are thrown away and replaced by fresh ones.

    Args:
        sites: Which.
        label: The fresh state of each: a name, a basis index, a vector or a (d, d) density.
        name: What the moment is called.
    """

    sites: Sequence[int]
    label: Label
    name: str = "reset"


Stroke = Evolve | Apply | Measure | Reset


@dataclass(frozen=True)
class Outcome:
    """One outcome that a measurement gave.

    Attributes:
        cycle: The cycle, from 0.
        stroke: The stroke within it, from 0.
        index: The outcome.
        probability: Its probability, given all that came before.
    """

    cycle: int
    stroke: int
    index: int
    probability: float


@dataclass(frozen=True)
class Cycles:
    """What a battery went through.

    Attributes:
        data: What was recorded, over `moment` with the coordinates time, cycle and stroke: before the first stroke, and
            after each one. Stored energy counts from the first moment.
        bars: Error bars with the same names and dimensions, from a second run with twice the step and a hundred times
            the weight that meets the same outcomes; empty if switched off, rounding where all is exact.
        outcomes: Of every measurement whose outcome was kept.
        state: The last state.
        discarded_weight: Dropped by truncation, in all.
        largest_bond: Of any bond.
    """

    data: xr.Dataset
    bars: xr.Dataset
    outcomes: Sequence[Outcome]
    state: MPS | Density = field(repr=False)
    discarded_weight: float
    largest_bond: int

    @property
    def probability(self) -> float:
        """Probability of all the outcomes that were kept."""
        return float(np.prod([o.probability for o in self.outcomes]))

    def after(self, name: str) -> xr.Dataset:
        """The data at the moments of one name, such as the end of every charge."""
        names = self.data["stroke"].values
        must(name in names, "name", f"be one of {', '.join(dict.fromkeys(names))}", name)
        return self.data.isel(moment=np.flatnonzero(names == name))


def cycle(battery: Battery, strokes: Sequence[Stroke], cycles: int = 1, *, method: Method | None = None,
          truncation: Truncation | None = None, record: Mapping[str, Quantity] | None = None, bars: bool = True,
          seed: int = 0) -> Cycles:
    """Put a battery through strokes, again and again.

    Args:
        battery: What is charged; its `charging` and `jumps` act in every `Evolve` that names none.
        strokes: What happens in a cycle, in order.
        cycles: How often.
        method: TEBD, TDVP or Exact; None lets the engine choose for every stroke.
        truncation: Bond cap and discarded weight; default bond 256, weight 1e-12, of densities 160 and 1e-13.
        record: Name -> quantity, as for `charge`; quantities of two times are refused.
        bars: Whether to go through all of it a second time, more coarsely, for error bars.
        seed: Of the outcomes that are drawn.

    Returns:
        The Cycles.

    Raises:
        InputError: If an argument does not make sense, or if an outcome that was asked for never occurs.
    """
    if not isinstance(battery, Battery):
        raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
    must(isinstance(strokes, Sequence) and len(strokes) >= 1 and all(isinstance(s, Stroke) for s in strokes), "strokes",
         "be a list of Evolve, Apply, Measure and Reset", strokes)
    must(whole(cycles) and cycles >= 1, "cycles", "be an integer of at least 1", cycles)
    must(whole(seed) and seed >= 0, "seed", "be an integer of at least 0", seed)
    must(truncation is None or isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
    must(record is None or isinstance(record, Mapping), "record", "name at least one quantity", record)
    steps = [_prepared(battery, s) for s in strokes]
    mixed = battery.mixed or any(s.mixes for s in steps)
    truncation = truncation if truncation is not None else FOR_DENSITIES if mixed else Truncation()
    if mixed and not battery.mixed:
        battery = replace(battery, empty=Density.from_pure(battery.initial_state()))   # type: ignore[arg-type]
    record = standard_record(battery) if record is None else record
    for name, quantity in record.items():
        must(not isinstance(quantity, TwoTimeQuantity), "record", "hold no quantity of two times", name)
    rng = np.random.default_rng(np.random.SeedSequence([seed]))
    with threadpool_limits(1, user_api="blas"):
        main = _Lane(battery, steps, method, truncation, record)
        main.run(cycles, rng, None)
        data = main.dataset()
        if not bars:
            error_bars = xr.Dataset()
        elif main.exact:
            error_bars = bars_from(data, data, np.arange(data.sizes["time"]))
        else:
            loose = _Lane(battery, steps, method, truncation, record, coarse=True)
            loose.run(cycles, rng, [o.index for o in main.outcomes])
            safety = SAFETY_DENSITY if mixed else SAFETY
            everywhere = np.arange(data.sizes["time"])
            error_bars = bars_from(data, loose.dataset(), everywhere, safety, truncation.weight)
    error_bars = main.labelled(error_bars) if bars else error_bars
    return Cycles(main.labelled(data), error_bars, tuple(main.outcomes), main.state, main.discarded, main.largest_bond)


@dataclass(frozen=True)
class _Step:
    """A stroke made ready: the matrices of every outcome, or the battery that evolves."""

    stroke: Stroke
    battery: Battery | None = None
    groups: tuple[tuple[Array, ...], ...] = ()

    @property
    def mixes(self) -> bool:
        """Whether a pure state does not stay pure."""
        if self.battery is not None:
            return self.battery.mixed
        kept = isinstance(self.stroke, Measure) and self.stroke.outcome != "average"
        return any(len(g) > 1 for g in self.groups) or (len(self.groups) > 1 and not kept)


def _prepared(battery: Battery, stroke: Stroke) -> _Step:
    """A stroke checked against the battery."""
    if isinstance(stroke, Evolve):
        charging = battery.charging if stroke.charging is None else stroke.charging
        jumps = battery.jumps if stroke.jumps is None else stroke.jumps
        return _Step(stroke, replace(battery, charging=charging, jumps=jumps))
    sites = check_kept(stroke.sites, battery.sites)[0]
    local = [battery.sites[n] for n in sites]
    for site in local:
        must(site.parity is None, "sites", "hold no fermions, whose local matrices need not conserve parity", site)
    d = int(np.prod([s.d for s in local]))
    must(d <= LARGEST or isinstance(stroke, Reset), "sites", f"span at most {LARGEST} dimensions", d)
    if isinstance(stroke, Reset):
        fresh = Density.product([local[0]], [stroke.label]).to_dense()
        must(all(s == local[0] for s in local), "sites", "be of one kind to be reset", local)
        weights, vectors = np.linalg.eigh(fresh)
        kraus = tuple(np.sqrt(w) * np.outer(v, e) for w, v in zip(weights, vectors.T, strict=True) if w > 1e-15
                      for e in np.eye(local[0].d))
        return _Step(stroke, groups=(kraus,))
    if isinstance(stroke, Apply):
        matrices = [np.asarray(stroke.kraus)] if np.ndim(stroke.kraus) == 2 else list(stroke.kraus)
        return _Step(stroke, groups=(_trace_preserving("kraus", matrices, d),))
    kraus = measurement(stroke.operator, local, stroke.strength)
    if stroke.response is not None:
        must(len(stroke.response) == len(kraus) and all(np.shape(u) == (d, d) for u in stroke.response), "response",
             f"hold {len(kraus)} matrices of {d} x {d}, one an outcome", stroke.response)
        answers = [_trace_preserving("response", [u], d)[0] for u in stroke.response]
        kraus = tuple(u @ k for u, k in zip(answers, kraus, strict=True))
    if not isinstance(stroke.outcome, str):
        must(whole(stroke.outcome) and 0 <= stroke.outcome < len(kraus), "outcome",
             f'be "average", "sample" or a number from 0 to {len(kraus) - 1}', stroke.outcome)
    else:
        must(stroke.outcome in ("average", "sample"), "outcome", 'be "average", "sample" or a number', stroke.outcome)
    return _Step(stroke, groups=tuple((k,) for k in kraus))


def _trace_preserving(argument: str, kraus: Sequence[Array], d: int) -> tuple[Array, ...]:
    matrices = tuple(np.asarray(k) for k in kraus)
    must(len(matrices) > 0 and all(k.shape == (d, d) for k in matrices), argument,
         f"be {d} x {d} matrices on these sites", [k.shape for k in matrices])
    total = sum(k.conj().T @ k for k in matrices)
    must(np.allclose(total, np.eye(d), rtol=0, atol=1e-10), argument, "conserve the trace (sum K+ K = 1)", total)
    return matrices


class _Lane:
    """One passage through all strokes.

    Args:
        battery: Where it starts.
        steps: The strokes, made ready.
        method: How to evolve; None leaves the choice to the engine.
        truncation: What is cut.
        record: What is recorded.
        coarse: Whether to take twice the step and a hundred times the weight.
    """

    def __init__(self, battery: Battery, steps: Sequence[_Step], method: Method | None, truncation: Truncation,
                 record: Mapping[str, Quantity], coarse: bool = False) -> None:
        self.state: MPS | Density = battery.initial_state()
        self.outcomes: list[Outcome] = []
        self.discarded, self.largest_bond, self.exact = 0.0, max([1, *self.state.bonds]), True
        self._steps, self._table = steps, Table(record, battery)
        self._moments: list[tuple[float, int, str]] = []
        self._time, self._clock = 0.0, 0.0
        self._ways: list[tuple[Method, Truncation, Schedule] | None] = []
        self._seen: list[Observables | None] = []
        mixed = isinstance(self.state, Density)
        for step in steps:
            if step.battery is None or not isinstance(step.stroke, Evolve):
                self._ways.append(None)
                self._seen.append(None)
                continue
            moved = replace(step.battery, empty=self.state)
            schedule = generator(moved)
            span, cut = np.array([0.0, step.stroke.duration]), truncation
            way = choose(schedule, method, cut, span, charging=True)[0]
            self.exact &= isinstance(way, Exact)
            if coarse:
                way, cut = coarser(way, truncation)
            self._ways.append((way, cut, schedule))
            self._seen.append(MixedObservables(moved) if mixed else Observables(moved))
        resting = MixedObservables(battery) if mixed else Observables(battery)
        self._observables = next((o for o in self._seen if o is not None), resting)
        self._record(0, "start")

    def run(self, cycles: int, rng: np.random.Generator, known: list[int] | None) -> None:
        """Go through all cycles; `known` outcomes are taken in place of drawn ones."""
        for c in range(cycles):
            for k, step in enumerate(self._steps):
                if isinstance(step.stroke, Evolve):
                    self._evolve(c, k, step.stroke)
                    continue
                self._act(c, k, step, rng, known)
                self._record(c, step.stroke.name)

    def _evolve(self, c: int, k: int, stroke: Evolve) -> None:
        way, seen = self._ways[k], self._seen[k]
        assert way is not None
        assert seen is not None
        method, cut, schedule = way
        evolution = method.start(self.state, schedule, cut, 0.0)  # type: ignore[arg-type]
        begun, self._observables = self._time, seen
        for t in np.linspace(0, stroke.duration, stroke.points + 1)[1:]:
            evolution.advance(float(t))
            self.state, self._clock, self._time = evolution.state, float(t), begun + float(t)
            self._record(c, stroke.name)
        self.discarded += float(evolution.ledger.discarded_weight)
        self.largest_bond = max(self.largest_bond, int(evolution.ledger.max_bond))

    def _act(self, c: int, k: int, step: _Step, rng: np.random.Generator, known: list[int] | None) -> None:
        """Kraus matrices on the state; of a measurement whose outcome is kept, those of one outcome."""
        stroke = step.stroke
        assert not isinstance(stroke, Evolve)
        if isinstance(stroke, Reset):
            for n in stroke.sites:
                self.state = self._channel(step.groups[0], [n])
            return
        if not isinstance(stroke, Measure) or stroke.outcome == "average":
            self.state = self._channel([m for g in step.groups for m in g], stroke.sites)
            return
        after = [act_on(self.state, g[0], stroke.sites) for g in step.groups]
        chances = np.clip([p for _, p in after], 0.0, None)
        if known is not None:
            index = known[len(self.outcomes)]
        else:
            index = int(rng.choice(len(after), p=chances / chances.sum())) if stroke.outcome == "sample" else int(
                stroke.outcome)
        if chances[index] < NEVER:
            raise InputError(f"Argument `outcome` must be one that occurs, but {index} of stroke {k} has the "
                             f"probability {chances[index]:.1e} in cycle {c}.")
        self.outcomes.append(Outcome(c, k, index, float(chances[index] / chances.sum())))
        self.state = self._tidy(after[index][0])

    def _channel(self, matrices: Sequence[Array], sites: Sequence[int]) -> MPS | Density:
        """sum_k K_k rho K_k+, which one matrix leaves pure."""
        if isinstance(self.state, MPS):
            return self._tidy(act_on(self.state, matrices[0], sites)[0])
        total: Density | None = None
        for m in matrices:
            part = act_on(self.state, m, sites)[0]
            assert isinstance(part, Density)
            if part.trace > NEVER:
                total = part if total is None else Density(
                    MPS(part.train.sites, trains.add(total.train.tensors, part.train.tensors), None))
        assert total is not None
        return self._tidy(total)

    def _tidy(self, state: MPS | Density) -> MPS | Density:
        """Of norm or trace one, in canonical form, without the bonds that carry nothing."""
        if isinstance(state, Density):
            tensors = trains.compress(state.train.tensors, ROUNDING)
            return Density(MPS(state.train.sites, tensors, None).canonical(0)).normalised()
        tensors = trains.compress(state.tensors, ROUNDING)
        tidy = MPS(state.sites, tensors, None).canonical(0)
        return MPS(tidy.sites, [tidy.tensors[0] / tidy.norm, *tidy.tensors[1:]], 0)

    def _record(self, c: int, name: str) -> None:
        snapshot: Snapshot
        if isinstance(self.state, Density):
            assert isinstance(self._observables, MixedObservables)
            snapshot = MixedSnapshot(self.state, self._clock, self._observables)
        else:
            snapshot = Snapshot(self.state, self._clock, self._observables)
        self._table.add(snapshot)
        self._moments.append((self._time, c, name))

    def dataset(self) -> xr.Dataset:
        """The record over moments numbered from 0; the stored energy counts from the first."""
        attributes: dict[str, dict[str, Any]] = {}
        for name, quantity in self._table.record.items():
            if type(quantity).__name__ == "Energy":
                attributes[name] = {"energy_initial": float(self._table.rows[name][0])}
        data = self._table.dataset(np.arange(len(self._moments), dtype=float), attributes)
        for name, attrs in attributes.items():
            kept = dict(data[name].attrs)
            data[name] = data[name] - attrs["energy_initial"]
            data[name].attrs.update(kept)
        return data

    def labelled(self, data: xr.Dataset) -> xr.Dataset:
        """The same with time, cycle and stroke as coordinates of the moments."""
        times, numbers, names = zip(*self._moments, strict=True)
        moments = data.rename(time="moment").assign_coords(moment=np.arange(len(times)))
        return moments.assign_coords(time=("moment", np.array(times)), cycle=("moment", np.array(numbers)),
                                     stroke=("moment", np.array(names)))
