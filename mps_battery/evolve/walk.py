"""TEBD of a star: one site, the hub, that couples to all others walks along the chain by swaps.

The generator is C + sum_k S_k + sum_k L_k: C on the hub alone, S_k on the hub and the k-th other site (its own terms
included), L_k on the k-th and the next of the others, in their order. A sweep to the right applies, with the hub before
all others at first,

    S_0, S_1, L_0, S_2, L_1, S_3, L_2, ...

each followed by a swap of the hub with the site that it has met; L_k-1 acts when both its sites have been met. A sweep
to the left is the same in reverse order. C is shared equally by the S_k.

A sweep is a product of first order and the sweep back its adjoint. With coefficients a_j, b_j of a symmetric product
formula exp(a_0 A) exp(b_0 B) exp(a_1 A) ..., sweeps to and fro of the lengths c_0 = a_0, c_1 = b_0 - c_0,
c_2 = a_1 - c_1, ... have the same order, whatever the number of parts [McLachlan 1995, SIAM J. Sci. Comput. 16, 151].

The hub carries the orthogonality centre, so that every truncation is an exact projection. Where the hub stands at an
end a state of alike sites has bonds up to their number, but in the middle of its way only to half of it.

Swaps against an MPO (two-site TDVP), CPU seconds and error of the whole energy, natural steps, no bars:

    battery, time                weight     swaps             MPO
    Tavis-Cummings, N = 20, 3    1e-12      0.69 s, 3.5e-8    3.54 s, 1.7e-9
                                 1e-16      1.25 s, 7e-11     4.06 s
    Dicke, N = 6, 1.1            1e-12      0.50 s, 2.1e-8    0.35 s, 9.7e-11
                                 1e-16      0.67 s, 6.0e-11   0.45 s, 1.3e-12
    Dicke, N = 10, 0.85          1e-12      0.53 s, 3.7e-8    1.12 s, 4.0e-11
                                 1e-14      1.01 s, 3.4e-9    1.11 s, 4.0e-11
                                 1e-16      1.35 s, 3.4e-10   1.43 s, 6.3e-12
    Dicke, N = 16, 0.68          1e-12      1.36 s, 1.6e-8    4.63 s, 5.1e-10
                                 1e-14      2.75 s, 9.6e-10   6.09 s, 9.7e-11
                                 1e-16      3.95 s, 3.0e-11   7.45 s, 1.0e-11
    with exchange, N = 10, 1.9   1e-8       1.43 s, 8e-6      67 s
                                 1e-10      3.1 s, 1e-6       160 s

Dicke at coupling 1/2, errors against one large spin; Tavis-Cummings against the MPO at 1e-16; the last is the best mean
power of `cavity_heisenberg` against the walk at 1e-12. A star of alike sites whose charge is not conserved is for the
MPO while it is small, since its bonds are those of the symmetric state with the hub in the middle; `choose.py` takes it
for up to six sites, and for up to ten at weights of 1e-14 and less. All others walk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh

from mps_battery.battery import Schedule
from mps_battery.evolve.graded import GradedTrain, Grading
from mps_battery.evolve.ladder import LadderTrain, pair_gate
from mps_battery.evolve.products import cheapest, digits, equal_steps, layers
from mps_battery.sites import Site
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation
from mps_battery.terms import Terms, matrix_of

Array = np.ndarray

MOST_GATES = 2048
"""Gates that are kept."""


@dataclass(frozen=True)
class Star:
    """The parts of a generator around a hub.

    Attributes:
        hub: The site that walks.
        spokes: S_k with the share of C in it, one an other site in order, on (hub, other).
        links: L_k on (k-th other, next other); None where there is none.
        turning: mu, taken out of the spokes: mu times the total charge, which is conserved, acts on the state as a
            phase of every site.
    """

    hub: int
    spokes: list[Array]
    links: list[Array | None]
    turning: float


def hub_of(schedule: Schedule) -> int | None:
    """The one site around which a Hamiltonian is a star, or None.

    Products may join the hub with any other site, and two others that are neighbours once the hub is left out.
    """
    pairs = {(p[0][0], p[1][0]) for h in schedule.terms for p, _ in h.products if len(p) == 2}
    if any(len(p) > 2 for h in schedule.terms for p, _ in h.products) or not pairs:
        return None
    meetings = Counter(n for pair in pairs for n in pair)
    hub = max(meetings, key=lambda n: (meetings[n], -n))
    far = [(m, n) for m, n in pairs if hub not in (m, n) and (n - m) - (m < hub < n) != 1]
    return None if far else hub


def star(terms: Terms, hub: int, conserved: bool) -> Star:
    """The parts of one Hamiltonian around its hub.

    Args:
        terms: Hermitian; see `hub_of`.
        hub: The site that walks.
        conserved: Whether the total charge is conserved.
    """
    sites = terms.sites
    others = [n for n in range(len(sites)) if n != hub]
    place, d = {n: k for k, n in enumerate(others)}, sites[hub].d
    own = [np.zeros((s.d, s.d), dtype=complex) for s in sites]
    spokes = [np.zeros((d * sites[n].d,) * 2, dtype=complex) for n in others]
    links: list[Array | None] = [None] * (len(others) - 1)
    for product, c in terms.products:
        matrices = {n: matrix_of(o) for n, o in product}
        if len(product) < 2:
            n = product[0][0] if product else hub
            own[n] += c * matrices.get(n, np.eye(d))
        elif hub in matrices:
            n = next(n for n in matrices if n != hub)
            spokes[place[n]] += c * np.kron(matrices[hub], matrices[n])
        else:
            m, n = product[0][0], product[1][0]
            link = links[place[m]]
            links[place[m]] = c * np.kron(matrices[m], matrices[n]) + (0.0 if link is None else link)
    charges = [s.charges.astype(float) for s in sites]
    turning = float(np.polyfit(charges[hub], np.diag(own[hub]).real, 1)[0]) if conserved else 0.0
    for h, q in zip(own, charges, strict=True):
        h -= turning * np.diag(q)
    for k, n in enumerate(others):
        spokes[k] += np.kron(own[hub] / len(others), np.eye(sites[n].d)) + np.kron(np.eye(d), own[n])
    return Star(hub, spokes, links, turning)


class WalkEvolution:
    """A pure state on its way through time under a star; `advance` moves it, `state` shows it."""

    def __init__(self, method: Any, state: MPS, generator: Schedule, truncation: Truncation, time: float) -> None:
        self.method, self.truncation, self.time = method, truncation, time
        self.ledger = Ledger(max_bond=max(state.bonds, default=1))
        self._schedule, self._sites = generator, state.sites
        hub = hub_of(generator)
        assert hub is not None, "whether it is a star is checked before the evolution starts"
        conserved = all(h.conserves_charge() for h in generator.terms)
        self._parts = [star(h, hub, conserved) for h in generator.terms]
        self._hub, self._others = hub, [n for n in range(len(state.sites)) if n != hub]
        self._spokes = [[p.spokes[k] for p in self._parts] for k in range(len(self._others))]
        self._links = [[p.links[k] for p in self._parts] for k in range(len(self._others) - 1)]
        self._alike = {"spoke": _classes(self._spokes), "link": _classes(self._links)}
        self._turned = 0.0
        self._gates: dict[tuple, Any] = {}
        self._train = self._train_of(state, conserved)
        self.ledger.state_error += self._train.lost
        _walk(self._train, hub, 0, truncation, self.ledger)

    def _train_of(self, state: MPS, conserved: bool) -> LadderTrain | GradedTrain:
        """The state in the finest blocks that generator and state allow."""
        charges = [s.charges for s in self._sites]
        if self.method.blocks is not None:
            ladder = LadderTrain.from_train(state.tensors, charges) if conserved else None
            if ladder is not None:
                return ladder
            for modulus in (0, 2):
                if all(_allows(h, self._sites[self._hub], self._sites[n], modulus)
                       for n, parts in zip(self._others, self._spokes, strict=True) for h in parts) and all(
                        h is None or _allows(h, self._sites[m], self._sites[n], modulus)
                        for m, n, parts in zip(self._others, self._others[1:], self._links, strict=False)
                        for h in parts):
                    local = tuple(tuple(int(x) % modulus if modulus else int(x) for x in c) for c in charges)
                    graded = GradedTrain.from_train(state.tensors, Grading(local, modulus))
                    if graded is not None:
                        return graded
        dense = GradedTrain.from_train(state.tensors, Grading.trivial(s.d for s in self._sites))
        assert dense is not None
        return dense

    @property
    def state(self) -> MPS:
        """The present state with every site in its place, orthogonality centre at the hub."""
        train = self._train.copy()
        _walk(train, 0, self._hub, self.truncation, Ledger())
        phases = [np.exp(-1j * self._turned * s.charges)[:, None] for s in self._sites]
        return MPS(self._sites, [t * p for t, p in zip(train.to_train(), phases, strict=True)], train.center)

    def advance(self, time: float) -> None:
        """Evolve to a later time in equal steps not longer than `dt`."""
        span = time - self.time
        if span <= 0:
            return
        steps, dt = equal_steps(span, self.method.dt)
        sequence = sweeps(self.method.order, cheapest(self.method.order, self.method.dt / dt))
        if len(self._gates) > MOST_GATES:
            self._gates.clear()
        for k in range(steps):
            for values, duration in self._schedule.pieces(self.time + k * dt, dt, self.method.order):
                if not self._schedule.constant:
                    self._gates.clear()
                for j, fraction in enumerate(sequence):
                    self._sweep(j % 2 == 0, values, digits(fraction * duration))
                self._turned += duration * sum(v * p.turning for v, p in zip(values, self._parts, strict=True))
        self.time = time

    def memory(self) -> dict[str, Any]:
        """Train, ledger and phase; between steps the hub is left of all others, which its start knows."""
        train: dict[str, Any] = {"center": self._train.center}
        if isinstance(self._train, LadderTrain):
            train |= {"matrices": [np.ascontiguousarray(a) for a in self._train.matrices],
                      "bonds": [np.ascontiguousarray(q) for q in self._train.bonds]}
        else:
            train |= {"blocks": [{key: np.ascontiguousarray(a) for key, a in site.items()}
                                 for site in self._train.blocks]}
        return {"time": self.time, "ledger": replace(self.ledger), "turned": self._turned, "train": train}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.time, self.ledger, self._turned = memory["time"], memory["ledger"], memory["turned"]
        for name, value in memory["train"].items():
            setattr(self._train, name, value)

    def _sweep(self, rightward: bool, values: Array, tau: float) -> None:
        """The hub from one end to the other; it begins on the left where it goes right."""
        count = len(self._others)
        for k in range(count) if rightward else range(count - 1, -1, -1):
            if not rightward and k > 0:
                self._link(k - 1, values, tau)
            gate = self._gate("spoke", k, rightward, values, tau)
            self._train.update(k, gate, rightward, self.truncation, self.ledger, swap=True)
            if rightward and k > 0:
                self._link(k - 1, values, tau)
        self.ledger.end_of_sweep()

    def _link(self, k: int, values: Array, tau: float) -> None:
        """The gate on two others that stand left of the hub, at k and k + 1; the hub is at k + 2."""
        if all(h is None for h in self._links[k]):
            return
        self._train.move(k + 1)
        self._train.update(k, self._gate("link", k, True, values, tau), True, self.truncation, self.ledger)
        self._train.move(k + 2)

    def _gate(self, kind: str, k: int, rightward: bool, values: Array, tau: float) -> Any:
        """exp(-i tau h) of a spoke or a link, in the form that the train takes."""
        key = (kind, self._alike[kind][k], rightward, tau)
        if key not in self._gates:
            parts = self._spokes[k] if kind == "spoke" else self._links[k]
            h = sum(v * g for v, g in zip(values, parts, strict=True) if g is not None)
            hub, other = self._sites[self._hub], self._sites[self._others[k]]
            first, second = (hub, other) if kind == "spoke" else (other, self._sites[self._others[k + 1]])
            e, u = eigh(h)
            self._gates[key] = self._made((u * np.exp(-1j * tau * e)) @ u.conj().T, first, second,
                                          kind == "link" or rightward)
        return self._gates[key]

    def _made(self, gate: Array, first: Site, second: Site, in_order: bool) -> Any:
        """A dense gate on two sites as the train takes it, where they stand in this order or the other way round."""
        turned = gate.reshape(first.d, second.d, first.d, second.d).transpose(1, 0, 3, 2).reshape(gate.shape)
        if isinstance(self._train, LadderTrain):
            # the isometry of a spoke is on the site that the hub met, that of a link on its first site
            link = first is not self._sites[self._hub]
            return pair_gate(gate, first.charges, second.charges) if link else \
                pair_gate(turned, second.charges, first.charges)
        grading = self._train.grading
        graded = any(map(any, grading.charges))
        sites = (first, second) if in_order else (second, first)
        local = tuple(tuple(int(c) % grading.modulus if grading.modulus else int(c) * graded for c in s.charges)
                      for s in sites)
        return Grading(local, grading.modulus).gate(0, gate if in_order else turned)


def rate(schedule: Schedule, strengths: Array) -> float:
    """How fast gates of a star of these strengths of its parts go wrong with their length; an inverse time.

    Half the width of the spectrum of a spoke, or what many spokes that do not commute add up to,
    sqrt(count |[S_k, S_l]|), whichever is larger; the norm is bounded by the sums of rows and columns. Photons commute
    but for one quantum: the second is no more than the first in a cavity with a photon a cell.
    """
    hub = hub_of(schedule)
    assert hub is not None
    sites = schedule.sites
    conserved = all(h.conserves_charge() for h in schedule.terms)
    parts = [star(h, hub, conserved) for h in schedule.terms]
    others = [sites[n] for n in range(len(sites)) if n != hub]
    spokes = [sum(f * p.spokes[k] for f, p in zip(strengths, parts, strict=True)) for k in range(len(others))]
    links = [f * h for f, p in zip(strengths, parts, strict=True) for h in p.links if h is not None]
    distinct = {h.tobytes(): (k, h) for k, h in enumerate(spokes)}.values()
    spectra = [np.linalg.eigvalsh(h) for h in (*(h for _, h in distinct), *links)]
    widest = max(float(e[-1] - e[0]) / 2 for e in spectra)
    strongest = max((float(np.linalg.norm(h)), k) for k, h in distinct)[1]
    d, s = sites[hub].d, spokes[strongest].reshape(*[sites[hub].d, others[strongest].d] * 2)
    own = others[strongest].d
    first = np.einsum("hkgj,lm->hklgjm", s, np.eye(own)).reshape((d * own * own,) * 2)
    second = np.einsum("hlgm,kj->hklgjm", s, np.eye(own)).reshape((d * own * own,) * 2)
    bracket = sp.csr_matrix(first) @ sp.csr_matrix(second)
    bracket = abs(bracket - bracket.conj().T)
    norm = float(np.sqrt(bracket.sum(0).max() * bracket.sum(1).max()))
    return max(widest, float(np.sqrt(len(others) * norm)))


def sweeps(order: int, stages: int) -> list[float]:
    """One time step as fractions of dt, one a sweep, to the right first and then to and fro."""
    out = [0.0]
    for _, fraction in layers(order, stages)[:-1]:
        out.append(fraction - out[-1])
    return out[1:]


def _walk(train: LadderTrain | GradedTrain, at: int, to: int, truncation: Truncation, ledger: Ledger) -> None:
    """Swap the site at one place to another without evolving anything."""
    train.move(at)
    while at != to:
        rightward = at < to
        train.update(at if rightward else at - 1, None, rightward, truncation, ledger, swap=True)
        at += 1 if rightward else -1
    ledger.end_of_sweep()


def _classes(rows: Sequence[Sequence[Array | None]]) -> list[int]:
    """A number for every row, the same for rows of equal matrices."""
    known: dict[tuple, int] = {}
    return [known.setdefault(tuple(b"" if h is None else h.tobytes() for h in row), len(known)) for row in rows]


def _allows(h: Array, first: Site, second: Site, modulus: int) -> bool:
    """Whether a two-site matrix conserves the charge of its sites, modulo something."""
    charges = [tuple(int(c) % modulus if modulus else int(c) for c in s.charges) for s in (first, second)]
    return Grading(tuple(charges), modulus).allows([h])
