"""Statistics of the work of charging, by measuring the energy before and after."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.integrate import solve_ivp

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.choose import EXACT_DIMENSION, Method
from mps_battery.evolve.exact import Exact
from mps_battery.measure.fluctuations.distribution import Distribution, positive_number, smooth, two_point_distribution
from mps_battery.measure.fluctuations.two_point import Solver, charged, spectral_range
from mps_battery.tensors.density import Density
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms

Array = np.ndarray

SAFETY = 2.0
"""Factor between the difference to a rougher run and a bar."""
ROUNDING = 1e-13
"""Error of G that neither run shows."""
TAILS = 12.0
"""How many standard deviations of the work the period holds, where the levels do not end before."""


@dataclass(frozen=True)
class WorkStatistics:
    """What two measurements of the energy say about the work of charging, w = E_m(after) - E_n(before).

    Attributes:
        mean: <w>.
        variance: <w^2> - <w>^2.
        third: Third central moment.
        fourth: Fourth central moment.
        bars: Error bars of these four (estimates, from a run with twice the step and a hundred times the weight).
        u: Even grid from 0.
        characteristic: G(u) = <exp(i u w)>; with a first measurement of finite resolution, its noise included.
        errors: Error bar of G at every u.
        width: Finest Gaussian, in standard deviations, that the grid resolves a distribution with.
        blur: Resolution of the first measurement; 0 for a sharp one.
        atoms: The exact values and probabilities, where the system is small.
        outcome: What was done, in a sentence.
    """

    mean: float
    variance: float
    third: float
    fourth: float
    bars: dict[str, float]
    u: Array
    characteristic: Array
    errors: Array
    width: float
    blur: float
    atoms: Distribution | None
    outcome: str
    _rough: Array | None = field(default=None, repr=False)

    def distribution(self, width: float | None = None) -> Distribution:
        """P(w): exact where `atoms` are known and no width is asked for, else smoothed by a Gaussian.

        Args:
            width: Standard deviation of the Gaussian, at least the attribute `width`, which is the default.
        """
        if width is None and self.atoms is not None:
            return self.atoms
        width = self.width if width is None else self._checked(width)
        if width == 0:
            return Distribution(np.array([self.mean]), np.ones(1))
        return smooth(self.u, self.characteristic, self.mean, width, self.blur)

    def exponential(self, beta: float, width: float | None = None) -> tuple[float, float]:
        """<exp(-beta w)> from the computed distribution, and its error bar (an estimate).

        The Gaussian of standard deviation s that smooths the distribution is divided out as exp(beta^2 s^2 / 2). Values
        below which the distribution does not stand out of its error are left out: the bar holds what they could add,
        if the distribution falls on as it does there, and is infinite where it falls too slowly for that.

        Args:
            beta: Inverse temperature; Jarzynski's equality says 1 for cyclic charging from the Gibbs state of beta
                [Jarzynski 1997, PRL 78, 2690].
            width: Standard deviation of the Gaussian; three quarters of that of the work unless given.
        """
        must(number(beta) and np.isfinite(beta), "beta", "be a finite number", beta)
        if self.atoms is not None:
            value = float(self.atoms.weights @ np.exp(-beta * self.atoms.values))
            return value, ROUNDING * value * len(self.u)
        if self.width == 0:
            return float(np.exp(-beta * self.mean)), 0.0
        width = max(self.width, 0.75 * self.variance**0.5) if width is None else self._checked(width)
        fine = smooth(self.u, self.characteristic, self.mean, width, self.blur)
        rough = fine if self._rough is None else smooth(self.u, self._rough, self.mean, width, self.blur)
        p, step = fine.weights, fine.values[1] - fine.values[0]
        noise = ROUNDING * len(self.u) ** 0.5 * (self.u[1] - self.u[0]) / np.pi * step
        reach = 1 + int(np.ceil(width / step))
        apart = np.abs(p - rough.weights)
        apart = np.max([np.roll(apart, k) for k in range(-reach, reach + 1)], axis=0) + noise
        # 1. the values of the side that counts, from the middle to where the distribution drowns
        outward = np.arange(len(p) // 2, -1, -1) if beta > 0 else np.arange(len(p) // 2, len(p))
        drowned = np.flatnonzero(p[outward] <= 3 * apart[outward])
        end = max(1, int(drowned[0])) if len(drowned) else len(outward)
        cut = outward[end - 1]
        kept = fine.values >= fine.values[cut] if beta > 0 else fine.values <= fine.values[cut]
        tilt = np.exp(-beta * fine.values - 0.5 * (beta * width) ** 2)
        value = float(p[kept] @ tilt[kept])
        # 2. what lies beyond, what the rougher run says, and noise
        steps = min(reach, end - 1)
        fall = np.log(p[outward[end - 1 - steps]] / p[cut]) / max(steps, 1) - abs(beta) * step
        beyond = p[cut] * tilt[cut] / np.expm1(fall) if fall > 0 else np.inf
        apart_value = SAFETY * abs(value - float(rough.weights[kept] @ tilt[kept]))
        return value, float(apart_value + beyond + noise * tilt[kept].sum())

    def _checked(self, width: float) -> float:
        positive_number("width", width)
        must(width >= self.width * (1 - 1e-12), "width", f"be at least {self.width:.4g}, what the grid of u resolves "
             "(ask work_statistics for less)", width)
        return float(width)


def work_statistics(battery: Battery, time: float, *, begin: float = 0.0, beta: float | None = None,
                    energy: Terms | None = None, resolution: float | None = None, width: float | None = None,
                    method: Method | None = None, truncation: Truncation | None = None, bars: bool = True
                    ) -> WorkStatistics:
    """Statistics of the work that charging from `begin` to `time` does, by measuring the energy at both.

    The characteristic function G(u) = tr[U+ exp(iuH) U exp(-iuH) rho] comes from two evolutions under the measured
    energy (see `two_point`); its Fourier transform is the distribution, its derivatives at 0 the moments, which are
    taken from the operators themselves. Without `method`, systems of up to 1024 dimensions are done densely.

    Args:
        battery: What is charged; no jumps.
        time: End of the charging.
        begin: Its begin, where the battery is empty.
        beta: Inverse temperature of a Gibbs start exp(-beta H) / Z of the measured energy, in place of `empty`.
        energy: H, measured before and after; `battery.energy` unless given, and then to hold the charger's as well.
        resolution: Standard deviation of the first measurement, for a pure start that is no eigenstate of H. Coherence
            between levels E and E' is left as exp(-(E - E')^2 / 8 s^2): small against the level spacing, the
            measurement is projective; small ones cost bond.
        width: Finest Gaussian to resolve the distribution with; half the standard deviation of the work, and no
            less than `resolution`, unless given.
        method: TEBD, TDVP or Exact for the evolutions.
        truncation: Default bond 256, weight 1e-12.
        bars: Whether a rougher run gives error bars.
    """
    energy = battery.energy if energy is None else check_terms("energy", energy, hermitian=True)
    must(energy.sites == battery.sites, "energy", "live on the sites of the battery", energy)
    must(number(begin) and number(time) and np.isfinite(time) and time >= begin, "time",
         "be a finite number, not before `begin`", time)
    must(beta is None or (number(beta) and np.isfinite(beta)), "beta", "be a finite number", beta)
    for name, value in (("resolution", resolution), ("width", width)):
        if value is not None:
            positive_number(name, value)
    dimension = float(np.prod([float(s.d) for s in battery.sites]))
    if method is None and resolution is None and dimension <= EXACT_DIMENSION:
        return _dense(battery, energy, begin, time, beta, width)
    truncation = truncation if truncation is not None else Truncation()
    solver = Solver(method, truncation)
    picture = charged(battery, energy, begin, time, beta, resolution, solver)
    moments = picture.moments()
    width, u = grid_of_u(moments, spectral_range(energy), width, picture.blur)
    g = picture.characteristic(u, width, solver)
    rough_g, errors = None, ROUNDING + picture.spread * u
    moment_bars: dict[str, float] = {}
    if bars and not isinstance(method, Exact):
        other = Solver(method, truncation, rough=True)
        rough = charged(battery, energy, begin, time, beta, resolution, other)
        rough_g = rough.characteristic(u, width, other)
        errors = errors + SAFETY * np.maximum.accumulate(np.abs(g - rough_g))
        moment_bars = _moment_bars(moments, rough.moments(), picture.spread)
    how = f"Work between t = {begin:g} and {time:g} from trains of bond {solver.max_bond}, at {len(u)} values of u"
    if solver.capped:
        how += "; the bond cap bound, so allow a larger bond in Truncation"
    return WorkStatistics(*moments, moment_bars, u, g, errors, width, picture.blur, None, how + ".", rough_g)


def _moment_bars(moments: tuple[float, ...], others: tuple[float, ...], spread: float) -> dict[str, float]:
    """Bars of mean, variance, third and fourth moment from a rougher run, and from a start that is no level sharply."""
    deviation = abs(moments[1]) ** 0.5
    bars = {}
    for k, name in enumerate(("mean", "variance", "third", "fourth"), start=1):
        bars[name] = SAFETY * abs(moments[k - 1] - others[k - 1]) + 1e-12 * deviation**k
        bars[name] += k * spread * deviation ** (k - 1)
    return bars


def grid_of_u(moments: tuple[float, float, float, float], levels: float, width: float | None, blur: float
              ) -> tuple[float, Array]:
    """The finest Gaussian and the grid of u: its step from the range of the work, its end from the Gaussian."""
    mean, variance = moments[0], max(moments[1], 0.0)
    if variance <= 1e-18 * levels**2:
        return 0.0, np.zeros(1)
    width = max(blur, 0.5 * variance**0.5) if width is None else width
    must(width >= blur, "width", f"be at least the resolution of the first measurement, {blur:g}", width)
    reach = min(levels + abs(mean), TAILS * (variance + width**2) ** 0.5) + 6 * width
    count = int(np.ceil(6.5 * reach / (np.pi * width)))    # 1e-9 is left of the Gaussian at the end
    return width, np.pi / reach * np.arange(count + 1)


def _dense(battery: Battery, energy: Terms, begin: float, time: float, beta: float | None, width: float | None
           ) -> WorkStatistics:
    """All of it from matrices, with projective measurements."""
    if battery.jumps:
        raise InputError("Argument `battery` must have no jumps for work by two measurements, which counts what a "
                         "unitary brings: for what jumps bring see `heat_cumulants` and `heat_distribution`.")
    h = energy.to_dense()
    atoms = two_point_distribution(start_matrix(battery, h, beta), h, propagator(battery, begin, time))
    mean = atoms.mean
    second, third, fourth = (float((atoms.values - mean) ** k @ atoms.weights) for k in (2, 3, 4))
    moments = mean, second, third, fourth
    width, u = grid_of_u(moments, spectral_range(energy), width, 0.0)
    how = f"Work between t = {begin:g} and {time:g} from matrices: {len(atoms.values)} values."
    return WorkStatistics(*moments, _moment_bars(moments, moments, 0.0), u, atoms.characteristic(u),
                          np.full(len(u), ROUNDING), width, 0.0, atoms, how)


def start_matrix(battery: Battery, energy: Array, beta: float | None = None) -> Array:
    """The start as a matrix: of the battery, or the Gibbs state of an energy."""
    if beta is not None:
        e, v = np.linalg.eigh(energy)
        weights = np.exp(-beta * e - np.max(-beta * e))
        return (v * (weights / weights.sum())) @ v.conj().T
    start = battery.initial_state()
    if isinstance(start, Density):
        return start.to_dense() / start.trace
    psi = start.to_dense()
    return np.outer(psi, psi.conj()) / np.linalg.norm(psi) ** 2


def propagator(battery: Battery, begin: float, end: float) -> Array:
    """U of the charging as a matrix."""
    schedule: Schedule = as_schedule(battery.charging)
    if schedule.constant:
        e, v = np.linalg.eigh(schedule.at(begin).to_dense())
        return (v * np.exp(-1j * e * (end - begin))) @ v.conj().T
    parts = [h.to_sparse() for h in schedule.terms]
    size = parts[0].shape[0]

    def slope(t: float, flat: Array) -> Array:
        u = flat.reshape(size, size)
        return sum(-1j * f * (h @ u) for f, h in zip(schedule.values(t), parts, strict=True)).ravel()

    out = solve_ivp(slope, (begin, end), np.eye(size, dtype=complex).ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
    u, _, v = np.linalg.svd(out.y[:, -1].reshape(size, size))
    return u @ v
