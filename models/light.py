"""Light of more than one mode, cells of more than two levels, mirrors that move, qubits that fly past.

Two-level cells in Pauli matrices; s+ and s- raise and lower a cell, a+, b+ and a, b the quanta of a mode. Light is
"fock", "coherent", "squeezed" or "thermal" as in `cavity`.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mps_battery.battery import Battery, Envelope, Schedule
from mps_battery.checks import must
from mps_battery.models.build import checked, excitations, light_counts, light_state
from mps_battery.sites import Boson, Label, Levels, Site, Spin
from mps_battery.terms import Terms

__all__ = ["cavity_array", "flying_qubits", "optomechanical", "three_level_dicke", "two_mode"]

_ARJMANDI = ("one by one: Arjmandi, Shokri, Faizi, Mohammadi, Phys. Rev. A 106, 062609 (2022); pairwise: "
             "Wang, Liu, Wu, Fan, Liu, Phys. Rev. A 108, 062402 (2023)")
_HARTMANN = "Hartmann, Brandao, Plenio, Laser Photonics Rev. 2, 527 (2008)"
_RINALDI = "Rinaldi, Filip, Gerace, Guarnieri, Phys. Rev. A 112, 012205 (2025), arXiv:2412.15339"
_WANG = "Wang, Liu, Wu, Fan, Liu, Phys. Rev. A 110, 062204 (2024)"
_YANG = "Yang, Yang, Dou, Phys. Rev. B 109, 235432 (2024), whose levels form a Lambda"


def two_mode(cells: int = 6, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
             coupling: float = 0.2, second: float = 0.2, pairwise: bool = False, cutoff: int | None = None) -> Battery:
    """Cells charged by two modes, one by one or by a photon of each at once; starts in both modes and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting (a+ a + b+ b) + sum ((coupling a + second b) s+_n + h.c.); pairwise
        H_B + (splitting / 2) (a+ a + b+ b) + coupling sum (a b s+_n + a+ b+ s-_n)

    One by one, only the mode (coupling a + second b) / G, G^2 = coupling^2 + second^2, meets the cells, with strength
    G. Pairwise, one cell and n photons a mode store splitting sin^2(coupling n t). The modes stand amid the cells.

    Args:
        cells: Number of cells, from 1.
        photons: Photons of each mode at the start, or their mean; None for half a cell, rounded up, or pairwise one.
        light: "fock", "coherent", "squeezed" or "thermal", both modes alike.
        splitting: Energy of an excited cell.
        coupling: Between the first mode, or both, and one cell, an energy.
        second: Between the second mode and one cell, where photons are taken one by one.
        pairwise: Whether a cell takes a photon of each mode at once.
        cutoff: Most photons that a mode holds; None for what the starts hold: of both modes together, pairwise of one.

    Reference:
        one by one: Arjmandi, Shokri, Faizi, Mohammadi, Phys. Rev. A 106, 062609 (2022); pairwise: Wang, Liu, Wu, Fan,
        Liu, Phys. Rev. A 108, 062402 (2023)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, second=second,
                         pairwise=pairwise)
    enough = (cells if pairwise else (cells + 1) // 2) if photons is None else photons
    counts = light_counts(enough, light, cutoff)
    if cutoff is None and not pairwise:
        counts["cutoff"] *= 2                     # photons may wander from one mode to the other by way of the cells
    first = cells // 2
    modes = (first, first + 1)
    sites: list[Site] = [Spin()] * (cells + 2)
    for mode in modes:
        sites[mode] = Boson(counts["cutoff"])
    store = [n for n in range(cells + 2) if n not in modes]
    energy, charging = excitations(sites, store, splitting), Terms(sites)
    for mode in modes:
        charging += splitting / (2 if pairwise else 1), ("N", mode)
    exchange = [(coupling, modes)] if pairwise else [(coupling, modes[:1]), (second, modes[1:])]
    for n in store:
        for strength, taken in exchange:
            charging += strength, *(("A", m) for m in taken), ("Sp", n)
            charging += strength, *(("Ad", m) for m in taken), ("Sm", n)
    empty: list[Label] = ["down"] * (cells + 2)
    for mode in modes:
        empty[mode] = light_state(counts["photons"], light, counts["cutoff"])
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty, name="two_mode",
                   parameters=parameters | counts, reference=_ARJMANDI)


