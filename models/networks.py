"""Beyond the spin-1/2 chain: central spins, ladders, spins of any size, Rydberg atoms, edge states, oscillators.

Pauli matrices unless a docstring names spin operators; s+ and s- raise and lower a spin, a+ and a quanta.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from mps_battery.battery import Battery
from mps_battery.checks import must
from mps_battery.models.build import checked, each, excitations, pairs
from mps_battery.sites import Boson, Site, Spin
from mps_battery.terms import Terms

__all__ = ["central_spins", "oscillators", "rydberg_array", "spin_j_chain", "spin_ladder", "ssh_charger"]

_ANDOLINA = "Andolina, Farina, Mari, Pellegrini, Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)"
_BROWAEYS = "Browaeys, Lahaye, Nat. Phys. 16, 132 (2020), arXiv:2002.07413"
_GHOSH_J = "Ghosh, Sen(De), Phys. Rev. A 105, 022628 (2022)"
_LADDERS = "ladders: Dagotto, Rice, Science 271, 618 (1996); charging by a neighbour: " + _ANDOLINA
_PENG = "Peng, He, Chesi, Lin, Guan, Phys. Rev. A 103, 052220 (2021)"
_SU = "Su, Schrieffer, Heeger, Phys. Rev. Lett. 42, 1698 (1979); charging by a neighbour: " + _ANDOLINA


def central_spins(cells: int = 2, chargers: int = 8, splitting: float = 1.0, coupling: float = 0.2,
                  ising: float = 0.0) -> Battery:
    """Central spins charged by a shell of spins, each coupled to every one of it; starts with the shell up.

    Energy: H_B = splitting sum_cells (1 + Z_n) / 2
    Charging: H_B + splitting sum_chargers (1 + Z_m) / 2
        + coupling sum_(n, m) (s+_n s-_m + s-_n s+_m + ising Z_n Z_m / 2)

    One cell is the spin star. The collective spins of cells and of chargers are conserved, so that bonds stay below the
    product of their dimensions; one cell and one charger store splitting sin^2(coupling t).

    Args:
        cells: Number of central spins, from 1.
        chargers: Number of spins in the shell, from 1.
        splitting: Energy of an excited spin.
        coupling: Exchange between a cell and a charger.
        ising: Coupling along z in units of half of `coupling`; 1 is the isotropic exchange.

    Reference:
        Peng, He, Chesi, Lin, Guan, Phys. Rev. A 103, 052220 (2021)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, ising=ising)
    must(isinstance(chargers, int | np.integer) and chargers >= 1, "chargers", "be an integer of at least 1", chargers)
    parameters["chargers"] = int(chargers)
    count = cells + chargers
    sites = (Spin(),) * count
    store = range(chargers // 2, chargers // 2 + cells)
    shell = [m for m in range(count) if m not in store]
    energy, charging = excitations(sites, store, splitting), excitations(sites, shell, splitting)
    for n in store:
        for m in shell:
            for left, right, share in (("Sp", "Sm", 1.0), ("Sm", "Sp", 1.0), ("Z", "Z", ising / 2)):
                charging += coupling * share, (left, n), (right, m)
    empty = ["down" if n in store else "up" for n in range(count)]
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="central_spins", parameters=parameters, reference=_PENG)


