"""Work under a constraint on coherence: convex and brute-force searches, closed forms, certificates."""

import itertools

import numpy as np
import pytest
import solved
from scipy.linalg import expm
from scipy.optimize import linprog, minimize, minimize_scalar

import mps_battery as mb
from mps_battery.measure.work.coherent import (
    CoherenceConstrainedWork,
    LocalIncoherentErgotropy,
    coherence_constrained_work,
    energy_coherence,
    local_incoherent_ergotropy,
)
from mps_battery.models import spin_chain


def random_matrix(rng, d, rank):
    b = rng.normal(size=(d, rank)) + 1j * rng.normal(size=(d, rank))
    return b @ b.conj().T / np.linalg.norm(b) ** 2


def hermitian(rng, d):
    a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    return a + a.conj().T


def random_block(seed):
    """(rho, h) of a block of an interacting chain of up to six spins in a pure or mixed state."""
    rng = np.random.default_rng([seed, 1])
    n, size = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    rho = solved.partial_trace(random_matrix(rng, 2**n, 1 + seed % 2 * int(rng.integers(1, 5))), range(size), n)
    h = sum(rng.normal() * solved.pauli_string(size, {k: solved.PAULI[rng.integers(3)] for k in sites})
            for sites in [*itertools.combinations(range(size), 2), *((k,) for k in range(size))] for _ in range(2))
    return rho, h, rng


def shannon(p):
    p = p[p > 1e-300]
    return -(p * np.log(p)).sum()


def populations(rho, h):
    basis = np.linalg.eigh(h)[1]
    return np.einsum("ai,ab,bi->i", basis.conj(), rho, basis, optimize=True).real


def full_work(rho, h):
    return np.trace(rho @ h).real - np.linalg.eigvalsh(rho)[::-1] @ np.linalg.eigvalsh(h)


def incoherent_work(rho, h):
    return np.trace(rho @ h).real - np.sort(populations(rho, h))[::-1] @ np.linalg.eigvalsh(h)


def cutting_planes(r, levels, entropy):
    """(least energy, of populations that r majorises and of at least some entropy): a linear program again and again.

    The entropy is replaced by its tangents -S(p) >= sum_k p_k ln q_k, more of them every round; the program is a bound
    from below, and mixing its solution with the flat distribution until the entropy is met is one from above.
    """
    d = len(r)
    below = np.tril(np.ones((d, d)))
    flat = np.full(d, 1 / d)
    planes, best = [], np.inf
    for _ in range(200):
        rows = np.vstack([below, *(np.log(q)[None] for q in planes)])
        limits = np.r_[np.cumsum(r), np.full(len(planes), -entropy)]
        order = -np.eye(d)[:-1] + np.eye(d)[1:]
        found = linprog(levels, np.vstack([rows, order]), np.r_[limits, np.zeros(d - 1)], np.ones((1, d)), [1.0])
        p = np.maximum(found.x, 0)
        x = 0.0
        if shannon(p) < entropy:
            low, high = 0.0, 1.0
            for _ in range(60):
                x = (low + high) / 2
                low, high = (x, high) if shannon((1 - x) * p + x * flat) < entropy else (low, x)
        q = (1 - x) * p + x * flat
        best = min(best, q @ levels)
        if best - found.fun < 1e-9:
            break
        planes.append(np.maximum(q, 1e-30))
    return found.fun, best


def certificate(r, levels, entropy, q):
    """A number below every p.e with r majorising p and S(p) >= entropy, close for q near the best p.

    p.e >= p.e + T (entropy - S(p)) >= p.(e + T ln q) + T entropy for T >= 0, and among all p that r majorises the last
    is least where the largest r meets the smallest e + T ln q: concave in T, whose best value is where the slope turns.
    """
    logs, low, high = np.log(np.maximum(q, 1e-300)), 0.0, 1e8
    for _ in range(120):
        t = (low + high) / 2
        rising = r @ logs[np.argsort(levels + t * logs)] + entropy > 0
        low, high = (t, high) if rising else (low, t)
    return max(r @ np.sort(levels + t * logs) + t * entropy for t in (0.0, low, high))


@pytest.mark.parametrize("seed", range(120))
def test_blocks_are_certified(seed):
    """The state's own coherence, or a share of the most that is possible; the unitary does what is said, none better.
    """
    rho, h, rng = random_block(seed)
    r, levels = np.linalg.eigvalsh(rho)[::-1], np.linalg.eigvalsh(h)
    mixed = shannon(np.maximum(r, 0))
    own = max(0.0, shannon(populations(rho, h)) - mixed)
    asked = None if seed % 2 else float(rng.uniform(0, 1) * (np.log(len(r)) - mixed))
    kept = own if asked is None else asked
    found = coherence_constrained_work(rho, h, asked)
    energy = np.trace(rho @ h).real
    assert found.gap < 1e-8
    np.testing.assert_allclose(found.unitaries[0] @ found.unitaries[0].conj().T, np.eye(len(h)), atol=1e-12)
    after = found.unitaries[0] @ rho @ found.unitaries[0].conj().T
    assert abs(energy - np.trace(after @ h).real - found.value) < 1e-10
    assert abs(shannon(populations(after, h)) - mixed - kept) < 1e-8
    assert energy - found.value <= certificate(r, levels, mixed + kept, np.sort(populations(after, h))[::-1]) + 1e-8
    assert found.value <= full_work(rho, h) + 1e-10
    if asked is None:
        assert incoherent_work(rho, h) <= found.value + 1e-10
        assert abs(energy_coherence(rho, h) - own) < 1e-10


