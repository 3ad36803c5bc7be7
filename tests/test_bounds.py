"""Rigorous bars, each step of the proof by itself: the Trotter error, the distance of the state, the quantities."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import solved
from methods import random_battery

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve.products import cheapest, layers
from mps_battery.evolve.trotter import StepError, expansion
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.models import spin_chain


def rng_of(*seed):
    return np.random.default_rng(np.random.SeedSequence([4, 7, *seed]))


def random_bonds(rng, dims):
    sizes = [a * b for a, b in itertools.pairwise(dims)]
    raw = [rng.normal(size=(s, s)) + 1j * rng.normal(size=(s, s)) for s in sizes]
    return [m + m.conj().T for m in raw]


def whole(bonds, dims, parity):
    """The sum of every second bond on the whole chain."""
    total = np.zeros((int(np.prod(dims)),) * 2, dtype=complex)
    for b in range(parity, len(bonds), 2):
        total += np.kron(np.kron(np.eye(int(np.prod(dims[:b]))), bonds[b]), np.eye(int(np.prod(dims[b + 2:]))))
    return total


def product_error(bonds, dims, order, stages, dt):
    """Norm distance up to a phase between one step of the product and the exact one, from the phases of U+ S."""
    parts = [whole(bonds, dims, parity) for parity in (0, 1)]
    difference = scipy.linalg.expm(1j * dt * sum(parts))
    for parity, fraction in reversed(layers(order, stages)):
        difference = difference @ scipy.linalg.expm(-1j * fraction * dt * parts[parity])
    phases = np.angle(np.linalg.eigvals(difference))
    return float(2 * np.sin((phases.max() - phases.min()) / 4))


# -- the Trotter error ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("order", "stages"), [(2, 1), (4, 3), (4, 4), (4, 5)])
@pytest.mark.parametrize("dims", [[2] * 6, [2, 3, 2, 2], [2, 2], [2, 2, 2]], ids=str)
def test_nested_commutators_bound_a_step(order, stages, dims):
    rng = rng_of(0, order, stages, len(dims))
    for seed in range(3):
        bonds = random_bonds(rng, dims)
        bound = StepError(bonds, dims, order)
        h = max(np.linalg.norm(b, 2) for b in bonds)
        for step in (0.01, 0.1, 0.5):
            error = product_error(bonds, dims, order, stages, step / h)
            assert error <= bound(step / h, stages) + 1e-13, (seed, step)


@pytest.mark.parametrize(("order", "stages", "most"), [(2, 1, 4), (4, 3, 45), (4, 4, 7), (4, 5, 30)])
def test_the_bound_of_a_step_is_of_the_order_and_near(order, stages, most):
    """Slope order + 1 in dt; above the true error of a chain of eight by no more than `most` at h dt = 0.1 and 0.25."""
    battery = spin_chain.xxz(cells=8)
    bonds, dims = battery.charging.to_bonds(), [2] * 8
    bound = StepError(bonds, dims, order)
    slope = np.log2(bound(2e-3, stages) / bound(1e-3, stages))
    assert -0.01 < slope - order - 1 < 0.2       # the next order is part of the bound
    ratios = [bound(dt, stages) / product_error(bonds, dims, order, stages, dt) for dt in (0.1, 0.04)]
    print(f"order {order}, {stages} stages: bound over error {ratios}")
    assert min(ratios) >= 1
    assert max(ratios) <= most


@pytest.mark.parametrize(("order", "stages", "step"), [(2, 1, 2e-3), (4, 3, 0.03), (4, 4, 0.06), (4, 5, 0.06)])
def test_the_bound_of_a_step_is_exact_for_short_steps_of_two_bonds(order, stages, step):
    """One piece holds all commutators there, and the leading term with its signs is all that counts at dt -> 0."""
    bonds = random_bonds(rng_of(14), [2, 2, 2])
    bound, steps = StepError(bonds, [2, 2, 2], order), np.array([1, 0.5]) * step / max(map(np.linalg.norm, bonds))
    ratios = [bound(dt, stages) / product_error(bonds, [2, 2, 2], order, stages, dt) for dt in steps]
    assert 1 <= ratios[1] <= ratios[0]
    assert abs(2 * ratios[1] - ratios[0] - 1) < 0.02


def word_matrix(word, parts):
    inner = parts[word[-1]]
    for letter in reversed(word[:-1]):
        inner = parts[letter] @ inner - inner @ parts[letter]
    return inner


@pytest.mark.parametrize(("order", "stages"), [(2, 1), (4, 3), (4, 5)])
@pytest.mark.parametrize("depth", range(1, 6))
def test_series_of_the_generator_of_a_step(order, stages, depth):
    """F(s) from exponentials against sum s^k F_k: the rest is within the bound (2) and of the power that it says."""
    bonds = random_bonds(rng_of(15, depth), [2, 2, 2, 2])
    parts = [whole(bonds, [2] * 4, parity) for parity in (0, 1)]
    terms, rest = expansion(order, stages, depth)
    bound = sum(c * np.linalg.norm(word_matrix(w, parts), 2) for w, c in rest.items())
    found = []
    for s in (0.02, 0.01):
        exact = np.zeros_like(parts[0])
        for letter, a in layers(order, stages):
            step = scipy.linalg.expm(-1j * a * s * parts[letter])
            exact = step @ exact @ step.conj().T + a * parts[letter]
        exact -= parts[0] + parts[1]
        series = sum((-1j * s) ** k * c * word_matrix(w, parts) for k, f in enumerate(terms) for w, c in f.items())
        found.append(np.linalg.norm(exact - series, 2))
        assert found[-1] <= bound * s**depth
    if found[1] > 1e-11:
        slope = np.log2(found[0] / found[1])
        assert abs(slope - max(depth, order)) < 0.3 or (order == 2 and depth == 3 and abs(slope - 4) < 0.3)


def test_the_bound_of_a_step_grows_with_the_chain_and_not_faster():
    bounds = [StepError(spin_chain.xxz(cells=n).charging.to_bonds(), [2] * n, 4)(0.1, 5) for n in (10, 20, 40)]
    assert abs((bounds[2] - bounds[1]) / (bounds[1] - bounds[0]) - 2) < 1e-6


def test_sites_too_large_for_nested_commutators_are_refused():
    with pytest.raises(mb.InputError, match=r"`bars` .* 'rigorous': .* 4096 dimensions.*order=2 spans fewer"):
        StepError(random_bonds(rng_of(1), [4] * 7), [4] * 7, 4)
    StepError(random_bonds(rng_of(1), [4] * 7), [4] * 7, 2)


# -- the distance of the state -----------------------------------------------------------------------------------
def test_losses_of_one_sweep_add_in_squares():
    """One layer of gates with many truncations is one projection: the ledger holds the norm distance itself."""
    for seed in range(4):
        battery = random_battery(rng_of(2, seed), 7)
        state = mb.charge(battery, [0, 0.7], method=mb.Exact(), bars=False).state
        method = mb.TEBD(dt=0.3, order=2, moving_centre=True)
        evolution = method.start(state, as_schedule(battery.charging), mb.Truncation(bond=4, weight=1e-3))
        bonds, parity = battery.charging.to_bonds(), seed % 2
        evolution._chain.move(6 * (seed // 2))                      # from the left and from the right
        evolution._run([(parity, 0.5)], np.ones(1), 0.3)
        unitary = scipy.linalg.expm(-0.15j * whole(bonds, [2] * 7, parity))
        before, after = unitary @ state.to_dense(), evolution.state.to_dense()
        distance = np.linalg.norm(before - after)
        assert evolution.ledger.truncations >= 3
        assert abs(distance**2 - np.linalg.norm(before) ** 2 + np.linalg.norm(after) ** 2) < 1e-13
        assert distance > 1e-3
        error, weight = evolution.ledger.state_error, evolution.ledger.discarded_weight
        assert distance * (1 - 1e-13) <= error <= distance * (1 + weight)


@pytest.mark.parametrize("seed", range(6))
def test_the_distance_of_the_state_is_proven(seed):
    rng = rng_of(3, seed)
    battery = random_battery(rng, 6)
    method = mb.TEBD(dt=float(rng.uniform(0.05, 0.2)), order=(2, 4)[seed % 2], moving_centre=True)
    truncation = mb.Truncation(int(rng.choice([3, 8])), 10 ** rng.uniform(-10, -4))
    evolution = method.start(battery.initial_state(), as_schedule(battery.charging), truncation)
    h = battery.charging.to_dense()
    for t in (0.3, 0.7, 0.8):
        evolution.advance(t)
        exact = scipy.linalg.expm(-1j * t * h) @ battery.initial_state().to_dense()
        state = evolution.state.to_dense()
        overlap = abs(np.vdot(exact, state)) / np.linalg.norm(state)
        assert np.sqrt(max(0.0, 1 - overlap**2)) <= evolution.distance()
    assert evolution.distance() > 1e-6


def test_steps_add_up():
    """Ten steps of the whole length and four of a shorter one, by formulas of fewer stages."""
    battery = random_battery(rng_of(16), 4)
    evolution = mb.TEBD(dt=0.1, moving_centre=True).start(battery.initial_state(), as_schedule(battery.charging),
                                                          mb.Truncation())
    error = StepError(battery.charging.to_bonds(), [2] * 4, 4)
    evolution.advance(1.0)
    assert abs(evolution.splitting_error() / (10 * error(0.1, 5)) - 1) < 1e-9
    for k in range(4):
        evolution.advance(1.02 + 0.02 * k)
    assert abs(evolution.splitting_error() / (10 * error(0.1, 5) + 4 * error(0.02, cheapest(4, 5))) - 1) < 1e-9


def test_rounding_stays_far_below_its_allowance():
    """Without truncation and splitting the distance is what is allowed for rounding alone."""
    battery = random_battery(rng_of(4), 2)
    evolution = mb.TEBD(dt=0.01, order=2, moving_centre=True).start(
        battery.initial_state(), as_schedule(battery.charging), mb.Truncation(weight=0))
    evolution.advance(5.0)
    exact = scipy.linalg.expm(-5j * battery.charging.to_dense()) @ battery.initial_state().to_dense()
    error = np.linalg.norm(evolution.state.to_dense() - exact)
    assert evolution.splitting_error() < 1e-11
    assert error < evolution.distance() - evolution.splitting_error()


# -- from the distance to the value ------------------------------------------------------------------------------
SITES = [mb.Spin()] * 4


def odd_terms():
    """Not Hermitian, with products of every length."""
    terms = mb.Terms(SITES)
    terms += 0.7, ("Sp", 0), ("Sm", 1)
    terms += 0.4 + 0.3j, ("Z", 1), ("X", 2), ("Y", 3)
    terms += 0.9, ("Z", 3)
    return terms


RECORD = {**mb.STANDARD, "z": mb.Expect("Z"), "sp": mb.Expect("Sp"), "xy": mb.Correlator("X", "Y"),
          "row": mb.Correlator("Sp", "Sm", 1), "pair": mb.Reduced([2, 0]), "odd": mb.Expect(odd_terms()),
          "current": mb.ChargeCurrent(), "flow": mb.EnergyCurrent()}


def pair_of_states(rng, distance):
    """Two pure states at a trace distance, as vectors; the second one random or a product state."""
    one = rng.normal(size=16) + 1j * rng.normal(size=16)
    if rng.random() < 0.5:
        one = np.einsum("a,b,c,d->abcd", *(rng.normal(size=(4, 2)) + 1j * rng.normal(size=(4, 2)))).ravel()
    one /= np.linalg.norm(one)
    other = rng.normal(size=16) + 1j * rng.normal(size=16)
    other -= one * np.vdot(one, other)
    return one, np.sqrt(1 - distance**2) * one + distance * other / np.linalg.norm(other)


def snapshot_of(battery, vector):
    return Snapshot(mb.MPS.from_dense(battery.sites, vector), 0.0, Observables(battery))


def test_no_state_within_the_distance_is_beyond_a_bar():
    rng, closest = rng_of(5), dict.fromkeys(RECORD, np.inf)
    for _ in range(25):
        battery = random_battery(rng, 4)
        distance = float(rng.choice([1e-4, 1e-2, 0.1, 0.5, 0.95]))
        here, there = (snapshot_of(battery, v) for v in pair_of_states(rng, distance))
        for name, quantity in RECORD.items():
            moved = np.abs(quantity.measure(there) - quantity.measure(here))
            bar = quantity.bar(here, distance)
            assert np.shape(bar) == np.shape(moved), name
            assert np.all(moved <= bar), (name, distance)
            closest[name] = min(closest[name], float(np.min(bar / np.maximum(moved, 1e-300))))
    print("smallest ratios of bar to change:", {k: f"{v:.2f}" for k, v in closest.items()})


@pytest.mark.parametrize("distance", [1e-3, 0.1, 0.7])
def test_bars_of_means_are_reached(distance):
    """The worst state lies along (O - <O>) phi where T is small, and mixes extreme eigenvectors elsewhere."""
    battery = random_battery(rng_of(6), 4)
    h = battery.energy.to_dense()
    e, u = np.linalg.eigh(h)
    rng = rng_of(7)
    here, _ = pair_of_states(rng, distance)
    other = h @ here - here * np.vdot(here, h @ here).real
    there = np.sqrt(1 - distance**2) * here + distance * other / np.linalg.norm(other)
    moved = np.vdot(there, h @ there).real - np.vdot(here, h @ here).real
    bar = mb.Energy().bar(snapshot_of(battery, here), distance)
    assert moved <= bar
    assert distance > 0.01 or bar <= 1.02 * moved
    # phi and psi whose difference is the difference of the extreme eigenvectors: T w, whatever T is
    angle = np.arcsin(distance) / 2
    here, there = ((np.cos(a) * u[:, 0] + np.sin(a) * u[:, -1]) for a in (np.pi / 4 - angle, np.pi / 4 + angle))
    moved = np.vdot(there, h @ there).real - np.vdot(here, h @ here).real
    bar = mb.Energy().bar(snapshot_of(battery, here), distance)
    assert abs(moved - distance * (e[-1] - e[0])) < 1e-10
    assert moved <= bar * (1 + 1e-9) <= 1.0001 * moved


# cos(theta) |a> + sin(theta) |b> from theta to theta + 0.01, with H_B = Z_0 + Z_1: what the bars cannot do without
REACHED = {
    "energy": (mb.Energy(), "0000", "1100", np.pi / 4, ()),
    "power": (mb.Power(), "1000", "0000", np.pi / 8, ()),
    "z": (mb.Expect("Z"), "0000", "1000", np.pi / 4, 0),
    "zz": (mb.Correlator("Z", "Z"), "0000", "0100", np.pi / 4, (0, 1)),
    "pair": (mb.Reduced([0, 3]), "0000", "1000", np.pi / 4, (0, 0)),
    "work": (mb.LocalErgotropy(), "0000", "1010", np.pi / 4 - 0.01, 0),
    "capacity": (mb.LocalCapacity(), "0000", "1010", np.pi / 4, 0),
    "variance of an eigenstate": (mb.EnergyVariance(), "0000", "1100", 0.0, ()),
    "variance": (mb.EnergyVariance(), "0000", "1100", 0.1, ()),
}


@pytest.mark.parametrize("name", REACHED)
def test_bars_are_reached(name):
    quantity, a, b, theta, place = REACHED[name]
    energy, drive = mb.Terms(SITES), mb.Terms(SITES)
    for n in (0, 1):
        energy += 1.0, ("Z", n)
    drive += 1.0, ("Y", 0)
    battery = mb.Battery(SITES, [0, 1], energy, drive)
    vectors = np.eye(16)[[int(a, 2), int(b, 2)]]
    here, there = (snapshot_of(battery, np.cos(t) * vectors[0] + np.sin(t) * vectors[1]) for t in (theta, theta + 0.01))
    moved = np.abs(np.asarray(quantity.measure(there)) - quantity.measure(here))[place]
    bar = np.asarray(quantity.bar(here, np.sin(0.01)))[place]
    assert moved <= bar * (1 + 1e-9)
    assert bar <= 1.12 * moved


def test_the_bar_of_work_is_reached_within_a_small_factor():
    """A state moved towards what a swap of the cell would draw: bars of local work are not far above the change."""
    ratios = []
    for seed in range(10):
        battery = random_battery(rng_of(8, seed), 4)
        here, _ = pair_of_states(rng_of(9, seed), 0.1)
        snapshot, h = snapshot_of(battery, here), battery.energy.to_dense()
        flip = solved.pauli_string(4, {1: solved.X})
        other = (h - flip @ h @ flip) @ here
        other -= here * np.vdot(here, other)
        there = np.sqrt(1 - 1e-2) * here + 0.1 * other / np.linalg.norm(other)
        for quantity in (mb.LocalErgotropy(), mb.LocalCapacity()):
            moved = abs(quantity.measure(snapshot_of(battery, there)) - quantity.measure(snapshot))[1]
            ratios.append(quantity.bar(snapshot, 0.1)[1] / moved)
    assert min(ratios) >= 1
    assert np.median(ratios) < 20


def test_the_bar_of_work_sees_only_what_touches_the_cell():
    bars = [mb.LocalErgotropy().bar(snapshot_at_start(spin_chain.xxz(cells=n)), 1e-3) for n in (4, 40)]
    np.testing.assert_allclose(bars[0][[0, 1]], bars[1][[0, 20]], rtol=1e-12)


def snapshot_at_start(battery):
    return Snapshot(battery.initial_state(), 0.0, Observables(battery))


def test_the_bar_of_entropy_is_the_bound_of_fannes_and_audenaert():
    """Reached by a pure cut against (1 - T, T/(d-1), ...), as values of the formula at d = 4 and beyond 1 - 1/d."""
    battery = spin_chain.xxz(cells=4)
    for t in (0.1, 0.5, 0.74):
        p = np.r_[1 - t, np.full(3, t / 3)]
        assert abs(mb.Entropy().bar(snapshot_at_start(battery), t)[1] + np.sum(p * np.log(p))) < 1e-12
    assert np.allclose(mb.Entropy().bar(snapshot_at_start(battery), 0.9), np.log([2, 4, 2]))
    sites = [mb.Spin()] * 2200
    one = mb.Terms(sites)
    one += 1.0, ("Z", 0)
    long = mb.Entropy().bar(snapshot_at_start(mb.Battery(sites, [0], one, one)), 1e-3)     # d = 2^1100 is no float
    assert abs(long[1099] - 1e-3 * (1100 * np.log(2) + 1 - np.log(1e-3))) < 1e-6


@pytest.mark.parametrize("cells", [3, 7, 9])
def test_width_of_terms(cells):
    """Exact where one block holds them, else above by less than the couplings between blocks."""
    for seed in range(2):
        terms = random_battery(rng_of(10, seed), cells).energy
        e = np.linalg.eigvalsh(terms.to_dense())
        exact = e[-1] - e[0]
        if cells <= 8:
            assert abs(terms.width - exact) < 1e-10
        else:
            assert exact <= terms.width <= 1.3 * exact


def test_width_of_odd_terms():
    sites = [mb.Boson(2), mb.Spin(), mb.Fermion()] * 4
    terms = mb.Terms(sites)
    assert terms.width == 0
    terms += 5.0,
    assert terms.width == 0
    terms += 2.0, *[("Z", n) for n in (1, 4, 7, 10)]
    assert terms.width == 4
    terms += 0.5, *[("N", n) for n in (0, 3, 6, 9)], *[("Z", n) for n in (1, 4, 7, 10)]   # 3^4 2^4 > 256: by its norm
    assert terms.width >= 4 + 0.5 * 2 * 16
    terms += 1.0, ("Cd", 2), ("C", 11)
    terms += 1.0, ("Cd", 11), ("C", 2)
    assert np.isfinite(terms.width)
