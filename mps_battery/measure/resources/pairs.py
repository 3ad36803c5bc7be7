"""Correlations of two cells of a chain: one pair, or all of them along a run.

Fermionic sites count as the qubits of their Jordan-Wigner picture, which is what cells are in models that use them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must
from mps_battery.measure.marginals import Pair, check_pair, check_pairs
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.resources.discord import discords
from mps_battery.measure.resources.entropies import Sites, schmidt_spectra, two_parties
from mps_battery.measure.resources.two_party import (
    Dims,
    concurrences,
    log_negativities,
    mutual_informations,
    steering_witnesses,
)
from mps_battery.measure.snapshot import Snapshot
from mps_battery.sites import Site
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS

Array = np.ndarray

LARGEST_PARTIES = 1024
"""Dimension of two parties together up to which their density matrix is transposed and diagonalised."""


# -- one pair ------------------------------------------------------------------------------------------------
def log_negativity(state: MPS | Density, a: Sites, b: Sites) -> float:
    """ln |rho^T_B|_1 of two sites or two sets of sites, in nats; zero where they are separable.

    Of all sites of a pure state it is 2 ln sum s of the Schmidt values between `a` and `b`, however many sites; other
    parties may span 1024 dimensions together.
    """
    first, second = two_parties(a, b, len(state))
    if isinstance(state, MPS) and len(first) + len(second) == len(state):
        return float(sum(2 * np.log(s.sum()) for s in schmidt_spectra(state, first)))
    dims = tuple(int(np.prod([float(state.sites[n].d) for n in part])) for part in (first, second))
    if dims[0] * dims[1] > LARGEST_PARTIES:
        raise InputError(f"Arguments `a` and `b` must span at most {LARGEST_PARTIES} dimensions together, or be all of "
                         f"a pure state, but span {dims[0]} x {dims[1]}: mutual_information(state, a, b, alpha=2) has "
                         "no limit.")
    return float(log_negativities(state.reduced([*first, *second]), (dims[0], dims[1])))


def concurrence(state: MPS | Density, i: int, j: int) -> float:
    """Concurrence of two qubits of a chain; see `concurrences`."""
    _check(state, i, j, "ij")
    return float(concurrences(state.reduced([i, j])))


def discord(state: MPS | Density, i: int, j: int) -> float:
    """Discord of sites i and j, in nats, when j, a qubit, is measured; see `discords`."""
    _check(state, i, j, "j")
    return float(discords(state.reduced([i, j]), (state.sites[i].d, 2)))


def steering(state: MPS | Density, i: int, j: int, settings: float = 3) -> float:
    """Steering witness of two qubits of a chain, above one where they are steerable; see `steering_witnesses`."""
    _check(state, i, j, "ij")
    return float(steering_witnesses(state.reduced([i, j]), settings))


def _check(state: MPS | Density, i: int, j: int, qubits: str) -> None:
    check_pair(i, j, len(state))
    for name, n in (("i", i), ("j", j)):
        if name in qubits and state.sites[n].d != 2:
            raise InputError(f"Argument `{name}` must be a two-level site, but site {n} has {state.sites[n].d} levels.")


# -- along a run ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _OfPairs(Quantity):
    """A correlation of two cells.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
    """

    pairs: Sequence[Pair] | None = None
    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """(cell, other_cell), or (cell_pair,) with names such as "0-3"."""
        cells = list(battery.cells)
        if self.pairs is None:
            must(len(cells) >= 2, "record", f"hold {type(self).__name__} for at least two cells", cells)
            pairs = [(i, j) for i in cells for j in cells if i != j]
        else:
            pairs = check_pairs(self.pairs, len(battery.sites))
        for i, j in pairs:
            self._check_sites(battery.sites[i], battery.sites[j])
        if self.pairs is None:
            return {"cell": cells, "other_cell": cells}
        return {"cell_pair": [f"{i}-{j}" for i, j in pairs]}

    def measure(self, snapshot: Snapshot) -> Array:
        """One value a pair; in the table of all pairs, the diagonal, which is no pair, is zero."""
        sites = snapshot.battery.sites
        if self.pairs is not None:
            dims = [(sites[i].d, sites[j].d) for i, j in self.pairs]
            return self._by_size(snapshot.pair_densities(self.pairs), dims)
        cells = snapshot.battery.cells
        table = np.zeros((len(cells), len(cells)))
        order = [(k, l) for k in range(len(cells)) for l in range(k + 1, len(cells))]
        dims = [(sites[cells[k]].d, sites[cells[l]].d) for k, l in order]
        upper = tuple(np.array(order).T)
        table[upper] = self._by_size(snapshot.cell_pairs, dims)
        table[upper[::-1]] = table[upper] if self._symmetric else self._by_size(
            [_swapped(rho, d) for rho, d in zip(snapshot.cell_pairs, dims, strict=True)], [d[::-1] for d in dims])
        return table

    def _by_size(self, rhos: Sequence[Array], dims: Sequence[Dims]) -> Array:
        """Values of density matrices, those of equal dimensions stacked."""
        out = np.zeros(len(rhos))
        for d in set(dims):
            places = [k for k, other in enumerate(dims) if other == d]
            out[places] = self._values(np.array([rhos[k] for k in places]), d)
        return out

    @property
    def _symmetric(self) -> bool:
        """Whether the two cells of a pair play the same part."""
        return True

    def _check_sites(self, first: Site, second: Site) -> None:
        """Raise where the measure does not apply to a pair of sites."""

    @abstractmethod
    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        """The measure of a stack of density matrices."""


def _swapped(rho: Array, dims: Dims) -> Array:
    return rho.reshape(*dims, *dims).transpose(1, 0, 3, 2).reshape(rho.shape)


def _need_qubits(quantity: Quantity, *sites: Site) -> None:
    for site in sites:
        if site.d != 2:
            raise InputError(f"Argument `record` must hold {type(quantity).__name__} for two-level sites only, but "
                             f"{site} has {site.d} levels: give `pairs` without it.")


@dataclass(frozen=True)
class MutualInformation(_OfPairs):
    """Mutual information S_i + S_j - S_ij of pairs of cells.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
    """

    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        return mutual_informations(rhos, dims)


@dataclass(frozen=True)
class LogNegativity(_OfPairs):
    """Logarithmic negativity ln |rho^T_j|_1 of pairs of cells.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
    """

    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        return log_negativities(rhos, dims)


@dataclass(frozen=True)
class Concurrence(_OfPairs):
    """Concurrence of pairs of qubits; see `concurrences`.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
    """

    unit = "1"

    def _check_sites(self, first: Site, second: Site) -> None:
        _need_qubits(self, first, second)

    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        return concurrences(rhos)


@dataclass(frozen=True)
class Discord(_OfPairs):
    """Quantum discord of pairs of cells when the second, a qubit, is measured; see `discords`.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
    """

    @property
    def _symmetric(self) -> bool:
        return False

    def _check_sites(self, first: Site, second: Site) -> None:
        _need_qubits(self, second)

    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        return discords(rhos, dims)


@dataclass(frozen=True)
class Steering(_OfPairs):
    """Steering witness of pairs of qubits, above one where they are steerable; see `steering_witnesses`.

    Args:
        pairs: Pairs of sites; None for all pairs of cells.
        settings: 2, 3 or `numpy.inf` measurement directions.
    """

    settings: float = 3
    unit = "1"

    def _check_sites(self, first: Site, second: Site) -> None:
        must(self.settings in (2, 3, np.inf), "settings", "be 2, 3 or infinity", self.settings)
        _need_qubits(self, first, second)

    def _values(self, rhos: Array, dims: Dims) -> Array | float:
        return steering_witnesses(rhos, self.settings)
