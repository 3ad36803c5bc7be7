"""Cells in a cavity: the models against their formulas, the tables of the literature and the symmetric solution."""

import inspect

import numpy as np
import pytest
import solved_open
import symmetric
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import expm_multiply

import mps_battery as mb
from mps_battery.models import cavity

MODELS = {"dicke": cavity.dicke, "tavis_cummings": cavity.tavis_cummings}
LEAKS = {"loss": 0.1, "decay": 0.05, "dephasing": 0.1}


def photons_of(battery):
    """a+ a as Terms."""
    terms, place = mb.Terms(battery.sites), battery.parameters["cells"] // 2
    terms += 1.0, ("N", place)
    return terms


# -- the models ----------------------------------------------------------------------------------------------------
def by_hand(name, splitting, coupling, cutoff):
    """H_B, generator and jump operators of two cells around a cavity: cell, cavity, cell."""
    one, a = np.eye(2), np.diag(np.sqrt(np.arange(1.0, cutoff + 1)), 1)
    x, z, raising = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.array([[0, 1], [0, 0]])

    def at(first, mode, second):
        return np.kron(np.kron(first, mode), second)

    light = np.eye(cutoff + 1)
    energy = splitting / 2 * (at(z, light, one) + at(one, light, z) + 2 * at(one, light, one))
    if name == "dicke":
        exchange = at(x, a + a.T, one) + at(one, a + a.T, x)
    else:
        exchange = at(raising, a, one) + at(raising.T, a.T, one) + at(one, a, raising) + at(one, a.T, raising.T)
    jumps = [at(one, np.sqrt(LEAKS["loss"]) * a, one)]
    for rate, operator in ((LEAKS["decay"], raising.T), (LEAKS["dephasing"] / 2, z)):
        jumps += [np.sqrt(rate) * at(operator, light, one), np.sqrt(rate) * at(one, light, operator)]
    return energy, energy + splitting * at(one, a.T @ a, one) + coupling * exchange, jumps


@pytest.mark.parametrize("name", MODELS)
def test_everything_is_the_formula(name):
    battery = MODELS[name](cells=2, photons=2, cutoff=3, splitting=1.3, coupling=0.4, **LEAKS)
    energy, charging, jumps = by_hand(name, 1.3, 0.4, 3)
    np.testing.assert_allclose(battery.energy.to_dense(), energy, atol=1e-14)
    np.testing.assert_allclose(battery.charging.to_dense(), charging, atol=1e-14)
    assert battery.cells == (0, 2)
    for found, expected in zip(battery.jumps, jumps, strict=True):
        np.testing.assert_allclose(found.terms.to_dense(), expected, atol=1e-14)
    assert [j.bath for j in battery.jumps] == ["loss", "decay", "decay", "dephasing", "dephasing"]


@pytest.mark.parametrize("name", MODELS)
def test_starts_in_photons_and_empty_cells(name):
    battery = MODELS[name](cells=3, photons=2, splitting=1.3)
    state = battery.initial_state()
    assert not battery.mixed
    assert abs(state.expect(battery.energy)) < 1e-14
    assert state.expect(photons_of(battery)) == pytest.approx(2, abs=1e-14)
    assert np.trace(state.reduced([1]) @ state.reduced([1])) == pytest.approx(1, abs=1e-14)
    for leak in LEAKS:
        count = len(MODELS[name](cells=3, **{leak: 0.1}).jumps)
        assert count == (1 if leak == "loss" else 3)


@pytest.mark.parametrize("name", MODELS)
def test_record_makes_the_same_battery(name):
    battery = MODELS[name](cells=3, loss=0.1)
    assert set(battery.parameters) == set(inspect.signature(MODELS[name]).parameters)
    assert battery.parameters["photons"] == 3
    assert battery.parameters["cutoff"] == (17 if name == "dicke" else 3)
    again = MODELS[name](**battery.parameters)
    assert again.parameters == battery.parameters
    np.testing.assert_array_equal(again.charging.to_dense(), battery.charging.to_dense())


def test_excitations_are_conserved_by_tavis_cummings_alone():
    assert cavity.tavis_cummings(cells=3).charging.conserves_charge()
    assert not cavity.dicke(cells=3).charging.conserves_charge()
    no_photons = mb.charge(cavity.tavis_cummings(cells=2, photons=0, coupling=0.5), [0, 3.0])
    assert abs(no_photons.data["energy"].values[-1]) < 1e-12
    assert mb.charge(cavity.dicke(cells=2, photons=0, coupling=0.5), [0, 1.0]).data["energy"].values[-1] > 0.1


