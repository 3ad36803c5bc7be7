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
from mps_battery.checkpoint import Checkpoint, StoppedError
from mps_battery.checks import InputError, must, number, unknown, whole
from mps_battery.enlarge import enlarge as raise_cutoff
from mps_battery.evolve.choose import Method
from mps_battery.executors import Dask, Executor, InProcess, JobQueue, Processes
from mps_battery.measure.expectation import Imbalance
from mps_battery.measure.quantity import Quantity
from mps_battery.models import catalogue
from mps_battery.plan import Plan
from mps_battery.record import STANDARD, STANDARD_MIXED
from mps_battery.resume import resume as resume_job
from mps_battery.run import Run
from mps_battery.run import charge as charge_battery
from mps_battery.spec import FIGURES, Spec, build_battery, check_spec, read_spec
from mps_battery.steady.ness import SteadyState, steady_state
from mps_battery.storage import load
from mps_battery.sweep import Sweep
from mps_battery.sweep import sweep as sweep_models
from mps_battery.tensors.truncation import FOR_DENSITIES, Truncation

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None,
                  help="Charge quantum batteries: energy, power, ergotropy and entanglement of many cells.")
STOPPED = {"SIGINT": 130, "SIGTERM": 143, "wall time": 75}
"""Exit codes of jobs that ended before they were done: those of shells, and "try again" of sysexits."""
DEFAULTS = (f"without --bond and --weight, {Truncation().bond} and {Truncation().weight:g}, of densities "
            f"{FOR_DENSITIES.bond} and {FOR_DENSITIES.weight:g}")
"""What options of truncation are when left out, for their help."""
_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]     # Click's, which some versions of Typer carry inside


@app.command(context_settings=_SETTINGS)
def charge(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="name of a model, see `mps-battery models`")],
    stop: Annotated[str, typer.Option(help="last time", metavar="NUMBER")] = "3.0",
    points: Annotated[str, typer.Option(help="number of times, the first is 0", metavar="INTEGER")] = "31",
    bond: Annotated[str, typer.Option(help=f"largest bond dimension; {DEFAULTS}", metavar="INTEGER")] = "",
    weight: Annotated[str, typer.Option(help=f"discarded weight of one truncation; {DEFAULTS}", metavar="NUMBER")] = "",
    method: Annotated[str, typer.Option(help="tebd, tdvp, exact or tenpy; empty lets the engine choose")] = "",
    dt: Annotated[str, typer.Option(help="largest time step; empty lets the engine choose", metavar="NUMBER")] = "",
    order: Annotated[str, typer.Option(help="order in the time step; empty is the method's own",
                                       metavar="INTEGER")] = "",
    device: Annotated[str, typer.Option(help="device of torch for tebd, such as cuda; empty is numpy")] = "",
    output: Annotated[str, typer.Option(help="NetCDF file to write")] = "",
    figure: Annotated[str, typer.Option(help="figure to write (png, pdf or svg)")] = "",
    checkpoint: Annotated[str, typer.Option(help="file to go on from after an interruption, see `resume`")] = "",
    interval: Annotated[str, typer.Option(help="seconds between checkpoints", metavar="NUMBER")] = "300",
    wall_time: Annotated[str, typer.Option(help="seconds after which to stop cleanly", metavar="NUMBER")] = "inf",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
    bars: Annotated[bool, typer.Option(help="evolve a second run for error bars")] = True,
    rigorous: Annotated[bool, typer.Option("--rigorous", help="prove the error bars instead (pure states, constant "
                                           "nearest-neighbour Hamiltonians)")] = False,
    audits: Annotated[bool, typer.Option("--audits", help="record bounds on power and speed, and compare")] = False,
    enlarge: Annotated[bool, typer.Option("--enlarge", help="raise the cutoff of bosons until it no longer matters")
                       ] = False,
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
        "truncation": _cut(bond, weight) or None,
        "bars": "rigorous" if rigorous else bars, "audits": audits, "enlarge": enlarge,
        "output": {"data": output or None, "figure": figure or None},
    }
    given = {key: _value(word) for key, word in (("dt", dt), ("order", order)) if word}
    if device:
        given["device"] = device
    if method:
        raw["method"] = {"name": method, **given}
    elif given:
        raise InputError(f"Option --method must be given where --{' and --'.join(given)} is, but is empty.")
    _execute(check_spec(raw), overwrite, _checkpoint(checkpoint, interval, wall_time, overwrite))


