"""The local problems of the sweeps that look for a steady state, against the same problems with whole matrices."""

import numpy as np
import pytest
import solved_open

import mps_battery as mb
from mps_battery.liouville import conserves_parity, generator
from mps_battery.steady import sweeps
from mps_battery.tensors.density import density_sites
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation

SITES = [mb.Spin()] * 3
WIDE = Truncation(10**6, 0.0)


def chain(parity):
    h, loss, pump = mb.Terms(SITES), mb.Terms(SITES), mb.Terms(SITES)
    for k in range(2):
        for c, a in ((1.0, "X"), (0.8, "Y"), (0.4, "Z")):
            h += c, (a, k), (a, k + 1)
    loss += 0.9, ("Sm", 0)
    pump += 0.7, ("Sp", 2)
    if not parity:
        h += 0.5, ("X", 1)
        pump += 0.3j, ("Z", 2)
    return mb.Battery(SITES, range(3), h, h, [mb.Jump(loss), mb.Jump(pump)], empty="mixed")


def coordinates():
    """Columns: ravelled products of 1, X, Y, Z over sqrt(2); and the weight of each, KAPPA for every identity."""
    basis = density_sites(SITES)[0].basis
    columns = np.array([np.kron(np.kron(a, b), c).ravel() for a in basis for b in basis for c in basis]).T
    local = np.array([sweeps.KAPPA, 1.0, 1.0, 1.0])
    return columns, np.kron(np.kron(local, local), local)


def problem(parity, rank=None):
    """(solver, weighted dense L, density): a random even density, or one of lower bond dimension."""
    battery, rng = chain(parity), np.random.default_rng(4)
    a = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho = a @ a.conj().T
    if parity:
        flip = np.diag([1, -1, -1, 1, -1, 1, 1, -1])
        rho = rho + flip @ rho @ flip
    rho /= np.trace(rho).real
    schedule = generator(battery)
    total = sum((t for t, _ in schedule.parts[1:]), schedule.parts[0][0].copy())
    assert conserves_parity(total) == parity
    parities = [np.asarray(s.charges) if parity else np.zeros(4, dtype=int) for s in total.sites]
    state = mb.Density.from_dense(SITES, rho, 1e-15 if rank is None else rank)
    solver = sweeps.Solver(total.to_mpo(), state.train.tensors, parities)
    columns, weights = coordinates()
    dense = columns.conj().T @ solved_open.lindblad_matrix(
        battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps]) @ columns
    return solver, dense.real * weights[:, None] / weights, state.to_dense()


def frame_of(solver, n):
    """Columns: what the tensor of site n may become, as vectors of the whole chain."""
    left, right = np.ones((1, 1)), np.ones((1, 1))
    for t in solver.x[:n]:
        left = np.einsum("xa,apb->xpb", left, t).reshape(-1, t.shape[2])
    for t in solver.x[:n:-1]:
        right = np.einsum("apb,bx->apx", t, right).reshape(t.shape[0], -1)
    return np.einsum("xa,pq,by->xpyaqb", left, np.eye(4), right).reshape(64, -1)


@pytest.mark.parametrize("parity", [True, False])
@pytest.mark.parametrize("largest", [sweeps.DENSE, 0])
@pytest.mark.parametrize("rank", [None, 0.3])
def test_local_problem(monkeypatch, parity, largest, rank):
    """Factorised and iterated: 1/tau - L + theta L+ L + |e><e| in the frame of every site."""
    monkeypatch.setattr(sweeps, "DENSE", largest)
    solver, dense, rho = problem(parity, rank)
    assert (max(map(len, solver.bonds)) < 4) == (rank is not None)
    theta, tau = 0.13, 2.5
    for n in range(3):
        p, old = frame_of(solver, n), solver.x[n].ravel()
        assert np.abs(p.T @ p - np.eye(p.shape[1])).max() < 1e-12
        whole, e = p @ old, p[0]
        l = p.T @ dense @ p
        matrix = np.eye(len(l)) / tau - l + theta * (dense @ p).T @ (dense @ p) + np.outer(e, e)
        expected = np.linalg.solve(matrix, old / (tau * (e @ old)) + e)
        found = solver._solve(n, theta, tau).ravel()
        assert np.abs(found - expected / np.linalg.norm(expected)).max() < 1e-7
        if n == 0:                                                       # the residual is asked for after a sweep
            assert solver.residual == pytest.approx(np.linalg.norm(dense @ whole) / np.linalg.norm(whole), abs=1e-10)
        state = mb.Density(MPS(density_sites(SITES), solver.tensors, 0))
        assert state.trace == pytest.approx(1, abs=1e-12)
        assert np.abs(state.to_dense() - rho / np.trace(rho)).max() < 1e-12
        if n < 2:
            solver._pass_right(n, solver.x[n], WIDE, 0)


