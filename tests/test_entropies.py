"""Entropies of any set of sites against dense matrices, free fermions and states known in closed form."""

import itertools

import methods
import numpy as np
import pytest
import solved

import mps_battery as mb
from mps_battery.measure.resources import entanglement as e
from mps_battery.measure.resources import entropies
from mps_battery.measure.resources.entropies import entropy, mutual_information, operator_entropy, purity, renyi
from mps_battery.models import spin_chain
from mps_battery.tensors import trains

ALPHAS = (0.5, 1.0, 2.0, 3.0, np.inf)
SITES = [mb.Spin(), mb.Spin(1), mb.Boson(2), mb.Fermion()]


def marginal(rho, keep, dims):
    """Dense reduced density matrix, sites in the order given."""
    n, rest = len(dims), [k for k in range(len(dims)) if k not in keep]
    order = [*keep, *rest]
    d = int(np.prod([dims[k] for k in keep]))
    legs = rho.reshape([*dims, *dims]).transpose(order + [n + k for k in order])
    return np.einsum("arbr->ab", legs.reshape(d, -1, d, len(rho) // d))


def dense_renyi(rho, alpha):
    """From powers of the matrix where there are such, else from its eigenvalues."""
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-14]
    if alpha in (2, 3):
        return np.log(np.trace(np.linalg.matrix_power(rho, int(alpha))).real) / (1 - alpha)
    return {0.5: 2 * np.log(np.sqrt(p).sum()), 1.0: -p @ np.log(p), np.inf: -np.log(np.linalg.norm(rho, 2))}[alpha]


def random_state(seed):
    """(state, dense density, dims): pure of any or of low rank, or mixed of any rank; unlike sites, N = 2 to 6."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    sites = [SITES[rng.integers(4)] if n < 6 else mb.Spin() for _ in range(n)]
    dims = [s.d for s in sites]
    size = int(np.prod(dims))
    if seed % 3 == 2:
        rank = int(rng.integers(1, size + 1))
        v = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
        rho = v @ v.conj().T / np.linalg.norm(v) ** 2
        return mb.Density.from_dense(sites, rho), rho, dims
    if seed % 3 == 1:            # bonds of one and two, in no canonical form
        bonds = [1, *rng.integers(1, 3, size=n - 1), 1]
        tensors = [rng.normal(size=(a, d, b)) + 1j * rng.normal(size=(a, d, b))
                   for a, d, b in zip(bonds, dims, bonds[1:], strict=False)]
        state = mb.MPS(tuple(sites), tensors)
        vector = state.to_dense()
    else:
        vector = rng.normal(size=size) + 1j * rng.normal(size=size)
        state = mb.MPS.from_dense(sites, vector)
    vector = vector / np.linalg.norm(vector)
    return state, np.outer(vector, vector.conj()), dims


@pytest.mark.parametrize("seed", range(150))
def test_sets_of_sites_against_dense(seed):
    state, rho, dims = random_state(seed)
    rng = np.random.default_rng([seed, 1])
    for _ in range(2):
        keep = [int(k) for k in rng.permutation(len(dims))[:rng.integers(1, len(dims) + 1)]]
        part = marginal(rho, keep, dims)
        for alpha in ALPHAS:
            if alpha < 1 and isinstance(state, mb.Density) and np.linalg.matrix_rank(part, tol=1e-9) < len(part):
                continue                         # roots of eigenvalues that are zero up to rounding
            assert entropy(state, keep, alpha) == pytest.approx(dense_renyi(part, alpha), abs=1e-8)
        assert purity(state, keep) == pytest.approx(np.linalg.norm(part) ** 2, abs=1e-10)
        if len(keep) > 1:
            a, b = keep[:1], keep[1:]
            parts = [marginal(rho, k, dims) for k in (a, b, keep)]
            for alpha in (1.0, 2.0):
                first, second, both = (dense_renyi(p, alpha) for p in parts)
                assert mutual_information(state, a[0], b, alpha) == pytest.approx(first + second - both, abs=1e-8)
    assert purity(state) == pytest.approx(np.linalg.norm(rho) ** 2, abs=1e-10)


@pytest.mark.parametrize("seed", [s for s in range(180) if s % 3 < 2])
def test_ways_of_pure_states_agree(seed):
    """Schmidt values of scattered sets, and two replicas, against the dense matrix of amplitudes."""
    state, rho, dims = random_state(seed)
    rng = np.random.default_rng([seed, 2])
    keep = {int(k) for k in rng.permutation(len(dims))[:rng.integers(1, len(dims))]}
    spectrum = np.ones(1)
    for s in entropies.schmidt_spectra(state, keep):
        spectrum = np.outer(spectrum, s).ravel()
    weights = np.sort(np.linalg.eigvalsh(marginal(rho, sorted(keep), dims)))[::-1]
    found = np.sort(spectrum**2)[::-1]
    count = max(len(found), len(weights))
    np.testing.assert_allclose(np.pad(found, (0, count - len(found))), np.pad(weights, (0, count - len(weights))),
                               atol=1e-13)
    if len(entropies._turns(keep, len(dims))) > 1:
        for part in (keep, set(range(len(dims))) - keep):
            p = np.sort(np.linalg.eigvalsh(entropies._marginal(state, part)))[::-1][:len(weights)]
            np.testing.assert_allclose(p, weights[:len(p)], atol=1e-12)
        assert entropies._overlap_of_replicas(state, keep) == pytest.approx(np.sum(weights**2), abs=1e-12)


def test_limits_of_renyi():
    p = np.random.default_rng(0).dirichlet(np.ones(7), size=4)
    np.testing.assert_allclose(renyi(p, 1 + 1e-7), renyi(p), atol=1e-6)
    np.testing.assert_allclose(renyi(p, 1e4), renyi(p, np.inf), rtol=1e-3)
    np.testing.assert_allclose(renyi(np.full((2, 5), 0.2), 0.3), np.log(5), atol=1e-14)
    assert renyi(np.array([1.0, 0.0, -1e-17])) == 0


def test_long_chains_that_are_known():
    """A hundred alternating sites: entangled pairs, a cat state, and what does not fit."""
    n, c = 100, np.cos(0.4)
    pair = [np.diag([c, np.sin(0.4)]).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1)]
    pairs = mb.MPS((mb.Spin(),) * n, pair * (n // 2))
    binary = renyi(np.array([c**2, 1 - c**2]))
    assert entropy(pairs, range(0, n, 2)) == pytest.approx(50 * binary, abs=1e-10)
    assert entropy(pairs, range(0, n, 4), 0.5) == pytest.approx(50 * np.log(c + np.sin(0.4)), abs=1e-10)
    middle = np.zeros((2, 2, 2))
    middle[0, 0, 0] = middle[1, 1, 1] = 1
    cat = mb.MPS((mb.Spin(),) * n, [middle[:1] + middle[1:], *[middle] * (n - 2), middle.sum(2, keepdims=True)])
    assert entropy(cat, range(1, n, 3)) == pytest.approx(np.log(2), abs=1e-12)
    assert mutual_information(cat, range(0, n, 2), range(1, n, 2)) == pytest.approx(2 * np.log(2), abs=1e-12)
    assert mutual_information(cat, 3, 90) == pytest.approx(np.log(2), abs=1e-12)


def test_small_roots_are_no_noise():
    """A product written twice: what rounding leaves of a second Schmidt value must not count, even to its root."""
    rng = np.random.default_rng(4)
    labels = [v for v in rng.normal(size=(9, 2)) + 1j * rng.normal(size=(9, 2))]
    product = mb.MPS.product([mb.Spin()] * 9, labels).tensors
    twice = mb.MPS((mb.Spin(),) * 9, trains.add(product, product))
    for sites in ([4], [3, 4, 5], [2, 6]):
        assert entropy(twice, sites, 0.3) == pytest.approx(0, abs=1e-8)


def test_what_does_not_fit_still_has_its_purity(monkeypatch):
    """Every other of twelve sites: too many numbers for Schmidt values, not for two replicas."""
    rng = np.random.default_rng(0)
    bonds = [1, 2, *[4] * 9, 2, 1]
    state = mb.MPS((mb.Spin(),) * 12, [rng.normal(size=(a, 2, b)) + 1j * rng.normal(size=(a, 2, b))
                                       for a, b in itertools.pairwise(bonds)])
    vector = state.to_dense() / state.norm
    monkeypatch.setattr(entropies, "LARGEST_TRAIN", 256)
    monkeypatch.setattr(entropies, "LARGEST_WORK", 10)
    keep = range(0, 12, 2)
    expected = -2 * np.log(np.linalg.norm(solved.reduced(vector, keep, 12)))
    assert entropy(state, keep, 2) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(mb.InputError, match=r"fits into 256 numbers, but at site 6"):
        entropy(state, keep)
    monkeypatch.setattr(entropies, "LARGEST_REPLICAS", 100)
    with pytest.raises(mb.InputError, match="for its purity"):
        entropy(state, keep, 2)


def test_middle_block_of_a_critical_chain():
    """A block of 13 of 24 sites from the covariance of its free fermions."""
    n, block = 24, range(5, 18)
    reference = solved.IsingQuench(n, 1.0, 1.0, 1.0, 1.0)
    kept = np.r_[block, n + np.array(block)]
    nu = np.linalg.eigvalsh(1j * reference.covariance(0.0)[np.ix_(kept, kept)])
    state = mb.ground_state(spin_chain.ising_quench(cells=n, field=1.0).energy).state
    for alpha in (1.0, 2.0):
        weights = np.stack([(1 + nu) / 2, (1 - nu) / 2], -1)
        assert entropy(state, block, alpha) == pytest.approx(np.sum(renyi(weights, alpha)) / 2, abs=1e-6)


@pytest.mark.parametrize("seed", range(100))
def test_operator_entropy_against_dense(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    terms = mb.Terms([mb.Spin()] * n)
    for _ in range(2 * n):
        sites = rng.choice(n, size=int(rng.integers(1, min(n, 3) + 1)), replace=False)
        terms += rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    for bond in range(n - 1):
        d = 2 ** (bond + 1)
        matrix = terms.to_dense().reshape(d, 2**n // d, d, 2**n // d).transpose(0, 2, 1, 3).reshape(d * d, -1)
        s = np.linalg.svd(matrix, compute_uv=False) ** 2
        p = s[s > 1e-20 * s[0]] / s.sum()
        assert operator_entropy(terms, bond) == pytest.approx(-p @ np.log(p), abs=1e-10)


def test_operator_entropy_of_known_operators():
    swap = mb.Terms([mb.Spin()] * 2)
    swap += 0.5,
    for name in "XYZ":
        swap += 0.5, (name, 0), (name, 1)
    assert operator_entropy(swap, 0) == pytest.approx(np.log(4), abs=1e-12)
    assert operator_entropy(mb.Density.product(swap.sites, "mixed"), 0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("mixed", [False, True])
def test_recorded_entropies(mixed):
    """Along a run, pure and under dephasing, against the dense state."""
    base = methods._mediated()
    flips = mb.Terms(base.sites)
    flips += 0.3, ("Z", 2)
    battery = mb.Battery(base.sites, base.cells, base.energy, base.charging, [mb.Jump(flips)] if mixed else [],
                         empty=base.empty)
    record = {"one": e.SiteEntropy(), "one3": e.SiteEntropy(3.0), "purity": e.SitePurity(),
              "block": e.BlockEntropy(2, 5), "block3": e.BlockEntropy(2, 5, 3.0), "renyi": e.Renyi2(3, 4),
              "tr": e.BlockPurity(3, 4)} | ({} if mixed else {"cut": e.Entropy(), "half": e.Entropy(0.5)})
    run = mb.charge(battery, [0.0, 0.6], record=record, method=mb.Exact(), keep_states=True)
    state = run.states[-1].to_dense()
    rho = state if mixed else np.outer(state, state.conj())
    last, dims = run.data.isel(time=-1), [2] * 8
    for n in range(8):
        part = marginal(rho, [n], dims)
        assert last["one"].values[n] == pytest.approx(dense_renyi(part, 1.0), abs=1e-8)
        assert last["one3"].values[n] == pytest.approx(dense_renyi(part, 3.0), abs=1e-8)
        assert last["purity"].values[n] == pytest.approx(np.linalg.norm(part) ** 2, abs=1e-10)
    assert float(last["block"]) == pytest.approx(dense_renyi(marginal(rho, range(2, 6), dims), 1.0), abs=1e-8)
    assert float(last["block3"]) == pytest.approx(dense_renyi(marginal(rho, range(2, 6), dims), 3.0), abs=1e-8)
    inner = marginal(rho, [3, 4], dims)
    assert float(last["renyi"]) == pytest.approx(dense_renyi(inner, 2.0), abs=1e-8)
    assert float(last["tr"]) == pytest.approx(np.linalg.norm(inner) ** 2, abs=1e-10)
    if not mixed:
        for b in range(7):
            s = np.linalg.svd(state.reshape(2 ** (b + 1), -1), compute_uv=False)
            assert last["cut"].values[b] == pytest.approx(solved.cut_entropy(state, b + 1), abs=1e-8)
            assert last["half"].values[b] == pytest.approx(2 * np.log(s.sum()), abs=1e-8)
