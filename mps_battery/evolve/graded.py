"""A train in blocks over a conserved charge, with an orthogonality centre that TEBD sweeps along.

Every truncation in a moving centre is an orthogonal projection, also where gates are not unitary: Hastings' form is
only for unitary gates, since others destroy the canonical form that it relies on. The charge may be an integer
(excitations), a parity (densities under a generator that conserves charge: ket minus bra, modulo two, which keeps the
blocks real), or nothing (one block, the dense case).

Block (ql, c) of a site has legs p vL vR: p runs over the local states of charge c, vL over the left bond states of
charge ql; the right bond states have charge ql + c.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.evolve import subspace
from mps_battery.tensors import trains
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray
Blocks = dict[tuple[int, int], Array]
GradedGate = dict[int, Array]
"""Charge of the pair -> the gate among the pairs of that charge, in the order of `Grading.pairs`."""


@dataclass(frozen=True)
class Grading:
    """Local charges of a chain.

    Args:
        charges: Charge of every local state, one array a site.
        modulus: Charges add modulo this; 0 for integers.
    """

    charges: tuple[tuple[int, ...], ...]
    modulus: int

    @classmethod
    def trivial(cls, dimensions: Iterable[int]) -> Grading:
        """No charge: one block."""
        return cls(tuple((0,) * d for d in dimensions), 0)

    def add(self, a: int, b: int) -> int:
        """a + b."""
        return (a + b) % self.modulus if self.modulus else a + b

    def members(self, n: int) -> dict[int, list[int]]:
        """Charge -> local states of site n."""
        out: dict[int, list[int]] = defaultdict(list)
        for p, c in enumerate(self.charges[n]):
            out[c].append(p)
        return out

    def pairs(self, b: int) -> dict[int, list[tuple[int, int]]]:
        """Charge of the pair -> (charge left, charge right) of the sites b, b + 1."""
        out: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for c in self.members(b):
            for e in self.members(b + 1):
                out[self.add(c, e)].append((c, e))
        return out

    def gate(self, b: int, gate: Array) -> GradedGate:
        """A dense (p q, p q) gate on sites b, b + 1 cut into blocks."""
        left, right = self.members(b), self.members(b + 1)
        width = len(self.charges[b + 1])
        out = {}
        for total, pairs in self.pairs(b).items():
            index = [p * width + q for c, e in pairs for p in left[c] for q in right[e]]
            out[total] = np.ascontiguousarray(gate[np.ix_(index, index)])
        return out

    def swapped(self, b: int) -> Grading:
        """The same with sites b, b + 1 in each other's place."""
        c = self.charges
        return Grading((*c[:b], c[b + 1], c[b], *c[b + 2:]), self.modulus)

    def allows(self, bonds: Sequence[Array]) -> bool:
        """Whether every bond matrix conserves the charge."""
        for b, h in enumerate(bonds):
            pair = np.add.outer(self.charges[b], self.charges[b + 1]).ravel()
            pair = pair % self.modulus if self.modulus else pair
            if np.any(np.abs(h[pair[:, None] != pair[None, :]]) > 1e-13 * max(1.0, np.abs(h).max())):
                return False
        return True


