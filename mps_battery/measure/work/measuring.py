"""Measurements of a few sites: their Kraus operators, and what an operator on a few sites leaves of a state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mps_battery.checks import InputError, must, number
from mps_battery.measure.work.daemonic import applied, kraus_operators
from mps_battery.sites import Site
from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mps import MPS

Array = np.ndarray

EQUAL = 1e-10
"""Eigenvalues of a measured operator that differ by less, relative to the largest, are one outcome."""
LARGEST = 64
"""Largest dimension of the measured sites."""


def measurement(measure: str | Sequence[Array], sites: Sequence[Site], strength: float = 1.0) -> tuple[Array, ...]:
    """Kraus operators on a few sites, the first one leading, one an outcome.

    A named operator with projectors P_j, j = 1..m, is measured on every site: projectively, or with a strength s by

        M_k = sum_j sqrt(s delta_kj + (1 - s) / m) P_j,

    which tells nothing at s = 0 and is P_k at s = 1.

    Args:
        measure: Name of a Hermitian operator that all sites have, or matrices with sum M+ M = 1 on all of them.
        sites: The measured sites.
        strength: s, from 0 to 1.
    """
    must(number(strength) and 0 <= strength <= 1, "strength", "be from 0 to 1", strength)
    d = int(np.prod([s.d for s in sites]))
    must(d <= LARGEST, "alice", f"span at most {LARGEST} dimensions", d)
    if not isinstance(measure, str):
        must(strength == 1, "strength", "be left out where Kraus operators are given", strength)
        must(isinstance(measure, Sequence | np.ndarray) and len(measure) > 0 and np.ndim(measure[0]) == 2, "measure",
             "be the name of an operator or a list of Kraus matrices", measure)
        return kraus_operators(measure, d)  # type: ignore[return-value]
    each = []
    for site in sites:
        projectors = projectors_of(site.operator(measure), measure)
        m = len(projectors)
        weights = np.sqrt(strength * np.eye(m) + (1 - strength) / m)
        each.append(np.tensordot(weights, projectors, 1))
    return tuple(reduce(lambda a, b: np.array([np.kron(x, y) for x in a for y in b]), each))


def projectors_of(operator: Array, name: str) -> Array:
    """The projectors on the eigenspaces of a Hermitian operator, eigenvalues falling; (m, d, d)."""
    if not np.allclose(operator, operator.conj().T, rtol=0, atol=1e-12):
        raise InputError(f"Argument `measure` must name a Hermitian operator, but is {name!r}.")
    values, vectors = np.linalg.eigh(operator)
    new = np.r_[True, np.diff(values) > EQUAL * np.abs(values).max()]
    groups = np.split(vectors, np.flatnonzero(new)[1:], axis=1)[::-1]
    return np.array([v @ v.conj().T for v in groups])


def act_on(state: MPS | Density, matrix: Array, sites: Sequence[int]) -> tuple[MPS | Density, float]:
    """(M rho M+ with M on a few sites in their order, not normalised; its trace relative to that of rho).

    The bonds between the first and the last site grow by the operator Schmidt rank of M, and by its square in a
    density; a product of one-site operators leaves them.
    """
    if len(sites) == 1:
        return applied(state, matrix, sites[0])
    dims, k = [state.sites[n].d for n in sites], len(sites)
    places = [int(p) for p in np.argsort(sites)]
    order = [sites[p] for p in places]
    matrix = matrix.reshape(dims + dims).transpose(places + [k + p for p in places]).reshape(matrix.shape)
    train = state.train if isinstance(state, Density) else state
    if isinstance(state, Density):
        bases = [s.basis for s in density_sites([state.sites[n] for n in order])]
        basis = reduce(lambda a, b: np.einsum("aij,bkl->abikjl", a, b).reshape(
            len(a) * len(b), a.shape[1] * b.shape[1], -1), bases)
        matrix = np.einsum("aij,bji->ab", basis, matrix @ basis @ matrix.conj().T, optimize=True).real
    cores = dict(zip(order, _cores(matrix, [train.sites[n].d for n in order]), strict=True))
    tensors, bond = list(train.tensors), 1
    for n in range(order[0], order[-1] + 1):
        a = tensors[n]
        if n in cores:
            grown = np.einsum("bpqc,aqd->bapcd", cores[n], a)
            bond = grown.shape[3]
        else:
            grown = np.einsum("bc,apd->bapcd", np.eye(bond), a)
        b, l, p, c, r = grown.shape
        tensors[n] = grown.reshape(b * l, p, c * r)
    moved = MPS(train.sites, tensors, None)
    if isinstance(state, Density):
        density = Density(moved)
        return density, density.trace / state.trace
    return moved, (moved.norm / state.norm) ** 2


def _cores(matrix: Array, dims: Sequence[int]) -> list[Array]:
    """A matrix on several sites as a train of one-site matrices, legs wL p p* wR."""
    k = len(dims)
    pairs = [leg for n in range(k) for leg in (n, k + n)]
    rest, out = matrix.reshape(*dims, *dims).transpose(pairs).reshape(1, -1), []
    for d in dims[:-1]:
        u, s, v = np.linalg.svd(rest.reshape(len(rest) * d * d, -1), full_matrices=False)
        kept = s > 1e-15 * s[0]
        out.append(u[:, kept].reshape(-1, d, d, int(kept.sum())))
        rest = s[kept, None] * v[kept]
    return [*out, rest.reshape(len(rest), dims[-1], dims[-1], 1)]
