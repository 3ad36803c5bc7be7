"""Time-evolving block decimation of orders 2 and 4 [Vidal 2004, PRL 93, 040502].

Inside this file tensors are stored with legs p vL vR: a two-site gate is then one matrix product over all bonds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mps_battery.battery import Schedule
from mps_battery.checks import must, number, whole
from mps_battery.evolve.blocks import BlockChain, conserved, gate_blocks
from mps_battery.tensors import trains
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray

# Symmetric fourth-order products exp(a0 A) exp(b0 B) exp(a1 A) ... exp(a0 A) for the sums A (even bonds) and B (odd
# bonds): stages -> (a coefficients, b coefficients, norm of the fifth-order error over words in A and B). Three stages
# are Forest and Ruth's [1990, Physica D 43, 105]. With four and five stages the free parameters (one and two) were set
# to minimise that norm; five stages stand 10 times below Suzuki's product of as many layers (9.2e-3) and, at equal
# work, level with the six stages of Blanes and Moan [2002, J. Comput. Appl. Math. 142, 313].
_FOREST_RUTH = 1 / (2 - 2 ** (1 / 3))
FOURTH_ORDER = {
    3: ((_FOREST_RUTH / 2, (1 - _FOREST_RUTH) / 2), (_FOREST_RUTH, 1 - 2 * _FOREST_RUTH), 1.84e-1),
    4: ((0.3163930408502195, -0.08163090233541635, 0.5304757229703937),
        (-0.17716087830909555, 0.6771608783090955), 6.48e-3),
    5: ((0.09536904797748579, 0.45997784051259016, -0.05534688849007596),
        (0.25758503262685745, -0.16542859664019374, 0.8156871280266726), 9.61e-4),
}


def layers(order: int, stages: int = 5) -> list[tuple[int, float]]:
    """One time step as (parity of the bonds, fraction of dt), in order of action."""
    if order == 2:
        return [(0, 0.5), (1, 1.0), (0, 0.5)]
    a, b, _ = FOURTH_ORDER[stages]
    a = a + a[::-1] if stages % 2 else a + a[-2::-1]
    b = b + b[-2::-1] if stages % 2 else b + b[::-1]
    return [pair for x, y in zip(a, (*b, 0.0), strict=True) for pair in ((0, x), (1, y))][:-1]


def cheapest(order: int, ratio: float) -> int:
    """Fewest stages whose error at a step `ratio` times shorter is not above that of five stages at the full step."""
    if order == 2:
        return 1
    return min(stages for stages, (_, _, error) in FOURTH_ORDER.items()
               if error <= FOURTH_ORDER[5][2] * max(1.0, ratio) ** 4)


def merged(steps: int, order: int, stages: int = 5) -> list[tuple[int, float]]:
    """Several time steps, adjacent layers of the same bonds merged."""
    out: list[tuple[int, float]] = []
    for parity, fraction in layers(order, stages) * steps:
        if out and out[-1][0] == parity:
            out[-1] = (parity, out[-1][1] + fraction)
        else:
            out.append((parity, fraction))
    return out


CROSSOVER = 40
"""Bond from which blocks over a charge are faster than dense tensors: measured on the Neel and domain-wall chains."""


@dataclass(frozen=True)
class TEBD:
    """Trotterised evolution under nearest-neighbour terms.

    Args:
        dt: Largest time step; None lets the engine choose it from the strength of the terms and the truncation. Where
            the times asked for force much shorter steps, products with fewer stages and no larger error are taken.
        order: 2 or 4.
        blocks: Largest bond of dense tensors where a charge is conserved: above it, tensors become blocks over the
            charge (Hastings' form only). None never does that.
        moving_centre: Sweep with a moving orthogonality centre, so that every truncation is an exact projection and
            the norm is never touched, instead of Hastings' cheaper form [2009, J. Math. Phys. 50, 095207].
    """

    dt: float | None = None
    order: int = 4
    moving_centre: bool = False
    blocks: int | None = CROSSOVER

    def __post_init__(self) -> None:
        must(self.dt is None or (number(self.dt) and self.dt > 0), "dt", "be a positive number", self.dt)
        must(self.order in (2, 4), "order", "be 2 or 4", self.order)
        must(self.blocks is None or (whole(self.blocks) and self.blocks >= 0), "blocks",
             "be None or an integer of at least 0", self.blocks)

    def start(self, state: MPS, generator: Schedule, truncation: Truncation, time: float = 0.0) -> TEBDEvolution:
        """Begin an evolution of `state` under -i `generator`."""
        return TEBDEvolution(self, state, generator, truncation, time)


class TEBDEvolution:
    """A state on its way through time; `advance` moves it, `state` shows it."""

    def __init__(self, method: TEBD, state: MPS, generator: Schedule, truncation: Truncation, time: float) -> None:
        self.method, self.truncation, self.time = method, truncation, time
        self.ledger = Ledger(max_bond=max(state.bonds, default=1))
        self._sites, self._schedule = state.sites, generator
        self._bonds = [h.to_bonds() for h in generator.terms]
        start = state.canonical(0)
        self._tensors = [np.ascontiguousarray(t.transpose(1, 0, 2)).astype(complex) for t in start.tensors]
        self._schmidt = list(start.schmidt_values)
        self._gates: dict[tuple, list[Any]] = {}
        self._charges = [np.asarray(s.charges) for s in state.sites]
        self._chain: BlockChain | None = None
        self._may_block = method.blocks is not None and not method.moving_centre and all(
            conserved(bonds, self._charges) for bonds in self._bonds)

    @property
    def state(self) -> MPS:
        """The present state, orthogonality centre at site 0."""
        if self._chain is not None:
            tensors, schmidt = self._chain.to_train()
            return MPS(self._sites, [t.transpose(1, 0, 2) for t in tensors], 0, schmidt)
        known = None if self.method.moving_centre else list(self._schmidt)
        return MPS(self._sites, [t.transpose(1, 0, 2) for t in self._tensors], 0, known)

    def advance(self, time: float) -> None:
        """Evolve to a later time in equal steps not longer than `dt`."""
        span = time - self.time
        if span <= 0:
            return
        assert self.method.dt is not None, "the step is chosen before the evolution starts"
        steps = max(1, int(np.ceil(span / self.method.dt - 1e-9)))
        dt = span / steps
        stages = cheapest(self.method.order, self.method.dt / dt)
        if self._schedule.constant:
            self._run(merged(steps, self.method.order, stages), np.ones(len(self._bonds)), dt)
        else:
            for k in range(steps):
                for values, duration in self._schedule.pieces(self.time + k * dt, dt, self.method.order):
                    self._gates.clear()
                    self._run(layers(self.method.order, stages), values, duration)
        self.time = time

    def _run(self, sequence: list[tuple[int, float]], values: Array, dt: float) -> None:
        rightward = True
        for parity, fraction in sequence:
            self._block_if_large()
            gates = self._layer_gates(parity, fraction * dt, values)
            if self._chain is not None:
                self._chain.layer(gates, parity, self.truncation, self.ledger)
            elif self.method.moving_centre:
                self._tensors = moving_layer(self._tensors, gates, parity, rightward, self.truncation, self.ledger)
                rightward = not rightward
            else:
                hastings_layer(self._tensors, self._schmidt, gates, parity, self.truncation, self.ledger)
            self.ledger.end_of_sweep()
        if self.method.moving_centre and not rightward:
            self._tensors = _move(self._tensors, len(self._tensors) - 1, 0)

    def _block_if_large(self) -> None:
        """Turn to blocks once the bond is large enough for them to pay."""
        if not self._may_block or self._chain is not None or self.method.blocks is None:
            return
        if max(map(len, self._schmidt), default=1) > self.method.blocks:
            self._chain = BlockChain.from_train(self._tensors, self._charges)
            self._may_block = self._chain is not None
            self._gates.clear()

    def _layer_gates(self, parity: int, tau: float, values: Array) -> list[Any]:
        key = (parity, round(tau, 14))
        if key not in self._gates:
            bonds = range(parity, len(self._tensors) - 1, 2)
            total = [sum(v * h[b] for v, h in zip(values, self._bonds, strict=True)) for b in bonds]
            gates = unitary_gates(total, tau)
            c = self._charges
            self._gates[key] = gates if self._chain is None else [
                gate_blocks(g, c[b], c[b + 1]) for b, g in zip(bonds, gates, strict=True)]
        return self._gates[key]


def unitary_gates(bonds: Sequence[Array], tau: float) -> list[Array]:
    """exp(-i h tau) of Hermitian bond matrices (D, D); equal shapes are diagonalised together."""
    if not bonds:
        return []
    if len({h.shape for h in bonds}) == 1:
        e, u = np.linalg.eigh(np.array(bonds))
        return list((u * np.exp(-1j * tau * e)[:, None, :]) @ u.conj().transpose(0, 2, 1))
    return [gate for h in bonds for gate in unitary_gates([h], tau)]


STACK = 64
"""Bonds of equal shape that go through LAPACK in one call; more would leave the cache."""


def hastings_layer(tensors: list[Array], schmidt: list[Array], gates: Sequence[Array], parity: int,
                   truncation: Truncation, ledger: Ledger) -> None:
    """Gates on every second bond of a right-canonical chain, in place.

    With C = gate B_b B_(b+1) and theta = s C, the right singular vectors V of theta give B_(b+1) = V+ and
    B_b = C V without a division by Schmidt values [Hastings 2009]. Bonds of one layer do not touch each other: those
    of equal shape are updated together, 2.5 times faster at bonds of 10 to 16 and never slower.
    """
    alike: dict[tuple, list[int]] = defaultdict(list)
    for b in range(parity, len(tensors) - 1, 2):
        alike[tensors[b].shape, tensors[b + 1].shape].append(b)
    for bonds in alike.values():
        for k in range(0, len(bonds), STACK):
            _update_alike(bonds[k:k + STACK], tensors, schmidt, gates, truncation, ledger)


def _update_alike(bonds: list[int], tensors: list[Array], schmidt: list[Array], gates: Sequence[Array],
                  truncation: Truncation, ledger: Ledger) -> None:
    """Bonds of equal shape in one stack; n counts them.

    V comes from the Gram matrix theta+ theta: its eigenvalues are the weights s^2 themselves, right to 1e-16 of the
    largest, which is all that a truncation at 1e-13 or above can see; below, a singular value decomposition takes over.
    """
    left, right = np.array([tensors[b] for b in bonds]), np.array([tensors[b + 1] for b in bonds])
    (n, d, l, _), (_, e, _, r) = left.shape, right.shape
    c = (left[:, :, None] @ right[:, None]).reshape(n, d * e, l * r)      # n p . vL [m]; n . q [m] vR
    c = np.array([gates[b // 2] for b in bonds]) @ c                      # bond b is gate b // 2 of its layer
    c = c.reshape(n, d, e, l, r).transpose(0, 1, 3, 2, 4).reshape(n, d * l, e * r)
    s = np.array([schmidt[b - 1] if b else np.ones(1) for b in bonds])
    theta = (c.reshape(n, d, l, e * r) * s[:, None, :, None]).reshape(n, d * l, e * r)
    if truncation.weight < 1e-13:
        _, values, v = trains.svd(theta)
        weights, v = values * values, v.conj().transpose(0, 2, 1)
    else:
        weights, v = np.linalg.eigh(theta.conj().transpose(0, 2, 1) @ theta)
        weights, v = np.maximum(weights[:, ::-1], 0.0), v[:, :, ::-1]
    rest = c @ v
    dagger = v.conj().transpose(0, 2, 1).reshape(n, -1, e, r).transpose(0, 2, 1, 3)
    for j, b in enumerate(bonds):
        keep, discarded, capped = truncation.kept(weights[j])
        ledger.truncated(discarded, keep, capped)
        w = weights[j, :keep]
        schmidt[b] = np.sqrt(w / w.sum())
        # Hastings' form cannot carry a norm: what is cut stands in the ledger
        tensors[b] = (rest[j, :, :keep] * (1 - discarded) ** -0.5).reshape(d, l, keep)
        tensors[b + 1] = dagger[j, :, :keep]


def moving_layer(tensors: list[Array], gates: Sequence[Array], parity: int, rightward: bool, truncation: Truncation,
                 ledger: Ledger) -> list[Array]:
    """Gates on every second bond, swept with the orthogonality centre; the norm is never touched.

    The centre must be at the end where the sweep begins, and stands at the other end afterwards.
    """
    bonds = list(range(parity, len(tensors) - 1, 2))
    pairs = list(zip(bonds, gates, strict=True))
    centre, end = (0, len(tensors) - 1) if rightward else (len(tensors) - 1, 0)
    for b, gate in pairs if rightward else reversed(pairs):
        tensors = _move(tensors, centre, b if rightward else b + 1)
        left, right = tensors[b], tensors[b + 1]
        (d, l, _), (e, _, r) = left.shape, right.shape
        theta = (gate @ (left[:, None] @ right[None]).reshape(d * e, l * r)).reshape(d, e, l, r)
        u, s, v = trains.svd(theta.transpose(0, 2, 1, 3).reshape(d * l, e * r))
        keep, discarded, capped = truncation.kept(s * s)
        ledger.truncated(discarded, keep, capped)
        u, s, v = u[:, :keep], s[:keep], v[:keep]
        u, v = (u, s[:, None] * v) if rightward else (u * s, v)
        tensors[b] = u.reshape(d, l, keep)
        tensors[b + 1] = np.ascontiguousarray(v.reshape(keep, e, r).transpose(1, 0, 2))
        centre = b + 1 if rightward else b
    return _move(tensors, centre, end)


def _move(tensors: list[Array], centre: int, to: int) -> list[Array]:
    """The orthogonality centre moved by QR."""
    tensors = list(tensors)
    for n in range(centre, to):
        d, l, r = tensors[n].shape
        q, c = np.linalg.qr(tensors[n].reshape(d * l, r))
        tensors[n], tensors[n + 1] = q.reshape(d, l, -1), c @ tensors[n + 1]
    for n in range(centre, to, -1):
        d, l, r = tensors[n].shape
        q, c = np.linalg.qr(tensors[n].transpose(0, 2, 1).reshape(d * r, l))
        tensors[n] = np.ascontiguousarray(q.reshape(d, r, -1).transpose(0, 2, 1))
        tensors[n - 1] = tensors[n - 1] @ c.T
    return tensors
