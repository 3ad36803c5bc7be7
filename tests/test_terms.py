"""One term list, many forms: dense, sparse, MPO and bonds against products written out with np.kron."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

import mps_battery as mb
from mps_battery.tensors.mpo import MPO

close = np.testing.assert_allclose
CHAINS = {
    "qubits": [mb.Spin()] * 6,
    "spins": [mb.Spin(), mb.Spin(1), mb.Spin(1.5), mb.Spin(), mb.Spin(1)],
    "mixed": [mb.Spin(), mb.Boson(2), mb.Spin(1), mb.Levels("gef"), mb.Spin()],
    "with fermions": [mb.Fermion(), mb.Spin(), mb.Fermion(), mb.Fermion(), mb.Boson(1), mb.Fermion()],
}


def kron(matrices):
    out = np.eye(1)
    for matrix in matrices:
        out = np.kron(out, matrix)
    return out


def jordan_wigner(sites, name, n):
    """A fermionic operator on the whole space: parities on all fermions before it."""
    return kron([np.diag(s.parity) if k < n and s.parity is not None else np.eye(s.d) if k != n else s.operator(name)
                 for k, s in enumerate(sites)])


def on_site(sites, name, n):
    """A named operator on the whole space."""
    if name in sites[n].odd:
        return jordan_wigner(sites, name, n)
    return kron([s.operator(name) if k == n else np.eye(s.d) for k, s in enumerate(sites)])


def random_terms(sites, seed, count=12, factors=4):
    """Products of any range, sites repeated and out of order, as Terms and as a matrix."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, len(sites)]))
    terms, matrix = mb.Terms(sites), 0
    for _ in range(count):
        coefficient = complex(*rng.normal(size=2))
        chosen = [int(rng.integers(len(sites))) for _ in range(rng.integers(factors + 1))]
        names = [str(rng.choice(sorted(sites[n].operators))) for n in chosen]
        terms += coefficient, *zip(names, chosen, strict=True)
        product = coefficient * np.eye(int(np.prod([s.d for s in sites])))
        for name, n in zip(names, chosen, strict=True):
            product = product @ on_site(sites, name, n)
        matrix = matrix + product
    return terms, matrix


def sum_of(sites, *entries):
    terms = mb.Terms(sites)
    for entry in entries:
        terms += entry
    return terms


def embedded(bonds, sites):
    d = [s.d for s in sites]
    return sum(np.kron(np.kron(np.eye(int(np.prod(d[:b]))), h), np.eye(int(np.prod(d[b + 2:]))))
               for b, h in enumerate(bonds))


@pytest.fixture(params=itertools.product(CHAINS, range(3)), ids=lambda p: f"{p[0]}-{p[1]}")
def drawn(request):
    chain, seed = request.param
    return random_terms(CHAINS[chain], seed)


# -- forms -----------------------------------------------------------------------------------------------------
def test_dense_is_the_product_written_out(drawn):
    terms, matrix = drawn
    close(terms.to_dense(), matrix, atol=1e-12)


def test_sparse_and_mpo_are_the_dense_matrix(drawn):
    terms, matrix = drawn
    close(terms.to_sparse().toarray(), matrix, atol=1e-12)
    close(terms.to_mpo().to_dense(), matrix, atol=1e-11)


INDEPENDENT = {mb.Spin: ["Sx", "Sy", "Sz"], mb.Boson: ["A", "Ad", "N"], mb.Levels: ["ge", "ef", "fg", "ee"],
               mb.Fermion: ["N"]}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_bond_of_the_mpo_is_the_operator_rank(chain, count):
    """At every cut: the rank of the matrix with left operators as rows and right operators as columns."""
    sites = CHAINS[chain]
    rng = np.random.default_rng(np.random.SeedSequence([61, count]))
    terms = mb.Terms(sites)
    for _ in range(count):
        chosen = rng.choice(len(sites), size=int(rng.integers(1, len(sites) + 1)), replace=False)
        terms += float(rng.normal()), *[(str(rng.choice(INDEPENDENT[type(sites[n])])), int(n)) for n in chosen]
    matrix, d, mpo = terms.to_dense(), [s.d for s in sites], terms.to_mpo()
    ranks = [operator_rank(matrix, int(np.prod(d[:n]))) for n in range(1, len(d))]
    assert mpo.compress().bonds == ranks
    # "nothing yet" and "all done" have a channel of their own even where a sum does without
    assert all(rank <= bond <= rank + 2 for rank, bond in zip(ranks, mpo.bonds, strict=True)), (ranks, mpo.bonds)


