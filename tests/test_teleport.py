"""Energy teleportation: closed forms of two qubits, dense brute force over conditional unitaries, free fermions."""

from functools import cache, reduce
from itertools import permutations

import numpy as np
import pytest
import searched
import solved
from scipy.linalg import expm, logm
from solved import I2, X, Y, Z, pauli_string

import mps_battery as mb
from mps_battery.measure.work import feedback, measuring
from mps_battery.teleport.information import relative_entropy

QUBIT = mb.Spin()
DIRECTIONS = {"X": X, "Y": Y, "Z": Z}


# -- two qubits --------------------------------------------------------------------------------------------------
def pair(left, right, coupling, offsets=(0.0, 0.0, 0.0)):
    """left Z_0 + right Z_1 + 2 coupling X_0 X_1 + offsets."""
    terms = mb.Terms([QUBIT] * 2)
    for entry in ((left, ("Z", 0)), (right, ("Z", 1)), (2 * coupling, ("X", 0), ("X", 1)), (sum(offsets),)):
        terms += entry
    return terms


def formula(rho, right, coupling):
    """REFERENCES 5.2: energy drawn after a measurement of X_0 by rotations of qubit 1 about y by angles +-phi."""
    def mean(*factors):
        return np.trace(rho @ np.kron(*factors)).real

    b = right * mean(I2, Z) + 2 * coupling * mean(X, X)
    return b + np.sqrt((right**2 + 4 * coupling**2) * (mean(I2, Z) ** 2 + mean(X, X) ** 2))


def both(rho, sites=(QUBIT, QUBIT)):
    """A state in every form of the engine that holds it."""
    values, vectors = np.linalg.eigh(rho)
    pure = [mb.MPS.from_dense(sites, vectors[:, -1])] if values[-1] > 1 - 1e-12 else []
    return [*pure, mb.Density.from_dense(sites, rho)]


@pytest.mark.parametrize(("h", "k"), [(1, 0.1), (1, 0.2), (1, 0.5), (1, 1), (1.5, 1)])
def test_minimal_model(h, k):
    """REFERENCES 5.1 [Hotta; Ikeda 2023]: E_A = h^2 / s, E_B = sqrt(h^2 + 4 k^2) - (h^2 + 2 k^2) / s."""
    s = np.hypot(h, k)
    terms = pair(h, h, k, (2 * h * h / s, 2 * k * k / s))
    vector = np.array([np.sqrt(1 - h / s), 0, 0, -np.sqrt(1 + h / s)]) / np.sqrt(2)
    for state in both(np.outer(vector, vector)):
        for response in ("best", "Y"):
            found = mb.teleport(state, terms, 0, 1, "X", response, temperature=0.0)
            assert found.injected == pytest.approx(h * h / s, abs=1e-10)
            assert found.extracted == pytest.approx(np.sqrt(h * h + 4 * k * k) - (h * h + 2 * k * k) / s, abs=1e-10)
            assert found.without_message == pytest.approx(0, abs=1e-12)
            assert found.efficiency == found.extracted / found.injected
            assert found.bound == found.injected
            assert max(map(abs, found.audits.values())) < 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_any_two_qubits(seed):
    """Equal to the formula for a state of fixed parity in Z_0 Z_1, whose two outcomes mirror each other; never less."""
    rng = np.random.default_rng(seed)
    left, right, coupling = rng.normal(size=3)
    rho = searched.random_state(rng, [QUBIT] * 2, 1 + seed % 4)[1]
    parity = np.kron(Z, Z)
    even = (rho + parity @ rho @ parity) / 2
    terms = pair(left, right, coupling)
    for state in both(even):
        found = mb.teleport(state, terms, 0, 1, "X", "Y")
        assert found.extracted == pytest.approx(formula(even, right, coupling), abs=1e-10)
    for state in both(rho):
        rotated, best = (mb.teleport(state, terms, 0, 1, "X", how).extracted for how in ("Y", "best"))
        assert best + 1e-12 >= rotated >= formula(rho, right, coupling) - 1e-12


