"""Work after a measurement: dense brute force, closed forms of teleported energy, facts of pure and product states."""

import numpy as np
import pytest
import solved
from scipy.optimize import minimize

import mps_battery as mb
from mps_battery.measure.work import directions
from mps_battery.measure.work.daemonic import (
    DaemonicErgotropy,
    block_daemonic_ergotropy,
    daemonic_ergotropy,
    local_daemonic_ergotropy,
)
from mps_battery.models import spin_chain

NAMES = {"X": solved.X, "Y": solved.Y, "Z": solved.Z}


def random_matrix(rng, d, rank):
    b = rng.normal(size=(d, rank)) + 1j * rng.normal(size=(d, rank))
    return b @ b.conj().T / np.linalg.norm(b) ** 2


def hermitian(rng, d):
    a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    return a + a.conj().T


def random_chain(rng, n, spare=()):
    """Interacting products, of three bodies too, none of them on the spare sites."""
    terms, used = mb.Terms([mb.Spin()] * n), [k for k in range(n) if k not in spare]
    for _ in range(3 * n):
        sites = rng.choice(used, size=int(rng.integers(1, min(len(used), 3) + 1)), replace=False)
        terms += rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    return terms


def random_state(rng, sites, mixed):
    """(state of the engine, density matrix)."""
    d = 2 ** len(sites)
    rho = random_matrix(rng, d, int(rng.integers(2, 6)) if mixed else 1)
    if mixed:
        return mb.Density.from_dense(sites, rho), rho
    return mb.MPS.from_dense(sites, np.linalg.eigh(rho)[1][:, -1]), rho


def random_kraus(rng, outcomes):
    """A general measurement of a qubit: blocks of an isometry."""
    q = np.linalg.qr(rng.normal(size=(2 * outcomes, 2)) + 1j * rng.normal(size=(2 * outcomes, 2)))[0]
    return list(q.reshape(outcomes, 2, 2))


def passive_energy(rho, h):
    return np.linalg.eigvalsh(rho)[::-1] @ np.linalg.eigvalsh(h)


def drawn(rho, h):
    return np.trace(rho @ h).real - passive_energy(rho, h)


def projectors(n):
    p = (np.eye(2) + np.tensordot(n, solved.PAULI, 1)) / 2
    return [p, np.eye(2) - p]


def conditional(rho, kraus, measured, n):
    big = [np.kron(np.kron(np.eye(2**measured), m), np.eye(2 ** (n - 1 - measured))) for m in kraus]
    return [m @ rho @ m.conj().T for m in big]


def from_cell(outcomes, h, site, n):
    """sum_k p_k (E_k - min over SU(2) on the site), quaternions and dense matrices."""
    return sum(np.trace(x @ h).real - solved.local_extremes(x, h, site, n)[0] for x in outcomes)


def best_of_sphere(value, starts):
    """Largest value over directions: a grid of the half sphere, then climbs from its best points."""
    polar, around = np.meshgrid(np.linspace(0, np.pi / 2, 13), np.linspace(0, 2 * np.pi, 25))
    angles = np.stack([polar.ravel(), around.ravel()], axis=1)

    def at(x):
        return value(np.array([np.sin(x[0]) * np.cos(x[1]), np.sin(x[0]) * np.sin(x[1]), np.cos(x[0])]))

    values = np.array([at(x) for x in angles])
    tops = angles[np.argsort(values)[-starts:]]
    return max(-minimize(lambda x: -at(x), x0, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-13}).fun
               for x0 in tops)


