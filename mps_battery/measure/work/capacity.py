"""Capacity: the distance between the highest and the lowest energy that unitaries can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import must
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.ergotropy import (
    cell_extremes,
    check_energy,
    need_qubit,
    one_moment,
    pauli_correlations,
    qubit_extremes,
)
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms


def local_capacity(state: MPS | Density, terms: Terms, site: int) -> float:
    """Largest minus smallest mean energy of `terms` that unitaries on one qubit can reach.

    Args:
        state: The state.
        terms: The energy; Hermitian.
        site: The cell, a two-level site.

    Returns:
        C = 2 (s1 + s2) >= 0 in the unit of `terms`; see `qubit_extremes`.
    """
    must(isinstance(site, int | np.integer) and 0 <= site < len(state), "site", f"be from 0 to {len(state) - 1}", site)
    need_qubit(state.sites[site].d, site)
    check_energy(state, terms)
    return float(qubit_extremes(pauli_correlations(one_moment(state, terms, int(site)))[None])[1][0])


@dataclass(frozen=True)
class LocalCapacity(Quantity):
    """Range of energies that unitaries on one cell can reach, for every cell, with the full interacting H_B."""

    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell."""
        for n in battery.cells:
            need_qubit(battery.sites[n].d, n)
        return {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """C of every cell."""
        return cell_extremes(snapshot)[1]

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray:
        """2 T w with the width w of the terms that touch the cell: either extreme moves by at most T w."""
        return 2 * distance * snapshot.observables.cell_widths