@pytest.mark.parametrize(("given", "sentence"), [
    ({"photons": -1}, "`photons` must be an integer of at least 0, but is -1."),
    ({"photons": 2.0}, "`photons` must be an integer of at least 0, but is 2.0."),
    ({"cutoff": 0, "photons": 0}, "`cutoff` must be an integer of at least 1, but is 0."),
    ({"cutoff": 3}, "`cutoff` must be at least 4, the photons at the start, but is 3."),
    ({"cutoff": True}, "`cutoff` must be an integer of at least 1, but is True."),
    ({"loss": -0.1}, "`loss` must be a number of at least 0, but is -0.1."),
    ({"decay": -0.1}, "`decay` must be a number of at least 0, but is -0.1."),
    ({"dephasing": -0.1}, "`dephasing` must be a number of at least 0, but is -0.1."),
])
@pytest.mark.parametrize("name", MODELS)
def test_bad_input_is_one_sentence(name, given, sentence):
    with pytest.raises(mb.InputError) as error:
        MODELS[name](cells=4, **given)
    assert str(error.value) == f"Argument {sentence}"


# -- closed: REFERENCES 3.1 ----------------------------------------------------------------------------------------
def first_peak(times, values):
    """Place of the first maximum inside."""
    inside = (values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])
    return times[1 + np.flatnonzero(inside)[0]]


@pytest.mark.parametrize(("name", "coupling", "cells", "power", "best", "peak"), [
    ("tavis_cummings", 0.05, 1, 0.036231, 23.29, (1.0, 31.416)),
    ("tavis_cummings", 0.05, 2, 0.088667, 15.28, (8 / 9, 25.65)),
    ("tavis_cummings", 0.05, 4, 0.240336, 10.72, (0.86146, 18.39)),
    ("tavis_cummings", 0.05, 6, 0.436479, 8.790, (0.86977, None)),
    ("dicke", 0.5, 2, 1.19190, 0.803, (0.60118, 1.226)),
    ("dicke", 0.5, 4, 3.38754, 0.624, (0.64423, 0.890)),
    ("dicke", 2.0, 4, 14.2812, 0.163, (0.69859, None)),
])
def test_power_and_peak_of_the_table(name, coupling, cells, power, best, peak):
    """Largest mean power E / t, when, and the first maximum of the energy, from the model's own matrices."""
    battery = MODELS[name](cells=cells, coupling=coupling)
    h, energy = -1j * battery.charging.to_sparse(), battery.energy.to_sparse()
    start = battery.initial_state().to_dense()

    def stored(t):
        psi = expm_multiply(t * h, start, traceA=0)
        return np.vdot(psi, energy @ psi).real

    times = np.linspace(0, 4 * best, 81)
    coarse = expm_multiply(h, start, start=0, stop=times[-1], num=len(times), traceA=0)
    values = np.einsum("ti,ti->t", coarse.conj(), (energy @ coarse.T).T).real

    def largest(f, near):
        step = times[1]
        found = minimize_scalar(lambda t: -f(t), bounds=(near - step, near + step), method="bounded",
                                options={"xatol": 1e-6 * near})
        return -found.fun, found.x

    found, when = largest(lambda t: stored(t) / t, times[1 + np.argmax(values[1:] / times[1:])])
    assert found == pytest.approx(power, rel=2e-5)
    assert when == pytest.approx(best, rel=6e-3)       # the table took the best of a grid of times
    found, when = largest(stored, first_peak(times, values))
    assert found / cells == pytest.approx(peak[0], abs=1e-5)
    assert peak[1] is None or when == pytest.approx(peak[1], rel=2e-3)


def test_one_cell_one_photon_is_a_sine():
    times = np.linspace(0, 40, 9)
    run = mb.charge(cavity.tavis_cummings(cells=1, splitting=1.2, coupling=0.07), times)
    population = np.sin(0.07 * times) ** 2
    assert np.abs(run.data["energy"].values - 1.2 * population).max() < 1e-12
    assert np.abs(run.data["local_ergotropy"].values[:, 0] - 1.2 * np.maximum(2 * population - 1, 0)).max() < 1e-12


@pytest.mark.parametrize(("cells", "coupling", "time"), [(2, 0.2, 5.97), (4, 1.0, 0.45)])
def test_default_cutoff_of_dicke_is_enough_to_the_first_maximum(cells, coupling, time):
    def stored(cutoff):
        battery = cavity.dicke(cells=cells, coupling=coupling, cutoff=cutoff)
        return mb.charge(battery, np.linspace(0, time, 5), method=mb.Exact(), bars=False,
                         record={"energy": mb.Energy()}).data["energy"].values / cells

    assert np.abs(stored(None) - stored(3 * (cells + 8))).max() < 1e-6


