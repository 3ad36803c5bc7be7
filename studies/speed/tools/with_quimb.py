"""quimb: TEBD of second order, and of fourth order by hand.

quimb's own `order=4` converges as dt^2 up to version 1.15 and is Suzuki's product of second-order steps from 1.16 on.
The fourth order here is that product for every version; adjacent half layers are merged by quimb's own queue.
"""

from __future__ import annotations

import numpy as np
import quimb.tensor as qtn
from workloads import train

from tools.workers import many

SX, SY, SZ = (np.array(m) / 2 for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
SUZUKI = 1 / (4 - 4 ** (1 / 3))
FOURTH = (SUZUKI, SUZUKI, 1 - 4 * SUZUKI, SUZUKI, SUZUKI)


def chain(workload, settings: dict) -> dict[str, np.ndarray]:
    """Settings: order (2, or 4 by hand), dt, cut, mode (what the cut is compared with), split (decomposition)."""
    p, times = workload.parameters, workload.times
    pair = p["xy"] * (np.kron(SX, SX) + np.kron(SY, SY)) + p["z"] * np.kron(SZ, SZ)
    fields = {k: p["hx"][k] * SX + p["hz"][k] * SZ for k in range(p["n"])}
    hamiltonian = qtn.LocalHam1D(p["n"], H2=pair, H1=fields if any(np.any(f) for f in fields.values()) else None)
    start = qtn.MPS_computational_state("".join({"u": "0", "d": "1"}[c] for c in p["start"]), dtype="complex128")
    interval = float(times[1] - times[0])
    steps = max(1, round(interval / settings["dt"]))
    options = {"cutoff": settings["cut"], "cutoff_mode": settings.get("mode", "rel"), "max_bond": workload.bond,
               "method": settings.get("split", "svd")}
    engine = qtn.TEBD(start, hamiltonian, dt=interval / steps, progbar=False, split_opts=options)
    fractions = FOURTH if settings["order"] == 4 else (1.0,)
    sz, entropy, bond = [], [], 1
    for k in range(len(times)):
        if k:
            parts = [f for _ in range(steps) for f in fractions]
            for j, f in enumerate(parts):
                engine.step(2, dt=f * interval / steps, queue=j < len(parts) - 1)
        state = engine.pt
        bond = max(bond, state.max_bond())
        z, s = measure(state)
        sz.append(z)
        entropy.append(s)
    return {"sz": np.array(sz), "entropy": np.array(entropy), "bond": np.array(bond)}


def measure(state) -> tuple[np.ndarray, float]:
    """<Sz> of every site and the half-chain entropy, by one pass of QR over plain arrays.

    A step ends at the last site with everything before it left-canonical, so the pass goes from right to left.
    """
    state.permute_arrays("lpr")
    arrays = list(state.arrays)
    n, arrays[0], arrays[-1] = len(arrays), arrays[0][None], arrays[-1][..., None]
    sz, entropy = np.zeros(n), 0.0
    start = _centre(arrays)
    for k in range(start + 1, n):                                        # nothing here after a rightward sweep
        a = arrays[k - 1]
        q, c = np.linalg.qr(a.reshape(-1, a.shape[2]))
        arrays[k - 1], arrays[k] = q.reshape(*a.shape[:2], -1), np.tensordot(c, arrays[k], 1)
    for k in range(n - 1, -1, -1):
        a = arrays[k]
        weights = (np.abs(a) ** 2).sum((0, 2))
        sz[k] = 0.5 * (weights[0] - weights[1]) / weights.sum()
        if k == 0:
            break
        _, c = np.linalg.qr(a.reshape(len(a), -1).T)
        if k == n // 2:
            w = np.linalg.svd(c, compute_uv=False) ** 2
            w = w[w > 1e-30] / w.sum()
            entropy = float(-(w * np.log(w)).sum())
        arrays[k - 1] = np.tensordot(arrays[k - 1], c.T, 1)              # only the new centre is read again
    return sz, entropy


def _centre(arrays) -> int:
    """The first site that is not left-canonical; the last site but one or two after a rightward sweep."""
    for k, a in enumerate(arrays[:-1]):
        m = a.reshape(-1, a.shape[2])
        if np.abs(m.conj().T @ m - np.eye(m.shape[1])).max() > 1e-10:
            return k
    return len(arrays) - 1


def cells(workload, settings: dict) -> dict[str, np.ndarray]:
    """Canonical form and reduced density matrices, the centre being moved along; no settings."""
    del settings
    n, tensors = workload.parameters["n"], train(workload.parameters["n"], workload.parameters["bond"])
    arrays = [tensors[0][0], *tensors[1:-1], tensors[-1][..., 0]]
    state = qtn.MatrixProductState(arrays, shape="lpr")
    state.canonicalize_(0)
    out = []
    for k in range(n):
        if k:
            state.canonicalize_(k, cur_orthog=k - 1)
        a = state[k].to_dense([state.site_ind(k)], [i for i in state[k].inds if i != state.site_ind(k)])
        rho = a @ a.conj().T
        out.append(rho / rho.trace().real)
    return {"densities": np.array(out), "bond": np.array(state.max_bond())}


KINDS = {"cells": cells, "chain": chain, "many": many(chain)}
