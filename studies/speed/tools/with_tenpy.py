"""TeNPy: TEBD, QR-TEBD and two-site TDVP that turns into one-site TDVP.

Every engine gets fresh options (it writes into them), `max_trunc_err` only warns and is switched off, and the QR engine
is told not to compute its truncation error, which costs more than the step.
"""

from __future__ import annotations

import warnings

import numpy as np
from tenpy.algorithms.tdvp import SingleSiteTDVPEngine, TwoSiteTDVPEngine
from tenpy.algorithms.tebd import QRBasedTEBDEngine, TEBDEngine
from tenpy.models.spins import SpinChain
from tenpy.networks.mps import MPS

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


KINDS = {"chain": chain}
