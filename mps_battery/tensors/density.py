"""Density matrices as real trains: an MPS over `DensitySite`, so that one engine evolves both.

With an orthonormal Hermitian basis on every site the norm of the vector is sqrt(tr rho^2), the trace is an overlap with
a product, and tr(O rho) is an overlap with the train of coordinates of O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mps_battery.checks import InputError, must, shown
from mps_battery.sites import DensitySite, Label, Site
from mps_battery.tensors import trains
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS, check_kept, entropy_of
from mps_battery.tensors.truncation import Truncation

if TYPE_CHECKING:
    from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class Density:
    """A mixed state on a chain.

    Args:
        train: The vector of coordinates, an MPS over density sites with real tensors.
    """

    train: MPS

    # -- making ----------------------------------------------------------------------------------------------
    @classmethod
    def product(cls, sites: Sequence[Site], labels: Label | Sequence[Label]) -> Density:
        """A product state; labels as for `MPS.product`, and also "mixed" or (d, d) density matrices."""
        train = MPS.product(density_sites(sites), labels)             # the vector of a mixed site is not of norm one
        return cls(MPS(train.sites, train.tensors, None, train.schmidt).canonical(0))

    @classmethod
    def from_pure(cls, state: MPS, tolerance: float = 1e-14) -> Density:
        """|psi><psi| / <psi|psi>, singular values below `tolerance` x the largest dropped."""
        sites = density_sites(state.sites)
        out = []
        for a, s in zip(state.tensors, sites, strict=True):
            t = np.tensordot(a.conj(), s.basis, (1, 1))                  # bL [p] bR; x [p] q      -> bL bR x q
            t = np.tensordot(a, t, (1, 3))                               # kL [q] kR; bL bR x [q]  -> kL kR bL bR x
            (l, _, r), t = a.shape, t.transpose(0, 2, 4, 1, 3)
            out.append(t.reshape(l * l, s.d, r * r))
        return cls(MPS(sites, trains.real_train(trains.compress(out, tolerance), tolerance), None)).normalised()

    @classmethod
    def from_dense(cls, sites: Sequence[Site], matrix: Array, tolerance: float = 1e-15) -> Density:
        """The train of a dense Hermitian matrix; site 0 is the most significant index."""
        ds, d = density_sites(sites), [s.d for s in sites]
        must(np.shape(matrix) == (int(np.prod(d)),) * 2, "matrix", "fit the sites", np.shape(matrix))
        vector = np.asarray(matrix).reshape(d + d)
        n = len(d)
        for s in ds:                      # the first ket and bra leg become the last coordinate leg
            vector = np.tensordot(vector, s.basis, ((0, n), (2, 1)))
            n -= 1
        return cls(MPS.from_dense(ds, vector.real.ravel(), tolerance))

    # -- facts -----------------------------------------------------------------------------------------------
    @property
    def sites(self) -> tuple[Site, ...]:
        """The local spaces of the chain, not of the vector."""
        return tuple(s.site for s in self._local)

    @property
    def _local(self) -> tuple[DensitySite, ...]:
        return self.train.sites  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self.train)

    @property
    def bonds(self) -> list[int]:
        """Dimension of every inner bond."""
        return self.train.bonds

    @cached_property
    def _right_traces(self) -> list[Array]:
        """right[n]: the trace over all sites right of n, (vR,)."""
        out = [np.ones(1)]
        for s, t in zip(self._local[:0:-1], self.train.tensors[:0:-1], strict=True):
            out.append(s.trace[0] * (t[:, 0] @ out[-1]))
        return out[::-1]

    @cached_property
    def _left_traces(self) -> list[Array]:
        """left[n]: the trace over all sites left of n, (vL,)."""
        out = [np.ones(1)]
        for s, t in zip(self._local[:-1], self.train.tensors[:-1], strict=True):
            out.append(s.trace[0] * (out[-1] @ t[:, 0]))
        return out

    @cached_property
    def trace(self) -> float:
        """tr rho."""
        return float((self._local[0].trace[0] * (self.train.tensors[0][0, 0] @ self._right_traces[0])).real)

    @cached_property
    def purity(self) -> float:
        """tr rho^2 / (tr rho)^2."""
        return float(self.train.norm**2) / self.trace**2

    def normalised(self) -> Density:
        """The same state with trace one."""
        must(np.isfinite(self.trace) and self.trace != 0, "state", "have a non-zero trace", self.trace)
        n = self.train.center or 0
        tensors = list(self.train.tensors)
        tensors[n] = tensors[n] / self.trace
        return Density(MPS(self.train.sites, tensors, self.train.center, self.train.schmidt))

    def squared(self, truncation: Truncation) -> Density:
        """rho^2 / tr rho^2, the product by zip-up and then cut to the truncation: one pass, no iteration."""
        train, left = self.train.canonical(0), []
        for s, t in zip(self._local, trains.left_canonical(train.tensors), strict=True):
            by = np.array([s.superoperator(g, np.eye(len(g))) for g in s.basis])        # sigma -> G_x sigma
            left.append(np.tensordot(t, by, (1, 0)))                     # vL [x] vR; [x] y y* -> vL vR y y*
        tolerance = max(0.1 * truncation.weight**0.5, 1e-14)
        product = trains.real_train(trains.apply(left, train.tensors, tolerance), tolerance)
        return Density(MPS(self.train.sites, trains.cut(product, truncation), 0)).normalised()

    def to_dense(self) -> Array:
        """The whole matrix; site 0 is the most significant index."""
        out = np.ones((1, 1, 1))
        for s, t in zip(self._local, self.train.tensors, strict=True):
            site = np.tensordot(t, s.basis, (1, 0))                      # vL [x] vR; [x] p q -> vL vR p q
            out = np.einsum("PQa,abpq->PpQqb", out, site)
            out = out.reshape(out.shape[0] * out.shape[1], -1, out.shape[4])
        return out[:, :, 0]

    # -- what one asks of a state ----------------------------------------------------------------------------
    def expect(self, terms: Terms) -> complex:
        """tr(terms rho) / tr rho."""
        if getattr(terms, "sites", None) != self.sites:
            raise InputError(f"Argument `terms` must be Terms on the sites of the state, but is {shown(terms)}.")
        return functional(coordinates(terms.to_mpo(), self._local), self.train.tensors) / self.trace

    def reduced(self, sites: Sequence[int]) -> Array:
        """Reduced density matrix of a few sites, trace one, (prod d, prod d) with the first listed site leading."""
        sites, order = check_kept(sites, self.sites)
        first, last = order[0], order[-1]
        env = self._left_traces[first][None]                             # kept coordinates x vR
        for n in range(first, last + 1):
            t = self.train.tensors[n]
            if n in order:
                env = np.tensordot(env, t, 1).reshape(-1, t.shape[2])
            else:
                env = self._local[n].trace[0] * (env @ t[:, 0])
        flat = env @ self._right_traces[last]
        rho = flat.reshape([self._local[n].d for n in order])
        for n in order:                                                  # coordinate leg -> ket and bra at the end
            rho = np.tensordot(rho, self._local[n].basis, (0, 0))
        place = [order.index(n) for n in sites]
        size = int(np.prod([self.sites[n].d for n in order]))
        rho = rho.transpose([2 * p for p in place] + [2 * p + 1 for p in place]).reshape(size, size)
        return rho / np.trace(rho).real

    def marginal(self, sites: Sequence[int]) -> Density:
        """The density of rising sites, any number of them, all others traced out."""
        n_sites = len(self)
        must(len(sites) >= 1 and sorted({*sites}) == list(sites) and sites[0] >= 0 and sites[-1] < n_sites, "sites",
             f"be rising sites from 0 to {n_sites - 1}", sites)
        kept: list[Array] = []
        open_bond = np.eye(1)
        for n, t in enumerate(self.train.tensors):
            if n in sites:
                kept.append(np.tensordot(open_bond, t, 1))               # v [vL]; [vL] x vR
                open_bond = np.eye(t.shape[2])
            else:
                open_bond = self._local[n].trace[0] * (open_bond @ t[:, 0])
        kept[-1] = np.tensordot(kept[-1], open_bond, 1)                  # vL x [vR]; [vR] 1
        return Density(MPS(tuple(self._local[n] for n in sites), kept, None).canonical(0))

    def operator_entropy(self, bond: int) -> float:
        """Entropy, in nats, of the Schmidt values of the normalised vector at the cut behind site `bond`."""
        return self.train.entropy(bond)

    def block_entropy(self, first: int, last: int) -> float:
        """Von Neumann entropy, in nats, of the contiguous block first..last of dimension at most 4096."""
        return entropy_of(np.linalg.eigvalsh(self.reduced(range(first, last + 1))))

    def renyi2(self, first: int = 0, last: int | None = None) -> float:
        """-ln tr rho_A^2 of the contiguous block A = first..last, of any length."""
        last = len(self) - 1 if last is None else last
        must(0 <= first <= last < len(self), "first", f"begin a block first..last within 0 to {len(self) - 1}",
             (first, last))
        env = np.outer(self._left_traces[first], self._left_traces[first])
        for t in self.train.tensors[first:last + 1]:
            env = np.tensordot(t, np.tensordot(env, t, 1), ((0, 1), (0, 1)))  # [vL] [x] vR; [vL] [x] vR
        end = self._right_traces[last]
        return float(-np.log((end @ env @ end) / self.trace**2))

    def least_marginal(self, width: int = 2) -> float:
        """Smallest eigenvalue of the reduced matrices of all `width` neighbouring sites: below zero by truncation."""
        width = min(width, len(self))
        return min(float(np.linalg.eigvalsh(self.reduced(range(n, n + width)))[0])
                   for n in range(len(self) - width + 1))


def density_sites(sites: Sequence[Site]) -> tuple[DensitySite, ...]:
    """The local spaces of vectorised densities; equal sites share one object."""
    known = {s: DensitySite(s) for s in sites}
    return tuple(known[s] for s in sites)


def coordinates(operator: MPO, sites: Sequence[DensitySite]) -> list[Array]:
    """The train (wL x wR) of coordinates tr(G_x W) of an operator, so that tr(O rho) = sum_x O_x rho_x."""
    return [np.tensordot(w, s.basis, ((2, 3), (2, 1))).transpose(0, 2, 1)  # wL wR [p] [q]; x [q] [p] -> wL wR x
            for w, s in zip(operator.tensors, sites, strict=True)]


def functional(left: Sequence[Array], right: Sequence[Array]) -> complex:
    """sum_x left_x right_x over all legs, nothing conjugated."""
    env = np.ones((1, 1))
    for a, b in zip(left, right, strict=True):
        env = np.tensordot(a, np.tensordot(env, b, 1), ((0, 1), (0, 1)))
    return complex(env[0, 0])
