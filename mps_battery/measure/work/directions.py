"""The best direction to measure a qubit along, with a bound that no direction passes.

A measurement along n has the operators P = (1 +- n.sigma) / 2. Whatever is linear in the state after an outcome is a
quadratic form in the coefficients m = (1, +-n) of the operator, X(m) = sum_ij m_i m_j X_ij / 4. The work w(X) of what
is left behind is convex, and so is its sum over both outcomes: largest at the corners of what X can be. On a spherical
triangle with corners v_a, n = s sum_a c_a v_a with c a distribution and 1 <= s <= S, S the inverse distance of its
plane from the origin; X is then a mixture of a few corners, up to S - 1 = O(size^2). Triangles whose bound lies below
the best value found are dropped, the others are quartered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mps_battery.measure.neighbours import PAULI4

Array = np.ndarray
Work = Callable[[Array], Array]
"""Convex and homogeneous: stack of X -> what can be drawn from each."""

CHUNK = 2**16
"""Numbers in a stack of X: more triangles than these allow are bounded one stack after the other."""


@dataclass(frozen=True)
class Best:
    """The best direction found, its value, and what no direction passes."""

    direction: Array
    value: float
    bound: float


def quadratic_form(conditional: Callable[[Array], Array]) -> Array:
    """X_ij, (4, 4, ...), of a quadratic form in the operator M = sum_i m_i sigma_i with real m, from ten operators."""
    diagonal = [conditional(s) for s in PAULI4]
    form = np.empty((4, 4, *diagonal[0].shape), dtype=diagonal[0].dtype)
    for i in range(4):
        form[i, i] = diagonal[i]
        for j in range(i):
            form[i, j] = form[j, i] = (conditional(PAULI4[i] + PAULI4[j]) - diagonal[i] - diagonal[j]) / 2
    return form


def best_direction(form: Array, work: Work, tolerance: float, ceiling: float = np.inf, most: int = 20000) -> Best:
    """The direction n that maximises w(X(1, n)) + w(X(1, -n)).

    Args:
        form: X_ij, (4, 4, ...), symmetric in i and j.
        work: w, convex and homogeneous of degree one.
        tolerance: Gap between value and bound at which the search ends.
        ceiling: A bound known beforehand.
        most: Triangles after which the search ends with the gap it has; directions of equal value need many.
    """
    parts = _parts(form)

    def value(directions: Array) -> Array:
        one = np.ones(len(directions))
        return _sum(parts, work, one, one, directions, directions)

    stack = max(1, CHUNK // parts[0].size)
    triangles = np.array([[[x, 0, 0], [0, y, 0], [0, 0, 1]] for x in (1.0, -1.0) for y in (1.0, -1.0)])   # n, -n alike
    best, top, seen, dropped = np.array([0, 0, 1.0]), -np.inf, 0, -np.inf
    while len(triangles):
        corners = np.unique(np.round(triangles.reshape(-1, 3), 15), axis=0)
        values = np.concatenate([value(c) for c in np.array_split(corners, 1 + len(corners) // stack)])
        if values.max() > top:
            best, top = _climb(value, corners[values.argmax()])
        bounds = np.concatenate([_bound(t, parts, work)
                                 for t in np.array_split(triangles, 1 + len(triangles) // stack)])
        seen += len(triangles)
        done = (bounds <= top + tolerance) | (top + tolerance >= ceiling)
        dropped = max(dropped, np.max(bounds[done], initial=-np.inf))
        triangles = triangles[~done]
        if seen + 4 * len(triangles) > most:
            dropped = max(dropped, np.max(bounds[~done], initial=-np.inf))
            break
        triangles = _quartered(triangles)
    return Best(best, top, max(top, min(ceiling, dropped)))


def _parts(form: Array) -> tuple[Array, Array, Array]:
    """X = A + sum_ij n_i n_j B_ij +- sum_i n_i L_i: what is alike in all directions goes to A, since n.n = 1."""
    middle = np.einsum("ii...->...", form[1:, 1:]) / 3
    rest = form[1:, 1:] - np.multiply.outer(np.eye(3), middle)
    return (form[0, 0] + middle) / 4, rest / 4, form[0, 1:] / 2


def _sum(parts: tuple[Array, Array, Array], work: Work, s: Array, q: Array, u: Array, v: Array) -> Array:
    """w(A + q u.B.v + s L.(u + v) / 2) + w(A + q u.B.v - s L.(u + v) / 2) for stacks of all."""
    a, b, l = parts
    pairs = (q[:, None, None] * u[:, :, None] * v[:, None, :]).reshape(-1, 9)
    quadratic = a + (pairs @ b.reshape(9, -1)).reshape(-1, *a.shape)
    linear = ((s[:, None] * (u + v) / 2) @ l.reshape(3, -1)).reshape(-1, *a.shape)
    return work(quadratic + linear) + work(quadratic - linear)


def _bound(triangles: Array, parts: tuple[Array, Array, Array], work: Work) -> Array:
    """What no direction inside each spherical triangle passes.

    With n = s y and y in the triangle, n_i n_j = s^2 sum_ab c_a c_b v_a v_b: a mixture over pairs of corners, and
    (s, s^2) a mixture of (1, 1), (S, S^2) and the point ((1 + S) / 2, S) where the tangents meet. Without a quadratic
    part the sum is even and convex in s, so that S alone counts.
    """
    x, y, z = triangles.transpose(1, 0, 2)
    normal = np.cross(y - x, z - x)
    s = np.linalg.norm(normal, axis=1) / np.abs(np.einsum("ti,ti->t", x, normal))
    if np.abs(parts[1]).max() <= 1e-15 * max(np.abs(parts[0]).max(), np.abs(parts[2]).max()):
        pairs, scales = [(x, x), (y, y), (z, z)], [(s, s * s)]
    else:
        pairs = [(x, x), (y, y), (z, z), (x, y), (y, z), (z, x)]
        scales = [(np.ones_like(s), np.ones_like(s)), (s, s * s), ((1 + s) / 2, s)]
    return np.max([_sum(parts, work, *scale, u, v) for u, v in pairs for scale in scales], axis=0)


def _quartered(triangles: Array) -> Array:
    """Each triangle as four, with the midpoints of its sides on the sphere."""
    x, y, z = triangles.transpose(1, 0, 2)
    xy, yz, zx = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (x + y, y + z, z + x))
    return np.concatenate([np.stack(t, axis=1) for t in ((x, xy, zx), (y, yz, xy), (z, zx, yz), (xy, yz, zx))])


def _climb(value: Callable[[Array], Array], start: Array) -> tuple[Array, float]:
    """A local maximum near a direction, on the plane that touches the sphere there."""
    plane = np.linalg.svd(start[None])[2][1:]

    def direction(x: Array) -> Array:
        n = start + x @ plane
        return n / np.linalg.norm(n)

    found = minimize(lambda x: -float(value(direction(x)[None])[0]), np.zeros(2), method="Nelder-Mead",
                     options={"initial_simplex": [[0, 0], [0.05, 0], [0, 0.05]], "xatol": 1e-9, "fatol": 1e-14})
    return direction(found.x), -float(found.fun)
