"""Baths: jumps with detailed balance, local ones and those of a block (Davies), and continua of modes as chains."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from mps_battery.battery import Jump
from mps_battery.checks import InputError, must, number, whole
from mps_battery.sites import DensitySite
from mps_battery.terms import Array, Terms, check_terms, product_of

LARGEST_BLOCK = 2**4
"""Largest dimension of a block whose Hamiltonian is diagonalised."""


def thermal_jumps(lowering: Terms, frequency: float, beta: float, rate: float = 1.0, statistics: str = "bose",
                  bath: str = "bath") -> list[Jump]:
    """The two jumps of a local thermal bath: sqrt(rate (1 +- n)) A down and sqrt(rate n) A+ up.

    n = 1 / (exp(beta frequency) -+ 1), so that up / down = exp(-beta frequency) (KMS).

    Args:
        lowering: A, which lowers the energy by `frequency`.
        frequency: Positive energy of the transition.
        beta: Inverse temperature; negative and infinite ones are fine for "fermi", not negative for "bose".
        rate: Spontaneous rate at zero temperature.
        statistics: "bose" (down 1 + n) or "fermi" (down 1 - n).
        bath: Name of the bath.
    """
    check_terms("lowering", lowering)
    must(number(frequency) and frequency > 0, "frequency", "be a positive number", frequency)
    must(number(rate) and rate > 0, "rate", "be a positive number", rate)
    must(statistics in ("bose", "fermi"), "statistics", "be bose or fermi", statistics)
    must(number(beta) and (beta > 0 or statistics == "fermi"), "beta", "be a positive number for bosons", beta)
    with np.errstate(over="ignore"):
        n = float(1 / np.expm1(beta * frequency)) if statistics == "bose" else float(1 / (np.exp(beta * frequency) + 1))
    down, up = (1 + n, n) if statistics == "bose" else (1 - n, n)
    jumps = [Jump(float(np.sqrt(rate * down)) * lowering, bath=bath)]
    if up > 0:
        jumps.append(Jump(float(np.sqrt(rate * up)) * lowering.adjoint(), bath=bath))
    return jumps


def davies_jumps(hamiltonian: Terms, coupling: Terms, beta: float, spectrum: Callable[[float], float] | None = None,
                 bath: str = "bath", tolerance: float = 1e-9) -> list[Jump]:
    """Global jumps of a bath that couples to a small system through `coupling` [Davies 1974, CMP 39, 91].

    With A(w) = sum over energies E' - E = -w of P_E' A P_E, the part of the coupling that lowers the energy by w, the
    jumps are sqrt(g(w)) A(w) with g(w) = J(w) (1 + n(w)) for w > 0, J(|w|) n(|w|) for w < 0: detailed balance, so the
    Gibbs state of `hamiltonian` is left fixed.

    Args:
        hamiltonian: H of the whole chain, at most 16 dimensions: a global jump is a sum of very many products.
        coupling: A, Hermitian.
        beta: Inverse temperature, positive.
        spectrum: J(w) for w > 0; None is the Ohmic J(w) = w. At w = 0 the limit J(w) n(w) is taken at w = 1e-6.
        bath: Name of the bath.
        tolerance: Energies closer than this count as equal.
    """
    check_terms("hamiltonian", hamiltonian, hermitian=True)
    check_terms("coupling", coupling, hermitian=True)
    must(coupling.sites == hamiltonian.sites, "coupling", "live on the sites of the Hamiltonian", coupling)
    must(number(beta) and beta > 0, "beta", "be a positive number", beta)
    dimension = float(np.prod([float(s.d) for s in hamiltonian.sites]))
    if dimension > LARGEST_BLOCK:
        raise InputError(f"Argument `hamiltonian` must span at most {LARGEST_BLOCK} dimensions for global jumps, but "
                         f"spans {dimension:.0f}: use thermal_jumps.")
    density = spectrum if spectrum is not None else lambda w: w
    energies, vectors = np.linalg.eigh(hamiltonian.to_dense())
    a = vectors.conj().T @ coupling.to_dense() @ vectors
    gaps = energies[None, :] - energies[:, None]                         # E_column - E_row: energy that a entry takes
    found: list[float] = []
    for w in np.sort(gaps[np.abs(a) > 1e-12]):
        if not found or w - found[-1] > tolerance:
            found.append(float(w))
    jumps = []
    for w in found:
        part = vectors @ np.where(np.abs(gaps - w) <= 2 * tolerance, a, 0.0) @ vectors.conj().T
        size = max(abs(w), 1e-6)
        n = 1 / np.expm1(beta * size)
        value = density(size) * ((1 + n) if w > tolerance else n)
        must(np.isfinite(value) and value >= 0, "spectrum", f"be at least 0 at frequency {size:g}", value)
        if value > 0:
            jumps.append(Jump(float(np.sqrt(value)) * terms_of(hamiltonian, part), bath=bath))
    return jumps


def terms_of(like: Terms, matrix: Array) -> Terms:
    """A dense matrix on the whole chain as Terms over products of Hermitian basis operators."""
    locals_ = [DensitySite(s) for s in like.sites]
    d = [s.d for s in like.sites]
    t, n = matrix.reshape(d + d), len(d)
    for s in locals_:                     # ket and bra leg of the first site -> coordinate at the end
        t = np.tensordot(t, s.basis, ((0, n), (2, 1)))
        n -= 1
    out, largest = Terms(like.sites), np.abs(t).max()
    for index in np.argwhere(np.abs(t) > 1e-14 * largest):
        factors = [(s.basis[k], m) for m, (s, k) in enumerate(zip(locals_, index, strict=True)) if k]
        scale = np.prod([s.basis[0][0, 0].real for s, k in zip(locals_, index, strict=True) if not k])
        out += (complex(t[tuple(index)] * scale), *factors)
    return out


def homodyne_feedback(light: Terms, response: Terms, efficiency: float = 1.0, bath: str = "light"
                      ) -> tuple[Terms, list[Jump]]:
    """What watching a bath and answering at once adds to the mean evolution [Wiseman 1994, PRA 49, 2133].

    Homodyne detection of the light c gives the current I = <c + c+> + noise / efficiency^(1/2), and F I is added to the
    Hamiltonian without delay. The mean over all records obeys a master equation of the usual form again.

    Args:
        light: c, which would be the jump of the bath if nobody looked.
        response: F, Hermitian.
        efficiency: Share of the light that is detected, above 0 and at most 1.
        bath: Name of the bath.

    Returns:
        (c+ F + F c) / 2, which adds to the Hamiltonian, and the jumps c - i F and
        ((1 - efficiency) / efficiency)^(1/2) F in place of c.
    """
    check_terms("light", light)
    check_terms("response", response, hermitian=True)
    must(response.sites == light.sites, "response", "live on the sites of the light", response)
    must(number(efficiency) and 0 < efficiency <= 1, "efficiency", "be a number above 0 and at most 1", efficiency)
    forward = product_of(response, light)
    jumps = [Jump(light - 1j * response, bath=bath)]
    if efficiency < 1 and len(response):
        jumps.append(Jump(float(np.sqrt((1 - efficiency) / efficiency)) * response, bath=bath))
    added = 0.5 * (forward + forward.adjoint())
    if added.vanishes(1e-14 * light.largest * response.largest):
        added = Terms(light.sites)                                # what rounding leaves need not be Hermitian
    return added, jumps


# -- a continuum of modes as a chain ---------------------------------------------------------------------------
MOST_NODES = 2048
"""Most modes that a continuum is cut into before its chain is read off."""
CONVERGED = 1e-9
"""Change of chain coefficients, relative to the width of the spectrum, at which they count as converged."""


@dataclass(frozen=True)
class SpectralDensity:
    """J(w) = sum_k g_k^2 delta(w - w_k) of a continuum of modes with energies w_k and couplings g_k.

    The bath is sum_k w_k b+_k b_k, the coupling A+ sum_k g_k b_k + h.c. with an operator A of the battery, so that the
    memory is C(t) = int J(w) exp(-i w t) dw and the golden rule gives the rate 2 pi J. (Other authors have pi in J.)

    Args:
        function: J(w), at least 0 within the support; at its ends it may diverge, weaker than 1 / |w - end|.
        lowest: Lower end of the support.
        highest: Upper end.
        breaks: Points between where J has a kink or a jump.
    """

    function: Callable[[float], float]
    lowest: float
    highest: float
    breaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        must(callable(self.function), "function", "be a function of the energy", self.function)
        must(number(self.lowest) and np.isfinite(self.lowest), "lowest", "be a finite number", self.lowest)
        must(number(self.highest) and self.lowest < self.highest < np.inf, "highest",
             "be a finite number above `lowest`", self.highest)
        must(isinstance(self.breaks, tuple) and all(map(number, self.breaks)), "breaks", "be a tuple of numbers",
             self.breaks)
        ends = (self.lowest, *self.breaks, self.highest)
        must(bool(np.all(np.diff(ends) > 0)), "breaks", "rise within the support", self.breaks)

    def modes(self, count: int) -> tuple[Array, Array]:
        """Energies and couplings of `count` modes a piece between breaks, a Gauss rule in the angle a.

        w = (high + low) / 2 - (high - low) / 2 cos a, whose dw takes the root of a diverging or vanishing end away.
        """
        angles, weights = np.polynomial.legendre.leggauss(count)
        angles, weights = np.pi * (angles + 1) / 2, np.pi * weights / 2
        energies, strengths = [], []
        ends = (self.lowest, *self.breaks, self.highest)
        for low, high in itertools.pairwise(ends):
            w = (high + low) / 2 - (high - low) / 2 * np.cos(angles)
            values = np.array([self.function(float(x)) for x in w], dtype=float)
            must(bool(np.all(np.isfinite(values) & (values >= 0))), "function",
                 "be finite and at least 0 in the support", values.min())
            energies.append(w)
            strengths.append(values * weights * (high - low) / 2 * np.sin(angles))
        return np.concatenate(energies), np.sqrt(np.concatenate(strengths))

    def thermal(self, beta: float) -> SpectralDensity:
        """The density on both sides of zero whose vacuum acts as the Gibbs state at inverse temperature `beta`.

        J(w) (1 + n(w)) above zero and J(|w|) n(|w|) below, for Hermitian A only [Tamascelli et al. 2019, PRL 123,
        090402]; n = 1 / (exp(beta w) - 1).
        """
        self._check_beta(beta)
        return SpectralDensity(lambda w: self._at(w) * _bose(-w, beta) if w > 0 else self._at(-w) * _bose(-w, beta),
                               -self.highest, self.highest, self._mirrored())

    def emitting(self, beta: float) -> SpectralDensity:
        """J (1 + n): what a Gibbs state takes up, sum_k b_k -> a chain that couples as A+ c + h.c."""
        self._check_beta(beta)
        return SpectralDensity(lambda w: self.function(w) * _bose(-w, beta), self.lowest, self.highest, self.breaks)

    def absorbing(self, beta: float) -> SpectralDensity:
        """J n: what a Gibbs state gives, a second chain of energies -w that couples as A+ d+ + h.c."""
        self._check_beta(beta)
        return SpectralDensity(lambda w: self.function(w) * _bose(w, beta), self.lowest, self.highest, self.breaks)

    def _check_beta(self, beta: float) -> None:
        must(number(beta) and 0 < beta < np.inf, "beta", "be a positive number", beta)
        must(self.lowest >= 0, "lowest", "be at least 0 where there is a temperature", self.lowest)

    def _at(self, w: float) -> float:
        return self.function(w) if self.lowest < w < self.highest else 0.0

    def _mirrored(self) -> tuple[float, ...]:
        inner = {*self.breaks, self.lowest}
        return tuple(sorted({-x for x in inner} | inner | {0.0}))

    def chain(self, length: int) -> Chain:
        """The modes as a chain with nearest-neighbour hopping, of which the first `length` sites are kept.

        The first site is the mode that the battery couples to, the others follow by orthogonal polynomials of the
        weight J: their recurrence coefficients are the energies and hoppings [Chin, Rivas, Huelga, Plenio 2010,
        J. Math. Phys. 51, 092109]. LAPACK's tridiagonalisation of the bath as modes gives them without loss of
        orthogonality; the number of modes is doubled until they no longer change. What is cut off matters once
        something has been to the end and back, at about the time length / (hopping at the end).

        Args:
            length: Number of sites.

        Raises:
            InputError: If `MOST_NODES` modes are not enough, as for a density with narrow peaks away from its breaks.
        """
        must(whole(length) and length >= 1, "length", "be an integer of at least 1", length)
        count, width = 64 + 2 * length, self.highest - self.lowest
        found = _tridiagonal(*self.modes(count), length)
        while True:
            count *= 2
            if count * (1 + len(self.breaks)) > MOST_NODES:
                raise InputError(f"Argument `function` must be smooth between `breaks` for a chain of {length} sites, "
                                 f"but {count // 2} modes do not resolve it.")
            finer = _tridiagonal(*self.modes(count), length)
            if np.abs(finer - found).max() < CONVERGED * width:
                return Chain(float(finer[0]), finer[1::2], finer[2::2])
            found = finer


@dataclass(frozen=True)
class Chain:
    """A bath as a chain: A+ coupling b_0 + h.c. + sum_n energies_n b+_n b_n + sum_n hoppings_n (b+_n b_{n+1} + h.c.).

    Attributes:
        coupling: Between the battery and the first site, (int J dw)^(1/2).
        energies: One a site.
        hoppings: One a bond.
    """

    coupling: float
    energies: Array
    hoppings: Array

    def __len__(self) -> int:
        return len(self.energies)


def _tridiagonal(energies: Array, couplings: Array, length: int) -> Array:
    """coupling, energy, hopping, energy, ..., energy: the first `length` sites of the chain of some modes."""
    size = len(energies) + 1
    star = np.zeros((size, size))
    star[1:, 0] = couplings
    star[np.arange(1, size), np.arange(1, size)] = energies
    # the lower form leaves the first basis vector, the battery, as it is
    work = lapack.dsytrd_lwork(size, lower=1)[0]
    _, diagonal, off, _, info = lapack.dsytrd(star, lower=1, lwork=int(work))
    assert info == 0
    out = np.empty(2 * length)
    out[0::2], out[1::2] = np.abs(off[:length]), diagonal[1:length + 1]
    return out


def _bose(w: float, beta: float) -> float:
    """n(w) for w > 0, and 1 + n(|w|) for w < 0: |1 / (exp(beta w) - 1)|."""
    with np.errstate(over="ignore"):
        return float(abs(1 / np.expm1(beta * w))) if w else np.inf


def ohmic(strength: float, cutoff: float, power: float = 1.0, reach: float = 10.0) -> SpectralDensity:
    """J = strength w (w / cutoff)^(power - 1) exp(-w / cutoff) from 0 to reach x cutoff; power 1 is Ohmic."""
    _check_positive(strength=strength, cutoff=cutoff, power=power, reach=reach)
    return SpectralDensity(lambda w: strength * w * (w / cutoff) ** (power - 1) * np.exp(-w / cutoff), 0.0,
                           reach * cutoff)


def lorentzian(strength: float, width: float, centre: float, reach: float = 20.0) -> SpectralDensity:
    """J = strength width^2 / (2 pi ((w - centre)^2 + width^2)) within reach x width of the centre.

    Without ends its memory is (strength width / 2) exp(-width |t| - i centre t), that of one damped mode.
    """
    _check_positive(strength=strength, width=width, reach=reach)
    return SpectralDensity(lambda w: strength * width**2 / (2 * np.pi * ((w - centre) ** 2 + width**2)),
                           centre - reach * width, centre + reach * width, (centre,))


def semicircle(coupling: float, hopping: float, centre: float) -> SpectralDensity:
    """J = coupling^2 (4 hopping^2 - (w - centre)^2)^(1/2) / (2 pi hopping^2): a uniform chain coupled at its end."""
    _check_positive(coupling=coupling, hopping=hopping)
    return SpectralDensity(
        lambda w: coupling**2 * float(np.sqrt(max(4 * hopping**2 - (w - centre) ** 2, 0.0))) / (2 * np.pi * hopping**2),
        centre - 2 * hopping, centre + 2 * hopping)


def band_edge(strength: float, edge: float, span: float, power: float = -0.5) -> SpectralDensity:
    """J = (strength / 2 pi) ((w - edge) / span)^power from the edge of a gap to edge + span; above -1.

    At the edge of a photonic gap the density of states goes as the power -1/2 where the lowest modes lie on a sphere
    of wave vectors (or in one dimension), as 1/2 where they lie at a point in three.
    """
    _check_positive(strength=strength, span=span)
    must(number(power) and -1 < power < np.inf, "power", "be a number above -1", power)
    return SpectralDensity(lambda w: strength / (2 * np.pi) * ((w - edge) / span) ** power, edge, edge + span)


def waveguide(strength: float, edge: float, span: float, distance: float = 0.0, parity: int = 0) -> SpectralDensity:
    """J = (strength / 2 pi) edge / (w^2 - edge^2)^(1/2) from edge to edge + span: one mode of a waveguide.

    w^2 = q^2 + edge^2 (speed of light 1) has the density of states w / q, and the field of a transverse-magnetic mode
    along the guide falls as 1 / w^(1/2). With `parity` +1 or -1 the density that (A_1 +- A_2) / sqrt(2) sees of two
    places `distance` apart, 1 +- cos(q distance) times as much.
    """
    _check_positive(strength=strength, edge=edge, span=span)

    def density(w: float) -> float:
        q = float(np.sqrt((w - edge) * (w + edge)))
        return strength / (2 * np.pi) * edge / q * (1 + parity * float(np.cos(q * distance)))

    return SpectralDensity(density, edge, edge + span)


def lattice(coupling: float, hopping: float, centre: float, distance: int = 0, parity: int = 0) -> SpectralDensity:
    """J = (coupling^2 / pi) (4 hopping^2 - (w - centre)^2)^(-1/2): an infinite uniform chain, coupled at one site.

    With `parity` +1 or -1 the density that (A_1 +- A_2) / sqrt(2) sees of two sites `distance` apart: 1 +- cos(q
    distance) times as much, w = centre + 2 hopping cos q.
    """
    _check_positive(coupling=coupling, hopping=hopping)

    def density(w: float) -> float:
        x = (w - centre) / (2 * hopping)
        root = float(np.sqrt((1 - x) * (1 + x)))
        return coupling**2 / (2 * np.pi * hopping * root) * (1 + parity * float(np.cos(distance * np.arccos(x))))

    return SpectralDensity(density, centre - 2 * hopping, centre + 2 * hopping)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        must(number(value) and 0 < value < np.inf, name, "be a positive number", value)
