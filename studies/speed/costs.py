"""What an engine costs: its rate against matrix products, how cost grows, and memory against its model.

    python studies/speed/costs.py [rates] [growth] [memory]

Without a word all three; each writes its part of data/costs.json. States are random trains at full bonds, for the
cost of a step does not depend on what the numbers are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

import mps_battery as mb
from mps_battery.evolve import tdvp, tebd
from mps_battery.evolve.threads import libraries
from mps_battery.liouville import conserves_weak_charge, generator
from mps_battery.models import open_chain, spin_chain
from mps_battery.steady.grading import weak_charge
from mps_battery.steady.sweeps import Control, Solver
from mps_battery.tensors import environment
from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mps import MPS

DATA = Path(__file__).parent / "data" / "costs.json"
Array = np.ndarray
STEP = 0.02


def random_train(dims: Sequence[int], bond: int, real: bool = False) -> list[Array]:
    """A right-canonical train of norm one whose bonds are as large as the sites and `bond` allow."""
    rng, n = np.random.default_rng(7), len(dims)
    with np.errstate(over="ignore"):             # infinite on long chains
        left, right = ([1.0, *np.cumprod(np.array(d, float))] for d in (dims, dims[::-1]))
    bonds = [int(min(bond, left[k], right[n - k])) for k in range(n + 1)]
    tensors = []
    for k, d in enumerate(dims):
        a = rng.normal(size=(d * bonds[k + 1], bonds[k]))
        q = np.linalg.qr(a if real else a + 1j * rng.normal(size=a.shape))[0]
        tensors.append(np.ascontiguousarray(q.T).reshape(bonds[k], d, bonds[k + 1]))
    return tensors


def evolution(engine: str, cells: int, bond: int) -> Any:
    """One engine on a random state of full bond; `advance(STEP)` is one step of second order."""
    if engine == "TEBD density":
        battery = open_chain.boundary_driven(cells=cells)
        sites = density_sites(battery.sites)
        train = random_train([s.d for s in sites], bond, real=True)
        start: Any = Density(MPS(sites, train, 0))
        # one block: a random train has no definite parity
        method: Any = mb.TEBD(dt=STEP, order=2, blocks=None)
    else:
        battery = spin_chain.xxz(cells=cells)
        start = MPS(battery.sites, random_train([s.d for s in battery.sites], bond), 0)
        method = mb.TDVP(dt=STEP, order=2, krylov=1e-5) if engine == "TDVP" else mb.TEBD(dt=STEP, order=2)
    return method.start(start, generator(battery), mb.Truncation(bond, 1e-12))


# -- rates -----------------------------------------------------------------------------------------------------
class Meter:
    """Floating point operations of contractions, and wall seconds of decompositions."""

    def __init__(self) -> None:
        self.operations = self.seconds = 0.0

    def decomposing(self, function: Callable) -> Callable:
        """The same function, timed."""
        def timed(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.perf_counter() - begun
        return timed

    def counted(self, function: Callable, count: Callable[..., int]) -> Callable:
        """The same function; complex multiply-adds are eight operations each."""
        def wrapped(*given: Any) -> Any:
            self.operations += 8 * count(*given)
            return function(*given)
        return wrapped


def pair_products(operator: tdvp.PairOperator, theta: Array) -> int:
    """Multiply-adds of left, both W, right on theta, one after the other."""
    left, w1, w2, right = operator.parts
    l, d, e, r = theta.shape
    x, y, z = w1.shape[0], w1.shape[1], w2.shape[1]
    b, c = len(left), len(right)
    return b * x * l * d * e * r + b * d * y * x * d * e * r + b * d * e * z * y * e * r + b * d * e * z * r * c


def site_products(operator: tdvp.SiteOperator, a: Array) -> int:
    """The same for one site."""
    left, w, right = operator.parts
    l, d, r = a.shape
    x, y, b, c = w.shape[0], w.shape[1], len(left), len(right)
    return b * x * l * d * r + b * d * y * x * d * r + b * d * y * r * c


def left_products(env: Array, ket: Array, w: Array, *_: Array) -> int:
    """Ket, W and bra, absorbed one after the other."""
    (b, x, v), (_, d, r), y = env.shape, ket.shape, w.shape[1]
    return b * x * v * d * r + b * d * y * x * d * r + r * b * d * y * r


def right_products(env: Array, ket: Array, w: Array, *_: Array) -> int:
    """The same from the right."""
    (b, x, v), (l, d, _), y = env.shape, ket.shape, w.shape[0]
    return l * d * b * x * v + l * y * d * d * x * v + l * y * d * v * l


def update_products(bonds: list[int], tensors: list[Array], _schmidt: list[Array], _gates: Sequence[Array],
                    truncation: mb.Truncation, *_: Any) -> int:
    """B B', the gate, the Gram matrix and what is kept of C V, which is all at full bond."""
    (d, l, m), (e, _, r) = tensors[bonds[0]].shape, tensors[bonds[0] + 1].shape
    kept = min(d * l, e * r, truncation.bond)
    return len(bonds) * d * e * l * r * (m + d * e) + len(bonds) * d * l * e * r * (e * r + kept)


