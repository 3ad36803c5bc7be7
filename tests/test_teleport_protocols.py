"""Protocols of energy teleportation with delays, several Bobs, rounds and full batteries, against dense matrices."""

import sys

import numpy as np
import pytest
import searched
import solved
import solved_open
from scipy.linalg import expm
from solved import X, Z, pauli_string
from test_teleport import QUBIT, at, both, brute_force, pair, projectors, random_kraus

import mps_battery as mb
from mps_battery.teleport import Act, Forget, Measure, Wait, play, store


def ising(n, field=0.7, ends=()):
    """field Z + X X between baths at the ends, (site, beta, rate) each."""
    terms, jumps = mb.Terms([QUBIT] * n), []
    for k in range(n):
        terms += field, ("Z", k)
    for k in range(n - 1):
        terms += 1.0, ("X", k), ("X", k + 1)
    for site, beta, rate in ends:
        lowering = mb.Terms(terms.sites)
        lowering += 1.0, ("Sm", site)
        jumps += mb.thermal_jumps(lowering, 2 * field, beta, rate)
    return terms, mb.Battery(terms.sites, range(n), terms, terms, jumps)


def drawn(rho, h, site):
    """Most that a unitary on one site draws, weight of the state included."""
    return np.sum(rho * h.T).real - solved.local_extremes(rho, h, site, len(h).bit_length() - 1)[0]


class Dense:
    """The same protocols on dense matrices, one an outcome, with Bob's unitaries as given."""

    def __init__(self, rho, h):
        self.h, self.branches = h, [rho]

    def energy(self):
        return sum(np.sum(x * self.h.T).real for x in self.branches)

    def measure(self, site, kraus):
        n = len(self.h).bit_length() - 1
        full = [at(n, [site], m) for m in kraus]
        self.branches = [m @ x @ m.conj().T for x in self.branches for m in full]

    def evolve(self, superoperator, time):
        e = expm(superoperator * time)
        self.branches = [(e @ x.ravel()).reshape(x.shape) for x in self.branches]

    def best(self, site):
        """(with the outcomes, without)."""
        return sum(drawn(x, self.h, site) for x in self.branches), drawn(sum(self.branches), self.h, site)

    def act(self, site, unitaries):
        n = len(self.h).bit_length() - 1
        full = [at(n, [site], u) for u in unitaries]
        self.branches = [u @ x @ u.conj().T for x, u in zip(self.branches, full, strict=True)]


def commutator(h):
    one = np.eye(len(h))
    return -1j * (np.kron(h, one) - np.kron(one, h.T))


# -- delay -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("moved", ["H", "other", "baths"])
def test_delay(moved, rank):
    """The outcomes evolve before Bob acts, under H, another Hamiltonian or baths."""
    rng = np.random.default_rng(rank)
    terms, open_chain = ising(3, 0.8, [(0, 0.4, 0.3), (2, 1.5, 0.6)])
    state, rho = searched.random_state(rng, terms.sites, rank)
    other = searched.random_terms(rng, terms.sites, 4, 2)
    kraus, h = random_kraus(rng, 2, 2), terms.to_dense()
    given = {"H": None, "other": other, "baths": open_chain}[moved]
    l = {"H": commutator(h), "other": commutator(other.to_dense()),
         "baths": solved_open.lindblad_matrix(h, [j.terms.to_dense() for j in open_chain.jumps])}[moved]
    dense = Dense(rho, h)
    before = dense.energy()
    dense.measure(0, kraus)
    injected = dense.energy() - before
    dense.evolve(l, 0.9)
    drift = dense.energy() - before - injected
    best, without = dense.best(2)
    found = mb.teleport(state, terms, 0, 2, kraus, delay=0.9 if moved == "H" else Wait(0.9, given), temperature=1.0)
    assert found.injected == pytest.approx(injected, abs=1e-11)
    assert found.drift == pytest.approx(drift, abs=1e-10)
    assert abs(drift) < 1e-12 if moved == "H" else abs(drift) > 1e-3
    assert found.extracted == pytest.approx(best, abs=1e-10)
    assert found.without_message == pytest.approx(without, abs=1e-10)
    assert found.surplus == pytest.approx(best - without, abs=1e-10)
    assert found.audits["no_signalling"] < 1e-12
    assert abs(found.audits["ledger"]) < 1e-11
    assert np.isinf(found.bound) == (moved == "baths")
    marginals = [solved.partial_trace(x, [2], 3) for x in dense.branches]
    told = solved.entropy(sum(marginals)) - sum(np.trace(x).real * solved.entropy(x / np.trace(x).real)
                                                for x in marginals)
    assert found.information["holevo"] == pytest.approx(told, abs=1e-10)


