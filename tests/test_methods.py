"""Every method against brute force, for every model, through one table."""

import functools

import methods
import numpy as np
import pytest

import mps_battery as mb
from mps_battery.battery import as_schedule

TIMES = np.linspace(0.0, 1.2, 5)


@functools.cache
def battery(model):
    return methods.MODELS[model]()


@functools.cache
def answer(model):
    return methods.dense_record(battery(model), TIMES)


@pytest.mark.parametrize("model", methods.MODELS)
@pytest.mark.parametrize("name", methods.METHODS)
def test_method_against_brute_force(model, name):
    case, subject = methods.METHODS[name], battery(model)
    schedule = as_schedule(subject.charging)
    reach = max(h.reach for h in schedule.terms)
    if case.nearest_neighbours and reach > 1:
        with pytest.raises(mb.InputError, match="nearest neighbours"):
            mb.charge(subject, TIMES, method=case.method)
        return
    product = isinstance(subject.empty, (str, list)) and subject.empty != "ground"
    if case.conserving and not (schedule.constant and schedule.at(0.0).conserves_charge() and product):
        with pytest.raises(mb.InputError, match="use TEBD"):
            mb.charge(subject, TIMES, method=case.method)
        return
    run = mb.charge(subject, TIMES, method=case.method)
    ratios = []
    for quantity, expected in answer(model).items():
        error = np.abs(run.data[quantity].values - expected)
        scale = max(1.0, np.abs(expected).max())
        assert error.max() <= case.tolerance * scale, f"{quantity}: {error.max():.1e}"
        # the bar covers the error everywhere
        assert np.all(error <= run.bars[quantity].values + 1e-9 * scale), \
            f"{quantity}: error {error.max():.1e}, bar {run.bars[quantity].values.max():.1e}"
        if error.max() > 1e-12:
            ratios.append(run.bars[quantity].values.max() / error.max())
    # and is useful; Exact has bars at rounding level only
    assert name == "exact" or np.median(ratios) <= 1000


def test_bars_are_useful():
    """Over the table, for the default settings, the median ratio of bar to error is at most 30."""
    ratios = []
    for model in methods.MODELS:
        for name in ("tebd4", "tdvp4"):
            reach = max(h.reach for h in as_schedule(battery(model).charging).terms)
            if methods.METHODS[name].nearest_neighbours and reach > 1:
                continue
            run = mb.charge(battery(model), TIMES, method=methods.METHODS[name].method)
            for quantity, expected in answer(model).items():
                error = np.abs(run.data[quantity].values - expected).max()
                if error > 1e-12:
                    ratios.append(run.bars[quantity].values.max() / error)
    print(f"bar over error: median {np.median(ratios):.1f} of {len(ratios)}, {min(ratios):.1f} to {max(ratios):.1f}")
    assert min(ratios) >= 1
    assert np.median(ratios) <= 30


@pytest.mark.parametrize("model", methods.MODELS)
def test_work_lies_between_nothing_and_all(model):
    """0 <= W_loc <= C_loc, and W_loc <= the ergotropy of the pure state, E - E_ground."""
    values = answer(model)
    run = mb.charge(battery(model), TIMES, truncation=mb.Truncation(weight=1e-13))
    lowest = np.linalg.eigvalsh(battery(model).energy.to_dense())[0]
    above = run.data["energy"].values + run.data["energy"].attrs["energy_initial"] - lowest
    work = run.data["local_ergotropy"].values
    assert np.all(work >= 0)
    assert np.all(work <= above[:, None] + 1e-7)
    assert np.all(work <= run.data["local_capacity"].values + 1e-9)
    assert np.abs(values["energy"]).max() > 1e-3 or model == "mbl"


@pytest.mark.parametrize("model", ["xxz", "power_law", "driven", "mediated"])
def test_integral_of_power_is_energy(model):
    times = np.linspace(0, 1.0, 81)
    run = mb.charge(battery(model), times, record={"energy": mb.Energy(), "power": mb.Power()})
    power = run.data["power"].values
    integral = [np.trapezoid(power[:k + 1], times[:k + 1]) for k in range(len(times))]
    # Richardson: the trapezoid rule on half the points tells its own error
    coarse = np.trapezoid(power[::2], times[::2])
    rule = abs(integral[-1] - coarse) / 3
    integral_last = integral[-1] + (integral[-1] - coarse) / 3
    bar = run.bars["energy"].values[-1] + run.bars["power"].values.max() * times[-1]
    assert abs(integral_last - run.data["energy"].values[-1]) <= bar + 0.05 * rule
