"""Error bars of runs: rigorous ones cover every error of many random runs, estimates that of nearly all."""

import numpy as np
import pytest
import scipy.linalg
import solved
import solved_open
from methods import dense_record, random_battery

import mps_battery as mb
from mps_battery.measure.quantity import Quantity
from mps_battery.models import spin_chain


def rng_of(*seed):
    return np.random.default_rng(np.random.SeedSequence([4, 7, *seed]))


# -- runs --------------------------------------------------------------------------------------------------------
def test_what_cannot_be_proven_is_estimated_and_says_so():
    class Double(Quantity):
        def axes(self, battery):
            del battery
            return {}

        def measure(self, snapshot):
            return 2 * snapshot.energy

    battery = random_battery(rng_of(11), 5)
    run = mb.charge(battery, [0, 0.2, 0.4], record={"energy": mb.Energy(), "double": Double()}, bars="rigorous")
    assert {n: b.attrs["kind"] for n, b in run.bars.items()} == {"energy": "rigorous", "double": "estimate"}
    assert np.all(np.isfinite(run.bars["double"]))
    assert run.bars["double"].attrs["unit"] == "energy"


def test_a_rigorous_run_says_so(tmp_path):
    battery = random_battery(rng_of(12), 5)
    run = mb.charge(battery, [0, 0.2, 0.4], bars="rigorous")
    assert set(run.bars) == set(run.data)
    assert {b.attrs["kind"] for b in run.bars.values()} == {"rigorous"}
    assert all(run.bars[n].dims == run.data[n].dims for n in run.data)
    assert "because the bars are to be rigorous" in run.outcome
    assert "kind: rigorous" in str(run)
    assert "Trotter error at most" in str(run)
    assert run.budget.splitting_error > 0
    run.save(tmp_path / "run.nc")
    again = mb.load(tmp_path / "run.nc")
    assert again.budget == run.budget
    assert again.bars["energy"].attrs["kind"] == "rigorous"
    assert mb.charge(battery, [0, 0.2]).budget.splitting_error is None
    exactly = mb.charge(battery, [0, 0.2], bars="rigorous", method=mb.TEBD(dt=0.05, order=2))
    assert "as asked" in exactly.outcome
    assert exactly.card["method"].startswith("TEBD of second order")


def scheduled():
    battery = random_battery(rng_of(13), 4)
    return mb.Battery(battery.sites, range(4), battery.energy, mb.Schedule([(battery.charging, np.cos)]))


@pytest.mark.parametrize(("battery", "method", "reason"), [
    (lambda: random_battery(rng_of(13), 4, jumps=True), None, "a density, but is 'rigorous': truncations are proven"),
    (scheduled, None, "a schedule, but is 'rigorous': nested commutators bound the Trotter error of constant terms"),
    (lambda: spin_chain.power_law(cells=6), None, "terms that reach over 5 sites, but is 'rigorous': TEBD"),
    (lambda: random_battery(rng_of(13), 1), None, "a single site, but is 'rigorous': there is no bond"),
    (lambda: random_battery(rng_of(13), 4), mb.TDVP(), "TDVP, but is 'rigorous': only TEBD has proofs"),
    (lambda: random_battery(rng_of(13), 4), mb.Exact(), "Exact, but is 'rigorous': only TEBD has proofs"),
], ids=["density", "schedule", "reach", "site", "TDVP", "Exact"])
def test_bars_that_cannot_be_rigorous_are_refused(battery, method, reason):
    with pytest.raises(mb.InputError, match=f"Argument `bars` must be True or False for {reason}"):
        mb.charge(battery(), [0, 0.1], method=method, bars="rigorous")


@pytest.mark.parametrize("bars", ["exact", 2, None])
def test_bars_are_true_false_or_rigorous(bars):
    with pytest.raises(mb.InputError, match="Argument `bars` must be True, False or 'rigorous', but is"):
        mb.charge(random_battery(rng_of(13), 4), [0, 0.1], bars=bars)


# -- many runs -----------------------------------------------------------------------------------------------------
TUNED, FRESH = 20, 120
"""Streams of seeds: those that the safety factors of `budget` were chosen on, and others."""


def tally(runs):
    """(covered entries, entries, covered quantities, quantities, ratios) of (run, dense answer) pairs."""
    hits, entries, whole_hits, quantities, ratios = 0, 0, 0, 0, []
    for run, expected in runs:
        for name, values in expected.items():
            error, bar = np.abs(run.data[name].values - values), run.bars[name].values
            rounding = 1e-12 * max(1.0, float(np.abs(values).max()))
            covered = error <= bar + (rounding if run.bars[name].attrs["kind"] == "estimate" else 0)
            hits, entries = hits + int(covered.sum()), entries + covered.size
            whole_hits, quantities = whole_hits + bool(covered.all()), quantities + 1
            if error.max() > 1e-11:
                ratios.append(float(bar.max() / error.max()))
    return hits, entries, whole_hits, quantities, ratios