def operator_rank(matrix, left):
    right = len(matrix) // left
    rows = matrix.reshape(left, right, left, right).transpose(0, 2, 1, 3).reshape(left**2, right**2)
    return int(np.linalg.matrix_rank(rows, tol=1e-11 * np.linalg.norm(rows)))


@pytest.mark.parametrize("chain", CHAINS)
def test_bonds_sum_to_the_whole(chain):
    sites = CHAINS[chain]
    rng = np.random.default_rng(np.random.SeedSequence([4, len(chain)]))
    terms = sum_of(sites, (0.7,))
    for n in range(len(sites)):
        terms += complex(*rng.normal(size=2)), (str(rng.choice(sorted(set(sites[n].operators) - sites[n].odd))), n)
    for n in range(len(sites) - 1):
        for _ in range(3):
            a, b = (str(rng.choice(sorted(set(sites[k].operators) - sites[k].odd))) for k in (n, n + 1))
            terms += complex(*rng.normal(size=2)), (a, n), (b, n + 1)
    close(embedded(terms.to_bonds(), sites), terms.to_dense(), atol=1e-12)


def test_bonds_of_hopping_fermions():
    sites = [mb.Fermion()] * 4
    terms = sum_of(sites, *[(1.0, ("Cd", n), ("C", n + 1)) for n in range(3)],
                   *[(1.0, ("Cd", n + 1), ("C", n)) for n in range(3)])
    close(embedded(terms.to_bonds(), sites), terms.to_dense(), atol=1e-14)


def test_a_site_term_is_shared_by_its_bonds():
    sites = [mb.Spin()] * 3
    x = np.array([[0, 1], [1, 0]])
    left, right = sum_of(sites, (1.0, ("X", 1))).to_bonds()
    close(left, np.kron(np.eye(2), x) / 2)
    close(right, np.kron(x, np.eye(2)) / 2)
    left, right = sum_of(sites, (1.0, ("X", 0))).to_bonds()
    close(left, np.kron(x, np.eye(2)))
    close(right, np.zeros((4, 4)))


def test_matrices_serve_as_operators():
    sites = [mb.Spin(), mb.Spin(1)]
    rng = np.random.default_rng(np.random.SeedSequence([8]))
    a, b = rng.normal(size=(2, 2)), rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    terms = sum_of(sites, (2.0, (a, 0), (b, 1)), (1.0, ("X", 0), (a, 0)))
    x = sites[0].operator("X")
    expected = 2 * np.kron(a, b) + np.kron(x @ a, np.eye(3))
    close(terms.to_dense(), expected, atol=1e-12)
    close(terms.adjoint().to_dense(), expected.conj().T, atol=1e-12)


def test_site_0_is_the_most_significant_index():
    terms = sum_of([mb.Spin(), mb.Boson(2)], (1.0, ("Z", 0), ("N", 1)))
    close(np.diag(terms.to_dense()), [0, 1, 2, 0, -1, -2])


# -- optimal bonds ---------------------------------------------------------------------------------------------
def bonds_of(n, *entries):
    return sum_of([mb.Spin()] * n, *entries).to_mpo().bonds


def test_known_bonds():
    n = 12
    near = range(n - 1)
    field = [(0.3 + 0.1 * k, ("Z", k)) for k in range(n)]
    xxz = [(c, (a, k), (a, k + 1)) for k in near for a, c in (("X", 1.0), ("Y", 1.0), ("Z", 0.7))]
    ising = [(1.0 + 0.2 * k, ("X", k), ("X", k + 1)) for k in near]
    assert max(bonds_of(n, *xxz, *field)) == 5
    assert max(bonds_of(n, *ising, *field)) == 3
    assert bonds_of(n, *field) == [2] * (n - 1)
    assert bonds_of(n, (1.0, *[("X", k) for k in range(n)])) == [1] * (n - 1)
    assert bonds_of(n, (2.5,)) == [1] * (n - 1)
    assert bonds_of(n) == [1] * (n - 1)