@pytest.mark.parametrize(("temperature", "value"), [(0.2, 0.0927616), (0.5, 0.0450339), (1, 0.0076807), (2, 4.9538e-4),
                                                    (5, 6.5750e-6)])
def test_gibbs_table(temperature, value):
    """REFERENCES 5.2."""
    terms = pair(1, 0.8, 0.5)
    state = mb.thermal_state(terms, 1 / temperature).state
    found = mb.teleport(state, terms, 0, 1, temperature=temperature)
    assert found.extracted == pytest.approx(value, abs=6e-8 if value > 1e-3 else 1e-4 * value)
    assert found.without_message == pytest.approx(0, abs=1e-12)
    assert found.extracted <= found.bound


@pytest.mark.parametrize(("level", "value"), [(0, 0.0956561), (1, 0.4569371), (2, 2.1043126),
                                              (3, 2.4655936)])
def test_eigenstates(level, value):
    """REFERENCES 5.2."""
    terms = pair(1, 0.8, 0.5)
    vector = np.linalg.eigh(terms.to_dense())[1][:, level]
    assert mb.teleport(mb.MPS.from_dense(terms.sites, vector), terms, 0, 1).extracted == pytest.approx(value, abs=6e-8)


@cache
def between_baths(hot, cold, rate):
    """The two qubits with local baths at twice the field of each."""
    terms, jumps = pair(1, 0.8, 0.5), []
    for n, (field, t) in enumerate(((1.0, hot), (0.8, cold))):
        lowering = mb.Terms(terms.sites)
        lowering += 1.0, ("Sm", n)
        jumps += mb.thermal_jumps(lowering, 2 * field, 1 / t, rate)
    return mb.Battery(sites=terms.sites, cells=range(2), energy=terms, charging=terms, jumps=jumps, empty="down")


STEADY = [(0.5, 0.5, 1e-3, 0.077433, 0.0), (0.5, 0.5, 0.1, 0.077662, 0.000149), (0.5, 0.5, 1, 0.099272, 0.014050),
          (0.5, 0.5, 10, 0.395194, 0.107066), (2, 0.2, 1e-3, 0.069508, 0.0), (2, 0.2, 0.1, 0.070838, 0.00136),
          (2, 0.2, 1, 0.157087, 0.076326), (2, 0.2, 10, 0.459591, 0.101545), (0.2, 2, 1e-3, 0.031784, None),
          (0.2, 2, 0.1, 0.031742, None), (0.2, 2, 1, 0.032805, None), (0.2, 2, 10, 0.169145, None)]


