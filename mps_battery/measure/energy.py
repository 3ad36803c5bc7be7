"""Energy stored, its rate and its fluctuation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mps_battery.battery import Battery
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot


@dataclass(frozen=True)
class Energy(Quantity):
    """<H_B>; a run records it relative to its first time."""

    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """<H_B>."""
        return snapshot.energy


@dataclass(frozen=True)
class Power(Quantity):
    """d<H_B>/dt = <i [H(t), H_B]>, from the commutator and not from differences."""

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """sum_k f_k(t) <i [H_k, H_B]>."""
        powers = snapshot.observables.powers
        return float(sum(f * snapshot.expect(p) for f, p in zip(snapshot.envelopes, powers, strict=True)))


@dataclass(frozen=True)
class EnergyVariance(Quantity):
    """<H_B^2> - <H_B>^2."""

    unit = "energy^2"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """<H_B^2> - <H_B>^2."""
        return snapshot.expect(snapshot.observables.energy_squared) - snapshot.energy**2
