"""Statistics of the heat, charge or entropy that baths hand to a battery in a time: its jumps, counted.

Every event of jump k brings in q_k. The densities rho(Q) of those runs that have brought in Q so far obey

    d rho(Q) / dt = L rho(Q) + sum_k [ L_k rho(Q - q_k) L_k+ - L_k rho(Q) L_k+ ],

so that counting needs no more than a second system beside the chain, a counter, which every event moves by a matrix:

    L + sum_k (rho -> L_k rho L_k+) x (E(q_k) - 1)                      [Esposito et al. 2009, RMP 81, 1665].

What E is decides what is found, always in real arithmetic and by the methods that evolve any density:

    exp(-s q), a number                     <exp(-s Q)>, for a real counting field s; no counter needed
    exp(-s q) as [[Re, -Im], [Im, Re]]      the same for complex s; s = -i chi is the characteristic function
    exp(q e) with e^(n + 1) = 0             the moments <Q>, ..., <Q^n>, from a Taylor series that ends: no differences
    the shift by q                          the distribution of Q

The counter stands behind the last site that is counted, which keeps a bath at the end of a chain within reach of TEBD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, factorial, prod

import numpy as np

from mps_battery.battery import Battery, Jump, Schedule, as_schedule
from mps_battery.checks import InputError, must, number, unknown, whole
from mps_battery.evolve.choose import Method, choose, coarser
from mps_battery.evolve.exact import Exact
from mps_battery.liouville import generator, sandwich, superoperators
from mps_battery.measure.flows.currents import baths_of
from mps_battery.measure.flows.thermodynamics import entropy_of_event
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.sites import DensitySite, Levels, Site
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, matrix_of, product_of

Array = np.ndarray
Counted = str | Terms | Sequence[float] | Array
"""What is counted: "heat", "charge", "entropy", an observable, or one number a jump; see `quanta`."""

SAFETY = 2.0
"""Factor between the difference to a coarser run and a bar."""
ROUNDING = 1e-12
"""Relative floor of every bar."""
RESOLUTION = 0.2
"""The same of truncated evolutions, in units of the amplitude that one truncation may drop, sqrt(weight)."""


# -- what an event brings in ---------------------------------------------------------------------------------------
def quanta(battery: Battery, counted: Counted, bath: str | None = None) -> Array:
    """What one event of every jump brings into the battery, one number a jump.

    An observable O counts where every jump changes it by a fixed amount q, [O, L] = q L: then q tr(L rho L+) is what
    the jump adds to <O>, and the mean rate of Q is tr(O D(rho)), for O = H the `HeatCurrent`.

    Args:
        battery: Its jumps.
        counted: Terms O; "heat" (O is the constant Hamiltonian, for Davies jumps or cells without interaction);
            "charge" (the sum of the charges of the sites); "entropy" (what the event hands to the bath by detailed
            balance, as in `EntropyProduction`); or one number a jump. For local baths of an interacting chain the heat
            is counted with the O that makes their detailed balance, such as the energies of the single cells.
        bath: Count the jumps of this bath only, zero for all others; None counts every jump.
    """
    jumps, baths = battery.jumps, list(dict.fromkeys(j.bath for j in battery.jumps))
    must(len(jumps) > 0, "battery", "have jumps to be counted", battery.name)
    if bath is not None and bath not in baths:
        raise unknown("bath", bath, baths)
    mine = np.array([bath is None or j.bath == bath for j in jumps])
    if isinstance(counted, str):
        if counted == "entropy":
            return np.array([entropy_of_event(j, jumps, None) if m else 0.0 for j, m in zip(jumps, mine, strict=True)])
        counted = _observable(battery, counted)
    if isinstance(counted, Terms):
        must(counted.sites == battery.sites, "counted", "live on the sites of the battery", counted)
        return np.array([_step(counted, j) if m else 0.0 for j, m in zip(jumps, mine, strict=True)])
    given = np.asarray(counted)
    fits = given.shape == (len(jumps),) and given.dtype.kind in "biuf" and bool(np.all(np.isfinite(given)))
    must(fits, "counted", f"be heat, charge, entropy, Terms or {len(jumps)} numbers, one a jump", counted)
    return np.where(mine, given.astype(float), 0.0)


def _observable(battery: Battery, name: str) -> Terms:
    """The observable behind a name."""
    if name == "heat":
        schedule = as_schedule(battery.charging)
        must(schedule.constant, "counted", "not be heat for a schedule, whose energy is not that of the events", name)
        return schedule.at(0.0)
    if name == "charge":
        total = Terms(battery.sites)
        for n, site in enumerate(battery.sites):
            total += 1.0, (np.diag(site.charges.astype(float)), n)
        return total
    raise unknown("counted quantity", name, ("heat", "charge", "entropy"))


def _step(observable: Terms, jump: Jump) -> float:
    """q of [O, L] = q L."""
    change, back = observable.commutator(jump.terms), jump.terms.adjoint()
    size = _normalised_trace(product_of(back, jump.terms))
    q = _normalised_trace(product_of(back, change)) / size
    if not (change - q * jump.terms).vanishes(1e-8 * (1 + abs(q)) * size**0.5):
        raise InputError(f"Argument `counted` must be an observable that every jump changes by a fixed amount, but a "
                         f"jump of bath {jump.bath!r} does not: give the part of the energy that makes its detailed "
                         "balance, or one number a jump.")
    return q


def _normalised_trace(terms: Terms) -> float:
    """tr O / tr 1."""
    means = (c * prod(np.trace(matrix_of(o)) / len(matrix_of(o)) for _, o in product) for product, c in terms.products)
    return float(np.real(sum(means)))


@dataclass(frozen=True)
class CountedCurrent(Quantity):
    """Mean rate at which every bath brings in what is counted, sum_L q <L+ L>; with ones the number of events.

    Args:
        counted: As in `quanta`.
    """

    counted: Counted
    unit = "counted / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a bath."""
        baths = baths_of(battery, self)
        quanta(battery, self.counted)
        return {"bath": baths}

    def measure(self, snapshot: Snapshot) -> Array:
        """One value a bath."""
        battery = snapshot.battery
        current = dict.fromkeys(baths_of(battery, self), 0.0)
        for jump, q in zip(battery.jumps, quanta(battery, self.counted), strict=True):
            if q:
                events = product_of(jump.terms.adjoint(), jump.terms)
                current[jump.bath] += jump.rate_at(snapshot.time) * q * snapshot.state.expect(events).real
        return np.array(list(current.values()))


