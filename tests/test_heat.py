"""Counted heat, charge and entropy: finite times, long times and fluctuation theorems, against dense references."""

from math import factorial

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg
import solved_open
from scipy.integrate import solve_ivp
from scipy.stats import poisson

import mps_battery as mb
from mps_battery.measure.flows.thermodynamics import EntropyProduction
from mps_battery.measure.fluctuations import large_deviations
from mps_battery.measure.fluctuations.heat import (
    CountedCurrent,
    heat_cumulants,
    heat_distribution,
    heat_generating_function,
    quanta,
)
from mps_battery.measure.fluctuations.large_deviations import (
    effective_affinity,
    scaled_cumulants,
    scaled_generating_function,
)
from mps_battery.models import open_chain

RNG = np.random.default_rng
QUBIT = mb.Spin()


def terms(sites, *entries):
    out = mb.Terms(sites)
    for entry in entries:
        out += entry
    return out


def random_open(n, rng, field=True):
    """A random chain with a one-site, a two-site and a collective jump, and random quanta."""
    sites = (QUBIT,) * n
    h = terms(sites, *((rng.normal(), (a, k), (b, k + 1)) for k in range(n - 1) for a in "XYZ" for b in "XYZ"),
              *((rng.normal(), (a, k)) for k in range(n if field else 0) for a in "XYZ"))
    jumps = [mb.Jump(terms(sites, (0.7, ("Sm", n - 1)), (0.2j, ("Z", n - 1))), bath="a"),
             mb.Jump(terms(sites, (0.5, ("Sp", n - 1))), bath="a"),
             mb.Jump(terms(sites, *((0.4 * rng.normal(), ("X", k)) for k in range(n))), bath="b")]
    if n > 1:
        jumps.append(mb.Jump(terms(sites, (0.6, ("Sm", 0), ("Sp", 1))), bath="b"))
    return mb.Battery(sites, range(n), h, h, jumps, empty="x+"), rng.uniform(-1.5, 1.5, len(jumps))


class Tilted:
    """L + sum_k (exp(-s q_k) - 1) L_k . L_k+ as a matrix, and what follows from it."""

    def __init__(self, battery, numbers, rho=None):
        self.jumps, self.numbers = [j.terms.to_dense() for j in battery.jumps], numbers
        self.base = solved_open.lindblad_matrix(battery.charging.to_dense(), self.jumps)
        self.rho = (battery.initial_state().to_dense() if rho is None else rho).ravel()

    def __call__(self, s):
        return self.base + sum((np.exp(-s * q) - 1) * np.kron(l, l.conj())
                               for l, q in zip(self.jumps, self.numbers, strict=True))

    def generating(self, s, t):
        d = round(len(self.rho) ** 0.5)
        return np.trace(scipy.sparse.linalg.expm_multiply(t * self(s), self.rho.astype(complex)).reshape(d, d))

    def growth(self, s):
        return np.linalg.eigvals(self(s)).real.max()


def derivatives(function, order, radius=0.2, points=16):
    """(-d/ds)^n of an analytic function at 0, from a circle around it."""
    z = radius * np.exp(2j * np.pi * np.arange(points) / points)
    taylor = np.fft.fft([function(x) for x in z]) / points
    return [((-1) ** n * taylor[n] / radius**n * factorial(n)).real for n in range(1, order + 1)]


# -- finite times --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_statistics_at_finite_times_against_dense(n):
    """Mean, variance, third cumulant and characteristic function, all by the dense twin."""
    battery, numbers = random_open(n, RNG([1, n]))
    dense, t, s = Tilted(battery, numbers), 0.7, [0.4, -0.3, -0.9j, 0.2 + 0.5j]
    found = heat_cumulants(battery, [0, t], numbers, order=3, method=mb.Exact())
    expected = derivatives(lambda x: np.log(dense.generating(x, t)), 3, points=12)
    assert found.values[0] == pytest.approx(0, abs=1e-12)
    assert found.values[1] == pytest.approx(expected, abs=1e-8)
    assert np.abs(expected[:2]).min() > 1e-3
    values = heat_generating_function(battery, [0, t], s, numbers, method=mb.Exact()).values
    assert values[0] == pytest.approx(1, abs=1e-12)
    assert values[1] == pytest.approx([dense.generating(x, t) for x in s], abs=1e-9)


