"""Correlations of two parties against searches, quimb, and states known in closed form."""

import itertools

import numpy as np
import pytest
import quimb
import solved
from scipy.optimize import minimize
from scipy.stats import unitary_group

import mps_battery as mb
from mps_battery.measure.marginals import pair_densities
from mps_battery.measure.resources.discord import discords, entropy_left, remaining_entropies
from mps_battery.measure.resources.pairs import concurrence, discord, log_negativity, steering
from mps_battery.measure.resources.two_party import (
    concurrences,
    log_negativities,
    mutual_informations,
    steering_witnesses,
)

SINGLET = np.outer([0, 1, -1, 0], [0, 1, -1, 0]) / 2



def random_density(rng, dims=(2, 2), rank=None):
    d = dims[0] * dims[1]
    v = rng.normal(size=(d, rank or d)) + 1j * rng.normal(size=(d, rank or d))
    return v @ v.conj().T / np.linalg.norm(v) ** 2


def x_state(rng):
    """Random populations, some small, and random complex coherences on the antidiagonal."""
    p = rng.dirichlet([0.5] * 4)
    z = np.sqrt(rng.random(2)) * np.exp(2j * np.pi * rng.random(2))
    rho = np.diag(p).astype(complex)
    rho[0, 3], rho[1, 2] = z * np.sqrt([p[0] * p[3], p[1] * p[2]])
    rho[3, 0], rho[2, 1] = rho[0, 3].conj(), rho[1, 2].conj()
    return rho


def family(seed):
    """Two qubits: of rank 1 to 4, X states, separable ones, a nearly pure second qubit, weak correlations."""
    rng = np.random.default_rng(seed)
    kind = seed % 8
    if kind < 4:
        return random_density(rng, rank=kind + 1)
    if kind == 4:
        return x_state(rng)
    if kind == 5:
        parts = [np.kron(random_density(rng, (2, 1)), random_density(rng, (2, 1), 1)) for _ in range(3)]
        return np.tensordot(rng.dirichlet(np.ones(3)), parts, 1)
    if kind == 6:
        eps = 10.0 ** rng.uniform(-6, -1)
        turn = np.kron(np.eye(2), unitary_group.rvs(2, random_state=rng) * np.sqrt([1, eps]))
        rho = turn @ random_density(rng) @ turn.conj().T
        return rho / np.trace(rho).real
    return 0.99 * np.eye(4) / 4 + 0.01 * random_density(rng, rank=2)


def searched_discord(rho, dims=(2, 2)):
    """The definition: projectors on party B, conditional matrices, finer and finer grids of angles."""
    d = dims[0]

    def left(angles):
        theta, phi = np.asarray(angles).T.reshape(2, -1)
        ket = np.stack([np.cos(theta / 2), np.exp(1j * phi) * np.sin(theta / 2)], -1)
        other = np.stack([-np.exp(-1j * phi) * np.sin(theta / 2), np.cos(theta / 2)], -1)
        total = 0.0
        for v in (ket, other):
            state = np.einsum("xq,pqst,xt->xps", v.conj(), rho.reshape(d, 2, d, 2), v)
            p = np.maximum(np.einsum("xpp->x", state).real, 1e-300)
            total = total + p * solved.entropy(state / p[:, None, None])
        return total

    # half the sphere, and half of it again around the polarisation of B where outcomes are rare
    b = np.einsum("kqt,pqpt->k", solved.PAULI.conj(), rho.reshape(d, 2, d, 2)).real
    pole = (np.arccos(np.clip(b[2] / max(np.linalg.norm(b), 1e-12), -1, 1)), np.arctan2(b[1], b[0]))
    wide = [(t, f) for t in np.linspace(0, np.pi, 17) for f in np.linspace(0, np.pi, 16, endpoint=False)]
    near = [(pole[0] + r * np.cos(a), pole[1] + r * np.sin(a) / max(np.sin(pole[0]), 1e-3))
            for r in np.geomspace(1e-4, 0.3, 15) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]
    picked = np.concatenate([g[np.argsort(left(g))[:k]] for g, k in ((np.array(wide), 3), (np.array(near), 1))])
    patch = np.stack(np.meshgrid(*[np.linspace(-1, 1, 7)] * 2), -1).reshape(-1, 2)
    radius = np.array([0.2, 0.2, 0.2, max(0.3 * np.linalg.norm(picked[3] - pole), 1e-4)])[:, None, None]
    for _ in range(22):          # finer and finer patches around the lowest points
        tried = picked[:, None] + radius * patch
        values = left(tried.reshape(-1, 2)).reshape(len(picked), -1)
        picked, radius = tried[np.arange(len(picked)), values.argmin(axis=1)], radius * 0.5
    best = values.min()
    return solved.entropy(np.einsum("pqpt->qt", rho.reshape(d, 2, d, 2))) - solved.entropy(rho) + best


