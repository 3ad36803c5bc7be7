"""Unitaries on a cell with free evolution in between: closed forms of an atom in a cavity, dense brute force, order."""

import numpy as np
import pytest
import solved
from scipy.linalg import expm
from scipy.optimize import minimize, minimize_scalar

import mps_battery as mb
from mps_battery.measure.work.extended import ExtendedLocalErgotropy, extended_local_ergotropy
from mps_battery.measure.work.own import spectrum_bounds
from mps_battery.models import spin_chain


def atom_and_mode(photons, splitting=1.0, coupling=0.3):
    """Jaynes-Cummings: splitting (|up><up| + a+ a) + coupling (a s+ + a+ s-)."""
    terms = mb.Terms([mb.Spin(), mb.Boson(photons)])
    terms += splitting / 2, ("Z", 0)
    terms += splitting / 2,
    terms += splitting, ("N", 1)
    terms += coupling, ("Sp", 0), ("A", 1)
    terms += coupling, ("Sm", 0), ("Ad", 1)
    return terms


def random_case(seed, largest=4):
    """(terms, state, rho, site) of an interacting chain, pure or mixed."""
    rng = np.random.default_rng([seed, 1])
    n = int(rng.integers(2, largest + 1))
    terms = mb.Terms([mb.Spin()] * n)
    for _ in range(2 * n):
        sites = rng.choice(n, size=int(rng.integers(1, 3)), replace=False)
        terms += 0.5 * rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    b = rng.normal(size=(2**n, 1 + 2 * (seed % 2))) + 1j * rng.normal(size=(2**n, 1 + 2 * (seed % 2)))
    rho = b @ b.conj().T / np.linalg.norm(b) ** 2
    state = mb.Density.from_dense(terms.sites, rho) if seed % 2 else mb.MPS.from_dense(terms.sites, b[:, 0] /
                                                                                      np.linalg.norm(b))
    return terms, state, rho, int(rng.integers(n))


def moved(rho, h, t):
    u = expm(-1j * h * t)
    return u @ rho @ u.conj().T


# -- an atom in a cavity -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("photons", [1, 2, 3])
def test_photons_are_drawn_one_by_one_until_nothing_is_left(photons):
    """|down, n> swings as cos(theta)|down, n> - i sin(theta)|up, n - 1> with theta = g sqrt(n) t.

    At theta = pi / 2 one flip draws one splitting and leaves |down, n - 1>; n flips draw n splittings, all of E - E_0,
    for g below the splitting.
    """
    terms = atom_and_mode(photons)
    state = mb.MPS.product(terms.sites, ["down", photons])
    times = np.linspace(0, 6, 31)
    found = extended_local_ergotropy(state, terms, 0, times, kicks=photons)
    assert found.value == pytest.approx(photons, abs=1e-8)
    assert found.bound == pytest.approx(photons, abs=1e-10)
    swings = [np.pi / (0.6 * np.sqrt(k)) for k in range(photons, 0, -1)]
    np.testing.assert_allclose(found.waits, swings, atol=1e-3)
    assert mb.local_ergotropy(state, terms, 0) < 1e-12
    one = extended_local_ergotropy(state, terms, 0, times)
    assert one.value == pytest.approx(1, abs=1e-8)
    touching = np.linalg.eigvalsh(terms.touching(0).to_dense())
    assert one.bound == pytest.approx(min(photons, np.ptp(touching)), abs=1e-10)
    replayed = mb.MPS.from_dense(terms.sites, _played(state.to_dense(), terms.to_dense(), found, 0, (2, photons + 1)))
    assert abs(photons - replayed.expect(terms).real - found.value) < 1e-10


def _played(vector, h, protocol, site, dims):
    left, right = int(np.prod(dims[:site])), int(np.prod(dims[site + 1:]))
    for wait, u in zip(protocol.waits, protocol.unitaries, strict=True):
        vector = np.kron(np.kron(np.eye(left), u), np.eye(right)) @ expm(-1j * h * wait) @ vector
    return vector


@pytest.mark.parametrize(("photons", "share", "coupling"),
                         [(1, 1.0, 0.3), (2, 1.0, 0.4), (1, 0.8, 0.7), (1, 0.55, 0.2)])