class GradedTrain:
    """Blocks of every site, and where the orthogonality centre is.

    Attributes:
        sharp: Whether truncations go by singular values even where Gram matrices would do.
        hands: How many threads share the charges of a bond.
        lost: Norm of what the vector it was made from had outside its charge, taken as rounding.
    """

    def __init__(self, grading: Grading, blocks: list[Blocks], center: int) -> None:
        self.grading, self.blocks, self.center, self.sharp, self.lost = grading, blocks, center, False, 0.0
        self.hands = 1

    @classmethod
    def from_train(cls, tensors: Sequence[Array], grading: Grading) -> GradedTrain | None:
        """Blocks of a dense train (legs vL p vR), centre at site 0; None where the state has no definite charge.

        From the left, rows of equal charge are orthonormalised together, which turns every bond into a basis of
        definite charge whatever it was before. What lies outside, below 1e-6 of the norm, is
        rounding and remembered as `lost`.
        """
        blocks: list[Blocks] = []
        carry: dict[int, Array] = {0: np.ones((1, 1))}
        for n, t in enumerate(tensors):
            rows: dict[int, list[tuple[tuple[int, int], Array]]] = defaultdict(list)
            for q, x in carry.items():
                for c, states in grading.members(n).items():
                    rows[grading.add(q, c)].append(((q, c), np.tensordot(x, t[:, states], 1).transpose(1, 0, 2)))
            carry, site = {}, Blocks()
            scale = np.sqrt(sum(np.linalg.norm(a) ** 2 for parts in rows.values() for _, a in parts))
            for m, parts in rows.items():
                matrix = np.concatenate([a.reshape(-1, a.shape[2]) for _, a in parts])
                u, s, v = trains.svd(matrix)
                keep = int(np.sum(s > 1e-14 * scale))
                if keep:
                    carry[m] = s[:keep, None] * v[:keep]
                    _split_rows(u[:, :keep], [(key, a.shape[:2]) for key, a in parts], site)
            blocks.append(site)
        weights = {m: float(np.linalg.norm(x)) ** 2 for m, x in carry.items()}
        total = max(weights, key=lambda m: weights[m])
        lost = sum(w for m, w in weights.items() if m != total)
        if lost > 1e-12 * weights[total]:
            return None
        n = len(blocks) - 1
        blocks[n] = {(q, c): a @ carry[total] for (q, c), a in blocks[n].items() if grading.add(q, c) == total}
        chain = cls(grading, blocks, n)
        chain.lost = lost**0.5
        chain.move(0)
        return chain

    def copy(self) -> GradedTrain:
        """The same state; blocks are replaced and never written to, so they may be shared."""
        train = GradedTrain(self.grading, list(self.blocks), self.center)
        train.sharp, train.lost, train.hands = self.sharp, self.lost, self.hands
        return train

    def to_train(self) -> list[Array]:
        """Dense tensors, legs vL p vR."""
        out, left = [], {0: slice(0, 1)}
        for n, site in enumerate(self.blocks):
            members, widths = self.grading.members(n), {}
            for (q, c), a in site.items():
                widths[self.grading.add(q, c)] = a.shape[2]
            ends = np.cumsum([0, *widths.values()])
            right = {m: slice(int(a), int(z)) for m, a, z in zip(widths, ends[:-1], ends[1:], strict=True)}
            height = max(s.stop for s in left.values())
            t = np.zeros((height, len(self.grading.charges[n]), int(ends[-1])), dtype=next(iter(site.values())).dtype)
            for (q, c), a in site.items():
                # two advanced indices would swap axes: one local state at a time
                for k, p in enumerate(members[c]):
                    t[left[q], p, right[self.grading.add(q, c)]] = a[k]
            out.append(t)
            left = right
        return out

    @property
    def norm(self) -> float:
        """2-norm of the vector."""
        return float(np.sqrt(sum(np.linalg.norm(a) ** 2 for a in self.blocks[self.center].values())))

    def scale(self, factor: float) -> None:
        """Multiply the vector."""
        self.blocks[self.center] = {k: factor * a for k, a in self.blocks[self.center].items()}

    # -- moving the centre -----------------------------------------------------------------------------------
    def move(self, to: int) -> None:
        """Bring the orthogonality centre to a site by QR."""
        while self.center < to:
            self._step_right()
        while self.center > to:
            self._step_left()

    def _step_right(self) -> None:
        n, new, factors = self.center, Blocks(), {}
        for m, keys in self._by_right(n).items():
            parts = [(key, self.blocks[n][key]) for key in keys]
            matrix = np.concatenate([a.reshape(-1, a.shape[2]) for _, a in parts]) if len(parts) > 1 else \
                parts[0][1].reshape(-1, parts[0][1].shape[2])
            q, factors[m] = np.linalg.qr(matrix)
            _split_rows(q, [(key, a.shape[:2]) for key, a in parts], new)
        self.blocks[n] = new
        self.blocks[n + 1] = {(q, c): factors[q] @ a for (q, c), a in self.blocks[n + 1].items() if q in factors}
        self.center = n + 1

    def _step_left(self) -> None:
        n, new, factors = self.center, Blocks(), {}
        for m, keys in self._by_left(n).items():
            parts = [(key, self.blocks[n][key]) for key in keys]
            matrix = np.concatenate([_columns(a) for _, a in parts], 1) if len(parts) > 1 else _columns(parts[0][1])
            q, r = np.linalg.qr(matrix.T)
            factors[m] = r.T
            _split_columns(q.T, [(key, (a.shape[0], a.shape[2])) for key, a in parts], new)
        self.blocks[n] = new
        self.blocks[n - 1] = {(q, c): a @ factors[m] for (q, c), a in self.blocks[n - 1].items()
                              if (m := self.grading.add(q, c)) in factors}
        self.center = n - 1

    def _by_right(self, n: int) -> dict[int, list[tuple[int, int]]]:
        out: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for q, c in self.blocks[n]:
            out[self.grading.add(q, c)].append((q, c))
        return out

    def _by_left(self, n: int) -> dict[int, list[tuple[int, int]]]:
        out: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for q, c in self.blocks[n]:
            out[q].append((q, c))
        return out

    # -- gates -----------------------------------------------------------------------------------------------
    def layer(self, gates: Sequence[GradedGate], parity: int, truncation: Truncation, ledger: Ledger) -> None:
        """Gates on every second bond, swept from the end where the centre is nearer."""
        bonds = list(enumerate(range(parity, len(self.blocks) - 1, 2)))
        rightward = self.center <= len(self.blocks) // 2
        for k, b in bonds if rightward else reversed(bonds):
            self.move(b if rightward else b + 1)
            self.update(b, gates[k], rightward, truncation, ledger)

    def update(self, b: int, gate: GradedGate | None, rightward: bool, truncation: Truncation, ledger: Ledger,
               swap: bool = False) -> None:
        """One gate on sites b, b + 1, one of which holds the centre; the centre ends on the far one.

        With `swap` the two sites change places behind the gate.
        """
        theta = self.pair(b, gate)
        if swap:
            theta = {(ql, e, c): a.transpose(1, 0, 2, 3) for (ql, c, e), a in theta.items()}
            self.grading = self.grading.swapped(b)
        # 1. one matrix for every charge in the middle: rows (ql, c), columns (m, e)
        grading, charges = self.grading, {}
        rows: dict[int, dict[tuple[int, int], tuple[int, int]]] = defaultdict(dict)
        columns: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        for (ql, c, e), a in theta.items():
            m = grading.add(ql, c)
            rows[m][ql, c] = (a.shape[0], a.shape[2])
            columns[m][e] = (a.shape[1], a.shape[3])
        for m in rows:
            charges[m] = _assemble(theta, rows[m], columns[m])
        # 2. its singular spectra, truncated together
        starts = {} if swap else self._kept(b, rows, columns, rightward)
        spectra, keep, discarded, capped = subspace.truncated(
            charges if rightward else {m: a.conj().T for m, a in charges.items()}, starts, truncation, self.sharp,
            self.hands)
        ledger.truncated(discarded, keep, capped)
        # 3. isometry and rest
        left: Blocks = {}
        right: Blocks = {}
        for m, (_, vectors) in spectra.items():
            # a view would hold on to all vectors, those that were cut too
            vectors = np.ascontiguousarray(vectors)
            if rightward:
                u, rest = vectors, vectors.conj().T @ charges[m]
            else:
                u, rest = charges[m] @ vectors, vectors.conj().T
            _split_rows(u, list(rows[m].items()), left)
            _split_columns(rest, [((m, e), shape) for e, shape in columns[m].items()], right)
        self.blocks[b], self.blocks[b + 1] = left, right
        self.center = b + 1 if rightward else b

    def _kept(self, b: int, rows: dict[int, dict[tuple[int, int], tuple[int, int]]],
              columns: dict[int, dict[int, tuple[int, int]]], rightward: bool) -> dict[int, Array]:
        """Charge in the middle -> the vectors kept so far on the far side, as columns over that side of theta."""
        out = {}
        for m in rows:
            if rightward:
                parts = [(_columns(self.blocks[b + 1][m, e]).T if (m, e) in self.blocks[b + 1] else None, q * r)
                         for e, (q, r) in columns[m].items()]
            else:
                parts = [(self.blocks[b][key].reshape(p * l, -1) if key in self.blocks[b] else None, p * l)
                         for key, (p, l) in rows[m].items()]
            width = max((a.shape[1] for a, _ in parts if a is not None), default=0)
            if width:
                out[m] = np.concatenate([np.zeros((n, width)) if a is None else a for a, n in parts]).conj()
        return out

    def pair(self, b: int, gate: GradedGate | None) -> dict[tuple[int, int, int], Array]:
        """gate A_b A_(b+1) as blocks (ql, c, e) with legs p q vL vR."""
        grading, left, right = self.grading, self.blocks[b], self.blocks[b + 1]
        members, others = grading.members(b), grading.members(b + 1)
        out: dict[tuple[int, int, int], Array] = {}
        for ql in dict.fromkeys(q for q, _ in left):
            for total, pairs in grading.pairs(b).items():
                found = {}
                for c, e in pairs:
                    a, z = left.get((ql, c)), right.get((grading.add(ql, c), e))
                    if a is not None and z is not None:
                        found[c, e] = a[:, None] @ z[None]                # p q vL [m]; [m] vR
                if not found:
                    continue
                if gate is None:
                    out |= {(ql, c, e): x for (c, e), x in found.items()}
                    continue
                l, r = next(iter(found.values())).shape[2:]
                stack = [found[c, e].reshape(-1, l * r) if (c, e) in found else
                         np.zeros((len(members[c]) * len(others[e]), l * r)) for c, e in pairs]
                done = gate[total] @ (np.concatenate(stack) if len(stack) > 1 else stack[0])
                at = 0
                for c, e in pairs:
                    p, q = len(members[c]), len(others[e])
                    out[ql, c, e] = done[at:at + p * q].reshape(p, q, l, r)
                    at += p * q
        return out


