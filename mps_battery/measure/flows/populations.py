"""Populations of the levels of H_B and their rates, p_k = tr(Pi_k rho) and dp_k/dt = tr(Pi_k L(rho)).

Two ways. Where H_B is a sum of one-site operators whose levels are multiples of one unit (a ladder), the levels of
K = (H_B - E_0) / unit are 0..m, and the m + 1 products G_j = exp(2 pi i j K / (m + 1)) have <G_j> as the Fourier
transform of p and d<G_j>/dt as that of dp/dt: at any length, O(m N chi^3 w). Else H_B is diagonalised, for small
chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from mps_battery.battery import Battery, as_schedule
from mps_battery.liouville import generator
from mps_battery.measure.flows.norms import blocks
from mps_battery.measure.flows.thermodynamics import LARGEST_WHOLE
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors import environment
from mps_battery.tensors.density import density_sites, functional
from mps_battery.terms import Terms

Array = np.ndarray

LONGEST_LADDER = 1000
"""Most levels above the lowest of a ladder."""


@dataclass(frozen=True)
class Ladder:
    """A sum of one-site operators with levels lowest + k unit, k = 0..top.

    Attributes:
        lowest: Its lowest level.
        unit: Distance of the levels.
        top: The highest level has this k.
        steps: Site -> (u, k): eigenvectors and levels of its operator; sites left out have none.
    """

    lowest: float
    unit: float
    top: int
    steps: dict[int, tuple[Array, Array]]

    def rotations(self, j: int, dims: Sequence[int]) -> list[Array]:
        """The factors of G_j, (d, d) a site."""
        angle = 2 * np.pi * j / (self.top + 1)
        out = [np.eye(d, dtype=complex) for d in dims]
        for n, (u, k) in self.steps.items():
            out[n] = (u * np.exp(1j * angle * k)) @ u.conj().T
        return out


def ladder_of(energy: Terms) -> Ladder | None:
    """The ladder of H_B; None where it couples sites or its levels have no common unit with few enough steps."""
    parts = blocks(energy)
    if any(len(b.support) > 1 for b in parts):
        return None
    solved: dict[int, tuple[Array, Array]] = {}
    for b in parts:
        e, u = np.linalg.eigh(b.matrix())
        solved[b.support[0]] = (e, u)
    gaps = np.concatenate([e - e[0] for e, _ in solved.values()]) if solved else np.zeros(0)
    widest = float(gaps.max(initial=0.0))
    if widest == 0:
        return None
    unit = _common_unit(gaps[gaps > 1e-9 * widest], 1e-9 * widest)
    top = sum(float(e[-1] - e[0]) for e, _ in solved.values()) / unit
    if top > LONGEST_LADDER or np.abs(gaps / unit - np.round(gaps / unit)).max() > 1e-8:
        return None
    constant = sum(c.real for product, c in energy.products if not product)
    lowest = constant + sum(float(e[0]) for e, _ in solved.values())
    return Ladder(lowest, unit, round(top), {n: (u, np.round((e - e[0]) / unit)) for n, (e, u) in solved.items()})


def _common_unit(gaps: Array, tolerance: float) -> float:
    """Greatest common divisor of positive numbers, by Euclid."""
    unit = 0.0
    for gap in np.unique(gaps):
        a, b = float(gap), unit
        while b > tolerance:
            a, b = b, abs(a - b * round(a / b))
        unit = a
    return unit


@dataclass(frozen=True)
class Levels:
    """The levels of H_B from the whole matrix: equal ones together.

    Attributes:
        energies: The levels, ascending.
        vectors: Eigenvectors, one a column.
        first: The first column of every level.
    """

    energies: Array
    vectors: Array
    first: Array


def levels_of(observables: Observables) -> Levels:
    """The levels of a small chain."""
    e, u = np.linalg.eigh(observables.battery.energy.to_dense())
    first = np.r_[0, 1 + np.flatnonzero(np.diff(e) > 1e-9 * max(1e-300, float(e[-1] - e[0])))]
    return Levels(e[first], u, first)


def countable(battery: Battery) -> bool:
    """Whether `populations` can be had: a ladder, or a small chain."""
    return ladder_of(battery.energy) is not None or whole_fits(battery)


def whole_fits(battery: Battery) -> bool:
    """Whether the chain is small enough for whole matrices."""
    return float(np.prod([float(s.d) for s in battery.sites])) <= LARGEST_WHOLE


def populations(snapshot: Snapshot) -> tuple[Array, Array, Array]:
    """(levels of H_B, their populations, the rates of these), all dynamics included."""
    ladder = snapshot.observables.once(_ladder)
    if ladder is None:
        return _from_matrices(snapshot, snapshot.observables.once(levels_of))
    size, dims, found = ladder.top + 1, [s.d for s in snapshot.battery.sites], []
    for j in range(size // 2 + 1):
        product = ladder.rotations(j, dims)
        found.append(_mixed_means(snapshot, product) if isinstance(snapshot, MixedSnapshot) else
                     _pure_means(snapshot, product))
    p, rate = (np.fft.irfft(np.conj(values), n=size) for values in zip(*found, strict=True))
    return ladder.lowest + ladder.unit * np.arange(size), p, rate


def _ladder(observables: Observables) -> Ladder | None:
    return ladder_of(observables.battery.energy)


def _pure_means(snapshot: Snapshot, product: list[Array]) -> tuple[complex, complex]:
    """<G> and i <[H, G]> of a product of one-site operators."""
    a, h = snapshot.state.tensors, snapshot.generator.tensors
    turned = [np.einsum("pq,aqb->apb", g, t) for g, t in zip(product, a, strict=True)]
    back = [np.einsum("qp,aqb->apb", g.conj(), t) for g, t in zip(product, a, strict=True)]
    mean = environment.expectation(a, [g[None, None] for g in product])
    slope = 1j * (environment.expectation(turned, h, a) - np.conj(environment.expectation(back, h, a)))
    return mean / snapshot.norm2, slope / snapshot.norm2


def _mixed_means(snapshot: MixedSnapshot, product: list[Array]) -> tuple[complex, complex]:
    """tr(G rho) and tr(G L(rho)) of a product of one-site operators."""
    state, local = snapshot.state, density_sites(snapshot.battery.sites)
    row = [np.einsum("xij,ji->x", s.basis, g) for s, g in zip(local, product, strict=True)]
    mean = functional([r[None, :, None] for r in row], state.train.tensors)
    slope = environment.expectation(state.train.tensors, liouvillian(snapshot), [r.conj()[None, :, None] for r in row])
    return mean / state.trace, slope / state.trace


def liouvillian(snapshot: MixedSnapshot) -> list[Array]:
    """The superoperator that acts at this time, as a train over density sites."""
    parts, schedule = snapshot.observables.once(_superoperators)
    kept = [float(f) * w for f, w in zip(schedule.values(snapshot.time), parts, strict=True) if f]
    return (reduce(add, kept) if kept else 0.0 * parts[0]).tensors


def _superoperators(observables: Observables) -> tuple:
    schedule = generator(observables.battery)
    return [h.to_mpo() for h in schedule.terms], schedule


def _from_matrices(snapshot: Snapshot, levels: Levels) -> tuple[Array, Array, Array]:
    """The same from whole vectors and matrices."""
    u = levels.vectors
    if isinstance(snapshot, MixedSnapshot):
        rho, slope = whole(snapshot)
        p, rate = (np.einsum("ik,ij,jk->k", u.conj(), m, u, optimize=True).real for m in (rho, slope))
    else:
        psi = snapshot.state.to_dense() / snapshot.norm2**0.5
        h, _ = snapshot.observables.once(_matrices)
        moved = -1j * sum(f * (part @ psi) for f, part in zip(snapshot.envelopes, h, strict=True))
        c, dc = u.conj().T @ psi, u.conj().T @ moved
        p, rate = np.abs(c) ** 2, 2 * (c.conj() * dc).real
    return levels.energies, np.add.reduceat(p, levels.first), np.add.reduceat(rate, levels.first)


def whole(snapshot: MixedSnapshot) -> tuple[Array, Array]:
    """rho of trace one and d rho / dt as matrices."""
    rho = snapshot.state.to_dense() / snapshot.state.trace
    parts, jumps = snapshot.observables.once(_matrices)
    h = sum(f * part for f, part in zip(snapshot.envelopes, parts, strict=True))
    half = -1j * (h @ rho)
    for jump, (l, decay) in zip(snapshot.battery.jumps, jumps, strict=True):
        rate = jump.rate_at(snapshot.time)
        half += rate / 2 * (l @ (l @ rho).conj().T - decay @ rho)            # rho L+ = (L rho)+
    return rho, half + half.conj().T


def _matrices(observables: Observables) -> tuple:
    """Sparse matrices: the parts of the Hamiltonian, and (L, L+ L) of every jump."""
    battery = observables.battery
    jumps = [j.terms.to_sparse() for j in battery.jumps]
    return [h.to_sparse() for h in as_schedule(battery.charging).terms], [(l, l.conj().T @ l) for l in jumps]

