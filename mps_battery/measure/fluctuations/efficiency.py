"""The efficiency of a single run: what the battery stores over what the charger gives, both random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from mps_battery.battery import Battery, as_schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.choose import EXACT_DIMENSION, Method
from mps_battery.measure.fluctuations.distribution import Distribution, joint_changes, positive_number, smooth
from mps_battery.measure.fluctuations.two_point import SHARP, Solver, charged, from_level, spectral_range
from mps_battery.measure.fluctuations.work import grid_of_u, propagator, start_matrix
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms, matrix_of

Array = np.ndarray

LARGEST_LADDER = 4096
"""Most levels of a source or a battery that are told apart one by one."""


@dataclass(frozen=True)
class StochasticEfficiency:
    """Efficiency w / q of single runs, w = E_B(after) - E_B(before) stored and q = E_S(before) - E_S(after) drawn.

    Attributes:
        distribution: Of w / q in the runs that draw something, q != 0; normalised to one.
        idle: Probability that nothing is drawn, q = 0, and no efficiency is defined.
        of_means: <w> / <q>, the efficiency of the mean values; infinite where nothing is drawn on average.
    """

    distribution: Distribution
    idle: float
    of_means: float


@dataclass(frozen=True)
class Ladder:
    """The evenly spaced levels of a sum of one-site terms.

    Attributes:
        matrices: The term of every site, (d, d).
        lowest: Lowest level.
        spacing: Distance of neighbours.
        count: Number of levels.
    """

    matrices: list[Array]
    lowest: float
    spacing: float
    count: int

    @property
    def levels(self) -> Array:
        """All levels, ascending."""
        return self.lowest + self.spacing * np.arange(self.count)

    @property
    def angles(self) -> Array:
        """Angles v at which exp(i v S) tells all levels apart, evenly spaced over a turn."""
        return 2 * np.pi / (self.spacing * self.count) * np.arange(self.count)

    def turned(self, state: MPS, angle: float) -> list[Array]:
        """exp(i angle S) |state>."""
        gates = [scipy.linalg.expm(1j * angle * m) for m in self.matrices]
        return [np.tensordot(g, t, (1, 1)).transpose(1, 0, 2) for g, t in zip(gates, state.tensors, strict=True)]

    def populations(self, characteristic: Array) -> Array:
        """P(level) from values at all angles along the last axis."""
        return np.fft.fft(characteristic * np.exp(-1j * self.angles * self.lowest), axis=-1) / self.count


def ladder(terms: Terms) -> Ladder | None:
    """The levels of `terms`, where these act on one site each and all levels lie on one even ladder."""
    matrices = [np.zeros((s.d, s.d), dtype=complex) for s in terms.sites]
    constant = 0.0
    for product, c in terms.products:
        if len(product) > 1:
            return None
        if product:
            ((n, o),) = product
            matrices[n] += c * matrix_of(o)
        else:
            constant = c.real
    matrices[0] += constant * np.eye(len(matrices[0]))
    levels = [np.linalg.eigvalsh(m) for m in matrices]
    gaps = np.concatenate([e - e[0] for e in levels])
    width = float(sum(e[-1] - e[0] for e in levels))
    spacing = _common_measure(gaps[gaps > 1e-9 * max(width, 1e-300)])
    if not spacing or width / spacing > LARGEST_LADDER:
        return None
    return Ladder(matrices, float(sum(e[0] for e in levels)), spacing, round(width / spacing) + 1)


def _common_measure(gaps: Array) -> float:
    """The largest number of which all gaps are multiples, 0 where there are none, by Euclid's algorithm."""
    measure = 0.0
    for gap in gaps:
        a, b = float(gap), measure
        while b > 1e-7 * float(gaps.max()):
            a, b = b, abs(a - round(a / b) * b)
        measure = a
    return measure


