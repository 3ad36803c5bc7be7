"""Plain numpy and scipy: what exact methods cost where there are some, and the least that a train needs."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.linalg import qr
from scipy.sparse.linalg import LinearOperator, expm_multiply, gmres, spilu
from workloads import couplings, train

LOWER = sparse.csr_array([[0.0, 1.0], [0.0, 0.0]])
"""Takes one out, of states in the order empty, full."""
X, Y, Z = (sparse.csr_array(np.array(m)) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))


def site(n: int, k: int, matrix, before=None):
    """A matrix on site k of n two-level sites, with another one on every site before it."""
    out = sparse.eye_array(1)
    for _ in range(k if before is not None else 0):
        out = sparse.kron(out, before, format="csr")
    left = sparse.eye_array(1 if before is not None else 2**k)
    return sparse.kron(sparse.kron(sparse.kron(out, left), matrix), sparse.eye_array(2 ** (n - 1 - k)), format="csr")


def cavity(workload, settings: dict) -> dict[str, np.ndarray]:
    """The symmetric subspace of the spins, a large spin J = n / 2. Settings: cutoff."""
    n, counter, most = workload.parameters["n"], workload.parameters["counter"], settings["cutoff"]
    j, m = n / 2, np.arange(-n / 2, n / 2 + 1)
    a = sparse.diags_array(np.sqrt(np.arange(1.0, most + 1)), offsets=1)
    up = sparse.diags_array(np.sqrt(j * (j + 1) - m[:-1] * (m[:-1] + 1)), offsets=-1)
    excited = np.tile(m + j, most + 1)
    h = (sparse.kron(a, up) + sparse.kron(a.T, up.T) + counter * (sparse.kron(a.T, up) + sparse.kron(a, up.T))
         + sparse.diags_array(excited + np.repeat(np.arange(most + 1.0), n + 1))).tocsr()
    psi = np.zeros(h.shape[0], complex)
    psi[n * (n + 1)] = 1.0
    states = expm_multiply(-1j * h, psi, start=0.0, stop=workload.times[-1], num=len(workload.times), endpoint=True)
    return {"excited": np.abs(states) ** 2 @ excited / n, "bond": np.array(0)}


def charger(workload, settings: dict) -> dict[str, np.ndarray]:
    """Complex SYK as a sparse matrix on all 2^n states; no settings."""
    del settings
    n = workload.parameters["n"]
    c = [site(n, k, LOWER, sparse.csr_array(np.diag([1.0, -1.0]))) for k in range(n)]
    pairs = sparse.vstack([c[k] @ c[m] for k in range(n) for m in range(k + 1, n)], format="csr")
    # c+_i c+_j = -(c_i c_j)+ for real matrices
    h = -4 * (pairs.T @ (sparse.kron(couplings(n), sparse.eye_array(2**n), format="csr") @ pairs)).tocsr()
    psi = np.ones(1)
    for _ in range(n):
        psi = np.kron(psi, np.array([-1j, 1]) / np.sqrt(2))
    # occupied is up: sigma^y = -i |full><empty| + i |empty><full|
    total = sum(site(n, k, 1j * LOWER - 1j * LOWER.T) for k in range(n))
    states = expm_multiply(-1j * h, psi, start=0.0, stop=workload.times[-1], num=len(workload.times), endpoint=True)
    values = [np.vdot(s, total @ s).real / n for s in states]
    return {"sy": np.array(values), "bond": np.array(0)}


def steady(workload, settings: dict) -> dict[str, np.ndarray]:
    """The Liouvillian where ket and bra have as many spins up, by GMRES. Settings: drop, fill (ILU), rtol."""
    p, n = workload.parameters, workload.parameters["n"]
    x, y, z = ([site(n, k, m) for k in range(n)] for m in (X, Y, Z))
    h = sum(x[k] @ x[k + 1] + y[k] @ y[k + 1] + p["z"] * z[k] @ z[k + 1] for k in range(n - 1))
    plus, one = (X + 1j * Y) / 2, sparse.eye_array(2**n, format="csr")
    jumps = [np.sqrt(1 + s * p["mu"]) * site(n, k, m) for s, k in ((1, 0), (-1, n - 1))
             for m, s in ((plus, s), (plus.T, -s))]
    liouvillian = -1j * (sparse.kron(h, one) - sparse.kron(one, h.T))
    for jump in jumps:
        loss = jump.conj().T @ jump
        liouvillian += sparse.kron(jump, jump.conj()) - 0.5 * (sparse.kron(loss, one) + sparse.kron(one, loss.T))
    ups = np.array([k.bit_count() for k in range(2**n)])
    kept = np.flatnonzero((ups[:, None] == ups[None, :]).ravel())
    a = liouvillian.tocsr()[kept][:, kept].tolil()
    a[0] = 0                                                             # in place of one equation: the trace is one
    a[0, np.flatnonzero(kept // 2**n == kept % 2**n)] = 1.0
    target = np.zeros(len(kept), complex)
    target[0] = 1.0
    a = a.tocsc()
    near = spilu(a, drop_tol=settings["drop"], fill_factor=settings["fill"])
    found, failed = gmres(a, target, M=LinearOperator(a.shape, near.solve), rtol=settings["rtol"], restart=100,
                          maxiter=20)
    if failed:
        raise RuntimeError("GMRES did not converge.")
    rho = np.zeros(4**n, complex)
    rho[kept] = found
    rho = rho.reshape(2**n, 2**n)
    currents = [2 * (x[k] @ y[k + 1] - y[k] @ x[k + 1]).multiply(rho.T).sum().real for k in range(n - 1)]
    return {"current": np.array([np.mean(currents)]), "bond": np.array(0)}


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


KINDS = {"cavity": cavity, "cells": cells, "steady": steady, "syk": charger}
