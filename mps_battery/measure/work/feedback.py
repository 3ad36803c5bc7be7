"""What unitaries on a cell or block draw when they may depend on the outcome of a measurement elsewhere.

Outcome k leaves p_k rho_k behind and with it an energy E_k(U) of the block. One unitary U_0 for all outcomes draws W_0
from sum_k E_k; seen from U_0 every outcome has something more to give,

    sum_k max_U [E_k(1) - E_k(U)] = W_0 + sum_k max_V [E_k(U_0) - E_k(V U_0)],

and the second sum, the surplus, has no negative part. It may be tiny: no term here is a difference of energies.
A unitary q_0 - i v.sigma on a qubit has the energy q.M.q, a quadratic form in q = (q_0, v), and at the lowest
eigenvector M_00 - lambda = -M_0v.v / q_0, of second order in what is small. On the circle of one generator the energy
is b cos 2 phi + c sin 2 phi up to a constant, and b + sqrt(b^2 + c^2) = c^2 / (sqrt(b^2 + c^2) - b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.checks import InputError
from mps_battery.measure.work.block_energy import BlockEnergy, drawn
from mps_battery.measure.work.one_site import QUATERNIONS

Array = np.ndarray

LEVI_CIVITA = np.zeros((3, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_i, _j, _k], LEVI_CIVITA[_j, _i, _k] = 1.0, -1.0

EQUAL = 2e-15
"""Energies of a qubit that differ by less, relative to the largest, are one."""


@dataclass(frozen=True)
class Feedback:
    """The best answers to the outcomes of a measurement.

    Attributes:
        drawn: p_k max_U [E_k(1) - E_k(U)] of every outcome.
        surplus: What outcome k draws beyond the best common unitary, p_k included; their sum is the surplus.
        without: W_0, what one unitary for all outcomes draws.
        unitaries: One an outcome.
        gap: How much more than `without` plus surplus the best unitaries can draw at most.
    """

    drawn: Array
    surplus: Array
    without: float
    unitaries: tuple[Array, ...]
    gap: float = 0.0


# -- a qubit -----------------------------------------------------------------------------------------------------
def quaternion_form(correlations: Array) -> Array:
    """M with tr(R^T K) = q.M.q for the rotation R of q_0 - i v.sigma; K (..., 3, 3) -> (..., 4, 4)."""
    trace = np.trace(correlations, axis1=-2, axis2=-1)
    form = np.empty((*trace.shape, 4, 4))
    form[..., 0, 0] = trace
    form[..., 0, 1:] = form[..., 1:, 0] = -np.einsum("ijk,...ij->...k", LEVI_CIVITA, correlations)
    form[..., 1:, 1:] = correlations + correlations.swapaxes(-1, -2) - trace[..., None, None] * np.eye(3)
    return form


def qubit_work(correlations: Array) -> tuple[Array, Array]:
    """(W, q): tr K + s1 + s2 - sign(det K) s3 of `qubit_extremes` without cancellation, and what reaches it.

    Args:
        correlations: K, (outcomes, 3, 3).
    """
    form = quaternion_form(correlations)
    values, vectors = np.linalg.eigh(form)
    # of eigenvectors that rounding mixes, such as rotations about the axis of a field, the one nearest to the identity
    alike = values - values[..., :1] <= EQUAL * np.abs(values).max(axis=-1, keepdims=True)
    nearest = np.einsum("...ij,...j->...i", vectors, vectors[..., 0, :] * alike)
    size = np.linalg.norm(nearest, axis=-1, keepdims=True)
    q = np.where(size > 1e-3, nearest / np.maximum(size, 1e-3), vectors[..., 0])
    near = q[..., 0] ** 2 > 0.5
    small = -np.einsum("...k,...k->...", form[..., 0, 1:], q[..., 1:]) / np.where(near, q[..., 0], 1.0)
    return np.maximum(np.where(near, small, form[..., 0, 0] - values[..., 0]), 0.0), q


def rotation_of(q: Array) -> Array:
    """R_ab of U = q_0 - i v.sigma, U+ sigma_a U = sum_b R_ab sigma_b."""
    v = q[1:]
    return (q[0] ** 2 - v @ v) * np.eye(3) + 2 * np.outer(v, v) - 2 * q[0] * LEVI_CIVITA @ v


def of_qubit(correlations: Array) -> Feedback:
    """The best unitaries of a qubit; p_k K_k of every outcome, (outcomes, 3, 3)."""
    (without,), (common,) = qubit_work(correlations.sum(axis=0, keepdims=True))
    surplus, q = qubit_work(rotation_of(common).T @ correlations)
    first = np.tensordot(common, QUATERNIONS, 1)
    return Feedback(qubit_work(correlations)[0], surplus, float(without),
                    tuple(first @ np.tensordot(v, QUATERNIONS, 1) for v in q))


# -- one generator -----------------------------------------------------------------------------------------------
def reflection(generator: Array, name: str = "generator") -> Array:
    """Q with Q^2 = 1 that rotates as a generator with two different eigenvalues does."""
    if not np.allclose(generator, generator.conj().T, rtol=0, atol=1e-12):
        raise InputError(f"Argument `response` must name a Hermitian generator, but {name} is not.")
    values = np.linalg.eigvalsh(generator)
    middle, half = (values[-1] + values[0]) / 2, (values[-1] - values[0]) / 2
    if half == 0 or not np.allclose(np.abs(values - middle), half, rtol=1e-10, atol=0):
        raise InputError("Argument `response` must name a generator with two different eigenvalues, such as a Pauli "
                         f"matrix, but {name} has {np.array2string(values, precision=4)}.")
    return (generator - middle * np.eye(len(generator))) / half


def of_generator(b: Array, c: Array, q: Array) -> Feedback:
    """The best angles of exp(-i phi Q), Q^2 = 1, where outcome k has the energy b_k cos 2 phi + c_k sin 2 phi."""
    both = b.sum(keepdims=True), c.sum(keepdims=True)
    common = np.where(np.hypot(*both) > 0, np.arctan2(-both[1], -both[0]), 0.0)                            # 2 phi
    turned = b * np.cos(common) + c * np.sin(common), c * np.cos(common) - b * np.sin(common)
    more = np.where(np.hypot(*turned) > 0, np.arctan2(-turned[1], -turned[0]), 0.0)
    unitaries = tuple(np.cos(x) * np.eye(len(q)) - 1j * np.sin(x) * q for x in (common + more) / 2)
    return Feedback(_on_circle(b, c), _on_circle(*turned), float(_on_circle(*both)[0]), unitaries)


def _on_circle(b: Array, c: Array) -> Array:
    """b + sqrt(b^2 + c^2) without cancellation."""
    r = np.hypot(b, c)
    return np.where(b < 0, c * c / np.where(b < 0, r - b, 1.0), b + r)


def circle_of_qubit(correlations: Array, q: Array) -> tuple[Array, Array]:
    """(b_k, c_k) of a qubit from K_k and Q = n.sigma."""
    n = np.array([np.trace(q @ (1j * s)).real / 2 for s in QUATERNIONS[1:]])
    form = quaternion_form(correlations)
    return (form[:, 0, 0] - form[:, 1:, 1:] @ n @ n) / 2, form[:, 0, 1:] @ n


def circle_of_block(energies: Sequence[BlockEnergy], q: Array) -> tuple[Array, Array]:
    """(b_k, c_k) of any block."""
    one = np.eye(len(q), dtype=complex)
    b = [(e.slope(one)[0] - e.slope(q.astype(complex))[0]) / 2 for e in energies]
    c = [np.einsum("kij,jl,kli->", e.hamiltonians, q, e.states).imag for e in energies]
    return np.array(b), np.array(c)


# -- a block -----------------------------------------------------------------------------------------------------
def of_block(energies: Sequence[BlockEnergy], starts: int = 8, seed: int = 0) -> Feedback:
    """The best unitaries of a block that a search finds, with the gap to what none passes; see `drawn`."""
    together = BlockEnergy.of(np.concatenate([e.hamiltonians for e in energies]),
                              np.concatenate([e.states for e in energies]))
    common, *alone = drawn([together, *energies], starts, seed)
    first = common.unitaries[0]
    turned = [BlockEnergy(e.hamiltonians, first @ e.states @ first.conj().T) for e in energies]
    found = drawn(turned, starts, seed)
    unitaries = [x.unitaries[0] for x in found]
    surplus = np.array([_lowered(e, u) for e, u in zip(turned, unitaries, strict=True)])
    without = _lowered(together, first)
    gap = sum(x.bound for x in alone) - without - surplus.sum()
    own = np.array([max(_lowered(e, x.unitaries[0]), _lowered(e, u @ first))
                    for e, x, u in zip(energies, alone, unitaries, strict=True)])
    return Feedback(own, np.maximum(surplus, 0.0), max(without, 0.0), tuple(u @ first for u in unitaries),
                    max(float(gap), 0.0))


def _lowered(energy: BlockEnergy, unitary: Array) -> float:
    """E(1) - E(U) from D = exp(-i phase) U - 1, whose size is that of the change."""
    phase = np.trace(unitary)
    d = unitary * (abs(phase) / phase if phase else 1.0) - np.eye(len(unitary))
    change = 0.0
    for a, rho in zip(energy.hamiltonians, energy.states, strict=True):
        moved = a @ d @ rho
        change += 2 * np.trace(moved).real + np.vdot(d, moved).real
    return -change
