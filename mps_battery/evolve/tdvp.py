"""Time-dependent variational principle, one and two sites [Haegeman et al. 2016, PRB 94, 165116].

Bonds grow from product states by Taylor steps, and in one-site sweeps by a global subspace expansion [Yang, White
2020, PRB 102, 094315].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mps_battery.battery import Schedule
from mps_battery.checks import must, number, whole
from mps_battery.evolve.products import equal_steps
from mps_battery.tensors import environment, krylov, trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray
Exponential = Callable[..., tuple[Array, float]]
"""(operator, vector, z) -> (exp(z operator) vector, residual)."""

_SUZUKI = 1 / (4 - 4 ** (1 / 3))
COMPOSITION = {2: (1.0,), 4: (_SUZUKI, _SUZUKI, 1 - 4 * _SUZUKI, _SUZUKI, _SUZUKI)}
"""Symmetric compositions of the second-order sweep pair: 4 is Suzuki's [1990, Phys. Lett. A 146, 319]."""

@dataclass(frozen=True)
class TDVP:
    """Projected evolution under terms of any range.

    Args:
        dt: Largest time step; None lets the engine choose it.
        sites: Sites updated together: 2 truncates and grows bonds, 1 conserves energy and norm exactly.
        order: Order in dt of the splitting, 2 or 4.
        krylov: Tolerance of the local exponentials.
        start_bond: While the largest bond is below this, steps are Taylor steps in train arithmetic; 0 leaves the
            bonds of a one-site evolution as they are.
    """

    dt: float | None = None
    sites: int = 2
    order: int = 4
    krylov: float = 1e-10
    start_bond: int = 24

    def __post_init__(self) -> None:
        must(self.dt is None or (number(self.dt) and self.dt > 0), "dt", "be a positive number", self.dt)
        must(self.sites in (1, 2), "sites", "be 1 or 2", self.sites)
        must(self.order in (2, 4), "order", "be 2 or 4", self.order)
        must(number(self.krylov) and 0 < self.krylov < 1, "krylov", "be a number between 0 and 1", self.krylov)
        must(whole(self.start_bond) and self.start_bond >= 0, "start_bond",
             "be an integer of at least 0", self.start_bond)

    def start(self, state: MPS | Density, generator: Schedule, truncation: Truncation, time: float = 0.0
              ) -> TDVPEvolution:
        """Begin an evolution of a pure state under -i `generator`, or of a density under a Liouvillian."""
        return TDVPEvolution(self, state, generator, truncation, time)


