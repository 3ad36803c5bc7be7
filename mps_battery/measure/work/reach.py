"""The energies that unitaries on a whole chain can reach from a state: passive, active, and all between.

One cell has a closed form (`ergotropy`), a small matrix is diagonalised (`passive`). Of a long chain a pure state
reaches the lowest and the highest level; a density is caught between a layer of block unitaries that is carried out
(`layer`) and the Gibbs state of no more entropy (`spectrum`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mps_battery.checks import InputError
from mps_battery.measure.resources.least_entropy import least_entropy
from mps_battery.measure.work.layer import layer_ergotropy
from mps_battery.measure.work.spectrum import EXACT, Spectrum
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

DRAWN = (layer_ergotropy,)
"""What is tried on a long density: functions (state, terms) -> Extremum whose value some unitaries do draw."""


@dataclass(frozen=True)
class Bracket:
    """A number between two bounds, which are equal where it is known.

    Attributes:
        lower: Bound from below.
        upper: Bound from above.
        bar: How wrong either bound can be (an estimate).
        how: Where the bounds are from, in a sentence.
    """

    lower: float
    upper: float
    bar: float
    how: str

    @property
    def value(self) -> float:
        """The middle."""
        return (self.lower + self.upper) / 2

    @property
    def width(self) -> float:
        """upper - lower."""
        return self.upper - self.lower


@dataclass(frozen=True)
class Reach:
    """What unitaries on the whole chain can make of the energy of a state.

    Args:
        state: The state.
        below: The spectrum of H.
        above: The spectrum of -H.
        entropy: The von Neumann entropy of a density in nats, or a lower bound of it, where one is known; None takes
            `least_entropy`.
        bars: Errors of the "energy" of the state and of its "entropy", where known; `ThermalState.bars` fits.
    """

    state: MPS | Density
    below: Spectrum
    above: Spectrum
    entropy: float | None = None
    bars: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def energy(self) -> float:
        """<H>."""
        return self.state.expect(self.below.terms).real

    @cached_property
    def passive_energy(self) -> Bracket:
        """Least energy that unitaries reach."""
        return self._lowest(self.below, self.energy)

    @cached_property
    def active_energy(self) -> Bracket:
        """Largest energy that unitaries reach."""
        mirrored = self._lowest(self.above, -self.energy)
        return Bracket(-mirrored.upper, -mirrored.lower, mirrored.bar, mirrored.how)

    @property
    def ergotropy(self) -> Bracket:
        """Largest energy that unitaries draw, <H> - passive energy >= 0."""
        least = self.passive_energy
        return self._gained(self.energy - least.upper, self.energy - least.lower, least)

    @property
    def antiergotropy(self) -> Bracket:
        """Largest energy that unitaries put in, active energy - <H> >= 0."""
        most = self.active_energy
        return self._gained(most.lower - self.energy, most.upper - self.energy, most)

    @property
    def capacity(self) -> Bracket:
        """Active - passive energy = ergotropy + antiergotropy >= 0, which no unitary changes."""
        least, most = self.passive_energy, self.active_energy
        how = least.how if least.how == most.how else f"passive energy: {least.how}; active energy: {most.how}"
        lower, upper = max(0.0, most.lower - least.upper), max(0.0, most.upper - least.lower)
        return Bracket(lower, upper, least.bar + most.bar, how)

    def _gained(self, lower: float, upper: float, reached: Bracket) -> Bracket:
        bar = reached.bar + self.bars.get("energy", 0.0) + 1e-13 * abs(self.energy)
        return Bracket(max(0.0, lower), max(0.0, upper), bar, reached.how)

    def _lowest(self, spectrum: Spectrum, energy: float) -> Bracket:
        """Least energy that unitaries reach; `energy` is where they begin."""
        if isinstance(self.state, MPS):
            level = spectrum.lowest
            return Bracket(level.energy, level.energy, level.bar, level.how)
        if spectrum.dimension <= spectrum.exact:
            rising, levels = self._populations, spectrum.levels
            exact = float(rising[::-1] @ levels)
            # what truncation left below zero is not known any better than that
            negative = -2 * float(rising[rising < 0].sum()) * float(levels[-1] - levels[0])
            return Bracket(exact, exact, negative + 1e-13 * float(np.abs(levels).max()), "diagonalised")
        floor = spectrum.floor(self._least_entropy, self.bars.get("entropy", 0.0))
        drawn = max((draw(self.state, spectrum.terms) for draw in DRAWN), key=lambda found: found.value)
        upper = energy - max(0.0, drawn.value)
        found = f"{len(drawn.unitaries)} unitaries on parts of the chain" if drawn.value > 0 else "the state as it is"
        how = f"between {floor.how}, of entropy {self._least_entropy:.6g} or less, and {found}"
        return Bracket(min(floor.energy, upper), upper, floor.bar + 1e-12 * abs(energy), how)

    @cached_property
    def _populations(self) -> np.ndarray:
        """The eigenvalues of a density, rising."""
        assert isinstance(self.state, Density)
        return np.linalg.eigvalsh(self.state.normalised().to_dense())

    @cached_property
    def _least_entropy(self) -> float:
        """What is known of the entropy of a density."""
        assert isinstance(self.state, Density)
        return least_entropy(self.state) if self.entropy is None else float(self.entropy)


def energy_on(terms: Terms, cells: Sequence[int]) -> Terms:
    """An energy as Terms on the chain of the cells alone."""
    kept = terms.within(cells)
    if len(kept) < len(terms):
        raise InputError("Argument `terms` must act on the cells only for work of the whole battery, but acts on other "
                         "sites too: give all sites as cells, or leave what charges out of the energy.")
    return kept


def state_on(state: MPS | Density, cells: Sequence[int], exact: int = EXACT) -> MPS | Density:
    """The state of the cells: all of it, or the marginal, which is a density."""
    if len(cells) == len(state):
        return state
    if isinstance(state, Density):
        return state.marginal(cells)
    sites = [state.sites[n] for n in cells]
    if np.prod([float(s.d) for s in sites]) <= min(exact, 2**12):
        return Density.from_dense(sites, state.reduced(cells))
    return Density.from_pure(state).marginal(cells)
