"""Quantum energy teleportation on steady states: all numbers and figures of README.md.

    python studies/ness_qet/run.py [--small] [--only NAME ...]

writes data/NAME.json, one file a question, and then draws data/*.png from them. `--small` leaves long chains out and
writes to data/small (about two minutes).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pairs
import plot
from chains import COLD, COUPLING, FIELD, HOT, RATE, between_baths, current, energy, occupation

import mps_battery as mb
from mps_battery.teleport import Wait

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "tests"))
import quasi_free  # noqa: E402  the covariance of free fermions: the referee of the tests is that of this study

DENSE, MIDDLE, LONG = 6, 20, 40
BONDS = {("ising", MIDDLE): 20, ("xxz", MIDDLE): 28, ("xxz", LONG): 28}
TOLERANCE = 1e-9
RATES = tuple(np.logspace(-2, 1.5, 36))
DIFFERENCES = tuple(np.linspace(-2.5, 2.5, 26))
MEAN = (HOT + COLD) / 2
Row = dict[str, float]


# -- one steady state, one round ---------------------------------------------------------------------------------
def solve(kind: str, length: int, seconds: float = 3600.0, start: mb.Density | None = None, **baths: float
          ) -> tuple[mb.Battery, mb.SteadyState, Row]:
    """The steady state of a chain with what certifies it, from one of other baths where there is one."""
    battery, begun = between_baths(kind, length, **baths), time.process_time()
    # free fermions have an exact small bond; a chain with dephasing is truncated, which few-body values feel least so
    sweeps = mb.Sweeps(first_bond=24, identity_weight=2.0) if kind == "xxz" else mb.Sweeps(first_bond=16)
    method = mb.Dense() if length <= DENSE else sweeps
    steady = mb.steady_state(battery, method=method, truncation=mb.Truncation(BONDS.get((kind, length), 24), 1e-22),
                             tolerance=TOLERANCE, seconds=seconds, start=start, progress=False)
    c = steady.certificate
    facts = {"kind": kind, "length": length, **baths, "residual": c.residual, "weighted_residual": c.weighted_residual,
             "least_eigenvalue": c.least_eigenvalue, "bond": max(steady.state.bonds),
             "cpu_seconds": time.process_time() - begun, "current": current(battery, steady.state)}
    print(facts, flush=True)
    return battery, steady, facts


def one(state: mb.MPS | mb.Density, terms: mb.Terms, alice: int, bob: int,
        earlier: mb.MPS | mb.Density | None = None, **given: object) -> Row:
    """Numbers of one round."""
    found = mb.teleport(state, terms, alice, bob, earlier=earlier, **given)  # type: ignore[arg-type]
    return {"alice": alice, "bob": bob, "distance": bob - alice, "injected": found.injected,
            "extracted": found.extracted, "without_message": found.without_message, "surplus": found.surplus,
            "holevo": found.information["holevo"], "ledger": found.audits["ledger"],
            "no_signalling": found.audits["no_signalling"], **{f"bar_{k}": v for k, v in found.bars.items()}}


def referee(covariance: np.ndarray, alice: int, bob: int) -> Row:
    """The same from the covariance of free fermions."""
    k = quasi_free.teleported(covariance, COUPLING, FIELD, alice, bob)
    alone, (together,) = quasi_free.work(k), quasi_free.work(k.sum(axis=0, keepdims=True))
    return {"extracted": float(alone.sum()), "without_message": float(together),
            "surplus": float(alone.sum() - together)}


def covariance(length: int, hot: float = HOT, cold: float = COLD, rate: float = RATE) -> np.ndarray:
    """Of the steady Ising chain."""
    baths = [(site, rate * (1 + occupation(t)), rate * occupation(t)) for site, t in ((0, hot), (length - 1, cold))]
    return quasi_free.steady_covariance(quasi_free.ising_generator(length, COUPLING, FIELD), baths)


def free_current(g: np.ndarray) -> float:
    """<-i [H, H_b]> of the Ising chain: -2 field coupling <Y_b X_(b+1)>."""
    b = len(g) // 4 - 1
    return -2 * FIELD * COUPLING * quasi_free.mean(g, {b: "Y", b + 1: "X"})


def places(length: int, distance: int) -> tuple[int, int]:
    """Alice and Bob in the middle of a chain, Bob on the cold side."""
    a = (length - distance) // 2
    return a, a + distance


# -- the questions -----------------------------------------------------------------------------------------------
def _everywhere(out: dict, label: str, state: mb.MPS | mb.Density, earlier: mb.MPS | mb.Density | None,
                g: np.ndarray | None, ends: bool) -> None:
    """Pairs in the middle at all distances, and with Alice at the end."""
    begun, length = time.process_time(), len(state)
    spots = [places(length, d) for d in range(1, length)]
    for a, b in spots + ([(0, b) for b in range(1, length - 1)] if ends else []):
        row = one(state, energy("ising", length), a, b, earlier)
        if g is not None:
            row |= {f"free_{k}": v for k, v in referee(g, a, b).items()}
        out["rows"].append({"label": label, "length": length, **row})
    out["states"].append({"label": label, "length": length, "teleport_cpu_seconds": time.process_time() - begun})
    print(out["states"][-1], flush=True)


def distance(sizes: tuple[int, ...]) -> dict:
    """How far does it reach: steady Ising chains with and without a bias."""
    out: dict = {"rows": [], "states": []}
    for length in sizes:
        for label, cold, hot in (("bias", COLD, HOT), ("equal", MEAN, MEAN)):
            _, steady, facts = solve("ising", length, hot=hot, cold=cold)
            _everywhere(out, label, steady.state, steady.earlier, covariance(length, hot, cold), label == "bias")
            out["states"][-1] |= facts
    return out


def equilibrium(sizes: tuple[int, ...]) -> dict:
    """The same on ground and Gibbs states of the longest chain; bars from states cut earlier."""
    out: dict = {"rows": [], "states": []}
    length = sizes[-1]
    terms = energy("ising", length)
    grounds = [mb.ground_state(terms, mb.Truncation(*cut)).state for cut in ((48, 1e-14), (32, 1e-12))]
    _everywhere(out, "ground", *grounds, None, ends=False)
    for t in (COLD, MEAN):
        gibbs = [mb.thermal_state(terms, 1 / t, truncation=mb.Truncation(*cut)).state
                 for cut in ((48, 1e-18), (32, 1e-15))]
        g = quasi_free.gibbs_covariance(quasi_free.ising_generator(length, COUPLING, FIELD), 1 / t)
        _everywhere(out, f"gibbs {t:g}", *gibbs, g, ends=False)
    return out


def chains_of_xxz(sizes: tuple[int, ...]) -> dict:
    """The interacting chain, without and with dephasing."""
    out: dict = {"rows": [], "states": []}
    for length in sizes:
        for noise in (0.0, 1.0) if length == DENSE else (1.0,):
            for label, cold, hot in (("bias", COLD, HOT), ("equal", MEAN, MEAN))[:2 if length == DENSE else 1]:
                _, steady, facts = solve("xxz", length, hot=hot, cold=cold, dephasing=noise, seconds=600.0)
                out["states"].append({"label": label, **facts})
                terms = energy("xxz", length)
                for measure in ("X", "Z"):
                    for d in range(1, length):
                        row = one(steady.state, terms, *places(length, d), steady.earlier, measure=measure)
                        out["rows"].append({"label": label, "length": length, "dephasing": noise, "measure": measure,
                                            **row})
    return out


SITES = {"middle, 1 apart": 1, "middle, 2 apart": 2, "middle, 3 apart": 3}


def _scan(kind: str, lengths: tuple[int, ...], grids: dict[int, list[dict[str, float]]]) -> list[Row]:
    """Rounds in the middle and at both ends, for each setting of the baths."""
    rows = []
    for length in lengths:
        start = None
        for baths in grids[length]:
            battery, steady, facts = solve(kind, length, start=start, **baths)
            start = steady.state if length > DENSE else None
            spots = {**{name: places(length, d) for name, d in SITES.items()}, "cold end": (length - 2, length - 1),
                     "hot end": (1, 0), "end to end": (0, length - 1)}
            rows += [{"place": name, **facts, **one(steady.state, battery.energy, a, b, steady.earlier)}
                     for name, (a, b) in spots.items()]
    return rows


def _free_scan(length: int, settings: list[dict[str, float]]) -> list[Row]:
    """The same for the Ising chain by free fermions."""
    rows = []
    for baths in settings:
        g = covariance(length, **baths)
        spots = {**{name: places(length, d) for name, d in SITES.items()}, "cold end": (length - 2, length - 1),
                 "hot end": (1, 0), "end to end": (0, length - 1)}
        rows += [{"place": name, "length": length, **baths, "current": free_current(g), **referee(g, a, b)}
                 for name, (a, b) in spots.items()]
    return rows


def dissipation(sizes: tuple[int, ...]) -> dict:
    """Bell-shaped or not: energy against the rate of the baths."""
    fine = [{"rate": float(r)} for r in RATES]
    coarse = [{"rate": r} for r in (10.0, 3.0, 1.0, 0.5, 0.2)]
    lengths = tuple(n for n in sizes if n <= MIDDLE)
    grids = {n: fine[::3] if n == DENSE else coarse for n in lengths}
    return {"ising": _scan("ising", lengths, grids), "xxz": _scan("xxz", (DENSE,), {DENSE: fine[::3]}),
            "free": [row for n in lengths for row in _free_scan(n, fine)]}


def bias(sizes: tuple[int, ...]) -> dict:
    """Energy against the difference of the temperatures, their mean fixed."""
    fine = [{"hot": MEAN + x / 2, "cold": MEAN - x / 2} for x in map(float, DIFFERENCES)]
    lengths = tuple(n for n in sizes if n <= MIDDLE)
    grids = {n: fine[::2] if n == DENSE else fine[:14:-5] for n in lengths}
    return {"ising": _scan("ising", lengths, grids), "xxz": _scan("xxz", (DENSE,), {DENSE: fine[::2]}),
            "free": [row for n in lengths for row in _free_scan(n, fine)]}


def two_qubits(sizes: tuple[int, ...]) -> dict:
    """Local, Davies and Redfield baths on two qubits, against rate, bias and asymmetry."""
    del sizes
    out: dict = {"rate": [], "bias": [], "asymmetry": [], "gibbs": []}
    for kind in ("local", "davies", "redfield"):
        for temperatures in ((0.5, 0.5), (2.0, 0.2), (0.2, 2.0)):
            for rate in np.logspace(-3, 1, 25):
                out["rate"].append({"kind": kind, "hot": temperatures[0], "cold": temperatures[1], "rate": float(rate),
                                    **pairs.drawn(pairs.steady(kind, temperatures, (rate, rate)))})
        for rate in (0.05, 0.5):
            for x in np.linspace(-0.9, 0.9, 25):
                both = (0.5 * (1 + x), 0.5 * (1 - x))
                out["bias"].append({"kind": kind, "rate": rate, "difference": float(x),
                                    **pairs.drawn(pairs.steady(kind, both, (rate, rate)))})
        for ratio in np.logspace(-2, 2, 25):
            rates = (0.1 * ratio**0.5, 0.1 / ratio**0.5)
            out["asymmetry"].append({"kind": kind, "ratio": float(ratio),
                                     **pairs.drawn(pairs.steady(kind, (2.0, 0.2), rates))})
    for t in np.linspace(0.1, 2.0, 39):
        out["gibbs"].append({"temperature": float(t),
                             **pairs.drawn(mb.thermal_state(pairs.energy(), 1 / float(t)).state)})
    return out


def populations(sizes: tuple[int, ...]) -> dict:
    """The highest-population rule: what eigenstates would give, beside what their mixture gives."""
    del sizes
    out = []

    def add(label: str, x: float, state: mb.Density, terms: mb.Terms, alice: int, bob: int) -> None:
        levels, vectors = np.linalg.eigh(terms.to_dense())
        p = np.einsum("ik,ij,jk->k", vectors.conj(), state.to_dense(), vectors).real
        each = [mb.teleport(mb.MPS.from_dense(terms.sites, v), terms, alice, bob) for v in vectors.T]
        drawn, gain = (np.array([getattr(f, name) for f in each]) for name in ("extracted", "surplus"))
        found, top = mb.teleport(state, terms, alice, bob), int(np.argmax(p))
        out.append({"label": label, "x": x, "extracted": found.extracted, "surplus": found.surplus,
                    "without_message": found.without_message, "populations": p.round(6).tolist(), "top": top,
                    "population": float(p[top]), "of_top": float(drawn[top]), "surplus_of_top": float(gain[top]),
                    "mixture": float(p @ drawn), "ground": float(p[0] * drawn[0]),
                    "coherence": float(np.abs(vectors.conj().T @ state.to_dense() @ vectors - np.diag(p)).sum())})
        del levels

    for t in np.linspace(0.05, 2.0, 40):
        add("pair, Gibbs", float(t), mb.thermal_state(pairs.energy(), 1 / float(t)).state, pairs.energy(), 0, 1)
    for x in np.linspace(-0.9, 0.9, 19):
        both = (0.5 * (1 + x), 0.5 * (1 - x))
        add("pair, Davies", float(x), pairs.steady("davies", both, (0.1, 0.1)), pairs.energy(), 0, 1)
        add("pair, local", float(x), pairs.steady("local", both, (0.1, 0.1)), pairs.energy(), 0, 1)
    short = energy("ising", DENSE)
    for t in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0):
        add("chain, Gibbs", t, mb.thermal_state(short, 1 / t).state, short, *places(DENSE, 2))
    for r in RATES[::5]:
        _, steady, _ = solve("ising", DENSE, rate=float(r))
        add("chain, baths", float(r), steady.state, short, *places(DENSE, 2))
    return {"rows": out}


def delay(sizes: tuple[int, ...]) -> dict:
    """Bob waits: ground state and steady state, closed evolution in between."""
    long, rows = (MIDDLE if MIDDLE in sizes else 10), []
    states: dict[str, mb.MPS | mb.Density] = {
        "ground": mb.ground_state(energy("ising", long), mb.Truncation(48, 1e-14)).state,
        "bias": solve("ising", 10)[1].state}
    for label, state in states.items():
        terms, (alice, bob) = energy("ising", len(state)), places(len(state), 4)
        for t in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5):
            wait = Wait(t, truncation=mb.Truncation(48, 1e-10))
            rows.append({"label": label, "length": len(state), "time": t, **one(state, terms, alice, bob, delay=wait)})
        print(label, rows[-1], flush=True)
    return {"rows": rows}


def short(value: object) -> object:
    """Numbers to seven digits."""
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [short(v) for v in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


QUESTIONS = {"two_qubits": two_qubits, "populations": populations, "distance": distance,
             "equilibrium": equilibrium, "dissipation": dissipation,
             "bias": bias, "xxz": chains_of_xxz, "delay": delay}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="dense chains of 6 and chains of 10 sites only")
    parser.add_argument("--only", nargs="*", default=list(QUESTIONS), choices=list(QUESTIONS))
    given = parser.parse_args()
    folder = HERE / "data" / "small" if given.small else HERE / "data"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = (DENSE, 10) if given.small else (DENSE, MIDDLE, LONG)
    for name in given.only:
        begun = time.process_time()
        found = QUESTIONS[name](sizes)
        found["made"] = {"cpu_seconds": time.process_time() - begun, "sizes": sizes, "version": mb.__version__,
                         "parameters": {"coupling": COUPLING, "field": FIELD, "hot": HOT, "cold": COLD, "rate": RATE}}
        (folder / f"{name}.json").write_text(json.dumps(short(found), indent=0) + "\n")
        print(f"{name}: {found['made']['cpu_seconds']:.0f} s", flush=True)
    plot.draw(folder)


if __name__ == "__main__":
    main()
