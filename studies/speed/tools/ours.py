"""mps_battery, through its public API."""

from __future__ import annotations

import numpy as np

import mps_battery as mb

METHODS = {"TEBD": mb.TEBD, "TDVP": mb.TDVP, "Tenpy": mb.Tenpy}


def chain(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: method, dt, weight, bars; what is left out is the engine's choice."""
    p, n = workload.parameters, workload.parameters["n"]
    sites = (mb.Spin(),) * n
    h = mb.Terms(sites)
    for k in range(n - 1):
        for name, strength in (("Sx", p["xy"]), ("Sy", p["xy"]), ("Sz", p["z"])):
            h += strength, (name, k), (name, k + 1)
    for k in range(n):
        for name, strength in (("Sx", p["hx"][k]), ("Sz", p["hz"][k])):
            if strength:
                h += strength, (name, k)
    battery = mb.Battery(sites=sites, cells=range(n), energy=h, charging=h, name=workload.name,
                         empty=[{"u": "up", "d": "down"}[c] for c in p["start"]])
    chosen = {}
    if "method" in settings:
        chosen["method"] = METHODS[settings["method"]](dt=settings["dt"])
    if "weight" in settings:
        chosen["truncation"] = mb.Truncation(bond=workload.bond, weight=settings["weight"])
    run = mb.charge(battery, workload.times, record={"sz": mb.Expect("Sz"), "entropy": mb.Entropy()},
                    bars=settings.get("bars", True), progress=False, **chosen)
    return {"sz": run.data["sz"].values, "entropy": run.data["entropy"].values[:, n // 2 - 1],
            "bond": np.array(run.budget.max_bond)}


def driven(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: method, dt, weight, bond, bars; what is left out is the engine's choice."""
    p, n = workload.parameters, workload.parameters["n"]
    sites = (mb.Spin(),) * n
    h, jumps = mb.Terms(sites), []
    for k in range(n - 1):
        for name, strength in (("X", 1.0), ("Y", 1.0), ("Z", p["z"])):
            h += strength, (name, k), (name, k + 1)
    for sign, k in ((1, 0), (-1, n - 1)):
        for name, rate in (("Sp", 1 + sign * p["mu"]), ("Sm", 1 - sign * p["mu"])):
            jump = mb.Terms(sites)
            jump += float(np.sqrt(rate)), (name, k)
            jumps.append(mb.Jump(jump))
    battery = mb.Battery(sites=sites, cells=range(n), energy=h, charging=h, jumps=jumps, empty="mixed",
                         name=workload.name)
    chosen = {}
    if "method" in settings:
        chosen["method"] = METHODS[settings["method"]](dt=settings["dt"])
    if "bond" in settings:
        chosen["truncation"] = mb.Truncation(bond=settings["bond"], weight=settings["weight"])
    run = mb.charge(battery, workload.times, record={"z": mb.Expect("Z")}, bars=settings.get("bars", True),
                    progress=False, **chosen)
    return {"z": run.data["z"].values, "bond": np.array(run.budget.max_bond)}


KINDS = {"chain": chain, "driven": driven}
