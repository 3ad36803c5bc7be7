"""One BLAS thread, no display, and annotations that are checked at every call."""

import os

for library in ("OMP", "OPENBLAS", "MKL"):      # for libraries still to load: waiting threads spin
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import inspect  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import typer  # noqa: E402
from beartype import BeartypeConf, FrozenDict, beartype  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

_one_thread = threadpool_limits(1)              # for numpy, which a plugin of pytest has loaded before us

# numbers as users of Python and numpy pass them
_check = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({
    int: int | np.integer,
    float: float | int | np.integer | np.floating,
    complex: complex | float | int | np.number,
    typer.Context: object,       # Typer hands on an object of a base class of it
})))


def after_the_call(function):
    """The checker behind jaxtyping, applied to what a function took and gave once it has returned.

    jaxtyping checks arguments before the call, by a twin of the function whose return annotation is Any, and
    both afterwards, by a twin with the true one. Leaving the first out lets an InputError, which users
    see, win over the complaint of the checker; what a function accepts is still checked.
    """
    return function if inspect.signature(function).return_annotation is Any else _check(function)


install_import_hook("mps_battery", "conftest.after_the_call")
