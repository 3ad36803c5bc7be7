"""Certificates of steady states, and the structure of Liouvillians behind them, against dense superoperators."""

import numpy as np
import pytest
import solved
import solved_open

import mps_battery as mb
from mps_battery import liouville
from mps_battery.liouville import conserved_sums, conserves_parity, dissipator, generator, unitary
from mps_battery.steady.certificate import certify, conserving_bonds

RNG = np.random.default_rng
LOWER = np.array([[0, 0], [1.0, 0]])


def battery_of(sites, hamiltonian, jumps):
    """From lists of products (c, (matrix or name, site), ...); every jump is a list of products."""

    def terms(products):
        out = mb.Terms(sites)
        for product in products:
            out += product
        return out

    h = terms(hamiltonian)
    return mb.Battery(sites, [0], h, h, [mb.Jump(terms(j)) for j in jumps], empty="mixed")


def hopping(n, last=None):
    return [(1.0, (a, k), (a, k + 1)) for k in range(n - 1 if last is None else last) for a in "XY"]


def strings(matrix, n):
    """Norm of the coordinates of a matrix over Pauli strings, those of k operators divided by 2^k."""
    paulis = [np.eye(2), solved.X, solved.Y, solved.Z]
    total = 0.0
    for string in np.ndindex(*[4] * n):
        p = solved.pauli_string(n, {k: paulis[a] for k, a in enumerate(string) if a})
        total += abs(np.sum(p.conj() * matrix)) ** 2 / 4 ** np.count_nonzero(string)
    return np.sqrt(total)


def dense_liouvillian(battery):
    return solved_open.lindblad_matrix(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps])


def nullity(battery):
    """Independent traceless one-site sums A with L+(A) = 0, from the whole matrix."""
    d = [s.d for s in battery.sites]
    adjoint, images = dense_liouvillian(battery).conj().T, []
    for n, size in enumerate(d):
        for j in range(size):
            for k in range(size):
                unit = np.zeros((size, size))
                unit[j, k] = 1.0
                if j == k == size - 1:
                    continue
                unit -= np.trace(unit) / size * np.eye(size)
                whole = np.kron(np.kron(np.eye(int(np.prod(d[:n]))), unit), np.eye(int(np.prod(d[n + 1:]))))
                images.append(adjoint @ whole.ravel())
    return len(images) - np.linalg.matrix_rank(np.array(images), tol=1e-10)


SPINS = [mb.Spin()] * 3
G_E = np.zeros((3, 3))
G_E[0, 1] = 1.0
SHIFT = (G_E - G_E.T) / 2j
CONSERVING = {
    "dephased hopping": (SPINS, hopping(3), [[(0.5, ("Z", n))] for n in range(3)], 1),
    "dephasing alone": (SPINS, [(0.3, ("Z", 1))], [[(0.5, ("Z", n))] for n in range(3)], 3),
    "a site that nothing touches": (SPINS, hopping(3, 1), [[(0.7, ("Sm", 0))]], 3),
    "a pair that decays together": (SPINS[:2], [(0.4, ("Z", 0)), (0.4, ("Z", 1))],
                                    [[(1.0, ("Sm", 0)), (1.0, ("Sm", 1))]], 0),
    "hops by the bath": (SPINS, [(0.3, ("Z", 0)), (0.3, ("Z", 1)), (0.3, ("Z", 2))],
                         [[(1.0, ("Sp", n), ("Sm", n + 1))] for n in (0, 1)], 1),
    "a jump that is a number": (SPINS[:2], [(0.0, ("Z", 0))], [[(1.0,)]], 6),
    # D[1 + S] - i [(S - S+) / 2i, .] = D[S]: with this Hamiltonian, and not with its opposite, g and f stay dark
    "a shifted jump": ([mb.Levels("gef"), mb.Spin()], [(1.0, (SHIFT, 0)), (0.2, ("X", 1))],
                       [[(1.0,), (1.0, (G_E, 0))], [(0.6, ("Sm", 1))]], 3),
}


@pytest.mark.parametrize("name", CONSERVING)
def test_conserved_sums(name):
    *parts, count = CONSERVING[name]
    battery = battery_of(*parts)
    assert nullity(battery) == count
    assert conserved_sums(battery) == count


@pytest.mark.parametrize("name", CONSERVING)
def test_conserved_sums_of_long_products_are_none_too_many(name, monkeypatch):
    """Products taken as independent may hide a conserved sum, but never make one."""
    *parts, count = CONSERVING[name]
    monkeypatch.setattr(liouville, "EXPANDED", 1)
    assert conserved_sums(battery_of(*parts)) <= count


def test_conserved_sums_of_a_flip_of_all():
    """L = |G><E| of n spins: <s+_m s-_m> falls with |E><E| alike on every site, so n - 1 differences are conserved."""
    n = liouville.EXPANDED + 1
    battery, small = (battery_of([mb.Spin()] * m, [(0.3, ("Z", k)) for k in range(m)],
                                 [[(1.0, *(("Sm", k) for k in range(m)))]]) for m in (n, 3))
    assert conserved_sums(small) == nullity(small) == 2
    assert conserved_sums(battery) == n - 1


