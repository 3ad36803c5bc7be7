"""A train of sites whose local states all differ in charge: tensors without a physical leg.

Where a charge is conserved (not modulo anything) and no two states of a site share one, the charges of the two bonds
say in which state the site is: a tensor is a plain matrix between bond states, A[i, j] with the site in the state of
charge q_right[j] - q_left[i]. A mode of a hundred quanta costs what its bonds cost, and a two-site gate is a handful of
elementwise products. What the split of a pair needs falls into one small matrix for every charge in the middle, and
all of them go through LAPACK in one call.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.evolve.graded import GradedTrain, Grading
from mps_battery.tensors import trains
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray


class LadderTrain:
    """Matrices between charged bond states, with an orthogonality centre.

    Attributes:
        charges: Charge of every local state, one array a site.
        matrices: One a site, (left bond states, right bond states).
        bonds: Charges of the bond states, one array a bond, the ends included.
        center: The orthogonality centre.
        lost: Norm of what the vector it was made from had outside its charge, taken as rounding.
    """

    def __init__(self, charges: list[Array], matrices: list[Array], bonds: list[Array], center: int,
                 lost: float = 0.0) -> None:
        self.charges, self.matrices, self.bonds, self.center, self.lost = charges, matrices, bonds, center, lost

    @classmethod
    def from_train(cls, tensors: Sequence[Array], charges: Sequence[Array]) -> LadderTrain | None:
        """Matrices of a dense train (legs vL p vR), centre at site 0.

        None where local states share a charge, or where the state has no definite one.
        """
        if any(len(np.unique(c)) < len(c) for c in charges):
            return None
        graded = GradedTrain.from_train(tensors, Grading(tuple(tuple(int(x) for x in c) for c in charges), 0))
        if graded is None:
            return None
        places: dict[int, slice] = {0: slice(0, 1)}
        matrices, bonds = [], [np.zeros(1, dtype=int)]
        for site in graded.blocks:
            widths = {q + c: a.shape[2] for (q, c), a in site.items()}
            ends = np.cumsum([0, *widths.values()])
            right = {m: slice(int(a), int(z)) for m, a, z in zip(widths, ends[:-1], ends[1:], strict=True)}
            matrix = np.zeros((len(bonds[-1]), int(ends[-1])), dtype=complex)
            for (q, c), a in site.items():
                matrix[places[q], right[q + c]] = a[0]
            matrices.append(matrix)
            bonds.append(np.repeat(list(widths), list(widths.values())))
            places = right
        return cls([np.asarray(c) for c in charges], matrices, bonds, 0, graded.lost)

    def copy(self) -> LadderTrain:
        """The same state; matrices are replaced and never written to, so they may be shared."""
        return LadderTrain(list(self.charges), list(self.matrices), list(self.bonds), self.center, self.lost)

    def to_train(self) -> list[Array]:
        """Dense tensors, legs vL p vR."""
        return [np.where(self._moved(n)[:, None, :] == c[None, :, None], a[:, None, :], 0.0)
                for n, (c, a) in enumerate(zip(self.charges, self.matrices, strict=True))]

    def _moved(self, n: int) -> Array:
        """Charge of site n for every pair of bond states."""
        return np.subtract.outer(self.bonds[n + 1], self.bonds[n]).T

    def move(self, to: int) -> None:
        """Bring the orthogonality centre to a site by QR within every charge."""
        while self.center < to:
            n = self.center
            q, r, labels = _orthonormal(self.matrices[n], self.bonds[n + 1])
            self.matrices[n], self.matrices[n + 1], self.bonds[n + 1] = q, r @ self.matrices[n + 1], labels
            self.center = n + 1
        while self.center > to:
            n = self.center
            q, r, labels = _orthonormal(self.matrices[n].T, self.bonds[n])
            self.matrices[n], self.matrices[n - 1], self.bonds[n] = q.T, self.matrices[n - 1] @ r.T, labels
            self.center = n - 1

    def update(self, b: int, gate: Array | None, rightward: bool, truncation: Truncation, ledger: Ledger,
               swap: bool = False) -> None:
        """One gate on sites b, b + 1, one of which holds the centre; the centre ends on the far one.

        Args:
            b: The left one of the sites.
            gate: A table of `pair_gate` for the site that ends left (rightward) or right (leftward); None for none.
            rightward: Where the centre goes.
            truncation: What is cut.
            ledger: Where that is entered.
            swap: Whether the two sites change places.
        """
        # 1. theta[s]: the pair with the slim site, which will carry the isometry, in its state s
        slim_left = rightward != swap
        slim = b if slim_left else b + 1
        moved, c, left, right = self._moved(slim), self.charges[slim], self.matrices[b], self.matrices[b + 1]
        own = np.where(moved == c[:, None, None], self.matrices[slim], 0.0)
        theta = own @ right if slim_left else left @ own
        # 2. the gate, a small matrix for every charge of the pair
        if gate is not None:
            least = self.charges[b].min() + self.charges[b + 1].min()
            total = np.subtract.outer(self.bonds[b + 2], self.bonds[b]).T - least
            # beyond the ends of the table theta vanishes
            theta = np.einsum("stij,tij->sij", gate[:, :, np.clip(total, 0, gate.shape[2] - 1)], theta)
        if swap:
            self.charges[b], self.charges[b + 1] = self.charges[b + 1], self.charges[b]
        # 3. split by the charge in the middle
        if rightward:
            labels = self.bonds[b] + c[:, None]
            self.matrices[b], self.matrices[b + 1], self.bonds[b + 1] = _split(theta, labels, truncation, ledger)
        else:
            labels = self.bonds[b + 2] - c[:, None]
            right, left, self.bonds[b + 1] = _split(theta.transpose(0, 2, 1), labels, truncation, ledger)
            self.matrices[b], self.matrices[b + 1] = left.T, right.T
        self.center = b + 1 if rightward else b


def pair_gate(gate: Array, slim: Array, other: Array) -> Array:
    """A charge-conserving gate (slim other, slim other) by the charge of the pair.

    Returns:
        Table (slim after, slim before, charge of the pair above its least); zero where the other site has no such
        state.
    """
    least = slim.min() + other.min()
    out = np.zeros((len(slim), len(slim), slim.max() + other.max() - least + 1), dtype=complex)
    g = gate.reshape(len(slim), len(other), len(slim), len(other))
    place = {int(c): k for k, c in enumerate(other)}
    for total in range(out.shape[2]):
        for s, after in enumerate(slim):
            for t, before in enumerate(slim):
                p, q = place.get(int(total + least - after)), place.get(int(total + least - before))
                if p is not None and q is not None:
                    out[s, t, total] = g[s, p, t, q]
    return out


def _orthonormal(matrix: Array, labels: Array) -> tuple[Array, Array, Array]:
    """matrix = q r with q orthonormal columns, within columns of equal label: (q, r, labels of the new states)."""
    parts, rests, new = [], np.zeros((0, matrix.shape[1]), dtype=complex), []
    for m in np.unique(labels):
        columns = np.flatnonzero(labels == m)
        q, r = np.linalg.qr(matrix[:, columns])
        parts.append(q)
        rest = np.zeros((len(r), matrix.shape[1]), dtype=complex)
        rest[:, columns] = r
        rests = np.concatenate([rests, rest])
        new += [m] * len(r)
    return np.concatenate(parts, axis=1), rests, np.array(new)


def _split(theta: Array, labels: Array, truncation: Truncation, ledger: Ledger) -> tuple[Array, Array, Array]:
    """theta (s, a, b) = isometry (a, m) times rest (m, b), one block for every label of (s, a).

    Returns:
        (isometry, rest, label of every m). The state s of the slim site follows from the labels of a and m.
    """
    states, a, b = theta.shape
    rows = np.append(theta.reshape(states * a, b), np.zeros((1, b)), axis=0)   # the last row pads blocks that are short
    names, member = np.unique(labels.ravel(), return_inverse=True)
    order = np.argsort(member, kind="stable")
    sizes = np.bincount(member)
    places = np.full((len(names), sizes.max()), states * a)
    within = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places[member[order], within] = order
    blocks = rows[places]                                                      # label, row, b
    if truncation.weight < 1e-13:
        u, s = trains.left_vectors(blocks)
        weights = s * s
    else:
        weights, u = np.linalg.eigh(blocks @ blocks.conj().transpose(0, 2, 1))
        weights, u = np.maximum(weights[:, ::-1], 0.0), u[:, :, ::-1]
    pooled = np.sort(weights.ravel())[::-1]
    keep, discarded, capped = truncation.kept(pooled)
    label, column = np.nonzero(weights >= pooled[keep - 1])
    ledger.truncated(discarded, len(label), capped)
    vectors = u[label, :, column]                                              # m, row
    rest = (u.conj().transpose(0, 2, 1) @ blocks)[label, column]
    isometry = np.zeros((a, len(label)), dtype=complex)
    m, r = np.nonzero(places[label] < states * a)
    isometry[places[label][m, r] % a, m] = vectors[m, r]
    return isometry, rest, names[label]
