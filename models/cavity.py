"""Cells in a cavity: two-level systems, in Pauli matrices, charged by the photons of one mode that they share.

The cavity is site cells // 2, in the middle of its cells: where the cells are alike the state is symmetric under their
permutation, so that a cut of k cells from the rest has rank k + 1 at most, and (k + 1)(k + 2)(k + 3) / 6 where jumps
act; with the cavity at an end k would run up to `cells` and not only to half of it. Sums run over the cells n, in
order, the cavity left out; s+ and s- raise and lower a cell, a+ and a the photons. A jump L acts as
L rho L+ - {L+ L, rho} / 2. Without rates there are no jumps, and states are pure unless the light is thermal.

Light is "fock", "coherent", "squeezed" (vacuum) or "thermal", all with the same mean number of photons; thermal light
makes the state a density, whose cost grows as the fourth power of the cutoff, so that it wants few photons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mps_battery.battery import Battery
from mps_battery.checks import must, number
from mps_battery.models.build import check_rates, checked, draw, jump, light_counts, light_state
from mps_battery.sites import Boson, Label, Site, Spin
from mps_battery.terms import Terms

__all__ = ["anisotropic_dicke", "cavity_heisenberg", "dicke", "dicke_ising", "disordered_cavity", "extended_dicke",
           "jaynes_cummings", "rabi", "tavis_cummings", "two_photon_dicke"]

_ANDOLINA = "Andolina, Keck, Mari, Campisi, Giovannetti, Polini, Phys. Rev. Lett. 122, 047702 (2019)"
_ANDOLINA_FEW = "Andolina, Farina, Mari, Pellegrini, Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)"
_CRESCENTE = "Crescente, Carrega, Sassetti, Ferraro, Phys. Rev. B 102, 245407 (2020)"
_DOU = "Dou, Zhou, Sun, Phys. Rev. A 106, 032212 (2022)"
_FERRARO = "Ferraro, Campisi, Andolina, Pellegrini, Polini, Phys. Rev. Lett. 120, 117702 (2018)"
_WANG = "Wang, Liu, Wu, Fan, Liu, Phys. Rev. A 110, 042419 (2024)"
_WEN = "Wen, Wen, Peng, Li, Chin. Phys. B 34, 100302 (2025)"
_ZHANG = "Zhang, Wang, Wu, Wang, Phys. Rev. E 107, 054125 (2023)"

ROTATING = (("A", "Sp", 1.0), ("Ad", "Sm", 1.0))
"""a s+ + a+ s-: (operators of the cavity, operator of a cell, weight)."""
COUNTER = (("Ad", "Sp", 1.0), ("A", "Sm", 1.0))
"""a+ s+ + a s-."""


def dicke(cells: int = 10, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
          coupling: float = 0.5, cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0,
          dephasing: float = 0.0) -> Battery:
    """Dicke battery: cells charged by a resonant cavity, with counter-rotating terms; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling (a + a+) sum X_n with jumps sqrt(loss) a, and on every cell
        sqrt(decay) s-_n and sqrt(dephasing / 2) Z_n

    The lambda of the reference is coupling / splitting; its sum is 2 J_x. The coupling is not divided by the root of
    `cells`, and so the power grows as cells^(3/2). Only the parity of the excitations is conserved.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        cutoff: Most photons that the cavity holds; None for 2 cells + 8 above what the start holds. With at least one
            photon a cell this keeps the energy of a cell to 1e-6 of the splitting up to its first maximum (Fock states
            without jumps; checked for couplings from 0.05 to 2 and up to 20 cells). Fewer photons or longer times may
            need more: the budget of a run tells.
        loss: Rate at which photons leave.
        decay: Rate at which an excited cell falls.
        dephasing: Rate at which the coherence of a cell falls, exp(-dephasing t).

    Reference:
        Ferraro, Campisi, Andolina, Pellegrini, Polini, Phys. Rev. Lett. 120, 117702 (2018)
    """
    parameters = _counts(cells, photons, light, cutoff, 2)
    parameters |= checked(splitting=splitting, coupling=coupling, loss=loss, decay=decay, dephasing=dephasing)
    return _battery("dicke", _FERRARO, parameters, ROTATING + COUNTER)


def tavis_cummings(cells: int = 10, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                   coupling: float = 0.05, cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0,
                   dephasing: float = 0.0) -> Battery:
    """Tavis-Cummings battery: cells that exchange excitations with a resonant cavity; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling sum (a s+_n + a+ s-_n) with jumps sqrt(loss) a, and on every cell
        sqrt(decay) s-_n and sqrt(dephasing / 2) Z_n

    The rotating-wave form of `dicke`, good for coupling << splitting; photons and excited cells are conserved together.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        cutoff: Most photons that the cavity holds; None for what the start holds, which is exact: there are never more.
        loss: Rate at which photons leave.
        decay: Rate at which an excited cell falls.
        dephasing: Rate at which the coherence of a cell falls, exp(-dephasing t).

    Reference:
        Andolina, Keck, Mari, Campisi, Giovannetti, Polini, Phys. Rev. Lett. 122, 047702 (2019)
    """
    parameters = _counts(cells, photons, light, cutoff, 0)
    parameters |= checked(splitting=splitting, coupling=coupling, loss=loss, decay=decay, dephasing=dephasing)
    return _battery("tavis_cummings", _ANDOLINA, parameters, ROTATING)


def jaynes_cummings(photons: int = 1, light: str = "fock", splitting: float = 1.0, detuning: float = 0.0,
                    coupling: float = 0.5, cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0,
                    dephasing: float = 0.0) -> Battery:
    """Jaynes-Cummings battery: one cell that exchanges excitations with a cavity; starts in photons.

    Energy: H_B = splitting (1 + Z) / 2
    Charging: H_B + (splitting + detuning) a+ a + coupling (a s+ + a+ s-) with jumps sqrt(loss) a, sqrt(decay) s- and
        sqrt(dephasing / 2) Z

    Without jumps n photons store splitting (4 coupling^2 n / w^2) sin^2(w t / 2), w^2 = detuning^2 + 4 coupling^2 n.

    Args:
        photons: Photons at the start, or their mean.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of the excited cell.
        detuning: Energy of a photon above `splitting`.
        coupling: Between the field and the cell, an energy.
        cutoff: Most photons that the cavity holds; None for what the start holds, which is exact.
        loss: Rate at which photons leave.
        decay: Rate at which the excited cell falls.
        dephasing: Rate at which the coherence of the cell falls, exp(-dephasing t).

    Reference:
        Andolina, Farina, Mari, Pellegrini, Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)
    """
    parameters = light_counts(photons, light, cutoff)
    parameters |= checked(splitting=splitting, detuning=detuning, coupling=coupling, loss=loss, decay=decay,
                          dephasing=dephasing)
    return _battery("jaynes_cummings", _ANDOLINA_FEW, parameters, ROTATING, photon=splitting + detuning)


def rabi(photons: int = 1, light: str = "fock", splitting: float = 1.0, detuning: float = 0.0, coupling: float = 0.5,
         cutoff: int | None = None, loss: float = 0.0, decay: float = 0.0, dephasing: float = 0.0) -> Battery:
    """Rabi battery: one cell in a cavity, with counter-rotating terms; starts in photons.

    Energy: H_B = splitting (1 + Z) / 2
    Charging: H_B + (splitting + detuning) a+ a + coupling (a + a+) X with jumps sqrt(loss) a, sqrt(decay) s- and
        sqrt(dephasing / 2) Z

    Args:
        photons: Photons at the start, or their mean.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of the excited cell.
        detuning: Energy of a photon above `splitting`.
        coupling: Between the field and the cell, an energy.
        cutoff: Most photons that the cavity holds; None for 10 above what the start holds.
        loss: Rate at which photons leave.
        decay: Rate at which the excited cell falls.
        dephasing: Rate at which the coherence of the cell falls, exp(-dephasing t).

    Reference:
        Ferraro, Campisi, Andolina, Pellegrini, Polini, Phys. Rev. Lett. 120, 117702 (2018)
    """
    parameters = light_counts(photons, light, cutoff, room=10)
    parameters |= checked(splitting=splitting, detuning=detuning, coupling=coupling, loss=loss, decay=decay,
                          dephasing=dephasing)
    return _battery("rabi", _FERRARO, parameters, ROTATING + COUNTER, photon=splitting + detuning)


def anisotropic_dicke(cells: int = 8, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                      coupling: float = 0.2, counter: float = 0.5, cutoff: int | None = None) -> Battery:
    """Anisotropic Dicke battery: counter-rotating terms of any weight; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling sum (a s+_n + a+ s-_n + counter (a+ s+_n + a s-_n))

    A weight of 0 is `tavis_cummings`, of 1 `dicke`. Alone, the counter-rotating terms charge from the vacuum.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Of the rotating terms, an energy.
        counter: Weight of the counter-rotating terms.
        cutoff: Most photons that the cavity holds; None as for `dicke`.

    Reference:
        Wang, Liu, Wu, Fan, Liu, Phys. Rev. A 110, 042419 (2024)
    """
    parameters = _counts(cells, photons, light, cutoff, 2)
    parameters |= checked(splitting=splitting, coupling=coupling, counter=counter)
    weighted = tuple((field, cell, float(counter)) for field, cell, _ in COUNTER)
    return _battery("anisotropic_dicke", _WANG, parameters, ROTATING + weighted)


def two_photon_dicke(cells: int = 8, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                     coupling: float = 0.01, cutoff: int | None = None) -> Battery:
    """Two-photon Dicke battery: a cell takes two photons of half its energy at once; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + (splitting / 2) a+ a + coupling (a^2 + a+^2) sum X_n

    From two photons a cell the power grows as cells^2. Where |coupling| cells reaches splitting / 4 the spectrum has no
    lower end (spectral collapse).

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for two a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell, and of two photons.
        coupling: Between the square of the field and one cell, an energy, below splitting / (4 cells).
        cutoff: Most photons that the cavity holds; None for 4 cells + 8 above what the start holds.

    Reference:
        Crescente, Carrega, Sassetti, Ferraro, Phys. Rev. B 102, 245407 (2020)
    """
    parameters = _counts(cells, photons, light, cutoff, 4, each=2)
    parameters |= checked(splitting=splitting, coupling=coupling)
    must(4 * abs(coupling) * cells < abs(splitting), "coupling",
         f"be a number below splitting / (4 cells) = {abs(splitting) / (4 * cells):g} (spectral collapse)", coupling)
    exchange = tuple((2 * field, cell, 1.0) for field in (("A",), ("Ad",)) for cell in ("Sp", "Sm"))
    return _battery("two_photon_dicke", _CRESCENTE, parameters, exchange, photon=splitting / 2)


def cavity_heisenberg(cells: int = 6, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                      coupling: float = 0.2, exchange: float = 0.2, anisotropy: float = 0.5,
                      exponent: float = float("inf"), cutoff: int | None = None) -> Battery:
    """Heisenberg chain in a cavity, of any range; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling (a + a+) sum X_n + sum_{m < n} g_mn (X_m X_n + Y_m Y_n
        + anisotropy Z_m Z_n), g_mn = exchange / (n - m)^exponent

    The exchange acts while charging and is not stored. With anisotropy 1 it conserves the total spin, so that all is as
    in `dicke`, whatever its strength and range; anisotropy 0 and exponent 3 are dipoles.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        exchange: Between neighbouring cells in the plane, an energy.
        anisotropy: Coupling along z in units of `exchange`.
        exponent: Power of the decay with distance; 0 is all to all, inf nearest neighbours only.
        cutoff: Most photons that the cavity holds; None as for `dicke`.

    Reference:
        Dou, Zhou, Sun, Phys. Rev. A 106, 032212 (2022)
    """
    parameters = _counts(cells, photons, light, cutoff, 2)
    parameters |= checked(splitting=splitting, coupling=coupling, exchange=exchange, anisotropy=anisotropy)
    must(number(exponent) and exponent >= 0, "exponent", "be a number of at least 0 or inf", exponent)
    between = [(exchange / distance**exponent * share, (name, n), (name, n + distance))
               for distance in range(1, cells if np.isfinite(exponent) else min(2, cells))
               for n in range(cells - distance) for name, share in (("X", 1.0), ("Y", 1.0), ("Z", anisotropy))]
    return _battery("cavity_heisenberg", _DOU, parameters | {"exponent": float(exponent)}, ROTATING + COUNTER, between)


def dicke_ising(cells: int = 6, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                coupling: float = 0.2, ising: float = 0.2, counter: float = 1.0, cutoff: int | None = None) -> Battery:
    """Dicke-Ising battery: an Ising chain in a cavity, its couplings stored too; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2 + ising sum (Z_n Z_{n+1} - 1)
    Charging: H_B + splitting a+ a + coupling sum (a s+_n + a+ s-_n + counter (a+ s+_n + a s-_n))

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Of the rotating terms, an energy.
        ising: Between neighbouring cells, an energy; below zero like cells attract.
        counter: Weight of the counter-rotating terms.
        cutoff: Most photons that the cavity holds; None as for `dicke`.

    Reference:
        Wen, Wen, Peng, Li, Chin. Phys. B 34, 100302 (2025)
    """
    parameters = _counts(cells, photons, light, cutoff, 2)
    parameters |= checked(splitting=splitting, coupling=coupling, ising=ising, counter=counter)
    weighted = tuple((field, cell, float(counter)) for field, cell, _ in COUNTER)
    stored = [term for n in range(cells - 1) for term in ((ising, ("Z", n), ("Z", n + 1)), (-ising,))]
    return _battery("dicke_ising", _WEN, parameters, ROTATING + weighted, stored=stored)


def extended_dicke(cells: int = 8, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                   coupling: float = 0.2, dipole: float = 0.05, drive: float = 0.1, cutoff: int | None = None
                   ) -> Battery:
    """Dicke battery whose cells are dipoles, with a drive from outside; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling (a + a+) sum X_n + dipole sum_{m < n} (s+_m s-_n + s-_m s+_n)
        + drive sum X_n

    All cells are equally far from each other, which keeps the symmetry of `dicke`.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Between the field and one cell, an energy.
        dipole: Between any two cells, an energy; above zero they repel.
        drive: Constant field along x.
        cutoff: Most photons that the cavity holds; None as for `dicke`.

    Reference:
        Zhang, Wang, Wu, Wang, Phys. Rev. E 107, 054125 (2023)
    """
    parameters = _counts(cells, photons, light, cutoff, 2)
    parameters |= checked(splitting=splitting, coupling=coupling, dipole=dipole, drive=drive)
    also: list[tuple] = [(dipole, (up, m), (down, n)) for m in range(cells) for n in range(m + 1, cells)
                         for up, down in (("Sp", "Sm"), ("Sm", "Sp"))]
    also += [(drive, ("X", n)) for n in range(cells)]
    return _battery("extended_dicke", _ZHANG, parameters, ROTATING + COUNTER, also)


def disordered_cavity(cells: int = 8, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                      coupling: float = 0.5, disorder: float = 0.25, counter: float = 0.0, cutoff: int | None = None,
                      couplings: ArrayLike | None = None, seed: int = 0, realisation: int = 0) -> Battery:
    """Cells that sit at different strengths of the field; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + sum g_n (a s+_n + a+ s-_n + counter (a+ s+_n + a s-_n)), g_n uniform from
        coupling - disorder to coupling + disorder

    Without counter-rotating terms one photon stores splitting sin^2(G t), G^2 = sum g_n^2, of which cell n holds the
    share g_n^2 / G^2. The cells are not alike, and so bonds are not bounded as in `tavis_cummings`.

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for one a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Mean of g_n.
        disorder: Half-width of the distribution of g_n.
        counter: Weight of the counter-rotating terms.
        cutoff: Most photons that the cavity holds; None for what the start holds, and 2 cells + 8 more with
            counter-rotating terms.
        couplings: Explicit g_n, instead of the draw.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.

    Reference:
        Andolina, Keck, Mari, Campisi, Giovannetti, Polini, Phys. Rev. Lett. 122, 047702 (2019)
    """
    parameters = _counts(cells, photons, light, cutoff, 2 if counter else 0)
    parameters |= checked(splitting=splitting, coupling=coupling, disorder=disorder, counter=counter, seed=seed,
                          realisation=realisation)
    must(disorder >= 0, "disorder", "be a number of at least 0", disorder)
    drawn = draw("couplings", couplings, cells, coupling, disorder, seed, realisation)
    weighted = tuple((field, cell, float(counter)) for field, cell, _ in COUNTER) if counter else ()
    return _battery("disordered_cavity", _ANDOLINA, parameters | {"couplings": drawn.tolist()}, ROTATING + weighted)


def _counts(cells: int, photons: int | None, light: str, cutoff: int | None, room: int, each: int = 1
            ) -> dict[str, Any]:
    """Cells and light, checked; `room` cells + 8 photons more than the start holds, none where `room` is zero."""
    counts = checked(fewest=1, cells=cells)
    more = room * counts["cells"] + 8 if room else 0
    return counts | light_counts(each * counts["cells"] if photons is None else photons, light, cutoff, more)


def _battery(name: str, reference: str, given: dict[str, Any], exchange: Sequence[tuple], also: Sequence[tuple] = (),
             stored: Sequence[tuple] = (), photon: float | None = None) -> Battery:
    """Cells around a cavity.

    Args:
        name: Name of the model.
        reference: Its paper.
        given: Its parameters; those with a meaning here have it.
        exchange: Triples (operators of the cavity, operator of a cell, weight) that couple every cell to the cavity.
        also: Further terms while charging, with cells counted from 0 and the cavity left out.
        stored: The same for what is stored.
        photon: Energy of a photon; None for `splitting`.
    """
    check_rates(**{bath: given[bath] for bath in ("loss", "decay", "dephasing") if bath in given})
    count, cavity = given.get("cells", 1), given.get("cells", 1) // 2
    sites: list[Site] = [Spin()] * (count + 1)
    sites[cavity] = Boson(given["cutoff"])
    cells = [n for n in range(count + 1) if n != cavity]
    energy, charging = Terms(sites), Terms(sites)
    charging += given["splitting"] if photon is None else photon, ("N", cavity)
    strengths = given.get("couplings", [given["coupling"]] * count)
    for n, strength in zip(cells, strengths, strict=True):
        energy += given["splitting"] / 2, ("Z", n)
        energy += given["splitting"] / 2,
        for field, cell, weight in exchange:
            factors = [(o, cavity) for o in ((field,) if isinstance(field, str) else field)]
            charging += strength * weight, *factors, (cell, n)
    for target, terms in ((charging, also), (energy, stored)):
        for coefficient, *factors in terms:
            target += coefficient, *((o, cells[n]) for o, n in factors)
    leaks = [("loss", 1.0, "A", [cavity]), ("decay", 1.0, "Sm", cells), ("dephasing", 0.5, "Z", cells)]
    jumps = [jump(sites, np.sqrt(given[bath] * share), operator, n, bath)
             for bath, share, operator, places in leaks if given.get(bath, 0.0) > 0 for n in places]
    empty: list[Label] = ["down"] * (count + 1)
    empty[cavity] = light_state(given["photons"], given["light"], given["cutoff"])
    return Battery(sites=sites, cells=cells, energy=energy, charging=energy + charging, jumps=jumps, empty=empty,
                   name=name, parameters=given, reference=reference)
