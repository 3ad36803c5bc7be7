"""Coherence against projectors written out; what a run records of pairs, charger and cells against the dense state."""

import methods
import numpy as np
import pytest
import solved
from scipy.stats import unitary_group

import mps_battery as mb
from mps_battery.measure.resources import bipartition, coherence, entanglement, entropies, pairs, two_party
from mps_battery.measure.resources.coherence import inner_hamiltonian, l1_coherence, relative_entropy_coherence
from mps_battery.measure.resources.discord import discords
from mps_battery.models import spin_chain


def random_density(rng, d, rank):
    v = rng.normal(size=(d, rank)) + 1j * rng.normal(size=(d, rank))
    return v @ v.conj().T / np.linalg.norm(v) ** 2


# -- coherence ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(120))
def test_coherence_against_projectors(seed):
    """Levels of a random Hamiltonian, degenerate ones among them, and the computational basis; one to six qubits."""
    rng = np.random.default_rng(seed)
    d = 2 ** int(rng.integers(1, 7 if seed % 40 == 0 else 5))
    rho = random_density(rng, d, 1 if seed % 3 == 0 else int(rng.integers(1, d + 1)))
    psi = np.linalg.eigh(rho)[1][:, -1]
    u = unitary_group.rvs(d, random_state=rng)
    energies = rng.normal(size=d) if seed % 2 else rng.integers(-2, 3, size=d).astype(float)
    cases = [(None, [np.outer(e, e) for e in np.eye(d)])]
    cases.append((u * energies @ u.conj().T, [(u[:, energies == e]) @ u[:, energies == e].conj().T
                                              for e in np.unique(energies)]))
    for h, projectors in cases:
        blocks = sum(np.linalg.norm(p @ rho @ q, "nuc") for p in projectors for q in projectors if p is not q)
        assert l1_coherence(rho, h) == pytest.approx(blocks, abs=1e-8)
        left = sum(p @ rho @ p for p in projectors)
        assert relative_entropy_coherence(rho, h) == pytest.approx(solved.entropy(left) - solved.entropy(rho), abs=1e-8)
        if seed % 3 == 0:        # amplitudes of a pure state
            assert l1_coherence(psi, h) == pytest.approx(blocks, abs=1e-8)
            assert relative_entropy_coherence(psi, h) == pytest.approx(solved.entropy(left), abs=1e-8)


