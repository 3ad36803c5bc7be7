"""Sweeps that solve L x = 0 for a steady state in trains, stabilised so that a truncated frame cannot break them.

With orthonormal frames P around one site (everything else of the present train), Galerkin's condition P+ L x = 0 is
cheap and treats slow modes well, but L is not normal: P+ L P may have eigenvalues with positive real part although L
has none, and sweeps blow up as soon as bonds truncate. Least squares, P+ L+ L x = 0, cannot blow up but squares the
condition number: slow modes crawl. Testing with (1 - theta L) P instead of P gives both [the streamline-upwind
Petrov-Galerkin idea of Brooks, Hughes 1982, Comput. Methods Appl. Mech. Eng. 32, 199]: every local problem is

    ( 1/tau - L_P + theta (L+ L)_P + |e><e| ) x' = x / (tau <e|x>) + e,

with <<e| the trace, a left null vector of L. On slow modes theta L+ L is negligible and L rules; on fast ones it
outweighs what is unstable. The term with tau is pseudo-time [Kelley, Keyes 1998, SIAM J. Numer. Anal. 35, 508]: tau
grows as the residual falls. A sweep that makes the residual worse is taken back, with a larger theta and a smaller tau.

Two more measures keep traces sharp. The identity has the weight kappa against the other basis operators of a site: a
steady state has much of its Hilbert-Schmidt norm in long strings of operators, and would otherwise be fitted there at
the expense of its trace and few-body values. And the identity is a member of every frame, so that <<e| stays an exact
left null vector of the projected generator and truncation never touches the trace.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning, lu_factor, lu_solve
from scipy.sparse.linalg import LinearOperator, gmres

from mps_battery.steady.grading import TRIVIAL, Entries, Grading, Index, frame, left_vectors, real_rows
from mps_battery.steady.local import LocalOperator
from mps_battery.tensors import environment, trains
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray

KAPPA = 1.5
"""Weight of the identity on a site. Dephased XXZ chain of 30 sites at bond 20: the current varies over the bonds by
5e-3 at weight 1, 4e-4 at 1.5, 2e-4 at 2.5, and sweeps go astray at 4; of 100 sites at bond 28: 1.7e-3 at 1.5 and 6e-4
at 2, where however the dephased XX chain of 40 sites stumbles."""
DENSE = 4200
"""Largest local problem that is factorised; larger ones are iterated."""
ENRICHMENT = 4
"""Directions added to every frame from the residual."""


@dataclass
class Control:
    """Stabilisation and pseudo-time, adapted from sweep to sweep.

    Attributes:
        theta: Weight of the least-squares part, a time.
        floor: What theta falls to while sweeps go well.
        ceiling: What it rises to when they are taken back.
        reach: tau times the residual.
        far: Largest reach.
        patience: A sweep may raise the residual by this factor.
    """

    theta: float
    floor: float
    ceiling: float
    reach: float = 0.5
    far: float = np.inf
    patience: float = 1.3

    @classmethod
    def falling(cls, scale: float) -> Control:
        """For starts far away: what stabilises the first sweeps slows the last ones down, 3 to 10 times a sweep.

        Args:
            scale: A time; 1.6 over the strength of the generator does well on driven chains.
        """
        return cls(scale, scale / 4, 3 * scale)

    @classmethod
    def constant(cls, theta: float) -> Control:
        """For good starts on long chains, with a large weight of the identity."""
        return cls(theta, theta, 16 * theta, 0.7, 1.5, 3.0)

    def better(self) -> None:
        """A sweep went well: step further."""
        self.theta, self.reach = max(self.floor, 0.8 * self.theta), min(1.3 * self.reach, self.far)

    def worse(self) -> None:
        """A sweep was taken back."""
        self.theta, self.reach = min(self.ceiling, 2.5 * self.theta), self.reach / 2


class Solver:
    """A train on its way to the steady state.

    Args:
        generator: L as a real MPO on density sites.
        tensors: Where to start, legs vL p vR, real, any canonical form.
        grading: What the generator conserves.
        kappa: Weight of the identity on every site.
    """

    def __init__(self, generator: MPO, tensors: Sequence[Array], grading: Grading, kappa: float = KAPPA) -> None:
        self.length, self.kappa, self.grading = len(tensors), kappa, grading
        self._scale = [np.r_[kappa, np.ones(t.shape[1] - 1)] for t in tensors]
        weighted = MPO([w * (k[:, None] / k[None, :]) for w, k in zip(generator.tensors, self._scale, strict=True)])
        square = (MPO([w.transpose(0, 1, 3, 2) for w in weighted.tensors]) @ weighted).compress(1e-12)
        self._weighted = weighted.tensors
        self.generator, self.square = grading.operator(weighted.tensors), grading.operator(square.tensors)
        self.x = grading.enter([t * (k / kappa)[None, :, None] for t, k in zip(tensors, self._scale, strict=True)])
        self.bonds: list[Index] = [TRIVIAL] * (self.length + 1)
        self.change, self.discarded = np.inf, 0.0
        self._label()

    @property
    def _real(self) -> list[Array]:
        """The weighted train over Hermitian operators, with real tensors."""
        out = []
        for n, t in enumerate(self.grading.leave(self.x)):
            (l, d, r), (left, right) = t.shape, self.bonds[n:n + 2]
            t = real_rows(t.reshape(l, d * r), left.bar).reshape(l * d, r)
            out.append(real_rows(t.conj().T, right.bar).conj().T.reshape(l, d, r).real)
        return out

    @property
    def tensors(self) -> list[Array]:
        """The train in the plain basis, of trace one."""
        plain = [t * (self.kappa / k)[None, :, None] for t, k in zip(self._real, self._scale, strict=True)]
        trace = np.ones(1)
        for t in plain:
            trace = np.sqrt(np.sqrt(t.shape[1])) * (trace @ t[:, 0])
            plain_norm = np.abs(trace).max()
            trace, plain[0] = trace / plain_norm, plain[0] / plain_norm
        plain[0] = plain[0] / trace[0]
        return plain

    @property
    def residual(self) -> float:
        """|L x| / |x| in the weighted norm."""
        return trains.image_norm(self._weighted, self._real) / float(np.linalg.norm(self.x[0]))

    def copy(self) -> tuple[list[Array], list[Index]]:
        """What `restore` takes."""
        return [t.copy() for t in self.x], list(self.bonds)

    def restore(self, copy: tuple[list[Array], list[Index]]) -> None:
        """Back to an earlier train."""
        self.x, self.bonds = [t.copy() for t in copy[0]], list(copy[1])
        self._clear()
        for n in range(self.length - 1, 0, -1):
            self._absorb(n)

    def memory(self) -> dict[str, Any]:
        """All that the next sweep depends on."""
        return {"train": self.copy(), "change": self.change, "discarded": self.discarded}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.restore(memory["train"])
        self.change, self.discarded = memory["change"], memory["discarded"]

    # -- frames ----------------------------------------------------------------------------------------------
    def _rows(self, n: int) -> Index:
        """The legs vL p of site n as one, with the charge that flows on to the right."""
        rows = self.bonds[n] * self.grading.local[n]
        return Index(self.grading.reduced(rows.charges), rows.bar)

    def _columns(self, n: int) -> Index:
        """The legs p vR of site n as one, with the charge that comes from the left."""
        columns = -self.grading.local[n] * self.bonds[n + 1]
        return Index(self.grading.reduced(columns.charges), columns.bar)

    def _label(self) -> None:
        """Bring the train to bonds of definite charge, from the left."""
        carry = np.ones((1, 1))
        for n in range(self.length):
            t = np.tensordot(carry, self.x[n], 1)
            l, d, r = t.shape
            rows = self._rows(n)
            if n == self.length - 1:
                t[(rows.charges != 0).reshape(l, d)] = 0.0                       # the total has no charge
                self.x[n] = t
                break
            matrix = t.reshape(l * d, r)
            found = left_vectors(matrix, rows, np.arange(r))
            u, self.bonds[n + 1] = found.chosen(np.flatnonzero(found.strengths > 1e-14 * found.strengths[0])
                                                ).spread(rows)
            self.x[n], carry = u.reshape(l, d, -1), u.conj().T @ matrix
        self._clear()
        for n in range(self.length - 1, 0, -1):
            self._pass_left(n, self.x[n], Truncation(10**6, 0.0), 0)

    def _clear(self) -> None:
        """Environments of L, L+ L and the trace before anything is absorbed."""
        self._left, self._left2, self._trace_left = [environment.edge()], [environment.edge()], [np.ones(1)]
        self._right, self._right2, self._trace_right = ([end] * self.length for end in
                                                        (environment.edge(), environment.edge(), np.ones(1)))

    def _absorb(self, n: int) -> None:
        """Site n joins the right environments."""
        self._right[n - 1] = environment.from_right(self._right[n], self.x[n], self.generator[n])
        self._right2[n - 1] = environment.from_right(self._right2[n], self.x[n], self.square[n])
        self._trace_right[n - 1] = self.x[n][:, 0] @ self._trace_right[n]

    # -- sweeps ----------------------------------------------------------------------------------------------
    def sweep(self, control: Control, residual: float, truncation: Truncation, enrich: int = ENRICHMENT,
              window: range | None = None) -> None:
        """Right and back; with a `window`, only its sites are solved and truncated and the centre passes the others by.

        Afterwards `change` is the largest change of a local tensor relative to its norm, and `discarded` the largest
        weight that one truncation dropped.
        """
        self.change = self.discarded = 0.0
        tau = control.reach / max(residual, 1e-300)
        window = range(self.length) if window is None else window

        def moved(n: int) -> tuple[Array, Truncation, int]:
            return (self._solve(n, control.theta, tau), truncation, enrich) if n in window else \
                (self.x[n], Truncation(10**6, 0.0), 0)

        for n in range(self.length - 1):
            self._pass_right(n, *moved(n))
        for n in range(self.length - 1, 0, -1):
            self._pass_left(n, *moved(n))
            self._left.pop()
            self._left2.pop()
            self._trace_left.pop()

    def _solve(self, n: int, theta: float, tau: float) -> Array:
        """The local problem of site n; a tensor of norm one."""
        shape = self.x[n].shape
        entries = Entries.of(self.bonds[n], self.grading.local[n], self.bonds[n + 1], self.grading)
        trace = np.zeros(shape, dtype=self.x[n].dtype)
        trace[:, 0] = np.outer(self._trace_left[n], self._trace_right[n]).conj()
        e, old = entries.gather(trace), entries.gather(self.x[n])
        weight = 1 / (tau * (old @ e)) if abs(old @ e) > 1e-12 * np.linalg.norm(old) else 0.0
        target = e + weight * old
        ends = (self._left[n], self.generator[n], self._right[n]), (self._left2[n], self.square[n], self._right2[n])
        new = self._factorised(ends, e, theta, tau, target, entries) if len(entries) <= DENSE else \
            self._iterated(ends, e, theta, tau, target, entries, old / (old @ e))
        new = new / np.linalg.norm(new) * (np.sign(new @ e) or 1.0)
        self.change = max(self.change, float(np.linalg.norm(new - old / np.linalg.norm(old))))
        return entries.scatter(new, shape)

    @staticmethod
    def _factorised(ends: tuple, e: Array, theta: float, tau: float, target: Array, entries: Entries) -> Array:
        once, twice = ends                    # one operator with the channels of both
        w = np.zeros([x + y for x, y in zip(once[1].shape[:2], twice[1].shape[:2], strict=True)] + 2 * [
            once[1].shape[2]], dtype=once[1].dtype)
        w[:once[1].shape[0], :once[1].shape[1]], w[once[1].shape[0]:, once[1].shape[1]:] = -once[1], theta * twice[1]
        matrix = entries.matrix(np.concatenate([once[0], twice[0]], 1), w, np.concatenate([once[2], twice[2]], 1))
        matrix += np.outer(e, e)
        matrix[np.diag_indices(len(matrix))] += 1 / tau
        return refined_solve(matrix, target)

    @staticmethod
    def _iterated(ends: tuple, e: Array, theta: float, tau: float, target: Array, entries: Entries, guess: Array
                  ) -> Array:
        once, twice = (LocalOperator(end, entries) for end in ends)

        def apply(v: Array) -> Array:
            v = v.ravel()
            return v / tau + e * (e @ v) - once(v) + theta * twice(v)

        operator = LinearOperator((len(entries), len(entries)), matvec=apply, dtype=float)
        return gmres(operator, target, x0=guess, rtol=1e-10, atol=0.0, restart=60, maxiter=1)[0]

    def _pass_right(self, n: int, y: Array, truncation: Truncation, enrich: int) -> None:
        """Left-canonical tensor at n, centre to n + 1."""
        l, d, r = y.shape
        first = np.zeros((l, d), dtype=y.dtype)
        first[:, 0] = self._trace_left[n].conj()
        push = None
        if enrich:
            push = pair_residual((self._left[n], y, self.generator[n]),
                                 (self._right[n + 1], self.x[n + 1], self.generator[n + 1])), self._columns(n + 1).bar
        matrix = y.reshape(l * d, r)
        u, leg, lost = frame(matrix, first.ravel(), self._rows(n), self.bonds[n + 1].bar, push, truncation, enrich)
        self.discarded = max(self.discarded, lost)
        self.x[n], self.bonds[n + 1] = u.reshape(l, d, -1), leg
        self.x[n + 1] = np.tensordot(u.conj().T @ matrix, self.x[n + 1], 1)
        self._left.append(environment.from_left(self._left[n], self.x[n], self.generator[n]))
        self._left2.append(environment.from_left(self._left2[n], self.x[n], self.square[n]))
        self._trace_left.append(self._trace_left[n] @ self.x[n][:, 0])

    def _pass_left(self, n: int, y: Array, truncation: Truncation, enrich: int) -> None:
        """Right-canonical tensor at n, centre to n - 1."""
        l, d, r = y.shape
        first = np.zeros((d, r), dtype=y.dtype)
        first[0] = self._trace_right[n].conj()
        push = None
        if enrich:
            push = pair_residual((self._left[n - 1], self.x[n - 1], self.generator[n - 1]),
                                 (self._right[n], y, self.generator[n])).T, self._rows(n - 1).bar
        matrix = y.reshape(l, d * r).T
        u, leg, lost = frame(matrix, first.ravel(), self._columns(n), self.bonds[n].bar, push, truncation, enrich)
        self.discarded = max(self.discarded, lost)
        self.x[n], self.bonds[n] = u.T.reshape(-1, d, r), leg
        self.x[n - 1] = np.tensordot(self.x[n - 1], matrix.T @ u.conj(), 1)
        self._absorb(n)


def refined_solve(matrix: Array, target: Array) -> Array:
    """matrix x = target by factors in single precision and refinement in double, twice as fast as double throughout.

    Where refinement does not reach 1e-11 (condition numbers beyond 1e6), the factors are made in double precision.
    """
    norm = float(np.linalg.norm(target))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", LinAlgWarning)         # a singular matrix gives a sweep that is taken back
        factors = lu_factor(matrix.astype(np.float32), check_finite=False)
        x, rest, last, size = np.zeros_like(target), target, np.inf, norm
        for _ in range(12):
            x = x + size * lu_solve(factors, (rest / size).astype(np.float32), check_finite=False)
            rest = target - matrix @ x
            size = float(np.linalg.norm(rest))
            if size < 1e-11 * norm:
                return x
            if not size < 0.5 * last:                 # diverges, or is not a number
                break
            last = size
        return lu_solve(lu_factor(matrix, overwrite_a=True, check_finite=False), target, check_finite=False)


def pair_residual(left: tuple[Array, Array, Array], right: tuple[Array, Array, Array]) -> Array:
    """L x in the frame that leaves two neighbouring sites free, rows (vL p), columns (p vR).

    Args:
        left: Environment (bL w kL), tensor (vL p vR) and operator of the first site.
        right: Environment (bR w kR), tensor and operator of the second.
    """
    halves = []
    for env, a, w in (left, (right[0], right[1].transpose(2, 1, 0), right[2].transpose(1, 0, 2, 3))):
        t = np.tensordot(env, a, (2, 0))                                 # bL w [kL]; [kL] p* kR
        halves.append(np.tensordot(t, w, ((1, 2), (0, 3))))              # bL [w] [p*] kR; [wL] wR p [p*] -> bL kR w p
    t = np.tensordot(halves[0], halves[1], ((1, 2), (1, 2)))             # bL [kR] [w] p; bR [kL] [w] p -> bL p bR p
    t = t.transpose(0, 1, 3, 2)
    return t.reshape(t.shape[0] * t.shape[1], -1)
