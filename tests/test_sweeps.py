"""The local problems of the sweeps that look for a steady state, against the same problems with whole matrices."""

import numpy as np
import pytest
import solved_open

import mps_battery as mb
from mps_battery.liouville import conserves_parity, conserves_weak_charge, generator
from mps_battery.steady import grading, sweeps
from mps_battery.tensors.density import density_sites
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation

SITES = [mb.Spin()] * 3
WIDE = Truncation(10**6, 0.0)


CONSERVED = {"charge": grading.weak_charge, "parity": grading.parity, "nothing": grading.ungraded}


def chain(conserved):
    h, loss, pump = mb.Terms(SITES), mb.Terms(SITES), mb.Terms(SITES)
    for k in range(2):
        for c, a in ((1.0, "X"), (1.0 if conserved == "charge" else 0.8, "Y"), (0.4, "Z")):
            h += c, (a, k), (a, k + 1)
        h += 0.3, ("X", k), ("Y", k + 1)                  # with the next: complex between operators of charge
        h += -0.3, ("Y", k), ("X", k + 1)
    loss += 0.9, ("Sm", 0)
    pump += 0.7, ("Sp", 2)
    if conserved == "nothing":
        h += 0.5, ("X", 1)
        pump += 0.3j, ("Z", 2)
    return mb.Battery(SITES, range(3), h, h, [mb.Jump(loss), mb.Jump(pump)], empty="mixed")


def coordinates():
    """Columns: ravelled products of 1, X, Y, Z over sqrt(2); and the weight of each, KAPPA for every identity."""
    basis = density_sites(SITES)[0].basis
    columns = np.array([np.kron(np.kron(a, b), c).ravel() for a in basis for b in basis for c in basis]).T
    local = np.array([sweeps.KAPPA, 1.0, 1.0, 1.0])
    return columns, np.kron(np.kron(local, local), local)


def problem(conserved, rank=None):
    """(solver, weighted dense L, density): a random density without charge, or one of lower bond dimension."""
    battery, rng = chain(conserved), np.random.default_rng(4)
    a = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho, up = a @ a.conj().T, np.array([3, 2, 2, 1, 2, 1, 1, 0])
    if conserved != "nothing":
        rho = rho * ((up[:, None] - up) % (8 if conserved == "charge" else 2) == 0)
    rho /= np.trace(rho).real
    schedule = generator(battery)
    total = sum((t for t, _ in schedule.parts[1:]), schedule.parts[0][0].copy())
    assert conserves_parity(total) == (conserved != "nothing")
    assert conserves_weak_charge(battery) == (conserved == "charge")
    state = mb.Density.from_dense(SITES, rho, 1e-15 if rank is None else rank)
    solver = sweeps.Solver(total.to_mpo(), state.train.tensors, CONSERVED[conserved](density_sites(SITES)))
    columns, weights = coordinates()
    dense = columns.conj().T @ solved_open.lindblad_matrix(
        battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps]) @ columns
    dense = dense.real * weights[:, None] / weights
    if conserved == "charge":                              # coordinates over 1, s+, s-, Z, by hand
        local = np.array([[1, 0, 0, 0], [0, 1, -1j, 0], [0, 1, 1j, 0], [0, 0, 0, 1]]) / np.sqrt([[1], [2], [2], [1]])
        change = np.kron(np.kron(local, local), local)
        dense = change @ dense @ change.conj().T
    return solver, dense, state.to_dense()


def frame_of(solver, n):
    """Columns: what the tensor of site n may become, as vectors of the whole chain."""
    left, right = np.ones((1, 1)), np.ones((1, 1))
    for t in solver.x[:n]:
        left = np.einsum("xa,apb->xpb", left, t).reshape(-1, t.shape[2])
    for t in solver.x[:n:-1]:
        right = np.einsum("apb,bx->apx", t, right).reshape(t.shape[0], -1)
    return np.einsum("xa,pq,by->xpyaqb", left, np.eye(4), right).reshape(64, -1)


