"""Array functions on trains: lists of tensors with legs vL p vR and outer bonds of dimension one.

States and operators (physical legs fused) share them. No function changes its input.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

Array = np.ndarray


def svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Thin singular value decomposition; the slower, sturdier driver where divide and conquer does not converge."""
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        return scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")


def add(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
    """The sum of two trains; bonds add."""
    out, last = [], len(left) - 1
    for n, (a, b) in enumerate(zip(left, right, strict=True)):
        if last == 0:
            out.append(a + b)
            continue
        (al, d, ar), (bl, _, br) = a.shape, b.shape
        rows, cols = (1 if n == 0 else al + bl), (1 if n == last else ar + br)
        c = np.zeros((rows, d, cols), dtype=np.result_type(a, b))
        c[:al, :, :ar] += a
        c[rows - bl:, :, cols - br:] += b
        out.append(c)
    return out


def left_canonical(train: Sequence[Array], stop: int | None = None, start: int = 0) -> list[Array]:
    """Tensors start .. stop - 1 made left-canonical (sum over vL p gives one), the rest absorbs the factors."""
    out = list(train)
    for n in range(start, len(out) - 1 if stop is None else stop):
        l, d, r = out[n].shape
        q, c = np.linalg.qr(out[n].reshape(l * d, r))
        out[n] = q.reshape(l, d, -1)
        out[n + 1] = np.tensordot(c, out[n + 1], 1)                  # v [vR]; [vL] p vR
    return out


def right_canonical(train: Sequence[Array], stop: int = 0, start: int | None = None) -> list[Array]:
    """Tensors start .. stop + 1 (from the right) made right-canonical, tensor `stop` absorbs the factors."""
    out = list(train)
    for n in range(len(out) - 1 if start is None else start, stop, -1):
        l, d, r = out[n].shape
        q, c = np.linalg.qr(out[n].reshape(l, d * r).T)
        out[n] = q.T.reshape(-1, d, r)
        out[n - 1] = np.tensordot(out[n - 1], c.T, 1)                # vL p [vR]; [v] v
    return out


def compress(train: Sequence[Array], tolerance: float, absolute: float = 0.0) -> list[Array]:
    """The same train without the singular values below `tolerance` x the largest of the bond, or below `absolute`.

    The result is right-canonical behind site 0.
    """
    out = left_canonical(train)
    for n in range(len(out) - 1, 0, -1):
        l, d, r = out[n].shape
        u, s, v = svd(out[n].reshape(l, d * r))
        keep = max(1, int(np.sum(s > max(tolerance * s[0], absolute))))
        out[n] = v[:keep].reshape(keep, d, r)
        out[n - 1] = np.tensordot(out[n - 1], u[:, :keep] * s[:keep], 1)
    return out


def apply(operator: Sequence[Array], train: Sequence[Array], tolerance: float = 1e-14) -> list[Array]:
    """An operator train (legs wL wR p p*) applied to a state train, left-canonical, by zip-up.

    Site by site the product is split and the parts below `tolerance` x the largest singular value are left out
    before the next site comes in, so that bonds never multiply [Stoudenmire, White 2010, New J. Phys. 12, 055026].
    """
    out, carry = [], np.ones((1, 1, 1))                              # vL' wL vL
    for n, (w, a) in enumerate(zip(operator, train, strict=True)):
        c = np.tensordot(carry, a, (2, 0))                           # vL' wL [vL]; [vL] p* vR -> vL' wL p* vR
        c = np.tensordot(c, w, ((1, 2), (0, 3)))                     # vL' [wL] [p*] vR; [wL] wR p [p*]
        c = c.transpose(0, 3, 2, 1)                                  # vL' p wR vR
        l, d, x, r = c.shape
        if n == len(train) - 1:
            out.append(c.reshape(l, d, 1))
            break
        u, s, v = svd(c.reshape(l * d, x * r))
        keep = max(1, int(np.sum(s > tolerance * s[0])))
        out.append(u[:, :keep].reshape(l, d, keep))
        carry = (s[:keep, None] * v[:keep]).reshape(keep, x, r)
    return out


def overlap(bra: Sequence[Array], ket: Sequence[Array]) -> complex:
    """<bra|ket>, the bra conjugated."""
    env = np.ones((1, 1))                                            # vL* vL
    for a, b in zip(bra, ket, strict=True):
        env = np.tensordot(env, b, (1, 0))                           # vL* [vL]; [vL] p vR
        env = np.tensordot(a.conj(), env, ((0, 1), (0, 1)))          # [vL*] [p] vR*; [vL*] [p] vR
    return complex(env[0, 0])


def norm(train: Sequence[Array]) -> float:
    """The 2-norm of the vector that the train stands for."""
    return float(np.linalg.norm(left_canonical(train)[-1]))
