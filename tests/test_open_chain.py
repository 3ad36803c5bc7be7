"""Models with jumps against the matrices that their docstrings spell out, at parameters that are all different."""

import numpy as np
import pytest
import solved
from solved import X, Y, Z

from mps_battery.models import open_chain

N = 4
UP, DOWN = np.array([[0, 1.0], [0, 0]]), np.array([[0, 0], [1.0, 0]])
ONE, EXCITED = np.eye(2), np.diag([1.0, 0.0])


def on(c, factors):
    return c * solved.pauli_string(N, factors)


def boundary_driven():
    exchange, anisotropy, field, rate, bias, dephasing = 1.3, 0.6, 0.25, 0.8, 0.35, 0.45
    h = sum(on(exchange * c, {n: a, n + 1: a}) for n in range(N - 1) for c, a in ((1, X), (1, Y), (anisotropy, Z)))
    h = h + sum(on(field, {n: Z}) for n in range(N))
    jumps = [("left", on(np.sqrt(rate * (1 + bias)), {0: UP})), ("left", on(np.sqrt(rate * (1 - bias)), {0: DOWN})),
             ("right", on(np.sqrt(rate * (1 - bias)), {3: UP})), ("right", on(np.sqrt(rate * (1 + bias)), {3: DOWN}))]
    jumps += [("dephasing", on(np.sqrt(dephasing / 2), {n: Z})) for n in range(N)]
    battery = open_chain.boundary_driven(N, exchange, anisotropy, field, rate, bias, dephasing)
    return battery, h, h, jumps, np.eye(16) / 16, (0, 1, 2, 3)


def lossy_chargers():
    splitting, coupling, loss = 1.2, 0.7, 0.3
    cells, chargers = (sum(on(splitting, {n: EXCITED}) for n in sites) for sites in ((1, 3), (0, 2)))
    h = cells + chargers + sum(on(coupling, {n: a, n + 1: b}) for n in (0, 2) for a, b in ((UP, DOWN), (DOWN, UP)))
    jumps = [("loss", on(np.sqrt(loss), {n: DOWN})) for n in (0, 2)]
    return open_chain.lossy_chargers(2, splitting, coupling, loss), cells, h, jumps, NEEL, (1, 3)


def thermal_charging():
    splitting, beta, rate = 1.4, 0.6, 0.3
    h = sum(on(splitting / 2, {n: Z}) for n in range(N))
    bose = 1 / (np.exp(beta * splitting) - 1)
    jumps = [("stream", on(np.sqrt(rate * c), {n: a})) for n in range(N) for c, a in ((1 + bose, UP), (bose, DOWN))]
    weights = np.exp(-beta * np.diag(h))
    return open_chain.thermal_charging(N, splitting, beta, rate), h, h, jumps, np.diag(weights / weights.sum()), \
        (0, 1, 2, 3)


def dark_pairs():
    splitting, rate = 1.7, 0.4
    cells, chargers = (sum(on(splitting, {n: EXCITED}) for n in sites) for sites in ((1, 3), (0, 2)))
    jumps = [("decay", np.sqrt(rate) * (on(1, {n: DOWN}) + on(1, {n + 1: DOWN}))) for n in (0, 2)]
    return open_chain.dark_pairs(2, splitting, rate), cells, cells + chargers, jumps, NEEL, (1, 3)


def decaying():
    splitting, rate = 1.7, 0.4
    h = sum(on(splitting, {n: EXCITED}) for n in range(N))
    jumps = [("decay", on(np.sqrt(rate), {n: DOWN})) for n in range(N)]
    return open_chain.decaying(N, splitting, rate), h, h, jumps, FULL, (0, 1, 2, 3)


def decaying_together():
    splitting, rate = 1.7, 0.4
    h = sum(on(splitting, {n: EXCITED}) for n in range(N))
    jumps = [("decay", sum(on(np.sqrt(rate), {n: DOWN}) for n in range(N)))]
    return open_chain.decaying(N, splitting, rate, collective=True), h, h, jumps, FULL, (0, 1, 2, 3)


NEEL = on(1, {0: EXCITED, 1: ONE - EXCITED, 2: EXCITED, 3: ONE - EXCITED})
FULL = on(1, dict.fromkeys(range(N), EXCITED))


@pytest.mark.parametrize("model", [boundary_driven, lossy_chargers, thermal_charging, dark_pairs, decaying,
                                   decaying_together])
def test_model(model):
    battery, energy, charging, jumps, start, cells = model()
    assert np.abs(battery.energy.to_dense() - energy).max() < 1e-13
    assert np.abs(battery.charging.to_dense() - charging).max() < 1e-13
    assert battery.cells == cells
    assert np.abs(battery.initial_state().to_dense() - start).max() < 1e-13
    assert len(battery.jumps) == len(jumps)
    for found, (bath, matrix) in zip(battery.jumps, jumps, strict=True):
        assert found.bath == bath
        assert found.rate is None
        assert np.abs(found.terms.to_dense() - matrix).max() < 1e-13
