"""Disordered batteries: ergodic, Anderson localised, many-body localised.

    python studies/mbl/run.py table|ising|local|long [--small] [--workers 2] [--scheduler ADDRESS]

Each part is one sweep (or two) and writes means and errors to data/PART.json; `plot.py` draws them. `--small` takes
fewer realisations. Every part writes a checkpoint beside its data and goes on from it when it was interrupted.
`same.py` does the sweep of the table on every executor.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import xarray as xr
from batteries import charged_at_one_end

import mps_battery as mb
from mps_battery.executors import Dask, Executor, InProcess, Processes
from mps_battery.models import spin_chain

DATA = Path(__file__).resolve().parent / "data"
SEED = 7
STANDARD = {"imbalance": mb.measure.Imbalance(), "entropy": mb.Entropy(), "local_ergotropy": mb.LocalErgotropy(),
            "local_capacity": mb.LocalCapacity()}


TABLE = {"cells": 10, "disorder": [0.5, 2.0, 3.5, 5.0, 10.0]}
TABLE_TIMES = (0, 1, 3, 10, 30, 100, 1000, 10000)


def swept(name: str, executor: Executor, model, parameters, **settings) -> mb.sweep:
    """A sweep with a checkpoint, or the rest of one."""
    path = DATA / f"{name}.checkpoint"
    if path.exists():
        table = mb.resume(path, executor=executor, model=model if model is charged_at_one_end else None, progress=True)
    else:
        table = mb.sweep(model, parameters, seed=SEED, executor=executor, progress=True,
                         checkpoint=mb.Checkpoint(path, interval=60.0), **settings)
    path.unlink()
    print(table)
    return table


def kept(table, variables: dict[str, xr.DataArray]) -> dict:
    """What is stored of a sweep: parameters, cost, and the means and errors of some of its variables."""
    data = table.data
    out = {"outcome": table.outcome, "processor_seconds": table.card["processor_seconds"], "seed": SEED,
           "fixed": table.card["fixed"], "version": mb.__version__, "count": data["count"].values.tolist(),
           "coordinates": {str(n): c.values.tolist() for n, c in data.coords.items()
                           if n not in ("realisation", "quantile", "cell", "bond", "site")}}
    return out | {name: values.values.tolist() for name, values in variables.items()}


def write(name: str, found: dict) -> None:
    (DATA / f"{name}.json").write_text(json.dumps(found) + "\n")


def table(small: bool, executor: Executor) -> None:
    """The L = 10 Heisenberg chain: imbalance, entropy of the middle, local ergotropy and capacity of site 5."""
    found = swept("table", executor, spin_chain.mbl, TABLE, realisations=20 if small else 150, times=TABLE_TIMES,
                  record=STANDARD)
    data, out = found.data, {}
    for word in ("mean", "error", "low", "high"):
        out[f"imbalance_{word}"] = data[f"imbalance_{word}"]
        out[f"entropy_{word}"] = data[f"entropy_{word}"].isel(bond=4)
        for name in ("local_ergotropy", "local_capacity"):
            out[f"{name}_{word}"] = data[f"{name}_{word}"].sel(cell=5)
    write("table", kept(found, out))


def ising(small: bool, executor: Executor) -> None:
    """Free cells charged by a disordered Ising chain: what share of its energy half the chain gives back as work."""
    times = np.r_[0.0, np.geomspace(1, 1000, 13)]
    found = {}
    for cells in (6,) if small else (6, 8, 10):
        half = cells // 2
        cut = {"half": mb.measure.BlockErgotropy(0, half - 1, interaction=False), "entropy": mb.Entropy(),
               "z": mb.Expect("Z"), "imbalance": mb.measure.Imbalance()}
        result = swept(f"ising{cells}", executor, spin_chain.ising_disordered,
                       {"cells": cells, "disorder": [0.2, 1.0, 3.0, 6.0], "next_nearest": [0.0, 0.3]},
                       realisations=10 if small else 40, times=times, record=cut)
        data = result.data
        energy = (data["z"].sel(site=slice(0, half - 1)) + 1).sum("site") / 2
        late = data["time"] >= 10
        # a ratio of means over late times: energies near zero do not count more than others
        share = data["half"].where(late, drop=True).mean("time") / energy.where(late, drop=True).mean("time")
        swing = energy.where(late, drop=True).std("time") / energy.where(late, drop=True).mean("time")
        n = result.data.sizes["realisation"]
        found[str(cells)] = kept(result, {
            "share_mean": share.mean("realisation"), "share_error": share.std("realisation", ddof=1) / n**0.5,
            "swing_mean": swing.mean("realisation"), "swing_error": swing.std("realisation", ddof=1) / n**0.5,
            "energy_mean": (energy / half).mean("realisation"),
            "entropy_mean": data["entropy_mean"].isel(bond=half - 1),
            "entropy_error": data["entropy_error"].isel(bond=half - 1)})
        write("ising", found)


def local(small: bool, executor: Executor) -> None:
    """The chain itself as battery, driven at one end: how much it takes up, as a share of what it could hold."""
    times = np.r_[0.0, np.geomspace(0.5, 300, 25)]
    found = {}
    for cells in (6,) if small else (6, 8):
        record = {"energy": mb.Energy(), "capacity": mb.measure.Capacity(), "local_ergotropy": mb.LocalErgotropy()}
        result = swept(f"local{cells}", executor, charged_at_one_end,
                       {"cells": cells, "disorder": [0.2, 1.0, 3.0, 6.0], "next_nearest": [0.0, 0.3]},
                       realisations=10 if small else 40, times=times, record=record, method=mb.Exact())
        data = result.data
        top = data["energy"].max("time")
        fill = (data["energy"] / data["capacity"].isel(time=0)).max("time")
        far = data["local_ergotropy"].isel(cell=cells - 1).max("time")
        n = data.sizes["realisation"]
        found[str(cells)] = kept(result, {
            f"{name}_{word}": a.mean("realisation") if word == "mean" else a.std("realisation", ddof=1) / n**0.5
            for name, a in (("top", top), ("fill", fill), ("far", far)) for word in ("mean", "error")})
        write("local", found)


def long(small: bool, executor: Executor) -> None:
    """Sixty-four cells in strong disorder to t = 1000, with bars; small: to t = 100.

    A realisation this long holds many independent places: means are over blocks of eight cells or bonds, whose spread
    gives the errors. Slopes are least-squares fits against ln t from t = 10 on, block by block; what is linear in the
    data has a bar, the sum of bars times the sizes of its coefficients.
    """
    times = np.r_[0.0, np.geomspace(1, 100 if small else 1000, 13 if small else 19)]
    record = {"z": mb.Expect("Z"), **{name: q for name, q in STANDARD.items() if name != "imbalance"}}
    result = swept("long", executor, spin_chain.mbl, {"cells": 64, "disorder": 10.0}, realisations=2, times=times,
                   record=record, bars=True, method=mb.TEBD(dt=0.125), truncation=mb.Truncation(128, 3e-10))
    staggered = xr.DataArray((-1.0) ** np.arange(64), dims="site")
    data, bars = ({"imbalance": t["z"] * sign, **t.drop_vars("z")} for t, sign in
                  ((result.data, staggered), (result.bars, 1.0)))
    late = times >= 9.99
    basis = np.linalg.pinv(np.stack([np.ones(late.sum()), np.log(times[late])], 1))[1]
    found = {}
    for name in ("imbalance", "entropy", "local_ergotropy", "local_capacity"):
        values, widths = (_blocks(table[name]) for table in (data, bars))
        for what, a, w in ((name, values, widths.mean(0)),
                           (f"{name}_slope", values[:, late] @ basis, widths.mean(0)[late] @ np.abs(basis))):
            found |= {f"{what}_mean": xr.DataArray(a.mean(0)), f"{what}_bar": xr.DataArray(w),
                      f"{what}_error": xr.DataArray(a.std(0, ddof=1) / len(a) ** 0.5)}
    found |= {name: result.data[name] for name in ("t_trust", "max_bond", "discarded_weight")}
    write("long", kept(result, found) | {"method": "TEBD(dt=0.125)", "weight": 3e-10})


def _blocks(values: xr.DataArray) -> np.ndarray:
    """Means over eight neighbouring cells or bonds, (realisations x blocks, time)."""
    a = values.transpose("realisation", ..., "time").values
    starts = np.arange(0, a.shape[1], 8)
    sums = np.add.reduceat(a, starts, axis=1) / np.diff([*starts, a.shape[1]])[:, None]
    return sums.reshape(-1, a.shape[-1])


if __name__ == "__main__":
    parts = {"table": table, "ising": ising, "local": local, "long": long}
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=parts)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scheduler", default="")
    given = parser.parse_args()
    where = Dask(given.scheduler) if given.scheduler else Processes(given.workers) if given.workers > 1 else InProcess()
    parts[given.part](given.small, where)
