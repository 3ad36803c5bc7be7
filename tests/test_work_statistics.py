"""Work by measuring the energy twice, and the efficiency of single runs, against dense references."""

import functools

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from test_fluctuations import random_density, random_terms, random_vector

import mps_battery as mb
from mps_battery.measure.fluctuations.distribution import Distribution, two_point_distribution
from mps_battery.measure.fluctuations.efficiency import stochastic_efficiency
from mps_battery.measure.fluctuations.work import work_statistics
from mps_battery.models import cavity, spin_chain

TIGHT = mb.Truncation(256, 1e-16)
MOMENTS = ("mean", "variance", "third", "fourth")


@functools.cache
def case(n, seed, reach=1):
    """(H_B, charging Hamiltonian) as Terms; couplings of moderate strength."""
    return 0.5 * random_terms(n, seed, reach), 0.5 * random_terms(n, seed + 100, reach)


def gibbs(h, beta):
    rho = scipy.linalg.expm(-beta * h)
    return rho / np.trace(rho).real


def reference(h, unitary, rho, u, resolution=None):
    """G(u) = tr[exp(iuH) U exp(-iuH/2) rho_d exp(-iuH/2) U+], rho_d what the first measurement leaves of rho.

    A projective measurement keeps the blocks of equal energy, one of finite resolution s the share
    exp(-(E - E')^2 / 8 s^2) of the others, with noise exp(-s^2 u^2 / 2) in G.
    """
    e, v = np.linalg.eigh(h)
    gaps = np.subtract.outer(e, e)
    kept = np.abs(gaps) < 1e-9 if resolution is None else np.exp(-gaps**2 / (8 * resolution**2))
    rho = v @ (kept * (v.conj().T @ rho @ v)) @ v.conj().T
    out = []
    for x in u:
        half, full = ((v * np.exp(1j * x * a * e)) @ v.conj().T for a in (-0.5, 1.0))
        out.append(np.trace(full @ unitary @ half @ rho @ half @ unitary.conj().T))
    return np.array(out) * np.exp(-0.5 * ((resolution or 0.0) * u) ** 2)


def central_moments(h, unitary, rho):
    """(mean, second, third, fourth) from all pairs of levels; rho diagonal in energy, levels not degenerate."""
    e, v = np.linalg.eigh(h)
    p = np.einsum("in,ij,jn->n", v.conj(), rho, v).real
    joint, w = np.abs(v.conj().T @ unitary @ v) ** 2 * p, np.subtract.outer(e, e)
    mean = np.sum(joint * w)
    return np.array([mean, *(np.sum(joint * (w - mean) ** k) for k in (2, 3, 4))])


def charge_unitary(charging, time):
    return scipy.linalg.expm(-1j * time * charging.to_dense())


