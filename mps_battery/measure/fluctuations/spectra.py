"""What a state that does not move fluctuates with: two-time correlators, their spectra, and detailed balance.

    C(t) = <A+(t) A(0)>,      S(w) = int dt exp(i w t) C(t),      C(-t) = C(t)* where the state is steady.

S(w) is what the state absorbs from a probe that couples to A, in quanta w; S(-w) is what it emits.

Densities share the time. With X = A rho and an evolution exp(L t), unitary or open by quantum regression [Lax 1963,
Phys. Rev. 129, 2342], C(t) = tr(A+ exp(L t) X) = tr(A(t/2)+ X(t/2)): A goes half of the way by the adjoint generator,
X the other half, and bonds grow as they do in half the time. X is no Hermitian matrix, but the real and imaginary parts
of its coordinates, {A, rho} / 2 and [A, rho] / 2i for A = A+, evolve as two real vectors under a real generator.

Resolution. A Gaussian window exp(-(sigma t)^2 / 2) turns S into S_sigma, its convolution with a normal density of
width sigma, and breaks the detailed balance S(-w) = exp(-beta w) S(w) of a Gibbs state (KMS). But for a line of weight
a at v with its partner of weight a exp(-beta v) at -v completing the square gives, with d = beta sigma^2 / 2,

    exp(-beta v) exp(-(v - w)^2 / 2 sigma^2) = exp(-beta (w - d)) exp(-(v - w + 2 d)^2 / 2 sigma^2),

so that S_sigma(-w) = exp(-beta (w - d)) S_sigma(w - 2 d), or, with w moved up by d,

    S_sigma(-w - d) = exp(-beta w) S_sigma(w - d):

detailed balance holds exactly at every resolution, between two frequencies that are both lower by d. A beta that is not
known is the solution of this equation. Where it depends on w there is no detailed balance: bath and system couple
strongly, or the state is out of equilibrium, and beta(w) is what restores it, an effective temperature [cf. Phys. Rev.
Lett. 133, 050401 (2024)].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.choose import Method, choose, coarser, strength
from mps_battery.evolve.exact import Exact
from mps_battery.evolve.tenpy import Tenpy
from mps_battery.liouville import generator, superoperators, unitary
from mps_battery.measure.fluctuations.heat import ROUNDING, bars_from
from mps_battery.tensors import environment, trains
from mps_battery.tensors.density import Density, coordinates, density_sites, functional
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms

Array = np.ndarray
State = MPS | Density

DIAGONALISED = 2**10
"""Up to this dimension of the chain a closed evolution is diagonalised."""
REACH = 7.0
"""How far the window reaches, in 1 / sigma: exp(-REACH^2 / 2) = 2e-11."""
BANDWIDTH = 6.0
"""Transition frequencies of a local operator end at about this times the strength of the terms: two bonds of four half
widths in all, and tails."""
NODES, PHASE = 8, 5.0
"""Gauss points of a panel, and the largest phase that turns within one."""


@dataclass(frozen=True)
class Correlation:
    """C(t) = <A+(t) A(0)> at times.

    Attributes:
        times: t >= 0.
        values: C(t), complex.
        bars: Claimed errors of its modulus (estimates from a run with twice the step and a hundred times the discarded
            weight); nan where that was not made.
        mean: <A>; C(t) - |<A>|^2 is the connected part.
        outcome: How it was computed, in a sentence.
    """

    times: Array
    values: Array
    bars: Array
    mean: complex
    outcome: str


def correlator(state: State, dynamics: Terms | Battery, operator: Terms, times: Sequence[float] | Array, *,
               method: Method | None = None, truncation: Truncation | None = None, bars: bool = True) -> Correlation:
    """<A+(t) A(0)> in any state, under a Hamiltonian or, by quantum regression, an open battery.

    Args:
        state: A pure state or a density; it need not be steady.
        dynamics: The Hamiltonian, or a battery with constant Hamiltonian and rates; its jumps need a density.
        operator: A, Hermitian or not: a local operator, or a sum of a few such as sum_n exp(i k n) Z_n.
        times: t, increasing from 0 or later.
        method: TEBD, TDVP or Exact; None diagonalises closed chains of up to 1024 dimensions and else lets the engine
            choose.
        truncation: Default bond 256, weight 1e-14.
        bars: Whether a coarser run gives bars.
    """
    flow, energy = _generators(state, dynamics)
    check_terms("operator", operator)
    must(operator.sites == state.sites and len(operator) > 0, "operator", "live on the sites of the state", operator)
    grid = np.asarray(times, dtype=float)
    must(grid.ndim == 1 and grid.size >= 1 and bool(np.all(np.isfinite(grid))) and grid[0] >= 0
         and bool(np.all(np.diff(grid) > 0)), "times", "increase from 0 or later", times)
    must(truncation is None or isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
    truncation, mean = truncation or Truncation(weight=1e-14), complex(state.expect(operator))
    dimension = float(np.prod([float(s.d) for s in state.sites]))
    if energy is not None and dimension <= DIAGONALISED and (method is None or isinstance(method, Exact)):
        values = _diagonalised(state, energy, operator, grid)
        return Correlation(grid, values, bars_from(values, values, truncation), mean, "Diagonalised.")
    half = 0.5 * grid if isinstance(state, Density) else grid
    method, why = choose(flow, method, truncation, np.unique(np.r_[0.0, half]))

    def along(how: Method, cut: Truncation) -> Array:
        if isinstance(state, Density):
            return _of_density(state, flow, operator, half, how, cut)
        return _of_pure(state, flow, operator, half, how, cut)

    values = along(method, truncation)
    rough = None
    if bars:
        rough = values if isinstance(method, Exact) else along(*coarser(method, truncation))
    errors = bars_from(values, rough, truncation)
    return Correlation(grid, values, errors, mean, f"{type(method).__name__}: {why}.")


def _generators(state: State, dynamics: Terms | Battery) -> tuple[Schedule, Terms | None]:
    """(what moves the state, the Hamiltonian where that is all)."""
    if not isinstance(state, MPS | Density):
        raise InputError(f"Argument `state` must be an MPS or a Density, but is {type(state).__name__}.")
    if not isinstance(dynamics, Terms | Battery):
        raise InputError(f"Argument `dynamics` must be Terms or a Battery, but is {type(dynamics).__name__}.")
    must(dynamics.sites == state.sites, "dynamics", "live on the sites of the state", dynamics)
    schedule = as_schedule(dynamics if isinstance(dynamics, Terms) else dynamics.charging)
    jumps = dynamics.jumps if isinstance(dynamics, Battery) else ()
    if not schedule.constant or any(j.rate is not None for j in jumps):
        raise InputError("Argument `dynamics` must be constant in time for a spectrum, Hamiltonian and rates.")
    energy = check_terms("dynamics", schedule.at(0.0), hermitian=True)
    if not jumps:
        flow = superoperators([(unitary(energy), None)]) if isinstance(state, Density) else as_schedule(energy)
        return flow, energy
    assert isinstance(dynamics, Battery)
    must(isinstance(state, Density), "state", "be a Density for a battery with jumps", state)
    return generator(dynamics), None


def _diagonalised(state: State, energy: Terms, operator: Terms, times: Array) -> Array:
    """sum_mn exp(i (E_m - E_n) t) (A+)_mn (A rho)_nm."""
    e, u = np.linalg.eigh(energy.to_dense())
    a = u.conj().T @ operator.to_dense() @ u
    if isinstance(state, Density):
        rho = u.conj().T @ state.to_dense() @ u / state.trace
    else:
        v = u.conj().T @ state.to_dense() / state.norm
        rho = np.outer(v, v.conj())
    lines, phases = a.conj().T * (a @ rho).T, np.exp(1j * np.multiply.outer(times, e))
    return np.einsum("tm,tm->t", phases @ lines, phases.conj())


def _of_pure(state: MPS, flow: Schedule, operator: Terms, times: Array, method: Method, truncation: Truncation
             ) -> Array:
    """<psi(t)| A+ |chi(t)> with chi = A psi; norms stay outside, since not every evolution carries them."""
    mpo = operator.to_mpo()
    psi = state.canonical(0)
    kicked = trains.apply(mpo.tensors, psi.tensors, 1e-14)
    size, norm = float(np.linalg.norm(kicked[0])), psi.norm
    must(size > 1e-14 * norm, "operator", "not annihilate the state", operator)
    pair = [MPS(state.sites, [t[0] / c, *t[1:]], 0) for t, c in ((psi.tensors, norm), (kicked, size))]
    runs = [method.start(s, flow, truncation) for s in pair]
    out, back = [], mpo.adjoint().tensors
    for t in times:
        for run in runs:
            run.advance(float(t))
        env = environment.edge()
        bra, ket = (run.state.tensors for run in runs)  # type: ignore[union-attr]
        for b, w, k in zip(bra, back, ket, strict=True):
            env = environment.from_left(env, k, w, b)
        out.append(complex(env[0, 0, 0]) * size / norm)
    return np.array(out)


def _of_density(state: Density, flow: Schedule, operator: Terms, half: Array, method: Method, truncation: Truncation
                ) -> Array:
    """tr(A(t/2)+ X(t/2)) at given t/2 from real and imaginary coordinates of both."""
    assert not isinstance(method, Tenpy), "refused for densities"
    local, mpo = density_sites(state.sites), operator.to_mpo()
    back = superoperators([(terms.adjoint(), None) for terms in flow.terms])
    runs = []
    for train, schedule in ((coordinates(mpo, local), back), (_multiplied(mpo, state), flow)):
        parts = [trains.real_train(train), trains.real_train([-1j * train[0], *train[1:]])]
        sizes = [float(np.linalg.norm(p[0])) for p in parts]
        runs.append([method.start(Density(MPS(local, p, 0)), schedule, truncation) if c > 1e-14 * max(sizes) else None
                     for p, c in zip(parts, sizes, strict=True)])
    out = []
    for t in half:
        vectors = []
        for run in (r for both in runs for r in both):
            if run is not None:
                run.advance(float(t))
            vectors.append(None if run is None else run.state.train.tensors)  # type: ignore[union-attr]
        ar, ai, xr, xi = vectors
        out.append(_product(ar, xr) + _product(ai, xi) + 1j * (_product(ar, xi) - _product(ai, xr)))
    return np.array(out) / state.trace


def _product(left: list[Array] | None, right: list[Array] | None) -> float:
    """The scalar product of two real trains; None is zero."""
    return 0.0 if left is None or right is None else functional(left, right).real


def _multiplied(operator: MPO, state: Density) -> list[Array]:
    """Coordinates of A rho."""
    by = [np.einsum("aij,wvjk,bki->wvab", s.basis, w, s.basis, optimize=True)
          for s, w in zip(density_sites(state.sites), operator.tensors, strict=True)]
    return trains.apply(by, state.train.tensors, 1e-14)


# -- spectra -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Spectrum:
    """S_sigma(w) of a steady state, at any frequency up to the highest.

    Attributes:
        correlation: C(t) at the nodes in time, its mean taken off where the connected part was asked for.
        weights: Quadrature weights times window.
        width: sigma, the standard deviation of the Gaussian that S is convolved with.
        highest: Largest |w|.
        residual: How fast the state moves, |L rho| / |rho| or sqrt(<H^2> - <H>^2), which should be small against sigma.
    """

    correlation: Correlation
    weights: Array
    width: float
    highest: float
    residual: float

    def at(self, frequencies: Sequence[float] | Array) -> tuple[Array, Array]:
        """(S_sigma(w), bars)."""
        w = np.asarray(frequencies, dtype=float)
        must(w.ndim == 1, "frequencies", "be a list of numbers", frequencies)
        must(bool(np.all(np.isfinite(w))) and bool(np.all(np.abs(w) <= self.highest * (1 + 1e-12))), "frequencies",
             f"lie between +-{self.highest:g}, the `highest` of the spectrum", frequencies)
        values, _ = self._transformed(w)
        return values, np.full(w.shape, self._bar)

    @property
    def _bar(self) -> float:
        """The same at all frequencies."""
        return 2 * float(self.weights @ self.correlation.bars)

    def _transformed(self, w: Array) -> tuple[Array, Array]:
        """(S_sigma, its slope)."""
        t = self.correlation.times
        terms = self.weights * self.correlation.values * np.exp(1j * np.multiply.outer(w, t))
        return 2 * terms.sum(-1).real, 2 * (1j * t * terms).sum(-1).real

    def balance(self, frequencies: Sequence[float] | Array, beta: float) -> tuple[Array, Array]:
        """S_sigma(-w - d) / S_sigma(w - d) with d = beta sigma^2 / 2, and bars.

        It is exp(-beta w) for a Gibbs state of inverse temperature beta, at whatever resolution.
        """
        w, d = np.asarray(frequencies, dtype=float), 0.5 * beta * self.width**2
        (down, error), (up, other) = self.at(-w - d), self.at(w - d)
        ratio = down / up
        return ratio, np.abs(ratio) * (error / np.abs(down) + other / np.abs(up))

    def beta(self, frequencies: Sequence[float] | Array) -> tuple[Array, Array]:
        """What restores detailed balance at w, an inverse temperature, and its bar; see `effective_temperature`."""
        w = np.asarray(frequencies, dtype=float)
        must(w.ndim == 1 and bool(np.all(w != 0)), "frequencies", "be a list of numbers other than 0", frequencies)
        half = 0.5 * self.width**2
        beta, error = np.zeros_like(w), self._bar
        with np.errstate(all="ignore"):
            for _ in range(60):
                up, up_slope = self._transformed(w - half * beta)
                down, down_slope = self._transformed(-w - half * beta)
                slope = -half * (up_slope / up - down_slope / down) - w
                change = (np.log(up) - np.log(down) - beta * w) / slope
                beta = beta - change
                if not np.any(np.abs(change) > 1e-13 * (1 + np.abs(beta))):
                    break
            # written so that unknown bars (nan) hide nothing
            known = (up > 0) & (down > 0) & ~(np.minimum(up, down) <= error)
            known &= (np.abs(change) < 1e-9 * (1 + np.abs(beta)))
            known &= np.abs(w) + half * np.abs(beta) <= self.highest * (1 + 1e-12)
            bars = np.where(known, (error / up + error / down) / np.abs(slope) + ROUNDING * np.abs(beta), np.inf)
        return np.where(known, beta, np.nan), bars


def spectrum(state: State, dynamics: Terms | Battery, operator: Terms, width: float, *, highest: float | None = None,
             connected: bool = True, method: Method | None = None, truncation: Truncation | None = None,
             bars: bool = True) -> Spectrum:
    """The spectrum of an operator in a steady state, with the resolution of a Gaussian window.

    Closed chains are sampled evenly, where the trapezoidal rule converges faster than any power; the C(t) of open ones
    has a kink at t = 0, and their times are Gauss points.

    Args:
        state: A Gibbs state, an eigenstate, or the steady state of an open battery.
        dynamics: The Hamiltonian, or a battery with constant Hamiltonian and rates.
        operator: A; see `correlator`.
        width: sigma, the resolution; the evolution reaches t = 7 / sigma.
        highest: Largest |w| that will be asked for; None takes four times the strength of the terms.
        connected: Whether |<A>|^2, a line at w = 0, is taken off.
        method: As for `correlator`.
        truncation: As for `correlator`.
        bars: Whether a coarser run gives bars.
    """
    must(number(width) and 0 < width < np.inf, "width", "be a positive number", width)
    must(highest is None or (number(highest) and 0 < highest < np.inf), "highest", "be a positive number", highest)
    flow, energy = _generators(state, dynamics)
    rate = strength(flow, np.zeros(1))
    residual = _residual(state, flow)
    if residual > 0.1 * max(rate, width):
        raise InputError(f"Argument `state` must not move under `dynamics` for a spectrum, but does at a rate of "
                         f"{residual:.2g}: use correlator for its two-time functions.")
    highest = float(highest) if highest is not None else 4 * rate
    fastest = highest + BANDWIDTH * rate + (0 if energy is None else REACH * width)
    times, weights = (_panels if energy is None else _even)(REACH / width, fastest)
    found = correlator(state, dynamics, operator, times, method=method, truncation=truncation, bars=bars)
    if connected:
        found = replace(found, values=found.values - abs(found.mean) ** 2)
    return Spectrum(found, weights * np.exp(-0.5 * (width * times) ** 2), float(width), highest, residual)


def _even(longest: float, fastest: float) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoidal rule on the half line, for what oscillates up to a frequency."""
    count = int(np.ceil(longest * fastest / (2 * np.pi))) + 1
    times = np.linspace(0.0, longest, count + 1)
    weights = np.full(count + 1, times[1])
    weights[0] /= 2
    return times, weights


