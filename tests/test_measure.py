"""Measured quantities against brute force."""

import methods
import numpy as np
import pytest
import solved

import mps_battery as mb
from mps_battery.battery import Battery
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.models import spin_chain


def random_case(seed):
    """Random interacting Terms with long-range and three-body products, and a random state of random bond."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 7))
    terms = mb.Terms([mb.Spin()] * n)
    for _ in range(3 * n):
        order = int(rng.integers(1, 4))
        sites = rng.choice(n, size=order, replace=False)
        terms += rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    vector = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    kind = seed % 3
    if kind == 1:            # a product state: pure marginals
        vector = np.ones(1)
        for _ in range(n):
            vector = np.kron(vector, rng.normal(size=2) + 1j * rng.normal(size=2))
    if kind == 2:            # a cat of two basis states: maximally mixed marginals
        vector = np.zeros(2**n, dtype=complex)
        vector[0], vector[-1] = 1, 1j
    return n, terms, vector / np.linalg.norm(vector)


@pytest.mark.parametrize("seed", range(60))
def test_local_work_against_brute_force(seed):
    """Closed form against the search over SU(2), 1e-9; the bounds 0 <= W <= ergotropy of the pure state."""
    n, terms, vector = random_case(seed)
    state = mb.MPS.from_dense(terms.sites, vector)
    h = terms.to_dense()
    for site in range(n):
        work, capacity = mb.local_ergotropy(state, terms, site), mb.local_capacity(state, terms, site)
        low, high = methods.local_work(vector, h, site, n)
        assert abs(work - low) < 1e-9
        assert abs(capacity - high) < 1e-9
        assert 0 <= work <= (vector.conj() @ h @ vector).real - np.linalg.eigvalsh(h)[0] + 1e-12
    if seed < 12:
        rng = np.random.default_rng(seed)
        rho = np.outer(vector, vector.conj())
        w, c = solved.local_ergotropy_bruteforce(rho, h, 1, n, rng)
        assert abs(mb.local_ergotropy(state, terms, 1) - w) < 1e-9
        assert abs(mb.local_capacity(state, terms, 1) - c) < 1e-9


@pytest.mark.parametrize("rank", [2, 3, 8])
def test_local_work_of_densities_against_brute_force(rank):
    """Mixed, 40 chains of 3 to 5 qubits a rank: closed form of every cell against dense extremes, 1e-9."""
    for seed in range(0, 120, 3):
        n, terms, vector = random_case(seed)
        if n > 5:
            continue
        rng = np.random.default_rng([rank, seed])
        noise = rng.normal(size=(rank - 1, 2**n)) + 1j * rng.normal(size=(rank - 1, 2**n))
        vectors = np.vstack([vector, noise / np.linalg.norm(noise, axis=1)[:, None]])
        rho = np.einsum("k,ka,kb->ab", rng.dirichlet(np.ones(rank)), vectors, vectors.conj())
        state, h = mb.Density.from_dense(terms.sites, rho), terms.to_dense()
        for site in range(n):
            low, high = quaternion_extremes(rho, h, site, n)
            mean = np.trace(rho @ h).real
            assert abs(mb.local_ergotropy(state, terms, site) - (mean - low)) < 1e-9
            assert abs(mb.local_capacity(state, terms, site) - (high - low)) < 1e-9


def quaternion_extremes(rho, h, site, n):
    """Lowest and highest energy under U = q0 - i q.sigma on one qubit: eigenvalues of a real form of 4 x 4."""
    parts = [np.eye(2**n), *(-1j * solved.pauli_string(n, {site: p}) for p in solved.PAULI)]
    form = np.array([[np.trace(h @ b @ rho @ a.conj().T).real for b in parts] for a in parts])
    low, *_, high = np.linalg.eigvalsh((form + form.T) / 2)
    return low, high


def test_edge_signs_of_the_closed_form():
    """Both signs of det K occur among the random cases; a formula without it would pass for one."""
    signs = set()
    for seed in range(12):
        n, terms, vector = random_case(seed)
        k = solved.correlation_matrix(np.outer(vector, vector.conj()), terms.to_dense(), 1, n)
        signs.add(int(np.sign(np.round(np.linalg.det(k), 12))))
    assert {-1, 1} <= signs


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_reduced_density_matrices_and_entropies(seed):
    n, terms, vector = random_case(seed)
    state = mb.MPS.from_dense(terms.sites, vector)
    for keep in ([0], [n - 1], [1, 2], [2, 0], list(range(n - 1))):
        np.testing.assert_allclose(state.reduced(keep), solved.reduced(vector, keep, n), atol=1e-12)
    for bond in range(n - 1):
        assert abs(state.entropy(bond) - solved.cut_entropy(vector, bond + 1)) < 1e-12
    assert abs(state.expect(terms) - vector.conj() @ terms.to_dense() @ vector) < 1e-11
    moved = state.canonical(1)
    assert abs(state.overlap(moved) - 1) < 1e-12


def test_recorded_observables():
    """Expectations, correlators and reduced matrices along a run against the dense state."""
    battery = spin_chain.xxz(cells=6)
    zz = mb.Terms(battery.sites)
    zz += 1.0, ("Z", 0), ("Z", 5)
    record = {"z": mb.Expect("Z"), "plus": mb.Expect("Sp"), "zz": mb.Expect(zz), "xy": mb.Correlator("X", "Y"),
              "row": mb.Correlator("Z", "X", site=2), "rho": mb.Reduced([4, 1])}
    times = np.array([0.0, 0.4, 0.8])
    run = mb.charge(battery, times, record=record, keep_states=True, method=mb.TEBD(),
                    truncation=mb.Truncation(weight=1e-14))
    assert run.data["xy"].dims == ("time", "site", "other_site")
    assert run.data["rho"].dims == ("time", "rho_ket", "rho_bra")
    for k, state in enumerate(run.states):
        v = state.to_dense()
        for site in range(6):
            def mean(factors, v=v):
                return v.conj() @ solved.pauli_string(6, factors) @ v
            plus = (solved.X + 1j * solved.Y) / 2
            assert abs(run.data["z"].values[k, site] - mean({site: solved.Z})) < 1e-9
            assert abs(run.data["plus"].values[k, site] - mean({site: plus})) < 1e-9
            other = (site + 3) % 6
            assert abs(run.data["xy"].values[k, site, other] - mean({site: solved.X, other: solved.Y})) < 1e-9
            same = {2: solved.Z @ solved.X} if site == 2 else {2: solved.Z, site: solved.X}
            assert abs(run.data["row"].values[k, site] - mean(same)) < 1e-9
        np.testing.assert_allclose(run.data["rho"].values[k], solved.reduced(v, [4, 1], 6), atol=1e-9)
        assert abs(run.data["zz"].values[k] - v.conj() @ zz.to_dense() @ v) < 1e-9
    assert set(run.bars) == set(record)


def test_power_of_a_power_law_chain_of_any_length():
    """i [H, H_B] by operator algebra equals the commutator written term by term."""
    battery = spin_chain.power_law(cells=9)
    rng = np.random.default_rng(2)
    vector = rng.normal(size=2**9) + 1j * rng.normal(size=2**9)
    vector /= np.linalg.norm(vector)
    state = mb.MPS.from_dense(battery.sites, vector)
    snapshot = Snapshot(state, 0.0, Observables(battery))
    expected = state.expect(1j * battery.charging.commutator(battery.energy)).real
    assert abs(mb.Power().measure(snapshot) - expected) < 1e-10
    h = battery.energy.to_dense()
    variance = np.linalg.norm(h @ vector) ** 2 - (vector.conj() @ h @ vector).real ** 2
    assert abs(mb.EnergyVariance().measure(snapshot) - variance) < 1e-9


def test_cells_of_more_levels_are_measured_when_asked():
    sites = [mb.Spin(1)] * 3
    energy, drive = mb.Terms(sites), mb.Terms(sites)
    for n in range(3):
        energy += 1.0, ("Sz", n)
        drive += 0.5, ("Sx", n)
    battery = Battery(sites, range(3), energy, energy + drive)
    assert "local_ergotropy" not in mb.charge(battery, [0, 1]).data
    # one spin turned by the drive: all that it holds above the lowest level can be drawn
    run = mb.charge(battery, [0, 1], record={"e": mb.Energy(), "w": mb.LocalErgotropy()})
    assert run.data["w"].values[1].sum() == pytest.approx(run.data["e"].values[1], abs=1e-6)


def test_ground_states():
    """Against free fermions at N = 60 and a dense twin with long range; the variance is the certificate."""
    reference = solved.IsingQuench(60, 1.0, 1.3, 1.0, 0.5)
    terms = spin_chain.ising_quench(cells=60, field=1.3).energy
    ground = mb.ground_state(terms)
    assert abs(ground.energy - reference.energy0(0.0)) < 1e-9
    assert ground.variance < 1e-8
    assert abs(ground.state.entropy(29) - reference.entropy(30, 0.0)) < 1e-6
    long_range = spin_chain.power_law(cells=10, coupling=-0.8).energy
    lowest = np.linalg.eigvalsh(long_range.to_dense())[0]
    assert abs(mb.ground_state(long_range).energy - lowest) < 1e-9