def test_rates_and_hamiltonian_that_depend_on_time():
    battery, numbers = random_open(2, RNG(2))
    drive = terms(battery.sites, (0.8, ("X", 0)), (0.3, ("Y", 0), ("Z", 1)))
    driven = mb.Jump(battery.jumps[0].terms, rate=lambda t: 1 + np.sin(t), bath="a")
    moved = mb.Battery(battery.sites, range(2), battery.energy, mb.Schedule([(battery.energy, None), (drive, np.cos)]),
                       [driven, *battery.jumps[1:]], empty="x+")
    dense = Tilted(battery, numbers)
    turn = solved_open.lindblad_matrix(drive.to_dense(), [])
    decay = solved_open.lindblad_matrix(np.zeros((4, 4)), dense.jumps[:1])

    def slope(t, v, s):
        events = decay + (np.exp(-s * numbers[0]) - 1) * np.kron(dense.jumps[0], dense.jumps[0].conj())
        return (dense(s) + np.cos(t) * turn + np.sin(t) * events) @ v

    for s in (0.5, 0.7j):
        v = solve_ivp(slope, (0.2, 1.1), dense.rho.astype(complex), args=(s,), rtol=1e-11, atol=1e-13).y[:, -1]
        value = heat_generating_function(moved, [0.2, 1.1], [s], numbers).values[1, 0]
        assert value == pytest.approx(v.reshape(4, 4).trace(), abs=1e-9)


@pytest.mark.parametrize("method", [mb.TEBD(), mb.TDVP()], ids=["TEBD", "TDVP"])
def test_truncated_evolutions_stay_within_their_bars(method):
    battery = open_chain.two_bath_chain(cells=4)
    dense, times = Tilted(battery, quanta(battery, "charge", "right")), [0.0, 0.8]
    expected = derivatives(lambda x: np.log(dense.generating(x, 0.8)), 2, points=10)
    found = heat_cumulants(battery, times, "charge", bath="right", method=method)
    assert np.all(np.abs(found.values[1] - expected) <= found.bars[1])
    assert np.all(found.bars[1] < 1e-3)
    value = heat_generating_function(battery, times, [0.6], "charge", bath="right", method=method)
    assert abs(value.values[1, 0] - dense.generating(0.6, 0.8)) <= value.bars[1, 0] < 1e-4


@pytest.mark.parametrize(("n", "method"), [(3, None), (5, mb.TEBD())])
def test_dephasing_makes_poisson_counts(n, method):
    """sqrt(g) Z has L+ L = g in every state: events come at the rate g whatever else happens."""
    battery = open_chain.boundary_driven(cells=n, dephasing=1.4)
    noise = [float(j.bath == "dephasing" and len(j.terms.touching(n - 1)) > 0) for j in battery.jumps]
    found = heat_distribution(battery, [0, 1.0], noise, 4, smallest=0, method=method, bars=False)
    assert found.values[1] == pytest.approx(poisson.pmf(np.arange(5), 0.7), abs=1e-6)
    assert found.lost[1] == pytest.approx(poisson.sf(4, 0.7), abs=1e-6)
    assert heat_cumulants(battery, [0, 1.0], noise, order=4, method=method, bars=False).values[1] == pytest.approx(
        np.full(4, 0.7), abs=1e-4)


def test_distribution_is_the_fourier_transform_of_the_characteristic_function():
    battery = open_chain.two_bath_chain(cells=2)
    numbers = quanta(battery, "charge", "left")
    dense, points = Tilted(battery, numbers), 32
    chi = 2 * np.pi * np.arange(points) / points
    expected = np.fft.fft([dense.generating(-1j * x, 1.5) for x in chi]).real / points
    found = heat_distribution(battery, [0, 1.5], 0.5 * numbers, 9, smallest=-3, unit=0.5, method=mb.Exact())
    assert found.values[1] == pytest.approx(expected[np.arange(-3, 10)], abs=1e-9)
    assert list(found.amounts[:2]) == [-1.5, -1.0]
    assert 0 <= found.lost[1] < 1e-3


