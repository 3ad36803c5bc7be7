"""Runs at a second step and a second bond: the verdict, the bars, and when values are taken to a limit."""

import numpy as np
import pytest
from methods import dense_record, random_battery

import mps_battery as mb
from mps_battery.models import spin_chain
from mps_battery.refine import limit_in_step, limit_in_weight

TIMES = np.array([0.0, 0.3, 0.6, 1.0, 1.2])


def errors(run, expected):
    """Name -> largest error; asserts that the bars cover the error everywhere."""
    out = {}
    for name, values in expected.items():
        error = np.abs(run.data[name].values - values)
        assert np.all(error <= run.bars[name].values + 1e-12), name
        out[name] = float(error.max())
    return out


def raw_errors(run, expected):
    return {name: float(np.abs(run.recipe.data[name].values - v).max()) for name, v in expected.items()}


def test_second_order_is_seen_and_taken_to_its_limit():
    battery = spin_chain.xxz(cells=6)
    run = mb.charge(battery, TIMES, method=mb.TEBD(dt=0.06, order=2), truncation=mb.Truncation(weight=1e-14))
    refined, expected = run.refine(), dense_record(battery, TIMES)
    before, raw, after = errors(run, expected), raw_errors(refined, expected), errors(refined, expected)
    for name in expected:
        assert refined.data[name].attrs["extrapolated"] == "step", name
        assert after[name] < raw[name] / 10, name
        assert refined.bars[name].values.max() < raw[name], name
    assert 10 < before["energy"] / raw["energy"] < 18              # odd numbers of steps: a quarter of the step
    assert refined.outcome.startswith("Converged: half the step moves values by at most ")
    assert "the bars of the run hold" in refined.outcome
    assert "taken to zero step: energy, power, energy_variance, local_ergotropy, local_capacity, entropy" in \
        refined.outcome
    assert refined.recipe.steps.tolist() == [20, 20, 28, 16]
    assert {b.attrs["kind"] for b in refined.bars.values()} == {"estimate"}
    assert refined.data["energy"].attrs["energy_initial"] == run.data["energy"].attrs["energy_initial"]


@pytest.mark.parametrize("method", [mb.TEBD(dt=0.2), mb.TDVP(dt=0.2), mb.TDVP(dt=0.1, order=2, start_bond=0)],
                         ids=["TEBD", "TDVP", "TDVP2"])
def test_bars_of_a_refined_run_cover_and_shrink(method):
    battery = random_battery(np.random.default_rng(3), 6)
    run = mb.charge(battery, TIMES, method=method, truncation=mb.Truncation(weight=1e-7))
    refined, expected = run.refine(), dense_record(battery, TIMES)
    before, after = errors(run, expected), errors(refined, expected)
    assert after["energy"] < before["energy"] / 3
    assert np.median([refined.bars[n].values.max() / run.bars[n].values.max() for n in expected]) < 0.2
    print(refined.outcome)


def test_even_steps_are_halved_once_and_refined_again():
    battery = random_battery(np.random.default_rng(4), 5)
    run = mb.charge(battery, [0, 0.4, 0.6], method=mb.TEBD(dt=0.1, order=2), truncation=mb.Truncation(32, 1e-9))
    assert run.recipe.steps.tolist() == [4, 2]
    refined = run.refine()
    assert refined.recipe.steps.tolist() == [8, 4]
    assert (refined.recipe.method.dt, refined.card["bond_cap"]) == (0.05, 64)
    assert refined.card["weight"] == pytest.approx(1e-11, rel=1e-12, abs=0)
    again = refined.refine()
    assert again.recipe.steps.tolist() == [16, 8]
    assert again.recipe.truncation.bond == 128
    assert again.recipe.truncation.weight == pytest.approx(1e-13, rel=1e-12, abs=0)
    expected = dense_record(battery, np.array([0, 0.4, 0.6]))
    assert errors(again, expected)["energy"] < raw_errors(again, expected)["energy"] / 10
    assert again.state is not None


