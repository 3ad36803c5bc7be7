"""The verb `resume`: go on with a job that was interrupted, or beyond where it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mps_battery import archive
from mps_battery.battery import Battery
from mps_battery.checkpoint import Checkpoint, Keeper
from mps_battery.checks import must
from mps_battery.executors import Executor
from mps_battery.job import Job
from mps_battery.measure.quantity import Quantity
from mps_battery.plan import Model
from mps_battery.run import Run
from mps_battery.steady.ness import SteadyState, solved
from mps_battery.sweep import Harvest, Sweep, perform_sweep


def resume(path: str | Path, *, times: Sequence[float] | np.ndarray | None = None, battery: Battery | None = None,
           record: Mapping[str, Quantity] | None = None, model: Model | None = None,
           executor: Executor | None = None, interval: float = 300.0, wall_time: float = float("inf"),
           progress: bool | None = None) -> Run | Sweep | SteadyState:
    """Go on from a checkpoint.

    The result is that of a job that was never interrupted, to the last bit (on processors of one kind). The file goes
    on as the checkpoint of the job.

    Args:
        path: The checkpoint of `charge`, `sweep` or `steady_state`.
        times: Later times that are recorded too, so that a finished run is extended; the bars and the step stay as
            they were chosen for the first times.
        battery: What was charged, where the file could not hold it: a battery with functions of time of your own.
        record: What was recorded, where the file could not hold it: quantities of your own.
        model: What was swept, where the file could not hold it: a model that is not of this package.
        executor: As in `sweep`.
        interval: As in `Checkpoint`.
        wall_time: As in `Checkpoint`.
        progress: As in `charge`.

    Returns:
        What the verb that began the job returns.

    Raises:
        InputError: If the file is missing, damaged, of a newer layout, or of another job.
        StoppedError: If a signal or the wall time ended it again.
    """
    kind, parts = archive.read(path)
    settings, elapsed = Checkpoint(path, interval, wall_time), float(archive.unpack(parts["elapsed"]))
    memory = archive.unpack(parts["memory"])
    if kind == "sweep":
        must(times is None and battery is None, "times", "be None for a sweep, and so must `battery`", times)
        harvest = Harvest.requested(parts["request"], Path(path), model, record)
        harvest.recall(memory)
        return perform_sweep(harvest, executor, Keeper(settings, kind, harvest.request, elapsed, fresh=False), progress)
    if kind == "steady_state":
        must(times is None and battery is None, "times", "be None for a steady state, and so must `battery`", times)
        request = archive.unpack(parts["request"])
        keeper = Keeper(settings, kind, lambda: parts["request"], elapsed, fresh=False)
        return solved(request, keeper, memory, progress)
    must(model is None and executor is None, "executor", "be None for a single run, and so must `model`", executor)
    job = Job.requested(parts["request"], Path(path), battery, record)
    if times is not None:
        job = job.extended(times)
    return job.perform(Keeper(settings, kind, job.request, elapsed, fresh=False), memory, progress)
