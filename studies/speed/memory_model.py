"""How much memory an evolution takes, from its shapes; and how much the process has taken.

Trains of N sites with local dimension d, bonds l, r and operators of bond w, entries of 8 bytes (real) or 16:

* the train, d l r a site, held twice: as given and as it evolves. Densities take it a third time while they begin,
  since the weights of the identity make a copy and blocks another;
* TDVP holds two sets of environments, w r r a site, as those ahead of a sweep stay until it comes back;
* a pair of sites, theta with d l e r entries, as often as its update needs it: `PAIRS`, and for TDVP the Krylov
  vectors and two intermediate arrays with w theta each.
"""

from __future__ import annotations

import itertools
import resource
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from mps_battery.evolve.tdvp import TDVPEvolution
from mps_battery.tensors.density import Density

PAIRS = 7.0
"""Arrays of the size of a pair in its update: the pair, the scaled pair, its Gram matrix and what LAPACK works in."""
KRYLOV = 9.0
"""Krylov vectors of a local exponential; assumed, since it depends on step and tolerance."""


def peak() -> float:
    """Largest resident memory of this process so far, in units of 2^20 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)


def megabytes(evolution: Any) -> float:
    """Peak memory of an evolution at the bonds that it has now, in units of 2^20 bytes, without what imports take."""
    state = evolution.state
    train = state.train if isinstance(state, Density) else state
    channels = [w.shape[1] for w in evolution._generator(np.ones(len(evolution._mpos)))] if isinstance(
        evolution, TDVPEvolution) else None
    return estimate([t.shape for t in train.tensors], isinstance(state, Density), channels)


def estimate(shapes: Sequence[tuple[int, int, int]], density: bool, channels: Sequence[int] | None = None) -> float:
    """Peak memory of an evolution, in units of 2^20 bytes.

    Args:
        shapes: (vL, p, vR) of every site.
        density: Whether entries are real and the train is that of a density.
        channels: TDVP: right bond of the operator at every site; None for TEBD.
    """
    size = 8 if density else 16
    train = sum(l * d * r for l, d, r in shapes)
    pair = max((a[0] * a[1] * b[1] * b[2] for a, b in itertools.pairwise(shapes)), default=0)
    entries = (3 if density else 2) * train + PAIRS * pair
    if channels is not None:
        ends = sum(w * r * r for w, (_, _, r) in zip(channels, shapes, strict=True))
        entries = 2 * train + 2 * ends + (KRYLOV + 1 + 2 * max(channels)) * pair
    return size * entries / 2**20
