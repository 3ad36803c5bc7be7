"""Strokes by turns, against closed forms and small matrices."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import jv

import mps_battery as mb
from mps_battery.cycle import Apply, Evolve, Measure, Reset
from mps_battery.models import bath, spin_chain

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
UP, DOWN = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
ENERGY = {"energy": mb.Energy()}


def qubit(field=0.7, drive=0.4, jumps=(), empty="up"):
    """H_B = field Z; H = H_B + drive X."""
    sites = [mb.Spin()]
    energy, push = mb.Terms(sites), mb.Terms(sites)
    energy += field, ("Z", 0)
    push += drive, ("X", 0)
    return mb.Battery(sites, [0], energy, energy + push, jumps=jumps, empty=empty)


def levels(found):
    return found.data["energy"].values + found.data["energy"].attrs["energy_initial"]


def stays(tau, field=0.7, drive=0.4):
    """Probability that |up> is found up after tau."""
    w = np.hypot(field, drive)
    return 1 - (drive / w) ** 2 * np.sin(w * tau) ** 2


# -- Zeno protection -----------------------------------------------------------------------------------------------
def test_zeno_protection_of_a_driven_cell():
    tau, n = 0.15, 12
    found = mb.cycle(qubit(), [Evolve(tau), Measure("Z", [0], outcome=0)], cycles=n, record=ENERGY)
    assert found.probability == pytest.approx(stays(tau) ** n, abs=1e-12)
    # Delta^2 H tau^2 << 1: the survival is exp(-n Delta^2 H tau^2), with corrections of order n (drive tau)^2 (w tau)^2
    assert found.probability == pytest.approx(np.exp(-n * (0.4 * tau) ** 2), abs=n * (0.4 * tau) ** 2 * 0.01)
    np.testing.assert_allclose(levels(found)[2::2], 0.7, atol=1e-12)


def test_zeno_protection_when_outcomes_are_forgotten():
    tau, n = 0.3, 7
    found = mb.cycle(qubit(), [Evolve(tau), Measure("Z", [0])], cycles=n, record=ENERGY)
    expected = 0.7 * (2 * stays(tau) - 1) ** np.arange(1, n + 1)
    np.testing.assert_allclose(levels(found)[2::2], expected, atol=1e-12)


def test_three_steps_of_protection():
    """Drive a mixed cell along its unitary orbit, measure, set up anew what was found empty; then hold the charge."""
    tau, cold = 0.3, replace(qubit(), empty=[np.diag([0.2, 0.8])])
    driven = mb.cycle(cold, [Apply(X, [0])], record=ENERGY)
    assert levels(driven)[-1] == pytest.approx(0.7 * 0.6)
    measured = mb.cycle(replace(cold, empty=driven.state), [Measure("Z", [0], outcome=0)], record=ENERGY)
    assert measured.probability == pytest.approx(0.8)
    ready = mb.cycle(replace(cold, empty=driven.state), [Measure("Z", [0], response=[np.eye(2), X])], record=ENERGY)
    assert levels(ready)[-1] == pytest.approx(0.7)
    strokes = [Evolve(tau, name="storage"), Measure("Z", [0], response=[np.eye(2), X], name="rebuilt")]
    found = mb.cycle(replace(cold, empty=ready.state), strokes, cycles=5, record=ENERGY)
    start = found.data["energy"].attrs["energy_initial"]
    np.testing.assert_allclose(found.after("rebuilt")["energy"] + start, 0.7, atol=1e-12)
    # what was lost in between is what the flips cost
    np.testing.assert_allclose(found.after("storage")["energy"] + start, 0.7 * (2 * stays(tau) - 1), atol=1e-12)


def test_zeno_protection_in_a_bath_with_memory():
    """A measured cell at the end of a uniform chain: up means an empty chain, so that n looks keep |c(tau)|^(2n)."""
    tau, n = 0.4, 5
    battery = bath.self_discharge(length=7)
    found = mb.cycle(battery, [Evolve(tau), Measure("Z", [0], outcome=0)], cycles=n, record=ENERGY)
    assert found.probability == pytest.approx((jv(1, 2 * tau) / tau) ** (2 * n), abs=1e-9)
    assert isinstance(found.state, mb.MPS)
    # and it is a protection: the chain left alone loses more
    assert found.probability > 3 * (jv(1, 2 * n * tau) / (n * tau)) ** 2


def test_weak_measurements_dephase_by_their_strength():
    """M_+- keep 2 sqrt((1+s)(1-s)) / 2 of a coherence: (1 - s^2)^(1/2)."""
    s, n = 0.6, 4
    found = mb.cycle(qubit(empty="x+"), [Measure("Z", [0], strength=s)], cycles=n, record={"one": mb.Reduced([0])})
    expected = 0.5 * (1 - s**2) ** (np.arange(n + 1) / 2)
    np.testing.assert_allclose(found.data["one"].values[:, 0, 1].real, expected, atol=1e-12)


def test_samples_follow_their_probabilities():
    battery = qubit(empty=[np.array([0.6, 0.8])])
    look = Measure("Z", [0], outcome="sample")
    seen = [mb.cycle(battery, [look], record=ENERGY, seed=k).outcomes[0] for k in range(60)]
    assert {o.index for o in seen} == {0, 1}
    assert sum(o.index == 0 for o in seen) / 60 == pytest.approx(0.36, abs=0.2)
    assert {round(o.probability, 12) for o in seen} == {0.36, 0.64}
    again = mb.cycle(battery, [look], cycles=3, record=ENERGY, seed=5)
    assert len({o.index for o in again.outcomes}) == 1
    assert again.outcomes[1].probability == pytest.approx(1)


# -- operations in general -----------------------------------------------------------------------------------------
def test_a_pure_chain_through_all_strokes_is_the_product_of_its_matrices():
    battery = spin_chain.xxz(cells=4)
    rng = np.random.default_rng(3)
    gate = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    strokes = [Evolve(0.3), Apply(gate, [2, 0]), Measure("X", [1], outcome=1)]
    found = mb.cycle(battery, strokes, cycles=2, record=mb.STANDARD)
    u = expm(-0.3j * battery.charging.to_dense())
    full = np.einsum("acbd,xy,zw->cxazdybw", gate.reshape(2, 2, 2, 2), np.eye(2), np.eye(2)).reshape(16, 16)
    look = np.kron(np.kron(np.eye(2), (np.eye(2) - X) / 2), np.eye(4))
    psi, chances = np.eye(16)[15].astype(complex), []
    for _ in range(2):
        psi = look @ full @ u @ psi
        chances.append(np.linalg.norm(psi) ** 2)
        psi = psi / np.linalg.norm(psi)
    np.testing.assert_allclose([o.probability for o in found.outcomes], chances, atol=1e-11)
    h = battery.energy.to_dense()
    assert levels(found)[-1] == pytest.approx((psi.conj() @ h @ psi).real, abs=1e-11)
    assert abs(np.vdot(psi, found.state.to_dense())) == pytest.approx(1, abs=1e-11)
    assert list(found.data["stroke"].values) == ["start", *["evolve", "apply", "measure"] * 2]
    np.testing.assert_allclose(found.data["time"], [0, 0.3, 0.3, 0.3, 0.6, 0.6, 0.6])


def test_channels_and_resets_are_those_of_small_matrices():
    battery = spin_chain.xxz(cells=3)
    damp = [np.diag([0.8, 1.0]), np.array([[0, 0], [0.6, 0]])]
    warm = np.diag([0.3, 0.7])
    strokes = [Evolve(0.4), Apply(damp, [1]), Evolve(0.2), Reset([0, 2], warm)]
    found = mb.cycle(battery, strokes, record=mb.STANDARD_MIXED)
    h = battery.charging.to_dense()
    rho = np.zeros((8, 8), dtype=complex)
    rho[7, 7] = 1
    rho = expm(-0.4j * h) @ rho @ expm(0.4j * h)
    at = [np.kron(np.kron(np.eye(2), k), np.eye(2)) for k in damp]
    rho = sum(k @ rho @ k.conj().T for k in at)
    rho = expm(-0.2j * h) @ rho @ expm(0.2j * h)
    middle = np.einsum("abcadc->bd", rho.reshape([2] * 6))
    np.testing.assert_allclose(found.state.to_dense(), np.kron(np.kron(warm, middle), warm), atol=1e-11)


def test_bars_cover_the_difference_from_the_exact_passage():
    battery = spin_chain.xxz(cells=11)
    strokes = [Evolve(0.5), Measure("Z", [5], outcome="sample"), Evolve(0.5, charging=battery.energy)]
    exact = mb.cycle(battery, strokes, cycles=2, method=mb.Exact(), record=ENERGY, seed=1)
    found = mb.cycle(battery, strokes, cycles=2, record=ENERGY, seed=1)
    assert [o.index for o in found.outcomes] == [o.index for o in exact.outcomes]
    error = np.abs(found.data["energy"].values - exact.data["energy"].values)
    assert np.all(error <= found.bars["energy"].values)
    assert found.bars["energy"].max() < 1e-3
    assert exact.bars["energy"].max() < 1e-9


# -- self-discharge and ageing -------------------------------------------------------------------------------------
def test_self_discharge_and_ageing_over_cycles():
    """Flip, store with decay, draw by flipping back: the energy left after n cycles obeys a recursion of p."""
    sites = [mb.Spin()]
    energy, lower = mb.Terms(sites), mb.Terms(sites)
    energy += 0.5, ("Z", 0)
    lower += 0.5**0.5, ("Sm", 0)
    battery = mb.Battery(sites, [0], energy, energy, jumps=[mb.Jump(lower)], empty="down")
    strokes = [Apply(X, [0], name="charge"), Evolve(0.8, name="store"), Apply(X, [0], name="draw"),
               Evolve(0.3, name="rest")]
    found = mb.cycle(battery, strokes, cycles=4, record=ENERGY)
    p, kept = 0.0, []
    for _ in range(4):
        p = (1 - p) * np.exp(-0.4)
        kept.append(p)
        p = (1 - p) * np.exp(-0.15)
    np.testing.assert_allclose(found.after("store")["energy"], kept, atol=1e-9)


def test_a_bath_that_remembers_ages_a_battery():
    """Recharged by a swap with a fresh cell: what it lost sits in the chain, so that cycles differ; vector by hand."""
    battery = bath.self_discharge(strength=1.0, length=3)
    found = mb.cycle(battery, [Evolve(1.0, name="store"), Reset([0], "up")], cycles=3, record=ENERGY, method=mb.Exact())
    h = battery.charging.to_dense()
    rest = h.shape[0] // 2
    rho = np.zeros_like(h)
    rho[0, 0] = 1
    kept = []
    for _ in range(3):
        u = expm(-1j * h)
        rho = u @ rho @ u.conj().T
        blocks = rho.reshape(2, rest, 2, rest)
        kept.append(np.trace(blocks[0, :, 0]).real)
        rho = np.kron(UP, np.einsum("iaib->ab", blocks))
    np.testing.assert_allclose(found.after("store")["energy"] / 2 + 1, kept, atol=1e-9)
    assert abs(kept[2] - kept[0]) > 0.01


# -- input ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("strokes", "word"), [
    ([], "strokes"), (["measure"], "strokes"), ([Measure("Z", [0], outcome=2)], "outcome"),
    ([Measure("Z", [0], outcome="best")], "outcome"), ([Measure("Z", [3])], "sites"),
    ([Measure("Z", [0], response=[X])], "response"), ([Measure("Z", [0], response=[X, UP])], "response"),
    ([Apply(UP, [0])], "kraus"), ([Apply(np.eye(4), [0])], "kraus"), ([Measure("Z", [0], strength=2.0)], "strength"),
    ([Measure("Z", [0], outcome=1)], "outcome")])
def test_bad_strokes(strokes, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        mb.cycle(qubit(), strokes)


@pytest.mark.parametrize(("make", "word"), [
    (lambda: Evolve(0.0), "duration"), (lambda: Evolve(1.0, points=0), "points"),
    (lambda: mb.cycle(qubit(), [Evolve(1.0)], cycles=0), "cycles"),
    (lambda: mb.cycle(qubit(), [Evolve(1.0)], seed=-1), "seed"),
    (lambda: mb.cycle(qubit(), [Evolve(1.0)]).after("never"), "name"),
    (lambda: mb.cycle(qubit(), [Evolve(1.0)], record="energy"), "record"),                      # type: ignore[arg-type]
    (lambda: mb.cycle(qubit(), [Evolve(1.0)], truncation=16), "truncation"),                    # type: ignore[arg-type]
    (lambda: mb.cycle("battery", [Evolve(1.0)]), "battery")])                                   # type: ignore[arg-type]
def test_bad_arguments(make, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        make()


def test_density_starts():
    mixed = replace(qubit(), empty=[np.diag([0.75, 0.25])])
    found = mb.cycle(mixed, [Measure("Z", [0], outcome=1)], record=ENERGY)
    assert found.probability == pytest.approx(0.25)
    assert levels(found)[-1] == pytest.approx(-0.7)
