"""Gibbs states, thermal baths and noise channels against dense references."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import solved
import solved_open

import mps_battery as mb
from mps_battery import channels
from mps_battery.baths import terms_of

RNG = np.random.default_rng


def random_chain(n, seed, reach=1):
    sites, rng = [mb.Spin()] * n, RNG(seed)
    h = mb.Terms(sites)
    for k in range(n):
        h += 0.6, ("X", k)
        h += rng.normal(), ("Z", k)
        for r in range(1, reach + 1):
            if k + r < n:
                for a in "XYZ":
                    h += rng.normal() / r, (a, k), (a, k + r)
    return h


def gibbs(h, beta):
    """(rho, energy, ln Z, entropy) by diagonalisation."""
    e, v = np.linalg.eigh(h.to_dense())
    low = (beta * e).min()
    w = np.exp(-(beta * e - low))
    log_z = np.log(w.sum()) - low
    w /= w.sum()
    return (v * w) @ v.conj().T, w @ e, log_z, beta * (w @ e) + log_z


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0, -0.8])
def test_gibbs_state_against_dense(beta):
    """N = 8: energy per unit of its scale, ln Z and marginals to 1e-7, inside the bars."""
    h = random_chain(8, 1)
    found = mb.thermal_state(h, beta, method=None if beta != 1.0 else mb.TEBD(dt=0.02))
    rho, energy, log_z, entropy = gibbs(h, beta)
    for name, value in (("energy", energy), ("log_z", log_z), ("entropy", entropy)):
        error = abs(getattr(found, name) - value)
        assert error < 1e-7 * max(1.0, abs(value), abs(beta * energy)), name
        assert error <= found.bars[name] + 1e-12, name
    assert found.free_energy == pytest.approx(-log_z / beta, abs=1e-6)
    for k in range(7):
        exact = solved.partial_trace(rho, [k, k + 1], 8)
        assert np.abs(found.state.reduced([k, k + 1]) - exact).max() < 1e-7
    assert abs(found.state.trace - 1) < 1e-12


@pytest.mark.parametrize(("beta", "method"), [(0.5, None), (5.0, None), (-0.8, mb.TEBD(dt=0.02)), (1.0, mb.Exact())])
def test_purified_gibbs_state_against_dense(beta, method):
    """The square of exp(-beta H / 2): energy, ln Z and marginals to 1e-7, inside the bars, and positive."""
    h = random_chain(5, 5)
    found = mb.thermal_state(h, beta, method=method, purified=True)
    rho, energy, log_z, entropy = gibbs(h, beta)
    for name, value in (("energy", energy), ("log_z", log_z), ("entropy", entropy)):
        error = abs(getattr(found, name) - value)
        assert error < 1e-7 * max(1.0, abs(value), abs(beta * energy)), name
        assert error <= found.bars.get(name, np.inf) + 1e-12, name
    assert np.abs(found.state.to_dense() - rho).max() < 1e-8
    assert found.state.least_marginal(3) > -1e-12
    assert "purified" in found.outcome
    if beta == 1.0:
        again = mb.thermal_state(h, energy=energy, bars=False, purified=True, method=method)
        assert again.beta == pytest.approx(beta, abs=1e-6)


def test_squares_are_cut_as_asked():
    rho = gibbs(random_chain(5, 4), 0.7)[0]
    half = mb.Density.from_dense([mb.Spin()] * 5, rho)
    square = rho @ rho / np.trace(rho @ rho)
    assert np.abs(half.squared(mb.Truncation(1024, 1e-26)).to_dense() - square).max() < 1e-12
    cut = half.squared(mb.Truncation(6, 1e-20))
    assert max(cut.bonds) == 6
    assert 1e-8 < np.abs(cut.to_dense() - square).max() < 1e-2
    assert cut.trace == pytest.approx(1, abs=1e-13)


def test_long_range_and_small_systems():
    h = random_chain(5, 2, reach=4)
    for method in (mb.TDVP(dt=0.05), mb.Exact(), None):
        found = mb.thermal_state(h, 0.7, method=method, bars=False)
        rho, energy, log_z, _ = gibbs(h, 0.7)
        assert found.energy == pytest.approx(energy, abs=1e-6)
        assert found.log_z == pytest.approx(log_z, abs=1e-6)
        assert np.abs(found.state.to_dense() - rho).max() < 1e-7


def test_beta_from_energy_and_from_entropy():
    h = random_chain(6, 3)
    for beta in (0.4, -0.6):
        _, energy, _, entropy = gibbs(h, beta)
        assert mb.thermal_state(h, energy=energy, bars=False).beta == pytest.approx(beta, abs=1e-6)
        if beta > 0:
            assert mb.thermal_state(h, entropy=entropy, bars=False).beta == pytest.approx(beta, abs=1e-6)


def test_long_ising_chain_against_the_infinite_one():
    """Energy per bulk site of -sum XX - sum Z at beta = 1, N = 100: 1e-4 of the free-fermion integral."""
    n, beta, g = 100, 1.0, 1.0
    sites = [mb.Spin()] * n
    h, bulk = mb.Terms(sites), mb.Terms(sites)
    for k in range(n):
        h += -g, ("Z", k)
        if k < n - 1:
            h += -1.0, ("X", k), ("X", k + 1)
    bulk += -0.5, ("X", n // 2 - 1), ("X", n // 2)
    bulk += -0.5, ("X", n // 2), ("X", n // 2 + 1)
    bulk += -g, ("Z", n // 2)
    found = mb.thermal_state(h, beta, truncation=mb.Truncation(64, 1e-10), bars=False)

    def density(k):
        e = 2 * np.sqrt(1 + g * g - 2 * g * np.cos(k))
        return -e / 2 * np.tanh(beta * e / 2) / np.pi

    infinite = scipy.integrate.quad(density, 0, np.pi)[0]
    assert found.state.expect(bulk).real == pytest.approx(infinite, abs=1e-4)


def test_bars_follow_the_error_and_caps_are_told():
    h = random_chain(6, 1)
    _, energy, log_z, entropy = gibbs(h, 1.0)
    for truncation, at_most in ((mb.Truncation(4), 1.0), (mb.Truncation(64, 1e-8), 0.1), (None, 1e-5)):
        found = mb.thermal_state(h, 1.0, truncation=truncation)
        assert ("bond cap bound" in found.outcome) == (at_most == 1.0)
        for name, value in (("energy", energy), ("log_z", log_z), ("entropy", entropy)):
            assert abs(getattr(found, name) - value) <= found.bars[name] < at_most, name


def test_bars_cover_rounding_where_nothing_is_truncated():
    """Spins that do not interact: ln Z = N ln(2 cosh beta)."""
    h = mb.Terms([mb.Spin()] * 20)
    for k in range(20):
        h += 1.0, ("Z", k)
    found = mb.thermal_state(h, 0.7)
    assert abs(found.log_z - 20 * np.log(2 * np.cosh(0.7))) < found.bars["log_z"] < 1e-6
    assert abs(found.energy + 20 * np.tanh(0.7)) < found.bars["energy"] < 1e-6


# -- baths ---------------------------------------------------------------------------------------------------------
def test_davies_generator_leaves_gibbs_fixed():
    h = random_chain(2, 4)
    coupling = mb.Terms(h.sites)
    coupling += 1.0, ("X", 0)
    coupling += 0.3, ("Y", 1)
    beta = 0.8
    jumps = mb.davies_jumps(h, coupling, beta)
    rho = gibbs(h, beta)[0]
    l = solved_open.lindblad_matrix(h.to_dense(), [j.terms.to_dense() for j in jumps])
    assert np.abs(l @ rho.ravel()).max() < 1e-10
    steady = mb.steady_state(mb.Battery(h.sites, range(2), h, h, jumps))
    assert np.abs(steady.state.to_dense() - rho).max() < 1e-8
    assert steady.certificate.multiplicity == 1


def test_local_thermal_jumps_obey_detailed_balance():
    sites = [mb.Spin()]
    h, lower = mb.Terms(sites), mb.Terms(sites)
    h += 0.75, ("Z", 0)
    lower += 1.0, ("Sm", 0)
    for statistics in ("bose", "fermi"):
        jumps = mb.thermal_jumps(lower, 1.5, 0.9, statistics=statistics)
        down, up = (np.linalg.norm(j.terms.to_dense()) ** 2 for j in jumps)
        assert up / down == pytest.approx(np.exp(-0.9 * 1.5))
        steady = mb.steady_state(mb.Battery(sites, [0], h, h, jumps))
        assert np.abs(steady.state.to_dense() - gibbs(h, 0.9)[0]).max() < 1e-12
    assert len(mb.thermal_jumps(lower, 1.0, np.inf)) == 1


def test_terms_of_a_matrix():
    sites, rng = [mb.Spin(), mb.Levels("gef")], RNG(5)
    matrix = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    assert np.abs(terms_of(mb.Terms(sites), matrix).to_dense() - matrix).max() < 1e-13


# -- channels ------------------------------------------------------------------------------------------------------
CHANNELS = {
    "pauli": (channels.pauli(0.1, 0.2, 0.05), [1]),
    "depolarising": (channels.depolarising(0.3), [0]),
    "damping": (channels.amplitude_damping(0.4, 0.2), [2]),
    "correlated": (channels.correlated_pauli([0.7, 0.1, 0.15, 0.05], 0.6), [1, 2]),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_against_dense(name):
    kraus, where = CHANNELS[name]
    sites, rng = [mb.Spin()] * 3, RNG(6)
    psi = mb.MPS.from_dense(sites, rng.normal(size=8) + 1j * rng.normal(size=8))
    rho = mb.Density.from_pure(psi)
    found = mb.apply_channel(rho, kraus, where)
    before, after = 2 ** where[0], 2 ** (2 - where[-1])
    whole = [np.kron(np.kron(np.eye(before), k), np.eye(after)) for k in kraus]
    expected = sum(k @ rho.to_dense() @ k.conj().T for k in whole)
    assert np.abs(found.to_dense() - expected).max() < 1e-12
    assert np.abs(mb.apply_channel(psi, kraus, where).to_dense() - expected).max() < 1e-12


def test_channel_between_two_pieces_of_evolution():
    h = random_chain(3, 7)
    first = mb.charge(mb.Battery(h.sites, range(3), h, h, empty="down"), [0, 0.5], bars=False)
    noisy = mb.apply_channel(first.state, channels.depolarising(0.2), [1])
    second = mb.charge(mb.Battery(h.sites, range(3), h, h, empty=noisy), [0.5, 1.0], bars=False)
    u = scipy.linalg.expm(-0.5j * h.to_dense())
    rho = np.zeros((8, 8), dtype=complex)
    rho[7, 7] = 1.0
    rho = u @ rho @ u.conj().T
    whole = [np.kron(np.kron(np.eye(2), k), np.eye(2)) for k in channels.depolarising(0.2)]
    rho = sum(k @ rho @ k.conj().T for k in whole)
    assert np.abs(second.state.to_dense() - u @ rho @ u.conj().T).max() < 1e-10


def bad_inputs():
    h = random_chain(3, 8)
    long = random_chain(8, 8)
    mixed = mb.Density.product(h.sites, "mixed")
    return [
        (lambda: mb.thermal_state(h), "`beta` must be given"),
        (lambda: mb.thermal_state(h, 1.0, energy=2.0), "`beta` must be given, or one of"),
        (lambda: mb.thermal_state(h, float("nan")), "`beta` must be a finite number"),
        (lambda: mb.thermal_state(h, entropy=9.0), "`entropy` must lie between 0 and"),
        (lambda: mb.thermal_state(h, energy=-1e3), "`energy` must be reachable"),
        (lambda: mb.davies_jumps(long, long, 1.0), "at most 16 dimensions"),
        (lambda: mb.davies_jumps(h, h, -1.0), "`beta` must be a positive number"),
        (lambda: mb.thermal_jumps(h, -1.0, 1.0), "`frequency` must be a positive number"),
        (lambda: mb.thermal_jumps(h, 1.0, 1.0, statistics="anyon"), "`statistics` must be bose or fermi"),
        (lambda: channels.pauli(0.6, 0.6), "add up to at most 1"),
        (lambda: channels.depolarising(1.5), "`p` must be a probability"),
        (lambda: channels.correlated_pauli([1, 1, 0, 0], 0.1), "four probabilities"),
        (lambda: mb.apply_channel(mixed, [np.eye(2) * 2], [0]), "conserve the trace"),
        (lambda: mb.apply_channel(mixed, channels.depolarising(0.1), [0, 2]), "one site or two neighbours"),
        (lambda: mb.apply_channel(mixed, channels.depolarising(0.1), [0, 1]), "be 4 x 4 matrices"),
    ]


@pytest.mark.parametrize("case", range(15))
def test_bad_input(case):
    attempt, told = bad_inputs()[case]
    with pytest.raises(mb.InputError) as caught:
        attempt()
    assert told in str(caught.value)


def test_default_step_of_imaginary_time():
    chain = mb.Terms([mb.Spin()] * 8)
    for n in range(8):
        chain += -0.9, ("X", n)
        chain += 0.3, ("Z", n)
        if n:
            chain += -1.0, ("Z", n - 1), ("Z", n)
    levels = np.linalg.eigvalsh(chain.to_sparse().toarray())
    weights = np.exp(-levels)
    error = abs(mb.thermal_state(chain, 1.0, method=mb.TEBD()).energy - weights @ levels / weights.sum())
    assert error < 3e-8
