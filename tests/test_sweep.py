"""Sweeps: each run is the one that charge would do, statistics against plain numpy, failures, stopping, files."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr

import mps_battery as mb
from mps_battery import executors
from mps_battery.models import spin_chain
from mps_battery.plan import Plan
from mps_battery.statistics import with_statistics

RECORD = {"imbalance": mb.measure.Imbalance(), "entropy": mb.Entropy(), "local_ergotropy": mb.LocalErgotropy()}
GRID = {"cells": 4, "disorder": [1.0, 8.0]}
TIMES = [0.0, 1.0, 4.0]


def disordered(cells: int = 3, disorder: float = 1.0, seed: int = 0, realisation: int = 0) -> mb.Battery:
    """Fails at realisation 1; at realisation 2 and disorder 3 it kills its process."""
    if realisation == 1:
        raise FloatingPointError("the furnace\nis out")
    if realisation == 2 and disorder == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return spin_chain.mbl(cells=cells, disorder=disorder, seed=seed, realisation=realisation)


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    xr.testing.assert_identical(one, other)
    for name in one.variables:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name


@pytest.fixture(scope="module")
def small() -> mb.sweep:
    return mb.sweep(spin_chain.mbl, GRID, realisations=4, times=TIMES, seed=7, record=RECORD)


# -- runs --------------------------------------------------------------------------------------------------------
def test_every_run_is_that_of_charge(small):
    for disorder in GRID["disorder"]:
        for r in range(4):
            run = mb.charge(spin_chain.mbl(cells=4, disorder=disorder, seed=7, realisation=r), TIMES, record=RECORD)
            for name in RECORD:
                np.testing.assert_array_equal(small.data[name].sel(disorder=disorder, realisation=r), run.data[name])


def test_dimensions_and_coordinates(small):
    assert small.data["entropy"].dims == ("disorder", "realisation", "time", "bond")
    assert small.data["local_ergotropy"].dims == ("disorder", "realisation", "time", "cell")
    assert small.data["imbalance_quantile"].dims == ("quantile", "disorder", "time")
    assert small.data["disorder"].values.tolist() == [1.0, 8.0]
    assert small.data["local_ergotropy"].attrs["unit"] == small.data["local_ergotropy_error"].attrs["unit"] == "energy"
    assert small.outcome == "8 runs at 2 points; none failed."


def test_points_of_the_grid_see_the_same_disorder():
    draws = [np.array(spin_chain.mbl(cells=5, disorder=w, seed=3, realisation=4).parameters["fields"])
             for w in (1.0, 6.0)]
    np.testing.assert_allclose(draws[1], 6 * draws[0], rtol=1e-14)
    rng = np.random.default_rng(np.random.SeedSequence([3, 4, 0]))
    np.testing.assert_array_equal(draws[0], rng.uniform(-1, 1, 5))


def test_realisations_may_be_chosen(small):
    part = mb.sweep(spin_chain.mbl, GRID, realisations=[3, 1], times=TIMES, seed=7, record=RECORD)
    for name in RECORD:
        np.testing.assert_array_equal(part.data[name].sel(realisation=1), small.data[name].sel(realisation=1))
    assert part.data["realisation"].values.tolist() == [3, 1]


def test_a_list_of_points_and_lengths_that_differ():
    points = [{"cells": 4, "field": 1.0}, {"cells": 3, "field": 2.0}]
    found = mb.sweep(spin_chain.xxz, points, times=[0.0, 0.5]).data
    assert found["energy"].dims == ("point", "realisation", "time")
    assert found["cells"].values.tolist() == [4, 3]
    assert found["field"].dims == ("point",)
    for k, point in enumerate(points):
        run = mb.charge(spin_chain.xxz(**point), [0.0, 0.5])
        here = found["local_ergotropy"][k, 0]
        np.testing.assert_array_equal(here[:, :point["cells"]], run.data["local_ergotropy"])
        assert np.isnan(here[:, point["cells"]:]).all()


def test_bars_come_along():
    found = mb.sweep(spin_chain.mbl, {"cells": 4}, realisations=2, times=[0.0, 0.3, 0.6], bars=True, record=RECORD,
                     method=mb.TEBD())
    run = mb.charge(spin_chain.mbl(cells=4, realisation=1), [0.0, 0.3, 0.6], record=RECORD, method=mb.TEBD())
    for name in RECORD:
        np.testing.assert_array_equal(found.bars[name][1], run.bars[name])
    assert found.data["t_trust"][1] == run.budget.t_trust
    assert found.data["max_bond"][1] == run.budget.max_bond


def test_complex_values():
    found = mb.sweep(spin_chain.mbl, {"cells": 3}, realisations=3, times=[0.0, 0.7],
                     record={"rho": mb.Reduced([0, 1])}).data
    rho = found["rho"].values
    assert np.abs(rho.imag).max() > 1e-3
    np.testing.assert_allclose(found["rho_mean"], rho.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found["rho_error"], np.std(rho, axis=0, ddof=1) / 3**0.5, rtol=1e-12)
    assert "rho_low" not in found


# -- executors ---------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore")           # of Dask's event loop at its end
def test_a_dask_cluster_of_two_gives_the_same_bits(small):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        found = mb.sweep(spin_chain.mbl, GRID, realisations=4, times=TIMES, seed=7, record=RECORD,
                         executor=executors.Dask(cluster))
    same(found.data, small.data)


# -- failures ----------------------------------------------------------------------------------------------------
def test_a_run_that_fails_is_data():
    found = mb.sweep(disordered, {"disorder": [1.0, 2.0]}, realisations=3, times=TIMES, record=RECORD)
    assert found.data["failure"].values.tolist() == [["", "FloatingPointError: the furnace is out", ""]] * 2
    assert found.outcome == ("6 runs at 2 points; 2 failed, the first at disorder = 1.0, seed = 0, realisation = 1: "
                             "FloatingPointError: the furnace is out")
    assert np.isnan(found.data["entropy"][:, 1]).all()
    assert found.data["count"].values.tolist() == [2, 2]
    np.testing.assert_allclose(found.data["entropy_mean"], found.data["entropy"][:, [0, 2]].mean("realisation"),
                               rtol=1e-14)


def test_processes_give_the_same_bits_and_a_run_that_kills_one_is_data():
    found = mb.sweep(disordered, {"disorder": [2.0, 3.0]}, realisations=3, times=TIMES, record=RECORD,
                     executor=executors.Processes(2)).data
    assert found["failure"].values[1, 2] == ("The process that worked on it was killed by SIGKILL, 2 times; is there "
                                             "enough memory?")
    assert found["count"].values.tolist() == [2, 1]
    assert np.isnan(found["entropy_error"][1]).all()
    here = mb.sweep(disordered, {"disorder": 2.0}, realisations=3, times=TIMES, record=RECORD).data
    for name in RECORD:
        for word in ("", "_mean", "_error", "_low", "_high"):
            there = found[name + word].sel(disorder=2.0)
            assert there.values.tobytes() == here[name + word].values.tobytes(), name + word


def test_a_point_without_a_battery_is_data_and_no_point_at_all_a_mistake():
    found = mb.sweep(spin_chain.mbl, {"cells": 3, "disorder": [1.0, -1.0]}, times=[0.0, 1.0], record=RECORD)
    assert found.data["failure"].values[1, 0] == "Argument `disorder` must be at least 0, but is -1.0."
    with pytest.raises(mb.InputError, match="`disorder` must be at least 0"):
        mb.sweep(spin_chain.mbl, {"cells": 3, "disorder": [-2.0, -1.0]}, times=[0.0, 1.0])


# -- statistics --------------------------------------------------------------------------------------------------
def test_statistics_against_plain_numpy(small):
    for name in RECORD:
        x = small.data[name].values
        np.testing.assert_allclose(small.data[f"{name}_mean"], x.mean(axis=1), rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(small.data[f"{name}_error"], x.std(axis=1, ddof=1) / 2, rtol=1e-12, atol=1e-15)
        for k, q in enumerate(small.data["quantile"].values):
            np.testing.assert_allclose(small.data[f"{name}_quantile"][k], np.quantile(x, q, axis=1), atol=1e-14)


def test_bootstrap_intervals_are_those_of_scipy():
    rng = np.random.default_rng(8)
    x = rng.exponential(size=(1, 40, 3))
    data = xr.Dataset({"x": (("point", "realisation", "time"), x)})
    found = with_statistics(data, np.zeros((1, 40), dtype=bool), 0, 0.9, (0.5,))
    for k in range(3):
        other = scipy.stats.bootstrap((x[0, :, k],), np.mean, confidence_level=0.9, method="percentile",
                                      n_resamples=20000, rng=rng)
        width = other.confidence_interval.high - other.confidence_interval.low
        # 1000 resamplings know a 5 % quantile to about 0.05 standard errors
        assert abs(float(found["x_low"][0, k]) - other.confidence_interval.low) < 0.06 * width
        assert abs(float(found["x_high"][0, k]) - other.confidence_interval.high) < 0.06 * width


def test_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(12)
    x = rng.normal(size=(1, 60, 2000))
    data = xr.Dataset({"x": (("point", "realisation", "time"), x)})
    found = with_statistics(data, np.zeros((1, 60), dtype=bool), 0, 0.8, (0.5,))
    holds = np.mean((found["x_low"] < 0) & (found["x_high"] > 0))
    assert abs(holds - 0.8) < 0.03


# -- stopping ----------------------------------------------------------------------------------------------------
def test_a_point_stops_once_its_error_is_small():
    wanted = 0.05
    found = mb.sweep(spin_chain.mbl, {"cells": 3, "disorder": [0.1, 6.0]}, realisations=20, times=[0.0, 2.0], seed=1,
                     record={"imbalance": mb.measure.Imbalance()}, error={"imbalance": wanted}, batch=5)
    whole = mb.sweep(spin_chain.mbl, {"cells": 3, "disorder": [0.1, 6.0]}, realisations=20, times=[0.0, 2.0], seed=1,
                     record={"imbalance": mb.measure.Imbalance()}).data["imbalance"].values
    for point, count in enumerate(found.data["count"].values):
        errors = {n: np.std(whole[point, :n, 1], ddof=1) / n**0.5 for n in range(5, 21, 5)}
        assert count == next(n for n in (*range(5, 20, 5), 20) if n == 20 or errors[n] <= wanted)
        np.testing.assert_array_equal(found.data["imbalance"].values[point, :count], whole[point, :count])
    assert found.data["count"].values[0] < found.data["count"].values[1]
    assert "1 of them done early" in found.outcome or "2 of them done early" in found.outcome


# -- files, cost, bad input --------------------------------------------------------------------------------------
def test_a_sweep_comes_back_from_its_file(tmp_path, small):
    small.save(tmp_path / "table.nc")
    again = mb.load(tmp_path / "table.nc")
    same(again.data, small.data)
    assert (again.outcome, dict(again.card), str(again)) == (small.outcome, dict(small.card), str(small))
    with pytest.raises(mb.InputError, match="must name a new file"):
        small.save(tmp_path / "table.nc")


def test_an_estimate_of_the_cost():
    plan = Plan.of(spin_chain.mbl, GRID, 50, TIMES, 7, {"record": RECORD})
    found = plan.estimate(executors.JobQueue("slurm", jobs=1, cores=2))      # nothing is submitted
    assert (found.runs, found.pilots) == (100, 2)
    assert found.seconds == found.processor_seconds / 2
    assert found.data_megabytes == pytest.approx(100 * 3 * (1 + 3 + 4) * 8 / 1e6)
    assert 50 < found.worker_megabytes < 2000
    assert str(found).startswith("100 runs would take about")


@pytest.mark.parametrize(("change", "sentence"), [
    ({"parameters": {"cell": 4}}, "Unknown parameter 'cell' of model 'mbl': did you mean 'cells'?"),
    ({"parameters": {"seed": [1, 2]}}, "Argument `parameters` must not hold 'seed': give `seed` beside it."),
    ({"parameters": {"disorder": []}}, "Argument `parameters` must have at least one value of 'disorder', but is []."),
    ({"parameters": {"disorder": [1.0, 1]}}, "Argument `parameters` must have different values of 'disorder', but"),
    ({"parameters": [{"cells": 3}, {"disorder": 1.0}]}, "Argument `parameters` must give the same names at every"),
    ({"parameters": 3}, "Argument `parameters` must be a mapping of names to values or lists of values, or a list"),
    ({"realisations": 0}, "Argument `realisations` must be a number of at least 1, or a list of different indices"),
    ({"realisations": [1, 1]}, "Argument `realisations` must be a number of at least 1, or a list of different"),
    ({"model": spin_chain.xxz}, "Argument `realisations` must be None for a model without an argument `realisation`"),
    ({"model": 3}, "Argument `model` must be a function that returns a Battery"),
    ({"model": lambda cells, realisation: cells + realisation}, "Argument `model` must return a Battery, but returned"),
    ({"times": [1.0, 0.0]}, "Argument `times` must increase, but goes from 1 to 0."),
    ({"seed": -1}, "Argument `seed` must be an integer of at least 0, but is -1."),
    ({"executor": 2}, "Argument `executor` must be one of mps_battery.executors, but is 2."),
    ({"error": {"energie": 0.1}}, "Argument `error` must name quantities that are recorded: energy"),
    ({"error": {"energy": 0}}, "Argument `error` must map quantities to positive numbers"),
    ({"batch": 1}, "Argument `batch` must be an integer of at least 2, but is 1."),
    ({"confidence": 1.0}, "Argument `confidence` must be a number between 0 and 1, but is 1.0."),
    ({"quantiles": [2]}, "Argument `quantiles` must be numbers from 0 to 1, but is (2,)."),
    ({"record": {"disorder": mb.Energy()}, "parameters": {"cells": 3, "disorder": [1.0]}},
     "Argument `parameters` must not sweep 'disorder' beside a quantity or dimension of that name"),
    ({"record": {"x": mb.Energy(), "x_mean": mb.Energy()}}, "Argument `record` must use other names than 'x_mean'"),
])
def test_bad_input(change, sentence):
    given = {"model": spin_chain.mbl, "parameters": {"cells": 3}, "realisations": 2, "times": [0.0, 1.0], **change}
    model, parameters = given.pop("model"), given.pop("parameters")
    with pytest.raises(mb.InputError) as error:
        mb.sweep(model, parameters, **given)
    assert str(error.value).startswith(sentence)


# -- the table of the L = 10 chain ---------------------------------------------------------------------------------
def test_imbalance_is_the_staggered_magnetisation():
    run = mb.charge(spin_chain.mbl(cells=6), [0.0, 0.7, 2.0], record={"i": mb.measure.Imbalance(), "z": mb.Expect("Z")})
    np.testing.assert_allclose(run.data["i"], run.data["z"].values @ (-1.0) ** np.arange(6) / 6, atol=1e-12)
    with pytest.raises(mb.InputError, match="Imbalance for a start with a pattern"):
        mb.charge(mb.Battery([mb.Spin()] * 2, [0], _z(), _z(), empty=[[1, 1], [1, 1]]), [0.0],
                  record={"i": mb.measure.Imbalance()})


def _z() -> mb.Terms:
    terms = mb.Terms([mb.Spin()] * 2)
    terms += 1.0, ("Z", 0)
    return terms


@pytest.mark.slow
def test_table_of_the_localised_chain_from_one_sweep():
    """REFERENCES 7: means over other draws, which stand within 3.5 combined standard errors, rounding allowed for."""
    reference = json.loads((Path(__file__).parents[1] / "studies/mbl/data/reference.json").read_text(encoding="utf-8"))
    times = reference["times"]
    n = 100
    data = mb.sweep(spin_chain.mbl, {"cells": 10, "disorder": [0.5, 3.5, 5.0, 10.0]}, realisations=n, seed=7,
                    times=[0.0, *times], record=RECORD).data.sel(time=times)
    for disorder, name, values in reference["means"]:
        here = data.sel(disorder=disorder)
        where = {"entropy": {"bond": 4}, "local_ergotropy": {"cell": 5}, "imbalance": {}}[name]
        mean, error = (here[f"{name}_{word}"].sel(where).values for word in ("mean", "error"))
        both = error * (1 + n / (60 if disorder == 0.5 else 150)) ** 0.5
        rounding = 0.005 if (disorder, name) == (10.0, "local_ergotropy") else 0.0005
        assert np.all(np.abs(mean - values) < 3.5 * both + rounding), (disorder, name)