@pytest.mark.parametrize("method", [mb.Dense(), mb.Sweeps()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(("hot", "cold", "rate", "value", "alone"), STEADY)
def test_steady_pair(hot, cold, rate, value, alone, method):
    """REFERENCES 5.6, by the null vector of the dense Liouvillian and by sweeps over trains."""
    battery = between_baths(hot, cold, rate)
    steady = mb.steady_state(battery, method=method, tolerance=1e-11, progress=False)
    found = mb.teleport(steady.state, battery.energy, 0, 1, earlier=steady.earlier)
    assert found.extracted == pytest.approx(value, abs=1.1e-6)
    if alone is not None:
        assert found.without_message == pytest.approx(alone, abs=6e-6 if alone == 0.00136 else 1.1e-6)
    assert found.surplus == pytest.approx(found.extracted - found.without_message, abs=1e-12)


# -- values far below rounding -----------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("sign", [1, -1])
def test_tiny_values(size, sign):
    """A field Z_1 with <Z_1> = sign z and <X_0 X_1> = size: surplus size^2 / (sqrt(z^2 + size^2) + z)."""
    z = 0.4
    rho = (np.eye(4) + sign * z * np.kron(I2, Z) + size * np.kron(X, X)) / 4
    terms = pair(0, 1, 0)
    small, close = size**2 / (np.hypot(z, size) + z), {"abs": 0, "rel": 1e-3 if size < 1e-11 else 1e-6}
    for response in ("best", "Y"):
        found = mb.teleport(mb.Density.from_dense(terms.sites, rho), terms, 0, 1, "X", response)
        assert found.surplus == pytest.approx(small, **close)
        assert found.without_message == pytest.approx(z + z * sign, abs=1e-14)
        assert found.extracted == pytest.approx(found.without_message + small, **close)
    # of second order: levels (1 +- z) / 2 and the logarithmic mean of both
    if size < 1e-5:
        assert found.information["holevo"] == pytest.approx(size**2 / 2 * np.arctanh(z) / z, abs=0, rel=1e-3)


@pytest.mark.parametrize("mix", [1.0, 0.3, 1e-2, 1e-3])
def test_relative_entropy(mix):
    """Its definition in numpy, which keeps seven digits where it is least."""
    rng = np.random.default_rng(4)
    sigma, other = (searched.random_state(rng, [QUBIT] * 2, 6)[1] for _ in range(2))
    rho = (1 - mix) * sigma + mix * other
    expected = np.trace(rho @ (logm(rho) - logm(sigma))).real
    assert relative_entropy(rho, sigma) == pytest.approx(expected, abs=1e-14, rel=1e-11)


@pytest.mark.parametrize("size", [0.3, 1e-2, 1e-4, 1e-6, 1e-8])
def test_relative_entropy_of_distributions(size):
    """sum_k s_k [(1 + x) ln(1 + x) - x] with x = r_k / s_k - 1, of second order in size."""
    s, change = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.1, -0.1, 0.04, -0.04]) * size
    u = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    x = change / s
    expected = s @ ((1 + x) * np.log1p(x) - x) if size > 1e-3 else s @ (x * x / 2 - x**3 / 6)
    found = relative_entropy((u * (s + change)) @ u.T, (u * s) @ u.T)
    assert found == pytest.approx(expected, abs=0, rel=1e-5 if size > 1e-7 else 1e-2)


# -- chains against dense brute force ----------------------------------------------------------------------------
def at(n_sites, sites, matrix):
    """A matrix on a few sites of a qubit chain, as a sum of Pauli strings."""
    total = np.zeros((2**n_sites,) * 2, dtype=complex)
    for index in np.ndindex(*(4,) * len(sites)):
        factors = [(I2, X, Y, Z)[a] for a in index]
        weight = np.trace(reduce(np.kron, factors) @ matrix) / 2 ** len(sites)
        if weight:
            total += weight * pauli_string(n_sites, dict(zip(sites, factors, strict=True)))
    return total


def brute_force(rho, h, sites, bob, kraus):
    """(injected, extracted, without message, probabilities) with one quaternion an outcome, and one for all."""
    n = len(h).bit_length() - 1
    after = [m @ rho @ m.conj().T for m in (at(n, sites, k) for k in kraus)]
    energy = [np.sum(x * h.T).real for x in after]
    lowest = [solved.local_extremes(x, h, bob, n)[0] for x in after]
    together = solved.local_extremes(sum(after), h, bob, n)[0]
    return (sum(energy) - np.sum(rho * h.T).real, sum(energy) - sum(lowest), sum(energy) - together,
            [np.trace(x).real for x in after])


def projectors(name):
    return [(I2 + s * DIRECTIONS[name]) / 2 for s in (1, -1)]


def agrees(found, expected, tolerance):
    injected, extracted, without, probabilities = expected
    assert found.injected == pytest.approx(injected, abs=tolerance)
    assert found.extracted == pytest.approx(extracted, abs=tolerance)
    assert found.without_message == pytest.approx(without, abs=tolerance)
    assert found.surplus == pytest.approx(extracted - without, abs=tolerance)
    assert [x.probability for x in found.outcomes] == pytest.approx(probabilities, abs=tolerance)
    assert sum(x.probability * x.extracted for x in found.outcomes) == pytest.approx(found.extracted, abs=1e-12)
    assert found.audits["no_signalling"] < 1e-12
    assert abs(found.audits["ledger"]) < 1e-11


