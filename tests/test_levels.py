"""Three-level batteries: closed forms of free cells, an integrator of its own for coupled ones."""

from functools import reduce

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mps_battery as mb
from mps_battery.models import levels

G, E, F = np.eye(3)
ENERGY = {"energy": mb.Energy()}


def unit(a, b):
    return np.outer(a, b)


def at(cells, **factors):
    return reduce(np.kron, [factors.get(f"s{n}", np.eye(3)) for n in range(cells)])


def total(cells, matrix):
    return sum(at(cells, **{f"s{n}": matrix}) for n in range(cells))


def stored(battery, times, method=None):
    return mb.charge(battery, times, method=method, record=ENERGY, bars=False,
                     truncation=mb.Truncation(64, 0.0)).data["energy"].values


def fields(ramp, x):
    """W1, W2 over rabi and dh/dx, from the angle alone or from the straight lines."""
    if ramp == "linear":
        return x, 1 - x, 1 / (x**2 + (1 - x) ** 2)
    h, slope = {"sine": (np.pi * x / 2, np.pi / 2),
                "smooth": (np.pi / 2 * np.sin(np.pi * x / 2) ** 2, np.pi**2 / 4 * np.sin(np.pi * x))}[ramp]
    return np.sin(h), np.cos(h), slope


def integrated(cells, ramp, counterdiabatic, times, rabi, duration, middle, top, detuning, exchange):
    """Energy by DOP853 on matrices written out here."""
    plus = [total(cells, m + m.T) for m in (unit(G, E), unit(E, F))]
    third = total(cells, 1j * unit(G, F) - 1j * unit(F, G))
    still = detuning * total(cells, unit(E, E)).astype(complex)
    for n in range(cells - 1):
        for a, b in ((E, G), (F, E)):
            hop = at(cells, **{f"s{n}": unit(a, b), f"s{n + 1}": unit(b, a)})
            still = still + exchange * (hop + hop.T)

    def slope(t, psi):
        one, two, turn = fields(ramp, t / duration)
        h = rabi * (one * plus[0] + two * plus[1]) + still + counterdiabatic * turn / duration * third
        return -1j * (h @ psi)

    psi = reduce(np.kron, [G] * cells).astype(complex)
    found = solve_ivp(slope, (0, times[-1]), psi, method="DOP853", t_eval=times, rtol=1e-13, atol=1e-13).y
    energy = middle * total(cells, unit(E, E)) + top * total(cells, unit(F, F))
    return np.einsum("it,ij,jt->t", found.conj(), energy, found).real


@pytest.mark.parametrize("ramp", levels.RAMPS)
@pytest.mark.parametrize("counterdiabatic", [False, True])
def test_passage_against_an_integrator(ramp, counterdiabatic):
    given = {"rabi": 5.0, "duration": 1.0, "middle": 1.1, "top": 2.0, "detuning": 0.7, "exchange": 0.8}
    times = np.linspace(0, 1, 5)
    battery = levels.stirap(cells=2, ramp=ramp, counterdiabatic=counterdiabatic, **given)
    expected = integrated(2, ramp, counterdiabatic, times, **given)
    np.testing.assert_allclose(stored(battery, times), expected, atol=1e-8)
    np.testing.assert_allclose(stored(battery, times, mb.TEBD(dt=0.005)), expected, atol=1e-8)


@pytest.mark.parametrize(("ramp", "share"), [
    ("linear", lambda x: x**2 / (x**2 + (1 - x) ** 2)), ("sine", lambda x: np.sin(np.pi * x / 2) ** 2),
    ("smooth", lambda x: np.sin(np.pi / 2 * np.sin(np.pi * x / 2) ** 2) ** 2)])
def test_counterdiabatic_cells_follow_at_any_speed(ramp, share):
    x = np.r_[0, 0.3, 0.7, 1.0]
    battery = levels.stirap(cells=6, ramp=ramp, counterdiabatic=True, rabi=2.0, duration=0.5, detuning=0.4)
    found = stored(battery, x / 2, mb.TEBD(dt=0.005))
    np.testing.assert_allclose(found / 6, 1.95 * share(x), atol=1e-8)