@pytest.mark.parametrize("seed", range(4))
def test_blocks_against_a_convex_search(seed):
    rho, h, _ = random_block(seed)
    r = np.linalg.eigvalsh(rho)[::-1]
    low, high = cutting_planes(np.maximum(r, 0), np.linalg.eigvalsh(h), shannon(populations(rho, h)))
    assert low - 1e-8 <= np.trace(rho @ h).real - coherence_constrained_work(rho, h).value <= high + 1e-8


@pytest.mark.parametrize("seed", range(6))
def test_small_matrices_against_a_search_over_unitaries(seed):
    """U = exp(i A) with the coherence after it held, from several starts: nothing above, and the best reached."""
    rng = np.random.default_rng([seed, 2])
    rho, h = random_matrix(rng, 3, 1 + seed % 3), np.diag(np.sort(rng.normal(size=3))).astype(complex)
    found, kept = coherence_constrained_work(rho, h), shannon(np.diag(rho).real)

    def after(x):
        a = x.reshape(3, 3)
        u = expm(1j * (a + a.T) + (a - a.T))
        return u @ rho @ u.conj().T

    held = {"type": "eq", "fun": lambda x: shannon(np.diag(after(x)).real) - kept}
    tries = [minimize(lambda x: np.trace(after(x) @ h).real, rng.normal(size=9), method="SLSQP", constraints=held,
                      options={"ftol": 1e-13, "maxiter": 300}) for _ in range(5)]
    drawn = [np.trace(rho @ h).real - t.fun for t in tries if abs(held["fun"](t.x)) < 1e-9]
    assert max(drawn) <= found.value + 1e-7
    assert max(drawn) >= found.value - 1e-6


def test_pure_states_keep_their_coherence_in_a_gibbs_distribution():
    """A pure state may have any populations: those of the temperature at which the Gibbs entropy is the coherence."""
    levels, beta = np.array([-1.0, 0.2, 0.5, 2.0]), 0.7
    gibbs = np.exp(-beta * levels) / np.exp(-beta * levels).sum()
    vector = np.sqrt(gibbs[[2, 0, 3, 1]]).astype(complex)
    found = coherence_constrained_work(np.outer(vector, vector), np.diag(levels))
    assert abs(found.value - (vector**2 - gibbs).real @ levels) < 1e-10
    most = coherence_constrained_work(np.outer(vector, vector), np.diag(levels), np.log(4))
    assert abs(most.value - ((vector**2).real @ levels - levels.mean())) < 1e-7
    assert abs(coherence_constrained_work(np.outer(vector, vector), np.diag(levels), 0.0).value
               - full_work(np.outer(vector, vector), np.diag(levels))) < 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_a_qubit_can_only_turn_over(seed):
    """|r| and |r_perp| are kept, so z is kept or turned: W = splitting x max(z, 0), and an inverted qubit gives all."""
    rng = np.random.default_rng([seed, 3])
    rho = random_matrix(rng, 2, 2)
    expected = 1.4 * max(0.0, (rho[0, 0] - rho[1, 1]).real)
    assert abs(coherence_constrained_work(rho, 0.7 * solved.Z).value - expected) < 1e-9


def test_less_coherence_kept_more_work():
    rho, h, _ = random_block(17)
    r = np.linalg.eigvalsh(rho)
    most = np.log(len(r)) - shannon(r[r > 0])
    work = [coherence_constrained_work(rho, h, c).value for c in np.linspace(0, most, 12)]
    assert np.all(np.diff(work) < 1e-10)
    assert abs(work[0] - full_work(rho, h)) < 1e-10
    assert abs(work[-1] - (np.trace(rho @ h).real - np.trace(h).real / len(r))) < 1e-6


def test_degenerate_levels():
    """Coherence is that between different energies, whatever basis spans a level; inside a level it costs nothing."""
    rng = np.random.default_rng(4)
    levels = np.array([0.0, 0, 0, 1, 1, 3])
    rho = random_matrix(rng, 6, 3)
    turn = np.zeros((6, 6), dtype=complex)
    for first, last in ((0, 3), (3, 5), (5, 6)):
        turn[first:last, first:last] = np.linalg.qr(hermitian(rng, last - first))[0]
    first = coherence_constrained_work(rho, np.diag(levels))
    second = coherence_constrained_work(turn @ rho @ turn.conj().T, np.diag(levels))
    assert abs(first.value - second.value) < 1e-9
    inside = sum(shannon(np.linalg.eigvalsh(rho[a:b, a:b])) for a, b in ((0, 3), (3, 5), (5, 6)))
    assert abs(energy_coherence(rho, np.diag(levels)) - inside + shannon(np.linalg.eigvalsh(rho))) < 1e-9
    down = np.diag([0.5, 0.3, 0.2, 0, 0, 0]).astype(complex)
    free = coherence_constrained_work(down, np.diag(levels), np.log(3) - shannon(np.array([0.5, 0.3, 0.2])) - 1e-3)
    assert free.value == pytest.approx(0, abs=1e-9)
    after = free.unitaries[0] @ down @ free.unitaries[0].conj().T
    assert shannon(np.diag(after).real) == pytest.approx(np.log(3) - 1e-3, abs=1e-9)
    assert coherence_constrained_work(down, np.eye(6), 0.1).value == pytest.approx(0, abs=1e-12)


