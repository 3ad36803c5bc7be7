"""Environments of <psi|O|psi>: partial contractions from the left and the right.

Leg order of an environment: vBra w vKet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def edge() -> Array:
    """The environment of nothing."""
    return np.ones((1, 1, 1))


def from_left(env: Array, ket: Array, w: Array, bra: Array | None = None) -> Array:
    """One more site absorbed into a left environment; in this order of legs no array is transposed."""
    bra = ket if bra is None else bra
    (b, x, v), (_, d, r), (_, y, c, _) = env.shape, ket.shape, w.shape
    t = env.reshape(b * x, v) @ ket.reshape(v, d * r)                              # bL w [vL]; [vL] p* vR
    t = w.transpose(2, 1, 0, 3).reshape(c * y, x * d) @ t.reshape(b, x * d, r)     # p wR [wL p*]; bL . [w p*] vR
    t = bra.reshape(b * c, -1).conj().T @ t.reshape(b * c, y * r)                  # bR [bL p]; [bL p] wR vR
    return t.reshape(-1, y, r)


def from_right(env: Array, ket: Array, w: Array, bra: Array | None = None) -> Array:
    """One more site absorbed into a right environment; in this order of legs no array is transposed."""
    bra = ket if bra is None else bra
    (b, x, v), (l, d, _), (y, _, c, _) = env.shape, ket.shape, w.shape
    t = bra.conj().reshape(-1, b) @ env.reshape(b, x * v)                          # bL p [bR]; [bR] w vR
    t = w.transpose(0, 3, 2, 1).reshape(y * d, c * x) @ t.reshape(-1, c * x, v)    # wL p* [p wR]; bL . [p w] vR
    t = t.reshape(-1, d * v) @ ket.reshape(l, d * v).T                             # bL wL [p* vR]; [p* vR] vL
    return t.reshape(-1, y, l)


def left_environments(ket: Sequence[Array], operator: Sequence[Array]) -> list[Array]:
    """left[n]: everything left of site n, for every n."""
    out = [edge()]
    for a, w in zip(ket[:-1], operator[:-1], strict=True):
        out.append(from_left(out[-1], a, w))
    return out


def right_environments(ket: Sequence[Array], operator: Sequence[Array]) -> list[Array]:
    """right[n]: everything right of site n, for every n."""
    out = [edge()]
    for a, w in zip(ket[:0:-1], operator[:0:-1], strict=True):
        out.append(from_right(out[-1], a, w))
    return out[::-1]


def expectation(ket: Sequence[Array], operator: Sequence[Array], bra: Sequence[Array] | None = None) -> complex:
    """<bra|operator|ket>, not divided by the norm; the bra is the ket unless given."""
    env = edge()
    for a, w, b in zip(ket, operator, ket if bra is None else bra, strict=True):
        env = from_left(env, a, w, b)
    return complex(env[0, 0, 0])


def image_overlap(ket: Sequence[Array], first: Sequence[Array], second: Sequence[Array]) -> complex:
    """<first ket|second ket> of two operators, without their product; O(chi^3 w^2 + chi^2 w^3) a site."""
    env = np.ones((1, 1, 1, 1))                                     # vBra w w' vKet
    for a, x, y in zip(ket, first, second, strict=True):
        env = np.tensordot(env, a, (3, 0))                          # bL w w' [vL]; [vL] p* vR   -> bL w w' p* vR
        env = np.tensordot(env, y, ((2, 3), (0, 3)))                # bL w [w'] [p*] vR; [wL] wR p [p*] -> bL w vR w' p
        env = np.tensordot(env, x.conj(), ((1, 4), (0, 2)))         # bL [w] vR w' [p]; [wL] wR [p] p*  -> bL vR w' w p*
        env = np.tensordot(a.conj(), env, ((0, 1), (0, 4)))         # [bL] [p] bR; [bL] vR w' w [p*]    -> bR vR w' w
        env = env.transpose(0, 3, 2, 1)
    return complex(env[0, 0, 0, 0])
