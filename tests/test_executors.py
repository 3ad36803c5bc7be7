"""Executors: how they start, with one BLAS thread, and what they refuse; what they do for a sweep is in test_sweep."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mps_battery as mb
from mps_battery import executors


def vectors(item):
    rng = np.random.default_rng(item)
    a = rng.normal(size=(40, 40))
    return np.linalg.eigh(a @ a.T)[1]


def threads_and_vectors(item):
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}, vectors(item)


def test_a_process_has_one_blas_thread_and_names_what_cannot_travel():
    """That several work together, and that one which dies is replaced: test_sweep."""
    with executors.Processes(1).open() as pool:
        with pytest.raises(mb.InputError, match=r"must be InProcess\(\) for a"):
            pool.submit(9, lambda x: x, 1)
        for number in range(3):
            pool.submit(number, threads_and_vectors, number)
        found = {}
        while len(found) < 3:
            done = pool.next(30.0)
            assert done is not None
            found[done[0]] = done[1]
    for number, (threads, there) in found.items():
        assert threads == {1}
        assert there.tobytes() == vectors(number).tobytes()


def test_a_script_without_guard_is_told(tmp_path):
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
    assert {"--nworkers 4", "--nthreads 1"} <= {f"{a} {b}" for a, b in itertools.pairwise(script.split())}
    assert "export OPENBLAS_NUM_THREADS=1" in script
    assert "00:20:00" in script
    assert {"slurm": "#SBATCH -p day", "pbs": "#PBS -q day"}[system] in script
