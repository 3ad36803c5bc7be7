"""Fluctuations of the work that is drawn: by the best unitary, and by unitaries chosen at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import must
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.ergotropy import (
    PAULI,
    check_energy,
    need_qubit,
    one_moment,
    pauli_correlations,
    qubit_extremes,
)
from mps_battery.tensors import environment
from mps_battery.tensors.density import Density, coordinates, density_sites
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray

LARGEST = 4096
"""Largest dimension of a density whose best unitary is found."""


def ergotropy_variance(state: MPS | Density | Array, energy: Terms | Array) -> float:
    """Variance of the work W = H - U+ H U that the best unitary U draws, tr(rho W^2) - tr(rho W)^2.

    U takes the eigenvectors |r_k> of rho, descending, to those of H, ascending, so U+ H U = sum_k e_k |r_k><r_k|. Where
    populations are equal, so that several unitaries draw the ergotropy, it is the least variance of these. A pure state
    ends in the ground state, and its variance is that of H.

    Args:
        state: A state, or a density matrix (D, D).
        energy: H as Terms on the sites of the state, or as a matrix (D, D). Densities span at most 4096 dimensions.
    """
    if isinstance(state, MPS):
        assert isinstance(energy, Terms)
        check_energy(state, energy)
        offset = energy.copy()
        offset -= (state.expect(energy).real,)
        mpo = offset.to_mpo()
        return float(environment.expectation(state.tensors, (mpo @ mpo).compress().tensors).real) / state.norm**2
    if isinstance(state, Density):
        assert isinstance(energy, Terms)
        check_energy(state, energy)
        dimension = float(np.prod([float(s.d) for s in state.sites]))
        must(dimension <= LARGEST, "state", f"span at most {LARGEST} dimensions to find its best unitary", dimension)
        return ergotropy_variance(state.to_dense() / state.trace, energy.to_dense())
    assert isinstance(energy, np.ndarray)
    p, v = np.linalg.eigh(state)
    p, v = p[::-1], v[:, ::-1].astype(complex)
    e = np.linalg.eigvalsh(energy)
    first = np.flatnonzero(np.diff(p, prepend=np.inf) < -1e-11)
    for a, z in zip(first, [*first[1:], len(p)], strict=True):
        block = v[:, a:z]                                    # equal populations: the states that H itself pairs
        v[:, a:z] = block @ np.linalg.eigh(block.conj().T @ energy @ block)[1]
    work = energy - (v * e) @ v.conj().T
    drawn = np.trace(state @ work).real
    return max(0.0, float(np.trace(state @ work @ work).real - drawn**2))


def random_extraction_variance(state: MPS | Density, energy: Terms) -> float:
    """Variance of the energy drawn, tr(H (rho - U rho U+)), over unitaries U of the whole chain drawn at random (Haar).

    var = tr(H'^2) tr(rho'^2) / (D^2 - 1) with H' and rho' free of trace and D the dimension, from the second moment of
    the Haar measure; it falls as 1 / D for pure states and extensive H [Sarkar et al. 2025, arXiv:2505.16851].
    """
    check_energy(state, energy)
    size = float(np.prod([float(s.d) for s in state.sites]))
    mpo = energy.to_mpo()
    trace = np.ones((1, 1))
    for w in mpo.tensors:
        trace = trace @ np.trace(w, axis1=2, axis2=3) / w.shape[2]
    spread = max(0.0, mpo.frobenius() ** 2 - abs(trace[0, 0]) ** 2)            # tr(H'^2) / D
    purity = state.purity if isinstance(state, Density) else 1.0
    return float(spread * (purity - 1 / size) / (size - 1 / size))


def local_ergotropy_variance(state: MPS | Density, terms: Terms, site: int) -> float:
    """Variance of the work W = H - U+ H U that the best unitary on one qubit draws, H the full interacting energy.

    Args:
        state: The state.
        terms: H; Hermitian.
        site: The cell, a two-level site.

    Returns:
        tr(rho W^2) - tr(rho W)^2 with the U of the closed form (`qubit_extremes`); 0 where nothing can be drawn. Where
        several unitaries draw the same, it is that of one of them.
    """
    must(isinstance(site, int | np.integer) and 0 <= site < len(state), "site", f"be from 0 to {len(state) - 1}", site)
    need_qubit(state.sites[site].d, site)
    check_energy(state, terms)
    moments = {int(site): one_moment(state, terms, int(site))}
    return _variances(state, terms.to_mpo(), moments)[int(site)]


@dataclass(frozen=True)
class LocalErgotropyVariance(Quantity):
    """Variance of the work that the best unitary on a cell draws, for every cell; see `local_ergotropy_variance`."""

    unit = "energy^2"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell."""
        for n in battery.cells:
            need_qubit(battery.sites[n].d, n)
        return {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> Array:
        """The variances."""
        found = _variances(snapshot.state, snapshot.observables.energy, snapshot.moments)
        return np.array([found[n] for n in snapshot.battery.cells])


def _variances(state: MPS | Density, energy: MPO, moments: Mapping[int, Array]) -> dict[int, float]:
    """Variances of the work of the best unitaries on some sites, in one pass.

    U acts on site n alone, so W = H - U+ H U is the train of H with the tensor of site n replaced by its difference to
    the turned one, and W^2 that of H^2 likewise: all cells share the environments of H^2.
    """
    means, squares = {}, {}
    for n, m in moments.items():
        w = energy.tensors[n]
        change = w - _turned(w, _best_rotation(pauli_correlations(m)))
        means[n] = change
        squares[n] = (MPO([change]) @ MPO([change])).tensors[0]
    first = _replaced(state, energy.tensors, means)
    second = _replaced(state, (energy @ energy).tensors, squares)
    return {n: max(0.0, second[n] - first[n] ** 2) for n in moments}


def _best_rotation(correlations: Array) -> Array:
    """R of U+ sigma_a U = sum_b R_ab sigma_b that lowers the energy tr(R^T K) most; 1 where nothing can be drawn."""
    u, s, v = np.linalg.svd(correlations)
    if qubit_extremes(correlations[None])[0][0] <= 1e-13 * max(s[0], 1e-300):
        return np.eye(3)
    return (u * [-1.0, -1.0, np.linalg.det(u) * np.linalg.det(v)]) @ v


def _turned(w: Array, rotation: Array) -> Array:
    """U+ w U of a tensor (wL wR p p*) of a qubit."""
    parts = np.einsum("lrpq,aqp->lra", w, PAULI) / 2
    mean = np.trace(w, axis1=2, axis2=3) / 2
    return mean[..., None, None] * np.eye(2) + np.einsum("lra,ab,bpq->lrpq", parts, rotation, PAULI)


def _replaced(state: MPS | Density, operator: Sequence[Array], tensors: Mapping[int, Array]
              ) -> dict[int, float]:
    """Mean values of an operator with the tensor of one site replaced, for several sites in one pass."""
    out = {}
    if isinstance(state, Density):
        local, train = density_sites(state.sites), state.train.tensors
        whole = coordinates(MPO(list(operator)), local)
        rights = [np.ones((1, 1))]
        for w, t in zip(whole[:0:-1], train[:0:-1], strict=True):
            rights.append(np.tensordot(w, np.tensordot(t, rights[-1], (2, 1)), ((1, 2), (1, 2))))
        left = np.ones((1, 1))
        for n, (w, t, right) in enumerate(zip(whole, train, rights[::-1], strict=True)):
            if n in tensors:
                (own,) = coordinates(MPO([tensors[n]]), local[n:n + 1])
                inside = np.tensordot(own, np.tensordot(left, t, 1), ((0, 1), (0, 1)))
                out[n] = float(np.tensordot(inside, right, 2).real) / state.trace
            left = np.tensordot(w, np.tensordot(left, t, 1), ((0, 1), (0, 1)))
        return out
    norm2, right_of = state.norm**2, environment.right_environments(state.tensors, operator)
    env = environment.edge()
    for n, (a, w) in enumerate(zip(state.tensors, operator, strict=True)):
        if n in tensors:
            inside = environment.from_left(env, a, tensors[n])
            out[n] = float(np.tensordot(inside, right_of[n], 3).real) / norm2
        env = environment.from_left(env, a, w)
    return out
