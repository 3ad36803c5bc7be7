"""Quantum discord: the correlations that no measurement of one party leaves as they are.

Let E_+- = (1 +- n sigma) / 2 measure qubit B along n. Party A is left in the unnormalised states
tr_B(rho E_+-) = (R_0 +- n R) / 2 with R_0 = rho_A and R_k = tr_B(rho sigma_k), and the entropy that remains in it is

    f(n) = sum_+- g((R_0 +- n R) / 2),    g(s) = tr s ln tr s - tr(s ln s).

g is concave, so f(n') <= f(n) + grad f(n) (n' - n): the direction of -grad f is never worse than n. This step needs no
length and finds minima where f has no second derivative, as where a remaining state is pure. Elsewhere Newton steps on
the sphere bring the digits.
"""

from __future__ import annotations

import numpy as np

from mps_battery.checks import InputError
from mps_battery.measure.resources.entropies import renyi
from mps_battery.measure.resources.two_party import Dims, checked, marginals
from mps_battery.measure.work.ergotropy import PAULI

Array = np.ndarray

STARTS, FOLLOWED = 100, 8
"""Directions spread over the sphere (twice: see `starts`), and how many of the best are followed to their minimum."""
CHUNK = 200
"""Density matrices treated at once."""
TINY = 1e-300


def discords(rhos: Array, dims: Dims = (2, 2)) -> Array | float:
    """Discord of rho_AB when party B, a qubit, is measured by orthogonal projections, the best ones.

    D = S_B - S_AB + min_n f(n): the mutual information less what the measurement tells about A [Ollivier, Zurek 2001,
    Phys. Rev. Lett. 88, 017901]. Zero where some basis of B can be read without disturbing the state; for pure states
    the entropy of entanglement. Measurements of more than two outcomes are left out; they can tell slightly more.

    Args:
        rhos: Density matrices (..., 2 d_A, 2 d_A), party A leading.
        dims: (d_A, 2).

    Returns:
        D >= 0 in nats, one value a matrix.
    """
    if dims[1] != 2:
        raise InputError(f"Argument `dims` must end in a qubit, the party that is measured, but is {dims}.")
    rhos = checked(rhos, dims)
    flat = rhos.reshape(-1, *rhos.shape[-2:])
    known = renyi(np.linalg.eigvalsh(marginals(flat, dims)[1])) - renyi(np.linalg.eigvalsh(flat))
    left = [remaining_entropies(flat[k:k + CHUNK], dims)[0] for k in range(0, len(flat), CHUNK)]
    return np.maximum(known + np.concatenate(left), 0.0).reshape(rhos.shape[:-2])


def remaining_entropies(rhos: Array, dims: Dims) -> tuple[Array, Array]:
    """Smallest entropy that a projective measurement of qubit B leaves in A, and where it points on the Bloch sphere.

    Args:
        rhos: Density matrices (P, 2 d_A, 2 d_A).
        dims: (d_A, 2).

    Returns:
        min f, (P,) in nats, and n, (P, 3).
    """
    legs = rhos.reshape(-1, *dims, *dims)
    parts = np.concatenate([np.einsum("xpqsq->xps", legs)[:, None], np.einsum("kqt,xptsq->xkps", PAULI, legs)], 1)
    polarisation = np.einsum("xkpp->xk", parts)[:, 1:].real
    n = starts(polarisation)
    f = entropy_left(np.repeat(parts, n.shape[1], 0), n.reshape(-1, 3))[0].reshape(n.shape[:2])
    n = np.take_along_axis(n, np.argsort(f, axis=1)[:, :FOLLOWED, None], 1)
    ends, ways = descend(np.repeat(parts, FOLLOWED, 0), n.reshape(-1, 3))
    best = np.argmin(ends.reshape(-1, FOLLOWED), axis=1) + FOLLOWED * np.arange(len(parts))
    return ends[best], ways[best]


def starts(polarisation: Array) -> Array:
    """Directions to start from, (P, 2 STARTS, 3): a spiral over the sphere, and the same seen from a moving frame.

    A measured qubit of Bloch vector b near one has an outcome of probability (1 - |b| cos) / 2 whose remaining state
    turns quickly with n near b. Filtering B to the maximally mixed state is a boost of the null vectors (1, n) by
    the velocity |b|, in which nothing is quick: directions evenly spread there crowd by aberration around b here.
    """
    k = np.arange(STARTS) + 0.5
    z, turn = 1 - 2 * k / STARTS, np.pi * (1 + 5**0.5) * k
    even = np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], -1)
    speed = np.minimum(np.linalg.norm(polarisation, axis=1), 1 - 1e-15)[:, None, None]
    along = _unit(polarisation)[:, None]
    cos = np.sum(even * along, axis=-1, keepdims=True)
    crowded = ((cos + speed) * along + np.sqrt(1 - speed**2) * (even - cos * along)) / (1 + speed * cos)
    return np.concatenate([np.broadcast_to(even, crowded.shape), crowded], 1)


