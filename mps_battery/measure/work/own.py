"""What blocks of sites have of their own: the part of an energy that acts within, and bounds from many such parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from mps_battery.checks import InputError
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept
from mps_battery.terms import Product, Terms, matrix_of

Array = np.ndarray
Weighted = tuple[Product, complex]

CLUSTER = 2**8
"""Largest dimension of a cluster whose spectrum bounds that of the whole."""


def own_energy(terms: Terms, sites: Sequence[int]) -> Array:
    """The energy of a block alone as a dense matrix, ascending sites, the first one leading; never empty."""
    own = terms.within(check_kept(sites, terms.sites)[1])
    if not any(product for product, _ in own.products):
        raise InputError(f"Argument `sites` must hold at least one product of the energy, but none acts within "
                         f"{sorted(int(n) for n in sites)} alone.")
    return own.to_dense()


def block(state: MPS | Density, terms: Terms, sites: Sequence[int]) -> tuple[Array, Array]:
    """(reduced matrix, own energy) of a block, ascending sites."""
    return state.reduced(sorted(sites)), own_energy(terms, sites)


def spectrum_bounds(terms: Terms) -> tuple[float, float]:
    """Numbers below and above the spectrum of Hermitian terms: the extremes of clusters add up [Anderson 1951].

    Products are gathered along the chain into clusters as large as can be diagonalised; those on too many sites for
    one count with their norms.
    """
    low = high = sum(c.real for p, c in terms.products if not p)
    alike: dict[tuple[int, ...], list[Weighted]] = defaultdict(list)      # what stands together is Hermitian
    for product, c in terms.products:
        if product:
            alike[tuple(n for n, _ in product)].append((product, c))
    clusters: list[tuple[set[int], list[Weighted]]] = []
    for support in sorted(alike, key=lambda s: (s[0], s[-1])):
        grown = (clusters[-1][0] if clusters else set()) | set(support)
        if _dimension(terms, set(support)) > CLUSTER:
            norm = sum(abs(c) * np.prod([np.linalg.norm(matrix_of(o), 2) for _, o in p]) for p, c in alike[support])
            low, high = low - norm, high + norm
        elif clusters and _dimension(terms, grown) <= CLUSTER:
            clusters[-1] = grown, clusters[-1][1] + alike[support]
        else:
            clusters.append((set(support), alike[support]))
    for sites, products in clusters:
        cluster = Terms(terms.sites)
        for product, c in products:
            cluster._add(product, c)
        levels = np.linalg.eigvalsh(cluster.within(sorted(sites)).to_dense())
        low, high = low + levels[0], high + levels[-1]
    return float(low), float(high)


def _dimension(terms: Terms, sites: set[int]) -> float:
    return float(np.prod([float(terms.sites[n].d) for n in sites]))
