"""Runs on disk: NetCDF files (HDF5), no pickle, written aside and renamed.

Behind the end that HDF5 knows stands a checksum of all bytes before it, which other readers do not see. It is compared
before anything is parsed, since HDF5 may hang in a damaged file.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import xarray as xr

from mps_battery.budget import Budget
from mps_battery.checks import InputError

if TYPE_CHECKING:
    from mps_battery.run import Run
    from mps_battery.sweep import Sweep

SCHEMA = 1
"""Version of the file layout; files of a newer one are refused."""
SEAL = b"mps_battery sha256 "
"""What the checksum at the end of a file is announced by."""


@contextmanager
def atomic(path: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, flushed to disk, when the block ends well."""
    path = Path(path)
    taken = InputError(f"Argument `path` must name a new file, but {str(path)!r} exists: overwrite=True replaces "
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
    header = {"mps_battery_schema": SCHEMA, "outcome": run.outcome, "budget": json.dumps(run.budget.as_dict()),
              "card": json.dumps(dict(run.card), default=_plain)}
    return _write(path, overwrite, data.assign_attrs(header), bars)


def save_table(table: Sweep, path: str | Path, overwrite: bool = False) -> Path:
    """Write a sweep; see `Sweep.save`."""
    header = {"mps_battery_schema": SCHEMA, "outcome": table.outcome, "sweep": json.dumps(dict(table.card))}
    return _write(Path(path), overwrite, _real_parts(table.data).assign_attrs({**table.data.attrs, **header}),
                  _real_parts(table.bars))


def _write(path: Path, overwrite: bool, data: xr.Dataset, bars: xr.Dataset) -> Path:
    with atomic(path, overwrite) as aside:
        data.to_netcdf(aside, engine="h5netcdf", mode="w")
        bars.to_netcdf(aside, engine="h5netcdf", mode="a", group="bars")
        seal(aside)
    return path


def seal(path: Path) -> None:
    """Put the checksum behind the last byte of a file."""
    digest = _digest(path, path.stat().st_size)
    with open(path, "ab") as file:
        file.write(SEAL + digest)


def check_seal(path: Path) -> None:
    """Raise unless a file ends in the checksum of all bytes before it."""
    end = path.stat().st_size - len(SEAL) - hashlib.sha256().digest_size
    with open(path, "rb") as file:
        file.seek(max(end, 0))
        announced, digest = file.read(len(SEAL)), file.read()
    if announced != SEAL:
        raise InputError(f"File {str(path)!r} must end in the checksum of a saved run, but does not: it is cut short, "
                         "damaged, or of another program.")
    if digest != _digest(path, end):
        raise InputError(f"File {str(path)!r} must match the checksum at its end, but does not: it is damaged.")


def _digest(path: Path, length: int) -> bytes:
    """SHA-256 of the first `length` bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for start in range(0, length, 2**20):
            digest.update(file.read(min(2**20, length - start)))
    return digest.digest()


def load(path: str | Path) -> Run | Sweep:
    """Read what `Run.save` or `Sweep.save` wrote; states are not in the file.

    Raises:
        InputError: If the file is missing, damaged, of another program, or of a newer schema.
    """
    from mps_battery.run import Run
    from mps_battery.sweep import Sweep

    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `path` must name an existing file, but {str(path)!r} is none.")
    check_seal(path)
    with h5py.File(path) as file:
        if "mps_battery_checkpoint" in file.attrs:
            raise InputError(f"File {str(path)!r} must be a result, but is a checkpoint: resume() goes on from it.")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        data = opened.load()
    header = dict(data.attrs)
    data.attrs.clear()
    if int(header["mps_battery_schema"]) > SCHEMA:
        raise InputError(f"File {str(path)!r} must have schema {SCHEMA} or older, but has "
                         f"{int(header['mps_battery_schema'])}: update mps_battery.")
    with xr.open_dataset(path, engine="h5netcdf", group="bars") as opened:
        bars = opened.load()
    if "sweep" in header:
        data.attrs = {k: v for k, v in header.items() if k not in ("mps_battery_schema", "outcome", "sweep")}
        return Sweep(_complex_parts(data), _complex_parts(bars), str(header["outcome"]), json.loads(header["sweep"]))
    return Run(_complex_parts(data), _complex_parts(bars), str(header["outcome"]),
               Budget(**json.loads(header["budget"])), json.loads(header["card"]))


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