def test_long_ranges_compress():
    n = 16
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    assert max(bonds_of(n, *[(1.0, ("Z", i), ("Z", j)) for i, j in pairs])) == 3
    assert max(bonds_of(n, *[(0.5 ** (j - i), ("Z", i), ("Z", j)) for i, j in pairs])) == 3
    # a sum of two exponentials has two channels
    both = [(0.5 ** (j - i) + 0.8 ** (j - i), ("Z", i), ("Z", j)) for i, j in pairs]
    assert max(bonds_of(n, *both)) == 4
    # all to all XX and YY: one channel each
    assert max(bonds_of(n, *[(1.0, (a, i), (a, j)) for i, j in pairs for a in "XY"])) == 4


def test_a_power_law_compresses():
    """The bond grows with the logarithm of the length at a fixed precision, not with the length."""
    largest = {}
    for n in (16, 32, 64):
        terms = mb.Terms([mb.Spin()] * n)
        for i in range(n):
            for j in range(i + 1, n):
                terms += (j - i) ** -3.0, ("Z", i), ("Z", j)
        mpo = terms.to_mpo()
        largest[n] = max(mpo.bonds)
        again = (mpo - terms.to_mpo().compress(1e-10))
        assert again.frobenius() < 1e-8 * mpo.frobenius()
    assert largest[16] <= 10
    assert largest[32] <= 16
    assert largest[64] <= largest[32] + 4
    rng = np.random.default_rng(np.random.SeedSequence([2]))
    random = sum_of([mb.Spin()] * 10, *[(float(rng.normal()), ("Z", i), ("Z", j))
                                        for i in range(10) for j in range(i + 1, 10)])
    assert max(random.to_mpo().bonds) == 7          # full rank: 5 channels across the middle and two for the rest


@pytest.mark.parametrize("side", ["left", "right"])
def test_operators_that_depend_on_each_other_share_a_channel(side):
    """X = Sp + Sm: no channel is spent on both."""
    n, pairs = 8, [("X", "Z"), ("Sp", "Y"), ("Sm", "Y")]
    pairs = pairs if side == "left" else [pair[::-1] for pair in pairs]
    entries = [(1.0, (a, k), (b, k + 1)) for k in range(n - 1) for a, b in pairs]
    assert max(bonds_of(n, *entries)) == 3


# -- algebra of terms ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("chain", CHAINS)
def test_terms_add_scale_and_conjugate_as_matrices(chain):
    a, dense_a = random_terms(CHAINS[chain], 11)
    b, dense_b = random_terms(CHAINS[chain], 12)
    close((a + b).to_dense(), dense_a + dense_b, atol=1e-12)
    close((a - b).to_dense(), dense_a - dense_b, atol=1e-12)
    close((2j * a * np.float64(0.5)).to_dense(), 1j * dense_a, atol=1e-12)
    close((-a).to_dense(), -dense_a, atol=1e-12)
    close(a.adjoint().to_dense(), dense_a.conj().T, atol=1e-12)
    close(a.to_dense(), dense_a, atol=1e-12)                       # none of this changed a
    c = a.copy()
    c += b
    c -= a
    close(c.to_dense(), dense_b, atol=1e-12)
    assert len(a - a) == 0


@pytest.mark.parametrize("chain", CHAINS)
def test_commutator_is_that_of_the_matrices(chain):
    a, dense_a = random_terms(CHAINS[chain], 21)
    b, dense_b = random_terms(CHAINS[chain], 22)
    close(a.commutator(b).to_dense(), dense_a @ dense_b - dense_b @ dense_a, atol=1e-11)
    assert len(a.commutator(a)) == 0


def test_subtracting_an_entry_subtracts_it():
    terms = sum_of([mb.Spin()] * 2, (1.0, ("X", 0), ("X", 1)))
    terms -= 0.25, ("X", 0), ("X", 1)
    close(terms.to_dense(), 0.75 * kron([[[0, 1], [1, 0]]] * 2))
    terms -= 0.75, ("X", 0), ("X", 1)
    assert len(terms) == 0


def test_one_operator_written_in_two_ways_is_one_term():
    sites = [mb.Spin()] * 2
    terms = sum_of(sites, (1.0, ("X", 0)), (1.0, ("Sx", 0)), (0.5, ("Sp", 0), ("Z", 0)), (1j, ("Z", 0), ("Y", 0)),
                   (1.0, ("Z", 1), ("Z", 1)))
    x, y, z = (sites[0].operator(a) for a in "XYZ")
    expected = np.kron(1.5 * x + 0.5 * sites[0].operator("Sp") @ z + 1j * z @ y, np.eye(2)) + np.eye(4)
    close(terms.to_dense(), expected, atol=1e-14)
    assert len(terms) == 3                                         # X (which Z Y is), Sp, and the constant


