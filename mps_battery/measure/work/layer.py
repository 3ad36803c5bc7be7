"""What one layer of block unitaries draws from a long density: work from below, whatever the optimum is.

The chain is cut into blocks, and on each acts a unitary of its own. With H = sum_wv.. O_1[w] O_2[w, v] .. as a train of
blocks, the unitary on block b only turns its O_b, and the energy after the layer is the trace of the turned train with
the untouched density: one contraction, exact, all terms between blocks counted. So any choice of unitaries bounds from
below what can be drawn. Taken are those that make each block passive for its mean field, h_b = sum_wv L_w O_b[w, v] R_v
with the mean values L, R of the other blocks after their own turn, in sweeps until that agrees.
"""

from __future__ import annotations

import numpy as np

from mps_battery.measure.resources.least_entropy import blocks
from mps_battery.measure.work.extremum import Extremum
from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mpo import MPO
from mps_battery.terms import Terms

Array = np.ndarray

LARGEST_BLOCK = 2**7
"""Largest dimension of a block."""
LARGEST_OPERATOR = 2**22
"""Most entries of the operators of a block, channels included."""
SWEEPS = 4
"""Most sweeps of mean fields."""


def layer_ergotropy(state: Density, terms: Terms) -> Extremum:
    """The best work that was found with one layer of block unitaries.

    Args:
        state: The density; any trace.
        terms: The energy; Hermitian.

    Returns:
        The value with its unitaries, one a block; what other layers could reach is not bounded.
    """
    energy, operator = state.expect(terms).real, terms.to_mpo()
    room = (LARGEST_OPERATOR / max(operator.bonds, default=1) ** 2) ** 0.5
    dimension = int(min(LARGEST_BLOCK, max(room, 2)))
    whole = blocks(state.sites, dimension)
    tries = [whole]
    if len(whole) > 1:
        tries.append(blocks(state.sites, dimension, max(1, len(whole[0]) // 2)))
    best = Extremum(0.0, np.inf, ())
    for parts in tries:
        layer = _Layer(state, operator, parts)
        lowest = np.inf
        for _ in range(SWEEPS):
            layer.sweep()
            now = layer.energy
            if energy - now > best.value:
                best = Extremum(energy - now, np.inf, tuple(layer.unitaries))
            if now > lowest - 1e-6 * abs(energy - lowest):
                break
            lowest = now
    return best


class _Layer:
    """One unitary a block, and the energy after them."""

    def __init__(self, state: Density, operator: MPO, parts: list[range]) -> None:
        self.state, self.parts, self.local = state, parts, density_sites(state.sites)
        self.operators = [_merged([operator.tensors[n] for n in part]) for part in parts]
        self.marginals = [state.reduced(part) for part in parts]
        spectra = [np.linalg.eigh(rho) for rho in self.marginals]
        self.falling = [v[:, ::-1] for _, v in spectra]                        # eigenvectors, largest population first
        self.unitaries = [np.eye(len(rho), dtype=complex) for rho in self.marginals]
        self.turned = list(self.operators)
        self.means = [self._means(b) for b in range(len(parts))]

    def _means(self, b: int) -> Array:
        """tr(O[w, v] rho) of a turned block, (wL, wR)."""
        return np.einsum("wvij,ji->wv", self.turned[b], self.marginals[b])

    def sweep(self) -> None:
        """Make every block passive for its mean field, from the left."""
        right = [np.ones(1, dtype=complex)]
        for mean in self.means[:0:-1]:
            right.append(mean @ right[-1])
        left = np.ones(1, dtype=complex)
        for b, operator in enumerate(self.operators):
            field = np.einsum("w,wvij,v->ij", left, operator, right.pop(), optimize=True)
            rising = np.linalg.eigh((field + field.conj().T) / 2)[1]
            self.unitaries[b] = u = rising @ self.falling[b].conj().T
            self.turned[b] = np.zeros(operator.shape, dtype=complex)
            for w, v in _channels(operator):
                self.turned[b][w, v] = u.conj().T @ operator[w, v] @ u
            self.means[b] = self._means(b)
            left = left @ self.means[b]

    @property
    def energy(self) -> float:
        """tr(H U rho U+), block by block from the left."""
        env = np.ones((1, 1), dtype=complex)                                   # wL vL
        for part, operator in zip(self.parts, self.turned, strict=True):
            tensors, onward = [self.state.train.tensors[n] for n in part], 0
            for w, v in _channels(operator):
                c = self._coordinates(operator[w, v], part)                    # x1 x2 ...
                t = np.tensordot(env[w], tensors[0], 1)                        # [vL]; [vL] x1 vR
                t = np.tensordot(c.reshape(len(t), -1), t, (0, 0))             # [x1] rest; [x1] vR
                for a in tensors[1:]:
                    t = t.reshape(a.shape[1], -1, a.shape[0])                  # x rest vL
                    t = np.tensordot(t, a, ((2, 0), (0, 1)))                   # [x] rest [vL]; [vL] [x] vR
                onward = onward + np.eye(operator.shape[1])[v][:, None] * t    # wR vR
            env = np.asarray(onward)
        return float(env[0, 0].real) / self.state.trace

    def _coordinates(self, matrix: Array, part: range) -> Array:
        """tr(G_x1 G_x2 .. O) of an operator on a block."""
        out = matrix.reshape(*matrix.shape, 1)
        for n in part:
            g = self.local[n].basis
            d, rows = g.shape[1], out.shape[0] // g.shape[1]
            t = np.tensordot(out.reshape(d, rows, d, rows, -1), g, ((0, 2), (2, 1)))   # [p] P [q] Q X; x [q] [p]
            out = t.reshape(rows, rows, -1)
        return out.ravel()


def _merged(ws: list[Array]) -> Array:
    """The MPO tensors of neighbouring sites as one, legs wL wR p p*."""
    out = ws[0]
    for w in ws[1:]:
        out = np.tensordot(out, w, (1, 0)).transpose(0, 3, 1, 4, 2, 5)         # wL P P* wR p p*
        out = out.reshape(out.shape[0], out.shape[1], out.shape[2] * out.shape[3], -1)
    return out


def _channels(operator: Array) -> list[tuple[int, int]]:
    """Places (wL, wR) of a block that are not zero."""
    return [(int(w), int(v)) for w, v in np.argwhere(np.abs(operator).max(axis=(2, 3)) > 0)]
