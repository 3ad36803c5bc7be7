"""Unitaries on one cell: rotations of its operators, the closed form of a qubit, and descent over many of them.

In an orthonormal Hermitian basis G_0 = 1 / sqrt(d), G_a of the operators on d levels (`DensitySite`) a unitary is a
rotation, U+ G_a U = sum_b R_ab G_b with R real and orthogonal; for a qubit any rotation of three dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.optimize import minimize

from mps_battery.sites import Boson, DensitySite

Array = np.ndarray
Slope = Callable[[Array], tuple[float, Array]]

FINE, ROUGH, DESCENTS = 4e-16, 1e-6, 3
"""Relative changes of the energy at which descents end, and how many rough ones are followed to the bottom."""
CLOSED = 1e-8
"""Gap, relative to the size of the energies, at which an extremum counts as found."""


@cache
def operator_basis(d: int) -> Array:
    """The Hermitian basis of `DensitySite`, G_0 = 1 / sqrt(d) first; (d^2, d, d)."""
    return DensitySite(Boson(d - 1)).basis


def rotations(unitaries: Array) -> Array:
    """R_ab = tr(G_a U G_b U+), a and b without the identity; (..., d, d) -> (..., d^2 - 1, d^2 - 1)."""
    g = operator_basis(unitaries.shape[-1])[1:]
    turned = unitaries[..., None, :, :] @ g @ unitaries[..., None, :, :].conj().swapaxes(-1, -2)
    return np.einsum("aij,...bji->...ab", g, turned).real


def unitary_of(rotation: Array) -> Array:
    """The unitaries of rotations, up to their phase: |U>><<U| = 1 / d + sum_ab R_ab G_a x conj(G_b)."""
    d = round((rotation.shape[-1] + 1) ** 0.5)
    g = operator_basis(d)[1:]
    projector = np.einsum("...ab,aij,bkl->...ikjl", rotation, g, g.conj(), optimize=True)
    projector = projector.reshape(*rotation.shape[:-2], d * d, d * d) + np.eye(d * d) / d
    return polar(np.linalg.eigh(projector)[1][..., -1].reshape(*rotation.shape[:-2], d, d))


def lowest_rotation(correlations: Array) -> Array:
    """The rotation R of three dimensions with the smallest tr(R^T K), for a stack of K; (..., 3, 3).

    With K = u s v, s1 >= s2 >= s3, it is R = u diag(-1, -1, det u det v) v, which gives -(s1 + s2 - sign(det K) s3)
    [REFERENCES: Salvia, De Palma, Giovannetti 2023, PRA 107, 012405].
    """
    u, _, v = np.linalg.svd(correlations)
    last = np.linalg.det(u) * np.linalg.det(v)
    signs = np.stack([-np.ones_like(last), -np.ones_like(last), last], axis=-1)
    return (u * signs[..., None, :]) @ v


def polar(matrices: Array) -> Array:
    """The nearest unitaries."""
    u, _, v = np.linalg.svd(matrices, full_matrices=False)
    return u @ v


def haar(rng: np.random.Generator, *shape: int) -> Array:
    """Random unitaries without a preferred direction, (..., d, d); the last entry of the shape is d."""
    full = (*shape, shape[-1])
    return polar(rng.normal(size=full) + 1j * rng.normal(size=full))


def lowest(slope: Slope, starts: Sequence[Array], floor: float, scale: float) -> tuple[float, Array]:
    """The lowest energy of several unitaries that descents find: all starts roughly, the best few to the bottom.

    Args:
        slope: (n, d, d) unitaries, or (n, d, m) isometries, -> energy and gradient dE/dU* of every one.
        starts: (n, d, d) each; the first, taken to the bottom at once, ends the search where it meets the floor.
        floor: A lower bound on the energy.
        scale: Size of the energies, in whose units convergence is judged.

    Returns:
        The energy and the unitaries.
    """
    best = _descend(slope, starts[0], scale, FINE)
    if best[0] - floor > CLOSED * scale:
        rough = sorted((_descend(slope, start, scale, ROUGH) for start in starts[1:]), key=lambda found: found[0])
        for _, start in rough[:DESCENTS]:
            best = min(best, _descend(slope, start, scale, FINE), key=lambda found: found[0])
    return best


def _descend(slope: Slope, start: Array, scale: float, tolerance: float) -> tuple[float, Array]:
    """The local minimum below a start, by L-BFGS.

    The unitaries are the polar factors of free matrices X = w s v, along which a gradient G = dE/dU* becomes
    2 w P v with P_ij = (w+ G v+ - h.c.)_ij / (s_i + s_j): what stretches X costs nothing, and no step leaves the group.
    Of isometries (fewer columns than rows) 2 (1 - w w+) G v+ s^-1 v is added, by what turns columns out of their span.
    """
    shape = start.shape

    def wrapped(parameters: Array) -> tuple[float, Array]:
        w, s, v = np.linalg.svd(parameters.view(complex).reshape(shape), full_matrices=False)
        energy, g = slope(w @ v)
        g = g @ v.conj().swapaxes(-1, -2)
        inside = w.conj().swapaxes(-1, -2) @ g
        p = 2 * (inside - inside.conj().swapaxes(-1, -2)) / (s[:, :, None] + s[:, None, :])
        back = w @ p
        if shape[-2] > shape[-1]:
            back = back + 2 * (g - w @ inside) / s[:, None, :]
        return energy / scale, np.ascontiguousarray(back @ v / scale).reshape(-1).view(float)

    found = minimize(wrapped, np.ascontiguousarray(start, dtype=complex).reshape(-1).view(float), jac=True,
                     method="L-BFGS-B", options={"ftol": tolerance, "gtol": 1e-10, "maxiter": 1000, "maxfun": 3000})
    return float(found.fun) * scale, polar(found.x.view(complex).reshape(shape))