@pytest.mark.parametrize("conserved", CONSERVED)
@pytest.mark.parametrize("largest", [sweeps.DENSE, 0])
@pytest.mark.parametrize("rank", [None, 0.3])
def test_local_problem(monkeypatch, conserved, largest, rank):
    """Factorised and iterated: 1/tau - L + theta L+ L + |e><e| in the frame of every site."""
    monkeypatch.setattr(sweeps, "DENSE", largest)
    solver, dense, rho = problem(conserved, rank)
    assert (max(map(len, solver.bonds)) < 4) == (rank is not None)
    theta, tau = 0.13, 2.5
    for n in range(3):
        p, old = frame_of(solver, n), solver.x[n].ravel()
        assert np.abs(p.conj().T @ p - np.eye(p.shape[1])).max() < 1e-12
        whole, e = p @ old, p[0].conj()
        l = p.conj().T @ dense @ p
        matrix = np.eye(len(l)) / tau - l + theta * (dense @ p).conj().T @ (dense @ p) + np.outer(e, e.conj())
        expected = np.linalg.solve(matrix, old / (tau * (e.conj() @ old)) + e)
        found = solver._solve(n, theta, tau).ravel()
        assert np.abs(found - expected / np.linalg.norm(expected)).max() < 1e-7
        if n == 0:                                                       # the residual is asked for after a sweep
            assert solver.residual == pytest.approx(np.linalg.norm(dense @ whole) / np.linalg.norm(whole), abs=1e-10)
        state = mb.Density(MPS(density_sites(SITES), solver.tensors, 0))
        assert state.trace == pytest.approx(1, abs=1e-12)
        assert np.abs(state.to_dense() - rho / np.trace(rho)).max() < 1e-12
        if n < 2:
            solver._pass_right(n, solver.x[n], WIDE, 0)


@pytest.mark.parametrize("conserved", CONSERVED)
def test_frames_grow_towards_the_residual(conserved):
    """From one product the frames find every charge that the steady state has: the dense null vector."""
    battery = chain(conserved)
    start = mb.Density.product(SITES, "mixed")
    steady = mb.steady_state(battery, method=mb.Sweeps(first_bond=20), start=start, tolerance=1e-9)
    exact = mb.steady_state(battery, method=mb.Dense())
    assert np.abs(steady.state.to_dense() - exact.state.to_dense()).max() < 1e-9


def test_weak_charge_of_mixed_sites():
    """A jump that changes the charge by two on one site and by one on another is none; one that keeps it is."""
    sites = [mb.Spin(1.0), mb.Spin(), mb.Boson(2)]
    h, pair, hop = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    h += 1.0, ("Sp", 0), ("Sm", 1)
    h += 1.0, ("Sm", 0), ("Sp", 1)
    hop += 0.5j, ("A", 2), ("Sp", 1)
    pair += 0.3, ("Sp", 0), ("Sp", 0)
    def battery(*jumps):
        return mb.Battery(sites, range(3), h, h, [mb.Jump(j) for j in jumps], empty="mixed")
    assert conserves_weak_charge(battery(hop, pair))
    mixed = pair.copy()
    mixed += 0.2, ("Sm", 1)
    assert not conserves_weak_charge(battery(hop, mixed))
    legs = grading.weak_charge(density_sites(sites))
    for site, leg, change in zip(density_sites(sites), legs.local, legs.change, strict=True):
        matrices = np.tensordot(change.conj(), site.basis, 1)            # the operator of every coordinate
        charge = np.diag(site.site.charges)
        for m, q, partner in zip(matrices, leg.charges, leg.bar, strict=True):
            assert np.abs(charge @ m - m @ charge - q * m).max() < 1e-14
            assert np.abs(matrices[partner] - m.conj().T).max() < 1e-14


def test_sweeps_tell_how_much_they_changed():
    solver, dense, _ = problem("parity")
    changes = []
    for _ in range(12):
        solver.sweep(sweeps.Control.falling(0.1), solver.residual, WIDE, 0)
        changes.append(solver.change)
    assert 0.05 < changes[0] <= 2
    assert changes[-1] < 1e-6
    assert np.linalg.norm(dense @ frame_of(solver, 0) @ solver.x[0].ravel()) < 1e-9


def test_frames_keep_the_trace_and_count_what_they_drop():
    rng = np.random.default_rng(5)
    matrix, first = rng.normal(size=(12, 9)) * 0.5 ** np.arange(9), rng.normal(size=12)
    rows, bar = grading.free(12), np.arange(9)
    columns, leg, lost = grading.frame(matrix, first, rows, bar, None, Truncation(5, 0.0), 0)
    assert columns.shape == (12, 5)
    assert len(leg) == 5
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
    more, _, _ = grading.frame(matrix, first, rows, bar, (push, np.arange(2)), Truncation(5, 0.0), 2)
    assert more.shape == (12, 7)
    assert np.abs(push - more @ (more.T @ push)).max() < 1e-12


