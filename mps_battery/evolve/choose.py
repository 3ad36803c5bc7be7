"""Which method evolves a battery, with which step, and why.

Steps come from one number: the strength h of the terms, the largest half-width of the spectrum of a bond. Measured
on driven, domain-wall and Neel chains, truncation at weight w = 1e-12 costs local observables 1e-7 to 1e-6, and the
fourth-order product of `tebd.py` costs as much at h dt = 0.25; its error falls as dt^4 and that of truncation about
as w^(1/2), which gives h dt = 0.25 (w / 1e-12)^(1/8). Charging densities by TEBD takes twice that,
since every step more truncates once more: on a boundary-driven chain of 32 sites, at weight 1e-13 and bond 160,
h dt = 0.31 leaves 4.5e-6 in the magnetisation up to t = 5.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import comb

import numpy as np

from mps_battery.battery import Schedule
from mps_battery.checks import InputError, shown
from mps_battery.evolve.exact import LARGEST_BY_HALVES, Exact
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.evolve.tenpy import Tenpy
from mps_battery.evolve.walk import hub_of, rate, star
from mps_battery.sites import DensitySite
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, matrix_of

Method = TEBD | TDVP | Exact | Tenpy

EXACT_DIMENSION = 2**10
"""Up to this dimension of the whole space the dense twin is faster than any truncated evolution."""

SCRAMBLED = 2**16
"""The same where dense many-body couplings make bonds grow to the largest: 16 cells of a complex SYK model take exact
evolution 20 s and 225 MB to the power optimum; see studies/syk."""

STAR_AT_ANY_WEIGHT, STAR_WHERE_TIGHT, STAR_WEIGHT = 6, 10, 1e-14
"""Up to how many sites around a hub the MPO is better: at any discarded weight, and at weights up to the last."""

PROVEN = 0.5
"""Share of the natural step where errors are proven: nested commutators overrate the error of a step more than losses
overrate that of truncation. Over random chains half the step took the proven distance down 3.4 times in the mean."""

OF_DENSITIES = 2.0
"""The natural step by TEBD of a density that is charged, in units of that of a pure state. In imaginary time it would
raise the error of the energy of eight spins at beta = 1 from 1e-8 to 1.5e-7."""

LARGEST_STEP = 10.0
"""Largest h dt of a density. Measured on boundary-driven chains: at 10 a purity is off by a third, at 50 it exceeds
one, at 300 the trace is 1e115, since products of fourth order step back in time, where dissipation grows."""


def choose(schedule: Schedule, method: Method | None, truncation: Truncation, times: np.ndarray, charging: bool = False
           ) -> tuple[Method, str]:
    """The method with its step filled in, and a sentence that says why.

    Args:
        schedule: The generator: a Hamiltonian, or a Liouvillian on density sites.
        method: What the caller asked for; None leaves it to the engine.
        truncation: Decides the natural step.
        times: When to record.
        charging: Whether densities are charged, and take longer steps than in imaginary time or under counting.
    """
    reach = max(h.reach for h in schedule.terms)
    with np.errstate(over="ignore"):              # infinite on long chains
        dimension = float(np.prod([float(s.d) for s in schedule.sites]))
    density = isinstance(schedule.sites[0], DensitySite)
    walks = reach > 1 and not density and hub_of(schedule) is not None
    if method is None:
        if dimension <= EXACT_DIMENSION:
            method, why = Exact(), f"the whole space has only {dimension:.0f} dimensions"
        elif reach <= 1:
            method, why = TEBD(), "the charging terms couple nearest neighbours"
        elif walks and small_symmetric_star(schedule, truncation):
            method, why = TDVP(), "one site couples to a few alike others, and bonds are small where it does not walk"
        elif walks:
            method, why = TEBD(), "one site couples to all others, along which it walks by swaps"
        elif not density and all_to_all(schedule):
            method, why = (Exact(), "") if dimension <= SCRAMBLED else (TDVP(), f"the terms reach over {reach} sites; ")
            why += "dense many-body couplings entangle by a volume law, so that bonds grow towards the largest"
            if dimension > SCRAMBLED:
                why += f": Exact, up to {LARGEST_BY_HALVES} dimensions, is the better tool"
        else:
            method, why = TDVP(), f"the charging terms reach over {reach} sites"
    else:
        why = "asked for"
    if not isinstance(method, TEBD | TDVP | Exact | Tenpy):
        raise InputError(f"Argument `method` must be TEBD, TDVP, Exact or Tenpy, but is {shown(method)}.")
    if isinstance(method, TEBD | Tenpy) and reach > 1 and not (isinstance(method, TEBD) and walks):
        raise InputError(f"Argument `method` must be TDVP or Exact for terms that reach over {reach} sites, but is "
                         f"{type(method).__name__}, which takes nearest neighbours only" +
                         (", or pure states with one site that couples to all." if isinstance(method, TEBD) else "."))
    if isinstance(method, Tenpy) and density:
        raise InputError("Argument `method` must be TEBD, TDVP or Exact for a density, but is Tenpy.")
    if isinstance(method, TEBD):
        method.check_device(schedule, density)
    if not isinstance(method, Exact):
        if method.dt is None:
            method = replace(method, dt=natural_step(schedule, method, truncation, times, charging))
        elif density:
            check_step(schedule, method, truncation, times, charging)
    return method, why


def small_symmetric_star(schedule: Schedule, truncation: Truncation) -> bool:
    """Whether an MPO beats the walking hub: few alike sites around it, not joined to each other, no conserved charge.

    Measured in `walk.py`: with six sites the MPO is better at any error, with ten below an error of 1e-8, with sixteen
    never; with exchange between ten sites, which makes its bonds grow, it takes fifty times as long.
    """
    hub = hub_of(schedule)
    assert hub is not None
    count = len(schedule.sites) - 1
    if count > (STAR_AT_ANY_WEIGHT if truncation.weight > STAR_WEIGHT else STAR_WHERE_TIGHT):
        return False
    if all(h.conserves_charge() for h in schedule.terms):
        return False
    parts = [star(h, hub, False) for h in schedule.terms]
    joined = any(link is not None for p in parts for link in p.links)
    unlike = any(h.shape != p.spokes[0].shape or np.any(h != p.spokes[0]) for p in parts for h in p.spokes)
    return not joined and not unlike


def all_to_all(schedule: Schedule) -> bool:
    """Whether a Hamiltonian joins as many sets of three sites and more as there are triples: charging that scrambles.

    Counted are sites that a factor flips, as those of a diagonal one may be no more than the string of a fermion.
    """
    sets = set()
    for terms in schedule.terms:
        for product, _ in terms.products:
            flipped = tuple(n for n, o in product if _flips(o))
            if len(flipped) > 2:
                sets.add(flipped)
    return len(schedule.sites) > 2 and len(sets) >= comb(len(schedule.sites), 3)


@cache
def _flips(identifier: int) -> bool:
    matrix = matrix_of(identifier)
    return bool(np.any(matrix[~np.eye(len(matrix), dtype=bool)]))


def choose_proven(schedule: Schedule, method: Method | None, truncation: Truncation, times: np.ndarray
                  ) -> tuple[Method, str]:
    """The same where the error of the state must be proven: TEBD in a moving centre under a constant Hamiltonian."""
    reach = max(h.reach for h in schedule.terms)
    for given, obstacle, reason in [
        (isinstance(schedule.sites[0], DensitySite), "a density", "truncations are proven for pure states only"),
        (not schedule.constant, "a schedule", "nested commutators bound the Trotter error of constant terms only"),
        (reach > 1, f"terms that reach over {reach} sites", "TEBD, which has proofs, takes nearest neighbours only"),
        (len(schedule.sites) == 1, "a single site", "there is no bond to split at"),
        (not isinstance(method, TEBD | None), type(method).__name__, "only TEBD has proofs"),
    ]:
        if given:
            raise InputError(f"Argument `bars` must be True or False for {obstacle}, but is 'rigorous': {reason}.")
    why = "the bars are to be rigorous" if method is None else "asked for"
    solver = replace(method if isinstance(method, TEBD) else TEBD(), moving_centre=True)
    step = solver.dt or PROVEN * natural_step(schedule, solver, truncation, times)
    return choose(schedule, replace(solver, dt=step), truncation, times)[0], why


def check_step(schedule: Schedule, method: TEBD | TDVP | Tenpy, truncation: Truncation, times: np.ndarray,
               charging: bool = False) -> None:
    """Raise where the step of a density would be so long that it is unstable; none is longer than times are apart."""
    h, longest = strength(schedule, times), float(np.max(np.diff(times), initial=0.0))
    assert method.dt is not None
    if min(method.dt, longest) * h > LARGEST_STEP:
        raise InputError(f"Argument `dt` must be at most {LARGEST_STEP / h:.2g} for a density under terms and jumps of "
                         f"this strength, but is {method.dt:g}: longer steps are unstable, and "
                         f"{natural_step(schedule, method, truncation, times, charging):.2g} is accurate.")


def strength(schedule: Schedule, times: np.ndarray, walks: bool = False) -> float:
    """Largest half-width of the spectrum of what acts on one bond, over the schedule; an inverse time.

    Where the hub of a star walks, what `rate` makes of it.
    """
    probes = np.linspace(times[0], times[-1], 33) if not schedule.constant else times[:1]
    largest = np.max([np.abs(schedule.values(float(t))) for t in probes], axis=0)
    if walks:
        return rate(schedule, largest)
    return float(sum(f * _strength(h) for f, h in zip(largest, schedule.terms, strict=True)))


def _strength(terms: Terms) -> float:
    if terms.reach <= 1 and len(terms.sites) > 1:
        if isinstance(terms.sites[0], DensitySite):     # of a commutator the norm is the whole width
            return max(float(np.linalg.norm(h, 2)) for h in terms.to_bonds()) / 2
        spectra = [np.linalg.eigvalsh(h) for h in terms.to_bonds()]
        return float(max(e[-1] - e[0] for e in spectra)) / 2
    # long range: what touches one site, each product counted by its norm
    touching = np.zeros(len(terms.sites))
    for product, c in terms.products:
        for n, _ in product:
            touching[n] += abs(c)
    return float(touching.max())


def natural_step(schedule: Schedule, method: TEBD | TDVP | Tenpy, truncation: Truncation, times: np.ndarray,
                 charging: bool = False) -> float:
    """The time step at which the error of the splitting is about that of the truncation."""
    h = strength(schedule, times, isinstance(method, TEBD) and max(h.reach for h in schedule.terms) > 1)
    weight = max(truncation.weight, 1e-15)
    scale = (weight / 1e-12) ** (0.5 / method.order)
    reduced = {TEBD: {2: 0.01, 4: 0.25}, Tenpy: {2: 0.01, 4: 0.25}, TDVP: {2: 0.05, 4: 0.5}}[type(method)][method.order]
    if charging and isinstance(method, TEBD) and isinstance(schedule.sites[0], DensitySite):
        reduced *= OF_DENSITIES
    step = reduced * scale / h if h > 0 else np.inf
    if not schedule.constant:
        step = min(step, smallest_feature(schedule, times) / 8)
    span = float(times[-1] - times[0])
    return float(min(step, span)) if span > 0 else 1.0


def smallest_feature(schedule: Schedule, times: np.ndarray) -> float:
    """The shortest time over which an envelope turns, from 4001 samples; an estimate that spikes can fool."""
    grid = np.linspace(times[0], times[-1], 4001)
    values = np.array([schedule.values(float(t)) for t in grid])
    slope = np.abs(np.gradient(values, grid, axis=0))
    swing = np.ptp(values, axis=0)
    rate = np.max(slope / np.where(swing > 0, swing, np.inf))
    return float(1 / rate) if rate > 0 else np.inf


def coarser(method: Method, truncation: Truncation) -> tuple[Method, Truncation]:
    """Twice the step, a hundred times the weight, three quarters of the bond: the run that a bar is read from."""
    loose = Truncation(max(1, (3 * truncation.bond) // 4), min(100 * max(truncation.weight, 1e-15), 1e-2))
    if isinstance(method, Exact):
        return method, loose
    assert method.dt is not None
    return replace(method, dt=2 * method.dt), loose
