"""Liouvillians of long products: two complex products in place of 2^(n-1) real ones, exact and real as an MPO."""

import numpy as np
import pytest
import scipy.linalg
import solved_open

import mps_battery as mb
from mps_battery import liouville
from mps_battery.tensors import trains
from mps_battery.tensors.density import coordinates, density_sites, functional

RNG = np.random.default_rng


def hopping(n, rng, longest=None):
    """Fermions that hop between all pairs, with four-body terms and a field."""
    h = mb.Terms([mb.Fermion()] * n)
    for i in range(n):
        h += rng.normal(), ("N", i)
        for j in range(i + 1, n):
            if longest is None or j - i <= longest:
                h += complex(*rng.normal(size=2)), ("Cd", i), ("C", j)
    if longest is None:
        h += complex(*rng.normal(size=2)), ("Cd", 0), ("Cd", 1), ("C", n - 2), ("C", n - 1)
    return 0.5 * (h + h.adjoint())


def strings(sites, rng):
    """Hermitian products over all sites at once."""
    h = mb.Terms(sites)
    for _ in range(3):
        factors = [(rng.normal(size=(s.d, s.d)) + 1j * rng.normal(size=(s.d, s.d)), n) for n, s in enumerate(sites)]
        h += complex(*rng.normal(size=2)), *factors
    return 0.5 * (h + h.adjoint())


def cases():
    rng = RNG(1)
    return {"fermions": hopping(5, rng), "qubits": strings([mb.Spin()] * 5, rng),
            "levels": strings([mb.Levels("gef"), mb.Spin(), mb.Spin()], rng)}


@pytest.mark.parametrize("longest", [0, 1, 2])
@pytest.mark.parametrize("name", ["fermions", "qubits", "levels"])
def test_long_products_against_the_dense_superoperator(name, longest, monkeypatch):
    h = cases()[name]
    plain = {part: getattr(liouville, part)(h).to_mpo() for part in ("unitary", "cooling")}
    monkeypatch.setattr(liouville, "LONGEST", longest)
    b, dense = solved_open.product_basis(density_sites(h.sites)), h.to_dense()
    one = np.eye(len(dense))
    expected = {"unitary": solved_open.lindblad_matrix(dense, []),
                "cooling": -0.5 * (np.kron(dense, one) + np.kron(one, dense.T))}
    for part, matrix in expected.items():
        terms = getattr(liouville, part)(h)
        matrix = b.conj().T @ matrix @ b
        scale = np.abs(matrix).max()
        assert np.abs(terms.to_dense() - matrix).max() < 1e-13 * scale
        mpo = terms.to_mpo()
        assert all(w.dtype == float for w in mpo.tensors)
        assert np.abs(mpo.to_dense() - matrix).max() < 1e-12 * scale
        assert all(new <= old for new, old in zip(mpo.bonds, plain[part].bonds, strict=True))


def test_number_of_products_does_not_double_with_every_factor():
    sites = [mb.Spin()] * 40
    h = mb.Terms(sites)
    h += 1.0, *[("X", n) for n in range(40)]
    total = liouville.unitary(h)
    assert len(total) == 2
    assert max(total.to_mpo().bonds) == 2


def test_dissipator_of_a_long_jump_against_the_dense_superoperator(monkeypatch):
    monkeypatch.setattr(liouville, "LONGEST", 1)
    sites, rng = [mb.Fermion()] * 4, RNG(2)
    jump = mb.Terms(sites)
    for n in range(4):
        jump += complex(*rng.normal(size=2)), ("C", n)
        jump += complex(*rng.normal(size=2)), ("Cd", n)
    jump += 0.4j, ("Cd", 0), ("C", 2), ("C", 3)
    b = solved_open.product_basis(density_sites(sites))
    expected = b.conj().T @ solved_open.lindblad_matrix(np.zeros((16, 16)), [jump.to_dense()]) @ b
    mpo = liouville.dissipator(jump).to_mpo()
    assert np.abs(mpo.to_dense() - expected).max() < 1e-12 * np.abs(expected).max()
    assert all(w.dtype == float for w in mpo.tensors)


def correlation_slope(h, dephasing):
    """The matrix of d<c+_i c_j>/dt of free fermions under jumps sqrt(dephasing) n: a closed linear equation."""
    n = len(h)
    one, decay = np.eye(n), dephasing * (np.ones((n, n)) - np.eye(n))
    return 1j * (np.kron(h.T, one) - np.kron(one, h)) - np.diag(decay.ravel())


