"""Coherence: what a state has beyond its populations, of basis states or of the levels of a Hamiltonian.

Levels of equal energy count as one: with P_e their projectors, Delta(rho) = sum_e P_e rho P_e is what energy
measurements leave, and no choice of basis inside a level enters [Bischof, Kampermann, Bruß 2019, Phys. Rev. Lett. 123,
110402]. In the computational basis every basis state is a level of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, whole
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.resources.entropies import as_sites, renyi
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms, check_terms

Array = np.ndarray

LARGEST_PURE = 2**20
"""Dimension of a whole pure state up to which its amplitudes are written out."""
LARGEST_MIXED, LARGEST_LEVELS = 4096, 1024
"""Dimensions up to which density matrices are diagonalised, and Hamiltonians for their levels."""


# -- of a matrix or a vector ---------------------------------------------------------------------------------
def l1_coherence(rho: Array, hamiltonian: Array | None = None) -> float:
    """sum_(e != f) |P_e rho P_f|_1: without degeneracies, the sum of the moduli of all off-diagonal elements.

    Args:
        rho: Density matrix (d, d), or amplitudes (d,) of a pure state.
        hamiltonian: Hermitian matrix whose levels are meant, (d, d); None for the computational basis.

    Returns:
        From 0 to the number of levels less one, which an even superposition of one state of each has [Baumgratz,
        Cramer, Plenio 2014, Phys. Rev. Lett. 113, 140401].
    """
    levels = _levels(rho, hamiltonian)
    if rho.ndim == 1:
        roots = np.abs(rho) if levels is None else np.array([np.linalg.norm(v.conj().T @ rho) for v in levels])
        return float(max(roots.sum() ** 2 - np.sum(roots**2), 0.0))
    if levels is None or len(levels) == len(rho):
        basis = np.eye(len(rho)) if levels is None else np.concatenate(levels, axis=1)
        moduli = np.abs(basis.conj().T @ rho @ basis)
        return float(moduli.sum() - np.trace(moduli))
    return 2 * float(sum(np.linalg.norm(v.conj().T @ rho @ w, "nuc") for k, v in enumerate(levels) for w in levels[:k]))


def relative_entropy_coherence(rho: Array, hamiltonian: Array | None = None) -> float:
    """S(Delta(rho)) - S(rho) in nats: the relative entropy to the nearest state without coherence.

    Arguments and source as for `l1_coherence`; at most the logarithm of the number of levels for pure states.
    """
    levels = _levels(rho, hamiltonian)
    if rho.ndim == 1:
        weights = np.abs(rho) ** 2
        return float(renyi(weights if levels is None else np.array([np.sum(np.abs(v.conj().T @ rho) ** 2)
                                                                    for v in levels])))
    kept = np.diag(rho).real if levels is None else np.concatenate([np.linalg.eigvalsh(v.conj().T @ rho @ v)
                                                                     for v in levels])
    return max(float(renyi(kept) - renyi(np.linalg.eigvalsh(rho))), 0.0)


def energy_levels(hamiltonian: Array) -> list[Array]:
    """Orthonormal bases (d, k) of the eigenspaces; energies closer than 1e-9 of the largest count as equal."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    apart = 1e-9 * float(np.abs(energies).max())
    return np.split(vectors, np.flatnonzero(np.diff(energies) > apart) + 1, axis=1)


def _levels(rho: Array, hamiltonian: Array | None) -> list[Array] | None:
    """The levels meant, after a check that everything fits; None for the computational basis."""
    d = len(rho)
    must(rho.shape in ((d,), (d, d)), "rho", "be a density matrix or a vector of amplitudes", rho.shape)
    if hamiltonian is None:
        return None
    must(np.shape(hamiltonian) == (d, d) and np.allclose(hamiltonian, np.conj(hamiltonian).T), "hamiltonian",
         f"be a Hermitian {d} x {d} matrix", hamiltonian)
    return energy_levels(hamiltonian)


# -- of sites of a chain -------------------------------------------------------------------------------------
def inner_hamiltonian(terms: Terms, sites: Sequence[int]) -> Array:
    """The products of `terms` that act on the given sites only, as a dense matrix with the first site leading."""
    place = {n: k for k, n in enumerate(sites)}
    inner = Terms([check_terms("terms", terms).sites[n] for n in sites])
    for product, c in terms.products:
        if product and all(n in place for n, _ in product):
            inner._add(tuple(sorted((place[n], o) for n, o in product)), c)
    return inner.to_dense()


