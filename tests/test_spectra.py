"""Two-time correlators, spectra and detailed balance, against Lehmann sums and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.linalg
import solved
import solved_open
from scipy.special import wofz

import mps_battery as mb
from mps_battery.measure.fluctuations.spectra import correlator, effective_temperature, spectrum
from mps_battery.models import open_chain

RNG = np.random.default_rng
X, Y, Z = solved.X, solved.Y, solved.Z


def random_chain(n, rng, strength=0.5):
    sites = (mb.Spin(),) * n
    h = mb.Terms(sites)
    for k in range(n - 1):
        for a in "XYZ":
            for b in "XYZ":
                h += strength * rng.normal(), (a, k), (b, k + 1)
    for k in range(n):
        for a in "XYZ":
            h += strength * rng.normal(), (a, k)
    return h


def operators(sites):
    """A Hermitian local one, a sum of a few, and one that is not Hermitian."""
    local, wave, raising = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    local += 1.0, ("X", 1)
    for k in range(len(sites)):
        wave += np.exp(0.7j * k), ("Z", k)
    raising += 0.8, ("Sp", 0), ("Z", 1)
    raising += 0.3j, ("Y", 0)
    return {"local": local, "wave": wave, "raising": raising}


def gibbs(h, beta):
    rho = scipy.linalg.expm(-beta * h)
    return rho / np.trace(rho)


def in_time(h, a, rho, t):
    """tr(A+(t) A rho) by matrix exponentials."""
    u = scipy.linalg.expm(-1j * t * h)
    return np.trace(u.conj().T @ a.conj().T @ u @ a @ rho)


def lehmann(h, a, rho, w, width):
    """2 pi sum_mn p_m |<n|A|m>|^2 g(w - (E_n - E_m)), g the normal density of a width; rho commutes with h."""
    e, v = np.linalg.eigh(h)
    p, a = np.diag(v.conj().T @ rho @ v).real, np.abs(v.conj().T @ a @ v) ** 2
    lines = e[:, None] - e[None, :]                                     # E_n - E_m, <n|A|m>
    g = np.exp(-0.5 * ((w[:, None, None] - lines) / width) ** 2) / (np.sqrt(2 * np.pi) * width)
    return 2 * np.pi * np.einsum("nm,m,wnm->w", a, p, g)


# -- correlators ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", [None, mb.Exact(), mb.TDVP()], ids=["none", "Exact", "TDVP"])
@pytest.mark.parametrize("name", ["local", "wave", "raising"])
@pytest.mark.parametrize("pure", [True, False])
def test_correlators_of_any_state_against_dense(name, method, pure):
    """States that move, under a random Hamiltonian."""
    rng = RNG([1, pure])
    h, times = random_chain(3, rng, 0.3), np.array([0.0, 0.4, 1.3])
    a = operators(h.sites)[name]
    if pure:
        psi = rng.normal(size=8) + 1j * rng.normal(size=8)
        state, rho = mb.MPS.from_dense(h.sites, psi), np.outer(psi, psi.conj()) / np.linalg.norm(psi) ** 2
    else:
        m = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
        rho = m @ m.conj().T / np.linalg.norm(m) ** 2
        state = mb.Density.from_dense(h.sites, 3.0 * rho)
    found = correlator(state, h, a, times, method=method)
    expected = np.array([in_time(h.to_dense(), a.to_dense(), rho, t) for t in times])
    assert np.abs(found.values - expected).max() < (1e-6 if isinstance(method, mb.TDVP) else 1e-10)
    assert np.all(np.abs(found.values - expected) <= found.bars + 1e-11)
    assert found.mean == pytest.approx(np.trace(a.to_dense() @ rho), abs=1e-10)


@pytest.mark.parametrize("method", [mb.TEBD(), mb.TEBD(moving_centre=True)], ids=["Hastings", "centre"])
def test_correlator_of_a_long_pure_chain(method):
    """Ising chain of twelve sites from its ground state, against the dense vector."""
    n, times = 12, np.array([0.5, 1.5])
    h, a = ising(n), mb.Terms((mb.Spin(),) * n)
    a += 1.0, ("X", 5)
    ground = mb.ground_state(h)
    found = correlator(ground.state, h, a, times, method=method)
    e, v = scipy.sparse.linalg.eigsh(h.to_sparse(), k=1, which="SA")
    chi = a.to_sparse() @ v[:, 0]
    expected = [np.exp(1j * e[0] * t) * np.vdot(chi, scipy.sparse.linalg.expm_multiply(-1j * t * h.to_sparse(), chi))
                for t in times]
    assert found.values == pytest.approx(expected, abs=1e-5)
    assert np.all(np.abs(found.values - expected) <= found.bars)


def test_quantum_regression_against_dense():
    """tr(A+ exp(L t) [A rho]) of an open chain in its steady state."""
    battery = open_chain.two_bath_chain(cells=3, beta_left=0.5)
    state, a = mb.steady_state(battery).state, operators(battery.sites)["raising"]
    liouvillian = solved_open.lindblad_matrix(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps])
    times, m = np.array([0.0, 0.3, 2.0]), a.to_dense()
    rho = scipy.linalg.null_space(liouvillian, rcond=1e-10)[:, 0].reshape(8, 8)
    kicked = (m @ rho / np.trace(rho)).ravel()
    expected = [np.trace(m.conj().T @ (scipy.linalg.expm(t * liouvillian) @ kicked).reshape(8, 8)) for t in times]
    assert correlator(state, battery, a, times).values == pytest.approx(expected, abs=1e-9)
    found = correlator(state, battery, a, times, method=mb.TEBD())
    assert found.values == pytest.approx(expected, abs=1e-5)
    assert np.all(np.abs(found.values - expected) <= found.bars)


# -- spectra -------------------------------------------------------------------------------------------------------
def ising(n, field=0.6):
    h = mb.Terms((mb.Spin(),) * n)
    for k in range(n - 1):
        h += -0.5, ("X", k), ("X", k + 1)
    for k in range(n):
        h += -field, ("Z", k)
    return h


@pytest.mark.parametrize("name", ["local", "wave", "raising"])
def test_spectrum_of_a_gibbs_state_against_lehmann(name):
    h = random_chain(3, RNG(2), 0.4)
    a, w = operators(h.sites)[name], np.array([-2.3, -0.4, 0.0, 0.9, 3.0])
    dense, rho = a.to_dense(), gibbs(h.to_dense(), 0.8)
    state = mb.thermal_state(h, 0.8).state
    found = spectrum(state, h, a, 0.3, highest=3.0, connected=False)
    values, bars = found.at(w)
    expected = lehmann(h.to_dense(), dense, rho, w, 0.3)
    assert values == pytest.approx(expected, abs=1e-9)
    assert np.all(np.abs(values - expected) <= bars + 1e-10)
    mean = abs(np.trace(dense @ rho)) ** 2
    line = mean * np.sqrt(2 * np.pi) / 0.3 * np.exp(-0.5 * (w / 0.3) ** 2)
    assert spectrum(state, h, a, 0.3, highest=3.0).at(w)[0] == pytest.approx(expected - line, abs=1e-9)
    assert mean > 1e-3


def test_sum_rule_of_a_ground_state():
    """int S dw / 2 pi = <A+ A> - |<A>|^2, all of it at w > 0; what is emitted has no temperature."""
    h, a = ising(6), mb.Terms((mb.Spin(),) * 6)
    a += 1.0, ("Z", 2)
    ground = mb.ground_state(h).state
    found = spectrum(ground, h, a, 0.15, highest=12.0)
    w = np.linspace(-12, 12, 961)
    values = found.at(w)[0]
    z = ground.expect(a).real
    assert values.sum() * (w[1] - w[0]) / (2 * np.pi) == pytest.approx(1 - z**2, abs=1e-8)
    assert np.abs(values[w < -0.1]).max() < 1e-6 < values.max()
    temperature, bars = effective_temperature(found, [2.0])
    assert np.isnan(temperature[0])
    assert np.isinf(bars[0])


# -- detailed balance ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("width", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_detailed_balance_of_a_gibbs_state_at_every_resolution(beta, width):
    h = random_chain(4, RNG(3), 0.4)
    a, w = operators(h.sites)["local"], np.array([0.3, 1.0, 2.0])
    found = spectrum(mb.thermal_state(h, beta).state, h, a, width, highest=4.0)
    ratio, bars = found.balance(w, beta)
    assert ratio == pytest.approx(np.exp(-beta * w), rel=1e-6)
    assert np.all(np.abs(ratio - np.exp(-beta * w)) <= bars + 1e-10)
    temperature, bars = effective_temperature(found, w)
    assert temperature == pytest.approx(1 / beta, rel=1e-6)
    assert np.all(np.abs(temperature - 1 / beta) <= bars + 1e-9)
    plain = found.at(-w)[0] / found.at(w)[0]
    assert np.abs(plain * np.exp(beta * w) - 1).max() > 1e-2


def test_temperature_is_not_read_from_what_may_be_noise():
    h = random_chain(3, RNG(4), 0.4)
    a, w = operators(h.sites)["local"], [1.0]
    found = spectrum(mb.thermal_state(h, 1.5).state, h, a, 0.4, highest=4.0)
    least, total = float(found.at([-1.0])[0][0]), 2 * float(found.weights.sum())
    for bar, told in ((0.5 * least / total, True), (2 * least / total, False)):
        blurred = replace(found, correlation=replace(found.correlation, bars=np.full(len(found.weights), bar)))
        temperature, bars = effective_temperature(blurred, w)
        assert np.isfinite(temperature[0]) == np.isfinite(bars[0]) == told


def test_detailed_balance_by_truncated_evolution():
    """The engine of long chains, an Ising chain of nine sites: the ratio to 1e-5, the values against free fermions."""
    n, beta, w = 9, 1.0, np.array([0.5, 1.0, 2.0])
    h, a = ising(n), mb.Terms((mb.Spin(),) * n)
    a += 1.0, ("Z", 4)
    state = mb.thermal_state(h, beta, bars=False).state
    found = spectrum(state, h, a, 1.2, highest=3.0, method=mb.TEBD(), bars=False)
    ratio, _ = found.balance(w, beta)
    assert ratio == pytest.approx(np.exp(-beta * w), rel=1e-5)
    assert found.correlation.values == pytest.approx(
        np.array([ising_correlator(n, 0.5, 0.6, beta, 4, t) for t in found.correlation.times]), abs=1e-5)


def ising_correlator(n, coupling, field, beta, site, t):
    """Connected <Z(t) Z> of H = -J sum XX - h sum Z in a Gibbs state, by Wick: Z = -i a b with Majoranas a, b.

    H = i sum B_mn a_m b_n = (i/4) w^T A w with A = 2 [[0, B], [-B^T, 0]]; <w_i(t) w_j> = [exp(-i k t) 2 f(-k)]_ij with
    the Hermitian k = i A, since [H, w] = -k w, and f(-k) = 1 / (1 + exp(-beta k)).
    """
    b = field * np.eye(n) - coupling * np.eye(n, k=-1)
    k = 1j * np.block([[np.zeros((n, n)), 2 * b], [-2 * b.T, np.zeros((n, n))]])
    e, v = np.linalg.eigh(k)
    pair = (v * (2 * np.exp(-1j * e * t) / (1 + np.exp(-beta * e)))) @ v.conj().T
    p, q = site, n + site
    # <Z(t) Z> - <Z>^2 = -(<a(t) b(t) a b> - ..) = <a(t) a> <b(t) b> - <a(t) b> <b(t) a>
    return pair[p, p] * pair[q, q] - pair[p, q] * pair[q, p]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "interacting", "bond"), [(20, False, 64), (8, True, 100)])
def test_detailed_balance_of_longer_chains(n, interacting, bond):
    beta, w = 1.0, np.array([0.5, 1.0, 1.5, 2.0])
    h, a = ising(n), mb.Terms((mb.Spin(),) * n)
    for k in range(n - 1 if interacting else 0):
        h += 0.3, ("Z", k), ("Z", k + 1)
    a += 1.0, ("Z", n // 2)
    state = mb.thermal_state(h, beta, bars=False).state
    found = spectrum(state, h, a, 0.5, highest=3.0, method=mb.TEBD(), truncation=mb.Truncation(bond, 1e-14))
    ratio, bars = found.balance(w, beta)
    assert ratio == pytest.approx(np.exp(-beta * w), rel=1e-5)
    assert np.all(np.abs(ratio - np.exp(-beta * w)) <= bars)
    temperature, bars = effective_temperature(found, w)
    assert np.all(np.abs(temperature - 1 / beta) <= bars)


def thermal_qubit(splitting, beta, rate):
    sites = (mb.Spin(),)
    h, lower, a = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    h += splitting / 2, ("Z", 0)
    lower += 1.0, ("Sm", 0)
    a += 1.0, ("X", 0)
    return mb.Battery(sites, [0], h, h, mb.thermal_jumps(lower, splitting, beta, rate)), a


def qubit_lines(splitting, beta, rate, width, w):
    """S_sigma of X: Voigt lines of half width g / 2, g = rate coth(beta W / 2), p_down at W and p_up at -W."""
    g, up = rate / np.tanh(beta * splitting / 2), 1 / (1 + np.exp(beta * splitting))

    def voigt(x):
        return np.sqrt(2 * np.pi) / width * wofz((x + 0.5j * g) / (np.sqrt(2) * width)).real

    return (1 - up) * voigt(w - splitting) + up * voigt(w + splitting)


@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_effective_temperature_of_a_damped_qubit(rate):
    """Weak coupling: the temperature of the bath. Strong coupling: broad lines, and a temperature that runs with w."""
    splitting, beta, width, w = 1.5, 1.2, 0.2, np.array([0.6, 1.5, 2.2])
    battery, a = thermal_qubit(splitting, beta, rate)
    state = mb.steady_state(battery).state
    found = spectrum(state, battery, a, width, highest=4.0)
    assert found.at(w)[0] == pytest.approx(qubit_lines(splitting, beta, rate, width, w), abs=1e-8)
    values, bars = found.beta(w)
    d = 0.5 * values * width**2
    balance = qubit_lines(splitting, beta, rate, width, -w - d) / qubit_lines(splitting, beta, rate, width, w - d)
    assert -np.log(balance) / w == pytest.approx(values, abs=1e-7)
    assert np.all(bars < 1e-6)
    assert effective_temperature(found, w)[0] == pytest.approx(1 / values)
    assert (abs(values[1] - beta) < 2e-3) == (rate < 0.1)


def test_davies_jumps_at_weak_coupling_obey_detailed_balance():
    """Two interacting qubits in the Gibbs state that their global bath fixes, as an open chain: the ratio to 1e-5."""
    sites = (mb.Spin(),) * 2
    h, coupling, a = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    for n, field in enumerate((0.7, 0.4)):
        h += field, ("Z", n)
        coupling += 1.0 + n, ("X", n)
    h += 0.3, ("X", 0), ("X", 1)
    a += 1.0, ("X", 0)
    beta, w = 0.9, np.array([0.8, 1.3, 2.0])
    battery = mb.Battery(sites, range(2), h, h, mb.davies_jumps(h, coupling, beta, spectrum=lambda x: 1e-7 * x))
    state = mb.steady_state(battery).state
    assert np.abs(state.to_dense() - gibbs(h.to_dense(), beta)).max() < 1e-9
    ratio, _ = spectrum(state, battery, a, 0.3, highest=3.0).balance(w, beta)
    assert ratio == pytest.approx(np.exp(-beta * w), rel=1e-5)


# -- bad input -----------------------------------------------------------------------------------------------------
def test_bad_spectra():
    h = random_chain(3, RNG(5), 0.3)
    a, state = operators(h.sites)["local"], mb.thermal_state(h, 1.0).state
    battery = open_chain.two_bath_chain(cells=3)
    moving = mb.Battery(h.sites, range(3), h, mb.Schedule([(h, np.cos)]))
    calls = [
        (lambda: spectrum(mb.MPS.product(h.sites, "up"), h, a, 0.3), "`state` must not move under `dynamics`"),
        (lambda: spectrum(state, h, a, 0.0), "`width` must be a positive number"),
        (lambda: spectrum(state, h, a, 0.3, highest=1.0).at([2.0]), "`frequencies` must lie between +-1"),
        (lambda: spectrum(state, h, a, 0.3).beta([0.0]), "`frequencies` must be a list of numbers other than 0"),
        (lambda: correlator(mb.MPS.product(h.sites, "up"), battery, a, [0]), "`state` must be a Density for a battery"),
        (lambda: correlator(state, moving, a, [0]), "`dynamics` must be constant in time"),
        (lambda: correlator(state, h, a, [1, 0]), "`times` must increase from 0"),
        (lambda: correlator(state, h, mb.Terms(h.sites[:2]), [0]), "`operator` must live on the sites of the state"),
        (lambda: correlator(state, a * 1j, a, [0]), "`dynamics` must be Hermitian"),
    ]
    for call, told in calls:
        with pytest.raises(mb.InputError) as caught:
            call()
        assert told in str(caught.value)
