"""Checkpoints: where a long job writes itself down, and how it is ended cleanly.

A job tells its `Keeper` of every safe point. There the keeper writes a checkpoint if it is time for one; where SIGTERM
or SIGINT has come, or the wall time is used up, it writes one and raises `StoppedError`. What a job remembers at a safe
point is all that it goes on from, whether or not it was interrupted, so that `resume` gives the same bits.
"""

from __future__ import annotations

import signal
import threading
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mps_battery import archive
from mps_battery.checks import InputError, must, number

SHARE = 0.02
"""Largest share of the time that writing checkpoints may take: the next one waits that long."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Checkpoint:
    """Where a job keeps what it needs to go on, and how long it may run.

    Args:
        path: File to write, replaced as the job goes on; it stays when the job is done, so that it can be extended.
        interval: Seconds from one checkpoint to the next; more where writing one takes longer than 2 % of that.
        wall_time: Seconds after which the job ends itself cleanly at the next safe point.
        overwrite: Whether an existing file of an earlier job may be replaced.
    """

    path: str | Path
    interval: float = 300.0
    wall_time: float = float("inf")
    overwrite: bool = False

    def __post_init__(self) -> None:
        must(isinstance(self.path, str | Path) and str(self.path) != "", "path", "be the name of a file", self.path)
        must(number(self.interval) and self.interval >= 0, "interval", "be a number of at least 0", self.interval)
        must(number(self.wall_time) and self.wall_time > 0, "wall_time", "be a positive number", self.wall_time)


class StoppedError(RuntimeError):
    """A job ended before it was done; its checkpoint is written.

    Attributes:
        path: The checkpoint.
        by: "SIGTERM", "SIGINT" or "wall time".
    """

    def __init__(self, path: Path, by: str) -> None:
        super().__init__(f"Stopped by {by}; all that was done is in {str(path)!r}: resume it.")
        self.path, self.by = path, by


class Keeper:
    """Writes the checkpoints of one job and hears what should end it; a context manager.

    Args:
        settings: Where and when; None keeps nothing.
        kind: The verb.
        request: What the job was asked to do, in its plain form.
        elapsed: Seconds spent on the job before.
        fresh: Whether the job begins: then its file must not exist.
    """

    def __init__(self, settings: Checkpoint | None, kind: str, request: Callable[[], archive.Packed],
                 elapsed: float = 0.0, fresh: bool = True) -> None:
        self.settings, self._kind, self._before = settings, kind, elapsed
        self._begun = clock.monotonic()
        self._stop: str | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._last, self._cost = -float("inf") if fresh else self._begun, 0.0
        if settings is None:
            return
        self._path = Path(settings.path)
        if fresh and self._path.exists() and not settings.overwrite:
            raise InputError(f"Argument `checkpoint` must name a new file, but {str(self._path)!r} exists: resume it, "
                             "or pass overwrite=True to begin again.")
        self._request = request()

    @property
    def elapsed(self) -> float:
        """Seconds spent on the job in all."""
        return self._before + clock.monotonic() - self._begun

    @property
    def stopping(self) -> str | None:
        """What asks the job to end, if anything."""
        if self._stop is None and self.settings is not None and \
                clock.monotonic() - self._begun > self.settings.wall_time:
            self._stop = "wall time"
        return self._stop

    def __enter__(self) -> Keeper:
        if self.settings is not None and threading.current_thread() is threading.main_thread():
            self._handlers = {s: signal.signal(s, self._hear) for s in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._handlers.items():
            signal.signal(kind, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """The first signal ends the job at its next safe point, the second one at once."""
        if self._stop is not None:
            raise KeyboardInterrupt
        del frame
        self._stop = signal.Signals(number).name

    def pause(self, memory: Callable[[], Any], news: bool = True) -> bool:
        """A safe point.

        Args:
            memory: Gives what the job needs to go on from here.
            news: Whether it differs from what was written last.

        Returns:
            Whether it was written.
        """
        if self.settings is None:
            return False
        stop = self.stopping
        since = clock.monotonic() - self._last
        due = news and (stop is not None or since >= max(self.settings.interval, self._cost / SHARE))
        if due:
            self.write(memory())
        if stop is not None:
            raise StoppedError(self._path, stop)
        return due

    def write(self, memory: Any) -> None:
        """Write a checkpoint now."""
        if self.settings is None:
            return
        begun = clock.monotonic()
        parts = {"request": self._request, "memory": archive.pack(memory), "elapsed": archive.pack(self.elapsed)}
        archive.write(self._path, self._kind, parts, overwrite=True)
        self._last = clock.monotonic()
        self._cost = self._last - begun

