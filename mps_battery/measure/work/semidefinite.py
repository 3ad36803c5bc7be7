"""Small semidefinite programs with a certified bound: what a relaxation over unitaries asks for.

    minimise    sum_b tr(C_b X_b)       over positive X_b of one size and one trace
    subject to  tr(A_i X_b) = t_i                     for every block b and the first operators A_i,
                tr(A_i X_b) = m_{g(b, i)}             for the last ones, with free numbers m that blocks share.

The dual of a block is S_b = C_b - sum_i y_bi A_i, positive; the y of shared operators sum to zero over the blocks that
share a number. For any such y, positive S or not,

    sum_b [ t y_b + tr X_b min(0, least eigenvalue of S_b) ]

is a lower bound on the minimum, and that is what is returned: no convergence is taken on trust. The search is a
primal-dual path with Mehrotra's corrector in the direction of Helmberg, Kojima and Monteiro [Helmberg, Rendl,
Vanderbei, Wolkowicz 1996, SIAM J. Optim. 6, 342]; the multipliers of a block are eliminated first, so that only the
shared numbers couple blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

Array = np.ndarray

TOLERANCE = 1e-11
"""Gap between primal and dual, relative to the spread of the costs, at which the search ends."""
STEPS, PATIENCE = 60, 4
"""Most steps, and most in a row that do not close the gap by a fifth."""
CHUNK = 2**23
"""Most entries of the products that are held at once."""


class Constraints(ABC):
    """The operators A_i, Hermitian and independent, the shared ones last; stacks of blocks come first."""

    @abstractmethod
    def means(self, x: Array) -> Array:
        """tr(A_i X); (blocks, n, n) -> (blocks, m)."""

    @abstractmethod
    def combined(self, y: Array) -> Array:
        """sum_i y_i A_i; (blocks, m) -> (blocks, n, n)."""

    @abstractmethod
    def products(self, x: Array, z: Array) -> Array:
        """Re tr(A_i X A_j Z); (blocks, n, n) twice -> (blocks, m, m)."""


class Listed(Constraints):
    """Constraints whose operators are few and small enough to be held as matrices, (m, n, n)."""

    def __init__(self, operators: Array) -> None:
        self.operators, self.flat = operators, operators.reshape(len(operators), -1)

    def means(self, x: Array) -> Array:
        """tr(A_i X)."""
        return (x.reshape(len(x), -1) @ self.flat.conj().T).real

    def combined(self, y: Array) -> Array:
        """sum_i y_i A_i."""
        return (y @ self.flat).reshape(len(y), *self.operators.shape[1:])

    def products(self, x: Array, z: Array) -> Array:
        """Re tr(A_i X A_j Z), in chunks of blocks."""
        chunk, out = max(1, CHUNK // self.operators.size), []
        for b in range(0, len(x), chunk):
            moved = x[b:b + chunk, None] @ self.operators @ z[b:b + chunk, None]
            out.append((moved.reshape(*moved.shape[:2], -1) @ self.flat.conj().T).real)
        return np.concatenate(out)


class PartialTraces(Constraints):
    """Both partial traces of X on d x d levels, in an orthonormal Hermitian basis; the trace itself counts once."""

    def __init__(self, basis: Array) -> None:
        self.d = basis.shape[-1]
        self.flat = basis.reshape(len(basis), -1)

    def means(self, x: Array) -> Array:
        """tr(G_a x 1 X), then tr(1 x G_a X) without a = 0."""
        t = x.reshape(-1, *(self.d,) * 4)
        first, second = np.einsum("zrpqp->zrq", t), np.einsum("zrprq->zpq", t)
        return np.concatenate([self._coordinates(first), self._coordinates(second)[:, 1:]], axis=1)

    def combined(self, y: Array) -> Array:
        """y G x 1 + 1 x y' G."""
        n, d, one = self.d**2, self.d, np.eye(self.d)
        first, second = ((c @ f).reshape(-1, d, d) for c, f in ((y[:, :n], self.flat), (y[:, n:], self.flat[1:])))
        return (first[:, :, None, :, None] * one[:, None] + second[:, None, :, None] * one[:, None, :, None]
                ).reshape(-1, n, n)

    def products(self, x: Array, z: Array) -> Array:
        """Re tr(A_i X A_j Z) by contractions of d^6 operations."""
        n, g = self.d**2, self.flat
        out = []
        for a, b in zip(x.reshape(-1, *(self.d,) * 4), z.reshape(-1, *(self.d,) * 4), strict=True):
            # legs of X: r p a b, of Z: c e q s; G_i meets (q r) or (s p), G_j meets (a c) or (b e)
            parts = [[self._met(a, b, i, j) for j in (0, 1)] for i in (0, 1)]
            rows = [np.concatenate([g @ p @ f.T for p, f in zip(row, (g, g[1:]), strict=True)], 1) for row in parts]
            out.append(np.concatenate([rows[0], rows[1][1:]]).real)
        return np.array(out).reshape(-1, 2 * n - 1, 2 * n - 1)

    def _met(self, x: Array, z: Array, i: int, j: int) -> Array:
        """sum over the legs that no G meets; rows are the two legs of G_i, columns those of G_j."""
        x = x.transpose(i, 2 + j, 1 - i, 3 - j).reshape(self.d**2, -1)               # row, column; the rest
        z = z.transpose(2 + i, j, 3 - i, 1 - j).reshape(self.d**2, -1)
        t = (x @ z.T).reshape((self.d,) * 4)                                       # r a, q c
        return t.transpose(2, 0, 1, 3).reshape(self.d**2, -1)

    def _coordinates(self, matrices: Array) -> Array:
        return (matrices.reshape(len(matrices), -1) @ self.flat.conj().T).real


