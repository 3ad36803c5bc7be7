"""Energy stored, its rate and its fluctuation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mps_battery.battery import Battery
from mps_battery.checks import must
from mps_battery.measure import bounds
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

    def bar(self, snapshot: Snapshot, distance: float) -> float:
        """By the width and the standard deviation of H_B."""
        return bounds.of_moments(snapshot.energy, snapshot.energy_squared, snapshot.battery.energy.width, distance)


@dataclass(frozen=True)
class Power(Quantity):
    """d<H_B>/dt = <i [H(t), H_B]> + sum_j <D_j+(H_B)>, from commutators and not from differences.

    Args:
        part: "all", "unitary" (the commutator) or "dissipative" (what the jumps bring).
    """

    part: str = "all"
    unit = "energy / time"

    def __post_init__(self) -> None:
        must(self.part in ("all", "unitary", "dissipative"), "part", "be all, unitary or dissipative", self.part)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The part asked for."""
        unitary, dissipative = snapshot.power_parts
        return {"all": unitary + dissipative, "unitary": unitary, "dissipative": dissipative}[self.part]

    def bar(self, snapshot: Snapshot, distance: float) -> float:
        """By the width and the standard deviation of i [H, H_B]; nothing dissipates in a pure state."""
        if self.part == "dissipative":
            return 0.0
        parts = zip(snapshot.envelopes, snapshot.observables.power_terms, strict=True)
        return float(sum(abs(f) * bounds.of_terms(snapshot, p, distance) for f, p in parts))


@dataclass(frozen=True)
class EnergyVariance(Quantity):
    """<H_B^2> - <H_B>^2."""

    unit = "energy^2"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """<H_B^2> - <H_B>^2."""
        return snapshot.energy_squared - snapshot.energy**2

    def bar(self, snapshot: Snapshot, distance: float) -> float:
        """2 T w D + T^2 w^2, at most w^2 / 4, with the width w and the standard deviation D of H_B.

        D' = min_c |(H_B - c) psi| <= |(H_B - E) psi| <= cos(theta) D + sin(theta) w for the true state psi, and the
        same with the two states exchanged: |D' - D| <= T w. No variance exceeds w^2 / 4 [Popoviciu 1935].
        """
        width = snapshot.battery.energy.width
        variance = max(self.measure(snapshot), 0.0) + 1e-13 * snapshot.energy_squared
        return float(min(width**2 / 4, 2 * distance * width * variance**0.5 + (distance * width) ** 2))
