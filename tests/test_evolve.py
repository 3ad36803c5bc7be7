"""Convergence orders, invariants and phases of the evolutions."""

import numpy as np
import pytest
import scipy.linalg

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve import tebd
from mps_battery.evolve.choose import choose
from mps_battery.evolve.tdvp import FUSED, PairOperator, SiteOperator, taylor_step
from mps_battery.liouville import generator
from mps_battery.models import spin_chain, syk
from mps_battery.tensors import krylov, trains
from mps_battery.tensors.truncation import Ledger

EXACT_BONDS = mb.Truncation(bond=64, weight=0.0)


def slope(steps, errors):
    """Fitted order of the error in the step."""
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


def vector_after(method, battery, state, time, truncation=EXACT_BONDS):
    evolution = method.start(state, as_schedule(battery.charging), truncation, 0.0)
    evolution.advance(time)
    return evolution.state.to_dense()


def exact_after(battery, state, time):
    h = as_schedule(battery.charging).at(0.0).to_dense()
    return scipy.linalg.expm(-1j * time * h) @ state.to_dense()


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
def test_tebd_order(order, within, moving):
    battery = spin_chain.xxz(cells=7)
    state = battery.initial_state()
    expected = exact_after(battery, state, 1.0)
    steps = np.array([0.2, 0.1, 0.05]) / (4 if order == 2 else 2)
    errors = [np.linalg.norm(vector_after(mb.TEBD(dt, order, moving), battery, state, 1.0) - expected) for dt in steps]
    assert abs(slope(steps, errors) - order) <= within


@pytest.mark.parametrize("stages", [3, 4, 5])
def test_fourth_order_products(stages):
    """Every product is of order four on its own, and ranks as its stated fifth-order error says."""
    rng = np.random.default_rng(3)
    a, b = (x + x.conj().T for x in rng.normal(size=(2, 6, 6)) + 1j * rng.normal(size=(2, 6, 6)))
    steps, errors = np.array([0.02, 0.01, 0.005]), []
    for dt in steps:
        u = np.eye(6)
        for parity, fraction in tebd.layers(4, stages):
            u = scipy.linalg.expm(-1j * dt * fraction * (a, b)[parity]) @ u
        errors.append(np.linalg.norm(u - scipy.linalg.expm(-1j * dt * (a + b))))
    assert abs(slope(steps, errors) - 5) < 0.1            # one step: order plus one
    assert tebd.cheapest(4, 1.0) == 5
    assert tebd.cheapest(4, 4.0) == 3


@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
def test_tebd_order_under_a_schedule(order, within):
    """A schedule keeps the order of its method."""
    base = spin_chain.xxz(cells=5)
    drive = mb.Terms(base.sites)
    for n in range(5):
        drive += 0.8, ("X", n)
    battery = mb.Battery(base.sites, range(5), base.energy, mb.Schedule([(base.energy, None),
                                                                         (drive, lambda t: np.sin(2 * t))]))
    state = battery.initial_state()
    expected = vector_after(mb.Exact(), battery, state, 1.0)
    steps = np.array([0.1, 0.05, 0.025]) / (2 if order == 2 else 1)
    errors = [np.linalg.norm(vector_after(mb.TEBD(dt, order), battery, state, 1.0) - expected) for dt in steps]
    assert abs(slope(steps, errors) - order) <= within


