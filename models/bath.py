"""Baths with memory: batteries beside a continuum of modes, kept as a chain of bosons, or beside what replaces it.

A bath is a spectral density J(w) = sum_k g_k^2 delta(w - w_k), see `mps_battery.baths.SpectralDensity`, of which the
first `length` sites of its chain are kept: exact until what left the battery has been to the end and back. Where the
coupling is in the rotating-wave form, at zero temperature, excitations are conserved, and a mode that holds as many as
there are at the start is exact. s+ and s- raise and lower a cell, b+ and b a mode of a chain. A jump L acts as
L rho L+ - {L+ L, rho} / 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mps_battery.baths import (
    Chain,
    SpectralDensity,
    band_edge,
    lattice,
    lorentzian,
    ohmic,
    semicircle,
    waveguide,
)
from mps_battery.battery import Battery, Envelope, Schedule
from mps_battery.checks import must, number, whole
from mps_battery.models.build import add_exchange, check_rates, checked, excitations, jump
from mps_battery.sites import Boson, Label, Site, Spin
from mps_battery.terms import Terms

__all__ = ["dissipative_charging", "floquet_battery", "memory_collisions", "pseudo_mode", "remote_charging",
           "self_discharge"]

_BAI = "Bai, An, Phys. Rev. A 102, 060201 (2020)"
_CARREGA = "Carrega, Crescente, Ferraro, Sassetti, New J. Phys. 22, 083085 (2020)"
_KAMIN = "Kamin, Tabesh, Salimi, Kheirandish, Santos, New J. Phys. 22, 083007 (2020)"
_MORRONE = "Morrone, Rossi, Smirne, Genoni, Quantum Sci. Technol. 8, 035007 (2023)"
_SONG = "Song, Liu, Zhou, Yang, An, Phys. Rev. Lett. 132, 090401 (2024)"

SPECTRA = {
    "band": semicircle,
    "band_gap": lambda strength, scale, centre: band_edge(strength, centre, scale),
    "lorentzian": lorentzian,
    "ohmic": lambda strength, scale, centre: ohmic(strength, scale),                          # noqa: ARG005
    "waveguide": lambda strength, scale, centre: waveguide(strength, centre, scale),
}
"""Spectral densities by name, from (strength, scale, centre)."""


def self_discharge(cells: int = 1, splitting: float = 2.0, spectrum: str | SpectralDensity = "band",
                   strength: float = 1.0, scale: float = 1.0, centre: float = 2.0, beta: float = float("inf"),
                   modulation: float = 0.0, frequency: float = 20.0, length: int = 30, cutoff: int | None = None
                   ) -> Battery:
    """Charged cells that lose their energy to a structured bath, and may get some of it back; starts all up.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + modulation cos(frequency t) sum (1 + Z_n) / 2 + sum_k w_k b+_k b_k + sum_kn g_k (s+_n b_k + s-_n
        b+_k), the bath as a chain

    One cell at the end of a uniform chain (band, strength g = hopping k = `scale`, resonant) keeps the amplitude
    J_1(2 k t) / (k t); for g^2 > 2 k^2 a state is bound outside the band on either side, and the amplitude tends to
    (r - 2) / (r - 1) cos(g^2 t / (g^2 - k^2)^(1/2)) with r = g^2 / k^2: a charge that does not age. A fast modulation
    weakens the coupling by the Bessel function J_0(modulation / frequency), to nothing at 2.405.

    Args:
        cells: Number of cells, from 1, all coupled alike to the same modes.
        splitting: Energy of an excited cell.
        spectrum: A `SpectralDensity`, or its name: "band" (a uniform chain: coupling `strength`, hopping `scale`,
            around `centre`), "lorentzian" (rate `strength`, width `scale`, at `centre`), "ohmic" (slope `strength`,
            cutoff `scale`), "band_gap" (rate `strength`, from the edge `centre` up to `scale` above it, falling as the
            root), "waveguide" (the same, for the dispersion of a guide).
        strength: Strength of the bath, as its spectrum says.
        scale: Width of the spectrum.
        centre: Place of the spectrum.
        beta: Inverse temperature of the bath; its modes then have a second chain, of what they give.
        modulation: Depth of a modulation of the splitting.
        frequency: Of that modulation.
        length: Sites of a chain.
        cutoff: Most quanta in a site of a chain; None for as many as there are cells, which is exact at zero
            temperature, and three more at another.

    Reference:
        Kamin, Tabesh, Salimi, Kheirandish, Santos, New J. Phys. 22, 083007 (2020)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, strength=strength, scale=scale, centre=centre,
                         modulation=modulation, frequency=frequency)
    density = _density(spectrum, parameters)
    must(number(beta) and beta > 0, "beta", "be a positive number", beta)
    warm = bool(np.isfinite(beta))
    parameters |= _sizes(length, cells + (3 if warm else 0) if cutoff is None else cutoff)
    chain = (density.emitting(beta) if warm else density).chain(length)
    modes = _modes(chain, parameters["cutoff"])
    sites: list[Site] = (modes if warm else []) + [Spin()] * cells + modes
    store = range(length if warm else 0, (length if warm else 0) + cells)
    energy, free = excitations(sites, store, splitting), Terms(sites)
    _add_chain(free, chain, range(store.stop, store.stop + length))
    for n in store:
        add_exchange(free, chain.coupling, n, store.stop)
    if warm:
        given = density.absorbing(beta).chain(length)
        _add_chain(free, Chain(given.coupling, -given.energies, given.hoppings), range(length - 1, -1, -1))
        for n in store:
            free += given.coupling, ("Ad", length - 1), ("Sp", n)
            free += given.coupling, ("A", length - 1), ("Sm", n)
    charging: Terms | Schedule = energy + free
    if modulation:
        charging = Schedule([(energy + free, None), (excitations(sites, store, modulation),
                                                     partial(_cosine, frequency=float(frequency)))])
    return _battery("self_discharge", _KAMIN, parameters | {"spectrum": spectrum, "beta": float(beta)}, sites, store,
                    energy, charging, up=store)