@app.command(context_settings=_SETTINGS)
def steady(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="name of a model with jumps, see `mps-battery models`")],
    bond: Annotated[str, typer.Option(help="largest bond dimension", metavar="INTEGER")] = "32",
    weight: Annotated[str, typer.Option(help="discarded weight of one truncation", metavar="NUMBER")] = "1e-20",
    tolerance: Annotated[str, typer.Option(help="residual at which to stop", metavar="NUMBER")] = "1e-8",
    seconds: Annotated[str, typer.Option(help="wall time after which the best so far is shown", metavar="NUMBER")] = "",
    checkpoint: Annotated[str, typer.Option(help="file to go on from after an interruption, see `resume`")] = "",
    interval: Annotated[str, typer.Option(help="seconds between checkpoints", metavar="NUMBER")] = "300",
    wall_time: Annotated[str, typer.Option(help="seconds after which to stop cleanly", metavar="NUMBER")] = "inf",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
) -> None:
    """Find the steady state of a model and print its certificate; parameters as for `charge`."""
    battery = build_battery(catalogue(), model, _parameters(context.args))
    found = steady_state(battery, truncation=Truncation(_value(bond), _value(weight)), tolerance=_value(tolerance),
                         seconds=_value(seconds) if seconds else float("inf"),
                         checkpoint=_checkpoint(checkpoint, interval, wall_time, overwrite))
    Console(soft_wrap=True).print(str(found), highlight=False, markup=False)


@app.command(context_settings=_SETTINGS)
def sweep(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="name of a model, see `mps-battery models`")],
    realisations: Annotated[str, typer.Option(help="realisations of the disorder at every point",
                                              metavar="INTEGER")] = "",
    seed: Annotated[str, typer.Option(help="first coordinate of the random numbers", metavar="INTEGER")] = "0",
    times: Annotated[str, typer.Option(help="times such as 0,1,10,100; else --stop and --points", metavar="LIST")] = "",
    stop: Annotated[str, typer.Option(help="last time", metavar="NUMBER")] = "3.0",
    points: Annotated[str, typer.Option(help="number of times, the first is 0", metavar="INTEGER")] = "31",
    record: Annotated[str, typer.Option(help="names such as imbalance,entropy,local_ergotropy; empty is the standard",
                                        metavar="NAMES")] = "",
    error: Annotated[str, typer.Option(help="standard errors at which a point is done, such as entropy=0.01",
                                       metavar="NAME=NUMBER,...")] = "",
    bond: Annotated[str, typer.Option(help=f"largest bond dimension; {DEFAULTS}", metavar="INTEGER")] = "",
    weight: Annotated[str, typer.Option(help=f"discarded weight of one truncation; {DEFAULTS}", metavar="NUMBER")] = "",
    bars: Annotated[bool, typer.Option(help="evolve a second run for error bars")] = False,
    workers: Annotated[str, typer.Option(help="processes of this machine; 1 is this process",
                                         metavar="INTEGER")] = "1",
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler", metavar="ADDRESS")] = "",
    batch_system: Annotated[str, typer.Option(help="slurm or pbs: workers as jobs, through dask-jobqueue")] = "",
    jobs: Annotated[str, typer.Option(help="number of jobs", metavar="INTEGER")] = "1",
    cores: Annotated[str, typer.Option(help="cores of a job", metavar="INTEGER")] = "1",
    memory: Annotated[str, typer.Option(help="memory of a job")] = "4GB",
    job_time: Annotated[str, typer.Option(help="longest time of a job, hours:minutes:seconds")] = "01:00:00",
    queue: Annotated[str, typer.Option(help="queue or partition of the jobs")] = "",
    output: Annotated[str, typer.Option(help="NetCDF file to write")] = "",
    checkpoint: Annotated[str, typer.Option(help="file to go on from after an interruption, see `resume`")] = "",
    interval: Annotated[str, typer.Option(help="seconds between checkpoints", metavar="NUMBER")] = "300",
    wall_time: Annotated[str, typer.Option(help="seconds after which to stop cleanly", metavar="NUMBER")] = "inf",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
    dry_run: Annotated[bool, typer.Option(help="only estimate cost and memory, from pilot runs")] = False,
) -> None:
    """Charge a model at many parameters: a list such as --disorder 1,3,8 is swept, several lists make a grid."""
    if model not in catalogue():
        raise unknown("model", model, catalogue())
    grid = check_spec({"model": {"name": model}, "times": _list(times) if times else {
        "stop": _value(stop), "points": _value(points)}}).grid()
    executor = _executor(workers, scheduler, batch_system and JobQueue(
        batch_system, _value(jobs), _value(cores), memory, job_time, queue or None))
    plan = (catalogue()[model], _parameters(context.args))
    count, given = _value(realisations) if realisations else None, _cut(bond, weight)
    cut = Truncation(**given) if given else None
    console = Console(soft_wrap=True)
    if dry_run:
        settings = {"record": _record(record), "bars": bars, "truncation": cut}
        console.print(str(Plan.of(*plan, count, grid, _value(seed), settings).estimate(executor)), highlight=False,
                      markup=False)
        return
    _check_new(output, overwrite)
    result = sweep_models(*plan, realisations=count, times=grid, seed=_value(seed), executor=executor,
                          truncation=cut, record=_record(record), bars=bars, error=_errors(error),
                          checkpoint=_checkpoint(checkpoint, interval, wall_time, overwrite))
    _show(result, output, "", overwrite)


