"""The dense twin: exact evolution of the whole state vector, for small chains and as referee."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.sparse.csgraph import connected_components

from mps_battery.battery import Schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.halves import Halves
from mps_battery.evolve.products import digits
from mps_battery.tensors import krylov
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation
from mps_battery.terms import Terms, matrix_of

Array = np.ndarray

LARGEST = 2**18
"""Largest dimension of the whole space that `Exact` accepts."""
LARGEST_BY_HALVES = 2**22
"""The same where the Hamiltonian is applied by halves: some fifty vectors in memory, 4 GB."""
DIAGONALISED = 2**10
"""A constant Hamiltonian whose blocks cost no more than one of this dimension is diagonalised once, block by block; so
is a Liouvillian exponentiated up to this dimension. Above, Krylov steps are taken."""
LARGEST_ENTRIES = 2**24
"""A Hamiltonian with more entries is not made a sparse matrix but applied by halves of the chain."""


@dataclass(frozen=True)
class Exact:
    """Evolution of the full vector: diagonalisation, Krylov, or an adaptive integrator for schedules.

    Args:
        tolerance: Error of the vector a call of `advance` may add.
    """

    tolerance: float = 1e-12

    def __post_init__(self) -> None:
        must(number(self.tolerance) and 0 < self.tolerance < 1, "tolerance",
             "be a number between 0 and 1", self.tolerance)

    def start(self, state: MPS | Density, generator: Schedule, truncation: Truncation, time: float = 0.0
              ) -> ExactEvolution:
        """Begin an evolution of a pure state under -i `generator`, or of a density under a Liouvillian."""
        del truncation  # nothing is truncated
        return ExactEvolution(self, state, generator, time)


class ExactEvolution:
    """A vector on its way through time; `advance` moves it, `state` shows it as an MPS or a Density."""

    def __init__(self, method: Exact, state: MPS | Density, generator: Schedule, time: float) -> None:
        self.method, self.time, self.ledger = method, time, Ledger()
        self._open = isinstance(state, Density)
        train = state.train if isinstance(state, Density) else state
        self._sites, self._schedule = train.sites, generator
        dimension = float(np.prod([float(s.d) for s in train.sites]))
        crowded = not self._open and sum(map(_entries, generator.terms)) > LARGEST_ENTRIES
        largest = LARGEST_BY_HALVES if crowded else LARGEST
        if dimension > largest:
            raise InputError(f"Argument `method` must not be Exact for a space of dimension {dimension:.3g}: at most "
                             f"{largest} fit; use TEBD or TDVP.")
        self._vector = train.to_dense().astype(float if self._open else complex)
        self._factor = 1.0 if self._open else -1j                # the generator is factor x parts
        self._parts: list[Any] = [Halves(h) if crowded else h.to_sparse().real if self._open else h.to_sparse()
                                  for h in generator.terms]
        self._spectrum: list[tuple[Array, Array, Array]] = []
        if generator.constant and not self._open and not crowded:
            self._spectrum = _spectrum(sum(self._parts))
        self._propagators: dict[float, Array] = {}
        self._shown: MPS | Density | None = None

    @property
    def state(self) -> MPS | Density:
        """The present state."""
        if self._shown is None:
            train = MPS.from_dense(self._sites, self._vector)
            self._shown = Density(train) if self._open else train
        return self._shown

    def advance(self, time: float) -> None:
        """Evolve to a later time."""
        span = time - self.time
        if span <= 0:
            return
        if self._spectrum:
            self._vector = self._vector.copy()
            for block, e, u in self._spectrum:
                self._vector[block] = u @ (np.exp(-1j * e * span) * (u.conj().T @ self._vector[block]))
        elif self._schedule.constant and self._open and self._vector.size <= DIAGONALISED:
            key = digits(span)
            if key not in self._propagators:
                self._propagators[key] = scipy.linalg.expm(key * sum(self._parts).toarray())
            self._vector = self._propagators[key] @ self._vector
        elif self._schedule.constant:
            exponential = krylov.general_exponential if self._open else krylov.exponential
            self._vector, residual = exponential(lambda v: sum(h @ v for h in self._parts), self._vector,
                                                 self._factor * span, self.method.tolerance)
            self.ledger.krylov_residual += residual
        else:
            self._vector = self._integrate(time)
        self.time = time
        self._shown = None
        self.ledger.max_bond = max(self.ledger.max_bond, *self.state.bonds, 1)

    def energy(self) -> float:
        """<H> of a constant Hamiltonian and a pure state, without the operator that a train would need."""
        return float(sum(np.vdot(self._vector, h @ self._vector).real for h in self._parts))

    def memory(self) -> dict[str, Any]:
        """All that the way onwards depends on."""
        return {"time": self.time, "ledger": replace(self.ledger), "vector": np.ascontiguousarray(self._vector)}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.time, self.ledger, self._vector = memory["time"], memory["ledger"], memory["vector"]
        self._shown = None

    def _integrate(self, time: float) -> Array:
        def slope(t: float, v: Array) -> Array:
            values = self._schedule.values(t)
            return self._factor * sum(f * (h @ v) for f, h in zip(values, self._parts, strict=True))

        out = solve_ivp(slope, (self.time, time), self._vector, method="DOP853", rtol=max(self.method.tolerance, 3e-14),
                        atol=self.method.tolerance)
        self.ledger.krylov_residual += self.method.tolerance
        return out.y[:, -1]


def _entries(terms: Terms) -> float:
    """How many entries the products of a sum have, one by one; its matrix has no more."""
    dense = [np.prod([np.count_nonzero(matrix_of(o)) / len(matrix_of(o)) for _, o in p]) for p, _ in terms.products]
    return float(np.prod([float(s.d) for s in terms.sites]) * np.sum(dense))


def _spectrum(h: sp.csr_matrix) -> list[tuple[Array, Array, Array]]:
    """(basis states, energies, eigenvectors) of every block of a Hamiltonian; none where that would cost too much.

    Blocks are the connected parts of the graph of its entries: sectors of every charge that is diagonal in the basis.
    """
    count, member = connected_components(abs(h), directed=False)
    sizes = np.bincount(member, minlength=count).astype(float)
    if count > DIAGONALISED or np.sum(sizes**3) > float(DIAGONALISED) ** 3:
        return []
    order = np.split(np.argsort(member, kind="stable"), np.cumsum(sizes.astype(int))[:-1])
    return [(block, *scipy.linalg.eigh(h[np.ix_(block, block)].toarray())) for block in order]