def dissipative_charging(cells: int = 1, splitting: float = 1.0, drive: float = 1.0, spectrum: str | SpectralDensity
                         = "ohmic", strength: float = 0.05, scale: float = 1.0, centre: float = 2.0,
                         beta: float = 2.0, axis: str = "X", length: int = 12, cutoff: int = 4) -> Battery:
    """Driven cells in a bath of any temperature, which flips or dephases them; starts all down.

    Energy: H_B = splitting/2 sum Z_n
    Charging: H_B + drive/2 sum X_n + sum_k w_k b+_k b_k + sum_n A_n sum_k g_k (b_k + b+_k) with A = X or Z, the bath as
        a chain

    A finite temperature is that of a vacuum of modes on both sides of zero energy. Without drive and for A = Z
    coherences fall as exp(-4 int J(w) coth(beta w / 2) (1 - cos w t) / w^2 dw).

    Args:
        cells: Number of cells, from 1, all coupled alike to the same modes.
        splitting: Energy between down and up.
        drive: Strength of the drive that charges.
        spectrum: A `SpectralDensity` or its name, as for `self_discharge`.
        strength: Strength of the bath, as its spectrum says.
        scale: Width of the spectrum.
        centre: Place of the spectrum.
        beta: Inverse temperature; inf for the vacuum.
        axis: "X" or "Z", the operator of a cell that meets the bath.
        length: Sites of the chain.
        cutoff: Most quanta in a site of the chain; the budget of a run tells whether they are enough.

    Reference:
        Carrega, Crescente, Ferraro, Sassetti, New J. Phys. 22, 083085 (2020)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, drive=drive, strength=strength, scale=scale,
                         centre=centre)
    parameters |= _sizes(length, cutoff)
    density = _density(spectrum, parameters)
    must(number(beta) and beta > 0, "beta", "be a positive number", beta)
    must(axis in ("X", "Z"), "axis", 'be "X" or "Z"', axis)
    chain = (density.thermal(beta) if np.isfinite(beta) else density).chain(length)
    sites: list[Site] = [Spin()] * cells + _modes(chain, cutoff)
    energy, charging = Terms(sites), Terms(sites)
    for n in range(cells):
        energy += splitting / 2, ("Z", n)
        charging += drive / 2, ("X", n)
        charging += chain.coupling, (axis, n), ("A", cells)
        charging += chain.coupling, (axis, n), ("Ad", cells)
    _add_chain(charging, chain, range(cells, cells + length))
    return _battery("dissipative_charging", _CARREGA,
                    parameters | {"spectrum": spectrum, "beta": float(beta), "axis": axis}, sites, range(cells), energy,
                    energy + charging)


def pseudo_mode(cells: int = 1, splitting: float = 2.0, strength: float = 3.0, width: float = 1.0,
                detuning: float = 0.0, cutoff: int | None = None) -> Battery:
    """Charged cells that lose their energy to a bath of Lorentzian spectrum, kept as one damped mode; starts all up.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B + (splitting + detuning) a+ a + (strength width / 2)^(1/2) sum (s+_n a + s-_n a+) with the jump
        sqrt(2 width) a

    The memory of the mode is (strength width / 2) exp(-width |t|). One cell on resonance keeps the amplitude
    exp(-width t / 2) (cosh(d t / 2) + (width / d) sinh(d t / 2)), d^2 = width^2 - 2 strength width: it swings where the
    strength is above half the width. `self_discharge` has the same bath as a chain.

    Args:
        cells: Number of cells, from 1, all coupled alike.
        splitting: Energy of an excited cell.
        strength: Rate at which a cell decays where the width is large.
        width: Half width of the spectrum at half its height.
        detuning: Of the centre of the spectrum from the cells.
        cutoff: Most quanta in the mode; None for as many as there are cells, which is exact.

    Reference:
        Kamin, Tabesh, Salimi, Kheirandish, Santos, New J. Phys. 22, 083007 (2020)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, strength=strength, width=width, detuning=detuning)
    check_rates(strength=strength, width=width)
    parameters |= checked(cutoff=cells if cutoff is None else cutoff)
    mode = cells // 2                                       # amid the cells, where a cut has half of them at most
    sites: list[Site] = [Spin()] * (cells + 1)
    sites[mode] = Boson(parameters["cutoff"])
    store = [n for n in range(cells + 1) if n != mode]
    energy, charging = excitations(sites, store, splitting), Terms(sites)
    charging += splitting + detuning, ("N", mode)
    for n in store:
        add_exchange(charging, float(np.sqrt(strength * width / 2)), n, mode)
    battery = _battery("pseudo_mode", _KAMIN, parameters, sites, store, energy, energy + charging, up=store)
    leak = [jump(battery.sites, np.sqrt(2 * width), "A", mode, "bath")] if width else []
    return Battery(sites=battery.sites, cells=battery.cells, energy=battery.energy, charging=battery.charging,
                   jumps=leak, empty=battery.empty, name=battery.name, parameters=parameters, reference=_KAMIN)


