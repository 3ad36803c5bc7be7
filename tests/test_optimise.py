"""Optimal control: gradients against differences, optima against what is known to be best."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

import mps_battery as mb
from mps_battery.models import networks, spin_chain
from mps_battery.optimise import Fourier, Steps, gradient


def chain(cells=3, drift=True):
    """An XXZ chain and two drives."""
    battery = spin_chain.xxz(cells=cells, drive=0.0)
    x, y = mb.Terms(battery.sites), mb.Terms(battery.sites)
    for n in range(cells):
        x += 1.0, ("X", n)
        y += 1.0 + 0.2 * n, ("Y", n)
    return battery if drift else replace(battery, charging=0.0 * battery.energy), [x, y]


def by_matrices(battery, controls, x, duration):
    """Energy stored by constant steps, from exponentials."""
    h0, hc = battery.charging.to_dense(), [c.to_dense() for c in controls]
    psi, e = battery.initial_state().to_dense(), battery.energy.to_dense()
    before = np.vdot(psi, e @ psi).real
    for k in range(x.shape[1]):
        h = h0 + sum(a * c for a, c in zip(x[:, k], hc, strict=True))
        psi = expm(-1j * duration / x.shape[1] * h) @ psi
    return np.vdot(psi, e @ psi).real - before, psi


def test_value_and_gradient_of_steps():
    battery, controls = chain()
    x = np.random.default_rng(0).normal(size=(2, 4))
    value, slopes = gradient(battery, controls, 1.2, x, shape=Steps(4))
    assert value == pytest.approx(by_matrices(battery, controls, x, 1.2)[0], abs=1e-11)
    for c, p in ((0, 0), (0, 3), (1, 2)):
        step = np.zeros_like(x)
        step[c, p] = 1e-5
        up, down = (by_matrices(battery, controls, x + s * step, 1.2)[0] for s in (1, -1))
        assert slopes[c, p] == pytest.approx((up - down) / 2e-5, abs=2e-9)


def test_gradient_of_steps_by_matrix_products():
    battery, controls = chain()
    x = np.random.default_rng(0).normal(size=(2, 4))
    exact = gradient(battery, controls, 1.2, x, shape=Steps(4))
    found = gradient(battery, controls, 1.2, x, shape=Steps(4), method=mb.TEBD(dt=0.01))
    assert found[0] == pytest.approx(exact[0], abs=1e-8)
    np.testing.assert_allclose(found[1], exact[1], atol=1e-7)


def test_gradient_of_ergotropy():
    """Two cells out of three: the block of the others is traced out."""
    battery, controls = chain()
    inner = mb.Terms(battery.sites)
    inner += 0.7, ("Z", 0)
    inner += 1.1, ("Z", 2)
    inner += 0.2, ("X", 0), ("X", 2)
    battery = mb.Battery(battery.sites, [0, 2], inner, battery.charging, empty="down")
    x = np.random.default_rng(1).normal(size=(2, 3))
    _, slopes = gradient(battery, controls, 1.5, x, shape=Steps(3), objective="ergotropy")
    h = 0.7 * np.kron(np.diag([1, -1]), np.eye(2)) + 1.1 * np.kron(np.eye(2), np.diag([1, -1])) + 0.2 * np.kron(
        [[0, 1], [1, 0]], [[0, 1], [1, 0]])
    def work(amplitudes):
        psi = by_matrices(battery, controls, amplitudes, 1.5)[1].reshape(2, 2, 2)
        return mb.measure.ergotropy(np.einsum("abc,dbe->acde", psi, psi.conj()).reshape(4, 4), h)
    step = np.zeros_like(x)
    step[1, 1] = 1e-5
    assert work(x) > 0.1
    assert slopes[1, 1] == pytest.approx((work(x + step) - work(x - step)) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("method", [mb.Exact(), mb.TEBD(dt=0.03)])
def test_gradient_of_harmonics(method):
    battery, controls = chain(cells=2)
    x = np.random.default_rng(2).normal(size=(2, 2))
    given = {"shape": Fourier(2), "method": method}
    _, slopes = gradient(battery, controls, 0.6, x, **given)
    step = np.zeros_like(x)
    step[0, 1] = 1e-4
    up, down = (gradient(battery, controls, 0.6, x + s * step, **given)[0] for s in (1, -1))
    assert slopes[0, 1] == pytest.approx((up - down) / 2e-4, abs=3e-7)
    run = mb.charge(replace(battery, charging=mb.Schedule([(battery.charging, None), *(
        (h, lambda t, row=row: float(row @ np.sin(np.pi * np.arange(1, 3) * t / 0.6)))
        for h, row in zip(controls, x, strict=True))])), [0, 0.6], record={"energy": mb.Energy()}, bars=False)
    assert gradient(battery, controls, 0.6, x, **given)[0] == pytest.approx(run.data["energy"].values[-1], abs=1e-6)


def test_the_best_drive_of_a_still_cell_is_the_strongest():
    """H = a(t) X, |a| <= 1: the energy after T < pi/2 is at most 2 B sin^2 T, by a = 1 throughout."""
    battery, (x, _) = chain(cells=2, drift=False)
    battery = replace(battery, energy=0.5 * mb.terms.one_site_sum(battery.sites, "Z"))
    best = mb.optimise(battery, [x], 1.1, shape=Steps(5), first=np.array([[0.3, -0.2, 0.1, 0.5, 0.0]]))
    np.testing.assert_allclose(np.abs(best.amplitudes), 1.0, atol=1e-8)
    assert best.value == pytest.approx(2 * np.sin(1.1) ** 2, abs=1e-10)
    run = mb.charge(best.battery, [0, 0.55, 1.1], bars=False)
    assert run.data["energy"].values[-1] == pytest.approx(best.value, abs=1e-7)
    assert best.gradient < 1e-6


def test_power_is_best_at_the_known_time():
    """sin^2(T) / T is largest where tan T = 2 T, T = 1.16556: 0.724611."""
    battery, (x, _) = chain(cells=2, drift=False)
    battery = replace(battery, energy=0.5 * mb.terms.one_site_sum(battery.sites, "Z"))
    best = mb.optimise(battery, [x], 3.0, shape=Steps(2), objective="power")
    assert best.duration == pytest.approx(1.16556, abs=1e-4)
    assert best.value == pytest.approx(2 * 0.7246113, abs=1e-6)


def test_full_charge_of_an_interacting_chain():
    """Every level of the ladder of <H_B> lies below the largest eigenvalue, which two drives nearly reach."""
    battery, controls = chain(cells=3)
    top = np.linalg.eigvalsh(battery.energy.to_dense())[-1]
    start = battery.initial_state().expect(battery.energy).real
    best = mb.optimise(battery, controls, 2.0, shape=Steps(8), bound=2.0, starts=2, seed=1)
    assert best.begun < 0.9 * (top - start)
    assert 0.999 * (top - start) < best.value <= top - start + 1e-9


def test_a_charger_is_driven_for_ergotropy():
    """Cell behind charger: the drive acts on the charger alone, and a pure cell at the top has all as ergotropy."""
    battery = networks.spin_ladder(cells=1, splitting=1.0, rung=1.0, leg=0.0)
    battery = replace(battery, empty="down")
    charger = next(n for n in range(2) if n not in battery.cells)
    push = mb.Terms(battery.sites)
    push += 1.0, ("X", charger)
    best = mb.optimise(battery, [push], 4.0, shape=Fourier(4), bound=3.0, objective="ergotropy", iterations=25,
                       first=np.array([[1.0, 0.5, 0.0, 0.0]]))
    assert best.value > 0.95
    assert best.value <= 1 + 1e-9


@pytest.mark.slow
def test_long_chain_by_matrix_products():
    battery, controls = chain(cells=20)
    best = mb.optimise(battery, controls, 1.0, shape=Steps(4), bound=2.0, iterations=8, method=mb.TEBD(dt=0.1),
                       truncation=mb.Truncation(64, 1e-10))
    assert best.value > 1.1 * best.begun
    run = mb.charge(best.battery, [0, 0.25, 0.5, 0.75, 1.0], method=mb.TEBD(dt=0.05), bars=False)
    assert run.data["energy"].values[-1] == pytest.approx(best.value, rel=1e-4)


@pytest.mark.parametrize(("change", "word"), [
    ({"controls": []}, "controls"), ({"duration": 0.0}, "duration"), ({"objective": "fame"}, "objective"),
    ({"shape": "steps"}, "shape"), ({"bound": -1.0}, "bound"), ({"bound": [1.0]}, "bound"),
    ({"bound": "all"}, "bound"), ({"starts": 0}, "starts"),
    ({"iterations": 0}, "iterations"), ({"seed": -1}, "seed"), ({"first": np.full((2, 10), 3.0)}, "first")])
def test_bad_arguments(change, word):
    battery, controls = chain()
    given = {"controls": controls, "duration": 1.0} | change
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        mb.optimise(battery, **given)


def test_mixed_states_are_refused():
    battery, controls = chain()
    with pytest.raises(mb.InputError, match="`battery` must start in a pure state"):
        mb.optimise(replace(battery, empty="mixed"), controls, 1.0)
