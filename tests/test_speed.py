"""Quantum speed limits of pure states: no state is faster, some are as fast, and one printed limit is none."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.measure.flows import speed


@pytest.mark.parametrize("seed", range(4))
def test_fastest_hamiltonian_between_two_states(seed):
    """Eq. 20: H = alpha |psi><phi| + h.c. on a chain of three turns psi into phi at the speed limit."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(8, 2)) + 1j * rng.normal(size=(8, 2)))
    alpha = rng.normal() + 1j * rng.normal()
    h = alpha * np.outer(q[:, 0], q[:, 1].conj())
    h = h + h.conj().T
    sites = [mb.Levels([str(k) for k in range(8)])]
    energy, charging = mb.Terms(sites), mb.Terms(sites)
    energy += 1.0, (np.diag(rng.normal(size=8)), 0)
    charging += 1.0, (h, 0)
    battery = mb.Battery(sites, [0], energy, charging, empty=[q[:, 0]])
    stop = np.pi / 2 / abs(alpha)
    run = mb.charge(battery, np.linspace(0, stop, 21), audits=True)
    assert run.data["angle"].values[-1] == pytest.approx(np.pi / 2, abs=1e-7)
    for name in ("mandelstam_tamm", "strength"):
        np.testing.assert_allclose(run.audits[name].used[1:], 1, atol=1e-6)
    least = speed.speed_limit_time(run.data["angle"].values, run.data["speed"].values, run.data["excitation"].values)
    assert least[-1] == pytest.approx(stop, rel=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_margolus_levitin(seed):
    """No random state of two to six levels is faster; the best mixture of two levels is just as fast."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 7))
    e = np.sort(rng.uniform(0, 1, size=d)) ** rng.integers(1, 5)
    e -= e[0]
    p = rng.dirichlet(np.full(d, rng.uniform(0.1, 1)))
    times = np.r_[np.geomspace(1e-3, 1, 30), np.linspace(1, 60, 90)]
    apart = np.sin(np.subtract.outer(e, e) * times[:, None, None] / 2) ** 2          # 1 - F^2 without cancellation
    angle = np.arctan2(np.sqrt(2 * (apart @ p) @ p), np.abs(np.exp(-1j * np.outer(times, e)) @ p))
    least = speed.speed_limit_time(angle, np.sqrt(p @ e**2 - (p @ e) ** 2), p @ e)
    assert np.all(least <= times * (1 + 1e-7))
    theta = rng.uniform(0.05, np.pi / 2)
    excited = np.linspace(1e-6, 1 - 1e-6, 100001)
    cosine = 1 - np.sin(theta) ** 2 / (2 * excited * (1 - excited))
    turned = np.abs(cosine) <= 1
    brute = np.min(excited[turned] * np.arccos(cosine[turned]))
    assert float(speed.margolus_levitin(theta)) == pytest.approx(brute, rel=1e-4)


def test_margolus_levitin_at_its_ends():
    assert float(speed.margolus_levitin(np.pi / 2)) == pytest.approx(np.pi / 2, rel=1e-12)
    assert float(speed.margolus_levitin(0.0)) == 0
    ratios = speed.margolus_levitin(np.array([1e-7, 1e-5, 1e-3])) / np.array([1e-7, 1e-5, 1e-3]) ** 2
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-5)
    assert 0.689 < ratios[0] < 0.691
    assert speed.speed_limit_time(0.3, 0.0) == np.inf
    assert speed.speed_limit_time(0.0, 0.0) == 0


def test_mean_energy_is_no_limit_between_states_that_overlap():
    """Eq. 17 with min(<E>, Delta E): a qubit excited by 1 % is ten times faster than its first half says."""
    p, t = 0.01, 0.1
    angle = np.arccos(abs(1 - p + p * np.exp(-1j * t)))
    assert angle / p > 9 * t
    assert float(speed.speed_limit_time(angle, np.sqrt(p * (1 - p)), p)) <= t
