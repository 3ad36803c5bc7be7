"""How much memory an evolution takes, from the shapes that it has at the moment.

Counted are the arrays alive at the peak of a step: the train, for TDVP one environment a site, and what the update of
the largest bond works with. Entries are complex (16 bytes), of densities real (8 bytes). With H x K the matrix of that
bond and G the larger of H^2 and K^2, an eigh in LAPACK holds its input, a copy, the vectors and work space of 2 G, a
singular value decomposition in complex numbers about 10.5 G.
"""

from __future__ import annotations

import itertools
import resource
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mps_battery.evolve.tdvp import TDVPEvolution
from mps_battery.evolve.tebd import STACK, STACKED, TEBD, CentreEvolution, HastingsEvolution, compiled
from mps_battery.evolve.threads import MOST_HANDS

Array = np.ndarray
Shapes = list[tuple[int, int, int]]
"""(vL, p, vR) of every site."""

DIMENSION = 41
"""Most Krylov vectors of a local exponential: a longer one is halved."""
SVD = 10.5
"""Arrays of a singular value decomposition in complex numbers, input, result and work space, in units of G."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that an evolution takes.

    Attributes:
        held: What lies in memory between steps.
        step: What comes on top at the peak of a step.
        showing: What comes on top while `state` is made.
        dense: The state that it gives, a dense train.
        largest: The largest tensor of that train.
        ends: vR^2 summed over the sites: an environment of one channel at every site.
        shared: Whether the state that it gives is the one that is held.
    """

    held: float
    step: float
    showing: float
    dense: float
    largest: float
    ends: float
    shared: bool

    def measuring(self, width: int, stored: int) -> float:
        """Bytes on top of `held` while the state is measured.

        Args:
            width: Channels of the widest operator whose mean value is taken; for densities, where an operator is a
                vector that takes next to nothing, 0.
            stored: Channels of the operator of which an environment is kept at every site; 0 keeps none.
        """
        # two intermediate arrays with all channels
        work = (2 * width + 2) * self.largest + stored * self.ends
        return max(self.showing, (0.0 if self.shared else self.dense) + work)


