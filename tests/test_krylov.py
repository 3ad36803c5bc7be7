"""Exponentials of matrices that are not Hermitian, in Krylov spaces, against the whole matrix."""

import numpy as np
import pytest
import scipy.linalg
import solved_open

import mps_battery as mb
from mps_battery.liouville import generator
from mps_battery.models import open_chain
from mps_battery.tensors.krylov import exponential, general_exponential


def damped(seed, n=60):
    """A matrix far from normal, with a spectrum to the left, and a vector whose norm is not one."""
    rng = np.random.default_rng(seed)
    return np.triu(rng.normal(size=(n, n)), 1) / 3 - np.diag(rng.uniform(0, 4, n)), 3 * rng.normal(size=n)


@pytest.mark.parametrize("dimension", [40, 12])
@pytest.mark.parametrize("tolerance", [1e-12, 1e-6, 1e-3])
def test_error_is_as_small_as_asked_and_reported(dimension, tolerance):
    a, v = damped(1)
    for z in (0.3, 1.5, 0.4 + 0.8j):
        vector = v.astype(complex) if np.iscomplexobj(z) else v
        found, reported = general_exponential(lambda x: a @ x, vector, z, tolerance, dimension)
        error = np.linalg.norm(found - scipy.linalg.expm(z * a) @ v)
        assert error < 10 * (tolerance + 1e-13) * np.linalg.norm(v)
        assert error < 3 * reported + 1e-12 * np.linalg.norm(v)


def test_the_errors_of_two_halves_add_up():
    a, v = damped(2)
    apply, z = a.__matmul__, 2.0
    whole, reported = general_exponential(apply, v, z, 1e-4, 6)
    half, first = general_exponential(apply, v, z / 2, 0.5e-4, 6)
    again, second = general_exponential(apply, half, z / 2, 0.5e-4, 6)
    assert np.array_equal(whole, again)
    assert min(first, second) > 0
    assert reported == pytest.approx(first + second)


def test_long_decay_in_one_step():
    """At z = 60 all of a small space has died, which says nothing about what lies outside."""
    rng = np.random.default_rng(7)
    a = np.diag(-np.linspace(1, 3, 50)) + np.diag(rng.uniform(0, 1, 49), -1)
    a[-1] -= a.sum(0)                                                # columns add up to zero: a master equation
    v = np.eye(50)[0]
    found, reported = general_exponential(lambda x: a @ x, v, 60.0, 1e-12, 20)
    assert np.linalg.norm(found - scipy.linalg.expm(60 * a) @ v) < 1e-10
    assert reported < 1e-11
    times = [0, 12.0]
    run = mb.charge(open_chain.decaying(cells=6, rate=0.8), times, method=mb.Exact(),
                    record={"z": mb.Expect("Z")}, bars=False)
    assert np.abs(run.data["z"].values[-1] + 1 - 2 * np.exp(-0.8 * 12)).max() < 1e-10
    assert run.budget.norm_defect < 1e-10


@pytest.mark.parametrize("periods", [0.5, 1, 1.5, 2])
def test_at_half_periods_of_a_small_space(periods):
    """Levels 0 and 1 alone return after a period of their own; what leaks on to level 2 and further does not."""
    a = np.diag([1.0, 0.7, *np.full(20, 0.9)], 1)
    a, v = a + a.T, np.eye(23)[0]
    z = 2j * np.pi * periods
    found, reported = exponential(lambda x: a @ x, v, -z)
    assert np.linalg.norm(found - scipy.linalg.expm(-z * a) @ v) < 1e-11
    assert reported < 1e-11
    twist = a * np.exp(0.3 * np.subtract.outer(np.arange(23), np.arange(23)))     # similar to a, and not Hermitian
    found, _ = general_exponential(lambda x: twist @ x, v.astype(complex), -z)
    expected = scipy.linalg.expm(-z * twist) @ v
    assert np.linalg.norm(found - expected) < 1e-10 * np.linalg.norm(expected)