# -- counters ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Counter:
    """Something that counts: where it starts, (m,), and the matrix (m, m) of an event that brings in q."""

    start: Array
    move: Callable[[float], Array]

    def __len__(self) -> int:
        return len(self.start)


def field(s: complex) -> Counter:
    """exp(-s Q); a complex number is a real matrix on its real and imaginary part."""
    if complex(s).imag == 0:
        return Counter(np.ones(1), lambda q: np.full((1, 1), np.exp(-complex(s).real * q)))

    def move(q: float) -> Array:
        z = np.exp(-s * q)
        return np.array([[z.real, -z.imag], [z.imag, z.real]])

    return Counter(np.array([1.0, 0.0]), move)


def series(order: int, scale: float) -> Counter:
    """exp(Q e / scale) up to e^order: the counter ends at tr (Q / scale)^k rho / k! for k = 0 .. order."""
    def move(q: float) -> Array:
        x = q / scale
        return np.array([[x ** (i - k) / factorial(i - k) if i >= k else 0.0 for k in range(order + 1)]
                         for i in range(order + 1)])

    return Counter(np.eye(order + 1)[0], move)


def window(low: int, high: int, unit: float) -> Counter:
    """The values low .. high times a unit; what steps out does not come back."""
    return Counter(np.eye(high - low + 1)[-low], lambda q: np.eye(high - low + 1, k=-round(q / unit)))


