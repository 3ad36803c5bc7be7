"""Upper bounds on the power: what no dynamics of the kind can exceed, as entries of `record`.

With V = H - c H_B for any c, since H_B commutes with itself, and the slope of the state rho' = L(rho):

    |<i [H, H_B]>| <= 2 Delta H_B Delta V                            `RobertsonBound`
    |<i [H, H_B]>| <= sum_S dl_S ||V_S||,  dl ||V||                  `BernsteinBound`
    |d<H_B>/dt|    <= Delta H_B sqrt(I_E)                            `FisherBound`
    |tr(A rho')|   <= Delta A sqrt(I_Q)                              `QuantumFisherBound`

The first two bound the unitary part of the power, the others all of it, of baths too. Norms are half the width of a
spectrum. "The review" is doi 10.7498/aps.75.20251507; its eqs 22 to 25 are in `QuantumFisherBound`, with two words:

* A = H_B + ln(rho) / beta is the free-energy operator, up to a constant. tr(A rho') is the rate of the free energy
  <H_B> - S / beta, and that is what eqs 22 to 24 bound. It is the power of eq. 13 only where S does not change: a
  Gibbs state of H_B has Delta A = 0 and yet takes up heat [Wang 2021, arXiv:2107.08620].
* In eq. 25 the variance of the Hamiltonian needs a factor 4 for I_Q to be the standard quantum Fisher information,
  4 Delta^2 H of a pure state; without it a qubit in a field breaks eq. 24 by a factor 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, number
from mps_battery.measure.flows.norms import NORMS, blocks, commute, extremes, half_range, reach_in_energy
from mps_battery.measure.flows.populations import countable, populations, whole, whole_fits
from mps_battery.measure.flows.thermodynamics import LARGEST_WHOLE, LEAST_POPULATION
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class RobertsonBound(Quantity):
    """2 Delta H_B Delta(H - c H_B) >= |<i [H, H_B]>|, the unitary power of pure and mixed states.

    At the best c this is Schroedinger's form, 2 sqrt(Var H_B Var H - Cov^2) with Cov = Re <H_B H> - <H_B> <H>, and no
    other c bounds better.

    Args:
        share: c; None for the best, 1 for H without H_B (the drive, where H_B stays on), 0 for H itself.
    """

    share: float | None = None
    unit = "energy / time"

    def __post_init__(self) -> None:
        must(self.share is None or (number(self.share) and np.isfinite(self.share)), "share",
             "be a finite number or None", self.share)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The bound."""
        mean, square, product = snapshot.generator_moments
        stored = max(snapshot.energy_squared - snapshot.energy**2, 0.0)
        moving, together = max(square - mean**2, 0.0), product - snapshot.energy * mean
        if self.share is None:
            return 2 * max(stored * moving - together**2, 0.0) ** 0.5
        c = self.share
        return 2 * (stored * max(moving - 2 * c * together + c**2 * stored, 0.0)) ** 0.5


@dataclass(frozen=True)
class BernsteinBound(Quantity):
    """dl ||V|| >= |<i [H, H_B]>|, where one application of V changes the stored energy by dl at most.

    exp(i s H_B) V exp(-i s H_B) is a function of s with frequencies up to dl, and no such function is steeper than dl
    times its largest value (Bernstein); a drive of k qubits of splitting w has dl = k w, and so the power grows no
    faster than the norm of the drive [Gyhm, Safranek, Rosa 2022, PRL 128, 140501].

    Args:
        norm: "local" takes each block of V on one set of sites for itself, sum_S dl_S ||V_S||, which holds for any
            H_B. "dmrg" takes the norm of all blocks that move energy together, from its extreme states (an estimate,
            see `norms.extremes`), times the largest dl_S where the blocks of H_B commute, else the width of H_B.
            The parts of a schedule are bounded one by one, each with the modulus of its envelope.
    """

    norm: str = "local"
    unit = "energy / time"

    def __post_init__(self) -> None:
        must(self.norm in NORMS, "norm", "be local or dmrg", self.norm)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The bound."""
        limits = snapshot.observables.once(_bernstein_limits, self.norm)
        return float(np.abs(snapshot.envelopes) @ limits)


def _bernstein_limits(observables: Observables, norm: str) -> Array:
    return np.array([bernstein_limit(v, observables.battery.energy, norm) for v in observables.drives])


def bernstein_limit(drive: Terms, energy: Terms, norm: str = "local") -> float:
    """Bound on ||i [drive, energy]||, the power of any state; see `BernsteinBound`."""
    stored = blocks(energy)
    moving = [(b, reach_in_energy(b, stored)) for b in blocks(drive)]
    moving = [(b, reach) for b, reach in moving if reach > 0]
    if norm == "local" or not moving:
        widths = [high - low for low, high in (b.extremes() for b, _ in moving)]
        return float(sum(reach * width / 2 for (_, reach), width in zip(moving, widths, strict=True)))
    together = Terms(drive.sites)
    for b, _ in moving:
        for product, c in b.products:
            together._add(product, c)
    if commute(stored):
        reach = max(reach for _, reach in moving)
    else:
        low, high = extremes(energy, norm)
        reach = high - low
    return reach * half_range(together, norm)


@dataclass(frozen=True)
class FisherBound(Quantity):
    """Delta H_B sqrt(I_E) >= |d<H_B>/dt|, I_E = sum_k (dp_k/dt)^2 / p_k over the populations of the levels of H_B.

    Never above QuantumFisherBound(), and in a closed battery, where I_E <= 4 Delta^2 V for every c, never above
    RobertsonBound() [Julia-Farre et al. 2020, PRR 2, 023113]. Where H_B is a sum of one-site operators with evenly
    spaced levels it is had at any length; other chains must be within 1024 dimensions. Populations below 1e-16 count as
    this in both factors, which leaves the bound a bound.
    """

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        if not countable(battery):
            raise InputError("Argument `record` must not hold FisherBound for this battery: the levels of `energy` "
                             f"are neither those of one-site terms in one unit nor within {LARGEST_WHOLE} dimensions.")
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The bound."""
        levels, p, rate = populations(snapshot)
        weights = np.maximum(p, LEAST_POPULATION)
        mean = levels @ weights / weights.sum()
        return float(np.sqrt(weights @ (levels - mean) ** 2) * np.sqrt(np.sum(rate**2 / weights)))


