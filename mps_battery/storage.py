"""Runs on disk: NetCDF files (HDF5), no pickle, written aside and renamed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mps_battery.budget import Budget
from mps_battery.checks import InputError

if TYPE_CHECKING:
    from mps_battery.run import Run

SCHEMA = 1
"""Version of the file layout; files of a newer one are refused."""


@contextmanager
def atomic(path: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, flushed to disk, when the block ends well."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise InputError(f"Argument `path` must name a new file, but {str(path)!r} exists: pass overwrite=True to replace "
                         "it.")
    if not path.parent.is_dir():
        raise InputError(f"Argument `path` must lie in an existing folder, but {str(path.parent)!r} is none.")
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        with open(aside, "rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        if overwrite:
            os.replace(aside, path)
        else:
            os.link(aside, path)     # fails if another process made the file meanwhile
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except FileExistsError:
        raise InputError(f"Argument `path` must name a new file, but {str(path)!r} exists: pass overwrite=True to "
                         "replace it.") from None
    finally:
        aside.unlink(missing_ok=True)


def save(run: Run, path: str | Path, overwrite: bool = False) -> Path:
    """Write a run; see `Run.save`."""
    path = Path(path)
    header = {"mps_battery_schema": SCHEMA, "outcome": run.outcome, "budget": json.dumps(run.budget.as_dict()),
              "card": json.dumps(dict(run.card), default=_plain)}
    with atomic(path, overwrite) as aside:
        _real_parts(run.data).assign_attrs(header).to_netcdf(aside, engine="h5netcdf", mode="w")
        _real_parts(run.bars).to_netcdf(aside, engine="h5netcdf", mode="a", group="bars")
    return path


def load(path: str | Path) -> Run:
    """Read a run that `Run.save` wrote; its states are not in the file.

    Raises:
        InputError: If the file is missing, damaged, not a run, or of a newer schema.
    """
    from mps_battery.run import Run

    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `path` must name an existing file, but {str(path)!r} is none.")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as data, xr.open_dataset(path, engine="h5netcdf", group="bars") as b:
            data, b = data.load(), b.load()
    except Exception as error:
        raise InputError(f"File {str(path)!r} must be a NetCDF file of a run, but cannot be read (it may be cut short or "
                         f"damaged): {error}.") from None
    header = data.attrs
    if "mps_battery_schema" not in header:
        raise InputError(f"File {str(path)!r} must be a run saved by mps_battery, but carries no schema version.")
    if int(header["mps_battery_schema"]) > SCHEMA:
        raise InputError(f"File {str(path)!r} must have schema {SCHEMA} or older, but has "
                         f"{int(header['mps_battery_schema'])}: update mps_battery.")
    budget = Budget(**json.loads(header["budget"]))
    run = Run(_complex_parts(data.assign_attrs()), _complex_parts(b), str(header["outcome"]), budget,
              json.loads(header["card"]))
    run.data.attrs.clear()
    return run


def _real_parts(data: xr.Dataset) -> xr.Dataset:
    """Complex variables split along a last dimension (NetCDF has no complex numbers)."""
    out = data.copy()
    for name, v in data.items():
        if np.iscomplexobj(v.values):
            split = np.stack([v.values.real, v.values.imag], axis=-1)
            out[name] = xr.DataArray(split, dims=(*v.dims, "re_im"), coords=v.coords, attrs=v.attrs)
    return out


def _complex_parts(data: xr.Dataset) -> xr.Dataset:
    out = data.copy()
    for name, v in data.items():
        if "re_im" in v.dims:
            whole = v.isel(re_im=0).drop_vars("re_im", errors="ignore").copy()
            out[name] = whole.copy(data=v.values[..., 0] + 1j * v.values[..., 1])
    return out


def _plain(value: Any) -> Any:
    """Numbers and arrays as JSON knows them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
