"""Local work from pair correlations, against dense matrices of the whole chain."""

from __future__ import annotations

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.measure.neighbours import PAULI4, cell_correlations, neighbour_correlations, neighbour_couplings
from mps_battery.models import spin_chain

N = 5


def random_terms(rng, sites):
    """Every product of Pauli matrices on a site and on two neighbours, and a constant."""
    terms = mb.Terms(sites)
    terms += 0.7, ("I", 0)
    for n in range(len(sites)):
        for a in "XYZ":
            terms += rng.normal(), (a, n)
            for b in "XYZ" if n + 1 < len(sites) else "":
                terms += rng.normal(), (a, n), (b, n + 1)
    return terms


def on(n, matrix):
    return np.kron(np.kron(np.eye(2**n), matrix), np.eye(2 ** (N - 1 - n)))


@pytest.fixture(params=[0, 1, 2])
def case(request):
    rng = np.random.default_rng(request.param)
    sites = (mb.Spin(),) * N
    vector = rng.normal(size=2**N) + 1j * rng.normal(size=2**N)
    state = mb.MPS.from_dense(sites, vector).canonical(request.param * 2)
    return sites, vector / np.linalg.norm(vector), state, random_terms(rng, sites)


def test_correlations_of_neighbours_are_those_of_the_dense_vector(case):
    _, vector, state, _ = case
    scaled = mb.MPS(state.sites, [3 * state.tensors[0], *state.tensors[1:]])         # not normalised, no known centre
    wanted = [[[(vector.conj() @ on(n, a) @ on(n + 1, b) @ vector).real for b in PAULI4] for a in PAULI4]
              for n in range(N - 1)]
    for one in (state, scaled):
        np.testing.assert_allclose(neighbour_correlations(one), wanted, atol=1e-12)


def test_what_a_cell_sees_is_that_of_the_dense_energy(case):
    _, vector, state, terms = case
    found = cell_correlations(neighbour_correlations(state), *neighbour_couplings(terms))
    h = terms.to_dense()
    for n in range(N):
        for a in range(3):
            around = h.reshape(2**n, 2, 2 ** (N - 1 - n), 2**n, 2, 2 ** (N - 1 - n))
            traced = np.einsum("iajkbl,ba->ijkl", around, PAULI4[a + 1]) / 2
            b = np.einsum("ijkl,ab->iajkbl", traced, np.eye(2)).reshape(2**N, 2**N)
            for c in range(3):
                assert found[n, a, c] == pytest.approx((vector.conj() @ on(n, PAULI4[c + 1]) @ b @ vector).real,
                                                       abs=1e-11)


def test_recorded_work_and_capacity_are_those_by_the_operator_of_the_whole_energy(case):
    sites, _, state, terms = case
    battery = mb.Battery(sites=sites, cells=[0, 2, 4], energy=terms, charging=terms, empty=state)
    run = mb.charge(battery, [0.0, 0.2], record={"w": mb.LocalErgotropy(), "c": mb.LocalCapacity()}, bars=False,
                    progress=False)
    for n in (0, 2, 4):
        assert run.data["w"].sel(cell=n)[0].item() == pytest.approx(mb.local_ergotropy(state, terms, n), abs=1e-10)
        span = mb.local_ergotropy(state, terms, n) + mb.local_ergotropy(state, -1.0 * terms, n)
        assert run.data["c"].sel(cell=n)[0].item() == pytest.approx(span, abs=1e-10)


def test_longer_reach_and_other_sites_are_left_to_the_operator():
    assert neighbour_couplings(spin_chain.xxz(cells=4).energy) is not None
    far = mb.Terms((mb.Spin(),) * 3)
    far += 1.0, ("X", 0), ("X", 2)
    assert neighbour_couplings(far) is None
    mixed = mb.Terms((mb.Spin(), mb.Boson(3)))
    mixed += 1.0, ("X", 0), ("N", 1)
    assert neighbour_couplings(mixed) is None