@pytest.mark.parametrize("horizon", [0.4, 1.3, 3.1, 6.0])
def test_one_unitary_within_a_horizon(photons, share, coupling, horizon):
    """share |down, n><down, n| + (1 - share)|down, 0><down, 0|, splitting 1.

    With theta as above K has the entries +-k, k = share g sqrt(n) sin(2 theta) / 2, across x and y, and z / 2 on its
    diagonal with z = -share cos(2 theta) - (1 - share), so that W(t) = max(z, 2 |k|), and W_1 is its largest value.
    """
    terms, (down, full) = atom_and_mode(photons, coupling=coupling), np.eye(photons + 1)[[0, photons]]
    rho = np.kron(np.diag([0, 1.0]), share * np.outer(full, full) + (1 - share) * np.outer(down, down))
    state = mb.MPS.product(terms.sites, ["down", photons]) if share == 1 else mb.Density.from_dense(terms.sites, rho)
    theta = coupling * np.sqrt(photons) * np.linspace(0, horizon, 400001)
    z = -share * np.cos(2 * theta) - (1 - share)
    expected = max(0.0, np.max(np.maximum(z, share * coupling * np.sqrt(photons) * np.abs(np.sin(2 * theta)))))
    found = extended_local_ergotropy(state, terms, 0, np.linspace(0, horizon, 16))
    assert abs(found.value - expected) < 1e-8
    assert found.value <= found.bound


# -- dense brute force -------------------------------------------------------------------------------------------------
def check_one_unitary(seed):
    """Every time of a grid by eigenvalues of quaternions, the three best peaks refined."""
    terms, state, rho, site = random_case(seed)
    h, n, times = terms.to_dense(), len(terms.sites), np.linspace(0, 2, 21)
    energy = np.trace(rho @ h).real

    def work(t):
        return energy - solved.local_extremes(moved(rho, h, t), h, site, n)[0]

    values = np.array([work(t) for t in times])
    best = max(values)
    for j in np.argsort(values)[-3:]:
        around = times[max(j - 1, 0)], times[min(j + 1, 20)]
        best = max(best, -minimize_scalar(lambda t: -work(t), bounds=around, method="bounded",
                                          options={"xatol": 1e-9}).fun)
    found = extended_local_ergotropy(state, terms, site, times)
    assert abs(found.value - best) < 1e-8
    assert mb.local_ergotropy(state, terms, site) <= found.value + 1e-12
    assert found.value <= found.bound + 1e-12
    assert abs(work(found.waits[0]) - found.value) < 1e-10


@pytest.mark.parametrize("seed", range(16))
def test_one_unitary_against_brute_force(seed):
    check_one_unitary(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16, 120))
def test_one_unitary_against_brute_force_many_times(seed):
    check_one_unitary(seed)


@pytest.mark.parametrize("seed", [0, 1])
def test_falls_under_free_evolution_and_rises_with_unitaries(seed):
    """What is reached from rho(s) within T - s is reached from rho within T."""
    terms, state, rho, site = random_case(seed, largest=3)
    h, make = terms.to_dense(), type(state).from_dense
    before = np.inf
    for later in (0.0, 0.5, 1.5):
        dense = moved(rho, h, later)
        now = make(terms.sites, dense if seed % 2 else np.linalg.eigh(dense)[1][:, -1])
        found = extended_local_ergotropy(now, terms, site, np.linspace(0, 2 - later, 21 - round(10 * later)))
        assert found.value <= before + 1e-8
        before = found.value
    one, two = (extended_local_ergotropy(state, terms, site, np.linspace(0, 2, 5), kicks=k)
                for k in (1, 2))
    assert one.value <= two.value + 1e-9
    assert two.value <= two.bound + 1e-12


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_two_unitaries_with_fixed_waits(seed):
    """At the waits that were chosen: one sweep against a search over both unitaries at once."""
    terms, state, rho, site = random_case(seed, largest=3)
    h, n = terms.to_dense(), len(terms.sites)
    found = extended_local_ergotropy(state, terms, site, [0.0, 0.8], kicks=2)
    rng, best = np.random.default_rng(seed), 0.0

    def energy(x, waits):
        out = rho
        for wait, theta in zip(waits, x.reshape(2, 3), strict=True):
            u = solved.pauli_string(n, {site: expm(1j * np.tensordot(theta, solved.PAULI, 1))}) @ expm(-1j * h * wait)
            out = u @ out @ u.conj().T
        return np.trace(out @ h).real

    for _ in range(3):
        best = max(best, np.trace(rho @ h).real - minimize(energy, rng.uniform(-2, 2, 6), args=(found.waits,)).fun)
    assert found.value >= best - 1e-8
    assert abs(np.trace(rho @ h).real - energy_of(found, rho, h, site, n) - found.value) < 1e-9


