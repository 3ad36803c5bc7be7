"""Processes of this machine, one BLAS thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time as clock
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from threadpoolctl import threadpool_limits

from mps_battery.checks import InputError, must, whole
from mps_battery.executors.interface import Executor, Lost, Pool, Task

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ATTEMPTS = 2
"""How often an item is tried whose process dies: once may be chance, as where memory is short."""


@dataclass(frozen=True)
class Processes(Executor):
    """Fresh processes of this machine (spawned, so that no state is inherited).

    A script that sweeps with them must do so under `if __name__ == "__main__":`, since every worker imports it.

    Args:
        workers: How many; None takes one a processor core that this process may use.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        must(self.workers is None or (whole(self.workers) and self.workers >= 1), "workers",
             "be None or an integer of at least 1", self.workers)

    def open(self) -> Pool:
        """Start the processes."""
        return _ProcessPool(self.size())

    def size(self) -> int:
        """Its processes."""
        return self.workers or cores()

    def __str__(self) -> str:
        return f"{self.size()} processes"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A process, the pipe to it, and what it works on."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there,), daemon=True)
        with _one_thread_inherited():
            self.process.start()
        there.close()
        self.ready = False
        self.number: int | None = None

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


class _ProcessPool(Pool):
    def __init__(self, workers: int) -> None:
        self._waiting: deque[int] = deque()
        self._payloads: dict[int, bytes] = {}
        self._attempts: dict[int, int] = {}
        self._workers = [_Worker() for _ in range(workers)]

    @property
    def workers(self) -> int:
        return len(self._workers)

    def submit(self, number: int, task: Task, item: Any) -> None:
        try:
            payload = bytes(ForkingPickler.dumps((task, item)))
        except Exception as error:
            raise InputError("Argument `executor` must be InProcess() for a model, record or parameters that cannot be "
                             f"sent to other processes ({error}): or write the function into a file of its own and "
                             "import it.") from None
        self._payloads[number] = payload
        self._attempts[number] = 0
        self._waiting.append(number)
        self._feed()

    def _feed(self) -> None:
        """Give idle workers something to do."""
        for worker in self._workers:
            if worker.ready and worker.number is None and self._waiting:
                worker.number = self._waiting.popleft()
                self._attempts[worker.number] += 1
                # a worker that has just died shows in `next`
                with contextlib.suppress(BrokenPipeError):
                    worker.pipe.send_bytes(self._payloads[worker.number])

    def next(self, seconds: float) -> tuple[int, Any] | None:
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0:
            ends: list[Any] = [w.pipe for w in self._workers]
            for pipe in wait(ends, left)[:1]:
                done = self._hear(self._workers[ends.index(pipe)])
                if done is not None:
                    return done
        return None

    def _hear(self, worker: _Worker) -> tuple[int, Any] | None:
        """What a worker says: that it is ready, a result, or nothing any more."""
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._replace(worker)
        number, worker.number = worker.number, None
        if number is not None:
            self._forget(number)
        worker.ready = True
        self._feed()
        return None if number is None else (number, message)

    def _forget(self, number: int) -> None:
        del self._payloads[number], self._attempts[number]

    def _replace(self, worker: _Worker) -> tuple[int, Any] | None:
        """A new process for one that died; what it worked on is tried again, or lost."""
        worker.process.join()
        code = worker.process.exitcode or 0
        worker.stop()
        if not worker.ready:
            raise InputError("Argument `executor` must be able to start its processes, but one ended with code "
                             f'{code}: does the script sweep under `if __name__ == "__main__":`?')
        self._workers[self._workers.index(worker)] = _Worker()
        number = worker.number
        if number is None:
            return None
        if self._attempts[number] < ATTEMPTS:
            self._waiting.appendleft(number)
            return None
        self._forget(number)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return number, Lost(f"The process that worked on it {how}, {ATTEMPTS} times; is there enough memory?")

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._waiting.clear()


def _serve(pipe: Connection) -> None:
    """Work on what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)          # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with threadpool_limits(1), contextlib.suppress(EOFError, BrokenPipeError):
        pipe.send(None)
        while True:
            task, item = pipe.recv()
            pipe.send(task(item))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _one_thread_inherited() -> Iterator[None]:
    """BLAS libraries of processes started meanwhile make one thread only."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
