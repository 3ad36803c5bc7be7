"""Figures of the study from its data, and the L = 10 table held against the reference: `python studies/mbl/plot.py`."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

DATA = Path(__file__).resolve().parent / "data"
REFERENCE = json.loads((DATA / "reference.json").read_text())
ROUNDING = {"local_ergotropy": {10.0: 0.005}}
TITLES = {"imbalance": "imbalance", "entropy": "entropy of the middle cut (nats)",
          "local_ergotropy": "local ergotropy of cell 5", "local_capacity": "local capacity of cell 5"}


def load(name: str) -> dict:
    return json.loads((DATA / f"{name}.json").read_text())


def deviations(found: dict) -> list[tuple[float, str, float, float, float]]:
    """(disorder, quantity, time, deviation, the same in combined standard errors) of every entry of the table.

    The error of the reference is that of the sweep scaled to its number of realisations.
    """
    out = []
    disorders, times = found["coordinates"]["disorder"], found["coordinates"]["time"]
    for w, name, values in REFERENCE["means"]:
        i = disorders.index(w)
        for t, value in zip(REFERENCE["times"], values, strict=True):
            j = times.index(t)
            mean, error = found[f"{name}_mean"][i][j], found[f"{name}_error"][i][j]
            theirs = error * (found["count"][i] / (60 if w == 0.5 else 150)) ** 0.5
            rounding = ROUNDING.get(name, {}).get(w, 0.0005)
            out.append((w, name, t, mean - value, (abs(mean - value) - rounding) / np.hypot(error, theirs)))
    return out


def table() -> None:
    found, known = load("table"), {(w, name): values for w, name, values in REFERENCE["means"]}
    entries = deviations(found)
    worst = max(entries, key=lambda e: e[4])
    print(f"L = 10 table: {len(entries)} entries, largest deviation {worst[4]:.2f} combined standard errors at "
          f"W = {worst[0]:g}, {worst[1]}, t = {worst[2]:g}; {sum(e[4] > 2 for e in entries)} above 2")
    times = np.array(found["coordinates"]["time"])
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    for axis, (name, title) in zip(axes, TITLES.items(), strict=True):
        for k, w in enumerate(found["coordinates"]["disorder"]):
            mean = np.array(found[f"{name}_mean"][k])
            low, high = (np.array(found[f"{name}_{word}"][k]) for word in ("low", "high"))
            axis.plot(times[1:], mean[1:], "-", color=f"C{k}", label=f"W = {w:g}")
            axis.fill_between(times[1:], low[1:], high[1:], color=f"C{k}", alpha=0.25, linewidth=0)
            if (w, name) in known:
                axis.plot(REFERENCE["times"], known[w, name], "x", color=f"C{k}")
        axis.set(xscale="log", xlabel="time", title=title)
    axes[3].legend(fontsize=7, loc=(0.03, 0.45))
    figure.savefig(DATA / "table.png", dpi=130)


def claims() -> None:
    """Share of the energy of half the chain that is work, and what a chain driven at one end takes up."""
    cut, end = load("ising"), load("local")
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    panels = ((cut, "share", "half the chain: work / energy, t >= 10"),
              (cut, "swing", "swings of its energy / its mean, t >= 10"),
              (end, "fill", "driven at one end: largest energy / capacity"),
              (end, "top", "driven at one end: largest energy"))
    for axis, (source, name, title) in zip(axes, panels, strict=True):
        for k, (cells, found) in enumerate(source.items()):
            disorder = found["coordinates"]["disorder"]
            for j, nn in enumerate(found["coordinates"]["next_nearest"]):
                mean, error = (np.array(found[f"{name}_{word}"])[:, j] for word in ("mean", "error"))
                axis.errorbar(disorder, mean, error, fmt="o-" if nn else "s--", markersize=4, color=f"C{k}",
                              mfc=None if nn else "white", label=f"N = {cells}, {'interacting' if nn else 'free'}")
                print(name, cells, nn, np.round(mean, 4).tolist(), np.round(error, 4).tolist())
        axis.set(xlabel="disorder", title=title)
        axis.title.set_fontsize(9)
    axes[0].legend(fontsize=7)
    figure.savefig(DATA / "claims.png", dpi=130)


def long() -> None:
    """Sixty-four cells: means over blocks against the logarithm of time, fitted from t = 10 on."""
    found = load("long")
    times = np.array(found["coordinates"]["time"])
    late = times >= 9.99
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    for axis, name in zip(axes, TITLES, strict=True):
        mean, error, bar = (np.array(found[f"{name}_{word}"]) for word in ("mean", "error", "bar"))
        axis.errorbar(times[1:], mean[1:], error[1:], fmt="o", markersize=3, color="C0")
        axis.fill_between(times[1:], (mean - bar)[1:], (mean + bar)[1:], color="C3", alpha=0.4, linewidth=0)
        slope, slope_error, slope_bar = (found[f"{name}_slope_{word}"] for word in ("mean", "error", "bar"))
        line = mean[late].mean() + slope * (np.log(times[late]) - np.log(times[late]).mean())
        axis.plot(times[late], line, color="gray", linewidth=1)
        axis.set(xscale="log", xlabel="time", title=TITLES[name].replace(" of cell 5", "").replace("the middle", "a") +
                 f"\nslope {slope:.4f} +- {slope_error:.4f} in ln t")
        axis.title.set_fontsize(9)
        print(f"long: {name} from {mean[late][0]:.4f} to {mean[-1]:.4f} +- {error[-1]:.4f} (bar {bar[-1]:.1e}); slope "
              f"{slope:.5f} +- {slope_error:.5f} (bar {slope_bar:.1e}) a factor e")
    print("long: bonds", found["max_bond"], "trusted to", found["t_trust"])
    figure.savefig(DATA / "long.png", dpi=130)


if __name__ == "__main__":
    for part, needed in ((table, "table"), (claims, "local"), (long, "long")):
        if (DATA / f"{needed}.json").exists():
            part()
