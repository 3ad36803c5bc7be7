"""Entanglement of the cuts of a pure state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot


@dataclass(frozen=True)
class Entropy(Quantity):
    """Von Neumann entropy of every cut in nats; bond b lies between sites b and b + 1."""

    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cut."""
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """S of every cut."""
        return np.array([snapshot.state.entropy(b) for b in range(len(snapshot.state) - 1)])
