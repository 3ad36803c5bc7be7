"""The command line: charge a model, find its steady state, run a spec file, plot a result, list the models.

The only file of the engine that knows the models.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, unknown
from mps_battery.evolve.choose import Method
from mps_battery.models import catalogue
from mps_battery.run import charge as charge_battery
from mps_battery.spec import FIGURES, Spec, build_battery, check_spec, read_spec
from mps_battery.steady.ness import steady_state
from mps_battery.storage import load
from mps_battery.tensors.truncation import Truncation

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None,
                  help="Charge quantum batteries: energy, power, ergotropy and entanglement of many cells.")
_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]     # Click's, which some versions of Typer carry inside


@app.command(context_settings=_SETTINGS)
def charge(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="name of a model, see `mps-battery models`")],
    stop: Annotated[str, typer.Option(help="last time", metavar="NUMBER")] = "3.0",
    points: Annotated[str, typer.Option(help="number of times, the first is 0", metavar="INTEGER")] = "31",
    bond: Annotated[str, typer.Option(help="largest bond dimension", metavar="INTEGER")] = "256",
    weight: Annotated[str, typer.Option(help="discarded weight of one truncation", metavar="NUMBER")] = "1e-12",
    method: Annotated[str, typer.Option(help="tebd, tdvp, exact or tenpy; empty lets the engine choose")] = "",
    dt: Annotated[str, typer.Option(help="largest time step; empty lets the engine choose", metavar="NUMBER")] = "",
    order: Annotated[str, typer.Option(help="order in the time step; empty is the method's own",
                                       metavar="INTEGER")] = "",
    output: Annotated[str, typer.Option(help="NetCDF file to write")] = "",
    figure: Annotated[str, typer.Option(help="figure to write (png, pdf or svg)")] = "",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
    bars: Annotated[bool, typer.Option(help="evolve a second run for error bars")] = True,
    rigorous: Annotated[bool, typer.Option("--rigorous", help="prove the error bars instead (pure states, constant "
                                           "nearest-neighbour Hamiltonians)")] = False,
    audits: Annotated[bool, typer.Option("--audits", help="record bounds on power and speed, and compare")] = False,
) -> None:
    """Charge a model; its parameters are options too, such as --cells 100 --field 1.3."""
    parameters = _parameters(context.args)
    known = set(inspect.signature(catalogue()[model]).parameters if model in catalogue() else parameters)
    for name in parameters:
        if name not in known:
            options = {p.name for p in context.command.params if p.name} - {"model"}
            raise unknown("option", f"--{name}", (f"--{k}" for k in known | options), f" of model {model!r}")
    if rigorous and not bars:
        raise InputError("Option --rigorous must not be given together with --no-bars, but is.")
    raw: dict[str, Any] = {
        "model": {**parameters, "name": model}, "times": {"stop": _value(stop), "points": _value(points)},
        "truncation": {"bond": _value(bond), "weight": _value(weight)},
        "bars": "rigorous" if rigorous else bars, "audits": audits,
        "output": {"data": output or None, "figure": figure or None},
    }
    given = {key: _value(word) for key, word in (("dt", dt), ("order", order)) if word}
    if method:
        raw["method"] = {"name": method, **given}
    elif given:
        raise InputError(f"Option --method must be given where --{' and --'.join(given)} is, but is empty.")
    _execute(check_spec(raw), overwrite)


@app.command(context_settings=_SETTINGS)
def steady(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="name of a model with jumps, see `mps-battery models`")],
    bond: Annotated[str, typer.Option(help="largest bond dimension", metavar="INTEGER")] = "32",
    weight: Annotated[str, typer.Option(help="discarded weight of one truncation", metavar="NUMBER")] = "1e-20",
    tolerance: Annotated[str, typer.Option(help="residual at which to stop", metavar="NUMBER")] = "1e-8",
    seconds: Annotated[str, typer.Option(help="wall time after which the best so far is shown", metavar="NUMBER")] = "",
) -> None:
    """Find the steady state of a model and print its certificate; parameters as for `charge`."""
    battery = build_battery(catalogue(), model, _parameters(context.args))
    found = steady_state(battery, truncation=Truncation(_value(bond), _value(weight)), tolerance=_value(tolerance),
                         seconds=_value(seconds) if seconds else float("inf"))
    Console(soft_wrap=True).print(str(found), highlight=False, markup=False)


@app.command()
def run(
    spec: Annotated[str, typer.Argument(help="a TOML file")],
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
) -> None:
    """Run a spec file."""
    _execute(read_spec(spec), overwrite)


@app.command()
def plot(
    data: Annotated[str, typer.Argument(help="a NetCDF file of a run")],
    figure: Annotated[str, typer.Argument(help="figure to write (png, pdf or svg)")],
    overwrite: Annotated[bool, typer.Option(help="replace an existing file")] = False,
) -> None:
    """Draw a saved run."""
    must(Path(figure).suffix.lower() in FIGURES, "figure", f"end in {', '.join(FIGURES)}", figure)
    load(data).plot(figure, overwrite)
    Console(soft_wrap=True).print(f"wrote {figure}", highlight=False, markup=False)


@app.command()
def models() -> None:
    """List the models with formula, parameters and reference."""
    console = Console(soft_wrap=True)
    for name, function in sorted(catalogue().items()):
        console.print(name, style="bold", highlight=False)
        for line in describe_model(function):
            console.print("  " + line, highlight=False, markup=False)


def describe_model(function: Any) -> list[str]:
    """Summary, formula, parameters and reference of a model function, from its docstring and signature."""
    sections: dict[str, list[str]] = {"summary": []}
    current = "summary"
    for line in inspect.cleandoc(function.__doc__ or "").splitlines():
        head = line.partition(":")[0]
        if head in ("Energy", "Charging", "Args", "Reference"):
            current = head
            sections[current] = [line.partition(":")[2].strip()]
        elif not line.strip():
            current = "" if current != "Args" else current
        elif current:
            sections[current].append(line.strip())
    joined = {k: " ".join(filter(None, v)) for k, v in sections.items()}
    parameters = ", ".join(f"{p.name} = {p.default}" for p in inspect.signature(function).parameters.values())
    return [joined["summary"], f"energy: {joined.get('Energy', '')}", f"charging: {joined.get('Charging', '')}",
            f"parameters: {parameters}", f"reference: {joined.get('Reference', '')}"]


def _parameters(words: list[str]) -> dict[str, Any]:
    """--cells 100 --field=1.3 as {"cells": 100, "field": 1.3}."""
    out: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise InputError(f"Unexpected word {word!r}: parameters are written --name value.")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest:
                raise InputError(f"Option --{name} must be followed by a value, but ends the line.")
            value = rest.pop(0)
        out[name.replace("-", "_")] = _value(value)
    return out


def _value(word: str) -> Any:
    """What a word on the command line stands for: a number, a list, True or False, else the word itself."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError):
        return float(word) if word in ("inf", "-inf") else word


