"""The sweep of the L = 10 table in this process, on two processes and on a Dask cluster of two workers: the same bits?

    python studies/mbl/same.py [--realisations 150]

writes the SHA-256 of every variable of the three tables (labels, type, shape, bytes), whether they agree, and their
cost, to data/same.json. Needs `pip install mps_battery[cluster]`.
"""

from __future__ import annotations

import argparse
import hashlib
import json

import xarray as xr
from run import DATA, SEED, STANDARD, TABLE, TABLE_TIMES

import mps_battery as mb
from mps_battery.executors import Dask, Executor, InProcess, Processes
from mps_battery.models import spin_chain


def digests(data: xr.Dataset) -> dict[str, str]:
    """Variable, coordinates among them -> SHA-256 of all that it holds."""
    out = {}
    for name in sorted(map(str, data.variables)):
        values = data[name].values
        head = json.dumps([name, list(data[name].dims), values.dtype.str, values.shape])
        out[name] = hashlib.sha256(head.encode() + values.tobytes()).hexdigest()
    return out


def table(executor: Executor, realisations: int) -> mb.sweep:
    found = mb.sweep(spin_chain.mbl, TABLE, realisations=realisations, times=TABLE_TIMES, seed=SEED, record=STANDARD,
                     executor=executor, progress=True)
    print(found, flush=True)
    return found


def main(realisations: int) -> None:
    from distributed import LocalCluster

    tables = {"in-process": table(InProcess(), realisations), "two processes": table(Processes(2), realisations)}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        tables["two Dask workers"] = table(Dask(cluster), realisations)
    found = {where: digests(t.data) for where, t in tables.items()}
    first = next(iter(found.values()))
    same = {name: all(f.get(name) == digest for f in found.values()) for name, digest in first.items()}
    together = {where: hashlib.sha256("".join(f.values()).encode()).hexdigest() for where, f in found.items()}
    cost = {where: {"processor_seconds": t.card["processor_seconds"], "runs": t.card["runs"],
                    "failed": t.card["failed"]} for where, t in tables.items()}
    (DATA / "same.json").write_text(json.dumps({
        "parameters": {**TABLE, "realisations": realisations, "times": TABLE_TIMES, "seed": SEED},
        "version": mb.__version__, "identical": all(same.values()) and len({len(f) for f in found.values()}) == 1,
        "differing": [name for name, well in same.items() if not well], "all": together, "cost": cost,
        "digests": first}) + "\n")
    print(f"{len(first)} variables, {sum(same.values())} with the same bits on all three")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--realisations", type=int, default=150)
    main(parser.parse_args().realisations)
