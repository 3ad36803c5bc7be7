"""Settings to try: (workload, entry) -> tool, fixed settings, and the values of those that are scanned.

An entry is one line of the table. `--scan` tries every combination on one thread and keeps the fastest that reaches the
target; an entry without scanned values is what it is (the defaults).
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


TUNED, DEFAULTS, WITHOUT_BARS = "tuned", "defaults", "defaults, no bars"
SAME_ERROR = "tuned to the error of the defaults"


def ours(steps: Sequence[float], weights: Sequence[float], tight: Sequence[float], methods: Sequence[str]
         ) -> list[Entry]:
    """The four lines of mps_battery; the tight weights are those that reach the error of the defaults."""
    scanned = {"method": methods, "dt": steps, "weight": weights}
    return [Entry(TUNED, OURS, {"bars": False}, scanned),
            Entry(DEFAULTS, OURS),
            Entry(WITHOUT_BARS, OURS, {"bars": False}),
            Entry(SAME_ERROR, OURS, {"bars": False}, {**scanned, "weight": tight}, like=WITHOUT_BARS)]


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
        *ours((0.1, 0.28, 0.4), (3e-12, 1e-11, 2e-11), (1e-13, 3e-13, 1e-12), ("TEBD",)),
        tenpy("TEBD", {"method": "TEBD"}, {"order": ORDERS, "dt": (0.1, 0.05), "cut": (1e-6, 3e-6, 4e-6)}),
        tenpy("QR-TEBD", {"method": "QR"},
              {"order": ORDERS, "dt": (0.1,), "cut": (1e-6, 3e-6), "expand": (0.1, 0.2)}),
        tenpy("TDVP", {"method": "TDVP"},
              {"dt": (0.1,), "cut": (1e-6, 2e-6), "krylov": (1e-8, 1e-10), "switch": (12, 16, 256)}),
        quimb(2, (0.0125, 0.01), (1e-7, 3e-7)),
        quimb(4, (0.1, 0.05), (3e-7, 7e-7, 1e-6), ("svd", "svd:eig")),
    ],
    "W2N": [
        *ours((0.25, 0.35, 0.5, 0.7), (1e-11, 2e-11, 4e-11), (1e-13, 3e-13, 1e-12), ("TEBD", "Tenpy")),
        tenpy("TEBD, Sz", {"method": "TEBD", "conserve": "Sz"},
              {"order": ORDERS, "dt": (0.25, 0.125), "cut": (4e-6, 6e-6, 8e-6)}),
        tenpy("TEBD, dense", {"method": "TEBD"}, {"order": ORDERS, "dt": (0.25,), "cut": (4e-6, 6e-6, 8e-6)}),
        tenpy("QR-TEBD, Sz", {"method": "QR", "conserve": "Sz"},
              {"order": ORDERS, "dt": (0.25,), "cut": (2e-6, 6e-6), "expand": (0.1, 0.2)}),
        tenpy("QR-TEBD, dense", {"method": "QR"}, {"order": ORDERS, "dt": (0.25,), "cut": (2e-6, 6e-6),
                                                   "expand": (0.1, 0.2)}),
        tenpy("TDVP, Sz", {"method": "TDVP", "conserve": "Sz"},
              {"dt": (0.0625,), "cut": (3e-6,), "krylov": (1e-8,), "switch": (128, 256)}),
        quimb(2, (0.025,), (2e-6,)),
        quimb(4, (0.25, 0.125), (4e-6, 6e-6, 8e-6), ("svd", "svd:eig")),
    ],
}