def _assemble(theta: dict[tuple[int, int, int], Array], rows: dict[tuple[int, int], tuple[int, int]],
              columns: dict[int, tuple[int, int]]) -> Array:
    """The matrix (ql c p vL) x (e q vR) of one charge in the middle."""
    lines = []
    for ql, c in rows:
        p, l = rows[ql, c]
        line = [theta[ql, c, e].transpose(0, 2, 1, 3).reshape(p * l, -1) if (ql, c, e) in theta
                else np.zeros((p * l, q * r)) for e, (q, r) in columns.items()]
        lines.append(np.concatenate(line, 1) if len(line) > 1 else line[0])
    return np.concatenate(lines) if len(lines) > 1 else lines[0]


def _split_rows(matrix: Array, parts: Sequence[tuple[tuple[int, int], tuple[int, int]]], out: Blocks) -> None:
    """Rows (key p vL) of a matrix back into blocks p vL vR."""
    at = 0
    for key, (p, l) in parts:
        out[key] = matrix[at:at + p * l].reshape(p, l, -1)
        at += p * l


def _split_columns(matrix: Array, parts: Sequence[tuple[tuple[int, int], tuple[int, int]]], out: Blocks) -> None:
    """Columns (key p vR) of a matrix back into blocks p vL vR."""
    at, l = 0, len(matrix)
    for key, (p, r) in parts:
        out[key] = np.ascontiguousarray(matrix[:, at:at + p * r].reshape(l, p, r).transpose(1, 0, 2))
        at += p * r


def _columns(block: Array) -> Array:
    """p vL vR -> vL (p vR)."""
    p, l, r = block.shape
    return block.transpose(1, 0, 2).reshape(l, p * r)
