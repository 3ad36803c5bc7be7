"""Cells in a cavity: two-level systems, in Pauli matrices, charged by the photons of one mode that they share.

The cavity is site cells // 2, in the middle of its cells: the state is symmetric under their permutation, so that a cut
of k cells from the rest has rank k + 1 at most, and (k + 1)(k + 2)(k + 3) / 6 where jumps act; with the cavity at an
end k would run up to `cells` and not only to half of it. Sums run over the cells n; s+ and s- raise and lower a cell,
a+ and a the photons. A jump L acts as L rho L+ - {L+ L, rho} / 2. Without rates there are no jumps and states are pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import must
from mps_battery.models.build import check_rates, checked, jump
from mps_battery.sites import Boson, Site, Spin
from mps_battery.terms import Terms

__all__ = ["dicke", "tavis_cummings"]

_ANDOLINA = "Andolina, Keck, Mari, Campisi, Giovannetti, Polini, Phys. Rev. Lett. 122, 047702 (2019)"
_FERRARO = "Ferraro, Campisi, Andolina, Pellegrini, Polini, Phys. Rev. Lett. 120, 117702 (2018)"


def dicke(cells: int = 10, photons: int | None = None, splitting: float = 1.0, coupling: float = 0.5,
          cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0, dephasing: float = 0.0) -> Battery:
    """Dicke battery: cells charged by a resonant cavity, with counter-rotating terms; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling (a + a+) sum X_n with jumps sqrt(loss) a, and on every cell
        sqrt(decay) s-_n and sqrt(dephasing / 2) Z_n

    The lambda of the reference is coupling / splitting; its sum is 2 J_x. The coupling is not divided by the root of
    `cells`, and so the power grows as cells^(3/2). Only the parity of the excitations is conserved.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, a Fock state; None for one a cell.
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        cutoff: Most photons that the cavity holds; None for photons + 2 cells + 8. With at least one photon a cell this
            keeps the energy of a cell to 1e-6 of the splitting up to its first maximum (without jumps; checked for
            couplings from 0.05 to 2 and up to 20 cells). Fewer photons or longer times may need more: raise it and see.
        loss: Rate at which photons leave.
        decay: Rate at which an excited cell falls.
        dephasing: Rate at which the coherence of a cell falls, exp(-dephasing t).

    Reference:
        Ferraro, Campisi, Andolina, Pellegrini, Polini, Phys. Rev. Lett. 120, 117702 (2018)
    """
    parameters = _counts(cells, photons, cutoff, conserved=False)
    parameters |= checked(splitting=splitting, coupling=coupling, loss=loss, decay=decay, dephasing=dephasing)
    check_rates(loss=loss, decay=decay, dephasing=dephasing)
    return _battery("dicke", _FERRARO, parameters, [("A", "X"), ("Ad", "X")])


def tavis_cummings(cells: int = 10, photons: int | None = None, splitting: float = 1.0, coupling: float = 0.05,
                   cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0, dephasing: float = 0.0) -> Battery:
    """Tavis-Cummings battery: cells that exchange excitations with a resonant cavity; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling sum (a s+_n + a+ s-_n) with jumps sqrt(loss) a, and on every cell
        sqrt(decay) s-_n and sqrt(dephasing / 2) Z_n

    The rotating-wave form of `dicke`, good for coupling << splitting; photons and excited cells are conserved together.
    One cell and one photon, without jumps, store splitting sin^2(coupling t).

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, a Fock state; None for one a cell.
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        cutoff: Most photons that the cavity holds; None for `photons`, which is exact: there are never more.
        loss: Rate at which photons leave.
        decay: Rate at which an excited cell falls.
        dephasing: Rate at which the coherence of a cell falls, exp(-dephasing t).

    Reference:
        Andolina, Keck, Mari, Campisi, Giovannetti, Polini, Phys. Rev. Lett. 122, 047702 (2019)
    """
    parameters = _counts(cells, photons, cutoff, conserved=True)
    parameters |= checked(splitting=splitting, coupling=coupling, loss=loss, decay=decay, dephasing=dephasing)
    check_rates(loss=loss, decay=decay, dephasing=dephasing)
    return _battery("tavis_cummings", _ANDOLINA, parameters, [("A", "Sp"), ("Ad", "Sm")])


def _counts(cells: int, photons: int | None, cutoff: int | None, conserved: bool) -> dict[str, Any]:
    """Cells, photons and cutoff, checked, with what was left open filled in."""
    counts = checked(fewest=1, cells=cells)
    counts |= checked(photons=cells if photons is None else photons)
    enough = max(1, counts["photons"]) if conserved else counts["photons"] + 2 * counts["cells"] + 8
    counts |= checked(cutoff=enough if cutoff is None else cutoff)
    must(counts["cutoff"] >= counts["photons"], "cutoff", f"be at least {counts['photons']}, the photons at the start",
         cutoff)
    return counts


def _battery(name: str, reference: str, given: dict[str, Any], exchange: list[tuple[str, str]]) -> Battery:
    """Cells around a cavity that couple to it by pairs (operator of the cavity, operator of a cell)."""
    count, cavity = given["cells"], given["cells"] // 2
    sites: list[Site] = [Spin()] * (count + 1)
    sites[cavity] = Boson(given["cutoff"])
    cells = [n for n in range(count + 1) if n != cavity]
    energy, charging = Terms(sites), Terms(sites)
    charging += given["splitting"], ("N", cavity)
    for n in cells:
        energy += given["splitting"] / 2, ("Z", n)
        energy += given["splitting"] / 2,
        for field, cell in exchange:
            charging += given["coupling"], (field, cavity), (cell, n)
    leaks = [("loss", 1.0, "A", [cavity]), ("decay", 1.0, "Sm", cells), ("dephasing", 0.5, "Z", cells)]
    jumps = [jump(sites, np.sqrt(given[bath] * share), operator, n, bath)
             for bath, share, operator, places in leaks if given[bath] > 0 for n in places]
    empty: list[str | int] = ["down"] * (count + 1)
    empty[cavity] = given["photons"]
    return Battery(sites=sites, cells=cells, energy=energy, charging=energy + charging, jumps=jumps, empty=empty,
                   name=name, parameters=given, reference=reference)