# -- one cell of an interacting chain --------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(100))
def test_cells_against_brute_force(seed):
    """diag(1, e^i phi) and X diag(1, e^i phi) in the basis of the axis, every phase, with dense matrices."""
    rng = np.random.default_rng([seed, 5])
    n = int(rng.integers(2, 6))
    site, terms = int(rng.integers(n)), mb.Terms([mb.Spin()] * n)
    for _ in range(3 * n):
        sites = rng.choice(n, size=int(rng.integers(1, min(n, 3) + 1)), replace=False)
        terms += rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    rho, h = random_matrix(rng, 2**n, 1 + 2 * (seed % 2)), terms.to_dense()
    state = mb.Density.from_dense(terms.sites, rho) if seed % 2 else \
        mb.MPS.from_dense(terms.sites, np.linalg.eigh(rho)[1][:, -1])
    axis = "XYZ"[seed % 3] if seed % 4 else rng.normal(size=3)
    vector = np.eye(3)[seed % 3] if isinstance(axis, str) else axis / np.linalg.norm(axis)
    basis = np.linalg.eigh(np.tensordot(vector, solved.PAULI, 1))[1]

    def energy(phi, flip):
        u = basis @ (np.eye(2)[::-1] if flip else np.eye(2)) @ np.diag([1, np.exp(1j * phi)]) @ basis.conj().T
        big = solved.pauli_string(n, {site: u})
        return np.trace(big @ rho @ big.conj().T @ h).real

    # A + B cos(phi - phi_0): three points tell it
    least = []
    for flip in (False, True):
        a, b, c = (energy(phi, flip) for phi in (0, 2 * np.pi / 3, 4 * np.pi / 3))
        least.append((a + b + c) / 3 - 2 / 3 * np.sqrt(((a - b) ** 2 + (b - c) ** 2 + (c - a) ** 2) / 2))
        closer = minimize_scalar(energy, args=(flip,), bounds=(-np.pi, np.pi), method="bounded").fun
        assert closer >= least[-1] - 1e-9
    found = local_incoherent_ergotropy(state, terms, site, axis)
    assert abs(found - (np.trace(rho @ h).real - min(least))) < 1e-8
    assert -1e-12 <= found <= mb.local_ergotropy(state, terms, site) + 1e-9


def test_recorded_for_pure_and_mixed_runs():
    record = {"kept": CoherenceConstrainedWork([1, 2]), "none": CoherenceConstrainedWork([0], coherence=0.0),
              "flat": CoherenceConstrainedWork([0], coherence=9.0),
              "z": LocalIncoherentErgotropy(), "w": mb.LocalErgotropy()}
    pure = spin_chain.xxz(cells=4)
    jump = mb.Terms(pure.sites)
    jump += 0.4, ("Sm", 0)
    for battery in (pure, mb.Battery(pure.sites, pure.cells, pure.energy, pure.charging, [mb.Jump(jump)])):
        run = mb.charge(battery, [0.0, 0.7], record=record, bars=False)
        rho = run.state.reduced([1, 2])
        pair = spin_chain.xxz(cells=2).energy.to_dense()
        assert abs(run.data["kept"].values[1] - coherence_constrained_work(rho, pair).value) < 1e-9
        assert np.all(run.data["z"].values <= run.data["w"].values + 1e-10)
        field = np.trace(pair @ np.kron(solved.Z, np.eye(2))).real / 4
        assert abs(run.data["flat"].values[1] - field * np.trace(run.state.reduced([0]) @ solved.Z).real) < 1e-6
        assert abs(run.data["none"].values[1] - full_work(run.state.reduced([0]), field * solved.Z)) < 1e-9


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda *_: coherence_constrained_work(np.eye(2) / 2, solved.Z, 0.1), "Argument `coherence` must be from 0 to 0"),
    (lambda *_: coherence_constrained_work(np.eye(2), solved.Z), "trace one"),
    (lambda s, h: local_incoherent_ergotropy(s, h, 0, "W"), 'must be "X", "Y", "Z" or a direction'),
    (lambda s, h: local_incoherent_ergotropy(s, h, 9), "Argument `sites` must be different sites from 0 to 3"),
    (lambda s, _: local_incoherent_ergotropy(s, mb.Terms([mb.Spin()] * 3), 0), "must live on the 4 sites"),
])
def test_bad_input(call, sentence):
    battery = spin_chain.xxz(cells=4)
    with pytest.raises(mb.InputError, match=sentence):
        call(battery.initial_state(), battery.energy)
