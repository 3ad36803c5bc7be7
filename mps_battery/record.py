"""What a run records, kept apart from how it is solved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, shown
from mps_battery.measure.flows.energy import Energy, EnergyVariance, Power
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.resources.entanglement import Entropy, OperatorEntropy, Purity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.capacity import LocalCapacity
from mps_battery.measure.work.ergotropy import LocalErgotropy

STANDARD: Mapping[str, Quantity] = {
    "energy": Energy(),
    "power": Power(),
    "energy_variance": EnergyVariance(),
    "local_ergotropy": LocalErgotropy(),
    "local_capacity": LocalCapacity(),
    "entropy": Entropy(),
}
"""What every run records unless told otherwise; local work only where every cell has two levels."""

STANDARD_MIXED: Mapping[str, Quantity] = {
    "energy": Energy(),
    "power": Power(),
    "power_unitary": Power("unitary"),
    "power_dissipative": Power("dissipative"),
    "energy_variance": EnergyVariance(),
    "local_ergotropy": LocalErgotropy(),
    "local_capacity": LocalCapacity(),
    "operator_entropy": OperatorEntropy(),
    "purity": Purity(),
}
"""The same for densities."""

_DIMENSIONS = ("time", "site", "other_site", "cell", "other_cell", "cell_pair", "bond", "bath", "bound")


def standard_record(battery: Battery) -> dict[str, Quantity]:
    """The entries of `STANDARD`, or of `STANDARD_MIXED` for a density, that apply to a battery."""
    qubits = all(battery.sites[n].d == 2 for n in battery.cells)
    standard = STANDARD_MIXED if battery.mixed else STANDARD
    return {name: q for name, q in standard.items()
            if (qubits or not name.startswith("local_")) and (len(battery.sites) > 1 or "entropy" not in name)}


class Table:
    """Recorded values in the making: name -> one array a time."""

    def __init__(self, record: Mapping[str, Quantity], battery: Battery) -> None:
        must(isinstance(record, Mapping) and len(record) >= 1, "record", "name at least one quantity", record)
        for name, quantity in record.items():
            # what NetCDF cannot hold, or what already names a dimension
            must(isinstance(name, str) and name.isidentifier() and name not in _DIMENSIONS, "record",
                 f"have names of letters, digits and underscores other than {', '.join(_DIMENSIONS)}", name)
            if not isinstance(quantity, Quantity):
                raise InputError(f"Argument `record` must map names to quantities such as Energy(), but {name!r} is "
                                 f"{shown(quantity)}.")
        self.record = dict(record)
        self.axes: dict[str, dict[str, list]] = {}
        taken: dict[str, list] = {}
        for name, quantity in record.items():
            axes = quantity.axes(battery)
            # matrix legs, or an operator that fewer sites have: a dimension of the quantity's own
            self.axes[name] = {f"{name}_{axis}" if axis in ("ket", "bra") or taken.setdefault(axis, values) != values
                               else axis: values for axis, values in axes.items()}
        self.rows: dict[str, list[np.ndarray]] = {name: [] for name in record}

    def add(self, snapshot: Snapshot) -> None:
        """Measure every quantity in a state."""
        for name, quantity in self.record.items():
            self.rows[name].append(np.asarray(quantity.measure(snapshot)))

    def dataset(self, times: np.ndarray, attributes: Mapping[str, Mapping[str, Any]] | None = None) -> xr.Dataset:
        """The rows as a Dataset over time."""
        variables = {}
        for name, axes in self.axes.items():
            attrs = {"unit": self.record[name].unit, **(attributes or {}).get(name, {})}
            variables[name] = xr.DataArray(np.array(self.rows[name]), dims=("time", *axes),
                                           coords={"time": times, **axes}, attrs=attrs)
        return xr.Dataset(variables)
