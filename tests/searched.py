"""Extremes over unitaries by plain search on dense matrices; shares nothing with the engine but Terms and states.

Unitaries are U = exp(iX) with free Hermitian X, the energy tr(H U rho U+) and its slope are dense products, and BFGS of
scipy starts at random, so that what it finds bounds the true extreme from one side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

import mps_battery as mb


def random_terms(rng, sites, terms, order, neighbours=False):
    """Hermitian Terms of random products of random Hermitian matrices, and all fields."""
    total = mb.Terms(sites)
    for n in range(len(sites)):
        total += 1.0, (hermitian(rng, sites[n].d), n)
    for _ in range(terms):
        k = int(rng.integers(2, order + 1))
        where = rng.choice(len(sites) - 1) + np.arange(2) if neighbours else rng.choice(len(sites), k, replace=False)
        total += rng.normal(), *[(hermitian(rng, sites[n].d), int(n)) for n in sorted(where)]
    return total


def hermitian(rng, d):
    a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    return (a + a.conj().T) / 2


def random_state(rng, sites, rank):
    """A random MPS for rank 1, else a Density of that rank; and its matrix."""
    d = int(np.prod([s.d for s in sites]))
    vectors = rng.normal(size=(rank, d)) + 1j * rng.normal(size=(rank, d))
    vectors *= rng.uniform(0.2, 1.0, size=(rank, 1))
    rho = vectors.T @ vectors.conj()
    rho /= np.trace(rho).real
    return (mb.MPS.from_dense(sites, vectors[0]) if rank == 1 else mb.Density.from_dense(sites, rho)), rho


def embedded(sites, unitaries, blocks):
    """The product of unitaries on blocks (first, last) as a matrix on the chain."""
    out, n = np.eye(1), 0
    given = {first: (u, last) for u, (first, last) in zip(unitaries, blocks, strict=True)}
    while n < len(sites):
        u, last = given.get(n, (np.eye(sites[n].d), n))
        out, n = np.kron(out, u), last + 1
    return out


def drawn_by(h, rho, u):
    """tr(H (rho - U rho U+))."""
    return float(np.sum(h.T * (rho - u @ rho @ u.conj().T)).real)


def best_drawn(h, rho, sites, blocks: Sequence[tuple[int, int]], rng, starts):
    """The most that unitaries on some blocks, one each, are found to draw."""
    dims = [int(np.prod([s.d for s in sites[a:b + 1]])) for a, b in blocks]
    cuts = np.cumsum([d * d for d in dims])[:-1]
    where = [n for a, b in blocks for n in range(a, b + 1)]
    legs, place = [s.d for s in sites], {}
    for k, (a, b) in enumerate(blocks):
        place |= dict.fromkeys(range(a, b + 1), k)
    assert len(set(where)) == len(where)

    def energy(x):
        parts = [_hermitian_of(y, d) for y, d in zip(np.split(x, cuts), dims, strict=True)]
        eigen = [np.linalg.eigh(y) for y in parts]
        us = [(w * np.exp(1j * e)) @ w.conj().T for e, w in eigen]
        u = embedded(sites, us, blocks)
        moved = h @ u @ rho                                              # dE = 2 Re tr(moved+ dU)
        slopes = [_slope(_pulled(moved, us, k, blocks, legs), *eigen[k]) for k in range(len(blocks))]
        return np.sum(u.conj() * moved).real, np.concatenate(slopes)

    found = [minimize(energy, rng.normal(size=sum(d * d for d in dims)), jac=True, method="BFGS",
                      options={"gtol": 1e-7, "maxiter": 400}).fun for _ in range(starts)]
    return float(np.sum(h * rho.T).real) - min(found)


def _hermitian_of(x, d):
    """d^2 numbers as a Hermitian matrix."""
    a = x.reshape(d, d)
    return np.tril(a) + np.tril(a, -1).T + 1j * (np.triu(a, 1) - np.triu(a, 1).T)


def _pulled(moved, us, k, blocks, legs):
    """The slope towards conj(U_k): `moved` with the other unitaries' conjugates contracted."""
    n, t, sizes = 0, moved, []
    given = {a: j for j, (a, _) in enumerate(blocks)}
    factors = []
    while n < len(legs):
        j = given.get(n)
        last = n if j is None else blocks[j][1]
        sizes.append(int(np.prod(legs[n:last + 1])))
        factors.append((j, np.eye(sizes[-1]) if j is None else us[j]))
        n = last + 1
    t = t.reshape(sizes + sizes)
    kept = next(i for i, (j, _) in enumerate(factors) if j == k)
    for i in reversed(range(len(factors))):
        if i != kept:
            t = np.tensordot(t, factors[i][1].conj(), ((i, t.ndim // 2 + i), (0, 1)))
            kept -= i < kept
    return t


def _slope(g, e, w):
    """The slope towards the numbers of X, U = exp(iX), from G = dE/dconj(U) [Daleckii, Krein]."""
    difference = e[:, None] - e[None, :]
    phases = np.exp(1j * e)
    near = np.abs(difference) < 1e-7
    f = np.where(near, 1j * phases[:, None], (phases[:, None] - phases[None, :]) / np.where(near, 1.0, difference))
    z = 2 * w @ (f.conj() * (w.conj().T @ g @ w)) @ w.conj().T           # dE = Re tr(z+ dX)
    z = (z + z.conj().T) / 2
    return (np.tril(2 * z.real, -1) + np.diag(np.diag(z.real)) + np.triu(2 * z.imag, 1)).ravel()
