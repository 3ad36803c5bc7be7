"""Ergotropy and capacity of a block of neighbouring sites, with the energy that ties it to the rest or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mps_battery.battery import Battery
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.block_energy import RECORDED, BlockEnergy, drawn
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.measure.work.extremum import Extremum
from mps_battery.measure.work.seen import check_block, seen, seen_alone
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms


def block_ergotropy(state: MPS | Density, terms: Terms, first: int, last: int, *, interaction: bool = True,
                    starts: int = 8, seed: int = 0) -> Extremum:
    """Largest mean energy that a unitary on the sites first..last can draw.

    W = max_U tr(H (rho - U rho U+)). With `interaction` H is the whole of `terms`: what ties the block to the rest
    changes and counts. Without, H is what acts inside the block alone, and W is the ergotropy of its reduced density
    matrix, exactly. A qubit and a block that nothing is tied to are exact too; else see `drawn` for search and bound.

    Args:
        state: The state.
        terms: The energy; Hermitian.
        first: First site.
        last: Last site; the block has at most 1024 dimensions.
        interaction: Whether the energy between block and rest counts.
        starts: Most descents.
        seed: Of the random starts.

    Returns:
        W, its bound and the unitary on the block, site `first` leading; unit of `terms`.
    """
    return drawn([_energy(state, terms, first, last, interaction)], starts, seed)[0]


def block_capacity(state: MPS | Density, terms: Terms, first: int, last: int, *, interaction: bool = True,
                   starts: int = 8, seed: int = 0) -> Extremum:
    """Largest less smallest mean energy that unitaries on the sites first..last reach; arguments as `block_ergotropy`.

    Returns:
        C, its bound, and the unitaries that reach the lowest and the highest energy.
    """
    energy = _energy(state, terms, first, last, interaction)
    down, up = drawn([energy, -energy], starts, seed)
    return down + up


def _energy(state: MPS | Density, terms: Terms, first: int, last: int, interaction: bool) -> BlockEnergy:
    """What a unitary on the sites first..last sees."""
    check_energy(state, terms)
    block = check_block(first, last, state.sites)
    return (seen(state, terms.to_mpo(), [block]) if interaction else seen_alone(state, terms, [block]))[0]


@dataclass(frozen=True)
class _OfBlocks(Quantity):
    """A quantity of the sites first..last.

    Args:
        first: First site.
        last: Last site; at most 1024 dimensions, and seconds a time from 64 on.
        interaction: Whether the energy between block and rest counts.
    """

    first: int
    last: int
    interaction: bool = True
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        check_block(self.first, self.last, battery.sites)
        return {}

    def _energy(self, snapshot: Snapshot) -> BlockEnergy:
        block = (self.first, self.last)
        if self.interaction:
            return seen(snapshot.state, snapshot.observables.energy, [block])[0]
        return seen_alone(snapshot.state, snapshot.battery.energy, [block])[0]


@dataclass(frozen=True)
class BlockErgotropy(_OfBlocks):
    """Energy that a unitary on the sites first..last can draw of H_B; see `block_ergotropy`.

    Args:
        first: First site.
        last: Last site.
        interaction: Whether the energy between block and rest counts.
    """

    def measure(self, snapshot: Snapshot) -> float:
        """W."""
        return drawn([self._energy(snapshot)], relaxed=RECORDED)[0].value


@dataclass(frozen=True)
class BlockCapacity(_OfBlocks):
    """Range of <H_B> that unitaries on the sites first..last can reach; see `block_capacity`.

    Args:
        first: First site.
        last: Last site.
        interaction: Whether the energy between block and rest counts.
    """

    def measure(self, snapshot: Snapshot) -> float:
        """C."""
        energy = self._energy(snapshot)
        return sum(x.value for x in drawn([energy, -energy], relaxed=RECORDED))