def remote_charging(cells: int = 1, splitting: float = 3.0, dispersion: str = "lattice", strength: float = 2.0,
                    scale: float = 1.0, centre: float = 3.0, distance: float = 2.0, length: int = 30,
                    cutoff: int | None = None) -> Battery:
    """Cells charged from afar through a waveguide; starts with the chargers up, the cells down and the guide dark.

    Energy: H_B = splitting sum_cells (1 + Z_n) / 2
    Charging: H_B + splitting sum_chargers (1 + Z_n) / 2 + sum_q w_q b+_q b_q
        + sum_q g_q (S+ + exp(i q distance) C+) b_q + h.c., with S+ = sum s+ of the chargers and C+ of the cells, as two
        chains that (S +- C) / sqrt(2) couple to

    Chargers and cells stand at two places. States bound outside the band of the guide make them exchange energy for
    ever instead of losing it: with E - splitting = Sigma_11(E) +- Sigma_12(E) the two bound states E_+- of residue Z_+-
    leave the amplitude |sum Z_+ exp(-i E_+ t) - sum Z_- exp(-i E_- t)| / 2 on the battery.

    Args:
        cells: Number of cells, from 1, and of chargers.
        splitting: Energy of an excitation.
        dispersion: "lattice", w = centre + 2 scale cos q, coupling `strength` at one site; or "waveguide",
            w^2 = q^2 + centre^2 up to scale above the edge `centre`, J = (strength / 2 pi) centre / q.
        strength: Coupling, as the dispersion says.
        scale: Width of the spectrum.
        centre: Middle of the band, or its edge.
        distance: Between chargers and cells; whole sites of the lattice, from 1.
        length: Sites of each of the two chains.
        cutoff: Most quanta in a site; None for as many as there are chargers, which is exact.

    Reference:
        Song, Liu, Zhou, Yang, An, Phys. Rev. Lett. 132, 090401 (2024)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, strength=strength, scale=scale, centre=centre,
                         distance=distance)
    parameters |= _sizes(length, cells if cutoff is None else cutoff)
    must(dispersion in ("lattice", "waveguide"), "dispersion", 'be "lattice" or "waveguide"', dispersion)
    must(distance > 0, "distance", "be a positive number", distance)
    if dispersion == "lattice":
        must(float(distance).is_integer(), "distance", "be a whole number of sites on a lattice", distance)
        densities = [lattice(strength, scale, centre, int(distance), p) for p in (1, -1)]
    else:
        densities = [waveguide(strength, centre, scale, distance, p) for p in (1, -1)]
    even, odd = (d.chain(length) for d in densities)
    sites: list[Site] = [*_modes(even, parameters["cutoff"]), *[Spin()] * (2 * cells),
                         *_modes(odd, parameters["cutoff"])]
    first = length + 2 * cells
    chargers, store = range(length, length + cells), range(length + cells, first)
    energy, charging = excitations(sites, store, splitting), excitations(sites, chargers, splitting)
    _add_chain(charging, even, range(length - 1, -1, -1))
    _add_chain(charging, odd, range(first, first + length))
    for places, sign in ((chargers, 1), (store, -1)):
        for n in places:
            add_exchange(charging, even.coupling / np.sqrt(2), n, length - 1)
            add_exchange(charging, sign * odd.coupling / np.sqrt(2), n, first)
    return _battery("remote_charging", _SONG, parameters | {"dispersion": dispersion}, sites, store, energy,
                    energy + charging, up=chargers)


def memory_collisions(cells: int = 1, splitting: float = 1.0, coupling: float = 0.6, collision: float = 0.8,
                      swap: float = 0.5, drive: float = 0.0, steps: int = 6, duration: float = 0.5) -> Battery:
    """Cells charged by a charger that collides with a stream of ancillas, which pass on what they got; charger up.

    Energy: H_B = splitting sum_cells (1 + Z_n) / 2
    Charging: in the frame that turns with all splittings, step m has three strokes of duration / 3 in the shape p of a
        sin^2 of area 1: p (coupling sum_cells (s+_C s-_n + h.c.) + drive (s+_C + s-_C)), then
        p collision (s+_C s-_m + h.c.), then p arcsin(sqrt(swap)) S_{m, m+1} with the ancillas m, m + 1 and the exchange
        of two S = (1 + XX + YY + ZZ) / 2

    The partial exchange exp(-i a S) = cos a - i sin a S hands the state of an ancilla on with probability
    swap = sin^2 a before the next one collides: the bath remembers. At swap = 0 every collision takes the amplitude of
    the charger down by cos(collision), the memoryless decay at the rate -2 ln cos(collision) / duration.

    Args:
        cells: Number of cells, from 1.
        splitting: Energy of an excitation.
        coupling: Angle between charger and cells in a step.
        collision: Angle between charger and ancilla in a step.
        swap: Probability that an ancilla hands its state on, from 0 to 1.
        drive: Angle of a drive of the charger in a step.
        steps: Number of ancillas.
        duration: Of a step.

    Reference:
        Morrone, Rossi, Smirne, Genoni, Quantum Sci. Technol. 8, 035007 (2023)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, collision=collision, swap=swap,
                         drive=drive, duration=duration)
    must(whole(steps) and steps >= 1, "steps", "be an integer of at least 1", steps)
    must(0 <= swap <= 1, "swap", "be a probability, a number from 0 to 1", swap)
    must(duration > 0, "duration", "be a positive number", duration)
    sites: list[Site] = [Spin()] * (cells + 1 + steps)
    charger, parts = cells, list[tuple[Terms, Envelope | None]]()
    stroke = float(duration) / 3
    charge = Terms(sites)
    for n in range(cells):
        add_exchange(charge, coupling, n, charger)
    charge += drive, ("X", charger)
    parts.append((charge, partial(_strokes, starts=tuple(3 * stroke * m for m in range(steps)), length=stroke)))
    for m in range(steps):
        meeting, passing = Terms(sites), Terms(sites)
        ancilla = charger + 1 + m
        add_exchange(meeting, collision, charger, ancilla)
        parts.append((meeting, partial(_strokes, starts=((3 * m + 1) * stroke,), length=stroke)))
        if m + 1 < steps and swap:
            angle = float(np.arcsin(np.sqrt(swap)))
            passing += angle / 2,
            for name in "XYZ":
                passing += angle / 2, (name, ancilla), (name, ancilla + 1)
            parts.append((passing, partial(_strokes, starts=((3 * m + 2) * stroke,), length=stroke)))
    store = range(cells)
    return _battery("memory_collisions", _MORRONE, parameters | {"steps": int(steps)}, sites, store,
                    excitations(sites, store, splitting), Schedule(parts), up=[charger])


