"""Dask: workers on other machines; the one place where it is used.

`pip install mps_battery[cluster]` brings it. Every worker needs the same versions of this package and its libraries.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Any

from mps_battery.checks import InputError, must, whole
from mps_battery.executors.interface import Executor, Lost, Pool, Task


@dataclass(frozen=True)
class Dask(Executor):
    """Workers of a running Dask scheduler.

    Args:
        scheduler: Address such as "tcp://10.0.0.1:8786", or a Dask cluster object. Workers should have one thread
            each.
    """

    scheduler: Any

    def __post_init__(self) -> None:
        must(isinstance(self.scheduler, str) or hasattr(self.scheduler, "scheduler_address"), "scheduler",
             "be an address such as 'tcp://10.0.0.1:8786' or a Dask cluster", self.scheduler)

    def open(self) -> Pool:
        """Connect."""
        return _DaskPool(self.scheduler, None)

    def size(self) -> int:
        """Threads of the workers that the scheduler has at present, at least one."""
        with self.open() as pool:
            return pool.workers

    def __str__(self) -> str:
        return f"Dask at {self.scheduler if isinstance(self.scheduler, str) else self.scheduler.scheduler_address}"


@dataclass(frozen=True)
class JobQueue(Executor):
    """Workers as jobs of a batch system, each with one process and one thread a core, through dask-jobqueue.

    Args:
        system: "slurm" or "pbs".
        jobs: Number of jobs.
        cores: Cores, and so workers, a job.
        memory: Memory of a job, such as "16GB".
        walltime: Longest time of a job, hours:minutes:seconds.
        queue: Queue or partition; None for the default.
        account: Account to charge; None for the default.
    """

    system: str
    jobs: int
    cores: int = 1
    memory: str = "4GB"
    walltime: str = "01:00:00"
    queue: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        must(self.system in ("slurm", "pbs"), "system", "be 'slurm' or 'pbs'", self.system)
        for name in ("jobs", "cores"):
            value = getattr(self, name)
            must(whole(value) and value >= 1, name, "be an integer of at least 1", value)

    def cluster(self) -> Any:
        """The cluster object of dask-jobqueue, without any jobs yet."""
        try:
            from dask_jobqueue import PBSCluster, SLURMCluster
        except ImportError:
            raise _missing("dask-jobqueue") from None
        kind = {"slurm": SLURMCluster, "pbs": PBSCluster}[self.system]
        return kind(cores=self.cores, processes=self.cores, memory=self.memory, walltime=self.walltime,
                    queue=self.queue, account=self.account,
                    job_script_prologue=[f"export {name}=1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")])

    def open(self) -> Pool:
        """Submit the jobs; work begins with the first of them."""
        cluster = self.cluster()
        cluster.scale(jobs=self.jobs)
        return _DaskPool(cluster, self.size())

    def size(self) -> int:
        """Cores of all jobs."""
        return self.jobs * self.cores

    def __str__(self) -> str:
        return f"{self.jobs} {self.system} jobs of {self.cores} cores"


class _DaskPool(Pool):
    """A client of a scheduler.

    Args:
        where: Address or cluster.
        expected: How many workers there will be, where the cluster is ours and ends with us.
    """

    def __init__(self, where: Any, expected: int | None) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise _missing("dask[distributed]") from None
        try:
            self._client = Client(where, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"Argument `scheduler` must be the address of a running Dask scheduler, but {where!r} "
                             f"does not answer: {error}.") from None
        self._cluster = where if expected is not None else None
        self._expected = expected
        self._finished: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}

    @property
    def workers(self) -> int:
        return self._expected or max(1, sum(self._client.nthreads().values()))

    def submit(self, number: int, task: Task, item: Any) -> None:
        future = self._client.submit(task, item, pure=False)
        self._futures[number] = future
        future.add_done_callback(lambda _: self._finished.put(number))

    def next(self, seconds: float) -> tuple[int, Any] | None:
        try:
            number = self._finished.get(timeout=seconds)
        except queue.Empty:
            return None
        future = self._futures.pop(number)
        error = future.exception()
        return number, future.result() if error is None else Lost(f"Dask gave it up: {type(error).__name__}: {error}")

    def close(self) -> None:
        if self._futures:
            self._client.cancel(list(self._futures.values()))
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _missing(package: str) -> InputError:
    return InputError(f"Argument `executor` must be InProcess or Processes where {package} is not installed, but is "
                      "one of Dask: install mps_battery[cluster].")
