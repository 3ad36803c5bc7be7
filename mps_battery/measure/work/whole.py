"""Work of the whole battery: ergotropy, antiergotropy, capacity, passive and active energy under all unitaries.

    passive energy <= <H> <= active energy,  ergotropy = <H> - passive energy,  antiergotropy = active energy - <H>,
    capacity = active energy - passive energy = ergotropy + antiergotropy >= 0

[Allahverdyan, Balian, Nieuwenhuizen 2004, EPL 67, 565; Yang et al. 2023, PRL 131, 030402]. Pure states reach the lowest
and the highest level, densities of up to 2^10 dimensions are diagonalised, longer ones bounded on both sides. Where the
chain has sites beside the cells (a charger), unitaries act on the cells alone and what counts is their marginal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import must, number, whole
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.measure.work.reach import Bracket, Reach, energy_on, state_on
from mps_battery.measure.work.spectrum import EXACT, Spectrum
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_sites
from mps_battery.terms import Terms


def global_reach(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                 entropy: float | None = None, bars: Mapping[str, float] | None = None, exact: int = EXACT) -> Reach:
    """All that unitaries can make of an energy; each part is computed when it is asked for.

    Pure states: E - E_ground by DMRG, the bar from the energy variance. Densities: diagonalised up to dimension
    `exact`. Longer ones from above by W <= E - max_beta [(S_low - ln Z) / beta] for any S_low <= S, and from below by
    the best layer of block unitaries that was found, all energies between blocks counted. XXZ chain of 50 cells, one
    core: 2 s for a hot steady state of bond 24, 20 s for a Gibbs state at beta = 1; both ends for a capacity.

    Args:
        state: The state.
        terms: The energy H; Hermitian, on the cells only.
        cells: The sites that unitaries act on, the others traced out; None takes all sites.
        entropy: Von Neumann entropy of the state in nats where it is known, such as `ThermalState.entropy`, or any
            lower bound of it; None takes the best of S_2 = -ln tr rho^2 and of `least_entropy`.
        bars: Errors of the "energy" of the state and of its "entropy" where they are known: `ThermalState.bars`.
        exact: Largest dimension that is diagonalised.
    """
    check_energy(state, terms)
    must(entropy is None or (number(entropy) and np.isfinite(entropy)), "entropy", "be a finite number or None",
         entropy)
    must(whole(exact) and 1 <= exact <= 2**12, "exact", "be an integer from 1 to 4096", exact)
    bars = dict(bars or {})
    must(all(number(value) and value >= 0 for value in bars.values()), "bars", "be numbers of at least 0", bars)
    kept = list(range(len(state))) if cells is None else _checked(cells, len(state))
    own = energy_on(terms, kept)
    return Reach(state_on(state, kept, exact), Spectrum(own, exact), Spectrum(-own, exact), entropy, bars)


def global_ergotropy(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                     entropy: float | None = None, bars: Mapping[str, float] | None = None, exact: int = EXACT
                     ) -> Bracket:
    """Largest mean energy that unitaries on the whole battery can draw; arguments as for `global_reach`."""
    return global_reach(state, terms, cells, entropy=entropy, bars=bars, exact=exact).ergotropy


def global_antiergotropy(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                         entropy: float | None = None, bars: Mapping[str, float] | None = None, exact: int = EXACT
                         ) -> Bracket:
    """Largest mean energy that unitaries on the whole battery can put in; arguments as for `global_reach`."""
    return global_reach(state, terms, cells, entropy=entropy, bars=bars, exact=exact).antiergotropy


def global_capacity(state: MPS | Density, terms: Terms, cells: Sequence[int] | None = None, *,
                    entropy: float | None = None, bars: Mapping[str, float] | None = None, exact: int = EXACT
                    ) -> Bracket:
    """Range of mean energies that unitaries on the whole battery reach; arguments as for `global_reach`."""
    return global_reach(state, terms, cells, entropy=entropy, bars=bars, exact=exact).capacity


def _checked(cells: Sequence[int], length: int) -> list[int]:
    check_sites(cells, length)
    must(len(cells) >= 1 and len({*cells}) == len(cells) and all(0 <= n < length for n in cells), "cells",
         f"be different sites from 0 to {length - 1}", cells)
    return sorted(int(n) for n in cells)


class _OfTheWhole(Quantity):
    """A number of the whole battery: one for pure states, two bounds for densities, bars of the bounds included."""

    part: ClassVar[str]

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """Nothing for pure states of the cells, else the bounds."""
        energy_on(battery.energy, sorted(battery.cells))
        pure = not battery.mixed and len(battery.cells) == len(battery.sites)
        return {} if pure else {"bound": ["lower", "upper"]}

    def measure(self, snapshot: Snapshot) -> np.ndarray | float:
        """The number, or (lower, upper)."""
        found: Bracket = getattr(snapshot.reach, self.part)
        if "bound" not in self.axes(snapshot.battery):
            return found.value
        least = 0.0 if self.part in ("ergotropy", "antiergotropy", "capacity") else -np.inf
        return np.array([max(least, found.lower - found.bar), found.upper + found.bar])


@dataclass(frozen=True)
class Ergotropy(_OfTheWhole):
    """Largest energy that unitaries on all cells draw; see `global_ergotropy`."""

    part = "ergotropy"


@dataclass(frozen=True)
class Antiergotropy(_OfTheWhole):
    """Largest energy that unitaries on all cells put in; see `global_antiergotropy`."""

    part = "antiergotropy"


@dataclass(frozen=True)
class Capacity(_OfTheWhole):
    """Range of energies that unitaries on all cells reach; see `global_capacity`."""

    part = "capacity"


@dataclass(frozen=True)
class PassiveEnergy(_OfTheWhole):
    """Least energy that unitaries on all cells reach."""

    part = "passive_energy"


@dataclass(frozen=True)
class ActiveEnergy(_OfTheWhole):
    """Largest energy that unitaries on all cells reach."""

    part = "active_energy"