def descend(parts: Array, n: Array) -> tuple[Array, Array]:
    """Local minima of f, reached from n by steps that never raise it.

    Args:
        parts: R_0 .. R_3, (K, 4, d, d).
        n: Directions, (K, 3).

    Returns:
        f, (K,), and n.
    """
    n, (f, slope) = n.copy(), entropy_left(parts, n)
    moving = np.arange(len(n))
    for _ in range(60):
        r, here, gradient = parts[moving], n[moving], slope[moving]
        newton = _newton(r, here, gradient)
        lowest, direction, steepness = f[moving], here, gradient
        for tried in (-gradient, here + newton, here + newton / 4):
            tried = _unit(tried)
            value, uphill = entropy_left(r, tried)
            lower = value < lowest
            lowest, direction = np.where(lower, value, lowest), np.where(lower[:, None], tried, direction)
            steepness = np.where(lower[:, None], uphill, steepness)
        on = lowest < f[moving] - 1e-16
        moving = moving[on]
        f[moving], n[moving], slope[moving] = lowest[on], direction[on], steepness[on]
        if not len(moving):
            break
    return f, n


def entropy_left(parts: Array, n: Array) -> tuple[Array, Array]:
    """f and its gradient, (K,) and (K, 3), for R_0 .. R_3, (K, 4, d, d), and directions (K, 3)."""
    turned = np.einsum("xk,xkij->xij", n, parts[:, 1:])
    (more, up), (less, down) = (_g((parts[:, 0] + sign * turned) / 2) for sign in (1, -1))
    return more + less, np.einsum("xij,xkji->xk", up - down, parts[:, 1:]).real / 2


def _g(s: Array) -> tuple[Array, Array]:
    """g(s) and its derivative ln tr s - ln s, of positive matrices (K, d, d)."""
    p = np.maximum(np.einsum("xii->x", s).real, TINY)
    if s.shape[-1] == 2:                                     # the closed form is twenty times faster
        half = np.hypot((s[:, 0, 0] - s[:, 1, 1]).real / 2, np.abs(s[:, 0, 1]))
        weights = np.maximum(np.stack([p / 2 + half, p / 2 - half], -1), TINY)
        logs = np.log(weights)
        split = half > 1e-12 * p
        ratio = np.where(split, (logs[:, 0] - logs[:, 1]) / np.where(split, 2 * half, 1.0), 2 / p)
        log_s = ratio[:, None, None] * s
        log_s[:, [0, 1], [0, 1]] += (logs.mean(axis=-1) - ratio * p / 2)[:, None]
    else:
        weights, v = np.linalg.eigh(s)
        weights = np.maximum(weights, TINY)
        logs = np.log(weights)
        log_s = (v * logs[:, None]) @ v.conj().swapaxes(1, 2)
    value = p * np.log(p) - np.sum(weights * logs, axis=-1)
    return value, np.log(p)[:, None, None] * np.eye(s.shape[-1]) - log_s


def _newton(parts: Array, n: Array, gradient: Array) -> Array:
    """Newton step on the sphere with the moduli of the curvatures, so that it leads downhill; (K, 3)."""
    polarisation = np.einsum("xkpp->xk", parts)[:, 1:].real
    speed2 = np.minimum(np.sum(polarisation**2, axis=1), 1 - 1e-15)
    near = (1 - np.abs(np.sum(polarisation * n, axis=1))) / np.sqrt(1 - speed2)     # 1 / Doppler factor; see `starts`
    h = 1e-4 * np.clip(near, 1e-8, 1.0)[:, None]
    least = np.eye(3)[np.argmin(np.abs(n), axis=1)]
    first = _unit(np.cross(n, least))
    frame = np.stack([first, np.cross(n, first)], 1)                                # x tangent 3
    bend = [(_along_sphere(parts, n + h * e) - _along_sphere(parts, n - h * e)) / (2 * h) for e in frame.swapaxes(0, 1)]
    hessian = np.einsum("xak,bxk->xab", frame, np.array(bend))
    curvature, axes = np.linalg.eigh((hessian + hessian.swapaxes(1, 2)) / 2)
    slope = np.einsum("xab,xak,xk->xb", axes, frame, gradient)
    return -np.einsum("xb,xab,xak->xk", slope / np.maximum(np.abs(curvature), 1e-12), axes, frame)


def _along_sphere(parts: Array, n: Array) -> Array:
    """The gradient of f without its part along n, which is infinite where a remaining state has a kernel."""
    n = _unit(n)
    gradient = entropy_left(parts, n)[1]
    return gradient - np.sum(gradient * n, axis=1, keepdims=True) * n


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), TINY)
