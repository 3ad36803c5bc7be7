"""What one of Bob's answers to the outcomes gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One outcome of Alice's measurement, or one history of outcomes.

    Attributes:
        probability: p_k.
        extracted: Energy that Bob's unitary draws, relative to the state before it; not weighted with p_k.
        unitary: What Bob does.
    """

    probability: float
    extracted: float
    unitary: Array


@dataclass(frozen=True)
class Teleport:
    """What energy teleportation gives; energies in the unit of the terms, information in nats.

    Attributes:
        injected: Mean change of the energy by Alice's measurement.
        drift: Mean change of the energy between her measurement and Bob's answer: none without delay, and none while
            the same Hamiltonian acts.
        extracted: Mean energy that Bob draws of the state that he finds.
        without_message: What the best single unitary for all outcomes would draw.
        surplus: What knowing the outcome is worth, extracted - without_message, summed up without that difference.
        outcomes: Probability, energy and unitary of every outcome that occurs.
        information: "holevo", S(rho_B) - sum_k p_k S(rho_B^k) of Bob's block as he finds it, and "sagawa_ueda", the
            same of Alice's sites, S(rho_A) - sum_k p_k S(M_k rho_A M_k+ / p_k).
        bound: injected + drift + temperature x sagawa_ueda, which `extracted` never passes in equilibrium and under
            unitary evolution; infinite where no temperature was given, or baths act.
        audits: "no_signalling", trace norm by which the measurement changes Bob's block; "ledger", energy after all is
            done, less the energy before, less `injected` and `drift`, plus `extracted`.
        bars: Error bars of injected, drift, extracted, without_message and surplus: rounding, and twice the change
            since `earlier` and with a coarser evolution where there are such, or what the change of all that Bob sees
            could do where that is more (estimates).
        gap: How much more the best unitaries of Bob could draw at most; zero for a qubit and for a generator.
    """

    injected: float
    drift: float
    extracted: float
    without_message: float
    surplus: float
    outcomes: tuple[Outcome, ...]
    information: Mapping[str, float]
    bound: float
    audits: Mapping[str, float]
    bars: Mapping[str, float]
    gap: float

    @property
    def efficiency(self) -> float:
        """extracted / injected; not a number where nothing was injected."""
        return self.extracted / self.injected if self.injected > 0 else float("nan")