@app.command()
def resume(
    checkpoint: Annotated[str, typer.Argument(help="a checkpoint of `charge`, `sweep` or `steady`")],
    times: Annotated[str, typer.Option(help="later times such as 4,5,6, for a single run", metavar="LIST")] = "",
    workers: Annotated[str, typer.Option(help="processes of this machine, for a sweep", metavar="INTEGER")] = "1",
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler, for a sweep", metavar="ADDRESS")] = "",
    interval: Annotated[str, typer.Option(help="seconds between checkpoints", metavar="NUMBER")] = "300",
    wall_time: Annotated[str, typer.Option(help="seconds after which to stop cleanly", metavar="NUMBER")] = "inf",
    output: Annotated[str, typer.Option(help="NetCDF file to write")] = "",
    figure: Annotated[str, typer.Option(help="figure to write (png, pdf or svg)")] = "",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
) -> None:
    """Go on with what was interrupted, to the same result; or with a finished run, to later times."""
    for path in (output, figure):
        _check_new(path, overwrite)
    executor = _executor(workers, scheduler, "")
    found = resume_job(checkpoint, times=_list(times) if times else None, interval=_value(interval),
                       wall_time=_value(wall_time), executor=None if isinstance(executor, InProcess) else executor)
    _show(found, output, figure, overwrite)


def _show(result: Run | Sweep | SteadyState, output: str | None, figure: str | None, overwrite: bool) -> None:
    """Print the card, write the files."""
    console = Console(soft_wrap=True)
    console.print(str(result), highlight=False, markup=False)
    if output:
        if isinstance(result, SteadyState):
            raise InputError("Option --output must be left out for a steady state, which is only shown.")
        console.print(f"wrote {result.save(output, overwrite)}", highlight=False, markup=False)
    if figure:
        if not isinstance(result, Run):
            raise InputError("Option --figure must be left out for all but single runs, which alone have a figure.")
        result.plot(figure, overwrite)
        console.print(f"wrote {figure}", highlight=False, markup=False)


def _checkpoint(path: str, interval: str, wall_time: str, overwrite: bool) -> Checkpoint | None:
    """The checkpoint that options ask for."""
    if not path and wall_time != "inf":
        raise InputError("Option --checkpoint must be given where --wall-time is, but is empty.")
    return Checkpoint(path, _value(interval), _value(wall_time), overwrite) if path else None


def _list(words: str) -> list[Any]:
    """0,1,10 or [0, 1, 10] as a list."""
    value = _value(words)
    return [float(v) if whole(v) else v for v in (value if isinstance(value, list | tuple) else [value])]


def _executor(workers: str, scheduler: str, queue: JobQueue | str) -> Executor:
    """The executor that options ask for."""
    if sum(map(bool, (scheduler, queue, workers != "1"))) > 1:
        raise InputError("Option --workers must be the only one of --workers, --scheduler and --batch-system, but "
                         "others are given.")
    if isinstance(queue, JobQueue):
        return queue
    if scheduler:
        return Dask(scheduler)
    return InProcess() if workers == "1" else Processes(_value(workers))