@dataclass(frozen=True)
class Counting:
    """A battery whose events are counted; its superoperators are built once.

    Args:
        battery: An open battery.
        numbers: What an event of every jump brings in.
    """

    battery: Battery
    numbers: Array

    @cached_property
    def local(self) -> Schedule:
        """The Liouvillian of the battery."""
        return generator(self.battery)

    @cached_property
    def events(self) -> list[tuple[float, Terms, Callable[[float], float] | None]]:
        """(q, rho -> L rho L+, rate); constant jumps that bring in the same q are summed and have no rate."""
        constant: dict[float, Terms] = {}
        moving: list[tuple[float, Terms, Callable[[float], float] | None]] = []
        for jump, q in zip(self.battery.jumps, self.numbers, strict=True):
            if q and jump.rate is None:
                constant[q] = constant[q] + sandwich(jump.terms) if q in constant else sandwich(jump.terms)
            elif q:
                moving.append((float(q), sandwich(jump.terms), jump.rate_at))
        return [(float(q), terms, None) for q, terms in constant.items()] + moving

    @cached_property
    def place(self) -> int:
        """Where the counter stands: behind the last site that a counted jump touches."""
        counted = [j.terms for j, q in zip(self.battery.jumps, self.numbers, strict=True) if q]
        return 1 + max((n for terms in counted for product, _ in terms.products for n, _ in product), default=0)

    def sites(self, counter: Counter) -> tuple[Site, ...]:
        """The local spaces of chain and counter; of the chain alone where the counter is one number."""
        chain = self.local.sites
        if len(counter) == 1:
            return chain
        levels = Levels([f"n{k}" for k in range(len(counter))], [0] * len(counter))      # it carries no charge
        return (*chain[:self.place], levels, *chain[self.place:])

    def generator(self, counter: Counter) -> Schedule:
        """The Liouvillian of chain and counter."""
        one = np.eye(len(counter))
        parts = [(self._beside(terms, counter, one), f) for terms, f in self.local.parts]
        constant = Terms(self.sites(counter))
        for q, terms, rate in self.events:
            moved = self._beside(terms, counter, counter.move(q) - one)
            if rate is None:
                constant += moved
            else:
                parts.append((moved, rate))
        return superoperators([*parts, (constant, None)] if len(constant) else parts)

    def _beside(self, terms: Terms, counter: Counter, matrix: Array) -> Terms:
        """terms x matrix of the counter."""
        if len(matrix) == 1:
            return float(matrix[0, 0]) * terms
        out, place = Terms(self.sites(counter)), self.place
        for product, c in terms.products:
            out += (c, *((matrix_of(o), n + (n >= place)) for n, o in product), (matrix, place))
        return out

    def start(self, state: Density, counter: Counter) -> Density:
        """A density and the counter at its start."""
        if len(counter) == 1:
            return state
        tensors, place = list(state.train.tensors), self.place
        between = np.eye(tensors[place - 1].shape[2])[:, None, :] * counter.start[None, :, None]
        return Density(MPS(self.sites(counter), [*tensors[:place], between, *tensors[place:]]).canonical(0))


def _read(state: Density) -> Array:
    """What the counter holds once the chain is traced out, (m,)."""
    env = np.ones((1, 1))                                                # counter x vR
    for site, t in zip(state.train.sites, state.train.tensors, strict=True):
        if isinstance(site, DensitySite):
            env = site.trace[0] * (env @ t[:, 0])
        else:
            env = (env @ t.reshape(len(t), -1)).reshape(t.shape[1], -1)
    return env[:, 0]


def _counted(setup: _Setup, counter: Counter, read: Callable[[Array], Array]) -> tuple[Array, Array, str]:
    """(what `read` makes of the rows (time, m) that the counter holds, bars, how it was done)."""
    schedule, start = setup.counting.generator(counter), setup.counting.start(setup.start, counter)
    method, why = choose(schedule, setup.method, setup.truncation, setup.times)

    def along(how: Method, cut: Truncation) -> Array:
        evolution = how.start(start, schedule, cut, float(setup.times[0]))  # type: ignore[arg-type]
        rows = []
        for t in setup.times:
            evolution.advance(float(t))
            rows.append(_read(evolution.state))  # type: ignore[arg-type]
        return read(np.array(rows))

    values = along(method, setup.truncation)
    rough = None
    if setup.bars:
        rough = values if isinstance(method, Exact) else along(*coarser(method, setup.truncation))
    return values, bars_from(values, rough, setup.truncation), f"{type(method).__name__}: {why}."