def loose_settings(rng):
    """Times, truncation and order of a run that cuts more than it should."""
    times = np.linspace(0, rng.uniform(0.2, 0.9), int(rng.integers(3, 6)))
    return times, mb.Truncation(int(rng.choice([3, 4, 8, 64])), float(10 ** rng.uniform(-9, -3.5))), \
        int(rng.choice([2, 4]))


def rigorous_runs(seeds, stream):
    for seed in seeds:
        rng = rng_of(stream, seed)
        battery = random_battery(rng, int(rng.integers(3, 9)))
        times, truncation, order = loose_settings(rng)
        yield mb.charge(battery, times, method=mb.TEBD(order=order), truncation=truncation, bars="rigorous"), \
            dense_record(battery, times)


def estimated_runs(seeds, stream):
    """Hastings' TEBD, two-site TDVP and TEBD of densities in turn."""
    for seed in seeds:
        rng = rng_of(stream + 1, seed)
        kind = ("tebd", "tdvp", "density")[seed % 3]
        battery = random_battery(rng, 4 if kind == "density" else int(rng.integers(4, 8)), jumps=kind == "density")
        times, truncation, order = loose_settings(rng)
        method = mb.TDVP(order=order) if kind == "tdvp" else mb.TEBD(order=order)
        answer = dense_density if kind == "density" else dense_record
        yield mb.charge(battery, times, method=method, truncation=truncation), answer(battery, times)


def dense_density(battery, times):
    """Energy, power, variance, purity and local work of a density, by the Lindblad matrix."""
    n, h = len(battery.sites), battery.energy.to_dense()
    rho = battery.initial_state().to_dense()
    l = solved_open.lindblad_matrix(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps])
    step = scipy.linalg.expm((times[1] - times[0]) * l)
    out = {name: [] for name in ("energy", "power", "energy_variance", "purity", "local_ergotropy", "local_capacity")}
    for k in range(len(times)):
        rho = rho if k == 0 else (step @ rho.ravel()).reshape(rho.shape)
        mean = np.trace(h @ rho).real
        extremes = [solved.local_extremes(rho, h, c, n) for c in range(n)]
        for name, value in [("energy", mean), ("power", np.trace(h @ (l @ rho.ravel()).reshape(rho.shape)).real),
                            ("energy_variance", np.trace(h @ h @ rho).real - mean**2),
                            ("purity", np.trace(rho @ rho).real),
                            ("local_ergotropy", [mean - low for low, _ in extremes]),
                            ("local_capacity", [high - low for low, high in extremes])]:
            out[name].append(value)
    out["energy"] = [e - out["energy"][0] for e in out["energy"]]
    return {name: np.array(values) for name, values in out.items()}


def check_rigorous(seeds, stream):
    hits, entries, *_, ratios = tally(rigorous_runs(seeds, stream))
    print(f"rigorous: {hits} of {entries} values covered in {len(seeds)} runs; bar over error: median "
          f"{np.median(ratios):.0f}, least {min(ratios):.1f}")
    assert hits == entries


def check_estimates(seeds, stream, share):
    found = {kind: tally(estimated_runs([s for s in seeds if s % 3 == k], stream))
             for k, kind in enumerate(["tebd", "tdvp", "density"])}
    for kind, (hits, entries, whole_hits, quantities, ratios) in found.items():
        print(f"{kind}: {hits / entries:.4f} of values, {whole_hits / quantities:.3f} of quantities covered "
              f"everywhere; bar over error: median {np.median(ratios):.1f}, least {min(ratios):.2f}")
    hits, entries, whole_hits, quantities = (sum(f[k] for f in found.values()) for k in range(4))
    median = np.median(np.concatenate([f[4] for f in found.values()]))
    print(f"all: {hits / entries:.4f} of values, {whole_hits / quantities:.3f} of quantities; median {median:.1f}")
    assert whole_hits >= share * quantities
    assert median <= 30


def test_rigorous_bars_cover_random_runs():
    check_rigorous(range(6), TUNED)


def test_estimates_cover_random_runs():
    check_estimates(range(9), TUNED, 0.9)


@pytest.mark.slow
def test_rigorous_bars_cover_the_error_of_every_random_run():
    """200 runs of 3 to 8 cells with loose truncation: all values; the median ratio is printed."""
    check_rigorous(range(200), FRESH)


@pytest.mark.slow
def test_estimates_cover_the_error_of_most_random_runs():
    """200 runs each by TEBD, TDVP and TEBD of densities: at least 95 % of the quantities, everywhere; median <= 30."""
    check_estimates(range(600), FRESH, 0.95)