def test_mpo_follows_the_terms():
    """The cached MPO is not that of an earlier sum."""
    terms = sum_of([mb.Spin()] * 3, (1.0, ("X", 0)))
    terms.to_mpo()
    terms += 1.0, ("Z", 2)
    close(terms.to_mpo().to_dense(), terms.to_dense())
    close((2 * terms).to_mpo().to_dense(), 2 * terms.to_dense())


# -- facts -----------------------------------------------------------------------------------------------------
def test_hermiticity():
    sites = CHAINS["mixed"]
    terms, _ = random_terms(sites, 31)
    assert not terms.is_hermitian()
    assert (terms + terms.adjoint()).is_hermitian()
    assert (1j * (terms - terms.adjoint())).is_hermitian()
    # hermitian as an operator, not term by term
    assert sum_of([mb.Spin()], (1.0, ("Sp", 0)), (0.5, ("X", 0)), (-0.5j, ("Y", 0)), (1.0, ("Sm", 0)),
                  (-1.0, ("Sp", 0))).is_hermitian() is False
    assert sum_of([mb.Spin()], (1.0, ("Sp", 0)), (0.5, ("X", 0)), (-0.5j, ("Y", 0))).is_hermitian()
    assert mb.Terms(sites).is_hermitian()


def test_terms_vanish_as_operators():
    assert sum_of([mb.Spin()] * 2, (1.0, ("X", 0)), (-1.0, ("Sp", 0)), (-1.0, ("Sm", 0))).vanishes()
    assert not sum_of([mb.Spin()] * 2, (1e-6, ("X", 0))).vanishes()


def test_reach_is_the_longest_product():
    sites = [mb.Spin()] * 6
    assert sum_of(sites, (1.0,)).reach == 0
    assert sum_of(sites, (1.0, ("X", 3))).reach == 0
    assert sum_of(sites, (1.0, ("X", 3), ("X", 2)), (1.0, ("X", 0))).reach == 1
    assert sum_of(sites, (1.0, ("X", 5), ("Z", 1), ("X", 3))).reach == 4
    assert sum_of(sites, (1.0, ("X", 5), ("I", 0))).reach == 0
    # the string of a hop between next-nearest fermions
    assert sum_of([mb.Fermion()] * 4, (1.0, ("Cd", 0), ("C", 2))).reach == 2


@pytest.mark.parametrize(("chain", "entry", "conserved"), [
    ("qubits", (1.0, ("Sp", 0), ("Sm", 3)), True),
    ("qubits", (1.0, ("X", 0), ("X", 1)), False),
    ("qubits", (1.0, ("Z", 0)), True),
    ("qubits", (1.0, ("X", 2)), False),
    ("mixed", (1.0, ("Sp", 0), ("A", 1)), True),
    ("mixed", (1.0, ("Sp", 0), ("Ad", 1)), False),
    ("mixed", (1.0, ("Sp", 4), ("ge", 3)), True),
    ("mixed", (1.0, ("Sp", 4), ("gf", 3)), False),
    ("with fermions", (1.0, ("Cd", 0), ("C", 5)), True),
    ("with fermions", (1.0, ("C", 0), ("C", 5)), False),
])
def test_charge_is_conserved_where_it_is(chain, entry, conserved):
    terms = sum_of(CHAINS[chain], entry)
    assert (terms + terms.adjoint()).conserves_charge() is conserved


def test_charge_is_conserved_by_a_sum_whose_terms_do_not():
    terms = sum_of([mb.Spin()] * 2, (1.0, ("X", 0), ("X", 1)), (1.0, ("Y", 0), ("Y", 1)))
    assert terms.conserves_charge()


def test_touching_keeps_what_acts_on_a_site():
    terms = sum_of([mb.Spin()] * 4, (1.0, ("X", 0), ("X", 1)), (2.0, ("Z", 1)), (3.0, ("Z", 3)), (4.0,))
    close(terms.touching(1).to_dense(), sum_of(terms.sites, (1.0, ("X", 0), ("X", 1)), (2.0, ("Z", 1))).to_dense())


