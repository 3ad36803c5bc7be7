"""What the outcomes of a measurement tell, good where it is tiny."""

from __future__ import annotations

import numpy as np

from mps_battery.tensors.mps import entropy_of

Array = np.ndarray

SMALL = 1e-6
"""Relative entropy below which its two parts cancel, and it is taken as an integral instead."""


def entropy(rho: Array) -> float:
    """-tr rho ln rho."""
    return entropy_of(np.linalg.eigvalsh(rho))


def holevo(weights: Array, states: Array) -> float:
    """S(sum_k p_k rho_k) - sum_k p_k S(rho_k); weights (outcomes,), states (outcomes, d, d)."""
    mean = np.tensordot(weights, states, 1)
    return float(sum(p * relative_entropy(rho, mean) for p, rho in zip(weights, states, strict=True)))


def relative_entropy(rho: Array, sigma: Array) -> float:
    """tr rho (ln rho - ln sigma) of a state whose support lies within that of sigma, good where it is tiny.

    With D = rho - sigma it is int_0^1 ds (1 - s) sum_ij |D_ij|^2 / L_ij, where D_ij are taken in the eigenbasis of
    sigma + s D and L_ij is the logarithmic mean of two of its eigenvalues.
    """
    levels, vectors = np.linalg.eigh(sigma)
    inside = levels > 1e-14 * levels[-1]
    populations = np.einsum("ik,ij,jk->k", vectors.conj(), rho, vectors, optimize=True).real
    direct = -entropy(rho) - float(populations[inside] @ np.log(levels[inside]))
    if direct > SMALL:
        return direct
    basis, total = vectors[:, inside], 0.0
    change = basis.conj().T @ (rho - sigma) @ basis
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for s, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        x, u = np.linalg.eigh(np.diag(levels[inside]) + s * change)
        ratio = np.log(x[:, None] / x) if x[0] > 0 else np.zeros((len(x),) * 2)
        close = np.abs(ratio) < 1e-4                                     # L = sqrt(x y) sinh(r / 2) / (r / 2)
        half = np.where(close, 1.0, ratio / 2)
        mean = np.sqrt(np.abs(x[:, None] * x)) * np.where(close, 1.0 + ratio**2 / 24, np.sinh(half) / half)
        d = np.abs(u.conj().T @ change @ u) ** 2
        total += w * (1 - s) * float((d / mean).sum())
    return total
