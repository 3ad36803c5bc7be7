"""mps_battery, through its public API."""

from __future__ import annotations

import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
from workloads import SEED, WORKERS, couplings, occupations, resized, train

import mps_battery as mb
from mps_battery.executors import Executor, Pool, Processes
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.models import cavity as models
from mps_battery.models import spin_chain, syk

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
    battery = _driven(workload)
    chosen = {}
    if "method" in settings:
        chosen["method"] = METHODS[settings["method"]](dt=settings["dt"])
    if "bond" in settings:
        chosen["truncation"] = mb.Truncation(bond=settings["bond"], weight=settings["weight"])
    run = mb.charge(battery, workload.times, record={"z": mb.Expect("Z")}, bars=settings.get("bars", True),
                    progress=False, **chosen)
    return {"z": run.data["z"].values, "bond": np.array(run.budget.max_bond)}


def _driven(workload) -> mb.Battery:
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
    return mb.Battery(sites=sites, cells=range(n), energy=h, charging=h, jumps=jumps, empty="mixed",
                         name=workload.name)


def steady(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: bond, weight of the identity, most (sweeps), first (bond of the first sweeps).

    With rung, which is how many sweeps a shorter chain gets, from dense chains of 4 and 6 sites, two more at a time;
    each chain begins as the continuation of the two before it.
    """
    battery = _driven(workload)
    if workload.parameters["n"] < 6:
        found = mb.steady_state(battery, progress=False)                 # where sweeps have nothing to truncate
    elif "rung" in settings:
        known = [mb.steady_state(_driven(resized(workload, n)), method=mb.Dense(), progress=False) for n in (4, 6)]
        for n in range(8, workload.parameters["n"] + 1, 2):
            most = settings["rung"] if n < workload.parameters["n"] else settings["most"]
            known = [known[-1], mb.steady_state(
                _driven(resized(workload, n)), start=(known[0].state, known[1].state), tolerance=1e-8, progress=False,
                method=mb.Sweeps(first_bond=settings["bond"], identity_weight=settings["identity"], most=most),
                truncation=mb.Truncation(settings["bond"], 1e-20))]
        found = known[-1]
    else:
        method = mb.Sweeps(first_bond=settings["first"], identity_weight=settings["identity"], most=settings["most"])
        found = mb.steady_state(battery, method=method, truncation=mb.Truncation(settings["bond"], 1e-20),
                                tolerance=1e-8, progress=False)
    # a charge of one is a turn of Z by two, and H has X X + Y Y = 2 (s+ s- + s- s+)
    return {"current": np.array([2 * found.certificate.current]), "bond": np.array(max(found.state.bonds)),
            "spread": np.array(2 * (found.certificate.spread or 0.0)),
            "residual": np.array(found.certificate.residual)}


def cavity(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: method, dt, weight, cutoff."""
    n, counter = workload.parameters["n"], workload.parameters["counter"]
    model = models.dicke if counter else models.tavis_cummings
    battery = model(cells=n, photons=n, splitting=1.0, coupling=1.0, cutoff=settings["cutoff"])
    run = mb.charge(battery, workload.times, record={"e": mb.Energy()}, bars=False, progress=False,
                    method=METHODS[settings["method"]](dt=settings["dt"]),
                    truncation=mb.Truncation(workload.bond, settings["weight"]))
    return {"excited": run.data["e"].values / n, "bond": np.array(run.budget.max_bond)}


def charger(workload, settings: dict) -> dict[str, np.ndarray]:
    """Complex SYK. H_B is the sum of sigma^y, minus n at the start; no settings."""
    del settings
    n = workload.parameters["n"]
    battery = syk.complex_syk(cells=n, splitting=2.0, couplings=couplings(n))
    run = mb.charge(battery, workload.times, record={"e": mb.Energy()}, bars=False, progress=False,
                    method=mb.Exact())
    return {"sy": run.data["e"].values / n - 1, "bond": np.array(0)}


def elements(workload, settings: dict) -> dict[str, np.ndarray]:
    """The operator of complex SYK; no settings."""
    del settings
    n = workload.parameters["n"]
    operator = syk.complex_syk(cells=n, couplings=couplings(n)).charging.to_mpo()
    found = []
    for bra, ket in occupations(n):
        row = np.ones(1)
        for w, b, k in zip(operator.tensors, bra, ket, strict=True):
            row = row @ w[:, :, b, k]
        found.append(row.item())
    return {"elements": np.array(found), "bond": np.array(max(w.shape[0] for w in operator.tensors))}


def many(workload, settings: dict) -> dict[str, np.ndarray]:
    """One sweep. Settings: method, dt, weight; what is left out is the engine's choice."""
    p = workload.parameters
    chosen = {}
    if "method" in settings:
        chosen["method"] = METHODS[settings["method"]](dt=settings["dt"])
    if "weight" in settings:
        chosen["truncation"] = mb.Truncation(bond=workload.bond, weight=settings["weight"])
    table = mb.sweep(spin_chain.mbl, {"cells": p["n"], "disorder": p["disorder"]}, realisations=len(p["hz"]),
                     times=workload.times, seed=SEED, record={"sz": mb.Expect("Sz")}, executor=Ready(),
                     progress=False, **chosen)
    return {"sz": table.data["sz"].values, "bond": np.array(int(table.data["max_bond"].max())),
            "processor_seconds": np.array(table.card["processor_seconds"])}


class Ready(Executor):
    """Processes that have imported everything; they are kept from one sweep to the next."""

    def open(self) -> Pool:
        """The same workers each time."""
        return _Kept(_started())

    def size(self) -> int:
        """How many there are."""
        return WORKERS

    def __str__(self) -> str:
        return f"{WORKERS} processes that were ready"


class _Kept(Pool):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def workers(self) -> int:
        return self._pool.workers

    def submit(self, number, task, item) -> None:
        self._pool.submit(number, task, item)

    def next(self, seconds):
        return self._pool.next(seconds)

    def close(self) -> None:
        """They are needed again."""


@cache
def _started() -> Pool:
    pool = Processes(WORKERS).open()
    with tempfile.TemporaryDirectory() as folder:
        for k in range(WORKERS):
            pool.submit(k, _meet, folder)
        for _ in range(WORKERS):
            while pool.next(60.0) is None:
                pass
    return pool


def _meet(folder: str) -> None:
    """Ends once all workers are here."""
    small = spin_chain.mbl(cells=4)
    mb.charge(small, [0.0, 0.1], method=mb.TEBD(), bars=False, progress=False)
    tempfile.mkstemp(dir=folder)
    while len(list(Path(folder).iterdir())) < WORKERS:
        time.sleep(0.01)


def cells(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: record ("work" or "densities")."""
    p = workload.parameters
    sites = (mb.Spin(),) * p["n"]
    tensors = train(p["n"], p["bond"])
    bond = np.array(max(t.shape[0] for t in tensors))
    state = mb.MPS(sites, list(tensors)).canonical(0)
    if settings["record"] == "densities":
        h = mb.Terms(sites)
        h += 1.0, ("Z", 0)
        battery = mb.Battery(sites, range(p["n"]), h, h, empty="up")
        return {"densities": np.array(Snapshot(state, 0.0, Observables(battery)).site_densities), "bond": bond}
    battery = spin_chain.xxz(cells=p["n"], exchange=1.0, anisotropy=p["z"], field=p["h"])
    snapshot = Snapshot(state, 0.0, Observables(battery))
    return {"ergotropy": mb.LocalErgotropy().measure(snapshot), "capacity": mb.LocalCapacity().measure(snapshot),
            "bond": bond}


KINDS = {"cavity": cavity, "cells": cells, "elements": elements, "steady": steady, "syk": charger, "chain": chain,
         "driven": driven, "many": many}
