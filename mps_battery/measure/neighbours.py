"""Pauli correlations of neighbouring qubits: all that local work needs where energy reaches no further."""

from __future__ import annotations

import numpy as np

from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms, matrix_of

Array = np.ndarray

PAULI4 = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""The identity, X, Y, Z."""


def neighbour_correlations(state: MPS) -> Array:
    """<sigma_a sigma_b> of every two neighbours, a, b = 0 (identity), 1, 2, 3; (pairs, 4, 4), at least two qubits.

    With the centre on the left, the density matrix of sites n, n + 1 needs no environment from the right: it is
    tr(G_sp K_qt) with G_sp = A_s+ L A_p of site n and K_qt = B_q B_t+ of site n + 1, of which K_00 + K_11 = 1. In units
    of chi^3 that is 8 products a site, where environments of an XXZ energy take 50.
    """
    tensors = state.canonical(0).tensors
    left, out = np.ones((1, 1)), np.empty((len(tensors) - 1, 4, 4))      # vL* vL
    for n, b in enumerate(tensors[1:]):
        a = tensors[n]
        l, d, r = a.shape
        t = (left @ a.reshape(l, d * r)).reshape(-1, d * r)
        g = (a.reshape(l, d * r).conj().T @ t).reshape(d, r, d, r).transpose(0, 2, 1, 3)     # s p vR* vR
        left = g[0, 0] + g[1, 1]
        # K_00 and K_10 side by side, [vL] [vL*], turned to meet vR* vR
        k = b.transpose(1, 0, 2).reshape(d * r, -1).conj() @ b[:, 0].T                       # t vL*; vL
        first, last = g.reshape(d * d, r * r), k.reshape(d, r * r)
        both = (first @ last.T).reshape(d, d, d)                         # s p t: tr(G_sp K_0t)
        one = np.trace(g, axis1=2, axis2=3)
        rho = np.empty((2, 2, 2, 2), dtype=complex)                      # p q s t
        rho[:, 0, :, 0], rho[:, 0, :, 1] = both[:, :, 0].T, both[:, :, 1].T
        rho[:, 1, :, 1] = (one - both[:, :, 0]).T
        rho[:, 1, :, 0] = both[:, :, 1].conj()                           # K_10 = K_01+, G_sp = G_ps+
        out[n] = np.einsum("asp,btq,pqst->ab", PAULI4, PAULI4, rho).real / one.trace().real
    return out


def neighbour_table(terms: Terms) -> Array | None:
    """T of H = sum_n T_nab sigma_a sigma_b on qubits n, n + 1, a, b = 0 (identity), 1, 2, 3; (sites, 4, 4).

    The last site has b = 0 only. None where there are other sites, a single site, or terms of longer reach.
    """
    if len(terms.sites) < 2 or terms.reach > 1 or any(s.d != 2 for s in terms.sites):
        return None
    table, identity = np.zeros((len(terms.sites), 4, 4), dtype=complex), np.array([1, 0, 0, 0])
    for product, c in terms.products:
        factors = {n: np.einsum("aij,ji->a", PAULI4, matrix_of(o)) / 2 for n, o in product}
        n = min(factors, default=0)
        table[n] += c * np.outer(factors.get(n, identity), factors.get(n + 1, identity))
    return table.real.copy()


def neighbour_couplings(terms: Terms) -> tuple[Array, Array] | None:
    """(h, J) of H = const + sum_n h_na sigma_a + sum_n J_nab sigma_a sigma_b on qubits, a, b = 1, 2, 3.

    None as for `neighbour_table`.
    """
    table = neighbour_table(terms)
    if table is None:
        return None
    fields = table[:, 1:, 0].copy()
    fields[1:] += table[:-1, 0, 1:]
    return fields, table[:-1, 1:, 1:]


def neighbour_energy(correlations: Array, table: Array) -> float:
    """<H> of correlations (pairs, 4, 4) and the table of H."""
    return float(np.sum(table[:-1] * correlations) + table[-1, :, 0] @ correlations[-1, 0])


def cell_correlations(correlations: Array, fields: Array, couplings: Array) -> Array:
    """K_ab = <sigma_b B_a> of every site, B_a = h_a + sum_c (J_ac sigma_c of the next site + J_ca of the one before).

    Args:
        correlations: Of neighbours, (pairs, 4, 4).
        fields: h, (sites, 3).
        couplings: J, (pairs, 3, 3).
    """
    single = np.concatenate([correlations[:, 1:, 0], correlations[-1:, 0, 1:]])
    k = fields[:, :, None] * single[:, None, :]
    k[:-1] += np.einsum("nac,nbc->nab", couplings, correlations[:, 1:, 1:])
    k[1:] += np.einsum("nca,ncb->nab", couplings, correlations[:, 1:, 1:])
    return k
