"""The hub of a star that walks along its chain: against the dense twin, orders, what is a star and what is not."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve.choose import choose
from mps_battery.evolve.ladder import LadderTrain
from mps_battery.evolve.walk import WalkEvolution, hub_of, sweeps
from mps_battery.models import cavity, light, networks
from mps_battery.tensors import trains

TIGHT = mb.Truncation(256, 1e-17)
STARS = [
    (cavity.tavis_cummings(cells=4, coupling=0.5), True), (cavity.dicke(cells=3, cutoff=8), False),
    (cavity.cavity_heisenberg(cells=4, cutoff=7), False), (cavity.dicke_ising(cells=4, counter=0.0, cutoff=4), True),
    (cavity.disordered_cavity(cells=4, seed=3), True),
    (cavity.tavis_cummings(cells=3, light="coherent", photons=1), False),
    (light.three_level_dicke(cells=3, counter=0.0, cutoff=6), True), (light.flying_qubits(cells=4, photons=2), True),
    (networks.central_spins(cells=1, chargers=5, ising=0.7), True),
]
IDS = [f"{b.name}-{'ladder' if ladder else 'blocks'}" for b, ladder in STARS]


def evolved(battery, method, time, truncation=TIGHT):
    walk = WalkEvolution(method, battery.initial_state(), as_schedule(battery.charging), truncation, 0.0)
    walk.advance(time)
    return walk


def dense(battery, time):
    return mb.charge(battery, [0, time], method=mb.Exact(), record={"energy": mb.Energy()}).state.to_dense()


@pytest.mark.parametrize(("battery", "ladder"), STARS, ids=IDS)
def test_every_star_against_the_dense_twin(battery, ladder):
    """The whole vector, its phase included, and again without blocks."""
    expected = dense(battery, 1.0)
    dt = 0.025 if battery.name == "flying_qubits" else 0.05     # its pulses are short
    walk = evolved(battery, mb.TEBD(dt=dt), 1.0)
    assert isinstance(walk._train, LadderTrain) == ladder
    assert np.abs(walk.state.to_dense() - expected).max() < 2e-7
    plain = evolved(battery, mb.TEBD(dt=dt, blocks=None), 1.0)
    assert np.abs(plain.state.to_dense() - expected).max() < 2e-7


@pytest.mark.parametrize("order", [2, 4])
def test_order_of_the_sweeps(order):
    battery = cavity.cavity_heisenberg(cells=4, cutoff=7)
    expected, steps = dense(battery, 0.8), np.array([0.2, 0.1, 0.05])
    walks = [evolved(battery, mb.TEBD(dt=dt, order=order), 0.8, mb.Truncation(256, 1e-22)) for dt in steps]
    errors = [np.linalg.norm(walk.state.to_dense() - expected) for walk in walks]
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize(("order", "stages"), [(2, 1), (4, 3), (4, 4), (4, 5)])
def test_sweeps_fill_a_step(order, stages):
    fractions = sweeps(order, stages)
    assert len(fractions) == 2 * stages
    assert sum(fractions) == pytest.approx(1.0, abs=1e-14)
    assert fractions == pytest.approx(fractions[::-1], abs=1e-14)


@pytest.mark.parametrize("shape", [(4, 30), (5, 7), (9, 3), (2, 6, 40)])
def test_left_vectors_keep_what_a_gram_matrix_hides(shape):
    rng = np.random.default_rng(4)
    matrix = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    matrix *= 1e-3 ** np.arange(shape[-2])[:, None]
    u, s = trains.left_vectors(matrix)
    assert np.allclose(s, np.linalg.svd(matrix, compute_uv=False), rtol=1e-12, atol=1e-15)
    assert np.allclose(u.conj().swapaxes(-1, -2) @ u, np.eye(s.shape[-1]), atol=1e-14)
    assert np.allclose(np.linalg.norm(u.conj().swapaxes(-1, -2) @ matrix, axis=-1), s, rtol=1e-9, atol=1e-15)


def test_the_hub_is_found():
    for battery, _ in STARS:
        hub = next(n for n, s in enumerate(battery.sites) if n not in battery.cells) \
            if battery.name != "central_spins" else battery.cells[0]
        assert hub_of(as_schedule(battery.charging)) == hub
    for other in (light.two_mode(cells=3), cavity.extended_dicke(cells=4), networks.central_spins(cells=2, chargers=4)):
        assert hub_of(as_schedule(other.charging)) is None


def test_the_engine_lets_the_cavity_walk():
    battery = cavity.tavis_cummings(cells=12)
    run = mb.charge(battery, np.linspace(0, 6, 4))
    exact = mb.charge(battery, np.linspace(0, 6, 4), method=mb.Exact())
    assert "walks" in run.outcome
    for name in run.data:
        error = np.abs(run.data[name] - exact.data[name]).values
        assert error.max() < 1e-5 * max(1.0, float(np.abs(exact.data[name]).max()))
        assert np.all(error <= run.bars[name].values + 1e-12), name


@pytest.mark.parametrize(("battery", "weight", "walks"), [
    (cavity.dicke(cells=6), 1e-12, False), (cavity.dicke(cells=7), 1e-12, True), (cavity.dicke(cells=10), 1e-14, False),
    (cavity.dicke(cells=11), 1e-14, True), (cavity.tavis_cummings(cells=8), 1e-16, True),
    (cavity.cavity_heisenberg(cells=6), 1e-16, True), (cavity.dicke_ising(cells=6), 1e-16, True),
    (cavity.disordered_cavity(cells=6, counter=1.0), 1e-16, True),
])
def test_the_faster_of_swaps_and_operator(battery, weight, walks):
    """The table in `walk.py`: an MPO for small stars of alike sites, not joined, without a conserved charge."""
    method, why = choose(as_schedule(battery.charging), None, mb.Truncation(weight=weight), np.linspace(0, 1, 3))
    assert isinstance(method, mb.TEBD if walks else mb.TDVP)
    assert ("walks by swaps" if walks else "a few alike others") in why


def test_no_star_is_turned_away():
    with pytest.raises(mb.InputError, match="one site that couples to all"):
        mb.charge(light.two_mode(cells=3), [0, 1], method=mb.TEBD())
