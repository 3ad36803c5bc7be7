"""The one table of methods and models that drives the suite, and dense answers to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import solved

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.models import spin_chain


@dataclass(frozen=True)
class Case:
    """A method with the largest error that it may make against the dense answer, relative to each quantity."""

    method: object
    tolerance: float
    nearest_neighbours: bool = False
    conserving: bool = False


METHODS = {
    "exact": Case(mb.Exact(), 1e-9),
    "tebd2": Case(mb.TEBD(dt=0.005, order=2), 2e-4, nearest_neighbours=True),
    "tebd4": Case(mb.TEBD(), 2e-5, nearest_neighbours=True),
    "tebd4-moving": Case(mb.TEBD(moving_centre=True), 2e-5, nearest_neighbours=True),
    "tebd4-blocks": Case(mb.TEBD(blocks=1), 2e-5, nearest_neighbours=True),
    "tdvp2": Case(mb.TDVP(dt=0.05, order=2), 2e-3),
    "tdvp4": Case(mb.TDVP(), 2e-5),
    "tdvp1": Case(mb.TDVP(dt=0.1, sites=1, order=4), 2e-5),
    "tenpy": Case(mb.Tenpy(), 2e-5, nearest_neighbours=True, conserving=True),
}


def _driven() -> mb.Battery:
    """A battery whose drive swings in time while a second one is switched on smoothly."""
    n = 8
    base = spin_chain.xxz(cells=n)
    x, y = mb.Terms(base.sites), mb.Terms(base.sites)
    for k in range(n):
        x += 0.8, ("X", k)
        y += 0.5, ("Y", k)
    schedule = mb.Schedule([(base.energy, None), (x, lambda t: np.cos(3 * t)), (y, lambda t: np.tanh(2 * t))])
    return mb.Battery(base.sites, range(n), base.energy, schedule, empty="down", name="driven")


def _mediated() -> mb.Battery:
    """Two cells charged through two other spins."""
    sites = [mb.Spin()] * 8
    store, charger, bridge = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    for n in range(8):
        if n in (3, 4):
            store += 1.0, ("Z", n)
        else:
            charger += 1.0, ("Z", n)
    store += 0.3, ("X", 3), ("X", 4)
    for n in range(7):
        bridge += 0.7, ("Sp", n), ("Sm", n + 1)
        bridge += 0.7, ("Sm", n), ("Sp", n + 1)
    start = ["down" if n in (3, 4) else "up" for n in range(8)]
    return mb.Battery(sites, [3, 4], store, store + charger + bridge, empty=start, name="mediated")


MODELS: dict[str, Callable[[], mb.Battery]] = {
    "xxz": lambda: spin_chain.xxz(cells=10),
    "xyz": lambda: spin_chain.xyz(cells=8, dzyaloshinskii=0.4),
    "ising_quench": lambda: spin_chain.ising_quench(cells=9),
    "ising_disordered": lambda: spin_chain.ising_disordered(cells=8),
    "xy_dimerised": lambda: spin_chain.xy_dimerised(cells=8),
    "power_law": lambda: spin_chain.power_law(cells=8),
    "lipkin": lambda: spin_chain.lipkin(cells=8),
    "mbl": lambda: spin_chain.mbl(cells=10),
    "driven": _driven,
    "mediated": _mediated,
}


def dense_record(battery: mb.Battery, times: np.ndarray) -> dict[str, np.ndarray]:
    """All standard quantities by brute force on the full vector, sharing only Terms.to_dense with the engine."""
    n = len(battery.sites)
    energy = battery.energy.to_dense()
    schedule = as_schedule(battery.charging)
    psi = battery.initial_state().to_dense().astype(complex)
    if schedule.constant:
        e, u = np.linalg.eigh(schedule.at(0.0).to_dense())
        states = [u @ (np.exp(-1j * e * (t - times[0])) * (u.conj().T @ psi)) for t in times]
    else:
        states = _integrate(schedule, psi, times)
    out: dict[str, list] = {k: [] for k in mb.STANDARD}
    for t, v in zip(times, states, strict=True):
        h = schedule.at(float(t)).to_dense()
        out["energy"].append((v.conj() @ energy @ v).real)
        out["power"].append((1j * v.conj() @ (h @ (energy @ v)) - 1j * v.conj() @ (energy @ (h @ v))).real)
        out["energy_variance"].append(np.linalg.norm(energy @ v) ** 2 - out["energy"][-1] ** 2)
        extremes = [local_work(v, energy, c, n) for c in battery.cells]
        out["local_ergotropy"].append([w for w, _ in extremes])
        out["local_capacity"].append([c for _, c in extremes])
        out["entropy"].append([solved.cut_entropy(v, b + 1) for b in range(n - 1)])
    final = {k: np.array(v) for k, v in out.items()}
    final["energy"] = final["energy"] - final["energy"][0]
    return final


def _integrate(schedule: mb.Schedule, psi: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """Gauss-Legendre of order four with many steps: another integrator than the engine's."""
    parts = [h.to_dense() for h in schedule.terms]
    v, t, out = psi, float(times[0]), [psi]
    for stop in times[1:]:
        steps = max(1, int(np.ceil((stop - t) / 5e-3)))
        dt = (stop - t) / steps
        for _ in range(steps):
            a, b = (schedule.values(t + (0.5 + s * np.sqrt(3) / 6) * dt) for s in (-1, 1))
            h1, h2 = (sum(f * p for f, p in zip(x, parts, strict=True)) for x in (a, b))
            # Magnus expansion to fourth order
            omega = 0.5 * dt * (h1 + h2) - 1j * np.sqrt(3) / 12 * dt**2 * (h2 @ h1 - h1 @ h2)
            w, x = v, v
            for k in range(1, 14):
                x = -1j * (omega @ x) / k
                w = w + x
            v, t = w, t + dt
        out.append(v)
    return out


