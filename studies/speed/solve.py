"""One timed solution in a fresh process, started by run.py: `python solve.py JOB.json ANSWER.npz` prints JSON.

The clock starts after imports and a warm-up on few sites (compilers and caches), and covers model, evolution and
measurements. Memory is the peak of the resident set of this process, and of its workers where it has some: they are
started and warmed up before the clock, too.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
from tools import TOOLS
from workloads import WORKLOADS, miniature


def peak_megabytes(process: int | str = "self") -> float:
    """Peak resident set; VmHWM where there is one, since ru_maxrss may be inherited from the parent."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0**2 if sys.platform == "darwin" else 1024.0)


def main(job: dict, answer: str) -> None:
    workload = WORKLOADS[job["workload"]]
    solver = import_module(f"tools.{TOOLS[job['tool']].module}").KINDS[workload.kind]
    solver(miniature(workload), job["settings"])
    workload.prepare()
    before = peak_megabytes()
    begun, busy = time.perf_counter(), time.process_time()
    arrays = solver(workload, job["settings"])
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    busy += float(arrays.pop("processor_seconds", 0.0))                    # of the workers
    np.savez(answer, **arrays)
    workers = sum(peak_megabytes(w.pid) for w in multiprocessing.active_children() if w.pid)
    print(json.dumps({"seconds": seconds, "processor_seconds": busy, "megabytes": peak_megabytes() + workers,
                      "megabytes_before": before}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
