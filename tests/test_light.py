"""Light and matter: every model against np.kron, against one large spin beside a mode, and against closed forms."""

import inspect
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from collective import Collective, conserving
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

import mps_battery as mb
from mps_battery.models import cavity, light

ENERGY = {"energy": mb.Energy()}


def stored(battery, times):
    """Energy stored at rising times, by exponentials of the model's own sparse matrix."""
    h, energy = -1j * battery.charging.to_sparse(), battery.energy.to_sparse()
    psi, out, before = battery.initial_state().to_dense(), [], 0.0
    for t in times:
        psi, before = expm_multiply((t - before) * h, psi, traceA=0), t
        out.append(np.vdot(psi, energy @ psi).real)
    return np.array(out)


# -- the Hamiltonians, written out ---------------------------------------------------------------------------------
ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
UP = np.array([[0.0, 1.0], [0.0, 0.0]])
DIM = 4
A = np.diag(np.sqrt(np.arange(1.0, DIM)), 1)
LIGHT = np.eye(DIM)


def kron(*matrices):
    out = np.eye(1)
    for m in matrices:
        out = np.kron(out, m)
    return out


def plus_adjoint(m):
    return m + m.conj().T


def on_cells(field, m):
    """sum over two cells around a mode of field (x) m."""
    return kron(m, field, ONE) + kron(ONE, field, m)


def two_cells(splitting, photon=None):
    """(H_B, H_B + photon a+ a) of two cells around a mode."""
    energy = splitting * on_cells(LIGHT, UP @ UP.T)
    return energy, energy + (splitting if photon is None else photon) * kron(ONE, A.T @ A, ONE)


def of_two_photons():
    energy, free = two_cells(1.3, 0.65)
    return {"splitting": 1.3, "coupling": 0.1}, energy, free + 0.1 * on_cells(plus_adjoint(A @ A), X)


def of_anisotropic():
    energy, free = two_cells(1.3)
    meet = on_cells(A, UP) + 0.7 * on_cells(A.T, UP)
    return {"splitting": 1.3, "coupling": 0.4, "counter": 0.7}, energy, free + 0.4 * plus_adjoint(meet)


def of_heisenberg():
    energy, free = two_cells(1.3)
    exchange = kron(X, LIGHT, X) + kron(Y, LIGHT, Y) + 0.6 * kron(Z, LIGHT, Z)
    given = {"splitting": 1.3, "coupling": 0.4, "exchange": 0.3, "anisotropy": 0.6}
    return given, energy, free + 0.4 * on_cells(A + A.T, X) + 0.3 * exchange


def of_ising():
    energy, free = two_cells(1.3)
    between = 0.3 * (kron(Z, LIGHT, Z) - np.eye(4 * DIM))
    meet = on_cells(A, UP) + 0.7 * on_cells(A.T, UP)
    given = {"splitting": 1.3, "coupling": 0.4, "ising": 0.3, "counter": 0.7}
    return given, energy + between, free + between + 0.4 * plus_adjoint(meet)


def of_dipoles():
    energy, free = two_cells(1.3)
    h = free + 0.4 * on_cells(A + A.T, X) + 0.2 * plus_adjoint(kron(UP, LIGHT, UP.T)) + 0.6 * on_cells(LIGHT, X)
    return {"splitting": 1.3, "coupling": 0.4, "dipole": 0.2, "drive": 0.6}, energy, h


def of_disorder():
    energy, free = two_cells(1.3)
    meet = [kron(UP, A + 0.7 * A.T, ONE), kron(ONE, A + 0.7 * A.T, UP)]
    given = {"splitting": 1.3, "couplings": [0.4, 0.9], "counter": 0.7}
    return given, energy, free + plus_adjoint(0.4 * meet[0] + 0.9 * meet[1])


def of_one_cell(counter):
    energy = 1.3 * kron(LIGHT, UP @ UP.T)
    h = energy + 1.5 * kron(A.T @ A, ONE) + 0.4 * plus_adjoint(kron(A, UP) + counter * kron(A.T, UP))
    return {"splitting": 1.3, "detuning": 0.2, "coupling": 0.4}, energy, h