def test_passage_has_a_closed_form():
    rabi, duration = 6.0, 1.3
    battery = levels.stirap(cells=2, ramp="sine", rabi=rabi, duration=duration)
    run = mb.charge(battery, [0, duration], record={"one": mb.Reduced([1])}, bars=False)
    turn = np.pi / 2 / duration
    w = np.hypot(rabi, turn)
    expected = ((rabi**2 + turn**2 * np.cos(w * duration)) / w**2) ** 2
    assert run.data["one"].values[-1][2, 2].real == pytest.approx(expected, abs=1e-8)


def test_charge_is_stable_after_a_slow_passage():
    found = stored(levels.stirap(cells=2, rabi=40.0), [0, 2.5, 2.8, 3.0])
    np.testing.assert_allclose(found[1:], 2 * 1.95, atol=1e-4)


def test_self_discharge_is_a_cascade():
    battery = levels.stirap(cells=2, ramp="sine", counterdiabatic=True, rabi=0.0, duration=1e-6, decay=0.3)
    found = stored(battery, [0, 1e-6, 1.0, 2.0])
    t = np.array([1.0, 2.0])
    f = np.exp(-0.3 * t)
    np.testing.assert_allclose(found[2:] / 2, 1.95 * f + 0.3 * t * f, atol=3e-6)


@pytest.mark.parametrize("phase", [np.pi / 2, -np.pi / 2, 0.4])
def test_closed_loop(phase):
    rabi, times = 1.3, np.linspace(0, 2, 5)
    k = np.arange(3)
    energies = 2 * rabi * np.cos((phase - 2 * np.pi * k) / 3)
    def share(site):
        return np.abs(np.exp(-1j * np.outer(times, energies) + 2j * np.pi * k * site / 3).sum(1)) ** 2 / 9
    found = stored(levels.closed_loop(cells=2, rabi=rabi, third=rabi, phase=phase), times)
    np.testing.assert_allclose(found / 2, share(1) + 1.95 * share(2), atol=1e-11)


def test_a_phase_of_a_quarter_goes_straight_to_the_top():
    found = stored(levels.closed_loop(cells=2), [0, 2 * np.pi / 3**1.5, 4 * np.pi / 3**1.5])
    np.testing.assert_allclose(found / 2, [0, 1.95, 1.0], atol=1e-12)


def test_pulses():
    t1, t2 = np.pi / 3, np.sqrt(2) * np.pi / 3
    def area(t, length):
        x = np.clip(t / length, 0, 1)
        return 3 * length / 2 * (x - np.sin(2 * np.pi * x) / (2 * np.pi))
    times = np.array([0, 0.3, 0.8, t1, t1 + 0.4, 2 * t1])
    a, b = area(times, t1), area(times - t1, t1)
    expected = np.sin(a) ** 2 * (np.cos(b) ** 2 + 1.95 * np.sin(b) ** 2)
    np.testing.assert_allclose(stored(levels.qutrit_pulses(cells=2), times) / 2, expected, atol=1e-9)
    times = np.array([0, 0.3, 0.8, t2, 2.0])
    a = area(times, t2)
    expected = np.sin(np.sqrt(2) * a) ** 2 / 2 + 1.95 * np.sin(a / np.sqrt(2)) ** 4
    np.testing.assert_allclose(stored(levels.qutrit_pulses(cells=2, simultaneous=True), times) / 2, expected, atol=1e-9)


def test_exchange_conserves_what_is_stored():
    battery = levels.closed_loop(cells=3, rabi=0.0, third=0.0, exchange=0.9)
    assert battery.charging.commutator(battery.energy).vanishes()
    hop = battery.charging.to_dense()
    assert hop[3 * 3 * 1, 3 * 1] == pytest.approx(0.9)                     # |egg><geg|
    assert hop[2 * 9 + 1 * 3, 1 * 9 + 2 * 3] == pytest.approx(0.9)          # |feg><efg|


@pytest.mark.parametrize(("model", "arguments", "word"), [
    ("stirap", {"ramp": "fast"}, "ramp"), ("stirap", {"duration": 0.0}, "duration"),
    ("stirap", {"decay": -1.0}, "decay"), ("stirap", {"middle": 3.0}, "middle"),
    ("stirap", {"counterdiabatic": 1}, "counterdiabatic"), ("qutrit_pulses", {"rabi": 0.0}, "rabi")])
def test_bad_arguments(model, arguments, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        getattr(levels, model)(**arguments)
