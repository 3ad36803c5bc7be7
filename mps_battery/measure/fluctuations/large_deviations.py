"""Counting over long times: <exp(-s Q)> grows as exp(lambda(s) t), and lambda generates the cumulants of Q a time.

lambda(s) is the eigenvalue of largest real part of the tilted generator L(s) = L + sum_k (exp(-s q_k) - 1) L_k . L_k+
[Esposito et al. 2009, RMP 81, 1665; Garrahan, Lesanovsky 2010, PRL 104, 160601]. For real s the map exp(t L(s)) is
completely positive, so lambda is real, its eigenvectors are positive, and it is at most the largest eigenvalue of
K = L(s)+(1) = sum_k (exp(-s q_k) - 1) L_k+ L_k, the rate at which the trace grows.

Small chains: shifted to that bound, the eigenvalue wanted is the nearest one, which inverse iteration finds. Long ones:
the right eigenvector r and the left one l are evolved until they settle, and lambda = <l|L(s)|r> / <l|r>, whose error
is the product of the errors of the two over their overlap. The overlap is large where a flow is counted at both of its
ends, as the entropy is: on 12 dephased cells, near the root of lambda, 0.8 instead of 1e-4 for the charge at one end.

Where every jump has its reverse, lambda(s) = lambda(A - s) with the affinity A: beta_cold - beta_hot for the heat that
comes in from the hot bath, and 1 for the entropy [Gallavotti, Cohen 1995, PRL 74, 2694; Lebowitz, Spohn 1999, J. Stat.
Phys. 95, 333]. Where detailed balance is broken, as by strong coupling, the nonzero root of lambda still makes
<exp(-A Q)> stay of order one: the effective affinity, in place of the difference of the inverse temperatures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg
from scipy.optimize import brentq

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, number, whole
from mps_battery.evolve.choose import strength
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.liouville import superoperators
from mps_battery.measure.fluctuations.heat import SAFETY, Counted, Counting, field, quanta
from mps_battery.tensors import environment
from mps_battery.tensors.density import Density
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms

Array = np.ndarray

DENSE_LIMIT = 4**6
"""Up to this dimension of the density as a vector the eigenvalue is found by factorisation."""
STEPS, LOOKS = 20, 400
"""Steps between two looks at the eigenvalue, and the largest number of looks."""


@dataclass(frozen=True)
class Scaled:
    """Values with bars (estimates; rounding where the chain is small)."""

    values: Array
    bars: Array


def scaled_generating_function(battery: Battery, fields: Sequence[float] | Array, counted: Counted = "heat", *,
                               bath: str | None = None, truncation: Truncation | None = None, tolerance: float = 1e-8
                               ) -> Scaled:
    """lambda(s) = lim ln <exp(-s Q)> / t for real counting fields s.

    Args:
        battery: An open battery with constant Hamiltonian and rates.
        fields: s.
        counted: What an event brings in; see `quanta`.
        bath: Count one bath only.
        truncation: For chains of more than 4096 dimensions of the density: default bond 48, weight 1e-14.
        tolerance: For these, the change of lambda between two looks, relative to the strength of the generator, at
            which the eigenvectors count as settled.

    Returns:
        lambda, one a field; bars of long chains come from three quarters of the bond and twice the step.
    """
    spectrum = _Spectrum(battery, counted, bath, truncation, tolerance)
    s = np.asarray(fields)
    must(s.ndim == 1 and s.size and s.dtype.kind in "biuf" and bool(np.all(np.isfinite(s))), "fields",
         "be a list of finite real numbers", fields)
    found = {float(x): spectrum.at(float(x)) for x in sorted(s, key=abs)}
    return Scaled(*np.array([found[float(x)] for x in s]).T)


def scaled_cumulants(battery: Battery, counted: Counted = "heat", *, bath: str | None = None, order: int = 2,
                     step: float = 0.1, truncation: Truncation | None = None, tolerance: float = 1e-8) -> Scaled:
    """Cumulants of Q a time over long times: the mean current, its noise, and higher ones, (-d/ds)^n lambda at 0.

    Central differences over s = -3 h .. 3 h, of sixth order for the mean and the noise; the bar is the distance to
    the five-point ones plus what the bars of lambda make of the differences.

    Args:
        battery: An open battery with constant Hamiltonian and rates.
        counted: What an event brings in; see `quanta`.
        bath: Count one bath only.
        order: Highest cumulant, at most 4.
        step: h times the largest quantum.
        truncation: As for `scaled_generating_function`.
        tolerance: As for `scaled_generating_function`.
    """
    must(whole(order) and 1 <= order <= 4, "order", "be an integer from 1 to 4", order)
    must(number(step) and step > 0, "step", "be a positive number", step)
    h = step / float(np.abs(quanta(battery, counted, bath)).max() or 1.0)
    places = np.arange(-3, 4)
    given = scaled_generating_function(battery, h * places, counted, bath=bath, truncation=truncation,
                                       tolerance=tolerance)
    values, bars = [], []
    for n in range(1, order + 1):
        fine, rough = _differences(places, n), _differences(places[1:-1], n)
        values.append(fine @ given.values / (-h) ** n)
        bars.append((abs(fine @ given.values - rough @ given.values[1:-1]) + np.abs(fine) @ given.bars) / h**n)
    return Scaled(np.array(values), np.array(bars))


def _differences(places: Array, n: int) -> Array:
    """Weights of the n-th derivative at 0 from values at integer places."""
    powers = np.vander(places, increasing=True).T.astype(float)
    return np.linalg.solve(powers, np.eye(len(places))[n] * float(np.prod(np.arange(1, n + 1))))


def effective_affinity(battery: Battery, counted: Counted = "heat", *, bath: str | None = None,
                       truncation: Truncation | None = None, tolerance: float = 1e-8) -> tuple[float, float]:
    """The nonzero root A of lambda, at which the integral fluctuation theorem <exp(-A Q)> ~ 1 holds, and its bar.

    With Davies jumps and Q the heat from one of two baths it is the difference of the inverse temperatures. Where
    coupling is strong this effective difference stands in its place: heat flows as between baths of other temperatures
    [cf. the generalised fluctuation theorem of Phys. Rev. Lett. 133, 050401 (2024)].

    Args:
        battery: An open battery with constant Hamiltonian and rates, in which Q can come and go.
        counted: What an event brings in; see `quanta`.
        bath: Count one bath only.
        truncation: As for `scaled_generating_function`.
        tolerance: As for `scaled_generating_function`.
    """
    spectrum = _Spectrum(battery, counted, bath, truncation, tolerance)
    h = 0.1 / float(np.abs(spectrum.quanta).max())
    (down, below), (up, above) = spectrum.at(-h), spectrum.at(h)
    must(up + down > below + above, "counted", "be something that fluctuates over long times", counted)
    guess, doubt = (h * x / (up + down) for x in (down - up, below + above))   # the root of the parabola through 0, +-h
    if abs(guess) <= doubt:
        return 0.0, doubt
    value: Callable[[float], float] = lambda s: spectrum.at(s)[0]  # noqa: E731
    near, far = 0.5 * guess, 1.5 * guess                         # lambda is convex, and below zero between its roots
    while value(near) > 0:
        near /= 2
    while value(far) < 0:
        near, far = far, 1.5 * far
        if abs(far) * float(np.abs(spectrum.quanta).max()) > 100:
            raise InputError("Argument `counted` must be something that can flow both ways for an affinity, but "
                             "<exp(-s Q)> falls with s: one direction has no reverse.")
    root = float(brentq(value, near, far, xtol=1e-12, rtol=1e-12))
    slope = (value(1.01 * root) - value(0.99 * root)) / (0.02 * root)
    return root, spectrum.at(root)[1] / abs(slope) + 1e-11 * abs(root)


class _Spectrum:
    """lambda(s) of one battery; eigenvectors of long chains start from those of the nearest field known."""

    def __init__(self, battery: Battery, counted: Counted, bath: str | None, truncation: Truncation | None,
                 tolerance: float) -> None:
        if not isinstance(battery, Battery):
            raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
        self.battery, self.quanta = battery, quanta(battery, counted, bath)
        must(bool(np.any(self.quanta)), "counted", "be brought in by at least one jump", counted)
        self.counting = Counting(battery, self.quanta)
        must(self.counting.local.constant, "battery", "have a constant Hamiltonian and constant rates", battery.name)
        must(truncation is None or isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
        must(number(tolerance) and 0 < tolerance < 1, "tolerance", "be a number between 0 and 1", tolerance)
        self.truncation, self.tolerance = truncation or Truncation(48, 1e-14), tolerance
        self._known: dict[float, tuple[float, float]] = {0.0: (0.0, 0.0)}
        mixed = Density.product(battery.sites, "mixed")
        self._vectors = {0.0: (mixed, mixed)}

    def at(self, s: float) -> tuple[float, float]:
        """(lambda, bar)."""
        if s not in self._known:
            dimension = float(np.prod([float(x.d) ** 2 for x in self.battery.sites]))
            self._known[s] = self._factorised(s) if dimension <= DENSE_LIMIT else self._relaxed(s)
        return self._known[s]

    @cached_property
    def _matrices(self) -> tuple[sp.csc_matrix, list[tuple[float, sp.csc_matrix]]]:
        """The Liouvillian, and (q, rho -> L rho L+) summed over all jumps that bring in q."""
        whole = sum(terms.to_sparse() for terms in self.counting.local.terms).real.tocsc()
        return whole, [(q, terms.to_sparse().real.tocsc()) for q, terms, _ in self.counting.events]

    def _factorised(self, s: float) -> tuple[float, float]:
        """The eigenvalue nearest to the bound of lambda from above."""
        whole, events = self._matrices
        matrix = whole + sum(np.expm1(-s * q) * m for q, m in events)
        # tr L(s)(rho) = tr(K rho): the row that belongs to the trace holds the coordinates of K
        row = MPS.from_dense(self.counting.local.sites, matrix[0].toarray().ravel())
        bound = np.linalg.eigvalsh(Density(row).to_dense())[-1] * matrix.shape[0] ** 0.25
        scale = float(scipy.sparse.linalg.norm(matrix, np.inf))
        found = scipy.sparse.linalg.eigs(matrix, k=1, sigma=bound + 1e-3 * scale, v0=np.eye(matrix.shape[0])[0], tol=0,
                                         return_eigenvectors=False)
        return float(found[0].real), 1e-13 * scale

    def _relaxed(self, s: float) -> tuple[float, float]:
        """Both eigenvectors evolved until lambda settles, in steps of second order.

        Their errors, of second order in the step each, multiply in lambda, so that two steps extrapolate to zero with
        an error of fourth order; the last quarter of the bond comes last and makes the bar.
        """
        total = Terms(self.counting.local.sites)
        for terms in self.counting.generator(field(s)).terms:
            total += terms
        mpo = total.to_mpo()
        right, left = self._vectors[min(self._vectors, key=lambda x: abs(x - s))]
        forward, backward = superoperators([(total, None)]), superoperators([(total.adjoint(), None)])
        rate, cap = strength(forward, np.zeros(1)), self.truncation.bond
        values, rest = [], 0.0
        for step, bond in ((0.5 / rate, 3 * cap // 4), (0.25 / rate, 3 * cap // 4), (0.25 / rate, cap)):
            how = TEBD(dt=step, order=2) if total.reach <= 1 else TDVP(dt=step, order=2)
            cut, looks = Truncation(max(1, bond), self.truncation.weight), [quotient(left, mpo, right)]
            for _ in range(LOOKS):
                pair = []
                for state, schedule in ((right, forward), (left, backward)):
                    evolution = how.start(state, schedule, cut)
                    evolution.advance(STEPS * step)
                    pair.append(_unit(evolution.state))  # type: ignore[arg-type]
                right, left = pair
                looks.append(quotient(left, mpo, right))
                rest = _remainder(looks)
                if rest < self.tolerance * rate:
                    break
            values.append(looks[-1])
        self._vectors[s] = right, left
        splitting = (values[1] - values[0]) / 15
        return values[2] + splitting, SAFETY * (abs(splitting) + abs(values[2] - values[1])) + rest


def quotient(left: Density, operator: MPO, right: Density) -> float:
    """<l|L|r> / <l|r>."""
    env = environment.edge()
    for bra, w, ket in zip(left.train.tensors, operator.tensors, right.train.tensors, strict=True):
        env = environment.from_left(env, ket, w, bra)
    return float((env[0, 0, 0] / left.train.overlap(right.train)).real)


def _unit(state: Density) -> Density:
    """The same vector at Hilbert-Schmidt norm one."""
    train = state.train.canonical(0)
    return Density(MPS(train.sites, [train.tensors[0] / train.norm, *train.tensors[1:]], 0))


def _remainder(looks: list[float]) -> float:
    """How far a sequence that settles geometrically is from its limit."""
    if len(looks) < 3:
        return np.inf
    last, before = abs(looks[-1] - looks[-2]), abs(looks[-2] - looks[-3])
    return last * max(1.0, last / max(before - last, 1e-3 * before, 1e-300))