def floquet_battery(splitting: float = 2.0, coupling: float = 3.0, period: float = 1.0, strength: float = 1.0,
                    hopping: float = 1.0, length: int = 25, cutoff: int = 1) -> Battery:
    """A charger and a cell, each in a bath of its own, joined again and again; starts with the charger up.

    Energy: H_B = splitting (1 + Z) / 2 of the cell
    Charging: H_B + splitting (1 + Z) / 2 of the charger + coupling f(t) (s+_C s-_B + h.c.) + two uniform chains of
        hopping `hopping` around `splitting`, coupled with `strength`; f(t) = 2 sin^2(pi t / period)

    The even and odd combination of charger and cell see their bath with the energies +- coupling f(t): where the
    Floquet spectrum of the whole has bound states they keep part of the charge for ever, and where it has none all of
    it is lost, as for a weak coupling.

    Args:
        splitting: Energy of an excitation.
        coupling: Mean exchange between charger and cell.
        period: Of the joining.
        strength: Coupling of charger and cell to their chains.
        hopping: In the chains.
        length: Sites of each chain.
        cutoff: Most quanta in a site; 1 is exact, since there is one excitation.

    Reference:
        Bai, An, Phys. Rev. A 102, 060201 (2020)
    """
    parameters = checked(splitting=splitting, coupling=coupling, period=period, strength=strength, hopping=hopping)
    parameters |= _sizes(length, cutoff)
    must(period > 0, "period", "be a positive number", period)
    chain = semicircle(strength, hopping, splitting).chain(length)
    modes = _modes(chain, cutoff)
    sites: list[Site] = [*modes, Spin(), Spin(), *modes]
    charger, cell = length, length + 1
    energy, free, joined = excitations(sites, [cell], splitting), excitations(sites, [charger], splitting), Terms(sites)
    _add_chain(free, chain, range(length - 1, -1, -1))
    _add_chain(free, chain, range(cell + 1, cell + 1 + length))
    add_exchange(free, chain.coupling, charger, length - 1)
    add_exchange(free, chain.coupling, cell, cell + 1)
    add_exchange(joined, coupling, charger, cell)
    charging = Schedule([(energy + free, None), (joined, partial(_joining, period=float(period)))])
    return _battery("floquet_battery", _BAI, parameters, sites, [cell], energy, charging, up=[charger])