def test_ten_cells_by_the_engine():
    """REFERENCES 3.1, N = 10, by TDVP at the time of the largest power, and the bond N / 2 + 1."""
    run = mb.charge(cavity.tavis_cummings(cells=10), [0, 6.809], bars=False, record={"energy": mb.Energy()},
                    method=mb.TDVP())
    assert "TDVP" in run.card["method"]
    assert run.data["energy"].values[-1] / 6.809 == pytest.approx(0.931371, rel=1e-5)
    assert max(run.state.bonds) == 6


# -- open: the symmetric solution ----------------------------------------------------------------------------------
def test_symmetric_solution_is_the_master_equation():
    """The reference itself, against the whole density of two and of three cells written out by the engine's Terms."""
    times = np.linspace(0, 1.1, 3)
    for name, cells, cutoff in (("dicke", 2, 3), ("dicke", 3, 1), ("tavis_cummings", 2, 2), ("tavis_cummings", 3, 1)):
        given = {"cells": cells, "photons": 1, "cutoff": cutoff, "splitting": 1.1, "coupling": 0.6, **LEAKS}
        found = symmetric.charged(name == "tavis_cummings", times, **given)
        battery = MODELS[name](**given)
        start = battery.initial_state().to_dense()
        rho = solved_open.evolve_density(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps],
                                         start, times[-1])
        energy = np.trace(battery.energy.to_dense() @ rho).real / cells
        photons = np.trace(photons_of(battery).to_dense() @ rho).real
        assert 1.1 * (1 + found["z"][-1]) / 2 == pytest.approx(energy, abs=1e-11)
        assert found["photons"][-1] == pytest.approx(photons, abs=1e-11)
        assert found["trace"] == pytest.approx(1, abs=1e-12)


def compare(name, times, method, weight, **given):
    """Charge by the engine and symmetrically; worst error of energy a cell, photons, ergotropy, capacity, trace."""
    given = {"splitting": 1.0, **LEAKS, **given}
    expected = symmetric.charged(name == "tavis_cummings", times, **given)
    battery = MODELS[name](**given)
    record = {"energy": mb.Energy(), "photons": mb.Expect(photons_of(battery)), "ergotropy": mb.LocalErgotropy(),
              "capacity": mb.LocalCapacity()}
    run = mb.charge(battery, times, method=method, truncation=mb.Truncation(64, weight), bars=False, record=record)
    z, length = expected["z"], np.hypot(expected["z"], expected["x"])
    errors = {
        "energy": run.data["energy"].values / given["cells"] - (1 + z) / 2,
        "photons": run.data["photons"].values - expected["photons"],
        "ergotropy": run.data["ergotropy"].values - ((z + length) / 2)[:, None],
        "capacity": run.data["capacity"].values - length[:, None],
    }
    worst = {key: float(np.abs(error).max()) for key, error in errors.items()}
    return worst | {"trace": run.budget.norm_defect}, run


@pytest.mark.parametrize(("name", "last", "start_bond", "given"), [
    ("tavis_cummings", 0.9, 8, {"cells": 10, "photons": 2, "cutoff": 2}),
    ("tavis_cummings", 0.9, 8, {"cells": 4, "photons": 6, "cutoff": 6}),
    ("dicke", 0.4, 24, {"cells": 6, "photons": 3, "cutoff": 6}),
    ("dicke", 0.2, 24, {"cells": 10, "photons": 1, "cutoff": 2}),
])
def test_dissipative_charging_is_the_symmetric_solution(name, last, start_bond, given):
    """Photon loss, decay and dephasing together, to 1e-6; four cells and six photons end with something to draw.

    Sweeps take over from the Taylor steps of the start where the bond reaches `start_bond`, 24 by default.
    """
    method = mb.TDVP(dt=0.1, start_bond=start_bond)
    errors, run = compare(name, np.linspace(0, last, 3), method, 1e-16, coupling=0.5, **given)
    assert max(errors.values()) < 1e-6, errors
    assert run.data["ergotropy"].values[-1].min() > 0.3 or given["cells"] > 4
    half = given["cells"] // 2
    assert max(run.state.bonds) <= (half + 1) * (half + 2) * (half + 3) // 6


@pytest.mark.slow
@pytest.mark.parametrize(("name", "last", "dt", "given"), [
    ("tavis_cummings", 1.0, 0.1, {"photons": 3, "cutoff": 3, "coupling": 0.5}),
    ("dicke", 0.3, 0.1, {"photons": 2, "cutoff": 8, "coupling": 0.5}),
    ("dicke", 8.0, 0.25, {"photons": 1, "cutoff": 4, "coupling": 0.05, "loss": 0.02, "decay": 0.01, "dephasing": 0.02}),
])
def test_ten_cells_in_full(name, last, dt, given):
    """The first and the last to about the maximum of the energy; the trace is off by the errors, no more."""
    errors, _ = compare(name, np.linspace(0, last, 3), mb.TDVP(dt=dt), 1e-15, cells=10, **given)
    assert max(errors.values()) < 1e-6, errors
