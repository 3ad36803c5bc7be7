"""How many threads the linear algebra may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

MOST_HANDS = 4
"""Most threads that share a layer or the charges of a bond, since they take turns in the interpreter."""


@cache
def libraries() -> ThreadpoolController:
    """The libraries that have threads; to look for them takes longer than many a step."""
    return ThreadpoolController()


def allowed() -> int:
    """How many threads BLAS may use at present, by the machine, by OMP_NUM_THREADS, or by a limit around the call."""
    return max((library["num_threads"] for library in libraries().info() if library["user_api"] == "blas"), default=1)


def each_alone(hands: int) -> AbstractContextManager:
    """While several hands work, linear algebra has one thread in each."""
    return libraries().limit(limits=1, user_api="blas") if hands > 1 else nullcontext()


def shared(work: Callable[[Any], None], items: Iterable[Any], hands: int) -> None:
    """work(item) for every item, by so many threads, this one among them; items must not touch each other."""
    queue = iter(list(items))                    # of which threads may take at the same time

    def take() -> None:
        for item in queue:
            work(item)

    others = [pool().submit(take) for _ in range(min(hands, MOST_HANDS) - 1)]
    take()
    for other in others:
        other.result()


@cache
def pool() -> ThreadPoolExecutor:
    """Threads that wait for work."""
    return ThreadPoolExecutor(MOST_HANDS - 1)
