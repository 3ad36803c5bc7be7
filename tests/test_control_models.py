"""Watched and steered batteries: steady states in closed form, a master equation from single measurements."""

import numpy as np
import pytest
from scipy.linalg import expm

import mps_battery as mb
from mps_battery import baths
from mps_battery.models import control

LOWER = np.array([[0.0, 0.0], [1.0, 0.0]])
X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
ENERGY = {"energy": mb.Energy()}


def lindblad(h, jumps, rho):
    out = -1j * (h @ rho - rho @ h)
    for jump in jumps:
        square = jump.conj().T @ jump
        out = out + jump @ rho @ jump.conj().T - (square @ rho + rho @ square) / 2
    return out


@pytest.mark.parametrize("efficiency", [1.0, 0.6])
def test_feedback_is_the_mean_over_records(efficiency):
    """One short detection at a time: a click of either sign, the answer exp(-i F I dt), the mean over both signs."""
    rng = np.random.default_rng(2)
    a = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    rho = a @ a.conj().T / np.trace(a @ a.conj().T)
    c, f, h = 0.9 * LOWER + 0.2j * Z, 0.7 * Y + 0.3 * X, 0.5 * Z
    sites = [mb.Spin()]
    light, response = mb.Terms(sites), mb.Terms(sites)
    light += 1.0, (c, 0)
    response += 1.0, (f, 0)
    added, jumps = baths.homodyne_feedback(light, response, efficiency)
    expected = lindblad(h + added.to_dense(), [j.terms.to_dense() for j in jumps], rho)
    slopes = []
    for dt in (1e-4, 5e-5):
        seen, missed = np.sqrt(efficiency) * c, np.sqrt((1 - efficiency) * dt) * c
        drift = np.eye(2) - (1j * h + c.conj().T @ c / 2) * dt
        after = missed @ rho @ missed.conj().T
        for sign in (1, -1):
            kraus = (drift + sign * np.sqrt(dt) * seen) / np.sqrt(2)
            answer = expm(-1j * f * sign * np.sqrt(dt) / np.sqrt(efficiency))
            after = after + answer @ kraus @ rho @ kraus.conj().T @ answer.conj().T
        slopes.append((after - rho) / dt)
    np.testing.assert_allclose(2 * slopes[1] - slopes[0], expected, atol=1e-6)


def test_feedback_turns_decay_into_its_opposite():
    times = np.linspace(0, 3, 4)
    battery = control.feedback_charging(cells=1, coupling=0.0, loss=0.7, efficiency=1.0)
    run = mb.charge(battery, times, record={"charger": mb.Reduced([0])}, bars=False)
    np.testing.assert_allclose(run.data["charger"].values[:, 0, 0].real, 1 - np.exp(-0.7 * times), atol=1e-10)


@pytest.mark.parametrize("efficiency", [0.5, 0.9])
def test_charge_that_an_imperfect_detector_holds(efficiency):
    battery = control.feedback_charging(cells=1, coupling=0.0, efficiency=efficiency)
    run = mb.charge(battery, [0, 40.0], record={"charger": mb.Reduced([0])}, bars=False)
    assert run.data["charger"].values[-1, 0, 0].real == pytest.approx(1 / (2 - efficiency), abs=1e-9)


def test_cells_are_filled_by_a_watched_charger():
    watched = mb.charge(control.feedback_charging(cells=2, efficiency=1.0), [0, 40.0], record=ENERGY, bars=False)
    blind = mb.charge(control.feedback_charging(cells=2, gain=0.0), [0, 40.0], record=ENERGY, bars=False)
    # the singlet of two cells takes nothing from one charger, and they start beside it
    assert watched.data["energy"].values[-1] == pytest.approx(2.0, abs=1e-4)
    assert abs(blind.data["energy"].values[-1]) < 1e-9


def test_feedback_against_a_matrix():
    battery = control.feedback_charging(cells=1, coupling=0.8, loss=0.5, gain=0.7, efficiency=0.8, occupation=0.3,
                                        drive=0.4)
    assert battery.cells == (1,)
    c, y, x = np.sqrt(0.65) * np.kron(LOWER, np.eye(2)), np.kron(Y, np.eye(2)), np.kron(X, np.eye(2))
    f = -0.7 * np.sqrt(0.65) * y
    hop = np.kron(LOWER, LOWER.T)
    h = 0.8 * (hop + hop.T) + 0.4 * x + (c.conj().T @ f + f @ c) / 2
    jumps = [c - 1j * f, 0.5 * f, np.sqrt(0.15 / 0.65) * c.conj().T]
    rho = np.zeros((4, 4), dtype=complex)
    rho[3, 3] = 1
    basis = np.eye(16).reshape(16, 4, 4)
    generator = np.array([lindblad(h, jumps, b).ravel() for b in basis]).T
    out = (expm(1.3 * generator) @ rho.ravel()).reshape(4, 4)
    up = np.kron(np.eye(2), np.diag([1, 0]))
    run = mb.charge(battery, [0, 1.3], record=ENERGY, bars=False)
    assert run.data["energy"].values[-1] == pytest.approx(np.trace(up @ out).real, abs=1e-10)


@pytest.mark.parametrize(("population", "coherence"), [(0.8, 0.0), (0.3, 0.4)])
def test_ergotropy_is_carried_whole_by_a_mirror(population, coherence):
    battery = control.ergotropy_transport(cells=2, splitting=1.2, hopping=0.9, population=population,
                                          coherence=coherence)
    arrival = np.pi * 2 / (2 * 0.9)
    record = {"energy": mb.Energy(), "work": mb.measure.BlockErgotropy(2, 3)}
    found = mb.charge(battery, [0, arrival], record=record, bars=False).data
    spread = 2 * population - 1 + np.hypot(2 * population - 1, 2 * coherence)
    assert found["energy"].values[-1] == pytest.approx(2 * 1.2 * population, abs=1e-9)
    # the ergotropy of product states of equal cells is more than the sum of that of a cell
    cell = np.array([[population, coherence], [coherence, 1 - population]])
    rho = np.kron(cell, cell)
    h = 1.2 * np.diag([2.0, 1.0, 1.0, 0.0])
    expected = mb.measure.ergotropy(rho, h)
    assert expected >= 1.2 * spread - 1e-12
    assert float(found["work"].values[-1].max()) == pytest.approx(expected, abs=1e-8)


def test_a_uniform_row_loses_ergotropy():
    """Mirrored couplings carry all of 2 x 0.6 at the time pi; uniform ones less at any time up to twice that."""
    battery = control.ergotropy_transport(cells=2, mirror=False)
    record = {"work": mb.measure.BlockErgotropy(2, 3)}
    found = mb.charge(battery, np.linspace(0, 6, 31), record=record, method=mb.Exact(), bars=False)
    assert 0.9 < found.data["work"].max() < 0.97 * 1.2


@pytest.mark.parametrize(("model", "arguments", "word"), [
    ("feedback_charging", {"efficiency": 0.0}, "efficiency"), ("feedback_charging", {"loss": -1.0}, "loss"),
    ("ergotropy_transport", {"population": 1.2}, "population"),
    ("ergotropy_transport", {"coherence": 0.5}, "coherence"), ("ergotropy_transport", {"mirror": 1}, "mirror")])
def test_bad_arguments(model, arguments, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        getattr(control, model)(**arguments)
