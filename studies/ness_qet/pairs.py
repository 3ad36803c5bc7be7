"""Two qubits between two baths, local against global: what the choice of master equation does to teleportation.

H = a Z_0 + b Z_1 + 2 k X_0 X_1 with (a, b, k) = (1, 0.8, 0.5), a bath of its own for each qubit, rates rate (1 + n)
down and rate n up at the frequency of the transition:

local     jumps s-, s+ of the free qubit, at 2 a and 2 b (GKSL);
davies    jumps between eigenstates of H by X of the qubit, each frequency for itself (GKSL, secular);
redfield  the same coupling without the secular step and without Lamb shift: not of GKSL form, so that populations may
          turn negative where the rate is large.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space

import mps_battery as mb

FIELDS, COUPLING = (1.0, 0.8), 0.5
Array = np.ndarray


def energy() -> mb.Terms:
    """a Z_0 + b Z_1 + 2 k X_0 X_1."""
    terms = mb.Terms([mb.Spin()] * 2)
    for n, field in enumerate(FIELDS):
        terms += field, ("Z", n)
    terms += 2 * COUPLING, ("X", 0), ("X", 1)
    return terms


def steady(kind: str, temperatures: tuple[float, float], rates: tuple[float, float]) -> mb.Density:
    """The steady state."""
    h, jumps = energy(), []
    if kind == "redfield":
        return redfield(h, temperatures, rates)
    for n, (temperature, rate) in enumerate(zip(temperatures, rates, strict=True)):
        operator = mb.Terms(h.sites)
        if kind == "local":
            operator += 1.0, ("Sm", n)
            jumps += mb.thermal_jumps(operator, 2 * FIELDS[n], 1 / temperature, rate)
        else:
            operator += 1.0, ("X", n)
            jumps += mb.davies_jumps(h, operator, 1 / temperature, lambda _, rate=rate: rate)
    battery = mb.Battery(h.sites, range(2), h, h, jumps, empty="mixed")
    return mb.steady_state(battery, method=mb.Dense(), progress=False).state


def redfield(h: mb.Terms, temperatures: tuple[float, float], rates: tuple[float, float]) -> mb.Density:
    """Null vector of -i [H, rho] - sum_n [X_n, L_n rho - rho L_n+], (L_n)_jk = (X_n)_jk S_n(E_k - E_j) / 2.

    S(w) = rate (1 + n(w)) where the transition gives energy away, w > 0, and rate n(|w|) where it takes energy.
    """
    levels, vectors = np.linalg.eigh(h.to_dense())
    one, total = np.eye(len(levels)), -1j * (np.kron(np.diag(levels), np.eye(4)) - np.kron(np.eye(4), np.diag(levels)))
    for n, (temperature, rate) in enumerate(zip(temperatures, rates, strict=True)):
        x = mb.Terms(h.sites)
        x += 1.0, ("X", n)
        a = vectors.conj().T @ x.to_dense() @ vectors
        w = levels[None, :] - levels[:, None]
        size = np.maximum(np.abs(w), 1e-6)
        planck = 1 / np.expm1(size / temperature)
        l = a * rate * np.where(w > 0, 1 + planck, planck) / 2
        total -= np.kron(a @ l, one) - np.kron(a, l.conj()) - np.kron(l, a.T) + np.kron(one, (l.conj().T @ a).T)
    (kernel,) = null_space(total, rcond=1e-12).T
    rho = kernel.reshape(4, 4)
    rho = vectors @ (rho / np.trace(rho)) @ vectors.conj().T
    return mb.Density.from_dense(h.sites, (rho + rho.conj().T) / 2)


def drawn(state: mb.Density) -> dict[str, float]:
    """Energies of one round, and the least population of the state."""
    found = mb.teleport(state, energy(), 0, 1)
    return {"extracted": found.extracted, "without_message": found.without_message, "surplus": found.surplus,
            "injected": found.injected, "least": float(np.linalg.eigvalsh(state.to_dense())[0])}
