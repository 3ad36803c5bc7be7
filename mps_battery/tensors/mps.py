"""Matrix-product states.

Leg order of every tensor: vL p vR. A state knows its orthogonality centre: tensors left of it are left-canonical,
tensors right of it right-canonical. After TEBD it also knows its Schmidt values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import opt_einsum

from mps_battery.checks import InputError, must, shown, whole
from mps_battery.sites import Label, Site
from mps_battery.tensors import environment, trains

if TYPE_CHECKING:
    from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class MPS:
    """A pure state on a chain.

    Args:
        sites: Local spaces.
        tensors: One a site, legs vL p vR.
        center: Site of the orthogonality centre; None where the tensors are in no canonical form.
        schmidt: Schmidt values of every cut where they are known; schmidt[b] cuts between sites b and b + 1.
    """

    sites: tuple[Site, ...]
    tensors: list[Array]
    center: int | None = None
    schmidt: list[Array] | None = None

    @classmethod
    def product(cls, sites: Sequence[Site], labels: Label | Sequence[Label]) -> MPS:
        """A product state.

        Args:
            sites: Local spaces.
            labels: One label for all sites ("up", "neel", a basis index, ...), or a list with one a site; see
                `Site.vector`. "neel" is up on even sites and down on odd ones.
        """
        if isinstance(labels, str) and labels == "neel":
            labels = [("up", "down")[n % 2] for n in range(len(sites))]
        if isinstance(labels, str | int | np.integer):
            labels = [labels] * len(sites)
        must(isinstance(labels, Sequence | np.ndarray) and len(labels) == len(sites), "empty",
             f"be one label or a list of {len(sites)}", labels)
        vectors = [site.vector(label) for site, label in zip(sites, labels, strict=True)]
        return cls(tuple(sites), [v.reshape(1, -1, 1) for v in vectors], center=0,
                   schmidt=[np.ones(1)] * (len(sites) - 1))

    @classmethod
    def from_dense(cls, sites: Sequence[Site], vector: Array, tolerance: float = 1e-15) -> MPS:
        """The state of a dense vector; singular values below `tolerance` x the largest are dropped."""
        must(vector.size == np.prod([s.d for s in sites]), "vector", "fit the sites", vector.shape)
        tensors, schmidt = [], []
        rest = vector.reshape(1, -1)
        for site in sites[:-1]:
            u, s, v = trains.svd(rest.reshape(len(rest) * site.d, -1))
            keep = max(1, int(np.sum(s > tolerance * s[0])))
            tensors.append(u[:, :keep].reshape(-1, site.d, keep))
            schmidt.append(s[:keep] / np.linalg.norm(s[:keep]))
            rest = s[:keep, None] * v[:keep]
        tensors.append(rest.reshape(len(rest), sites[-1].d, 1))
        return cls(tuple(sites), tensors, center=len(sites) - 1, schmidt=schmidt)

    # -- facts ---------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self.tensors)

    @property
    def bonds(self) -> list[int]:
        """Dimension of every inner bond."""
        return [t.shape[2] for t in self.tensors[:-1]]

    @property
    def norm(self) -> float:
        """sqrt(<psi|psi>)."""
        return trains.norm(self.tensors) if self.center is None else float(np.linalg.norm(self.tensors[self.center]))

    def overlap(self, other: MPS) -> complex:
        """<self|other>."""
        if getattr(other, "sites", None) != self.sites:
            raise InputError(f"Argument `other` must be a state on the same {len(self)} sites, but is {shown(other)}.")
        return trains.overlap(self.tensors, other.tensors)

    def to_dense(self) -> Array:
        """The state vector; site 0 is the most significant index."""
        out = np.ones((1, 1))
        for t in self.tensors:
            out = np.tensordot(out, t, 1).reshape(-1, t.shape[2])
        return out[:, 0]

    # -- canonical forms -----------------------------------------------------------------------------------
    def canonical(self, center: int = 0) -> MPS:
        """The same state with its orthogonality centre at a site."""
        must(0 <= center < len(self), "center", f"be from 0 to {len(self) - 1}", center)
        if self.center is None:
            tensors = trains.right_canonical(trains.left_canonical(self.tensors, center), center)
        elif center > self.center:
            tensors = trains.left_canonical(self.tensors, center, self.center)
        else:
            tensors = trains.right_canonical(self.tensors, center, self.center)
        return MPS(self.sites, tensors, center, self.schmidt)

    @cached_property
    def schmidt_values(self) -> list[Array]:
        """Normalised Schmidt values of every cut, descending."""
        if self.schmidt is not None:
            return self.schmidt
        centre, *others = self.canonical(0).tensors
        out = []
        for t in others:
            l, d, r = centre.shape
            _, s, v = trains.svd(centre.reshape(l * d, r))
            out.append(s / np.linalg.norm(s))
            centre = np.tensordot(s[:, None] * v, t, 1)
        return out

    # -- what one asks of a state --------------------------------------------------------------------------
    def entropy(self, bond: int) -> float:
        """Von Neumann entropy of the cut between sites bond and bond + 1, in nats."""
        must(whole(bond) and 0 <= bond < len(self) - 1, "bond", f"be from 0 to {len(self) - 2}", bond)
        return entropy_of(self.schmidt_values[bond] ** 2)

    def expect(self, terms: Terms) -> complex:
        """<terms> / <1>."""
        if getattr(terms, "sites", None) != self.sites:
            raise InputError(f"Argument `terms` must be Terms on the sites of the state, but is {shown(terms)}.")
        return environment.expectation(self.tensors, terms.to_mpo().tensors) / self.norm**2

    def reduced(self, sites: Sequence[int]) -> Array:
        """Reduced density matrix of a few sites, trace one, (prod d, prod d) with the first listed site leading."""
        sites, _ = check_kept(sites, self.sites)
        first, last = min(sites), max(sites)
        near = self if self.center is not None and first <= self.center <= last else self.canonical(first)
        env: Array = np.eye(near.tensors[first].shape[0])[None]                  # kept kets x kept bras, bra vL, ket vL
        order = []
        for n in range(first, last + 1):
            a = near.tensors[n]
            if n in sites:
                order.append(n)
                env = opt_einsum.contract("kab,apc,bqd->kqpcd", env, a.conj(), a)
                env = env.reshape(-1, *env.shape[3:])
            else:
                env = opt_einsum.contract("kab,apc,bpd->kcd", env, a.conj(), a)
        flat = np.trace(env, axis1=1, axis2=2)
        dims = [self.sites[n].d for n in order]
        rho = flat.reshape([d for d in dims for _ in (0, 1)])                    # ket, bra of each kept site
        place = [order.index(n) for n in sites]
        size = int(np.prod(dims))
        rho = rho.transpose([2 * p for p in place] + [2 * p + 1 for p in place]).reshape(size, size)
        return rho / np.trace(rho).real

    # -- other libraries -----------------------------------------------------------------------------------
    def to_quimb(self) -> Any:
        """The state as a quimb MatrixProductState, for drawing and further contraction."""
        import quimb.tensor as qtn

        arrays = [t.transpose(0, 2, 1) for t in self.tensors]
        arrays[0] = arrays[0][0]
        arrays[-1] = arrays[-1][:, 0, :] if len(arrays) > 1 else arrays[-1][0]
        return qtn.MatrixProductState(arrays, shape="lrp")


def check_sites(sites: object, length: int) -> None:
    """Raise unless `sites` is a list of integers."""
    listed = isinstance(sites, Sequence | np.ndarray | range) and not isinstance(sites, str)
    must(listed and all(whole(n) for n in sites), "sites",  # type: ignore[attr-defined]
         f"be a list of sites from 0 to {length - 1}", sites)


def check_kept(sites: Sequence[int], chain: Sequence[Site]) -> tuple[list[int], list[int]]:
    """The sites of a reduced density matrix as asked and in order, after one check."""
    check_sites(sites, len(chain))
    must(len(sites) >= 1 and len(set(sites)) == len(sites) and all(0 <= n < len(chain) for n in sites),
         "sites", f"be different sites from 0 to {len(chain) - 1}", sites)
    kept = [int(n) for n in sites]
    dimension = float(np.prod([float(chain[n].d) for n in kept]))
    if dimension > 2**12:
        raise InputError(f"Argument `sites` must span at most 4096 dimensions, but spans {dimension:.0f}.")
    return kept, sorted(kept)


def entropy_of(weights: Array) -> float:
    """-sum p ln p of the positive entries of a distribution."""
    p = weights[weights > 1e-300]
    return float(max(0.0, -(p * np.log(p)).sum()))
