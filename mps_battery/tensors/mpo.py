"""Matrix-product operators: built from products with optimal bond, added, multiplied, compressed.

Leg order of every tensor: wL wR p p*, where p* meets the state that the operator acts on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mps_battery.sites import DensitySite
from mps_battery.tensors import trains

if TYPE_CHECKING:
    from mps_battery.sites import Site

Array = np.ndarray


@dataclass(frozen=True)
class MPO:
    """An operator as a train of tensors, legs wL wR p p*; the outer bonds have dimension one."""

    tensors: list[Array]

    @property
    def bonds(self) -> list[int]:
        """Dimension of every inner bond."""
        return [w.shape[1] for w in self.tensors[:-1]]

    def __len__(self) -> int:
        return len(self.tensors)

    def adjoint(self) -> MPO:
        """The Hermitian adjoint."""
        return MPO([w.conj().transpose(0, 1, 3, 2) for w in self.tensors])

    def __mul__(self, scalar: complex) -> MPO:
        return MPO([self.tensors[0] * scalar, *self.tensors[1:]])

    __rmul__ = __mul__

    def __add__(self, other: MPO) -> MPO:
        return _from_train(trains.add(_to_train(self), _to_train(other)), self)

    def __sub__(self, other: MPO) -> MPO:
        return self + (-1.0) * other

    def __matmul__(self, other: MPO) -> MPO:
        """The operator product self other, bonds multiplied; compress it afterwards."""
        out = []
        for a, b in zip(self.tensors, other.tensors, strict=True):
            ab = np.tensordot(a, b, (3, 2))          # wL wR p [p*]; vL vR [p] p*  -> wL wR p vL vR p*
            ab = ab.transpose(0, 3, 1, 4, 2, 5)
            out.append(ab.reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1], *ab.shape[4:]))
        return MPO(out)

    def compress(self, tolerance: float = 1e-13) -> MPO:
        """The same operator at its numerical rank: singular values below `tolerance` x the largest are dropped."""
        return _from_train(trains.compress(_to_train(self), tolerance), self)

    def frobenius(self) -> float:
        """Frobenius norm divided by sqrt(dimension of the space), that is sqrt(tr(O+ O) / tr 1)."""
        return trains.norm(_to_train(self))

    def to_dense(self) -> Array:
        """The whole matrix; site 0 is the most significant index."""
        out = np.ones((1, 1, 1))
        for w in self.tensors:
            out = np.einsum("PQa,abpq->PpQqb", out, w)
            out = out.reshape(out.shape[0] * out.shape[1], -1, out.shape[4])
        return out[:, :, 0]


def _to_train(mpo: MPO) -> list[Array]:
    """Tensors wL (p p*) wR, scaled so that an identity has norm one on every site."""
    return [w.transpose(0, 2, 3, 1).reshape(w.shape[0], -1, w.shape[1]) / np.sqrt(w.shape[2]) for w in mpo.tensors]


def _from_train(train: list[Array], like: MPO) -> MPO:
    """Inverse of `_to_train`, physical dimensions taken from `like`."""
    out = []
    for t, w in zip(train, like.tensors, strict=True):
        d = w.shape[2]
        out.append(t.reshape(t.shape[0], d, d, t.shape[2]).transpose(0, 3, 1, 2) * np.sqrt(d))
    return MPO(out)


def mpo_from_products(sites: Sequence[Site], products: Mapping[tuple[tuple[int, int], ...], complex],
                      matrices: Sequence[Array], tolerance: float = 1e-13) -> MPO:
    """The MPO of sum_j c_j prod_(n, o) matrices[o]_n, with minimal bond at every cut; real on density sites.

    Sweeps from the left. Behind site n every open product is (left part) x (right part); the coefficients form a
    matrix from an orthonormal set of left operators (the open channels) to right parts. One more site gives a taller
    matrix, whose SVD gives the next channels: the bond is the numerical rank plus two channels, "nothing has
    begun" (first) and "all is done" (last), each present only where used.

    Args:
        sites: Local spaces.
        products: Coefficient of every product; a product lists (site, identifier) in order of site.
        matrices: Identifier -> (d, d) matrix.
        tolerance: Singular values below this fraction of the largest at the cut are dropped.
    """
    length = len(sites)
    bases = _local_bases(sites, products, matrices)
    products = _expanded(products, bases)
    if not products:
        return MPO([np.zeros((1, 1, s.d, s.d)) for s in sites])
    starting: list[list[tuple[tuple, complex]]] = [[] for _ in sites]
    constant = 0.0 + 0j
    for product, c in products.items():
        if product:
            starting[product[0][0]].append((product, c))
        else:
            constant += c
    last_start = max((n for n in range(length) if starting[n]), default=0)
    open_parts: list[tuple] = []                   # right parts still to come
    channels = np.zeros((0, 0), dtype=complex)     # coefficients: open channel x right part
    begun_left, done_left, tensors = True, False, []
    for n in range(length):
        basis = bases[n][0]
        m, r = len(basis), len(channels)
        columns: dict[tuple, int] = {}
        entries: dict[tuple[int, int], Any] = {}   # (basis operator, column) -> coefficients of the open channels
        finished = np.zeros((r + 1, m), dtype=complex)
        begins = []
        for j, part in enumerate(open_parts):
            here = part[0][0] == n
            rest = part[1:] if here else part
            a = part[0][1] if here else 0
            if not rest:
                finished[:r, a] += channels[:, j]
            else:
                key = (a, columns.setdefault(rest, len(columns)))
                entries[key] = entries.get(key, 0) + channels[:, j]
        for product, c in starting[n]:
            a = product[0][1]
            if len(product) == 1:
                finished[r, a] += c
            else:
                begins.append((a, columns.setdefault(product[1:], len(columns)), c))
        if n == 0:
            finished[r, 0] += constant
        taller = np.zeros((r + 1, m, len(columns)), dtype=complex)
        for (a, col), v in entries.items():
            taller[:r, a, col] += v
        for a, col, c in begins:
            taller[r, a, col] += c
        q, new_channels = _rank_factor(taller.reshape((r + 1) * m, len(columns)), tolerance)
        rank = q.shape[1]
        begun_right, done_right = n < last_start, done_left or bool(np.any(finished)) or n == length - 1
        w = np.zeros((r + 2, rank + 2, m), dtype=complex)      # order: begun, open channels, done
        w[1:r + 1, 1:rank + 1] = q.reshape(r + 1, m, rank).transpose(0, 2, 1)[:r]
        w[0, 1:rank + 1] = q.reshape(r + 1, m, rank)[r].T
        w[1:r + 1, -1], w[0, -1] = finished[:r], finished[r]
        w[0, 0, 0] = w[-1, -1, 0] = 1.0
        rows = [0] * begun_left + list(range(1, r + 1)) + [r + 1] * done_left
        cols = [0] * begun_right + list(range(1, rank + 1)) + [rank + 1] * done_right
        w = w[np.ix_(rows, cols)] if n < length - 1 else w[np.ix_(rows, [rank + 1])]
        tensors.append(np.tensordot(w, np.array(basis), (2, 0)))
        open_parts, channels = list(columns), new_channels
        begun_left, done_left = begun_right, done_right
    mpo = MPO([_real_if_real(w) for w in tensors])
    if not isinstance(sites[0], DensitySite) or not any(np.iscomplexobj(w) for w in mpo.tensors):
        return mpo
    # a superoperator whose sum is real though its products are not; channels orthonormal on their left, as above
    return _from_train(trains.left_canonical(trains.real_train(_to_train(mpo), tolerance)), mpo)


def _expanded(products: Mapping[tuple[tuple[int, int], ...], complex],
              bases: Sequence[tuple[list[Array], dict[int, list[tuple[int, complex]]]]]
              ) -> dict[tuple[tuple[int, int], ...], complex]:
    """The same sum over products of basis operators (site, place in the basis of the site), identities left out.

    Operators that depend on each other (X, Sp, Sm) would otherwise count as different right parts.
    """
    out: dict[tuple[tuple[int, int], ...], complex] = {}
    for product, c in products.items():
        for choice in itertools.product(*(bases[n][1][o] for n, o in product)):
            key = tuple((n, a) for (n, _), (a, _) in zip(product, choice, strict=True) if a)
            out[key] = out.get(key, 0.0) + c * math.prod(x for _, x in choice)
    largest = max(map(abs, products.values()), default=0.0)
    return {key: c for key, c in out.items() if abs(c) > 1e-15 * largest}


def _rank_factor(matrix: Array, tolerance: float) -> tuple[Array, Array]:
    """matrix = q c with orthonormal columns q, as many as the numerical rank."""
    if matrix.size == 0:
        return np.zeros((len(matrix), 0), dtype=complex), np.zeros((0, matrix.shape[1]), dtype=complex)
    # zero rows carry no channel; leaving them out keeps long sums cheap
    rows = np.flatnonzero(np.any(matrix != 0, axis=1))
    u, s, v = np.linalg.svd(matrix[rows] if np.any(matrix.imag) else matrix[rows].real, full_matrices=False)
    rank = int(np.sum(s > tolerance * s[0])) if len(s) and s[0] > 0 else 0
    q = np.zeros((len(matrix), rank), dtype=complex)
    q[rows] = u[:, :rank]
    return q, s[:rank, None] * v[:rank]


def _local_bases(sites: Sequence[Site], products: Mapping[tuple[tuple[int, int], ...], complex],
                 matrices: Sequence[Array]) -> list[tuple[list[Array], dict[int, list[tuple[int, complex]]]]]:
    """On every site an independent set of operators, identity first, and each operator's coordinates in it."""
    used: list[dict[int, None]] = [{} for _ in sites]
    for product in products:
        for n, o in product:
            used[n][o] = None
    known: dict[tuple[int, tuple[int, ...]], Any] = {}
    out = []
    for site, ids in zip(sites, used, strict=True):
        key = (site.d, tuple(ids))
        if key not in known:
            known[key] = _independent(site.d, tuple(ids), matrices)
        out.append(known[key])
    return out


def _independent(d: int, ids: tuple[int, ...], matrices: Sequence[Array]
                 ) -> tuple[list[Array], dict[int, list[tuple[int, complex]]]]:
    basis: list[Array] = [np.eye(d)]
    coordinates: dict[int, list[tuple[int, complex]]] = {}
    for o in ids:
        stack = np.array([b.ravel() for b in basis]).T
        x, *_ = np.linalg.lstsq(stack, matrices[o].ravel(), rcond=None)
        if np.linalg.norm(stack @ x - matrices[o].ravel()) > 1e-10:
            coordinates[o] = [(len(basis), 1.0)]
            basis.append(matrices[o])
        else:
            coordinates[o] = [(int(a), complex(x[a])) for a in np.flatnonzero(np.abs(x) > 1e-14)]
    return basis, coordinates


def _real_if_real(array: Array) -> Array:
    return array if np.iscomplexobj(array) and np.any(np.abs(array.imag) > 1e-15) else array.real.copy()