def of_two_modes(pairwise):
    energy = 1.3 * kron(LIGHT, LIGHT, UP @ UP.T)
    free = energy + (0.65 if pairwise else 1.3) * (kron(A.T @ A, LIGHT, ONE) + kron(LIGHT, A.T @ A, ONE))
    meet = 0.4 * kron(A, A, UP) if pairwise else 0.4 * kron(A, LIGHT, UP) + 0.7 * kron(LIGHT, A, UP)
    given = {"cells": 1, "splitting": 1.3, "coupling": 0.4, "second": 0.7, "pairwise": pairwise}
    return given, energy, free + plus_adjoint(meet)


def of_array():
    n, raise_ = A.T @ A, UP @ UP.T
    energy = 1.3 * (kron(raise_, LIGHT, ONE, LIGHT) + kron(ONE, LIGHT, raise_, LIGHT))
    h = energy + 1.3 * (kron(ONE, n, ONE, LIGHT) + kron(ONE, LIGHT, ONE, n))
    h = h + plus_adjoint(0.4 * (kron(UP, A, ONE, LIGHT) + kron(ONE, LIGHT, UP, A)) + 0.7 * kron(ONE, A.T, ONE, A))
    return {"cells": 2, "splitting": 1.3, "coupling": 0.4, "hopping": 0.7}, energy, h


def of_three_levels():
    rise = np.zeros((3, 3))
    rise[1, 0], rise[2, 1] = 1, 0.8
    energy = kron(LIGHT, np.diag([0, 1.3, 2.4]))
    h = energy + 1.3 * kron(A.T @ A, np.eye(3)) + 0.4 * plus_adjoint(kron(A + 0.7 * A.T, rise))
    given = {"cells": 1, "splitting": 1.3, "anharmonicity": -0.2, "coupling": 0.4, "upper": 0.8, "counter": 0.7}
    return given, energy, h


def of_mirror():
    b, n = np.diag(np.sqrt(np.arange(1.0, 4)), 1), A.T @ A
    energy = 1.3 * kron(LIGHT, np.eye(4), UP @ UP.T)
    h = energy + kron(1.3 * n, np.eye(4), ONE) + 0.9 * kron(LIGHT, b.T @ b, ONE)
    h = h - 0.2 * kron(n, b + b.T, ONE) + 0.4 * kron(A + A.T, np.eye(4), X)
    given = {"cells": 1, "splitting": 1.3, "frequency": 0.9, "coupling": 0.4, "pressure": 0.2,
             "mirror_cutoff": 3, "phonons": 1}
    return given, energy, h


