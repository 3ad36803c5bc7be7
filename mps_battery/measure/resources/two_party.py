"""Correlations between two parties, from their density matrix or a stack of them. Logarithms are natural."""

from __future__ import annotations

import numpy as np
from scipy.special import elliprg

from mps_battery.checks import InputError, must
from mps_battery.measure.resources.entropies import renyi
from mps_battery.measure.work.ergotropy import PAULI

Array = np.ndarray
Dims = tuple[int, int]

_FLIP = np.array([[0, 0, 0, -1], [0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0]])          # Y x Y


def mutual_informations(rhos: Array, dims: Dims = (2, 2)) -> Array | float:
    """S_A + S_B - S_AB >= 0.

    Args:
        rhos: Density matrices (..., d_A d_B, d_A d_B), party A leading.
        dims: (d_A, d_B).

    Returns:
        One value a matrix, in nats.
    """
    rhos = checked(rhos, dims)
    parts = (rhos, *marginals(rhos, dims))
    whole, first, second = (renyi(np.linalg.eigvalsh(r)) for r in parts)
    return np.maximum(first + second - whole, 0.0)


def log_negativities(rhos: Array, dims: Dims = (2, 2)) -> Array | float:
    """ln |rho^T_B|_1, zero for every separable state [Plenio 2005, Phys. Rev. Lett. 95, 090503].

    Arguments as for `mutual_informations`. At most ln min(d_A, d_B); for two qubits positive where they are entangled.
    """
    rhos = checked(rhos, dims)
    (a, b), size = dims, rhos.shape[-1]
    flipped = rhos.reshape(-1, a, b, a, b).swapaxes(2, 4).reshape(-1, size, size)
    values = np.log(np.abs(np.linalg.eigvalsh(flipped)).sum(axis=-1))
    return np.maximum(values, 0.0).reshape(rhos.shape[:-2])


def concurrences(rhos: Array) -> Array | float:
    """Concurrence of two qubits, from 0 (separable) to 1 (Bell) [Wootters 1998, Phys. Rev. Lett. 80, 2245].

    max(0, s1 - s2 - s3 - s4) with the singular values of tau_kl = <v_k| YY |v_l*>, where rho = sum_k |v_k><v_k|: these
    are the roots of the eigenvalues of rho YY rho* YY without the rounding that the root of an eigenvalue brings.
    Eigenvalues of rho below 1e-15 count as zero, since the concurrence depends on their roots.

    Args:
        rhos: Density matrices (..., 4, 4).
    """
    weights, vectors = np.linalg.eigh(checked(rhos, (2, 2)))
    v = vectors * np.sqrt(np.where(weights > 1e-15, weights, 0.0))[..., None, :]
    s = np.linalg.svd(v.swapaxes(-1, -2) @ _FLIP @ v, compute_uv=False)
    return np.maximum(2 * s[..., 0] - s.sum(axis=-1), 0.0)


def steering_witnesses(rhos: Array, settings: float = 3) -> Array | float:
    """Steering of one qubit by the other, seen where above one, from their correlations T_ab = <sigma_a sigma_b>.

    With n = 2 or 3 settings the linear inequality |sum_k <A_k B_k>| <= sqrt(n) [Cavalcanti, Jones, Wiseman, Reid 2009,
    Phys. Rev. A 80, 032112] at its best directions, orthogonal for one party: with singular values t1 >= t2 >= t3 of T,
    F_2 = sqrt(t1^2 + t2^2) and F_3 = sqrt(t1^2 + t2^2 + t3^2) [Costa, Angelo 2016, Phys. Rev. A 93, 020103].
    With all directions (infinity), F = 2 int |T n| dn / 4 pi = 2 R_G(t1^2, t2^2, t3^2) with Carlson's elliptic
    integral R_G: local hidden states give at most one, since max_m int |m n| dn / 4 pi = 1/2. This is the criterion
    1 / (2 pi N_T |det T|) > 1 of the steering ellipsoid [Jevtic, Hall, Anderson, Zwierz, Wiseman 2015, J. Opt. Soc. Am.
    B 32, A40] in closed form; where both marginals are maximally mixed it decides [Nguyen, Vu 2016, EPL 115, 10003].
    Only T is used: values up to one say nothing of other states, and both directions of steering are alike.

    Args:
        rhos: Density matrices (..., 4, 4).
        settings: 2, 3 or `numpy.inf`.

    Returns:
        F, at most sqrt(2), sqrt(3) or 2.
    """
    must(settings in (2, 3, np.inf), "settings", "be 2, 3 or infinity", settings)
    rhos = checked(rhos, (2, 2))
    products = np.einsum("aps,bqt->abpqst", PAULI, PAULI).reshape(3, 3, 4, 4)
    t2 = np.linalg.svd(np.einsum("abij,...ji->...ab", products, rhos).real, compute_uv=False) ** 2
    if settings == np.inf:
        return np.asarray(2 * elliprg(t2[..., 0], t2[..., 1], t2[..., 2]))
    return np.sqrt(t2[..., :int(settings)].sum(axis=-1))


def marginals(rhos: Array, dims: Dims) -> tuple[Array, Array]:
    """(rho_A, rho_B) of matrices (..., d_A d_B, d_A d_B)."""
    legs = rhos.reshape(*rhos.shape[:-2], *dims, *dims)
    return np.einsum("...pqsq->...ps", legs), np.einsum("...pqpt->...qt", legs)


def checked(rhos: Array, dims: Dims) -> Array:
    """Density matrices of two parties, Hermitian and of trace one to 1e-10."""
    rhos, size = np.asarray(rhos), int(np.prod(dims))
    must(rhos.shape[-2:] == (size, size), "rhos", f"be density matrices of {dims[0]} x {dims[1]} dimensions",
         rhos.shape)
    if not (np.allclose(rhos, rhos.conj().swapaxes(-1, -2), rtol=0, atol=1e-10)
            and np.allclose(np.trace(rhos, axis1=-2, axis2=-1), 1, rtol=0, atol=1e-10)):
        raise InputError("Argument `rhos` must be Hermitian and have trace one, but is not.")
    return rhos
