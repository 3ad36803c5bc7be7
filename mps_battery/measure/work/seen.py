"""What blocks of neighbouring sites see of an energy in a state: the channels of its MPO through each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mps_battery.checks import InputError, must, whole
from mps_battery.measure.work.block_energy import BlockEnergy
from mps_battery.sites import Site
from mps_battery.tensors import environment
from mps_battery.tensors.density import Density, coordinates, density_sites
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray
Block = tuple[int, int]
"""First and last site."""

LARGEST = 2**10
"""Largest dimension of a block."""


def seen(state: MPS | Density, operator: MPO, blocks: Sequence[Block]) -> list[BlockEnergy]:
    """E(U) of every block, all that ties it to the rest included.

    With the MPO cut out at the block, H = sum_wv L_w x O_wv x R_v, and rho_wv = tr_rest(L_w R_v rho) goes with O_wv;
    those O_wv count that are more than a number. Environments are made once for all blocks.
    """
    mixed = isinstance(state, Density)
    left, right = _sides_of_density(state, operator) if mixed else _sides(state, operator)  # type: ignore[arg-type]
    conditional: Callable[..., Iterator[Array]] = _conditional_density if mixed else _conditional
    out = []
    for first, last in blocks:
        channels = list(_operators(operator.tensors[first:last + 1]))
        states = conditional(state, first, last, left[first], right[last], [(w, v) for w, v, _ in channels])
        d = int(np.prod([s.d for s in state.sites[first:last + 1]]))
        pair = ([matrix for *_, matrix in channels], list(states))
        out.append(BlockEnergy.of(*(np.array(matrices).reshape(-1, d, d) for matrices in pair)))
    return out


def seen_alone(state: MPS | Density, terms: Terms, blocks: Sequence[Block]) -> list[BlockEnergy]:
    """E(U) of every block with nothing but what acts inside it."""
    sites = [range(first, last + 1) for first, last in blocks]
    return [BlockEnergy.of(terms.within(s).to_dense()[None], state.reduced(s)[None]) for s in sites]


def check_block(first: int, last: int, sites: Sequence[Site], argument: str = "last") -> Block:
    """The block first..last, after one check of its place and size."""
    must(whole(first) and whole(last) and 0 <= first <= last < len(sites), "first",
         f"begin a block first..last within 0 to {len(sites) - 1}", (first, last))
    dimension = float(np.prod([float(s.d) for s in sites[first:last + 1]]))
    if dimension > LARGEST:
        raise InputError(f"Argument `{argument}` must give blocks of at most {LARGEST} dimensions, but sites {first} "
                         f"to {last} span {dimension:.0f}.")
    return int(first), int(last)


def _operators(inner: Sequence[Array]) -> Iterator[tuple[int, int, Array]]:
    """(left channel, right channel, matrix) of every channel through a piece of an MPO that is not a number."""
    for w in range(inner[0].shape[0]):
        grown = list(inner[0][w])
        for t in inner[1:]:
            d = len(grown[0]) * t.shape[2]
            grown = [sum((np.kron(m, t[u, v]) for u, m in enumerate(grown) if m.any() and t[u, v].any()),
                         np.zeros((d, d))) for v in range(t.shape[1])]
        for v, m in enumerate(grown):
            rest = m - np.trace(m) / len(m) * np.eye(len(m))
            if np.linalg.norm(rest) > 1e-13 * np.linalg.norm(m):
                yield w, v, rest


def _sides(state: MPS, operator: MPO) -> tuple[list[Array], list[Array]]:
    """Environments left of every first and right of every last site."""
    return (environment.left_environments(state.tensors, operator.tensors),
            environment.right_environments(state.tensors, operator.tensors))


def _conditional(state: MPS, first: int, last: int, left: Array, right: Array, channels: Sequence[tuple[int, int]]
                 ) -> Iterator[Array]:
    """tr_rest(L_w R_v |psi><psi|) / <psi|psi> for pairs of channels left and right of a block."""
    theta: Array = np.eye(left.shape[2])
    norm2 = state.norm**2
    for t in state.tensors[first:last + 1]:
        theta = np.tensordot(theta, t, 1)
        theta = theta.reshape(theta.shape[0], -1, theta.shape[-1])       # vL P vR
    for w, v in channels:
        t = np.tensordot(left[:, w], theta, (1, 0))                      # bL [kL]; [kL] P kR -> bL P kR
        t = np.tensordot(t, right[:, v], (2, 1))                         # bL P [kR]; bR [kR] -> bL P bR
        yield np.tensordot(t, theta.conj(), ((0, 2), (0, 2))) / norm2    # [bL] P [bR]; [bL] S [bR]


def _sides_of_density(state: Density, operator: MPO) -> tuple[list[Array], list[Array]]:
    """The same of a density, legs w v."""
    tensors, trains = state.train.tensors, coordinates(operator, density_sites(state.sites))      # trains: wL x wR
    left, right = [np.ones((1, 1))], [np.ones((1, 1))]          # of nothing
    for o, t in zip(trains[:-1], tensors[:-1], strict=True):
        left.append(np.tensordot(o, np.tensordot(left[-1], t, 1), ((0, 1), (0, 1))))              # wR vR
    for o, t in zip(trains[:0:-1], tensors[:0:-1], strict=True):
        right.append(np.tensordot(o, np.tensordot(t, right[-1], (2, 1)), ((1, 2), (1, 2))))       # wL vL
    return left, right[::-1]


def _conditional_density(state: Density, first: int, last: int, left: Array, right: Array,
                         channels: Sequence[tuple[int, int]]) -> Iterator[Array]:
    """tr_rest(L_w R_v rho) / tr rho."""
    local = density_sites(state.sites)[first:last + 1]
    d, k = int(np.prod([s.site.d for s in local])), len(local)
    for w, v in channels:
        x = left[w][None]
        for t in state.train.tensors[first:last + 1]:
            x = np.tensordot(x, t, 1).reshape(-1, t.shape[2])
        x = (x @ right[v]).reshape([s.d for s in local])
        for s in local:                                                  # the first coordinate -> ket, bra at the end
            x = np.tensordot(x, s.basis, (0, 0))
        yield x.transpose([*range(0, 2 * k, 2), *range(1, 2 * k, 2)]).reshape(d, d) / state.trace