def sampled_coherence(state: MPS, samples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Relative-entropy coherence of a pure chain of any length in the computational basis, by perfect sampling.

    It is the Shannon entropy of all basis states, sum_n <H(x_n | x_0 .. x_(n-1))>: every sample walks through the chain
    [Ferris, Vidal 2012, Phys. Rev. B 85, 165146] and adds up the entropies of the conditional distributions it meets.
    Cost: O(samples N d chi^2).

    Args:
        state: The state.
        samples: Number of walks, at least 2.
        seed: Seed of the draw.

    Returns:
        The mean and its standard error, in nats.
    """
    must(whole(samples) and samples >= 2, "samples", "be an integer of at least 2", samples)
    rng, near = np.random.default_rng(seed), state.canonical(0)
    walkers, entropies = np.ones((samples, 1)), np.zeros(samples)
    for a in near.tensors:
        ways = np.tensordot(walkers, a, 1)                               # walker p vR
        p = np.sum(np.abs(ways) ** 2, axis=2)
        p /= p.sum(axis=1, keepdims=True)
        entropies += renyi(p)
        chosen = np.minimum(np.sum(rng.random((samples, 1)) > np.cumsum(p, axis=1), axis=1), p.shape[1] - 1)
        walkers = ways[np.arange(samples), chosen]
        walkers /= np.linalg.norm(walkers, axis=1, keepdims=True)
    return float(entropies.mean()), float(entropies.std(ddof=1) / np.sqrt(samples))


# -- along a run ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _OfBasis(Quantity):
    """Coherence of every cell, or of a block, among the levels of its own energy or in the computational basis."""

    basis: str = "energy"
    block: Sequence[int] | None = None

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell, or a number for a block."""
        must(self.basis in ("energy", "computational"), "basis", "be energy or computational", self.basis)
        for sites in self._parts(battery):
            d = np.prod([float(battery.sites[n].d) for n in sites])
            whole_and_pure = len(sites) == len(battery.sites) and not battery.mixed
            largest = (LARGEST_LEVELS if self.basis == "energy" else LARGEST_PURE if whole_and_pure else LARGEST_MIXED)
            if d > largest:
                raise InputError(f"Argument `block` must span at most {largest} dimensions for its {self.basis} basis, "
                                 f"but spans {d:.3g}: take fewer sites, or sampled_coherence(state) of a pure state.")
        return {"cell": list(battery.cells)} if self.block is None else {}

    def measure(self, snapshot: Snapshot) -> Array | float:
        """The coherence."""
        battery = snapshot.battery
        values = []
        for sites in self._parts(battery):
            h = inner_hamiltonian(battery.energy, sites) if self.basis == "energy" else None
            if isinstance(snapshot.state, MPS) and len(sites) == len(battery.sites):
                values.append(self._of(snapshot.state.to_dense() / snapshot.norm2**0.5, h))
            else:
                values.append(self._of(snapshot.state.reduced(sites) if len(sites) > 1
                                       else snapshot.site_densities[sites[0]], h))
        return np.array(values) if self.block is None else values[0]

    def _parts(self, battery: Battery) -> list[list[int]]:
        """Sites of every part that has a value."""
        if self.block is None:
            return [[n] for n in battery.cells]
        return [sorted(as_sites(self.block, len(battery.sites)))]

    @abstractmethod
    def _of(self, rho: Array, hamiltonian: Array | None) -> float:
        """The measure of a density matrix or a state vector."""


@dataclass(frozen=True)
class Coherence(_OfBasis):
    """Relative-entropy coherence of every cell or of a block; see `relative_entropy_coherence`.

    The energy of a part is what of H_B acts on it alone; where that is nothing, all its states are one level and there
    is no coherence. A block may span 1024 dimensions for its levels; 4096 in the computational basis, or 2^20 where it
    is all of a pure state (`sampled_coherence` has no limit).

    Args:
        basis: "energy" or "computational".
        block: Sites of a block; None for every cell.
    """

    unit = "nats"

    def _of(self, rho: Array, hamiltonian: Array | None) -> float:
        return relative_entropy_coherence(rho, hamiltonian)


@dataclass(frozen=True)
class L1Coherence(_OfBasis):
    """l1 coherence of every cell or of a block; see `l1_coherence`, and `Coherence` for parts and limits.

    Args:
        basis: "energy" or "computational".
        block: Sites of a block; None for every cell.
    """

    unit = "1"

    def _of(self, rho: Array, hamiltonian: Array | None) -> float:
        return l1_coherence(rho, hamiltonian)