def free_fermions(n, exchange, ends, field, times):
    """ln <exp(-s N)> of the XX chain driven at its ends, with N the charge that came in at the last site.

    Jumps at the ends keep a Gaussian state Gaussian, C_ij = <c_i+ c_j> of its normalised part obeys
    dC/dt = i [h, C] - {G + l, C} / 2 + G - (e^s - 1) l C_:a C_a: + (e^-s - 1) g (1 - C)_:a (1 - C)_a: at the counted
    site a, and ln tr grows by (e^s - 1) l C_aa + (e^-s - 1) g (1 - C_aa); (gain g, loss l) at the ends.
    """
    h = 2 * exchange * (np.eye(n, k=1) + np.eye(n, k=-1))
    gain, loss = np.zeros(n), np.zeros(n)
    (gain[0], loss[0]), (gain[-1], loss[-1]) = ends
    out, into = np.expm1(field) * loss[-1], np.expm1(-field) * gain[-1]

    def slope(_, y):
        c = y[:-1].reshape(n, n)
        both = np.diag(gain + loss)
        hole = np.eye(n) - c
        d = 1j * (h @ c - c @ h) - 0.5 * (both @ c + c @ both) + np.diag(gain)
        d = d - out * np.outer(c[:, -1], c[-1]) + into * np.outer(hole[:, -1], hole[-1])
        return np.r_[d.ravel(), out * c[-1, -1] + into * hole[-1, -1]]

    start = np.r_[0.5 * np.eye(n).ravel(), 0].astype(complex)
    return solve_ivp(slope, (times[0], times[-1]), start, t_eval=times, method="DOP853", rtol=1e-10,
                     atol=1e-12).y[-1]


def fermion_cumulants(n, ends, t):
    return derivatives(lambda s: free_fermions(n, 0.5, ends, s, [0, t])[-1], 2, points=10)


def driven_xx(n, **given):
    battery = open_chain.boundary_driven(cells=n, anisotropy=0.0, bias=0.6, exchange=0.5, **given)
    return battery, ((1.6, 0.4), (0.4, 1.6))


def test_charge_through_a_chain_against_free_fermions():
    battery, ends = driven_xx(6)
    found = heat_cumulants(battery, [0, 2.0], "charge", bath="right", truncation=mb.Truncation(64, 1e-15), bars=False)
    assert found.values[1] == pytest.approx(fermion_cumulants(6, ends, 2.0), abs=2e-6)
    value = heat_generating_function(battery, [0, 2.0], [0.4], "charge", bath="right", bars=False).values[1, 0]
    assert np.log(value) == pytest.approx(free_fermions(6, 0.5, ends, 0.4, [0, 2.0])[-1].real, abs=1e-6)


@pytest.mark.slow
def test_charge_through_twenty_cells_against_free_fermions():
    battery, ends = driven_xx(20)
    found = heat_cumulants(battery, [0, 6.0], "charge", bath="right", truncation=mb.Truncation(40, 1e-14))
    expected = fermion_cumulants(20, ends, 6.0)
    assert np.all(np.abs(found.values[1] - expected) <= found.bars[1])
    assert found.values[1] == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