def test_coherence_that_is_known():
    even = np.full((5, 5), 0.2)
    assert l1_coherence(even) == pytest.approx(4, abs=1e-12)
    assert relative_entropy_coherence(even) == pytest.approx(np.log(5), abs=1e-12)
    assert relative_entropy_coherence(even, np.eye(5)) == l1_coherence(even, np.zeros((5, 5))) == 0
    x, z = 0.5, 0.3
    qubit = np.array([[1 + z, x], [x, 1 - z]]) / 2
    assert l1_coherence(qubit) == pytest.approx(x)

    def binary(r):
        return -((1 + r) * np.log((1 + r) / 2) + (1 - r) * np.log((1 - r) / 2)) / 2
    assert relative_entropy_coherence(qubit) == pytest.approx(binary(z) - binary(np.hypot(x, z)), abs=1e-12)
    assert relative_entropy_coherence(qubit, solved.X) == pytest.approx(binary(x) - binary(np.hypot(x, z)), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_inner_hamiltonian_is_the_partial_trace(seed):
    rng = np.random.default_rng(seed)
    terms = mb.Terms([mb.Spin()] * 5)
    for _ in range(20):
        sites = rng.choice(5, size=int(rng.integers(1, 4)), replace=False)
        terms += rng.normal(), *[("XYZ"[rng.integers(3)], int(s)) for s in sites]
    terms += 0.7,
    keep = [int(n) for n in rng.permutation(5)[:3]]
    expected = solved.partial_trace(terms.to_dense(), keep, 5) / 4 - 0.7 * np.eye(8)
    np.testing.assert_allclose(inner_hamiltonian(terms, keep), expected, atol=1e-12)


def test_sampled_coherence():
    """Within its error of the whole distribution; without error for a product; a hundred sites of a cat state."""
    rng = np.random.default_rng(1)
    sites = [mb.Spin(), mb.Spin(1), mb.Spin(), mb.Boson(3), mb.Spin()]
    psi = rng.normal(size=96) + 1j * rng.normal(size=96)
    p = np.abs(psi) ** 2 / np.linalg.norm(psi) ** 2
    value, error = coherence.sampled_coherence(mb.MPS.from_dense(sites, psi), samples=4000)
    assert 0 < error < 0.01
    assert abs(value + p @ np.log(p)) < 4 * error
    value, error = coherence.sampled_coherence(mb.MPS.product([mb.Spin()] * 100, "x+"), samples=5)
    assert value == pytest.approx(100 * np.log(2), abs=1e-10)
    assert error < 1e-12
    middle = np.zeros((2, 2, 2))
    middle[0, 0, 0] = middle[1, 1, 1] = 1
    cat = mb.MPS((mb.Spin(),) * 100, [middle[:1] + middle[1:], *[middle] * 98, middle.sum(2, keepdims=True)])
    assert coherence.sampled_coherence(cat, samples=50)[0] == pytest.approx(np.log(2), abs=1e-10)


# -- along a run ----------------------------------------------------------------------------------------------------
def evolved(battery, record, mixed):
    """(last values, dense density) of a battery, its cell or charger dephased where mixed."""
    jumps = []
    if mixed:
        for n in (1, 2):
            flip = mb.Terms(battery.sites)
            flip += 0.4, ("Z", n)
            jumps.append(mb.Jump(flip))
    battery = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, jumps, empty=battery.empty)
    run = mb.charge(battery, [0.0, 0.7], record=record, method=mb.Exact(), keep_states=True)
    state = run.states[-1].to_dense()
    return run, state if mixed else np.outer(state, state.conj())


@pytest.mark.parametrize("mixed", [False, True])
def test_recorded_pairs(mixed):
    some = [(4, 1), (0, 3)]
    table = {"mi": pairs.MutualInformation, "neg": pairs.LogNegativity, "c": pairs.Concurrence, "d": pairs.Discord,
             "s": pairs.Steering}
    of_matrix = {"mi": two_party.mutual_informations, "neg": two_party.log_negativities, "c": two_party.concurrences,
                 "d": discords, "s": two_party.steering_witnesses}
    record = {name: q() for name, q in table.items()} | {name + "_some": q(some) for name, q in table.items()}
    record["s_all"] = pairs.Steering(some, settings=np.inf)
    run, rho = evolved(spin_chain.xxz(cells=5), record, mixed)
    assert run.data["mi"].dims == ("time", "cell", "other_cell")
    assert run.data["mi_some"].dims == ("time", "cell_pair")
    assert list(run.data["cell_pair"].values) == ["4-1", "0-3"]
    for name, f in of_matrix.items():
        values = run.data[name].values[-1]
        assert not np.diag(values).any()
        for i in range(5):
            for j in range(5):
                if i != j:
                    expected = float(f(solved.partial_trace(rho, [i, j], 5)))
                    assert values[i, j] == pytest.approx(expected, abs=1e-8)
        np.testing.assert_allclose(run.data[name + "_some"].values[-1], [values[4, 1], values[0, 3]], atol=1e-10)
    state, last = run.states[-1], {name: run.data[name].values[-1, 3, 1] for name in table}
    assert pairs.discord(state, 3, 1) == pytest.approx(last["d"], abs=1e-10)
    assert pairs.concurrence(state, 3, 1) == pytest.approx(last["c"], abs=1e-10)
    assert pairs.log_negativity(state, 3, 1) == pytest.approx(last["neg"], abs=1e-10)
    assert pairs.steering(state, 3, 1) == pytest.approx(last["s"], abs=1e-10)
    assert entropies.mutual_information(state, 3, 1) == pytest.approx(last["mi"], abs=1e-10)
    assert np.abs(run.data["d"].values[-1] - run.data["d"].values[-1].T).max() > 1e-4
    expected = float(two_party.steering_witnesses(solved.partial_trace(rho, [0, 3], 5), np.inf))
    assert run.data["s_all"].values[-1, 1] == pytest.approx(expected, abs=1e-8)
    assert set(run.bars) == set(record)
    assert all(np.all(np.isfinite(bar.values)) for bar in run.bars.values())


