"""The table of data/results.json, for the terminal and for README.md."""

from __future__ import annotations

from pathlib import Path

from grids import BLOCKS, CANONICAL, DEFAULTS, ENTRIES, SAME_ERROR, SAME_TIME, TUNED, WITHOUT_BARS
from tools import OURS
from workloads import WORKLOADS

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- results: written by run.py -->", "<!-- end of results -->"


def best_of_threads(results: dict, workload: str) -> dict[str, dict]:
    """Label -> its run on the better number of threads, fastest first; failures last."""
    best: dict[str, dict] = {}
    for run in results["runs"]:
        if run["workload"] == workload and (run["label"] not in best or _order(run) < _order(best[run["label"]])):
            best[run["label"]] = run
    return dict(sorted(best.items(), key=lambda item: _order(item[1])))


def _order(run: dict) -> tuple:
    return ("failed" in run, run.get("seconds", 0.0))


def best_peer(best: dict[str, dict]) -> dict | None:
    """The fastest of the others that reached the target."""
    return next((r for r in best.values() if r["tool"] != OURS and r.get("reached")
                 and "subspace" not in r["label"]), None)                # which is no way for cells that differ


def our_best(best: dict[str, dict]) -> dict | None:
    """Our fastest tuned line that reached the target."""
    return next((r for label, r in best.items() if label in (TUNED, BLOCKS) and r.get("reached")), None)


def ratios(best: dict[str, dict]) -> list[str]:
    """What the acceptance asks, in sentences."""
    out, peer, ours = [], best_peer(best), our_best(best)
    if ours and peer:
        out.append(f"best peer ({peer['label']}) / mps_battery, {ours['label']}: "
                   f"{peer['seconds'] / ours['seconds']:.2f}")
    others = [r for r in best.values() if r["tool"] != OURS and "failed" not in r and "subspace" not in r["label"]]
    if ours and others and not peer:
        out.append(f"no peer reached the target; the fastest, {others[0]['label']}, stands at "
                   f"{others[0]['error'] / ours['error']:.0f} times the error and takes "
                   f"{others[0]['seconds'] / ours['seconds']:.2f} times as long")
    timed = best.get(SAME_TIME)
    if timed and others and "failed" not in timed:
        sharpest = min(others, key=lambda r: r["error"])
        out.append(f"mps_battery in {timed['seconds']:.3g} s, {sharpest['label']} in {sharpest['seconds']:.3g} s: "
                   f"error {sharpest['error'] / timed['error']:.2f} times smaller")
    block = next((r for label, r in best.items() if label.startswith("TeNPy") and r["settings"].get("conserve")
                  and r.get("reached")), None)
    if ours and block:
        out.append(f"TeNPy's block-sparse engine ({block['label']}) / mps_battery, {ours['label']}: "
                   f"{block['seconds'] / ours['seconds']:.2f}")
    canonical = next((r for label, r in best.items() if label.endswith(CANONICAL) and r.get("reached")), None)
    if ours and canonical:
        out = [f"mps_battery, all local ergotropies and capacities / {canonical['label']}: "
               f"{ours['seconds'] / canonical['seconds']:.2f}"]
    like, tuned = best.get(DEFAULTS), best.get(SAME_ERROR)
    if like and tuned and "failed" not in like and "failed" not in tuned:
        bare = best.get(WITHOUT_BARS, {}).get("seconds")
        out.append(f"mps_battery, defaults (with bars) / best at the same reached error: "
                   f"{like['seconds'] / tuned['seconds']:.2f}"
                   + (f"; without bars {bare / tuned['seconds']:.2f}" if bare else ""))
    return out


def shown(settings: dict) -> str:
    """Settings on one line."""
    return ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings.items()) or "none"


def rows(results: dict, workload: str) -> list[list[str]]:
    """Cells of the table of one workload."""
    best = best_of_threads(results, workload)
    ours = our_best(best)
    out = [["tool", "settings", "threads", "s", "ratio", "MB", "error", "error S", "bond"]]
    for label, r in best.items():
        name = f"mps_battery, {label}" if r["tool"] == OURS and not label.startswith(OURS) else label
        if "failed" in r:
            out.append([name, shown(r["settings"]), "", r["failed"], "", "", "", "", ""])
            continue
        out.append([name, shown(r["settings"]), str(r["threads"]), f"{r['seconds']:.3g}",
                    f"{r['seconds'] / ours['seconds']:.2f}" if ours else "", f"{r['megabytes']:.0f}",
                    f"{r['error']:.1e}" + ("" if r["reached"] else " (missed)"),
                    f"{r['error_entropy']:.1e}" if "error_entropy" in r else "", str(r["bond"])])
    return out


def text(results: dict) -> str:
    """Markdown: machine, then for each workload its table and its ratios."""
    m = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
    load = max((r["load_before"] for r in results["runs"] if "load_before" in r), default=0.0)
    out = [f"{m['processor']}, {m['cores']} cores, {m['system']}, Python {m['python']}, {m['blas']}; {versions}. "
           f"Highest load average met before a run: {load:.1f}."]
    for name in ENTRIES:
        if not any(r["workload"] == name for r in results["runs"]):
            continue
        w = WORKLOADS[name]
        out += ["", f"### {name}: {w.title}; target {w.target:g} in {w.judged}", ""]
        head, *body = rows(results, name)
        out += ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
        out += ["| " + " | ".join(cells) + " |" for cells in body]
        told = ratios(best_of_threads(results, name))
        out += ["", *(f"- {sentence}" for sentence in told)]
    return "\n".join(out)


def write_readme(results: dict) -> None:
    """Replace what stands between the two markers."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{text(results)}\n{END}{after}")
