"""Large blocks in few directions: what a unitary sees of states that are maximally mixed everywhere else.

The states of E(U) = sum_k tr(A_k U rho_k U+) often differ from a number, rho_k = l_k + Q r_k Q+, on m of d directions
only: a block of a pure chain has at most as many as its two bonds together. The numbers l_k count for nothing, since
the A_k are traceless, so E depends on the m columns V = U Q alone. And the A_k, sums of products on few sites each,
have few entries a row. A slope takes O(d m (m + entries a row)) a channel instead of O(d^3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from mps_battery.measure.work.unitaries import polar

Array = np.ndarray

THIN = 0.1
"""Share of entries other than zero up to which a matrix is held as a sparse one."""


@dataclass(frozen=True)
class Narrowed:
    """E(V) = sum_k tr(A_k V r_k V+) of d x m matrices V with orthonormal columns.

    Args:
        hamiltonians: A_k, (d, d) each, dense or sparse.
        states: r_k, (channels, m, m).
        frame: Q, (d, m).
    """

    hamiltonians: Sequence[Array | sp.csr_matrix]
    states: Array
    frame: Array

    @classmethod
    def of(cls, hamiltonians: Array, states: Array, tolerance: float = 1e-13) -> Narrowed:
        """From Hermitian traceless A_k and Hermitian rho_k, (channels, d, d) each.

        The number l_k is the median of the eigenvalues of rho_k, which it is for sure where m < d / 2.
        """
        d = states.shape[-1]
        apart = states - np.median(np.linalg.eigvalsh(states), axis=1)[:, None, None] * np.eye(d)
        triangle = np.linalg.qr(apart.reshape(-1, d), mode="r")              # rows of all channels: their joint range
        _, s, v = np.linalg.svd(triangle)
        frame = np.ascontiguousarray(v[:np.count_nonzero(s > tolerance * s[0])].conj().T)
        within = frame.conj().T @ apart @ frame
        return cls([_thinned(a) for a in hamiltonians], within, frame)

    def slopes(self, columns: Array) -> tuple[float, Array]:
        """E(V) and dE/dV* of a stack of one, (1, d, m)."""
        v, gradient = columns[0], np.zeros_like(columns[0], dtype=complex)
        for a, r in zip(self.hamiltonians, self.states, strict=True):
            gradient += a @ (v @ r)
        return float(np.vdot(v, gradient).real), gradient[None]

    def columns(self, unitary: Array) -> Array:
        """V = U Q of a unitary, as a stack of one."""
        return (unitary @ self.frame)[None]

    def unitary(self, columns: Array) -> Array:
        """A unitary with U Q = V, on all other directions as near to one as can be."""
        m = self.frame.shape[1]
        before, after = (np.linalg.qr(x, mode="complete")[0][:, m:] for x in (self.frame, columns[0]))
        rest = after @ polar(after.conj().T @ before) @ before.conj().T if before.shape[1] else 0.0
        return columns[0] @ self.frame.conj().T + rest


def _thinned(matrix: Array) -> Array | sp.csr_matrix:
    """A matrix without the rounding that stands in for its zeros, sparse where that is worth while."""
    entries = np.abs(matrix) > 1e-15 * np.abs(matrix).max(initial=0.0)
    if np.count_nonzero(entries) > THIN * matrix.size:
        return matrix
    return sp.csr_matrix(np.where(entries, matrix, 0.0))
