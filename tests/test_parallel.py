"""One unitary a cell, all at the same time: against search on dense matrices, closed forms, and at a hundred cells."""

import itertools
import time

import numpy as np
import pytest
import searched
import solved

import mps_battery as mb
from mps_battery.measure.clusters import cluster_densities
from mps_battery.measure.work.blocks import block_ergotropy
from mps_battery.measure.work.parallel import (
    ParallelCapacity,
    ParallelErgotropy,
    parallel_capacity,
    parallel_ergotropy,
)
from mps_battery.measure.work.rotors import Rotors, coefficients
from mps_battery.measure.work.unitaries import haar, lowest_rotation, rotations, unitary_of
from mps_battery.models import spin_chain
from mps_battery.tensors.trains import right_canonical

S, ONE, THREE = mb.Spin(), mb.Spin(1), mb.Boson(3)
CASES = {                                                # sites, cells, factors a product, neighbours only
    "pairs of qubits": ((S,) * 4, None, 2, False),
    "chain of five qubits": ((S,) * 5, None, 2, True),
    "six qubits": ((S,) * 6, None, 2, False),
    "products of three qubits": ((S,) * 4, None, 3, False),
    "spins one": ((ONE,) * 3, None, 2, True),
    "cells beside a mode": ((S, THREE, S, S), [0, 2, 3], 3, False),
    "cells of many kinds": ((S, ONE, S), None, 2, False),
}
FEW, MANY = range(2), range(2, 20)


def ergotropy(h, rho):
    """By sorting."""
    return float(np.sum(h.T * rho).real - np.linalg.eigvalsh(h) @ np.linalg.eigvalsh(rho)[::-1])


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("kind", CASES)
def test_parallel_work_against_search(kind, seeds):
    """Pure and mixed, W_loc <= W_par <= W, 140 cases in all: what the unitaries draw, and what search finds."""
    sites, cells, factors, neighbours = CASES[kind]
    chosen = list(range(len(sites))) if cells is None else cells
    blocks, many, short, gaps = [(n, n) for n in chosen], len(seeds) > 9, [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, len(kind)])
        terms = searched.random_terms(rng, sites, 6, factors, neighbours)
        state, rho = searched.random_state(rng, sites, 1 + seed % 3)
        h = terms.to_dense()
        scale = np.abs(np.linalg.eigvalsh(h)).max()
        found, both = parallel_ergotropy(state, terms, cells), parallel_capacity(state, terms, cells)
        drawn = searched.drawn_by(h, rho, searched.embedded(sites, found.unitaries, blocks))
        assert abs(drawn - found.value) < 1e-10 * scale
        low, high = (searched.drawn_by(h, rho, searched.embedded(sites, u, blocks))
                     for u in (both.unitaries[:len(chosen)], both.unitaries[len(chosen):]))
        assert abs(low - high - both.value) < 1e-10 * scale
        down, up = (searched.best_drawn(x, rho, sites, blocks, rng, 8 if many else 3) for x in (h, -h))
        assert max(found.value, down) <= found.bound + 1e-9 * scale
        assert max(both.value, down + up) <= both.bound + 1e-9 * scale
        assert found.value <= ergotropy(h, rho) + 1e-10 * scale
        assert both.value <= ergotropy(h, rho) + ergotropy(-h, rho) + 1e-10 * scale
        assert found.value >= max(block_ergotropy(state, terms, n, n).value for n in chosen) - 1e-8 * scale
        assert both.value >= found.value - 1e-8 * scale
        short.append([down - found.value, down + up - both.value])
        gaps.append([found.gap, both.gap])
    short, gaps = np.array(short), np.array(gaps)
    print(f"{kind}: below search by at most {short.max():.1e}; within 1e-6 of search in {np.mean(short <= 1e-6):.1%}, "
          f"of the bound in {np.mean(gaps <= 1e-6):.1%} of {short.size} values")
    assert np.mean(short <= 1e-6) >= 0.95