@cache
def states_of_chain(n):
    """Open transverse Ising chain of two baths: terms, and its ground, thermal and steady state with their matrices."""
    terms, jumps = mb.Terms([QUBIT] * n), []
    for k in range(n):
        terms += 0.7, ("Z", k)
    for k in range(n - 1):
        terms += 1.0, ("X", k), ("X", k + 1)
    for k, beta in ((0, 0.3), (n - 1, 2.0)):
        lowering = mb.Terms(terms.sites)
        lowering += 1.0, ("Sm", k)
        jumps += mb.thermal_jumps(lowering, 1.4, beta, 0.5)
    battery = mb.Battery(sites=terms.sites, cells=range(n), energy=terms, charging=terms, jumps=jumps, empty="down")
    h = terms.to_dense()
    levels, vectors = np.linalg.eigh(h)
    ground = mb.ground_state(terms + 0.0 * terms).state
    gibbs = (vectors * np.exp(levels[0] - levels)) @ vectors.conj().T
    steady = mb.steady_state(battery, tolerance=1e-10, progress=False).state
    thermal = mb.thermal_state(terms, 1.0).state
    return h, terms, {"ground": (ground, np.outer(vectors[:, 0], vectors[:, 0].conj())),
                      "thermal": (thermal, gibbs / np.trace(gibbs)), "steady": (steady, steady.to_dense())}


