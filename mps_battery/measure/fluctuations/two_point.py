"""Two measurements of an energy as one observable, so that work has a state and an operator like anything else.

Measure H, charge by U, measure H again: the work w = E_m - E_n has the characteristic function
G(u) = tr[U+ exp(iuH) U exp(-iuH) rho] where rho commutes with H [Talkner, Lutz, Haenggi 2007, PRE 75, 050102]. In the
right picture that is <bra| exp(iuW) |ket> with one Hermitian work operator W:

    an eigenstate of H, energy E:   bra = ket = U |psi>,             W = H - E;
    a Gibbs state, rho = X X+:      bra = ket = U X as a vector,     W = [H, .];
    any rho that commutes with H:   bra = U / sqrt(D), ket = sqrt(D) U rho, W = [H, .];
    a pure state of many levels:    bra = ket = U |Psi>, W = H - x, where |Psi> = sum_x K_x |psi> |x> holds the pointer
                                    x of a first measurement of finite resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.checks import InputError
from mps_battery.evolve.choose import Method, choose, coarser
from mps_battery.liouville import cooling, superoperators, unitary
from mps_battery.sites import Levels, OperatorSite
from mps_battery.tensors import environment, trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, matrix_of, on_longer_chain

Array = np.ndarray

SHARP = 1e-4
"""A start that spreads over levels by less than this part of the largest term is an eigenstate, as DMRG finds them: a
measurement of that resolution would not disturb it. What it spreads by goes into the bars."""
COMMUTES = 1e-6
"""Part of {H, rho} that [H, rho] of a density may have, which comes from imaginary time."""

FIRST, SECOND = 1e-8, 1e-5
"""Singular values left out of W |ket> and of W^2 |ket>, of whose norms they change the square only by their squares."""


@dataclass
class Solver:
    """A method and a truncation for all evolutions behind one answer, and what they cost.

    Args:
        method: TEBD, TDVP or Exact; None lets the engine choose.
        truncation: Bond cap and discarded weight.
        rough: Whether to take twice the step and a hundred times the weight, to read a bar from.
    """

    method: Method | None
    truncation: Truncation
    rough: bool = False
    max_bond: int = field(default=1, init=False)
    capped: bool = field(default=False, init=False)

    def walk(self, state: MPS, generator: Schedule | Terms, times: Array, importance: Array | None = None
             ) -> Iterator[MPS]:
        """The state at increasing times, at the first of which it is what was given.

        With `importance`, factors from 1 downwards, amplitudes that count less at later times are kept less precisely.
        """
        schedule = as_schedule(generator)
        method, _ = choose(schedule, self.method, self.truncation, times)
        truncation = self.truncation
        if self.rough:
            method, truncation = coarser(method, truncation)
        evolution = method.start(state, schedule, truncation, float(times[0]))
        for k, t in enumerate(times):
            if importance is not None:
                weight = min(1e-4 if self.rough else 1e-6, max(truncation.weight, 1e-16) / importance[k] ** 2)
                evolution.truncation = replace(truncation, weight=weight)   # type: ignore[union-attr]
            evolution.advance(float(t))
            self.max_bond = max(self.max_bond, evolution.ledger.max_bond)
            self.capped |= evolution.ledger.cap_bound > 0
            moved = evolution.state
            assert isinstance(moved, MPS)
            yield moved

    def carry(self, state: MPS, generator: Schedule | Terms, begin: float, end: float) -> MPS:
        """The state at the end, with a ten-thousandth of the weight: all of G and the moments rest on it."""
        once = replace(self, truncation=replace(self.truncation, weight=1e-4 * self.truncation.weight))
        *_, last = once.walk(state, generator, np.array([begin, end]) if end > begin else np.array([begin]))
        self.max_bond, self.capped = max(self.max_bond, once.max_bond), self.capped or once.capped
        return last


@dataclass(frozen=True)
class Picture:
    """G(u) = scale <bra| exp(iuW) |ket>.

    Attributes:
        bra: A state.
        ket: The same state, except for densities without a root.
        work: W, without the pointer.
        scale: Product of the norms that were taken out.
        pointer: What the last site reads, which W subtracts; None where there is no pointer.
        spread: Standard deviation of H in a start that was taken for an eigenstate.
    """

    bra: MPS
    ket: MPS
    work: Terms
    scale: float = 1.0
    pointer: Pointer | None = None
    spread: float = 0.0

    @property
    def blur(self) -> float:
        """Standard deviation of the noise of the pointer, an independent part of the work."""
        return self.pointer.resolution if self.pointer else 0.0

    def characteristic(self, u: Array, width: float, solver: Solver) -> Array:
        """G on an even grid that begins at 0, as precisely as a Gaussian of standard deviation `width` will need it."""
        return np.array([self._overlap(bra, ket, x) for x, (bra, ket) in zip(u, self.pairs(u, width, solver),
                                                                            strict=True)])

    def pairs(self, u: Array, width: float, solver: Solver) -> Iterator[tuple[MPS, MPS]]:
        """exp(-iuW/2) |bra> and exp(iuW/2) |ket> without the pointer: half of every step moves either."""
        window = np.exp(-0.5 * (width**2 - self.blur**2) * u**2)
        return zip(solver.walk(self.bra, 0.5 * self.work, u, window),
                   solver.walk(self.ket, -0.5 * self.work, u, window), strict=True)

    def _overlap(self, bra: MPS, ket: MPS, u: float) -> complex:
        tensors = list(ket.tensors)
        if self.pointer is not None:
            shifted = self.pointer.function(np.exp(-1j * u * self.pointer.readings))
            tensors[-1] = np.tensordot(tensors[-1], shifted, (1, 1)).transpose(0, 2, 1)
        return self.scale * trains.overlap(bra.tensors, tensors)

    def moments(self) -> tuple[float, float, float, float]:
        """Mean and central moments two to four of the work; the noise of the pointer is taken off."""
        ket = self._whole(self.ket)
        bra = ket if self.bra is self.ket else self._whole(self.bra)
        mean = self._value(bra, ket, 0.0)
        ket = self._worked(ket, mean, FIRST)
        bra = ket if self.bra is self.ket else self._worked(bra, mean, FIRST)
        second, third = self.scale * trains.overlap(bra, ket).real, self._value(bra, ket, mean)
        ket = self._worked(ket, mean, SECOND)
        bra = ket if self.bra is self.ket else self._worked(bra, mean, SECOND)
        fourth, noise = self.scale * trains.overlap(bra, ket).real, self.blur**2
        return mean, second - noise, third, fourth - 6 * (second - noise) * noise - 3 * noise**2

    def _whole(self, state: MPS) -> list[Array]:
        """A train whose last site counts all readings of the pointer."""
        if self.pointer is None:
            return state.tensors
        return [*state.tensors[:-1], np.tensordot(state.tensors[-1], self.pointer.basis, (1, 0)).transpose(0, 2, 1)]

    def _read(self, train: list[Array]) -> list[Array]:
        """-x |train>."""
        assert self.pointer is not None
        return [*train[:-1], -self.pointer.readings[:, None] * train[-1]]

    def _value(self, bra: list[Array], ket: list[Array], mean: float) -> float:
        """scale <bra|W - mean|ket>."""
        value = environment.expectation(ket, self._operator(mean, ket), bra).real
        if self.pointer is not None:
            value += trains.overlap(bra, self._read(ket)).real
        return self.scale * value

    def _worked(self, train: list[Array], mean: float, tolerance: float) -> list[Array]:
        """(W - mean) |train>."""
        image = trains.apply(self._operator(mean, train), train, tolerance)
        if self.pointer is None:
            return image
        return trains.compress(trains.add(image, self._read(train)), tolerance)

    def _operator(self, mean: float, train: list[Array]) -> list[Array]:
        """W - mean without the pointer, as a train; the last site is left alone where it reads."""
        terms = self.work.copy()
        terms -= (mean,)
        tensors = terms.to_mpo().tensors
        if self.pointer is None:
            return tensors
        return [*tensors[:-1], tensors[-1][:, :, :1, :1] * np.eye(train[-1].shape[1])]


def charged(battery: Battery, energy: Terms, begin: float, end: float, beta: float | None, resolution: float | None,
            solver: Solver) -> Picture:
    """The picture behind the charging of a battery from `begin` to `end`."""
    if battery.jumps:
        raise InputError("Argument `battery` must have no jumps for work by two measurements, which counts what a "
                         "unitary brings: for what jumps bring see `heat_cumulants` and `heat_distribution`.")
    if beta is not None:
        return _of_operators(battery, energy, begin, end, _gibbs_root(energy, beta, solver), solver)
    start = battery.initial_state()
    if isinstance(start, Density):
        change = trains.norm(trains.apply(unitary(energy).to_mpo().tensors, start.train.tensors))
        size = trains.norm(trains.apply(cooling(energy).to_mpo().tensors, start.train.tensors))
        if change > COMMUTES * max(size, energy.largest * start.train.norm):
            raise InputError("Argument `battery` must start from a state that commutes with the measured energy, or "
                             "from a pure one; for a small system two_point_distribution takes any density.")
        return _of_operators(battery, energy, begin, end, start, solver)
    offset, spread = from_level(start, energy)
    if spread > SHARP * energy.largest:
        if resolution is None:
            raise InputError(f"Argument `resolution` must be given where the start spreads over levels (here by "
                             f"{spread:.3g}): a first measurement decides what coherence between them is left.")
        start, pointer = _measured(start, offset, resolution, solver)
        sites = start.sites
        lifted = Schedule([(on_longer_chain(h, sites), f) for h, f in as_schedule(battery.charging).parts])
        moved = solver.carry(start, lifted, begin, end)
        return Picture(moved, moved, on_longer_chain(offset, sites), pointer=pointer)
    moved = solver.carry(start, as_schedule(battery.charging), begin, end)
    return Picture(moved, moved, offset, spread=spread)


def from_level(state: MPS, energy: Terms) -> tuple[Terms, float]:
    """(H - <H>, standard deviation of H) in a state."""
    offset = energy.copy()
    offset -= (state.expect(energy).real,)
    return offset, trains.norm(trains.apply(offset.to_mpo().tensors, state.tensors)) / state.norm


# -- states of operators -----------------------------------------------------------------------------------------
def _of_operators(battery: Battery, energy: Terms, begin: float, end: float, rho: Density | MPS, solver: Solver
                  ) -> Picture:
    """The picture of a root X (MPS) or of a density without one."""
    schedule = superoperators([(from_left(h), f) for h, f in as_schedule(battery.charging).parts])
    work = commutator(energy)
    if isinstance(rho, MPS):
        moved = solver.carry(rho, schedule, begin, end)
        return Picture(moved, moved, work)
    rho = rho.normalised()
    ket, bra = vector(rho), MPS.product(work.sites, "identity")
    scale = float(np.sqrt(np.prod([float(s.d) for s in rho.sites])) * rho.train.norm)
    return Picture(solver.carry(bra, schedule, begin, end), solver.carry(ket, schedule, begin, end), work, scale)


def _gibbs_root(energy: Terms, beta: float, solver: Solver) -> MPS:
    """exp(-beta H / 2) as a vector of norm one."""
    from mps_battery.steady.thermal import thermal_state

    # what imaginary time loses adds up, and the start is to be better than what follows
    weight = 1e-20 if solver.rough else 1e-24
    return vector(thermal_state(energy, beta / 2, truncation=Truncation(solver.truncation.bond, weight),
                                bars=False).state)


def vector(density: Density) -> MPS:
    """A density over ket and bra, of norm one."""
    train = density.train.canonical(0)
    tensors = [np.einsum("axb,xpq->apqb", t, s.basis).reshape(len(t), -1, t.shape[2])
               for t, s in zip(train.tensors, density._local, strict=True)]
    return MPS(_operator_sites(density.sites), [tensors[0] / np.linalg.norm(tensors[0]), *tensors[1:]], 0)


def from_left(terms: Terms) -> Terms:
    """M -> H M."""
    out = Terms(_operator_sites(terms.sites))
    for product, c in terms.products:
        out += (c, *((np.kron(a := matrix_of(o), np.eye(len(a))), n) for n, o in product))
    return out


def commutator(terms: Terms) -> Terms:
    """M -> [H, M]."""
    out = from_left(terms)
    for product, c in terms.products:
        out -= (c, *((np.kron(np.eye(len(a := matrix_of(o))), a.T), n) for n, o in product))
    return out


def _operator_sites(sites: tuple) -> tuple[OperatorSite, ...]:
    known = {s: OperatorSite(s) for s in sites}
    return tuple(known[s] for s in sites)


# -- a first measurement of finite resolution ----------------------------------------------------------------------
@dataclass(frozen=True)
class Pointer:
    """Readings of a first measurement, in a basis of the pointer states that the chain is entangled with.

    Attributes:
        readings: x, ascending.
        basis: Amplitudes <x|a>, (a, x); rows are orthonormal.
        resolution: Standard deviation of a reading.
    """

    readings: Array
    basis: Array
    resolution: float

    def function(self, values: Array) -> Array:
        """The operator f(x) from its values at the readings, (a, a)."""
        return (self.basis.conj() * values) @ self.basis.T


def _measured(start: MPS, offset: Terms, resolution: float, solver: Solver) -> tuple[MPS, Pointer]:
    """sum_x K_x |psi> |x> with K_x ~ exp(-(H - x)^2 / 4 s^2), s the resolution, the pointer as one more site.

    The Gaussian is the sum over times exp(-s^2 t^2) exp(i x t) exp(-i H t), so the start is evolved under H to both
    sides and the branches are added up. A reading has noise of variance s^2, and coherence between levels E and E' is
    left as exp(-(E - E')^2 / 8 s^2).
    """
    # a sum over readings replaces the integral, good up to u = 6.5 / s; times beyond 5.5 / s carry less than 1e-13
    spacing = 0.45 * resolution
    count = 2 * int(np.ceil((spectral_range(offset) + 7.5 * resolution) / spacing)) + 1
    readings = spacing * (np.arange(count) - count // 2)
    times = np.arange(0.0, 5.5 / resolution, 2 * np.pi / (count * spacing))
    total: list[Array] | None = None
    for sign in (1.0, -1.0):
        for t, state in zip(times, solver.walk(start, sign * offset, times), strict=True):
            if t == 0 and sign < 0:
                continue
            wave = np.exp(-(resolution * t) ** 2 + 1j * sign * t * readings)
            branch = [*state.canonical(0).tensors, wave.reshape(1, -1, 1)]
            total = branch if total is None else trains.compress(trains.add(total, branch), 1e-13)
    assert total is not None
    *chain, last = trains.compress(total, 1e-13)            # right-canonical: the last rows are orthonormal
    rank = max(2, len(last))
    basis = np.eye(rank, len(last)) @ last[:, :, 0]
    chain[0] = chain[0] / np.linalg.norm(chain[0])
    site = Levels([str(k) for k in range(rank)], excitations=[0] * rank)
    end = np.eye(len(last), rank, dtype=complex)[:, :, None]
    return MPS((*start.sites, site), [*chain, end], 0), Pointer(readings, basis, resolution)


def spectral_range(terms: Terms) -> float:
    """At least the distance between the highest and the lowest level: widths of the bonds, or of the products, added.

    An energy change cannot be larger.
    """
    if terms.reach <= 1 and len(terms.sites) > 1:
        return float(sum(e[-1] - e[0] for e in (np.linalg.eigvalsh(h) for h in terms.to_bonds())))
    return float(sum(2 * abs(c) * np.prod([np.linalg.norm(matrix_of(o), 2) for _, o in product])
                     for product, c in terms.products if product))
