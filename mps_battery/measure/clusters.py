"""Reduced density matrices of many small sets of sites, in one pass over the chain."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS

Array = np.ndarray
Cluster = tuple[int, ...]


def cluster_densities(state: MPS | Density, clusters: Iterable[Cluster]) -> dict[Cluster, Array]:
    """The density matrix of every cluster of rising sites, trace one, the first site leading.

    For an MPS the centre walks along the chain once, and from each first site environments walk to the farthest member;
    clusters share them as far as they agree. Neighbours on N sites cost O(N d^3 chi^3).
    """
    wanted = set(clusters)
    if isinstance(state, Density):
        return {c: state.reduced(c) for c in wanted}
    starting: dict[int, set[Cluster]] = {}
    for c in wanted:
        starting.setdefault(c[0], set()).add(c)
    if not wanted:
        return {}
    out: dict[Cluster, Array] = {}
    tensors = state.canonical(min(starting)).tensors
    for n in range(min(starting), max(starting) + 1):
        if n in starting:
            out |= _from(tensors, n, starting[n])
        if n < len(tensors) - 1:
            tensors = trains.left_canonical(tensors, n + 1, n)           # the centre moves to n + 1
    return out


def _from(tensors: list[Array], first: int, clusters: set[Cluster]) -> dict[Cluster, Array]:
    """The clusters that begin at the orthogonality centre."""
    out: dict[Cluster, Array] = {}
    c = tensors[first]
    env = np.tensordot(c, c.conj(), (0, 0)).transpose(0, 2, 1, 3)        # p s vR vR*
    open_: dict[Cluster, Array] = {(first,): env.reshape(-1, *env.shape[2:])}
    for n in range(first, max(c[-1] for c in clusters) + 1):
        if n > first:
            a, grown = tensors[n], {}
            for begun, env in open_.items():
                k = len(begun)
                following = {c[k] for c in clusters if len(c) > k and c[:k] == begun and c[k] >= n}
                if not following:
                    continue
                t = np.tensordot(env, a, (1, 0))                         # x [vR] vR*; [vL] p vR -> x vR* p vR
                if n in following:
                    both = np.tensordot(t, a.conj(), (1, 0))             # x [vR*] p vR; [vL*] s vR* -> x p vR s vR*
                    both = both.transpose(0, 1, 3, 2, 4)
                    grown[(*begun, n)] = both.reshape(-1, *both.shape[3:])
                if following - {n}:
                    grown[begun] = np.tensordot(t, a.conj(), ((1, 2), (0, 1)))   # x [vR*] [p] vR; [vL*] [p] vR*
            open_ = grown
        out |= {c: _matrix(np.einsum("xaa->x", env), [tensors[m].shape[1] for m in c])
                for c, env in open_.items() if c in clusters and c[-1] == n}
    return out


def _matrix(flat: Array, dims: list[int]) -> Array:
    """A density matrix from entries whose ket and bra legs alternate."""
    k, d = len(dims), int(np.prod(dims))
    rho = flat.reshape([x for x in dims for _ in (0, 1)])
    rho = rho.transpose([*range(0, 2 * k, 2), *range(1, 2 * k, 2)]).reshape(d, d)
    return rho / np.trace(rho).real
