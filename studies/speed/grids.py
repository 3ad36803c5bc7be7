"""Settings to try: (workload, entry) -> tool, fixed settings, and the values of those that are scanned.

An entry is one line of the table. `--scan` tries every combination on one thread and keeps the one of least processor
time that reaches the target; an entry without scanned values is what it is (the defaults). The peers step at most from
record to record, and of fourth order that is enough for the target: smaller steps stand only where they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from tools import OURS


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Args:
        label: Its name there.
        tool: Which tool.
        fixed: Settings that are given.
        scanned: Settings that are tuned, each with the values to try.
        like: Label of an entry whose reached error is the target, in place of the workload's own.
    """

    label: str
    tool: str
    fixed: Mapping = field(default_factory=dict)
    scanned: Mapping[str, Sequence] = field(default_factory=dict)
    like: str = ""

    def settings(self) -> Iterator[dict]:
        """Every combination."""
        for values in product(*self.scanned.values()):
            yield {**self.fixed, **dict(zip(self.scanned, values, strict=True))}


TUNED, BLOCKS, DEFAULTS, WITHOUT_BARS = "tuned", "tuned, by TeNPy's blocks", "defaults", "defaults, no bars"
CANONICAL = "canonical form and densities"
SAME_ERROR = "best at the error of the defaults"
SAME_TIME = "in the time of the best peer"


def ours(steps: Sequence[float], weights: Sequence[float], tight: Sequence[float], charge: bool = False
         ) -> list[Entry]:
    """The lines of mps_battery.

    Args:
        steps: Largest steps to try. Where they exceed the interval between records, the engine takes one step an
            interval with fewer stages, so steps of once, twice and four times the interval are five, four and three.
        weights: Discarded weights around those that reach the target.
        tight: The same for the error of the defaults.
        charge: Whether a charge is conserved, so that TeNPy's engine can be asked for.
    """
    without = {"bars": False}
    scanned = {"dt": steps, "weight": weights}
    blocks = [Entry(BLOCKS, OURS, {**without, "method": "Tenpy"}, {**scanned, "dt": steps[:1]})] if charge else []
    return [Entry(TUNED, OURS, {**without, "method": "TEBD"}, scanned), *blocks,
            Entry(DEFAULTS, OURS),
            Entry(WITHOUT_BARS, OURS, without),
            Entry(SAME_ERROR, OURS, {**without, "method": "TEBD"}, {**scanned, "weight": tight}, like=WITHOUT_BARS)]


def tenpy(name: str, fixed: Mapping, scanned: Mapping[str, Sequence]) -> Entry:
    """One line of TeNPy."""
    return Entry(f"TeNPy {name}", "TeNPy", fixed, scanned)


def quimb(order: int, steps: Sequence[float], cuts: Sequence[float], splits: Sequence[str] = ("svd",)) -> Entry:
    """One line of quimb."""
    label = {2: "quimb TEBD, order 2", 4: "quimb TEBD, order 4 by hand"}[order]
    return Entry(label, "quimb", {"order": order}, {"dt": steps, "cut": cuts, "split": splits})


ORDERS = (4, "4_opt")

