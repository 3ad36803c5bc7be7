"""Quantum speed limits: how long it takes at least to go from the start to the state at a time.

For closed batteries, with the angle theta = arccos F of the fidelity F to the start (|<start|now>| of pure states):

    theta <= int Delta H dt                                [Mandelstam, Tamm 1945, J. Phys. USSR 9, 249; any H(t)]
    alpha(F^2) <= t min(<H> - E_min, E_max - <H>)          [Margolus, Levitin 1998, Physica D 120, 188; constant H]
    theta <= int ||H|| dt                                  half the width of H(t), which no Delta H exceeds

The last with theta = pi / 2 is eq. 21 of the review (doi 10.7498/aps.75.20251507), <P> = W / t <= 2 W ||H|| / pi.

Its eq. 17, t >= theta / min(<E>, <Delta E>), is the first of these for Delta E. For the mean energy E of eq. 18 it
holds between orthogonal states only: a qubit in a field with an excitation of 0.01 moves ten times faster than that.
What holds there is alpha(F^2) = min over z^2 <= F^2 of (1 + z) / 2 arccos((2 F^2 - 1 - z^2) / (1 - z^2))
[Giovannetti, Lloyd, Maccone 2003, PRA 67, 052109; Hoernedal, Soennerborn 2023, arXiv:2301.10063], and nothing of the
kind for H that depends on time [Hoernedal, Soennerborn 2023, PRA 108, 052421].

With baths the angle is that of the vectors of rho, cos theta = tr(rho_0 rho) / (|rho_0| |rho|), |rho|^2 = tr rho^2,
and the speed that of the vector, |rho'_perp| / |rho| with what is along rho taken out [Campaioli, Pollock, Modi 2019,
Quantum 3, 168].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from mps_battery.battery import Battery, as_schedule
from mps_battery.checks import InputError, must
from mps_battery.measure.flows.norms import NORMS, extremes, half_range
from mps_battery.measure.flows.populations import liouvillian
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors import environment, trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS

Array = np.ndarray


@dataclass(frozen=True)
class Angle(Quantity):
    """The angle theta between the start and the state, from 0 to pi / 2.

    Pure states: arccos |<start|now>|. Closed densities: arccos sqrt(G) with the super-fidelity
    G = tr(rho_0 rho) + sqrt((1 - tr rho_0^2) (1 - tr rho^2)) >= F^2 [Miszczak et al. 2009, QIC 9, 103], at most the
    angle of the fidelity and equal to it for qubits. With jumps: the angle of the vectors.
    """

    unit = "1"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The angle."""
        start, now = snapshot.observables.start, snapshot.state
        if not isinstance(now, Density):
            assert isinstance(start, MPS)
            return _between(start, now)
        assert isinstance(start, Density)
        if snapshot.battery.jumps:
            return _between(start.train, now.train)
        lost = [max(1 - state.purity, 0.0) ** 0.5 for state in (start, now)]
        cosine2 = start.train.overlap(now.train).real / (start.trace * now.trace) + lost[0] * lost[1]
        apart = lost[0] - lost[1] if abs(start.purity - now.purity) > 1e-13 else 0.0
        sine2 = (_distance(start.train, now.train, 1 / start.trace, 1 / now.trace) ** 2 + apart**2) / 2    # 1 - G
        return float(np.arctan2(sine2**0.5, max(cosine2, 0.0) ** 0.5))


def _between(start: MPS, now: MPS) -> float:
    """arccos of the normalised overlap; near one from the distance, since arccos loses half of the digits there."""
    overlap, lengths = start.overlap(now), (start.norm, now.norm)
    cosine = min(abs(overlap) / (lengths[0] * lengths[1]), 1.0)
    if cosine < 0.9:
        return float(np.arccos(cosine))
    phase = overlap / abs(overlap)
    return float(2 * np.arcsin(_distance(start, now, phase / lengths[0], 1 / lengths[1]) / 2))


def _distance(start: MPS, now: MPS, first: complex, second: complex) -> float:
    """|second now - first start|."""
    factors = [(first * start.tensors[0], *start.tensors[1:]), (-second * now.tensors[0], *now.tensors[1:])]
    return trains.norm(trains.add(*factors))


@dataclass(frozen=True)
class Speed(Quantity):
    """The speed that bounds the rate of `Angle`: Delta H of a closed battery, eq. 19 of the review; else |rho'|/|rho|.

    The second is the norm of the part of d rho / dt that is orthogonal to rho, as vectors.
    """

    unit = "1 / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The speed."""
        if not snapshot.battery.jumps:
            mean, square, _ = snapshot.generator_moments
            return max(square - mean**2, 0.0) ** 0.5
        assert isinstance(snapshot, MixedSnapshot)
        r, l = snapshot.state.train.tensors, liouvillian(snapshot)
        length2 = snapshot.state.train.norm ** 2
        moved, along = environment.image_overlap(r, l, l).real, environment.expectation(r, l).real
        return float(max(moved / length2 - (along / length2) ** 2, 0.0) ** 0.5)