class TDVPEvolution:
    """A state on its way through time; `advance` moves it, `state` shows it."""

    def __init__(self, method: TDVP, state: MPS | Density, generator: Schedule, truncation: Truncation,
                 time: float) -> None:
        self.method, self.truncation, self.time = method, truncation, time
        self.ledger = Ledger(max_bond=max(state.bonds, default=1))
        self._open = isinstance(state, Density)
        train = state.train if isinstance(state, Density) else state
        self._sites, self._schedule = train.sites, generator
        self._mpos = [h.to_mpo() for h in generator.terms]
        self._tensors = [t.astype(float if self._open else complex) for t in train.canonical(0).tensors]
        self._exponential: Exponential = krylov.general_exponential if self._open else krylov.exponential
        self._factor: complex = 1.0 if self._open else -1j      # the generator is factor x MPO
        # for the model of memory: vectors of the largest Krylov space, and most entries that Taylor steps held
        self.vectors, self.taylor = 0, 0

    @property
    def state(self) -> MPS | Density:
        """The present state, orthogonality centre at site 0; norm and trace are as the evolution left them."""
        train = MPS(self._sites, list(self._tensors), 0)
        return Density(train) if self._open else train

    def advance(self, time: float) -> None:
        """Evolve to a later time in equal steps not longer than `dt`."""
        span = time - self.time
        if span <= 0:
            return
        assert self.method.dt is not None, "the step is chosen before the evolution starts"
        if self._schedule.constant:
            generator = self._generator(np.ones(len(self._mpos)))
            while self._small() and span > 1e-12:
                # far from the tangent space of so small a state, one Taylor step may be as long as its series settles
                dt = min(span, max(self.method.dt, 0.4 / max(_spread(self._tensors, generator), 1e-12)))
                self._tensors = taylor_step(self._tensors, generator, self._factor * dt, self.truncation, self.ledger,
                                            self._weigh)
                span -= dt
        if span > 1e-12:
            steps, dt = equal_steps(span, self.method.dt)
            for k in range(steps):
                for values, duration in self._schedule.pieces(time - span + k * dt, dt, self.method.order):
                    self._step(self._generator(values), duration)
        self.time = time

    def memory(self) -> dict[str, Any]:
        """All that the way onwards depends on, arrays in C order."""
        return {"time": self.time, "ledger": replace(self.ledger),
                "tensors": [np.ascontiguousarray(t) for t in self._tensors]}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.time, self.ledger, self._tensors = memory["time"], memory["ledger"], memory["tensors"]

    def _weigh(self, entries: int) -> None:
        self.taylor = max(self.taylor, entries)

    def _local(self, operator: Callable[[Array], Array], vector: Array, z: complex) -> tuple[Array, float]:
        """A local exponential to the tolerance of the method."""
        count = 0

        def apply(v: Array) -> Array:
            nonlocal count
            count += 1
            return operator(v)

        found = self._exponential(apply, vector, z, tolerance=self.method.krylov)
        self.vectors = max(self.vectors, count)
        return found

    def _small(self) -> bool:
        """Whether the bonds are still so small that Taylor steps are better than projected ones."""
        bond = max(t.shape[2] for t in self._tensors)
        return bond < min(self.method.start_bond, self.truncation.bond) or len(self._tensors) == 1

    def _generator(self, values: Array) -> list[Array]:
        total = self._mpos[0] * values[0]
        for value, mpo in zip(values[1:], self._mpos[1:], strict=True):
            total = total + mpo * value
        return total.tensors

    def _step(self, mpo: list[Array], dt: float) -> None:
        """One time step: grow the bonds where that is needed, then sweep right and left."""
        if self._small():
            self._tensors = taylor_step(self._tensors, mpo, self._factor * dt, self.truncation, self.ledger,
                                        self._weigh)
            return
        if self.method.sites == 1 and self.method.start_bond > 0:
            self._tensors = expand(self._tensors, mpo, dt, self.truncation)
        sweep = _two_site_sweeps if self.method.sites == 2 else _one_site_sweeps
        for fraction in COMPOSITION[self.method.order]:
            sweep(self._tensors, mpo, fraction * self._factor * dt, self.truncation, self.ledger,
                  self._local)
        self.ledger.max_bond = max(self.ledger.max_bond, *(t.shape[2] for t in self._tensors))


def _spread(tensors: list[Array], mpo: list[Array]) -> float:
    """Standard deviation of the energy, the rate at which a Taylor series of the evolution settles."""
    norm = np.linalg.norm(tensors[0])
    energy = (environment.expectation(tensors, mpo) / norm**2).real
    image = trains.apply(mpo, tensors)
    shifted = trains.add(image, [-energy * tensors[0], *tensors[1:]])
    return trains.norm(shifted) / float(norm)


def taylor_terms(tensors: list[Array], mpo: list[Array], dt: float, negligible: float, depth: int
                 ) -> tuple[list[list[Array]], float]:
    """The trains (dt (H - E))^k psi / k!, k = 1, 2, ..., each with its centre at site 0, and E = <H>.

    Ends after `depth` terms or behind the first whose norm is below `negligible` (absolute).
    """
    energy = _mean(tensors, mpo)
    terms, last = [], tensors
    for k in range(1, depth + 1):
        last = trains.compress(_next_term(last, mpo, energy, dt / k), 1e-14, 0.1 * negligible)
        terms.append(last)
        if np.linalg.norm(last[0]) < negligible:
            break
    return terms, energy


def _mean(tensors: list[Array], mpo: list[Array]) -> float:
    """<H> / <1> of a train with its centre at site 0."""
    return float((environment.expectation(tensors, mpo) / np.linalg.norm(tensors[0]) ** 2).real)


def _next_term(last: list[Array], mpo: list[Array], energy: float, factor: float) -> list[Array]:
    """factor (H - E) last, not compressed."""
    image = trains.add(trains.apply(mpo, last, 1e-12), [-energy * last[0], *last[1:]])
    return [image[0] * factor, *image[1:]]


def _entries(*given: list[Array]) -> int:
    """Entries of trains."""
    return sum(a.size for train in given for a in train)


