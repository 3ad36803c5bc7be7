"""Figures of data/*.json; nothing is computed here but ratios.

    python studies/ness_qet/plot.py [FOLDER]

writes one figure for every file of numbers in the folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

FLOOR = 1e-21
COLOURS = {"bias": "#c0392b", "equal": "#888888", "ground": "#34618a", "gibbs 0.5": "#4f9a8c", "gibbs 1.75": "#d9a441",
           "local": "#c0392b", "davies": "#34618a", "redfield": "#d9a441"}
NAMES = {"bias": "baths at T = 3 and 0.5", "equal": "baths at T = 1.75", "ground": "ground state",
         "gibbs 0.5": "Gibbs, T = 0.5", "gibbs 1.75": "Gibbs, T = 1.75"}
PLACES = {"middle, 1 apart": "#888888", "middle, 2 apart": "#c0392b", "middle, 3 apart": "#34618a",
          "cold end": "#4f9a8c", "hot end": "#d9a441", "end to end": "#7d5ba6"}
Rows = list[dict]


def chosen(rows: Rows, **wanted: object) -> Rows:
    """Rows with these entries."""
    return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]


def column(rows: Rows, name: str) -> np.ndarray:
    """One entry of every row."""
    return np.array([r[name] for r in rows], dtype=float)


def distance(data: dict, axes: np.ndarray) -> None:
    """Surplus against distance, five states; and the steady state against length."""
    rows = data["rows"] + data["equilibrium"]["rows"]
    longest = max(r["length"] for r in rows)
    for label, name in NAMES.items():
        mine = sorted((r for r in chosen(rows, label=label, length=longest)
                       if r["alice"] == (longest - r["distance"]) // 2), key=lambda r: r["distance"])
        x, y, bar = column(mine, "distance"), column(mine, "surplus"), column(mine, "bar_surplus")
        shown = (y > FLOOR) & (y > bar)
        axes[0].errorbar(x[shown], y[shown], bar[shown], fmt="o", markersize=3.5, color=COLOURS[label], label=name,
                         elinewidth=0.8, zorder=3)
        if "free_surplus" in mine[0]:
            free = column(mine, "free_surplus")
            good = free > 1e-14
            axes[0].plot(x[good], free[good], "-", color=COLOURS[label], linewidth=1, alpha=0.7)
    axes[0].set(yscale="log", xlabel="distance, pair in the middle", ylabel="surplus by the message",
                title=f"Ising chain of {longest} sites", ylim=(FLOOR, 1))
    for length, marker in zip(sorted({r["length"] for r in rows}), "^so", strict=False):
        mine = [r for r in chosen(rows, label="bias", length=length) if r["alice"] == 0]
        x, y = column(mine, "distance"), column(mine, "surplus")
        axes[1].plot(x[y > FLOOR], y[y > FLOOR], marker, markersize=4, mfc="none", label=f"{length} sites",
                     color=COLOURS["bias"], alpha=0.9)
    axes[1].set(yscale="log", xlabel="distance from Alice at the hot end", ylabel="surplus by the message",
                title="Baths at T = 3 and 0.5", ylim=(FLOOR, 1))
    for axis in axes:
        axis.legend(fontsize=7, frameon=False)


def _scan(axis: plt.Axes, data: dict, key: str, name: str, places: list[str], length: int) -> None:
    for place in places:
        free = chosen(data["free"], place=place, length=length)
        mine = sorted(chosen(data["ising"], place=place, length=length), key=lambda r: r[key])
        axis.plot(column(free, key), np.maximum(column(free, name), 1e-30), "-", color=PLACES[place], linewidth=1)
        axis.errorbar(column(mine, key), column(mine, name), column(mine, f"bar_{name}"), fmt="o", markersize=4,
                      color=PLACES[place], label=place, elinewidth=0.8)


def dissipation(data: dict, axes: np.ndarray) -> None:
    """Against the rate of the baths: what the message adds inside, what is drawn at the ends."""
    length = max(r["length"] for r in data["ising"])
    _scan(axes[0], data, "rate", "surplus", ["middle, 1 apart", "middle, 2 apart", "middle, 3 apart"], length)
    free = chosen(data["free"], place="middle, 2 apart", length=length)
    flow = column(free, "current") ** 2
    scale = column(free, "surplus")[0] / flow[0]
    axes[0].plot(column(free, "rate"), scale * flow, ":", color="black", linewidth=1.2, label="current squared, scaled")
    axes[0].set(xscale="log", yscale="log", ylim=(1e-9, 0.3), title=f"inside, {length} sites: bell-shaped",
                ylabel="surplus by the message")
    _scan(axes[1], data, "rate", "extracted", ["cold end", "hot end", "end to end"], length)
    for place in ("cold end",):
        free = chosen(data["free"], place=place, length=length)
        axes[1].plot(column(free, "rate"), column(free, "surplus"), "--", color=PLACES[place], linewidth=1,
                     label="cold end, surplus only")
    axes[1].set(xscale="log", title=f"at the baths, {length} sites", ylabel="extracted energy")
    for place in ("middle, 1 apart", "middle, 2 apart", "cold end"):
        mine = sorted(chosen(data["xxz"], place=place), key=lambda r: r["rate"])
        axes[2].plot(column(mine, "rate"), column(mine, "surplus"), "o-", markersize=3.5, linewidth=1,
                     color=PLACES[place], label=f"{place}, surplus")
    mine = sorted(chosen(data["xxz"], place="cold end"), key=lambda r: r["rate"])
    axes[2].plot(column(mine, "rate"), column(mine, "extracted"), "s--", markersize=3.5, linewidth=1, mfc="none",
                 color=PLACES["cold end"], label="cold end, extracted")
    axes[2].set(xscale="log", yscale="log", title="XXZ, 6 sites", ylabel="energy", ylim=(1e-9, 3))
    for axis in axes:
        axis.set_xlabel("rate of the baths")
        axis.legend(fontsize=7, frameon=False)


def bias(data: dict, axes: np.ndarray) -> None:
    """Against the difference of the temperatures at fixed mean."""
    for key in ("ising", "xxz", "free"):
        for r in data[key]:
            r["difference"] = r["hot"] - r["cold"]
    length = max(r["length"] for r in data["ising"])
    _scan(axes[0], data, "difference", "surplus", ["middle, 1 apart", "middle, 2 apart", "middle, 3 apart"], length)
    free = chosen(data["free"], place="middle, 2 apart", length=length)
    flow, gain = column(free, "current") ** 2, column(free, "surplus")
    scale = np.median((gain / flow)[flow > 0.01 * flow.max()])
    axes[0].plot(column(free, "difference"), scale * flow, ":", color="black", linewidth=1.2,
                 label="current squared, scaled")
    axes[0].set(yscale="log", ylim=(1e-7, 0.3), title=f"inside, {length} sites", ylabel="surplus by the message")
    _scan(axes[1], data, "difference", "extracted", ["cold end", "hot end", "end to end"], length)
    axes[1].set(title=f"at the baths, {length} sites", ylabel="extracted energy")
    for place in ("middle, 1 apart", "middle, 2 apart", "middle, 3 apart"):
        mine = sorted(chosen(data["xxz"], place=place), key=lambda r: r["difference"])
        axes[2].plot(column(mine, "difference"), np.maximum(column(mine, "surplus"), 1e-30), "o-", markersize=3.5,
                     linewidth=1, color=PLACES[place], label=place)
    axes[2].set(yscale="log", title="XXZ, 6 sites", ylabel="surplus by the message", ylim=(1e-7, 1))
    for axis in axes:
        axis.set_xlabel("T of the left bath - T of the right")
        handles, labels = axis.get_legend_handles_labels()
        sides = {"cold end": "right end", "hot end": "left end"}
        axis.legend(handles, [sides.get(name, name) for name in labels], fontsize=7, frameon=False)


def two_qubits(data: dict, axes: np.ndarray) -> None:
    """Three master equations; where the least population of the Redfield state is negative, it is left out."""
    temperatures = {(0.5, 0.5): "-", (2.0, 0.2): "--", (0.2, 2.0): ":"}
    for kind in ("local", "davies", "redfield"):
        def line(axis: plt.Axes, mine: Rows, key: str, style: str, kind: str = kind) -> None:
            y = np.where(column(mine, "least") > -1e-6, column(mine, "extracted"), np.nan)
            axis.plot(column(mine, key), y, style, color=COLOURS[kind], linewidth=2.4 if kind == "davies" else 1.2)

        for (hot, cold), style in temperatures.items():
            line(axes[0], chosen(data["rate"], kind=kind, hot=hot, cold=cold), "rate", style)
        for rate, style in ((0.05, "-"), (0.5, "--")):
            line(axes[1], chosen(data["bias"], kind=kind, rate=rate), "difference", style)
        line(axes[2], chosen(data["asymmetry"], kind=kind), "ratio", "-")
    near = min(data["gibbs"], key=lambda r: abs(r["temperature"] - 0.5))
    axes[1].plot([0], near["extracted"], "o", color="black", markersize=5, zorder=4)
    kinds = [Line2D([], [], color=COLOURS[k], label=k) for k in ("local", "davies", "redfield")]
    styles = [[Line2D([], [], color="black", linestyle=s, label=f"T_A, T_B = {t[0]:g}, {t[1]:g}")
               for t, s in temperatures.items()],
              [*(Line2D([], [], color="black", linestyle=s, label=f"rate {r:g}")
                 for r, s in ((0.05, "-"), (0.5, "--"))),
               Line2D([], [], color="black", marker="o", linestyle="", label="Gibbs, T = 0.5")], []]
    for axis, more, where in zip(axes, styles, ("upper left", "lower right", "upper right"), strict=True):
        axis.legend(handles=kinds + more, fontsize=7, frameon=False, loc=where)
    axes[0].set(xscale="log", yscale="log", ylim=(1.5e-3, 3), xlabel="rate of both baths", ylabel="extracted energy",
                title="against the rate")
    axes[1].set(xlabel="(T_A - T_B) / (T_A + T_B), mean 0.5", title="against the bias", ylabel="extracted energy",
                ylim=(0, 0.1))
    axes[2].set(xscale="log", xlabel="rate of Alice's bath / rate of Bob's", ylabel="extracted energy",
                title="T_A = 2, T_B = 0.2: against the asymmetry")


def populations(data: dict, axes: np.ndarray) -> None:
    """What eigenstates would give, and what their mixture gives."""
    panels = {"pair, Gibbs": "temperature", "pair, Davies": "(T_A - T_B) / (T_A + T_B), mean 0.5",
              "chain, Gibbs": "temperature", "chain, baths": "rate of the baths"}
    for axis, (label, what) in zip(axes, panels.items(), strict=True):
        rows = chosen(data["rows"], label=label)
        x = column(rows, "x")
        axis.plot(x, column(rows, "mixture"), "-", color="#34618a", linewidth=1.2, label="sum of p_n E_n")
        axis.plot(x, column(rows, "population") * column(rows, "of_top"), "--", color="#d9a441", linewidth=1.2,
                  label="p E of the most populated")
        axis.plot(x, column(rows, "extracted"), "o-", markersize=3, linewidth=1, color="#c0392b", label="extracted")
        right = axis.twinx()
        right.plot(x, column(rows, "population"), ":", color="black", linewidth=1)
        right.set(ylim=(0, 1.05))
        right.set_ylabel("largest population (dotted)" if axis is axes[-1] else "", fontsize=7)
        right.tick_params(labelsize=7)
        axis.set(xlabel=what, title=label, yscale="log", ylim=(1e-7, 10))
        if label == "chain, baths":
            axis.set_xscale("log")
    axes[0].set_ylabel("energy")
    axes[0].legend(fontsize=7, frameon=False, loc="lower left")


def xxz(data: dict, axes: np.ndarray) -> None:
    """The interacting chain against distance; what lies below its bar is left out."""
    markers = dict(zip(sorted({r["length"] for r in data["rows"]}), "^so", strict=False))
    for axis, measure in zip(axes, "XZ", strict=True):
        for (length, marker), noise, label in product(markers.items(), (0.0, 1.0), ("bias", "equal")):
            mine = chosen(data["rows"], length=length, dephasing=noise, label=label, measure=measure)
            if not mine:
                continue
            x, y, bar = (column(mine, name) for name in ("distance", "surplus", "bar_surplus"))
            shown = (y > 1e-15) & (y > 2 * bar)
            if shown.any():
                axis.errorbar(x[shown], y[shown], bar[shown], fmt=marker, fillstyle="full" if noise else "none",
                              markersize=4, elinewidth=0.8, color=COLOURS[label],
                              label=f"{NAMES[label]}, {length} sites, dephasing {noise:g}")
        axis.set(yscale="log", xlabel="distance, pair in the middle", ylabel="surplus by the message",
                 title=f"XXZ, Alice measures {measure}")
        axis.legend(fontsize=6, frameon=False)


def delay(data: dict, axes: np.ndarray) -> None:
    """Bob waits."""
    for axis, label in zip(axes, ("ground", "bias"), strict=True):
        mine = chosen(data["rows"], label=label)
        x = column(mine, "time")
        for name, style in (("extracted", "o-"), ("surplus", "s-"), ("without_message", "^-")):
            axis.errorbar(x, np.maximum(column(mine, name), 1e-30), column(mine, f"bar_{name}"), fmt=style,
                          markersize=3.5, linewidth=1, elinewidth=0.8, label=name.replace("_", " "))
        axis.set(yscale="log", ylim=(1e-12, 1), xlabel="delay", ylabel="energy",
                 title=f"{NAMES[label]}, {mine[0]['length']} sites, 4 apart")
        axis.legend(fontsize=7, frameon=False)


FIGURES: dict[str, tuple[Callable[[dict, np.ndarray], None], int]] = {
    "distance": (distance, 2), "dissipation": (dissipation, 3), "bias": (bias, 3), "two_qubits": (two_qubits, 3),
    "populations": (populations, 4), "xxz": (xxz, 2), "delay": (delay, 2)}


def draw(folder: Path) -> None:
    """One figure for every file of numbers that is there."""
    for name, (panel, count) in FIGURES.items():
        source = folder / f"{name}.json"
        if not source.exists() or (name == "distance" and not (folder / "equilibrium.json").exists()):
            continue
        figure, axes = plt.subplots(1, count, figsize=({2: 4.6, 3: 3.9, 4: 3.5}[count] * count, 3.6),
                                    layout="constrained")
        data = json.loads(source.read_text())
        if name == "distance":
            data["equilibrium"] = json.loads((folder / "equilibrium.json").read_text())
        panel(data, axes)
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=8)
            axis.set_title(axis.get_title(), fontsize=9)
        figure.savefig(folder / f"{name}.png", dpi=140)
        plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "data")