# -- given measurements --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(120))
def test_cells_against_brute_force(seed):
    rng = np.random.default_rng([seed, 1])
    n = int(rng.integers(2, 7))
    site, measured = (int(k) for k in rng.choice(n, 2, replace=False))
    uncoupled = seed % 3 == 0 and n > 2
    terms = random_chain(rng, n, spare=[measured] if uncoupled else [])
    state, rho = random_state(rng, terms.sites, mixed=seed % 2 == 1 and n < 6)
    direction = rng.normal(size=3)
    kinds = {0: ("XYZ"[seed % 3], projectors(np.eye(3)[seed % 3])),
             1: (direction, projectors(direction / np.linalg.norm(direction))), 2: (random_kraus(rng, 3),) * 2}
    asked, kraus = kinds[seed // 4 % 3]
    found, h = local_daemonic_ergotropy(state, terms, site, measured, asked), terms.to_dense()
    outcomes = conditional(rho, kraus, measured, n)
    assert abs(found.value - from_cell(outcomes, h, site, n)) < 1e-8
    assert abs(found.forgotten - from_cell([sum(outcomes)], h, site, n)) < 1e-8
    np.testing.assert_allclose(found.probabilities, [np.trace(x).real for x in outcomes], atol=1e-10)
    assert found.gain >= 0 == found.gap
    if uncoupled:
        assert abs(found.forgotten - mb.local_ergotropy(state, terms, site)) < 1e-9


@pytest.mark.parametrize("seed", range(100))
def test_blocks_against_brute_force(seed):
    """Own energy of two or three sites; the measured site outside, or inside with the work counted behind it."""
    rng = np.random.default_rng([seed, 2])
    n = int(rng.integers(4, 7))
    terms = random_chain(rng, n)
    size = int(rng.integers(2, 4))
    sites = sorted(int(k) for k in rng.choice(n, size, replace=False))
    terms += 0.3, ("Z", sites[0])
    measured = int(rng.choice(sites if seed % 4 == 0 else [k for k in range(n) if k not in sites]))
    state, rho = random_state(rng, terms.sites, mixed=seed % 2 == 1 and n < 6)
    kraus = random_kraus(rng, 2)
    h = np.zeros((2**n, 2**n), dtype=complex)
    for product, c in terms.products:
        if product and {k for k, _ in product} <= set(sites):
            one = mb.Terms(terms.sites)
            one._add(product, c)
            h += one.to_dense()
    h = solved.partial_trace(h, sites, n) / 2 ** (n - size)
    outcomes = [solved.partial_trace(x, sites, n) for x in conditional(rho, kraus, measured, n)]
    found = block_daemonic_ergotropy(state, terms, sites, measured, kraus)
    assert abs(found.value - sum(drawn(x, h) for x in outcomes)) < 1e-8
    assert abs(found.forgotten - drawn(sum(outcomes), h)) < 1e-8


# -- the best direction ----------------------------------------------------------------------------------------------
def dense_case(seed):
    rng = np.random.default_rng([seed, 3])
    d = int(rng.choice([2, 3, 4, 8]))
    return random_matrix(rng, 2 * d, int(rng.integers(1, 2 * d + 1))), hermitian(rng, d), d


def check_best_of_a_matrix(seed):
    rho, h, d = dense_case(seed)
    found = daemonic_ergotropy(rho, h)

    def value(n):
        return sum(drawn(np.einsum("ba,aibj->ij", p, rho.reshape(2, d, 2, d)), h) for p in projectors(n))

    expected, width = best_of_sphere(value, 3), np.ptp(np.linalg.eigvalsh(h))
    assert abs(value(np.array([np.trace(found.kraus[0] @ s).real for s in solved.PAULI])) - found.value) < 1e-10
    assert expected <= found.bound + 1e-10
    assert found.value >= expected - 1e-9
    assert found.value >= drawn(np.einsum("aiaj->ij", rho.reshape(2, d, 2, d)), h) - 1e-12
    return found.gap / width


def check_best_of_a_cell(seed):
    rng = np.random.default_rng([seed, 4])
    n = int(rng.integers(2, 5))
    terms = random_chain(rng, n)
    state, rho = random_state(rng, terms.sites, mixed=seed % 2 == 1)
    h = terms.to_dense()
    found = local_daemonic_ergotropy(state, terms, 0, n - 1)
    expected = best_of_sphere(lambda m: from_cell(conditional(rho, projectors(m), n - 1, n), h, 0, n), 2)
    assert expected <= found.bound + 1e-9
    assert found.value >= expected - 1e-8
    return found.gap


def check_best_of_a_block(seed):
    """The measured site inside: the measurement acts back, and what it leaves is quadratic in the direction."""
    rng = np.random.default_rng([seed, 5])
    terms = random_chain(rng, 3)
    state, rho = random_state(rng, terms.sites, mixed=True)
    found, h = block_daemonic_ergotropy(state, terms, [0, 1, 2], seed % 3), terms.to_dense()
    expected = best_of_sphere(lambda m: sum(drawn(x, h) for x in conditional(rho, projectors(m), seed % 3, 3)), 2)
    assert expected <= found.bound + 1e-9
    assert found.value >= expected - 1e-8
    return found.gap / np.ptp(np.linalg.eigvalsh(h))


BEST = [check_best_of_a_matrix, check_best_of_a_cell, check_best_of_a_block]


@pytest.mark.parametrize("check", BEST)
def test_best_direction(check):
    assert max(check(seed) for seed in range(2)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("check", BEST)
def test_best_direction_of_many(check):
    gaps = [check(seed) for seed in range(2, 122)]
    assert np.quantile(gaps, 0.95) < 1e-6, gaps


@pytest.mark.parametrize("back", [0.0, 1.0])
def test_bounds_of_triangles(back):
    """No direction inside a triangle passes its bound, with and without a part that is quadratic in the direction."""
    rng = np.random.default_rng(11)
    for _ in range(60):
        form = np.array([[hermitian(rng, 2) for _ in range(4)] for _ in range(4)])
        form[0, 1:] *= rng.choice([0, 1])
        form[1:, 0] = form[0, 1:]
        form = form + form.swapaxes(0, 1)
        form[1:, 1:] = back * form[1:, 1:] + np.multiply.outer(np.eye(3), hermitian(rng, 2))
        levels = np.sort(rng.normal(size=2))
        parts = directions._parts(form)

        def work(x, levels=levels):
            return -np.linalg.eigvalsh(x)[:, ::-1] @ levels

        corners = rng.normal(size=3) + rng.choice([0.05, 0.4, 2.0]) * rng.normal(size=(1, 3, 3))
        corners /= np.linalg.norm(corners, axis=2, keepdims=True)
        inner = rng.dirichlet(np.ones(3), size=40) @ corners[0]
        inner /= np.linalg.norm(inner, axis=1, keepdims=True)
        m = np.stack([np.c_[np.ones(40), inner], np.c_[np.ones(40), -inner]])
        outcomes = np.einsum("skj,ski,ijab->skab", m, m, form) / 4
        values = work(outcomes[0]) + work(outcomes[1])
        assert values.max() <= directions._bound(corners, parts, work)[0] + 1e-12


# -- facts -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_pure_joint_states_reach_the_most(seed):
    """Any rank-one measurement of the ancilla leaves pure states: W_D = E - e_0, the gain sum r e - e_0."""
    rng = np.random.default_rng([seed, 6])
    n = int(rng.integers(3, 7))
    measured = int(rng.integers(n))
    terms = random_chain(rng, n, spare=[measured])
    state, rho = random_state(rng, terms.sites, mixed=False)
    rest = [k for k in range(n) if k != measured]
    h = solved.partial_trace(terms.to_dense(), rest, n) / 2
    most = state.expect(terms).real - np.linalg.eigvalsh(h)[0]
    for measurement in ("best", "X", rng.normal(size=3)):
        found = block_daemonic_ergotropy(state, terms, rest, measured, measurement)
        assert abs(found.value - most) < 1e-9
        assert found.gap < 1e-9
        gain = passive_energy(solved.partial_trace(rho, rest, n), h) - np.linalg.eigvalsh(h)[0]
        assert abs(found.gain - gain) < 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_product_states_gain_nothing(seed):
    rng = np.random.default_rng([seed, 7])
    h, rho = hermitian(rng, 4), random_matrix(rng, 4, 3)
    for measurement in ("best", random_kraus(rng, 4)):
        found = daemonic_ergotropy(np.kron(random_matrix(rng, 2, 2), rho), h, measurement)
        assert abs(found.value - drawn(rho, h)) < 1e-10
        assert found.gain < 1e-12
        assert found.gap < 1e-9


def test_labels_tell_everything_and_equal_directions_leave_a_gap():
    """A classical label in the ancilla; and a singlet in noise, w |h| in all directions, where the bound stays open."""
    rng = np.random.default_rng(8)
    parts, h = [0.3 * random_matrix(rng, 4, 2), 0.7 * random_matrix(rng, 4, 3)], hermitian(rng, 4)
    rho = np.zeros((8, 8), dtype=complex)
    rho[:4, :4], rho[4:, 4:] = parts
    told = sum(drawn(x, h) for x in parts)
    assert abs(daemonic_ergotropy(rho, h, "Z").value - told) < 1e-12
    found = daemonic_ergotropy(rho, h)
    assert found.value >= told - 1e-10
    assert found.gap < 1e-6
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    found = daemonic_ergotropy(0.4 * np.outer(singlet, singlet) + 0.15 * np.eye(4), solved.Z)
    assert abs(found.value - 0.4) < 1e-12
    assert found.gap < 1e-3


@pytest.mark.parametrize(("h", "k", "expected"), [(1, 0.1, 0.0048659687), (1, 0.5, 0.0725727759), (1, 1, 0.1147476339),
                                                  (1.5, 1, 0.1425241660)])
def test_teleported_energy(h, k, expected):
    """Hotta's pair [REFERENCES 5.1]: X at one spin and the best rotation of the other draw sqrt(h^2 + 4 k^2) - ... ."""
    pair = mb.Terms([mb.Spin()] * 2)
    pair += h, ("Z", 0)
    pair += h, ("Z", 1)
    pair += 2 * k, ("X", 0), ("X", 1)
    ground = mb.MPS.from_dense(pair.sites, np.linalg.eigh(pair.to_dense())[1][:, 0])
    found = local_daemonic_ergotropy(ground, pair, 1, 0, "X")
    assert abs(found.value - (np.hypot(h, 2 * k) - (h * h + 2 * k * k) / np.hypot(h, k))) < 1e-10
    assert abs(found.value - expected) < 1e-9
    assert found.forgotten < 1e-10


def test_ancilla_of_more_levels_and_a_mode():
    """Photons counted in a cavity: which n a thermal mixture of |n, up or down> had is then known."""
    sites = [mb.Boson(2), mb.Spin()]
    terms = mb.Terms(sites)
    terms += 0.5, ("Z", 1)
    weights = [0.5, 0.3, 0.2]
    rho = sum(w * np.kron(np.diag(np.eye(3)[n]), np.diag([1.0, 0.0][::1 - 2 * (n % 2)]))
              for n, w in enumerate(weights))
    counted = [np.diag(np.eye(3)[n]) for n in range(3)]
    found = local_daemonic_ergotropy(mb.Density.from_dense(sites, rho), terms, 1, 0, counted)
    assert abs(found.value - 0.7) < 1e-12
    assert abs(found.forgotten - 0.4) < 1e-12
    assert found.probabilities == pytest.approx(weights)
    with pytest.raises(mb.InputError, match="Kraus operators on a site of 3 levels"):
        local_daemonic_ergotropy(mb.Density.from_dense(sites, rho), terms, 1, 0, "Z")


def test_recorded_for_pure_and_mixed_runs():
    """The record of a run against the functions; a chain of 60 beyond every dense form."""
    times, record = [0.0, 0.7], {"z": DaemonicErgotropy(1, "Z"), "pair": DaemonicErgotropy(3, "X", sites=[1, 2]),
                                 "best": DaemonicErgotropy(0, sites=[1, 2, 3])}
    pure = spin_chain.xxz(cells=4)
    jump = mb.Terms(pure.sites)
    jump += 0.4, ("Sm", 0)
    for battery in (pure, mb.Battery(pure.sites, pure.cells, pure.energy, pure.charging, [mb.Jump(jump)])):
        run = mb.charge(battery, times, record=record, bars=False)
        assert list(run.data["z"].coords[run.data["z"].dims[1]].values) == [0, 2, 3]
        assert run.data["pair"].dims == ("time",)
        along_y = block_daemonic_ergotropy(run.state, battery.energy, [1, 2, 3], 0, "Y").value
        assert run.data["best"].values[1] >= along_y - 1e-13
        expected = local_daemonic_ergotropy(run.state, battery.energy, 2, 1, "Z").value
        assert abs(run.data["z"].values[1, 1] - expected) < 1e-12
        expected = block_daemonic_ergotropy(run.state, battery.energy, [1, 2], 3, "X").value
        assert abs(run.data["pair"].values[1] - expected) < 1e-12
    long = spin_chain.xxz(cells=60)
    run = mb.charge(long, times, record={"z": DaemonicErgotropy(30, "Z")}, bars=False,
                    truncation=mb.Truncation(16, 1e-8))
    local = [mb.local_ergotropy(run.state, long.energy, n) for n in (5, 50)]
    np.testing.assert_allclose(run.data["z"].values[1, [5, 49]], local, atol=1e-5)      # far from the measured cell


@pytest.mark.parametrize(("arguments", "sentence"), [
    ((9, 0, "Z"), "Argument `site` must be from 0 to 3 and not the measured site 0"),
    ((0, 0, "Z"), "not the measured site"),
    ((1, 7, "Z"), "Argument `measured` must be from 0 to 3, but is 7"),
    ((1, 0, "W"), 'Argument `measurement` must be "X", "Y", "Z" or a direction'),
    ((1, 0, [0, 0, 0]), "not all zero"),
    ((1, 0, []), "Argument `measurement` must be a direction"),
    ((1, 0, [np.eye(2), np.eye(2)]), "be complete"),
    ((1, 0, [np.eye(3)]), "hold 2 x 2 matrices"),
])
def test_bad_input(arguments, sentence):
    battery = spin_chain.xxz(cells=4)
    with pytest.raises(mb.InputError, match=sentence):
        local_daemonic_ergotropy(battery.initial_state(), battery.energy, *arguments)


def test_bad_blocks():
    battery = spin_chain.xxz(cells=4, field=0.0)
    with pytest.raises(mb.InputError, match="at least one product of the energy"):
        block_daemonic_ergotropy(battery.initial_state(), battery.energy, [0, 2], 1)
    with pytest.raises(mb.InputError, match="a multiple of 3 wide"):
        daemonic_ergotropy(np.eye(4) / 4, np.eye(3))
    with pytest.raises(mb.InputError, match="leave another cell"):
        DaemonicErgotropy(0).axes(mb.Battery(battery.sites, [0], battery.energy, battery.charging))
