"""The generator in the frame of one site, applied block by block of charge."""

from __future__ import annotations

import numpy as np

from mps_battery.steady.grading import Entries

Array = np.ndarray


class LocalOperator:
    """An operator between environments as a map of the real unknowns of one tensor.

    Environments (bL w kL), (bR w kR) and the operator are cut once into the blocks that charge allows; every
    application then multiplies small dense matrices only, of all blocks of one left leg at a time.

    Args:
        ends: Left environment, tensor of the operator (wL wR p p*), right environment.
        entries: The entries of the tensor, as real unknowns.
    """

    def __init__(self, ends: tuple[Array, Array, Array], entries: Entries) -> None:
        (left, w, right), self.entries = ends, entries
        self._columns = [*entries.own, *entries.first, *entries.second]
        self._rows = [*entries.own, *entries.first]
        self._ends = np.cumsum([0, *(len(a) * len(p) * len(b) for a, p, b in self._columns)])
        self._plan, self._dtype = [], np.result_type(left, w, right)
        for j, (c, q, d) in enumerate(self._columns):
            by_left: dict[bytes, list[int]] = {}
            for i, (a, _, _) in enumerate(self._rows):
                by_left.setdefault(a.tobytes(), []).append(i)
            for rows in by_left.values():
                a = self._rows[rows[0]][0]
                open_left = np.any(w[:, :, :, q] != 0, (1, 2, 3)) & np.any(left[a][:, :, c] != 0, (0, 2))
                channels = np.flatnonzero(open_left)
                if not len(channels):
                    continue
                first = np.ascontiguousarray(left[np.ix_(a, channels, c)].reshape(-1, len(c)))
                last = []
                for i in rows:
                    _, p, b = self._rows[i]
                    piece = w[channels][:, :, p][:, :, :, q]
                    out = np.flatnonzero(np.any(piece != 0, (0, 2, 3)) & np.any(
                        right[b][:, :, d] != 0, (0, 2)))
                    if len(out):
                        middle = piece[:, out].transpose(2, 1, 0, 3).reshape(len(p) * len(out), -1)  # p wR; wL p*
                        end = right[np.ix_(b, out, d)].transpose(1, 2, 0).reshape(-1, len(b))         # wR kR; bR
                        last.append((i, np.ascontiguousarray(middle), np.ascontiguousarray(end)))
                self._plan.append((j, len(a), first, last))

    def __call__(self, unknowns: Array) -> Array:
        """The real unknowns of the image."""
        f, p = self.entries.halves
        if p:
            pair = (unknowns[f:f + p] + 1j * unknowns[f + p:]) / np.sqrt(2)
            unknowns = np.concatenate([unknowns[:f], pair, pair.conj()])
        out = np.zeros(self._ends[len(self._rows)], dtype=self._dtype)
        for j, size, first, last in self._plan:
            c, _, d = self._columns[j]
            t = first @ unknowns[self._ends[j]:self._ends[j + 1]].reshape(len(c), -1)
            t = t.reshape(size, -1, len(d))                              # bL (wL p*) kR
            for i, middle, end in last:
                s = np.matmul(middle, t).reshape(-1, end.shape[0])       # bL (p wR) kR -> (bL p) (wR kR)
                out[self._ends[i]:self._ends[i + 1]] += (s @ end).ravel()
        return np.concatenate([out[:f].real, np.sqrt(2) * out[f:].real, np.sqrt(2) * out[f:].imag]) if p else out.real
