"""The von Neumann entropy of a long density from below, where its spectrum is out of reach.

With a product sigma of block states, and the sandwiched Renyi divergence of order two, which is never less than the
relative entropy [Mueller-Lennert et al. 2013, J. Math. Phys. 54, 122203],

    S(rho) = -tr rho ln sigma - D(rho || sigma) >= -tr rho ln sigma - ln tr (sigma^(-1/4) rho sigma^(-1/4))^2,

and in a train of Hermitian coordinates the last trace is a norm, as the purity is. The identity for sigma gives
S >= S_2 = -ln tr rho^2; the marginals of blocks are exact for products of blocks, and miss correlations between blocks
only: S_2 misses twice of whatever a weakly mixed state has.
"""

from __future__ import annotations

import numpy as np

from mps_battery.tensors.density import Density, density_sites
from mps_battery.terms import Site

Array = np.ndarray

LARGEST_BLOCK = 2**5
"""Largest dimension of a block of sigma."""
LARGEST_TENSOR = 2**23
"""Most entries of the tensor of a block."""
LEAST_WEIGHT = 1e-7
"""Least eigenvalue of sigma on a block: any sigma gives a bound, but no singular one does."""


def least_entropy(state: Density) -> float:
    """A lower bound of the von Neumann entropy, in nats: the best of S_2 and of sigma made of sites or longer blocks.

    A bound for positive densities of trace one, up to how far truncation has left those. Cost O(N chi^3 D^2 / log D)
    with blocks of dimension D up to 32.

    Args:
        state: The density; any trace.
    """
    best = -float(np.log(state.purity))
    room = LARGEST_TENSOR / max(state.bonds, default=1) ** 2
    for dimension in (1, 2**3, LARGEST_BLOCK):
        if dimension**2 <= max(room, 1):
            best = max(best, _relative(state, blocks(state.sites, dimension)))
    return max(best, 0.0)


def blocks(sites: tuple[Site, ...], dimension: int, first: int | None = None) -> list[range]:
    """Neighbouring sites grouped from the left into blocks of at most a dimension, at least one site each.

    Args:
        sites: Local spaces.
        dimension: Largest dimension of a block.
        first: Number of sites in the first block, where it shall be shorter.
    """
    out: list[range] = []
    start, size = 0, 1
    for n, site in enumerate(sites):
        full = size * site.d > dimension or (first is not None and not out and n - start >= first)
        if n > start and full:
            out.append(range(start, n))
            start, size = n, 1
        size *= site.d
    return [*out, range(start, len(sites))]


def _relative(state: Density, parts: list[range]) -> float:
    """-tr rho ln sigma - ln tr (sigma^(-1/4) rho sigma^(-1/4))^2 with the marginals of the blocks for sigma."""
    local, tensors = density_sites(state.sites), state.train.tensors
    crossed, logarithm, env = 0.0, 0.0, np.ones((1, 1), dtype=complex)
    for part in parts:
        p, u = np.linalg.eigh(state.reduced(part))
        sigma = np.maximum(p, LEAST_WEIGHT)
        sigma /= sigma.sum()
        crossed -= float(p @ np.log(sigma))
        quarter = (u * sigma**-0.25) @ u.conj().T
        block = np.eye(tensors[part[0]].shape[0])[:, None, None]                   # vL P Q vR
        for n in part:
            site = np.tensordot(tensors[n], local[n].basis, (1, 0))                # vL [x] vR; [x] p q -> vL vR p q
            block = np.tensordot(block, site, (3, 0)).transpose(0, 1, 4, 2, 5, 3)  # vL P Q [v]; [v] vR p q
            block = block.reshape(block.shape[0], block.shape[1] * site.shape[2], -1, block.shape[5])
        block = np.tensordot(quarter, block, (1, 1))                               # p [P]; vL [P] Q vR -> p vL Q vR
        block = np.tensordot(block, quarter, (2, 0))                               # p vL [Q] vR; [Q] q -> p vL vR q
        env = np.tensordot(env, block, (1, 1))                                     # a [b]; p [b] vR q -> a p vR q
        env = np.tensordot(block.conj(), env, ((1, 0, 3), (0, 1, 3)))              # [p] [a] vR [q]; [a] [p] vR [q]
        scale = float(np.trace(env).real)
        logarithm += float(np.log(scale))
        env = env / scale
    end = float(env.real.sum())
    assert env.shape == (1, 1)
    return crossed - logarithm - float(np.log(end)) + 2 * float(np.log(abs(state.trace)))
