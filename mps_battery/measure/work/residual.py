"""Residual capacity: what unitaries on all cells together can span beyond the cells one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.block_energy import drawn
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.measure.work.parallel import check_cells
from mps_battery.measure.work.seen import seen, seen_alone
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

LARGEST = 2**10
"""Largest dimension of all cells together, which are diagonalised."""


def residual_capacity(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                      interaction: bool = True) -> float:
    """Capacity of all cells together less the sum of the capacities of every cell.

    The total is C = sum_k e_k (r_k - r_(d+1-k)) with levels e of the energy and eigenvalues r of the reduced density
    matrix of the cells, both rising [Yang et al. 2023, PRL 131, 030402]; the local ones are `local_capacity`. For cells
    without interaction this is the residual battery capacity [Wang et al. 2025, arXiv:2502.02860], at least zero for
    two qubits in an X state. With it, the energy between two cells is counted whole for each of them, and the
    difference can be negative.

    Args:
        state: The state.
        terms: The energy; Hermitian, on the cells alone.
        cells: The cells; None for all sites. At most 1024 dimensions together.
        interaction: Whether the local capacities count what ties a cell to others.

    Returns:
        The difference, in the unit of `terms`.
    """
    check_energy(state, terms)
    chosen = check_cells(cells, len(state))
    _check(chosen, terms)
    levels = np.linalg.eigvalsh(terms.within(chosen).to_dense())
    populations = np.linalg.eigvalsh(state.reduced(chosen))
    blocks = [(n, n) for n in chosen]
    energies = seen(state, terms.to_mpo(), blocks) if interaction else seen_alone(state, terms, blocks)
    local = sum(x.value for x in drawn([*energies, *(-e for e in energies)]))
    return float(levels @ (populations - populations[::-1])) - local


def _check(cells: Sequence[int], terms: Terms) -> None:
    """Raise unless the cells are few and all of the energy is theirs."""
    dimension = float(np.prod([float(terms.sites[n].d) for n in cells]))
    if dimension > LARGEST:
        raise InputError(f"Argument `cells` must span at most {LARGEST} dimensions for a residual capacity, but spans "
                         f"{dimension:.3g}.")
    outside = sorted({n for product, _ in terms.products for n, _ in product} - {*cells})
    if outside:
        raise InputError(f"Argument `terms` must act on the cells alone for a residual capacity, but acts on site "
                         f"{outside[0]}.")


@dataclass(frozen=True)
class ResidualCapacity(Quantity):
    """Capacity of all cells together less the sum over every cell; see `residual_capacity`.

    Args:
        interaction: Whether the local capacities count what ties a cell to others.
    """

    interaction: bool = True
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        _check(battery.cells, battery.energy)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The difference."""
        battery = snapshot.battery
        return residual_capacity(snapshot.state, battery.energy, battery.cells, interaction=self.interaction)