def hopping(n, start):
    """Interacting hopping of mixed sites that conserves the sum of their excitations."""
    sites = [mb.Spin(), mb.Boson(2), mb.Spin(1)] * (n // 3)
    raising = {mb.Spin(): "Sp", mb.Boson(2): "Ad", mb.Spin(1): "Sp"}
    lowering = {mb.Spin(): "Sm", mb.Boson(2): "A", mb.Spin(1): "Sm"}
    terms = mb.Terms(sites)
    for k in range(n - 1):
        terms += 0.6, (raising[sites[k]], k), (lowering[sites[k + 1]], k + 1)
        terms += 0.6, (lowering[sites[k]], k), (raising[sites[k + 1]], k + 1)
        terms += 0.3, (np.diag(sites[k].charges).astype(float), k), (np.diag(sites[k + 1].charges).astype(float), k + 1)
    return mb.Battery(sites, range(n), terms, terms, empty=start)


def test_blocks_are_the_dense_evolution_in_another_basis():
    """Mixed sites, a non-product start of definite charge: same state, same Schmidt values."""
    battery = hopping(6, [0, 2, 1, 1, 0, 1])
    state = battery.initial_state()
    expected = exact_after(battery, state, 1.3)
    schedule = as_schedule(battery.charging)
    found = {}
    for blocks in (None, 0, 4):
        evolution = mb.TEBD(0.05, blocks=blocks).start(state, schedule, EXACT_BONDS)
        for t in (0.5, 1.3):
            evolution.advance(t)
        found[blocks] = evolution
        assert np.linalg.norm(evolution.state.to_dense() - expected) < 2e-6
        assert (evolution._chain is None) == (blocks is None)
    for b in range(5):
        s0, s1 = (found[k].state.schmidt[b] for k in (None, 0))
        m = min(len(s0), len(s1))
        np.testing.assert_allclose(s0[:m], s1[:m], atol=1e-12)


def test_blocks_take_over_in_a_long_chain():
    """Rounding mixes charges in dense tensors; that must not keep the blocks away (20 sites, default settings)."""
    sites = [mb.Spin()] * 20
    terms = mb.Terms(sites)
    for k in range(19):
        for name in ("Sx", "Sy", "Sz"):
            terms += 1.0, (name, k), (name, k + 1)
    battery = mb.Battery(sites, range(20), terms, terms, empty="neel")
    z = {}
    for blocks in (None, 16):
        method = mb.TEBD(0.2, blocks=blocks)
        evolution = method.start(battery.initial_state(), as_schedule(terms), mb.Truncation(), 0.0)
        evolution.advance(2.5)
        assert (evolution._chain is None) == (blocks is None)
        z[blocks] = [evolution.state.reduced([k])[0, 0].real for k in range(20)]
    np.testing.assert_allclose(z[None], z[16], atol=1e-8)
    tenpy = mb.charge(battery, [0.0, 0.2], method=mb.Tenpy(0.2), record={"z": mb.Expect("Z")}, bars=False)
    assert abs(tenpy.data["z"].values[-1, 0]) < 1


def test_blocks_wait_for_a_definite_charge():
    """A superposition of charges stays dense, and terms that conserve nothing never turn to blocks."""
    mixed = hopping(6, [np.array([1, 1]), 0, 0, 1, 0, 1])
    evolution = mb.TEBD(0.05, blocks=0).start(mixed.initial_state(), as_schedule(mixed.charging), EXACT_BONDS)
    evolution.advance(0.3)
    assert evolution._chain is None
    driven = spin_chain.xxz(cells=6)
    evolution = mb.TEBD(0.05, blocks=0).start(driven.initial_state(), as_schedule(driven.charging), EXACT_BONDS)
    evolution.advance(0.3)
    assert evolution._chain is None


def random_state(sites, bond, seed):
    rng = np.random.default_rng(seed)
    n = len(sites)
    b = [min(bond, 2 ** min(k, n - k)) for k in range(n + 1)]
    train = [rng.normal(size=(b[k], 2, b[k + 1])) + 1j * rng.normal(size=(b[k], 2, b[k + 1])) for k in range(n)]
    train = trains.right_canonical(train)
    return mb.MPS(tuple(sites), [train[0] / np.linalg.norm(train[0]), *train[1:]], 0)


@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
def test_tdvp_order_on_its_manifold(order, within):
    """At a fixed small bond the flow of TDVP is that of the manifold; the splitting converges to it."""
    battery = spin_chain.power_law(cells=6)
    state = random_state(battery.sites, 3, 5)
    fixed = mb.Truncation(bond=3, weight=0.0)
    reference = vector_after(mb.TDVP(0.4 / 64, 1, 4, 1e-13, 0), battery, state, 0.4, fixed)
    steps = 0.4 / np.array([16, 32, 64] if order == 2 else [8, 16, 32])
    errors = [np.linalg.norm(vector_after(mb.TDVP(dt, 1, order, 1e-13, 0), battery, state, 0.4, fixed) - reference)
              for dt in steps]
    assert abs(slope(steps, errors) - order) <= within


def test_tdvp_of_one_site_conserves_energy_and_norm():
    battery = spin_chain.power_law(cells=8)
    state = random_state(battery.sites, 4, 5)
    evolution = mb.TDVP(0.1, 1, 2, 1e-13, 0).start(state, as_schedule(battery.charging), mb.Truncation(4, 0.0))
    before = state.expect(battery.charging).real
    evolution.advance(2.0)
    assert abs(evolution.state.expect(battery.charging).real - before) < 2e-3     # second order in dt
    assert abs(evolution.state.norm - 1) < 1e-10


@pytest.mark.parametrize("sites", [1, 2])
def test_tdvp_grows_bonds_from_a_product_state(sites):
    """Long-range terms, product start: the state itself is right, not only its local observables."""
    battery = spin_chain.power_law(cells=8, exponent=1.5)
    state = battery.initial_state()
    got = vector_after(mb.TDVP(0.1, sites), battery, state, 1.0, mb.Truncation(64, 1e-14))
    assert np.linalg.norm(got - exact_after(battery, state, 1.0)) < 3e-6


@pytest.mark.parametrize(("l", "d", "e", "r"), [(5, 3, 2, 7), (30, 4, 2, 5), (5, 2, 25, 6)])
def test_effective_operators_are_their_drawing(l, d, e, r):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(l, 3, l)), rng.normal(size=(r, 4, r))
    w1, w2 = rng.normal(size=(3, 2, d, d)), rng.normal(size=(2, 4, e, e))
    theta = rng.normal(size=(l, d, e, r)) + 1j * rng.normal(size=(l, d, e, r))
    pair = PairOperator(left, w1, w2, right)
    expected = np.einsum("axb,xypq,yzst,czd,bqtd->apsc", left, w1, w2, right, theta, optimize=True)
    np.testing.assert_allclose(pair(theta), expected, atol=1e-10)
    assert pair.fused == (max(l * d, e * r) <= FUSED)
    one, w = theta[:, :, 0], rng.normal(size=(3, 4, d, d))
    site = SiteOperator(left, w, right)
    expected = np.einsum("axb,xzpq,czd,bqd->apc", left, w, right, one, optimize=True)
    np.testing.assert_allclose(site(one), expected, atol=1e-10)
    assert site.fused == (l * d <= FUSED)


