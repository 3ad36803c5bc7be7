"""What an optimisation over unitaries returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Extremum:
    """The best value that was found, and how much better the true one can be at most.

    Attributes:
        value: What the unitaries below reach.
        bound: No unitary of the class reaches more: value <= true extremum <= bound.
        unitaries: The unitaries that reach `value`, one a site or block in their order.
    """

    value: float
    bound: float
    unitaries: tuple[np.ndarray, ...] = ()

    @property
    def gap(self) -> float:
        """How far the value can be from the extremum at most."""
        return self.bound - self.value

    def __add__(self, other: Extremum) -> Extremum:
        """The sum of two extrema, as of ergotropy and antiergotropy; the unitaries of the first come first."""
        return Extremum(self.value + other.value, self.bound + other.bound, self.unitaries + other.unitaries)
