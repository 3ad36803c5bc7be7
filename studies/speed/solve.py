"""One timed solution in a fresh process, started by run.py: `python solve.py JOB.json ANSWER.npz` prints JSON.

The clock starts after imports and a warm-up on four sites (compilers and caches), and covers model, evolution and
measurements. Memory is the peak of the resident set of this process alone.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
from tools import TOOLS
from workloads import WORKLOADS, miniature


def peak_megabytes() -> float:
    """Peak resident set; VmHWM where there is one, since ru_maxrss may be inherited from the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0**2 if sys.platform == "darwin" else 1024.0)


def main(job: dict, answer: str) -> None:
    workload = WORKLOADS[job["workload"]]
    solver = import_module(f"tools.{TOOLS[job['tool']].module}").KINDS[workload.kind]
    solver(miniature(workload), job["settings"])
    before = peak_megabytes()
    begun, busy = time.perf_counter(), time.process_time()
    arrays = solver(workload, job["settings"])
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    np.savez(answer, **arrays)
    print(json.dumps({"seconds": seconds, "processor_seconds": busy, "megabytes": peak_megabytes(),
                      "megabytes_before": before}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
