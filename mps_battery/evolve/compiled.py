"""One two-site update of TEBD in Hastings' form, compiled: at small bonds the interpreter takes longer than LAPACK.

Tensors have legs p vL vR, dense, and every bond state has a charge; states of a bond are sorted by charge, so that the
blocks of equal charge are slices. A bond without a charge has zeros: one slice, the dense case. This is the arithmetic
of `_update_alike` in tebd.py and of `BlockChain` in blocks.py, bond by bond. Loops are written out where an array
expression would double the time it takes to compile; checkers of types must not wrap what numba is to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from numba import njit

from mps_battery.evolve.threads import shared
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray


LEAST_BOND = 8
"""Bond from which threads that share a layer gain."""


def layer(tensors: list[Array], schmidt: list[Array], labels: list[Array], local: Sequence[Array],
          gates: Sequence[Array], parity: int, truncation: Truncation, ledger: Ledger, hands: int = 1) -> None:
    """Gates on every second bond of a right-canonical chain, in place.

    Args:
        tensors: One a site.
        schmidt: Schmidt values of every inner bond.
        labels: Charges of the states of every bond, the two ends included.
        local: Charges of the local states of every site.
        gates: One a bond.
        parity: The first bond.
        truncation: What is cut.
        ledger: Where it is noted.
        hands: How many threads may share the bonds, which do not touch each other; the result is the same.
    """
    one, cuts = np.ones(1), {}
    bonds = range(parity, len(tensors) - 1, 2)

    def work(b: int) -> None:
        # no other bond of the layer looks at these: they are replaced at once, lest the train be held twice
        tensors[b], tensors[b + 1], schmidt[b], labels[b + 1], *cuts[b] = update(
            tensors[b], tensors[b + 1], schmidt[b - 1] if b else one, gates[b // 2],
            (labels[b], labels[b + 1], labels[b + 2]), (local[b], local[b + 1]),
            truncation.weight, truncation.bond)

    shared(work, bonds, 1 if max(map(len, schmidt)) < LEAST_BOND else hands)
    for b in bonds:
        discarded, capped = cuts[b]
        ledger.truncated(discarded, len(schmidt[b]), capped)


@njit(cache=True, nogil=True)
@no_type_check
def update(left: Array, right: Array, schmidt: Array, gate: Array, charges: tuple[Array, Array, Array],
           local: tuple[Array, Array], weight: float, cap: int) -> tuple[Array, Array, Array, Array, float, bool]:
    """A gate on two sites, and the bond between them truncated.

    Args:
        left, right: Right-canonical tensors of the two sites.
        schmidt: Schmidt values of the bond left of them.
        gate: Matrix (p q, p q) that conserves the charge.
        charges: Of the states of the bonds left of, between and right of the two sites, ascending.
        local: Charge of every local state of the two sites.
        weight, cap: The truncation.

    Returns:
        (left, right, Schmidt values between them, charges there, discarded fraction, whether the cap was met).
    """
    d, e, l, r = len(local[0]), len(local[1]), len(charges[0]), len(charges[2])
    # 1. the matrix C = gate B B', rows (p, vL), columns (q, vR), falls into one block for every charge in the middle
    low, high = charges[0][0] + local[0][0], charges[0][-1] + local[0][0]
    for p in range(1, d):
        low, high = min(low, charges[0][0] + local[0][p]), max(high, charges[0][-1] + local[0][p])
    row, rows = _places(charges[0], local[0], 1, low, high)
    column, columns = _places(charges[2], local[1], -1, low, high)
    blocks, starts = _with_gate(left, right, gate, charges, local, low, row, rows, column, columns)
    # 2. right singular vectors of s C from its Gram matrices
    many, width, height = len(rows), columns.max(), rows.max()
    scale, weights = np.zeros((many, height)), np.zeros((many, width))
    vectors = np.zeros((many, width, width), np.complex128)
    for p in range(d):
        for i in range(l):
            scale[charges[0][i] + local[0][p] - low, row[p, i]] = schmidt[i]
    for m in range(many):
        h, w = rows[m], columns[m]
        if h > 0 and w > 0:
            block = blocks[starts[m]:starts[m + 1]].reshape(h, w)
            theta, dagger = np.empty((h, w), np.complex128), np.empty((w, h), np.complex128)
            for i in range(h):
                for j in range(w):
                    theta[i, j] = scale[m, i] * block[i, j]
                    dagger[j, i] = theta[i, j].conjugate()
            found, v = np.linalg.eigh(np.dot(dagger, theta))
            for k in range(w):
                weights[m, k] = found[k]
                for j in range(w):
                    vectors[m, j, k] = v[j, k]
    # 3. what is kept, over all charges together
    dropped, count, discarded, capped = _dropped(weights, rows, columns, weight, cap)
    # 4. new tensors: B' = V+, B = C V
    new_left, new_right = np.zeros((d, l, count), np.complex128), np.zeros((e, count, r), np.complex128)
    values, middle = np.empty(count), np.empty(count, np.int64)
    norm, k = (1 - discarded) ** -0.5, 0
    for m in range(many):
        n = columns[m] - dropped[m]
        if n > 0:
            v = np.empty((columns[m], n), np.complex128)
            for x in range(n):
                values[k + x], middle[k + x] = weights[m, columns[m] - 1 - x], m + low
                for j in range(columns[m]):
                    v[j, x] = vectors[m, j, columns[m] - 1 - x]
            rest = np.dot(blocks[starts[m]:starts[m + 1]].reshape(rows[m], columns[m]), v)
            for p in range(d):
                for i in range(l):
                    if charges[0][i] + local[0][p] == m + low:
                        for x in range(n):
                            new_left[p, i, k + x] = norm * rest[row[p, i], x]
            for q in range(e):
                for j in range(r):
                    if charges[2][j] - local[1][q] == m + low:
                        for x in range(n):
                            new_right[q, k + x, j] = v[column[q, j], x].conjugate()
            k += n
    total = values.sum()
    for x in range(count):
        values[x] = (values[x] / total) ** 0.5
    return new_left, new_right, values, middle, discarded, capped


@njit(cache=True, nogil=True)
@no_type_check
def _places(bond: Array, local: Array, sign: int, low: int, high: int) -> tuple[Array, Array]:
    """Place of (local state, bond state) among those of equal charge bond + sign local, and how many each charge has.

    Charges run from `low` to `high`; what lies outside has no place.
    """
    place, count = np.empty((len(local), len(bond)), np.int64), np.zeros(high - low + 1, np.int64)
    for p in range(len(local)):
        for i in range(len(bond)):
            m = bond[i] + sign * local[p] - low
            if 0 <= m < len(count):
                place[p, i] = count[m]
                count[m] += 1
    return place, count


@njit(cache=True, nogil=True)
@no_type_check
def _starts(bond: Array) -> Array:
    """Where each charge of a sorted bond begins, and the end."""
    out, n = np.empty(len(bond) + 1, np.int64), 0
    for i in range(len(bond)):
        if i == 0 or bond[i] != bond[i - 1]:
            out[n] = i
            n += 1
    out[n] = len(bond)
    return out[:n + 1]


@njit(cache=True, nogil=True)
@no_type_check
def _with_gate(left: Array, right: Array, gate: Array, charges: tuple[Array, Array, Array],
               local: tuple[Array, Array], low: int, row: Array, rows: Array, column: Array, columns: Array
               ) -> tuple[Array, Array]:
    """The blocks of C = gate B B' one behind the other, and where each begins."""
    starts = np.zeros(len(rows) + 1, np.int64)
    for m in range(len(rows)):
        starts[m + 1] = starts[m] + rows[m] * columns[m]
    blocks = np.zeros(starts[-1], np.complex128)
    d, e, edges = len(local[0]), len(local[1]), (_starts(charges[0]), _starts(charges[1]), _starts(charges[2]))
    p, q = np.empty(d * e, np.int64), np.empty(d * e, np.int64)
    for f in range(len(edges[0]) - 1):
        i0, h = edges[0][f], edges[0][f + 1] - edges[0][f]
        for g in range(len(edges[2]) - 1):
            j0, w = edges[2][g], edges[2][g + 1] - edges[2][g]
            # the pairs of local states that lead from the charge on the left to the one on the right
            n = 0
            for x in range(d):
                for y in range(e):
                    if charges[0][i0] + local[0][x] + local[1][y] == charges[2][j0]:
                        p[n], q[n] = x, y
                        n += 1
            for k in range(n):
                product = _product(left[p[k]], right[q[k]], charges[1], edges[1],
                                   charges[0][i0] + local[0][p[k]], i0, h, j0, w)
                for x in range(n):
                    m, factor = charges[0][i0] + local[0][p[x]] - low, gate[p[x] * e + q[x], p[k] * e + q[k]]
                    for i in range(h):
                        at = starts[m] + (row[p[x], i0] + i) * columns[m] + column[q[x], j0]
                        for j in range(w):
                            blocks[at + j] += factor * product[i, j]
    return blocks, starts


