"""Densities whose trace is not one, as evolution leaves them: every mean value is that of the normalised matrix."""

import numpy as np
import pytest
import solved

import mps_battery as mb
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot

SITES, SCALE = [mb.Spin()] * 4, 1.6


def random_density(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))
    rho = a @ a.conj().T
    return rho / np.trace(rho).real


def chain():
    h = mb.Terms(SITES)
    for k in range(4):
        h += 0.3 + k, ("Z", k)
        h += 0.5 - 0.2 * k, ("Y", k)
    for k in range(3):
        h += 1.0 - 0.3 * k, ("X", k), ("Y", k + 1)
    return h


def test_products_of_mixed_sites():
    """Their vectors are not of norm one: the purity is the product of those of the sites."""
    for n in (1, 4, 60):
        matrices = [np.diag([0.5 + 0.4 / (k + 1), 0.5 - 0.4 / (k + 1)]) for k in range(n)]
        sites = [mb.Spin()] * n
        assert mb.Density.product(sites, matrices).purity == pytest.approx(np.prod([np.sum(m**2) for m in matrices]))
        assert mb.Density.product(sites, "mixed").purity == pytest.approx(2.0**-n)
        assert mb.Density.product(sites, "neel").purity == pytest.approx(1)
        for labels in (matrices, "mixed", "neel"):
            state = mb.Density.product(sites, labels)
            assert state.trace == pytest.approx(1)
            assert max((state.operator_entropy(b) for b in range(n - 1)), default=0) < 1e-12


def test_long_range_evolution_of_a_long_mixed_chain():
    """Every spin decays alone, from the identity over 2^60, in trains whose norm is far below one."""
    sites = [mb.Spin()] * 60
    h, jumps = mb.Terms(sites), []
    h += 0.7, ("Z", 0), ("Z", 59)
    for k in range(60):
        jump = mb.Terms(sites)
        jump += 0.7, ("Sm", k)
        jumps.append(mb.Jump(jump))
    battery = mb.Battery(sites, range(60), h, h, jumps, empty="mixed")
    run = mb.charge(battery, [0, 0.2], record={"z": mb.Expect("Z"), "p": mb.Purity()}, bars=False)
    up = 0.5 * np.exp(-0.49 * 0.2)
    assert np.abs(run.data["z"].values[-1] - (2 * up - 1)).max() < 1e-8
    assert np.allclose(run.data["p"], [2.0**-60, (up**2 + (1 - up) ** 2) ** 60], rtol=1e-7, atol=0)
    assert run.budget.norm_defect < 1e-8


def test_states_of_any_trace():
    rho, h = random_density(1), chain()
    state = mb.Density.from_dense(SITES, SCALE * rho)
    assert state.trace == pytest.approx(SCALE, abs=1e-13)
    assert state.expect(h) == pytest.approx(np.trace(h.to_dense() @ rho), abs=1e-12)
    assert state.purity == pytest.approx(np.trace(rho @ rho).real, abs=1e-12)
    block = solved.partial_trace(rho, [1, 2], 4)
    assert state.renyi2(1, 2) == pytest.approx(-np.log(np.trace(block @ block).real), abs=1e-12)
    assert state.renyi2() == pytest.approx(-np.log(np.trace(rho @ rho).real), abs=1e-12)
    assert state.block_entropy(1, 2) == pytest.approx(solved.entropy(block), abs=1e-12)
    assert np.abs(state.reduced([3, 1]) - solved.partial_trace(rho, [3, 1], 4)).max() < 1e-13
    for width in (1, 2, 3, 4):
        least = min(np.linalg.eigvalsh(solved.partial_trace(rho, list(range(n, n + width)), 4))[0]
                    for n in range(5 - width))
        assert state.least_marginal(width) == pytest.approx(least, abs=1e-13)
    assert np.abs(state.normalised().to_dense() - rho).max() < 1e-13
    # site 3 holds the least eigenvalue of this one
    last = np.kron(np.eye(8) / 8, np.diag([1.2, -0.2]))
    assert mb.Density.from_dense(SITES, last).least_marginal(1) == pytest.approx(-0.2, abs=1e-13)


def test_operator_entropy_counts_nats_of_the_normalised_vector():
    """A maximally entangled pair: as an operator, four equal Schmidt values across its cut."""
    pair = np.zeros(4)
    pair[[0, 3]] = np.sqrt(0.5)
    state = mb.Density.from_dense(SITES[:2], SCALE * np.outer(pair, pair))
    assert state.operator_entropy(0) == pytest.approx(np.log(4), abs=1e-12)
    assert state.block_entropy(0, 0) == pytest.approx(np.log(2), abs=1e-12)


def test_snapshots_of_any_trace():
    rho, h, jump = random_density(2), chain(), mb.Terms(SITES)
    jump += 0.7, ("Sm", 2)
    battery = mb.Battery(SITES, range(4), h, h, [mb.Jump(jump)])
    snapshot = MixedSnapshot(mb.Density.from_dense(SITES, SCALE * rho), 0.0, MixedObservables(battery))
    whole = h.to_dense()
    energy = np.trace(whole @ rho).real
    assert snapshot.energy == pytest.approx(energy, abs=1e-12)
    assert snapshot.energy_squared == pytest.approx(np.trace(whole @ whole @ rho).real, abs=1e-12)
    for site in range(4):
        low, high = solved.local_extremes(rho, whole, site, 4)
        assert mb.local_ergotropy(snapshot.state, h, site) == pytest.approx(energy - low, abs=1e-9)
        assert mb.local_capacity(snapshot.state, h, site) == pytest.approx(high - low, abs=1e-9)
    # operators that differ from site to site, without symmetry, and do not commute on one site
    rng = np.random.default_rng(3)
    first, second = (rng.normal(size=(4, 2, 2)) + 1j * rng.normal(size=(4, 2, 2)) for _ in range(2))
    table = snapshot.correlations(list(first), list(second))
    for i in range(4):
        for j in range(4):
            a, b = solved.pauli_string(4, {i: first[i]}), solved.pauli_string(4, {j: second[j]})
            assert table[i, j] == pytest.approx(np.trace(a @ b @ rho), abs=1e-12)
