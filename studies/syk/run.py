"""How large a dense SYK battery can be charged to its power optimum, and what it gives.

    python studies/syk/run.py                      # data/powers.json and data/syk.png
    python studies/syk/run.py --sizes 8 16         # these sizes anew, and the figure of all

Every size has a process of its own, so that its memory is its own. Complex SYK model, dense couplings, q = 4; exact
evolution of the whole state, from 16 cells on with the Hamiltonian applied by halves of the chain.
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
from scipy.interpolate import BarycentricInterpolator, CubicSpline

import mps_battery as mb
from mps_battery.models import syk

DATA = Path(__file__).resolve().parent / "data"
COUNTS = {6: 24, 8: 24, 10: 20, 12: 12, 14: 8, 16: 6, 18: 3, 20: 1}
"""Realisations of every size."""
SMALL = 10
"""Up to this size realisations differ so much that a long time is recorded; above, to one and a half optimal times."""


def charged(cells: int, realisation: int) -> dict[str, Any]:
    """One realisation: best mean power E / t, when, and what the state is like then."""
    begun = time.process_time()
    battery = syk.complex_syk(cells=cells, seed=16, realisation=realisation)
    record = {"energy": mb.Energy(), "variance": mb.EnergyVariance(), "entropy": mb.Entropy()}
    # the polynomial through evenly spaced times is checked by leaving every second one out
    last, count = (2.0, 21) if cells <= SMALL else (3.2 / np.sqrt(cells), 13 if cells <= 16 else 9)
    times = np.linspace(0, last, count)
    run = mb.charge(battery, times, method=mb.Exact(1e-10), record=record, bars=False, progress=False)
    energy = run.data["energy"].values
    when, power = best(times, energy)
    at = {"variance": run.data["variance"].values, "entropy": run.data["entropy"].values[:, cells // 2 - 1]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"realisation": realisation, "power": power, "time": when,
            "polynomial": abs(best(times[::2], energy[::2])[1] - power),
            **{name: float(CubicSpline(times, values)(when)) for name, values in at.items()},
            "drift": run.budget.energy_drift, "energies": energy.tolist(), "times": times.tolist(),
            "cpu_seconds": round(time.process_time() - begun, 2), "megabytes": round(peak), "version": mb.__version__}


def best(times: np.ndarray, energy: np.ndarray) -> tuple[float, float]:
    """When the polynomial through E / t, which is 0 at t = 0, is largest, and how large."""
    curve = BarycentricInterpolator(times, np.r_[0.0, energy[1:] / times[1:]])
    fine = np.linspace(times[0], times[-1], 10001)
    values = curve(fine)
    k = int(np.argmax(values))
    if k in (0, len(fine) - 1):
        raise RuntimeError(f"the power still rises at t = {times[-1]:g}")
    return float(fine[k]), float(values[k])


def fitted(sizes: np.ndarray, means: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Slope of log mean against log size, weighted by the errors, and its standard error from these alone."""
    x, weight = np.log(sizes), (means / errors) ** 2
    middle = np.average(x, weights=weight)
    spread = np.sum(weight * (x - middle) ** 2)
    return float(np.sum(weight * (x - middle) * np.log(means)) / spread), float(1 / np.sqrt(spread))


def summary(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Means with standard errors, and exponents over all sizes and over windows of three (of four realisations up)."""
    out: dict[str, Any] = {"sizes": {}}
    for cells, some in rows.items():
        out["sizes"][cells] = {"realisations": len(some)}
        for name in ("power", "time", "variance", "entropy", "cpu_seconds"):
            values = np.array([r[name] for r in some])
            error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
            out["sizes"][cells][name] = [float(values.mean()), error]
        out["sizes"][cells]["megabytes"] = max(r["megabytes"] for r in some)
    many = [c for c in rows if len(rows[c]) >= 4]
    for name in ("power", "time", "variance"):
        pairs = np.array([out["sizes"][c][name] for c in many], dtype=float).reshape(-1, 2)
        sizes = np.array([int(c) for c in many], dtype=float)
        if len(sizes) >= 3:
            out[name] = {"all": fitted(sizes, *pairs.T)} | {
                f"{many[k]} to {many[k + 2]}": fitted(sizes[k:k + 3], *pairs[k:k + 3].T)
                for k in range(len(sizes) - 2)}
    return out


def draw(rows: dict[str, list[dict[str, Any]]], found: dict[str, Any]) -> None:
    """Power, entanglement and cost against size."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    sizes = np.array([int(c) for c in rows], dtype=float)
    for cells, some in rows.items():
        left.loglog([int(cells)] * len(some), [r["power"] for r in some], ".", color="0.7", ms=4)
    means = np.array([s["power"][0] for s in found["sizes"].values()])
    left.errorbar(sizes, means, [s["power"][1] or 0 for s in found["sizes"].values()], fmt="o", color="C0")
    slope, error = found["power"]["all"]
    line = means[0] * (sizes / sizes[0]) ** slope
    left.loglog(sizes, line, "C0-", lw=1, label=rf"$N^{{{slope:.2f} \pm {error:.2f}}}$")
    left.loglog(sizes, line[0] * (sizes / sizes[0]) ** 1.5, "k:", lw=1, label=r"$N^{3/2}$")
    left.set(xlabel="cells N", ylabel=r"best mean power $\max_t E(t)/t$", title="power, every realisation")
    middle.plot(sizes, [s["entropy"][0] for s in found["sizes"].values()], "o-", label="at the power optimum")
    # a random state of 2 N/2-site halves [Page 1993]: ln m - 1/2 for m = 2^(N/2)
    middle.plot(sizes, sizes / 2 * np.log(2) - 0.5, "k:", label="random state (Page)")
    middle.set(xlabel="cells N", ylabel="entropy of half the chain (nats)", title="entanglement")
    right.semilogy(sizes, [s["cpu_seconds"][0] for s in found["sizes"].values()], "o-", label="CPU seconds")
    right.semilogy(sizes, [s["megabytes"] for s in found["sizes"].values()], "s--", label="memory (MB)")
    right.set(xlabel="cells N", title="cost of a realisation")
    for axis in (left, middle, right):
        axis.set_xticks(sizes, [f"{n:.0f}" for n in sizes])
        axis.xaxis.minorticks_off()
        axis.legend(frameon=False)
    figure.savefig(DATA / "syk.png", dpi=130)


def main() -> None:
    """Charge, write after every realisation, fit and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=list(COUNTS))
    asked = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    path = DATA / "powers.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    for cells in asked.sizes:
        rows[str(cells)] = []
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            for realisation in range(COUNTS.get(cells, 1)):
                row = pool.submit(charged, cells, realisation).result()
                rows[str(cells)].append(row)
                rows = {c: rows[c] for c in sorted(rows, key=int)}
                path.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
                print(f"N = {cells}: power {row['power']:.5f} at {row['time']:.4f}, entropy {row['entropy']:.3f}, "
                      f"{row['cpu_seconds']} s, {row['megabytes']} MB", flush=True)
    found = summary(rows)
    path.write_text(json.dumps({"rows": rows, "summary": found}, indent=1) + "\n")
    draw(rows, found)
    print(json.dumps({k: v for k, v in found.items() if k != "sizes"}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
