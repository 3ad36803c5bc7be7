"""The speed study: one command, `python studies/speed/run.py`.

    run.py               rerun the winners of settings.json: every entry on 1 and 2 threads, three times, median
    run.py --scan        try every setting of grids.py on one thread first, and store the winners in settings.json
    run.py --references  make the converged references data/*.npz first
    run.py --only W1 --label tuned   restrict to some workloads and lines; other results are kept

Each solution runs in a fresh process (solve.py) with the BLAS threads fixed by environment. Writes data/results.json
and the table in README.md; plot.py draws the figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import exact
import numpy as np
import table
from grids import ENTRIES, Entry
from tools import TOOLS
from workloads import DATA, WORKLOADS, Workload, judged

HERE = Path(__file__).resolve().parent
SETTINGS, RESULTS, SCAN = HERE / "settings.json", DATA / "results.json", DATA / "scan.json"
EXACT = {"cavity": {"cutoff": 1000}, "syk": {}, "steady": {"drop": 1e-3, "fill": 10, "rtol": 1e-11}}
"""Settings of scipy where it makes the reference; N = 16 of the steady state is too large for it."""
LARGE = {"W7B": {"identity": 1.75, "rung": 6, "most": 8}, "W7C": {"identity": 1.75, "rung": 3, "most": 6}}
"""Settings of sweeps at N = 16 and 32, bond 80, which bond 64 tells the uncertainty of."""
REPEATS = 3
LONG = 20.0
"""Seconds; what takes longer is run once."""
LIMIT = 1800.0
"""Seconds after which a solution is given up."""
TIGHT = {"W1": {"dt": 0.025, "weight": 1e-20}, "W2N": {"dt": 0.125, "weight": 1e-15},
         "W2F": {"dt": 0.25, "weight": 1e-13}, "W2D": {"dt": 0.0625, "weight": 1e-16},
         "W3": {"dt": 0.125, "weight": 1e-12}, "W6": {"dt": 0.0625, "weight": 1e-13, "bond": 320},
         "W6L": {"dt": 1 / 6, "weight": 1e-13, "bond": 512}}
"""Settings of the references (TEBD of mps_battery); their uncertainty is read from a run with twice the step and a
hundred times the weight, or with `LOOSER`."""
LOOSER = {"W6": {"dt": 0.1, "bond": 160, "weight": 1e-13}, "W6L": {"dt": 1 / 6, "bond": 384, "weight": 1e-13}}
"""Where the bond is what limits. On six sites steps of 1/6 are wrong by 1.2e-5, of 1/8 by 4e-6."""


# -- one solution ------------------------------------------------------------------------------------------------
def solve(workload: Workload, entry: Entry, settings: dict, threads: int, limit: float = LIMIT) -> dict:
    """Seconds, memory, error and bond of one solution in a fresh process; {"failed": why} if there is none."""
    tool = TOOLS[entry.tool]
    environment = {**os.environ, **tool.environment, "PYTHONHASHSEED": "0"}
    for name in ("OMP", "OPENBLAS", "MKL"):
        environment[f"{name}_NUM_THREADS"] = str(threads)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        job, answer = Path(folder) / "job.json", Path(folder) / "answer.npz"
        job.write_text(json.dumps({"workload": workload.name, "tool": tool.name, "settings": settings}))
        try:
            done = subprocess.run([sys.executable, HERE / "solve.py", job, answer], env=environment,
                                  capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return {"failed": f"stopped after {limit:.0f} s"}
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        cost = json.loads(done.stdout.strip().splitlines()[-1])
        with np.load(answer) as arrays:
            errors = {"error": workload.error(arrays)}
            if "entropy" in arrays:
                errors["error_entropy"] = workload.error(arrays, "entropy")
            return {**cost, **errors, "bond": int(arrays["bond"]), "load_before": round(load, 2)}


# -- scan ----------------------------------------------------------------------------------------------------------
def scan(workload: Workload, entry: Entry) -> None:
    """Stores the fastest setting that reaches the target, or the most accurate one where none does."""
    winner, tries = search(workload, entry)
    winners = stored(SETTINGS, {})
    winners.setdefault(workload.name, {})[entry.label] = winner
    store(SETTINGS, winners)
    others = [t for t in stored(SCAN, []) if (t["workload"], t["label"]) != (workload.name, entry.label)]
    store(SCAN, others + tries)


def search(workload: Workload, entry: Entry) -> tuple[dict, list[dict]]:
    """The winner of an entry, and every try."""
    candidates, target = list(entry.settings()), workload.target
    if entry.like:
        like = next(e for e in ENTRIES[workload.name] if e.label == entry.like)
        target = solve(workload, like, dict(like.fixed), 1)["error"]
        candidates.append(dict(like.fixed))
    if len(candidates) == 1:
        return {"settings": candidates[0]}, []
    best, limit, tries = None, LIMIT, []
    for settings in candidates:
        one = {"workload": workload.name, "label": entry.label, "settings": settings,
               **solve(workload, entry, settings, 1, limit)}
        tries.append(one)
        show(workload, entry, settings, 1, one)
        if "failed" in one:
            continue
        one["reached"] = one["error"] <= target
        if best is None or rank(one) < rank(best):
            best = one
            # nobody waits for what has lost already; start and imports take up to 30 s of their own
            limit = min(LIMIT, 30 + 2 * one["seconds"]) if one["reached"] else LIMIT
    if best is None:
        return {"settings": candidates[0], "failed": True}, tries
    return {k: best[k] for k in ("settings", "reached", "seconds", "processor_seconds", "error")}, tries


def rank(one: dict) -> tuple:
    """Reached before missed, then less processor time (which other work on the machine disturbs least)."""
    return (not one["reached"], one["processor_seconds"] if one["reached"] else one["error"])


# -- timings -------------------------------------------------------------------------------------------------------
def measure(jobs: list[tuple[Workload, Entry, dict]], repeats: int) -> list[dict]:
    """Every job on every number of threads; the repeats go round all jobs, so that a drift of the machine hits all."""
    runs: dict[tuple, list[dict]] = {}
    for turn in range(repeats):
        for k, (workload, entry, settings) in enumerate(jobs):
            for threads in workload.threads:
                so_far = runs.setdefault((k, threads), [])
                if turn and ("failed" in so_far[0] or so_far[0]["seconds"] > LONG):
                    continue
                so_far.append(solve(workload, entry, settings, threads))
                show(workload, entry, settings, threads, so_far[-1])
    out = []
    for (k, threads), so_far in runs.items():
        workload, entry, settings = jobs[k]
        line = {"workload": workload.name, "label": entry.label, "tool": entry.tool, "settings": settings,
                "threads": threads}
        good = [r for r in so_far if "failed" not in r]
        if len(good) < len(so_far):
            out.append({**line, **next(r for r in so_far if "failed" in r)})
            continue
        median = sorted(good, key=lambda r: r["seconds"])[(len(good) - 1) // 2]
        reached = max(r["error"] for r in good) <= workload.target
        out.append({**line, **median, "reached": reached, "all_seconds": [round(r["seconds"], 3) for r in good],
                    "megabytes": max(r["megabytes"] for r in good),
                    "load_before": max(r["load_before"] for r in good)})
    return out


# -- references ----------------------------------------------------------------------------------------------------
def make_reference(workload: Workload) -> None:
    """A tight run and a looser one that tells its uncertainty; short chains exactly, in two ways of stepping."""
    from tools import ours, with_scipy

    if workload.kind == "many":
        one, two = (exact.magnetisation(workload, pieces) for pieces in (1, 2))
        uncertainty = float(np.abs(one - two).max())
        np.savez_compressed(DATA / f"{workload.name}.npz", times=workload.times, sz=one, uncertainty=uncertainty,
                            settings=json.dumps({"scipy": version("scipy")}))
        print(f"{workload.name}: exact reference, uncertain by {uncertainty:.1e}", flush=True)
        return
    if workload.kind == "cells":
        np.savez_compressed(DATA / f"{workload.name}.npz", **exact.cells(workload))
        return
    if workload.kind == "elements":
        np.savez_compressed(DATA / f"{workload.name}.npz", elements=exact.elements(workload))
        return
    if workload.kind in EXACT and workload.name not in LARGE:
        solved = with_scipy.KINDS[workload.kind](workload, EXACT[workload.kind])
        np.savez_compressed(DATA / f"{workload.name}.npz", times=workload.times, **solved)
        return
    if workload.kind == "steady":
        large = LARGE[workload.name]
        best, looser = (ours.KINDS["steady"](workload, {**large, "bond": bond}) for bond in (80, 64))
        uncertainty = float(np.abs(best["current"] - looser["current"]).max())
        np.savez_compressed(DATA / f"{workload.name}.npz", **best, uncertainty=uncertainty, settings=json.dumps(large))
        print(f"{workload.name}: current {best['current'][0]:.7f}, uncertain by {uncertainty:.1e}", flush=True)
        return
    tight = {"method": "TEBD", "bars": False, **TIGHT[workload.name]}
    loose = {**tight, "dt": 2 * tight["dt"], "weight": 100 * tight["weight"], **LOOSER.get(workload.name, {})}
    free = replace(workload, bond=1024)
    looser, best = ours.KINDS[workload.kind](free, loose), ours.KINDS[workload.kind](free, tight)
    uncertainty = float(np.abs(judged(best, workload.judged) - judged(looser, workload.judged)).max())
    np.savez_compressed(DATA / f"{workload.name}.npz", times=workload.times, **best, uncertainty=uncertainty,
                        settings=json.dumps({**tight, "mps_battery": version("mps_battery")}))
    print(f"{workload.name}: reference with bond {int(best['bond'])}, uncertain by {uncertainty:.1e}", flush=True)


# -- the machine, and the command ----------------------------------------------------------------------------------
def machine() -> dict:
    """What the times depend on."""
    facts = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
             "system": platform.system(), "python": platform.python_version()}
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [s.split(":")[1].strip() for s in info.read_text().splitlines() if s.startswith("model name")]
        facts["processor"] = names[0] if names else facts["processor"]
    packages = {"numpy", "scipy"} | {t.distribution for t in TOOLS.values() if t.installed}
    facts["versions"] = {name: version(name) for name in sorted(packages)}
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    facts["blas"] = f"{blas['name']} {blas['version']}"
    return facts


def show(workload: Workload, entry: Entry, settings: dict, threads: int, one: dict) -> None:
    told = one["failed"] if "failed" in one else (f"{one['seconds']:.2f} s, {one['megabytes']:.0f} MB, "
                                                  f"error {one['error']:.1e}, bond {one['bond']}")
    print(f"{workload.name}  {entry.label}  {table.shown(settings)}  {threads} thread{'s' * (threads > 1)}: {told}",
          flush=True)


def stored(path: Path, default):
    return json.loads(path.read_text()) if path.exists() else default


def store(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--scan", action="store_true", help="tune every entry first")
    command.add_argument("--references", action="store_true", help="make the references first")
    command.add_argument("--only", nargs="+", default=[""], help="workloads whose names begin so")
    command.add_argument("--label", nargs="+", default=None, help="lines of the table")
    command.add_argument("--repeat", type=int, default=REPEATS, help="runs of each entry; 0 times nothing")
    asked = command.parse_args()
    for start in asked.only:
        if not any(name.startswith(start) for name in WORKLOADS):
            command.error(f"no workload begins with {start!r}: there are {', '.join(WORKLOADS)}")

    DATA.mkdir(exist_ok=True)
    jobs = []
    for name in WORKLOADS:
        if not name.startswith(tuple(asked.only)):
            continue
        workload = WORKLOADS[name]
        if asked.references or not (DATA / f"{name}.npz").exists():
            make_reference(workload)
        entries = [e for e in ENTRIES[name] if TOOLS[e.tool].installed and e.label in (asked.label or [e.label])]
        for entry in entries if asked.scan else ():
            scan(workload, entry)
        winners = stored(SETTINGS, {}).get(name, {})
        missing = [e.label for e in entries if e.label not in winners]
        if missing:
            sys.exit(f"No settings for {', '.join(missing)} of {name}: run with --scan first.")
        jobs += [(workload, e, winners[e.label]["settings"]) for e in entries]
    if asked.repeat:
        fresh = measure(jobs, asked.repeat)
        done = {(r["workload"], r["label"]) for r in fresh}
        kept = [r for r in stored(RESULTS, {"runs": []})["runs"] if (r["workload"], r["label"]) not in done]
        store(RESULTS, {"machine": machine(), "runs": kept + fresh})
    results = stored(RESULTS, None)
    if results:
        print(table.text(results))
        table.write_readme(results)


if __name__ == "__main__":
    main()