# -- parts -----------------------------------------------------------------------------------------------------
def _density(spectrum: str | SpectralDensity, parameters: dict[str, Any]) -> SpectralDensity:
    """The spectral density that a name and three numbers stand for, or the one given."""
    if isinstance(spectrum, SpectralDensity):
        return spectrum
    must(isinstance(spectrum, str) and spectrum in SPECTRA, "spectrum",
         f"be a SpectralDensity or one of {', '.join(SPECTRA)}", spectrum)
    for name in ("strength", "scale"):
        must(parameters[name] > 0, name, "be a positive number", parameters[name])
    return SPECTRA[spectrum](parameters["strength"], parameters["scale"], parameters["centre"])


def _sizes(length: int, cutoff: int) -> dict[str, Any]:
    must(whole(length) and length >= 1, "length", "be an integer of at least 1", length)
    return {"length": int(length)} | checked(cutoff=cutoff)


def _modes(chain: Chain, cutoff: int) -> list[Site]:
    return [Boson(cutoff)] * len(chain)


def _add_chain(terms: Terms, chain: Chain, places: Sequence[int]) -> None:
    """Energies and hoppings of a chain whose first site is at the first place."""
    for n, energy in zip(places, chain.energies, strict=True):
        terms += float(energy), ("N", n)
    for n, m, hopping in zip(places[:-1], places[1:], chain.hoppings, strict=True):
        add_exchange(terms, float(hopping), n, m)


def _cosine(time: float, frequency: float) -> float:
    return float(np.cos(frequency * time))


def _joining(time: float, period: float) -> float:
    """2 sin^2(pi t / period), of mean one."""
    return float(2 * np.sin(np.pi * time / period) ** 2)


def _strokes(time: float, starts: tuple[float, ...], length: float) -> float:
    """sin^2 of area one from each start on for a length."""
    k = int(np.searchsorted(starts, time, side="right")) - 1
    if k < 0 or time > starts[k] + length:
        return 0.0
    return float(2 / length * np.sin(np.pi * (time - starts[k]) / length) ** 2)


def _battery(name: str, reference: str, parameters: dict[str, Any], sites: list[Site], store: Sequence[int],
             energy: Terms, charging: Terms | Schedule, up: Sequence[int] = ()) -> Battery:
    """A battery that starts with some spins up, the others down and all modes empty."""
    empty: list[Label] = [("up" if n in up else "down") if isinstance(s, Spin) else "vacuum"
                          for n, s in enumerate(sites)]
    return Battery(sites=sites, cells=list(store), energy=energy, charging=charging, empty=empty, name=name,
                   parameters=parameters, reference=reference)