@njit(cache=True, nogil=True)
@no_type_check
def _product(left: Array, right: Array, bond: Array, edges: Array, charge: int, i0: int, h: int, j0: int, w: int
             ) -> Array:
    """left right summed over the bond states of one charge: rows i0 .. i0 + h, columns j0 .. j0 + w."""
    for f in range(len(edges) - 1):
        k0, n = edges[f], edges[f + 1] - edges[f]
        if bond[k0] == charge:
            a, b = np.empty((h, n), np.complex128), np.empty((n, w), np.complex128)
            for i in range(h):
                for k in range(n):
                    a[i, k] = left[i0 + i, k0 + k]
            for k in range(n):
                for j in range(w):
                    b[k, j] = right[k0 + k, j0 + j]
            return np.dot(a, b)
    return np.zeros((h, w), np.complex128)


@njit(cache=True, nogil=True)
@no_type_check
def _dropped(weights: Array, rows: Array, columns: Array, weight: float, cap: int) -> tuple[Array, int, float, bool]:
    """`Truncation.kept` over charges: how many of the ascending weights of every charge go, smallest of all first.

    Returns:
        (number dropped of every charge, number kept, discarded fraction, whether the cap dropped more than `weight`).
    """
    dropped, count, total, lost, capped = np.zeros(len(rows), np.int64), 0, 0.0, 0.0, False
    for m in range(len(rows)):
        # a wide matrix has no more weights than rows
        dropped[m] = max(0, columns[m] - rows[m])
        for k in range(dropped[m], columns[m]):
            weights[m, k] = max(weights[m, k], 0.0)
            total += weights[m, k]
            count += 1
    while count > 1:
        least = -1
        for m in range(len(rows)):
            if dropped[m] < columns[m] and (
                    least < 0 or weights[m, dropped[m]] < weights[least, dropped[least]]):
                least = m
        next_one = weights[least, dropped[least]]
        # what is lost in rounding is not worth a channel
        if lost + next_one > weight * total and next_one > 1e-31 * total:
            if count <= cap:
                break
            capped = True
        lost += next_one
        dropped[least] += 1
        count -= 1
    return dropped, count, lost / total, capped
