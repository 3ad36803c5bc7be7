"""What is stored, what charges it and where it starts: plain data that every solver reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mps_battery.checks import InputError, must, whole
from mps_battery.sites import Label, Site
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms, check_sites, check_terms

Envelope = Callable[[float], float]


@dataclass(frozen=True)
class Jump:
    """A Lindblad operator L of the dissipator L rho L+ - {L+ L, rho} / 2.

    Every list of jumps conserves trace and positivity; a negative rate or a generator that does not conserve the trace
    cannot be written as one, and no other form is taken.

    Args:
        terms: L, with the root of its rate inside the coefficients. One product, or a sum: a sum over all sites is a
            collective jump.
        rate: Factor on the dissipator as a function of time, at least zero; None for one.
        bath: Name of the bath that it belongs to, for heat currents.
    """

    terms: Terms
    rate: Envelope | None = None
    bath: str = "bath"

    def __post_init__(self) -> None:
        check_terms("jumps", self.terms)
        must(len(self.terms) > 0, "jumps", "have at least one product each", self.terms)
        must(self.rate is None or callable(self.rate), "rate", "be a function of time or None", self.rate)
        must(isinstance(self.bath, str) and self.bath != "", "bath", "be a name", self.bath)

    def rate_at(self, time: float) -> float:
        """The rate at a time."""
        value = 1.0 if self.rate is None else self.rate(time)
        plain = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf"
        must(plain and np.isfinite(value) and value >= 0, "rate", f"be a finite number of at least 0 at time {time:g}",
             value)
        return float(value)


@dataclass(frozen=True)
class Schedule:
    """A time-dependent generator: sum_k f_k(t) H_k.

    Args:
        parts: Pairs (terms, envelope); an envelope is a real function of time, or None for constant one.
    """

    parts: Sequence[tuple[Terms, Envelope | None]]

    def __post_init__(self) -> None:
        must(isinstance(self.parts, Sequence) and len(self.parts) >= 1, "parts",
             "hold at least one pair (terms, envelope)", self.parts)
        for part in self.parts:
            must(isinstance(part, tuple) and len(part) == 2 and (part[1] is None or callable(part[1])), "parts",
                 "be pairs (terms, envelope) with a function of time or None as envelope", part)
            check_terms("parts", part[0], hermitian=True)
            must(part[0].sites == self.parts[0][0].sites, "parts", "live on the same sites", part[0])
        object.__setattr__(self, "parts", tuple(self.parts))

    @property
    def sites(self) -> tuple[Site, ...]:
        """The chain that the parts live on."""
        return self.parts[0][0].sites

    @property
    def constant(self) -> bool:
        """Whether no envelope is a function."""
        return all(f is None for _, f in self.parts)

    @property
    def terms(self) -> list[Terms]:
        """The parts without their envelopes."""
        return [h for h, _ in self.parts]

    def values(self, time: float) -> np.ndarray:
        """Envelopes at a time, one a part."""
        given = [1.0 if f is None else f(time) for _, f in self.parts]
        for value in given:
            number = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf"
            must(number and np.isfinite(value), "envelope", f"give a finite real number at time {time:g}", value)
        return np.array(given, dtype=float)

    def at(self, time: float) -> Terms:
        """The generator at a time."""
        total = Terms(self.sites)
        for value, h in zip(self.values(time), self.terms, strict=True):
            total += float(value) * h
        return total

    def pieces(self, start: float, dt: float, order: int) -> list[tuple[np.ndarray, float]]:
        """Constant generators that replace the schedule on [start, start + dt], first to act first.

        Order 2 is the midpoint rule; order 4 the commutator-free Magnus product of two exponentials at the Gauss
        points [Blanes, Moan 2006, Appl. Numer. Math. 56, 1519]:
        exp(dt (a H_2 + b H_1)) exp(dt (a H_1 + b H_2)), a = 1/4 + sqrt(3)/6, b = 1/2 - a.

        Returns:
            Pairs (values, duration): the envelopes to freeze and for how long.
        """
        if self.constant:
            return [(np.ones(len(self.parts)), dt)]
        if order == 2:
            return [(self.values(start + dt / 2), dt)]
        shift = np.sqrt(3) / 6
        early, late = self.values(start + (0.5 - shift) * dt), self.values(start + (0.5 + shift) * dt)
        a, b = 0.25 + shift, 0.25 - shift
        return [(2 * (a * early + b * late), dt / 2), (2 * (a * late + b * early), dt / 2)]


def as_schedule(generator: Terms | Schedule) -> Schedule:
    """A generator as a Schedule; Terms are taken as they are, unchecked."""
    if isinstance(generator, Schedule):
        return generator
    schedule = object.__new__(Schedule)
    object.__setattr__(schedule, "parts", ((generator, None),))
    return schedule


@dataclass(frozen=True)
class Battery:
    """A quantum battery as data: no solver is imported, none is called.

    Args:
        sites: Local space of every site.
        cells: Sites that store; all others are charger.
        energy: H_B, what is stored; Hermitian Terms.
        charging: The whole Hamiltonian while charging, Terms or a Schedule.
        jumps: Lindblad operators; with any, the state is a density matrix.
        empty: Where it starts: one label for all sites ("up", "down", "neel", a basis index), a list of labels or
            vectors, "ground" (of `energy`), or an MPS. A density where "mixed" (the identity) or (d, d) matrices
            are among the labels, or where it is a Density.
        name: Name on the card.
        parameters: Numbers that made it, for the record.
        reference: Paper or book.
    """

    sites: Sequence[Site]
    cells: Sequence[int]
    energy: Terms
    charging: Terms | Schedule
    jumps: Sequence[Jump] = ()
    empty: Label | Sequence[Label] | MPS | Density = "down"
    name: str = "battery"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sites", check_sites(self.sites))
        cells = list(self.cells) if isinstance(self.cells, Iterable) else []
        must(len(cells) >= 1 and all(whole(n) and 0 <= n < len(self.sites) for n in cells)
             and len(set(cells)) == len(cells),
             "cells", f"be different sites from 0 to {len(self.sites) - 1}", cells or self.cells)
        object.__setattr__(self, "cells", tuple(int(n) for n in cells))
        must(isinstance(self.empty, str | int | np.integer | Sequence | np.ndarray | MPS | Density), "empty",
             "be a label, a list of labels or vectors, an MPS or a Density", self.empty)
        must(isinstance(self.parameters, Mapping), "parameters", "map names to numbers", self.parameters)
        check_terms("energy", self.energy, hermitian=True)
        if not isinstance(self.charging, Schedule):
            check_terms("charging", self.charging, hermitian=True)
        for argument, chain in (("energy", self.energy.sites), ("charging", self.charging.sites)):
            self._same_chain(argument, chain)
        must(isinstance(self.jumps, Sequence) and all(isinstance(j, Jump) for j in self.jumps), "jumps",
             "be a list of Jump(terms)", self.jumps)
        object.__setattr__(self, "jumps", tuple(self.jumps))
        for jump in self.jumps:
            self._same_chain("jumps", jump.terms.sites)

    def _same_chain(self, argument: str, chain: Sequence[Site]) -> None:
        if chain != self.sites:
            raise InputError(f"Argument `{argument}` must live on the {len(self.sites)} sites of the battery, but "
                             f"its chain has {len(chain)} sites or other site types.")

    @property
    def mixed(self) -> bool:
        """Whether its state is a density matrix: jumps act, or it starts from one."""
        labels = self.empty if isinstance(self.empty, Sequence) and not isinstance(self.empty, str) else [self.empty]
        return bool(self.jumps) or isinstance(self.empty, Density) or any(
            (isinstance(label, str) and label == "mixed") or
            (isinstance(label, np.ndarray | list | tuple) and np.ndim(label) == 2) for label in labels)

    def initial_state(self) -> MPS | Density:
        """The state before charging."""
        if isinstance(self.empty, Density):
            must(self.empty.sites == self.sites, "empty", "be a state on the sites of the battery", self.empty.sites)
            return self.empty.normalised()
        if self.mixed and not isinstance(self.empty, MPS) and not (
                isinstance(self.empty, str) and self.empty == "ground"):
            return Density.product(self.sites, self.empty)
        pure = self._pure_state()
        return Density.from_pure(pure) if self.mixed else pure

    def _pure_state(self) -> MPS:
        if isinstance(self.empty, MPS):
            must(self.empty.sites == self.sites, "empty", "be a state on the sites of the battery", self.empty.sites)
            shapes = [np.shape(t) for t in self.empty.tensors]
            ends = [1, *((shape or (0,))[-1] for shape in shapes[:-1]), 1]
            fits = [(left, s.d, right) for left, s, right in zip(ends, self.sites, ends[1:], strict=False)]
            must(len(shapes) == len(self.sites) and shapes == fits, "empty",
                 "have one tensor (vL, p, vR) a site, with matching bonds", shapes)
            state = MPS(self.empty.sites, self.empty.tensors).canonical(0)     # a caller's centre is not taken on trust
            must(np.isfinite(state.norm) and state.norm > 0, "empty", "be a state of non-zero norm", state.norm)
            return MPS(state.sites, [state.tensors[0] / state.norm, *state.tensors[1:]], 0)
        if isinstance(self.empty, str) and self.empty == "ground":
            from mps_battery.steady.ground import ground_state

            return ground_state(self.energy).state
        assert not isinstance(self.empty, Density)
        return MPS.product(self.sites, self.empty)
