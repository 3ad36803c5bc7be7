"""Progress on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
import time as clock
from typing import Any


class Progress:
    """How far a run is on its way through time.

    Args:
        wanted: Whether to show it; None shows it on a terminal only.
        name: What is running.
        span: Its length.
        parts: How many times that length there is to do.
    """

    def __init__(self, wanted: bool | None, name: str, span: float, parts: float) -> None:
        self._bar: Any = None
        if wanted or (wanted is None and sys.stderr.isatty()):
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(f"charging {name}", total=max(span * parts, 1e-12))

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, amount: float) -> None:
        """Move on by a share of the time span."""
        if self._bar:
            self._bar.advance(self._task, amount)


EVERY = 10.0
"""Seconds between two lines of a log."""


class Count:
    """How many of many runs are done, at what rate, and how long the rest will take: a bar, or lines in a log.

    Args:
        wanted: Whether to show it; None shows it on a terminal only.
        name: What is running.
        total: How many there are at most.
        done: How many were done before.
    """

    def __init__(self, wanted: bool | None, name: str, total: int, done: int = 0) -> None:
        terminal = sys.stderr.isatty()
        self._shown = wanted or (wanted is None and terminal)
        self._name, self._total, self._before, self.done = name, total, done, done
        self._begun, self._said = clock.monotonic(), 0.0
        self._bar: Any = None
        if self._shown and terminal:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True),
                                 transient=True)
            self._task = self._bar.add_task(self.sentence, total=total, completed=done)

    def __enter__(self) -> Count:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def sentence(self) -> str:
        """Done, rate and time left."""
        here, seconds = self.done - self._before, clock.monotonic() - self._begun
        text = f"{self._name}: {self.done} of {self._total} runs"
        if not here:
            return text
        rate = here / max(seconds, 1e-9)
        speed = f"{rate:.3g} a second" if rate >= 1 else f"{60 * rate:.3g} a minute"
        return f"{text}, {speed}, {spoken((self._total - self.done) / rate)} left"

    def step(self, total: int | None = None) -> None:
        """One more is done; `total` where it has become another."""
        self.done += 1
        self._total = total if total is not None else self._total
        if self._bar:
            self._bar.update(self._task, completed=self.done, total=self._total, description=self.sentence)
        elif self._shown and (clock.monotonic() - self._said > EVERY or self.done == self._total):
            self._said = clock.monotonic()
            sys.stderr.write(self.sentence + "\n")


def spoken(seconds: float) -> str:
    """A duration in words."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