def test_taylor_step_halves_itself_where_it_must():
    battery = spin_chain.xxz(cells=6)
    state = battery.initial_state()
    out = taylor_step(state.tensors, battery.charging.to_mpo().tensors, -2.0j, mb.Truncation(64, 1e-16), Ledger())
    got = mb.MPS(battery.sites, out, 0).to_dense()
    assert np.linalg.norm(got - exact_after(battery, state, 2.0)) < 1e-6


@pytest.mark.parametrize("method", [mb.TEBD(0.05), mb.TEBD(0.05, moving_centre=True), mb.TDVP(0.1), mb.Exact()])
def test_phase_of_an_eigenstate(method):
    """An eigenstate only turns its phase: exp(-i E t)."""
    terms = spin_chain.xxz(cells=6).energy
    energy, u = np.linalg.eigh(terms.to_dense())
    state = mb.MPS.from_dense(terms.sites, u[:, 9].astype(complex))
    battery = mb.Battery(terms.sites, range(6), terms, terms, empty=state)
    got = vector_after(method, battery, state, 1.5)
    assert np.linalg.norm(got - np.exp(-1.5j * energy[9]) * u[:, 9]) < 2e-6


def test_schedule_is_sampled_at_the_right_times():
    """Free spins under f(t) X turn by the integral of f, which a shifted sampling would miss."""
    sites = [mb.Spin()] * 4
    energy, drive = mb.Terms(sites), mb.Terms(sites)
    for n in range(4):
        energy += 1.0, ("Z", n)
        drive += 1.0, ("X", n)
    for method in (mb.TEBD(0.05), mb.TDVP(0.05), mb.Exact()):
        battery = mb.Battery(sites, range(4), energy, mb.Schedule([(drive, lambda t: t**3 + 0.2)]))
        times = np.array([0.5, 0.9, 1.3])              # a run may begin at any time
        run = mb.charge(battery, times, method=method)
        angle = (times**4 - 0.5**4) / 4 + 0.2 * (times - 0.5)
        np.testing.assert_allclose(run.data["energy"], 4 * (1 - np.cos(2 * angle)), atol=1e-6)
        # the power uses the envelope at the very time
        power = 8 * np.sin(2 * angle) * (times**3 + 0.2)
        np.testing.assert_allclose(run.data["power"], power, atol=1e-5)


