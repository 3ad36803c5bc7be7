"""Currents of charge, energy and heat.

Through the cut behind site b, with Q_b the charge and H_b the energy terms that lie left of it, the flow from left to
right under the Hamiltonian is -i [H, Q_b] and -i [H, H_b]; what baths bring into the whole is tr(H D_bath(rho)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery, as_schedule
from mps_battery.checks import InputError
from mps_battery.liouville import adjoint_dissipator
from mps_battery.measure import bounds
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.terms import Terms


def charge_current(battery: Battery, bond: int, time: float = 0.0) -> Terms:
    """Flow of site charges (excitations a time) from site `bond` and before to those behind: -i [H, Q_bond] at a time.

    For the chain sum XX + YY the charge is (1 + Z) / 2 and the flow is X_n Y_(n+1) - Y_n X_(n+1), half the current of
    Pauli Z.
    """
    left = Terms(battery.sites)
    for n in range(bond + 1):
        left += 1.0, (np.diag(battery.sites[n].charges.astype(float)), n)
    return -1j * as_schedule(battery.charging).at(time).commutator(left)


def energy_current(battery: Battery, bond: int, time: float = 0.0) -> Terms:
    """Flow of the energy of all terms of the Hamiltonian at a time that lie on sites 0..bond: -i [H, H_bond]."""
    h, left = as_schedule(battery.charging).at(time), Terms(battery.sites)
    for product, c in h.products:
        if product and product[-1][0] <= bond:
            left._add(product, c)
    return -1j * h.commutator(left)


@dataclass(frozen=True)
class ChargeCurrent(Quantity):
    """Flow of site charges through every bond, left to right; see `charge_current`."""

    unit = "charge / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a bond."""
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """One value a bond."""
        battery = snapshot.battery
        return np.array([snapshot.state.expect(charge_current(battery, b, snapshot.time)).real
                         for b in range(len(battery.sites) - 1)])

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray:
        """By the width and the standard deviation of the current."""
        battery = snapshot.battery
        return np.array([bounds.of_terms(snapshot, charge_current(battery, b, snapshot.time), distance)
                         for b in range(len(battery.sites) - 1)])


@dataclass(frozen=True)
class EnergyCurrent(Quantity):
    """Flow of energy through every bond, left to right; see `energy_current`."""

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a bond."""
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """One value a bond."""
        battery = snapshot.battery
        return np.array([snapshot.state.expect(energy_current(battery, b, snapshot.time)).real
                         for b in range(len(battery.sites) - 1)])

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray:
        """By the width and the standard deviation of the current."""
        battery = snapshot.battery
        return np.array([bounds.of_terms(snapshot, energy_current(battery, b, snapshot.time), distance)
                         for b in range(len(battery.sites) - 1)])


def baths_of(battery: Battery, quantity: Quantity) -> list[str]:
    """Names of the baths, in order; an InputError where there is none."""
    if not battery.jumps:
        raise InputError(f"Argument `record` must not hold {type(quantity).__name__} for a battery without jumps, "
                         "which has no baths.")
    return list(dict.fromkeys(j.bath for j in battery.jumps))


@dataclass(frozen=True)
class HeatCurrent(Quantity):
    """Energy that every bath brings in: tr(H D_bath(rho)), with H the Hamiltonian at the time.

    For jumps that obey detailed balance with the whole H (Davies) the entropy production is dS/dt - sum beta J; see
    `EntropyProduction` for local ones.
    """

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a bath."""
        return {"bath": baths_of(battery, self)}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """One value a bath."""
        battery = snapshot.battery
        h = as_schedule(battery.charging).at(snapshot.time)
        heat = dict.fromkeys(self.axes(battery)["bath"], 0.0)
        for jump in battery.jumps:
            slope = adjoint_dissipator(jump.terms, h)
            if len(slope):
                heat[jump.bath] += jump.rate_at(snapshot.time) * snapshot.state.expect(slope).real
        return np.array(list(heat.values()))
