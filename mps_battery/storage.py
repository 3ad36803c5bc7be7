"""Runs on disk: NetCDF files (HDF5), no pickle, written aside and renamed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
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
    taken = InputError(f"Argument `path` must name a new file, but {str(path)!r} exists: pass overwrite=True to replace "
                       "it.")
    if path.is_dir():
        raise InputError(f"Argument `path` must name a file, but {str(path)!r} is a folder.")
    if path.exists() and not overwrite:
        raise taken
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError:
        raise InputError(f"Argument `path` must lie in a folder that exists and can be written to, but "
                         f"{str(path.parent)!r} is none.") from None
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
            _rename_to_new(aside, path, taken)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        aside.unlink(missing_ok=True)


def _rename_to_new(aside: Path, path: Path, taken: InputError) -> None:
    """Rename unless another process made the file meanwhile."""
    try:
        os.link(aside, path)
    except FileExistsError:
        raise taken from None
    except OSError:              # a file system without links
        os.replace(aside, path)


def save(run: Run, path: str | Path, overwrite: bool = False) -> Path:
    """Write a run; see `Run.save`."""
    path = Path(path)
    data, bars = _real_parts(run.data), _real_parts(run.bars)
    header = {"outcome": run.outcome, "budget": json.dumps(run.budget.as_dict()),
              "card": json.dumps(dict(run.card), default=_plain)}
    header["checksum"] = _checksum(header, data, bars)
    with atomic(path, overwrite) as aside:
        data.assign_attrs(mps_battery_schema=SCHEMA, **header).to_netcdf(aside, engine="h5netcdf", mode="w")
        bars.to_netcdf(aside, engine="h5netcdf", mode="a", group="bars")
    return path


def load(path: str | Path) -> Run:
    """Read a run that `Run.save` wrote; its states are not in the file.

    Raises:
        InputError: If the file is missing, damaged, not a run, or of a newer schema.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `path` must name an existing file, but {str(path)!r} is none.")
    try:
        return _read(path)
    except InputError:
        raise
    except Exception as error:      # whatever HDF5 and its readers make of a damaged file
        why = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"File {str(path)!r} must be a NetCDF file of a run, but cannot be read (it may be cut short "
                         f"or damaged): {why or type(error).__name__}.") from None


def _read(path: Path) -> Run:
    from mps_battery.run import Run

    with xr.open_dataset(path, engine="h5netcdf") as opened:
        data = opened.load()
    schema = data.attrs.get("mps_battery_schema")
    if schema is None:
        raise InputError(f"File {str(path)!r} must be a run saved by mps_battery, but carries no schema version.")
    if int(schema) > SCHEMA:
        raise InputError(f"File {str(path)!r} must have schema {SCHEMA} or older, but has {int(schema)}: update "
                         "mps_battery.")
    with xr.open_dataset(path, engine="h5netcdf", group="bars") as opened:
        bars = opened.load()
    header = {key: str(data.attrs[key]) for key in ("outcome", "budget", "card")}
    if _checksum(header, data, bars) != data.attrs["checksum"]:
        raise InputError(f"File {str(path)!r} must hold what was saved, but does not match its checksum: it is "
                         "damaged.")
    data.attrs.clear()
    return Run(_complex_parts(data), _complex_parts(bars), header["outcome"], Budget(**json.loads(header["budget"])),
               json.loads(header["card"]))


def _checksum(header: Mapping[str, str], *datasets: xr.Dataset) -> str:
    """SHA-256 over the header and over names, dimensions, attributes and bytes of every variable."""
    digest = hashlib.sha256(json.dumps([header[key] for key in ("outcome", "budget", "card")]).encode())
    for data in datasets:
        for name in sorted(map(str, data.variables)):
            v = data[name]
            values = np.ascontiguousarray(v.values)
            attributes = {k: np.asarray(a).tolist() for k, a in v.attrs.items()}
            facts = [name, v.dims, str(values.dtype), values.shape, attributes]
            digest.update(json.dumps(facts, sort_keys=True).encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


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
