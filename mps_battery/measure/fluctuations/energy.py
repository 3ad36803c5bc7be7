"""Fluctuations of the stored energy between two times [Crescente et al. 2020, New J. Phys. 22, 063057]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.liouville import cooling
from mps_battery.measure.quantity import Quantity, TwoTimeQuantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors import environment, trains
from mps_battery.tensors.density import Density, coordinates, density_sites, functional
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS

Array = np.ndarray

EIGENSTATE = 1e-10
"""Below this part of |H_B psi|, or of |{H_B, rho}|, what is left behind <H_B> counts as rounding."""


def mean(state: MPS | Density, operator: MPO) -> float:
    """<O> of a Hermitian operator, normalised."""
    if isinstance(state, Density):
        return functional(coordinates(operator, density_sites(state.sites)), state.train.tensors).real / state.trace
    return environment.expectation(state.tensors, operator.tensors).real / state.norm**2


def excess(state: MPS | Density, observables: Observables) -> MPS | Density | None:
    """(H_B - <H_B>) psi of a pure state, {H_B - <H_B>, rho} / 2 of a density; None where that vanishes."""
    energy = observables.energy
    train = state.train if isinstance(state, Density) else state
    by = energy.tensors if isinstance(state, MPS) else (-1.0 * cooling(observables.battery.energy)).to_mpo().tensors
    image = trains.apply(by, train.tensors)
    shift = [-mean(state, energy) * train.tensors[0], *train.tensors[1:]]
    rest = trains.compress(trains.add(image, shift), 1e-15, EIGENSTATE * float(np.linalg.norm(image[0])))
    if np.linalg.norm(rest[0]) <= EIGENSTATE * np.linalg.norm(image[0]):
        return None
    left = MPS(train.sites, rest, 0)
    return Density(left) if isinstance(state, Density) else left


@dataclass(frozen=True)
class Xi2(TwoTimeQuantity):
    """Xi^2(t) = <[H_B(t) - H_B(0)]^2> - <H_B(t) - H_B(0)>^2 = V(t) + V(0) - C(t) [review eqs 26, 28].

    V is the energy variance and C(t) = <H_B(t) H_B(0)> + <H_B(0) H_B(t)> - 2 <H_B(t)> <H_B(0)>. The run carries
    |phi> = (H_B - <H_B>) |psi> along from the start, or for a density {H_B - <H_B>, rho} / 2, which gives
    C(t) = 2 Re <psi(t)| H_B |phi(t)>, or 2 tr(H_B phi(t)). From an eigenstate of H_B, C = 0 and nothing is carried;
    there, and from every state that commutes with H_B, Xi^2 is the variance of the two-point work.
    """

    unit = "energy^2"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def companion(self, observables: Observables) -> MPS | Density | None:
        """What H_B makes of the start beyond its mean."""
        return excess(observables.start, observables)

    def measure(self, snapshot: Snapshot) -> float:
        """Xi^2."""
        variances = spread(snapshot) + initial_spread(snapshot)
        beside = snapshot.companions.get(self)
        if beside is None:
            return variances
        energy, state = snapshot.observables.energy, snapshot.state
        if isinstance(state, Density):
            assert isinstance(beside, Density)
            local = density_sites(state.sites)
            return variances - 2 * functional(coordinates(energy, local), beside.train.tensors).real / state.trace
        assert isinstance(beside, MPS)
        cross = environment.expectation(beside.tensors, energy.tensors, state.tensors)
        return variances - 2 * cross.real / snapshot.norm2


@dataclass(frozen=True)
class Sigma2(Quantity):
    """Sigma^2(t) = (sqrt V(t) - sqrt V(0))^2 with V the variance of H_B [review eqs 27, 28]."""

    unit = "energy^2"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """Sigma^2."""
        return (spread(snapshot) ** 0.5 - initial_spread(snapshot) ** 0.5) ** 2


def spread(snapshot: Snapshot) -> float:
    """V(t) = <H_B^2> - <H_B>^2, at least 0."""
    return max(0.0, snapshot.energy_squared - snapshot.energy**2)


def initial_spread(snapshot: Snapshot) -> float:
    """V(0); its root counts in Sigma^2, so that an eigenstate must have none at all."""
    seen, start = snapshot.observables, snapshot.observables.start
    rest = excess(start, seen)
    if rest is None:
        return 0.0
    if isinstance(start, MPS):
        assert isinstance(rest, MPS)
        return (rest.norm / start.norm) ** 2
    return max(0.0, mean(start, seen.energy_squared) - mean(start, seen.energy) ** 2)