def stochastic_efficiency(battery: Battery, source: Terms, time: float, *, begin: float = 0.0,
                          width: float | None = None, method: Method | None = None,
                          truncation: Truncation | None = None) -> StochasticEfficiency:
    """The distribution of the efficiency of single runs, by measuring battery and charger before and after.

    Both energies are measured before and after charging; their joint distribution comes from
    G(u, v) = <exp(iu [E_B(t) - E_B(0)]) exp(-iv [E_S(t) - E_S(0)])>, evolved in u and, since the levels of the source
    form a ladder, summed over a turn in v. A battery whose levels form a ladder too is exact in both; an interacting
    one is smoothed. Without `method`, systems of up to 1024 dimensions are done densely, from any start and source.
    No bar is given: a smaller weight in `truncation` shows what it changes.

    Args:
        battery: What is charged; no jumps. On trains it starts from a common eigenstate of both energies.
        source: Energy of what charges, such as the photons of a cavity; commutes with `battery.energy`. On trains a sum
            of one-site terms with evenly spaced levels.
        time: End of the charging.
        begin: Its begin.
        width: Standard deviation of the Gaussian that smooths w where the battery interacts; half of that of w unless
            given.
        method: TEBD, TDVP or Exact for the evolutions.
        truncation: Default bond 256, weight 1e-12.
    """
    check_terms("source", source, hermitian=True)
    must(source.sites == battery.sites, "source", "live on the sites of the battery", source)
    if not source.commutator(battery.energy).vanishes(1e-10 * max(source.largest * battery.energy.largest, 1e-300)):
        raise InputError("Argument `source` must commute with the energy of the battery, or the two could not be "
                         "measured together.")
    must(number(time) and np.isfinite(time) and time >= begin, "time", "be a finite number, not before `begin`",
         time)
    if width is not None:
        positive_number("width", width)
    must(not battery.jumps, "battery", "have no jumps: its charger is part of the chain", battery.name)
    dimension = float(np.prod([float(s.d) for s in battery.sites]))
    if method is None and dimension <= EXACT_DIMENSION:
        energies = [battery.energy.to_dense(), source.to_dense()]
        (stored, lost), joint = joint_changes(start_matrix(battery, energies[0]), energies,
                                              propagator(battery, begin, time))
        return _efficiency(stored.ravel(), -lost.ravel(), joint.ravel(), 0.0, spectral_range(source))
    rungs, start = ladder(source), battery.initial_state()
    if rungs is None or battery.mixed:
        raise InputError("Argument `source` must be a sum of one-site terms with evenly spaced levels, and the start "
                         f"pure, where the chain has more than {EXACT_DIMENSION} dimensions or a method is given.")
    solver = Solver(method, truncation if truncation is not None else Truncation())
    return _on_trains(battery, rungs, _level(start, source) - rungs.levels, begin, time, width, solver)


def _level(start: MPS | Density, terms: Terms) -> float:
    """The eigenvalue of a start that must be an eigenstate."""
    assert isinstance(start, MPS)
    _, spread = from_level(start, terms)
    if spread > SHARP * terms.largest:
        raise InputError(f"Argument `battery` must start from an eigenstate of its energy and of `source`, but spreads "
                         f"by {spread:.3g}: above {EXACT_DIMENSION} dimensions nothing else is done.")
    return start.expect(terms).real


def _on_trains(battery: Battery, rungs: Ladder, drawn: Array, begin: float, time: float, width: float | None,
               solver: Solver) -> StochasticEfficiency:
    """From trains: G at every u and all angles of the source, then populations of the source, then of the battery."""
    start = battery.initial_state()
    empty = _level(start, battery.energy)
    own = ladder(battery.energy)
    if own is not None:
        psi = solver.carry(start, as_schedule(battery.charging), begin, time)   # type: ignore[arg-type]
        g = np.array([_over_a_turn(psi.tensors, MPS(psi.sites, own.turned(psi, u)), rungs) for u in own.angles])
        joint = own.populations(rungs.populations(g).T).real                    # source level, battery level
        q, w = np.meshgrid(drawn, own.levels - empty, indexing="ij")
        return _efficiency(w.ravel(), q.ravel(), joint.ravel(), 0.0, rungs.spacing)
    picture = charged(battery, battery.energy, begin, time, None, None, solver)
    moments = picture.moments()
    width, u = grid_of_u(moments, spectral_range(battery.energy), width, 0.0)
    g = np.array([_over_a_turn(bra.tensors, ket, rungs) for bra, ket in picture.pairs(u, width, solver)])
    levels = rungs.populations(g)
    if width == 0:
        return _efficiency(np.full(rungs.count, moments[0]), drawn, levels[0].real, 0.0, rungs.spacing)
    shown = [smooth(u, levels[:, k], moments[0], width) for k in range(rungs.count)]
    w, joint = np.array([s.values for s in shown]), np.array([s.weights for s in shown])
    q = np.repeat(drawn[:, None], w.shape[1], 1)
    return _efficiency(w.ravel(), q.ravel(), joint.ravel(), width, rungs.spacing)


def _over_a_turn(bra: Sequence[Array], ket: MPS, rungs: Ladder) -> Array:
    """<bra| exp(i v S) |ket> at all angles."""
    return np.array([trains.overlap(bra, rungs.turned(ket, v)) for v in rungs.angles])


def _efficiency(stored: Array, drawn: Array, joint: Array, width: float, scale: float) -> StochasticEfficiency:
    """Joint probabilities of what is stored and drawn, sorted by their ratio; `width` smooths what is stored."""
    total = float(joint.sum())
    given = np.abs(drawn) > 1e-8 * scale
    p = joint[given] / total
    idle, active = 1.0 - float(p.sum()), float(p.sum())
    mean_drawn = float(drawn @ joint) / total
    of_means = float(stored @ joint) / total / mean_drawn if abs(mean_drawn) > 1e-12 * scale else np.inf
    if active < 1e-12:
        return StochasticEfficiency(Distribution(np.zeros(0), np.zeros(0)), idle, of_means)
    ratio, p = stored[given] / drawn[given], p / active
    if width == 0:
        return StochasticEfficiency(Distribution.of_atoms(ratio, p), max(idle, 0.0), of_means)
    order = np.argsort(ratio)
    spread = float(np.sqrt(p @ (width / drawn[given]) ** 2))
    return StochasticEfficiency(Distribution(ratio[order], p[order], spread), max(idle, 0.0), of_means)