def peak() -> float:
    """Largest resident memory of this process so far, in units of 2^20 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)


def idle(method: object, pure: bool) -> float:
    """The same before an evolution begins, with the code loaded that it needs."""
    if isinstance(method, TEBD) and pure:
        compiled()
    return peak()


def footprint(evolution: Any) -> Footprint | None:
    """The footprint of an evolution as it is now; None where there is no model of it.

    There is none of walking hubs, devices and one-site TDVP.
    """
    if type(evolution) is HastingsEvolution:
        return _blocked(evolution) if evolution._chain is not None else _stacked(evolution)
    if type(evolution) is CentreEvolution:
        return _centred(evolution)
    if type(evolution) is TDVPEvolution and evolution.method.sites == 2:
        return _projected(evolution)
    return None


def _of(shapes: Shapes, size: int, held: float | None, step: float, copies: int = 1) -> Footprint:
    """A footprint, in entries of `size` bytes; held None: the dense train itself."""
    sites = [l * d * r for l, d, r in shapes]
    dense = float(size * sum(sites))
    return Footprint(dense if held is None else size * held, size * step, 0.0 if held is None else copies * dense,
                     dense, float(size * max(sites)), float(size * sum(r * r for *_, r in shapes)), held is None)


def _pair(shapes: Shapes) -> int:
    """Entries of the largest pair of sites."""
    return max((a[0] * a[1] * b[1] * b[2] for a, b in itertools.pairwise(shapes)), default=0)


def _stacked(evolution: HastingsEvolution) -> Footprint:
    """Dense tensors p vL vR, in compiled code or in stacks."""
    shapes = [(l, d, r) for d, l, r in (t.shape for t in evolution._tensors)]
    pair = _pair(shapes)
    if evolution._labels is None:
        # the pair, and Gram matrix, copy, two of work space and vectors
        step = 6.0 * max(pair, min(STACK * pair, STACKED))
    else:
        labels, local = evolution._labels, evolution._charges
        b = max(range(len(shapes) - 1), key=lambda n: len(labels[n + 1]), default=None)
        step = 0.0
        if b is not None:
            parts = _matrices(Counter(labels[b].tolist()), Counter(labels[b + 2].tolist()), local[b], local[b + 1])
            widest = max(k for _, k in parts)
            step = sum(h * k for h, k in parts) + len(parts) * widest**2 + max(2 * h * k + 5 * k * k for h, k in parts)
            step *= max(1, min(evolution._hands, MOST_HANDS, (len(shapes) - 1) // 2))
    return _of(shapes, 16, None, step)


def _blocked(evolution: HastingsEvolution) -> Footprint:
    """Blocks over a charge."""
    chain = evolution._chain
    assert chain is not None
    bonds = [{0: 1}, *({q: len(s) for q, s in cut.items()} for cut in chain.schmidt), None]
    sizes = [sum(bond.values()) if bond is not None else 1 for bond in bonds]
    shapes = [(l, len(c), r) for l, c, r in zip(sizes[:-1], chain.charges, sizes[1:], strict=True)]
    bonds[-1] = {q + int(chain.charges[-1][p]): 1 for p, q in chain.blocks[-1]}
    b = int(np.argmax(sizes[1:-1]))
    left, right = bonds[b], bonds[b + 2]
    assert left is not None
    assert right is not None
    parts = _matrices(left, right, chain.charges[b], chain.charges[b + 1])
    # the pair as it was multiplied and as it is decomposed, all vectors, and one decomposition
    step = 2 * sum(h * k for h, k in parts) + sum(k * k for _, k in parts) + max(h * k + 4 * k * k for h, k in parts)
    step *= max(1, min(evolution._hands, MOST_HANDS, (len(shapes) - 1) // 2))
    return _of(shapes, 16, sum(a.size for site in chain.blocks for a in site.values()), step)


def _matrices(left: Mapping[int, int], right: Mapping[int, int], first: Array, second: Array
              ) -> list[tuple[int, int]]:
    """Rows and columns of the matrix of every charge in the middle, from the states of the bonds around two sites."""
    rows: Counter[int] = Counter()
    columns: Counter[int] = Counter()
    for bond, local, sign, out in ((left, first, 1, rows), (right, second, -1, columns)):
        for q, n in bond.items():
            for c in local:
                out[q + sign * int(c)] += n
    return [(rows[m], columns[m]) for m in rows if columns[m]] or [(1, 1)]


def _centred(evolution: CentreEvolution) -> Footprint:
    """Blocks with a moving centre: of densities by Gram matrices, of pure states by singular values."""
    chain, pure = evolution._chain, not evolution._open
    grading, lefts, rights = chain.grading, [], []
    for site in chain.blocks:
        lefts.append({q: a.shape[1] for (q, _), a in site.items()})
        rights.append({grading.add(q, c): a.shape[2] for (q, c), a in site.items()})
    shapes = [(sum(l.values()), len(c), sum(r.values()))
              for l, c, r in zip(lefts, grading.charges, rights, strict=True)]
    step = 0.0
    if len(shapes) > 1:
        b = max(range(len(shapes) - 1), key=lambda n: shapes[n][2])
        rows: Counter[int] = Counter()
        columns: Counter[int] = Counter()
        for q, n in lefts[b].items():
            for c, p in grading.members(b).items():
                rows[grading.add(q, c)] += n * len(p)
        for m in rights[b]:
            for e, p in grading.members(b + 1).items():
                columns[m] += rights[b + 1].get(grading.add(m, e), 0) * len(p)
        parts = [(rows[m], columns[m]) for m in rows if columns[m]] or [(1, 1)]
        grams = [max(h, k) ** 2 for h, k in parts]
        # the pair as it was multiplied and as it is decomposed, all vectors, and one decomposition
        step = 2 * sum(h * k for h, k in parts) + sum(grams) + (SVD - 1 if pure else 4) * max(grams)
    held = sum(a.size for site in chain.blocks for a in site.values())
    # a density is scaled and brought to canonical form while the last form is still there
    return _of(shapes, 16 if pure else 8, held, step, copies=1 if pure else 2)


def _projected(evolution: TDVPEvolution) -> Footprint:
    """TDVP of two sites: environments ahead of the sweep or behind it, and Krylov vectors of a pair."""
    shapes: Shapes = [t.shape for t in evolution._tensors]
    channels = np.sum([[w.shape[1] for w in mpo.tensors] for mpo in evolution._mpos], axis=0)
    ends = sum(int(w) * r * r for w, (_, _, r) in zip(channels, shapes, strict=True))
    # Krylov vectors, the pair, and two intermediate arrays with all channels
    step = ends + (min(evolution.vectors, DIMENSION) + 1 + 2 * int(channels.max())) * _pair(shapes)
    return _of(shapes, 8 if evolution._open else 16, None, max(step, evolution.taylor))