def _panels(longest: float, fastest: float) -> tuple[Array, Array]:
    """Gauss points in equal panels. On a binary grid all distances repeat exactly, and so do the steps between them."""
    panel = 2.0 ** np.floor(np.log2(PHASE / fastest))
    x, w = np.polynomial.legendre.leggauss(NODES)
    starts = panel * np.arange(int(np.ceil(longest / panel)))
    times = np.round((starts[:, None] + 0.5 * panel * (x + 1)).ravel() * 2.0**34) / 2.0**34
    return times, np.tile(0.5 * panel * w, len(starts))


def _residual(state: State, flow: Schedule) -> float:
    """How fast a state moves."""
    mpo = flow.terms[0].to_mpo()
    for terms in flow.terms[1:]:
        mpo = mpo + terms.to_mpo()
    train = state.train if isinstance(state, Density) else state
    moved = trains.apply(mpo.tensors, train.tensors, 1e-13)
    if isinstance(state, MPS):
        energy = environment.expectation(train.tensors, mpo.tensors).real / train.norm**2
        moved = trains.add(moved, [-energy * train.tensors[0], *train.tensors[1:]])
    return trains.norm(moved) / train.norm


def effective_temperature(spectrum: Spectrum, frequencies: Sequence[float] | Array) -> tuple[Array, Array]:
    """T(w) at which the fluctuations at w obey detailed balance, S(-w) / S(w) = exp(-w / T), and its bar.

    In a Gibbs state it is the temperature at every w. At strong coupling, and out of equilibrium, it depends on w and
    stands in its place in the balance of what is absorbed and emitted; it is negative where more is emitted. The
    resolution of the spectrum is accounted for exactly (see above), so that a line needs not be resolved. Where
    emission or absorption is not above its bar, as in a ground state, the value is nan and the bar infinite.

    Args:
        spectrum: Of the operator that the probe couples to.
        frequencies: w, not 0.
    """
    beta, bars = spectrum.beta(frequencies)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / beta, np.where(np.isfinite(bars), bars / beta**2, np.inf)
