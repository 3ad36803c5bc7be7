"""Ranges and norms of sums of local terms, by pieces or by DMRG, as the bounds on power and speed need them.

No constant moves a state: what counts of an operator is half the width of its spectrum, ||A - a|| at the best a.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mps_battery.checks import must
from mps_battery.sites import Site
from mps_battery.terms import Product, Terms, matrix_of

Array = np.ndarray

LARGEST_BLOCK = 2**8
"""Largest dimension of the sites around a block that is diagonalised; larger ones are bounded product by product."""
NORMS = ("local", "dmrg")
"""How a norm of the whole chain is found: bounded by the sum over blocks, or estimated from its extreme states."""


@dataclass(frozen=True)
class Block:
    """The products of a sum that act on one set of sites and on all of it.

    Attributes:
        chain: Local spaces of the whole chain.
        support: The sites, in order.
        products: Pairs (product, coefficient).
    """

    chain: tuple[Site, ...]
    support: tuple[int, ...]
    products: tuple[tuple[Product, complex], ...]

    def matrix(self, support: tuple[int, ...] | None = None) -> Array:
        """The Hermitian matrix on `support`, or on more sites, the first one leading."""
        return on_sites(self.chain, self.support if support is None else support, self.products)

    def small(self) -> bool:
        """Whether its matrix is within LARGEST_BLOCK."""
        return dimension(self.chain, self.support) <= LARGEST_BLOCK

    def extremes(self) -> tuple[float, float]:
        """(low, high) around the spectrum, which touches both where the block is small."""
        if self.small():
            e = np.linalg.eigvalsh(self.matrix())
            return float(e[0]), float(e[-1])
        norm = sum(abs(c) * np.prod([np.linalg.norm(matrix_of(o), 2) for _, o in p]) for p, c in self.products)
        return -float(norm), float(norm)


def dimension(chain: tuple[Site, ...], support: Iterable[int]) -> float:
    """Dimension of some sites, a float since it may be of any size."""
    return float(np.prod([float(chain[n].d) for n in support]))


def on_sites(chain: tuple[Site, ...], support: tuple[int, ...], products: Iterable[tuple[Product, complex]]) -> Array:
    """The Hermitian part of some products as a matrix on the sites `support`, which hold them all."""
    size = int(dimension(chain, support))
    total = np.zeros((size, size), dtype=complex)
    for product, c in products:
        factors, matrix = dict(product), np.array([[c]])
        for n in support:
            matrix = np.kron(matrix, matrix_of(factors[n]) if n in factors else np.eye(chain[n].d))
        total += matrix
    return (total + total.conj().T) / 2


def blocks(terms: Terms) -> list[Block]:
    """The products of a sum gathered by the sites that they act on; constants are left out."""
    gathered: dict[tuple[int, ...], list[tuple[Product, complex]]] = defaultdict(list)
    for product, c in terms.products:
        if product:
            gathered[tuple(n for n, _ in product)].append((product, c))
    return [Block(terms.sites, support, tuple(products)) for support, products in gathered.items()]


def merged(terms: Terms) -> list[Block]:
    """The blocks with every smaller one shared equally among those that contain its sites.

    The extremes of a sum are no wider than the sum of the extremes, so that fewer blocks bound better.
    """
    parts = sorted(blocks(terms), key=lambda b: -len(b.support))
    kept: list[tuple[Block, list[tuple[Product, complex]]]] = []
    at: dict[int, set[int]] = defaultdict(set)                       # site -> places in `kept`
    for part in parts:
        around = set.intersection(*(at[n] for n in part.support)) if part.small() else set()
        around = {k for k in around if kept[k][0].small()}
        if around:
            for k in around:
                kept[k][1].extend((p, c / len(around)) for p, c in part.products)
        else:
            for n in part.support:
                at[n].add(len(kept))
            kept.append((part, list(part.products)))
    return [Block(b.chain, b.support, tuple(products)) for b, products in kept]


def extremes(terms: Terms, norm: str = "local") -> tuple[float, float]:
    """(low, high) around the spectrum of Hermitian terms.

    "local" sums the extremes of pieces on a few sites and always holds [Anderson 1951, Phys. Rev. 83, 1260]; "dmrg"
    searches the two extreme states, widened by the root of their energy variance: an estimate, far closer for long
    interacting chains.
    """
    must(norm in NORMS, "norm", "be local or dmrg", norm)
    if norm == "local":
        constant = sum(c.real for product, c in terms.products if not product)
        found = [b.extremes() for b in merged(terms)]
        return constant + sum(low for low, _ in found), constant + sum(high for _, high in found)
    from mps_battery.steady.ground import ground_state

    low, high = ground_state(terms), ground_state(-1.0 * terms)
    return low.energy - low.variance**0.5, -high.energy + high.variance**0.5


def half_range(terms: Terms, norm: str = "local") -> float:
    """Half the width of the spectrum, ||A - a|| at the best constant a; see `extremes`."""
    low, high = extremes(terms, norm)
    return (high - low) / 2


def commute(parts: list[Block]) -> bool:
    """Whether blocks that share sites commute; those on too many sites to be looked at count as if they did not."""
    for k, a in enumerate(parts):
        for b in parts[:k]:
            union = tuple(sorted({*a.support, *b.support}))
            if len(union) == len(a.support) + len(b.support):
                continue
            if dimension(a.chain, union) > LARGEST_BLOCK:
                return False
            x, y = a.matrix(union), b.matrix(union)
            if np.abs(x @ y - y @ x).max() > 1e-12 * np.abs(x).max() * np.abs(y).max():
                return False
    return True


def reach_in_energy(part: Block, stored: list[Block]) -> float:
    """Largest change of the stored energy that one application of a block can make.

    Only the stored energy K on blocks that share a site with `part` counts, since the rest commutes with it: in the
    eigenbasis of K the largest |e_i - e_j| between states that `part` connects; where these sites are too many, the
    widths of the blocks together.
    """
    touched = [b for b in stored if not set(part.support).isdisjoint(b.support)]
    union = tuple(sorted({n for b in [part, *touched] for n in b.support}))
    if dimension(part.chain, union) > LARGEST_BLOCK:
        return float(sum(high - low for low, high in (b.extremes() for b in touched)))
    e, u = np.linalg.eigh(on_sites(part.chain, union, [pair for b in touched for pair in b.products]))
    connected = np.abs(u.conj().T @ part.matrix(union) @ u)
    gaps = np.abs(e[:, None] - e[None, :])
    return float(gaps[connected > 1e-12 * max(float(connected.max()), 1e-300)].max(initial=0.0))
