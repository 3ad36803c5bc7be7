"""A state at a time, with the contractions that several quantities share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from mps_battery.battery import Battery, as_schedule
from mps_battery.measure.marginals import Pair, pair_densities
from mps_battery.measure.neighbours import (
    PAULI4,
    cell_correlations,
    neighbour_correlations,
    neighbour_couplings,
    neighbour_energy,
    neighbour_table,
)
from mps_battery.measure.work.reach import Reach, energy_on, state_on
from mps_battery.measure.work.spectrum import Spectrum
from mps_battery.tensors import environment, trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray

MANY = 24
"""Bond from which correlations of neighbouring qubits are cheaper than an operator of bond 5."""


@dataclass(frozen=True)
class Observables:
    """The operators of one battery that are measured again and again, each built once."""

    battery: Battery

    @cached_property
    def start(self) -> MPS | Density:
        """The state before charging."""
        return self.battery.initial_state()

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def once(self, build: Callable[..., Any], *given: Hashable) -> Any:
        """build(observables, *given), called once a battery: for what a single measure needs at every time."""
        if (build, given) not in self._made:
            self._made[build, given] = build(self, *given)
        return self._made[build, given]

    @cached_property
    def energy(self) -> MPO:
        """H_B."""
        return self.battery.energy.to_mpo()

    @cached_property
    def energy_squared(self) -> MPO:
        """H_B^2 at its numerical rank."""
        return (self.energy @ self.energy).compress()

    @cached_property
    def spectra(self) -> tuple[Spectrum, Spectrum]:
        """What H_B and -H_B on the cells allow unitaries to reach, whatever the state."""
        own = energy_on(self.battery.energy, sorted(self.battery.cells))
        return Spectrum(own), Spectrum(-own)

    @cached_property
    def generators(self) -> list[MPO]:
        """The parts of the charging generator."""
        return [h.to_mpo() for h in as_schedule(self.battery.charging).terms]

    @cached_property
    def generator_tables(self) -> list[Array] | None:
        """Couplings of these parts where all are of neighbouring qubits, else None."""
        tables = [neighbour_table(h) for h in as_schedule(self.battery.charging).terms]
        return None if any(t is None for t in tables) else tables  # type: ignore[return-value]

    @cached_property
    def drives(self) -> list[Terms]:
        """Every part H_k of the generator as it enters i [H_k, H_B]: the shorter of H_k and H_k - H_B."""
        return [min(h, h - self.battery.energy, key=len) for h in as_schedule(self.battery.charging).terms]

    @cached_property
    def powers(self) -> list[MPO]:
        """i [H_k, H_B] of every part of the generator, at numerical rank."""
        out = []
        for h in self.drives:
            g = h.to_mpo() if len(h) else (0.0 * self.battery.energy).to_mpo()
            out.append((1j * (g @ self.energy - self.energy @ g)).compress())
        return out

    @cached_property
    def power_terms(self) -> list[Terms]:
        """The same as Terms."""
        return [1j * h.commutator(self.battery.energy) for h in self.drives]

    @cached_property
    def neighbours(self) -> tuple[Array, Array] | None:
        """Fields and couplings of H_B where it is one of neighbouring qubits, else None."""
        return neighbour_couplings(self.battery.energy)

    @cached_property
    def cell_widths(self) -> Array:
        """Of every cell, the width of the sum of the terms of H_B that touch it."""
        return np.array([self.battery.energy.touching(n).width for n in self.battery.cells])


@dataclass(frozen=True)
class Snapshot:
    """A state at a time.

    Args:
        state: The state.
        time: Its time.
        observables: The operators of the battery.
        companions: What evolves beside the state for quantities of two times, one a quantity that asked for it.
    """

    state: MPS
    time: float
    observables: Observables
    companions: Mapping[Any, MPS | Density] = field(default_factory=dict)

    @property
    def battery(self) -> Battery:
        """The battery that the state belongs to."""
        return self.observables.battery

    @cached_property
    def norm2(self) -> float:
        """<psi|psi>."""
        return self.state.norm**2

    def expect(self, operator: MPO) -> float:
        """<O> / <1> of a Hermitian operator."""
        return environment.expectation(self.state.tensors, operator.tensors).real / self.norm2

    @cached_property
    def neighbours(self) -> Array:
        """<sigma_a sigma_b> of every two neighbouring qubits; see `neighbour_correlations`."""
        return neighbour_correlations(self.state)

    @cached_property
    def generator_energy(self) -> float:
        """The mean of the sum of all parts of the charging generator, envelopes left out."""
        tables = self.observables.generator_tables
        if tables is None or not isinstance(self.state, MPS) or max(self.state.bonds) < MANY:
            return sum(self.expect(g) for g in self.observables.generators)
        return sum(neighbour_energy(self.neighbours, t) for t in tables)

    @cached_property
    def envelopes(self) -> Array:
        """Values of the charging envelopes at this time."""
        return as_schedule(self.battery.charging).values(self.time)

    @cached_property
    def _right(self) -> list[Array]:
        """Right environments of H_B."""
        return environment.right_environments(self.state.tensors, self.observables.energy.tensors)

    @cached_property
    def energy(self) -> float:
        """<H_B>."""
        if self.observables.neighbours is not None and "_right" not in vars(self):
            return self.expect(self.observables.energy)        # no moments to come: no environments to keep
        first = environment.from_right(self._right[0], self.state.tensors[0], self.observables.energy.tensors[0])
        return float(first[0, 0, 0].real) / self.norm2

    @cached_property
    def energy_squared(self) -> float:
        """<H_B^2>."""
        return self.expect(self.observables.energy_squared)

    @cached_property
    def power_parts(self) -> tuple[float, float]:
        """(unitary, dissipative) part of d<H_B>/dt; nothing dissipates in a pure state."""
        powers = self.observables.powers
        return float(sum(f * self.expect(p) for f, p in zip(self.envelopes, powers, strict=True))), 0.0

    @cached_property
    def generator(self) -> MPO:
        """H(t), the Hamiltonian that acts at this time."""
        parts = [float(f) * g for f, g in zip(self.envelopes, self.observables.generators, strict=True) if f]
        return reduce(add, parts) if parts else 0.0 * self.observables.generators[0]

    @cached_property
    def generator_moments(self) -> tuple[float, float, float]:
        """(<H>, <H^2>, Re <H_B H>) with H the Hamiltonian that acts at this time."""
        a, h, stored = self.state.tensors, self.generator.tensors, self.observables.energy.tensors
        values = (environment.expectation(a, h), environment.image_overlap(a, h, h),
                  environment.image_overlap(a, stored, h))
        mean, square, product = (float(v.real) / self.norm2 for v in values)
        return mean, square, product

    @cached_property
    def moments(self) -> dict[int, Array]:
        """What one site sees of H_B, for every cell; see `site_moments`."""
        return site_moments(self.state, self.observables.energy, tuple(self.battery.cells), self._right)

    @cached_property
    def local(self) -> Array | None:
        """<sigma_b B_a> of every site, (sites, 3, 3), where H_B is one of neighbouring qubits, else None."""
        known = self.observables.neighbours
        return None if known is None else cell_correlations(self.neighbours, *known)

    @cached_property
    def reach(self) -> Reach:
        """What unitaries on all cells can make of <H_B>."""
        return Reach(state_on(self.state, sorted(self.battery.cells)), *self.observables.spectra)

    @cached_property
    def site_densities(self) -> list[Array]:
        """The reduced density matrix of every site, trace one, in one sweep."""
        if "neighbours" in self.__dict__:
            means = np.concatenate([self.neighbours[:, :, 0], self.neighbours[-1:, 0]])
            return list(np.einsum("na,aij->nij", means, PAULI4) / 2)
        out, env = [], np.ones((1, 1))                                       # vL vL*
        for t in self.state.canonical(0).tensors:
            a = t.transpose(1, 0, 2)                                         # p vL vR
            left, bra = env.T @ a, a.conj()                                  # vL* [vL]; p [vL] vR -> p vL* vR
            p, l, r = left.shape
            rho = left.reshape(p, l * r) @ bra.reshape(p, l * r).T           # p [vL* vR]; s [vL* vR]
            out.append(rho / rho.trace().real)
            env = left.reshape(p * l, r).T @ bra.reshape(p * l, r)           # [p vL*] vR; [p vL*] vR*
        return out

    def correlations(self, first: Sequence[Array], second: Sequence[Array]) -> Array:
        """<A_i B_j> for all i, j; O(N^2 chi^3)."""
        return correlations(self.state, first, second)

    def pair_densities(self, pairs: Sequence[Pair]) -> list[Array]:
        """The density matrix of every pair of sites, the first one leading."""
        return pair_densities(self.state, pairs)

    @cached_property
    def cell_pairs(self) -> list[Array]:
        """The same of all pairs of cells, (first, second), (first, third), ..., (second, third), ..."""
        return self.pair_densities(list(itertools.combinations(self.battery.cells, 2)))


def correlations(state: MPS, first: Sequence[Array], second: Sequence[Array]) -> Array:
    """<A_i B_j> for all i, j; O(N^2 chi^3)."""
    tensors, n_sites = list(state.canonical(0).tensors), len(state)
    table = np.zeros((n_sites, n_sites), dtype=complex)
    for i in range(n_sites):
        c = tensors[i]                                                   # the centre
        norm2 = np.linalg.norm(c) ** 2
        table[i, i] = np.einsum("apb,pq,aqb->", c.conj(), first[i] @ second[i], c, optimize=True) / norm2
        for left, right, forward in ((first, second, True), (second, first, False)):
            env = np.einsum("apb,pq,aqc->bc", c.conj(), left[i], c, optimize=True)
            for j in range(i + 1, n_sites):
                t = np.tensordot(env, tensors[j], 1)                     # bL [kL]; [kL] q kR
                rotated = np.tensordot(right[j], t, (1, 1))              # p [q]; bL [q] kR -> p bL kR
                value = np.einsum("apb,pab->", tensors[j].conj(), rotated) / norm2
                if forward:
                    table[i, j] = value
                else:
                    table[j, i] = value
                env = np.tensordot(tensors[j].conj(), t, ((0, 1), (0, 1)))
        if i < n_sites - 1:
            tensors = trains.left_canonical(tensors, i + 1, i)
    return table


def site_moments(state: MPS, operator: MPO, sites: tuple[int, ...], right: list[Array] | None = None
                 ) -> dict[int, Array]:
    """Conditional expectation of an operator around one site, for many sites in one pass.

    Write O = sum_qr |q><r|_n x O_qr. With rho = sum_ps |p><s|_n x rho_ps and
    moments[n][q, r, p, s] = tr(O_qr rho_ps), a matrix U on site n gives
    tr(O U rho U+) = sum_{q r p s} U[r, p] conj(U[q, s]) moments[n][q, r, p, s].
    Cost: one left and one right pass of environments, O(chi^2 d^2 w (chi + w)) a site.
    """
    tensors, ws = state.tensors, operator.tensors
    norm2 = state.norm**2
    right = environment.right_environments(tensors, ws) if right is None else right
    left, out, wanted = environment.edge(), {}, set(sites)
    for n, (a, w) in enumerate(zip(tensors, ws, strict=True)):
        if n in wanted:
            t = np.tensordot(left, a, (2, 0))                       # bL w [kL]; [kL] p kR -> bL w p kR
            t = np.tensordot(t, right[n], (3, 2))                   # bL w p [kR]; bR w' [kR] -> bL w p bR w'
            t = np.tensordot(t, a.conj(), ((0, 3), (0, 2)))         # [bL] w p [bR] w'; [bL] s [bR] -> w p w' s
            m = np.tensordot(w, t, ((0, 1), (0, 2)))                # [w] [w'] q r; [w] p [w'] s -> q r p s
            out[n] = m / norm2
        if n < len(tensors) - 1:
            left = environment.from_left(left, a, w)
    return out
