"""Fluctuations between two times and of the work that is drawn, against dense references."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import solved

import mps_battery as mb
from mps_battery.measure.fluctuations.energy import Sigma2, Xi2
from mps_battery.measure.fluctuations.ergotropy import (
    LocalErgotropyVariance,
    ergotropy_variance,
    local_ergotropy_variance,
    random_extraction_variance,
)
from mps_battery.models import spin_chain

RNG = np.random.default_rng
TIGHT = mb.Truncation(4096, 1e-18)


def random_terms(n, seed, reach=1):
    """Random fields and couplings along all axes."""
    rng = RNG(seed)
    h = mb.Terms([mb.Spin()] * n)
    for k in range(n):
        for a in "XYZ":
            h += rng.normal(), (a, k)
            for r in range(1, min(reach, n - 1 - k) + 1):
                h += rng.normal() / r, (a, k), ("XYZ"[rng.integers(3)], k + r)
    return h


def random_vector(n, seed):
    rng = RNG(seed)
    v = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    return v / np.linalg.norm(v)


def random_density(n, seed, rank=3):
    rng = RNG(seed)
    a = rng.normal(size=(2**n, rank)) + 1j * rng.normal(size=(2**n, rank))
    return a @ a.conj().T / np.linalg.norm(a) ** 2


def two_time(h, evolved, rho):
    """(Xi^2, Sigma^2) from operators in the Heisenberg picture, `evolved` = U+ H U."""
    def mean(a):
        return np.trace(rho @ a).real
    change = evolved - h
    widths = [np.sqrt(max(0.0, mean(a @ a) - mean(a) ** 2)) for a in (evolved, h)]
    return mean(change @ change) - mean(change) ** 2, (widths[0] - widths[1]) ** 2


RECORD = {"xi2": Xi2(), "sigma2": Sigma2()}
STARTS = {"random": random_vector(4, 7), "product": "down", "half mixed": ["mixed", "x+", "mixed", "y-"]}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("method", [mb.TEBD(dt=0.02), mb.TDVP(dt=0.1), mb.Exact()])
def test_xi2_and_sigma2_against_dense(method, start):
    n, empty = 4, STARTS[start]
    h, charging = random_terms(n, 1), random_terms(n, 2)
    if start == "random":
        empty = mb.MPS.from_dense(h.sites, empty)
    battery = mb.Battery(h.sites, range(n), h, charging, empty=empty)
    times = np.array([0.2, 0.5, 0.9])
    run = mb.charge(battery, times, record=RECORD, method=method, truncation=TIGHT)
    first = battery.initial_state()
    rho = first.to_dense() if battery.mixed else np.outer(first.to_dense(), first.to_dense().conj())
    for k, t in enumerate(times):
        u = scipy.linalg.expm(-1j * (t - times[0]) * charging.to_dense())
        exact = two_time(h.to_dense(), u.conj().T @ h.to_dense() @ u, rho)
        for name, value in zip(RECORD, exact, strict=True):
            error = abs(run.data[name].values[k] - value)
            assert error < 1e-7, name
            assert error <= run.bars[name].values[k] + 1e-12, name


def test_xi2_of_eight_cells_and_of_a_long_chain():
    """N = 8 to 1e-7 by both methods of trains; 40 cells from an eigenstate, where C = 0."""
    h, charging = random_terms(8, 3), random_terms(8, 4)
    empty = mb.MPS.product(h.sites, [RNG(k).normal(size=2) + 0j for k in range(8)])
    battery = mb.Battery(h.sites, range(8), h, charging, empty=empty)
    u, v = scipy.linalg.expm(-0.3j * charging.to_dense()), empty.to_dense()
    exact = two_time(h.to_dense(), u.conj().T @ h.to_dense() @ u, np.outer(v, v.conj()))
    for method in (mb.TEBD(dt=0.01), mb.TDVP(dt=0.1)):
        run = mb.charge(battery, [0, 0.3], record=RECORD, method=method, bars=False,
                        truncation=mb.Truncation(64, 1e-18))
        assert np.abs(run.data["xi2"].values[-1] - exact[0]) < 1e-7
        assert np.abs(run.data["sigma2"].values[-1] - exact[1]) < 1e-7
    long = spin_chain.xxz(cells=40)
    run = mb.charge(long, [0, 0.4], record=RECORD | {"v": mb.EnergyVariance()}, bars=False)
    for name in RECORD:
        assert abs(run.data[name].values[-1] - run.data["v"].values[-1]) < 1e-9 * run.data["v"].values[-1]


def test_companions_survive_blocks_over_a_charge_and_jumps():
    """A second state of another norm goes through block-sparse tensors; with jumps the regression theorem gives C."""
    n = 6
    sites = [mb.Spin()] * n
    h, charging = mb.Terms(sites), mb.Terms(sites)
    for k in range(n):
        h += RNG(k).normal(), ("Z", k)
    for k in range(n - 1):
        for a in "XY":
            h += 0.4, (a, k), (a, k + 1)
            charging += 1.0 + 0.1 * k, (a, k), (a, k + 1)
    battery = mb.Battery(sites, range(n), h, charging, empty="neel")
    runs = [mb.charge(battery, [0, 0.5], record=RECORD, method=m, truncation=mb.Truncation(64, 1e-18), bars=False)
            for m in (mb.TEBD(dt=0.02, blocks=1), mb.Exact())]
    assert abs(runs[0].data["xi2"].values[-1] - runs[1].data["xi2"].values[-1]) < 1e-8
    drain = mb.Terms(sites[:2])
    drain += 0.8, ("Sm", 0)
    h, charging = random_terms(2, 5), random_terms(2, 6)
    leaky = mb.Battery(sites[:2], [0, 1], h, charging, [mb.Jump(drain)], empty="x+")
    run = mb.charge(leaky, [0, 0.7], record=RECORD, method=mb.TDVP(dt=0.05), truncation=TIGHT)
    c, l, one = (a.to_dense() for a in (charging, drain, 0.0 * h))
    one = np.eye(4)
    decay = l.conj().T @ l
    generator = (-1j * (np.kron(c, one) - np.kron(one, c.T)) + np.kron(l, l.conj())
                 - (np.kron(decay, one) + np.kron(one, decay.T)) / 2)
    rho, e = leaky.initial_state().to_dense(), h.to_dense()

    def later(a):
        return (scipy.linalg.expm(0.7 * generator) @ a.ravel()).reshape(4, 4)

    def mean(a, state):
        return np.trace(a @ state).real
    now = later(rho)
    variances = [mean(e @ e, s) - mean(e, s) ** 2 for s in (rho, now)]
    cross = mean(e, later(e @ rho + rho @ e)) - 2 * mean(e, rho) * mean(e, now)
    assert abs(run.data["xi2"].values[-1] - sum(variances) + cross) < 1e-7


def test_spread_of_the_magnetisation_under_local_rotations():
    """Donelli et al.: turning every spin alike leaves std(m) = sqrt(1 - m^2) / sqrt(N), m = <sum Z> / N."""
    for n in (10, 100):
        h, drive = mb.Terms([mb.Spin()] * n), mb.Terms([mb.Spin()] * n)
        for k in range(n):
            h += 1.0, ("Z", k)
            drive += 1.0, ("X", k)
        run = mb.charge(mb.Battery(h.sites, range(n), h, drive), [0, 0.3, 0.7], record=RECORD, bars=False)
        m = -np.cos(2 * run.data.time.values)
        for name in RECORD:
            np.testing.assert_allclose(np.sqrt(run.data[name].values[1:]) / n, np.sqrt((1 - m**2) / n)[1:], rtol=1e-7)


# -- work that is drawn --------------------------------------------------------------------------------------------
def operator_of_work(rho, h, u):
    """Variance of H - U+ H U."""
    w = h - u.conj().T @ h @ u
    return np.trace(rho @ w @ w).real - np.trace(rho @ w).real ** 2


@pytest.mark.parametrize("seed", range(20))
def test_ergotropy_variance_against_dense(seed):
    n = 3
    terms, rho = random_terms(n, seed, 2), random_density(n, seed, rank=8)
    h = terms.to_dense()
    _, v = np.linalg.eigh(rho)
    _, b = np.linalg.eigh(h)
    exact = operator_of_work(rho, h, b @ v[:, ::-1].conj().T)
    assert abs(ergotropy_variance(rho, h) - exact) < 1e-10
    assert abs(ergotropy_variance(mb.Density.from_dense(terms.sites, rho), terms) - exact) < 1e-9
    vector = random_vector(n, seed)
    variance = np.linalg.norm(h @ vector) ** 2 - (vector.conj() @ h @ vector).real ** 2
    pure = mb.MPS.from_dense(terms.sites, vector)
    assert abs(ergotropy_variance(pure, terms) - variance) < 1e-9
    assert abs(ergotropy_variance(np.outer(vector, vector.conj()), h) - variance) < 1e-9


def test_of_equal_populations_the_quietest_pairing_is_taken():
    """Populations (1/2, 1/2, 0, 0): no pairing of the two states draws the ergotropy with less variance."""
    rng, h = RNG(3), random_terms(2, 3).to_dense()
    q = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    rho = (q[:, :2] @ q[:, :2].conj().T) / 2
    b = np.linalg.eigh(h)[1]
    found, least, most = ergotropy_variance(rho, h), np.inf, 0.0
    for _ in range(3000):
        turn = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]
        value = operator_of_work(rho, h, b @ np.c_[q[:, :2] @ turn, q[:, 2:]].conj().T)
        least, most = min(least, value), max(most, value)
    assert found <= least + 1e-10
    assert least - found < 1e-2 < most - found


@pytest.mark.parametrize("seed", range(12))
def test_local_ergotropy_variance_against_dense(seed):
    """The unitary of the closed form, found here by a search over SU(2), and the operator of work it makes."""
    n, site = 4, seed % 4
    terms = random_terms(n, seed, 3)
    rho = random_density(n, seed, 1 + seed % 3)
    h = terms.to_dense()

    def unitary(x):
        q = x / np.linalg.norm(x)
        small = q[0] * np.eye(2) - 1j * np.tensordot(q[1:], solved.PAULI, 1)
        return np.kron(np.kron(np.eye(2**site), small), np.eye(2 ** (n - 1 - site)))

    def energy(x):
        u = unitary(x)
        return np.trace(h @ u @ rho @ u.conj().T).real

    rng = RNG(seed)
    best = min((scipy.optimize.minimize(energy, rng.normal(size=4), tol=1e-14) for _ in range(6)), key=lambda o: o.fun)
    exact = operator_of_work(rho, h, unitary(best.x))
    density = mb.Density.from_dense(terms.sites, rho)
    assert local_ergotropy_variance(density, terms, site) == pytest.approx(exact, abs=2e-6)
    if seed % 3 == 0:
        pure = mb.MPS.from_dense(terms.sites, np.linalg.eigh(rho)[1][:, -1])
        assert local_ergotropy_variance(pure, terms, site) == pytest.approx(
            local_ergotropy_variance(density, terms, site), abs=1e-9)


def test_recorded_local_variance_and_passive_cells():
    battery = spin_chain.xxz(cells=30)
    run = mb.charge(battery, [0, 0.5], record={"w": LocalErgotropyVariance()})
    expected = [local_ergotropy_variance(run.state, battery.energy, n) for n in range(30)]
    np.testing.assert_allclose(run.data["w"].values[-1], expected, atol=1e-10)
    np.testing.assert_allclose(run.data["w"].values[0], 0.0, atol=1e-9)       # all down: nothing to draw
    identity = mb.Density.product([mb.Spin()] * 3, "mixed")
    assert local_ergotropy_variance(identity, random_terms(3, 1), 1) == 0     # any unitary would draw 0 with a spread


@pytest.mark.parametrize("seed", range(3))
def test_random_extraction_variance_against_samples(seed):
    """40000 Haar unitaries on two spins: the sample variance within 4 of its standard errors."""
    rng, terms, rho = RNG(seed), random_terms(2, seed), random_density(2, seed, 1 + seed)
    u, r = np.linalg.qr(rng.normal(size=(40000, 4, 4)) + 1j * rng.normal(size=(40000, 4, 4)))
    diagonal = np.einsum("kii->ki", r)
    u = u * (diagonal / np.abs(diagonal))[:, None, :]
    drawn = np.einsum("ij,kjl,lm,kim->k", terms.to_dense(), u, rho, u.conj(), optimize=True).real
    error = np.sqrt(np.var((drawn - drawn.mean()) ** 2) / 40000)
    terms += (2.0,)
    found = random_extraction_variance(mb.Density.from_dense(terms.sites, rho), terms)
    assert abs(found - drawn.var()) < 4 * error
    if seed == 0:
        pure = mb.MPS.from_dense(terms.sites, np.linalg.eigh(rho)[1][:, -1])
        assert random_extraction_variance(pure, terms) == pytest.approx(found, rel=1e-9)