STARTS = {"gibbs": 0.4, "hot gibbs as density": 0.2, "eigenstate": None}
METHODS = {"tebd": (mb.TEBD(dt=0.05), 3, 1), "tdvp": (mb.TDVP(dt=0.2), 3, 2), "exact": (mb.Exact(), 3, 2)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", STARTS)
def test_statistics_of_work_against_dense(start, method):
    """Mean, variance, characteristic function and distribution to 1e-7 of their scale, inside the bars."""
    solver, n, reach = METHODS[method]
    time, beta = 0.7, STARTS[start]
    h, charging = case(n, 1, reach)
    e, v = np.linalg.eigh(h.to_dense())
    rho = np.outer(v[:, 2], v[:, 2].conj()) if beta is None else gibbs(h.to_dense(), beta)
    empty = "down"
    if start == "eigenstate":
        empty = mb.MPS.from_dense(h.sites, v[:, 2])
    elif start != "gibbs":
        empty, beta = mb.Density.from_dense(h.sites, rho), None
    battery = mb.Battery(h.sites, range(n), h, charging, empty=empty)
    found = work_statistics(battery, 1.0 + time, begin=1.0, beta=beta, method=solver, truncation=TIGHT, width=2.0)
    unitary = charge_unitary(charging, time)
    exact = central_moments(h.to_dense(), unitary, rho)
    for name, value, scale in zip(MOMENTS, exact, exact[1] ** np.array([0.5, 1.0, 1.5, 2.0]), strict=True):
        assert abs(getattr(found, name) - value) < 1e-7 * scale, name
        assert abs(getattr(found, name) - value) <= found.bars.get(name, np.inf) + 1e-10, name
    g = reference(h.to_dense(), unitary, rho, found.u)
    window = np.exp(-0.5 * (found.width * found.u) ** 2)
    assert np.abs(window * (found.characteristic - g)).max() < 1e-7
    assert np.all(np.abs(found.characteristic - g) <= found.errors + 1e-9)
    shown = found.distribution()
    joint = np.abs(v.conj().T @ unitary @ v) ** 2 * np.einsum("in,ij,jn->n", v.conj(), rho, v).real
    for w, p in zip(shown.values[::7], shown.weights[::7], strict=True):
        gauss = np.exp(-0.5 * ((w - np.subtract.outer(e, e)) / shown.width) ** 2) / np.sqrt(2 * np.pi) / shown.width
        assert abs(p / (shown.values[1] - shown.values[0]) - np.sum(joint * gauss)) < 1e-7
    assert shown.weights.sum() == pytest.approx(1, abs=1e-9)
    assert shown.mean == pytest.approx(exact[0], abs=1e-7)
    assert shown.variance == pytest.approx(exact[1], abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_dense_distribution_of_random_cases(seed):
    """Small systems are done from matrices: any start, its coherences lost; degenerate levels are one."""
    n, rng = 3, np.random.default_rng(seed)
    h, charging = case(n, seed)
    if seed == 3:
        h = mb.Terms(h.sites)
        for k in range(n):
            h += 1.0, ("Z", k)
    rho, unitary = random_density(n, seed), charge_unitary(charging, 0.8)
    atoms = two_point_distribution(rho, h.to_dense(), unitary)
    u = rng.normal(size=6)
    assert np.abs(atoms.characteristic(u) - reference(h.to_dense(), unitary, rho, u)).max() < 1e-9
    assert atoms.weights.sum() == pytest.approx(1, abs=1e-12)
    battery = mb.Battery(h.sites, range(n), h, charging, empty=mb.Density.from_dense(h.sites, rho))
    found = work_statistics(battery, 0.8)
    assert found.atoms is found.distribution()
    assert np.abs(found.characteristic - reference(h.to_dense(), unitary, rho, found.u)).max() < 1e-9
    if seed == 3:
        np.testing.assert_allclose(atoms.values, np.arange(-6, 7, 2), atol=1e-9)
        assert atoms.cumulative(-0.5) == pytest.approx(atoms.weights[:3].sum())


@pytest.mark.parametrize("resolution", [0.3, 2.0])
def test_a_first_measurement_of_finite_resolution(resolution):
    """A random pure start: the pointer on the chain against the Gaussian's matrix elements, 1e-7."""
    n, time = 3, 0.6
    h, charging = case(n, 5)
    vector = random_vector(n, 5)
    battery = mb.Battery(h.sites, range(n), h, charging, empty=mb.MPS.from_dense(h.sites, vector))
    found = work_statistics(battery, time, resolution=resolution, method=mb.TEBD(dt=0.05), truncation=TIGHT,
                            width=2.0, bars=False)
    unitary, rho = charge_unitary(charging, time), np.outer(vector, vector.conj())
    g = reference(h.to_dense(), unitary, rho, found.u, resolution)
    window = np.exp(-0.5 * (found.width**2 - resolution**2) * found.u**2)
    assert np.abs(window * (found.characteristic - g)).max() < 1e-7
    # work E_m - (E_n + E_n') / 2 with the weight of what the measurement leaves of rho_nn'
    e, v = np.linalg.eigh(h.to_dense())
    moved, gaps = v.conj().T @ unitary @ v, np.subtract.outer(e, e)
    kept = v.conj().T @ rho @ v * np.exp(-gaps**2 / (8 * resolution**2))
    weights = np.einsum("mn,nk,mk->mnk", moved, kept, moved.conj()).real
    w = e[:, None, None] - (e[:, None] + e) / 2
    mean = np.sum(weights * w)
    exact = [mean, *(np.sum(weights * (w - mean) ** k) for k in (2, 3, 4))]
    for k, (name, value) in enumerate(zip(MOMENTS, exact, strict=True), start=1):
        assert abs(getattr(found, name) - value) < 1e-7 * exact[1] ** (k / 2), name
    assert found.distribution().variance == pytest.approx(found.variance, abs=1e-5)
    assert found.distribution().weights.min() > -1e-9


def test_a_fine_pointer_is_projective():
    """Resolution far below the spacing of a Zeeman ladder: only levels are left of x+."""
    n, time = 3, 0.4
    h, charging = case(n, 6)
    h = mb.Terms(h.sites)
    for k in range(n):
        h += 1.0, ("Z", k)
    battery = mb.Battery(h.sites, range(n), h, charging, empty="x+")
    found = work_statistics(battery, time, resolution=0.18, method=mb.TEBD(dt=0.1), truncation=TIGHT, bars=False,
                            width=2.0)
    rho = battery.initial_state().to_dense()
    exact = two_point_distribution(np.outer(rho, rho.conj()), h.to_dense(), charge_unitary(charging, time))
    assert found.mean == pytest.approx(exact.mean, abs=1e-6)
    assert found.variance == pytest.approx(exact.variance, abs=1e-5)


def turned_spins(n, angle):
    """sum Z, every spin turned by the same angle: w = 2 k with k binomial, p = sin^2 angle."""
    h, drive = mb.Terms([mb.Spin()] * n), mb.Terms([mb.Spin()] * n)
    for k in range(n):
        h += 1.0, ("Z", k)
        drive += 1.0, ("X", k)
    return mb.Battery(h.sites, range(n), h, drive), angle, np.sin(angle) ** 2


def test_turned_spins_do_binomial_work():
    """100 cells: G = (1 - p + p exp(2iu))^N; std(m) = sqrt(1 - m^2) / sqrt(N), the bound of local protocols."""
    battery, time, p = turned_spins(100, 0.6)
    found = work_statistics(battery, time, bars=False)
    assert np.abs(found.characteristic - (1 - p + p * np.exp(2j * found.u)) ** 100).max() < 1e-9
    m = -np.cos(2 * time)
    assert found.variance**0.5 / 100 == pytest.approx(np.sqrt((1 - m**2) / 100), rel=1e-9)
    assert found.fourth / found.variance**2 == pytest.approx(3 + (1 - 6 * p * (1 - p)) / (100 * p * (1 - p)), rel=1e-6)
    value, bar = found.exponential(0.1)
    assert abs(value - (1 - p + p * np.exp(-0.2)) ** 100) <= bar < 1e-6


def test_the_ground_state_that_a_battery_finds_counts_as_a_level():
    """12 cells from a sweep's ground state: its spread, about 1e-6, is in the bars and nothing has to be measured."""
    n, time = 12, 0.3
    h, charging = case(n, 3)
    battery = mb.Battery(h.sites, range(n), h, charging, empty="ground")
    found = work_statistics(battery, time, width=6.0, bars=False)
    after = mb.charge(battery, [0, time], record={"e": mb.Energy(), "v": mb.EnergyVariance()}, bars=False)
    assert found.mean == pytest.approx(after.data["e"].values[-1], rel=1e-5)
    assert found.variance == pytest.approx(after.data["v"].values[-1], rel=1e-4)


@pytest.mark.parametrize("seed", [1])
def test_eight_random_cells_from_a_level(seed):
    """N = 8, interacting, from the tenth level: moments and distribution to 1e-7 of the dense ones."""
    n, time = 8, 0.4
    h, charging = case(n, seed)
    e, v = np.linalg.eigh(h.to_dense())
    battery = mb.Battery(h.sites, range(n), h, charging, empty=mb.MPS.from_dense(h.sites, v[:, 10]))
    found = work_statistics(battery, time, method=mb.TEBD(dt=0.02), truncation=mb.Truncation(16, 1e-18), bars=False,
                            width=2.0)
    p = np.abs(v.conj().T @ charge_unitary(charging, time) @ v[:, 10]) ** 2
    w = e - e[10]
    exact = [p @ w, p @ (w - p @ w) ** 2, p @ (w - p @ w) ** 3, p @ (w - p @ w) ** 4]
    for k, (name, value) in enumerate(zip(MOMENTS, exact, strict=True), start=1):
        assert abs(getattr(found, name) - value) < 1e-7 * exact[1] ** (k / 2), name
    shown = found.distribution()
    gauss = np.exp(-0.5 * ((shown.values[:, None] - w) / 2.0) ** 2) / np.sqrt(2 * np.pi) / 2.0 @ p
    assert np.abs(shown.weights / (shown.values[1] - shown.values[0]) - gauss).max() < 1e-7


# -- Jarzynski -------------------------------------------------------------------------------------------------------
def test_jarzynski_of_eight_cells_by_mpo():
    """<exp(-beta w)> = 1 from the computed distribution: 1e-6 and inside the bar; of the wrong sign, as by matrices."""
    beta, time = 0.2, 0.4
    battery = spin_chain.xxz(cells=8, field=0.6, exchange=0.35, anisotropy=0.7, drive=0.9)
    h = battery.energy.to_dense()
    exact = two_point_distribution(gibbs(h, beta), h, charge_unitary(battery.charging, time))
    assert exact.weights @ np.exp(-beta * exact.values) == pytest.approx(1, abs=1e-12)
    found = work_statistics(battery, time, beta=beta, method=mb.TEBD(), width=1.8, truncation=mb.Truncation(128, 1e-14))
    assert abs(found.mean - exact.mean) <= found.bars["mean"] < 1e-6
    assert abs(found.variance - exact.variance) <= found.bars["variance"] < 1e-5
    value, bar = found.exponential(beta)
    assert abs(value - 1) < 1e-6
    assert abs(value - 1) <= bar < 1e-5
    for other, most in ((-beta, 1e-4), (10.0, np.inf)):
        value, bar = found.exponential(other)
        assert abs(value - exact.weights @ np.exp(-other * exact.values)) <= bar <= most


@pytest.mark.parametrize(("beta", "method"), [(0.3, mb.TEBD(dt=0.1)), (-0.2, None)])
def test_jarzynski_of_a_pulse(beta, method):
    """A drive that swings, by trains and by matrices; the mean against a product of many short steps."""
    n, begin, end, steps = 4, 0.1, 0.9, 200
    h, drive = case(n, 8)
    pulse = mb.Schedule([(h, None), (drive, lambda t: np.sin(3 * t))])
    found = work_statistics(mb.Battery(h.sites, range(n), h, pulse), end, begin=begin, beta=beta, method=method,
                            truncation=mb.Truncation(256, 1e-14))
    value, bar = found.exponential(beta)
    assert abs(value - 1) <= bar + 1e-9
    assert bar < 1e-5
    unitary, dt = np.eye(2**n), (end - begin) / steps
    dense, swinging = h.to_dense(), drive.to_dense()
    for k in range(steps):
        now = dense + np.sin(3 * (begin + (k + 0.5) * dt)) * swinging
        unitary = scipy.linalg.expm(-1j * dt * now) @ unitary
    exact = central_moments(h.to_dense(), unitary, gibbs(h.to_dense(), beta))
    assert found.mean == pytest.approx(exact[0], abs=1e-4)


def test_jarzynski_with_a_charger_of_its_own():
    """A start that is thermal in charger and battery: the energy of both is what is measured."""
    h, source, charging = charger_and_chain(4, 2)
    battery = mb.Battery(h.sites, range(1, 4), h, charging)
    found = work_statistics(battery, 0.7, beta=0.6, energy=h + source)
    assert found.exponential(0.6)[0] == pytest.approx(1, abs=1e-12)
    assert abs(work_statistics(battery, 0.7, beta=0.6).exponential(0.6)[0] - 1) < 1e-12     # cells alone, charger hot
    assert found.mean > 0


@pytest.mark.slow
def test_eight_random_cells_from_a_gibbs_state():
    """N = 8, interacting, by MPO: moments and distribution to 1e-7 of the dense ones."""
    n, time, beta, width = 8, 0.3, 0.15, 4.0
    h, charging = case(n, 1)
    battery = mb.Battery(h.sites, range(n), h, charging)
    found = work_statistics(battery, time, beta=beta, method=mb.TEBD(dt=0.03), truncation=mb.Truncation(256, 1e-16),
                            width=width, bars=False)
    dense, unitary = h.to_dense(), charge_unitary(charging, time)
    exact = central_moments(dense, unitary, gibbs(dense, beta))
    for k, (name, value) in enumerate(zip(MOMENTS, exact, strict=True), start=1):
        assert abs(getattr(found, name) - value) < 1e-7 * exact[1] ** (k / 2), name
    g = reference(dense, unitary, gibbs(dense, beta), found.u)
    assert np.abs(np.exp(-0.5 * (width * found.u) ** 2) * (found.characteristic - g)).max() < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1e-11, 1e-13])