@dataclass(frozen=True)
class QuantumFisherBound(Quantity):
    """Bounds on |tr(A rho')| from the spectrum of a density of up to 1024 dimensions, A = H_B + ln(rho) / beta.

    With rho = sum_m p_m |m><m| the slope has a coherent part, which turns the eigenvectors by the Hamiltonian
    (H_eff)_mn = i rho'_mn / (p_n - p_m), and the rates dp_m/dt of the eigenvalues. Forms, of the review:

        "quantum"   Delta A sqrt(I_Q),  I_Q = sum_mn 2 |rho'_mn|^2 / (p_m + p_n)                  eq. 22
        "split"     |<i [H_eff, H_B]>| + |sum_m dp_m/dt <m|A|m>|: work, and irreversible entropy
                    production over beta with the heat sum_m dp_m/dt <m|H_B|m>                    eq. 23
        "extended"  Delta A sqrt(4 Delta^2 H_eff + sum_m (dp_m/dt)^2 / p_m), at least "quantum"   eqs 24, 25

    Of a pure state without baths "quantum" is 2 Delta H_B Delta H. Eigenvalues below 1e-16 count as this.

    Args:
        form: "quantum", "split" or "extended".
        beta: Inverse temperature of the free energy whose rate, `FreeEnergyPower`, is bounded; None for A = H_B, which
            bounds the power itself.
    """

    form: str = "quantum"
    beta: float | None = None
    unit = "energy / time"

    def __post_init__(self) -> None:
        must(self.form in ("quantum", "split", "extended"), "form", "be quantum, split or extended", self.form)
        _check_beta(self.beta, or_none=True)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        _check_whole(self, battery)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The bound."""
        assert isinstance(snapshot, MixedSnapshot)
        p, slope, a = _spectral(snapshot, self.beta)
        rates, coherent = np.diag(slope).real, slope - np.diag(np.diag(slope))
        if self.form == "split":
            return float(abs(np.sum(coherent * a.T).real) + abs(rates @ np.diag(a).real))
        pairs = p[:, None] + p[None, :]
        centred = a - (p @ np.diag(a).real / p.sum()) * np.eye(len(p))
        variance = np.sum(pairs / 2 * np.abs(centred) ** 2)
        if self.form == "quantum":
            return float(np.sqrt(variance * np.sum(2 * np.abs(slope) ** 2 / pairs)))
        apart = (p[:, None] - p[None, :]) ** 2
        apart[np.abs(coherent) <= 1e-14 * np.abs(slope).max()] = np.inf       # nothing turns there
        turning = np.sum(2 * pairs * np.abs(coherent) ** 2 / apart)
        return float(np.sqrt(variance * (turning + np.sum(rates**2 / p))))


@dataclass(frozen=True)
class FreeEnergyPower(Quantity):
    """tr(A rho') = d<H_B>/dt - (dS/dt) / beta, the rate of the free energy; A = H_B + ln(rho) / beta.

    For densities of up to 1024 dimensions; eigenvalues below 1e-16 count as this.

    Args:
        beta: Inverse temperature.
    """

    beta: float
    unit = "energy / time"

    def __post_init__(self) -> None:
        _check_beta(self.beta)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        _check_whole(self, battery)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The rate."""
        assert isinstance(snapshot, MixedSnapshot)
        _, slope, a = _spectral(snapshot, self.beta)
        return float(np.sum(slope * a.T).real)


def _check_beta(beta: float | None, or_none: bool = False) -> None:
    fits = (beta is None and or_none) or (number(beta) and beta is not None and np.isfinite(beta) and beta > 0)
    must(fits, "beta", "be a positive number" + (" or None" if or_none else ""), beta)


def _check_whole(quantity: Quantity, battery: Battery) -> None:
    """Raise unless the state is a density that can be diagonalised."""
    name = type(quantity).__name__
    if not battery.mixed:
        raise InputError(f"Argument `record` must not hold {name} for a pure state, which has no spectrum: use "
                         "RobertsonBound(share=0).")
    if not whole_fits(battery):
        raise InputError(f"Argument `record` must not hold {name} for a chain of more than {LARGEST_WHOLE} dimensions, "
                         "whose density is not diagonalised.")


def _spectral(snapshot: MixedSnapshot, beta: float | None) -> tuple[Array, Array, Array]:
    """(p, rho', A) in the eigenbasis of rho; among equal eigenvalues in the basis that makes rho' diagonal."""
    rho, slope = whole(snapshot)
    p, v = np.linalg.eigh(rho)
    edges = np.r_[0, 1 + np.flatnonzero(np.diff(p) > 1e-12), len(p)]
    for first, last in itertools.pairwise(edges):
        if last - first > 1:
            equal = v[:, first:last]
            v[:, first:last] = equal @ np.linalg.eigh(equal.conj().T @ slope @ equal)[1]
    p = np.maximum(p, LEAST_POPULATION)
    h = snapshot.observables.once(_stored)
    a = v.conj().T @ (h @ v)
    if beta is not None:
        a = a + np.diag(np.log(p)) / beta
    return p, v.conj().T @ slope @ v, a


def _stored(observables: Observables) -> object:
    return observables.battery.energy.to_sparse()
