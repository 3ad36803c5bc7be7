"""What sweeps and checkpoints cost: scaling over workers, share of checkpoints, memory against realisations.

    python studies/speed/sweeping.py workers|checkpoint|memory

Each prints its numbers as JSON. `workers` measures wall time: on an idle machine only. Throughput against
other libraries is W8 of run.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

import mps_battery as mb
from mps_battery.checkpoint import Keeper
from mps_battery.executors import Executor, Processes
from mps_battery.models import spin_chain
from mps_battery.plan import Item, Settings, perform

CHAIN = {"cells": 16, "disorder": 8.0}
TIMES = np.linspace(0.0, 10.0, 11)
IMBALANCE = {"imbalance": mb.measure.Imbalance()}
TUNED = {"method": mb.TEBD(dt=0.25), "truncation": mb.Truncation(64, 1e-8)}


class Started(Executor):
    """Workers that are ready and have imported everything before the clock starts."""

    def __init__(self, workers: int) -> None:
        self.pool = Processes(workers).open()
        for k in range(4 * workers):
            self.pool.submit(k, perform, Item(spin_chain.mbl, {"cells": 4}, Settings(np.array([0.0, 1.0]))))
        for _ in range(4 * workers):
            self.pool.next(600.0)

    def open(self):
        """The workers; they end with the sweep."""
        return self.pool

    def size(self) -> int:
        """How many there are."""
        return self.pool.workers

    def __str__(self) -> str:
        return f"{self.pool.workers} processes that were ready"


def timed(executor: Executor) -> float:
    """Wall time of 32 realisations."""
    begun = time.perf_counter()
    mb.sweep(spin_chain.mbl, CHAIN, realisations=32, times=TIMES, seed=7, record=IMBALANCE, executor=executor, **TUNED)
    return time.perf_counter() - begun


def workers() -> dict:
    """Wall time with one and with two workers, start-up left out; the best of three each."""
    walls = {n: min(timed(Started(n)) for _ in range(3)) for n in (1, 2)}
    return {"seconds": walls, "speed-up": walls[1] / walls[2]}


class Stopwatch:
    """Processor and wall time inside a method of a class, calls within calls counted once."""

    def __init__(self) -> None:
        self.busy = self.wall = 0.0
        self._depth = 0

    def watch(self, kind: type, name: str) -> None:
        """Look at a method from now on."""
        inner = getattr(kind, name)

        def timed(*arguments):
            begun = time.process_time(), time.perf_counter()
            self._depth += 1
            try:
                return inner(*arguments)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.busy += time.process_time() - begun[0]
                    self.wall += time.perf_counter() - begun[1]

        setattr(kind, name, timed)


def checkpoint() -> dict:
    """What checkpoints take of a run of half a minute, at the default interval and at one of two seconds.

    `difference` compares the processor time of whole runs (the least of two each, which scatter by some per cent);
    `inside` is the processor time within the keeper of the checkpoints, `wall inside` includes waiting for the disk.
    """
    battery, times = spin_chain.mbl(cells=32, disorder=8.0), np.linspace(0, 50, 51)
    watch = Stopwatch()
    watch.watch(Keeper, "pause")
    watch.watch(Keeper, "write")

    def once(kept: mb.Checkpoint | None) -> dict:
        watch.busy = watch.wall = 0.0
        begun = time.process_time(), time.perf_counter()
        mb.charge(battery, times, checkpoint=kept, truncation=mb.Truncation(128, 1e-10))
        whole, wall = time.process_time() - begun[0], time.perf_counter() - begun[1]
        return {"seconds": whole, "inside": watch.busy / whole, "wall inside": watch.wall / wall}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.h5"
        kinds = {"none": None, "default": mb.Checkpoint(path, overwrite=True),
                 "two seconds": mb.Checkpoint(path, interval=2.0, overwrite=True)}
        runs: dict[str, list[dict]] = {name: [] for name in kinds}
        for name in ("none", "default", "two seconds", "default", "none"):
            runs[name].append(once(kinds[name]))
        size = path.stat().st_size
    plain = min(r["seconds"] for r in runs["none"])
    return {"bytes": size, "runs": runs, "difference": {
        name: min(r["seconds"] for r in found) / plain - 1 for name, found in runs.items()}}


def memory() -> dict:
    """Peak of what Python holds during a sweep, less the data returned, against the number of realisations."""
    out = {}
    mb.sweep(spin_chain.mbl, {"cells": 4}, realisations=2, times=[0.0, 1.0])
    for count in (20, 80):
        tracemalloc.start()
        table = mb.sweep(spin_chain.mbl, {"cells": 4}, realisations=count, times=[0.0, 0.5, 1.0], method=mb.Exact())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        out[count] = {"peak": peak, "returned": table.data.nbytes, "rest": peak - table.data.nbytes}
    return out


if __name__ == "__main__":
    parts = {"workers": workers, "checkpoint": checkpoint, "memory": memory}
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=parts)
    print(json.dumps(parts[parser.parse_args().part](), indent=1))