@pytest.mark.parametrize("name", ["ground", "thermal", "steady"])
def test_chain(name):
    h, terms, states = states_of_chain(4)
    state, rho = states[name]
    for (alice, bob), measure in zip(permutations(range(4), 2), "XYZ" * 4, strict=True):
        found = mb.teleport(state, terms, alice, bob, measure)
        agrees(found, brute_force(rho, h, [alice], bob, projectors(measure)), 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ground", "thermal", "steady"])
def test_every_pair_of_eight(name):
    h, terms, states = states_of_chain(8)
    state, rho = states[name]
    for alice, bob in permutations(range(8), 2):
        found = mb.teleport(state, terms, alice, bob, "X")
        agrees(found, brute_force(rho, h, [alice], bob, projectors("X")), 1e-7)


# -- measurements, blocks and rotations of any kind --------------------------------------------------------------
def random_kraus(rng, d, outcomes):
    """Blocks of a random isometry."""
    q = np.linalg.qr(rng.normal(size=(outcomes * d, d)) + 1j * rng.normal(size=(outcomes * d, d)))[0]
    return list(q.reshape(outcomes, d, d))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sites", [[0], [3, 0], [0, 2], [2, 3, 0]])
def test_any_measurement(sites, seed):
    """Kraus operators on one site and on several, apart and out of order, of pure and mixed states."""
    rng = np.random.default_rng(seed)
    terms = searched.random_terms(rng, [QUBIT] * 4, 6, 3)
    state, rho = searched.random_state(rng, terms.sites, 1 + 2 * (seed % 2))
    kraus = random_kraus(rng, 2 ** len(sites), 3)
    agrees(mb.teleport(state, terms, sites, 1, kraus), brute_force(rho, terms.to_dense(), sites, 1, kraus), 1e-11)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_weak_measurement(strength):
    """sqrt((1 +- s) / 2) on both eigenstates; at s = 0 nothing happens and the message is worth nothing."""
    rng = np.random.default_rng(2)
    terms = searched.random_terms(rng, [QUBIT] * 3, 5, 2)
    state, rho = searched.random_state(rng, terms.sites, 3)
    up, down = projectors("Y")
    kraus = [np.sqrt((1 + x) / 2) * up + np.sqrt((1 - x) / 2) * down for x in (strength, -strength)]
    found = mb.teleport(state, terms, 0, 2, "Y", strength=strength)
    agrees(found, brute_force(rho, terms.to_dense(), [0], 2, kraus), 1e-11)
    two = mb.teleport(state, terms, [0, 1], 2, "Y", strength=strength)
    kraus = [np.kron(a, b) for a in kraus for b in kraus]
    agrees(two, brute_force(rho, terms.to_dense(), [0, 1], 2, kraus), 1e-11)
    if strength == 0:
        assert found.surplus < 1e-14
        assert abs(found.injected) < 1e-14


def test_projectors_of_three_levels():
    spin = mb.Spin(1)
    for name in ("Sx", "Sy", "Sz"):
        kraus = measuring.measurement(name, [spin])
        total = sum(s * k for s, k in zip((1, 0, -1), kraus, strict=True))
        assert total == pytest.approx(spin.operator(name), abs=1e-14)
    assert len(measuring.measurement("Sz", [spin, spin])) == 9


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("response", ["best", "Y Z"])
def test_block(rank, response):
    """Two sites of Bob against a plain search over exp(iX), and over the angle of one generator."""
    rng = np.random.default_rng(rank)
    terms = searched.random_terms(rng, [QUBIT] * 4, 4, 2)
    state, rho = searched.random_state(rng, terms.sites, rank)
    h, kraus, total = terms.to_dense(), [pauli_string(4, {3: p}) for p in projectors("Z")], []
    generator = np.kron(Y, Z)
    angles = np.linspace(0, np.pi, 20001)
    for x in [*(m @ rho @ m for m in kraus), sum(m @ rho @ m for m in kraus)]:
        here = np.sum(x * h.T).real
        if response == "best":
            total.append(searched.best_drawn(h, x, terms.sites, [(0, 1)], rng, 3))
        else:
            u = np.cos(angles[:, None, None]) * np.eye(4) - 1j * np.sin(angles[:, None, None]) * generator
            near = effective(x, h)
            total.append(here - np.einsum("zab,zcd,acbd->z", u, u.conj(), near, optimize=True).real.min())
    found = mb.teleport(state, terms, 3, [0, 1], "Z", "best" if response == "best" else generator)
    assert [x.probability * x.extracted for x in found.outcomes] == pytest.approx(total[:2], abs=2e-7)
    assert found.without_message == pytest.approx(total[2], abs=2e-7)
    assert found.surplus == pytest.approx(total[0] + total[1] - total[2], abs=4e-7)
    assert abs(found.audits["ledger"]) < 1e-11


def effective(x, h):
    """Q with tr(h U x U+) = sum U_ab conj(U_cd) Q_acbd for U on the first two of four qubits."""
    a, b = x.reshape(4, 4, 4, 4), h.reshape(4, 4, 4, 4)
    return np.einsum("bxdy,cyax->acbd", a, b)


@pytest.mark.parametrize("seed", range(5))
def test_best_is_the_closed_form(seed):
    """What the quaternion draws is tr K + s1 + s2 - sign(det K) s3 for any K, of either sign of its determinant."""
    k = np.random.default_rng(seed).normal(size=(40, 3, 3))
    work, q = feedback.qubit_work(k)
    assert work == pytest.approx(solved.local_ergotropy_closed_form(k)[0], abs=1e-13)
    for one, v, w in zip(k, q, work, strict=True):
        assert np.trace(one) - np.trace(feedback.rotation_of(v).T @ one) == pytest.approx(w, abs=1e-13)


# -- information -------------------------------------------------------------------------------------------------
def test_sagawa_ueda():
    """extracted - injected <= T I in a hundred Gibbs states; in half of them Alice draws energy as well."""
    used = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        terms = searched.random_terms(rng, [QUBIT] * 3, 4, 2)
        temperature = rng.uniform(0.2, 3.0)
        rho = expm(-terms.to_dense() / temperature)
        state = mb.Density.from_dense(terms.sites, rho / np.trace(rho).real)
        kraus = random_kraus(rng, 2, int(rng.integers(2, 4)))
        if seed % 2:                 # she leaves her site in its likelier state
            v = np.linalg.eigh(state.reduced([0]))[1][:, ::-1]
            kraus = [np.outer(v[:, 0], v[:, k].conj()) for k in range(2)]
        found = mb.teleport(state, terms, 0, [1, 2] if seed == 1 else 1 + seed % 4 // 2, kraus,
                            temperature=temperature)
        assert found.bound == pytest.approx(found.injected + temperature * found.information["sagawa_ueda"], abs=1e-14)
        assert found.extracted <= found.bound + 1e-12
        assert found.information["holevo"] >= 0
        used.append(found.extracted / found.bound)
    assert max(used) > 0.5


def test_information_of_a_measurement():
    """Both quantities from their definitions, by dense entropies."""
    rng = np.random.default_rng(8)
    terms = searched.random_terms(rng, [QUBIT] * 3, 5, 2)
    state, rho = searched.random_state(rng, terms.sites, 3)
    kraus = random_kraus(rng, 2, 3)
    found = mb.teleport(state, terms, 2, 0, kraus)
    for name, site in (("holevo", 0), ("sagawa_ueda", 2)):
        measured = [pauli_string(3, {2: k}) for k in kraus]
        after = [solved.partial_trace(m @ rho @ m.conj().T, [site], 3) for m in measured]
        weights = [np.trace(x).real for x in after]
        start = sum(after) if name == "holevo" else solved.partial_trace(rho, [site], 3)
        left = sum(p * solved.entropy(x / p) for p, x in zip(weights, after, strict=True))
        assert found.information[name] == pytest.approx(solved.entropy(start) - left, abs=1e-12)


def test_bars_where_changes_cancel():
    """The surplus c^2 / (z + sqrt(z^2 + c^2)) of correlators c of opposite sign is one, its bar not zero."""
    states = [mb.Density.from_dense([QUBIT] * 2, (np.eye(4) - 0.4 * np.kron(I2, Z) + c * np.kron(X, X)) / 4)
              for c in (1e-3, -1e-3)]
    terms = pair(0, 1, 0)
    found = mb.teleport(states[0], terms, 0, 1, earlier=states[1])
    assert found.surplus == pytest.approx(1e-6 / 0.8, rel=1e-4)
    assert found.bars["surplus"] > 1e-6
    block = mb.teleport(states[0], terms, 0, [1], [*projectors("X")], earlier=states[1])
    assert block.bars["surplus"] == pytest.approx(found.bars["surplus"], rel=1e-9)


def test_bars_come_from_the_earlier_state():
    terms = pair(1, 0.8, 0.5)
    good, rough = (mb.thermal_state(terms, beta).state for beta in (1.0, 1.01))
    found, other = (mb.teleport(s, terms, 0, 1) for s in (good, rough))
    with_bars = mb.teleport(good, terms, 0, 1, earlier=rough)
    for name in ("injected", "extracted", "surplus", "without_message"):
        change = 2 * abs(getattr(found, name) - getattr(other, name))
        assert change + found.bars[name] <= with_bars.bars[name] + 1e-15
        assert with_bars.bars[name] <= 5 * change + 1e-4
        assert found.bars[name] < 1e-12


# -- the critical chain ------------------------------------------------------------------------------------------
def free_fermions(n):
    """W of -sum Z_n - sum X_n X_(n+1) on an open chain: <Z_n> = W_nn, <Y_i Y_j> = det -W[i:j, i+1:j+1].

    With a_n = (prod_(k<n) Z_k) X_n and b_n = (prod_(k<n) Z_k) Y_n the Hamiltonian is i sum_ij a_i M_ij b_j, M = 1 on
    the diagonal and -1 below; with M = u s v the ground state has <i a_i b_j> = -(u v)_ij, and Y_k Y_(k+1) is
    i a_k b_(k+1), so that products follow by Wick's theorem.
    """
    u, _, v = np.linalg.svd(np.eye(n) - np.eye(n, k=-1))
    return u @ v


def test_free_fermions_of_a_short_chain():
    n, w = 6, free_fermions(6)
    h = solved.dense(n, [(-1.0, {k: Z}) for k in range(n)] + [(-1.0, {k: X, k + 1: X}) for k in range(n - 1)])
    psi = np.linalg.eigh(h)[1][:, 0]
    for j in range(2, n):
        assert np.linalg.det(-w[1:j, 2:j + 1]) == pytest.approx(psi @ (pauli_string(n, {1: Y, j: Y}) @ psi), abs=1e-12)
    assert w[2, 2] == pytest.approx(psi @ (pauli_string(n, {2: Z}) @ psi), abs=1e-12)


def critical_chain(n):
    terms = mb.Terms([QUBIT] * n)
    for k in range(n):
        terms += -1.0, ("Z", k)
    for k in range(n - 1):
        terms += -1.0, ("X", k), ("X", k + 1)
    return terms


@pytest.mark.parametrize(("n", "reach"), [(24, [2, 3, 5]), pytest.param(200, [2, 3, 5, 7, 10], marks=pytest.mark.slow)])
def test_critical_chain(n, reach):
    """REFERENCES 5.4: Alice measures Y, Bob rotates about x, YY^2 / (sqrt(Z^2 + YY^2) + Z); pair at the centre."""
    terms = critical_chain(n)
    state = mb.ground_state(terms, mb.Truncation(64, 1e-14)).state
    w = free_fermions(n)
    for distance in reach:
        a = (n - distance) // 2
        b = a + distance
        yy, z = np.linalg.det(-w[a:b, a + 1:b + 1]), w[b, b]
        product = mb.Terms(terms.sites)
        product += 1.0, ("Y", a), ("Y", b)
        assert state.expect(product).real == pytest.approx(yy, abs=1e-6)
        found = mb.teleport(state, terms, a, b, "Y", "X", temperature=0.0)
        assert found.extracted == pytest.approx(yy**2 / (np.hypot(z, yy) + z), abs=0, rel=1e-2)
        best = mb.teleport(state, terms, a, b, "Y", temperature=0.0)
        assert found.extracted - 1e-12 <= best.extracted <= best.bound
        assert max(map(abs, best.audits.values())) < 1e-10


@pytest.mark.slow
def test_infinite_critical_chain():
    """REFERENCES 5.4: ln E_B as a polynomial in 1 / N, from matrix product states of four lengths."""
    exact = {2: 1.018493e-3, 3: 1.534598e-4, 5: 1.489068e-5, 10: 6.488304e-7, 20: 2.857372e-8}
    sizes, reach = (80, 120, 160, 200), range(2, 21)
    drawn = []
    for n in sizes:
        terms = critical_chain(n)
        state = mb.ground_state(terms, mb.Truncation(64, 1e-14)).state
        drawn.append([mb.teleport(state, terms, (n - d) // 2, (n - d) // 2 + d, "Y", "X").extracted for d in reach])
    found = dict(zip(reach, np.exp(np.polyfit(1 / np.array(sizes), np.log(drawn), len(sizes) - 1)[-1]), strict=True))
    slope = np.polyfit(np.log(reach[3:]), np.log([found[d] for d in reach[3:]]), 1)[0]
    print({d: found[d] / value - 1 for d, value in exact.items()}, "slope", slope)
    for d, value in exact.items():
        assert found[d] == pytest.approx(value, abs=0, rel=1e-2)
    assert slope == pytest.approx(-4.5, abs=0.1)


# -- what is refused ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("changes", "words"), [
    ({"alice": 5}, "different sites"), ({"alice": 1}, "none of the sites of Alice"), ({"bob": [0, 2]}, "neighbouring"),
    ({"alice": "left"}, "a site or a list"), ({"measure": "Sp"}, "Hermitian"), ({"measure": [np.eye(3)]}, "2 x 2"),
    ({"measure": [np.diag([1.0, 0.0])]}, "complete"), ({"measure": []}, "Kraus"), ({"strength": 2}, "from 0 to 1"),
    ({"measure": [np.eye(2)], "strength": 0.5}, "left out"), ({"response": "Sm"}, "Hermitian"),
    ({"response": "I"}, "two different eigenvalues"), ({"response": np.eye(4)}, "2 x 2"),
    ({"temperature": -1}, "at least 0"), ({"bob": [1, 2], "response": "X"}, "several"),
])
def test_refused(changes, words):
    terms = mb.Terms([QUBIT] * 3)
    terms += 1.0, ("Z", 0)
    given = {"alice": 0, "bob": 1} | changes
    if "alice" in changes and changes["alice"] == 1:
        given["bob"] = 1
    with pytest.raises(mb.InputError, match=words):
        mb.teleport(mb.MPS.product(terms.sites, "down"), terms, **given)


def test_fermions_are_refused():
    terms = mb.Terms([mb.Fermion(), mb.Fermion()])
    terms += 1.0, ("N", 0)
    with pytest.raises(mb.InputError, match="fermions"):
        mb.teleport(mb.MPS.product(terms.sites, 0), terms, 0, 1, "N")
