"""Energy stored, its rate and its fluctuation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mps_battery.battery import Battery
from mps_battery.checks import must
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
