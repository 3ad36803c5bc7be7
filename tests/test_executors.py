"""Executors: every item is done once, dead workers are replaced, and where work is done changes no bit of it."""

import os
import signal

import numpy as np
import pytest

import mps_battery as mb
from mps_battery import executors


def collected(executor, task, items):
    with executor.open() as pool:
        for number, item in enumerate(items):
            pool.submit(number, task, item)
        out = {}
        while len(out) < len(items):
            done = pool.next(30.0)
            assert done is not None
            out[done[0]] = done[1]
    return [out[k] for k in range(len(items))]


def threads_here(item):
    from threadpoolctl import threadpool_info

    return item, {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def dies(item):
    """Item 1 kills its process."""
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def product(item):
    rng = np.random.default_rng(item)
    a = rng.normal(size=(40, 40))
    return np.linalg.eigh(a @ a.T)[1]


def test_processes_have_one_blas_thread_and_none_is_lost():
    found = collected(executors.Processes(2), threads_here, range(5))
    assert [item for item, _ in found] == list(range(5))
    assert all(threads == {1} for _, threads in found)


def test_what_a_dead_process_worked_on_is_lost_and_nothing_else():
    found = collected(executors.Processes(2), dies, range(4))
    assert [x for k, x in enumerate(found) if k != 1] == [0, 2, 3]
    assert isinstance(found[1], executors.Lost)
    assert found[1].sentence == ("The process that worked on it was killed by SIGKILL, 2 times; is there enough "
                                 "memory?")


def test_here_is_as_in_processes():
    here, there = (collected(e, product, range(3)) for e in (executors.InProcess(), executors.Processes(1)))
    assert [a.tobytes() for a in here] == [a.tobytes() for a in there]


def test_what_cannot_travel_is_named():
    with executors.Processes(1).open() as pool, pytest.raises(mb.InputError, match=r"must be InProcess\(\) for a"):
        pool.submit(0, lambda x: x, 1)


def test_a_script_without_guard_is_told(tmp_path):
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text("from mps_battery.executors import Processes\n"
                      "with Processes(1).open() as pool:\n    print(pool.next(60.0))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=os.getcwd(),
                          env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False)
    assert 'does the script sweep under `if __name__ == "__main__":`?' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: executors.Processes(0), "Argument `workers` must be None or an integer of at least 1, but is 0."),
    (lambda: executors.Dask(3), "Argument `scheduler` must be an address such as"),
    (lambda: executors.JobQueue("lsf", 1), "Argument `system` must be 'slurm' or 'pbs', but is 'lsf'."),
    (lambda: executors.JobQueue("pbs", 0), "Argument `jobs` must be an integer of at least 1, but is 0."),
])
def test_bad_settings(make, sentence):
    with pytest.raises(mb.InputError) as error:
        make()
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("system", ["slurm", "pbs"])
@pytest.mark.filterwarnings("ignore")           # a cluster object that submits nothing
def test_the_script_of_a_batch_job(system):
    pytest.importorskip("dask_jobqueue")
    cluster = executors.JobQueue(system, 3, cores=4, memory="8GB", walltime="00:20:00", queue="day").cluster()
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    assert "distributed.cli.dask_worker" in script
    assert "--nworkers 4 --nthreads 1" in script
    assert "export OPENBLAS_NUM_THREADS=1" in script
    assert "00:20:00" in script
    assert {"slurm": "#SBATCH -p day", "pbs": "#PBS -q day"}[system] in script
