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
    """One more site absorbed into a left environment."""
    bra = ket if bra is None else bra
    env = np.tensordot(env, ket, (2, 0))                        # bL w [vL]; [vL] p* vR      -> bL w p* vR
    env = np.tensordot(env, w, ((1, 2), (0, 3)))                # bL [w] [p*] vR; [wL] wR p [p*] -> bL vR wR p
    env = np.tensordot(bra.conj(), env, ((0, 1), (0, 3)))       # [bL] [p] bR; [bL] vR wR [p] -> bR vR wR
    return env.transpose(0, 2, 1)


def from_right(env: Array, ket: Array, w: Array, bra: Array | None = None) -> Array:
    """One more site absorbed into a right environment."""
    bra = ket if bra is None else bra
    env = np.tensordot(ket, env, (2, 2))                        # vL p* [vR]; bR w [vR]      -> vL p* bR w
    env = np.tensordot(w, env, ((1, 3), (3, 1)))                # wL [wR] p [p*]; vL [p*] bR [w] -> wL p vL bR
    env = np.tensordot(bra.conj(), env, ((1, 2), (1, 3)))       # bL [p] [bR]; wL [p] vL [bR] -> bL wL vL
    return env


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


def expectation(ket: Sequence[Array], operator: Sequence[Array]) -> complex:
    """<ket|operator|ket>, not divided by the norm."""
    return transition(ket, operator, ket)


def transition(bra: Sequence[Array], operator: Sequence[Array], ket: Sequence[Array]) -> complex:
    """<bra|operator|ket>, not divided by norms."""
    env = edge()
    for b, w, a in zip(bra, operator, ket, strict=True):
        env = from_left(env, a, w, b)
    return complex(env[0, 0, 0])
