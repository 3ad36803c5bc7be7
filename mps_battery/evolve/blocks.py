"""TEBD on tensors that are blocks over a conserved charge, for bonds too large for dense ones.

The charge of a bond is the sum of the site charges left of it, so a tensor has a block for every local state p and
charge ql of the left bond, and it leads to the charge ql + c_p of the right bond. A two-site update then falls apart
into one small matrix for every charge in the middle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.evolve import subspace
from mps_battery.evolve.threads import each_alone, shared
from mps_battery.tensors import trains
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray
GateBlocks = list[tuple[int, list[tuple[int, int]], Array]]
"""(charge of the pair, local states (p, q) that have it, the gate among them)."""

SHARP = 2e-6
"""Singular values above it, counted over all charges of a cut, are no more than the bond has states where other charges
are noise of weight 1e-12: the part of definite charge, whose cut is block diagonal, is within 1e-6 of the state."""


def conserved(gates: Iterable[Array], charges: Sequence[Array]) -> bool:
    """Whether every bond matrix (d e, d e) commutes with the charge of its two sites."""
    for b, h in enumerate(gates):
        pair = np.add.outer(charges[b], charges[b + 1]).ravel()
        if np.any(np.abs(h[pair[:, None] != pair[None, :]]) > 1e-13 * max(1.0, np.abs(h).max())):
            return False
    return True


def gate_blocks(gate: Array, left: Array, right: Array) -> GateBlocks:
    """A two-site gate (p q, p q) cut into its charge blocks."""
    pairs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for p, x in enumerate(left):
        for q, y in enumerate(right):
            pairs[int(x + y)].append((p, q))
    out = []
    for charge, members in pairs.items():
        index = [p * len(right) + q for p, q in members]
        out.append((charge, members, np.ascontiguousarray(gate[np.ix_(index, index)])))
    return out


@dataclass
class BlockChain:
    """A right-canonical state in blocks.

    Attributes:
        charges: Charge of every local state, one array a site.
        blocks: One dictionary a site: (p, ql) -> matrix vL vR.
        schmidt: One dictionary an inner bond: charge -> Schmidt values.
    """

    charges: list[Array]
    blocks: list[dict[tuple[int, int], Array]]
    schmidt: list[dict[int, Array]]

    @classmethod
    def from_train(cls, tensors: Sequence[Array], charges: Sequence[Array]) -> BlockChain | None:
        """Blocks of a normalised dense train (legs p vL vR); None where the state has no definite charge.

        From the left, rows of equal charge are decomposed together, which turns every bond into a basis of definite
        charge whatever it was before; back from the right the same gives the Schmidt form.
        """
        blocks: list[dict[tuple[int, int], Array]] = []
        carry: dict[int, Array] = {0: np.ones((1, 1))}
        for t, c in zip(tensors, charges, strict=True):
            rows: dict[int, list[tuple[int, int, Array]]] = defaultdict(list)
            for q, x in carry.items():
                for p in range(len(c)):
                    rows[q + int(c[p])].append((p, q, x @ t[p]))
            carry, site, sharp = {}, {}, 0
            for m, parts in rows.items():
                u, s, v = trains.svd(np.concatenate([a for *_, a in parts]))
                keep = int(np.sum(s > 1e-13))
                sharp += int(np.sum(s > SHARP))
                if keep:
                    carry[m] = s[:keep, None] * v[:keep]
                    ends = np.cumsum([len(a) for *_, a in parts])[:-1]
                    for (p, q, _), piece in zip(parts, np.split(u[:, :keep], ends), strict=True):
                        site[p, q] = piece
            # without this a state of no charge would first be blown up by the number of charges
            if sharp > t.shape[2]:
                return None
            blocks.append(site)
        weights = {m: float(np.linalg.norm(x)) ** 2 for m, x in carry.items()}
        total = max(weights, key=lambda m: weights[m])
        # eigenvectors of a Gram matrix mix charges at 1e-16 of the weight: that little of other charges is noise
        if sum(weights.values()) - weights[total] > 1e-12 * weights[total]:
            return None
        blocks[-1] = {(p, q): a for (p, q), a in blocks[-1].items() if q + int(charges[-1][p]) == total}
        chain = cls(list(charges), blocks, [{} for _ in range(len(blocks) - 1)])
        chain._from_right(carry[total])
        return chain

    def _from_right(self, end: Array) -> None:
        """Left-canonical blocks made right-canonical, Schmidt values noted."""
        self.blocks[-1] = {k: a @ end for k, a in self.blocks[-1].items()}
        for n in range(len(self.blocks) - 1, 0, -1):
            columns: dict[int, list[int]] = defaultdict(list)
            for p, q in self.blocks[n]:
                columns[q].append(p)
            new: dict[tuple[int, int], Array] = {}
            factors: dict[int, Array] = {}
            for q, states in columns.items():
                parts = [self.blocks[n][p, q] for p in states]
                u, s, v = trains.svd(np.concatenate(parts, axis=1))
                keep = int(np.sum(s > 1e-13))
                if not keep:
                    continue
                self.schmidt[n - 1][q] = s[:keep]
                factors[q] = u[:, :keep] * s[:keep]
                for p, piece in zip(states, np.split(v[:keep], np.cumsum([a.shape[1] for a in parts])[:-1], axis=1),
                                    strict=True):
                    new[p, q] = piece
            self.blocks[n] = new
            c = self.charges[n - 1]
            self.blocks[n - 1] = {(p, q): a @ factors[q + int(c[p])] for (p, q), a in self.blocks[n - 1].items()
                                  if q + int(c[p]) in factors}

    def to_train(self) -> tuple[list[Array], list[Array], list[Array]]:
        """Dense tensors (legs p vL vR), Schmidt values of every inner bond, charges of the states of every bond.

        States are sorted by charge, those of one charge by their Schmidt values.
        """
        sizes: list[dict[int, int]] = [{0: 1}, *({q: len(cut[q]) for q in sorted(cut)} for cut in self.schmidt)]
        last = {q + int(self.charges[-1][p]): 1 for p, q in self.blocks[-1]}
        places, widths = [], []
        for bond in (*sizes, last):
            ends = np.cumsum([0, *bond.values()])
            places.append({q: slice(int(a), int(z)) for q, a, z in zip(bond, ends[:-1], ends[1:], strict=True)})
            widths.append(int(ends[-1]))
        tensors = []
        for n, (c, site) in enumerate(zip(self.charges, self.blocks, strict=True)):
            t = np.zeros((len(c), widths[n], widths[n + 1]), dtype=complex)
            for (p, q), a in site.items():
                t[p, places[n][q], places[n + 1][q + int(c[p])]] = a
            tensors.append(t)
        labels = [np.repeat(list(bond), list(bond.values())) for bond in (*sizes, last)]
        return tensors, [np.concatenate([cut[q] for q in sorted(cut)]) for cut in self.schmidt], labels

    def layer(self, gates: Sequence[GateBlocks], parity: int, truncation: Truncation, ledger: Ledger, hands: int = 1
              ) -> None:
        """Gates on every second bond in Hastings' form; see `hastings_layer` of `tebd.py` for the dense one.

        So many hands share the bonds, which do not touch each other; the result is the same.
        """
        cuts: dict[int, tuple[float, int, bool]] = {}

        def work(b: int) -> None:
            cuts[b] = self._update(b, gates[b // 2], truncation)

        bonds = range(parity, len(self.blocks) - 1, 2)
        with each_alone(hands):
            shared(work, bonds, hands)
        for b in bonds:
            ledger.truncated(*cuts[b])

    def _update(self, b: int, gate: GateBlocks, truncation: Truncation) -> tuple[float, int, bool]:
        """One gate; what `Ledger.truncated` is to note."""
        left_charges = self.charges[b]
        c = _apply_gate(self.blocks[b], self.blocks[b + 1], left_charges, gate)
        # 1. one matrix for every charge m in the middle: rows (p, ql), columns (q, qr)
        rows: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        columns: dict[int, dict[int, int]] = defaultdict(dict)
        for (p, ql, q), a in c.items():
            m = ql + int(left_charges[p])
            rows[m][p, ql] = a.shape[0]
            columns[m][q] = a.shape[1]
        matrices, thetas, starts = {}, {}, {}
        for m in rows:
            matrix = np.zeros((sum(rows[m].values()), sum(columns[m].values())), dtype=complex)
            scale, start, i = [], [], 0
            width_m = len(self.schmidt[b].get(m, ()))
            for (p, ql), height in rows[m].items():
                scale.append(self.schmidt[b - 1][ql] if b else np.ones(1))
                start.append(self.blocks[b].get((p, ql), np.zeros((height, width_m))))
                j = 0
                for q, width in columns[m].items():
                    if (p, ql, q) in c:
                        matrix[i:i + height, j:j + width] = c[p, ql, q]
                    j += width
                i += height
            matrices[m] = matrix
            weight = np.concatenate(scale)[:, None]
            thetas[m] = (weight * matrix).conj().T
            if width_m:
                starts[m] = weight * np.concatenate(start)
        # 2. truncate over all charges together
        spectra, keep, discarded, capped = subspace.truncated(thetas, starts, truncation)
        total = sum(float(w.sum()) for w, _ in spectra.values())
        renormalise = (1 - discarded) ** -0.5
        # 3. new tensors: B_(b+1) = V+, B_b = C V
        left_new: dict[tuple[int, int], Array] = {}
        right_new: dict[tuple[int, int], Array] = {}
        self.schmidt[b] = {}
        for m, (weights, v) in spectra.items():
            self.schmidt[b][m] = np.sqrt(weights / total)
            rest = (matrices[m] @ v) * renormalise
            i = 0
            for key, height in rows[m].items():
                left_new[key] = rest[i:i + height]
                i += height
            j, dagger = 0, v.conj().T
            for q, width in columns[m].items():
                right_new[q, m] = np.ascontiguousarray(dagger[:, j:j + width])
                j += width
        self.blocks[b], self.blocks[b + 1] = left_new, right_new
        return discarded, keep, capped


def _apply_gate(left: dict[tuple[int, int], Array], right: dict[tuple[int, int], Array], charges: Array,
                gate: GateBlocks) -> dict[tuple[int, int, int], Array]:
    """C = gate B_b B_(b+1) as blocks (p, ql, q) -> vL vR."""
    out = {}
    for ql in dict.fromkeys(q for _, q in left):
        for _, members, matrix in gate:
            found = {}
            for i, (p, q) in enumerate(members):
                a, x = left.get((p, ql)), right.get((q, ql + int(charges[p])))
                if a is not None and x is not None:
                    found[i] = a @ x
            if not found:
                continue
            for i, (p, q) in enumerate(members):
                terms = [matrix[i, j] * y for j, y in found.items() if matrix[i, j] != 0]
                if terms:
                    out[p, ql, q] = terms[0] if len(terms) == 1 else sum(terms[1:], terms[0])
    return out
