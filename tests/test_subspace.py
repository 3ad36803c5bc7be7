"""Truncation within the subspace that was kept before, against decompositions of whole matrices."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.evolve import subspace
from mps_battery.evolve.threads import shared
from mps_battery.models import open_chain
from mps_battery.tensors.truncation import Truncation


def spectral(rng, rows, columns, values, complex_=True):
    """A matrix of given singular values, and its right singular vectors as columns."""
    def isometry(n):
        a = rng.normal(size=(n, len(values))) + (1j * rng.normal(size=(n, len(values))) if complex_ else 0)
        return np.linalg.qr(a)[0]
    v = isometry(columns)
    return (isometry(rows) * values) @ v.conj().T, v


def turned(rng, v, angle, kept):
    """The first columns of v, turned out of their span."""
    noise = rng.normal(size=v.shape) * angle / np.sqrt(len(v))
    return np.linalg.qr(v + noise)[0][:, :kept]


@pytest.fixture
def never_whole(monkeypatch):
    """Fails where a whole matrix is decomposed."""
    monkeypatch.delattr(subspace, "spectrum")


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("shape", [(120, 120), (90, 200), (200, 90)])
@pytest.mark.usefixtures("never_whole")
def test_at_the_cap_the_loss_is_near_the_least_and_known_exactly(shape, complex_):
    rng = np.random.default_rng(1)
    values = 10 ** np.linspace(0, -5, 80)
    theta, v = spectral(rng, *shape, values, complex_)
    start = {0: turned(rng, v, 0.05, 30)}
    found, keep, discarded, capped = subspace.truncated({0: theta}, start, Truncation(30, 1e-13))
    weights, u = found[0]
    assert (keep, capped) == (30, True)
    u, total, least = u[:, :keep], np.sum(values**2), np.sum(values[30:] ** 2)
    assert np.allclose(u.conj().T @ u, np.eye(keep), atol=1e-13)
    lost = np.linalg.norm(theta - u @ (u.conj().T @ theta)) ** 2
    assert discarded * total == pytest.approx(lost, rel=1e-6)
    assert least <= lost < 1.02 * least
    assert np.allclose(weights[:20], values[:20] ** 2, rtol=1e-6)


@pytest.mark.usefixtures("never_whole")
def test_what_the_start_has_not_is_found():
    rng = np.random.default_rng(2)
    values = np.r_[10 ** np.linspace(0, -4, 30), np.full(50, 1e-7)]
    theta, v = spectral(rng, 120, 120, values)
    start = np.delete(v[:, :30], [0, 7], axis=1)                       # nothing of the largest, nor of the eighth
    found, keep, _, _ = subspace.truncated({0: theta}, {0: start}, Truncation(30, 1e-13))
    assert np.allclose(found[0][0][:keep], values[:30] ** 2, rtol=1e-8)


def test_where_there_is_no_room_the_whole_matrix_is_decomposed():
    rng = np.random.default_rng(3)
    values = 10 ** np.linspace(0, -3, 80)
    theta, v = spectral(rng, 160, 160, values)
    _, keep, discarded, capped = subspace.truncated({0: theta}, {0: v[:, :10]}, Truncation(200, 1e-5))
    tails = np.cumsum((values**2)[::-1])[::-1] / np.sum(values**2)
    assert (keep, capped) == (int(np.sum(tails > 1e-5)), False)
    assert discarded == pytest.approx(tails[keep], rel=1e-9)


def test_charges_are_truncated_together():
    rng = np.random.default_rng(4)
    many, few = 10 ** np.linspace(0, -4, 70), 10 ** np.linspace(-2, -6, 70)
    (a, v), (b, w) = (spectral(rng, 110, 110, x) for x in (many, few))
    kept = np.sort(np.r_[many, few])[::-1][:50]
    first = int(np.sum(many >= kept[-1]))
    starts = {0: v[:, :first + 4], 1: w[:, :max(1, 50 - first - 4)]}
    _, keep, discarded, _ = subspace.truncated({0: a, 1: b}, starts, Truncation(50, 1e-13))
    assert keep == 50
    assert discarded == pytest.approx(1 - np.sum(kept**2) / np.sum(many**2 + few**2), rel=5e-2)


def test_below_1e_13_and_where_asked_values_are_singular_values():
    rng = np.random.default_rng(5)
    values = 10 ** np.linspace(0, -12, 60)
    theta, v = spectral(rng, 100, 100, values)
    for how in ({"truncation": Truncation(100, 0.0)}, {"truncation": Truncation(100, 1e-10), "sharp": True}):
        weights = subspace.truncated({0: theta}, {0: v[:, :40]}, **how)[0][0][0]
        assert np.allclose(np.sqrt(weights[:50]), values[:min(50, len(weights))], rtol=1e-4)


@pytest.fixture
def small_subspaces(monkeypatch):
    """Subspaces also for small matrices; counts them."""
    used, new = [], subspace.Subspace.__init__

    def noticed(self, matrix, start):
        used.append(matrix.shape)
        new(self, matrix, start)
    monkeypatch.setattr(subspace, "SMALLEST", 8)
    monkeypatch.setattr(subspace, "growth", lambda _: 2)
    monkeypatch.setattr(subspace.Subspace, "__init__", noticed)
    return used


def test_densities_lose_no_accuracy(small_subspaces, monkeypatch):
    battery = open_chain.boundary_driven(cells=6)
    times = np.linspace(0, 1.5, 4)
    record = {"z": mb.Expect("Z")}
    exact = mb.charge(battery, times, method=mb.Exact(), record=record, bars=False, progress=False)

    def error():
        run = mb.charge(battery, times, method=mb.TEBD(dt=0.05), truncation=mb.Truncation(24, 1e-13), record=record,
                        bars=False, progress=False)
        return float(np.abs(run.data["z"].values - exact.data["z"].values).max()), run.budget.discarded_weight
    with_subspaces = error()
    assert len(small_subspaces) > 100
    monkeypatch.setattr(subspace, "SMALLEST", 10**9)
    whole = error()
    assert whole[0] < 1e-2
    assert with_subspaces[0] < 1.1 * whole[0] + 1e-9
    assert with_subspaces[1] == pytest.approx(whole[1], rel=0.3)


def test_blocks_of_pure_states_lose_no_accuracy(small_subspaces, monkeypatch):
    monkeypatch.setattr("mps_battery.evolve.tebd.CROSSOVER", 8)
    sites = (mb.Spin(),) * 12
    h = mb.Terms(sites)
    for k in range(11):
        for name, strength in (("Sx", 1.0), ("Sy", 1.0), ("Sz", 0.5)):
            h += strength, (name, k), (name, k + 1)
    battery = mb.Battery(sites, range(12), h, h, empty=["up", "down"] * 6)
    times = np.linspace(0, 3, 7)
    record = {"z": mb.Expect("Z")}
    exact = mb.charge(battery, times, method=mb.Exact(), record=record, bars=False, progress=False)

    def error():
        run = mb.charge(battery, times, method=mb.TEBD(dt=0.1, blocks=8), truncation=mb.Truncation(24, 1e-12),
                        record=record, bars=False, progress=False)
        return float(np.abs(run.data["z"].values - exact.data["z"].values).max())
    with_subspaces = error()
    assert len(small_subspaces) > 20
    monkeypatch.setattr(subspace, "SMALLEST", 10**9)
    whole = error()
    assert 1e-8 < whole < 0.1
    assert with_subspaces < 1.1 * whole


@pytest.mark.parametrize("hands", [2, 5])
def test_threads_change_nothing(hands, monkeypatch):
    monkeypatch.setattr(subspace, "WORTH_SHARING", 1)
    rng = np.random.default_rng(6)
    thetas, starts = {}, {}
    for m in range(7):
        thetas[m], v = spectral(rng, 60 + m, 70, 10 ** np.linspace(-m / 4, -5, 50))
        starts[m] = turned(rng, v, 0.05, 20)
    one, many = (subspace.truncated(thetas, starts, Truncation(90, 1e-13), hands=h) for h in (1, hands))
    assert one[1:] == many[1:]
    assert list(one[0]) == list(many[0])
    assert all(np.array_equal(a, b) for m in one[0] for a, b in zip(one[0][m], many[0][m], strict=True))


def test_a_failure_in_a_thread_is_heard():
    def work(n):
        if n == 5:
            raise ValueError("five")
    with pytest.raises(ValueError, match="five"):
        shared(work, range(20), 3)
