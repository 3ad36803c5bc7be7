"""Spec files: a run written down in TOML, validated before anything is computed."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
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

METHODS: Mapping[str, type] = {"tebd": TEBD, "tdvp": TDVP, "exact": Exact, "tenpy": Tenpy}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


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
    tolerance: float | None = None


class OutputTable(_Table):
    """Where results go."""

    data: str | None = None
    figure: str | None = None


class Spec(_Table):
    """A whole spec file.

    `model` holds the `name` of a model and its parameters; `times` a grid or a list.
    """

    model: dict[str, Any]
    times: Grid | list[float]
    truncation: TruncationTable = TruncationTable()
    method: MethodTable | None = None
    output: OutputTable = OutputTable()
    bars: bool = True

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
                raise InputError(f"Key `method.{key}` must belong to the method {self.method.name!r}, but that has only "
                                 f"{', '.join(sorted(known)) or 'none'}.")
        return kind(**given)

    def cut(self) -> Truncation:
        """The Truncation object."""
        return Truncation(self.truncation.bond, self.truncation.weight)


def read_spec(path: str | Path) -> Spec:
    """Read and validate a spec file; every mistake is one sentence that names the key."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `spec` must name an existing file, but {str(path)!r} is none.")
    try:
        raw = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"File {str(path)!r} must be TOML, but cannot be parsed: {error}.") from None
    return check_spec(raw)


def check_spec(raw: Mapping[str, Any]) -> Spec:
    """A Spec from plain data."""
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        raise InputError(_sentence(raw, error.errors()[0])) from None
    if not isinstance(spec.model.get("name"), str):
        raise InputError("Key `model.name` must be the name of a model (see `mps-battery models`), but is "
                         f"{shown(spec.model.get('name'))}.")
    return spec


def _sentence(raw: Mapping[str, Any], error: Any) -> str:
    """The first complaint of the validator as a sentence of ours."""
    # the branch of a union is an implementation detail of the validator: "Grid" and "list[float]" are left out
    location = [str(p) for p in error["loc"] if not (isinstance(p, str) and p[:1].isupper()) and p != "list[float]"]
    place = ".".join(location)
    if error["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"truncation": TruncationTable, "method": MethodTable,
                                              "output": OutputTable, "times": Grid}
        known = tables[location[0]].model_fields if len(location) > 1 else Spec.model_fields
        return f"Unknown key `{place}` in the spec: {nearest(location[-1], known)}"
    if error["type"] == "missing":
        return f"Key `{place}` must be given in the spec, but is missing."
    if error["type"] == "literal_error":
        return f"Key `{place}` must be {error['ctx']['expected']}, but is {shown(error['input'])}."
    message = error["msg"][0].lower() + error["msg"][1:]
    message = message.removeprefix("input should ").removeprefix("be ")
    return f"Key `{place}` must be {message}, but is {shown(error['input'])}."


def build_battery(models: Mapping[str, Callable[..., Battery]], name: str, parameters: Mapping[str, Any]) -> Battery:
    """A model called by name with checked parameter names."""
    if name not in models:
        raise InputError(f"Unknown model {name!r}: {nearest(name, models)}")
    known = inspect.signature(models[name]).parameters
    for key in parameters:
        if key not in known:
            raise InputError(f"Unknown parameter {key!r} of model {name!r}: {nearest(key, known)}")
    return models[name](**parameters)