@contextmanager
def metered() -> Iterator[Meter]:
    """Counts and times what the engines do inside."""
    meter, undo = Meter(), []

    def patch(owner: Any, name: str, new: Callable) -> None:
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)

    for owner, names in ((np.linalg, ("svd", "eigh", "qr")), (scipy.linalg, ("svd",))):
        for name in names:
            patch(owner, name, meter.decomposing(getattr(owner, name)))
    patch(tdvp.PairOperator, "__call__", meter.counted(tdvp.PairOperator.__call__, pair_products))
    patch(tdvp.SiteOperator, "__call__", meter.counted(tdvp.SiteOperator.__call__, site_products))
    patch(environment, "from_left", meter.counted(environment.from_left, left_products))
    patch(environment, "from_right", meter.counted(environment.from_right, right_products))
    patch(tebd, "_update_alike", meter.counted(tebd._update_alike, update_products))
    try:
        yield meter
    finally:
        for owner, name, old in reversed(undo):
            setattr(owner, name, old)


def product_rate(bond: int) -> float:
    """Operations a second of complex matrix products of the size of the largest in TDVP and TEBD, the better one."""
    best, rng = 0.0, np.random.default_rng(1)
    for rows, inner, columns in ((5 * bond, bond, 4 * bond), (2 * bond, 2 * bond, 2 * bond)):
        a, b = (rng.normal(size=s) + 1j * rng.normal(size=s) for s in ((rows, inner), (inner, columns)))
        for _ in range(3):
            begun = time.perf_counter()
            a @ b
            best = max(best, 8 * rows * inner * columns / (time.perf_counter() - begun))
    return best


def rates() -> list[dict[str, Any]]:
    """One step of every engine: operations a second outside of decompositions, against the matrix product."""
    rows = []
    for bond, cells in ((256, 18), (512, 19)):
        for threads in (1, 2):
            for engine in ("TEBD", "TDVP"):
                with libraries().limit(limits=threads):
                    run, before = evolution(engine, cells, bond), product_rate(bond)
                    with metered() as meter:
                        begun = time.perf_counter()
                        run.advance(STEP)
                        wall = time.perf_counter() - begun
                    product = max(before, product_rate(bond))
                rate = meter.operations / (wall - meter.seconds)
                rows.append({"engine": engine, "bond": bond, "sites": cells, "threads": threads,
                             "gigaflops": rate / 1e9, "product_gigaflops": product / 1e9, "share": rate / product,
                             "decompositions": meter.seconds / wall, "seconds": wall})
                sys.stderr.write(f"{rows[-1]}\n")
    return rows


# -- growth ----------------------------------------------------------------------------------------------------
def seconds_of(engine: str, cells: int, bond: int) -> float:
    """Processor seconds of one step, or of one steady sweep, the better of two."""
    best = np.inf
    for _ in range(2):
        if engine == "steady sweeps":
            battery = open_chain.boundary_driven(cells=cells)
            sites = density_sites(battery.sites)
            assert conserves_weak_charge(battery)
            total = generator(battery).parts[0][0].copy()
            for terms, _ in generator(battery).parts[1:]:
                total += terms
            # a random train has no weak charge, and would be blown up by the number of charges
            solver = Solver(total.to_mpo(), Density.product(battery.sites, "mixed").train.tensors, weak_charge(sites))
            for _ in range(8):
                if max(map(len, solver.bonds)) < bond:
                    solver.sweep(Control.falling(0.2), 1.0, mb.Truncation(bond, 0.0), bond)
            # what was added beyond the cap goes again
            solver.sweep(Control.falling(0.2), 1.0, mb.Truncation(bond, 0.0), 0)
            begun = time.process_time()
            solver.sweep(Control.falling(0.2), 1.0, mb.Truncation(bond, 0.0), 0)
        else:
            run = evolution(engine, cells, bond)
            begun = time.process_time()
            run.advance(STEP)
        best = min(best, time.process_time() - begun)
    return best


