"""Every model of the catalogue, charged with its defaults: what it stores, with bars, and what that costs.

    python studies/gallery/run.py [names]

writes data/gallery.json; names charge those models alone and keep what is there of the others. A model that is new in
the catalogue needs no line here.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

import mps_battery as mb
from mps_battery.models import catalogue

DATA = Path(__file__).resolve().parent / "data" / "gallery.json"
STOP, POINTS = 3.0, 31
"""The defaults of the command line."""


def charged(name: str) -> dict:
    """One model: stored energy a cell with its bar, method and cost."""
    begun = time.process_time()
    battery = catalogue()[name]()
    run = mb.charge(battery, np.linspace(0, STOP, POINTS))
    cells = len(battery.cells)
    return {"times": run.data["time"].values.tolist(), "energy": (run.data["energy"].values / cells).tolist(),
            "local_ergotropy": run.data["local_ergotropy"].values.mean(axis=1).tolist(),
            "bar": (run.bars["energy"].values / cells).tolist(), "cells": cells, "sites": len(battery.sites),
            "family": catalogue()[name].__module__.split(".")[-1], "method": run.card["method"],
            "bond": run.budget.max_bond, "t_trust": run.budget.t_trust,
            "cpu_seconds": round(time.process_time() - begun, 2), "version": run.card["version"]}


def main() -> None:
    """Charge what is asked for, and write after every model."""
    known = json.loads(DATA.read_text()) if DATA.exists() else {}
    DATA.parent.mkdir(exist_ok=True)
    for name in sys.argv[1:] or sorted(catalogue()):
        known[name] = charged(name)
        print(f"{name}: {known[name]['cpu_seconds']} s, bond {known[name]['bond']}", flush=True)
        DATA.write_text(json.dumps({k: known[k] for k in sorted(known) if k in catalogue()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