def test_jarzynski_of_thirty_cells(weight):
    battery = spin_chain.xxz(cells=30, field=0.6, exchange=0.35, anisotropy=0.7, drive=0.9)
    found = work_statistics(battery, 0.6, beta=0.3, width=3.2, truncation=mb.Truncation(200, weight))
    value, bar = found.exponential(0.3)
    print(f"weight {weight}: <exp(-beta w)> - 1 = {value - 1:.2e}, bar {bar:.1e}; {found.outcome}")
    assert abs(value - 1) <= bar < 3e-3 * (weight / 1e-11) ** 0.5


# -- efficiency ------------------------------------------------------------------------------------------------------
def charger_and_chain(n, seed, interacting=True):
    """A Zeeman charger at site 0 and a chain that it charges, with everything coupled at random."""
    sites = [mb.Spin()] * n
    h, source, charging = mb.Terms(sites), mb.Terms(sites), random_terms(n, seed)
    source += 0.8, ("Z", 0)
    for k in range(1, n):
        h += 0.7 if k % 2 else 1.05, ("Z", k)
        if interacting and k < n - 1:
            h += 0.4, ("X", k), ("X", k + 1)
    return h, source, charging


@pytest.mark.parametrize("interacting", [False, True])
def test_efficiency_of_single_runs_against_dense(interacting):
    """Joint levels by brute force: idle share, normalisation, distribution (smoothed where the battery interacts)."""
    n, time, width = 4, 0.5, 1.0
    h, source, charging = charger_and_chain(n, 9, interacting)
    a, b = h.to_dense(), source.to_dense()
    e, v = np.linalg.eigh(a + 1e-3 * b)
    start = v[:, np.argmin(e)] if interacting else np.eye(2**n)[-1]
    if (start.conj() @ b @ start).real < 0:
        start = np.linalg.eigh(a - 1e3 * b)[1][:, 0]
    battery = mb.Battery(h.sites, range(1, n), h, charging, empty=mb.MPS.from_dense(h.sites, start))
    small = stochastic_efficiency(battery, source, time)
    found = stochastic_efficiency(battery, source, time, width=width, method=mb.TEBD(dt=0.02), truncation=TIGHT)
    after = np.abs(v.conj().T @ charge_unitary(charging, time) @ start) ** 2
    stored = np.einsum("in,ij,jn->n", v.conj(), a, v).real - (start.conj() @ a @ start).real
    drawn = (start.conj() @ b @ start).real - np.einsum("in,ij,jn->n", v.conj(), b, v).real
    active = np.abs(drawn) > 0.1
    idle, eta, p = after[~active].sum(), stored[active] / drawn[active], after[active] / after[active].sum()
    for answer in (small, found):
        assert answer.idle == pytest.approx(idle, abs=1e-7)
        assert answer.distribution.weights.sum() == pytest.approx(1, abs=1e-9)
        assert answer.of_means == pytest.approx(stored @ after / (drawn @ after), abs=1e-6)
        assert answer.distribution.mean == pytest.approx(p @ eta, abs=1e-7)
        assert answer.distribution.variance == pytest.approx(p @ eta**2 - (p @ eta) ** 2, abs=1e-6)
    for x in np.linspace(eta.min(), eta.max(), 9):
        assert small.distribution.cumulative(x + 1e-9) == pytest.approx(p[eta <= x + 1e-9].sum(), abs=1e-9)
        if interacting:
            step = found.distribution.values
            smoothed = p @ scipy.special.ndtr((x - eta) * np.abs(drawn[active]) / width)
            assert found.distribution.cumulative(x) == pytest.approx(smoothed, abs=0.05), step.size
        else:
            assert found.distribution.cumulative(x + 1e-9) == pytest.approx(p[eta <= x + 1e-9].sum(), abs=1e-7)


