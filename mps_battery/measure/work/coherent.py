"""Work under a constraint on coherence between the levels of the energy.

The coherence of a state is C = S(dephased) - S(rho), in nats: relative to an eigenbasis of h in which rho is diagonal
inside every degenerate level. Unitaries that keep the coherence of *every* state permute the levels and turn phases;
what they draw is `incoherent_ergotropy`. Those that keep the amount that *this* state has draw more: its
coherence-constrained maximal work [Mondal, Saha, Sen 2025, arXiv:2507.16610], between the incoherent ergotropy and the
ergotropy. Any other amount may be asked for; nothing kept leaves the ergotropy.

For one cell of an interacting chain the unitaries that permute the two states of an axis and turn their phases have a
closed form that counts the whole energy.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from mps_battery.battery import Battery
from mps_battery.checks import must, number
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.ergotropy import check_energy, need_qubit, one_moment, pauli_correlations
from mps_battery.measure.work.extremum import Extremum
from mps_battery.measure.work.own import block, own_energy
from mps_battery.measure.work.passive import DEGENERATE, ergotropy
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept, entropy_of
from mps_battery.terms import Terms

Array = np.ndarray

AXES = {"X": np.array([1.0, 0, 0]), "Y": np.array([0, 1.0, 0]), "Z": np.array([0, 0, 1.0])}


def coherence_constrained_work(rho: Array, h: Array, coherence: float | None = None) -> Extremum:
    """Largest mean energy that a unitary can draw while at least so much coherence is left behind.

    The populations p that unitaries reach are those that the eigenvalues r of rho majorise [Schur, Horn 1954], and
    S(rho) does not change: the problem is min p.e over p majorised by r with -sum p ln p >= S(rho) + C, convex. Its
    solution is `retained_populations`, a truncated Gibbs distribution. The energy rises with C, so that "at least" is
    met as "exactly" wherever that is possible.

    Args:
        rho: Density matrix.
        h: Hamiltonian of the same shape.
        coherence: C in nats, from 0 (all of the ergotropy) to ln d - S(rho); None for that of rho.

    Returns:
        Work and the unitary that draws it; the bound is that of the dual problem.
    """
    full, (levels, basis) = ergotropy(rho, h), _energy_basis(rho, h)
    weights, states = np.linalg.eigh(rho)
    r, states = np.maximum(weights[::-1], 0.0), states[:, ::-1]
    r = r / r.sum()
    mixed, most = entropy_of(r), most_coherence(rho)
    kept = min(max(0.0, _entropy_in(rho, basis) - mixed), most) if coherence is None else coherence
    must(number(kept) and 0 <= kept <= most + 1e-12, "coherence", f"be from 0 to {most:.6g} nats for this state", kept)
    p, beta = retained_populations(r, levels, min(mixed + kept, np.log(len(r))))
    work = float(np.einsum("ij,ji->", rho, h).real - p @ levels)
    slack = (abs(entropy_of(p) - mixed - kept) + 1e-15) / beta      # what the dual problem leaves open
    bound = max(work, min(full, work + slack))
    return Extremum(work, bound, (basis @ _schur_horn(r, p) @ states.conj().T,))


def most_coherence(rho: Array) -> float:
    """ln d - S(rho) in nats: the coherence that unitaries can give a state at most."""
    return max(0.0, float(np.log(len(rho))) - entropy_of(np.linalg.eigvalsh(rho)))


def energy_coherence(rho: Array, h: Array) -> float:
    """S(dephased rho) - S(rho) >= 0 in nats: how much coherence there is between levels of different energy."""
    ergotropy(rho, h)      # checks both
    _, basis = _energy_basis(rho, h)
    return max(0.0, _entropy_in(rho, basis) - entropy_of(np.linalg.eigvalsh(rho)))


def _entropy_in(rho: Array, basis: Array) -> float:
    """Entropy of the populations of a basis."""
    return entropy_of(np.sum(basis.conj() * (rho @ basis), axis=0).real)


def _energy_basis(rho: Array, h: Array) -> tuple[Array, Array]:
    """(levels, rising; eigenbasis of h in which rho is diagonal inside every degenerate level)."""
    levels, basis = np.linalg.eigh(h.astype(np.result_type(rho, h)))
    close = DEGENERATE * (levels[-1] - levels[0]) + 1e-14 * np.abs(levels).max()
    starts = np.flatnonzero(np.r_[True, np.diff(levels) > close, True])
    for first, last in itertools.pairwise(starts):
        if last - first > 1:
            level = basis[:, first:last]
            basis[:, first:last] = level @ np.linalg.eigh(level.conj().T @ rho @ level)[1]
    return levels, basis


def retained_populations(r: Array, levels: Array, entropy: float) -> tuple[Array, float]:
    """Populations of least mean energy among those that r majorises and whose entropy is at least the given one.

    For a temperature 1 / beta the minimum of p.e - S(p) / beta is found where the cumulated p over the cumulated Gibbs
    weights is the largest convex curve below that of r: blocks of levels with p proportional to exp(-beta e). Its dual
    value bounds the energy from below at every beta; beta is the one that meets the entropy.

    Args:
        r: Eigenvalues, falling, of sum one.
        levels: Energies, rising.
        entropy: Between that of r and ln d.

    Returns:
        (p, falling; beta, infinite where the entropy costs no energy).
    """
    if entropy <= entropy_of(r):
        return r, np.inf
    width, gaps = levels[-1] - levels[0], np.diff(levels)
    coldest = 1e3 / np.min(gaps, initial=np.inf, where=gaps > DEGENERATE * width)
    hottest = 1e-8 / width if width > 0 else 0.0         # above, entropies cannot be told apart

    def missing(log_beta: float) -> float:
        return entropy_of(_truncated_gibbs(r, levels, np.exp(log_beta))) - entropy

    flat = _truncated_gibbs(r, levels, coldest)
    if entropy_of(flat) >= entropy:                      # mixing inside degenerate levels is enough
        x = brentq(lambda x: entropy_of((1 - x) * r + x * flat) - entropy, 0.0, 1.0, xtol=1e-15)
        return (1 - x) * r + x * flat, np.inf
    beta = hottest
    if missing(np.log(hottest)) > 0:
        beta = float(np.exp(brentq(missing, np.log(hottest), np.log(coldest), xtol=1e-14)))
    return _truncated_gibbs(r, levels, beta), beta


def _truncated_gibbs(r: Array, levels: Array, beta: float) -> Array:
    """Populations that minimise p.e - S(p) / beta among those that r majorises; see `retained_populations`."""
    blocks: list[tuple[float, float, int]] = []          # total of r, log of the Gibbs weights, number of levels
    for weight, exponent in zip(r, -beta * (levels - levels[0]), strict=True):
        total, log_z, size = float(weight), float(exponent), 1
        while blocks and blocks[-1][0] * np.exp(log_z - blocks[-1][1]) >= total:      # slopes must rise
            before, log_before, count = blocks.pop()
            total, log_z, size = before + total, float(np.logaddexp(log_before, log_z)), size + count
        blocks.append((total, log_z, size))
    totals, logs, sizes = (np.array(part) for part in zip(*blocks, strict=True))
    return np.repeat(totals, sizes) * np.exp(-beta * (levels - levels[0]) - np.repeat(logs, sizes))


def _schur_horn(r: Array, p: Array) -> Array:
    """Orthogonal Q with diag(Q diag(r) Q^T) = p for falling r that majorise falling p, by d - 1 plane rotations.

    Each target lies between two neighbours among the values left; the rotation of the two that puts it on the diagonal
    leaves a value between them, so that the rest stays diagonal and in order [Chan, Li 1983, SIAM J. Sci. Stat.
    Comput. 4, 72].
    """
    rows, values, done = list(np.eye(len(r))), [float(x) for x in r], []
    for target in p[:-1]:
        j = max(0, min(sum(v >= target for v in values), len(values) - 1) - 1)
        high, low = values[j], values[j + 1]
        share = float(np.clip((target - low) / (high - low), 0.0, 1.0)) if high > low else 1.0
        c, s = np.sqrt(share), np.sqrt(1 - share)
        done.append(c * rows[j] + s * rows[j + 1])
        rows[j:j + 2] = [c * rows[j + 1] - s * rows[j]]
        values[j:j + 2] = [share * low + (1 - share) * high]
    return np.array([*done, *rows])


# -- one cell of an interacting chain ----------------------------------------------------------------------------
def incoherent_extreme(correlations: Array, axis: Array) -> Array:
    """Largest energy that unitaries draw from a qubit which permute the two states of an axis and turn their phases.

    As rotations R these are turns about the axis, with or without half a turn across it. With K in a frame whose third
    axis is the given one, tr(R^T K) is least at K_zz - |(K_xx + K_yy, K_xy - K_yx)| among the first and at
    -K_zz - |(K_xx - K_yy, K_xy + K_yx)| among the second; W = tr K minus the smaller one.

    Args:
        correlations: K, (..., 3, 3); see `pauli_correlations`.
        axis: Unit vector.
    """
    third = np.argmin(np.abs(axis))
    first = np.cross(axis, np.eye(3)[third])
    first = first / np.linalg.norm(first)
    frame = np.array([first, np.cross(axis, first), axis])
    k = frame @ correlations @ frame.T
    turned = k[..., 2, 2] - np.hypot(k[..., 0, 0] + k[..., 1, 1], k[..., 0, 1] - k[..., 1, 0])
    flipped = -k[..., 2, 2] - np.hypot(k[..., 0, 0] - k[..., 1, 1], k[..., 0, 1] + k[..., 1, 0])
    return np.maximum(np.trace(k, axis1=-2, axis2=-1) - np.minimum(turned, flipped), 0.0)


def local_incoherent_ergotropy(state: MPS | Density, terms: Terms, site: int, axis: str | Sequence[float] | Array = "Z"
                               ) -> float:
    """Largest mean energy of `terms` that unitaries on one qubit draw which keep its coherence along an axis.

    Args:
        state: The state.
        terms: The energy; Hermitian, all of it counts.
        site: The cell, a two-level site.
        axis: "X", "Y", "Z" or a direction: coherence is that between the two states along it.

    Returns:
        W with 0 <= W <= `local_ergotropy`, in the unit of `terms`; see `incoherent_extreme`.
    """
    check_energy(state, terms)
    check_kept([site], state.sites)
    need_qubit(state.sites[site].d, site)
    k = pauli_correlations(one_moment(state, terms, int(site)))
    return float(incoherent_extreme(k[None], unit_vector("axis", axis))[0])


def unit_vector(argument: str, axis: str | Sequence[float] | Array) -> Array:
    """A direction as a unit vector, after one check."""
    if isinstance(axis, str):
        must(axis in AXES, argument, 'be "X", "Y", "Z" or a direction', axis)
        return AXES[axis]
    vector = np.asarray(axis)
    fits = vector.shape == (3,) and vector.dtype.kind in "iuf" and np.isfinite(vector).all()
    must(fits and np.linalg.norm(vector) > 0, argument, 'be "X", "Y", "Z" or three numbers that are not all zero', axis)
    return vector / np.linalg.norm(vector)


# -- what a run records ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CoherenceConstrainedWork(Quantity):
    """Largest energy that unitaries draw from a block, by its own part of H_B, while its coherence is kept.

    Args:
        sites: The block, at most 4096 dimensions.
        coherence: Coherence left behind in nats, or the most that is possible where the block is too mixed for so much;
            None for as much as it has.
    """

    sites: Sequence[int]
    coherence: float | None = None
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        own_energy(battery.energy, self.sites)
        must(self.coherence is None or (number(self.coherence) and self.coherence >= 0), "coherence",
             "be None or at least 0", self.coherence)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The work."""
        rho, h = block(snapshot.state, snapshot.battery.energy, self.sites)
        kept = None if self.coherence is None else min(float(self.coherence), most_coherence(rho))
        return coherence_constrained_work(rho, h, kept).value


@dataclass(frozen=True)
class LocalIncoherentErgotropy(Quantity):
    """Energy that a unitary on one cell draws which keeps its coherence along an axis, for every cell, of all of H_B.

    Args:
        axis: "X", "Y", "Z" or a direction.
    """

    axis: str | Sequence[float] = "Z"
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell."""
        unit_vector("axis", self.axis)
        for n in battery.cells:
            need_qubit(battery.sites[n].d, n)
        return {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> Array:
        """W of every cell."""
        k = np.array([pauli_correlations(snapshot.moments[n]) for n in snapshot.battery.cells])
        return incoherent_extreme(k, unit_vector("axis", self.axis))