ENTRIES: dict[str, list[Entry]] = {
    "W1": [
        *ours((0.1, 0.2, 0.4), (1e-12, 3e-12, 1e-11, 2e-11, 3e-11, 1e-10, 2e-10), (1e-13, 3e-13, 1e-12, 3e-12, 1e-11)),
        tenpy("TEBD", {"method": "TEBD"}, {"order": ORDERS, "dt": (0.1,), "cut": (1e-6, 3e-6, 4e-6, 6e-6)}),
        tenpy("QR-TEBD", {"method": "QR"},
              {"order": ORDERS, "dt": (0.1,), "cut": (1e-6, 3e-6), "expand": (0.1, 0.2)}),
        tenpy("TDVP", {"method": "TDVP"},
              {"dt": (0.1,), "cut": (1e-6, 2e-6), "krylov": (1e-8,), "switch": (14, 256)}),
        quimb(2, (0.0125, 0.01), (1e-7, 3e-7)),
        quimb(4, (0.1,), (7e-7, 1e-6, 1.5e-6, 2e-6), ("svd", "svd:eig")),
    ],
    "W2N": [
        *ours((0.25, 0.5, 1.0), (1e-11, 2e-11, 4e-11, 6e-11, 1e-10, 3e-10), (3e-13, 1e-12, 3e-12, 1e-11), charge=True),
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"},
              {"order": ORDERS, "dt": (0.25,), "cut": (4e-6, 6e-6, 8e-6, 1e-5)}),
        tenpy("TEBD, dense", {"method": "TEBD"}, {"order": ORDERS, "dt": (0.25,), "cut": (6e-6, 8e-6)}),
        tenpy("QR-TEBD, Sz", {"method": "QR", "conserve": "Sz"},
              {"order": ORDERS, "dt": (0.25,), "cut": (4e-6, 8e-6), "expand": (0.1,)}),
        tenpy("QR-TEBD, dense", {"method": "QR"},
              {"order": ORDERS, "dt": (0.25,), "cut": (4e-6, 8e-6), "expand": (0.1,)}),
        tenpy("TDVP, Sz", {"method": "TDVP", "conserve": "Sz"},
              {"dt": (0.125,), "cut": (6e-6,), "krylov": (1e-8,), "switch": (256,)}),
        quimb(2, (0.025,), (2e-6,)),
        quimb(4, (0.25,), (4e-6, 6e-6, 8e-6), ("svd", "svd:eig")),
    ],
    "W2F": [       # the cap makes the error; weights only say how soon the bond is full
        *ours((0.5, 1.0), (1e-10, 3e-10, 1e-9), (), charge=False)[:1],
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"}, {"order": ORDERS, "dt": (0.5,), "cut": (1e-5, 2e-5)}),
        tenpy("QR-TEBD, Sz", {"method": "QR", "conserve": "Sz"},
              {"order": ORDERS, "dt": (0.5,), "cut": (1e-5, 2e-5), "expand": (0.1,)}),
    ],
    "W2D": [
        *ours((0.25, 0.5, 1.0), (1e-12, 3e-12, 1e-11, 3e-11), (1e-13, 3e-13, 1e-12), charge=False),
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"}, {"order": ORDERS, "dt": (0.25,), "cut": (5e-6, 7e-6)}),
        tenpy("TEBD, dense", {"method": "TEBD"}, {"order": ORDERS, "dt": (0.25,), "cut": (5e-6, 7e-6)}),
        quimb(4, (0.25,), (4e-6, 5e-6), ("svd", "svd:eig")),
    ],
    "W3": [        # the error of a step grows with time: 0.25 is too long
        ours((0.2,), (5e-9, 1e-8, 2e-8), ())[0],
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"}, {"order": ("4_opt",), "dt": (0.2,), "cut": (5e-5,)}),
        tenpy("TEBD, dense", {"method": "TEBD"}, {"order": ("4_opt",), "dt": (0.2,), "cut": (5e-5,)}),
        quimb(4, (0.125,), (4e-5, 5e-5)),
    ],
    "W4T": [
        Entry(TUNED, OURS, {"method": "TEBD", "cutoff": 20}, {"dt": (0.05,), "weight": (1e-12, 1e-13, 1e-14)}),
        Entry("scipy, symmetric subspace", "scipy", {"cutoff": 20}),
        tenpy("TDVP", {"dt": 0.05, "cut": 1e-6, "krylov": 1e-8, "cutoff": 20, "first": 10}, {}),
    ],
    "W4D": [
        Entry(TUNED, OURS, {"method": "TEBD", "cutoff": 72}, {"dt": (0.025,), "weight": (1e-12, 1e-13)}),
        Entry("scipy, symmetric subspace", "scipy", {"cutoff": 72}),
        tenpy("TDVP", {"dt": 0.025, "cut": 1e-6, "krylov": 1e-8, "cutoff": 72, "first": 10}, {}),
    ],
    "W5": [Entry(TUNED, OURS), Entry("scipy, sparse matrix", "scipy")],
    "W5A": [Entry(TUNED, OURS)],
    "W5B": [Entry(TUNED, OURS)],
    "W7A": [
        Entry(TUNED, OURS, {"first": 40}, {"identity": (1.75, 2.0), "bond": (36, 40), "most": (3, 4)}),
        Entry("scipy, ILU and GMRES", "scipy", {"fill": 10, "rtol": 1e-6}, {"drop": (1e-3,)}),
    ],
    "W7B": [Entry(TUNED, OURS, {"identity": 1.75, "rung": 2, "most": 4}, {"bond": (48, 56, 64)})],
    "W7C": [Entry(TUNED, OURS, {"identity": 1.75, "rung": 2, "most": 4}, {"bond": (48, 56, 64)})],
    "W6": [        # the cap makes the error here too
        Entry(TUNED, OURS, {"bars": False, "method": "TEBD"},
              {"dt": (0.25,), "weight": (1e-13,), "bond": (56, 60, 64, 72)}),
        Entry(DEFAULTS, OURS),
        Entry(SAME_ERROR, OURS, {"bars": False, "method": "TEBD", "dt": 0.1, "weight": 1e-13, "bond": 160}),
        tenpy("TEBD, doubled sites", {"method": "TEBD"},
              {"order": ORDERS[1:], "dt": (0.25,), "cut": (1e-8,), "bond": (112, 120, 128)}),
        tenpy("QR-TEBD, doubled sites", {"method": "QR"},
              {"order": ORDERS, "dt": (0.25,), "cut": (1e-8,), "expand": (0.1,), "bond": (128,)}),
    ],
    "W6L": [
        Entry(TUNED, OURS, {"bars": False, "method": "TEBD"},
              {"dt": (0.25,), "weight": (1e-13,), "bond": (56, 64, 72)}),
        Entry(SAME_TIME, OURS, {"bars": False, "method": "TEBD", "dt": 0.25, "weight": 1e-13, "bond": 160}),
        tenpy("QR-TEBD, doubled sites", {"method": "QR", "order": 4, "dt": 0.25, "cut": 1e-8, "expand": 0.1},
              {"bond": (128, 160)}),
    ],
    "W8": [        # a third of the interval is too long for all, a cut of 2e-4 or a weight of 1e-7 too coarse
        ours((0.25,), (1e-8, 3e-8, 5e-8), ())[0],
        Entry(DEFAULTS, OURS),
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"}, {"order": ("4_opt",), "dt": (0.25,), "cut": (1e-4,)}),
        tenpy("TEBD, dense", {"method": "TEBD"}, {"order": ("4_opt",), "dt": (0.25,), "cut": (1e-4,)}),
        quimb(4, (0.2,), (1e-4, 1.5e-4), ("svd", "svd:eig")),
    ],
    "W9": [        # of the same state: what counts is the ratio
        Entry(TUNED, OURS, {"record": "work"}),
        Entry(f"mps_battery, {CANONICAL}", OURS, {"record": "densities"}),
        *(Entry(f"{tool}, {CANONICAL}", tool) for tool in ("scipy", "TeNPy", "quimb")),      # scipy: plain arrays
    ],
}