def test_expectation_is_that_of_the_vector():
    terms, matrix = random_terms(CHAINS["mixed"], 41)
    rng = np.random.default_rng(np.random.SeedSequence([42]))
    psi = rng.normal(size=len(matrix)) + 1j * rng.normal(size=len(matrix))
    state = mb.MPS.from_dense(terms.sites, psi)
    expected = np.vdot(psi, matrix @ psi) / np.vdot(psi, psi)
    assert terms.expect(state) == pytest.approx(expected, abs=1e-11)
    assert state.expect(terms) == pytest.approx(expected, abs=1e-11)


# -- fermions --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("between", [[], [mb.Spin()], [mb.Fermion(), mb.Boson(2)]])
def test_fermions_anticommute_between_sites(between):
    sites = [mb.Fermion(), *between, mb.Fermion(), mb.Fermion()]
    modes = [n for n, s in enumerate(sites) if s == mb.Fermion()]
    c = {n: sum_of(sites, (1.0, ("C", n))).to_dense() for n in modes}
    cd = {n: sum_of(sites, (1.0, ("Cd", n))).to_dense() for n in modes}
    one = np.eye(len(c[0]))
    for i, j in itertools.product(modes, modes):
        close(c[i] @ c[j] + c[j] @ c[i], 0 * one)
        close(c[i] @ cd[j] + cd[j] @ c[i], (i == j) * one)
        # a product added at once is the product of the operators, in the order written
        close(sum_of(sites, (1.0, ("Cd", i), ("C", j))).to_dense(), cd[i] @ c[j])
        close(sum_of(sites, (1.0, ("C", j), ("Cd", i))).to_dense(), c[j] @ cd[i])
    close(sum_of(sites, (1.0, ("Cd", modes[2]), ("C", modes[0]), ("N", modes[1]), ("C", modes[1]), ("Cd", modes[2])
                         )).to_dense(),
          cd[modes[2]] @ c[modes[0]] @ cd[modes[1]] @ c[modes[1]] @ c[modes[1]] @ cd[modes[2]])


def test_hopping_fermions_have_the_spectrum_of_free_ones():
    """sum_ij h_ij Cd_i C_j of any range: the many-body levels are the sums of eigenvalues of h."""
    n = 6
    rng = np.random.default_rng(np.random.SeedSequence([51]))
    h = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    h = h + h.conj().T
    terms = sum_of([mb.Fermion()] * n, *[(h[i, j], ("Cd", i), ("C", j)) for i in range(n) for j in range(n)])
    assert terms.is_hermitian()
    assert terms.conserves_charge()
    single = np.linalg.eigvalsh(h)
    expected = sorted(sum(s) for k in range(n + 1) for s in itertools.combinations(single, k))
    close(np.linalg.eigvalsh(terms.to_dense()), expected, atol=1e-12)
    close(np.linalg.eigvalsh(terms.to_mpo().to_dense()), expected, atol=1e-11)


def test_pairing_fermions_have_the_spectrum_of_bogoliubov():
    """The Kitaev chain: levels are sums of +- eps/2, with eps from the Bogoliubov-de Gennes matrix."""
    n, mu, t, delta = 6, 0.7, 1.1, 0.6
    terms = sum_of([mb.Fermion()] * n, *[(-mu, ("N", k)) for k in range(n)], (mu * n / 2,))
    for k in range(n - 1):
        pair = sum_of(terms.sites, (-t, ("Cd", k), ("C", k + 1)), (delta, ("C", k), ("C", k + 1)))
        terms += pair
        terms += pair.adjoint()
    a = -mu * np.eye(n) - t * (np.eye(n, k=1) + np.eye(n, k=-1))
    b = delta * (np.eye(n, k=-1) - np.eye(n, k=1))
    eps = np.linalg.eigvalsh(np.block([[a, b], [-b.conj(), -a.conj()]]))[n:]
    expected = sorted(sum(s) for s in itertools.product(*[(e / 2, -e / 2) for e in eps]))
    close(np.linalg.eigvalsh(terms.to_dense()), expected, atol=1e-12)