def spin_ladder(cells: int = 6, splitting: float = 1.0, rung: float = 0.5, leg: float = 0.3,
                anisotropy: float = 0.0) -> Battery:
    """Ladder of which one leg stores and the other charges, rung by rung; starts with the charging leg up.

    Energy: H_B = splitting sum_n (1 + Z_n) / 2 + leg sum (s+_n s-_{n+1} + h.c. + anisotropy Z_n Z_{n+1} / 2)
    Charging: H_B + the same of the charging leg + rung sum_n (s+_n s-_n' + h.c.)

    Without legs every rung is a pair of its own and a cell holds splitting sin^2(rung t).

    Args:
        cells: Number of rungs.
        splitting: Energy of an excited spin.
        rung: Exchange between a cell and its charger.
        leg: Exchange along both legs.
        anisotropy: Coupling along z in the legs, in units of half of `leg`.

    Reference:
        ladders: Dagotto, Rice, Science 271, 618 (1996); charging by a neighbour: Andolina, Farina, Mari, Pellegrini,
        Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, rung=rung, leg=leg, anisotropy=anisotropy)
    sites = (Spin(),) * (2 * cells)
    legs = []
    for first in (0, 1):
        h = excitations(sites, range(first, 2 * cells, 2), splitting)
        for n in range(first, 2 * cells - 2, 2):
            for left, right, share in (("Sp", "Sm", 1.0), ("Sm", "Sp", 1.0), ("Z", "Z", anisotropy / 2)):
                h += leg * share, (left, n), (right, n + 2)
        legs.append(h)
    charging = legs[0] + legs[1]
    for n in range(0, 2 * cells, 2):
        charging += rung, ("Sp", n), ("Sm", n + 1)
        charging += rung, ("Sm", n), ("Sp", n + 1)
    return Battery(sites=sites, cells=range(0, 2 * cells, 2), energy=legs[0], charging=charging,
                   empty=["down", "up"] * cells, name="spin_ladder", parameters=parameters, reference=_LADDERS)


def spin_j_chain(cells: int = 8, spin: float = 1.0, field: float = 1.0, exchange: float = 0.3, anisotropy: float = 0.5,
                 biquadratic: float = 0.0, drive: float = 0.8) -> Battery:
    """Chain of spins of any size with bilinear and biquadratic exchange, in spin operators; starts all down.

    Energy: H_B = field sum Sz_n + exchange sum (Sx_n Sx_{n+1} + Sy_n Sy_{n+1} + anisotropy Sz_n Sz_{n+1})
        + exchange biquadratic sum (S_n . S_{n+1})^2
    Charging: H_B + drive sum Sx_n

    With anisotropy 1 the exchange commutes with the total spin: the state stays a product and stores
    2 spin field (drive / w)^2 sin^2(w t / 2) a cell, w^2 = field^2 + drive^2.

    Args:
        cells: Number of cells.
        spin: 1/2, 1, 3/2, ...
        field: Splitting between neighbouring levels of a free cell.
        exchange: Strength of both exchanges.
        anisotropy: Bilinear coupling along z in units of `exchange`.
        biquadratic: Biquadratic coupling in units of `exchange`.
        drive: Strength of the charging field.

    Reference:
        Ghosh, Sen(De), Phys. Rev. A 105, 022628 (2022)
    """
    parameters = checked(cells=cells, spin=spin, field=field, exchange=exchange, anisotropy=anisotropy,
                         biquadratic=biquadratic, drive=drive)
    sites = (Spin(spin),) * cells
    o = sites[0].operators
    dot = [(o["Sp"], o["Sm"], 0.5), (o["Sm"], o["Sp"], 0.5), (o["Sz"], o["Sz"], 1.0)]
    energy = each(sites, "Sz", field)
    for n in range(cells - 1):
        for (a, b, c), share in zip(dot, (1.0, 1.0, anisotropy), strict=True):
            energy += exchange * c * share, (a, n), (b, n + 1)
            for d, e, f in dot if biquadratic else ():
                energy += exchange * biquadratic * c * f, (a @ d, n), (b @ e, n + 1)
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy + each(sites, "Sx", drive),
                   empty="down", name="spin_j_chain", parameters=parameters, reference=_GHOSH_J)


def rydberg_array(cells: int = 10, splitting: float = 1.0, rabi: float = 1.0, detuning: float = 0.0,
                  interaction: float = 8.0, exponent: float = 6.0, reach: int | None = None) -> Battery:
    """Chain of atoms driven to a Rydberg state, with van der Waals or dipolar repulsion; starts in the ground state.

    Energy: H_B = splitting sum N_n, N = (1 + Z) / 2
    Charging: rabi / 2 sum X_n - detuning sum N_n + interaction sum_{i<j} N_i N_j / (j - i)^exponent, alone, in the
        frame that rotates with the laser

    An atom closer than (interaction / rabi)^(1 / exponent) to an excited one is blockaded. Two atoms that blockade each
    other store splitting sin^2(rabi t / sqrt(2)) together.

    Args:
        cells: Number of atoms.
        splitting: Energy of the Rydberg state.
        rabi: Rabi frequency of the laser.
        detuning: Of the laser above the transition.
        interaction: Between neighbours, positive for repulsion.
        exponent: 6 for van der Waals, 3 for dipolar interaction.
        reach: Longest distance that interacts; None for all.

    Reference:
        Browaeys, Lahaye, Nat. Phys. 16, 132 (2020), arXiv:2002.07413
    """
    parameters = checked(cells=cells, splitting=splitting, rabi=rabi, detuning=detuning, interaction=interaction,
                         exponent=exponent)
    must(exponent >= 0, "exponent", "be at least 0", exponent)
    must(reach is None or (isinstance(reach, int | np.integer) and reach >= 1), "reach",
         "be an integer of at least 1, or None", reach)
    parameters["reach"] = cells - 1 if reach is None else int(reach)
    sites = (Spin(),) * cells
    excited = np.diag([1.0, 0.0])
    charging = each(sites, "X", rabi / 2) - excitations(sites, range(cells), detuning)
    for i in range(cells):
        for j in range(i + 1, min(cells, i + parameters["reach"] + 1)):
            charging += interaction / (j - i) ** exponent, (excited, i), (excited, j)
    return Battery(sites=sites, cells=range(cells), energy=excitations(sites, range(cells), splitting),
                   charging=charging, empty="down", name="rydberg_array", parameters=parameters, reference=_BROWAEYS)


def ssh_charger(dimers: int = 2, splitting: float = 1.0, weak: float = 1.0, strong: float = 2.0,
                coupling: float = 0.8) -> Battery:
    """A cell charged through a dimerised chain: edge states link its ends; starts with the charger excited.

    Sites: charger, dimers of two sites each, cell, all of the same splitting.

    Energy: H_B = splitting (1 + Z) / 2 of the cell
    Charging: H_B + splitting sum (1 + Z) / 2 of all other sites + sum_bonds c (s+_n s-_{n+1} + h.c.) with c = coupling
        at charger and cell, `weak` inside a dimer and `strong` between dimers

    With weak < strong the chain holds an edge state at each end, split by about
    strong (weak / strong)^dimers, and the excitation goes from charger to cell through them and not through the bands.
    There is one excitation: free particles on a chain, whatever their statistics. The time it takes grows as the
    inverse of that splitting: two dimers charge within a few units of time, ten with weak = strong / 5 in 10^7.

    Args:
        dimers: Number of dimers, from 1.
        splitting: Energy of an excited site.
        weak: Hopping inside a dimer.
        strong: Hopping between dimers.
        coupling: Of charger and cell to the ends of the chain.

    Reference:
        Su, Schrieffer, Heeger, Phys. Rev. Lett. 42, 1698 (1979); charging by a neighbour: Andolina, Farina, Mari,
        Pellegrini, Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)
    """
    parameters = checked(splitting=splitting, weak=weak, strong=strong, coupling=coupling)
    must(isinstance(dimers, int | np.integer) and dimers >= 1, "dimers", "be an integer of at least 1", dimers)
    parameters["dimers"] = int(dimers)
    count = 2 * dimers + 2
    sites = (Spin(),) * count
    hops = np.r_[coupling, [weak, strong] * dimers]
    hops[-1] = coupling
    charging = excitations(sites, range(count), splitting) + pairs(sites, "Sp", "Sm", hops) \
        + pairs(sites, "Sm", "Sp", hops)
    return Battery(sites=sites, cells=[count - 1], energy=excitations(sites, [count - 1], splitting),
                   charging=charging, empty=["up"] + ["down"] * (count - 1), name="ssh_charger",
                   parameters=parameters, reference=_SU)


def oscillators(cells: int = 2, splitting: float = 1.0, coupling: float = 0.3, quanta: float = 2.0,
                coherent: bool = True, cutoff: int | None = None) -> Battery:
    """Harmonic oscillators charged by one that they all couple to; starts with the charger in a coherent or Fock state.

    Energy: H_B = splitting sum_cells a+_n a_n
    Charging: H_B + splitting c+ c + coupling sum_cells (a+_n c + c+ a_n), the charger c in the middle of the chain

    Stored: splitting quanta sin^2(coupling sqrt(cells) t), whatever the start; from a coherent state the cells stay in
    coherent ones, and all of it can be drawn.

    Args:
        cells: Number of oscillators that store, from 1.
        splitting: Energy of a quantum.
        coupling: Between the charger and one cell.
        quanta: Mean number of quanta in the charger at the start; whole for a Fock state.
        coherent: Whether it starts in a coherent state; else in a Fock state.
        cutoff: Most quanta of any oscillator; None for the Fock number, or where a coherent state leaves out 1e-12.

    Reference:
        Andolina, Farina, Mari, Pellegrini, Giovannetti, Polini, Phys. Rev. B 98, 205423 (2018)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, quanta=quanta)
    must(isinstance(coherent, bool | np.bool_), "coherent", "be True or False", coherent)
    must(quanta >= 0 and (coherent or float(quanta).is_integer()), "quanta",
         "be at least 0, and whole for a Fock state", quanta)
    least = int(poisson.isf(1e-12, quanta)) + 1 if coherent else max(int(quanta), 1)
    parameters |= checked(cutoff=least if cutoff is None else cutoff) | {"coherent": bool(coherent)}
    sites: list[Site] = [Boson(parameters["cutoff"])] * (cells + 1)
    charger = cells // 2
    store = [n for n in range(cells + 1) if n != charger]
    energy, charging = Terms(sites), Terms(sites)
    charging += splitting, ("N", charger)
    for n in store:
        energy += splitting, ("N", n)
        charging += coupling, ("Ad", n), ("A", charger)
        charging += coupling, ("A", n), ("Ad", charger)
    empty: list = [0] * (cells + 1)
    number_states = np.arange(parameters["cutoff"] + 1)
    empty[charger] = np.sqrt(poisson.pmf(number_states, quanta)) if coherent else int(quanta)
    if coherent:
        empty[charger] = empty[charger] / np.linalg.norm(empty[charger])
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="oscillators", parameters=parameters, reference=_ANDOLINA)
