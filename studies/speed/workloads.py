"""What every tool is asked to do: the physics, the times, and the error that counts as reached.

A workload has a `kind`; a tool module answers the kinds it knows (see tools/):

chain    H = sum_n [ xy (Sx Sx + Sy Sy) + z Sz Sz ]_{n,n+1} + sum_n ( hx_n Sx_n + hz_n Sz_n ),  S = sigma / 2,
         open ends, from a product of up and down. Recorded: <Sz> of every site and the half-chain entropy.
driven   density under H = sum_n ( X X + Y Y + z Z Z )_{n,n+1} and the jumps sqrt(1 + mu) s+, sqrt(1 - mu) s- on the
         first site, sqrt(1 - mu) s+, sqrt(1 + mu) s- on the last one, from the identity. Recorded: <Z> of every site.
many     one chain after another, which differ in their fields, on `WORKERS` processes of one thread each that wait
         ready when the clock starts. Recorded: <Sz> of every site, (chain, time, site).
steady   steady state of "driven". Recorded: the current 2 <X Y - Y X>, mean over the bonds.
cavity   H = a+ a + sum_k (1 + Z_k) / 2 + sum_k (a s+_k + a+ s-_k + counter (a+ s+_k + a s-_k)) from n photons and n
         spins down. Recorded: mean excitation of a spin. How many photons there is room for is a setting.
syk      H = sum_ijkl J_ijkl c+_i c+_j c_k c_l from all cells in the lower eigenstate of sigma^y; conventions are those
         of `mps_battery.models.syk`. Recorded: mean <sigma^y> of a cell.
elements the same H as a matrix product operator. Recorded: some of its elements between states of given occupation.
cells    a state of a chain with H = sum_n ( X X + Y Y + z Z Z )_{n,n+1} + h sum_n Z_n, given as `train`: either energy
         that a unitary on a cell can draw and the range of energies it can reach, of every cell, or canonical form and
         reduced density matrices of every site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent / "data"
WORKERS = 2
SEED = 7
"""Of the random fields, which are those of the model `mbl`: SeedSequence([seed, realisation, 0])."""


@dataclass(frozen=True)
class Workload:
    """One job, the same for every tool.

    Args:
        name: Key in tables and files.
        title: What it is, in words.
        kind: Which physics; see the module docstring.
        parameters: Numbers and arrays of that physics.
        times: Increasing times at which to record.
        judged: The array whose largest deviation from the reference is the error: a recorded one, "imbalance", or
            several of which those that are recorded count.
        target: Largest error that counts as reached.
        bond: Cap on the bond, the same for every tool.
        charge: Whether the magnetisation along z is conserved.
        threads: Numbers of BLAS threads to try.
    """

    name: str
    title: str
    kind: str
    parameters: Mapping
    times: np.ndarray
    judged: str
    target: float
    bond: int
    charge: bool
    threads: tuple[int, ...] = (1, 2)

    def error(self, arrays: Mapping[str, np.ndarray], key: str | None = None) -> float:
        """Largest deviation of a recorded array from the converged reference."""
        keys = [k for k in (key or self.judged).split() if k in arrays or k == "imbalance"]
        with np.load(DATA / f"{self.name}.npz") as reference:
            return max(float(np.abs(judged(arrays, k) - judged(reference, k)).max()) for k in keys)

    def prepare(self) -> None:
        """What is there before the clock starts."""
        if self.kind == "cells":
            train(self.parameters["n"], self.parameters["bond"])

    def chains(self) -> list[Workload]:
        """The single chains of a job of kind "many"."""
        return [replace(self, kind="chain", parameters={**self.parameters, "hz": hz}) for hz in self.parameters["hz"]]


def judged(arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    """A recorded array, or the imbalance 2 / n sum (-1)^k <Sz_k>, which is one at the start."""
    if key != "imbalance":
        return arrays[key]
    n = arrays["sz"].shape[-1]
    return 2 / n * arrays["sz"] @ (-1.0) ** np.arange(n)


def chain(name: str, title: str, n: int, z: float, times: np.ndarray, start: str, target: float, hx: float = 0.0,
          hz: float | np.ndarray = 0.0, charge: bool = False) -> Workload:
    """A spin-1/2 chain with xy = 1; `start` is one letter a site, u or d, and `hz` one number or one a site."""
    parameters = {"n": n, "xy": 1.0, "z": z, "hx": np.full(n, hx), "hz": np.full(n, hz),
                  "start": start}
    return Workload(name, title, "chain", parameters, times, "sz", target, 256, charge)


def driven(name: str, title: str, n: int, z: float, mu: float, times: np.ndarray, target: float) -> Workload:
    """A boundary-driven chain of spins 1/2 from infinite temperature; the cap on the bond is a setting."""
    return Workload(name, title, "driven", {"n": n, "z": z, "mu": mu}, times, "z", target, 1024, True)


def localised(name: str, title: str, n: int, disorder: float, times: np.ndarray, target: float) -> Workload:
    """A Heisenberg chain in random fields, from the Néel state, judged by its imbalance."""
    one = chain(name, title, n, 1.0, times, "ud" * (n // 2), target, hz=fields(n, disorder, 0), charge=True)
    return replace(one, judged="imbalance")


def fields(n: int, disorder: float, realisation: int) -> np.ndarray:
    """Fields along z, (n,), uniform from -disorder to disorder."""
    return disorder * np.random.default_rng(np.random.SeedSequence([SEED, realisation, 0])).uniform(-1, 1, n)


def resized(workload: Workload, n: int) -> Workload:
    """The same on a chain of another length."""
    return replace(workload, parameters={**workload.parameters, "n": n})


def many(name: str, title: str, n: int, disorder: float, realisations: int, times: np.ndarray, target: float
         ) -> Workload:
    """Realisations of a localised chain."""
    one = localised(name, title, n, disorder, times, target)
    drawn = np.array([fields(n, disorder, r) for r in range(realisations)])
    return replace(one, kind="many", parameters={**one.parameters, "hz": drawn, "disorder": disorder}, threads=(1,))


def couplings(n: int) -> np.ndarray:
    """Couplings of a complex SYK model over pairs of modes, (pairs, pairs), Hermitian, <|J|^2> = 1 / n^3."""
    pairs = n * (n - 1) // 2
    x, y, diagonal = (np.random.default_rng([SEED, k]).normal(size=(pairs, pairs)) for k in range(3))
    upper = np.triu(x + 1j * y, 1) / np.sqrt(2)
    return (upper + upper.conj().T + np.diag(np.diag(diagonal))) / n**1.5


def occupations(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of states of n modes, half of them filled, that differ by at most two fermions: final and first one."""
    rng, out = np.random.default_rng([SEED, n]), []
    for moved in (0, 1, 2, 2, 2, 2) * 8:
        ket = np.zeros(n, int)
        places = rng.permutation(n)
        ket[places[:n // 2]] = 1
        bra = ket.copy()
        bra[places[:moved]], bra[places[n - moved:]] = 0, 1
        out.append((bra, ket))
    return out


@cache
def train(n: int, bond: int) -> tuple[np.ndarray, ...]:
    """A random state of spins 1/2 that leans towards up, legs left, spin, right; its bonds are full."""
    rng = np.random.default_rng([SEED, n, bond])
    bonds = [int(min(bond, 2.0**min(k, n - k))) for k in range(n + 1)]
    out = []
    for a, b in pairwise(bonds):
        one = (rng.normal(size=(a, 2, b)) + 1j * rng.normal(size=(a, 2, b))) / (4 * b) ** 0.5
        one[:, 0] += 0.3 * np.eye(a, b)
        out.append(one)
    return tuple(out)


def grid(end: float, step: float) -> np.ndarray:
    """0, step, ..., end."""
    return np.round(np.arange(round(end / step) + 1) * step, 10)


ONCE = np.zeros(1)
"""The times of what does not move."""

WORKLOADS = {w.name: w for w in (
    chain("W1", "drive-charged XXZ, N = 100, t = 3", 100, 0.5, grid(3, 0.1), "d" * 100, 1e-6, hx=1.0, hz=0.5),
    chain("W2N", "Néel XXZ, N = 32, t = 6", 32, 0.5, grid(6, 0.25), "ud" * 16, 1e-5, charge=True),
    chain("W2F", "Néel XXZ, N = 32, t = 8, bond 256 full", 32, 0.5, grid(8, 0.5), "ud" * 16, 2.5e-5, charge=True),
    chain("W2D", "domain wall XXZ, N = 64, t = 10", 64, 0.5, grid(10, 0.25), "u" * 32 + "d" * 32, 1e-5, charge=True),
    localised("W3", "Heisenberg chain at disorder 8, N = 32, t = 100", 32, 8.0, grid(100, 1), 1e-4),
    Workload("W4T", "Tavis-Cummings, N = 20 with 20 photons, t = 2", "cavity", {"n": 20, "counter": 0.0}, grid(2, 0.05),
             "excited", 1e-6, 256, True, (1,)),
    # to beyond the first maximum, at t = 0.2: at t = 2 a thousand photons and more are needed for 1e-6
    Workload("W4D", "Dicke, N = 20 with 20 photons, t = 0.3", "cavity", {"n": 20, "counter": 1.0}, grid(0.3, 0.025),
             "excited", 1e-6, 256, False, (1,)),
    Workload("W5", "complex SYK, N = 12, t = 2", "syk", {"n": 12}, grid(2, 0.1), "sy", 1e-8, 0, False),
    Workload("W5A", "operator of complex SYK, N = 12", "elements", {"n": 12}, ONCE, "elements", 1e-10, 0, True, (1,)),
    Workload("W5B", "operator of complex SYK, N = 20", "elements", {"n": 20}, ONCE, "elements", 1e-10, 0, True, (1,)),
    driven("W6", "boundary-driven XXZ density, N = 32, t = 5", 32, 0.5, 0.5, grid(5, 0.5), 1e-4),
    driven("W6L", "boundary-driven XXZ density, N = 32, t = 10", 32, 0.5, 0.5, grid(10, 0.5), 1.3e-3),
    Workload("W7A", "steady state of boundary-driven XXZ, N = 8", "steady", {"n": 8, "z": 0.5, "mu": 0.5}, ONCE,
             "current", 7e-5, 1024, True, (1,)),
    Workload("W7B", "steady state of boundary-driven XXZ, N = 16", "steady", {"n": 16, "z": 0.5, "mu": 0.5}, ONCE,
             "current", 7e-5, 1024, True, (1,)),
    Workload("W7C", "steady state of boundary-driven XXZ, N = 32", "steady", {"n": 32, "z": 0.5, "mu": 0.5}, ONCE,
             "current", 2.1e-4, 1024, True, (2,)),
    many("W8", "32 Heisenberg chains at disorder 8, N = 16, t = 10, on two processes", 16, 8.0, 32, grid(10, 1), 1e-4),
    Workload("W9", "local ergotropy and capacity of a state of bond 64, N = 200", "cells",
             {"n": 200, "z": 0.7, "h": 1.3, "bond": 64}, ONCE, "ergotropy capacity densities", 1e-10, 64, False),
)}


def miniature(workload: Workload) -> Workload:
    """The same physics on few sites for two times: warms up caches and compilers before the clock starts.

    On more sites than an engine that chooses by itself would solve exactly: it is to warm up what it uses later.
    """
    p = dict(workload.parameters)
    if workload.kind in ("cavity", "syk", "elements"):
        p.update(n=4)
    elif workload.kind == "steady":
        p.update(n=3)                          # large enough for nothing but imports and compilers
    elif workload.kind in ("chain", "many"):
        p.update(n=12, hx=p["hx"][:12], hz=p["hz"][..., :12], start=p["start"][:12])
    else:
        p.update(n=6)
    if workload.kind == "cells":
        p.update(n=12)
    return replace(workload, parameters=p, times=workload.times[:3])