def test_recorded_pairs_survive_a_file(tmp_path):
    record = {"mi": pairs.MutualInformation(), "some": pairs.Discord([(0, 2)])}
    run = mb.charge(spin_chain.xxz(cells=3), [0.0, 0.2], record=record, method=mb.Exact())
    loaded = mb.load(run.save(tmp_path / "run.nc"))
    assert loaded.data.identical(run.data)


@pytest.mark.parametrize("mixed", [False, True])
def test_recorded_charger_and_cells(mixed):
    record = {"i": bipartition.ChargerInformation(), "i2": bipartition.ChargerInformation(2.0),
              "neg": bipartition.ChargerNegativity()}
    record |= {} if mixed else {"s": bipartition.ChargerEntropy(), "s2": bipartition.ChargerEntropy(2.0)}
    run, rho = evolved(methods._mediated(), record, mixed)
    last, charger = run.data.isel(time=-1), [0, 1, 2, 5, 6, 7]
    a, b = (solved.partial_trace(rho, keep, 8) for keep in (charger, [3, 4]))
    expected = sum(solved.entropy(r) * sign for r, sign in ((a, 1), (b, 1), (rho, -1)))
    assert float(last["i"]) == pytest.approx(expected, abs=1e-8)
    renyi = [-np.log(np.linalg.norm(r) ** 2) for r in (a, b, rho)]
    assert float(last["i2"]) == pytest.approx(renyi[0] + renyi[1] - renyi[2], abs=1e-8)
    legs = rho.reshape([2] * 16)
    flipped = legs.transpose([*range(3), 11, 12, *range(5, 8), *range(8, 11), 3, 4, *range(13, 16)]).reshape(256, 256)
    assert float(last["neg"]) == pytest.approx(np.log(np.abs(np.linalg.eigvalsh(flipped)).sum()), abs=1e-8)
    assert float(last["neg"]) > 0.1
    if not mixed:
        assert float(last["s"]) == pytest.approx(solved.entropy(b), abs=1e-8)
        assert float(last["s2"]) == pytest.approx(renyi[1], abs=1e-8)


@pytest.mark.parametrize("mixed", [False, True])
def test_recorded_coherence(mixed):
    battery = spin_chain.xxz(cells=5, field=0.9)
    record = {
        "levels": coherence.Coherence(), "l1": coherence.L1Coherence("computational"),
        "block": coherence.Coherence("energy", [1, 2, 3]), "block_l1": coherence.L1Coherence("energy", [1, 2, 3]),
        "all": coherence.Coherence("computational", range(5)), "all_levels": coherence.Coherence("energy", range(5))}
    run, rho = evolved(battery, record, mixed)
    last, h = run.data.isel(time=-1), battery.energy.to_dense()
    for n in range(5):
        cell = solved.partial_trace(rho, [n], 5)
        expected = solved.entropy(np.diag(np.diag(cell))) - solved.entropy(cell)      # levels of field Z
        assert last["levels"].values[n] == pytest.approx(expected, abs=1e-8)
        assert last["l1"].values[n] == pytest.approx(2 * abs(cell[0, 1]), abs=1e-8)
    block, inner = solved.partial_trace(rho, [1, 2, 3], 5), solved.partial_trace(h, [1, 2, 3], 5) / 4
    assert float(last["block"]) == pytest.approx(_dephased(block, inner)[0], abs=1e-8)
    assert float(last["block_l1"]) == pytest.approx(_dephased(block, inner)[1], abs=1e-8)
    assert float(last["all"]) == pytest.approx(solved.entropy(np.diag(np.diag(rho))) - solved.entropy(rho), abs=1e-8)
    assert float(last["all_levels"]) == pytest.approx(_dephased(rho, h)[0], abs=1e-8)


