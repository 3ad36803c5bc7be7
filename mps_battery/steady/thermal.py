"""Gibbs states: the verb `thermal_state`, by imaginary time on the engine of real time.

d rho / d beta = -{H, rho} / 2 from the identity gives exp(-beta H); in the Hermitian basis that is a real linear map,
so TEBD and TDVP evolve it as they evolve any density. The trace is taken out step by step and its logarithm kept:
ln Z = sum of logarithms, S = beta E + ln Z, F = -ln Z / beta.

By purification [Verstraete, Garcia-Ripoll, Cirac 2004, PRL 93, 207204] the evolution stops at beta / 2: with
X = exp(-beta H / 2) the density is X X+, whose coordinates x of X make the pure state of the doubled system, so that
Z = <x|x> and E = <x| {H, .} / 2 |x> / <x|x>. Half the way, smaller bonds, and a density that is positive until its own
bond is cut; in return X X+ must be multiplied out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from mps_battery.battery import Schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.choose import choose, strength
from mps_battery.evolve.exact import Exact
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.liouville import cooling, superoperators
from mps_battery.tensors import environment
from mps_battery.tensors.density import Density, coordinates, density_sites, functional
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms

Method = TEBD | TDVP | Exact


@dataclass(frozen=True)
class ThermalState:
    """A Gibbs state exp(-beta H) / Z (k_B = 1).

    Attributes:
        state: The density, trace one.
        beta: Inverse temperature.
        energy: tr(H rho).
        log_z: ln Z.
        entropy: Von Neumann entropy, beta E + ln Z, in nats.
        bars: Error bars of energy, log_z and entropy: the difference to a run with twice the step and a hundred times
            the weight (an estimate).
        outcome: What was done, in a sentence.
    """

    state: Density
    beta: float
    energy: float
    log_z: float
    entropy: float
    bars: dict[str, float]
    outcome: str

    @property
    def free_energy(self) -> float:
        """-ln Z / beta."""
        if self.beta == 0:
            raise InputError("Argument `beta` must not be 0 for a free energy, which is then infinite.")
        return -self.log_z / self.beta


def thermal_state(terms: Terms, beta: float | None = None, *, energy: float | None = None,
                  entropy: float | None = None, method: Method | None = None, truncation: Truncation | None = None,
                  bars: bool = True, purified: bool = False) -> ThermalState:
    """The Gibbs state of `terms` at an inverse temperature, or at the one that has a given energy or entropy.

    Args:
        terms: H; Hermitian.
        beta: Inverse temperature; negative ones invert the populations.
        energy: Wanted tr(H rho), in place of beta.
        entropy: Wanted von Neumann entropy in nats, in place of beta; the positive temperature that has it.
        method: TEBD, TDVP or Exact; None lets the engine choose.
        truncation: Default bond 256, weight 1e-18: ln Z adds up what all steps lose.
        bars: Whether a coarser run gives error bars.
        purified: Whether to evolve a purification to beta / 2 and multiply it out: the cheaper way to low temperatures.
    """
    check_terms("terms", terms, hermitian=True)
    given = {"beta": beta, "energy": energy, "entropy": entropy}
    asked = [name for name, value in given.items() if value is not None]
    must(len(asked) == 1, "beta", "be given, or one of `energy` and `entropy` in its place", asked)
    must(number(given[asked[0]]) and np.isfinite(given[asked[0]]), asked[0],  # type: ignore[arg-type]
         "be a finite number", given[asked[0]])
    truncation = truncation if truncation is not None else Truncation(weight=1e-18)
    path = (_PurifiedPath if purified else _Path)(terms, method, truncation)
    if beta is None:
        beta = path.find(asked[0], float(given[asked[0]]))  # type: ignore[arg-type]
    point = path.at(float(beta))
    errors: dict[str, float] = {}
    if bars and not isinstance(path.method, Exact):
        loose = Truncation(max(1, 3 * truncation.bond // 4), min(1e-2, 100 * max(truncation.weight, 1e-16)))
        rough = type(path)(terms, replace(path.method, dt=2 * path.step), loose).at(float(beta))
        # what every step may lose adds up; the energy scale of ln Z and S is beta E
        floor = 0.2 * truncation.weight**0.5 + 1e-13
        errors = {name: 2.0 * abs(getattr(point, name) - getattr(rough, name))
                  + floor * max(abs(getattr(point, name)), abs(point.energy), abs(point.beta * point.energy))
                  for name in ("energy", "log_z", "entropy")}
    state = path.density(point)
    bond = max(state.bonds, default=1)
    how = f"beta = {beta:.10g} by {type(path.method).__name__} in imaginary time" + ", purified" * purified
    how += f", bond {bond}"
    if point.capped:
        how += "; the bond cap bound, so allow a larger bond in Truncation"
    return ThermalState(state, float(beta), point.energy, point.log_z, point.entropy, errors, how + ".")


@dataclass(frozen=True)
class _Point:
    """A Gibbs state on the way."""

    beta: float
    state: Density
    energy: float
    log_z: float
    capped: bool

    @property
    def entropy(self) -> float:
        """beta E + ln Z."""
        return self.beta * self.energy + self.log_z


class _Path:
    """Gibbs states of increasing |beta|, each reached from the one before."""

    def __init__(self, terms: Terms, method: Method | None, truncation: Truncation) -> None:
        self.terms, self.truncation = terms, truncation
        self.method: Method
        chosen, _ = choose(self._schedule(1.0), method, truncation, np.array([0.0, 1.0]))
        if not isinstance(chosen, TEBD | TDVP | Exact):
            raise InputError(f"Argument `method` must be TEBD, TDVP or Exact, but is {type(chosen).__name__}.")
        if method is None and not isinstance(chosen, Exact):
            assert chosen.dt is not None
            chosen = replace(chosen, dt=0.5 * chosen.dt)     # ln Z adds up the errors of all steps
        self.method = chosen
        self.step = float(getattr(chosen, "dt", None) or 1.0)
        self._energy = coordinates(terms.to_mpo(), density_sites(terms.sites))
        mixed = Density.product(terms.sites, "mixed")
        log_z = float(np.sum(np.log([s.d for s in terms.sites])))
        self.points = {1: [self._point(0.0, mixed, log_z, False)]}
        self.points[-1] = list(self.points[1])

    def _schedule(self, sign: float) -> Schedule:
        return superoperators([(sign * cooling(self.terms), None)])

    def _point(self, beta: float, state: Density, log_z: float, capped: bool) -> _Point:
        energy = functional(self._energy, state.train.tensors).real / state.trace
        return _Point(beta, state, energy, log_z, capped)

    def _onward(self, point: _Point, beta: float) -> _Point:
        """From one point to another of larger |beta|."""
        sign = 1.0 if beta > 0 else -1.0
        evolution = self.method.start(point.state, self._schedule(sign), self.truncation)
        evolution.advance(abs(beta - point.beta))
        state = evolution.state
        assert isinstance(state, Density)
        return self._point(beta, state.normalised(), point.log_z + float(np.log(state.trace)),
                           point.capped or evolution.ledger.cap_bound > 0)

    def at(self, beta: float) -> _Point:
        """The Gibbs state at beta, in stretches over which the norm stays moderate."""
        sign = -1 if beta < 0 else 1
        stretch = max(self.step, 2.0 / max(strength(self._schedule(1.0), np.zeros(1)), 1e-300))
        points = self.points[sign]
        while abs(beta) - abs(points[-1].beta) > stretch:
            points.append(self._onward(points[-1], points[-1].beta + sign * stretch))
        before = max((p for p in points if abs(p.beta) <= abs(beta)), key=lambda p: abs(p.beta))
        return before if before.beta == beta else self._onward(before, beta)

    def density(self, point: _Point) -> Density:
        """The density of a point."""
        return point.state

    def find(self, name: str, wanted: float) -> float:
        """The beta at which a quantity that falls with |beta| has a value."""
        start = self.points[1][0]
        if name == "entropy":
            must(0 < wanted < start.entropy, "entropy", f"lie between 0 and that of the identity, {start.entropy:.6g}",
                 wanted)
        sign = -1.0 if name == "energy" and wanted > start.energy else 1.0
        excess: Callable[[float], float] = lambda b: sign * (getattr(self.at(sign * b), name) - wanted)  # noqa: E731
        if excess(0.0) == 0:
            return 0.0
        high = 1.0 / max(strength(self._schedule(1.0), np.zeros(1)), 1e-300)
        last = excess(0.0)
        while (now := excess(high)) > 0:
            if last - now < 1e-9 * abs(wanted) + 1e-300 or high > 1e4:
                raise InputError(f"Argument `{name}` must be reachable by a Gibbs state, but {wanted:g} is not: at "
                                 f"beta = {sign * high:g} it is {getattr(self.at(sign * high), name):.8g}.")
            last, high = now, 2 * high
        return sign * float(brentq(excess, high / 2 if excess(high / 2) > 0 else 0.0, high, xtol=1e-12, rtol=1e-12))


class _PurifiedPath(_Path):
    """Gibbs states at twice the beta of the path, each the square of what the path has there."""

    def __init__(self, terms: Terms, method: Method | None, truncation: Truncation) -> None:
        super().__init__(terms, method, truncation)
        self._half_energy = cooling(terms).to_mpo().tensors              # -{H, .} / 2

    def at(self, beta: float) -> _Point:
        """The Gibbs state at beta from exp(-beta H / 2)."""
        half = super().at(beta / 2)
        x = half.state.train.tensors
        energy = -environment.expectation(x, self._half_energy).real / half.state.train.norm**2
        return _Point(beta, half.state, energy, 2 * half.log_z + float(np.log(half.state.purity)), half.capped)

    def density(self, point: _Point) -> Density:
        """X X+ of the X in a point, multiplied out."""
        return point.state.squared(self.truncation)
