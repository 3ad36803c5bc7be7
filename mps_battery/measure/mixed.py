"""A density at a time: what `Snapshot` answers for pure states, by traces in place of overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mps_battery.liouville import adjoint_dissipator
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors.density import Density, coordinates, density_sites, functional
from mps_battery.tensors.mpo import MPO
from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class MixedObservables(Observables):
    """The operators of one battery as coordinate trains, each built once."""

    @cached_property
    def energy_train(self) -> list[Array]:
        """Coordinates of H_B."""
        return self.train(self.energy)

    @cached_property
    def energy_squared_train(self) -> list[Array]:
        """Coordinates of H_B^2."""
        return self.train(self.energy_squared)

    @cached_property
    def unitary_powers(self) -> list[list[Array]]:
        """i [H_k, H_B] of every part of the Hamiltonian."""
        return [self.train(p) for p in self.powers]

    @cached_property
    def dissipative_powers(self) -> list[tuple[Array, list[Array]]]:
        """(places in `jumps`, L+ H_B L - {L+ L, H_B} / 2); jumps without a rate are summed into one."""
        battery, out = self.battery, []
        constant = Terms(battery.sites)
        for k, jump in enumerate(battery.jumps):
            if jump.rate is None:
                constant += adjoint_dissipator(jump.terms, battery.energy)
            else:
                out.append((np.array([k]), self.train(adjoint_dissipator(jump.terms, battery.energy).to_mpo())))
        if len(constant):
            out.append((np.zeros(0, dtype=int), self.train(constant.to_mpo())))
        return out

    def train(self, operator: MPO) -> list[Array]:
        """Coordinates of an operator."""
        return coordinates(operator, density_sites(self.battery.sites))


@dataclass(frozen=True)
class MixedSnapshot(Snapshot):
    """A density at a time; every mean value is divided by the trace."""

    state: Density  # type: ignore[assignment]
    observables: MixedObservables

    def expect(self, operator: MPO) -> float:
        """tr(O rho) / tr rho of a Hermitian operator."""
        return self.mean(self.observables.train(operator))

    def mean(self, train: list[Array]) -> float:
        """The same from coordinates."""
        return functional(train, self.state.train.tensors).real / self.state.trace

    @cached_property
    def energy(self) -> float:
        """tr(H_B rho)."""
        return self.mean(self.observables.energy_train)

    @cached_property
    def energy_squared(self) -> float:
        """tr(H_B^2 rho)."""
        return self.mean(self.observables.energy_squared_train)

    @cached_property
    def power_parts(self) -> tuple[float, float]:
        """(unitary, dissipative) part of d tr(H_B rho) / dt."""
        unitary = sum(f * self.mean(p) for f, p in
                      zip(self.envelopes, self.observables.unitary_powers, strict=True) if f)
        jumps, dissipative = self.battery.jumps, 0.0
        for places, train in self.observables.dissipative_powers:
            rate = jumps[int(places[0])].rate_at(self.time) if len(places) else 1.0
            dissipative += rate * self.mean(train)
        return float(unitary), dissipative

    @cached_property
    def generator_moments(self) -> tuple[float, float, float]:
        """(tr(H rho), tr(H^2 rho), Re tr(H_B H rho)) with H the Hamiltonian that acts at this time."""
        h = self.generator
        return self.expect(h), self.expect(h @ h), self.expect(self.observables.energy @ h)

    @cached_property
    def moments(self) -> dict[int, Array]:
        """What one site sees of H_B, for every cell; see `site_moments`."""
        return density_moments(self.state, self.observables.energy, tuple(self.battery.cells))

    @cached_property
    def site_densities(self) -> list[Array]:
        """The reduced density matrix of every site."""
        return [self.state.reduced([n]) for n in range(len(self.state))]

    def correlations(self, first: Sequence[Array], second: Sequence[Array]) -> Array:
        """<A_i B_j> for all i, j; O(N^2 chi^2)."""
        return density_correlations(self.state, first, second)


def density_moments(state: Density, operator: MPO, sites: tuple[int, ...]) -> dict[int, Array]:
    """moments[n][q, r, p, s] = tr(O_qr rho_ps) with O = sum |q><r|_n x O_qr, rho = sum |p><s|_n x rho_ps.

    Cost: one left and one right pass, O(chi w (chi + w)) a site and basis operator.
    """
    local = density_sites(state.sites)
    tensors, trains_ = state.train.tensors, coordinates(operator, local)
    right = [np.ones((1, 1))]
    for w, t in zip(trains_[:0:-1], tensors[:0:-1], strict=True):
        right.append(np.tensordot(w, np.tensordot(t, right[-1], (2, 1)), ((1, 2), (1, 2))))   # wL x wR; vL x w -> w v
    right = right[::-1]
    left, out, wanted = np.ones((1, 1)), {}, set(sites)
    for n, (w, t) in enumerate(zip(operator.tensors, tensors, strict=True)):
        if n in wanted:
            around = np.tensordot(np.tensordot(left, t, 1), right[n], (2, 1))                 # wL x wR
            rho = np.tensordot(around, local[n].basis, (1, 0))                                # wL wR p s
            out[n] = np.tensordot(w, rho, ((0, 1), (0, 1))) / state.trace                     # q r p s
        if n < len(tensors) - 1:
            left = np.tensordot(trains_[n], np.tensordot(left, t, 1), ((0, 1), (0, 1)))
    return out


def density_correlations(state: Density, first: Sequence[Array], second: Sequence[Array]) -> Array:
    """tr(A_i B_j rho) / tr rho for all i, j."""
    local, tensors, n_sites = density_sites(state.sites), state.train.tensors, len(state)
    left, right = state._left_traces, state._right_traces
    table = np.zeros((n_sites, n_sites), dtype=complex)

    def row(n: int, matrix: Array) -> Array:
        """The transfer matrix of site n under the trace with an operator."""
        x = np.einsum("aij,ji->a", local[n].basis, matrix)
        return np.tensordot(x, tensors[n], (0, 1))

    ones = [local[n].trace[0] * tensors[n][:, 0] for n in range(n_sites)]
    a, b = ([row(n, m) for n, m in enumerate(ops)] for ops in (first, second))
    for i in range(n_sites):
        table[i, i] = left[i] @ row(i, first[i] @ second[i]) @ right[i]
        va, vb = left[i] @ a[i], left[i] @ b[i]
        for j in range(i + 1, n_sites):
            table[i, j], table[j, i] = va @ b[j] @ right[j], vb @ a[j] @ right[j]
            va, vb = va @ ones[j], vb @ ones[j]
    return table / state.trace
