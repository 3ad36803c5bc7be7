"""Cells that are all alike around one mode, solved in the space of permutation-symmetric densities.

Shares no code with the engine. A density of N two-level systems that no permutation changes is a vector of the
symmetric part of N copies of C^4, the space of the units |0><0|, |0><1|, |1><0|, |1><1| (0 is up), and so a state of
four bosonic modes with N quanta: C(N + 3, 3) occupations. A superoperator M that acts on every cell alike is
sum_ij M_ij b_i+ b_j. The mode is kept as its whole density, (cutoff + 1)^2.
"""

from itertools import product
from math import comb, sqrt

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import expm_multiply

RAISE, PAULI_Z = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])


def left(a):
    """rho -> a rho on rho.ravel(), rows first."""
    return np.kron(a, np.eye(len(a)))


def right(a):
    """rho -> rho a."""
    return np.kron(np.eye(len(a)), a.T)


def leak(a):
    """rho -> a rho a+ - {a+ a, rho} / 2."""
    decay = a.conj().T @ a
    return np.kron(a, a.conj()) - 0.5 * (left(decay) + right(decay))


class Cells:
    """Symmetric densities of N two-level systems."""

    def __init__(self, N):
        self.N = N
        self.occupations = [o for o in product(range(N + 1), repeat=4) if sum(o) == N]
        self.place = {o: k for k, o in enumerate(self.occupations)}

    def all_alike(self, m):
        """sum over the cells of the superoperator m (4, 4)."""
        out = sp.lil_matrix((len(self.place), len(self.place)), dtype=complex)
        for old, k in self.place.items():
            for i, j in product(range(4), range(4)):
                if m[i, j] and old[j]:
                    new = list(old)
                    new[j] -= 1
                    factor = sqrt(old[j] * (new[i] + 1))
                    new[i] += 1
                    out[self.place[tuple(new)], k] += m[i, j] * factor
        return out.tocsr()

    def trace(self):
        """The row vector of the trace."""
        row = np.zeros(len(self.place))
        for up in range(self.N + 1):
            row[self.place[up, 0, 0, self.N - up]] = sqrt(comb(self.N, up))
        return row


def charged(rotating, times, *, cells, photons, cutoff, splitting, coupling, loss, decay, dephasing):
    """Mean Z of a cell, its mean X, photons and trace at evenly spaced times from zero, each (time,)."""
    group, a = Cells(cells), np.diag(np.sqrt(np.arange(1.0, cutoff + 1)), 1)
    up = (np.eye(2) + PAULI_Z) / 2
    cell = -1j * splitting * (left(up) - right(up)) + decay * leak(RAISE.T) + dephasing / 2 * leak(PAULI_Z)
    mode = -1j * splitting * (left(a.T @ a) - right(a.T @ a)) + loss * leak(a)
    total = sp.kron(sp.identity(len(mode)), group.all_alike(cell)) + sp.kron(mode, sp.identity(len(group.place)))
    for f, s in [(a, RAISE), (a.T, RAISE.T)] if rotating else [(a + a.T, RAISE + RAISE.T)]:
        for side, sign in ((left, -1j), (right, 1j)):
            total = total + sign * coupling * sp.kron(side(f), group.all_alike(side(s)))
    start = np.zeros((cutoff + 1, cutoff + 1, len(group.place)), dtype=complex)
    start[photons, photons, group.place[0, 0, 0, cells]] = 1
    vectors = expm_multiply(total.tocsr(), start.ravel(), start=0, stop=times[-1], num=len(times))
    vacuum, trace = np.eye(cutoff + 1).ravel(), group.trace()
    rows = {"z": np.kron(vacuum, trace @ group.all_alike(left(PAULI_Z)) / cells),
            "x": np.kron(vacuum, trace @ group.all_alike(left(RAISE + RAISE.T)) / cells),
            "photons": np.kron((a.T @ a).ravel(), trace), "trace": np.kron(vacuum, trace)}
    return {name: (vectors @ row).real for name, row in rows.items()}