def taylor_step(tensors: list[Array], mpo: list[Array], z: complex, truncation: Truncation, ledger: Ledger,
                weigh: Callable[[int], None] | None = None) -> list[Array]:
    """exp(z H) psi by its Taylor series in the arithmetic of trains; z = -i dt, or dt for a Liouvillian.

    Where the bonds are small, as behind a product state, this is exact to the truncation, while the projector
    splitting of TDVP loses what lies outside the small tangent space. A step whose series does not settle is halved.
    `weigh` is told how many entries are held at a time.
    """
    norm = float(np.linalg.norm(tensors[0]))
    negligible = max(0.003 * truncation.weight**0.5, 1e-13) * norm
    energy, total, last, size = _mean(tensors, mpo), tensors, tensors, 0.0
    for k in range(1, 31):                       # a term is let go once it is added
        image = _next_term(last, mpo, energy, abs(z) / k)
        held = _entries(total, image, image)                 # to compress a train takes another one
        last = trains.compress(image, 1e-14, 0.1 * negligible)
        del image
        size = float(np.linalg.norm(last[0]))
        if k == 1 and size > 3 * norm:
            break
        longer = trains.add(total, [(z / abs(z)) ** k * last[0], *last[1:]])
        if weigh is not None:
            weigh(max(held, _entries(total, last, longer, longer)))
        total = trains.compress(longer, 1e-14, 0.1 * negligible)
        del longer
        if size < negligible:
            break
    if size >= negligible:
        half = taylor_step(tensors, mpo, z / 2, truncation, ledger, weigh)
        return taylor_step(half, mpo, z / 2, truncation, ledger, weigh)
    total = [np.exp(z * energy) * total[0], *total[1:]]
    ledger.krylov_residual += size
    # bonds are small here: a hundredth of the allowed weight costs little and keeps the start out of the budget
    return truncate(total, replace(truncation, weight=0.01 * truncation.weight), ledger)


def truncate(tensors: list[Array], truncation: Truncation, ledger: Ledger) -> list[Array]:
    """A right-canonical train truncated from left to right and brought back to centre 0."""
    out = list(tensors)
    for n in range(len(out) - 1):
        l, d, r = out[n].shape
        u, s, v = trains.svd(out[n].reshape(l * d, r))
        keep, discarded, capped = truncation.kept(s * s)
        ledger.truncated(discarded, keep, capped)
        out[n] = u[:, :keep].reshape(l, d, keep)
        out[n + 1] = np.tensordot(s[:keep, None] * v[:keep], out[n + 1], 1)
    ledger.end_of_sweep()
    return trains.right_canonical(out)


def expand(tensors: list[Array], mpo: list[Array], dt: float, truncation: Truncation) -> list[Array]:
    """The same state with bonds enlarged by what dt H psi and (dt H)^2 psi / 2 need beyond them.

    From the right, the rows of the references are stripped of the rows of psi (already orthonormal); the singular
    directions of the rest that carry more than a tenth of the allowed weight are appended to psi's basis, with zero
    weight in psi [Yang, White 2020]. The orthogonality centre stays at site 0.
    """
    norm = float(np.linalg.norm(tensors[0]))
    negligible = max(0.3 * truncation.weight**0.5, 1e-14) * norm
    references = [trains.left_canonical(t) for t in taylor_terms(tensors, mpo, dt, negligible, depth=2)[0]]
    out = list(tensors)
    for n in range(len(out) - 1, 0, -1):
        l, d, r = out[n].shape
        basis = out[n].reshape(l, d * r)
        rows = np.concatenate([p[n].reshape(-1, d * r) for p in references])
        rest = rows - (rows @ basis.conj().T) @ basis
        rest -= (rest @ basis.conj().T) @ basis
        _, s, v = trains.svd(rest)
        room = max(0, min(truncation.bond, d * r, out[n - 1].shape[0] * out[n - 1].shape[1]) - l)
        extra = min(room, int(np.sum(s > negligible)))
        enlarged = np.concatenate([basis, v[:extra]])
        out[n] = enlarged.reshape(l + extra, d, r)
        out[n - 1] = np.pad(out[n - 1], ((0, 0), (0, 0), (0, extra)))
        for p in references:
            p[n - 1] = np.tensordot(p[n - 1], p[n].reshape(-1, d * r) @ enlarged.conj().T, 1)
    return out


