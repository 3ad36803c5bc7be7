"""Work of one cell and of a block against plain search on dense matrices, and where it is known in closed form."""

import time

import numpy as np
import pytest
import scipy.linalg
import searched
import solved

import mps_battery as mb
from mps_battery.measure.work import block_energy
from mps_battery.measure.work.block_energy import BlockEnergy, drawn
from mps_battery.measure.work.blocks import BlockCapacity, BlockErgotropy, block_capacity, block_ergotropy
from mps_battery.measure.work.narrow import Narrowed
from mps_battery.measure.work.residual import ResidualCapacity, residual_capacity
from mps_battery.measure.work.seen import seen
from mps_battery.measure.work.unitaries import haar, lowest
from mps_battery.models import open_chain, spin_chain

S, ONE, THREE = mb.Spin(), mb.Spin(1), mb.Boson(3)
CASES = {                                       # sites, block, in which part of the cases its bound is met at least
    "qubit": ((S, S, S, S), (1, 1), 1.0),
    "qubit in a mixed chain": ((ONE, S, THREE), (1, 1), 1.0),
    "spin one": ((ONE, ONE, S), (0, 0), 0.95),
    "four levels": ((S, THREE, S), (1, 1), 0.5),
    "two qubits": ((S, S, S, S, S, S), (2, 3), 0.5),
    "qubit and spin one": ((S, S, ONE), (1, 2), 0.5),
    "three qubits": ((S, S, S, S, S), (2, 4), 0.5),
}
FEW, MANY = range(2), range(2, 20)


