"""Noise channels: Kraus maps on one site or two neighbours, between pieces of evolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.checks import must, number
from mps_battery.sites import DensitySite
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_sites

Array = np.ndarray

_ONE, _X = np.eye(2), np.array([[0, 1], [1, 0]], dtype=complex)
_Y, _Z = np.array([[0, -1j], [1j, 0]]), np.diag([1.0 + 0j, -1.0])


def pauli(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> list[Array]:
    """Kraus operators of a qubit that suffers X, Y or Z with these probabilities."""
    must(all(number(p) and p >= 0 for p in (x, y, z)) and x + y + z <= 1, "x", "be probabilities that add up to at "
         "most 1 with y and z", (x, y, z))
    weights = (1 - x - y - z, x, y, z)
    return [np.sqrt(p) * o for p, o in zip(weights, (_ONE, _X, _Y, _Z), strict=True) if p > 0]


def depolarising(p: float) -> list[Array]:
    """rho -> (1 - p) rho + p 1/2 on a qubit."""
    must(number(p) and 0 <= p <= 1, "p", "be a probability", p)
    return pauli(p / 4, p / 4, p / 4)


def amplitude_damping(p: float, thermal: float = 0.0) -> list[Array]:
    """A qubit (|0> up, |1> down) that decays with probability p towards a population `thermal` of up."""
    must(number(p) and 0 <= p <= 1, "p", "be a probability", p)
    must(number(thermal) and 0 <= thermal <= 1, "thermal", "be a population between 0 and 1", thermal)
    keep = np.sqrt(1 - p)
    down = [np.diag([keep, 1.0]), np.sqrt(p) * np.array([[0, 0], [1.0, 0]])]
    up = [np.diag([1.0, keep]), np.sqrt(p) * np.array([[0, 1.0], [0, 0]])]
    return [np.sqrt(1 - thermal) * k for k in down] + [np.sqrt(thermal) * k for k in up]


def correlated_pauli(probabilities: Sequence[float], correlation: float) -> list[Array]:
    """Two neighbours suffer 1, X, Y, Z with `probabilities`, the same one with chance `correlation`.

    p_ab = (1 - correlation) p_a p_b + correlation p_a delta_ab [Macchiavello, Palma 2002, PRA 65, 050301].
    """
    p = np.asarray(probabilities, dtype=float)
    must(p.shape == (4,) and bool(np.all(p >= 0)) and abs(p.sum() - 1) < 1e-12, "probabilities",
         "be four probabilities of 1, X, Y, Z that add up to 1", probabilities)
    must(number(correlation) and 0 <= correlation <= 1, "correlation", "be between 0 and 1", correlation)
    joint = (1 - correlation) * np.outer(p, p) + correlation * np.diag(p)
    paulis = (_ONE, _X, _Y, _Z)
    return [np.sqrt(joint[a, b]) * np.kron(paulis[a], paulis[b]) for a in range(4) for b in range(4) if joint[a, b] > 0]


def apply_channel(state: Density | MPS, kraus: Sequence[Array], sites: Sequence[int], tolerance: float = 1e-14
                  ) -> Density:
    """sum_k K_k rho K_k+ with K_k on one site or on two neighbouring sites.

    Args:
        state: A density, or a pure state, which becomes one.
        kraus: Matrices (D, D) with sum K+ K = 1; for two sites the first listed one leads.
        sites: One site, or two neighbours in ascending order.
        tolerance: Singular values below this fraction of the largest are dropped from the bond in between.
    """
    density = state if isinstance(state, Density) else Density.from_pure(state)
    check_sites(sites, len(density))
    where = [int(n) for n in sites]
    fits = len(where) in (1, 2) and where[0] >= 0 and where[-1] < len(density)
    fits = fits and where[-1] - where[0] == len(where) - 1
    must(fits, "sites", "be one site or two neighbours in ascending order", list(sites))
    local = [DensitySite(density.sites[n]) for n in where]
    size = int(np.prod([s.site.d for s in local]))
    matrices = [np.asarray(k) for k in kraus]
    must(len(matrices) > 0 and all(k.shape == (size, size) for k in matrices), "kraus",
         f"be {size} x {size} matrices on these sites", [k.shape for k in matrices])
    total = sum(k.conj().T @ k for k in matrices)
    must(np.allclose(total, np.eye(size), rtol=0, atol=1e-10), "kraus", "conserve the trace (sum K+ K = 1)", total)
    basis = local[0].basis
    if len(local) == 2:
        basis = np.einsum("aij,bkl->abikjl", basis, local[1].basis).reshape(-1, size, size)
    moved = sum(k @ basis @ k.conj().T for k in matrices)
    channel = np.einsum("aij,bji->ab", basis, moved).real
    train = density.train.canonical(where[0])
    tensors = list(train.tensors)
    n = where[0]
    if len(where) == 1:
        tensors[n] = np.einsum("xy,ayb->axb", channel, tensors[n])
        return Density(MPS(train.sites, tensors, n))
    theta = np.tensordot(tensors[n], tensors[n + 1], 1)
    l, d, e, r = theta.shape
    theta = np.einsum("xy,ayb->axb", channel, theta.reshape(l, d * e, r)).reshape(l * d, e * r)
    u, s, v = trains.svd(theta)
    keep = max(1, int(np.sum(s > tolerance * s[0])))
    tensors[n], tensors[n + 1] = u[:, :keep].reshape(l, d, keep), (s[:keep, None] * v[:keep]).reshape(keep, e, r)
    return Density(MPS(train.sites, tensors, n + 1))
