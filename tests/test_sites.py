"""The algebra of local spaces: commutators, states, charges."""

import numpy as np
import pytest

import mps_battery as mb

close = np.testing.assert_allclose
SPINS = [0.5, 1, 1.5, 2]
SITES = [mb.Spin(), mb.Spin(1), mb.Spin(1.5), mb.Boson(1), mb.Boson(4), mb.Fermion(), mb.Levels("gef"),
         mb.Levels(("ground", "one"), excitations=(0, 2))]


def commutator(a, b):
    return a @ b - b @ a


@pytest.mark.parametrize("S", SPINS)
def test_spins_rotate(S):
    site = mb.Spin(S)
    x, y, z = (site.operator(name) for name in ("Sx", "Sy", "Sz"))
    for a, b, c in ((x, y, z), (y, z, x), (z, x, y)):
        close(commutator(a, b), 1j * c, atol=1e-14)
    close(x @ x + y @ y + z @ z, S * (S + 1) * np.eye(site.d), atol=1e-14)
    close(site.operator("Sp"), x + 1j * y, atol=1e-14)
    close(site.operator("Sm"), x - 1j * y, atol=1e-14)
    assert site.d == 2 * S + 1


@pytest.mark.parametrize("S", SPINS)
def test_spins_point_up_first(S):
    site = mb.Spin(S)
    close(np.diag(site.operator("Sz")), np.arange(S, -S - 1, -1))
    close(site.operator("Sz") @ site.vector("up"), S * site.vector("up"))
    close(site.operator("Sz") @ site.vector("down"), -S * site.vector("down"))
    close(site.operator("Sm") @ site.vector("up"), np.sqrt(2 * S) * site.vector(1), atol=1e-14)


def test_pauli_matrices_are_twice_the_spin():
    site = mb.Spin()
    close(site.operator("X"), [[0, 1], [1, 0]])
    close(site.operator("Y"), [[0, -1j], [1j, 0]])
    close(site.operator("Z"), [[1, 0], [0, -1]])
    assert "X" not in mb.Spin(1).operators


@pytest.mark.parametrize(("label", "operator", "value"), [
    ("x+", "X", 1), ("x-", "X", -1), ("y+", "Y", 1), ("y-", "Y", -1), ("up", "Z", 1), ("down", "Z", -1)])
def test_named_qubit_states_are_eigenstates(label, operator, value):
    site = mb.Spin()
    close(site.operator(operator) @ site.vector(label), value * site.vector(label), atol=1e-15)


@pytest.mark.parametrize("cutoff", [1, 2, 7])
def test_bosons_count(cutoff):
    site = mb.Boson(cutoff)
    a, ad, n = (site.operator(name) for name in ("A", "Ad", "N"))
    close(ad, a.conj().T)
    close(ad @ a, n, atol=1e-14)
    close(commutator(a, n), a, atol=1e-14)
    # [a, a+] = 1 but for the last level, which the cutoff spoils
    close(commutator(a, ad), np.diag([1.0] * cutoff + [-cutoff]), atol=1e-14)
    close(a @ site.vector("vacuum"), np.zeros(cutoff + 1))
    close(n @ site.vector(cutoff), cutoff * site.vector(cutoff))


def test_one_fermion_anticommutes():
    site = mb.Fermion()
    c, cd, n, p = (site.operator(name) for name in ("C", "Cd", "N", "P"))
    close(c @ cd + cd @ c, np.eye(2))
    close(c @ c, np.zeros((2, 2)))
    close(cd @ c, n)
    close(p, np.eye(2) - 2 * n)
    close(np.diag(site.parity), p)
    close(p @ c, -c @ p)
    close(cd @ site.vector("empty"), site.vector("full"))
    assert site.odd == {"C", "Cd"}


def test_levels_are_named_transitions():
    site = mb.Levels("gef")
    for i, a in enumerate("gef"):
        for j, b in enumerate("gef"):
            expected = np.zeros((3, 3))
            expected[i, j] = 1
            close(site.operator(a + b), expected)
            close(site.operator(a + b) @ site.vector(b), site.vector(a))
    close(site.operator("ge") @ site.operator("ef"), site.operator("gf"))
    longer = mb.Levels(["ground", "one"])
    close(longer.operator("ground,one") @ longer.vector("one"), longer.vector("ground"))
    assert longer == mb.Levels(("ground", "one"))


@pytest.mark.parametrize("site", SITES, ids=str)
def test_charges_count_excitations(site):
    """Every named operator but X, Y, Sx, Sy changes the charge by one number; raising and lowering are opposite."""
    q = np.diag(site.charges.astype(float))
    up = {"Sp": "Sm", "Ad": "A", "Cd": "C"}
    for raising, lowering in up.items():
        if raising in site.operators:
            close(commutator(q, site.operator(raising)), site.operator(raising), atol=1e-14)
            close(commutator(q, site.operator(lowering)), -site.operator(lowering), atol=1e-14)
    for diagonal in {"I", "Sz", "Z", "N", "P"} & set(site.operators):
        close(commutator(q, site.operator(diagonal)), np.zeros((site.d, site.d)))
    assert site.charges.dtype.kind == "i"
    assert len(site.charges) == site.d == len(site.operator("I"))


def test_levels_have_the_charges_given():
    assert mb.Levels("gef").charges.tolist() == [0, 1, 2]
    site = mb.Levels("gef", excitations=[0, 1, 1])
    assert site.charges.tolist() == [0, 1, 1]
    assert hash(site) == hash(mb.Levels("gef", excitations=(0, 1, 1)))


@pytest.mark.parametrize("site", SITES, ids=str)
def test_states_are_normalised_and_labels_agree(site):
    for name, vector in site.states.items():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-15)
        close(site.vector(name), vector)
    for k in range(site.d):
        close(site.vector(k), np.eye(site.d)[k])
        close(site.vector(np.int64(k)), np.eye(site.d)[k])


@pytest.mark.parametrize("site", SITES, ids=str)
def test_vectors_are_normalised(site):
    rng = np.random.default_rng(np.random.SeedSequence([site.d, 1]))
    given = rng.normal(size=site.d) + 1j * rng.normal(size=site.d)
    close(site.vector(given), given / np.linalg.norm(given))
    close(site.vector(list(given)), given / np.linalg.norm(given))


def test_sites_of_one_kind_are_one():
    assert mb.Spin(1) == mb.Spin(1.0) == mb.Spin(np.float32(1))
    assert hash(mb.Spin(1)) == hash(mb.Spin(1.0))
    assert mb.Spin() != mb.Spin(1)
    assert mb.Boson(1) != mb.Fermion()
    assert len({mb.Boson(3), mb.Boson(3), mb.Boson(4)}) == 2
