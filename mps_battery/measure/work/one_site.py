"""One matrix on one site of a state, and the unitary on a qubit that draws the most energy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mps import MPS

Array = np.ndarray

QUATERNIONS = np.array([np.eye(2), [[0, -1j], [-1j, 0]], [[0, -1], [1, 0]], np.diag([-1j, 1j])])
"""1, -iX, -iY, -iZ: sum_a q_a Q_a runs over SU(2) where q runs over unit vectors."""


def act(state: MPS | Density, matrix: Array, site: int) -> MPS | Density:
    """M |psi>, or M rho M+, with M on one site; not normalised, in the canonical form it had only if M is unitary."""
    train = state.train if isinstance(state, Density) else state
    tensors = list(train.tensors)
    if isinstance(state, Density):
        local = density_sites([state.sites[site]])[0]
        matrix = local.superoperator(matrix, matrix.conj().T).real
    tensors[site] = np.einsum("pq,aqb->apb", matrix, tensors[site])
    moved = MPS(train.sites, tensors, train.center, train.schmidt)
    return Density(moved) if isinstance(state, Density) else moved


def least(form: Array) -> tuple[float, Array]:
    """(least energy q.M.q of unit q, the unitary sum_a q_a Q_a that reaches it) of a quadratic form of a qubit."""
    values, vectors = np.linalg.eigh(form)
    return float(values[0]), np.tensordot(vectors[:, 0], QUATERNIONS, 1)


def form_of_moments(moments: Array) -> Array:
    """M with energy q.M.q after the unitary sum_a q_a Q_a, (4, 4), from what the site sees; see `site_moments`."""
    m = np.einsum("arp,bqs,qrps->ab", QUATERNIONS, QUATERNIONS.conj(), moments, optimize=True).real
    return (m + m.T) / 2


def form_of_trials(energy: Callable[[Array], float]) -> Array:
    """The same from the energies after ten trial unitaries, Q_a and (Q_a + Q_b) / sqrt(2)."""
    diagonal = [energy(q) for q in QUATERNIONS]
    m = np.diag(diagonal)
    for a in range(4):
        for b in range(a):
            both = energy((QUATERNIONS[a] + QUATERNIONS[b]) / np.sqrt(2))
            m[a, b] = m[b, a] = both - (diagonal[a] + diagonal[b]) / 2
    return m
