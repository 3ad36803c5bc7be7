"""Krylov exponentials exp(z A) v with a reported residual."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh_tridiagonal, expm

Array = np.ndarray

GOLDEN = 0.618034
"""Part of the way at which an entry cannot vanish together with that at the end."""


def _first_phi(x: Array) -> Array:
    """(exp(x) - 1) / x."""
    return np.where(x == 0, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))


def exponential(apply: Callable[[Array], Array], vector: Array, z: complex, tolerance: float = 1e-12,
                dimension: int = 40) -> tuple[Array, float]:
    """exp(z A) v for Hermitian A by Lanczos with full reorthogonalisation.

    Stops when the a-posteriori estimate |v| beta_m |z| |[exp(z T)]_{m,1}| (Hochbruck, Lubich 1997, eq. 27 to first
    order) is below `tolerance` |v|. The error is an integral over the way from 0 to z, and the entry may vanish at its
    end only, as after half a period or a long decay: so the entry on the way and that of phi_1(z T), the integral
    without what follows [Saad 1992, SIAM J. Numer. Anal. 29, 209], must be small too. A step that does not get there
    within `dimension` vectors is halved.

    Args:
        apply: v -> A v, any shape.
        vector: v.
        z: Prefactor, such as -1j * dt.
        tolerance: Wanted error relative to |v|.
        dimension: Largest Krylov space.

    Returns:
        (exp(z A) v, estimated error in norm).
    """
    shape, norm = vector.shape, float(np.linalg.norm(vector))
    if norm == 0 or z == 0:
        return vector, 0.0
    basis = np.empty((min(dimension, vector.size) + 1, vector.size), dtype=np.result_type(vector, z))
    basis[0] = vector.ravel() / norm
    alpha: list[float] = []
    beta: list[float] = []
    for m in range(1, len(basis)):
        w = apply(basis[m - 1].reshape(shape)).ravel()
        overlaps = (basis[:m] @ w.conj()).conj()
        w = w - overlaps @ basis[:m]
        w -= (basis[:m] @ w.conj()).conj() @ basis[:m]
        alpha.append(float(overlaps[-1].real))
        beta.append(float(np.linalg.norm(w)))
        e, u = eigh_tridiagonal(alpha, beta[:-1]) if m > 1 else (np.array(alpha), np.ones((1, 1)))
        y = u @ (np.exp(z * e) * u[0])
        residual = beta[-1] * abs(y[-1]) * abs(z)
        if residual < tolerance:
            on_the_way = u[-1] @ (np.stack([np.exp(GOLDEN * z * e), _first_phi(z * e)], 1) * u[0][:, None])
            residual = max(residual, beta[-1] * float(np.abs(on_the_way).max()) * abs(z))
        if residual < tolerance or m == vector.size or beta[-1] < 1e-14 * max(1.0, abs(alpha[0])):
            return (norm * (y @ basis[:m])).reshape(shape), norm * min(residual, beta[-1])
        basis[m] = w / beta[-1]
    half, first = exponential(apply, vector, z / 2, tolerance / 2, dimension)
    full, second = exponential(apply, half, z / 2, tolerance / 2, dimension)
    return full, first + second


def general_exponential(apply: Callable[[Array], Array], vector: Array, z: complex, tolerance: float = 1e-12,
                        dimension: int = 40) -> tuple[Array, float]:
    """exp(z A) v for any A by Arnoldi; arguments, stopping and result as for `exponential`."""
    shape, norm = vector.shape, float(np.linalg.norm(vector))
    if norm == 0 or z == 0:
        return vector, 0.0
    size = min(dimension, vector.size)
    basis = np.empty((size + 1, vector.size), dtype=np.result_type(vector, z))
    basis[0] = vector.ravel() / norm
    h = np.zeros((size + 1, size), dtype=basis.dtype)
    for m in range(1, size + 1):
        w = apply(basis[m - 1].reshape(shape)).ravel()
        for _ in range(2):                                               # twice is enough
            overlaps = (basis[:m] @ w.conj()).conj()
            w = w - overlaps @ basis[:m]
            h[:m, m - 1] += overlaps
        h[m, m - 1] = np.linalg.norm(w)
        y = expm(z * h[:m, :m])[:, 0]
        residual = abs(h[m, m - 1] * y[-1] * z)
        if residual < tolerance:
            larger = np.zeros((m + 2, m + 2), dtype=y.dtype)            # exp of [[A, e1, 0], [0, 0, 1], [0, 0, 0]]
            larger[:m, :m] = z * h[:m, :m]                               # holds phi_1(A) e1 and phi_2(A) e1
            larger[0, m] = larger[m, m + 1] = 1.0
            residual = max(residual, abs(h[m, m - 1] * z) * float(np.abs(expm(larger)[m - 1, m:]).max()))
        if residual < tolerance or m == vector.size or abs(h[m, m - 1]) < 1e-14 * max(1.0, abs(h[0, 0])):
            return (norm * (y @ basis[:m])).reshape(shape), norm * float(min(residual, abs(h[m, m - 1])))
        basis[m] = w / h[m, m - 1]
    half, first = general_exponential(apply, vector, z / 2, tolerance / 2, dimension)
    full, second = general_exponential(apply, half, z / 2, tolerance / 2, dimension)
    return full, first + second


def lowest(apply: Callable[[Array], Array], vector: Array, tolerance: float = 1e-13, dimension: int = 20
           ) -> tuple[float, Array, float]:
    """Lowest eigenpair of a Hermitian operator by Lanczos from a guess, with full reorthogonalisation.

    Args:
        apply: v -> A v, any shape.
        vector: Guess of unit norm.
        tolerance: Stop when the residual norm falls below this times the largest Ritz value.
        dimension: Largest Krylov space; the best vector so far is returned where it does not suffice.

    Returns:
        (Ritz value, Ritz vector of unit norm, residual norm).
    """
    shape = vector.shape
    basis = np.empty((min(dimension, vector.size) + 1, vector.size), dtype=np.result_type(vector, float))
    basis[0] = vector.ravel() / np.linalg.norm(vector)
    alpha: list[float] = []
    beta: list[float] = []
    for m in range(1, len(basis)):
        w = apply(basis[m - 1].reshape(shape)).ravel()
        overlaps = (basis[:m] @ w.conj()).conj()
        w = w - overlaps @ basis[:m]
        w -= (basis[:m] @ w.conj()).conj() @ basis[:m]
        alpha.append(float(overlaps[-1].real))
        beta.append(float(np.linalg.norm(w)))
        e, u = eigh_tridiagonal(alpha, beta[:-1]) if m > 1 else (np.array(alpha), np.ones((1, 1)))
        residual = beta[-1] * abs(u[-1, 0])
        if residual < tolerance * max(abs(e[0]), abs(e[-1]), 1e-300) or m == len(basis) - 1:
            break
        basis[m] = w / beta[-1]
    ritz = u[:, 0] @ basis[:m]
    return float(e[0]), (ritz / np.linalg.norm(ritz)).reshape(shape), residual
