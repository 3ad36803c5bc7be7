"""Means over realisations, how well they are known, and how values are spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray

BOOTSTRAP = 1
"""Stream of random numbers that resamplings are drawn from; disorder is stream 0."""
RESAMPLES = 1000
"""Resamplings behind an interval."""
COLUMNS = 4096
"""Places that are resampled together, which bounds the memory."""
ROWS = 32
"""Resamplings that are drawn together, for the same reason."""


def with_statistics(data: xr.Dataset, failed: Array, seed: int, confidence: float, quantiles: Sequence[float]
                    ) -> xr.Dataset:
    """The same data with mean, error, interval and quantiles over the dimension `realisation` of every variable.

    For a variable `x`: `x_mean`; `x_error`, the standard error of the mean, s / sqrt(n) with s^2 the unbiased
    variance; `x_low` and `x_high`, the ends of the interval between the (1 -+ confidence) / 2 quantiles of the means
    of resampled realisations [Efron 1979, Ann. Statist. 7, 1]; `x_quantile`. Complex variables have mean and error
    (of the modulus of the deviation) only. `count` is the number of realisations behind a mean. Realisations that
    failed take no part; where none is left, or one for an error, there is NaN.

    Resamplings are drawn from SeedSequence([seed, n, BOOTSTRAP]): places and points with as many realisations use the
    same ones, so that differences between them are paired.

    Args:
        data: Variables with the dimension `realisation` in front of those of a run.
        failed: Where no result is, over the dimensions of the parameters and `realisation`.
        seed: First coordinate of the random numbers.
        confidence: Probability that an interval is to hold.
        quantiles: Which quantiles.
    """
    used = ~failed
    points = [str(d) for d in next(iter(data.values())).dims]
    points = points[:points.index("realisation")]
    new: dict[str, xr.DataArray] = {"count": xr.DataArray(used.sum(axis=-1), dims=points)}
    for name, values in data.items():
        dims = [d for d in values.dims if d != "realisation"]
        attrs = {"unit": values.attrs.get("unit", "")}
        shape = tuple(values.sizes[d] for d in dims)
        plain = not np.iscomplexobj(values.values)
        kinds = ["mean", "error", *(["low", "high"] if plain else [])]
        out = {kind: np.full(shape, np.nan, dtype=values.dtype if kind == "mean" else float) for kind in kinds}
        spread = np.full((len(quantiles), *shape), np.nan)
        for point in np.ndindex(*shape[:len(points)]):
            samples = values.values[point].reshape(values.sizes["realisation"], -1)
            for start in range(0, samples.shape[1], COLUMNS):
                part = samples[used[point], start:start + COLUMNS]
                found = _of_columns(part, seed, confidence, quantiles, plain)
                for kind in kinds:
                    out[kind][point].reshape(-1)[start:start + COLUMNS] = found[kind]
                if plain:
                    for k, q in enumerate(found["quantile"]):
                        spread[k][point].reshape(-1)[start:start + COLUMNS] = q
        new |= {f"{name}_{kind}": xr.DataArray(a, dims=dims, attrs=attrs) for kind, a in out.items()}
        if plain:
            new[f"{name}_quantile"] = xr.DataArray(spread, dims=["quantile", *dims], attrs=attrs)
    return data.assign(new).assign_coords(quantile=np.asarray(quantiles, dtype=float))


def _of_columns(samples: Array, seed: int, confidence: float, quantiles: Sequence[float], plain: bool
                ) -> dict[str, Any]:
    """Statistics of (realisations, places); sums run in the order of the realisations."""
    n = len(samples)
    nothing = np.full(samples.shape[1], np.nan)
    if n == 0:
        return dict.fromkeys(("mean", "error", "low", "high"), nothing) | {"quantile": [nothing] * len(quantiles)}
    mean = samples.mean(axis=0)
    out = {"mean": mean, "error": standard_error(samples) if n > 1 else nothing}
    if plain:
        tail = (1 - confidence) / 2
        out["low"], out["high"] = np.quantile(_resampled(samples, seed), [tail, 1 - tail], axis=0) if n > 1 else \
            (nothing, nothing)
        out["quantile"] = np.quantile(samples, quantiles, axis=0)
    return out


def standard_error(samples: Array) -> Array:
    """s / sqrt(n) of the mean over the first axis."""
    n = len(samples)
    deviation = samples - samples.mean(axis=0)
    return np.sqrt(np.sum(np.abs(deviation) ** 2, axis=0) / (n - 1) / n)


def _resampled(samples: Array, seed: int) -> Array:
    """Means over realisations drawn with replacement, (resamplings, places)."""
    n = len(samples)
    rng = np.random.default_rng(np.random.SeedSequence([seed, n, BOOTSTRAP]))
    means = np.empty((RESAMPLES, samples.shape[1]))
    for start in range(0, RESAMPLES, ROWS):
        rows = min(ROWS, RESAMPLES - start)
        times = rng.multinomial(n, np.full(n, 1 / n), size=rows)
        means[start:start + rows] = times @ samples / n
    return means
