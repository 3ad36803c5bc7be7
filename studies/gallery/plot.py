"""One panel for every model in data/gallery.json, in the order of their families.

    python studies/gallery/plot.py

writes data/gallery.png.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mps_battery.models import FAMILIES

DATA = Path(__file__).resolve().parent / "data"
COLUMNS = 7
CONSERVED = 1e-6
"""Below this the stored energy is conserved: what moves is how much can be drawn locally."""


def main() -> None:
    """Draw."""
    runs = json.loads((DATA / "gallery.json").read_text())
    families = [family.__name__.split(".")[-1] for family in FAMILIES]
    names = sorted(runs, key=lambda n: (families.index(runs[n]["family"]), n))
    rows = -(-len(names) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2.3 * COLUMNS, 1.75 * rows), sharex=True, squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        run = runs[name]
        t, e, bar = (np.array(run[key]) for key in ("times", "energy", "bar"))
        colour = f"C{families.index(run['family'])}"
        axis.fill_between(t, e - bar, e + bar, color=colour, alpha=0.3, lw=0)
        axis.plot(t, e, color=colour, lw=1.4)
        conserved = np.abs(e).max() < CONSERVED
        if conserved:
            axis.plot(t, run["local_ergotropy"], color=colour, lw=1.2, ls="--", label="local ergotropy")
            axis.legend(frameon=False, fontsize=6)
        axis.axhline(0, color="0.8", lw=0.6, zorder=0)
        axis.set_title(f"{name} ({run['cells']})", fontsize=8)
        axis.tick_params(labelsize=7)
        if run["t_trust"] < t[-1] and not conserved:       # nothing to trust in what does not move
            axis.axvspan(run["t_trust"], t[-1], color="0.93", lw=0, zorder=-1)
    for axis in axes.flat[len(names):]:
        axis.axis("off")
    for column in range(COLUMNS):
        shown = [axis for axis in axes[:, column] if axis.axison]
        if shown:
            shown[-1].set_xlabel("time", fontsize=8)
            shown[-1].tick_params(labelbottom=True)
    figure.supylabel("stored energy a cell", fontsize=9)
    figure.tight_layout()
    figure.savefig(DATA / "gallery.png", dpi=110)


if __name__ == "__main__":
    main()