def test_exact_evolution_at_half_a_period_of_the_start():
    """Sixteen cells turned in parallel: from all down, <Z> = -cos 2t, at the times at which sin 4t vanishes."""
    sites = [mb.Spin()] * 16
    h, stored = mb.Terms(sites), mb.Terms(sites)
    for k in range(16):
        h += 1.0, ("X", k)
        stored += 1.0, ("Z", k)
    battery = mb.Battery(sites, range(16), stored, h, empty="down")
    times = [0, np.pi / 4, np.pi / 2]
    run = mb.charge(battery, times, method=mb.Exact(), record={"energy": mb.Energy()}, bars=False)
    assert np.abs(run.data["energy"].values - [0, 16, 32]).max() < 1e-9


def test_exact_evolution_of_a_larger_density():
    """Six qubits are beyond a dense propagator: two chains of three that do not know of each other."""
    sites = [mb.Spin()] * 6
    h, jumps, halves = mb.Terms(sites), [], []
    for first in (0, 3):
        small = mb.Terms(sites[:3])
        losses = []
        for k in range(3):
            small += 0.3 * k + 0.1 * first, ("X", k)
            loss, alone = mb.Terms(sites), mb.Terms(sites[:3])
            for out, n in ((loss, k + first), (alone, k)):
                out += 0.4 + 0.1 * k, ("Sm", n)
                out += 0.2j, ("Z", n)
            jumps.append(mb.Jump(loss))
            losses.append(alone.to_dense())
        for k in range(2):
            small += 0.9, ("X", k), ("X", k + 1)
            small += -0.7, ("Y", k), ("Z", k + 1)
        for product, c in small.products:
            h._add(tuple((n + first, o) for n, o in product), c)
        rho = np.zeros((8, 8), dtype=complex)
        rho[0, 0] = 1.0
        halves.append(solved_open.evolve_density(small.to_dense(), losses, rho, 0.9))
    battery = mb.Battery(sites, range(6), h, h, jumps, empty="up")
    evolution = mb.Exact().start(battery.initial_state(), generator(battery), mb.Truncation())
    evolution.advance(0.4)
    evolution.advance(0.9)
    for k, expected in enumerate(halves):
        assert np.abs(evolution.state.reduced(range(3 * k, 3 * k + 3)) - expected).max() < 1e-10
    assert 0 < evolution.ledger.krylov_residual < 1e-10


@pytest.mark.parametrize("sites", [1, 2])
@pytest.mark.parametrize("driven", [False, True])
def test_projected_sweeps_of_a_density(sites, driven):
    """Bonds above `start_bond`, so that sweeps move the state and not Taylor steps."""
    chain, rng = [mb.Spin()] * 3, np.random.default_rng(3)
    h, v, jumps = mb.Terms(chain), mb.Terms(chain), []
    for k in range(2):
        for a in "XYZ":
            h += rng.normal(), (a, k), (a, k + 1)
        loss = mb.Terms(chain)
        loss += 0.5, ("Sm", k)
        loss += 0.3j, ("Z", k + 1)
        jumps.append(mb.Jump(loss))
    h += 0.4, ("X", 0), ("Y", 2)
    v += 0.6, ("X", 1)
    charging = mb.Schedule([(h, None), (v, np.cos)]) if driven else h
    battery = mb.Battery(chain, range(3), h, charging, jumps, empty="neel")
    evolution = mb.TDVP(dt=0.02, sites=sites, start_bond=2, krylov=1e-12).start(
        battery.initial_state(), generator(battery), mb.Truncation(256, 1e-24))
    evolution.advance(0.2)
    assert evolution.ledger.krylov_residual > 0
    rho, losses, steps = battery.initial_state().to_dense(), [j.terms.to_dense() for j in jumps], 20 if driven else 1
    for k in range(steps):                                           # Gauss points: a product of order 4
        dt = 0.2 / steps
        early, late = (np.cos((k + 0.5 + s * np.sqrt(3) / 6) * dt) if driven else 0.0 for s in (-1, 1))
        a, b = 0.5 + np.sqrt(3) / 3, 0.5 - np.sqrt(3) / 3
        for f in (a * early + b * late, b * early + a * late):
            rho = solved_open.evolve_density(h.to_dense() + f * v.to_dense(), losses, rho, dt / 2)
    assert np.abs(evolution.state.to_dense() - rho).max() < 1e-8
