"""What a Hamiltonian alone says of the energies that unitaries can reach; each number is computed once.

A unitary keeps the spectrum of the state. Pure states reach the lowest level. Mixed ones keep their entropy S, so that
with F >= -ln(Z) / beta of every state at every beta > 0

    E(U rho U+) >= (S_low - ln Z(beta)) / beta    for S_low <= S,

with the maximum over beta where the Gibbs state has the entropy S_low: it is that state's energy [Alicki, Fannes 2013,
PRE 87, 042123]. The slope of the right-hand side is (S(beta) - S_low) / beta^2, so that what larger beta could still
gain is at most (S(beta) - S_low) / beta.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from mps_battery.evolve.choose import strength
from mps_battery.evolve.exact import Exact
from mps_battery.liouville import superoperators
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms

if TYPE_CHECKING:
    from mps_battery.steady.thermal import _PurifiedPath

Array = np.ndarray

EXACT = 2**10
"""Up to this dimension of the whole space energies are diagonalised."""

WORTH = 1e-3
"""Cooling ends where it could gain less than this fraction of what it has gained."""


COOLING = Truncation(96, 1e-13)
"""Of imaginary time: ln Z of an XXZ chain of 50 sites down to beta = 1 is wrong by less than 1e-4 at weight 1e-12."""


@dataclass(frozen=True)
class Level:
    """An energy and how wrong it can be.

    Attributes:
        energy: The energy.
        bar: Its error bar (an estimate).
        how: Where it is from.
    """

    energy: float
    bar: float
    how: str


@dataclass(frozen=True)
class Spectrum:
    """Energies of `terms` from below; the spectrum of -terms has those from above.

    Args:
        terms: H; Hermitian.
        exact: Largest dimension of the whole space that is diagonalised.
        truncation: Of imaginary time.
    """

    terms: Terms
    exact: int = EXACT
    truncation: Truncation = COOLING

    @cached_property
    def dimension(self) -> float:
        """Dimension of the whole space."""
        return float(np.prod([float(s.d) for s in self.terms.sites]))

    @cached_property
    def levels(self) -> Array:
        """All levels, rising."""
        return np.linalg.eigvalsh(self.terms.to_mpo().to_dense())

    @cached_property
    def mean(self) -> float:
        """tr(H) / tr(1): where unitaries leave the identity."""
        ws = self.terms.to_mpo().tensors
        row = np.ones(1)
        for w in ws:
            row = row @ np.trace(w, axis1=2, axis2=3) / w.shape[2]
        return float(row[0].real)

    @cached_property
    def lowest(self) -> Level:
        """The lowest level: diagonalised, or by DMRG.

        The energy of a trial state is never below the lowest level, and a level lies within the root of its energy
        variance. That this is the lowest one is what DMRG is trusted with: hence an estimate.
        """
        if self.dimension <= self.exact:
            return Level(float(self.levels[0]), 1e-14 * float(np.abs(self.levels).max()), "diagonalised")
        from mps_battery.steady.ground import ground_state

        ground = ground_state(self.terms)
        rounding = 4 * np.finfo(float).eps * ground.energy**2             # of <H^2> - <H>^2
        return Level(ground.energy, float(np.sqrt(ground.variance + rounding)),
                     f"DMRG at bond {max(ground.state.bonds, default=1)}")

    def floor(self, entropy: float, unsure: float = 0.0) -> Level:
        """The least mean energy that a state of at least this von Neumann entropy (nats) can have.

        One walk in imaginary time serves all entropies. Its bar is from a second one with twice the step and a hundred
        times the weight, and from how `unsure` the entropy is: the slope of energy over entropy is the temperature,
        which falls towards smaller entropy.
        """
        entropy = min(entropy, float(np.log(self.dimension)))
        beta = self._best(max(entropy, 0.0))
        if beta == 0.0:
            less = self.floor(entropy - unsure).energy if unsure > 0 else self.mean
            return Level(self.mean, self.mean - less + 1e-13 * abs(self.mean), "the identity")
        energy, log_z = self._gibbs(beta)
        bar = unsure + 1e-13 * max(abs(log_z), 1.0)
        if self.dimension > EXACT:
            rough = self._paths[1].at(beta)
            # what every step may lose adds up, and a difference may be small by chance
            moved = max(abs(log_z - np.log(self.dimension)), abs(beta * energy))
            bar += 2 * abs(log_z - rough.log_z) + 0.2 * self.truncation.weight**0.5 * moved
        return Level((entropy - log_z) / beta, float(bar / beta), f"the Gibbs state at beta = {beta:.4g}")

    def _gibbs(self, beta: float) -> tuple[float, float]:
        """(energy, ln Z) of a Gibbs state."""
        if self.dimension > EXACT:
            point = self._paths[0].at(beta)
            return point.energy, point.log_z
        log_z = float(logsumexp(-beta * self.levels))
        return float(self.levels @ np.exp(-beta * self.levels - log_z)), log_z

    @cached_property
    def _paths(self) -> tuple[_PurifiedPath, _PurifiedPath]:
        """Imaginary time, and a coarser one."""
        from mps_battery.steady.thermal import _PurifiedPath

        path = _PurifiedPath(self.terms, None, self.truncation)
        assert not isinstance(path.method, Exact)
        loose = Truncation(max(1, 3 * self.truncation.bond // 4), min(1e-2, 100 * self.truncation.weight))
        return path, _PurifiedPath(self.terms, replace(path.method, dt=2 * path.step), loose)

    def _best(self, entropy: float) -> float:
        """The beta at which the Gibbs state has an entropy, or beyond which little is to be gained."""
        width = strength(superoperators([(self.terms, None)]), np.zeros(1))
        if width == 0 or entropy >= np.log(self.dimension) * (1 - 1e-13):
            return 0.0

        before, beta = 0.0, 0.5 / width
        while True:
            energy, log_z = self._gibbs(beta)
            if (excess := beta * energy + log_z - entropy) <= 0:
                break
            if excess / beta <= WORTH * (self.mean - energy):
                return beta
            before, beta = beta, 1.5 * beta
        return float(brentq(lambda b: np.dot((b, 1), self._gibbs(b)) - entropy, before, beta, xtol=1e-14, rtol=1e-4))