def _dephased(rho, h):
    """(relative entropy, block l1) of coherence among the levels of h."""
    e, v = np.linalg.eigh(h)
    same = np.abs(e[:, None] - e) < 1e-8
    turned = v.conj().T @ rho @ v
    groups = [np.flatnonzero(row) for row in np.unique(same, axis=0)]
    l1 = sum(np.linalg.norm(turned[np.ix_(a, b)], "nuc") for a in groups for b in groups if a[0] != b[0])
    return solved.entropy(turned * same) - solved.entropy(rho), l1


def _run(sites, cells, mixed, quantity):
    energy = mb.Terms(sites)
    for n in range(len(sites)):
        energy += 1.0, (np.diag(np.arange(sites[n].d, dtype=float)), n)
    empty = "mixed" if mixed else 0
    return lambda: mb.charge(mb.Battery(sites, cells, energy, energy, empty=empty), [0, 1], record={"q": quantity})


SPINS = [mb.Spin()] * 3


@pytest.mark.parametrize(("attempt", "told"), [
    (_run(SPINS, [0], False, pairs.Concurrence()), "hold Concurrence for at least two cells"),
    (_run([mb.Spin(), mb.Spin(1)], [0, 1], False, pairs.Concurrence()), "Concurrence for two-level sites only"),
    (_run([mb.Spin(), mb.Spin(1)], [0, 1], False, pairs.Discord([(0, 1)])), "Discord for two-level sites only"),
    (_run(SPINS, [0, 1], False, pairs.Steering(settings=5)), "`settings` must be 2, 3 or infinity"),
    (_run(SPINS, [0, 1], False, pairs.LogNegativity([(0, 3)])), "`pairs` must be a list of pairs"),
    (_run(SPINS, [0, 1, 2], False, bipartition.ChargerEntropy()), "it has no charger"),
    (_run(SPINS, [0, 1], True, bipartition.ChargerEntropy()), "must hold ChargerNegativity or ChargerInformation"),
    (_run([mb.Spin()] * 11, [0, 1], True, bipartition.ChargerNegativity()), "record ChargerInformation(alpha=2)"),
    (_run([mb.Spin()] * 13, [0, 1], True, bipartition.ChargerInformation()), "at most 4096 dimensions"),
    (_run([mb.Spin()] * 13, [0, 1], True, entanglement.BlockEntropy(0, 12)), "at most 4096 dimensions"),
    (_run(SPINS, [0, 1], False, entanglement.Entropy(0)), "`alpha` must be a positive number"),
    (_run(SPINS, [0, 1], False, entanglement.BlockEntropy(2, 1)), "begin a block first..last"),
    (_run(SPINS, [0, 1], False, coherence.Coherence("z")), "`basis` must be energy or computational"),
    (_run([mb.Spin()] * 11, [0], False, coherence.Coherence("energy", range(11))), "at most 1024 dimensions"),
    (_run([mb.Spin()] * 21, [0], False, coherence.Coherence("computational", range(21))), "sampled_coherence"),
    (lambda: coherence.sampled_coherence(mb.MPS.product(SPINS, 0), 1), "`samples` must be an integer of at least 2"),
    (lambda: l1_coherence(np.eye(2) / 2, np.eye(3)), "`hamiltonian` must be a Hermitian 2 x 2 matrix"),
    (lambda: l1_coherence(np.ones((2, 3))), "`rho` must be a density matrix or a vector"),
])
def test_bad_input(attempt, told):
    with pytest.raises(mb.InputError) as caught:
        attempt()
    assert told in str(caught.value)