def test_eight_cells_against_the_whole_matrix():
    """A chain with interaction and dephasing, 65536 dimensions."""
    battery = open_chain.boundary_driven(cells=8, anisotropy=0.7, bias=0.6, exchange=0.5, dephasing=0.8)
    numbers, t, s = quanta(battery, "charge", "right"), 3.0, 0.5
    h = battery.charging.to_sparse()
    one, total = sp.identity(256), -1j * (sp.kron(h, sp.identity(256)) - sp.kron(sp.identity(256), h.T))
    for jump, q in zip(battery.jumps, numbers, strict=True):
        l = jump.terms.to_sparse()
        decay = l.getH() @ l
        total = total + np.exp(-s * q) * sp.kron(l, l.conj()) - 0.5 * (sp.kron(decay, one) + sp.kron(one, decay.T))
    v = scipy.sparse.linalg.expm_multiply(t * total.tocsr(), np.eye(256).ravel() / 256)
    expected = np.trace(v.reshape(256, 256)).real
    found = heat_generating_function(battery, [0, t], [s], "charge", bath="right", truncation=mb.Truncation(64, 1e-14))
    assert abs(found.values[1, 0] - expected) <= found.bars[1, 0]
    assert found.values[1, 0] == pytest.approx(expected, abs=1e-5)


# -- what is counted -----------------------------------------------------------------------------------------------
def test_quanta_of_charges_and_levels():
    sites = (mb.Fermion(), mb.Levels("gef"), mb.Boson(2))
    energy = terms(sites, (1.3, ("N", 0)), (0.5, ("ee", 1)), (2.1, ("ff", 1)), (0.7, ("N", 2)))
    jumps = [mb.Jump(terms(sites, (0.3, o)), bath=b) for o, b in
             ((("C", 0), "a"), (("gf", 1), "a"), (("fe", 1), "b"), (("Ad", 2), "b"))]
    battery = mb.Battery(sites, [0], energy, energy, jumps, empty=["empty", "g", "vacuum"])
    assert quanta(battery, "heat") == pytest.approx([-1.3, -2.1, 1.6, 0.7], abs=1e-12)
    assert quanta(battery, "charge", "b") == pytest.approx([0, 0, 1, 1], abs=1e-12)
    assert quanta(battery, terms(sites, (2.0, ("ff", 1)))) == pytest.approx([0, -2, 2, 0], abs=1e-12)
    assert list(quanta(battery, [1, 2, 3, 4], "a")) == [1, 2, 0, 0]


def davies_pair(betas=(0.4, 1.1), rate=1.0, seed=6):
    """Two interacting qubits, each with a global bath, in real matrices."""
    rng = RNG(seed)
    sites = (QUBIT,) * 2
    h = terms(sites, *((rng.normal(), ("Z", n)) for n in range(2)), (0.6, ("X", 0), ("X", 1)))
    jumps = []
    for n, (bath, beta) in enumerate(zip(("hot", "cold"), betas, strict=True)):
        coupling = terms(sites, (1.0, ("X", n)))
        jumps += mb.davies_jumps(h, coupling, beta, spectrum=lambda w: rate * w, bath=bath)
    return mb.Battery(sites, range(2), h, h, jumps, empty="down")


def test_mean_is_the_heat_current_and_the_entropy_flow():
    battery = davies_pair()
    run = mb.charge(battery, [0, 0.5], record={
        "heat": mb.HeatCurrent(), "counted": CountedCurrent("heat"), "entropy": CountedCurrent("entropy"),
        "flow": EntropyProduction(), "events": CountedCurrent(np.ones(len(battery.jumps)))}, bars=False)
    assert run.data["counted"].values == pytest.approx(run.data["heat"].values, abs=1e-10)
    assert run.data["entropy"].sum("bath").values == pytest.approx(run.data["flow"].values, abs=1e-10)
    rho = run.state.to_dense()
    events = sum(np.trace(l.conj().T @ l @ rho).real for l in (j.terms.to_dense() for j in battery.jumps))
    assert float(run.data["events"][-1].sum()) == pytest.approx(events, abs=1e-10)
    state = mb.steady_state(battery).state
    rho = state.to_dense()
    for bath in ("hot", "cold"):
        flow = 0.0
        for l in (j.terms.to_dense() for j in battery.jumps if j.bath == bath):
            decay = l.conj().T @ l
            flow += np.trace((l @ rho @ l.conj().T - 0.5 * (decay @ rho + rho @ decay)) @ battery.charging.to_dense())
        found = scaled_cumulants(battery, "heat", bath=bath, order=1)
        assert found.values[0] == pytest.approx(flow.real, abs=1e-7)
        assert heat_cumulants(battery, [0, 3.0], "heat", bath=bath, start=state, order=1).values[1, 0] == pytest.approx(
            3 * flow.real, abs=1e-9)
    assert abs(flow.real) > 1e-2


