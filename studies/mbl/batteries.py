"""The batteries of the study that are no models of the package."""

from __future__ import annotations

import mps_battery as mb
from mps_battery.models import spin_chain


def charged_at_one_end(cells: int = 8, disorder: float = 1.0, next_nearest: float = 0.3, drive: float = 1.0,
                       seed: int = 0, realisation: int = 0) -> mb.Battery:
    """A disordered Ising chain that is itself the battery, from its ground state, driven at its first cell only.

    Energy: H_B = -sum J_n X_n X_{n+1} - next_nearest sum X_n X_{n+2} - 0.6 sum Z_n, J_n from [1 - disorder,
        1 + disorder]
    Charging: H_B + drive X_0

    The state stays pure, so all that is stored can be drawn by a unitary on the whole chain.
    """
    chain = spin_chain.ising_disordered(cells=cells, disorder=disorder, next_nearest=next_nearest, field=0.6,
                                        seed=seed, realisation=realisation).charging
    driven = chain.copy()
    driven += drive, ("X", 0)
    return mb.Battery(chain.sites, range(cells), chain, driven, empty="ground", name="charged_at_one_end",
                      parameters={"cells": cells, "disorder": disorder, "next_nearest": next_nearest, "drive": drive,
                                  "seed": seed, "realisation": realisation})
