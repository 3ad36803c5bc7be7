"""What a run can record: the interface of every measurable quantity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from mps_battery.battery import Battery
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS


class Quantity(ABC):
    """Something that a state of a battery has; an entry of `record`."""

    unit: str = "energy"
    """What the numbers are in: energy, energy / time, nats, ... (hbar = k_B = 1)."""

    @abstractmethod
    def axes(self, battery: Battery) -> Mapping[str, list]:
        """Dimension names beyond time and their coordinates; raises InputError where the quantity does not apply."""

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> np.ndarray | float:
        """Values along `axes`."""

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray | float | None:
        """How far the values can be from those of any pure state within a trace distance, along `axes`: a theorem.

        None where there is none: such a quantity gets an estimate. See `mps_battery.measure.bounds` for the tools.

        Args:
            snapshot: A pure state.
            distance: Largest trace distance |rho - rho'|_1 / 2 of the true state, 0 to 1.
        """
        del snapshot, distance
        return None


class TwoTimeQuantity(Quantity):
    """A quantity of two times, <A(t) B(0)>: the run carries B times the start along, as `snapshot.companions[self]`."""

    @abstractmethod
    def companion(self, observables: Observables) -> MPS | Density | None:
        """What evolves beside the state, of any norm or trace; None where the value needs nothing."""