CASES = {
    "jaynes_cummings": (cavity.jaynes_cummings, of_one_cell(0)), "rabi": (cavity.rabi, of_one_cell(1)),
    "anisotropic_dicke": (cavity.anisotropic_dicke, of_anisotropic()),
    "two_photon_dicke": (cavity.two_photon_dicke, of_two_photons()),
    "cavity_heisenberg": (cavity.cavity_heisenberg, of_heisenberg()),
    "dicke_ising": (cavity.dicke_ising, of_ising()), "extended_dicke": (cavity.extended_dicke, of_dipoles()),
    "disordered_cavity": (cavity.disordered_cavity, of_disorder()),
    "two_mode": (light.two_mode, of_two_modes(False)), "two_mode, pairwise": (light.two_mode, of_two_modes(True)),
    "cavity_array": (light.cavity_array, of_array()), "three_level_dicke": (light.three_level_dicke, of_three_levels()),
    "optomechanical": (light.optomechanical, of_mirror()),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_is_the_formula(case):
    model, (given, energy, charging) = CASES[case]
    known = inspect.signature(model).parameters
    counts = {"cells": 2, "photons": 2, "cutoff": DIM - 1}
    battery = model(**({name: value for name, value in counts.items() if name in known} | given))
    np.testing.assert_allclose(battery.energy.to_dense(), energy, atol=1e-13)
    np.testing.assert_allclose(battery.charging.to_dense(), charging, atol=1e-13)
    assert not battery.jumps
    again = model(**battery.parameters)
    assert set(battery.parameters) == set(known)
    assert again.parameters == battery.parameters
    np.testing.assert_array_equal(again.charging.to_dense(), battery.charging.to_dense())


def test_exchange_decays_with_distance():
    plain = cavity.cavity_heisenberg(cells=4, cutoff=4, exchange=0.0)
    for exponent, share in ((0.0, (1, 1, 1)), (3.0, (1, 1 / 8, 1 / 27)), (np.inf, (1, 0, 0))):
        h = cavity.cavity_heisenberg(cells=4, cutoff=4, exchange=0.3, exponent=exponent).charging - plain.charging
        cells, expected = (0, 1, 3, 4), mb.Terms(h.sites)
        for m in range(4):
            for n in range(m + 1, 4):
                for name, weight in (("X", 1.0), ("Y", 1.0), ("Z", 0.5)):
                    expected += 0.3 * share[n - m - 1] * weight, (name, cells[m]), (name, cells[n])
        np.testing.assert_allclose(h.to_dense(), expected.to_dense(), atol=1e-13)


# -- light ---------------------------------------------------------------------------------------------------------
def test_coherent_light_is_an_eigenstate_of_its_field():
    battery = cavity.jaynes_cummings(photons=3, light="coherent", cutoff=40)
    vector = np.asarray(battery.empty[0])
    a = np.diag(np.sqrt(np.arange(1.0, 41)), 1)
    assert np.abs(a @ vector - sqrt(3) * vector).max() < 1e-12


def test_squeezed_light_is_the_squeezed_vacuum():
    r, d = np.arcsinh(sqrt(2)), 400
    a = np.diag(np.sqrt(np.arange(1.0, d)), 1)
    vacuum = expm(r / 2 * (a.T @ a.T - a @ a))[:, 0]
    vector = np.asarray(cavity.jaynes_cummings(photons=2, light="squeezed", cutoff=150).empty[0])
    assert np.abs(vector[:20] - vacuum[:20]).max() < 1e-10
    x = (a + a.T)[:151, :151]
    assert vector @ x @ x @ vector == pytest.approx(np.exp(2 * r), rel=1e-9)


def test_thermal_light_is_a_gibbs_state():
    battery = cavity.jaynes_cummings(photons=2, light="thermal", cutoff=6)
    weights = np.exp(-np.log(1.5) * np.arange(7))
    np.testing.assert_allclose(battery.empty[0], np.diag(weights / weights.sum()), atol=1e-14)
    assert battery.mixed


@pytest.mark.parametrize("kind", ["coherent", "squeezed", "thermal"])
@pytest.mark.parametrize("photons", [0, 1, 4])
def test_default_cutoff_holds_the_light(kind, photons):
    battery = cavity.tavis_cummings(cells=1, photons=photons, light=kind)
    state = np.asarray(battery.empty[0])
    populations = np.diag(state) if kind == "thermal" else state**2
    mean = populations @ np.arange(len(populations))
    assert mean == pytest.approx(photons, abs=1e-4 * max(photons, 1))
    assert populations.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("kind", ["coherent", "squeezed", "thermal"])
def test_one_cell_in_any_light(kind):
    """p(t) = sum_n p_n sin^2(coupling sqrt(n) t), whatever the phases, by the engine."""
    battery = cavity.jaynes_cummings(photons=1, light=kind, coupling=0.7, cutoff=12)
    state = np.asarray(battery.empty[0])
    populations, times = np.diag(state) if kind == "thermal" else state**2, np.linspace(0, 3, 4)
    run = mb.charge(battery, times, bars=False, method=mb.Exact(), record=ENERGY)
    expected = np.sin(0.7 * np.outer(times, np.sqrt(np.arange(13)))) ** 2 @ populations
    assert np.abs(run.data["energy"].values - expected).max() < 1e-9


@pytest.mark.parametrize("kind", ["coherent", "squeezed"])
def test_four_cells_in_light_are_one_large_spin(kind):
    battery = cavity.dicke(cells=4, photons=2, light=kind, coupling=0.3, cutoff=24)
    large, times = Collective(4, 24), np.array([0.4, 0.9])
    expected = large.excitations(large.dicke(1.0, 0.3), large.start(np.asarray(battery.empty[2])), times)
    assert np.abs(stored(battery, times) - expected).max() < 1e-10


@pytest.mark.parametrize(("given", "sentence"), [
    ({"light": "laser"}, "`light` must be one of fock, coherent, squeezed, thermal, but is 'laser'."),
    ({"light": 1}, "`light` must be one of fock, coherent, squeezed, thermal, but is 1."),
    ({"light": "coherent", "photons": 3, "cutoff": 2}, "`cutoff` must be at least 3, the photons at the start, but is "
                                                       "2."),
])
def test_bad_light_is_one_sentence(given, sentence):
    for model in (cavity.dicke, cavity.rabi, light.two_mode, light.flying_qubits):
        with pytest.raises(mb.InputError) as error:
            model(**given)
        assert str(error.value) == f"Argument {sentence}"


@pytest.mark.parametrize(("model", "given", "sentence"), [
    (cavity.two_photon_dicke, {"cells": 5, "coupling": 0.05}, "`coupling` must be a number below splitting / (4 cells) "
                                                              "= 0.05 (spectral collapse), but is 0.05."),
    (cavity.cavity_heisenberg, {"exponent": -1}, "`exponent` must be a number of at least 0 or inf, but is -1."),
    (cavity.disordered_cavity, {"disorder": -1.0}, "`disorder` must be a number of at least 0, but is -1.0."),
    (cavity.disordered_cavity, {"cells": 2, "couplings": [1]}, "`couplings` must hold 2 finite numbers, but is [1]."),
    (light.flying_qubits, {"transit": 0.0}, "`transit` must be a positive number, but is 0.0."),
    (light.flying_qubits, {"interval": -1.0}, "`interval` must be a number of at least 0, but is -1.0."),
    (light.optomechanical, {"phonons": -1}, "`phonons` must be an integer of at least 0, but is -1."),
    (light.optomechanical, {"mirror_cutoff": 1}, "`mirror_cutoff` must be at least 2, the phonons at the start, but is "
                                                 "1."),
])
def test_bad_input_is_one_sentence(model, given, sentence):
    with pytest.raises(mb.InputError) as error:
        model(**given)
    assert str(error.value) == f"Argument {sentence}"


# -- closed forms --------------------------------------------------------------------------------------------------
def test_detuned_jaynes_cummings():
    battery = cavity.jaynes_cummings(photons=3, splitting=1.2, detuning=0.4, coupling=0.3)
    times = np.linspace(0, 5, 6)
    w2 = 0.4**2 + 4 * 0.3**2 * 3
    run = mb.charge(battery, times, record=ENERGY)
    expected = 1.2 * 4 * 0.3**2 * 3 / w2 * np.sin(np.sqrt(w2) * times / 2) ** 2
    assert np.abs(run.data["energy"].values - expected).max() < 1e-12


def test_one_photon_among_unlike_cells():
    g = np.array([0.2, 0.5, 0.9, 0.4])
    battery = cavity.disordered_cavity(cells=4, photons=1, couplings=g)
    times, total = np.linspace(0, 4, 5), np.sum(g**2)
    run = mb.charge(battery, times, record=ENERGY | {"capacity": mb.LocalCapacity()})
    share = np.sin(np.sqrt(total) * times)[:, None] ** 2 * g**2 / total
    assert np.abs(run.data["energy"].values - share.sum(1)).max() < 1e-12
    assert np.abs(run.data["capacity"].values - np.abs(2 * share - 1)).max() < 1e-12


def test_draws_of_couplings_have_coordinates():
    found = cavity.disordered_cavity(cells=9, coupling=0.4, disorder=0.3, seed=3, realisation=7).parameters["couplings"]
    expected = 0.4 + np.random.default_rng(np.random.SeedSequence([3, 7])).uniform(-0.3, 0.3, 9)
    np.testing.assert_allclose(found, expected)


def test_pairs_of_photons():
    battery = light.two_mode(cells=1, photons=3, coupling=0.3, pairwise=True)
    times = np.linspace(0, 3, 5)
    run = mb.charge(battery, times, record=ENERGY)
    assert np.abs(run.data["energy"].values - np.sin(0.3 * 3 * times) ** 2).max() < 1e-12


def test_two_modes_are_one_where_one_alone_couples():
    """With second = 0 the second mode is idle; with equal couplings coherent light of both is brighter by two."""
    times = np.array([0.5, 1.4])
    battery = light.two_mode(cells=3, photons=3, coupling=0.3, second=0.0, cutoff=3)
    assert np.abs(stored(battery, times) - conserving(3, 0.3, times)[0]).max() < 1e-11
    both = light.two_mode(cells=1, photons=1, light="coherent", coupling=0.3, second=0.3, cutoff=12)
    one = cavity.tavis_cummings(cells=1, photons=2, light="coherent", coupling=0.3 * sqrt(2), cutoff=24)
    assert np.abs(stored(both, times) - stored(one, times)).max() < 1e-7


def test_one_photon_on_an_array():
    """A photon on a ladder of 2 x 6 places; the engine against the matrix of one particle."""
    N, g, hop = 6, 0.5, 0.7
    row = np.eye(N, k=1) + np.eye(N, k=-1)
    h = np.block([[np.zeros((N, N)), g * np.eye(N)], [g * np.eye(N), hop * row]])
    times = np.linspace(0, 6, 4)
    expected = [np.sum(np.abs(expm(-1j * t * h)[:N, N]) ** 2) for t in times]
    run = mb.charge(light.cavity_array(cells=N, photons=1, coupling=g, hopping=hop), times, record=ENERGY, bars=False)
    assert np.abs(run.data["energy"].values - expected).max() < 1e-7


@pytest.mark.parametrize("counter", [0.0, 1.0])
def test_a_three_level_cell_is_two_cells(counter):
    battery = light.three_level_dicke(cells=2, photons=3, coupling=0.5, counter=counter)
    large, times = Collective(4, battery.parameters["cutoff"]), np.array([0.3, 0.8])
    expected = large.excitations(large.dicke(1.0, 0.5 / sqrt(2), counter), large.start(3), times)
    assert np.abs(stored(battery, times) - expected).max() < 1e-11


def test_light_pushes_the_mirror():
    battery = light.optomechanical(phonons=0, photons=2, coupling=0.0, pressure=0.3, frequency=0.8, mirror_cutoff=30)
    phonons = mb.Terms(battery.sites)
    phonons += 1.0, ("N", 1)
    times = np.linspace(0, 4, 5)
    run = mb.charge(battery, times, record={"phonons": mb.Expect(phonons)}, bars=False, method=mb.Exact())
    expected = (2 * 0.3 / 0.8) ** 2 * np.abs(1 - np.exp(-0.8j * times)) ** 2
    assert np.abs(run.data["phonons"].values - expected).max() < 1e-9
    assert mb.charge(light.optomechanical(photons=0), [0, 2.0], record=ENERGY).data["energy"].values[-1] > 0.02


def test_qubits_fly_past_one_after_another():
    """The distribution of photons passes from qubit to qubit, sin^2(coupling transit sqrt(n) / 2) each."""
    battery = light.flying_qubits(cells=3, photons=3, coupling=1.7, transit=0.6, interval=0.7)
    run = mb.charge(battery, [0, 0.65, 1.35, 2.1], record=ENERGY, bars=False)
    photons, expected, total = np.eye(4)[3], [0.0], 0.0
    for _ in range(3):
        hit = np.sin(1.7 * 0.6 / 2 * np.sqrt(np.arange(4))) ** 2 * photons
        total, photons = total + hit.sum(), photons - hit + np.r_[hit[1:], 0]
        expected.append(total)
    assert np.abs(run.data["energy"].values - expected).max() < 1e-8


# -- one large spin ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("counter", [0.0, 0.4, 1.0])
def test_anisotropy_leads_from_tavis_cummings_to_dicke(counter):
    battery = cavity.anisotropic_dicke(cells=3, photons=4, coupling=0.3, counter=counter)
    large, times = Collective(3, battery.parameters["cutoff"]), np.array([0.5, 1.2])
    expected = large.excitations(large.dicke(1.0, 0.3, counter), large.start(4), times)
    assert np.abs(stored(battery, times) - expected).max() < 1e-10


def test_dipoles_at_equal_distance_are_one_large_spin():
    battery = cavity.extended_dicke(cells=4, photons=3, coupling=0.3, dipole=0.2, drive=0.3, cutoff=16)
    large, times = Collective(4, 16), np.array([0.5, 1.0])
    between = large.plus @ large.plus.T - large.excited
    h = large.dicke(1.0, 0.3) + 0.2 * between + 0.3 * (large.plus + large.plus.T)
    assert np.abs(stored(battery, times) - large.excitations(h, large.start(3), times)).max() < 1e-10


@pytest.mark.parametrize("exponent", [0.0, 1.5, np.inf])
def test_isotropic_exchange_does_nothing(exponent):
    """To an energy that no exchange changes; beside it, an anisotropic one does change it."""
    given = {"cells": 4, "photons": 4, "coupling": 0.5, "cutoff": 16}
    plain = stored(cavity.dicke(**given), [0.6])
    same = stored(cavity.cavity_heisenberg(**given, exchange=0.8, anisotropy=1.0, exponent=exponent), [0.6])
    other = stored(cavity.cavity_heisenberg(**given, exchange=0.8, anisotropy=0.0, exponent=exponent), [0.6])
    assert abs(plain - same) < 1e-11
    assert abs(plain - other) > 1e-2


def test_weak_coupling_is_the_rotating_wave():
    """The counter-rotating share of the energy falls as coupling^2, at one angle coupling t."""
    errors = []
    for coupling in (0.02, 0.01):
        given = {"cells": 2, "photons": 2, "coupling": coupling, "cutoff": 8}
        t = np.array([0.7 / coupling])
        errors.append(abs(stored(cavity.dicke(**given), t) - conserving(2, coupling, t)[0])[0])
    assert errors[1] < 2e-3
    assert errors[1] < 0.6 * errors[0]


def test_two_photons_by_the_model():
    battery = cavity.two_photon_dicke(cells=3, coupling=0.02)
    large, times = Collective(3, battery.parameters["cutoff"]), np.array([3.0, 8.0])
    expected = large.excitations(large.dicke(1.0, 0.02, quanta=2), large.start(6), times)
    assert np.abs(stored(battery, times) - expected).max() < 1e-10


# -- the cutoff is watched -----------------------------------------------------------------------------------------
def test_a_low_cutoff_is_told():
    """The population of the two top levels, from one large spin, and a sentence in outcome and card."""
    times = np.linspace(0, 0.9, 4)
    low, high = (cavity.dicke(cells=2, cutoff=cutoff) for cutoff in (5, None))
    run = mb.charge(low, times, record=ENERGY)
    large = Collective(2, 5)
    psi = [expm_multiply(-1j * t * large.dicke(1.0, 0.5), large.start(2), traceA=0).reshape(3, 6) for t in times]
    expected = max(np.sum(np.abs(p[:, -2:]) ** 2) for p in psi)
    assert expected > 1e-3
    assert run.budget.cutoff_population == pytest.approx(expected, abs=1e-9)
    assert run.outcome.endswith(f" The two top levels of a mode held up to {expected:.1e}: its cutoff is low, so raise "
                                "it and compare.")
    assert f"two top levels of a mode hold at most {expected:.1e}" in str(run)
    enough = mb.charge(high, times, record=ENERGY)
    assert enough.budget.cutoff_population < 1e-5
    assert "cutoff" not in enough.outcome


def test_a_cutoff_that_is_exact_is_not_watched():
    for battery in (cavity.tavis_cummings(cells=2), cavity.tavis_cummings(cells=2, loss=0.1, decay=0.1),
                    cavity.tavis_cummings(cells=2, dephasing=0.2), light.cavity_array(cells=2),
                    light.two_mode(cells=2, photons=1), light.flying_qubits(cells=2, photons=2)):
        assert mb.charge(battery, [0, 0.1], record=ENERGY, bars=False).budget.cutoff_population is None
    pumped = mb.Terms(cavity.tavis_cummings(cells=2).sites)
    pumped += 0.3, ("Sp", 0)
    battery = replace(cavity.tavis_cummings(cells=2), jumps=[mb.Jump(pumped)])
    assert mb.charge(battery, [0, 0.1], record=ENERGY, bars=False).budget.cutoff_population == pytest.approx(1, abs=0.1)
    assert mb.charge(mb.Battery([mb.Spin()] * 2, [0], *2 * [cavity_free()]), [0, 1.0], record=ENERGY
                     ).budget.cutoff_population is None


def cavity_free():
    """Two spins and no mode."""
    terms = mb.Terms([mb.Spin()] * 2)
    terms += 1.0, ("Z", 0)
    return terms