def test_parity_of_a_liouvillian():
    """Whether the dense matrix mixes the parities, for products that conserve charge, break it, or do both."""
    sites, both = [mb.Spin()] * 2, solved.X + solved.Z
    for product, conserves in (((1.0, ("X", 0), ("X", 1)), True), ((1.0, ("Z", 0), ("Z", 1)), True),
                               ((1.0, ("X", 0)), False), ((1.0, ("X", 0), ("Z", 1)), False),
                               ((1.0, (both, 0), ("X", 1)), False), ((1.0, (both, 0)), False)):
        h = mb.Terms(sites)
        h += product
        l = unitary(h).to_dense()
        parity = np.add.outer(*(s.charges for s in unitary(h).sites)).ravel() % 2
        assert bool(np.all(l[parity[:, None] != parity] == 0)) == conserves
        assert conserves_parity(unitary(h)) == conserves
    jump = mb.Terms(sites)
    jump += 1.0, ("Sm", 0)
    assert conserves_parity(dissipator(jump))
    jump += 1.0, ("Z", 1)
    assert not conserves_parity(dissipator(jump))


def test_steady_state_without_parity():
    """A Hamiltonian and a jump whose factors are neither even nor odd: the dense twin must not leave half of it out."""
    both = solved.X + 0.5 * solved.Z
    battery = battery_of(SPINS, [(0.7, (both, 0), (both, 1)), (0.4, ("Y", 1), (both, 2)), (0.3, ("Z", 2))],
                         [[(0.8, (LOWER + 0.3 * solved.Z, 0))], [(0.5, ("Sm", 1))], [(0.6, ("Sp", 2))]])
    _, s, v = np.linalg.svd(dense_liouvillian(battery))
    rho = v[-1].conj().reshape(8, 8)
    assert s[-2] > 1e-3
    steady = mb.steady_state(battery)
    assert np.abs(steady.state.to_dense() - rho / np.trace(rho)).max() < 1e-10
    assert steady.certificate.multiplicity == 1


# -- the certificate -----------------------------------------------------------------------------------------------
def test_certificate_of_a_matrix_that_is_not_steady():
    """Every entry from dense matrices, for a Hermitian matrix of trace 1.7 with a negative part."""
    n, sites, rng = 5, [mb.Spin()] * 5, RNG(1)
    battery = battery_of(sites, [*hopping(n), (0.4, ("Z", 1), ("Z", 2))],
                         [[(0.6, ("Sp", 0))], [(0.5, ("Z", 2))], [(0.8, ("Sm", 4))]])
    a = rng.normal(size=(32, 32)) + 1j * rng.normal(size=(32, 32))
    rho = a @ a.conj().T
    ghz = np.zeros(8)                       # taken away from three sites, which two of them see only half of
    ghz[[0, 7]] = np.sqrt(0.5)
    rho = rho / np.trace(rho).real - 0.3 * np.kron(np.outer(ghz, ghz), np.eye(4) / 4)
    rho *= 1.7 / np.trace(rho).real
    total = (generator(battery).parts[0][0] + generator(battery).parts[1][0]).to_mpo()
    found = certify(battery, total, mb.Density.from_dense(sites, rho), 2, None)
    moved = dense_liouvillian(battery) @ rho.ravel()
    assert found.residual == pytest.approx(np.linalg.norm(moved) / np.linalg.norm(rho), abs=1e-10)
    ratio = strings(moved.reshape(32, 32), n) / strings(rho, n)
    assert found.weighted_residual == pytest.approx(ratio, abs=1e-10)
    assert found.trace == pytest.approx(1.7, abs=1e-12)
    least = {w: min(np.linalg.eigvalsh(solved.partial_trace(rho / 1.7, list(range(k, k + w)), n))[0]
                    for k in range(n - w + 1)) for w in (2, 3)}
    assert least[3] < least[2] - 0.01
    assert found.least_eigenvalue == pytest.approx(least[3], abs=1e-12)
    # sum X X + Y Y, per bond X_n Y_(n+1) - Y_n X_(n+1)
    flows = [np.trace(rho @ (solved.pauli_string(n, {k: solved.X, k + 1: solved.Y})
                             - solved.pauli_string(n, {k: solved.Y, k + 1: solved.X}))).real / 1.7 for k in range(4)]
    assert np.allclose(found.currents, flows, rtol=0, atol=1e-12)
    assert found.spread == pytest.approx(np.ptp(flows), abs=1e-12)
    assert found.current == pytest.approx(np.mean(flows), abs=1e-12)
    assert found.current_bar == 2 * found.spread
    mixed = mb.Density.product(sites, "mixed")
    bar = certify(battery, total, mb.Density.from_dense(sites, rho), 1, mixed).current_bar
    assert bar == pytest.approx(max(2 * np.ptp(flows), 3 * abs(np.mean(flows))), abs=1e-12)
    assert found.multiplicity == 2
    assert "at least 2 steady states" in found.lines()["uniqueness"]


def test_bonds_between_which_charge_is_conserved():
    n, sites = 7, [mb.Spin()] * 7
    lower = {k: [(0.5, ("Sm", k))] for k in range(n)}
    phase = [[(0.5, ("Z", k))] for k in range(n)]
    for jumps, bonds in (([lower[0], lower[6]], [0, 1, 2, 3, 4, 5]), ([lower[0], *phase], [0, 1, 2, 3, 4, 5]),
                         ([lower[2]], [2, 3, 4, 5]), ([lower[1], lower[5]], [1, 2, 3, 4]),
                         ([lower[4]], [0, 1, 2, 3]), ([[(0.5, ("Sm", 3)), (0.5, ("Sm", 4))]], [0, 1, 2])):
        assert conserving_bonds(battery_of(sites, hopping(n), jumps)) == bonds
    assert conserving_bonds(battery_of(sites, [*hopping(n), (0.3, ("X", 3))], [lower[0]])) == []
    two = battery_of(sites[:2], hopping(2), [[(0.5, ("Sm", 0))], [(0.3, ("Sp", 1))]])
    steady = mb.steady_state(two)
    assert steady.certificate.spread is None
    assert len(steady.certificate.currents) == 1
    assert "current" not in steady.certificate.lines()
