"""How far steady states of long driven chains can be trusted: a ladder of lengths, a dephased chain, and the rank.

    python studies/steady_states/run.py ladder [--longest 50] [--bond 60]
    python studies/steady_states/run.py dephased
    python studies/steady_states/run.py rank

Each part writes its own file in data/; states of the ladder are kept in data/ladder/ (not under version control), so
that a run that was ended goes on from its last rung.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import mps_battery as mb
from mps_battery.liouville import generator
from mps_battery.steady.certificate import residual
from mps_battery.tensors import trains
from mps_battery.tensors.density import density_sites
from mps_battery.tensors.mps import MPS

HERE = Path(__file__).resolve().parent
DATA, STATES = HERE / "data", HERE / "data" / "ladder"

STAGES = [[(1.5, None, 30)], [(2.4, 4.0, 20), (3.0, 4.0, 6)], [(2.4, 4.0, 20), (3.0, 4.0, 12)]]
"""Identity weight, stabilisation and most sweeps: chains of up to 20 sites, and longer ones in two stages. The heavier
the identity, the sharper are few-body values, and the better must a start be."""


def driven_chain(n: int, delta: float, bias: float, dephasing: float = 0.0) -> mb.Battery:
    """XXZ chain in Pauli matrices; its ends are driven towards +bias and -bias at rate 1 (REFERENCES 4.1, 4.2)."""
    sites, jumps = (mb.Spin(),) * n, []
    h = mb.Terms(sites)
    for k in range(n - 1):
        for name, strength in (("X", 1.0), ("Y", 1.0), ("Z", delta)):
            h += strength, (name, k), (name, k + 1)
    for share, name, k in ((1 + bias, "Sp", 0), (1 - bias, "Sm", 0), (1 - bias, "Sp", n - 1), (1 + bias, "Sm", n - 1)):
        if share > 0:
            jump = mb.Terms(sites)
            jump += np.sqrt(share), (name, k)
            jumps.append(mb.Jump(jump, bath="left" if k == 0 else "right"))
    for k in range(n if dephasing else 0):
        jump = mb.Terms(sites)
        jump += np.sqrt(dephasing / 2), ("Z", k)
        jumps.append(mb.Jump(jump, bath="dephasing"))
    return mb.Battery(sites, range(n), h, h, jumps, empty="mixed", name="driven chain")


def exact_current(n: int) -> float:
    """Maximally driven isotropic chain, flow of excitations: 8 Z_(n-1) / Z_n at epsilon = 1 [Prosen 2011]."""
    k = np.arange(n + 1)
    t = np.diag(2.0 * (4 + k**2)) + np.diag((k[:-1] + 1.0) ** 2, 1) + np.diag(16.0 + k[:-1] ** 2, -1)
    v, last = np.eye(n + 1)[0], 1.0
    ratio = 0.0
    for _ in range(n):
        v = v @ t
        ratio, last = 1 / (v[0] / last) if last else 0.0, v[0]
        v, last = v / last, 1.0
    return 8.0 * ratio


def keep(name: str, rows: Any) -> None:
    """Write what was found."""
    (DATA / f"{name}.json").write_text(json.dumps(
        {"version": mb.__version__, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def facts(steady: mb.SteadyState) -> dict[str, Any]:
    """What the certificate says, and what it took."""
    c = steady.certificate
    return {"bond": max(steady.state.bonds), "current": c.current, "bar": c.current_bar, "spread": c.spread,
            "residual": c.residual, "weighted_residual": c.weighted_residual, "least_eigenvalue": c.least_eigenvalue,
            "sweeps": steady.history.sizes["step"], "last_sweep": float(steady.history["residual"].values[-1]),
            "seconds": steady.card["wall_seconds"], "megabytes": steady.card["peak_megabytes"]}


def ladder(longest: int, bond: int) -> None:
    """Maximally driven isotropic chains, each from the two before it; from dense chains of 4 and 6 sites."""
    STATES.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    if (DATA / "ladder.json").exists():
        rows = json.loads((DATA / "ladder.json").read_text(encoding="utf-8"))["rows"]
    done = [row["N"] for row in rows if (STATES / f"{row['N']}.npz").exists()]
    rows = [row for row in rows if row["N"] in done]
    begun = time.process_time()
    for n in range(4, longest + 1, 2):
        if n in done:
            continue
        battery = driven_chain(n, 1.0, 1.0)
        if n <= 6:
            steady = mb.steady_state(battery, method=mb.Dense())
        else:
            start: mb.Density | tuple[mb.Density, mb.Density] = (stored(n - 4), stored(n - 2))
            for weight, stabilisation, most in STAGES[(n > 20) + (n > 32)]:
                cap = min(bond if n > 32 else min(bond, 48), (n // 2 + 1) ** 2 + 8)       # the exact rank, or less
                method = mb.Sweeps(most=most, first_bond=cap, identity_weight=weight, stabilisation=stabilisation)
                steady = mb.steady_state(battery, method=method, tolerance=7e-4 if weight < 3 else 1e-4, start=start,
                                         truncation=mb.Truncation(cap, 1e-24))
                start = steady.state
        np.savez(STATES / f"{n}.npz", *steady.state.train.tensors)
        row = {"N": n, "exact": exact_current(n), "current": steady.certificate.current}
        row |= facts(steady) if n > 6 else {}
        row["processor_seconds"], begun = time.process_time() - begun, time.process_time()
        rows.append(row)
        keep("ladder", rows)
        print(n, f"error {row['current'] / row['exact'] - 1:.1e}", f"spread {row.get('spread', 0) / row['exact']:.1e}",
              f"{row['processor_seconds']:.0f} s", flush=True)


def stored(n: int) -> mb.Density:
    """A rung of the ladder."""
    with np.load(STATES / f"{n}.npz") as file:
        return mb.Density(MPS(density_sites([mb.Spin()] * n), [file[k] for k in file.files]).canonical(0))


def dephased() -> None:
    """100 sites, Delta = 1/2, bias 1/2, dephasing 1, from the identity, at two bonds; 30 sites to compare with."""
    rows = []
    for n, bond in ((30, 28), (30, 40), (100, 28), (100, 40)):
        steady = mb.steady_state(driven_chain(n, 0.5, 0.5, 1.0), method=mb.Sweeps(identity_weight=2.0),
                                 truncation=mb.Truncation(bond, 1e-20), tolerance=1e-6)
        rows.append({"N": n, "cap": bond} | facts(steady))
        keep("dephased", rows)
        print(rows[-1], flush=True)


def rank() -> None:
    """What truncation alone leaves of |L rho| / |rho|: states of 6 and 8 sites cut to smaller bonds."""
    rows = []
    for n in (6, 8):
        battery = driven_chain(n, 0.5, 0.5, 1.0)
        method: Any = mb.Dense() if n == 6 else mb.Sweeps(identity_weight=1.0, first_bond=64, most=60)
        state = mb.steady_state(battery, method=method, truncation=mb.Truncation(256, 1e-30), tolerance=1e-8).state
        total = sum((t for t, _ in generator(battery).parts[1:]), generator(battery).parts[0][0].copy())
        mpo, largest = total.to_mpo(), max(state.bonds)
        for bond in (16, 24, 32, 48, 64, 96, 128, 160, 192):
            if bond < largest:
                cut = mb.Density(MPS(state.train.sites, trains.cut(state.train.tensors, mb.Truncation(bond, 0.0)), 0))
                rows.append({"N": n, "bond": bond, "residual": residual(mpo, cut.normalised()),
                             "weighted_residual": residual(mpo, cut.normalised(), 2.0), "of": residual(mpo, state)})
        keep("rank", rows)
    print(json.dumps(rows, indent=1))


def main() -> None:
    """One part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["ladder", "dephased", "rank"])
    parser.add_argument("--longest", type=int, default=50)
    parser.add_argument("--bond", type=int, default=60)
    asked = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    with threadpool_limits(1, user_api="blas"):
        {"ladder": lambda: ladder(asked.longest, asked.bond), "dephased": dephased, "rank": rank}[asked.part]()


if __name__ == "__main__":
    sys.exit(main())