def cavity_array(cells: int = 5, photons: int = 2, light: str = "fock", splitting: float = 1.0, coupling: float = 0.5,
                 hopping: float = 0.5, cutoff: int | None = None) -> Battery:
    """Row of cavities with a cell in each, light hopping between them; starts with light in the first.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting sum a+_n a_n + coupling sum (a_n s+_n + a+_n s-_n)
        + hopping sum (a+_n a_{n+1} + a+_{n+1} a_n)

    Excitations are conserved. Without hopping only the first cell is charged, as by `jaynes_cummings`; one photon is a
    particle that hops on a ladder of 2 cells places.

    Args:
        cells: Number of cavities, from 1, each with a cell beside it: cell, cavity, cell, cavity, ...
        photons: Photons in the first cavity at the start, or their mean.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited cell and of a photon.
        coupling: Between a cavity and its cell, an energy.
        hopping: Between neighbouring cavities, an energy.
        cutoff: Most photons that a cavity holds; None for what the start holds, which is exact.

    Reference:
        Hartmann, Brandao, Plenio, Laser Photonics Rev. 2, 527 (2008)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, hopping=hopping)
    counts = light_counts(photons, light, cutoff)
    sites = [Spin(), Boson(counts["cutoff"])] * cells
    store = range(0, 2 * cells, 2)
    energy, charging = excitations(sites, store, splitting), Terms(sites)
    for n in store:
        charging += splitting, ("N", n + 1)
        charging += coupling, ("Sp", n), ("A", n + 1)
        charging += coupling, ("Sm", n), ("Ad", n + 1)
    for n in range(1, 2 * cells - 2, 2):
        charging += hopping, ("Ad", n), ("A", n + 2)
        charging += hopping, ("A", n), ("Ad", n + 2)
    empty: list[Label] = ["down", "vacuum"] * cells
    empty[1] = light_state(counts["photons"], light, counts["cutoff"])
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="cavity_array", parameters=parameters | counts, reference=_HARTMANN)


def three_level_dicke(cells: int = 4, photons: int | None = None, light: str = "fock", splitting: float = 1.0,
                      anharmonicity: float = 0.0, coupling: float = 0.2, upper: float = 1.0, counter: float = 1.0,
                      cutoff: int | None = None) -> Battery:
    """Three-level cells charged by a cavity up the ladder g, e, f; starts in photons and no cell.

    Energy: H_B = sum (splitting |e><e| + (2 splitting + anharmonicity) |f><f|)_n
    Charging: H_B + splitting a+ a + coupling sum (a R_n + a+ R+_n + counter (a+ R_n + a R+_n)),
        R = |e><g| + upper |f><e|

    With upper = 1 and no anharmonicity a cell is two cells of `dicke` (counter = 1) or `tavis_cummings` (counter = 0)
    with coupling / sqrt(2).

    Args:
        cells: Number of cells, from 1.
        photons: Photons at the start, or their mean; None for two a cell.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of level e and of a photon.
        anharmonicity: Energy of the second step beyond the first.
        coupling: Between the field and the first step, an energy.
        upper: Strength of the second step in units of the first.
        counter: Weight of the counter-rotating terms.
        cutoff: Most photons that the cavity holds; None for 4 cells + 8 above what the start holds, nothing more
            without counter-rotating terms.

    Reference:
        Yang, Yang, Dou, Phys. Rev. B 109, 235432 (2024), whose levels form a Lambda
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, anharmonicity=anharmonicity, coupling=coupling,
                         upper=upper, counter=counter)
    counts = light_counts(2 * cells if photons is None else photons, light, cutoff, 4 * cells + 8 if counter else 0)
    cavity = cells // 2
    sites: list[Site] = [Levels("gef")] * (cells + 1)
    sites[cavity] = Boson(counts["cutoff"])
    store = [n for n in range(cells + 1) if n != cavity]
    energy, charging = Terms(sites), Terms(sites)
    charging += splitting, ("N", cavity)
    for n in store:
        energy += splitting, ("ee", n)
        energy += 2 * splitting + anharmonicity, ("ff", n)
        for up, down, step in (("eg", "ge", 1.0), ("fe", "ef", upper)):
            for raised, lowered, weight in (("A", "Ad", 1.0), ("Ad", "A", counter)):
                charging += coupling * step * weight, (raised, cavity), (up, n)
                charging += coupling * step * weight, (lowered, cavity), (down, n)
    empty: list[Label] = ["g"] * (cells + 1)
    empty[cavity] = light_state(counts["photons"], light, counts["cutoff"])
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="three_level_dicke", parameters=parameters | counts, reference=_YANG)