def bars_from(values: Array, rough: Array | None, truncation: Truncation) -> Array:
    """Bars from the difference to a coarser run, which may vanish where the error does not; an exact run is its own."""
    scale = float(np.abs(values).max(initial=0.0))
    if rough is None:
        return np.full(values.shape, np.nan)
    if rough is values:
        return np.full(values.shape, ROUNDING * scale)
    return SAFETY * np.abs(values - rough) + (ROUNDING + RESOLUTION * truncation.weight**0.5) * scale


# -- what is found -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Counts:
    """Statistics of what baths have brought in, at times.

    Attributes:
        times: When, the first being the start.
        values: What was asked for, (time, ...).
        bars: Claimed errors of the same shape (estimates from a run with twice the step and a hundred times the
            discarded weight); nan where that was not made.
        outcome: How it was computed, in a sentence.
    """

    times: Array
    values: Array
    bars: Array
    outcome: str


def heat_cumulants(battery: Battery, times: Sequence[float] | Array, counted: Counted = "heat", *,
                   bath: str | None = None, order: int = 2, start: Density | None = None,
                   method: Method | None = None, truncation: Truncation | None = None, bars: bool = True) -> Counts:
    """Mean, variance, third cumulant, ... of what the baths have brought in since the first time.

    Args:
        battery: An open battery; rates and Hamiltonian may depend on time.
        times: When; the state at the first is `start`.
        counted: What an event brings in; see `quanta`.
        bath: Count one bath only.
        order: Highest cumulant.
        start: State at the first time; None takes the empty battery.
        method: TEBD, TDVP or Exact for the chain with its counter; None lets the engine choose.
        truncation: Default bond 256, weight 1e-14.
        bars: Whether a coarser run gives error bars.

    Returns:
        Values (time, order); column 0 is the mean, column 1 the variance.
    """
    must(whole(order) and order >= 1, "order", "be an integer of at least 1", order)
    setup = _checked(battery, times, counted, bath, start, method, truncation, bars)
    scale = float(np.abs(setup.counting.numbers).max()) * (1 + _events(battery, np.ptp(setup.times))) ** 0.5
    return Counts(setup.times, *_counted(setup, series(order, scale), lambda rows: _cumulants(rows, scale)))


def _cumulants(table: Array, scale: float) -> Array:
    """kappa_n = m_n - sum_(k<n) binom(n - 1, k - 1) kappa_k m_(n - k), from m_k / (k! scale^k) times the trace."""
    order = table.shape[1] - 1
    m = [table[:, k] / table[:, 0] * scale**k * factorial(k) for k in range(order + 1)]
    kappa: list[Array] = [np.zeros(len(table))]
    for n in range(1, order + 1):
        kappa.append(m[n] - sum(comb(n - 1, k - 1) * kappa[k] * m[n - k] for k in range(1, n)))
    return np.stack(kappa[1:], axis=1)


def heat_generating_function(battery: Battery, times: Sequence[float] | Array, fields: Sequence[complex] | Array,
                             counted: Counted = "heat", *, bath: str | None = None, start: Density | None = None,
                             method: Method | None = None, truncation: Truncation | None = None, bars: bool = True
                             ) -> Counts:
    """<exp(-s Q)> for counting fields s.

    Real s give a real generator on the chain itself; s = -i chi gives the characteristic function <exp(i chi Q)>, from
    a generator on the chain and one more site of two dimensions. For Q the entropy handed to the baths and a battery
    that starts in the identity <exp(-Q)> = 1 at all times, whatever drives it.

    Args:
        battery: An open battery; rates and Hamiltonian may depend on time.
        times: When; the state at the first is `start`.
        fields: s.
        counted: What an event brings in; see `quanta`.
        bath: Count one bath only.
        start: State at the first time; None takes the empty battery.
        method: TEBD, TDVP or Exact; None lets the engine choose.
        truncation: Default bond 256, weight 1e-14.
        bars: Whether a coarser run gives error bars.

    Returns:
        Values (time, field), real where all fields are.
    """
    setup = _checked(battery, times, counted, bath, start, method, truncation, bars)
    s = np.asarray(fields)
    must(s.ndim == 1 and s.size and s.dtype.kind in "biufc" and bool(np.all(np.isfinite(s))), "fields",
         "be a list of finite numbers", fields)
    columns = [_counted(setup, field(complex(x)), lambda rows: rows @ [1, 1j][:rows.shape[1]]) for x in s]
    values, errors = (np.stack([column[k] for column in columns], axis=1) for k in (0, 1))
    return Counts(setup.times, values, errors, columns[0][2])