@pytest.mark.parametrize("method", [mb.TEBD(), mb.TDVP()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("kind", ["pure", "mixed"])
def test_bars_of_a_delay(kind, method):
    """Truncated evolutions against dense ones, inside the bars that a coarser evolution gives."""
    n = 6 if kind == "pure" else 4
    terms, _ = ising(n, 0.8)
    h = terms.to_dense()
    vectors = np.linalg.eigh(h)[1]
    if kind == "pure":
        rho, state = np.outer(vectors[:, 0], vectors[:, 0].conj()), mb.ground_state(terms).state
    else:
        rho, state = expm(-h), mb.thermal_state(terms, 1.0).state
        rho = rho / np.trace(rho)
    dense = Dense(rho, h)
    dense.measure(1, projectors("X"))
    u = expm(-1.7j * h)
    dense.branches = [u @ x @ u.conj().T for x in dense.branches]
    best, without = dense.best(n - 2)
    found = mb.teleport(state, terms, 1, n - 2, delay=Wait(1.7, method=method, truncation=mb.Truncation(64, 1e-10)))
    for name, value in (("extracted", best), ("without_message", without), ("drift", 0.0), ("surplus", best - without)):
        error = abs(getattr(found, name) - value)
        assert error <= found.bars[name] + 1e-9
        assert found.bars[name] < 1e-3
    assert found.bars["extracted"] > 1e-9
    assert found.extracted == pytest.approx(best, abs=1e-5)


def test_energy_arrives_with_the_light_cone():
    """Without a message Bob draws of a ground state only what has reached him; the message is worth more at once."""
    terms, _ = ising(8, 1.0)
    state = mb.ground_state(terms).state
    now, early, late = (mb.teleport(state, terms, 0, 6, delay=Wait(t, method=mb.Exact())) for t in (0.0, 0.5, 3.0))
    assert now.without_message < 1e-15
    assert 1e3 * early.without_message < now.surplus < early.surplus
    assert late.without_message > 1e-3
    assert late.extracted <= late.injected
    assert late.efficiency > 100 * now.efficiency


# -- several Bobs and rounds -------------------------------------------------------------------------------------
@pytest.mark.parametrize("rank", [1, 3])
def test_several_bobs(rank):
    """The second finds what the first left; the order does not matter where no term joins them."""
    rng = np.random.default_rng(10 + rank)
    terms = searched.random_terms(rng, [QUBIT] * 4, 6, 2)
    state, rho = searched.random_state(rng, terms.sites, rank)
    kraus = random_kraus(rng, 2, 3)
    found = play(state, terms, [Measure(1, kraus), Act(3), Act(0), Act(2)])
    dense = Dense(rho, terms.to_dense())
    before = dense.energy()
    dense.measure(1, kraus)
    assert found.injected == pytest.approx(dense.energy() - before, abs=1e-11)
    for site, act in zip((3, 0, 2), found.acts, strict=True):
        best, without = dense.best(site)
        assert act.extracted == pytest.approx(best, abs=1e-10)
        assert act.without_message == pytest.approx(without, abs=1e-10)
        assert act.audits["no_signalling"] < 1e-12
        assert abs(act.audits["ledger"]) < 1e-11
        dense.act(site, [x.unitary for x in act.outcomes])
    assert found.extracted == pytest.approx(before + found.injected - dense.energy(), abs=1e-10)
    assert found.histories == 3
    assert abs(found.audits["ledger"]) < 1e-11


def test_bobs_far_apart_do_not_mind_the_order():
    terms, _ = ising(7, 0.9)
    state = mb.ground_state(terms).state
    alone = [mb.teleport(state, terms, 3, b).extracted for b in (1, 5)]
    for order in ((1, 5), (5, 1)):
        acts = play(state, terms, [Measure(3), *map(Act, order)]).acts
        assert [a.extracted for a in acts] == pytest.approx([alone[(b - 1) // 4] for b in order], abs=1e-12)


@pytest.mark.parametrize("rank", [1, 2])
def test_rounds(rank):
    """Three rounds with time in between: eight histories, each answered for itself."""
    rng = np.random.default_rng(20 + rank)
    terms, _ = ising(3, 0.6)
    state, rho = searched.random_state(rng, terms.sites, rank)
    found = play(state, terms, 3 * [Measure(0, "Y"), Wait(0.6), Act(2)])
    dense, h = Dense(rho, terms.to_dense()), terms.to_dense()
    for act in found.acts:
        before = dense.energy()
        dense.measure(0, projectors("Y"))
        assert act.injected == pytest.approx(dense.energy() - before, abs=1e-11)
        dense.evolve(commutator(h), 0.6)
        best, without = dense.best(2)
        assert act.extracted == pytest.approx(best, abs=1e-10)
        assert act.without_message == pytest.approx(without, abs=1e-10)
        assert abs(act.audits["ledger"]) < 1e-11
        dense.act(2, [x.unitary for x in act.outcomes])
    assert found.histories == 8
    assert found.extracted == pytest.approx(sum(a.extracted for a in found.acts), abs=1e-14)
    assert found.efficiency == found.extracted / found.injected


@pytest.mark.parametrize("rank", [1, 2])
def test_rounds_that_forget(rank):
    """Baths act between two rounds and the outcomes are lost: the second starts from the mean state."""
    rng = np.random.default_rng(30 + rank)
    terms, open_chain = ising(3, 0.8, [(0, 0.4, 0.3), (2, 1.5, 0.6)])
    state, rho = searched.random_state(rng, terms.sites, rank)
    found = play(state, terms, 2 * [Measure(0), Act(2), Forget(), Wait(1.1, open_chain)], temperature=1.0)
    l = solved_open.lindblad_matrix(terms.to_dense(), [j.terms.to_dense() for j in open_chain.jumps])
    dense = Dense(rho, terms.to_dense())
    for act in found.acts:
        dense.measure(0, projectors("X"))
        best, without = dense.best(2)
        assert act.extracted == pytest.approx(best, abs=1e-10)
        assert act.surplus == pytest.approx(best - without, abs=1e-10)
        dense.act(2, [x.unitary for x in act.outcomes])
        dense.branches = [sum(dense.branches)]
        dense.evolve(l, 1.1)
    assert found.histories == 1
    assert np.isinf(found.bound)
    assert abs(found.audits["ledger"]) < 1e-10


def test_sagawa_ueda_over_rounds():
    """What all Bobs draw stays below injected + drift + T I, act by act, from a Gibbs state."""
    used = []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        terms = searched.random_terms(rng, [QUBIT] * 3, 4, 2)
        temperature = rng.uniform(0.2, 3.0)
        rho = expm(-terms.to_dense() / temperature)
        state = mb.Density.from_dense(terms.sites, rho / np.trace(rho).real)
        v = np.linalg.eigh(state.reduced([0]))[1][:, ::-1]
        kraus = [np.outer(v[:, 0], v[:, k].conj()) for k in range(2)] if seed % 2 else random_kraus(rng, 2, 2)
        other = searched.random_terms(rng, terms.sites, 3, 2)
        found = play(state, terms, 2 * [Measure(0, kraus), Act(1), Wait(0.5, other if seed % 3 else None), Act(2)],
                     temperature=temperature)
        drawn_so_far = 0.0
        for act in found.acts:
            assert act.extracted <= act.bound + 1e-11
            drawn_so_far += act.extracted
        assert drawn_so_far == pytest.approx(found.extracted, abs=1e-13)
        assert found.extracted <= found.bound + 1e-11
        used.append(found.extracted / found.bound)
    assert max(used) > 0.5


# -- full batteries ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("h", "k"), [(1, 0.1), (1, 0.5), (1, 1), (1.5, 1)])
def test_full_pair(h, k):
    """REFERENCES 5.5: on the highest state Bob adds what 5.1 lets him draw of the lowest, X Y taking H to -H."""
    s = np.hypot(h, k)
    terms = pair(h, h, k)
    found = store(terms, 0, 1)
    gain = np.sqrt(h * h + 4 * k * k) - (h * h + 2 * k * k) / s
    assert found.stored == pytest.approx(gain, abs=1e-10)
    assert found.given == pytest.approx(h * h / s, abs=1e-10)
    assert found.highest == pytest.approx(2 * s, abs=1e-10)
    assert found.classical == pytest.approx(s, abs=1e-10)
    assert found.local[1] - found.local[0] == pytest.approx(gain, abs=1e-10)
    assert found.protocol.without_message < 1e-12
    assert found.local[0] == pytest.approx((h * h + 2 * k * k) / s, abs=1e-10)
    assert (found.local[1] > found.classical) == (np.hypot(h, 2 * k) > s)


@pytest.mark.parametrize("response", ["best", "Y"])
def test_full_chain(response):
    """A chain of eight in its highest state against dense matrices; the region of Bob passes E_max / N."""
    n, alice, bob = 8, 2, 5
    terms, _ = ising(n, 1.0)
    h = terms.to_dense()
    levels, vectors = np.linalg.eigh(h)
    rho = np.outer(vectors[:, -1], vectors[:, -1].conj())
    found = store(terms, alice, bob, "X", response, delay=0.0)
    injected, extracted, without, _ = brute_force(rho, -h, [alice], bob, projectors("X"))
    assert found.highest == pytest.approx(levels[-1], abs=1e-10)
    assert found.given == pytest.approx(injected, abs=1e-10)
    if response == "best":
        assert found.stored == pytest.approx(extracted, abs=1e-10)
    else:
        assert found.stored <= extracted + 1e-12
    assert without == pytest.approx(0, abs=1e-10)
    near = sum(pauli_string(n, {bob: X, m: X}) for m in (bob - 1, bob + 1)) + pauli_string(n, {bob: Z})
    assert found.local[0] == pytest.approx(np.trace(near @ rho).real, abs=1e-10)
    assert found.local[1] - found.local[0] == pytest.approx(found.stored, abs=1e-10)
    assert found.density[1] - found.density[0] == pytest.approx(found.stored / 3, abs=1e-10)
    assert found.classical == found.highest / n
    assert found.density[1] > found.classical


def test_full_battery_with_delay():
    """The delay runs under H, not under -H: they differ where H has terms that are not real."""
    terms = searched.random_terms(np.random.default_rng(5), [QUBIT] * 4, 10, 2)
    h = terms.to_dense()
    top = np.linalg.eigh(h)[1][:, -1]
    dense = Dense(np.outer(top, top.conj()), -h)
    dense.measure(0, projectors("X"))
    dense.evolve(commutator(h), 1.3)
    assert store(terms, 0, 3, delay=1.3).stored == pytest.approx(dense.best(3)[0], abs=1e-9)


# -- measurements by strength, states of every kind --------------------------------------------------------------
@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_every_form_of_a_state(strength):
    """A pure state as an MPS and as a density give the same, step by step."""
    rng = np.random.default_rng(3)
    terms = searched.random_terms(rng, [QUBIT] * 3, 5, 2)
    _, rho = searched.random_state(rng, terms.sites, 1)
    steps = [Measure([0, 1], "Y", strength), Act(2, "Z"), Measure(2, "X"), Wait(0.4), Act([0, 1]), Act(0)]
    pure, mixed = (play(state, terms, steps) for state in both(rho, terms.sites))
    for a, b in zip(pure.acts, mixed.acts, strict=True):
        for name in ("injected", "drift", "extracted", "without_message", "surplus"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-6)     # of blocks: a search
    assert pure.injected == pytest.approx(mixed.injected, abs=1e-6)


# -- what is refused ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("steps", "words"), [
    ([], "a list of Measure"), ("Act", "a list of Measure"), ([Act(0), 3], "only, but has 3"),
    ([Act([0, 2])], "neighbouring"), ([Measure(9)], "different sites"), ([Measure(0, "Sp")], "Hermitian"),
    ([Act(0, np.eye(4))], "2 x 2"), (2 * [Measure(0, "X"), Measure(0, "Y")], "at most 8 histories"),
])
def test_refused(steps, words, monkeypatch):
    monkeypatch.setattr(sys.modules["mps_battery.teleport.steps"], "MOST", 8)
    terms, _ = ising(3)
    with pytest.raises(mb.InputError, match=words):
        play(mb.MPS.product(terms.sites, "down"), terms, steps)


def test_refused_arguments():
    terms, _ = ising(3)
    state = mb.MPS.product(terms.sites, "down")
    short, _ = ising(2)
    with pytest.raises(mb.InputError, match="at least 0"):
        Wait(-1.0)
    with pytest.raises(mb.InputError, match="Schedule or a Battery"):
        Wait(1.0, "H")
    with pytest.raises(mb.InputError, match="sites of the energy"):
        play(state, terms, [Measure(0), Wait(1.0, short), Act(1)])
    with pytest.raises(mb.InputError, match="at least 0"):
        play(state, terms, [Act(0)], temperature=-1)
    with pytest.raises(mb.InputError, match="or a Wait"):
        mb.teleport(state, terms, 0, 1, delay=-0.5)
    with pytest.raises(mb.InputError, match="none of the sites of Alice"):
        store(terms, 1, 1)
    with pytest.raises(mb.InputError, match="at least 0, or a Wait"):
        store(terms, 0, 1, delay="soon")
