"""Entropies: of the cuts of a pure state; of cuts, blocks and the whole of a density."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, whole
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import entropy_of


@dataclass(frozen=True)
class Entropy(Quantity):
    """Von Neumann entropy of every cut in nats; bond b lies between sites b and b + 1."""

    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cut."""
        if battery.mixed:
            raise InputError("Argument `record` must hold OperatorEntropy, BlockEntropy or Renyi2 for a density, but "
                             "holds Entropy, which is for pure states.")
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """S of every cut."""
        return np.array([snapshot.state.entropy(b) for b in range(len(snapshot.state) - 1)])

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray:
        """T ln(d - 1) - T ln T - (1 - T) ln(1 - T) for the smaller side, of dimension d, of every cut.

        Where T exceeds 1 - 1/d it is ln d [Fannes 1973; Audenaert 2007, J. Phys. A 40, 8127].
        """
        logs = np.log([float(s.d) for s in snapshot.state.sites])
        log_d = np.minimum(np.cumsum(logs)[:-1], np.cumsum(logs[::-1])[-2::-1])
        t = min(distance, 1.0)
        mixing = entropy_of(np.array([t, 1 - t]))
        # ln(d - 1) without d, which may overflow
        return np.where(t > -np.expm1(-log_d), log_d, t * (log_d + np.log1p(-np.exp(-log_d))) + mixing)


class _OfDensities(Quantity):
    """A quantity of density matrices."""

    @staticmethod
    def _density(snapshot: Snapshot) -> Density:
        assert isinstance(snapshot, MixedSnapshot)
        return snapshot.state

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        if not battery.mixed:
            raise InputError(f"Argument `record` must not hold {type(self).__name__} for a pure state: record Entropy.")
        return {}


@dataclass(frozen=True)
class OperatorEntropy(_OfDensities):
    """Entropy, in nats, of the Schmidt values of rho / |rho| as a vector, at every cut; what the bond must hold."""

    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cut."""
        super().axes(battery)
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """One value a cut."""
        return np.array([self._density(snapshot).operator_entropy(b) for b in range(len(snapshot.state) - 1)])


@dataclass(frozen=True)
class Purity(_OfDensities):
    """tr rho^2 / (tr rho)^2."""

    unit = "1"

    def measure(self, snapshot: Snapshot) -> float:
        """The purity."""
        return self._density(snapshot).purity


@dataclass(frozen=True)
class _OfBlocks(_OfDensities):
    """A quantity of the block of sites first..last."""

    first: int
    last: int
    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        must(whole(self.first) and whole(self.last) and 0 <= self.first <= self.last < len(battery.sites), "first",
             f"begin a block first..last within 0 to {len(battery.sites) - 1}", (self.first, self.last))
        return super().axes(battery)


@dataclass(frozen=True)
class BlockEntropy(_OfBlocks):
    """Von Neumann entropy of the block of sites first..last, at most 4096 dimensions.

    Args:
        first: First site.
        last: Last site.
    """

    def measure(self, snapshot: Snapshot) -> float:
        """The entropy."""
        return self._density(snapshot).block_entropy(self.first, self.last)


@dataclass(frozen=True)
class Renyi2(_OfBlocks):
    """-ln tr rho_A^2 of the block A of sites first..last, of any length.

    Args:
        first: First site.
        last: Last site.
    """

    def measure(self, snapshot: Snapshot) -> float:
        """The entropy."""
        return self._density(snapshot).renyi2(self.first, self.last)