def optomechanical(cells: int = 1, phonons: int = 2, photons: int = 1, splitting: float = 1.0, frequency: float = 1.0,
                   coupling: float = 0.3, pressure: float = 0.3, cutoff: int | None = None,
                   mirror_cutoff: int | None = None) -> Battery:
    """Cells in a cavity whose mirror moves; starts in phonons, photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + frequency b+ b - pressure a+ a (b + b+) + coupling (a + a+) sum X_n

    Photons push the mirror: n of them, uncoupled from the cells, move b by (pressure n / frequency)
    (1 - exp(-i frequency t)). The counter-rotating terms make photons also in a dark cavity.

    Args:
        cells: Number of cells, from 1.
        phonons: Phonons of the mirror at the start, a Fock state.
        photons: Photons in the cavity at the start, a Fock state.
        splitting: Energy of an excited cell and of a photon.
        frequency: Energy of a phonon.
        coupling: Between the field and one cell, an energy.
        pressure: Of one photon on the mirror, an energy.
        cutoff: Most photons that the cavity holds; None for 2 cells + 8 above the start.
        mirror_cutoff: Most phonons that the mirror holds; None for 16 above the start.

    Reference:
        Wang, Liu, Wu, Fan, Liu, Phys. Rev. A 110, 062204 (2024)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, frequency=frequency, coupling=coupling,
                         pressure=pressure)
    field = light_counts(photons, "fock", cutoff, 2 * cells + 8)
    parameters |= {"photons": field["photons"], "cutoff": field["cutoff"]}
    parameters |= checked(phonons=phonons)
    parameters |= checked(mirror_cutoff=parameters["phonons"] + 16 if mirror_cutoff is None else mirror_cutoff)
    must(parameters["mirror_cutoff"] >= phonons, "mirror_cutoff", f"be at least {phonons}, the phonons at the start",
         mirror_cutoff)
    cavity = cells // 2
    sites: list[Site] = [Spin()] * cells
    sites[cavity:cavity] = [Boson(parameters["cutoff"]), Boson(parameters["mirror_cutoff"])]
    store = [n for n in range(cells + 2) if n not in (cavity, cavity + 1)]
    energy, charging = excitations(sites, store, splitting), Terms(sites)
    charging += splitting, ("N", cavity)
    charging += frequency, ("N", cavity + 1)
    for a in ("A", "Ad"):
        charging += -pressure, ("N", cavity), (a, cavity + 1)
        for n in store:
            charging += coupling, (a, cavity), ("X", n)
    empty: list[Label] = ["down"] * (cells + 2)
    empty[cavity], empty[cavity + 1] = parameters["photons"], parameters["phonons"]
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="optomechanical", parameters=parameters, reference=_WANG)


def flying_qubits(cells: int = 4, photons: int = 4, light: str = "fock", splitting: float = 1.0, coupling: float = 2.0,
                  transit: float = 0.75, interval: float = 0.75, counter: float = 0.0, cutoff: int | None = None
                  ) -> Battery:
    """Qubits that fly through a cavity one after another; starts in photons and no cell.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + splitting a+ a + coupling sum f_n(t) (a s+_n + a+ s-_n + counter (a+ s+_n + a s-_n)),
        f_n(t) = sin^2(pi (t - t_n) / transit) from t_n = n interval to t_n + transit, else 0

    Without counter-rotating terms a qubit that meets n photons alone leaves excited with probability
    sin^2(coupling transit sqrt(n) / 2).

    Args:
        cells: Number of qubits, from 1.
        photons: Photons at the start, or their mean.
        light: "fock", "coherent", "squeezed" or "thermal".
        splitting: Energy of an excited qubit and of a photon.
        coupling: Between the field and a qubit in the middle of its flight, an energy.
        transit: Duration of a flight.
        interval: Time between one arrival and the next; below `transit` several fly at once.
        counter: Weight of the counter-rotating terms.
        cutoff: Most photons that the cavity holds; None for what the start holds, and 2 cells + 8 more with
            counter-rotating terms.

    Reference:
        Rinaldi, Filip, Gerace, Guarnieri, Phys. Rev. A 112, 012205 (2025), arXiv:2412.15339
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, transit=transit,
                         interval=interval, counter=counter)
    must(transit > 0, "transit", "be a positive number", transit)
    must(interval >= 0, "interval", "be a number of at least 0", interval)
    counts = light_counts(photons, light, cutoff, 2 * cells + 8 if counter else 0)
    cavity = cells // 2
    sites: list[Site] = [Spin()] * (cells + 1)
    sites[cavity] = Boson(counts["cutoff"])
    store = [n for n in range(cells + 1) if n != cavity]
    energy = excitations(sites, store, splitting)
    free = energy.copy()
    free += splitting, ("N", cavity)
    parts: list[tuple[Terms, Envelope | None]] = [(free, None)]
    for k, n in enumerate(store):
        meeting = Terms(sites)
        for up, down, weight in (("A", "Ad", 1.0), ("Ad", "A", counter)):
            meeting += coupling * weight, (up, cavity), ("Sp", n)
            meeting += coupling * weight, (down, cavity), ("Sm", n)
        parts.append((meeting, partial(_passage, arrival=k * float(interval), transit=float(transit))))
    empty: list[Label] = ["down"] * (cells + 1)
    empty[cavity] = light_state(counts["photons"], light, counts["cutoff"])
    return Battery(sites=sites, cells=store, energy=energy, charging=Schedule(parts), empty=empty,
                   name="flying_qubits", parameters=parameters | counts, reference=_RINALDI)


def _passage(time: float, arrival: float, transit: float) -> float:
    """sin^2 from arrival to arrival + transit."""
    return float(np.sin(np.pi * np.clip((time - arrival) / transit, 0.0, 1.0)) ** 2)
