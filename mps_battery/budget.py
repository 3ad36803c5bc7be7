"""The error budget of a run: what was lost, what is estimated, until when to trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

ROUNDING = 2e-12
"""Relative floor of every bar: sums over a chain in double precision are not better than this."""

TOP_HEAVY = 1e-5
"""Population of the top levels of a mode from which its cutoff is called low."""

SAFETY = 1.3
"""Factor between the difference of two Trotterised runs and the bar; twice the step alone shows 15 times the error."""
RESOLUTION = 0.02
"""Relative floor of a bar in units of the amplitude that one truncation may drop, sqrt(weight)."""
SAFETY_PROJECTED = 1.5
"""The same for TDVP, whose error is mostly truncation and shrinks less between the two runs."""
SAFETY_DENSITY = 2.6
"""The same for densities: over 50 random runs with loose truncation it covers 98 % of the quantities, 1.3 does 92 %."""
CAPPED = 2.0
"""What the factor grows by where the cap on the bond has bound: a smaller cap tells less than a larger weight."""


@dataclass(frozen=True)
class Budget:
    """Where the errors of a run come from.

    Attributes:
        discarded_weight: Sum of the discarded weights of all truncations.
        state_error: Norm distance to the untruncated state as the truncations add up (see `Ledger`); an upper
            estimate that local quantities stay far below.
        energy_drift: Largest change of <H> of a constant generator, which should not move; None for schedules.
        norm_defect: | <psi|psi> - 1 | at the end; of a density | tr rho - 1 |.
        krylov_residual: Sum of reported residuals of exponentials.
        max_bond: Largest bond dimension.
        cap_bound: Truncations in which the cap on the bond dropped more than the allowed weight.
        t_trust: Last time before which the cap never bound and every bar stays below `trust`.
        trust: Largest relative bar that is called trusted.
        worst_bar: Largest bar relative to the largest value of its quantity.
        least_eigenvalue: Smallest eigenvalue of any two-site marginal of a density that was met; None for pure states.
        splitting_error: Proven bound on the norm distance by the steps of a product formula; None where no rigorous
            bars were asked for.
        cutoff_population: Largest population of the two top levels of a bosonic mode that was met, among the modes
            that the charging could fill beyond their cutoff; None where there is none.
    """

    discarded_weight: float
    state_error: float
    energy_drift: float | None
    norm_defect: float
    krylov_residual: float
    max_bond: int
    cap_bound: int
    t_trust: float
    trust: float
    worst_bar: float | None
    least_eigenvalue: float | None = None
    splitting_error: float | None = None
    cutoff_population: float | None = None

    @property
    def cutoff_warning(self) -> str:
        """A sentence where the cutoff of a mode is too low; empty where it is not."""
        if self.cutoff_population is None or self.cutoff_population <= TOP_HEAVY:
            return ""
        return (f" The two top levels of a mode held up to {self.cutoff_population:.1e}: its cutoff is low, so raise "
                "it and compare.")

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def bars_from(data: xr.Dataset, coarse: xr.Dataset, shared: np.ndarray, safety: float | np.ndarray = SAFETY,
              weight: float = 0.0, drift: np.ndarray | None = None) -> xr.Dataset:
    """Bars of `data` from a run with twice the step and a hundred times the weight.

    Halving the step of a fourth-order method takes the error down 16 times, and a hundredth of the weight takes it
    down about 10 times, so the difference of the two runs stands well above the error of the finer one. A difference
    may pass through zero where the error does not: the bar is the largest difference met until the next common time,
    at the place itself and at its neighbours, times `safety`.

    Args:
        data: The run.
        coarse: The coarser run, at some of the times.
        shared: Indices of its times among those of `data`, first and last included; see `shared_times`.
        safety: Factor between difference and bar, one or one a time.
        weight: Allowed weight of one truncation of the finer run.
        drift: How far <H> of a constant generator has moved, at every time: no energy is known better than that.
    """
    n = data.sizes["time"]
    following = np.minimum(np.searchsorted(shared, np.arange(n)) + (np.arange(n) > 0), len(shared) - 1)
    out = {}
    for name, values in data.items():
        fine = values.values[shared]
        difference = largest_so_far(np.abs(fine - coarse[name].values))[following]
        out[name] = estimated_bar(values, difference, safety, weight, drift)
    return xr.Dataset(out)


def estimated_bar(values: xr.DataArray, difference: np.ndarray, safety: float | np.ndarray, weight: float = 0.0,
                  drift: np.ndarray | None = None) -> xr.DataArray:
    """The bar of a quantity from differences over its dimensions; see `bars_from` for the arguments."""
    scale = np.max(np.abs(values.values)) if values.size else 0.0
    offset = abs(values.attrs.get("energy_initial", 0.0))
    factor = np.broadcast_to(safety, len(difference)).reshape(-1, *[1] * (difference.ndim - 1))
    bar = factor * difference + ROUNDING * (scale + offset) + RESOLUTION * weight**0.5 * scale
    if drift is not None and "energy_initial" in values.attrs:
        bar = np.maximum(bar, 2 * np.maximum.accumulate(drift))
    return xr.DataArray(bar, dims=values.dims, coords=values.coords,
                        attrs={"kind": "estimate", "unit": values.attrs.get("unit", "")})


def proven_bars(data: xr.Dataset, proven: Mapping[str, Sequence[Any]]) -> xr.Dataset:
    """Rigorous bars of the quantities that have them, rounding of the values included.

    Args:
        data: The run.
        proven: Name -> `Quantity.bar` at every time; None for a quantity without one.
    """
    out = {}
    for name, rows in proven.items():
        if rows[0] is not None:
            values = data[name]
            scale = np.max(np.abs(values.values)) + abs(values.attrs.get("energy_initial", 0.0))
            out[name] = xr.DataArray(np.array(rows) + ROUNDING * scale, dims=values.dims, coords=values.coords,
                                     attrs={"kind": "rigorous", "unit": values.attrs.get("unit", "")})
    return xr.Dataset(out)


def largest_so_far(difference: np.ndarray) -> np.ndarray:
    """The largest value met until each time, at the place itself and at its neighbours along every axis but time."""
    for axis in range(1, difference.ndim):
        difference = _with_neighbours(difference, axis)
    return np.maximum.accumulate(difference, axis=0)


def shared_times(n: int, stride: int) -> np.ndarray:
    """Indices of the times at which both runs are measured."""
    return np.unique(np.r_[np.arange(0, n, stride), n - 1])


def _with_neighbours(values: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(values, axis, -1)
    padded = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(1, 1)], mode="edge")
    return np.moveaxis(np.maximum(np.maximum(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:]), -1, axis)


def relative_bars(data: xr.Dataset, bars: xr.Dataset) -> np.ndarray:
    """Largest bar at each time over all quantities, each relative to the largest value of its quantity."""
    worst = np.zeros(data.sizes["time"])
    for name, bar in bars.items():
        scale = np.max(np.abs(data[name].values))
        if scale > 0:
            per_time = bar.values.reshape(len(worst), -1).max(axis=1)
            worst = np.maximum(worst, per_time / scale)
    return worst
