"""What the models are built from: checked arguments, sums over a chain, jumps, random draws, states of light."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import nbinom, poisson

from mps_battery.battery import Jump
from mps_battery.checks import must, number, whole
from mps_battery.sites import Label, Site, Spin
from mps_battery.terms import Terms, one_site_sum

LEAST = {"cells": 2, "photons": 0, "phonons": 0, "cutoff": 1, "mirror_cutoff": 1, "seed": 0, "realisation": 0}
"""Arguments that count, and from where."""
SWITCHES = {"keep_battery", "periodic", "intrinsic", "collective", "pairwise", "counterdiabatic", "simultaneous",
            "mirror"}
"""Arguments that are True or False."""
LIGHT = ("fock", "coherent", "squeezed", "thermal")
"""States in which a cavity may start."""
DISORDER = 0
"""Stream of the random numbers that disorder is drawn from, behind the coordinates seed and realisation."""
UNSEEN = 1e-6
"""Share of the photons' distribution that the default cutoff leaves out."""


def checked(*, fewest: int = LEAST["cells"], **arguments: Any) -> dict[str, Any]:
    """The arguments of a model as plain numbers for its record, each checked by what its name says it is.

    Args:
        fewest: Least number of cells.
        arguments: The arguments by name.
    """
    plain: dict[str, Any] = {}
    least = LEAST | {"cells": fewest}
    for name, value in arguments.items():
        if name in SWITCHES:
            must(isinstance(value, bool | np.bool_), name, "be True or False", value)
            plain[name] = bool(value)
        elif name in least:
            must(whole(value) and value >= least[name], name, f"be an integer of at least {least[name]}", value)
            plain[name] = int(value)
        else:
            must(number(value) and np.isfinite(value), name, "be a finite number", value)
            plain[name] = float(value)
    return plain


def check_rates(**rates: float) -> None:
    """Rates of jumps, checked to be at least zero."""
    for name, rate in rates.items():
        must(rate >= 0, name, "be a number of at least 0", rate)


def each(sites: Sequence[Site], operator: str, strength: ArrayLike) -> Terms:
    """sum_n c_n A_n; one strength for all or one a site."""
    return one_site_sum(sites, operator, np.broadcast_to(strength, len(sites)))


def pairs(sites: Sequence[Site], left: str, right: str, strength: ArrayLike, distance: int = 1) -> Terms:
    """sum_n c_n A_n B_{n + distance}; one strength for all or one a pair."""
    terms, count = Terms(sites), max(len(sites) - distance, 0)
    for n, c in enumerate(np.broadcast_to(strength, count)):
        terms += c, (left, n), (right, n + distance)
    return terms


def excitations(sites: Sequence[Site], places: Iterable[int], strength: float) -> Terms:
    """strength sum (1 + Z_n) / 2 over some places."""
    terms = Terms(sites)
    for n in places:
        terms += strength / 2, ("Z", n)
        terms += strength / 2,
    return terms


def add_exchange(terms: Terms, strength: float, n: int, m: int) -> None:
    """strength (A+_n A_m + A_n A+_m) between any two of cells and modes."""
    (up, down), (other_up, other_down) = ((("Sp", "Sm") if isinstance(terms.sites[k], Spin) else ("Ad", "A"))
                                          for k in (n, m))
    terms += strength, (up, n), (other_down, m)
    terms += strength, (down, n), (other_up, m)


def jump(sites: Sequence[Site], strength: float, name: str, n: int, bath: str) -> Jump:
    """strength x operator on one site, as a jump."""
    terms = Terms(sites)
    terms += float(strength), (name, n)
    return Jump(terms, bath=bath)


def draw(argument: str, given: ArrayLike | None, count: int, mean: float, width: float, seed: int,
         realisation: int) -> np.ndarray:
    """The values given, checked; else a uniform draw from mean - width to mean + width."""
    if given is None:
        rng = np.random.default_rng(np.random.SeedSequence([seed, realisation, DISORDER]))
        return mean + rng.uniform(-width, width, count)
    values = np.asarray(given)
    must(values.dtype.kind in "iuf" and values.shape == (count,) and np.all(np.isfinite(values)), argument,
         f"hold {count} finite numbers", given)
    return values.astype(float)


def light_counts(photons: int, light: str, cutoff: int | None, room: int = 0) -> dict[str, Any]:
    """Photons, kind of light and cutoff, checked; a cutoff left open holds the start but for `UNSEEN`, and `room`.

    Args:
        photons: Photons at the start, or their mean.
        light: One of `LIGHT`.
        cutoff: Most photons that the cavity holds; None for the least that holds the start, and room.
        room: Photons that the charging may add.
    """
    counts = checked(photons=photons)
    must(isinstance(light, str) and light in LIGHT, "light", f"be one of {', '.join(LIGHT)}", light)
    counts["light"] = light
    counts |= checked(cutoff=max(1, _most_photons(light, counts["photons"]) + room) if cutoff is None else cutoff)
    must(counts["cutoff"] >= counts["photons"], "cutoff", f"be at least {counts['photons']}, the photons at the start",
         cutoff)
    return counts


def light_state(photons: int, light: str, cutoff: int) -> Label:
    """The state of a mode at the start: a number of photons, a vector, or a density where it is thermal.

    Coherent: <n|alpha> = exp(-alpha^2 / 2) alpha^n / sqrt(n!), alpha = sqrt(photons). Squeezed vacuum, a + a+
    stretched: <2m|r> = sqrt((2m)! / cosh r) tanh^m r / (2^m m!), sinh^2 r = photons. Thermal: p_n proportional to
    (photons / (1 + photons))^n. All are normalised again within the cutoff.
    """
    if light == "fock":
        return photons
    n = np.arange(cutoff + 1)
    weights = _distribution(light, photons).pmf(n if light != "squeezed" else n // 2)
    if light == "squeezed":
        weights[1::2] = 0.0
    return np.diag(weights / weights.sum()) if light == "thermal" else np.sqrt(weights / weights.sum())


def _most_photons(light: str, photons: int) -> int:
    """The least number of photons that all but `UNSEEN` of a start stays within."""
    if light == "fock":
        return photons
    within = int(_distribution(light, photons).ppf(1 - UNSEEN))
    return max(photons, 2 * within if light == "squeezed" else within)


def _distribution(light: str, photons: int) -> Any:
    """How photons are distributed: Poisson, geometric, or of squeezed light, where pairs are counted."""
    return poisson(photons) if light == "coherent" else nbinom(0.5 if light == "squeezed" else 1, 1 / (1 + photons))
