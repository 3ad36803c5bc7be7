"""The figure and the card of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mps_battery.audit import sentence
from mps_battery.checks import InputError, must

if TYPE_CHECKING:
    from mps_battery.run import Run


def plot(run: Run, path: str | Path | None = None, overwrite: bool = False) -> Any:
    """Energy and power, local ergotropy as a map cell x time, entropy as a map bond x time.

    Panels whose quantity was not recorded are left out.

    Args:
        run: What to draw.
        path: Where to write the figure (PNG, PDF or SVG by its ending); None only returns it.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The matplotlib Figure.
    """
    from matplotlib.figure import Figure

    ending = "" if path is None else Path(path).suffix.lower().lstrip(".")
    must(path is None or ending in ("png", "pdf", "svg"), "path", "end in .png, .pdf or .svg", str(path))
    data, times = run.data, run.data["time"].values
    maps = [(name, title) for name, title in
            (("local_ergotropy", "local ergotropy"), ("local_capacity", "local capacity"),
             ("entropy", "entropy (nats)"), ("operator_entropy", "operator entropy (nats)"))
            if name in data and data[name].ndim == 2 and data[name].shape[1] > 1]
    curves = [n for n in data if data[n].ndim == 1]
    if not maps and not curves:
        raise InputError("Argument `run` must hold a number, local ergotropy, capacity or entropy to be drawn, "
                         f"but holds {', '.join(map(str, data)) or 'nothing'}.")
    panels = bool(curves) + len(maps)
    figure = Figure(figsize=(4.3 * panels, 3.7), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, panels)))
    if curves:
        _curves(axes.pop(0), run, curves)
    for axis, (name, title) in zip(axes, maps, strict=True):
        dimension = data[name].dims[1]
        mesh = axis.pcolormesh(data[dimension].values, times, data[name].values, shading="nearest", cmap="viridis",
                               rasterized=True, vmin=min(0.0, float(data[name].min())))
        axis.set(xlabel=str(dimension), ylabel="time", title=title)
        figure.colorbar(mesh, ax=axis)
        if run.budget.t_trust < times[-1]:
            axis.axhline(run.budget.t_trust, color="white", linestyle="--", linewidth=1)
    card = run.card
    figure.suptitle(f"{card['model']}: {card['cells']} cells, {card['method']}", fontsize=10)
    if path is not None:
        from mps_battery.storage import atomic

        with atomic(Path(path), overwrite) as aside:
            figure.savefig(aside, dpi=150, format=ending)
    return figure


def _curves(axis: Any, run: Run, names: list[Any]) -> None:
    """Energy on the left, power on the right; else whatever numbers there are."""
    times, data = run.data["time"].values, run.data
    main = "energy" if "energy" in names else names[0]
    axis.plot(times, data[main], color="C0")
    axis.set(xlabel="time", title="stored energy and power" if main == "energy" and "power" in names else main)
    axis.set_ylabel("stored energy" if main == "energy" else main, color="C0")
    if main in run.bars:
        bar = run.bars[main].values
        axis.fill_between(times, data[main].values - bar, data[main].values + bar, color="C0", alpha=0.3, linewidth=0)
    if "power" in names and main == "energy":
        twin = axis.twinx()
        twin.plot(times, data["power"], color="C3", linestyle="--")
        twin.set_ylabel("power", color="C3")
    if run.budget.t_trust < times[-1]:
        axis.axvline(run.budget.t_trust, color="gray", linestyle=":", label="trusted until here")
        axis.legend(fontsize=8)


def card_text(run: Run) -> str:
    """The card that `print(run)` shows."""
    card, budget, data = run.card, run.budget, run.data
    parameters = ", ".join(f"{k} = {_short(v)}" for k, v in card["parameters"].items())
    title = f"{card['model']}: {card['cells']} cells on {card['sites']} sites"
    lines = [title + (f" ({parameters})" if parameters else ""), run.outcome]
    facts = [("method", card["method"]),
             ("cost", f"{card['wall_seconds']:.2f} s, peak {card['peak_megabytes']:.0f} MB{_modelled(card)}, "
                      f"{card['times']} times"),
             ("bond", f"largest {budget.max_bond} of {card['bond_cap']}, weight {card['weight']:.0e} a truncation")]
    for name in data:
        last = data[name].isel(time=-1)
        if last.ndim == 0 and not np.iscomplexobj(last.values):
            bar = f" +- {float(run.bars[name].isel(time=-1)):.1e}" if name in run.bars else ""
            facts.append((str(name), f"{float(last):.8g}{bar} at the end"))
        elif last.size and not np.iscomplexobj(last.values):
            bar = f" +- {float(run.bars[name].isel(time=-1).max()):.1e}" if name in run.bars else ""
            facts.append((str(name), f"{float(last.min()):.6g} to {float(last.max()):.6g}{bar} at the end"))
    facts.append(("errors", ", ".join(filter(None, [
        f"discarded weight {budget.discarded_weight:.1e}", f"state error {budget.state_error:.1e}",
        f"energy drift {budget.energy_drift:.1e}" if budget.energy_drift is not None else "",
        f"norm defect {budget.norm_defect:.1e}" if budget.least_eigenvalue is None else
        f"trace defect {budget.norm_defect:.1e}, smallest eigenvalue of a marginal {budget.least_eigenvalue:.1e}",
        f"Krylov residual {budget.krylov_residual:.1e}" if budget.krylov_residual else "",
        f"Trotter error at most {budget.splitting_error:.1e}" if budget.splitting_error is not None else ""]))))
    if budget.cutoff_population is not None:
        facts.append(("cutoff", f"two top levels of a mode hold at most {budget.cutoff_population:.1e}"))
    if run.bars:
        facts.append(("bars", f"largest {budget.worst_bar:.1e} of its quantity, kind: "
                      + ", ".join(sorted({str(b.attrs.get('kind')) for b in run.bars.values()}))))
    found = run.audits
    if found:
        facts.append(("audits", sentence(found)))
    facts.append(("trusted to", f"t = {budget.t_trust:g}"))
    width = max(len(k) for k, _ in facts)
    return "\n".join(lines + [f"  {k:<{width}}  {v}" for k, v in facts])


def _modelled(card: Mapping[str, Any]) -> str:
    """What the model of memory says, where there is one; cards of older files have none."""
    model = card.get("model_megabytes")
    return "" if model is None else f" ({card['baseline_megabytes']:.0f} before; model {model:.0f} more)"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"[{len(value)} values]" if isinstance(value, list) else text[:21] + "..."
