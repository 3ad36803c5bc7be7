"""What a unitary on one cell or block does to an energy that reaches beyond it, and the most it can draw.

Between block and rest H = rest + sum_k A_k x B_k, and a unitary U on the block makes of the mean energy

    E(U) = constant + sum_k tr(A_k U rho_k U+),    rho_k = tr_rest(B_k rho).

The map from U to E is a real form of rank at most d^2 - 1; its Schmidt form, in which the A_k and the rho_k are
traceless, Hermitian and orthogonal among themselves, has few channels where H is of short range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.measure.work.extremum import Extremum
from mps_battery.measure.work.narrow import Narrowed
from mps_battery.measure.work.semidefinite import PartialTraces, relax
from mps_battery.measure.work.unitaries import (
    haar,
    lowest,
    lowest_rotation,
    operator_basis,
    polar,
    unitary_of,
)

Array = np.ndarray

RELAXED, RECORDED = 16, 9
"""Largest dimension of a block whose bound comes from a semidefinite program, of d^2 x d^2 matrices; the same where
many are measured along a run."""
WIDE = 32
"""Dimension of a block beyond which a search looks for the directions that its states need."""


@dataclass(frozen=True)
class BlockEnergy:
    """E(U) = sum_k tr(A_k U rho_k U+) of one block, its constant left out.

    Args:
        hamiltonians: A_k, (channels, d, d), traceless, Hermitian, orthogonal.
        states: rho_k, (channels, d, d), traceless, Hermitian, orthonormal.
    """

    hamiltonians: Array
    states: Array

    @classmethod
    def of(cls, hamiltonians: Array, states: Array) -> BlockEnergy:
        """The Schmidt form of any channels whose sum is real.

        Args:
            hamiltonians: (channels, d, d), Hermitian or not.
            states: (channels, d, d), the same.
        """
        d = hamiltonians.shape[-1]
        sides = []
        for matrices, sign in ((hamiltonians, 1.0), (states, -1.0)):
            adjoint = matrices.conj().swapaxes(1, 2)
            # Re tr(A U rho U+) has the Hermitian parts of A and rho, less the anti-Hermitian ones over i
            both = np.concatenate([(matrices + adjoint) / 2, sign * (matrices - adjoint) / 2j])
            both = both - np.trace(both, axis1=1, axis2=2)[:, None, None] * np.eye(d) / d
            sides.append(np.linalg.qr(both.reshape(len(both), d * d).view(float).T))
        (q, a), (p, b) = sides
        u, s, v = np.linalg.svd(a @ b.T)
        kept = s > 1e-14 * s.max(initial=1e-300)

        def matrices_of(columns: Array) -> Array:
            return np.ascontiguousarray(columns.T).view(complex).reshape(-1, d, d)

        return cls(matrices_of(q @ u[:, kept] * s[kept]), matrices_of(p @ v.T[:, kept]))

    @classmethod
    def of_correlations(cls, correlations: Array) -> BlockEnergy:
        """E = sum_ab K_ab R_ab from K, (d^2 - 1, d^2 - 1); see `rotors`."""
        g = operator_basis(round((len(correlations) + 1) ** 0.5))[1:]
        return cls.of(np.tensordot(correlations, g, (0, 0)), g)

    @property
    def d(self) -> int:
        """Dimension of the block."""
        return self.states.shape[-1]

    @property
    def scale(self) -> float:
        """Size of the energies: the sum of the weights of the channels."""
        return float(np.linalg.norm(self.hamiltonians, axis=(1, 2)).sum())

    def __neg__(self) -> BlockEnergy:
        return BlockEnergy(-self.hamiltonians, self.states)

    def slope(self, unitary: Array) -> tuple[float, Array]:
        """E(U) and dE/dU* = sum_k A_k U rho_k."""
        gradient = np.zeros_like(unitary, dtype=complex)
        for a, rho in zip(self.hamiltonians, self.states, strict=True):
            gradient += a @ (unitary @ rho)
        return float(np.vdot(unitary, gradient).real), gradient

    def slopes(self, unitaries: Array) -> tuple[float, Array]:
        """The same for a stack of one."""
        energy, gradient = self.slope(unitaries[0])
        return energy, gradient[None]

    @property
    def correlations(self) -> Array:
        """K_ab with E = sum_ab K_ab R_ab for the rotation of U."""
        g = operator_basis(self.d)[1:]
        a, rho = (np.einsum("aij,kji->ka", g, m).real for m in (self.hamiltonians, self.states))
        return a.T @ rho


def drawn(energies: Sequence[BlockEnergy], starts: int = 8, seed: int = 0, relaxed: int = RELAXED) -> list[Extremum]:
    """The most that a unitary on each block draws, max over U of E(1) - E(U), with a bound from above.

    One channel (no interaction) is solved by ordering: the largest populations go to the lowest levels. A qubit has its
    closed form. Else a semidefinite relaxation gives the bound up to dimension `RELAXED`, and its solution the first
    start of a descent: E is linear in the channel rho -> U rho U+, which is relaxed to any channel that keeps the
    identity [semidefinite bounds on local ergotropy: Salvia, De Palma, Giovannetti 2023, PRA 107, 012405]. The gap
    mostly closes for d = 3 and often for d = 4; for the few channels of a short range it closes up to 16. Where it does
    not, more starts follow. For larger blocks the bound is the sum of what each channel alone could draw.

    Args:
        energies: What the blocks see.
        starts: Most descents of a block.
        seed: Of the random starts.
        relaxed: Largest dimension of a block whose bound comes from the relaxation; 8 takes 0.1 s, 16 four seconds.
    """
    searched = [n for n, e in enumerate(energies) if len(e.states) > 1 and 2 < e.d <= relaxed]
    known: dict[int, tuple[float, Array]] = {}
    for d in {energies[n].d for n in searched}:
        members = [n for n in searched if energies[n].d == d]
        known |= dict(zip(members, _relaxations([energies[n] for n in members]), strict=True))
    out = []
    for n, energy in enumerate(energies):
        one = np.eye(energy.d, dtype=complex)
        narrow = Narrowed.of(energy.hamiltonians, energy.states) if energy.d > WIDE and len(energy.states) > 1 else None
        here, _ = narrow.slopes(narrow.columns(one)) if narrow else energy.slope(one)
        if len(energy.states) <= 1:
            reached, unitary = _ordered(energy)
            bound = reached
        elif energy.d == 2:
            unitary = unitary_of(lowest_rotation(energy.correlations))
            bound = reached = energy.slope(unitary)[0]
        else:
            floor, start = known.get(n) or (_channel_by_channel(energy), None)
            begin = _starts(energy, start, starts, np.random.default_rng(seed))
            if narrow:
                reached, columns = lowest(narrow.slopes, [narrow.columns(u[0]) for u in begin], floor, energy.scale)
                unitary = narrow.unitary(columns)
            else:
                reached, (unitary,) = lowest(energy.slopes, begin, floor, energy.scale)
            bound = min(floor, reached)
        if reached >= here:
            reached, unitary = here, one
        out.append(Extremum(here - reached, here - min(bound, reached), (unitary,)))
    return out


def _ordered(energy: BlockEnergy) -> tuple[float, Array]:
    """The lowest energy of one channel, populations falling where levels rise, and its unitary."""
    if len(energy.states) == 0:
        return 0.0, np.eye(energy.d, dtype=complex)
    e, levels = np.linalg.eigh(energy.hamiltonians[0])
    r, vectors = np.linalg.eigh(energy.states[0])
    return float(e @ r[::-1]), levels @ vectors[:, ::-1].conj().T


def _channel_by_channel(energy: BlockEnergy) -> float:
    """A lower bound on E: the sum of what each channel alone could reach."""
    e, r = np.linalg.eigvalsh(energy.hamiltonians), np.linalg.eigvalsh(energy.states)
    return float(np.sum(e * r[:, ::-1]))


def _relaxations(energies: Sequence[BlockEnergy]) -> list[tuple[float, Array]]:
    """Lower bounds on E over all channels that keep the identity, and the unitaries nearest to the best channels.

    E = <<U|Q|U>> with Q = sum_k A_k x rho_k^T; |U>><<U| is relaxed to a positive X whose both partial traces are one.
    """
    d = energies[0].d
    costs = np.array([np.einsum("kqr,kps->qsrp", e.hamiltonians, e.states).reshape(d * d, d * d) for e in energies])
    targets = np.zeros(2 * d * d - 1)
    targets[0] = d**0.5
    bounds, x = relax(costs, PartialTraces(operator_basis(d)), targets, float(d))
    leading = np.linalg.eigh(x)[1][:, :, -1].reshape(-1, d, d)
    return list(zip(bounds.tolist(), polar(leading), strict=True))


def _starts(energy: BlockEnergy, relaxed: Array | None, starts: int, rng: np.random.Generator) -> list[Array]:
    """Unitaries to start from: from the relaxation, the strongest channel, the identity and at random."""
    first = [] if relaxed is None else [relaxed]
    first += [_ordered(BlockEnergy(energy.hamiltonians[:1], energy.states[:1]))[1],
              polar(np.eye(energy.d) + 1e-3 * haar(rng, energy.d))]      # the identity itself can be a saddle
    first += [haar(rng, energy.d) for _ in range(starts - len(first))]
    return [u[None] for u in first[:max(1, starts)]]