@dataclass(frozen=True)
class Strength(Quantity):
    """||H(t)||, half the width of the spectrum of the Hamiltonian that acts: E_max of eq. 21 of the review; no jumps.

    Args:
        norm: "local", a bound by pieces; or "dmrg", an estimate from the extreme states, of every part of a schedule.
    """

    norm: str = "local"
    unit = "energy"

    def __post_init__(self) -> None:
        must(self.norm in NORMS, "norm", "be local or dmrg", self.norm)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        if battery.jumps:
            raise InputError("Argument `record` must not hold Strength for a battery with jumps, whose speed the norm "
                             "of the Hamiltonian does not limit.")
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """Half the width."""
        schedule = as_schedule(snapshot.battery.charging)
        if not schedule.constant and self.norm == "local":
            return half_range(schedule.at(snapshot.time), "local")
        return float(np.abs(snapshot.envelopes) @ snapshot.observables.once(_strengths, self.norm))


def _strengths(observables: Observables, norm: str) -> Array:
    """||H_k|| of every part; of a constant generator all in the first."""
    schedule = as_schedule(observables.battery.charging)
    if schedule.constant:
        return np.r_[half_range(schedule.at(0.0), norm), np.zeros(len(schedule.terms) - 1)]
    return np.array([half_range(h, norm) for h in schedule.terms])


@dataclass(frozen=True)
class Excitation(Quantity):
    """min(<H> - E_min, E_max - <H>), the energy of the Margolus-Levitin limit and its dual; constant H without jumps.

    <H> - E_min alone is eq. 18 of the review; the other side follows by reversing time.

    Args:
        norm: "local", E_min and E_max bounded by pieces, so that the limit holds; or "dmrg", an estimate.
    """

    norm: str = "local"
    unit = "energy"

    def __post_init__(self) -> None:
        must(self.norm in NORMS, "norm", "be local or dmrg", self.norm)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        if battery.jumps or not as_schedule(battery.charging).constant:
            raise InputError("Argument `record` must not hold Excitation for a battery with jumps or a schedule: only "
                             "a constant Hamiltonian has a speed limit by its mean energy.")
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The energy."""
        low, high = snapshot.observables.once(_extremes, self.norm)
        mean = snapshot.generator_moments[0]
        return max(min(mean - low, high - mean), 0.0)


def _extremes(observables: Observables, norm: str) -> tuple[float, float]:
    return extremes(as_schedule(observables.battery.charging).at(0.0), norm)


def margolus_levitin(angle: Array | float) -> Array:
    """alpha(cos^2 angle): the least time, times the energy above the ground state, to turn a state by an angle.

    pi / 2 for orthogonal states and about 0.69 angle^2 for close ones: two levels reach it, and nothing is faster. See
    the module for the formula and its sources.
    """
    angles = np.asarray(angle, dtype=float)
    must(np.all((angles >= 0) & (angles <= np.pi / 2)), "angle", "be from 0 to pi / 2", angle)
    return np.array([_least_action(float(a)) for a in angles.ravel()]).reshape(angles.shape)


def _least_action(angle: float) -> float:
    """min of w arcsin(sin(angle) / sqrt(w (2 - w))) over w = 1 + z from 1 - cos(angle) to 1 + cos(angle)."""
    least, sine = 2 * np.sin(angle / 2) ** 2, np.sin(angle)
    if least == 0:
        return 0.0

    def action(grown: Array | float) -> Array:
        """At w = least exp(grown), which resolves small angles."""
        w = least * np.exp(grown)
        return np.asarray(w * np.arcsin(sine / np.maximum(sine, np.sqrt(np.maximum(w * (2 - w), 0.0)))))

    grid = np.linspace(0, np.log(max(2 - least, least) / least), 65)
    near = int(np.argmin(action(grid)))
    around = grid[max(near - 1, 0)], grid[min(near + 1, 64)] + 1e-300
    found = minimize_scalar(lambda x: float(action(x)), bounds=around, method="bounded", options={"xatol": 1e-10})
    return float(min(found.fun, action(grid[near])))


def speed_limit_time(angle: Array | float, deviation: Array | float, excitation: Array | float | None = None) -> Array:
    """The quantum speed limit time: max(angle / Delta H, alpha / excitation), the corrected eq. 17 of the review.

    Args:
        angle: arccos of the fidelity, see `Angle`.
        deviation: Delta H, its mean over time where H depends on time; see `Speed`.
        excitation: <H> - E_min or E_max - <H> of a constant H, see `Excitation`; None to leave this limit out.

    Returns:
        The least time; infinite where the energy is zero and the angle is not. W over it bounds the mean power.
    """
    angles = np.asarray(angle, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(angles > 0, angles / np.asarray(deviation, dtype=float), 0.0)
        if excitation is not None:
            other = np.where(angles > 0, margolus_levitin(angles) / np.asarray(excitation, dtype=float), 0.0)
            least = np.maximum(least, other)
    return np.asarray(least)
