"""Array functions on trains: lists of tensors with legs vL p vR and outer bonds of dimension one.

States and operators (physical legs fused) share them. No function changes its input.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from mps_battery.tensors.environment import image_overlap
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray


def svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Thin singular value decomposition of a matrix or a stack of them.

    Where divide and conquer does not converge, the slower and sturdier driver takes over.
    """
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        if matrix.ndim == 2:
            return scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")
        u, s, v = zip(*map(svd, matrix), strict=True)
        return np.array(u), np.array(s), np.array(v)


def left_vectors(matrix: Array) -> tuple[Array, Array]:
    """Left singular vectors (as columns) and singular values of a matrix or a stack of them.

    As sharp as `svd`, but right singular vectors are never made: where columns are many, as beside a site of many
    states, a triangular factor stands for them, 3 to 5 times faster.
    """
    dagger = matrix.conj().swapaxes(-1, -2)
    if dagger.shape[-2] > 2 * dagger.shape[-1]:
        dagger = np.linalg.qr(dagger, mode="r")  # type: ignore[assignment]
    _, s, v = svd(dagger)
    return v.conj().swapaxes(-1, -2), s


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


def cut(train: Sequence[Array], truncation: Truncation) -> list[Array]:
    """The train at the bond cap and the discarded weight of a truncation, right-canonical behind site 0."""
    out = left_canonical(train)
    for n in range(len(out) - 1, 0, -1):
        l, d, r = out[n].shape
        u, s, v = svd(out[n].reshape(l, d * r))
        keep, _, _ = truncation.kept(s * s)
        out[n] = v[:keep].reshape(keep, d, r)
        out[n - 1] = np.tensordot(out[n - 1], u[:, :keep] * s[:keep], 1)
    return out


def real_train(train: Sequence[Array], tolerance: float = 1e-14) -> list[Array]:
    """A train that stands for a real vector, with real tensors, right-canonical behind site 0.

    The real part of a product of complex matrices is a product of real ones, X + i Y -> [[X, -Y], [Y, X]], which
    compresses back to the rank of the vector.
    """
    if not any(np.iscomplexobj(t) and np.any(t.imag) for t in train):
        return right_canonical([np.ascontiguousarray(t.real) for t in train])
    out = []
    for t in train:
        x, y = t.real, t.imag
        out.append(np.concatenate([np.concatenate([x, -y], 2), np.concatenate([y, x], 2)], 0))
    out[0] = out[0][:1]
    out[-1] = out[-1][:, :, :1]
    if len(out) == 1:
        out[0] = train[0].real
    return compress(out, tolerance)


def apply(operator: Sequence[Array], train: Sequence[Array], tolerance: float = 1e-13) -> list[Array]:
    """An operator train (legs wL wR p p*) applied to a state train by zip-up from the right.

    Site by site the product is split and the parts below `tolerance` x the largest singular value are left out
    before the next site comes in, so that bonds never multiply [Stoudenmire, White 2010, New J. Phys. 12, 055026].
    What is left out is judged with the left side taken as orthonormal: the state is made left-canonical, and the open
    channels of operators from `mpo_from_products` are orthonormal on their left.

    Returns:
        The product, right-canonical behind site 0.
    """
    out: list[Array] = []
    carry = np.ones((1, 1, 1))                                       # wR vR vR'
    for n, (w, a) in reversed(list(enumerate(zip(operator, left_canonical(train), strict=True)))):
        c = np.tensordot(a, carry, (2, 1))                           # vL p* [vR]; wR [vR] vR' -> vL p* wR vR'
        c = np.tensordot(w, c, ((1, 3), (2, 1)))                     # wL [wR] p [p*]; vL [p*] [wR] vR' -> wL p vL vR'
        c = c.transpose(0, 2, 1, 3)                                  # wL vL p vR'
        x, l, d, r = c.shape
        if n == 0:
            out.append(c.reshape(1, d, r))
            break
        u, s, v = svd(c.reshape(x * l, d * r))
        keep = max(1, int(np.sum(s > tolerance * s[0])))
        out.append(v[:keep].reshape(keep, d, r))
        carry = (u[:, :keep] * s[:keep]).reshape(x, l, keep)
    return out[::-1]


def overlap(bra: Sequence[Array], ket: Sequence[Array]) -> complex:
    """<bra|ket>, the bra conjugated."""
    env = np.ones((1, 1))                                            # vL* vL
    for a, b in zip(bra, ket, strict=True):
        env = np.tensordot(env, b, (1, 0))                           # vL* [vL]; [vL] p vR
        env = np.tensordot(a.conj(), env, ((0, 1), (0, 1)))          # [vL*] [p] vR*; [vL*] [p] vR
    return complex(env[0, 0])


def image_norm(operator: Sequence[Array], train: Sequence[Array], sure: float = 1e-5) -> float:
    """The 2-norm of operator x train.

    From <x|O+ O|x>, whose rounding hides images below about 1e-7 of |x| times the norm of O; where the result is
    below `sure` times |x|, from the image itself, exact to rounding and slower.
    """
    length, quick = norm(train), abs(image_overlap(train, operator, operator)) ** 0.5
    return quick if quick > sure * length else norm(apply(operator, train, 1e-13))


def norm(train: Sequence[Array]) -> float:
    """The 2-norm of the vector that the train stands for."""
    return float(np.linalg.norm(left_canonical(train)[-1]))