def test_cells_without_interaction_add_up():
    """W = sum (b.r + |b||r|) and C = sum 2 |b||r| for fields b on Bloch vectors r, correlated or not; bounds met."""
    rng, n = np.random.default_rng(3), 5
    for rank in (1, 4):
        state, rho = searched.random_state(rng, (S,) * n, rank)
        fields, terms = rng.normal(size=(n, 3)), mb.Terms([S] * n)
        for k in range(n):
            for name, b in zip("XYZ", fields[k], strict=True):
                terms += b, (name, k)
        bloch = np.array([[np.trace(rho @ solved.pauli_string(n, {k: p})).real for p in solved.PAULI]
                          for k in range(n)])
        size = np.linalg.norm(fields, axis=1) * np.linalg.norm(bloch, axis=1)
        work, capacity = parallel_ergotropy(state, terms), parallel_capacity(state, terms)
        assert abs(work.value - (np.sum(fields * bloch) + size.sum())) < 1e-10
        assert abs(capacity.value - 2 * size.sum()) < 1e-10
        assert abs(capacity.value - sum(mb.local_capacity(state, terms, k) for k in range(n))) < 1e-10
        assert max(work.gap, capacity.gap) < 1e-9
    state, _ = searched.random_state(rng, (ONE,) * 3, 2)
    terms = mb.Terms([ONE] * 3)
    for k in range(3):
        terms += 1.0, (searched.hermitian(rng, 3), k)
    total = sum(mb.local_capacity(state, terms, k) for k in range(3))
    capacity = parallel_capacity(state, terms)
    assert abs(capacity.value - total) < 1e-10
    assert capacity.gap < 1e-9


def test_a_singlet_reaches_one_but_not_minus_three_from_a_triplet():
    """H = X X + Y Y + Z Z: from the singlet E = -tr R with R a rotation, whose trace is at least -1, so E <= 1; the
    triplet |T0> reaches no lower than -3 only through the other sign, and its E = tr(diag(1, 1, -1) R) >= -3."""
    terms = mb.Terms([S, S])
    for name in "XYZ":
        terms += 1.0, (name, 0), (name, 1)
    for sign, energy, lowest, highest in ((-1, -3, -3, 1), (1, 1, -3, 1)):
        state = mb.MPS.from_dense([S, S], np.array([0, 1, sign, 0]) / 2**0.5)
        work, capacity = parallel_ergotropy(state, terms), parallel_capacity(state, terms)
        assert abs(work.value - (energy - lowest)) < 1e-9
        assert abs(capacity.value - (highest - lowest)) < 1e-9
        assert max(work.gap, capacity.gap) < 1e-6


@pytest.mark.parametrize("length", [40, 100])
def test_classical_chain_without_frustration(length):
    """Random signs of J_n Z_n Z_(n+1), all up: local flips reach -sum |J|, and single cells are stuck far above."""
    rng = np.random.default_rng(length)
    couplings, terms = rng.normal(size=length - 1), mb.Terms([S] * length)
    for n, j in enumerate(couplings):
        terms += j, ("Z", n), ("Z", n + 1)
    found = parallel_ergotropy(mb.MPS.product([S] * length, "up"), terms)
    assert abs(found.value - (couplings.sum() + np.abs(couplings).sum())) < 1e-7
    assert found.gap < 1e-6


def test_charged_chain_is_solved_to_the_bound():
    """States of a charged XXZ chain: value and bound agree, pure and as a density, and recorded likewise."""
    battery = spin_chain.xxz(cells=8)
    record = {"w": ParallelErgotropy(), "c": ParallelCapacity(), "most": ParallelErgotropy(bound=True),
              "widest": ParallelCapacity(bound=True), "local": mb.LocalErgotropy()}
    run = mb.charge(battery, [0.0, 0.7], record=record, keep_states=True, bars=False)
    h, (e, _) = battery.energy.to_dense(), np.linalg.eigh(battery.energy.to_dense())
    for k, state in enumerate(run.states):
        data = run.data.isel(time=k)
        assert abs(data["most"] - data["w"]) < 1e-5
        assert abs(data["widest"] - data["c"]) < 1e-4
        v = state.to_dense()
        assert data["local"].max() - 1e-9 <= data["w"] <= (v.conj() @ h @ v).real - e[0] + 1e-9
        assert data["c"] <= e[-1] - e[0] + 1e-9
        density = mb.Density.from_pure(state)
        assert abs(parallel_ergotropy(density, battery.energy).value - data["w"]) < 1e-7
    assert run.data["w"].dims == ("time",)


