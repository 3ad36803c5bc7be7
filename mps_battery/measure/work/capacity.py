"""Capacity: the distance between the highest and the lowest energy that unitaries can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.block_energy import RECORDED, drawn
from mps_battery.measure.work.ergotropy import all_qubits, cell_energies, cell_extremes, one_cell
from mps_battery.measure.work.seen import check_block
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms


def local_capacity(state: MPS | Density, terms: Terms, site: int, *, interaction: bool = True) -> float:
    """Largest minus smallest mean energy of `terms` that unitaries on one cell can reach.

    Args:
        state: The state.
        terms: The energy; Hermitian.
        site: The cell.
        interaction: Whether what ties the cell to other sites counts.

    Returns:
        C >= 0 in the unit of `terms`: 2 (s1 + s2) for a qubit, see `qubit_extremes`; for more levels the best of
        several descents either way, which `block_capacity` returns with its bound.
    """
    energy = one_cell(state, terms, site, interaction)
    return sum(x.value for x in drawn([energy, -energy]))


@dataclass(frozen=True)
class LocalCapacity(Quantity):
    """Range of energies that unitaries on one cell can reach, for every cell, with the full interacting H_B.

    Args:
        interaction: Whether what ties a cell to other sites counts; without, the terms on the cell alone.
    """

    interaction: bool = True
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell."""
        for n in battery.cells:
            check_block(n, n, battery.sites, "cells")
        return {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """C of every cell."""
        if self.interaction and all_qubits(snapshot.battery):
            return cell_extremes(snapshot)[1]
        energies = cell_energies(snapshot, self.interaction)
        both = drawn([*energies, *(-e for e in energies)], relaxed=RECORDED)
        return np.array([x.value for x in both]).reshape(2, -1).sum(axis=0)

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray | None:
        """2 T w with the width w of the terms that touch the cell: either extreme moves by at most T w."""
        if not (self.interaction and all_qubits(snapshot.battery)):
            return None
        return 2 * distance * snapshot.observables.cell_widths
