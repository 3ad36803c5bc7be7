"""Plain numpy and scipy: what exact methods cost where there are some, and the least that a train needs."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr
from workloads import train


def cells(workload, settings: dict) -> dict[str, np.ndarray]:
    """Canonical form by one sweep of QR, then reduced density matrices by one sweep of products; no settings."""
    del settings
    tensors = list(train(workload.parameters["n"], workload.parameters["bond"]))
    for k in range(len(tensors) - 1, 0, -1):
        l, d, r = tensors[k].shape
        q, c = qr(tensors[k].reshape(l, d * r).T, mode="economic", check_finite=False)
        tensors[k] = q.T.reshape(-1, d, r)
        tensors[k - 1] = (tensors[k - 1].reshape(-1, l) @ c.T).reshape(*tensors[k - 1].shape[:2], -1)
    out, left = [], np.ones((1, 1))                                      # bra ket
    for a in tensors:
        l, d, r = a.shape
        ket = (left @ a.reshape(l, d * r)).reshape(-1, d, r)
        p = ket.transpose(1, 0, 2).reshape(d, -1) @ a.conj().transpose(1, 0, 2).reshape(d, -1).T
        out.append(p / p.trace().real)
        left = a.conj().reshape(l * d, r).T @ ket.reshape(-1, r)
    return {"densities": np.array(out), "bond": np.array(max(t.shape[0] for t in tensors))}


KINDS = {"cells": cells}