def test_long_strings_and_large_cells():
    """Fermions with strings over the chain, and a mode of eight levels as a cell: the turned operator, both states."""
    rng, modes = np.random.default_rng(5), [mb.Fermion()] * 6
    strings = mb.Terms(modes)
    for i, j in ((0, 5), (1, 4), (0, 2)):
        strings += 1.0, ("Cd", i), ("C", j)
        strings += 1.0, ("Cd", j), ("C", i)
    for n in range(6):
        strings += rng.normal(), ("N", n)
    sites = [mb.Boson(7), S, S]
    cavity = mb.Terms(sites)
    cavity += 1.0, ("N", 0)
    for n in (1, 2):
        cavity += 0.4, ("X", n), (np.diag(np.sqrt(np.arange(1.0, 8)), 1) + np.diag(np.sqrt(np.arange(1.0, 8)), -1), 0)
        cavity += 1.0, ("Z", n)
    for terms, rank, starts in ((strings, 1, 8), (cavity, 1, 3), (cavity, 3, 3)):
        state, rho = searched.random_state(rng, terms.sites, rank)
        h, blocks = terms.to_dense(), [(n, n) for n in range(len(terms.sites))]
        found = parallel_ergotropy(state, terms, starts=starts)
        drawn = searched.drawn_by(h, rho, searched.embedded(terms.sites, found.unitaries, blocks))
        assert abs(drawn - found.value) < 1e-9
        best = searched.best_drawn(h, rho, terms.sites, blocks, rng, 1)
        assert best - 1e-6 <= found.value <= found.bound


def test_sweeps_never_rise_and_end_where_every_cell_is_at_rest():
    """The closed form of each step, from random rotations, on products of two and three cells."""
    rng = np.random.default_rng(8)
    terms = searched.random_terms(rng, (S,) * 6, 9, 3)
    state, _ = searched.random_state(rng, (S,) * 6, 2)
    j = coefficients(terms)
    model = Rotors.of(j, cluster_densities(state, {tuple(n for n, _ in key) for key in j}), state.sites, range(6))
    r = rotations(haar(rng, 7, 6, 2))
    before = model.energy(r)
    for _ in range(300):
        r = model.sweep(r)
        after = model.energy(r)
        assert np.all(after <= before + 1e-12)
        before = after
    k, _ = model.correlations(r)
    np.testing.assert_allclose(np.einsum("znab,znab->zn", k, lowest_rotation(k)), np.einsum("znab,znab->zn", k, r),
                               atol=1e-6)
    np.testing.assert_allclose(rotations(unitary_of(r)), r, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 2])
def test_clusters_of_any_shape(rank):
    """Reduced densities that share a start, overlap, leave gaps, on unequal sites, against partial traces."""
    sites = (S, ONE, S, THREE, S)
    state, rho = searched.random_state(np.random.default_rng(1), sites, rank)
    wanted = [(0,), (0, 1), (0, 2), (0, 2, 4), (0, 3, 4), (1, 2, 3), (2,), (3, 4), (4,)]
    found = cluster_densities(state, wanted)
    assert set(found) == set(wanted)
    dims = [s.d for s in sites]
    for c in wanted:
        legs = [*range(5), *(5 + n if n in c else n for n in range(5))]
        expected = np.einsum(rho.reshape(dims + dims), legs, [*c, *(5 + n for n in c)])
        np.testing.assert_allclose(found[c].ravel(), expected.ravel(), atol=1e-12)


def random_mps(length, bond, seed=0):
    """A random state whose bonds are full."""
    rng = np.random.default_rng(seed)
    bonds = [min(bond, 2**min(n, length - n, 30)) for n in range(length + 1)]
    train = [rng.normal(size=(a, 2, b)) + 1j * rng.normal(size=(a, 2, b))
             for a, b in itertools.pairwise(bonds)]
    train = right_canonical(train)
    return mb.MPS((S,) * length, [train[0] / np.linalg.norm(train[0]), *train[1:]], 0)


@pytest.mark.slow
def test_a_hundred_cells_at_bond_64_in_half_a_minute():
    battery, state = spin_chain.xxz(cells=100), random_mps(100, 64)
    start = time.process_time()
    found = parallel_ergotropy(state, battery.energy)
    assert time.process_time() - start < 30
    assert 0 < found.value <= found.bound < 1.01 * found.value


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda s, h: parallel_ergotropy(s, h, [0, 0]), "Argument `cells` must be different sites from 0 to 3"),
    (lambda s, h: parallel_ergotropy(s, h, [4]), "Argument `cells` must be different sites"),
    (lambda s, h: parallel_capacity(s, h, []), "Argument `cells` must be different sites"),
    (lambda s, h: parallel_capacity(s, 1j * h), "must be Hermitian"),
    (lambda s, h: parallel_capacity(s, repr(h)), "must be Terms"),
])
def test_bad_calls(call, sentence):
    battery = spin_chain.xxz(cells=4)
    with pytest.raises(mb.InputError, match=sentence):
        call(mb.MPS.product(battery.sites, "up"), battery.energy)
