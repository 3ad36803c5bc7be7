"""Chains of up to about 18 sites as vectors of their conserved magnetisation: the reference of short chains.

Independent of every tool that is compared: scipy's exponential of a sparse matrix acting on a vector [Al-Mohy and
Higham 2011, SIAM J. Sci. Comput. 33, 488], which is right to rounding.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import expm_multiply
from workloads import Workload


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
