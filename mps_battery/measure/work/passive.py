"""Ergotropy and its kin of a small density matrix, by diagonalisation: all unitaries on the whole of it count.

A unitary keeps the eigenvalues r of rho and moves them between the levels e of h, so that the least energy it can reach
is that of the passive state, sum_k r_k e_k with r falling and e rising, and the largest that of the active state, with
both rising [Allahverdyan, Balian, Nieuwenhuizen 2004, EPL 67, 565; Yang et al. 2023, PRL 131, 030402].
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.mps import check_sites

Array = np.ndarray

LARGEST = 2**10
"""Largest dimension of a block that runs record."""

DEGENERATE = 1e-10
"""Levels closer than this fraction of the width of the spectrum count as one."""


def ergotropy(rho: Array, h: Array) -> float:
    """Largest mean energy that a unitary can draw.

    Args:
        rho: Density matrix; Hermitian and trace one to 1e-10.
        h: Hamiltonian of the same shape, Hermitian.

    Returns:
        W = tr(rho h) - passive energy >= 0, in the unit of `h`.
    """
    lowest = passive_energy(rho, h)
    return max(0.0, _energy(rho, h) - lowest)


def antiergotropy(rho: Array, h: Array) -> float:
    """Largest mean energy that a unitary can put in: active energy - tr(rho h) >= 0; arguments as for `ergotropy`."""
    highest = active_energy(rho, h)
    return max(0.0, highest - _energy(rho, h))


def capacity(rho: Array, h: Array) -> float:
    """Range of mean energies that unitaries reach; arguments as for `ergotropy`.

    C = max_U E - min_U E = sum_k e_k (r_k - r_{d+1-k}), both rising, = ergotropy + antiergotropy >= 0. Unitaries leave
    it unchanged.
    """
    populations, levels = _spectra(rho, h)
    return float((populations - populations[::-1]) @ levels)


def passive_energy(rho: Array, h: Array) -> float:
    """Least mean energy that a unitary can reach; arguments as for `ergotropy`."""
    populations, levels = _spectra(rho, h)
    return float(populations[::-1] @ levels)


def active_energy(rho: Array, h: Array) -> float:
    """Largest mean energy that a unitary can reach; arguments as for `ergotropy`."""
    populations, levels = _spectra(rho, h)
    return float(populations @ levels)


def incoherent_ergotropy(rho: Array, h: Array) -> float:
    """Largest mean energy that unitaries draw which leave the coherence of the state in the energy basis unchanged.

    These permute the levels and turn phases, so that only populations of levels count: W_i is the ergotropy of the
    dephased state [Francica et al. 2020, PRL 125, 180603]. Among degenerate levels the energy basis is a matter of
    choice and coherence costs nothing: each block of rho on a degenerate level is kept whole, which is the best choice.

    Returns:
        W_i with 0 <= W_i <= W, in the unit of `h`; arguments as for `ergotropy`.
    """
    return ergotropy(dephased(rho, h), h)


def coherent_ergotropy(rho: Array, h: Array) -> float:
    """The part of the ergotropy that is owed to coherence between levels of different energy, W_c = W - W_i.

    With the passive states P of rho and D of the dephased rho, the relative entropy of coherence
    C = S(dephased) - S(rho), and any Gibbs state g of h: beta W_c = C + S(D || g) - S(P || g) [Francica et al. 2020,
    PRL 125, 180603]. No coherence, no coherent ergotropy.

    Returns:
        W_c >= 0, in the unit of `h`; arguments as for `ergotropy`.
    """
    return max(0.0, passive_energy(dephased(rho, h), h) - passive_energy(rho, h))


def dephased(rho: Array, h: Array) -> Array:
    """`rho` without coherence between levels of different energy, sum_e P_e rho P_e; arguments as for `ergotropy`."""
    _spectra(rho, h)
    levels, u = np.linalg.eigh(h)
    close = DEGENERATE * (levels[-1] - levels[0]) + 1e-14 * np.abs(levels).max()
    level = np.cumsum(np.r_[0, np.diff(levels) > close])
    inside = u.conj().T @ rho @ u * (level[:, None] == level)
    return u @ inside @ u.conj().T


def _energy(rho: Array, h: Array) -> float:
    return float(np.einsum("ij,ji->", rho, h).real)


def _spectra(rho: Array, h: Array) -> tuple[Array, Array]:
    """(eigenvalues of rho, of h), both rising, after one check."""
    for name, matrix in (("rho", rho), ("h", h)):
        numbers = isinstance(matrix, np.ndarray) and matrix.dtype.kind in "biufc"
        must(numbers and matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 0 and np.isfinite(matrix).all(),
             name, "be a square matrix of finite numbers", matrix)
        scale = max(1.0 if name == "rho" else 0.0, float(np.abs(matrix).max()))
        if np.abs(matrix - matrix.conj().T).max() > 1e-10 * scale:
            raise InputError(f"Argument `{name}` must be Hermitian, but differs from its adjoint by "
                             f"{np.abs(matrix - matrix.conj().T).max():.1e}.")
    if rho.shape != h.shape:
        raise InputError(f"Argument `h` must have the dimension of `rho`, {len(rho)}, but has {len(h)}.")
    if abs(np.trace(rho) - 1) > 1e-10:
        raise InputError(f"Argument `rho` must have trace one, but its trace is {np.trace(rho).real:.12g}.")
    return np.linalg.eigvalsh(rho), np.linalg.eigvalsh(h)


@dataclass(frozen=True)
class _OfCells(Quantity):
    """Work of every cell by itself or of a block, in the energy that it has within."""

    sites: Sequence[int] | None = None

    @staticmethod
    @abstractmethod
    def _work(rho: Array, h: Array) -> float:
        """The work of a matrix."""

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell, or a number for a block."""
        length = len(battery.sites)
        for block in self._blocks(battery):
            check_sites(block, length)
            must(len(block) >= 1 and len({*block}) == len(block) and all(0 <= n < length for n in block), "sites",
                 f"be different sites from 0 to {length - 1}", block)
            dimension = float(np.prod([float(battery.sites[n].d) for n in block]))
            must(dimension <= LARGEST, "sites", f"span at most {LARGEST} dimensions", block)
        return {} if self.sites is not None else {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> Array | float:
        """The work of each."""
        battery, found = snapshot.battery, []
        for block in self._blocks(battery):
            h = battery.energy.within(block).to_mpo().to_dense()
            found.append(self._work(snapshot.state.reduced(block), h))
        return found[0] if self.sites is not None else np.array(found)

    def _blocks(self, battery: Battery) -> list[Sequence[int]]:
        return [self.sites] if self.sites is not None else [[n] for n in battery.cells]


@dataclass(frozen=True)
class CoherentErgotropy(_OfCells):
    """Ergotropy that is owed to coherence, of every cell by itself or of a block; see `coherent_ergotropy`.

    Args:
        sites: A block of at most 1024 dimensions, with the energy that it has within; None takes cell by cell.
    """

    @staticmethod
    def _work(rho: Array, h: Array) -> float:
        return coherent_ergotropy(rho, h)


@dataclass(frozen=True)
class IncoherentErgotropy(_OfCells):
    """Ergotropy that populations explain, of every cell by itself or of a block; see `incoherent_ergotropy`.

    Args:
        sites: A block of at most 1024 dimensions, with the energy that it has within; None takes cell by cell.
    """

    @staticmethod
    def _work(rho: Array, h: Array) -> float:
        return incoherent_ergotropy(rho, h)