@dataclass(frozen=True)
class Distribution(Counts):
    """Probabilities of what baths have brought in, values (time, amount).

    Attributes:
        amounts: The possible values of Q that were kept.
        lost: Probability of having left them, (time,): no value is wrong by more than that, up to `bars`.
    """

    amounts: Array
    lost: Array


def heat_distribution(battery: Battery, times: Sequence[float] | Array, counted: Counted, largest: int, *,
                      smallest: int | None = None, unit: float = 1.0, bath: str | None = None,
                      start: Density | None = None, method: Method | None = None,
                      truncation: Truncation | None = None, bars: bool = True) -> Distribution:
    """Probabilities of Q = smallest .. largest times a unit, where every event brings in a multiple of the unit.

    Args:
        battery: An open battery; rates and Hamiltonian may depend on time.
        times: When; the state at the first is `start`.
        counted: What an event brings in; see `quanta`.
        largest: Largest multiple that is kept.
        smallest: Smallest one; None takes -largest.
        unit: What one step is worth.
        bath: Count one bath only.
        start: State at the first time; None takes the empty battery.
        method: TEBD, TDVP or Exact for the chain with its counter; None lets the engine choose.
        truncation: Default bond 256, weight 1e-14.
        bars: Whether a coarser run gives error bars.
    """
    must(whole(largest) and largest >= 1, "largest", "be an integer of at least 1", largest)
    low = -int(largest) if smallest is None else smallest
    must(whole(low) and low <= 0, "smallest", "be an integer of at most 0, where counting starts", smallest)
    must(number(unit) and np.isfinite(unit) and unit != 0, "unit", "be a finite number other than 0", unit)
    setup = _checked(battery, times, counted, bath, start, method, truncation, bars)
    steps = setup.counting.numbers / unit
    must(bool(np.all(np.abs(steps - np.round(steps)) < 1e-9)), "unit", "divide what every event brings in", unit)
    values, errors, outcome = _counted(setup, window(int(low), int(largest), unit), lambda rows: rows)
    return Distribution(setup.times, values, errors, outcome, unit * np.arange(low, largest + 1),
                        1.0 - values.sum(axis=1))


@dataclass(frozen=True)
class _Setup:
    """What all functions of finite times share."""

    counting: Counting
    times: Array
    start: Density
    method: Method | None
    truncation: Truncation
    bars: bool


def _checked(battery: Battery, times: Sequence[float] | Array, counted: Counted, bath: str | None,
             start: Density | None, method: Method | None, truncation: Truncation | None, bars: bool
             ) -> _Setup:
    """The arguments, checked."""
    if not isinstance(battery, Battery):
        raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
    numbers = quanta(battery, counted, bath)
    must(bool(np.any(numbers)), "counted", "be brought in by at least one jump", counted)
    grid = np.asarray(times, dtype=float)
    must(grid.ndim == 1 and grid.size >= 1 and bool(np.all(np.isfinite(grid))) and bool(np.all(np.diff(grid) > 0)),
         "times", "be increasing finite times", times)
    must(start is None or (isinstance(start, Density) and start.sites == battery.sites), "start",
         "be a Density on the sites of the battery", start)
    must(truncation is None or isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
    first = battery.initial_state() if start is None else start.normalised()
    assert isinstance(first, Density)
    return _Setup(Counting(battery, numbers), grid, first, method, truncation or Truncation(weight=1e-14), bars)


def _events(battery: Battery, span: float) -> float:
    """About how many events a span holds: an eighth of the sum of the largest rates."""
    rates = [float(np.abs([c for _, c in j.terms.products]).sum() ** 2) for j in battery.jumps]
    return span * sum(rates) / 8