# -- long times ----------------------------------------------------------------------------------------------------
def qubit_between_baths(splitting=1.3, betas=(0.3, 1.7), rates=(0.7, 1.9)):
    sites = (QUBIT,)
    h = terms(sites, (splitting / 2, ("Z", 0)))
    jumps = [j for bath, beta, rate in zip(("hot", "cold"), betas, rates, strict=True)
             for j in mb.thermal_jumps(terms(sites, (1.0, ("Sm", 0))), splitting, beta, rate, bath=bath)]
    return mb.Battery(sites, [0], h, h, jumps)


def test_one_qubit_between_two_baths_in_closed_form():
    """Populations obey a 2 x 2 matrix of trace -k and determinant -(u_h d_c (e^(-sw) - 1) + d_h u_c (e^(sw) - 1)).

    With k = u_h + u_c + d_h + d_c: lambda = (sqrt(k^2 - 4 det) - k) / 2, J = w (u_h d_c - d_h u_c) / k and
    noise w^2 (u_h d_c + d_h u_c) / k - 2 J^2 / k.
    """
    w, betas, rates = 1.3, (0.3, 1.7), (0.7, 1.9)
    n = [1 / np.expm1(b * w) for b in betas]
    (uh, uc), (dh, dc) = [r * x for r, x in zip(rates, n, strict=True)], [r * (x + 1) for r, x in
                                                                          zip(rates, n, strict=True)]
    k, battery = uh + uc + dh + dc, qubit_between_baths(w, betas, rates)
    s = np.array([-0.8, 0.0, 0.5, 1.1, 2.0])
    expected = (np.sqrt(k**2 + 4 * (uh * dc * np.expm1(-s * w) + dh * uc * np.expm1(s * w))) - k) / 2
    assert scaled_generating_function(battery, s, "heat", bath="hot").values == pytest.approx(expected, abs=1e-11)
    current, noise = w * (uh * dc - dh * uc) / k, w**2 * (uh * dc + dh * uc) / k
    found = scaled_cumulants(battery, "heat", bath="hot")
    assert found.values == pytest.approx([current, noise - 2 * current**2 / k], abs=1e-7)
    assert np.all(np.abs(found.values - [current, noise - 2 * current**2 / k]) <= found.bars)
    affinity, bar = effective_affinity(battery, "heat", bath="hot")
    assert affinity == pytest.approx(betas[1] - betas[0], abs=1e-9)
    assert bar < 1e-9
    equal = qubit_between_baths(w, (0.8, 0.8), rates)
    assert effective_affinity(equal, "heat", bath="hot")[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_long_times_against_dense(n):
    battery, numbers = random_open(n, RNG([3, n]))
    dense, s = Tilted(battery, numbers), np.array([-0.7, 0.3, 1.2])
    found = scaled_generating_function(battery, s, numbers).values
    assert found == pytest.approx([dense.growth(x) for x in s], abs=1e-10)
    expected = derivatives(lambda x: max(np.linalg.eigvals(dense(x)), key=lambda z: z.real), 4, radius=0.05)
    found = scaled_cumulants(battery, numbers, order=4)
    assert found.values == pytest.approx(expected, abs=1e-2)
    assert found.values[:2] == pytest.approx(expected[:2], abs=1e-7)
    assert np.all(np.abs(found.values - expected) <= found.bars + 1e-6)


@pytest.mark.parametrize("reach", [1, 2])
def test_relaxed_eigenvectors_against_dense(reach, monkeypatch):
    """What long chains go through, by TEBD and beyond nearest neighbours by TDVP."""
    monkeypatch.setattr(large_deviations, "DENSE_LIMIT", 1)
    battery, _ = driven_xx(3, dephasing=0.5)
    if reach == 2:
        h = battery.charging + terms(battery.sites, (0.2, ("X", 0), ("X", 2)), (0.2, ("Y", 0), ("Y", 2)))
        battery = mb.Battery(battery.sites, range(3), h, h, battery.jumps)
    numbers = quanta(battery, "charge", "right")
    found = scaled_generating_function(battery, [0.4], "charge", bath="right", truncation=mb.Truncation(16, 1e-16))
    error = abs(found.values[0] - Tilted(battery, numbers).growth(0.4))
    assert error <= found.bars[0]
    assert error < 2e-6


@pytest.mark.slow
def test_long_times_of_twenty_cells():
    """Dephased XX chain: entropy made at affinity x mu / (1 / G + (G + 19 g) / t^2), and lambda(s) = lambda(1 - s)."""
    battery, ends = driven_xx(20, dephasing=1.0)
    affinity = np.log(ends[0][0] * ends[1][1] / (ends[0][1] * ends[1][0]))
    found = scaled_generating_function(battery, [-0.02, 0.02, 0.2, 0.8], "entropy", tolerance=1e-7,
                                       truncation=mb.Truncation(16, 1e-14))
    assert (found.values[0] - found.values[1]) / 0.04 == pytest.approx(affinity * 0.6 / 21, abs=5e-5)
    assert abs(found.values[2] - found.values[3]) <= found.bars[2] + found.bars[3] < 2e-6
    assert found.values[2] < -1e-2


# -- fluctuation theorems ------------------------------------------------------------------------------------------
def test_symmetry_of_gallavotti_and_cohen():
    """lambda(s) = lambda(beta_c - beta_h - s) of heat from the hot bath, lambda(s) = lambda(1 - s) of entropy."""
    battery, s = davies_pair((0.4, 1.1)), np.array([-0.5, 0.1, 0.3])
    found = scaled_generating_function(battery, np.r_[s, 0.7 - s], "heat", bath="hot").values
    assert found[:3] == pytest.approx(found[3:], abs=1e-10)
    assert np.abs(found[:2]).min() > 1e-3
    found = scaled_generating_function(battery, np.r_[s, 1 - s], "entropy").values
    assert found[:3] == pytest.approx(found[3:], abs=1e-10)
    assert effective_affinity(battery, "heat", bath="hot")[0] == pytest.approx(0.7, abs=1e-8)


def test_exchange_of_heat_with_one_bath():
    """From Gibbs at beta_S with one Davies bath at beta_B: <exp(-(beta_S - beta_B) Q)> = 1 at all times."""
    battery = davies_pair((0.9, 0.9))
    hot = mb.thermal_state(battery.charging, 0.3).state
    found = heat_generating_function(battery, [0, 0.3, 2.0, 50.0], [0.3 - 0.9, 0.2], "heat", start=hot).values
    assert found[:, 0] == pytest.approx(1, abs=1e-9)
    assert np.abs(found[1:, 1] - 1).min() > 1e-2


def test_integral_theorem_of_a_driven_battery():
    """<exp(-S)> = 1 for the entropy S handed to the baths from the identity, whatever drives."""
    battery = davies_pair()
    sites = battery.sites
    local = [j for n, beta in ((0, 0.5), (1, 1.4)) for j in
             mb.thermal_jumps(terms(sites, (1.0, ("Sm", n))), 1.1, beta, 0.6, bath=str(n))]
    drive = mb.Schedule([(battery.charging, None), (terms(sites, (0.9, ("Y", 0), ("X", 1))), np.sin)])
    driven = mb.Battery(sites, range(2), battery.energy, drive, local, empty="mixed")
    found = heat_generating_function(driven, [0, 0.7, 3.0], [1.0, 0.5], "entropy").values
    assert found[:, 0] == pytest.approx(1, abs=1e-9)
    assert np.abs(found[1:, 1] - 1).min() > 1e-3


def test_effective_affinity_at_strong_coupling():
    """With pair creation charge is not conserved: the symmetry of the hot bath is lost, its effective affinity is not.

    At weak coupling only the exchange is resonant, and the affinity is that of the baths.
    """
    def pair(coupling):
        sites = (QUBIT,) * 2
        h = terms(sites, (1.0, ("Z", 0)), (1.0, ("Z", 1)), (coupling, ("X", 0), ("X", 1)))
        jumps = [j for n, beta in ((0, 0.3), (1, 0.9)) for j in
                 mb.thermal_jumps(terms(sites, (1.0, ("Sm", n))), 2.0, beta, 0.05, bath=("hot", "cold")[n])]
        return mb.Battery(sites, range(2), h, h, jumps)

    free = terms((QUBIT,) * 2, (1.0, ("Z", 0)), (1.0, ("Z", 1)))
    found = {c: effective_affinity(pair(c), free, bath="hot")[0] for c in (0.01, 0.8)}
    assert found[0.01] == pytest.approx(0.6, abs=5e-3)
    assert abs(found[0.8] - 0.6) > 0.1
    dense = Tilted(pair(0.8), quanta(pair(0.8), free, "hot"))
    assert dense.growth(found[0.8]) == pytest.approx(0, abs=1e-9)
    assert abs(dense.growth(0.2 * found[0.8]) - dense.growth(0.8 * found[0.8])) > 1e-5


# -- bad input -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("call", "told"), [
    (lambda b: heat_cumulants(b, [0, 1]), "`counted` must be an observable that every jump changes by a fixed amount"),
    (lambda b: heat_cumulants(b, [0, 1], "work"), "Unknown counted quantity 'work'"),
    (lambda b: heat_cumulants(b, [0, 1], "charge", bath="lft"), "Unknown bath 'lft': did you mean 'left'?"),
    (lambda b: heat_cumulants(b, [0, 1], [1.0]), "`counted` must be heat, charge, entropy, Terms or 4 numbers"),
    (lambda b: heat_cumulants(b, [1, 0], "charge"), "`times` must be increasing finite times"),
    (lambda b: heat_cumulants(b, [0, 1], "charge", order=0), "`order` must be an integer of at least 1"),
    (lambda b: heat_cumulants(b, [0, 1], np.zeros(4)), "`counted` must be brought in by at least one jump"),
    (lambda b: heat_generating_function(b, [0, 1], [np.nan], "charge"), "`fields` must be a list of finite numbers"),
    (lambda b: heat_distribution(b, [0, 1], "entropy", 3), "`unit` must divide what every event brings in"),
    (lambda b: heat_distribution(b, [0, 1], "charge", 3, smallest=1), "`smallest` must be an integer of at most 0"),
    (lambda b: scaled_generating_function(b, [1j], "charge"), "`fields` must be a list of finite real numbers"),
    (lambda b: scaled_cumulants(b, "charge", order=5), "`order` must be an integer from 1 to 4"),
    (lambda b: effective_affinity(b, [0, 1, 0, 0]), "`counted` must be something that can flow both ways"),
    (lambda b: quanta(mb.Battery(b.sites, [0], b.energy, b.energy), "charge"), "`battery` must have jumps"),
])
def test_bad_counting(call, told):
    with pytest.raises(mb.InputError) as caught:
        call(open_chain.two_bath_chain(cells=2))
    assert told in str(caught.value)


def test_schedules_have_no_long_times_and_no_heat():
    battery = open_chain.two_bath_chain(cells=2)
    moving = mb.Battery(battery.sites, range(2), battery.energy, mb.Schedule([(battery.energy, np.cos)]), battery.jumps)
    with pytest.raises(mb.InputError, match="`battery` must have a constant Hamiltonian"):
        scaled_cumulants(moving, "charge", bath="left")
    with pytest.raises(mb.InputError, match="`counted` must not be heat for a schedule"):
        quanta(moving, "heat")
    with pytest.raises(mb.InputError, match="`record` must not hold CountedCurrent"):
        mb.charge(mb.Battery(battery.sites, range(2), battery.energy, battery.energy), [0, 1],
                  record={"c": CountedCurrent("charge")})