def test_the_first_values_of_the_corner_are_those_of_the_run():
    """Steps cut from the run's are the run's: with nothing truncated the step alone makes the difference."""
    battery = random_battery(np.random.default_rng(5), 4)
    truncation = mb.Truncation(16, 0.0)
    run = mb.charge(battery, [0, 0.25, 0.8], method=mb.TEBD(dt=0.1), truncation=truncation)
    assert run.recipe.steps.tolist() == [3, 6]
    refined = run.refine()
    move = refined.outcome.split("hundredth of the weight by ")[1].split(" of ")[0]
    assert float(move) < 1e-12
    finer = mb.charge(battery, [0, 0.25, 0.8], method=mb.TEBD(dt=0.025), truncation=truncation, bars=False)
    raw = refined.recipe.data["power"].values
    assert np.abs(raw - finer.data["power"].values)[1] > 1e-13       # 0.25 / 0.025 is ten steps, and not twelve
    exact = mb.charge(battery, [0, 0.25], method=mb.TEBD(dt=0.25 / 12), truncation=truncation, bars=False)
    assert np.abs(raw[1] - exact.data["power"].values[1]) < 1e-12


def test_a_run_that_its_cap_has_spoilt_is_not_called_converged():
    battery = spin_chain.xxz(cells=8, drive=2.0, exchange=1.0)
    run = mb.charge(battery, np.linspace(0, 2, 9), truncation=mb.Truncation(bond=3), method=mb.TEBD())
    refined = run.refine()
    assert not refined.outcome.startswith("Converged:")
    assert refined.outcome.startswith(("Not converged: ", "Converged to t = "))
    assert refined.budget.t_trust < 2


def test_a_verdict_names_what_leaves_its_bars():
    """Bars that promise too much are found out."""
    battery = spin_chain.xxz(cells=6)
    run = mb.charge(battery, TIMES, method=mb.TEBD(dt=0.2, order=2))
    tight = mb.Run(run.data, run.bars.assign(power=1e-9 * run.bars["power"]), run.outcome, run.budget, run.card,
                   recipe=run.recipe)
    outcome = tight.refine().outcome
    assert outcome.startswith("Not converged: ")
    assert "beyond the bars of the run move power." in outcome
    bare = mb.charge(battery, TIMES, method=mb.TEBD(dt=0.05), bars=False).refine()
    assert bare.outcome.startswith("Converged: ")
    assert "bars of the run" not in bare.outcome


@pytest.mark.parametrize("battery", [
    lambda: random_battery(np.random.default_rng(9), 3, jumps=True),
    lambda: mb.Battery([mb.Spin()] * 3, range(3), spin_chain.xxz(cells=3).energy,
                       mb.Schedule([(spin_chain.xxz(cells=3).charging, np.cos)]))], ids=["density", "schedule"])
def test_densities_and_schedules_are_refined_too(battery):
    run = mb.charge(battery(), [0, 0.2, 0.4], method=mb.TEBD(dt=0.1, order=2), record={"energy": mb.Energy()},
                    truncation=mb.Truncation(weight=1e-15))
    refined = run.refine()
    exact = mb.charge(battery(), [0, 0.2, 0.4], method=mb.Exact(), record={"energy": mb.Energy()})
    error = np.abs(refined.data["energy"] - exact.data["energy"])
    assert np.all(error <= refined.bars["energy"] + 1e-12)
    assert refined.data["energy"].attrs["extrapolated"] == "step"
    assert float(error.max()) < 0.05 * float(np.abs(run.data["energy"] - exact.data["energy"]).max())


@pytest.mark.slow
def test_bars_of_many_refined_runs_cover():
    """60 random runs by TEBD and TDVP: at least 95 % of the quantities everywhere, median of bar over error <= 30."""
    covered, ratios, gains = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(np.random.SeedSequence([4, 8, seed]))
        battery, order = random_battery(rng, int(rng.integers(4, 7))), int(rng.choice([2, 4]))
        times = np.linspace(0, rng.uniform(0.2, 0.9), int(rng.integers(3, 6)))
        method = mb.TEBD(order=order) if seed % 2 else mb.TDVP(order=order)
        truncation = mb.Truncation(int(rng.choice([4, 8, 64])), float(10 ** rng.uniform(-11, -5)))
        refined = mb.charge(battery, times, method=method, truncation=truncation).refine()
        for name, values in dense_record(battery, times).items():
            error = np.abs(refined.data[name].values - values)
            covered.append(np.all(error <= refined.bars[name].values + 1e-12 * max(1.0, np.abs(values).max())))
            if error.max() > 1e-11:
                ratios.append(refined.bars[name].values.max() / error.max())
                if refined.data[name].attrs["extrapolated"] != "no":
                    gains.append(np.abs(refined.recipe.data[name].values - values).max() / error.max())
    print(f"{np.mean(covered):.3f} covered, bar over error {np.median(ratios):.1f}, {len(gains)} extrapolated, error "
          f"down {np.median(gains):.1f} times in the median, at worst {min(gains):.2f}")
    assert np.mean(covered) >= 0.95
    assert np.median(ratios) <= 30
    assert np.median(gains) > 1


