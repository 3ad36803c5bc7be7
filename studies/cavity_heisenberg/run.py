"""How the best mean power of a Heisenberg chain in a cavity grows with its length, and what bounds it.

    python studies/cavity_heisenberg/run.py                      # data/powers.json and data/cavity_heisenberg.png
    python studies/cavity_heisenberg/run.py strong --sizes 10    # one case anew, and the figure of all

Every run has a process of its own, for the sake of memory. A case is run at a weight and at a tenth of it; the
difference is the error that is claimed. Ten cells are compared with exact evolution of the whole state.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import diags, identity, kron
from scipy.sparse.linalg import expm_multiply

import mps_battery as mb
from mps_battery.models import cavity

DATA = Path(__file__).resolve().parent / "data"
SIZES = (10, 14, 20, 28, 40)
CASES = {
    "equal": {"coupling": 0.2, "exchange": 0.2, "anisotropy": 0.5},
    "strong": {"coupling": 0.2, "exchange": 0.5, "anisotropy": 0.5},
    "ultrastrong": {"coupling": 1.0, "exchange": 1.0, "anisotropy": 0.5},
    "weak": {"coupling": 0.05, "exchange": 0.05, "anisotropy": 0.5},
    "isotropic": {"coupling": 0.2, "exchange": 0.2, "anisotropy": 1.0},
    "isotropic weak": {"coupling": 0.01, "exchange": 0.05, "anisotropy": 1.0},
}
FIRST = {"equal": 0.98, "strong": 0.93, "ultrastrong": 0.212, "weak": 6.5, "isotropic": 1.0, "isotropic weak": 33.0}
"""About when ten cells have charged the fastest."""
WEIGHT = 1e-7
"""Discarded weight; a second run is at ten times as much."""
SHOWN = {"cells", "power", "error", "exact", "large_spin", "rotating_wave", "time", "bond", "cpu_seconds", "megabytes"}
"""What is printed of a row."""


def charged(case: str, cells: int, weight: float, around: float, exact: bool = False) -> dict[str, Any]:
    """Best mean power E / t about a time; later states are more entangled, so that nothing is recorded long after."""
    begun = time.process_time()
    battery = cavity.cavity_heisenberg(cells=cells, **CASES[case])
    times = around * np.array([0.0, 0.3, 0.6, 0.8, 0.95, 1.08])
    run = mb.charge(battery, times, bars=False, progress=False, record={"energy": mb.Energy(), "power": mb.Power()},
                    method=mb.Exact(1e-10) if exact else mb.TEBD(), truncation=mb.Truncation(256, weight))
    best = mb.measure.maximum_power(run)
    return {"cells": cells, "weight": weight, "power": best.value, "cubic": best.bar, "time": best.time,
            "energy": best.energy, "inside": best.inside, "bond": run.budget.max_bond,
            "cutoff": battery.parameters["cutoff"], "cutoff_population": run.budget.cutoff_population,
            "method": run.card["method"], "cpu_seconds": round(time.process_time() - begun, 2),
            "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "version": mb.__version__}


def bound(cells: int, coupling: float) -> float:
    """No chain that conserves the excited cells charges faster from as many photons as cells; see README."""
    return coupling * cells * (np.sqrt(4 * cells + 2) + np.sqrt(8 * cells + 2)) / 2


def one_large_spin(cells: int, coupling: float, counter: bool, around: float) -> float:
    """Best mean power without exchange, in the space of one spin cells / 2 and its mode: for the isotropic chain."""
    m, n = np.arange(cells), np.arange(1.0, 3 * cells + 9)
    raising = diags(np.sqrt((cells - m) * (m + 1.0)), -1)                 # J+ on the count of excited cells
    lowering = diags(np.sqrt(n), 1)                                       # a
    excited, photons = diags(np.arange(cells + 1.0)), diags(np.r_[0.0, n])
    h = kron(excited, identity(len(n) + 1)) + kron(identity(cells + 1), photons)
    rotating = kron(raising, lowering)
    opposite = kron(raising, lowering.T)
    h = (h + coupling * (rotating + rotating.T + counter * (opposite + opposite.T))).tocsr()
    start = np.zeros((cells + 1, len(n) + 1), dtype=complex)
    start[0, cells] = 1

    def power(t: float) -> float:
        state = expm_multiply(-1j * t * h, start.ravel(), traceA=-1j * t * h.trace()).reshape(start.shape)
        return -float(np.sum(np.abs(state) ** 2, axis=1) @ np.arange(cells + 1.0)) / t

    found = minimize_scalar(power, bounds=(0.7 * around, 1.3 * around), method="bounded",
                            options={"xatol": 1e-4 * around})
    return -float(found.fun)


def slope(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Least squares of log power against log N: the slope, and its standard error from the scatter about the line."""
    x, y = np.log([r["cells"] for r in rows]), np.log([r["power"] for r in rows])
    (value, constant), count = np.polyfit(x, y, 1), len(x)
    scatter = np.sum((y - value * x - constant) ** 2) / max(count - 2, 1)
    return float(value), float(np.sqrt(scatter / np.sum((x - x.mean()) ** 2)))