def energy_of(found, rho, h, site, n):
    for wait, u in zip(found.waits, found.unitaries, strict=True):
        big = solved.pauli_string(n, {site: u}) @ expm(-1j * h * wait)
        rho = big @ rho @ big.conj().T
    return np.trace(rho @ h).real


# -- long chains -------------------------------------------------------------------------------------------------------
def test_a_cell_of_a_chain_of_fifty():
    """At bond 32 within a grid of waits; one evolution serves the cells of a record; bounds without any dense form."""
    battery = spin_chain.xxz(cells=50)
    times, loose = np.linspace(0, 1.0, 6), mb.Truncation(32, 1e-8)
    extended = ExtendedLocalErgotropy(times, truncation=loose)
    run = mb.charge(battery, [0, 1.0], bars=False, truncation=loose, record={"w": mb.LocalErgotropy(), "x": extended})
    assert np.all(run.data["x"].values >= run.data["w"].values)
    found = extended_local_ergotropy(run.state, battery.energy, 24, times, truncation=loose)
    assert run.data["x"].values[1, 24] <= found.value + 1e-9
    assert found.value < run.data["x"].values[1, 24] + 1e-2
    assert found.value > run.data["w"].values[1, 24] + 1e-3
    h, short = battery.energy, spin_chain.xxz(cells=9).energy
    assert found.bound <= run.state.expect(h).real - spectrum_bounds(h)[0]
    levels = np.linalg.eigvalsh(short.to_dense())
    low, high = spectrum_bounds(short)
    assert low - 1e-9 <= levels[0] <= levels[-1] <= high + 1e-9


def test_a_density_and_long_range_record():
    """The dense twin of a record: mixed start, and terms that reach over the whole chain."""
    battery = spin_chain.power_law(cells=4)
    mixed = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging,
                       empty=[np.diag([0.2, 0.8])] * 4)
    times = np.linspace(0, 1, 5)
    for b in (battery, mixed):
        run = mb.charge(b, [0, 0.9], bars=False, record={"x": ExtendedLocalErgotropy(times)})
        dense = run.state.to_dense()
        rho = dense if b is mixed else np.outer(dense, dense.conj())
        h = b.energy.to_dense()
        expected = [max(np.trace(rho @ h).real - solved.local_extremes(moved(rho, h, t), h, k, 4)[0] for t in times)
                    for k in range(4)]
        np.testing.assert_allclose(run.data["x"].values[1], expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_bounds_of_a_spectrum(seed):
    """Clusters, products too long for one, a constant."""
    rng = np.random.default_rng([seed, 9])
    terms = mb.Terms([mb.Spin()] * 9)
    terms += -0.7,
    for _ in range(25):
        size = int(rng.choice([1, 2, 3, 9]))
        for names in ("XYZ", ("Sp", "Sp", "Sm")):
            sites = rng.choice(9, size=min(size, 9 if names == "XYZ" else 3), replace=False)
            term = mb.Terms(terms.sites)
            term += rng.normal(), *[(names[rng.integers(3)], int(s)) for s in sites]
            terms += term
            terms += term.adjoint()
    low, high = spectrum_bounds(terms)
    levels = np.linalg.eigvalsh(terms.to_dense())
    assert low <= levels[0]
    assert levels[-1] <= high


def test_bounds_that_are_met():
    """A chain without interaction: a cell gives what it has; one product of nine bodies: its coefficient."""
    terms = mb.Terms([mb.Spin()] * 12)
    for k in range(12):
        terms += 0.7, ("Z", k)
    found = extended_local_ergotropy(mb.MPS.product(terms.sites, "up"), terms, 3, [0.0, 0.5])
    assert found.value == pytest.approx(1.4, abs=1e-12) == found.bound
    long = mb.Terms([mb.Spin()] * 9)
    long += -2.0, *(("X", k) for k in range(9))
    assert spectrum_bounds(long) == pytest.approx((-2, 2))


@pytest.mark.parametrize(("arguments", "sentence"), [
    ((0, [0.1, 0.2]), "Argument `times` must be finite numbers that increase from 0"),
    ((0, [0, 0.2, 0.1]), "increase from 0"),
    ((4, [0.0]), "Argument `site` must be from 0 to 3, but is 4"),
    ((0, [0.0], 0), "Argument `kicks` must be a whole number of at least 1, but is 0"),
])
def test_bad_input(arguments, sentence):
    battery = spin_chain.xxz(cells=4)
    with pytest.raises(mb.InputError, match=sentence):
        extended_local_ergotropy(battery.initial_state(), battery.energy, *arguments)