def _execute(spec: Spec, overwrite: bool) -> None:
    """Charge as a spec says, print the card, write the files."""
    for path in (spec.output.data, spec.output.figure):
        if path and Path(path).exists() and (not overwrite or Path(path).is_dir()):
            raise InputError(f"File {path!r} must not exist yet, but does: choose another name" +
                             ("." if Path(path).is_dir() else " or pass --overwrite."))
        if path and not os.access(folder := Path(path).resolve().parent, os.W_OK):
            raise InputError(f"File {path!r} must lie in a folder that exists and can be written to, but "
                             f"{str(folder)!r} is none.")
    parameters = {k: v for k, v in spec.model.items() if k != "name"}
    battery: Battery = build_battery(catalogue(), spec.model["name"], parameters)
    solver: Method | None = spec.solver()
    result = charge_battery(battery, spec.grid(), method=solver, truncation=spec.cut(), audits=spec.audits,
                            bars=spec.bars)
    console = Console(soft_wrap=True)
    console.print(str(result), highlight=False, markup=False)
    if spec.output.data:
        console.print(f"wrote {result.save(spec.output.data, overwrite)}", highlight=False, markup=False)
    if spec.output.figure:
        result.plot(spec.output.figure, overwrite)
        console.print(f"wrote {spec.output.figure}", highlight=False, markup=False)


def main() -> None:
    """Entry point: a mistake is one sentence on standard error and exit code 2."""
    words = sys.argv[1:] or ["--help"]
    commands = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    try:
        if not words[0].startswith("-") and words[0] not in commands:
            raise unknown("command", words[0], commands)
        code = app(words, standalone_mode=False)
        if code == 130:              # how newer versions of Typer hand on an interrupt
            raise typer.Abort
    except InputError as error:
        _complain(str(error))
    except _UsageError as error:
        help_of = " ".join(["mps-battery", *(w for w in words[:1] if w in commands), "--help"])
        message = " ".join(error.format_message().rstrip(".").split())     # type: ignore[attr-defined]
        _complain(f"{message} (see `{help_of}`).")
    except typer.Abort:
        _complain("stopped by the user.", code=130)
    else:
        sys.exit(code or 0)


def _complain(sentence: str, code: int = 2) -> None:
    Console(stderr=True, soft_wrap=True).print(f"mps-battery: {sentence}", highlight=False, markup=False)
    sys.exit(code)
