"""How low one unitary a cell can bring an energy at most: lower bounds on E(R) of `rotors`.

Pairs of qubits by a semidefinite relaxation. A rotation is R_ab = q^T B_ab q of a unit quaternion q (U = q_0 - i q
sigma), so that the energy of a pair is a real quadratic form of q_m x q_n. Its projector is relaxed to any positive
16 x 16 matrix of trace one that vanishes on antisymmetric x antisymmetric operators, as every product of real vectors
does, and the matrices of pairs that share a cell must agree there: the fields of a cell are shared out between its
pairs in the best way. On chains of equal cells the bound is mostly met.

Clusters of any cells by their own spectra: min over product unitaries of sum_S <h_S> is at least the sum of the passive
energies of the reduced densities of the clusters S, over all unitaries on each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mps_battery.measure.work.block_energy import BlockEnergy, drawn
from mps_battery.measure.work.rotors import Coefficients, Coupling, Rotors
from mps_battery.measure.work.semidefinite import Listed, relax
from mps_battery.measure.work.unitaries import lowest_rotation, operator_basis
from mps_battery.sites import Site

Array = np.ndarray

LARGEST_CLUSTER = 2**8
"""Largest dimension of a cluster that is diagonalised."""
MOST_PAIRS = 500
"""Most pairs of cells that are relaxed together, the strongest; any weaker one counts by itself."""


def lowest_energies(rotors: Rotors) -> tuple[float, Array | None]:
    """A lower bound on E, and for qubits the rotations that the relaxation points to.

    Qubit pairs and fields are relaxed together; every product over more cells, and every pair of cells of more levels,
    counts with the least that any unitary could make of it.
    """
    if rotors.d > 2:
        cells = [BlockEnergy.of_correlations(k) for k in rotors.alone]
        here = np.einsum("naa->", rotors.alone)
        each = sum(float(_each(c, rotors.d).sum()) for c in rotors.couplings)
        return float(here - sum(x.bound for x in drawn(cells))) + each, None
    forms: dict[tuple[int, int], Array] = {}
    for coupling in rotors.couplings:
        if coupling.order == 2:
            for (m, n), j, c in zip(coupling.cells.tolist(), coupling.hamiltonian, coupling.state, strict=True):
                forms[m, n] = forms.get((m, n), 0.0) + np.einsum("ac,bd->abcd", j, c).reshape(9, 9)
    strongest = sorted(forms, key=lambda pair: -float(np.linalg.norm(forms[pair])))[:MOST_PAIRS]
    kept = {pair: forms[pair] for pair in strongest}
    bound, mean = _relaxed_pairs(rotors.alone, kept)
    rest = [c if c.order > 2 else c.part([tuple(p) not in kept for p in c.cells.tolist()]) for c in rotors.couplings]
    return bound + sum(float(_each(c, 2).sum()) for c in rest), lowest_rotation(-mean)


def _each(coupling: Coupling, d: int) -> Array:
    """The least energy of every product over its cells, as any unitary on all of them could make it."""
    g, out = operator_basis(d)[1:], []
    for j, c in zip(coupling.hamiltonian, coupling.state, strict=True):
        spectra = []
        for x in (j, c):
            for _ in range(coupling.order):
                x = np.tensordot(x, g, (0, 0))                           # .. p q: the new legs at the end
            legs = x.transpose([*range(0, 2 * coupling.order, 2), *range(1, 2 * coupling.order, 2)])
            spectra.append(np.linalg.eigvalsh(legs.reshape(d**coupling.order, -1)))
        out.append(spectra[0] @ spectra[1][::-1])
    return np.array(out)


def _quaternion_forms() -> Array:
    """B_ab, (9, 4, 4): R_ab = q^T B_ab q for U = q_0 - i q.sigma, with ab counted row by row."""
    g = operator_basis(2)
    units = np.array([np.eye(2), *(-1j * 2**0.5 * g[1:])])
    forms = np.einsum("aij,mjk,bkl,nil->abmn", g[1:], units, g[1:], units.conj()).real
    return ((forms + forms.swapaxes(2, 3)) / 2).reshape(9, 4, 4)


def _relaxed_pairs(alone: Array, pairs: Mapping[tuple[int, int], Array]) -> tuple[float, Array]:
    """The relaxation of fields and pair couplings of qubits: a bound, and the mean rotation of every cell.

    Args:
        alone: K of every cell by itself.
        pairs: sum J_ac C_bd of every pair, rows ab and columns cd: the energy is R_ab R_cd of it.
    """
    b, one = _quaternion_forms(), np.eye(4)
    if not pairs:
        best = lowest_rotation(alone)
        return float(np.einsum("nab,nab->", alone, best)), -best
    ends, forms = np.array(list(pairs)), np.array(list(pairs.values()))
    share = np.bincount(ends.ravel(), minlength=len(alone))
    costs = np.einsum("txy,xij,ykl->tikjl", forms, b, b, optimize=True).reshape(-1, 16, 16)
    fields = np.einsum("nx,xij->nij", alone.reshape(-1, 9), b) / np.maximum(share, 1)[:, None, None]
    costs += np.einsum("tij,kl->tikjl", fields[ends[:, 0]], one).reshape(costs.shape)
    costs += np.einsum("ij,tkl->tikjl", one, fields[ends[:, 1]]).reshape(costs.shape)
    odd = [x - x.T for i in range(4) for x in [np.outer(one[i], one[j]) for j in range(i)]]
    own = [np.eye(16), *(np.kron(x, y) for x in odd for y in odd)]
    operators = np.array([*own, *(np.kron(x, one) for x in b), *(np.kron(one, x) for x in b)])
    tied = np.unique(ends)
    numbers = 9 * np.searchsorted(tied, ends)[:, :, None] + np.arange(9)
    bounds, x = relax(costs, Listed(operators), np.eye(len(own))[0], 1.0, numbers.reshape(len(ends), 18))
    rest = np.setdiff1d(np.arange(len(alone)), tied)
    mean = -alone.copy()                                                 # a free cell goes where its field points
    for end, seen in enumerate((operators[-18:-9], operators[-9:])):
        mean[ends[:, end]] = np.einsum("tij,xij->tx", x, seen).reshape(-1, 3, 3)
    free = float(np.einsum("nab,nab->", alone[rest], lowest_rotation(alone[rest])))
    return float(bounds.sum()) + free, mean


def cluster_floor(j: Coefficients, densities: Mapping[tuple[int, ...], Array], sites: Sequence[Site]) -> float:
    """Lower bound on sum_key J_key <product> under unitaries on any of the cells, from spectra of clusters.

    Every product goes, in equal shares, to the largest sets of sites that hold its own; one on more sites than can be
    diagonalised counts as minus its norm.

    Args:
        j: The products that touch a cell.
        densities: Reduced density matrices; clusters are the sets without a larger one.
        sites: The chain.
    """
    holding: dict[int, set[tuple[int, ...]]] = {}
    for s in densities:
        for n in s:
            holding.setdefault(n, set()).add(s)
    tops = {s for s in densities if len(set.intersection(*(holding[n] for n in s))) == 1}
    energies = {s: np.zeros((int(np.prod([sites[n].d for n in s])),) * 2, dtype=complex) for s in tops}
    floor = 0.0
    for key, x in j.items():
        homes = set.intersection(tops, *(holding.get(n, set()) for n, _ in key))
        if not homes:
            floor -= abs(x) * float(np.prod([np.linalg.norm(operator_basis(sites[n].d)[a], 2) for n, a in key]))
            continue
        for s in homes:
            factors, matrix = dict(key), np.full((1, 1), x / len(homes), dtype=complex)
            for n in s:
                matrix = np.kron(matrix, operator_basis(sites[n].d)[factors[n]] if n in factors else np.eye(sites[n].d))
            energies[s] += matrix
    for s in tops:
        floor += float(np.linalg.eigvalsh(energies[s]) @ np.linalg.eigvalsh(densities[s])[::-1])
    return floor
