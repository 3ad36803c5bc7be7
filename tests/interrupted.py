"""Jobs that are interrupted and resumed: at every safe point, or killed at random moments."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import mps_battery as mb
from mps_battery import checkpoint
from mps_battery.checkpoint import StoppedError

Begin = Callable[[mb.Checkpoint], Any]
"""Begins a job with a checkpoint."""


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    """The same labels and the same bits."""
    xr.testing.assert_identical(one, other)
    for name in one.variables:
        assert one[name].dtype == other[name].dtype, name
        assert one[name].values.tobytes() == other[name].values.tobytes(), name


def in_pieces(begin: Begin, path: Path, **resumed: Any) -> tuple[Any, int]:
    """A job stopped at every safe point; what it gives in the end, and how often it was stopped."""
    stops = 0
    with contextlib.suppress(StoppedError):
        return begin(mb.Checkpoint(path, wall_time=1e-9)), stops
    while True:
        stops += 1
        try:
            return mb.resume(path, wall_time=1e-9, **resumed), stops
        except StoppedError:
            assert stops < 1000


def killed(begin: Begin, path: Path, kills: int, longest: float, seed: int, writes: int = 0,
           watch: Callable[[], Any] | None = None, **resumed: Any) -> Any:
    """A job killed by SIGKILL at random moments, begun or resumed in a fork each time, then left to end.

    It writes as often as it can, so that kills come in the midst of writing too.

    Args:
        begin: The job.
        path: Its checkpoint.
        kills: How often it is killed.
        longest: Seconds between start and kill, at most.
        seed: Of the moments.
        writes: These seconds count from a random number of writes on, at most so many: for jobs that start slowly.
        watch: Called after every kill.
        resumed: Further arguments of `resume`.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, kills]))
    context = multiprocessing.get_context("fork")
    for _ in range(kills):
        process = context.Process(target=_work, args=(begin, path, resumed))
        process.start()
        _await_writes(process, path, int(rng.integers(writes + 1)))
        time.sleep(rng.uniform(0, longest))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if path.exists():
            mb.archive.read(path)                # whole at every moment
            if watch is not None:
                watch()
    process = context.Process(target=_work, args=(begin, path, resumed))
    process.start()
    process.join()
    assert process.exitcode == 0
    return mb.resume(path, **resumed)


def _await_writes(process: Any, path: Path, count: int) -> None:
    seen = path.stat().st_mtime_ns if path.exists() else None
    while count and process.is_alive():
        time.sleep(0.003)
        now = path.stat().st_mtime_ns if path.exists() else None
        seen, count = now, count - (now != seen)


def _work(begin: Begin, path: Path, resumed: dict[str, Any]) -> None:
    checkpoint.SHARE = 1.0
    if path.exists():
        mb.resume(path, interval=0.0, **resumed)
    else:
        begin(mb.Checkpoint(path, interval=0.0))
