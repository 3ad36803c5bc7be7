"""How full the top of a bosonic mode gets, where its cutoff could matter."""

from __future__ import annotations

import numpy as np

from mps_battery.battery import Battery, as_schedule
from mps_battery.sites import Boson
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms, matrix_of

TOP = 2
"""Levels that count as the top: where quanta come in pairs every other one is empty."""


def watched_modes(battery: Battery, start: MPS | Density) -> tuple[int, ...]:
    """The bosonic sites that the charging could fill beyond their cutoff.

    Where the Hamiltonian conserves excitations and no jump adds any, a mode never holds more than there are at the
    start: its cutoff is then exact, and a full top level no fault.
    """
    sites = battery.sites
    modes = [n for n, s in enumerate(sites) if isinstance(s, Boson)]
    if not modes:
        return ()
    if all(h.conserves_charge() for h in as_schedule(battery.charging).terms) and not any(
            _adds_charge(jump.terms) for jump in battery.jumps):
        held = [s.charges[np.diag(start.reduced([n])).real > 1e-15].max() for n, s in enumerate(sites)]
        least = [s.charges.min() for s in sites]
        modes = [n for n in modes if sum(held) - sum(least) > sites[n].d - 1]
    return tuple(modes)


def top_population(state: MPS | Density, modes: tuple[int, ...]) -> float:
    """The largest population of the `TOP` highest levels of any of the modes."""
    return max(float(np.diag(state.reduced([n])).real[-TOP:].sum()) for n in modes)


def _adds_charge(terms: Terms) -> bool:
    """Whether any product of a sum has an entry that adds to the total charge."""
    for product, _ in terms.products:
        most = 0
        for n, operator in product:
            to, from_ = np.nonzero(matrix_of(operator))
            most += (terms.sites[n].charges[to] - terms.sites[n].charges[from_]).max()
        if most > 0:
            return True
    return False
