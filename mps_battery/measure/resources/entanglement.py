"""Entropies and purities along a run: of every cut, every site, a block, the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, whole
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.resources.entropies import check_alpha, entropy, purity, renyi
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import check_kept, entropy_of


@dataclass(frozen=True)
class Entropy(Quantity):
    """Entropy of every cut of a pure state in nats; bond b lies between sites b and b + 1.

    Args:
        alpha: Rényi index; 1 for von Neumann.
    """

    alpha: float = 1.0
    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cut."""
        check_alpha(self.alpha)
        if battery.mixed:
            raise InputError("Argument `record` must hold OperatorEntropy, BlockEntropy or Renyi2 for a density, but "
                             "holds Entropy, which is for pure states.")
        return {"bond": list(range(len(battery.sites) - 1))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """S of every cut."""
        values = snapshot.state.schmidt_values
        weights = np.zeros((len(values), max(map(len, values))))
        for row, s in zip(weights, values, strict=True):
            row[:len(s)] = s**2
        return np.asarray(renyi(weights, self.alpha))

    def bar(self, snapshot: Snapshot, distance: float) -> np.ndarray | None:
        """T ln(d - 1) - T ln T - (1 - T) ln(1 - T) for the smaller side, of dimension d, of every cut.

        Where T exceeds 1 - 1/d it is ln d [Fannes 1973; Audenaert 2007, J. Phys. A 40, 8127].
        """
        if self.alpha != 1:
            return None
        logs = np.log([float(s.d) for s in snapshot.state.sites])
        log_d = np.minimum(np.cumsum(logs)[:-1], np.cumsum(logs[::-1])[-2::-1])
        t = min(distance, 1.0)
        mixing = entropy_of(np.array([t, 1 - t]))
        # ln(d - 1) without d, which may overflow
        return np.where(t > -np.expm1(-log_d), log_d, t * (log_d + np.log1p(-np.exp(-log_d))) + mixing)


@dataclass(frozen=True)
class SiteEntropy(Quantity):
    """Entropy of every site.

    Args:
        alpha: Rényi index; 1 for von Neumann.
    """

    alpha: float = 1.0
    unit = "nats"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a site."""
        check_alpha(self.alpha)
        return {"site": list(range(len(battery.sites)))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """S of every site."""
        return np.array([renyi(np.linalg.eigvalsh(rho), self.alpha) for rho in snapshot.site_densities])


@dataclass(frozen=True)
class SitePurity(Quantity):
    """tr rho_n^2 of every site n: one where it is pure, 1/d where it is maximally mixed."""

    unit = "1"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a site."""
        return {"site": list(range(len(battery.sites)))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """The purities."""
        return np.array([np.linalg.norm(rho) ** 2 for rho in snapshot.site_densities])


@dataclass(frozen=True)
class _OfBlocks(Quantity):
    """A quantity of the block of sites first..last."""

    first: int
    last: int
    unit = "nats"

    @property
    def _sites(self) -> list[int]:
        return list(range(self.first, self.last + 1))

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        must(whole(self.first) and whole(self.last) and 0 <= self.first <= self.last < len(battery.sites), "first",
             f"begin a block first..last within 0 to {len(battery.sites) - 1}", (self.first, self.last))
        return {}


@dataclass(frozen=True)
class BlockEntropy(_OfBlocks):
    """Entropy of the block of sites first..last; in a density of at most 4096 dimensions unless alpha is 2.

    Args:
        first: First site.
        last: Last site.
        alpha: Rényi index; 1 for von Neumann.
    """

    alpha: float = 1.0

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        check_alpha(self.alpha)
        axes = super().axes(battery)
        if battery.mixed and self.alpha != 2:
            check_kept(self._sites, battery.sites)
        return axes

    def measure(self, snapshot: Snapshot) -> float:
        """The entropy."""
        return entropy(snapshot.state, self._sites, self.alpha)


@dataclass(frozen=True)
class Renyi2(_OfBlocks):
    """-ln tr rho_A^2 of the block A of sites first..last, of any length.

    Args:
        first: First site.
        last: Last site.
    """

    def measure(self, snapshot: Snapshot) -> float:
        """The entropy."""
        return entropy(snapshot.state, self._sites, 2.0)


@dataclass(frozen=True)
class BlockPurity(_OfBlocks):
    """tr rho_A^2 of the block A of sites first..last, of any length.

    Args:
        first: First site.
        last: Last site.
    """

    unit = "1"

    def measure(self, snapshot: Snapshot) -> float:
        """The purity."""
        return purity(snapshot.state, self._sites)


class _OfDensities(Quantity):
    """A quantity that only density matrices have."""

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
