"""What the models are built from: checked arguments, sums over a chain, one-site jumps, random draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mps_battery.battery import Jump
from mps_battery.checks import must, number, whole
from mps_battery.sites import Site
from mps_battery.terms import Terms, one_site_sum

LEAST = {"cells": 2, "photons": 0, "cutoff": 1, "seed": 0, "realisation": 0}
"""Arguments that count, and from where."""
SWITCHES = {"keep_battery", "periodic", "intrinsic", "collective"}
"""Arguments that are True or False."""


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


def jump(sites: Sequence[Site], strength: float, name: str, n: int, bath: str) -> Jump:
    """strength x operator on one site, as a jump."""
    terms = Terms(sites)
    terms += float(strength), (name, n)
    return Jump(terms, bath=bath)


def draw(argument: str, given: ArrayLike | None, count: int, mean: float, width: float, seed: int,
         realisation: int) -> np.ndarray:
    """The values given, checked; else a uniform draw from mean - width to mean + width."""
    if given is None:
        rng = np.random.default_rng(np.random.SeedSequence([seed, realisation]))
        return mean + rng.uniform(-width, width, count)
    values = np.asarray(given)
    must(values.dtype.kind in "iuf" and values.shape == (count,) and np.all(np.isfinite(values)), argument,
         f"hold {count} finite numbers", given)
    return values.astype(float)
