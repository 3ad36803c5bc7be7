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
        least: Smallest theta, a time: 1.6 over the strength of the generator does well on driven chains.
        theta: Weight of the least-squares part.
        reach: tau times the residual.
    """

    least: float
    theta: float = 0.0
    reach: float = 0.5

    def __post_init__(self) -> None:
        self.theta = max(self.theta, self.least)

    def better(self) -> None:
        """A sweep went well: step further."""
        self.theta, self.reach = max(self.least, 0.95 * self.theta), 1.3 * self.reach

    def worse(self) -> None:
        """A sweep was taken back."""
        self.theta, self.reach = min(3 * self.least, 1.5 * self.theta), self.reach / 2


class Solver:
    """A train on its way to the steady state.

    Args:
        generator: L as a real MPO on density sites.
        tensors: Where to start, legs vL p vR, any canonical form.
        parities: Parity of every local basis operator, one array a site; zeros where nothing is conserved.
        kappa: Weight of the identity on every site.
    """

    def __init__(self, generator: MPO, tensors: Sequence[Array], parities: Sequence[Array], kappa: float = KAPPA
                 ) -> None:
        self.length, self.kappa = len(tensors), kappa
        self._scale = [np.r_[kappa, np.ones(t.shape[1] - 1)] for t in tensors]
        weighted = MPO([w * (k[:, None] / k[None, :]) for w, k in zip(generator.tensors, self._scale, strict=True)])
        self.generator = weighted.tensors
        self.square = (MPO([w.transpose(0, 1, 3, 2) for w in self.generator]) @ weighted).compress(1e-12).tensors
        self.parities = [np.asarray(p) for p in parities]
        self.x = [t * (k / kappa)[None, :, None] for t, k in zip(tensors, self._scale, strict=True)]
        self.bonds: list[Array] = [np.zeros(1, dtype=int)] * (self.length + 1)
        self.change, self.discarded = np.inf, 0.0
        self._label()

    @property
    def tensors(self) -> list[Array]:
        """The train in the plain basis, of trace one."""
        plain = [t * (self.kappa / k)[None, :, None] for t, k in zip(self.x, self._scale, strict=True)]
        trace = np.ones(1)
        for t in plain:
            trace = np.sqrt(np.sqrt(t.shape[1])) * (trace @ t[:, 0])
            plain_norm = np.abs(trace).max()
            trace, plain[0] = trace / plain_norm, plain[0] / plain_norm
        plain[0] = plain[0] / trace[0]
        return plain

    @property
    def residual(self) -> float:
        """|L x| / |x| in the weighted norm, exact to rounding."""
        return trains.norm(trains.apply(self.generator, self.x, 1e-13)) / float(np.linalg.norm(self.x[0]))

    def copy(self) -> tuple[list[Array], list[Array]]:
        """What `restore` takes."""
        return [t.copy() for t in self.x], list(self.bonds)

    def restore(self, copy: tuple[list[Array], list[Array]]) -> None:
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
    def _label(self) -> None:
        """Bring the train to bonds of definite parity: from the left, rows of equal parity are taken together."""
        carry, labels = np.ones((1, 1)), np.zeros(1, dtype=int)
        for n in range(self.length):
            t = np.tensordot(carry, self.x[n], 1)
            l, d, r = t.shape
            rows = (labels[:, None] + self.parities[n]).ravel() % 2
            if n == self.length - 1:
                t[(rows != 0).reshape(l, d)] = 0.0                       # the total is even
                self.x[n] = t
                break
            u, s, v, labels = graded_svd(t.reshape(l * d, r), rows)
            keep = s > 1e-14 * s[0]
            self.x[n], carry, labels = u[:, keep].reshape(l, d, -1), s[keep, None] * v[keep], labels[keep]
            self.bonds[n + 1] = labels
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
    def sweep(self, control: Control, residual: float, truncation: Truncation, enrich: int = ENRICHMENT) -> None:
        """Right and back.

        Afterwards `change` is the largest change of a local tensor relative to its norm, and `discarded` the largest
        weight that one truncation dropped.
        """
        self.change = self.discarded = 0.0
        tau = control.reach / max(residual, 1e-300)
        for n in range(self.length - 1):
            self._pass_right(n, self._solve(n, control.theta, tau), truncation, enrich)
        for n in range(self.length - 1, 0, -1):
            self._pass_left(n, self._solve(n, control.theta, tau), truncation, enrich)
            self._left.pop()
            self._left2.pop()
            self._trace_left.pop()

    def _solve(self, n: int, theta: float, tau: float) -> Array:
        """The local problem of site n; a tensor of norm one."""
        x = self.x[n]
        sectors = even_sectors(self.bonds[n], self.parities[n], self.bonds[n + 1])
        places = np.arange(x.size).reshape(x.shape)
        even = np.concatenate([places[np.ix_(*sets)].ravel() for sets in sectors])
        trace = np.zeros(x.shape)
        trace[:, 0] = np.outer(self._trace_left[n], self._trace_right[n])
        e, old = trace.ravel()[even], x.ravel()[even]
        weight = 1 / (tau * (old @ e)) if abs(old @ e) > 1e-12 * np.linalg.norm(old) else 0.0
        target = e + weight * old
        ends = (self._left[n], self.generator[n], self._right[n]), (self._left2[n], self.square[n], self._right2[n])
        new = self._factorised(ends, e, theta, tau, target, sectors) if len(even) <= DENSE else \
            self._iterated(ends, e, theta, tau, target, even, x.shape, old / (old @ e))
        new = new / np.linalg.norm(new) * (np.sign(new @ e) or 1.0)
        self.change = max(self.change, float(np.linalg.norm(new - old / np.linalg.norm(old))))
        out = np.zeros(x.size)
        out[even] = new
        return out.reshape(x.shape)

    @staticmethod
    def _factorised(ends: tuple, e: Array, theta: float, tau: float, target: Array, sectors: list) -> Array:
        (l1, w1, r1), (l2, w2, r2) = ends
        matrix = local_matrix(l2, w2, r2, sectors)
        matrix *= theta
        matrix -= local_matrix(l1, w1, r1, sectors)
        matrix += np.outer(e, e)
        matrix[np.diag_indices(len(matrix))] += 1 / tau
        return refined_solve(matrix, target)

    @staticmethod
    def _iterated(ends: tuple, e: Array, theta: float, tau: float, target: Array, even: Array, shape: tuple,
                  guess: Array) -> Array:
        (l1, w1, r1), (l2, w2, r2) = ends

        def apply(v: Array) -> Array:
            a = np.zeros(int(np.prod(shape)))
            a[even] = v.ravel()
            a = a.reshape(shape)
            out = theta * local_product(l2, w2, r2, a) - local_product(l1, w1, r1, a)
            return out.ravel()[even] + v.ravel() / tau + e * (e @ v.ravel())

        operator = LinearOperator((len(even), len(even)), matvec=apply, dtype=float)
        return gmres(operator, target, x0=guess, rtol=1e-10, atol=0.0, restart=60, maxiter=1)[0]

    def _pass_right(self, n: int, y: Array, truncation: Truncation, enrich: int) -> None:
        """Left-canonical tensor at n, centre to n + 1."""
        l, d, r = y.shape
        rows = (self.bonds[n][:, None] + self.parities[n]).ravel() % 2
        first = np.zeros((l, d))
        first[:, 0] = self._trace_left[n]
        push = local_push(self._left[n], self.generator[n], y) if enrich else None
        u, labels, lost = frame(y.reshape(l * d, r), first.ravel(), rows, push, truncation, enrich)
        self.discarded = max(self.discarded, lost)
        self.x[n], self.bonds[n + 1] = u.reshape(l, d, -1), labels
        self.x[n + 1] = np.tensordot(u.T @ y.reshape(l * d, r), self.x[n + 1], 1)
        self._left.append(environment.from_left(self._left[n], self.x[n], self.generator[n]))
        self._left2.append(environment.from_left(self._left2[n], self.x[n], self.square[n]))
        self._trace_left.append(self._trace_left[n] @ self.x[n][:, 0])

    def _pass_left(self, n: int, y: Array, truncation: Truncation, enrich: int) -> None:
        """Right-canonical tensor at n, centre to n - 1."""
        l, d, r = y.shape
        columns = (self.parities[n][:, None] + self.bonds[n + 1]).ravel() % 2
        first = np.zeros((d, r))
        first[0] = self._trace_right[n]
        push = local_push(self._right[n], self.generator[n].transpose(1, 0, 2, 3), y.transpose(2, 1, 0)) \
            if enrich else None
        if push is not None:      # rows (vR p) -> (p vR)
            push = push.reshape(r, d, -1).transpose(1, 0, 2).reshape(d * r, -1)
        u, labels, lost = frame(y.reshape(l, d * r).T, first.ravel(), columns, push, truncation, enrich)
        self.discarded = max(self.discarded, lost)
        self.x[n], self.bonds[n] = u.T.reshape(-1, d, r), labels
        self.x[n - 1] = np.tensordot(self.x[n - 1], y.reshape(l, d * r) @ u, 1)
        self._absorb(n)


def graded_svd(matrix: Array, rows: Array) -> tuple[Array, Array, Array, Array]:
    """Singular value decomposition row parity by row parity: u, descending s, v, and the parity of every s."""
    us, ss, vs, labels = [], [], [], []
    for parity in (0, 1):
        here = np.flatnonzero(rows == parity)
        if not len(here):
            continue
        u, s, v = trains.svd(matrix[here])
        whole = np.zeros((len(matrix), len(s)))
        whole[here] = u
        us.append(whole)
        ss.append(s)
        vs.append(v)
        labels.append(np.full(len(s), parity))
    s = np.concatenate(ss)
    order = np.argsort(-s, kind="stable")
    return np.concatenate(us, 1)[:, order], s[order], np.concatenate(vs)[order], np.concatenate(labels)[order]


def frame(matrix: Array, first: Array, rows: Array, push: Array | None, truncation: Truncation, enrich: int
          ) -> tuple[Array, Array, float]:
    """Orthonormal columns of definite parity: the trace vector, then what matters most of `matrix`, then of `push`.

    Args:
        matrix: What is split, (rows, columns).
        first: The vector that is always a member.
        rows: Parity of every row.
        push: What the generator makes of the rows, (rows, any); None adds nothing.
        truncation: Bond cap and discarded weight, relative to the square of `matrix`.
        enrich: How many directions of `push` are added.

    Returns:
        (columns, their parities, discarded weight).
    """
    first = first / np.linalg.norm(first)
    rest = matrix - np.outer(first, first @ matrix)
    u, s, _, labels = graded_svd(rest, rows)
    weights = np.r_[np.inf, s * s]
    total = float(np.sum(matrix * matrix))
    tails = np.cumsum(weights[:0:-1])
    drop = int(np.searchsorted(tails, max(truncation.weight, 1e-30) * total, "right"))
    keep = min(len(s) - drop, truncation.bond - 1)
    lost = float(np.sum(s[keep:] ** 2)) / total
    columns, labels = np.concatenate([first[:, None], u[:, :keep]], 1), np.r_[0, labels[:keep]]
    room = min(enrich, len(rows) - columns.shape[1])
    if push is not None and room > 0:
        push = push - columns @ (columns.T @ push)
        push = push - columns @ (columns.T @ push)
        more, strength, _, tags = graded_svd(push, rows)
        chosen = np.flatnonzero(strength > 1e-13 * np.sqrt(total))[:room]
        columns, labels = np.concatenate([columns, more[:, chosen]], 1), np.r_[labels, tags[chosen]]
    out = np.zeros_like(columns)
    for parity in (0, 1):
        mine = np.flatnonzero(labels == parity)
        here = np.flatnonzero(rows == parity)
        if len(mine):
            q, r = np.linalg.qr(columns[np.ix_(here, mine)])
            out[np.ix_(here, mine)] = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return out, labels, lost


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


def local_push(left: Array, w: Array, y: Array) -> Array:
    """What the generator makes of site and left side of y (vL p vR): rows (vL p), columns (wR vR)."""
    t = np.tensordot(left, y, (2, 0))                                    # bL w [kL]; [kL] p* kR
    t = np.tensordot(t, w, ((1, 2), (0, 3)))                             # bL [w] [p*] kR; [wL] wR p [p*]
    return t.transpose(0, 3, 2, 1).reshape(y.shape[0] * y.shape[1], -1)


def local_product(left: Array, w: Array, right: Array, a: Array) -> Array:
    """The local operator applied to a (vL p vR)."""
    t = np.tensordot(left, a, (2, 0))                                    # bL w [kL]; [kL] p* kR
    t = np.tensordot(t, w, ((1, 2), (0, 3)))                             # bL [w] [p*] kR; [wL] wR p [p*]
    return np.tensordot(t, right, ((1, 2), (2, 1)))                      # bL [kR] [wR] p; bR [w] [kR] -> bL p bR


def local_matrix(left: Array, w: Array, right: Array, sectors: Sequence[tuple[Array, Array, Array]]) -> Array:
    """The local operator as a matrix on the even part of (vL p vR): one block for every pair of sectors.

    Args:
        left: Left environment, bL w kL.
        w: Tensor of the operator.
        right: Right environment, bR w kR.
        sectors: Index sets (vL, p, vR) of the combinations of parities that are even, in the order of the rows.
    """
    sizes = [len(a) * len(p) * len(b) for a, p, b in sectors]
    ends = np.cumsum([0, *sizes])
    out = np.empty((ends[-1], ends[-1]))
    for i, (a, p, b) in enumerate(sectors):
        for j, (c, q, d) in enumerate(sectors):
            t = np.tensordot(left[np.ix_(a, np.arange(left.shape[1]), c)], w[:, :, p][:, :, :, q], (1, 0))
            x = t.shape[2]                                               # bL [w] kL; [wL] wR p p* -> bL kL wR p p*
            t = t.transpose(0, 3, 1, 4, 2).reshape(-1, x)
            t = t @ right[np.ix_(b, np.arange(x), d)].transpose(1, 0, 2).reshape(x, -1)
            t = t.reshape(len(a), len(p), len(c), len(q), len(b), len(d)).transpose(0, 1, 4, 2, 3, 5)
            out[ends[i]:ends[i + 1], ends[j]:ends[j + 1]] = t.reshape(sizes[i], sizes[j])
    return out


def even_sectors(left: Array, site: Array, right: Array) -> list[tuple[Array, Array, Array]]:
    """Index sets (vL, p, vR) of the combinations of parities with an even sum."""
    out = []
    for a in (0, 1):
        for p in (0, 1):
            sets = np.flatnonzero(left == a), np.flatnonzero(site == p), np.flatnonzero(right == (a + p) % 2)
            if all(map(len, sets)):
                out.append(sets)
    return out