RECORDABLE = {**STANDARD, **STANDARD_MIXED, "imbalance": Imbalance()}
"""What --record knows by name."""


def _record(names: str) -> dict[str, Quantity] | None:
    """Quantities by name; None for the standard ones."""
    wanted = [w.strip() for w in names.split(",") if w.strip()]
    for name in wanted:
        if name not in RECORDABLE:
            raise unknown("quantity", name, RECORDABLE, " in option --record")
    return {name: RECORDABLE[name] for name in wanted} or None


def _errors(words: str) -> dict[str, float]:
    """entropy=0.01,energy=0.1 as {"entropy": 0.01, "energy": 0.1}."""
    pairs = [w.partition("=") for w in words.split(",") if w.strip()]
    found = {name.strip(): _value(value.strip()) for name, _, value in pairs}
    for name, value in found.items():
        must(number(value), "error", "be written as name=number,...", f"{name}={value}")
    return found


@app.command()
def run(
    spec: Annotated[str, typer.Argument(help="a TOML file")],
    checkpoint: Annotated[str, typer.Option(help="file to go on from after an interruption, see `resume`")] = "",
    interval: Annotated[str, typer.Option(help="seconds between checkpoints", metavar="NUMBER")] = "300",
    wall_time: Annotated[str, typer.Option(help="seconds after which to stop cleanly", metavar="NUMBER")] = "inf",
    overwrite: Annotated[bool, typer.Option(help="replace existing files")] = False,
) -> None:
    """Run a spec file."""
    _execute(read_spec(spec), overwrite, _checkpoint(checkpoint, interval, wall_time, overwrite))


@app.command()
def plot(
    data: Annotated[str, typer.Argument(help="a NetCDF file of a run")],
    figure: Annotated[str, typer.Argument(help="figure to write (png, pdf or svg)")],
    overwrite: Annotated[bool, typer.Option(help="replace an existing file")] = False,
) -> None:
    """Draw a saved run."""
    must(Path(figure).suffix.lower() in FIGURES, "figure", f"end in {', '.join(FIGURES)}", figure)
    found = load(data)
    if not isinstance(found, Run):
        raise InputError(f"File {data!r} must hold a run to be drawn, but holds a sweep.")
    found.plot(figure, overwrite)
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


def _cut(bond: str, weight: str) -> dict[str, Any]:
    """The numbers of a Truncation that options give."""
    return {name: _value(word) for name, word in (("bond", bond), ("weight", weight)) if word}


def _check_new(path: str | None, overwrite: bool) -> None:
    """Raise unless a file can be written there."""
    if path:
        if Path(path).exists() and (not overwrite or Path(path).is_dir()):
            raise InputError(f"File {path!r} must not exist yet, but does: choose another name" +
                             ("." if Path(path).is_dir() else " or pass --overwrite."))
        if not os.access(folder := Path(path).resolve().parent, os.W_OK):
            raise InputError(f"File {path!r} must lie in a folder that exists and can be written to, but "
                             f"{str(folder)!r} is none.")


def _execute(spec: Spec, overwrite: bool, checkpoint: Checkpoint | None) -> None:
    """Charge as a spec says, print the card, write the files."""
    for path in (spec.output.data, spec.output.figure):
        _check_new(path, overwrite)
    parameters = {k: v for k, v in spec.model.items() if k != "name"}
    battery: Battery = build_battery(catalogue(), spec.model["name"], parameters)
    solver: Method | None = spec.solver()

    def charged(battery: Battery) -> Run:
        return charge_battery(battery, spec.grid(), method=solver, truncation=spec.cut(), audits=spec.audits,
                              bars=spec.bars, checkpoint=checkpoint)

    if spec.enlarge:
        name = spec.model["name"]
        if checkpoint is not None:
            raise InputError("Option --enlarge must not be given together with --checkpoint, but is.")
        if not isinstance(battery.parameters.get("cutoff"), int):
            raise InputError(f"Key `enlarge` must be false for model {name!r}, which has no cutoff, but is True.")
        result = raise_cutoff(lambda n: build_battery(catalogue(), name, parameters | {"cutoff": n}), charged,
                              battery.parameters["cutoff"])
    else:
        result = charged(battery)
    _show(result, spec.output.data, spec.output.figure, overwrite)


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
    except StoppedError as stop:
        _complain(str(stop), code=STOPPED[stop.by])
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
