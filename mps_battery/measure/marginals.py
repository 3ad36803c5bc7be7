"""Reduced density matrices of many pairs of sites, in one pass over the chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.checks import InputError, must, shown, whole
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mps import MPS

Array = np.ndarray
Pair = tuple[int, int]


def pair_densities(state: MPS | Density, pairs: Sequence[Pair]) -> list[Array]:
    """The density matrix of every pair (i, j), trace one, (d_i d_j, d_i d_j) with site i leading.

    From every lower site one environment walks to the farthest partner, and all pairs on its way are read off it: N
    sites cost O(N^2 d^3 chi^3) as an MPS and O(N^2 d^4 chi^2) as a density, whatever the number of pairs.
    """
    pairs = check_pairs(pairs, len(state))
    partners: dict[int, set[int]] = {}
    for i, j in pairs:
        partners.setdefault(min(i, j), set()).add(max(i, j))
    found = _of_density(state, partners) if isinstance(state, Density) else _of_mps(state, partners)
    out = []
    for i, j in pairs:
        rho = found[min(i, j), max(i, j)]                                # p q s t: kets of low, high, then bras
        rho = rho if i < j else rho.transpose(1, 0, 3, 2)
        d = rho.shape[0] * rho.shape[1]
        out.append(rho.reshape(d, d) / np.einsum("pqpq->", rho).real)
    return out


def check_pairs(pairs: object, length: int) -> list[Pair]:
    """Pairs of different sites as a list, after one check."""
    listed = isinstance(pairs, Sequence) and not isinstance(pairs, str) and len(pairs) >= 1
    if not (listed and all(_is_pair(p, length) for p in pairs)):  # type: ignore[attr-defined]
        raise InputError(f"Argument `pairs` must be a list of pairs of different sites from 0 to {length - 1}, but is "
                         f"{shown(pairs)}.")
    return [(int(i), int(j)) for i, j in pairs]  # type: ignore[attr-defined]


def _is_pair(pair: object, length: int) -> bool:
    return (isinstance(pair, Sequence) and len(pair) == 2 and all(whole(n) and 0 <= n < length for n in pair)
            and pair[0] != pair[1])


def check_pair(i: int, j: int, length: int) -> None:
    """Raise unless i and j are different sites."""
    must(_is_pair((i, j), length), "j", f"be another site than `i`, both from 0 to {length - 1}", (i, j))


def _of_mps(state: MPS, partners: dict[int, set[int]]) -> dict[Pair, Array]:
    tensors, found = state.canonical(min(partners)).tensors, {}
    for i in range(min(partners), max(partners) + 1):
        if i in partners:
            c, d = tensors[i], tensors[i].shape[1]
            upper = np.triu_indices(d)                                   # |p><s| with p > s is the adjoint of |s><p|
            env = np.tensordot(c, c.conj(), (0, 0)).transpose(0, 2, 1, 3)[upper]     # p s x: [vL]; x vR vR*
            for j in range(i + 1, max(partners[i]) + 1):
                a = tensors[j]
                t = np.tensordot(env, a, (1, 0))                         # x [vL] vL*; [vL] q vR        -> x vL* q vR
                if j in partners[i]:
                    rho = np.empty((d, d, *a.shape[1:2] * 2), dtype=complex)
                    rho[upper] = np.tensordot(t, a.conj(), ((1, 3), (0, 2)))         # [vL*] t [vR*]    -> x q t
                    rho[upper[::-1]] = rho[upper].conj().transpose(0, 2, 1)
                    found[i, j] = rho.transpose(0, 2, 1, 3)
                if j < max(partners[i]):
                    env = np.tensordot(t, a.conj(), ((1, 2), (0, 1)))    # x [vL*] [q] vR; [vL*] [q] vR* -> x vR vR*
        if i < len(tensors) - 1:
            tensors = trains.left_canonical(tensors, i + 1, i)           # the centre moves to i + 1
    return found


def _of_density(state: Density, partners: dict[int, set[int]]) -> dict[Pair, Array]:
    local, tensors, found = density_sites(state.sites), state.train.tensors, {}
    left, right = state._left_traces, state._right_traces
    for i, others in partners.items():
        env = np.tensordot(left[i], tensors[i], 1)                       # x vR
        for j in range(i + 1, max(others) + 1):
            if j in others:
                flat = env @ (tensors[j] @ right[j])                     # x [vL]; [vL] y [vR] [vR]     -> x y
                rho = np.tensordot(np.tensordot(flat, local[j].basis, 1), local[i].basis, (0, 0))    # q t p s
                found[i, j] = rho.transpose(2, 0, 3, 1)
            env = local[j].trace[0] * (env @ tensors[j][:, 0])
    return found
