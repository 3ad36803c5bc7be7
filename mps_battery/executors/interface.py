"""What every executor does, and the simplest one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

Task = Callable[[Any], Any]
"""A function of one item; it and the item must be importable or plain data where other processes do the work."""


@dataclass(frozen=True)
class Lost:
    """In place of a result: the process that worked on an item died.

    Attributes:
        sentence: How.
    """

    sentence: str


class Pool(ABC):
    """Workers at work; a context manager that ends them."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many items are worked on at a time."""

    @abstractmethod
    def submit(self, number: int, task: Task, item: Any) -> None:
        """Have `task(item)` done, in any order; `number` is the name of its result."""

    @abstractmethod
    def next(self, seconds: float) -> tuple[int, Any] | None:
        """The next finished (number, result); None where none finishes within some seconds.

        A result is what the task returned, or `Lost`.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers; what is unfinished is dropped."""

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class Executor(ABC):
    """Settings of a place to work at."""

    @abstractmethod
    def open(self) -> Pool:
        """Start the workers."""

    @abstractmethod
    def size(self) -> int:
        """How many items are worked on at a time, without starting anything."""

    @abstractmethod
    def __str__(self) -> str:
        """The place, in words."""


@dataclass(frozen=True)
class InProcess(Executor):
    """One run after the other in the calling process."""

    def open(self) -> Pool:
        """Nothing to start."""
        return _InProcessPool()

    def size(self) -> int:
        """One."""
        return 1

    def __str__(self) -> str:
        return "this process"


class _InProcessPool(Pool):
    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Task, Any]] = deque()

    @property
    def workers(self) -> int:
        return 1

    def submit(self, number: int, task: Task, item: Any) -> None:
        self._waiting.append((number, task, item))

    def next(self, seconds: float) -> tuple[int, Any] | None:
        del seconds
        if not self._waiting:
            return None
        number, task, item = self._waiting.popleft()
        return number, task(item)

    def close(self) -> None:
        self._waiting.clear()