def _two_site_sweeps(tensors: list[Array], mpo: list[Array], z: complex, truncation: Truncation, ledger: Ledger,
                     exponential: Exponential) -> None:
    """Right and back, z/2 each, in place: pair forward, then the site passed on backward."""
    last = len(tensors) - 2
    left = [environment.edge()]
    right = environment.right_environments(tensors, mpo)
    for rightward in (True, False):
        for b in range(last + 1) if rightward else range(last, -1, -1):
            # 1. evolve the pair
            theta = np.tensordot(tensors[b], tensors[b + 1], 1)                    # vL p [v]; [v] q vR
            theta, residual = exponential(
                PairOperator(left[b], mpo[b], mpo[b + 1], right[b + 1]), theta, 0.5 * z)
            ledger.krylov_residual += residual
            # 2. split and truncate
            l, d, e, r = theta.shape
            u, s, v = trains.svd(theta.reshape(l * d, e * r))
            keep, discarded, capped = truncation.kept(s * s)
            ledger.truncated(discarded, keep, capped)
            # copies, for views would hold on to all singular vectors
            u, s, v = u[:, :keep].copy().reshape(l, d, keep), s[:keep], v[:keep].copy().reshape(keep, e, r)
            tensors[b] = u if rightward else u * s
            tensors[b + 1] = s[:, None, None] * v if rightward else v
            # 3. absorb the finished site into its environment, evolve the other one back
            if rightward and b < last:
                left.append(environment.from_left(left[b], u, mpo[b]))
                tensors[b + 1], residual = exponential(
                    SiteOperator(left[b + 1], mpo[b + 1], right[b + 1]), tensors[b + 1], -0.5 * z)
                ledger.krylov_residual += residual
                right[b + 1] = environment.edge()              # let go: it is made anew on the way back
            elif not rightward and b > 0:
                right[b] = environment.from_right(right[b + 1], v, mpo[b + 1])
                tensors[b], residual = exponential(
                    SiteOperator(left[b], mpo[b], right[b]), tensors[b], -0.5 * z)
                ledger.krylov_residual += residual
                left.pop()
        ledger.end_of_sweep()


def _one_site_sweeps(tensors: list[Array], mpo: list[Array], z: complex, truncation: Truncation, ledger: Ledger,
                     exponential: Exponential) -> None:
    """Right and back, z/2 each, in place: site forward, then the bond matrix backward."""
    del truncation  # nothing is truncated
    last = len(tensors) - 1
    left = [environment.edge()]
    right = environment.right_environments(tensors, mpo)
    for rightward in (True, False):
        for n in range(last + 1) if rightward else range(last, -1, -1):
            # 1. evolve the site
            a, residual = exponential(
                SiteOperator(left[n], mpo[n], right[n]), tensors[n], 0.5 * z)
            ledger.krylov_residual += residual
            tensors[n] = a
            l, d, r = a.shape
            # 2. split off the bond matrix, evolve it back, hand it on
            if rightward and n < last:
                q, c = np.linalg.qr(a.reshape(l * d, r))
                tensors[n] = q.reshape(l, d, -1)
                left.append(environment.from_left(left[n], tensors[n], mpo[n]))
                c, residual = exponential(BondOperator(left[n + 1], right[n]), c, -0.5 * z)
                tensors[n + 1] = np.tensordot(c, tensors[n + 1], 1)
                ledger.krylov_residual += residual
                right[n] = environment.edge()                  # let go: it is made anew on the way back
            elif not rightward and n > 0:
                q, c = np.linalg.qr(a.reshape(l, d * r).T)
                tensors[n] = q.T.reshape(-1, d, r)
                right[n - 1] = environment.from_right(right[n], tensors[n], mpo[n])
                c, residual = exponential(BondOperator(left[n], right[n - 1]), c.T, -0.5 * z)
                tensors[n - 1] = np.tensordot(tensors[n - 1], c, 1)
                ledger.krylov_residual += residual
                left.pop()


FUSED = 96
"""Up to this bond times local dimension an environment and its W are multiplied into one matrix beforehand: fewer
calls, but d times the work of contracting them one by one, which decides for larger tensors and for bosons."""


def _between(w: Array) -> Array:
    """W as the matrix (p wR, wL p*): between matrices in this order no large array is transposed."""
    return np.ascontiguousarray(w.transpose(2, 1, 0, 3)).reshape(w.shape[2] * w.shape[1], -1)