def relax(costs: Array, constraints: Constraints, targets: Array, trace: float, shared: Array | None = None
          ) -> tuple[Array, Array]:
    """Lower bounds of every block and the matrices that nearly reach their sum.

    Args:
        costs: C_b, (blocks, n, n) Hermitian.
        constraints: The A_i.
        targets: t_i of the operators that are not shared, such that X = trace / n meets them.
        trace: tr X_b, which the constraints must imply.
        shared: Which shared number g(b, i) an operator of a block equals, (blocks, number of shared operators); those
            operators must be traceless.

    Returns:
        Bounds (blocks,), of which only the sum is one where numbers are shared; X, (blocks, n, n).
    """
    path, stalled = _Path(costs, constraints, targets, trace, shared), np.zeros(len(costs), dtype=int)
    for _ in range(STEPS):
        last = path.gap
        try:
            path.step()
        except np.linalg.LinAlgError:           # at the end of the precision; what was found stays
            break
        stalled = np.where(path.gap > 0.8 * last, stalled + 1, 0)
        if np.all((path.gap < TOLERANCE) | (stalled >= PATIENCE)):
            break
    bounds, x = path.bounds, path.x.copy()
    if shared is None and len(costs) > 1:       # a block at the end of its precision has stopped the others
        for b in np.flatnonzero((path.gap > TOLERANCE) & (stalled < PATIENCE)):
            bounds[b:b + 1], x[b:b + 1] = relax(costs[b:b + 1], constraints, targets, trace)
    return bounds, x


