"""What measures of work cost on long chains, and how tight the bounds of long densities are.

    python studies/measures/run.py [local] [parallel] [gibbs] [steady_ballistic] [steady_dephased]

writes a file in data/ for every part. Times are processor seconds of one thread, the least
of some repeats; `wall` stands beside them where it is asked for.
"""

from __future__ import annotations

import os

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import itertools  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import scipy  # noqa: E402

import mps_battery as mb  # noqa: E402
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot  # noqa: E402
from mps_battery.measure.resources.least_entropy import least_entropy  # noqa: E402
from mps_battery.measure.snapshot import Observables, Snapshot  # noqa: E402
from mps_battery.measure.work.parallel import parallel_ergotropy  # noqa: E402
from mps_battery.measure.work.whole import global_reach  # noqa: E402
from mps_battery.models import open_chain, spin_chain  # noqa: E402
from mps_battery.steady.lengthen import continued  # noqa: E402
from mps_battery.tensors.density import density_sites  # noqa: E402
from mps_battery.tensors.trains import right_canonical  # noqa: E402

DATA = Path(__file__).resolve().parent / "data"
LENGTHS, AT_BOND = (50, 100, 200, 400), 64                   # six sites at each end have smaller bonds
BONDS, FULL = (64, 128, 256, 512), 4
"""Bonds, and how many sites have them on both sides."""


def random_train(sites, bond: int, seed: int = 0) -> list[np.ndarray]:
    """Random tensors whose bonds are full."""
    rng, length, d = np.random.default_rng(seed), len(sites), sites[0].d
    bonds = [int(min(bond, float(d)**min(n, length - n))) for n in range(length + 1)]
    shapes = [(a, d, b) for a, b in itertools.pairwise(bonds)]
    complex_too = 1j if d == 2 else 0.0                                # coordinates of a density are real
    train = [(rng.normal(size=s) + complex_too * rng.normal(size=s)) / (2 * s[1] * s[2]) ** 0.5 for s in shapes]
    train = [a if d == 2 else a.real for a in train]
    train = right_canonical(train)
    return [train[0] / np.linalg.norm(train[0]), *train[1:]]


def random_state(sites, bond: int, mixed: bool) -> mb.MPS | mb.Density:
    """A random pure state, or a random vector of a density that is close to the identity and of trace one."""
    if not mixed:
        return mb.MPS(tuple(sites), random_train(sites, bond), 0)
    ds = density_sites(sites)
    train = random_train(ds, bond)
    # a random vector has nearly no trace: tilt every site towards its identity
    train = [0.1 * a + np.eye(a.shape[0], a.shape[2])[:, None] * np.eye(a.shape[1])[0][:, None] for a in train]
    return mb.Density(mb.MPS(ds, right_canonical(train), None)).normalised()


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Least processor time."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def one_pass(length: int, bond: int, mixed: bool, repeats: int) -> float:
    """All local ergotropies and capacities of a chain, environments and all."""
    battery = spin_chain.xxz(cells=length)
    state = random_state(battery.sites, bond, mixed)
    observables = MixedObservables(battery) if mixed else Observables(battery)
    kind = MixedSnapshot if mixed else Snapshot
    work, capacity = mb.LocalErgotropy(), mb.LocalCapacity()
    kind(state, 0.0, observables).moments                              # operators are built once a battery  # noqa: B018

    def measure() -> None:
        snapshot = kind(state, 0.0, observables)
        w, c = work.measure(snapshot), capacity.measure(snapshot)
        assert np.all(w >= 0)
        assert np.all(c >= w - 1e-9)

    return seconds(measure, repeats)


def slope(points: dict[int, float]) -> float:
    """Slope of log y against log x."""
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def local() -> dict[str, Any]:
    out: dict[str, Any] = {"at_bond": AT_BOND, "full_sites": FULL}
    for kind, mixed in (("pure", False), ("density", True)):
        lengths = {n: one_pass(n, AT_BOND, mixed, 3) for n in LENGTHS}
        base = 2 if not mixed else 4
        sizes = {b: FULL + 2 * int(np.ceil(np.log(b) / np.log(base))) for b in BONDS}
        wide = {b: one_pass(sizes[b], b, mixed, 3 if b < 512 else 1) for b in BONDS}
        out[kind] = {
            "length": lengths, "bond": wide, "sites_at_bond": sizes,
            "slope_in_length": slope(lengths), "slope_in_bond": slope(wide),
            "slope_in_length_from_100": slope({n: t for n, t in lengths.items() if n >= 100}),
            "last_slope_in_bond": slope({b: wide[b] for b in BONDS[-2:]}),
        }
    return out


