"""Optimal control: the shape of a drive that charges best in a given time.

The amplitudes a_c(t) = sum_p x_cp f_p(t) of some control terms H_c, added to what charges a battery anyway, are chosen
by a quasi-Newton search within bounds. Its gradient comes from one evolution there and one back [Khaneja et al. 2005,
J. Magn. Reson. 172, 296, for pieces]: with |k(t)> = U(T, t)+ O |psi(T)> and O the operator whose mean is to grow,

    d<O>/dx_cp = 2 Im int <k(t)| H_c |psi(t)> f_p(t) dt,

so that it costs as much for a thousand parameters as for one. States are vectors or matrix product states, as the
method of evolution has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.checks import InputError, must, number, whole
from mps_battery.evolve.choose import Method, choose
from mps_battery.evolve.exact import Exact
from mps_battery.measure.work.measuring import act_on
from mps_battery.tensors import environment, trains
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms

Array = np.ndarray

NODES = 6
"""Gauss points of a piece of the integral that a gradient is."""
PIECES = 4
"""Such pieces for every half wave of the fastest harmonic."""
LARGEST_BLOCK = 64
"""Largest dimension of the cells whose ergotropy is optimised."""
OBJECTIVES = ("energy", "ergotropy", "power")
SHORTEST = 0.05
"""Least duration that is tried for the power, as a share of the longest."""


@dataclass(frozen=True)
class Steps:
    """Amplitudes that are constant in pieces of equal length.

    Args:
        count: Number of pieces.
    """

    count: int

    def __post_init__(self) -> None:
        must(whole(self.count) and self.count >= 1, "count", "be an integer of at least 1", self.count)

    def edges(self, duration: float) -> Array:
        """Between which the amplitudes are smooth."""
        return np.linspace(0, duration, self.count + 1)

    def values(self, time: float, duration: float) -> Array:
        """f_p(time)."""
        out = np.zeros(self.count)
        out[min(max(int(time / duration * self.count), 0), self.count - 1)] = 1.0
        return out


@dataclass(frozen=True)
class Fourier:
    """Amplitudes sum_p x_p sin(p pi t / duration), which begin and end at zero.

    Args:
        count: Number of harmonics.
    """

    count: int

    def __post_init__(self) -> None:
        must(whole(self.count) and self.count >= 1, "count", "be an integer of at least 1", self.count)

    def edges(self, duration: float) -> Array:
        """Of the pieces that an integral is taken over."""
        return np.linspace(0, duration, PIECES * self.count + 1)

    def values(self, time: float, duration: float) -> Array:
        """f_p(time)."""
        return np.sin(np.pi * np.arange(1, self.count + 1) * time / duration)


LARGEST_MATRIX = {Steps: 2**8, Fourier: 2**6}
"""Largest dimension of the whole space whose exponentials are diagonalised, of few steps or of many."""
FINE = 0.1
"""Step of harmonics times the width of all terms: errors of 1e-7 and less."""


@dataclass(frozen=True)
class Optimum:
    """The best drive that was found.

    Attributes:
        battery: The battery under that drive: its `charging` is the Schedule. Where that has steps, `charge` it to
            times that contain their ends.
        amplitudes: x_cp, one row a control.
        duration: Of the drive.
        value: What was reached: energy, ergotropy, or power over the duration.
        begun: The value where the search began.
        gradient: Largest slope that is left where no bound holds an amplitude; small at an optimum.
        evaluations: How often value and gradient were computed.
        outcome: How it ended, in a sentence.
    """

    battery: Battery
    amplitudes: Array
    duration: float
    value: float
    begun: float
    gradient: float
    evaluations: int
    outcome: str


def optimise(battery: Battery, controls: Sequence[Terms], duration: float, *, shape: Steps | Fourier | None = None,
             bound: float | Sequence[float] = 1.0, objective: str = "energy", starts: int = 1,
             first: Array | None = None, seed: int = 0, iterations: int = 200, method: Method | None = None,
             truncation: Truncation | None = None) -> Optimum:
    """Shape drives so that a battery is charged best; a search from some starts, which finds local optima.

    Args:
        battery: What is charged; its `charging` acts as it is, beside the controls. No jumps.
        controls: Hermitian Terms whose amplitudes are free.
        duration: Of the drive; for the power it is the longest, and shorter ones are tried too.
        shape: `Steps` or `Fourier`; default `Steps(10)`.
        bound: Largest |x_cp|, one for all controls or one each.
        objective: "energy" stored at the end; "ergotropy", what unitaries on all cells can draw at the end by their own
            energy, where cells span at most 64 dimensions; "power", energy over duration, which is then free too.
        starts: Searches, the first from `first` or half the bound, the others from random amplitudes.
        first: Amplitudes to begin with, one row a control.
        seed: Of the random starts.
        iterations: Most steps of a search.
        method: TEBD, TDVP or Exact; None lets the engine choose.
        truncation: Bond cap and discarded weight; default bond 128, weight 1e-14, since gradients need good states.

    Raises:
        InputError: If an argument does not make sense, or where states are mixed.
    """
    problem = _problem(battery, controls, duration, shape, bound, objective, method, truncation)
    count = (len(problem.controls), problem.shape.count)
    must(whole(starts) and starts >= 1, "starts", "be an integer of at least 1", starts)
    must(whole(iterations) and iterations >= 1, "iterations", "be an integer of at least 1", iterations)
    must(whole(seed) and seed >= 0, "seed", "be an integer of at least 0", seed)
    guess = np.repeat(problem.bounds[:, None] / 2, count[1], axis=1) if first is None else np.asarray(first, float)
    must(guess.shape == count and bool(np.all(np.abs(guess) <= problem.bounds[:, None])), "first",
         f"hold {count[0]} rows of {count[1]} amplitudes within the bound", first)
    rng = np.random.default_rng(np.random.SeedSequence([seed]))
    best: tuple[float, Array, float, Any, float] | None = None
    evaluations = 0
    with threadpool_limits(1, user_api="blas"):
        for k in range(starts):
            x0 = guess if k == 0 else rng.uniform(-1, 1, count) * problem.bounds[:, None]
            begun, found = _search(problem, x0, iterations)
            evaluations += found.nfev
            if best is None or -found.fun > best[0]:
                best = (-found.fun, *problem.split(found.x), found, begun)
    assert best is not None
    value, x, span, found, begun = best
    low, high = problem.limits()
    free = (found.x > low) & (found.x < high)
    free |= (found.jac > 0) & (found.x >= high) | (found.jac < 0) & (found.x <= low)
    slope = float(np.abs(found.jac[free]).max()) if free.any() else 0.0
    words = {0: "Converged", 1: "Stopped at the largest number of steps"}
    word = words.get(found.status, "Stopped where no step helps")
    outcome = f"{word} after {found.nit} steps; the largest slope left is {slope:.1e}."
    driven = replace(battery, charging=problem.schedule(x, span))
    return Optimum(driven, x, span, value, begun, slope, evaluations, outcome)


def gradient(battery: Battery, controls: Sequence[Terms], duration: float, amplitudes: Array, *,
             shape: Steps | Fourier, objective: str = "energy", method: Method | None = None,
             truncation: Truncation | None = None) -> tuple[float, Array]:
    """The objective under given amplitudes and its derivatives by them; arguments as for `optimise`."""
    x = np.asarray(amplitudes, dtype=float)
    must(x.shape == (len(controls), shape.count), "amplitudes", f"hold {len(controls)} rows of {shape.count}", x.shape)
    largest = float(np.abs(x).max())
    problem = _problem(battery, controls, duration, shape, largest or 1.0, objective, method, truncation)
    with threadpool_limits(1, user_api="blas"):
        return problem.evaluate(x, float(duration))[:2]


def _search(problem: _Problem, x0: Array, iterations: int) -> tuple[float, Any]:
    """(value at the start, what L-BFGS-B found) for the negative objective."""
    start = np.append(x0.ravel(), problem.duration) if problem.power else x0.ravel()
    begun = -problem.negative(start)[0]
    low, high = problem.limits()
    found = minimize(problem.negative, start, jac=True, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)),
                     options={"maxiter": iterations, "ftol": 1e-13, "gtol": 1e-9})
    return begun, found


def _problem(battery: Battery, controls: Sequence[Terms], duration: float, shape: Steps | Fourier | None,
             bound: float | Sequence[float], objective: str, method: Method | None, truncation: Truncation | None
             ) -> _Problem:
    """The arguments, checked."""
    if not isinstance(battery, Battery):
        raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
    must(not battery.mixed, "battery", "start in a pure state and have no jumps", battery.name)
    must(isinstance(controls, Sequence) and len(controls) >= 1, "controls", "be a list of Terms", controls)
    for terms in controls:
        check_terms("controls", terms, hermitian=True)
        must(terms.sites == battery.sites, "controls", "live on the sites of the battery", terms)
    must(number(duration) and 0 < duration < np.inf, "duration", "be a positive number", duration)
    shape = Steps(10) if shape is None else shape
    must(isinstance(shape, Steps | Fourier), "shape", "be Steps(count) or Fourier(count)", shape)
    must(objective in OBJECTIVES, "objective", f"be one of {', '.join(OBJECTIVES)}", objective)
    given: list[Any] = list(bound) if isinstance(bound, Sequence | np.ndarray) else [bound] * len(controls)
    must(len(given) == len(controls) and all(number(b) and 0 < b < np.inf for b in given), "bound",
         "be a positive number, or one for each control", bound)
    bounds = np.array(given, dtype=float)
    cells = [battery.sites[n] for n in battery.cells]
    if objective == "ergotropy":
        d = int(np.prod([float(s.d) for s in cells]))
        must(d <= LARGEST_BLOCK, "objective", f"be another where cells span {d} dimensions and not {LARGEST_BLOCK}",
             objective)
    if objective == "power":
        must(as_schedule(battery.charging).constant, "objective", "be another where the battery has a schedule already",
             objective)
    truncation = Truncation(128, 1e-14) if truncation is None else truncation
    strongest = as_schedule(battery.charging).at(0.0)
    for b, h in zip(bounds, controls, strict=True):
        strongest += float(b) * h
    way = choose(as_schedule(strongest), method, truncation, np.array([0.0, float(duration)]))[0]
    return _Problem(battery, tuple(controls), float(duration), shape, bounds, objective, way, truncation)


@dataclass(frozen=True)
class _Problem:
    """What is optimised; see `optimise`."""

    battery: Battery
    controls: tuple[Terms, ...]
    duration: float
    shape: Steps | Fourier
    bounds: Array
    objective: str
    method: Method
    truncation: Truncation

    @property
    def power(self) -> bool:
        """Whether the duration is free too."""
        return self.objective == "power"

    def limits(self) -> tuple[Array, Array]:
        """Bounds of the variables."""
        high = np.repeat(self.bounds, self.shape.count)
        if self.power:
            return np.append(-high, SHORTEST * self.duration), np.append(high, self.duration)
        return -high, high

    def split(self, variables: Array) -> tuple[Array, float]:
        """Amplitudes and duration."""
        span = float(variables[-1]) if self.power else self.duration
        return variables[:len(self.controls) * self.shape.count].reshape(len(self.controls), -1), span

    def negative(self, variables: Array) -> tuple[float, Array]:
        """Minus the objective, and its slopes."""
        x, span = self.split(variables)
        value, slopes, late = self.evaluate(x, span)
        if not self.power:
            return -value, -slopes.ravel()
        return -value / span, -np.append(slopes.ravel() / span, late / span - value / span**2)

    def schedule(self, x: Array, span: float) -> Schedule:
        """The drift and the controls with their amplitudes; nothing but the drift after the end."""
        def envelope(row: Array) -> Callable[[float], float]:
            return lambda t: float(row @ self.shape.values(t, span)) if 0 <= t <= span else 0.0

        drift = as_schedule(self.battery.charging).parts
        return Schedule([*drift, *((h, envelope(row)) for h, row in zip(self.controls, x, strict=True))])

    def evaluate(self, x: Array, span: float) -> tuple[float, Array, float]:
        """(objective before it is divided by the time, slopes by the amplitudes, slope by the duration).

        All envelopes are functions of t / span, so that the last is int 2 Im <k|H|psi> dt / span.
        """
        if self._small:
            return self._by_matrices(x, span)
        start = self.battery.initial_state()
        assert isinstance(start, MPS)
        pieces, state, visited = self._pieces(x, span), start, []
        for piece in pieces:
            *nodes, state = self._advance(state, piece.schedule, piece.start, np.append(piece.nodes, piece.stop))
            visited.append(nodes)
        value, costate = self._final(state, start)
        size = costate.norm
        slopes, stretch = np.zeros_like(x), 0.0
        if size == 0:
            return value, slopes, stretch
        back = MPS(costate.sites, [costate.tensors[0] / size, *costate.tensors[1:]], 0)
        drift = as_schedule(self.battery.charging).at(0.0).to_mpo().tensors if self.power else None
        operators = [h.to_mpo().tensors for h in self.controls]
        for piece, kets in zip(reversed(pieces), reversed(visited), strict=True):
            *bras, back = self._advance(back, _reversed(piece.schedule, piece.stop), 0.0,
                                        piece.stop - np.append(piece.nodes[::-1], piece.start))
            for t, w, ket, bra in zip(piece.nodes, piece.weights, kets, reversed(bras), strict=True):
                shapes = self.shape.values(float(t), span)
                moved = 2 * size * np.array([environment.expectation(ket.tensors, o, bra.tensors).imag
                                             for o in operators])
                slopes += w * np.outer(moved, shapes)
                if drift is not None:
                    free = 2 * size * environment.expectation(ket.tensors, drift, bra.tensors).imag
                    stretch += w * (free + float(moved @ (x @ shapes))) / span
        return value, slopes, stretch

    @property
    def _small(self) -> bool:
        """Whether whole matrices are the quickest way: a constant drift and few dimensions."""
        d = float(np.prod([float(s.d) for s in self.battery.sites]))
        return (isinstance(self.method, Exact) and as_schedule(self.battery.charging).constant
                and d <= LARGEST_MATRIX[type(self.shape)])

    @cached_property
    def _matrices(self) -> tuple[Array, Array]:
        """The drift and the controls, (d, d) and (controls, d, d)."""
        drift = as_schedule(self.battery.charging).at(0.0).to_dense()
        return drift, np.array([h.to_dense() for h in self.controls])

    @cached_property
    def _held(self) -> Array:
        """(parameters, exponentials) of equal length: amplitudes held in each, linear in the parameters.

        Steps are held as they are; harmonics by the commutator-free product of fourth order, see `Schedule.pieces`, in
        steps of at most `FINE` over the width of all terms at their bounds.
        """
        if isinstance(self.shape, Steps):
            return np.eye(self.shape.count)
        drift, controls = self._matrices
        width = np.linalg.norm(drift, 2) + self.bounds @ np.linalg.norm(controls, 2, axis=(1, 2))
        count = max(4 * PIECES * self.shape.count, int(np.ceil(self.duration * width / FINE)))
        middles, shift = (np.arange(count) + 0.5) / count, np.sqrt(3) / (6 * count)
        early, late = (np.array([self.shape.values(t, 1.0) for t in middles + s]).T for s in (-shift, shift))
        a, b = 0.5 + np.sqrt(3) / 3, 0.5 - np.sqrt(3) / 3
        return np.stack([a * early + b * late, a * late + b * early], axis=2).reshape(self.shape.count, -1)

    def _by_matrices(self, x: Array, span: float) -> tuple[float, Array, float]:
        """The same with every exponential diagonalised, which gives its derivative in closed form.

        With H = V e V+ and t its length, d exp(-i H t) / dx = V (F o V+ H_c V) V+ with
        F_mn = -i t exp(-i (e_m + e_n) t / 2) sinc((e_m - e_n) t / 2).
        """
        drift, controls = self._matrices
        start = self.battery.initial_state()
        assert isinstance(start, MPS)
        held = x @ self._held
        t, psi, passed = span / held.shape[1], start.to_dense().astype(complex), []
        for amplitudes in held.T:
            e, v = np.linalg.eigh(drift + np.tensordot(amplitudes, controls, 1))
            passed.append((e, v, v.conj().T @ psi))
            psi = v @ (np.exp(-1j * e * t) * passed[-1][2])
        value, costate = self._final(MPS.from_dense(start.sites, psi), start)
        back, slopes, stretch = costate.to_dense(), np.zeros_like(held), 0.0
        for k in range(held.shape[1] - 1, -1, -1):
            e, v, before = passed[k]
            after = v.conj().T @ back
            f = -1j * t * np.exp(-0.5j * (e[:, None] + e) * t) * np.sinc((e[:, None] - e) * t / (2 * np.pi))
            for c, control in enumerate(controls):
                slopes[c, k] = 2 * (after.conj() @ ((f * (v.conj().T @ control @ v)) @ before)).real
            stretch += 2 * (after.conj() @ (e * np.exp(-1j * e * t) * before)).imag * t / span
            back = v @ (np.exp(1j * e * t) * after)
        return value, slopes @ self._held.T, stretch

    def _pieces(self, x: Array, span: float) -> list[_Piece]:
        """Where the generator is smooth: every step on its own, constant if the drift is; all harmonics at once."""
        drift, edges = as_schedule(self.battery.charging), self.shape.edges(span)
        places, weights = np.polynomial.legendre.leggauss(NODES)
        halves = np.diff(edges)[:, None] / 2
        nodes, shares = edges[:-1, None] + halves * (places + 1), halves * weights
        if isinstance(self.shape, Fourier):
            return [_Piece(self.schedule(x, span), 0.0, span, nodes.ravel(), shares.ravel())]
        out = []
        for row, share, a, b in zip(nodes, shares, edges[:-1], edges[1:], strict=True):
            held = Terms(self.battery.sites)
            for value, h in zip(x @ self.shape.values(float((a + b) / 2), span), self.controls, strict=True):
                held += float(value) * h
            schedule = as_schedule(drift.at(0.0) + held) if drift.constant else Schedule([*drift.parts, (held, None)])
            out.append(_Piece(schedule, float(a), float(b), row, share))
        return out

    def _advance(self, state: MPS, schedule: Schedule, start: float, stops: Array) -> list[MPS]:
        """The state at rising times."""
        evolution = self.method.start(state, schedule, self.truncation, start)
        out = []
        for t in stops:
            evolution.advance(float(t))
            moved = evolution.state
            assert isinstance(moved, MPS)
            out.append(moved)
        return out

    def _final(self, state: MPS, start: MPS) -> tuple[float, MPS]:
        """The objective of the last state, and O|psi> with the operator O whose mean it is, to first order.

        The ergotropy tr(rho h) - sum_k r_k e_k of the cells, r falling and e rising, has the slope of the mean of
        h - sum_k e_k |r_k><r_k|, as far as no two r_k are equal.
        """
        if self.objective != "ergotropy":
            energy = self.battery.energy
            value = (state.expect(energy) - start.expect(energy)).real
            return value, _canonical(state, trains.apply(energy.to_mpo().tensors, state.tensors, 1e-15))
        cells = sorted(self.battery.cells)
        h = self.battery.energy.within(cells).to_dense()
        r, v = np.linalg.eigh(state.reduced(cells))
        passive = (v[:, ::-1] * np.linalg.eigvalsh(h)) @ v[:, ::-1].conj().T
        value = float(np.real(np.trace(v * r @ v.conj().T @ (h - passive))))
        moved = act_on(state, h - passive, cells)[0]
        assert isinstance(moved, MPS)
        return value, _canonical(state, moved.tensors)


@dataclass(frozen=True)
class _Piece:
    """A stretch of time with the Gauss rule of what is integrated over it."""

    schedule: Schedule
    start: float
    stop: float
    nodes: Array
    weights: Array


def _canonical(state: MPS, tensors: Sequence[Array]) -> MPS:
    """A train on the sites of a state with its centre in front, of any norm."""
    return MPS(state.sites, trains.compress(tensors, 1e-14), None).canonical(0)


def _reversed(schedule: Schedule, stop: float) -> Schedule:
    """What takes a state at `stop` back: minus the generator, by a clock that runs from there to earlier times."""
    if schedule.constant:
        return as_schedule(-1.0 * schedule.at(0.0))

    def earlier(envelope: Callable[[float], float]) -> Callable[[float], float]:
        return lambda t: envelope(stop - t)

    return Schedule([(-1.0 * h, None if f is None else earlier(f)) for h, f in schedule.parts])
