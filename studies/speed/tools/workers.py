"""Processes of the peers: started and warmed up once, then kept until the end."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from workloads import WORKERS, Workload, miniature

LONGEST = 300.0
"""Seconds after which a worker that is not ready counts as failed."""
POOLS: dict[tuple, ProcessPoolExecutor] = {}
Solver = Callable[[Workload, dict], dict[str, np.ndarray]]


def many(one: Solver) -> Solver:
    """A solver of many chains by a solver of one, which must be importable."""

    def solve(workload: Workload, settings: dict) -> dict[str, np.ndarray]:
        chains = workload.chains()
        jobs = [(one, chain, settings) for chain in chains]
        done = list(_pool(one, miniature(chains[0]), settings).map(_timed, jobs))
        return {"sz": np.array([d["sz"] for d in done]), "bond": np.max([d["bond"] for d in done]),
                "processor_seconds": np.sum([d["processor_seconds"] for d in done])}

    return solve


def _timed(job: tuple[Solver, Workload, dict]) -> dict[str, np.ndarray]:
    one, workload, settings = job
    begun = time.process_time()
    return {**one(workload, settings), "processor_seconds": np.array(time.process_time() - begun)}


def _pool(one: Solver, small: Workload, settings: dict) -> ProcessPoolExecutor:
    """Begun once; handed out when every worker has imported and compiled everything."""
    key = one, *sorted(settings.items())
    if key not in POOLS:
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(WORKERS + 1)
        POOLS[key] = ProcessPoolExecutor(WORKERS, context, _ready, (together, one, small, settings))
        for _ in range(WORKERS):
            POOLS[key].submit(time.sleep, 0.1)                           # a submission starts a process
        together.wait(LONGEST)
    return POOLS[key]


def _ready(together, one: Solver, small: Workload, settings: dict) -> None:
    one(small, settings)
    together.wait(LONGEST)
