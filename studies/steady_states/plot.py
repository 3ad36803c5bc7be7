"""Figure of the ladder of lengths and of what truncation leaves, from data alone.

python studies/steady_states/plot.py
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt

DATA = Path(__file__).resolve().parent / "data"


def rows(name: str) -> list[dict]:
    """What a part of run.py has found."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def main() -> None:
    """Two panels: errors and spreads against length, residuals against bond."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    ladder = [r for r in rows("ladder") if "spread" in r]
    n = [r["N"] for r in ladder]
    left.semilogy(n, [abs(r["current"] / r["exact"] - 1) for r in ladder], "o-", label="error of the mean current")
    left.semilogy(n, [r["spread"] / r["exact"] for r in ladder], "s--", label="spread over the bonds")
    barred = [r for r in ladder if "bar" in r]
    left.semilogy([r["N"] for r in barred], [r["bar"] / r["exact"] for r in barred], "k.", label="claimed bar")
    left.axhline(1e-3, color="0.8", zorder=0)
    left.set(xlabel="sites", ylabel="relative to the exact current",
             title="maximally driven isotropic chain")
    left.legend(frameon=False)
    for length, marker in ((6, "o"), (8, "s")):
        mine = [r for r in rows("rank") if r["N"] == length]
        right.loglog([r["bond"] for r in mine], [r["residual"] for r in mine], marker + "-",
                     label=f"{length} sites, cut")
    mine = [r for r in rows("dephased") if r["N"] == 100]
    right.loglog([r["bond"] for r in mine], [r["residual"] for r in mine], "k*", label="100 sites, solved")
    right.axhline(1e-6, color="0.8", zorder=0)
    right.set(xlabel="bond", ylabel=r"$|L\rho| / |\rho|$", title=r"dephased chain, $\Delta = 1/2$")
    right.set_xticks([16, 32, 64, 128, 192], ["16", "32", "64", "128", "192"], minor=False)
    right.minorticks_off()
    right.legend(frameon=False)
    figure.savefig(DATA / "steady_states.png", dpi=150)


if __name__ == "__main__":
    main()
