"""TeNPy: TEBD, QR-TEBD and two-site TDVP that turns into one-site TDVP.

Every engine gets fresh options (it writes into them), `max_trunc_err` only warns and is switched off, and the QR engine
is told not to compute its truncation error, which costs more than the step.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import tenpy.linalg.np_conserved as npc
from tenpy.algorithms.mpo_evolution import ExpMPOEvolution
from tenpy.algorithms.tdvp import SingleSiteTDVPEngine, TwoSiteTDVPEngine
from tenpy.algorithms.tebd import QRBasedTEBDEngine, TEBDEngine
from tenpy.models.lattice import Chain, TrivialLattice
from tenpy.models.model import MPOModel, NearestNeighborModel
from tenpy.models.spins import SpinChain
from tenpy.networks.mpo import MPO
from tenpy.networks.mps import MPS
from tenpy.networks.site import BosonSite, Site, SpinHalfSite, set_common_charges
from workloads import train

from tools.workers import many

warnings.simplefilter("ignore")


def chain(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: method, order, dt, cut (relative Schmidt value), conserve, switch (bond where TDVP turns one-site)."""
    p, times = workload.parameters, workload.times
    model = SpinChain({"L": p["n"], "S": 0.5, "conserve": settings.get("conserve"), "sort_charge": True,
                       "bc_MPS": "finite", "Jx": p["xy"], "Jy": p["xy"], "Jz": p["z"], "hx": -p["hx"], "hz": -p["hz"]})
    labels = [{"u": "up", "d": "down"}[c] for c in p["start"]]
    psi = MPS.from_product_state(model.lat.mps_sites(), labels, bc="finite", unit_cell_width=p["n"])
    engine = _engine(workload, settings, psi, model)
    sz, entropy, bond = [], [], 1
    for k in range(len(times)):
        if k:
            engine.run()
        bond = max(bond, *psi.chi)
        if isinstance(engine, TwoSiteTDVPEngine) and bond >= settings.get("switch", np.inf):
            engine = SingleSiteTDVPEngine.switch_engine(engine)
        sz.append(np.real(psi.expectation_value("Sz")))
        entropy.append(psi.entanglement_entropy(bonds=[p["n"] // 2])[0])
    return {"sz": np.array(sz), "entropy": np.array(entropy), "bond": np.array(bond)}


def _engine(workload, settings, psi, model):
    interval = float(workload.times[1] - workload.times[0])
    steps = max(1, round(interval / settings["dt"]))
    options = {"dt": interval / steps, "N_steps": steps, "max_trunc_err": None,
               "trunc_params": {"chi_max": workload.bond, "svd_min": settings["cut"]}}
    if settings["method"] == "TDVP":
        options["lanczos_params"] = {"P_tol": settings["krylov"], "N_max": 30}
        return TwoSiteTDVPEngine(psi, model, options)
    options["order"] = settings["order"]
    if settings["method"] == "QR":
        options.update(compute_err=False, cbe_expand=settings["expand"], cbe_expand_0=1.0)
        return QRBasedTEBDEngine(psi, model, options)
    return TEBDEngine(psi, model, options)


def driven(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: method, order, dt, cut, bond.

    A site is the pair (ket, bra) of a spin, its charge the difference of the two magnetisations, which Hamiltonian and
    jumps conserve; the engine evolves under exp(-i t (i L)). The state is a vector that is no longer normalised, so
    that means are read by contraction with the trace.
    """
    p, n = workload.parameters, workload.parameters["n"]
    pairs = [(1, 0), (0, 0), (1, 1), (0, 1)]                             # sorted by charge: -1, 0, 0, 1
    charges = npc.ChargeInfo([1], ["ket - bra"])
    site = Site(npc.LegCharge.from_qflat(charges, [[b - k] for k, b in pairs]), ["du", "uu", "dd", "ud"])
    units = [np.outer(np.eye(2)[k], np.eye(2)[b]) for k, b in pairs]
    bonds = [None] + [npc.Array.from_ndarray(1j * _superoperator(p, units, b).reshape(4, 4, 4, 4),
                                             [site.leg, site.leg, site.leg.conj(), site.leg.conj()],
                                             labels=["p0", "p1", "p0*", "p1*"]) for b in range(n - 1)]
    model = NearestNeighborModel(Chain(n, site, bc="open", bc_MPS="finite"), bonds)
    trace = np.array([float(k == b) for k, b in pairs])
    z = np.array([(1.0 - 2 * k) * (k == b) for k, b in pairs])
    psi = MPS.from_product_state([site] * n, [trace / np.sqrt(2)] * n, bc="finite", unit_cell_width=n)
    engine = _engine(replace(workload, bond=settings["bond"]), settings, psi, model)
    out = []
    for k in range(len(workload.times)):
        if k:
            engine.run()
        tensors = [psi.get_B(i).to_ndarray().transpose(0, 2, 1) for i in range(n)]      # vL vR p
        right = [np.ones(1)]
        for b in reversed(tensors):
            step = (b @ trace) @ right[0]
            right.insert(0, step / np.abs(step).max())
        left, line = np.ones(1), []
        for i, b in enumerate(tensors):
            one = left @ (b @ trace)
            line.append(((left @ (b @ z)) @ right[i + 1] / (one @ right[i + 1])).real)
            left = one / np.abs(one).max()
        out.append(line)
    return {"z": np.array(out), "bond": np.array(max(psi.chi))}


def _superoperator(p, units: list[np.ndarray], b: int) -> np.ndarray:
    """The generator on bond b between products of matrix units; jumps go with the bond of their site."""
    x, y, z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
    raising, one = np.array([[0, 1.0], [0, 0]]), np.eye(2)
    h = np.kron(x, x) + np.kron(y, y) + p["z"] * np.kron(z, z)
    jumps = []
    for sign, here, place in ((1, b == 0, 0), (-1, b == p["n"] - 2, 1)):
        for rate, a in ((1 + sign * p["mu"], raising), (1 - sign * p["mu"], raising.T)):
            if here:
                jumps.append(np.sqrt(rate) * (np.kron(a, one) if place == 0 else np.kron(one, a)))
    basis = [np.kron(u, v) for u in units for v in units]
    columns = []
    for rho in basis:
        moved = -1j * (h @ rho - rho @ h)
        for j in jumps:
            moved = moved + j @ rho @ j.conj().T - 0.5 * (j.conj().T @ j @ rho + rho @ j.conj().T @ j)
        columns.append([np.vdot(u, moved) for u in basis])
    return np.array(columns).T


def cavity(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: dt, cut, krylov, cutoff, first (steps of the first interval).

    The cavity stands in the middle. Two-site TDVP cannot make bonds between spins and a cavity that are no neighbours,
    so the first interval is made by the W_II operator of second order. The total number is conserved, or its parity.
    """
    n, counter, times = workload.parameters["n"], workload.parameters["counter"], workload.times
    hub = n // 2
    spin = SpinHalfSite("parity" if counter else "Sz", sort_charge=True)
    mode = BosonSite(settings["cutoff"], "parity" if counter else "N")
    if counter:
        set_common_charges([spin, mode], [[(1, 0, 0), (1, 1, 0)]], ["parity"], [2])
    else:
        set_common_charges([spin, mode], [[(1, 0, 0), (2, 1, 0)]], ["total"], [1])
    sites = [mode if k == hub else spin for k in range(n + 1)]
    excited = [("Sz", 1.0), ("Id", 0.5)]
    # s+ and s- wait for the cavity, or a and a+ for the spins behind it
    both = bool(counter)
    to_cell = [[("B", 1.0)] + both * [("Bd", counter)], [("Bd", 1.0)] + both * [("B", counter)]]
    grid = [["Id", "Sp", "Sm", excited], [None, "Id", None, None], [None, None, "Id", None], [None, None, None, "Id"]]
    middle = [["Id", *to_cell, "N"], [None, None, None, to_cell[0]], [None, None, None, to_cell[1]],
              [None, None, None, "Id"]]
    after = [["Id", None, None, excited], [None, "Id", None, "Sp"], [None, None, "Id", "Sm"], [None, None, None, "Id"]]
    operator = MPO.from_grids(sites, [grid] * hub + [middle] + [after] * (n - hub), "finite", IdL=0, IdR=-1,
                              mps_unit_cell_width=n + 1)
    model = MPOModel(TrivialLattice(sites), operator)
    psi = MPS.from_product_state(sites, [n if k == hub else "down" for k in range(n + 1)], "finite",
                                 unit_cell_width=n + 1)
    interval = float(times[1] - times[0])
    cuts = {"chi_max": workload.bond, "svd_min": settings["cut"]}
    first = ExpMPOEvolution(psi, model, {"dt": interval / settings["first"], "N_steps": settings["first"], "order": 2,
                                         "max_N_sites_per_ring": n + 1,
                                         "compression_method": "SVD", "trunc_params": dict(cuts)})
    steps = max(1, round(interval / settings["dt"]))
    engine = TwoSiteTDVPEngine(psi, model, {"dt": interval / steps, "N_steps": steps, "trunc_params": dict(cuts),
                                            "max_trunc_err": None, "max_N_sites_per_ring": n + 1,
                                            "lanczos_params": {"P_tol": settings["krylov"], "N_max": 30}})
    spins, out, bond = [k for k in range(n + 1) if k != hub], [0.0], 1
    for k in range(1, len(times)):
        (first if k == 1 else engine).run()
        bond = max(bond, *psi.chi)
        out.append(float(np.mean(np.real(psi.expectation_value("Sz", sites=spins)))) + 0.5)
    return {"excited": np.array(out), "bond": np.array(bond)}


def cells(workload, settings: dict) -> dict[str, np.ndarray]:
    """Canonical form and reduced density matrices; no settings."""
    del settings
    n = workload.parameters["n"]
    tensors = [t.transpose(1, 0, 2) for t in train(n, workload.parameters["bond"])]
    sites = [SpinHalfSite(None)] * n
    psi = MPS.from_Bflat(sites, tensors, bc="finite", dtype=complex, form=None, unit_cell_width=n)
    psi.canonical_form()
    rho = np.array([psi.get_rho_segment([k]).to_ndarray() for k in range(n)])
    return {"densities": rho, "bond": np.array(max(psi.chi))}


KINDS = {"cavity": cavity, "cells": cells, "chain": chain, "many": many(chain), "driven": driven}