# -- against searches and other libraries -------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(120))
def test_discord_against_a_search(seed):
    """The search may stop early, never below; the measure is invariant under local unitaries."""
    rho, rng = family(seed), np.random.default_rng([seed, 1])
    found = float(discords(rho))
    assert found == pytest.approx(searched_discord(rho), abs=1e-8)
    turn = np.kron(unitary_group.rvs(2, random_state=rng), unitary_group.rvs(2, random_state=rng))
    assert float(discords(turn @ rho @ turn.conj().T)) == pytest.approx(found, abs=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_discord_of_a_qubit_and_more_levels(seed):
    rng = np.random.default_rng(seed)
    d = 3 + seed % 3
    rho = random_density(rng, (d, 2), rank=int(rng.integers(2, 2 * d + 1)))
    assert float(discords(rho, (d, 2))) == pytest.approx(searched_discord(rho, (d, 2)), abs=1e-8)


def peaked(seed):
    """Two qubits, the measured one or both nearly pure, so that f changes within small angles."""
    rng = np.random.default_rng(seed)
    eps = 10.0 ** rng.uniform((-10, -8), (-3, 0))
    turn = np.kron(np.diag([1, eps[1] ** 0.5]) if seed % 2 else np.eye(2),
                   unitary_group.rvs(2, random_state=rng) * np.sqrt([1, eps[0]]))
    rho = turn @ random_density(rng, rank=2 + seed % 3) @ turn.conj().T
    return rho / np.trace(rho).real


@pytest.mark.parametrize("kind", [family, peaked])
def test_discord_needs_no_more_starts(kind, monkeypatch):
    """Three times as many directions, five times as many of them followed, find nothing lower in 400 matrices."""
    rhos = np.array([kind(k) for k in range(400)])
    few = remaining_entropies(rhos, (2, 2))[0]
    monkeypatch.setattr("mps_battery.measure.resources.discord.STARTS", 300)
    monkeypatch.setattr("mps_battery.measure.resources.discord.FOLLOWED", 40)
    np.testing.assert_allclose(few, remaining_entropies(rhos, (2, 2))[0], atol=1e-10)


@pytest.mark.parametrize("d", [2, 4])
def test_what_remains_has_its_gradient_and_is_concave(d):
    """The gradient against differences; the direction against it is never worse."""
    rng = np.random.default_rng(d)
    parts = np.array([[np.einsum("pqsq->ps", legs), *np.einsum("kqt,ptsq->kps", solved.PAULI, legs)]
                      for legs in (random_density(rng, (d, 2), 2 * d).reshape(d, 2, d, 2) for _ in range(50))])
    n = rng.normal(size=(50, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    f, gradient = entropy_left(parts, n)
    for k, e in enumerate(np.eye(3)):
        difference = (entropy_left(parts, n + 1e-5 * e)[0] - entropy_left(parts, n - 1e-5 * e)[0]) / 2e-5
        np.testing.assert_allclose(gradient[:, k], difference, atol=1e-6)
    against = -gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    assert np.all(entropy_left(parts, against)[0] <= f + 1e-14)


@pytest.mark.parametrize("seed", range(104))
def test_two_qubits_against_definitions(seed):
    """Relative entropy to the product, nuclear norm, Wootters' eigenvalues; quimb in bits."""
    rho = family(seed)
    a, b = (solved.partial_trace(rho, [k], 2) for k in (0, 1))
    w, v = np.linalg.eigh(np.kron(a, b))
    product = np.einsum("ik,ij,jk->k", v.conj(), rho, v).real @ np.log(np.maximum(w, 1e-300))
    information = float(mutual_informations(rho))
    assert information == pytest.approx(-solved.entropy(rho) - product, abs=1e-8)
    assert information == pytest.approx(quimb.mutinf(rho) * np.log(2), abs=1e-8)
    flipped = rho.copy()
    for i in (0, 2):
        for j in (0, 2):
            flipped[i:i + 2, j:j + 2] = rho[i:i + 2, j:j + 2].T
    negativity = float(log_negativities(rho))
    assert negativity == pytest.approx(np.log(np.linalg.norm(flipped, "nuc")), abs=1e-8)
    assert negativity == pytest.approx(quimb.logneg(rho) * np.log(2), abs=1e-8)
    yy = np.kron(solved.Y, solved.Y)
    roots = np.sqrt(np.abs(np.linalg.eigvals(rho @ yy @ rho.conj() @ yy)))
    rank = np.linalg.matrix_rank(rho, tol=1e-9)
    if rank == 4:                # else the roots of what is zero up to rounding
        assert float(concurrences(rho)) == pytest.approx(max(0, 2 * roots.max() - roots.sum()), abs=1e-8)
        assert float(concurrences(rho)) == pytest.approx(quimb.concurrence(rho), abs=1e-8)
    if rank == 1:
        psi = v_of(rho)
        assert float(concurrences(rho)) == pytest.approx(abs(psi @ yy @ psi), abs=1e-12)
    if seed % 8 == 4:
        expected = 2 * max(0, abs(rho[0, 3]) - np.sqrt(rho[1, 1] * rho[2, 2]).real,
                           abs(rho[1, 2]) - np.sqrt(rho[0, 0] * rho[3, 3]).real)
        assert float(concurrences(rho)) == pytest.approx(expected, abs=1e-8)
    if seed % 8 == 5:
        assert float(concurrences(rho)) < 1e-12
        assert negativity < 1e-12


def v_of(rho):
    return np.linalg.eigh(rho)[1][:, -1]


@pytest.mark.parametrize("seed", range(100))
def test_concurrence_of_rank_two_is_the_roof(seed):
    """No decomposition of a state of rank two has a lower mean concurrence than the closed form, and one reaches it."""
    rng = np.random.default_rng(seed)
    rho = random_density(rng, rank=2)
    w, v = np.linalg.eigh(rho)
    vectors = v[:, 2:] * np.sqrt(w[2:])
    tau = vectors.T @ np.kron(solved.Y, solved.Y) @ vectors

    def mean(angles):            # a qubit of decompositions: rows of (2, 2) isometries and their complements
        theta, phi = angles
        u = np.array([[np.cos(theta), np.exp(1j * phi) * np.sin(theta)],
                      [-np.exp(-1j * phi) * np.sin(theta), np.cos(theta)]])
        return np.abs(np.diag(u @ tau @ u.T)).sum()

    grid = [(t, f) for t in np.linspace(0, np.pi, 9) for f in np.linspace(0, np.pi, 9)]
    starts = sorted(grid, key=mean)[:3]
    best = min(minimize(mean, x, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14}).fun for x in starts)
    assert float(concurrences(rho)) == pytest.approx(best, abs=1e-8)


@pytest.mark.parametrize("seed", range(100))
def test_steering_against_the_best_directions(seed):
    """max of the inequality over orthogonal directions of one party, and the integrals over all of them."""
    rho, rng = family(seed), np.random.default_rng(seed)
    t = np.einsum("aps,bqt,stpq->ab", solved.PAULI, solved.PAULI, rho.reshape(2, 2, 2, 2)).real
    for n in (2, 3):             # in turn, the best answers to given directions and the best directions for them
        best = 0.0
        for _ in range(2):
            b = np.linalg.qr(rng.normal(size=(3, n)))[0]
            for _ in range(3000):
                a = t @ b
                u, _, v = np.linalg.svd(t.T @ (a / np.linalg.norm(a, axis=0)), full_matrices=False)
                moved, b = np.abs(u @ v - b).max(), u @ v
                if moved < 1e-9:
                    break
            best = max(best, np.linalg.norm(t @ b, axis=0).sum() / np.sqrt(n))
        assert float(steering_witnesses(rho, n)) == pytest.approx(best, abs=1e-8)
    z, w = np.polynomial.legendre.leggauss(100)
    phi = 2 * np.pi * np.arange(200) / 200
    s = np.linalg.svd(t, compute_uv=False)
    sphere = np.stack([np.multiply.outer(np.sqrt(1 - z * z), f(phi)) for f in (np.cos, np.sin)]
                      + [np.repeat(z[:, None], 200, 1)])
    if s[2] > 0.2 * s[0]:        # smooth enough for the grid
        average = np.sum(w * np.linalg.norm(np.tensordot(t, sphere, 1), axis=0).mean(axis=1)) / 2
        assert float(steering_witnesses(rho, np.inf)) == pytest.approx(2 * average, abs=1e-8)
        inverse = np.linalg.inv(t @ t.T)                 # N_T of Jevtic et al.
        weight = np.einsum("abc,ad,dbc->bc", sphere, inverse, sphere) ** -2
        n_t = 1 / (4 * np.pi * np.sum(w * weight.mean(axis=1)) / 2)
        assert float(steering_witnesses(rho, np.inf)) == pytest.approx(1 / (2 * np.pi * n_t * s.prod()), rel=1e-7)
    if seed % 8 == 5:            # separable
        assert max(float(steering_witnesses(rho, n)) for n in (2, 3, np.inf)) <= 1 + 1e-12


@pytest.mark.parametrize("seed", range(100))
def test_invariance_under_local_unitaries(seed):
    rng, rho = np.random.default_rng([seed, 5]), family(seed)
    turn = np.kron(unitary_group.rvs(2, random_state=rng), unitary_group.rvs(2, random_state=rng))
    turned = turn @ rho @ turn.conj().T
    for f in (mutual_informations, log_negativities, concurrences, *(
            lambda r, n=n: steering_witnesses(r, n) for n in (2, 3, np.inf))):
        assert float(f(turned)) == pytest.approx(float(f(rho)), abs=1e-10)


# -- states known in closed form ------------------------------------------------------------------------------------
def xlogx(x):
    return np.where(x > 0, x * np.log(np.maximum(x, 1e-300)), 0.0)


def test_werner_states():
    """p |singlet><singlet| + (1 - p) / 4: every measure, and the thresholds 1/3, 1/sqrt 3, 1/sqrt 2, 1/2."""
    p = np.linspace(0, 1, 101)
    rhos = p[:, None, None] * SINGLET + (1 - p[:, None, None]) * np.eye(4) / 4
    np.testing.assert_allclose(concurrences(rhos), np.maximum(0, (3 * p - 1) / 2), atol=1e-10)
    np.testing.assert_allclose(log_negativities(rhos), np.log(np.maximum(1, (3 * p + 1) / 2)), atol=1e-10)
    information = 3 * xlogx(1 - p) / 4 + xlogx(1 + 3 * p) / 4
    np.testing.assert_allclose(mutual_informations(rhos), information, atol=1e-10)
    np.testing.assert_allclose(discords(rhos), information - (xlogx(1 - p) + xlogx(1 + p)) / 2, atol=1e-10)
    for n, threshold in ((2, 2**-0.5), (3, 3**-0.5), (np.inf, 0.5)):
        np.testing.assert_allclose(steering_witnesses(rhos, n), p / threshold, atol=1e-10)


@pytest.mark.parametrize("seed", range(100))
def test_bell_diagonal_states(seed):
    """(1 + sum c_a sigma_a sigma_a) / 4 [Luo 2008, Phys. Rev. A 77, 042303]."""
    weights = np.random.default_rng(seed).dirichlet([0.4] * 4)
    signs = np.array([[1, -1, 1], [-1, 1, 1], [1, 1, -1], [-1, -1, -1]])       # <sigma_a sigma_a> of the Bell states
    c = weights @ signs
    rho = (np.eye(4) + sum(x * np.kron(s, s) for x, s in zip(c, solved.PAULI, strict=True))) / 4
    information = np.log(4) + xlogx(weights).sum()
    top = np.abs(c).max()
    assert float(mutual_informations(rho)) == pytest.approx(information, abs=1e-10)
    assert float(discords(rho)) == pytest.approx(information - (xlogx(1 + top) + xlogx(1 - top)) / 2, abs=1e-10)
    assert float(concurrences(rho)) == pytest.approx(max(0, 2 * weights.max() - 1), abs=1e-10)
    assert float(log_negativities(rho)) == pytest.approx(np.log(max(1, 2 * weights.max())), abs=1e-10)


@pytest.mark.parametrize("seed", range(100))
def test_discord_of_x_states(seed):
    """By symmetry the direction lies in the half plane through z where both coherences add up: one angle is left."""
    rho = x_state(np.random.default_rng(seed))
    (a, b, c, d), u, v = np.diag(rho).real, abs(rho[0, 3]), abs(rho[1, 2])

    def left(theta):
        total = 0.0
        for sign in (1, -1):
            cos, sin = sign * np.cos(theta), np.sin(theta)
            up, down = (a + b + (a - b) * cos) / 2, (c + d + (c - d) * cos) / 2
            r = np.hypot(up - down, (u + v) * sin) / 2
            total = total + xlogx(up + down) - xlogx((up + down) / 2 + r) - xlogx(np.maximum((up + down) / 2 - r, 0))
        return total

    best, grid = np.inf, np.linspace(0, np.pi / 2, 2001)
    for _ in range(3):           # a finer grid around the lowest point
        k = int(np.argmin(left(grid)))
        best = min(best, left(grid)[k])
        grid = np.linspace(grid[max(k - 1, 0)], grid[min(k + 1, 2000)], 2001)
    expected = best - xlogx(np.array([a + c, b + d])).sum() + xlogx(np.linalg.eigvalsh(rho)).sum()
    assert float(discords(rho)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("seed", range(100))
def test_pure_pairs(seed):
    """Schmidt weights cos^2, sin^2: everything is a function of the angle; product states have nothing."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi / 4)
    turn = np.kron(unitary_group.rvs(2, random_state=rng), unitary_group.rvs(2, random_state=rng))
    psi = turn @ np.array([np.cos(angle), 0, 0, np.sin(angle)])
    rho, s = np.outer(psi, psi.conj()), np.sin(2 * angle)
    binary = -xlogx(np.array([np.cos(angle) ** 2, np.sin(angle) ** 2])).sum()
    expected = [(mutual_informations(rho), 2 * binary), (discords(rho), binary), (concurrences(rho), s),
                (log_negativities(rho), np.log(1 + s)), (steering_witnesses(rho), np.sqrt(1 + 2 * s * s)),
                (steering_witnesses(rho, 2), np.sqrt(1 + s * s))]
    product = np.kron(*(np.linalg.multi_dot([g, g.conj().T]) / np.linalg.norm(g) ** 2
                        for g in rng.normal(size=(2, 2, 2)) + 1j * rng.normal(size=(2, 2, 2))))
    expected += [(f(product), 0.0) for f in (mutual_informations, discords, concurrences, log_negativities)]
    for found, value in expected:
        assert float(found) == pytest.approx(value, abs=1e-10)
    assert float(steering_witnesses(product, np.inf)) <= 1


def test_many_body_states_that_are_known():
    """GHZ: classical pairs; W: concurrence 2 / N; a chain of singlets."""
    n, sites = 6, [mb.Spin()] * 6
    ghz, w = np.zeros(2**n), np.zeros(2**n)
    ghz[[0, -1]] = w[2 ** np.arange(n)] = 1
    ghz, w = (mb.MPS.from_dense(sites, v / np.linalg.norm(v)) for v in (ghz, w))
    for state in (ghz, mb.Density.from_pure(ghz)):
        assert concurrence(state, 1, 4) == pytest.approx(0, abs=1e-12)
        assert discord(state, 1, 4) == pytest.approx(0, abs=1e-10)
        assert log_negativity(state, 1, [4, 0]) == pytest.approx(0, abs=1e-10)
        assert log_negativity(state, [1], [0, 2, 3, 4, 5]) == pytest.approx(np.log(2), abs=1e-8)
        assert steering(state, 0, 5) == pytest.approx(1, abs=1e-10)
    for state in (w, mb.Density.from_pure(w)):
        assert concurrence(state, 2, 0) == pytest.approx(2 / n, abs=1e-10)
        low = (n - 2) / n
        expected = np.log(1 - low + np.sqrt(low**2 + 4 / n**2))
        assert log_negativity(state, 0, 3) == pytest.approx(expected, abs=1e-10)
    singlets = mb.MPS.from_dense(sites, np.kron(np.kron(*[[0, 1, -1, 0]] * 2), [0, 1, -1, 0]) / 8**0.5)
    assert [round(concurrence(singlets, 0, j), 10) for j in range(1, 6)] == [1, 0, 0, 0, 0]
    assert log_negativity(singlets, [0, 2], [1, 3, 4, 5]) == pytest.approx(2 * np.log(2), abs=1e-10)
    assert steering(singlets, 2, 3, np.inf) == pytest.approx(2, abs=1e-10)


# -- pairs of a chain -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(100))
def test_pair_densities_against_dense(seed):
    """Unlike sites, any order, states of any norm and in any form."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    sites = [[mb.Spin(), mb.Spin(1), mb.Boson(3)][rng.integers(3)] for _ in range(n)]
    dims = [s.d for s in sites]
    size = int(np.prod(dims))
    if seed % 2:
        rho = random_density(rng, (size, 1), rank=3)
        state = mb.Density.from_dense(sites, 0.7 * rho)
    else:
        psi = rng.normal(size=size) + 1j * rng.normal(size=size)
        state, rho = mb.MPS.from_dense(sites, psi), np.outer(psi, psi.conj()) / np.linalg.norm(psi) ** 2
        state = state.canonical(int(rng.integers(n))) if seed % 4 else mb.MPS(state.sites, state.tensors)
    every = [(i, j) for i in range(n) for j in range(n) if i != j]
    pairs = [every[k] for k in rng.permutation(len(every))[:8]]
    for (i, j), found in zip(pairs, pair_densities(state, pairs), strict=True):
        rest = [k for k in range(n) if k not in (i, j)]
        order = [i, j, *rest]
        legs = rho.reshape(dims * 2).transpose(order + [n + k for k in order])
        d = dims[i] * dims[j]
        expected = np.einsum("arbr->ab", legs.reshape(d, size // d, d, size // d))
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_all_pairs_of_a_long_chain_are_one_pass():
    """A hundred sites: the same matrices as one by one."""
    rng = np.random.default_rng(3)
    bonds = [1, *[6] * 99, 1]
    chain = mb.MPS((mb.Spin(),) * 100, [rng.normal(size=(a, 2, b)) + 1j * rng.normal(size=(a, 2, b))
                                        for a, b in itertools.pairwise(bonds)]).canonical(50)
    pairs = [(i, j) for i in range(100) for j in range(i + 1, 100)]
    found = pair_densities(chain, pairs)
    for k in rng.integers(len(pairs), size=10):
        np.testing.assert_allclose(found[k], chain.reduced(pairs[k]), atol=1e-12)


@pytest.mark.parametrize(("attempt", "told"), [
    (lambda s: concurrence(s, 1, 1), "`j` must be another site than `i`"),
    (lambda s: discord(s, 0, 7), "`j` must be another site than `i`"),
    (lambda s: concurrence(s, 0, 2), "`j` must be a two-level site, but site 2 has 3 levels"),
    (lambda s: discord(s, 0, 2), "`j` must be a two-level site"),
    (lambda s: steering(s, 2, 0), "`i` must be a two-level site"),
    (lambda s: steering(s, 0, 1, 4), "`settings` must be 2, 3 or infinity"),
    (lambda s: log_negativity(s, [0, 1], [1]), "`b` must have no site in common"),
    (lambda s: pair_densities(s, [(0, 1, 2)]), "`pairs` must be a list of pairs"),
    (lambda _: discords(np.eye(6) / 6, (2, 3)), "`dims` must end in a qubit"),
    (lambda _: concurrences(np.eye(4)), "must be Hermitian and have trace one"),
    (lambda _: concurrences(np.eye(3) / 3), "`rhos` must be density matrices of 2 x 2"),
    (lambda _: log_negativity(mb.Density.product([mb.Spin()] * 12, "up"), 0, range(1, 12)), "at most 1024 dimensions"),
])
def test_bad_input(attempt, told):
    state = mb.MPS.product([mb.Spin(), mb.Spin(), mb.Spin(1)], "up")
    with pytest.raises(mb.InputError) as caught:
        attempt(state)
    assert told in str(caught.value)