def local_work(vector: np.ndarray, h: np.ndarray, site: int, n: int) -> tuple[float, float]:
    """(ergotropy, capacity) of one qubit: U = q0 - i q.sigma makes the energy a quadratic form of the real q.

    Its extremes are eigenvalues of a 4 x 4 matrix: no singular values, no correlation matrix.
    """
    paulis = [np.eye(2), -1j * np.array([[0, 1], [1, 0]]), -1j * np.array([[0, -1j], [1j, 0]]),
              -1j * np.diag([1.0, -1.0])]
    tensor = vector.reshape(2**site, 2, 2 ** (n - 1 - site))
    moved = [np.einsum("pq,aqb->apb", p, tensor).ravel() for p in paulis]
    form = np.array([[(a.conj() @ (h @ b)).real for b in moved] for a in moved])
    low, *_, high = np.linalg.eigvalsh((form + form.T) / 2)
    return form[0, 0] - low, high - low


def random_battery(rng: np.random.Generator, cells: int, jumps: bool = False) -> mb.Battery:
    """Random fields and three random couplings a bond, another Hamiltonian while charging, a random product start."""
    sites = [mb.Spin()] * cells

    def energy() -> mb.Terms:
        terms = mb.Terms(sites)
        for n in range(cells):
            for p in "XYZ":
                terms += rng.normal(), (p, n)
        for n in range(cells - 1):
            for p, q in rng.choice(list("XYZ"), size=(3, 2)):
                terms += 0.7 * rng.normal(), (str(p), n), (str(q), n + 1)
        return terms

    stored = energy()
    charging = energy() + (stored if rng.random() < 0.5 else mb.Terms(sites))
    vectors = rng.normal(size=(cells, 2)) + 1j * rng.normal(size=(cells, 2))
    leaks = []
    for n in range(cells if jumps else 0):
        leak = mb.Terms(sites)
        leak += 0.3, (str(rng.choice(["Sm", "Z"])), n)
        leaks.append(mb.Jump(leak))
    return mb.Battery(sites, range(cells), stored, charging, jumps=leaks,
                      empty=list(vectors / np.linalg.norm(vectors, axis=1)[:, None]))
