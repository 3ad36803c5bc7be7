"""Ergotropy: the largest energy that unitaries can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must
from mps_battery.measure.mixed import density_moments
from mps_battery.measure.neighbours import PAULI4
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot, site_moments
from mps_battery.measure.work.block_energy import RECORDED, BlockEnergy, drawn
from mps_battery.measure.work.seen import check_block, seen, seen_alone
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms, check_terms

Array = np.ndarray

PAULI = PAULI4[1:]
"""X, Y, Z."""


def pauli_correlations(moments: Array) -> Array:
    """K_ab = <sigma_b B_a> of one qubit, with H = rest + sum_a sigma_a B_a, from its `site_moments`; (3, 3) real.

    B_a = tr_n(sigma_a H) / 2 holds the local field and all that couples to the cell [REFERENCES: Salvia, De Palma,
    Giovannetti 2023, PRA 107, 012405].
    """
    return (np.einsum("arq,bsp,qrps->ab", PAULI, PAULI, moments) / 2).real


def qubit_extremes(correlations: Array) -> tuple[Array, Array]:
    """Closed form of (ergotropy, capacity) of one qubit in an interacting system.

    A unitary on the cell turns K into R^T K with R a rotation, so the energy is c + tr(R^T K). With singular values
    s1 >= s2 >= s3 of K and delta = sign det K: min tr = -(s1 + s2 - delta s3) and max tr = s1 + s2 + delta s3, hence
    W = tr K + s1 + s2 - delta s3 and C = max - min = 2 (s1 + s2).

    Args:
        correlations: K, (..., 3, 3).
    """
    s = np.linalg.svd(correlations, compute_uv=False)
    delta = np.sign(np.linalg.det(correlations))
    trace = np.trace(correlations, axis1=-2, axis2=-1)
    work = trace + s[..., 0] + s[..., 1] - delta * s[..., 2]
    return np.maximum(work, 0.0), 2 * (s[..., 0] + s[..., 1])


def local_ergotropy(state: MPS | Density, terms: Terms, site: int, *, interaction: bool = True) -> float:
    """Largest mean energy of `terms` that a unitary on one cell can draw, the full interacting energy counted.

    A qubit has its closed form, see `qubit_extremes`; for more levels the best of several descents is taken, which
    `block_ergotropy` returns with its bound and unitary.

    Args:
        state: The state.
        terms: The energy; Hermitian.
        site: The cell.
        interaction: Whether what ties the cell to other sites counts; without, W is the ergotropy of the reduced
            density matrix under the terms on the cell alone.

    Returns:
        max_U tr(H (rho - U rho U+)) over unitaries U on the site, in the unit of `terms`; at least 0.
    """
    return drawn([one_cell(state, terms, site, interaction)])[0].value


def one_cell(state: MPS | Density, terms: Terms, site: int, interaction: bool = True) -> BlockEnergy:
    """What a unitary on one cell sees of an energy."""
    must(isinstance(site, int | np.integer) and 0 <= site < len(state), "site", f"be from 0 to {len(state) - 1}", site)
    check_energy(state, terms)
    block = check_block(site, site, state.sites, "site")
    return (seen(state, terms.to_mpo(), [block]) if interaction else seen_alone(state, terms, [block]))[0]


def one_moment(state: MPS | Density, terms: Terms, site: int) -> Array:
    """What one site sees of an energy; see `site_moments`."""
    if isinstance(state, Density):
        return density_moments(state, terms.to_mpo(), (site,))[site]
    return site_moments(state, terms.to_mpo(), (site,))[site]


def check_energy(state: MPS | Density, terms: Terms) -> None:
    """Raise unless `terms` are Hermitian Terms on the sites of the state."""
    if check_terms("terms", terms, hermitian=True).sites != state.sites:
        raise InputError(f"Argument `terms` must live on the {len(state)} sites of the state, but its chain has "
                         f"{len(terms.sites)} sites or other site types.")


def need_qubit(d: int, site: int) -> None:
    """Raise unless a cell is a two-level site."""
    if d != 2:
        raise InputError(f"Argument `cells` must be two-level sites for the closed form of local work, but site {site} "
                         f"has {d} levels.")


def cell_extremes(snapshot: Snapshot) -> tuple[Array, Array]:
    """(local ergotropy, local capacity) of every cell, all of them qubits, in one pass."""
    known = snapshot.local if isinstance(snapshot.state, MPS) else None
    if known is not None:
        return qubit_extremes(known[list(snapshot.battery.cells)])
    k = np.array([pauli_correlations(snapshot.moments[n]) for n in snapshot.battery.cells])
    return qubit_extremes(k)


def all_qubits(battery: Battery) -> bool:
    """Whether every cell has two levels."""
    return all(battery.sites[n].d == 2 for n in battery.cells)


def cell_energies(snapshot: Snapshot, interaction: bool) -> list[BlockEnergy]:
    """What a unitary on each cell sees of H_B, with what ties the cell to other sites or without."""
    blocks = [(n, n) for n in snapshot.battery.cells]
    if interaction:
        return seen(snapshot.state, snapshot.observables.energy, blocks)
    return seen_alone(snapshot.state, snapshot.battery.energy, blocks)


@dataclass(frozen=True)
class LocalErgotropy(Quantity):
    """Energy that a unitary on one cell can draw, for every cell, with the full interacting H_B.

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

    def measure(self, snapshot: Snapshot) -> Array:
        """W of every cell."""
        if self.interaction and all_qubits(snapshot.battery):
            return cell_extremes(snapshot)[0]
        return np.array([x.value for x in drawn(cell_energies(snapshot, self.interaction), relaxed=RECORDED)])

    def bar(self, snapshot: Snapshot, distance: float) -> Array | None:
        """2 T w with the width w of H_n, the sum of the terms that touch the cell.

        W is the largest tr(rho (H_n - U+ H_n U)) over unitaries U on the cell, and each of these means moves by at most
        T times the width of its operator, which is at most 2 w.
        """
        if not (self.interaction and all_qubits(snapshot.battery)):
            return None
        return 2 * distance * snapshot.observables.cell_widths