GROWTH = {"TEBD": ((100, 200, 400), 64, (64, 128, 256), 24), "TDVP": ((80, 160, 320), 32, (48, 96, 144), 20),
          "TEBD density": ((60, 120, 240), 48, (48, 96, 192), 16),
          "steady sweeps": ((20, 40, 80), 12, (12, 24, 48), 12)}
"""Engine -> (lengths, at this bond, bonds, at this length); bonds near the ends are smaller, so lengths are long."""


def growth() -> list[dict[str, Any]]:
    """Exponents of least squares on double logarithms."""
    rows = []
    with libraries().limit(limits=1):
        for engine, (lengths, bond, bonds, length) in GROWTH.items():
            seconds_of(engine, lengths[0], min(bonds))
            over_length = [seconds_of(engine, n, bond) for n in lengths]
            over_bond = [seconds_of(engine, length, b) for b in bonds]
            rows.append({"engine": engine, "lengths": lengths, "bond": bond, "over_length": over_length,
                         "exponent_length": float(np.polyfit(np.log(lengths), np.log(over_length), 1)[0]),
                         "bonds": bonds, "length": length, "over_bond": over_bond,
                         "exponent_bond": float(np.polyfit(np.log(bonds), np.log(over_bond), 1)[0])})
            sys.stderr.write(f"{rows[-1]}\n")
    return rows


# -- memory ----------------------------------------------------------------------------------------------------
LARGE = {"TEBD": (660, 160, 5), "TEBD in blocks": (240, 240, 8), "TDVP": (600, 96, 1), "TEBD density": (900, 96, 5)}
"""Engine -> (sites, bond, steps): runs of over 500 megabytes, with steps so long that bonds are soon at the cap."""


def grown(engine: str, cells: int, bond: int, steps: int) -> mb.Run:
    """A run whose bonds are at the cap in the end; its numbers are of no use, its memory is."""
    truncation = mb.Truncation(bond, 1e-14)
    method: Any = mb.TEBD(dt=0.4 if engine == "TEBD density" else 0.8, order=2)
    if engine == "TEBD density":
        battery = replace(open_chain.boundary_driven(cells=cells), empty="neel")
    elif engine == "TEBD in blocks":
        battery = spin_chain.xxz(cells=cells, drive=0.0, exchange=1.0)
        battery = replace(battery, empty="neel")
    else:
        battery = spin_chain.xxz(cells=cells, exchange=1.0)
    if engine == "TDVP":           # would take long to grow from a product, or beside a second run
        train = random_train([s.d for s in battery.sites], bond // 4)
        battery = replace(battery, empty=MPS(battery.sites, train, 0))
        method = mb.TDVP(dt=0.1, order=2, krylov=1e-6, start_bond=0)
    return mb.charge(battery, [0.0, method.dt * steps], method=method, truncation=truncation, progress=False,
                     bars=engine != "TDVP")


def peak_of(engine: str, cells: int, bond: int, steps: int) -> dict[str, Any]:
    """Megabytes of a run above what the process had before, and what the model in its card says."""
    grown(engine, 8, 16, 1)                             # compilers and caches
    run = grown(engine, cells, bond, steps)
    card = run.card
    return {"largest_bond": run.budget.max_bond, "measured": card["peak_megabytes"] - card["baseline_megabytes"],
            "model": card["model_megabytes"], "seconds": card["wall_seconds"]}


def memories() -> list[dict[str, Any]]:
    """Every case in a fresh process."""
    rows = []
    for engine, (cells, bond, steps) in LARGE.items():
        out = subprocess.run([sys.executable, __file__, "peak", engine, str(cells), str(bond), str(steps)], check=True,
                             capture_output=True, text=True).stdout
        rows.append({"engine": engine, "sites": cells, "bond": bond, **json.loads(out)})
        sys.stderr.write(f"{rows[-1]}\n")
    return rows


def main() -> None:
    """Run the parts that are asked for."""
    if sys.argv[1:2] == ["peak"]:
        sys.stdout.write(json.dumps(peak_of(sys.argv[2], *map(int, sys.argv[3:]))))
        return
    parts = {"rates": rates, "growth": growth, "memory": memories}
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    for name in sys.argv[1:] or parts:
        data[name] = parts[name]()
        DATA.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