def summary(kept: dict[str, Any]) -> dict[str, Any]:
    """Exponents over all sizes and between neighbours, with what numerical errors leave of them."""
    out = {}
    for case, rows in kept.items():
        error = [r["error"] / r["power"] for r in rows]
        windows = {f"{a['cells']} to {b['cells']}": [
            float(np.log(b["power"] / a["power"]) / np.log(b["cells"] / a["cells"])),
            float(np.hypot(ea, eb) / np.log(b["cells"] / a["cells"]))]
            for a, b, ea, eb in zip(rows, rows[1:], error, error[1:], strict=False)}
        out[case] = {"windows": windows, "worst_error": max(error)}
        if len(rows) > 2:
            out[case]["all"] = slope(rows)
            values = [w for w, _ in windows.values()]
            out[case]["drift"] = values[-1] - values[0]
    return out


def draw(kept: dict[str, Any], found: dict[str, Any]) -> None:
    """Power over its bound, and exponents between neighbouring sizes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    for k, (case, rows) in enumerate(kept.items()):
        n, g = np.array([r["cells"] for r in rows]), CASES[case]["coupling"]
        text = f"{case}: " + ", ".join(f"{name} {CASES[case][key]:g}" for name, key in
                                       (("g", "coupling"), ("J", "exchange"), (r"$\Delta$", "anisotropy")))
        left.loglog(n, [r["power"] / g for r in rows], "o-", color=f"C{k}", label=text, ms=4)
        middles = np.sqrt(n[:-1] * n[1:])
        values = np.array(list(found[case]["windows"].values()))
        if len(values):
            right.errorbar(middles, *values.T, fmt="o-", color=f"C{k}", ms=4)
    n = np.array(SIZES)
    left.loglog(n, [bound(int(k), 1.0) for k in n], "k--", label="bound, any chain")
    right.axhline(1.5, color="k", ls="--", lw=1)
    left.set(xlabel="cells N", ylabel="best mean power / coupling", title="power")
    right.set(xlabel="cells N", ylabel="exponent between neighbouring sizes", title="local exponent", xscale="log")
    for axis in (left, right):
        axis.set_xticks(n, [str(k) for k in n])
        axis.xaxis.minorticks_off()
    left.legend(frameon=False, fontsize=7)
    figure.savefig(DATA / "cavity_heisenberg.png", dpi=130)


def run_case(case: str, sizes: list[int]) -> list[dict[str, Any]]:
    """A case over sizes: the better run, its error, and what it is compared with."""
    rows: list[dict[str, Any]] = []
    around, before = FIRST[case], SIZES[0]
    for cells in sizes:
        around, before = around * np.sqrt(before / cells), cells
        while True:
            two = [alone(case, cells, weight, around) for weight in (10 * WEIGHT, WEIGHT)]
            if all(r["inside"] for r in two):
                break
            around *= 1.1
        row = two[1] | {"error": abs(two[1]["power"] - two[0]["power"]) + two[1]["cubic"],
                        "bound": bound(cells, CASES[case]["coupling"])}
        around = row["time"]
        if cells == SIZES[0]:
            row["exact"] = alone(case, cells, 0.0, around, True)["power"]
        if CASES[case]["anisotropy"] == 1:
            row |= {"large_spin": one_large_spin(cells, CASES[case]["coupling"], True, around),
                    "rotating_wave": one_large_spin(cells, CASES[case]["coupling"], False, around)}
        rows.append(row)
        print(case, *(f"{k} {row[k]:.6g}" for k in row if k in SHOWN), flush=True)
    return rows


def alone(*arguments: Any) -> dict[str, Any]:
    """`charged` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(charged, *arguments).result()


def main() -> None:
    """Charge, write after every case, fit and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    asked = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    path = DATA / "powers.json"
    kept = json.loads(path.read_text())["rows"] if path.exists() else {}
    for case in asked.cases:
        mine = {r["cells"]: r for r in kept.get(case, [])} | {r["cells"]: r for r in run_case(case, asked.sizes)}
        kept[case] = [mine[n] for n in sorted(mine)]
        kept = {c: kept[c] for c in CASES if c in kept}
        path.write_text(json.dumps({"rows": kept, "summary": summary(kept)}, indent=1) + "\n")
    found = summary(kept)
    draw(kept, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    sys.exit(main())
