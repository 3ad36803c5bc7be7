"""The figure of data/results.json: seconds of every tool on every workload, each on its better number of threads."""

from __future__ import annotations

import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from grids import ENTRIES
from table import best_of_threads
from tools import OURS
from workloads import DATA, WORKLOADS

COLOURS = {OURS: "#c0392b", "TeNPy": "#34618a", "quimb": "#4f9a8c", "scipy": "#8c7ba8"}


def main() -> None:
    results = json.loads((DATA / "results.json").read_text())
    names = [n for n in ENTRIES if any(r["workload"] == n for r in results["runs"])]
    bests = [{k: r for k, r in best_of_threads(results, n).items() if "failed" not in r} for n in names]
    heights = [len(b) for b in bests]
    figure, axes = plt.subplots(len(names), 1, figsize=(7.2, 0.9 * len(names) + 0.27 * sum(heights)), squeeze=False,
                                gridspec_kw={"height_ratios": heights}, layout="constrained")
    for name, best, ax in zip(names, bests, axes[:, 0], strict=True):
        draw(ax, best)
        title = f"{name}: {WORKLOADS[name].title}; error at most {WORKLOADS[name].target:g}"
        ax.set_title(title, fontsize=9, loc="left")
    figure.supxlabel("seconds (median) at the best settings and number of threads; hatched: target missed", fontsize=8)
    figure.savefig(DATA / "speed.png", dpi=160)
    print(DATA.name + "/speed.png")


def draw(ax, best: dict[str, dict]) -> None:
    """One panel, fastest on top."""
    runs = list(best.values())[::-1]
    labels = [f"mps_battery, {r['label']}" if r["tool"] == OURS and not r["label"].startswith(OURS) else r["label"]
              for r in runs]
    for y, r in enumerate(runs):
        ax.barh(y, r["seconds"], color=COLOURS.get(r["tool"], "0.6"), alpha=1.0 if r["reached"] else 0.45,
                hatch=None if r["reached"] else "////", edgecolor="white", linewidth=0)
        ax.text(r["seconds"] * 1.06, y, f"{r['seconds']:.2g} s" if r["seconds"] < 10 else f"{r['seconds']:.0f} s",
                va="center", fontsize=7.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    shortest, longest = min(r["seconds"] for r in runs), max(r["seconds"] for r in runs)
    ax.set_xlim(shortest / 3, longest * 2)
    ax.set_yticks(range(len(runs)), labels, fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