def test_frames_of_conjugate_pairs():
    """Columns of a matrix with conjugate rows: charges apart, partners together, and as good as without charges."""
    rng = np.random.default_rng(8)
    site = grading.weak_charge(density_sites(SITES)).local[0]
    rows, cols = site * site, site
    allowed = rows.charges[:, None] == cols.charges
    matrix = rng.normal(size=(16, 4)) + 1j * rng.normal(size=(16, 4))
    matrix = (matrix + matrix.conj()[np.ix_(rows.bar, cols.bar)]) * allowed
    first = np.zeros(16)
    first[0] = 1.0
    out, leg, lost = grading.frame(matrix, first, rows, cols.bar, None, WIDE, 0)
    assert np.abs(out.conj().T @ out - np.eye(len(leg))).max() < 1e-13
    assert lost < 1e-28
    assert np.abs(matrix - out @ (out.conj().T @ matrix)).max() < 1e-13
    assert np.abs(out[np.ix_(rows.bar, leg.bar)] - out.conj()).max() < 1e-13
    assert np.all((np.abs(out) < 1e-14) | (rows.charges[:, None] == leg.charges))
    # a pair that does not fit under the cap is left out whole
    _, small, lost = grading.frame(matrix, first, rows, cols.bar, None, Truncation(2, 0.0), 0)
    assert sorted(small.charges) in ([0], [0, 0])
    assert lost > 0


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
    rows = grading.Index(np.r_[np.zeros(4, dtype=int), np.ones(4, dtype=int)], np.arange(8))
    u, v = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    matrix, first = np.zeros((8, 8)), np.r_[rng.normal(size=4), np.zeros(4)]
    matrix[:4, :4] = (u * [1.0, 1e-3, 1e-13, 1e-14]) @ v
    push = 10 * np.where(rows.charges[:, None] == [0, 0, 1], rng.normal(size=(8, 3)), 0.0)
    columns, leg, _ = grading.frame(matrix, first, rows, np.arange(8), (push, np.arange(3)), mb.Truncation(8, 1e-30), 4)
    assert columns.T @ columns == pytest.approx(np.eye(len(leg)), abs=1e-12)
    assert np.sum(leg.charges == 0) <= 4


def test_residual_of_two_sites():
    """L x between two frames, against one sum over all legs; rows (vL p), columns (p vR)."""
    rng = np.random.default_rng(9)
    left, right = rng.normal(size=(2, 3, 2)), rng.normal(size=(4, 2, 4))                 # bL w kL; bR w kR
    a, b = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 4, 4))
    v, w = rng.normal(size=(3, 5, 4, 4)), rng.normal(size=(5, 2, 4, 4))
    expected = np.einsum("amk,kqx,mnpq,xst,nors,bot->aprb", left, a, v, b, w, right).reshape(8, 16)
    found = sweeps.pair_residual((left, a, v), (right, b, w))
    assert np.abs(found - expected).max() < 1e-12 * np.abs(expected).max()


def test_sweeps_of_a_window_leave_the_rest():
    """Only what lies within is solved; the state to its left and right keeps its frames."""
    solver, _, _ = problem("charge", 1e-3)
    before = frame_of(solver, 0) @ solver.x[0].ravel()
    solver.sweep(sweeps.Control.falling(0.1), solver.residual, WIDE, 0, range(0))
    after = frame_of(solver, 0) @ solver.x[0].ravel()
    assert np.abs(after - before).max() < 1e-12
    assert solver.change == 0
    left = before.reshape(4, 16)
    solver.sweep(sweeps.Control.falling(0.1), solver.residual, Truncation(3, 0.0), 0, range(2, 3))
    assert solver.change > 1e-3
    after = (frame_of(solver, 0) @ solver.x[0].ravel()).reshape(4, 16)
    u = np.linalg.svd(left)[0][:, :np.linalg.matrix_rank(left, 1e-10)]
    assert np.linalg.norm(after - u @ (u.conj().T @ after)) < 1e-10


def test_control_of_stabilisation():
    steady, falling = sweeps.Control.constant(2.0), sweeps.Control.falling(2.0)
    for c in (steady, falling):
        for _ in range(30):
            c.better()
    assert (steady.theta, steady.reach) == (2.0, 1.5)
    assert falling.theta == 0.5
    assert falling.reach > 100
    steady.worse()
    assert (steady.theta, steady.reach) == (5.0, 0.75)