def test_an_exchange_of_two_fermions_gives_a_sign():
    sites = [mb.Fermion()] * 3
    both = mb.MPS.product(sites, ["full", "empty", "full"]).to_dense()
    first = sum_of(sites, (1.0, ("Cd", 0), ("Cd", 2))).to_dense() @ mb.MPS.product(sites, "empty").to_dense()
    second = sum_of(sites, (1.0, ("Cd", 2), ("Cd", 0))).to_dense() @ mb.MPS.product(sites, "empty").to_dense()
    close(first, both)
    close(second, -both)


def test_evolution_of_a_hopping_fermion():
    """exp(-i h t) of the single particle, by TEBD gates, which never see a string."""
    n, time = 10, 0.8
    terms = sum_of([mb.Fermion()] * n, *[(1.0, ("Cd", k), ("C", k + 1)) for k in range(n - 1)],
                   *[(1.0, ("Cd", k + 1), ("C", k)) for k in range(n - 1)])
    number = sum_of(terms.sites, *[(1.0, ("N", k)) for k in range(n)])
    battery = mb.Battery(terms.sites, range(n), number, terms, empty=[1, *[0] * (n - 1)])
    run = mb.charge(battery, [0.0, time], record={"n": mb.Expect("N")}, method=mb.TEBD())
    amplitudes = expm(-1j * time * (np.eye(n, k=1) + np.eye(n, k=-1)))[:, 0]
    close(run.data["n"][-1], np.abs(amplitudes) ** 2, atol=1e-6)


# -- algebra of MPOs -------------------------------------------------------------------------------------------
def random_mpo(sites, bond, seed):
    rng = np.random.default_rng(np.random.SeedSequence([seed, bond]))
    widths = [1, *[bond] * (len(sites) - 1), 1]
    return MPO([rng.normal(size=(a, b, s.d, s.d)) + 1j * rng.normal(size=(a, b, s.d, s.d))
                for s, a, b in zip(sites, widths, widths[1:], strict=False)])


@pytest.mark.parametrize("sites", [CHAINS["mixed"], [mb.Spin()] * 2, [mb.Spin(1)]], ids=["mixed", "two", "one"])
def test_mpos_add_multiply_and_conjugate_as_matrices(sites):
    a, b = random_mpo(sites, 3, 1), random_mpo(sites, 2, 2)
    x, y = a.to_dense(), b.to_dense()
    scale = np.abs(x).max() * np.abs(y).max() * len(x)
    close((a + b).to_dense(), x + y, atol=1e-13 * scale)
    close((a - b).to_dense(), x - y, atol=1e-13 * scale)
    close((2j * a).to_dense(), 2j * x, atol=1e-13 * scale)
    close((a @ b).to_dense(), x @ y, atol=1e-13 * scale)
    close(a.adjoint().to_dense(), x.conj().T, atol=1e-13 * scale)
    assert a.frobenius() == pytest.approx(np.linalg.norm(x) / np.sqrt(len(x)), rel=1e-12)
    if len(sites) > 1:
        assert (a + b).bonds == [5] * (len(sites) - 1)
        assert (a @ b).bonds == [6] * (len(sites) - 1)
    assert len(a) == len(sites)


def test_compress_finds_the_rank_and_keeps_the_operator():
    sites = [mb.Spin()] * 6
    a = random_mpo(sites, 3, 3)
    twice = a + a
    assert max(twice.bonds) == 6
    small = twice.compress()
    assert small.bonds == [3] * 5
    close(small.to_dense(), 2 * a.to_dense(), atol=1e-12 * np.abs(a.to_dense()).max())
    terms = sum_of(sites, *[(1.0, (p, k), (p, k + 1)) for k in range(5) for p in "XYZ"])
    squared = (terms.to_mpo() @ terms.to_mpo()).compress()
    close(squared.to_dense(), terms.to_dense() @ terms.to_dense(), atol=1e-11)
    assert max(squared.bonds) < max(terms.to_mpo().bonds) ** 2


def test_compress_errs_by_its_tolerance():
    sites = [mb.Spin()] * 6
    a, small = random_mpo(sites, 2, 4), random_mpo(sites, 2, 5)
    a, small = (1 / a.frobenius()) * a, (1e-6 / small.frobenius()) * small
    close((a + small).compress(1e-13).to_dense(), (a + small).to_dense(), atol=1e-12)
    coarse = (a + small).compress(1e-4)
    assert coarse.bonds == [2] * 5
    assert 1e-8 < (coarse - (a + small)).frobenius() < 1e-5
