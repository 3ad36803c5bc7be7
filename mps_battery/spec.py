"""Spec files: a run written down in TOML, validated before anything is computed."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mps_battery.battery import Battery
from mps_battery.checks import InputError, nearest, shown
from mps_battery.evolve.choose import Method
from mps_battery.evolve.exact import Exact
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.evolve.tenpy import Tenpy
from mps_battery.run import check_times
from mps_battery.tensors.truncation import Truncation

FIGURES = (".png", ".pdf", ".svg")
"""Endings of figure files."""
METHODS: Mapping[str, type] = {"tebd": TEBD, "tdvp": TDVP, "exact": Exact, "tenpy": Tenpy}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Grid(_Table):
    """Equally spaced times."""

    start: float = 0.0
    stop: float
    points: int = Field(ge=1)


class TruncationTable(_Table):
    """The numbers of a Truncation."""

    bond: int = 256
    weight: float = 1e-12


class MethodTable(_Table):
    """A method and its settings; those left out are the method's own defaults."""

    name: Literal["tebd", "tdvp", "exact", "tenpy"]
    dt: float | None = None
    order: Literal[2, 4] | None = None
    sites: Literal[1, 2] | None = None
    krylov: float | None = None
    start_bond: int | None = None
    moving_centre: bool | None = None
    blocks: int | None = None
    identity_weight: float | None = None
    tolerance: float | None = None
    device: str | None = None


class OutputTable(_Table):
    """Where results go."""

    data: str | None = None
    figure: str | None = None


class Spec(_Table):
    """A whole spec file.

    `model` holds the `name` of a model and its parameters; `times` a grid or a list; `bars` and `audits` are those of
    `charge`; `enlarge` raises the `cutoff` of the model until it no longer matters.
    """

    model: dict[str, Any]
    times: Grid | list[float]
    truncation: TruncationTable | None = None
    method: MethodTable | None = None
    output: OutputTable = OutputTable()
    bars: bool | Literal["rigorous"] = True
    audits: bool = False
    enlarge: bool = False

    def grid(self) -> np.ndarray:
        """The times."""
        if isinstance(self.times, Grid):
            return check_times(np.linspace(self.times.start, self.times.stop, self.times.points))
        return check_times(self.times)

    def solver(self) -> Method | None:
        """The method object, None for the engine's choice."""
        if self.method is None:
            return None
        kind = METHODS[self.method.name]
        given = {k: v for k, v in self.method.model_dump(exclude={"name"}).items() if v is not None}
        known = inspect.signature(kind).parameters
        for key in given:
            if key not in known:
                raise InputError(f"Key `method.{key}` must belong to the method {self.method.name!r}, but that has "
                                 f"only {', '.join(sorted(known)) or 'none'}.")
        return kind(**given)

    def cut(self) -> Truncation | None:
        """The Truncation object, None for the engine's choice."""
        return None if self.truncation is None else Truncation(self.truncation.bond, self.truncation.weight)


def read_spec(path: str | Path) -> Spec:
    """Read and validate a spec file; every mistake is one sentence that names the key."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `spec` must name an existing file, but {str(path)!r} is none.")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"File {str(path)!r} must be TOML, but cannot be parsed: {error}.") from None
    return check_spec(raw)


def check_spec(raw: Mapping[str, Any]) -> Spec:
    """A Spec from tables and values as TOML gives them."""
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        raise InputError(_sentence(raw, error.errors())) from None
    if "name" not in spec.model:
        raise InputError("Key `model.name` must be given in the spec, but is missing.")
    name, figure = spec.model["name"], spec.output.figure
    if not isinstance(name, str):
        raise InputError("Key `model.name` must be the name of a model (see `mps-battery models`), but is "
                         f"{shown(name)}.")
    if figure is not None and Path(figure).suffix.lower() not in FIGURES:
        raise InputError(f"Key `output.figure` must end in {', '.join(FIGURES)}, but is {shown(figure)}.")
    if figure is not None and figure == spec.output.data:
        raise InputError(f"Key `output.figure` must be another file than `output.data`, but both are {shown(figure)}.")
    return spec


def _sentence(raw: Mapping[str, Any], errors: Sequence[Any]) -> str:
    """The first complaint of the validator, an unknown key before all others, as a sentence of ours."""
    times = raw.get("times")
    # each branch of a union complains: keep those of the branch that was meant
    branch = "Grid" if isinstance(times, Mapping) else "list[float]"
    errors = [e for e in errors if e["loc"][0] != "times" or len(e["loc"]) < 2 or e["loc"][1] == branch]
    error = min(errors, key=lambda e: e["type"] != "extra_forbidden")
    location = [str(p) for k, p in enumerate(error["loc"]) if not (k == 1 and p == branch)]
    place = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = TABLES[location[0]].model_fields if len(location) > 1 else Spec.model_fields
        return f"Unknown key `{place}` in the spec: {nearest(location[-1], known)}"
    if error["type"] == "missing":
        return f"Key `{place}` must be given in the spec, but is missing."
    if location[0] == "bars":
        place, wanted = "bars", "true, false or 'rigorous'"
    elif place == "times":
        wanted = "a list of numbers, or a table with stop and points"
    elif error["type"] == "literal_error":
        wanted = error["ctx"]["expected"]
    elif error["type"] == "greater_than_equal":
        wanted = f"at least {error['ctx']['ge']}"
    else:
        wanted = WANTED.get(error["type"].split("_")[0], error["msg"][0].lower() + error["msg"][1:])
    return f"Key `{place}` must be {wanted}, but is {shown(error['input'])}."


TABLES: Mapping[str, type[BaseModel]] = {
    "truncation": TruncationTable, "method": MethodTable, "output": OutputTable, "times": Grid}
WANTED = {"int": "an integer", "float": "a number", "finite": "a finite number", "bool": "true or false",
          "string": "a string", "list": "a list", "dict": "a table", "model": "a table"}
"""What each kind of complaint of the validator asks for, in TOML's words."""


def build_battery(models: Mapping[str, Callable[..., Battery]], name: str, parameters: Mapping[str, Any]) -> Battery:
    """A model called by name with checked parameter names."""
    if name not in models:
        raise InputError(f"Unknown model {name!r}: {nearest(name, models)}")
    known = inspect.signature(models[name]).parameters
    for key in parameters:
        if key not in known:
            raise InputError(f"Unknown parameter {key!r} of model {name!r}: {nearest(key, known)}")
    return models[name](**parameters)