def ring(n, dephasing, twist):
    """Fermions on a ring, whose last hop goes from the first site to the last."""
    sites, matrix = [mb.Fermion()] * n, np.zeros((n, n), dtype=complex)
    for k in range(n):
        matrix[k, (k + 1) % n] = np.exp(1j * twist) * (1.0 if k < n - 1 else 0.7)
    matrix += matrix.conj().T
    h = mb.Terms(sites)
    for i, j in np.argwhere(matrix):
        h += matrix[i, j], ("Cd", int(i)), ("C", int(j))
    jumps = []
    for k in range(n):
        jump = mb.Terms(sites)
        jump += np.sqrt(dephasing), ("N", k)
        jumps.append(mb.Jump(jump))
    start = ["full" if k in (0, 5, n - 2) else "empty" for k in range(n)]
    return mb.Battery(sites, range(n), h, h, jumps, empty=start), matrix, start


def test_ring_of_fourteen_with_a_hop_over_all_of_it():
    """Populations of L^k rho against the closed equation of the correlation matrix."""
    battery, h, start = ring(14, 0.8, 0.3)
    total = liouville.generator(battery).parts
    mpo = (total[0][0] + total[1][0]).to_mpo()
    assert all(w.dtype == float for w in mpo.tensors)
    rho = battery.initial_state().train.tensors
    matrix, slope = np.diag([float(s == "full") for s in start]).astype(complex), correlation_slope(h, 0.8)
    for order in range(1, 5):
        rho = trains.apply(mpo.tensors, rho)
        matrix = (slope @ matrix.ravel()).reshape(matrix.shape)
        state = mb.Density(mb.MPS(density_sites(battery.sites), rho))
        numbers = [functional(coordinates(_number(battery.sites, k), density_sites(battery.sites)), rho).real
                   for k in range(14)]
        assert np.abs(numbers - np.diag(matrix).real).max() < 1e-9 * max(1, np.abs(matrix).max()), order
        assert abs(state.trace) < 1e-9
    assert abs(np.diag(matrix)[-1]) > 1.0                   # the long hop takes part


def _number(sites, k):
    terms = mb.Terms(sites)
    terms += 1.0, ("N", k)
    return terms.to_mpo()


def test_evolution_on_a_ring_of_eight():
    battery, h, start = ring(8, 0.8, 0.3)
    run = mb.charge(battery, [0, 0.4], record={"n": mb.Expect("N")}, method=mb.TDVP(dt=0.1),
                    truncation=mb.Truncation(128, 1e-14), bars=False)
    before = np.diag([float(s == "full") for s in start]).astype(complex)
    expected = (scipy.linalg.expm(0.4 * correlation_slope(h, 0.8)) @ before.ravel()).reshape(8, 8)
    assert np.abs(run.data["n"].values[-1] - np.diag(expected).real).max() < 1e-5
    assert run.budget.norm_defect < 1e-5


def test_steady_state_of_a_ring_of_fermions():
    """Gain and loss on a ring with a hop over all of it: sweeps against the closed equation."""
    battery, h, _ = ring(5, 0.5, 0.3)
    gain, loss = mb.Terms(battery.sites), mb.Terms(battery.sites)
    gain += np.sqrt(0.6), ("Cd", 0)
    loss += np.sqrt(0.9), ("C", 3)
    jumps = [*battery.jumps, mb.Jump(gain), mb.Jump(loss)]
    open_ring = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, jumps, empty="empty")
    steady = mb.steady_state(open_ring, method=mb.Sweeps(), truncation=mb.Truncation(64, 1e-24), tolerance=1e-7)
    # d<c+_i c_j>/dt = i [h^T, C] - dephasing off the diagonal - (G + L)/2 anticommutator + G
    one, g, l = np.eye(5), np.zeros((5, 5)), np.zeros((5, 5))
    g[0, 0], l[3, 3] = 0.6, 0.9
    slope = correlation_slope(h, 0.5) - 0.5 * (np.kron(g + l, one) + np.kron(one, g + l))
    expected = np.diag(np.linalg.solve(slope, -g.ravel()).reshape(5, 5)).real
    found = [steady.state.reduced([k])[1, 1].real for k in range(5)]
    assert np.abs(np.array(found) - expected).max() < 1e-6
    assert steady.converged
