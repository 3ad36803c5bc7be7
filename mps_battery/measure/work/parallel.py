"""Parallel ergotropy and capacity: what one unitary a cell, all at the same time, draws of the full energy.

[REFERENCES: Castellano, Nery, Simonov, Farina 2025, PRA 111, 012212, arXiv:2407.20916.] The cells need not be entangled
to profit from each other: E(U_1 x .. x U_N) is searched for its lowest value over all of them together.

Where the energy couples few sites at a time, product unitaries see the state only through the reduced density matrices
of those sites: they are taken once, after which the search knows nothing of the bond dimension (`rotors`). Qubits are
turned in sweeps, each cell to the closed form of its lowest energy with the others at rest, from many starts at once;
the best of them, and cells of more levels from the start, are brought to the bottom by a descent over all unitaries
together. Where products reach over many sites, as fermionic strings do, every step of the descent turns the operator
instead and contracts it with the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import must, whole
from mps_battery.measure.clusters import cluster_densities
from mps_battery.measure.mixed import density_moments
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot, site_moments
from mps_battery.measure.work.block_energy import BlockEnergy, drawn
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.measure.work.extremum import Extremum
from mps_battery.measure.work.parallel_bound import LARGEST_CLUSTER, cluster_floor, lowest_energies
from mps_battery.measure.work.rotors import Coefficients, Rotors, as_operator, coefficients
from mps_battery.measure.work.seen import seen
from mps_battery.measure.work.unitaries import DESCENTS, haar, lowest, polar, rotations, unitary_of
from mps_battery.tensors.density import Density
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray

FEW, LARGEST_CELL = 4, 6
"""Most sites of a product, and most levels of a cell, for the model of rotations."""
STARTS, SWEEPS = 16, 40
"""Starts of a search of a long chain, and sweeps of all of them where they are qubits."""
MOST, TURNED = 64, 4
"""Starts on short chains, as many as keep starts times cells within those of 40 cells; and starts on long chains where
the operator has to be turned."""


def parallel_ergotropy(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                       starts: int | None = None, seed: int = 0) -> Extremum:
    """Largest mean energy that one unitary a cell, U = U_1 x .. x U_N, can draw.

    Args:
        state: The state.
        terms: The energy; Hermitian. All of it counts, what ties cells to each other and to other sites included.
        cells: Sites with a unitary; None for all.
        starts: Starts of the search: the state as it is, its best single cell, all cells against their field, staggered
            flips, what the bound points to, and random ones. None takes 64 up to ten cells and 16 beyond forty, a
            quarter of that where the operator has to be turned.
        seed: Of the random starts.

    Returns:
        W, its bound, and one unitary a cell; unit of `terms`. The bound of qubits with pair couplings is a semidefinite
        relaxation, which chains of equal cells mostly meet; else it adds up what the parts of the energy could do each
        by itself. See `parallel_bound`.
    """
    return ParallelEnergy.of(state, terms, cells).drawn(starts, seed)


def parallel_capacity(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                      starts: int | None = None, seed: int = 0) -> Extremum:
    """Largest less smallest mean energy that one unitary a cell can reach; arguments as for `parallel_ergotropy`.

    Returns:
        C, its bound, and the unitaries that reach the lowest energy, then those that reach the highest.
    """
    energy = ParallelEnergy.of(state, terms, cells)
    return energy.drawn(starts, seed) + (-energy).drawn(starts, seed)


@dataclass(frozen=True)
class ParallelEnergy:
    """What one unitary a cell sees of an energy.

    Args:
        state: The state.
        cells: The cells, rising.
        j: The products of the energy that touch a cell.
        densities: Reduced density matrix of every set of sites of `j`, where not too large.
    """

    state: MPS | Density
    cells: list[int]
    j: Coefficients
    densities: dict[tuple[int, ...], Array]

    @classmethod
    def of(cls, state: MPS | Density, terms: Terms, cells: Sequence[int] | None) -> ParallelEnergy:
        """From what a user gives."""
        check_energy(state, terms)
        chosen = check_cells(cells, len(state))
        j = {key: x for key, x in coefficients(terms).items() if any(n in chosen for n, _ in key)}
        sets = {tuple(n for n, _ in key) for key in j}
        small = {s for s in sets if np.prod([float(state.sites[n].d) for n in s]) <= LARGEST_CLUSTER}
        return cls(state, chosen, j, cluster_densities(state, small))

    def __neg__(self) -> ParallelEnergy:
        return ParallelEnergy(self.state, self.cells, {key: -x for key, x in self.j.items()}, self.densities)

    def drawn(self, starts: int | None = None, seed: int = 0) -> Extremum:
        """The most that can be drawn."""
        rng, sites = np.random.default_rng(seed), self.state.sites
        many = min(MOST, 40 * STARTS // len(self.cells))
        floor = cluster_floor(self.j, self.densities, sites)
        levels, sets = {sites[n].d for n in self.cells}, {tuple(n for n, _ in key) for key in self.j}
        few = all(s in self.densities and len(s) <= FEW for s in sets)
        if few and len(levels) == 1 and max(levels) <= LARGEST_CELL:
            given = starts or max(STARTS, many if levels == {2} else 0)
            return _of_rotors(Rotors.of(self.j, self.densities, sites, self.cells), floor, given, rng)
        given = starts or max(TURNED, many // 4)
        return _of_train(self.state, as_operator(self.j, sites), self.cells, floor, given, rng)


def _of_rotors(rotors: Rotors, floor: float, starts: int, rng: np.random.Generator) -> Extremum:
    """The search where the energy is a model of rotations; `floor` is a lower bound on it."""
    one = np.broadcast_to(np.eye(rotors.d, dtype=complex), (rotors.size, rotors.d, rotors.d))
    k, (here,) = rotors.correlations(rotations(one)[None])
    relaxed, pointed = lowest_energies(rotors)
    floor = max(floor, relaxed)
    candidates: Sequence[Array] = _starts([BlockEnergy.of_correlations(x) for x in k[0]], starts, rng)
    if rotors.d == 2:
        r = rotations(np.array(candidates))
        if pointed is not None:
            r = np.concatenate([pointed[None], r])
        for _ in range(SWEEPS):
            r = rotors.sweep(r)
        candidates = [unitary_of(r[z]) for z in np.argsort(rotors.energy(r))[:DESCENTS]]
    reached, best = lowest(rotors.slope, candidates, floor, rotors.scale)
    if reached >= here:
        reached, best = here, one
    return Extremum(float(here - reached), float(here - min(floor, reached)), tuple(best))


def _of_train(state: MPS | Density, operator: MPO, cells: Sequence[int], floor: float, starts: int,
              rng: np.random.Generator) -> Extremum:
    """The search where the operator is turned; unitaries of cells with fewer levels are padded with ones."""
    dims = [state.sites[n].d for n in cells]

    def moments(tensors: Sequence[Array]) -> list[Array]:
        turned, wanted = MPO(list(tensors)), tuple(cells)
        found = (density_moments(state, turned, wanted) if isinstance(state, Density)
                 else site_moments(state, turned, wanted))
        return [found[n] for n in cells]

    def slope(unitaries: Array) -> tuple[float, Array]:
        turned = list(operator.tensors)
        for u, n, d in zip(unitaries, cells, dims, strict=True):
            turned[n] = u[:d, :d].conj().T @ turned[n] @ u[:d, :d]
        seen = moments(turned)
        # what one more unitary V before U would do, dE/dV* at V = 1, carried over to U by dU = U dV
        pulls = [_padded(np.einsum("qpps->qs", m), max(dims), 0.0) for m in seen]
        return float(np.einsum("qppq->", seen[0]).real), unitaries @ np.array(pulls)

    alone = seen(state, operator, [(n, n) for n in cells])
    candidates = _starts(alone, starts, rng)
    here = slope(candidates[0] * 0 + np.eye(max(dims)))[0]
    reached, best = lowest(slope, candidates, floor, sum(e.scale for e in alone) or 1.0)
    if reached >= here:
        reached, best = here, np.broadcast_to(np.eye(max(dims), dtype=complex), best.shape)
    unitaries = tuple(u[:d, :d] for u, d in zip(best, dims, strict=True))
    return Extremum(here - reached, here - min(floor, reached), unitaries)


def _starts(alone: Sequence[BlockEnergy], starts: int, rng: np.random.Generator) -> list[Array]:
    """Unitaries to start from, each (cells, d, d), smaller ones padded, from what every cell sees by itself."""
    dims, d = [e.d for e in alone], max(e.d for e in alone)
    extremes = drawn(alone, starts=4, relaxed=LARGEST_CELL)
    each = np.array([_padded(x.unitaries[0], d) for x in extremes])
    single, champion = np.array([np.eye(d, dtype=complex)] * len(dims)), int(np.argmax([x.value for x in extremes]))
    single[champion] = each[champion]
    flips = np.array([_padded(np.eye(m)[::-1], d) for m in dims])
    near = np.array([_padded(polar(np.eye(m) + 1e-3 * haar(rng, m)), d) for m in dims])  # the state can be a saddle
    chosen = [single, each, near, flips, np.where(np.arange(len(dims))[:, None, None] % 2, near, flips)]
    chosen += [np.array([_padded(haar(rng, m), d) for m in dims]) for _ in range(starts - len(chosen))]
    return chosen[:max(1, starts)]


def _padded(matrix: Array, d: int, by: float = 1.0) -> Array:
    """The matrix in the corner of a larger one that is `by` on the rest of its diagonal."""
    out = by * np.eye(d, dtype=complex)
    out[:len(matrix), :len(matrix)] = matrix
    return out


def check_cells(cells: Sequence[int] | None, length: int) -> list[int]:
    """The cells as a rising list, after one check."""
    if cells is None:
        return list(range(length))
    listed = isinstance(cells, Sequence | np.ndarray | range) and not isinstance(cells, str)
    must(listed and len(cells) >= 1 and all(whole(n) and 0 <= n < length for n in cells)
         and len(set(cells)) == len(cells), "cells", f"be different sites from 0 to {length - 1}", cells)
    return sorted(int(n) for n in cells)


@dataclass(frozen=True)
class _InParallel(Quantity):
    """A quantity of one unitary on every cell.

    Args:
        bound: Whether to record the bound from above in place of the value that was found.
    """

    bound: bool = False
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def _energy(self, snapshot: Snapshot) -> ParallelEnergy:
        return ParallelEnergy.of(snapshot.state, snapshot.battery.energy, snapshot.battery.cells)

    def _chosen(self, extremum: Extremum) -> float:
        return extremum.bound if self.bound else extremum.value


@dataclass(frozen=True)
class ParallelErgotropy(_InParallel):
    """Energy that one unitary a cell, all at the same time, can draw of H_B; see `parallel_ergotropy`."""

    def measure(self, snapshot: Snapshot) -> float:
        """W."""
        return self._chosen(self._energy(snapshot).drawn())


@dataclass(frozen=True)
class ParallelCapacity(_InParallel):
    """Range of <H_B> that one unitary a cell, all at the same time, can reach; see `parallel_capacity`."""

    def measure(self, snapshot: Snapshot) -> float:
        """C."""
        energy = self._energy(snapshot)
        return self._chosen(energy.drawn() + (-energy).drawn())
