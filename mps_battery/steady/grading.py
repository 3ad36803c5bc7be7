"""Conserved charges in the sweeps for a steady state: the weak charge, parity, or nothing.

Where the Hamiltonian conserves a charge and every jump changes it by a fixed amount, the Liouvillian conserves the
difference q of the charges of ket and bra, and the steady state has q = 0 [Buca, Prosen 2012, New J. Phys. 14, 073007].
Operators |j><k| carry q = c_j - c_k; for qubits 1, Z have q = 0 and s+, s- have q = 1, -1. These are pairs of complex
conjugates, and so are all indices of a train that stands for a Hermitian matrix: `bar` sends an index of charge q to
that of charge -q whose entries are the conjugates. Only half of the entries are independent, real and imaginary part
count one each, and a local problem has as many *real* unknowns as there are complex entries of the right charge.

Parity (q mod 2) needs no pairs, since q = -q: everything stays in the real Hermitian basis.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mps_battery.sites import DensitySite
from mps_battery.tensors import trains
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray


@dataclass(frozen=True)
class Index:
    """Charges of the values of a leg, and which value holds the complex conjugate of which.

    Attributes:
        charges: Charge of every value.
        bar: The partner of every value; itself where entries are real.
    """

    charges: Array
    bar: Array

    def __len__(self) -> int:
        return len(self.charges)

    def __mul__(self, other: Index) -> Index:
        """Both legs as one, in row-major order."""
        return Index((self.charges[:, None] + other.charges).ravel(),
                     (self.bar[:, None] * len(other) + other.bar).ravel())

    def __neg__(self) -> Index:
        return Index(-self.charges, self.bar)


TRIVIAL = Index(np.zeros(1, dtype=int), np.zeros(1, dtype=int))
"""A leg of one value."""


def free(size: int) -> Index:
    """A leg without charge whose entries are real."""
    return Index(np.zeros(size, dtype=int), np.arange(size))


@dataclass(frozen=True)
class Grading:
    """What a generator conserves on a chain of density sites.

    Attributes:
        modulus: 0 for a charge that adds up, 2 for parity, 1 for nothing.
        local: The index of every site.
        change: Unitary from the Hermitian basis of a site to the one with charges, or None where they are the same.
    """

    modulus: int
    local: tuple[Index, ...]
    change: tuple[Array | None, ...]

    @property
    def dtype(self) -> type:
        """Of tensors in the basis with charges."""
        return float if self.modulus else complex

    def reduced(self, charges: Any) -> Any:
        """Charges brought to their smallest representatives."""
        return charges % self.modulus if self.modulus else charges

    def enter(self, tensors: Sequence[Array]) -> list[Array]:
        """Tensors (vL p vR) in the Hermitian basis -> in the basis with charges."""
        return [np.array(t, dtype=self.dtype) if b is None else np.tensordot(b, t, (1, 1)).transpose(1, 0, 2)
                for t, b in zip(tensors, self.change, strict=True)]

    def leave(self, tensors: Sequence[Array]) -> list[Array]:
        """Tensors (vL p vR) in the basis with charges -> in the Hermitian basis; bonds may still be complex."""
        return [t if b is None else np.tensordot(b.conj(), t, (0, 1)).transpose(1, 0, 2)
                for t, b in zip(tensors, self.change, strict=True)]

    def operator(self, tensors: Sequence[Array]) -> list[Array]:
        """Tensors of an operator (wL wR p p*) in the basis with charges."""
        return [w if b is None else np.einsum("xp,vwpq,yq->vwxy", b, w, b.conj(), optimize=True)
                for w, b in zip(tensors, self.change, strict=True)]


def ungraded(sites: Sequence[DensitySite]) -> Grading:
    """Nothing is conserved."""
    return Grading(1, tuple(free(s.d) for s in sites), (None,) * len(sites))


def parity(sites: Sequence[DensitySite]) -> Grading:
    """The parity of the charge that moves between ket and bra."""
    return Grading(2, tuple(Index(np.asarray(s.charges), np.arange(s.d)) for s in sites), (None,) * len(sites))


def weak_charge(sites: Sequence[DensitySite]) -> Grading:
    """The charge of the ket less that of the bra: (x_s -+ i x_a) / sqrt(2) for |j><k| and |k><j|."""
    local, change = [], []
    for s in sites:
        c, d = np.asarray(s.site.charges), s.site.d
        charges, bar, unitary = np.zeros(d * d, dtype=int), np.arange(d * d), np.eye(d * d, dtype=complex)
        for n, (j, k) in enumerate(itertools.combinations(range(d), 2)):
            if c[j] != c[k]:
                pair = [2 * n + 1, 2 * n + 2]
                charges[pair], bar[pair] = (c[j] - c[k], c[k] - c[j]), pair[::-1]
                unitary[np.ix_(pair, pair)] = np.array([[1, -1j], [1, 1j]]) / np.sqrt(2)
        local.append(Index(charges, bar))
        change.append(unitary)
    return Grading(0, tuple(local), tuple(change))


# -- real coordinates of a leg ----------------------------------------------------------------------------------
def real_rows(matrix: Array, bar: Array) -> Array:
    """Rows in pairs m, m* -> sqrt(2) times their real and imaginary part."""
    if not np.iscomplexobj(matrix):
        return matrix
    here = np.arange(len(bar))
    first = np.flatnonzero(here < bar)
    if not len(first):
        return matrix
    out, second = matrix.copy(), bar[first]
    out[first] = (matrix[first] + matrix[second]) / np.sqrt(2)
    out[second] = (matrix[first] - matrix[second]) / (1j * np.sqrt(2))
    return out


def paired_rows(matrix: Array, bar: Array) -> Array:
    """The inverse of `real_rows`."""
    here = np.arange(len(bar))
    first = np.flatnonzero(here < bar)
    if not len(first):
        return matrix
    out, second = matrix.astype(complex), bar[first]
    out[first] = (matrix[first] + 1j * matrix[second]) / np.sqrt(2)
    out[second] = (matrix[first] - 1j * matrix[second]) / np.sqrt(2)
    return out


@dataclass(frozen=True)
class Columns:
    """Columns over graded rows, each of one charge; of a pair of conjugates only that of positive charge is kept.

    Attributes:
        vectors: The columns.
        strengths: What they weigh, such as singular values.
        charges: Their charges.
        sizes: How many values of a leg each makes: 2 for a pair.
    """

    vectors: Array
    strengths: Array
    charges: Array
    sizes: Array

    def chosen(self, which: Array) -> Columns:
        """Some of them."""
        return Columns(self.vectors[:, which], self.strengths[which], self.charges[which], self.sizes[which])

    def __add__(self, other: Columns) -> Columns:
        return Columns(*(np.concatenate([a, b], -1) for a, b in (
            (self.vectors, other.vectors), (self.strengths, other.strengths), (self.charges, other.charges),
            (self.sizes, other.sizes))))

    def spread(self, rows: Index) -> tuple[Array, Index]:
        """All columns, partners beside each other, and the leg they make."""
        places = np.cumsum(np.r_[0, self.sizes])
        out = np.empty((len(self.vectors), places[-1]), dtype=self.vectors.dtype)
        charges, bar = np.empty(places[-1], dtype=int), np.arange(places[-1])
        out[:, places[:-1]], charges[places[:-1]] = self.vectors, self.charges
        pairs = places[:-1][self.sizes == 2]
        out[:, pairs + 1] = out[np.ix_(rows.bar, pairs)].conj()
        charges[pairs + 1], bar[pairs], bar[pairs + 1] = -charges[pairs], pairs + 1, pairs
        return out, Index(charges, bar)

    def orthonormal(self) -> Columns:
        """The same span, charge by charge; earlier columns keep their direction."""
        out = np.zeros_like(self.vectors)
        for q in np.unique(self.charges):
            mine = np.flatnonzero(self.charges == q)
            here = np.flatnonzero(np.any(self.vectors[:, mine] != 0, 1))
            u, r = np.linalg.qr(self.vectors[np.ix_(here, mine)])
            out[np.ix_(here, mine)] = u * np.where(np.diag(r).real < 0, -1.0, 1.0)
        return Columns(out, self.strengths, self.charges, self.sizes)


def left_vectors(matrix: Array, rows: Index, bar: Array) -> Columns:
    """Left singular vectors, charge by charge, by descending singular value.

    Args:
        matrix: M with M[bar i, bar j] = M[i, j]*.
        rows: Charges and partners of the rows.
        bar: Partners of the columns.
    """
    found: list[tuple[Array, Array, int, int]] = []
    for q in np.unique(rows.charges):
        here = np.flatnonzero(rows.charges == q)
        block = matrix[here]
        if rows.charges[rows.bar[here[0]]] == q:                 # its own conjugate: real in real coordinates
            partner = np.searchsorted(here, rows.bar[here])
            block = real_rows(real_rows(block, partner).T, bar).T.real
            u, s, _ = trains.svd(block)
            u, size = paired_rows(u, partner), 1
        elif q > 0:
            (u, s, _), size = trains.svd(block), 2
        else:
            continue
        whole = np.zeros((len(matrix), len(s)), dtype=matrix.dtype)
        whole[here] = u
        found.append((whole, s, q, size))
    s = np.concatenate([f[1] for f in found])
    order = np.argsort(-s, kind="stable")
    charges, sizes = (np.concatenate([np.full(len(f[1]), f[k]) for f in found]) for k in (2, 3))
    return Columns(np.concatenate([f[0] for f in found], 1), s, charges, sizes).chosen(order)


def frame(matrix: Array, first: Array, rows: Index, columns: Array, push: tuple[Array, Array] | None,
          truncation: Truncation, enrich: int) -> tuple[Array, Index, float]:
    """Orthonormal columns of definite charge: the trace vector, then what matters most of `matrix`, then of `push`.

    Args:
        matrix: What is split, (rows, columns).
        first: The vector that is always a member, of charge zero.
        rows: Charges and partners of the rows.
        columns: Partners of the columns of `matrix`.
        push: What else should be reached, such as a residual, (rows, any), and partners of its columns; or None.
        truncation: Bond cap and discarded weight, relative to the square of `matrix`.
        enrich: How many directions of `push` are added.

    Returns:
        (columns, the leg they make, discarded weight).
    """
    first = first / np.linalg.norm(first)
    found = left_vectors(matrix - np.outer(first, first.conj() @ matrix), rows, columns)
    weights, total = found.sizes * found.strengths**2, float(np.linalg.norm(matrix)) ** 2
    tails = np.cumsum(weights[::-1])
    drop = int(np.searchsorted(tails, max(truncation.weight, 1e-30) * total, "right"))
    keep = min(len(weights) - drop, int(np.searchsorted(np.cumsum(found.sizes), truncation.bond - 1, "right")))
    lost = float(weights[keep:].sum()) / total
    one = np.ones(1, dtype=int)
    chosen = Columns(first[:, None].astype(matrix.dtype), np.ones(1), 0 * one, one) + found.chosen(np.arange(keep))
    room = min(enrich, len(rows) - int(chosen.sizes.sum()))
    if push is not None and room > 0:
        basis, rest = chosen.spread(rows)[0], push[0]
        for _ in range(2):
            rest = rest - basis @ (basis.conj().T @ rest)
        more = left_vectors(rest, rows, push[1])
        useful = more.strengths > 1e-13 * np.sqrt(total)
        chosen = chosen + more.chosen(np.flatnonzero(useful & (np.cumsum(more.sizes) <= room)))
    # rounding may make of the rest a direction more than the rows of a charge can hold beside the trace vector
    fits = [np.flatnonzero(chosen.charges == q)[:int(np.sum(rows.charges == q))] for q in np.unique(chosen.charges)]
    out, leg = chosen.chosen(np.sort(np.concatenate(fits))).orthonormal().spread(rows)
    return out, leg, lost


# -- the entries of a tensor -------------------------------------------------------------------------------------
Sets = tuple[Array, Array, Array]
"""Values of (vL, p, vR) whose combinations make a block of a tensor."""


@dataclass(frozen=True)
class Entries:
    """The entries of a tensor (vL p vR) that charge allows, vL + p = vR, as real unknowns.

    Attributes:
        own: Blocks of entries that are real.
        first: Blocks of one of each pair of conjugates.
        second: The partners of `first`, in the same order.
        places: Flat places of the entries of own, first and second, in this order.
        halves: How many entries are real, and how many pairs there are.
        dtype: Of the tensor.
    """

    own: list[Sets]
    first: list[Sets]
    second: list[Sets]
    places: Array
    halves: tuple[int, int]
    dtype: type

    @classmethod
    def of(cls, left: Index, site: Index, right: Index, grading: Grading) -> Entries:
        """The entries between three legs."""
        own, first, second = [], [], []
        for a in np.unique(left.charges):
            for p in np.unique(site.charges):
                b = grading.reduced(a + p)
                sets = tuple(np.flatnonzero(leg.charges == q) for leg, q in ((left, a), (site, p), (right, b)))
                if not all(map(len, sets)):
                    continue
                if grading.modulus or (a, p) == (0, 0):
                    own.append(sets)
                elif (a, p) > (0, 0):
                    first.append(sets)
                    second.append((left.bar[sets[0]], site.bar[sets[1]], right.bar[sets[2]]))
        shape = len(left), len(site), len(right)
        places = [np.ravel_multi_index(np.ix_(*sets), shape).ravel() for sets in (*own, *first, *second)]
        pairs = sum(len(a) * len(p) * len(b) for a, p, b in first)
        flat = np.concatenate(places)
        return cls(own, first, second, flat, (len(flat) - 2 * pairs, pairs), grading.dtype)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.places)

    def gather(self, tensor: Array) -> Array:
        """The real unknowns of a tensor; Euclidean lengths are kept."""
        v, (f, p) = tensor.ravel()[self.places], self.halves
        return np.concatenate([v[:f].real, np.sqrt(2) * v[f:f + p].real, np.sqrt(2) * v[f:f + p].imag]) if p else v.real

    def scatter(self, unknowns: Array, shape: tuple[int, ...]) -> Array:
        """The tensor of real unknowns."""
        f, p = self.halves
        out: Array = np.zeros(int(np.prod(shape)), dtype=self.dtype)
        if p:
            pair = (unknowns[f:f + p] + 1j * unknowns[f + p:]) / np.sqrt(2)
            unknowns = np.concatenate([unknowns[:f], pair, pair.conj()])
        out[self.places] = unknowns
        return out.reshape(shape)

    def matrix(self, left: Array, w: Array, right: Array) -> Array:
        """The local operator on the real unknowns.

        Args:
            left: Left environment, bL w kL.
            w: Tensor of the operator.
            right: Right environment, bR w kR.
        """
        rows = blocks(left, w, right, [*self.own, *self.first], [*self.own, *self.first, *self.second])
        f, p = self.halves
        if not p:
            return rows.real
        out = np.empty((f + 2 * p, f + 2 * p))
        out[:f, :f] = rows[:f, :f].real
        out[:f, f:f + p], out[:f, f + p:] = np.sqrt(2) * rows[:f, f:f + p].real, -np.sqrt(2) * rows[:f, f:f + p].imag
        out[f:f + p, :f], out[f + p:, :f] = np.sqrt(2) * rows[f:, :f].real, np.sqrt(2) * rows[f:, :f].imag
        same, other = rows[f:, f:f + p], rows[f:, f + p:]
        out[f:f + p, f:f + p], out[f:f + p, f + p:] = same.real + other.real, other.imag - same.imag
        out[f + p:, f:f + p], out[f + p:, f + p:] = same.imag + other.imag, same.real - other.real
        return out


def blocks(left: Array, w: Array, right: Array, rows: Sequence[Sets], columns: Sequence[Sets]) -> Array:
    """The local operator between blocks of entries, as a matrix."""
    ends, starts = (np.cumsum([0, *(len(a) * len(p) * len(b) for a, p, b in sets)]) for sets in (rows, columns))
    out = np.zeros((ends[-1], starts[-1]), dtype=np.result_type(left, w, right))
    lefts: dict[tuple[bytes, bytes], Array] = {}                         # parts of legs, cut once
    rights: dict[tuple[bytes, bytes], Array] = {}
    sites: dict[tuple[bytes, bytes], tuple[Array, Array, Array]] = {}
    for i, (a, p, b) in enumerate(rows):
        for j, (c, q, d) in enumerate(columns):
            pair, ac, bd = (p.tobytes(), q.tobytes()), (a.tobytes(), c.tobytes()), (b.tobytes(), d.tobytes())
            if pair not in sites:
                piece = w[:, :, p][:, :, :, q]
                used = np.flatnonzero(np.any(piece != 0, (1, 2, 3))), np.flatnonzero(np.any(piece != 0, (0, 2, 3)))
                sites[pair] = *used, piece[np.ix_(*used)].transpose(0, 2, 3, 1).reshape(
                    len(used[0]), len(p) * len(q) * len(used[1]))
            first, last, piece = sites[pair]
            if not len(first):
                continue
            if ac not in lefts:
                lefts[ac] = left[a][:, :, c].transpose(0, 2, 1).reshape(-1, w.shape[0])
            if bd not in rights:
                rights[bd] = right[b][:, :, d].transpose(1, 0, 2).reshape(w.shape[1], -1)
            t = lefts[ac][:, first] @ piece                              # bL kL [wL]; [wL] p p* wR
            t = t.reshape(-1, len(last)) @ rights[bd][last]              # bL kL p p* [wR]; [wR] bR kR
            t = t.reshape(len(a), len(c), len(p), len(q), len(b), len(d)).transpose(0, 2, 4, 1, 3, 5)
            out[ends[i]:ends[i + 1], starts[j]:starts[j + 1]] = t.reshape(ends[i + 1] - ends[i], -1)
    return out