def test_efficiency_of_a_cavity():
    """Detuned photons that are exchanged one by one: every run that draws has the efficiency of one quantum."""
    battery = cavity.tavis_cummings(cells=6, coupling=0.3)
    photons = mb.Terms(battery.sites)
    photons += 1.25, ("N", 3)
    found = stochastic_efficiency(battery, photons, 2.0, method=mb.TDVP(dt=0.1))
    np.testing.assert_allclose(found.distribution.values[found.distribution.weights > 1e-9], 0.8, atol=1e-9)
    assert found.of_means == pytest.approx(0.8, abs=1e-9)
    assert 0 < found.idle < 1
    dark = mb.Battery(battery.sites, battery.cells, battery.energy, battery.energy, empty=battery.empty)
    assert stochastic_efficiency(dark, photons, 1.0, method=mb.TDVP(dt=0.1)).idle == pytest.approx(1)


# -- what bad input gets -----------------------------------------------------------------------------------------------
def bad_inputs():
    h, charging = case(3, 1)
    battery = mb.Battery(h.sites, range(3), h, charging, empty="down")
    leak = mb.Terms(h.sites)
    leak += 1.0, ("Sm", 0)
    leaky = mb.Battery(h.sites, range(3), h, charging, [mb.Jump(leak)])
    mixed = mb.Battery(h.sites, range(3), h, charging, empty=["mixed", "up", "x+"])
    tebd, one = mb.TEBD(dt=0.1), np.eye(8)
    quiet = work_statistics(battery, 0.5, beta=0.1, method=tebd, bars=False)
    return [
        (lambda: work_statistics(leaky, 1.0), "`battery` must have no jumps"),
        (lambda: work_statistics(leaky, 1.0, method=tebd), "`battery` must have no jumps"),
        (lambda: work_statistics(mixed, 1.0, method=tebd), "commutes with the measured energy"),
        (lambda: work_statistics(battery, 1.0, method=tebd), "`resolution` must be given"),
        (lambda: work_statistics(battery, -1.0), "`time` must be a finite number"),
        (lambda: work_statistics(battery, 1.0, beta=np.nan), "`beta` must be a finite number"),
        (lambda: work_statistics(battery, 1.0, width=0.0), "`width` must be a positive number"),
        (lambda: work_statistics(battery, 1.0, resolution=0.5, width=0.1), "at least the resolution"),
        (lambda: work_statistics(battery, 1.0, energy=case(4, 1)[0]), "`energy` must live on the sites"),
        (lambda: quiet.distribution(0.01), "`width` must be at least"),
        (lambda: quiet.exponential(np.inf), "`beta` must be a finite number"),
        (lambda: two_point_distribution(one, one, 2 * one), "`unitary` must be unitary"),
        (lambda: two_point_distribution(one[:4], one, one), "`rho` must be a square matrix"),
        (lambda: stochastic_efficiency(battery, charging, 1.0), "`source` must commute"),
        (lambda: stochastic_efficiency(battery, h, 1.0, method=tebd), "evenly spaced levels"),
        (lambda: stochastic_efficiency(leaky, 0.0 * h, 1.0), "`battery` must have no jumps"),
    ]


@pytest.mark.parametrize("k", range(16))
def test_bad_input(k):
    attempt, told = bad_inputs()[k]
    with pytest.raises(mb.InputError) as caught:
        attempt()
    assert told in str(caught.value)


def test_charging_that_does_nothing():
    battery, _, _ = turned_spins(12, 0.0)
    found = work_statistics(battery, 0.0)
    assert (found.mean, found.variance) == pytest.approx((0.0, 0.0), abs=1e-9)
    np.testing.assert_allclose(found.distribution().weights, [1.0])
    assert found.exponential(1.0)[0] == pytest.approx(1)
    assert isinstance(found.distribution(), Distribution)
