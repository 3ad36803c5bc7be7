"""How many threads the linear algebra may have."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def libraries() -> ThreadpoolController:
    """The libraries that have threads; to look for them takes longer than many a step."""
    return ThreadpoolController()


def allowed() -> int:
    """How many threads BLAS may use at present, by the machine, by OMP_NUM_THREADS, or by a limit around the call."""
    return max((library["num_threads"] for library in libraries().info() if library["user_api"] == "blas"), default=1)