class _Path:
    """A point on the way, for blocks that move together where they share numbers and each alone where not."""

    def __init__(self, costs: Array, constraints: Constraints, targets: Array, trace: float, shared: Array | None
                 ) -> None:
        self.blocks, self.n, _ = costs.shape
        e = np.linalg.eigvalsh(costs)
        self.floor, self.one = e[:, 0], np.eye(self.n)
        spread = e[:, -1] - e[:, 0]
        self.scale = np.maximum(spread.max() if shared is not None else spread, 1e-300)
        self.scale = np.broadcast_to(self.scale, self.blocks)
        self.costs = (costs - self.floor[:, None, None] * self.one) / self.scale[:, None, None]
        self.constraints, self.targets, self.trace, self.shared = constraints, targets, trace, shared
        self.x = np.broadcast_to(self.one * trace / self.n, costs.shape).astype(costs.dtype)
        self.y = np.zeros_like(constraints.means(self.x))
        self.s = self.costs + self.one                       # positive; the number added costs the trace of X
        self.gap: Array = np.full(self.blocks, np.inf)
        self.means: Array = np.zeros(0 if shared is None else int(shared.max()) + 1)
        self.best: Array = np.full(self.blocks, -np.inf)

    @property
    def bounds(self) -> Array:
        """The best bounds so far, in the unit of the costs."""
        return self.trace * self.floor + self.scale * self.best

    def step(self) -> None:
        """One predictor and corrector."""
        inverse = _hermitian(np.linalg.inv(self.s))
        mu = np.einsum("bij,bji->b", self.x, self.s).real / self.n
        local = np.linalg.inv(self._curvature(inverse))
        zero = np.zeros_like(self.x)
        dy, ds, dx, dm = self._direction(zero, inverse, local)
        along_x, along_s = (np.minimum(1.0, self._reach(p, dp)) for p, dp in ((self.x, dx), (self.s, ds)))
        ahead = np.einsum("bij,bji->b", self.x + _by(along_x, dx), self.s + _by(along_s, ds)).real / self.n
        if self.shared is not None:
            mu, ahead = (np.full(self.blocks, v.mean()) for v in (mu, ahead))
        centre = (ahead / mu) ** 3 * mu
        dy, ds, dx, dm = self._direction(_by(centre, inverse) - _hermitian(dx @ ds @ inverse), inverse, local)
        along_x, along_s = (np.minimum(1.0, 0.95 * self._reach(p, dp)) for p, dp in ((self.x, dx), (self.s, ds)))
        self.x = _hermitian(self.x + _by(along_x, dx))
        self.y = self.y + along_s[:, None] * dy
        self.means = self.means + along_x[0] * dm
        self.gap = self.n * mu                               # that it began with
        self._rebuild_dual()

    def _rebuild_dual(self) -> None:
        """S from y, with the sums of the shared multipliers put back to zero, and the bound that it certifies."""
        if self.shared is not None:
            own = len(self.targets)
            total, count = (np.bincount(self.shared.ravel(), w, len(self.means))
                            for w in (self.y[:, own:].ravel(), None))
            self.y[:, own:] -= (total / np.maximum(count, 1))[self.shared]
        self.s = _hermitian(self.costs + self.one - self.constraints.combined(self.y))
        least = np.minimum(0.0, np.linalg.eigvalsh(self.s)[:, 0])
        value = self.y[:, :len(self.targets)] @ self.targets + self.trace * (least - 1)
        better = value.sum() > self.best.sum() if self.shared is not None else value > self.best
        self.best = np.where(better, value, self.best)

    def _curvature(self, inverse: Array) -> Array:
        """L_ij = tr(A_i X A_j S^-1) of every block."""
        local = self.constraints.products(self.x, inverse)
        local = (local + local.swapaxes(1, 2)) / 2
        return local + 1e-15 * np.trace(local, axis1=1, axis2=2)[:, None, None] * np.eye(local.shape[-1])

    def _direction(self, target: Array, inverse: Array, local: Array) -> tuple[Array, Array, Array, Array]:
        """Where X S = `target` S, to first order, and all constraints hold: changes of y, S, X and the shared m."""
        own = len(self.targets)
        missing = -self.constraints.means(target)
        missing[:, :own] += self.targets
        dm = np.zeros_like(self.means)
        if self.shared is not None:
            missing[:, own:] += self.means[self.shared]
            pull = np.bincount(self.shared.ravel(), (local @ missing[..., None])[:, own:].ravel(), len(dm))
            matrix = np.zeros((len(dm), len(dm)))
            np.add.at(matrix, (self.shared[:, :, None], self.shared[:, None, :]), local[:, own:, own:])
            matrix += 1e-15 * np.trace(matrix) * np.eye(len(dm))
            dm = np.linalg.solve(matrix, -pull)
            missing[:, own:] += dm[self.shared]
        dy = (local @ missing[..., None])[..., 0]
        ds = -_hermitian(self.constraints.combined(dy))
        return dy, ds, target - self.x - _hermitian(self.x @ ds @ inverse), dm

    def _reach(self, point: Array, change: Array) -> Array:
        """How far the change can be followed before an eigenvalue reaches zero; one number where blocks share."""
        lower = np.linalg.cholesky(point)
        inside = np.linalg.solve(lower, np.linalg.solve(lower, change).conj().swapaxes(1, 2))
        least = np.linalg.eigvalsh(_hermitian(inside))[:, 0]
        least = np.full_like(least, least.min()) if self.shared is not None else least
        return 1 / np.maximum(-least, 1e-12)


def _hermitian(matrices: Array) -> Array:
    return (matrices + matrices.conj().swapaxes(-1, -2)) / 2


def _by(numbers: Array, matrices: Array) -> Array:
    return numbers[:, None, None] * matrices