class PairOperator:
    """Effective operator on two sites; apply it to theta (vL p q vR).

    Where both halves are small each, environment with its W, is one matrix: two matrix products an application.
    """

    def __init__(self, left: Array, w1: Array, w2: Array, right: Array) -> None:
        self.parts = left, w1, w2, right
        self.fused = max(left.shape[2] * w1.shape[2], right.shape[2] * w2.shape[2]) <= FUSED
        if self.fused:
            lw = np.tensordot(left, w1, (1, 0))                     # bL [w] kL; [wL] wR p p*  -> bL kL wR p p*
            self.lw = lw.transpose(0, 3, 2, 1, 4).reshape(lw.shape[0] * lw.shape[3] * lw.shape[2], -1)
            rw = np.tensordot(w2, right, (1, 1))                    # wL [wR] q q*; bR [w] kR  -> wL q q* bR kR
            self.rw = rw.transpose(0, 2, 4, 1, 3).reshape(-1, rw.shape[1] * rw.shape[3])
        else:
            self.w1, self.w2 = _between(w1), _between(w2)

    def __call__(self, theta: Array) -> Array:
        """H theta."""
        left, w1, w2, right = self.parts
        l, d, e, r = theta.shape
        if self.fused:
            half = self.lw @ theta.reshape(l * d, e * r)            # (bL p w), (q* kR)
            return (half.reshape(l * d, -1) @ self.rw).reshape(l, d, e, r)
        t = left.reshape(-1, l) @ theta.reshape(l, -1)              # bL w [kL]; [kL] p* q* kR
        t = self.w1 @ t.reshape(len(left), -1, e * r)               # p wR [wL p*]; bL . [w p*] q* kR
        t = self.w2 @ t.reshape(len(left) * w1.shape[2], -1, r)     # q wR [wL q*]; bL p . [w q*] kR
        t = t.reshape(-1, w2.shape[1] * r) @ right.reshape(len(right), -1).T       # bL p q [w kR]; [w kR] bR
        return t.reshape(len(left), w1.shape[2], w2.shape[2], len(right))

    def half(self, theta: Array, left_side: bool) -> Array:
        """What the left (or right) half makes of theta (l d, e r): one column block an open channel of the MPO."""
        left, w1, w2, right = self.parts
        l, d, e, r = left.shape[2], w1.shape[3], w2.shape[3], right.shape[2]
        theta = theta.reshape(l, d, e, r)
        if left_side:
            t = np.tensordot(left, theta, (2, 0))                   # bL w [kL]; [kL] p* q* kR
            t = np.tensordot(t, w1, ((1, 2), (0, 3)))               # bL [w] [p*] q* kR; [wL] wR p [p*]
            return t.transpose(0, 4, 1, 2, 3).reshape(l * d, -1)    # (bL p), (q* kR w)
        t = np.tensordot(theta, right, (3, 2))                      # kL p* q* [kR]; bR w [kR] -> kL p* q* bR w
        t = np.tensordot(t, w2, ((2, 4), (3, 1)))                   # kL p* [q*] bR [w]; wL [wR] q [q*]
        return t.transpose(4, 2, 0, 1, 3).reshape(e * r, -1)        # (q bR), (kL p* w)


class SiteOperator:
    """Effective operator on one site; apply it to a (vL p vR). A small left half is one matrix."""

    def __init__(self, left: Array, w: Array, right: Array) -> None:
        self.parts = left, w, right
        self.fused = left.shape[2] * w.shape[2] <= FUSED
        if self.fused:
            lw = np.tensordot(left, w, (1, 0))                      # bL [w] kL; [wL] wR p p* -> bL kL wR p p*
            self.lw = lw.transpose(0, 3, 2, 1, 4).reshape(lw.shape[0] * lw.shape[3] * lw.shape[2], -1)
            self.right = right.transpose(1, 2, 0).reshape(-1, right.shape[0])
        else:
            self.w = _between(w)

    def __call__(self, a: Array) -> Array:
        """H a."""
        left, w, right = self.parts
        l, d, r = a.shape
        if self.fused:
            half = self.lw @ a.reshape(l * d, r)                    # (bL p w), kR
            return (half.reshape(l * d, -1) @ self.right).reshape(l, d, r)
        t = left.reshape(-1, l) @ a.reshape(l, -1)                  # bL w [kL]; [kL] p* kR
        t = self.w @ t.reshape(len(left), -1, r)                    # p wR [wL p*]; bL . [w p*] kR
        t = t.reshape(-1, w.shape[1] * r) @ right.reshape(len(right), -1).T        # bL p [w kR]; [w kR] bR
        return t.reshape(len(left), w.shape[2], len(right))


class BondOperator:
    """Effective operator on a bond matrix c (vL vR)."""

    def __init__(self, left: Array, right: Array) -> None:
        self.left = left.reshape(-1, left.shape[2])
        self.right = right.transpose(1, 2, 0).reshape(-1, right.shape[0])

    def __call__(self, c: Array) -> Array:
        """H c."""
        return (self.left @ c).reshape(c.shape[0], -1) @ self.right
