"""Charger against battery: what ties the sites that store to all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.resources.entropies import check_alpha, entropy, mutual_information
from mps_battery.measure.resources.pairs import LARGEST_PARTIES, log_negativity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.mps import check_kept


@dataclass(frozen=True)
class _OfCharger(Quantity):
    """A correlation between the charger, the sites that are no cells, and the cells."""

    unit = "nats"

    @staticmethod
    def _charger(battery: Battery) -> list[int]:
        return [n for n in range(len(battery.sites)) if n not in battery.cells]

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        if not self._charger(battery):
            raise InputError(f"Argument `record` must not hold {type(self).__name__} for a battery all of whose sites "
                             "are cells: it has no charger.")
        return {}


@dataclass(frozen=True)
class ChargerEntropy(_OfCharger):
    """Entanglement entropy between charger and cells of a pure state; see `entropy` for what can be had.

    Args:
        alpha: Rényi index; 1 for von Neumann, 2 where the entanglement is too large for it.
    """

    alpha: float = 1.0

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        check_alpha(self.alpha)
        if battery.mixed:
            raise InputError("Argument `record` must hold ChargerNegativity or ChargerInformation for a density, but "
                             "holds ChargerEntropy, which is for pure states.")
        return super().axes(battery)

    def measure(self, snapshot: Snapshot) -> float:
        """The entropy."""
        return entropy(snapshot.state, self._charger(snapshot.battery), self.alpha)


@dataclass(frozen=True)
class ChargerNegativity(_OfCharger):
    """Logarithmic negativity between charger and cells; densities of at most 1024 dimensions in all."""

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        d = np.prod([float(s.d) for s in battery.sites])
        if battery.mixed and d > LARGEST_PARTIES:
            raise InputError(f"Argument `record` must not hold ChargerNegativity for a density of {d:.3g} dimensions, "
                             f"which are more than {LARGEST_PARTIES}: record ChargerInformation(alpha=2).")
        return super().axes(battery)

    def measure(self, snapshot: Snapshot) -> float:
        """ln |rho^T|_1."""
        return log_negativity(snapshot.state, self._charger(snapshot.battery), list(snapshot.battery.cells))


@dataclass(frozen=True)
class ChargerInformation(_OfCharger):
    """Mutual information between charger and cells, twice their entanglement entropy in pure states.

    In densities it counts classical correlations as well, and alpha = 1 takes at most 4096 dimensions in all. With
    alpha = 2 it is made of purities alone and goes through chains of any length; see `mutual_information`.

    Args:
        alpha: Rényi index.
    """

    alpha: float = 1.0

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        check_alpha(self.alpha)
        if battery.mixed and self.alpha != 2:
            check_kept(range(len(battery.sites)), battery.sites)
        return super().axes(battery)

    def measure(self, snapshot: Snapshot) -> float:
        """S of the charger, plus S of the cells, less S of both."""
        return mutual_information(snapshot.state, self._charger(snapshot.battery), list(snapshot.battery.cells),
                                  self.alpha)
