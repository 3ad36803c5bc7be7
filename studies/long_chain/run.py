"""Power of a chain of spins coupled by a power law, against its length and the range of the coupling.

    python studies/long_chain/run.py [--largest 100] [--workers 2] [--exponents 0.5 1]

sweeps lengths and exponents, going on from its checkpoint where it was interrupted, writes data/power.json (parameters,
numbers, bars, versions, cost), and draws data/power.png from it. `--plot` only draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import CubicSpline

import mps_battery as mb
from mps_battery.executors import InProcess, Processes
from mps_battery.models import spin_chain

DATA = Path(__file__).resolve().parent / "data"
LENGTHS = (12, 16, 20, 30, 40, 60, 80, 100)
EXPONENTS = (0.5, 1.0, 1.5, 2.0, 3.0, 6.0)
FIXED = {"field": 1.0, "coupling": 0.5, "anisotropy": -0.5, "drive": 1.0}
SPACINGS = {0.5: 0.01, 1.0: 0.02}
"""Between recorded times; the longer the range, the earlier is the largest power of a long chain. Elsewhere 0.04."""
TRUNCATION = mb.Truncation(64, 1e-9)


def optimum(times: np.ndarray, energy: np.ndarray, bar: np.ndarray) -> tuple[float, float, float]:
    """(largest W / t, its bar, its time) by a spline of W, of which value and slope vanish at the start.

    The bar adds what the run is known to and what the spline misses: an eighth of what every second time changes, since
    its error falls as the fourth power of the spacing.
    """
    fine = np.linspace(times[1], times[-1], 4001)
    power, rough = (CubicSpline(times[::k], energy[::k], bc_type=((1, 0.0), "not-a-knot"))(fine) / fine for k in (1, 2))
    k = int(np.argmax(power))
    return float(power[k]), float(np.interp(fine[k], times, bar) / fine[k] + abs(power[k] - rough.max()) / 8), \
        float(fine[k])


def slopes(lengths: np.ndarray, power: np.ndarray, bars: np.ndarray) -> list[tuple[float, float]]:
    """Slopes of ln P against ln N between neighbouring lengths, with bars."""
    logs, widths = np.log(power), bars / power
    steps = np.diff(np.log(lengths))
    return [(float(s), float(w)) for s, w in zip(np.diff(logs) / steps, np.hypot(widths[1:], widths[:-1]) / steps,
                                                 strict=True)]


def times_of(exponent: float) -> np.ndarray:
    """Recorded times, to 0.32 at the longest range and 0.64 elsewhere."""
    spacing = SPACINGS.get(exponent, 0.04)
    return spacing * np.arange(17 if spacing == 0.04 else 33)


def compute(largest: int, workers: int, exponents: Sequence[float]) -> None:
    """Sweep the lengths, one exponent after another; rows of other exponents in the data are kept."""
    lengths = [n for n in LENGTHS if n <= largest]
    executor = Processes(workers) if workers > 1 else InProcess()
    target = DATA / "power.json"
    rows = json.loads(target.read_text())["rows"] if target.exists() else []
    for p in exponents:
        times, path = times_of(p), DATA / f"power{largest}-{p:g}.checkpoint"
        if path.exists():
            table = mb.resume(path, executor=executor, progress=True)
        else:
            table = mb.sweep(spin_chain.power_law, {"cells": lengths, "exponent": p, **FIXED}, times=times,
                             method=mb.TDVP(dt=float(times[1]), order=2, start_bond=0), truncation=TRUNCATION,
                             record={"energy": mb.Energy()}, bars=True, executor=executor, progress=True,
                             checkpoint=mb.Checkpoint(path, interval=20.0))
        path.unlink()
        print(table)
        rows = [r for r in rows if r["exponent"] != p]
        for i, n in enumerate(lengths):
            energy, bar = (t["energy"].values[i, 0] for t in (table.data, table.bars))
            rows.append({"cells": n, "exponent": p, "times": times.tolist(), "energy": energy.tolist(),
                         "bars": bar.tolist(), "bond": int(table.data["max_bond"].values[i, 0]),
                         "processor_seconds": round(table.card["processor_seconds"] / len(lengths), 3)})
        found = {"fixed": FIXED, "method": "TDVP(dt=spacing of the times, order=2, start_bond=0)",
                 "truncation": str(TRUNCATION), "version": mb.__version__, "rows": rows}
        target.write_text(json.dumps(found) + "\n")


def draw() -> None:
    found = json.loads((DATA / "power.json").read_text())
    rows = found["rows"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.9), layout="constrained")
    for j, p in enumerate(EXPONENTS):
        mine = [r for r in rows if r["exponent"] == p]
        n = np.array([r["cells"] for r in mine])
        power, bars, when = np.array([optimum(*(np.array(r[k]) for k in ("times", "energy", "bars"))) for r in mine]).T
        left.errorbar(n, power / n, bars / n, fmt="o-", markersize=4, color=f"C{j}", label=f"p = {p:g}")
        steep = slopes(n, power, bars)
        middle = np.sqrt(n[1:] * n[:-1])
        right.errorbar(middle, [s for s, _ in steep], [w for _, w in steep], fmt="o-", markersize=4, color=f"C{j}")
        print(f"p = {p:g}: P/N from {power[0] / n[0]:.4f} to {power[-1] / n[-1]:.4f} at t = {when[-1]:.3f}; slopes",
              ", ".join(f"{s:.4f}({w:.1e})" for s, w in steep))
    left.set(ylim=(1.15, None), xlabel="cells N", ylabel="largest W / (t N)", title="power a cell")
    left.legend(fontsize=7, loc="lower right", ncols=3)
    right.set(xlabel="cells N", ylabel="d ln P / d ln N", title="exponent of the power")
    right.axhline(1.0, color="gray", linewidth=0.8)
    figure.savefig(DATA / "power.png", dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--exponents", type=float, nargs="+", default=EXPONENTS)
    parser.add_argument("--plot", action="store_true")
    given = parser.parse_args()
    if not given.plot:
        compute(given.largest, given.workers, given.exponents)
    draw()
