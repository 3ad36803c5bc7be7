"""Batteries that are watched and steered: linear feedback on a measured charger, and work carried from one to another.

Sums run over the cells n; s+ and s- raise and lower a spin. A jump L acts as L rho L+ - {L+ L, rho} / 2.
"""

from __future__ import annotations

import numpy as np

from mps_battery.baths import homodyne_feedback
from mps_battery.battery import Battery, Jump
from mps_battery.checks import must
from mps_battery.models.build import add_exchange, check_rates, checked, excitations, jump
from mps_battery.sites import Label, Site, Spin
from mps_battery.terms import Terms

__all__ = ["ergotropy_transport", "feedback_charging"]

_CRESCENTE = "Crescente, Ferraro, Carrega, Sassetti, arXiv:2305.05291 (2023)"
_MITCHISON = "Mitchison, Goold, Prior, Quantum 5, 500 (2021)"


def feedback_charging(cells: int = 2, splitting: float = 1.0, coupling: float = 1.0, loss: float = 1.0,
                      gain: float = 1.0, efficiency: float = 0.9, occupation: float = 0.0, drive: float = 0.0
                      ) -> Battery:
    """Cells charged by a leaking charger whose light is measured and fed back into its drive; starts all down.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: in the frame that turns with the splitting, coupling sum (s+_C s-_n + s-_C s+_n) + drive X_C; the light
        that leaves the charger by c = (loss (1 + occupation))^(1/2) s- gives a current I, of which F I with
        F = -gain (loss (1 + occupation))^(1/2) Y_C is fed back; in the mean the jumps c - i F and
        ((1 - efficiency) / efficiency)^(1/2) F, (loss occupation)^(1/2) s+, and (c+ F + F c) / 2 in the Hamiltonian

    At gain 1 and full efficiency the jump is (loss)^(1/2) s+: what the measurement tells turns decay into its opposite,
    and all is charged. With occupation 0 an uncoupled charger then ends up with probability 1 / (2 - efficiency).

    Args:
        cells: Number of cells, from 1.
        splitting: Energy of an excitation.
        coupling: Between the charger and one cell, an energy.
        loss: Rate at which the charger leaks in the dark.
        gain: Of the feedback; 0 for none.
        efficiency: Share of the light that is seen, above 0 and at most 1.
        occupation: Mean number of quanta of the environment.
        drive: Constant drive of the charger, an energy.

    Reference:
        Mitchison, Goold, Prior, Quantum 5, 500 (2021)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, coupling=coupling, loss=loss, gain=gain,
                         efficiency=efficiency, occupation=occupation, drive=drive)
    check_rates(loss=loss, occupation=occupation)
    must(0 < efficiency <= 1, "efficiency", "be a number above 0 and at most 1", efficiency)
    sites: tuple[Site, ...] = (Spin(),) * (cells + 1)
    charger = cells // 2
    store = [n for n in range(cells + 1) if n != charger]
    energy, charging = excitations(sites, store, splitting), Terms(sites)
    for n in store:
        add_exchange(charging, coupling, charger, n)
    charging += drive, ("X", charger)
    jumps: list[Jump] = []
    if loss:
        rate = float(np.sqrt(loss * (1 + occupation)))
        light, response = Terms(sites), Terms(sites)
        light += rate, ("Sm", charger)
        response += -gain * rate, ("Y", charger)
        added, jumps = homodyne_feedback(light, response, efficiency, bath="light")
        charging += added
        if occupation:
            jumps.append(jump(sites, np.sqrt(loss * occupation), "Sp", charger, "light"))
    return Battery(sites=sites, cells=store, energy=energy, charging=charging, jumps=jumps, empty="down",
                   name="feedback_charging", parameters=parameters, reference=_MITCHISON)


def ergotropy_transport(cells: int = 3, splitting: float = 1.0, hopping: float = 1.0, mirror: bool = True,
                        population: float = 0.8, coherence: float = 0.0) -> Battery:
    """Work carried from one battery to another along a row of spins; starts with a mixed donor and an empty receiver.

    Energy: H_B = splitting sum (1 + Z_n) / 2 over the receiver, the second half of the row
    Charging: H_B + the same of the donor + sum g_n (s+_n s-_{n+1} + s-_n s+_{n+1}) over the whole row of 2 cells spins,
        g_n = hopping; mirrored g_n = hopping ((n + 1) (2 cells - 1 - n))^(1/2) / cells

    A cell of the donor starts in [[population, coherence], [coherence, 1 - population]], with the ergotropy
    splitting (2 p - 1 + ((2 p - 1)^2 + 4 coherence^2)^(1/2)) / 2. The mirrored row turns every state of the donor into
    its mirror image in the receiver at the time pi cells / (2 hopping), but for phases that the number of excitations
    decides: energy and ergotropy of the whole receiver are then those that the donor had, while a uniform row disperses
    both and loses more of the ergotropy.

    Args:
        cells: Number of cells of the donor and of the receiver.
        splitting: Energy of an excitation.
        hopping: Between neighbours in the middle of the row, an energy.
        mirror: Whether the couplings are those that mirror states.
        population: Of the upper level of a cell of the donor.
        coherence: Between its levels, real; population and coherence must make a density.

    Reference:
        Crescente, Ferraro, Carrega, Sassetti, arXiv:2305.05291 (2023)
    """
    parameters = checked(fewest=1, cells=cells, splitting=splitting, hopping=hopping, mirror=mirror,
                         population=population, coherence=coherence)
    must(0 <= population <= 1, "population", "be a number from 0 to 1", population)
    must(coherence**2 <= population * (1 - population) + 1e-15, "coherence", "be a number of at most "
         "(population (1 - population))^(1/2)", coherence)
    sites: tuple[Site, ...] = (Spin(),) * (2 * cells)
    store = range(cells, 2 * cells)
    energy, charging = excitations(sites, store, splitting), excitations(sites, range(cells), splitting)
    for n in range(2 * cells - 1):
        g = hopping * (float(np.sqrt((n + 1) * (2 * cells - 1 - n))) / cells if mirror else 1.0)
        add_exchange(charging, g, n, n + 1)
    donor = np.array([[population, coherence], [coherence, 1 - population]])
    empty: list[Label] = [*[donor] * cells, *[np.diag([0.0, 1.0])] * cells]
    return Battery(sites=sites, cells=store, energy=energy, charging=energy + charging, empty=empty,
                   name="ergotropy_transport", parameters=parameters, reference=_CRESCENTE)
