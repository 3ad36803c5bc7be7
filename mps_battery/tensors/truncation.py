"""Truncation of Schmidt spectra, and the ledger that remembers what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mps_battery.checks import must

Array = np.ndarray


@dataclass(frozen=True)
class Truncation:
    """How much of a Schmidt spectrum is kept at every cut.

    Args:
        bond: Largest bond dimension.
        weight: Largest discarded weight of one truncation: the sum of dropped s^2 relative to the total.
    """

    bond: int = 256
    weight: float = 1e-12

    def __post_init__(self) -> None:
        must(isinstance(self.bond, int | np.integer) and self.bond >= 1, "bond", "be an integer of at least 1",
             self.bond)
        must(isinstance(self.weight, int | float) and 0 <= self.weight < 1, "weight", "be at least 0 and below 1",
             self.weight)

    def kept(self, weights: Array, outside: float = 0.0) -> tuple[int, float, bool]:
        """How many of the descending `weights` (s^2) stay.

        Args:
            weights: Of one cut.
            outside: Weight that is lost in any case.

        Returns:
            (count, discarded fraction of the total, whether the cap on the bond discarded more than `weight`).
        """
        ascending = weights[::-1]
        tails = ascending.cumsum() + outside                         # tails[k - 1] = weight lost when k are dropped
        total, n = tails[-1], len(weights)
        drop = int(tails.searchsorted(self.weight * total, "right"))
        # what is lost in rounding is not worth a channel
        drop = min(max(drop, int(ascending.searchsorted(1e-31 * total, "right"))), n - 1)
        count = min(n - drop, self.bond)
        return count, float(tails[n - count - 1] if count < n else outside) / float(total), n - drop > self.bond


FOR_DENSITIES = Truncation(160, 1e-13)
"""The default of densities. Measured on a boundary-driven chain of 32 sites to t = 5, without bars: 27 s for an error
of 4.5e-6 at a step of 0.1, where bond 256, weight 1e-12 and a step of 0.08 take 70 s for 7e-6; see studies/speed."""


@dataclass
class Ledger:
    """What an evolution has cost so far; entries only grow.

    Attributes:
        discarded_weight: Sum of the discarded weights of all truncations.
        state_error: Bound on the norm distance to the untruncated state: losses of one sweep add in squares (they
            are orthogonal projections), sweeps add linearly. Rigorous for unitary gates in a moving centre; in
            Hastings' form an estimate, since the losses are then not exact projections.
        krylov_residual: Sum of the reported residuals of local exponentials.
        max_bond: Largest bond dimension met.
        cap_bound: Number of truncations in which the cap on the bond dropped more than the allowed weight.
        truncations: Number of truncations.
    """

    discarded_weight: float = 0.0
    state_error: float = 0.0
    krylov_residual: float = 0.0
    max_bond: int = 1
    cap_bound: int = 0
    truncations: int = 0
    _sweep: float = field(default=0.0, repr=False)

    def truncated(self, discarded: float, bond: int, capped: bool) -> None:
        """Enter one truncation."""
        self.discarded_weight += discarded
        self._sweep += discarded
        self.max_bond = max(self.max_bond, bond)
        self.cap_bound += capped
        self.truncations += 1

    def end_of_sweep(self) -> None:
        """Close a sweep: its losses are orthogonal to each other."""
        self.state_error += self._sweep**0.5
        self._sweep = 0.0