# -- the laws ----------------------------------------------------------------------------------------------------
def series(exponent, share=0.0, seed=0):
    """Values at steps 1, 1/2, 1/4 with an error of one order and a share of the next, and their limit."""
    rng = np.random.default_rng(seed)
    limit, first, second = rng.normal(size=(3, 4, 2))
    return [limit + h**exponent * (first + share * h * second) for h in (1.0, 0.5, 0.25)], limit


@pytest.mark.parametrize("order", [2, 4])
def test_limit_in_the_step(order):
    values, limit = series(order)
    found = limit_in_step(values, order)
    assert found.sound
    assert np.abs(values[2] + found.correction - limit).max() < 1e-13
    assert found.change.max() < 1e-13
    values, limit = series(order, share=0.1)
    found = limit_in_step(values, order)
    assert found.sound
    assert np.all(np.abs(values[2] + found.correction - limit) <= found.change)
    for wrong in (series(order - 1)[0], series(order + 2)[0]):
        other = limit_in_step(wrong, order)
        assert not other.sound
        assert not np.any(other.correction)
        np.testing.assert_array_equal(other.change, np.abs(wrong[2] - wrong[1]))


def test_rounding_is_not_extrapolated():
    values = [np.ones((3, 2)) + h**2 * 1e-12 for h in (1.0, 0.5, 0.25)]
    assert not limit_in_step(values, 2).sound
    weights = [np.array([0.0, w, 2 * w]) for w in (4e-6, 2e-6, 1e-6)]
    assert not limit_in_weight(values, weights, weights[2]).sound


def test_limit_in_the_weight():
    rng = np.random.default_rng(8)
    limit, slope = rng.normal(size=(2, 3, 4))
    weights = [np.array([0.0, w, 3 * w]) for w in (5e-6, 7e-7, 1e-7)]
    present = np.array([0.0, 2e-7, 4e-7])
    values = [limit + slope * w[:, None] for w in weights]
    found = limit_in_weight(values, weights, present)
    assert found.sound
    assert np.abs(found.correction + slope * present[:, None]).max() < 1e-13
    assert found.change.max() < 1e-13
    roots = [limit + slope * np.sqrt(w)[:, None] for w in weights]
    other = limit_in_weight(roots, weights, present)
    assert not other.sound
    np.testing.assert_array_equal(other.change, np.abs(roots[1] - roots[2]))


# -- what cannot be refined ----------------------------------------------------------------------------------------
def test_what_cannot_be_refined_says_why(tmp_path):
    battery = random_battery(np.random.default_rng(6), 3)
    exact = mb.charge(battery, [0, 0.2])
    with pytest.raises(mb.InputError, match="Argument `run` must have a step and a bond to be refined, but is exact"):
        exact.refine()
    exact.save(tmp_path / "run.nc")
    with pytest.raises(mb.InputError, match=r"must come from charge\(\) to be refined, but was loaded from a file"):
        mb.load(tmp_path / "run.nc").refine()
    with pytest.raises(mb.InputError, match="must go beyond its first time to be refined"):
        mb.charge(battery, [0.0], method=mb.TEBD()).refine()


def test_a_refined_run_is_saved_like_any(tmp_path):
    run = mb.charge(random_battery(np.random.default_rng(7), 3), [0, 0.2], method=mb.TEBD(dt=0.1)).refine()
    run.save(tmp_path / "run.nc")
    again = mb.load(tmp_path / "run.nc")
    assert again.outcome == run.outcome
    assert again.data["energy"].attrs["extrapolated"] == run.data["energy"].attrs["extrapolated"]
    assert str(again) == str(run)
