"""References that need no train, or only products of one: independent of every tool that is compared.

Chains of up to about 18 sites as vectors of their conserved magnetisation, by scipy's exponential of a sparse matrix
acting on a vector [Al-Mohy and Higham 2011, SIAM J. Sci. Comput. 33, 488], which is right to rounding. Local work by
the density matrix of every three neighbours.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import expm_multiply
from workloads import Workload, couplings, occupations, train


def magnetisation(workload: Workload, pieces: int = 1) -> np.ndarray:
    """<Sz> of every site, (chain, time, site), of a job of kind "many" without fields along x.

    Args:
        workload: The job.
        pieces: Into how many equal steps the way from record to record is cut.
    """
    p, times = workload.parameters, workload.times
    assert not np.any(p["hx"])
    n, start = p["n"], np.array([c == "u" for c in p["start"]])
    ups = np.array([[k in places for k in range(n)] for places in combinations(range(n), int(start.sum()))])
    numbers = ups @ (1 << np.arange(n))
    order = np.argsort(numbers)
    ups, numbers, sz = ups[order], numbers[order], ups[order] - 0.5
    here, there = [], []
    for k in range(n - 1):
        anti = np.flatnonzero(ups[:, k] != ups[:, k + 1])
        here.append(anti)
        there.append(np.searchsorted(numbers, numbers[anti] ^ (3 << k)))       # both spins of the bond turn over
    rows, columns = np.concatenate(there), np.concatenate(here)
    hop = sparse.csr_array((np.full(len(rows), p["xy"] / 2), (rows, columns)), shape=(len(ups), len(ups)))
    bonds = p["z"] * (sz[:, :-1] * sz[:, 1:]).sum(1)
    out = []
    for fields in p["hz"]:
        h = hop + sparse.diags_array(bonds + sz @ fields)
        psi = np.zeros(len(ups), complex)
        psi[np.searchsorted(numbers, start @ (1 << np.arange(n)))] = 1.0
        line = [np.abs(psi) ** 2 @ sz]
        for interval in np.diff(times):
            for _ in range(pieces):
                psi = expm_multiply(-1j * interval / pieces * h, psi)
            line.append(np.abs(psi) ** 2 @ sz)
        out.append(line)
    return np.array(out)


PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def cells(workload: Workload) -> dict[str, np.ndarray]:
    """Ergotropy and capacity of every cell and density matrices of every site.

    Only the bonds and the field that touch cell n count, and a unitary q_0 - i (q_1 X + q_2 Y + q_3 Z) turns their
    energy in the density matrix of n and its neighbours into a quadratic form of the real unit vector q, whose
    extreme eigenvalues are the least and the largest energy.
    """
    p = workload.parameters
    tensors, n = train(p["n"], p["bond"]), p["n"]
    right = [np.ones((1, 1))]                                            # ket bra
    for a in reversed(tensors):
        env = np.einsum("apb,bc,dpc->ad", a, right[0], a.conj(), optimize=True)
        right.insert(0, env / np.trace(env).real)
    quaternion = PAULI * np.array([1, -1j, -1j, -1j])[:, None, None]
    left, out = np.ones((1, 1)), {"ergotropy": [], "capacity": [], "densities": []}
    lefts = [left]
    for a in tensors:
        left = np.einsum("ab,apc,bpd->cd", left, a, a.conj(), optimize=True)
        left = left / np.trace(left).real
        lefts.append(left)
    for k in range(n):
        first, last = max(k - 1, 0), min(k + 1, n - 1)
        ket = tensors[first]
        for a in tensors[first + 1:last + 1]:
            ket = np.tensordot(ket.reshape(len(ket), -1, ket.shape[-1]), a, 1)
        ket = ket.reshape(len(ket), -1, ket.shape[-1])
        rho = np.einsum("ab,apc,cd,bqd->pq", lefts[first], ket, right[last + 1], ket.conj(), optimize=True)
        rho = rho / np.trace(rho).real
        h, size = np.zeros_like(rho), last - first + 1
        for j in range(size - 1):
            for m, s in zip(PAULI[1:], (1.0, 1.0, p["z"]), strict=True):
                h += s * _on(size, {j: m, j + 1: m})
        h += p["h"] * _on(size, {k - first: PAULI[3]})
        turned = np.array([_on(size, {k - first: m}) for m in quaternion])
        form = np.einsum("aji,jk,bkl,li->ab", turned.conj(), h, turned, rho, optimize=True).real
        least, *_, most = np.linalg.eigvalsh((form + form.T) / 2)
        out["ergotropy"].append(np.trace(h @ rho).real - least)
        out["capacity"].append(most - least)
        here = rho.reshape(2 ** (k - first), 2, 2 ** (last - k), 2 ** (k - first), 2, 2 ** (last - k))
        out["densities"].append(np.einsum("apbaqb->pq", here))
    return {name: np.array(values) for name, values in out.items()}


def _on(size: int, matrices: dict[int, np.ndarray]) -> np.ndarray:
    """A product of one-site matrices on a few sites."""
    out = np.ones((1, 1))
    for k in range(size):
        out = np.kron(out, matrices.get(k, np.eye(2)))
    return out


def elements(workload: Workload) -> np.ndarray:
    """Elements of the SYK Hamiltonian between states of given occupation, by moving fermions one after the other."""
    n = workload.parameters["n"]
    numbers, j, out = {}, couplings(n), []
    for pair in combinations(range(n), 2):
        numbers[pair] = len(numbers)
    for bra, ket in occupations(n):
        value = 0.0
        for k, m in combinations(np.flatnonzero(ket), 2):
            one, sign = _annihilated(ket, (m, k))
            for i, o in combinations(np.flatnonzero(bra), 2):
                other, back = _annihilated(bra, (i, o))                  # <bra| c+_i c+_o is this, conjugated
                if np.array_equal(one, other):
                    value += 4 * j[numbers[i, o], numbers[k, m]] * sign * back
        out.append(value)
    return np.array(out)


def _annihilated(occupied: np.ndarray, modes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Fermions taken out one after the other; a sign for every one that stands before."""
    left, sign = occupied.copy(), 1
    for k in modes:
        sign *= (-1) ** int(left[:k].sum())
        left[k] = 0
    return left, sign