@pytest.mark.parametrize("hermitian_size", [1, 2, 7, 30])
def test_krylov_exponential(hermitian_size):
    rng = np.random.default_rng(hermitian_size)
    a = rng.normal(size=(hermitian_size,) * 2) + 1j * rng.normal(size=(hermitian_size,) * 2)
    a = a + a.conj().T
    v = rng.normal(size=hermitian_size) + 0j
    got, residual = krylov.exponential(lambda x: a @ x, v, -0.7j, 1e-11)
    error = np.linalg.norm(got - scipy.linalg.expm(-0.7j * a) @ v)
    assert error < 1e-9
    assert residual < 1e-9


def test_krylov_reports_what_it_misses():
    """With too small a space the step is halved until the residual holds."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 60))
    a = a + a.T
    v = rng.normal(size=60) + 0j
    got, residual = krylov.exponential(lambda x: a @ x, v, -3j, 1e-10, dimension=8)
    assert np.linalg.norm(got - scipy.linalg.expm(-3j * a) @ v) < 1e-6
    assert residual < 1e-8 * np.linalg.norm(v)


def test_krylov_lowest():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(25, 25))
    a = a + a.T
    v = rng.normal(size=25)
    energy, vector, residual = krylov.lowest(lambda x: a @ x, v / np.linalg.norm(v), dimension=25)
    assert abs(energy - np.linalg.eigvalsh(a)[0]) < 1e-10
    assert np.linalg.norm(a @ vector - energy * vector) < residual + 1e-8


def test_engine_chooses_and_says_why():
    times = np.linspace(0, 1, 3)
    for battery, kind, reason in [
        (spin_chain.xxz(cells=6), mb.Exact, "only 64 dimensions"),
        (spin_chain.xxz(cells=40), mb.TEBD, "nearest neighbours"),
        (spin_chain.power_law(cells=40), mb.TDVP, "reach over 39 sites"),
        (syk.complex_syk(cells=11), mb.Exact, "volume law, so that bonds grow towards the largest"),
        (syk.majorana_syk(cells=11, kept=0.8), mb.Exact, "volume law"),
        (syk.complex_syk(cells=17), mb.TDVP, "so that bonds grow towards the largest: Exact, up to 4194304"),
    ]:
        method, why = choose(generator(battery), None, mb.Truncation(), times)
        assert isinstance(method, kind)
        assert reason in why
    for battery in (syk.sparse_syk(cells=11), syk.complex_syk(cells=11, q=2), spin_chain.power_law(cells=11)):
        assert "volume law" not in choose(generator(battery), None, mb.Truncation(), times)[1]


def test_bond_cap_is_noticed():
    """A run whose cap binds says until when to trust it and what to change."""
    run = mb.charge(spin_chain.xxz(cells=12, drive=2.0, exchange=1.0), np.linspace(0, 3, 13),
                    truncation=mb.Truncation(bond=6), method=mb.TEBD())
    assert run.budget.cap_bound > 0
    assert run.budget.t_trust < 3
    assert "bond cap of 6 bound" in run.outcome
    assert run.budget.max_bond == 6


def test_moving_centre_never_touches_the_norm():
    battery = spin_chain.xxz(cells=12)
    loose = mb.charge(battery, [0, 1.5], method=mb.TEBD(0.1, moving_centre=True), truncation=mb.Truncation(weight=1e-8))
    assert 0 < loose.budget.norm_defect <= 2 * loose.budget.discarded_weight
    assert np.isclose(loose.budget.norm_defect, loose.budget.discarded_weight, rtol=0.05)
