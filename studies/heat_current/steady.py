"""Steady heat currents through L cells between a hot and a cold bath: alone, together, all at once.

    python studies/heat_current/steady.py [--largest 20]

writes data/steady.json. Every steady state starts from all cells down and relaxes as a density in matrix-product form:
what is conserved beside the trace (the total spin under collective coupling, everything outside the two flipped states
under the all-flip coupling) stays, so that each curve belongs to the sector of that start.

Both baths find the same coupling; n_hot and n_cold are their Planck occupations at the quantum that a jump carries,
the splitting (alone, together) or L splittings (all at once: baths whose temperature grows with L).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import mps_battery as mb
from mps_battery.liouville import adjoint_dissipator

DATA = Path(__file__).resolve().parent / "data"
RATE, SPLITTING, HOT, COLD = 0.01, 1.0, 5.0, 2.0
SIZES = {"alone": (2, 4, 6, 8, 10, 12, 16, 20), "at once": (2, 4, 6, 8, 10, 12),
         "together": (2, 4, 6, 8, 10, 12, 16, 20)}
"""An all-flip jump has projectors on every site, 2^L products for the builder of operators."""
WEIGHT, TOLERANCE = 1e-11, 3e-6


def battery(length: int, coupling: str) -> mb.Battery:
    """L cells with energy splitting sum (1 + Z) / 2 and two jumps a bath."""
    sites = (mb.Spin(),) * length
    h, jumps = mb.Terms(sites), []
    for n in range(length):
        h += SPLITTING / 2, ("Z", n)
        h += SPLITTING / 2,
    for bath, occupation in (("hot", HOT), ("cold", COLD)):
        for name, share in (("Sm", occupation + 1), ("Sp", occupation)):
            strength = float(np.sqrt(RATE * share))
            if coupling == "alone":
                groups = [[(strength, (name, n))] for n in range(length)]
            elif coupling == "together":
                groups = [[(strength, (name, n)) for n in range(length)]]
            else:
                groups = [[(strength * length, *[(name, n) for n in range(length)])]]
            for group in groups:
                jump = mb.Terms(sites)
                for product in group:
                    jump += product
                jumps.append(mb.Jump(jump, bath=bath))
    return mb.Battery(sites, range(length), h, h, jumps, empty="down", name=f"cells {coupling}")


def closed_form(length: int, coupling: str) -> float:
    """Current from the rate equations of one cell, of the ladder of Dicke states, of the two flipped states."""
    two_levels = RATE * SPLITTING * (HOT - COLD) / (2 * (HOT + COLD + 1))
    if coupling != "together":
        return two_levels * (length if coupling == "alone" else length**3)
    k = np.arange(length + 1)
    share = ((HOT + COLD) / (HOT + COLD + 2)) ** k
    share = share / share.sum()
    up, down = (length - k) * (k + 1), k * (length - k + 1)
    return float(RATE * SPLITTING * (HOT * share @ up - (HOT + 1) * share @ down))


def solve(length: int, coupling: str) -> dict[str, float]:
    """Current into the cells from the hot bath, out of them into the cold one, and what it took."""
    begun, b = time.perf_counter(), battery(length, coupling)
    step = 13.0 / length if coupling == "together" else None         # a few inverse rates: TDVP's fixed point is exact
    steady = mb.steady_state(b, method=mb.Relaxation(dt=step), start=mb.Density.product(b.sites, "down"),
                             truncation=mb.Truncation(96, WEIGHT), tolerance=TOLERANCE)
    heat = {bath: sum(steady.state.expect(adjoint_dissipator(j.terms, b.energy)).real for j in b.jumps
                      if j.bath == bath) for bath in ("hot", "cold")}
    return {"L": length, "hot": heat["hot"], "cold": heat["cold"], "closed_form": closed_form(length, coupling),
            "bond": max(steady.state.bonds), "residual": steady.certificate.residual,
            "steady_states": steady.certificate.multiplicity, "seconds": time.perf_counter() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=20, help="largest L (20: tens of minutes; 10: one minute)")
    largest = parser.parse_args().largest
    DATA.mkdir(exist_ok=True)
    results: dict[str, list[dict[str, float]]] = {coupling: [] for coupling in SIZES}
    for coupling, rows in results.items():
        for length in SIZES[coupling]:
            if length <= largest:
                rows.append(solve(length, coupling))
                print(coupling, rows[-1], flush=True)
                (DATA / "steady.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