def passive_drawn(h, rho):
    """Ergotropy of a matrix, by sorting."""
    return float(np.sum(h.T * rho).real - np.linalg.eigvalsh(h) @ np.linalg.eigvalsh(rho)[::-1])


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("kind", CASES)
def test_block_work_against_search(kind, seeds):
    """Pure and mixed, interacting, 140 cases in all: what the unitaries draw, and at least what search finds.

    By its own energy a block is exact, and a qubit has its closed form: 1e-8. Else value and search are at most 1e-6
    apart in 95 % of the cases, and the bound from above is met as often as the table of cases says.
    """
    sites, (first, last), met = CASES[kind]
    left, inner = int(np.prod([s.d for s in sites[:first]])), [s.d for s in sites[first:last + 1]]
    blocks, many, short, gaps = [(first, last)], len(seeds) > 9, [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, len(kind)])
        terms = searched.random_terms(rng, sites, 6, 3)
        state, rho = searched.random_state(rng, sites, 1 + seed % 3)
        h, scale = terms.to_dense(), np.abs(np.linalg.eigvalsh(terms.to_dense())).max()
        found, both = block_ergotropy(state, terms, first, last), block_capacity(state, terms, first, last)
        u = searched.embedded(sites, found.unitaries, blocks)
        assert abs(searched.drawn_by(h, rho, u) - found.value) < 1e-10 * scale
        low, high = (searched.drawn_by(h, rho, searched.embedded(sites, [x], blocks)) for x in both.unitaries)
        assert abs(low - high - both.value) < 1e-10 * scale
        down, up = (searched.best_drawn(x, rho, sites, blocks, rng, 6 if many else 2) for x in (h, -h))
        assert down <= found.bound + 1e-10 * scale
        assert down + up <= both.bound + 1e-10 * scale
        assert -1e-12 <= found.value <= found.bound
        assert found.value <= passive_drawn(h, rho) + 1e-10 * scale
        assert both.value >= found.value - 1e-7 * scale
        short.append([down - found.value, down + up - both.value])
        gaps.append([found.gap, both.gap])
        alone, span = (f(state, terms, first, last, interaction=False) for f in (block_ergotropy, block_capacity))
        own = terms.within(range(first, last + 1)).to_dense()
        reduced = np.einsum("aibajb->ij", rho.reshape(left, len(own), -1, left, len(own), len(rho) // left // len(own)))
        assert abs(alone.value - passive_drawn(own, reduced)) < 1e-10 * scale
        assert abs(span.value - passive_drawn(own, reduced) - passive_drawn(-own, reduced)) < 1e-10 * scale
        assert alone.gap == span.gap == 0
    short, gaps = np.array(short), np.array(gaps)
    print(f"{kind}: below search by at most {short.max():.1e}; within 1e-6 of search in {np.mean(short <= 1e-6):.1%}, "
          f"of the bound in {np.mean(gaps <= 1e-6):.1%} of {short.size} values")
    assert np.mean(short <= (1e-8 if inner == [2] else 1e-6)) >= (0.95 if inner != [2] else 1.0)
    assert np.mean(gaps <= 1e-6) >= (met if many else 0.0)


def test_large_blocks_are_bounded():
    """Up to 32 dimensions: more sites draw no less, the bound of separate channels holds, the unitary does it."""
    battery = spin_chain.xxz(cells=8)
    state = mb.charge(battery, [0.0, 0.8], keep_states=True, bars=False, record={"e": mb.Energy()}).states[1]
    rho, h = np.outer(state.to_dense(), state.to_dense().conj()), battery.energy.to_dense()
    last_value = 0.0
    for last in (2, 3, 5):
        found = block_ergotropy(state, battery.energy, 1, last, starts=1)
        u = searched.embedded(battery.sites, found.unitaries, [(1, last)])
        assert abs(searched.drawn_by(h, rho, u) - found.value) < 1e-9
        assert last_value <= found.value <= found.bound
        last_value = found.value
    assert found.value <= passive_drawn(h, rho)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_block_that_is_the_whole_chain(mixed):
    """Ergotropy, capacity and their invariance: a unitary before changes no capacity, and the best leaves nothing."""
    rng, sites = np.random.default_rng(4), (S, S, ONE)
    terms = searched.random_terms(rng, sites, 5, 3)
    _, rho = searched.random_state(rng, sites, 3 if mixed else 1)
    h, u = terms.to_dense(), scipy.linalg.expm(1j * searched.hermitian(rng, 12))
    e, r = np.linalg.eigvalsh(h), np.linalg.eigvalsh(rho)
    found = block_ergotropy(mb.Density.from_dense(sites, rho), terms, 0, 2)
    assert abs(found.value - passive_drawn(h, rho)) < 1e-12
    assert found.gap < 1e-12
    drained = found.unitaries[0] @ rho @ found.unitaries[0].conj().T
    assert block_ergotropy(mb.Density.from_dense(sites, drained), terms, 0, 2).value < 1e-10
    for matrix in (rho, u @ rho @ u.conj().T):
        capacity = block_capacity(mb.Density.from_dense(sites, matrix), terms, 0, 2)
        assert abs(capacity.value - e @ (r - r[::-1])) < 1e-10


def test_local_unitaries_leave_local_capacities():
    """Capacity of a spin one and of a pair, with the energy around them: unchanged by a unitary on the block itself."""
    rng, sites = np.random.default_rng(11), (S, ONE, S)
    terms = searched.random_terms(rng, sites, 5, 3)
    _, rho = searched.random_state(rng, sites, 2)
    for first, last, d in ((1, 1, 3), (0, 0, 2), (0, 1, 6)):
        u = searched.embedded(sites, [scipy.linalg.expm(1j * searched.hermitian(rng, d))], [(first, last)])
        before, after = (block_capacity(mb.Density.from_dense(sites, x), terms, first, last)
                         for x in (rho, u @ rho @ u.conj().T))
        assert abs(before.value - after.value) < 1e-7
        drained = searched.embedded(sites, before.unitaries[:1], [(first, last)])
        left = mb.Density.from_dense(sites, drained @ rho @ drained.conj().T)
        assert block_ergotropy(left, terms, first, last).value < 1e-7


def test_qubit_with_a_qubit_that_selects_its_energy():
    """The objective 0.820597 that LocalErgotropy.jl (quantum-exeter) tests itself with [REFERENCES 6.2].

    min over V of tr(V rho_0 V+ H_0) + tr(V rho_1 V+ H_1) is the lowest local energy of sum_k |k><k| rho_k / 2 under
    sum_k |k><k| 2 H_k.
    """
    h = [np.diag([0, 1.0]).astype(complex), np.array([[0.4, 0.5 * np.exp(1.6j)], [0.5 * np.exp(-1.6j), 2.0]])]
    rho = [np.array([[r, n * np.exp(1j * p)], [n * np.exp(-1j * p), 1 - r]])
           for r, n, p in ((0.3, 0.2, 1.0), (0.4, 0.3, 0.7))]
    terms, sites = mb.Terms([S, S]), [S, S]
    select = [np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]
    for p, x in zip(select, h, strict=True):
        terms += 2.0, (p, 0), (x, 1)
    state = mb.Density.from_dense(sites, sum(np.kron(p, x) / 2 for p, x in zip(select, rho, strict=True)))
    energy = sum(np.trace(x @ y).real for x, y in zip(h, rho, strict=True))
    assert abs(energy - mb.local_ergotropy(state, terms, 1) - 0.820597) < 1e-6


def test_stationary_chains_of_the_references():
    """REFERENCES 4.4: bulk and edges of a dephased XX chain, and the maximally driven chain of four with its whole."""
    battery = open_chain.boundary_driven(cells=5, anisotropy=0.0, bias=0.7, rate=0.6, dephasing=1.3)
    state = mb.steady_state(battery, method=mb.Dense()).state
    current = 8 * 0.7 / (4 / 0.6 + 0.6 + 4 * 1.3)
    for n in range(5):
        edge = n in (0, 4)
        assert abs(block_ergotropy(state, battery.energy, n, n).value - current / 2 * edge) < 1e-9
        assert abs(block_capacity(state, battery.energy, n, n).value - current * edge) < 1e-9
    numbers = {1.0: ((1.05317366, 1.79797980), (1.37907460, 1.79797980), 5.12832157, 6.67649570),
               0.5: ((0.92718661, 0.96453901), (1.51394770, 0.96453901), 3.49956597, 5.47770780)}
    for anisotropy, (work, capacity, ergotropy, total) in numbers.items():
        battery = open_chain.boundary_driven(cells=4, anisotropy=anisotropy, bias=1.0, rate=1.0)
        state, h = mb.steady_state(battery, method=mb.Dense()).state, battery.energy
        for n in range(4):
            assert abs(block_ergotropy(state, h, n, n).value - work[min(n, 3 - n)]) < 1e-7
            assert abs(mb.local_capacity(state, h, n) - capacity[min(n, 3 - n)]) < 1e-7
        assert abs(block_ergotropy(state, h, 0, 3).value - ergotropy) < 1e-7
        assert abs(block_capacity(state, h, 0, 3).value - total) < 1e-7
        assert abs(residual_capacity(state, h) - (total - 2 * sum(capacity))) < 1e-6


def test_residual_capacity_of_x_states_is_positive():
    """Two qubits without interaction in an X state: the local capacities sum to no more than the total."""
    rng, terms = np.random.default_rng(2), mb.Terms([S, S])
    terms += 0.7, ("Z", 0)
    terms += 1.1, ("Z", 1)
    for _ in range(30):
        a, b = (searched.hermitian(rng, 2) for _ in "ab")
        a, b = a @ a, b @ b
        rho = np.zeros((4, 4), dtype=complex)
        rho[np.ix_([0, 3], [0, 3])], rho[np.ix_([1, 2], [1, 2])] = a, b
        rho /= np.trace(rho).real
        h = terms.to_dense().real
        e, r = np.sort(np.diag(h)), np.linalg.eigvalsh(rho)
        z = [np.trace(rho @ np.kron(*pair)).real for pair in ((solved.Z, solved.I2), (solved.I2, solved.Z))]
        expected = e @ (r - r[::-1]) - 2 * (0.7 * abs(z[0]) + 1.1 * abs(z[1]))
        for interaction in (True, False):
            found = residual_capacity(mb.Density.from_dense([S, S], rho), terms, interaction=interaction)
            assert abs(found - expected) < 1e-10
            assert found > -1e-10


def unequal(count=3):
    """Coupled spins one and one half in turns with a drive, as a battery."""
    sites = [(ONE, S)[n % 2] for n in range(count)]
    energy, drive = mb.Terms(sites), mb.Terms(sites)
    for n in range(count):
        energy += 1.0, ("Sz", n)
        drive += 0.8, ("Sx", n)
    for n in range(count - 1):
        for name in ("Sx", "Sy", "Sz"):
            energy += 0.3, (name, n), (name, n + 1)
    return mb.Battery(sites, range(count), energy, energy + drive, empty="down")


@pytest.mark.parametrize("leaking", [False, True])
def test_recorded_work_of_cells_and_blocks(leaking):
    """Along a run of unequal cells, against the functions on the kept states and against search."""
    battery = unequal()
    if leaking:
        jump = mb.Terms(battery.sites)
        jump += 0.4, ("Sm", 0)
        battery = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, jumps=[mb.Jump(jump)],
                             empty="down")
    record = {"w": mb.LocalErgotropy(), "c": mb.LocalCapacity(), "own": mb.LocalErgotropy(interaction=False),
              "range": mb.LocalCapacity(interaction=False), "pair": BlockErgotropy(1, 2), "span": BlockCapacity(0, 1),
              "inner": BlockErgotropy(0, 1, interaction=False), "residual": ResidualCapacity()}
    run = mb.charge(battery, [0.0, 0.9], record=record, keep_states=True, bars=False,
                    method=mb.TEBD(dt=0.45, order=2))
    state, h = run.states[1], battery.energy.to_dense()
    data = run.data.isel(time=1)
    rho = state.to_dense() if leaking else np.outer(state.to_dense(), state.to_dense().conj())
    rho, rng = rho / np.trace(rho).real, np.random.default_rng(0)
    for n in range(3):
        best = searched.best_drawn(h, rho, battery.sites, [(n, n)], rng, 4)
        worst = searched.best_drawn(-h, rho, battery.sites, [(n, n)], rng, 4)
        assert -1e-9 < data["w"].values[n] - best < 1e-5                 # the search ends where it is flat
        assert -1e-9 < data["c"].values[n] - best - worst < 1e-5
        reduced, sz = state.reduced([n]), battery.sites[n].operator("Sz")
        assert abs(data["own"].values[n] - passive_drawn(sz, reduced)) < 1e-10
        r = np.linalg.eigvalsh(reduced)
        assert abs(data["range"].values[n] - 2 * sz[0, 0] * (r[-1] - r[0])) < 1e-10
        assert abs(mb.local_ergotropy(state, battery.energy, n) - data["w"].values[n]) < 1e-9
    assert -1e-9 < data["pair"].values - searched.best_drawn(h, rho, battery.sites, [(1, 2)], rng, 4) < 1e-5
    assert data["span"].values >= data["c"].values[:2].max() - 1e-9
    inner = battery.energy.within([0, 1]).to_dense()
    assert abs(data["inner"].values - passive_drawn(inner, state.reduced([0, 1]))) < 1e-10
    e, r = np.linalg.eigvalsh(h), np.linalg.eigvalsh(rho)
    assert abs(data["residual"].values - (e @ (r - r[::-1]) - data["c"].values.sum())) < 1e-6


def test_the_form_without_anything_to_draw():
    """No channel, and channels that are numbers."""
    empty = BlockEnergy.of(np.eye(3)[None], np.eye(3)[None])
    assert len(empty.states) == 0
    assert drawn([empty])[0].value == drawn([empty])[0].gap == 0
    terms = mb.Terms([ONE, S])
    terms += 1.0, ("Z", 1)
    assert block_ergotropy(mb.MPS.product([ONE, S], ["up", "up"]), terms, 0, 0).bound == 0


@pytest.mark.parametrize("rank", [1, 2, 40])
def test_few_directions_stand_for_the_whole_block(rank):
    """A block of 32 dimensions beside two qubits: 4 directions in a pure state, more in mixed ones, all at last."""
    rng, sites = np.random.default_rng(rank), (S,) * 7
    terms = searched.random_terms(rng, sites, 8, 3, neighbours=True)
    for name, other in (("X", "Y"), ("Z", "Z"), ("Y", "X")):               # what ties the block to the rest
        terms += 0.7, (name, 4), (other, 5)
    state, _ = searched.random_state(rng, sites, rank)
    energy = seen(state, terms.to_mpo(), [(0, 4)])[0]
    narrow = Narrowed.of(energy.hamiltonians, energy.states)
    assert narrow.frame.shape == (32, min(4 * rank, 32))
    u = haar(rng, 32)
    expected, _ = energy.slope(u)
    found, _ = narrow.slopes(narrow.columns(u))
    assert abs(found - expected) < 1e-11 * energy.scale
    again = narrow.unitary(narrow.columns(u))
    np.testing.assert_allclose(again @ again.conj().T, np.eye(32), atol=1e-12)
    np.testing.assert_allclose(again @ narrow.frame, u @ narrow.frame, atol=1e-12)
    assert abs(energy.slope(again)[0] - expected) < 1e-11 * energy.scale
    # downhill to where neither turning the columns among themselves nor out of their span does anything; what is left
    # of the slope enters the energy by its square
    reached, (v,) = lowest(narrow.slopes, [narrow.columns(u)], -np.inf, energy.scale)
    _, (slope,) = narrow.slopes(v[None])
    inside = v.conj().T @ slope
    assert reached < expected - 0.1 * energy.scale
    assert np.abs(inside - inside.conj().T).max() < 1e-3 * energy.scale
    assert np.abs(slope - v @ inside).max() < 1e-3 * energy.scale


def test_few_directions_find_the_same_work(monkeypatch):
    """Pure states of five qubits, a block of three: the relaxed bound is met also by the search over four columns."""
    met = 0
    for seed in range(3):
        rng = np.random.default_rng([seed, 50])
        terms = searched.random_terms(rng, (S,) * 5, 6, 3)
        state, _ = searched.random_state(rng, terms.sites, 1)
        monkeypatch.setattr(block_energy, "WIDE", 2)
        found = block_ergotropy(state, terms, 2, 4)
        monkeypatch.setattr(block_energy, "WIDE", 32)
        whole = block_ergotropy(state, terms, 2, 4)
        assert abs(found.value - whole.value) < 1e-6
        met += found.gap < 1e-6
    assert met >= 1


@pytest.mark.slow
def test_ten_sites():
    """A block of 1024 dimensions: at least what its halves draw one by one, at most the bound."""
    battery = spin_chain.xxz(cells=12)
    state = mb.charge(battery, [0.0, 0.6], keep_states=True, bars=False, record={"e": mb.Energy()}).states[1]
    begun = time.process_time()
    found = block_ergotropy(state, battery.energy, 1, 10, starts=1)
    print(f"ten sites: {time.process_time() - begun:.0f} s, W = {found.value}, at most {found.bound}")
    half = block_ergotropy(state, battery.energy, 1, 5, starts=1)
    assert half.value < found.value <= found.bound
    v, h = state.to_dense(), battery.energy.to_sparse()
    moved = np.einsum("PQ,aQb->aPb", found.unitaries[0], v.reshape(2, 1024, 2)).ravel()
    assert abs((v.conj() @ (h @ v)).real - (moved.conj() @ (h @ moved)).real - found.value) < 1e-8


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda s, h: block_ergotropy(s, h, 2, 1), "Argument `first` must begin a block first..last within 0 to 11"),
    (lambda s, h: block_ergotropy(s, h, 0, 12), "Argument `first` must begin a block"),
    (lambda s, h: block_capacity(s, h, 0, 10), "at most 1024 dimensions, but sites 0 to 10 span 2048."),
    (lambda s, h: block_ergotropy(s, 1j * h, 0, 1), "must be Hermitian"),
    (lambda s, h: residual_capacity(s, h), "must span at most 1024 dimensions"),
    (lambda s, h: residual_capacity(s, h, [0, 1]), "must act on the cells alone"),
    (lambda s, h: residual_capacity(s, h, [0, 0]), "must be different sites from 0 to 11"),
])
def test_bad_blocks(call, sentence):
    battery = spin_chain.xxz(cells=12)
    with pytest.raises(mb.InputError, match=sentence):
        call(mb.MPS.product(battery.sites, "up"), battery.energy)


def test_bad_quantities():
    battery = unequal(9)
    for record in ({"w": BlockErgotropy(0, 9)}, {"w": BlockCapacity(0, 8)}, {"w": ResidualCapacity()}):
        with pytest.raises(mb.InputError):
            mb.charge(battery, [0.0, 0.1], record=record)
