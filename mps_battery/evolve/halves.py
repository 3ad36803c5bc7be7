"""The action of a sum of products on a vector without its matrix: sum_a A_a (x) B_a over two halves of the chain.

The vector is a matrix psi (left half, right half), and H psi = sum_a A_a psi B_a^T. A product that crosses the cut is
counted with its left or its right part; the fewest parts that account for all are a smallest vertex cover of the graph
that joins the parts of every product [Koenig 1931]. What is kept are sparse matrices of the halves: memory grows as the
root of the dimension, where a sparse matrix of all-to-all couplings would hold thousands of entries a row.

One part of a pair is a single product, most of whose rows and columns are empty where it moves charge: the sum, which
costs the most, is applied to the columns that remain. That is twice as fast as to apply it to all (16 to 18 fermions).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_bipartite_matching

from mps_battery.sites import Site
from mps_battery.terms import Product, Terms

Array = np.ndarray
Sum = dict[Product, complex]
Pair = tuple[sp.csr_matrix, sp.csr_matrix, Array, Array]


class Halves:
    """A sum of products, ready to be applied to vectors of the whole space.

    Args:
        terms: The sum.
    """

    def __init__(self, terms: Terms) -> None:
        dims = np.array([float(s.d) for s in terms.sites])
        middle = 1 + int(np.argmin(np.abs(np.cumsum(np.log(dims)) - np.log(dims).sum() / 2)[:-1])) \
            if len(dims) > 1 else 1
        left, right = terms.sites[:middle], terms.sites[middle:]
        self._shape = (int(dims[:middle].prod()), int(dims[middle:].prod()))
        alone: tuple[Sum, Sum] = ({}, {})
        crossing: Sum = {}
        for product, c in terms.products:
            cut = sum(n < middle for n, _ in product)
            if cut < len(product) and cut:
                crossing[product] = c
            else:
                side = int(cut < len(product))
                alone[side][tuple((n - side * middle, o) for n, o in product)] = c
        self._left, self._right = _matrix(left, alone[0]), _matrix(right, alone[1])
        self._pairs: tuple[list[Pair], list[Pair]] = ([], [])      # the sum on the left, on the right
        for a, b in _covered(crossing, middle):
            on_left, on_right = _matrix(left, a), _matrix(right, b)
            if len(a) > 1:
                self._pairs[0].append((on_left, *_compressed(on_right)))
            else:
                self._pairs[1].append((on_right, *_compressed(on_left)))

    @property
    def pairs(self) -> int:
        """How many products of halves cross the cut."""
        return len(self._pairs[0]) + len(self._pairs[1])

    def __matmul__(self, vector: Array) -> Array:
        """H v, v flat."""
        psi = vector.reshape(self._shape)
        turned = np.ascontiguousarray(psi.T)
        out, out_turned = self._left @ psi, self._right @ turned
        for target, source, pairs in ((out, psi, self._pairs[0]), (out_turned, turned, self._pairs[1])):
            for total, single, rows, columns in pairs:
                target[:, rows] += (total @ source[:, columns]) @ single
        return (out + out_turned.T).ravel()


def _matrix(sites: Sequence[Site], products: Sum) -> sp.csr_matrix:
    """A sum of products on some sites as a sparse matrix, real where it can be."""
    if not len(sites):
        return sp.csr_matrix([[sum(products.values())]])
    terms = Terms(sites)
    for product, c in products.items():
        terms._add(product, c)
    matrix = terms.to_sparse()
    return matrix if np.any(matrix.data.imag) else matrix.real.tocsr()


def _compressed(matrix: sp.csr_matrix) -> tuple[sp.csr_matrix, Array, Array]:
    """A matrix without its empty rows and columns, transposed; which rows and columns are left."""
    rows, columns = np.flatnonzero(np.diff(matrix.indptr)), np.unique(matrix.indices)
    return matrix[rows][:, columns].T.tocsr(), rows, columns


def _covered(products: Sum, middle: int) -> list[tuple[Sum, Sum]]:
    """The products as few pairs (sum on the left half, sum on the right half), one of the two a single product."""
    parts: tuple[dict[Product, int], dict[Product, int]] = ({}, {})
    edges: list[tuple[int, int, complex]] = []
    for product, c in products.items():
        cut = sum(n < middle for n, _ in product)
        halves = (product[:cut], tuple((n - middle, o) for n, o in product[cut:]))
        i, j = (names.setdefault(half, len(names)) for names, half in zip(parts, halves, strict=True))
        edges.append((i, j, c))
    if not edges:
        return []
    names = [list(p) for p in parts]
    counted = _cover(np.array([(i, j) for i, j, _ in edges]), len(names[0]), len(names[1]))
    grouped: tuple[dict[int, Sum], dict[int, Sum]] = (defaultdict(dict), defaultdict(dict))
    for i, j, c in edges:
        if counted[i]:
            grouped[0][i][names[1][j]] = c
        else:
            grouped[1][j][names[0][i]] = c
    pairs: list[tuple[Sum, Sum]] = [({names[0][i]: 1.0}, rest) for i, rest in grouped[0].items()]
    pairs += [(rest, {names[1][j]: 1.0}) for j, rest in grouped[1].items()]
    return pairs


def _cover(edges: Array, rows: int, columns: int) -> Array:
    """Which rows are in a smallest vertex cover of a bipartite graph; edges of the others are covered by columns.

    From a largest matching, alternate from the unmatched rows: a row is in the cover where it is not reached.
    """
    graph = sp.csr_matrix((np.ones(len(edges)), edges.T), shape=(rows, columns))
    partner = maximum_bipartite_matching(graph, perm_type="row")               # of every column
    row_of = np.asarray(partner)
    reached = np.ones(rows, dtype=bool)
    reached[row_of[row_of >= 0]] = False
    frontier = np.flatnonzero(reached)
    seen = np.zeros(columns, dtype=bool)
    while len(frontier):
        met = np.unique(graph[frontier].indices)
        met = met[~seen[met]]
        seen[met] = True
        nexts = row_of[met][row_of[met] >= 0]
        frontier = nexts[~reached[nexts]]
        reached[frontier] = True
    return ~reached