def test_sweeps_tell_how_much_they_changed():
    solver, dense, _ = problem(True)
    changes = []
    for _ in range(12):
        solver.sweep(sweeps.Control(0.1), solver.residual, WIDE, 0)
        changes.append(solver.change)
    assert 0.05 < changes[0] <= 2
    assert changes[-1] < 1e-6
    assert np.linalg.norm(dense @ frame_of(solver, 0) @ solver.x[0].ravel()) < 1e-9


def test_frames_keep_the_trace_and_count_what_they_drop():
    rng = np.random.default_rng(5)
    matrix, first = rng.normal(size=(12, 9)) * 0.5 ** np.arange(9), rng.normal(size=12)
    rows = np.zeros(12, dtype=int)
    columns, _, lost = sweeps.frame(matrix, first, rows, None, Truncation(5, 0.0), 0)
    assert columns.shape == (12, 5)
    assert np.abs(columns.T @ columns - np.eye(5)).max() < 1e-13
    assert np.abs(first - columns @ (columns.T @ first)).max() < 1e-12
    rest = matrix - columns @ (columns.T @ matrix)
    assert lost == pytest.approx(np.sum(rest**2) / np.sum(matrix**2))
    # no five columns with the trace among them do better
    unit = first / np.linalg.norm(first)
    s = np.linalg.svd(matrix - np.outer(unit, unit @ matrix), compute_uv=False)
    assert np.sum(rest**2) == pytest.approx(np.sum(s[4:] ** 2))
    # directions of the residual come on top of the cap
    push = rng.normal(size=(12, 2))
    more, _, _ = sweeps.frame(matrix, first, rows, push, Truncation(5, 0.0), 2)
    assert more.shape == (12, 7)
    assert np.abs(push - more @ (more.T @ push)).max() < 1e-12


def test_solve_in_single_and_in_double_precision():
    rng = np.random.default_rng(6)
    q, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    for condition in (1e2, 1e11):
        matrix, x = q * np.geomspace(1, condition, 30) @ q.T, rng.normal(size=30)
        found = sweeps.refined_solve(matrix.copy(), matrix @ x)
        assert np.linalg.norm(matrix @ (found - x)) < 2e-11 * np.linalg.norm(matrix @ x)


def test_frame_of_a_full_parity():
    """Tiny singular vectors lean towards the trace vector: what a push leaves of them adds no direction too many."""
    rng = np.random.default_rng(1)
    rows = np.r_[np.zeros(4, dtype=int), np.ones(4, dtype=int)]
    u, v = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    matrix, first = np.zeros((8, 8)), np.r_[rng.normal(size=4), np.zeros(4)]
    matrix[:4, :4] = (u * [1.0, 1e-3, 1e-13, 1e-14]) @ v
    push = 10 * np.where(rows[:, None] == [0, 0, 1], rng.normal(size=(8, 3)), 0.0)
    columns, labels, _ = sweeps.frame(matrix, first, rows, push, mb.Truncation(8, 1e-30), 4)
    assert columns.T @ columns == pytest.approx(np.eye(len(labels)), abs=1e-12)
    assert np.sum(labels == 0) <= 4
