"""How the heat current out of L cells grows with L: alone (L), together (L^2), all at once (L^3).

    python studies/heat_current/run.py

writes data/instantaneous.json and data/heat_current.png, with the steady currents of steady.py beside them. All numbers
come from matrix product states and operators of the package; the closed forms stand beside them.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mps_battery as mb
from mps_battery.liouville import adjoint_dissipator

DATA = Path(__file__).resolve().parent / "data"
STEADY = DATA / "steady.json"
SIZES = (10, 20, 40, 70, 100, 130, 160, 200)
RATE, SPLITTING = 0.01, 1.0


def energy(sites) -> mb.Terms:
    """splitting sum (1 + Z) / 2."""
    h = mb.Terms(sites)
    for n in range(len(sites)):
        h += SPLITTING / 2, ("Z", n)
        h += SPLITTING / 2,
    return h


def dicke(sites, excitations: int) -> mb.MPS:
    """The symmetric state with a number of excitations: every bond counts those to its left."""
    length, tensors = len(sites), []
    for n in range(length):
        left, right = min(n, excitations) + 1, min(n + 1, excitations) + 1
        a = np.zeros((left, 2, right))
        for k in range(left):
            a[k, 1, k] = 1.0                                         # down
            if k + 1 < right:
                a[k, 0, k + 1] = 1.0                                 # up
        tensors.append(a)
    tensors[-1] = tensors[-1][:, :, excitations:excitations + 1]
    state = mb.MPS(tuple(sites), tensors).canonical(0)
    return mb.MPS(state.sites, [state.tensors[0] / state.norm, *state.tensors[1:]], 0)


def alone(length: int) -> tuple[float, float]:
    """Jumps sqrt(rate) s-_n on every cell, all up: rate splitting L."""
    sites = (mb.Spin(),) * length
    h, current = energy(sites), 0.0
    state = mb.MPS.product(sites, "up")
    for n in range(length):
        jump = mb.Terms(sites)
        jump += np.sqrt(RATE), ("Sm", n)
        current -= state.expect(adjoint_dissipator(jump, h)).real
    return current, RATE * SPLITTING * length


def together(length: int) -> tuple[float, float]:
    """One jump sqrt(rate) sum s-_n, half the cells excited in the symmetric state: rate splitting L/2 (L/2 + 1)."""
    sites = (mb.Spin(),) * length
    jump = mb.Terms(sites)
    for n in range(length):
        jump += np.sqrt(RATE), ("Sm", n)
    current = -dicke(sites, length // 2).expect(adjoint_dissipator(jump, energy(sites))).real
    return current, RATE * SPLITTING * (length / 2) * (length / 2 + 1)


def at_once(length: int) -> tuple[float, float]:
    """All flip: rate splitting L^3, from all up.

    H_int = g L (|E><G| + h.c.) with a bath operator of unit correlation time has norm O(L), as an extensive coupling
    has; Fermi's rule gives the jump |G><E| the rate (g L)^2 = rate L^2, and every jump carries L quanta.
    """
    sites = (mb.Spin(),) * length
    jump = mb.Terms(sites)
    jump += (np.sqrt(RATE) * length, *[("Sm", n) for n in range(length)])
    state = mb.MPS.product(sites, "up")
    return -state.expect(adjoint_dissipator(jump, energy(sites))).real, RATE * SPLITTING * length**3


CASES = {"alone": alone, "together": together, "at once": at_once}


def main() -> None:
    DATA.mkdir(exist_ok=True)
    begun, results = time.perf_counter(), {}
    for name, case in CASES.items():
        pairs = np.array([case(length) for length in SIZES])
        late = [k for k, length in enumerate(SIZES) if length >= 100]
        slope = np.polyfit(np.log(np.array(SIZES)[late]), np.log(pairs[late, 0]), 1)[0]
        worst = float(np.abs(pairs[:, 0] / pairs[:, 1] - 1).max())
        results[name] = {"L": list(SIZES), "current": pairs[:, 0].tolist(), "closed_form": pairs[:, 1].tolist(),
                         "largest_relative_error": worst, "exponent": float(slope)}
        print(f"{name}: exponent {slope:.4f} over L = 100 to 200, largest relative error {worst:.1e}")
    results["seconds"] = time.perf_counter() - begun
    (DATA / "instantaneous.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results)


def draw(results: dict) -> None:
    """Instantaneous currents, and beside them the steady ones of steady.py where they are there."""
    steady = json.loads(STEADY.read_text()) if STEADY.exists() else {}
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    for (name, power), colour in zip((("alone", 1), ("together", 2), ("at once", 3)), ("C0", "C2", "C3"), strict=True):
        r = results[name]
        lengths = np.array(r["L"], dtype=float)
        axes[0].loglog(lengths, r["current"], "o", color=colour, label=f"{name}: slope {r['exponent']:.3f}")
        axes[0].loglog(lengths, r["closed_form"], "-", color=colour, linewidth=1)
        axes[0].loglog(lengths, RATE * SPLITTING * lengths**power, ":", color=colour, linewidth=1)
        rows = steady.get(name, [])
        if not rows:
            continue
        lengths, current, exact = (np.array([row[key] for row in rows]) for key in ("L", "hot", "closed_form"))
        slope = np.polyfit(np.log(lengths[-4:]), np.log(current[-4:]), 1)[0]
        axes[1].loglog(lengths, current, "o", color=colour, label=f"{name}: slope {slope:.2f}")
        axes[1].loglog(lengths, exact, "-", color=colour, linewidth=1)
        axes[1].loglog(lengths, exact[0] * (lengths / lengths[0]) ** power, ":", color=colour, linewidth=1)
    titles = "Instantaneous current out of L cells", "Steady current through L cells"
    for axis, title in zip(axes, titles, strict=True):
        axis.set(xlabel="cells L", ylabel="heat current / (energy / time)", title=title)
        axis.set_ylim(bottom=axis.get_ylim()[0] / 8)                     # room for the legend
        axis.legend(fontsize=8, loc="lower right")
    axes[1].set_xticks(ticks := (2, 4, 6, 10, 20), [str(t) for t in ticks])
    axes[1].xaxis.set_minor_formatter("")
    axes[0].text(0.03, 0.97, "points: tensor networks; lines: closed forms;\ndotted: L, L$^2$, L$^3$",
                 transform=axes[0].transAxes, va="top", fontsize=8)
    figure.savefig(DATA / "heat_current.png", dpi=150)


if __name__ == "__main__":
    main()