def parallel() -> dict[str, Any]:
    """Parallel ergotropy of 100 cells at bond 64: a random state, and one that charging has entangled."""
    out: dict[str, Any] = {}
    battery = spin_chain.xxz(cells=100)
    for name, made in (("random", lambda: random_state(battery.sites, 64, False)), ("charged", lambda: charged(64))):
        state = made()
        start, wall = time.process_time(), time.perf_counter()
        found = parallel_ergotropy(state, battery.energy)
        out[name] = {"bond": max(t.shape[0] for t in state.tensors), "value": found.value, "bound": found.bound,
                     "seconds": time.process_time() - start, "wall": time.perf_counter() - wall}
    return out


def charged(bond: int) -> mb.MPS:
    """The chain after charging from a Neel state, cut to a bond."""
    base = spin_chain.xxz(cells=100)
    battery = mb.Battery(base.sites, range(100), base.energy, base.charging, empty="neel")
    run = mb.charge(battery, [0.0, 1.5], record={"e": mb.Energy()}, bars=False, truncation=mb.Truncation(bond, 1e-14),
                    method=mb.TEBD(dt=0.1))
    assert isinstance(run.state, mb.MPS)
    return run.state


def gibbs() -> dict[str, Any]:
    """Bounds on the work of a Gibbs state of 50 cells, H = sum (XX + YY + ZZ / 2) + sum Z / 2, beta = 0.3."""
    h, start = chain(50, 0.5).energy, time.process_time()
    hot = mb.thermal_state(h, 0.3, truncation=mb.Truncation(64, 1e-12))
    return {"entropy_known": bounds(hot.state, h, start, entropy=hot.entropy, bars=hot.bars),
            "entropy_unknown": bounds(hot.state, h, start)}


def driven(battery: mb.Battery, found: Callable[[mb.Battery], tuple[mb.SteadyState, mb.Density]]) -> dict[str, Any]:
    """Bounds on the work of a steady state."""
    start = time.process_time()
    steady, other = found(battery)
    change = abs(least_entropy(steady.state) - least_entropy(other))
    energy = steady.state.expect(battery.energy).real
    moved = abs(energy - other.expect(battery.energy).real)
    bars = {"energy": max(2 * moved, 1e-11 * abs(energy)), "entropy": 2 * change}
    return {"residual": steady.certificate.residual, "current": steady.certificate.current,
            "spread": steady.certificate.spread, "bond": max(steady.state.bonds), "bars": bars,
            **bounds(steady.state, battery.energy, start, bars=bars)}


def chain(cells: int, anisotropy: float, bias: float = 0.5, dephasing: float = 0.0) -> mb.Battery:
    return open_chain.boundary_driven(cells=cells, anisotropy=anisotropy, field=0.5, bias=bias, dephasing=dephasing)


def ballistic(battery: mb.Battery) -> tuple[mb.SteadyState, mb.Density]:
    """Delta = 1/2 at maximal driving, whose bond space is of 9 states: continued from chains of at most 6 cells.

    The second state comes from other lengths.
    """
    known = {n: mb.steady_state(chain(n, 0.5, bias=1.0), method=mb.Dense()).state for n in (4, 5, 6)}
    for n, short in ((8, 4), (10, 6), (11, 5), (16, 4), (17, 5), (27, 5), (28, 6)):
        known[n] = continued(known[short], known[(n + short) // 2])
    steady = mb.steady_state(battery, method=mb.Sweeps(most=1), truncation=mb.Truncation(32, 1e-24), tolerance=1e-8,
                             start=(known[4], known[27]))
    return steady, continued(known[6], known[28])


def dephased(battery: mb.Battery) -> tuple[mb.SteadyState, mb.Density]:
    steady = mb.steady_state(battery, method=mb.Sweeps(first_bond=28), truncation=mb.Truncation(32, 1e-22),
                             tolerance=1e-8)
    assert steady.earlier is not None
    return steady, steady.earlier


def bounds(state: mb.Density, h: mb.Terms, begun: float, **known: Any) -> dict[str, Any]:
    reach = global_reach(state, h, **known)
    out: dict[str, Any] = {"energy": reach.energy}
    for name in ("ergotropy", "capacity"):
        found = getattr(reach, name)
        out[name] = {"lower": found.lower, "upper": found.upper, "bar": found.bar, "width": found.width}
    out["seconds"] = time.process_time() - begun
    return out


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "local": local, "parallel": parallel, "gibbs": gibbs,
    "steady_ballistic": lambda: driven(chain(50, 0.5, bias=1.0), ballistic),
    "steady_dephased": lambda: driven(chain(50, 0.0, dephasing=1.0), dephased),
}


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for part in sys.argv[1:] or list(PARTS):
        found = PARTS[part]()
        print(part, found, flush=True)
        machine = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                   "mps_battery": mb.__version__, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        (DATA / f"{part}.json").write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
