"""Heat, work and entropy: the chain between two baths and what is recorded of it, against dense references."""

import numpy as np
import pytest
import scipy.linalg
import solved
import solved_open

import mps_battery as mb
from mps_battery.models import open_chain

RNG = np.random.default_rng
X, Y, Z = solved.X, solved.Y, solved.Z
LOWER = (X - 1j * Y) / 2


def two_baths(n, splitting, exchange, anisotropy, betas, rate):
    """(H, {bath: jumps}) of the chain between two baths, written out."""
    h = sum(splitting / 2 * solved.pauli_string(n, {k: Z}) for k in range(n))
    for k in range(n - 1):
        for a, c in ((X, exchange), (Y, exchange), (Z, exchange * anisotropy)):
            h = h + c * solved.pauli_string(n, {k: a, k + 1: a})
    baths = {}
    for bath, k, beta in (("left", 0, betas[0]), ("right", n - 1, betas[1])):
        lower, quanta = solved.pauli_string(n, {k: LOWER}), 1 / (np.exp(beta * splitting) - 1)
        baths[bath] = [np.sqrt(rate * (1 + quanta)) * lower, np.sqrt(rate * quanta) * lower.T]
    return h, baths


def dissipated(rho, jumps):
    out = np.zeros_like(rho)
    for jump in jumps:
        decay = jump.conj().T @ jump
        out = out + jump @ rho @ jump.conj().T - 0.5 * (decay @ rho + rho @ decay)
    return out


def steady_matrix(h, jumps):
    rho = scipy.linalg.null_space(solved_open.lindblad_matrix(h, jumps), rcond=1e-10)
    assert rho.shape[1] == 1
    rho = rho.reshape(h.shape)
    return rho / np.trace(rho)


def ergotropy(rho, h):
    return np.trace(rho @ h).real - np.linalg.eigvalsh(rho)[::-1] @ np.linalg.eigvalsh(h)


# -- the chain between two baths -----------------------------------------------------------------------------------
@pytest.mark.parametrize("betas", [(0.2, 2.0), (2.0, 0.2), (0.7, 0.7)])
@pytest.mark.parametrize("n", [2, 3])
def test_steady_state_between_two_baths_against_dense(n, betas):
    battery = open_chain.two_bath_chain(cells=n, splitting=1.2, exchange=0.6, anisotropy=0.4, beta_left=betas[0],
                                        beta_right=betas[1], rate=0.7)
    h, baths = two_baths(n, 1.2, 0.6, 0.4, betas, 0.7)
    assert np.abs(battery.energy.to_dense() - h).max() < 1e-14
    assert np.abs(battery.charging.to_dense() - h).max() < 1e-14
    rho = steady_matrix(h, baths["left"] + baths["right"])
    steady = mb.steady_state(battery)
    found = steady.state.to_dense()
    assert np.abs(found - rho).max() < 1e-10
    assert ergotropy(found, h) == pytest.approx(ergotropy(rho, h), abs=1e-9)
    assert ergotropy(rho, h) > 0.05
    for k in range(n):
        low, _ = solved.local_extremes(rho, h, k, n)
        expected = np.trace(rho @ h).real - low
        assert mb.local_ergotropy(steady.state, battery.energy, k) == pytest.approx(expected, abs=1e-9)
    heat = recorded(battery, steady.state, {"heat": mb.HeatCurrent()})["heat"].values
    expected = [np.trace(h @ dissipated(rho, jumps)).real for jumps in baths.values()]
    assert np.abs(heat - expected).max() < 1e-10
    assert abs(heat.sum()) < 1e-10
    # from hot to cold, and none between equal temperatures
    assert np.sign(np.round(heat[0], 9)) == np.sign(betas[1] - betas[0])


def recorded(battery, state, record):
    """What a run records of a state at its first time."""
    given = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, battery.jumps, empty=state)
    return mb.charge(given, [0.0], record=record, bars=False).data.isel(time=0)


def test_equal_temperatures_without_interaction_give_gibbs():
    # two cells, so that a bath touches each
    battery = open_chain.two_bath_chain(cells=2, splitting=1.4, exchange=0.0, beta_left=0.6, beta_right=0.6)
    gibbs = scipy.linalg.expm(-0.6 * battery.energy.to_dense())
    assert np.abs(mb.steady_state(battery).state.to_dense() - gibbs / np.trace(gibbs)).max() < 1e-12


def test_equal_temperatures_with_interaction_give_gibbs_of_the_field_only():
    """Local jumps and an exchange that conserves sum Z: exp(-beta splitting / 2 sum Z) at any coupling, no heat."""
    battery = open_chain.two_bath_chain(cells=7, splitting=0.9, exchange=0.5, anisotropy=0.7, beta_left=1.1,
                                        beta_right=1.1)
    steady = mb.steady_state(battery, truncation=mb.Truncation(16, 1e-24), tolerance=1e-9)
    up = 1 / (1 + np.exp(1.1 * 0.9))
    for k in range(6):
        pair = np.kron(np.diag([up, 1 - up]), np.diag([up, 1 - up]))
        assert np.abs(steady.state.reduced([k, k + 1]) - pair).max() < 1e-8
    data = recorded(battery, steady.state, {"heat": mb.HeatCurrent(), "flow": mb.EnergyCurrent()})
    assert np.abs(data["heat"].values).max() < 1e-8
    assert np.abs(data["flow"].values).max() < 1e-8
    gibbs = mb.thermal_state(battery.energy, 1.1, bars=False).state
    assert np.abs(steady.state.reduced([2, 3]) - gibbs.reduced([2, 3])).max() > 0.02


def test_two_bath_chain_charges_from_all_down():
    battery = open_chain.two_bath_chain(cells=3)
    run = mb.charge(battery, [0, 0.8])
    h, baths = two_baths(3, 1.0, 0.8, 0.5, (0.2, 2.0), 0.5)
    start = np.zeros((8, 8))
    start[7, 7] = 1.0
    rho = solved_open.evolve_density(h, baths["left"] + baths["right"], start, 0.8)
    assert run.data["energy"].values[-1] == pytest.approx(np.trace(h @ (rho - start)).real, abs=1e-9)


@pytest.mark.parametrize("name", ["splitting", "beta_left", "beta_right", "rate"])
def test_two_baths_need_positive_numbers(name):
    with pytest.raises(mb.InputError, match=rf"^Argument `{name}` must be a positive number, but is -1\.0\.$"):
        open_chain.two_bath_chain(**{name: -1.0})
