"""One matrix on one site of a state, and the unitary on a qubit that draws the most energy."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

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


def form_of_trials(trial: Callable[[Array], Array]) -> Array:
    """M_ab, (4, 4, ...), of anything that is linear in the state after a unitary sum_a q_a Q_a, q.M.q, from ten trials.

    The trials are Q_a and (Q_a + Q_b) / sqrt(2), all of them unitary.
    """
    diagonal = [trial(q) for q in QUATERNIONS]
    form = np.empty((4, 4, *diagonal[0].shape))
    for a in range(4):
        form[a, a] = diagonal[a]
        for b in range(a):
            both = trial((QUATERNIONS[a] + QUATERNIONS[b]) / np.sqrt(2))
            form[a, b] = form[b, a] = both - (diagonal[a] + diagonal[b]) / 2
    return form


def least_of_pair(form: Array) -> tuple[float, Array, Array]:
    """(least energy, first unitary, second) of sum q_a q_b v_c v_d M_abcd over unit vectors q and v.

    The second is the exact answer to the first, so that the search runs over q alone, from the twelve directions of the
    24-cell.
    """
    def energy(q: Array) -> tuple[float, Array]:
        length = np.linalg.norm(q)
        u = q / length
        values, vectors = np.linalg.eigh(np.einsum("a,b,abcd->cd", u, u, form))
        slope = 2 * np.einsum("c,d,abcd,b->a", vectors[:, 0], vectors[:, 0], form, u)
        return float(values[0]), (slope - (slope @ u) * u) / length

    starts = [*np.eye(4), *(np.array([1.0, *signs]) / 2 for signs in itertools.product((1.0, -1.0), repeat=3))]
    best = min((minimize(energy, q, jac=True, method="BFGS", options={"gtol": 1e-9}) for q in starts),
               key=lambda found: found.fun)
    q = best.x / np.linalg.norm(best.x)
    left, second = least(np.einsum("a,b,abcd->cd", q, q, form))
    return left, np.tensordot(q, QUATERNIONS, 1), second
