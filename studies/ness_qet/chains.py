"""The chains of this study: transverse Ising and XXZ, their two end sites in contact with two heat baths."""

from __future__ import annotations

import numpy as np

import mps_battery as mb

COUPLING, FIELD, ANISOTROPY = 1.0, 1.0, 0.5
HOT, COLD, RATE = 3.0, 0.5, 1.0
"""Temperatures and spontaneous rate of the baths."""


def energy(kind: str, length: int) -> mb.Terms:
    """"ising": field sum Z + coupling sum X X; "xxz": field sum Z + coupling sum (X X + Y Y + anisotropy Z Z)."""
    terms = mb.Terms([mb.Spin()] * length)
    for k in range(length):
        terms += FIELD, ("Z", k)
    factors = {"ising": {"X": COUPLING}, "xxz": {"X": COUPLING, "Y": COUPLING, "Z": COUPLING * ANISOTROPY}}[kind]
    for k in range(length - 1):
        for name, c in factors.items():
            terms += c, (name, k), (name, k + 1)
    return terms


def occupation(temperature: float) -> float:
    """Planck's n at the splitting 2 field of a free site."""
    return float(1 / np.expm1(2 * FIELD / temperature))


def between_baths(kind: str, length: int, hot: float = HOT, cold: float = COLD, rate: float = RATE,
                  dephasing: float = 0.0) -> mb.Battery:
    """Jumps sqrt(rate (1 + n)) s-, sqrt(rate n) s+ on both ends, and sqrt(dephasing / 2) Z on every site."""
    terms, jumps = energy(kind, length), []
    for site, temperature, bath in ((0, hot, "hot"), (length - 1, cold, "cold")):
        lowering = mb.Terms(terms.sites)
        lowering += 1.0, ("Sm", site)
        jumps += mb.thermal_jumps(lowering, 2 * FIELD, 1 / temperature, rate, bath=bath)
    for site in range(length if dephasing else 0):
        jump = mb.Terms(terms.sites)
        jump += np.sqrt(dephasing / 2), ("Z", site)
        jumps.append(mb.Jump(jump, bath="dephasing"))
    return mb.Battery(terms.sites, range(length), terms, terms, jumps, empty="mixed", name=f"{kind} between baths")


def current(battery: mb.Battery, state: mb.Density) -> float:
    """Energy that flows from left to right through the middle of the chain."""
    flow = mb.measure.energy_current(battery, len(battery.sites) // 2 - 1)
    return float(state.expect(flow).real)
