"""One BLAS thread, no display, and annotations that are checked at every call."""

import os

for library in ("OMP", "OPENBLAS", "MKL"):      # before numpy loads: waiting threads spin, and results depend on their number
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import inspect
from typing import Any

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import install_import_hook

_check = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({     # numbers as Python and numpy users pass them
    int: int | np.integer,
    float: float | int | np.integer | np.floating,
    complex: complex | float | int | np.number,
})))


def after_the_call(function):
    """The checker behind jaxtyping, applied to what a function took and gave once it has returned.

    jaxtyping checks arguments before the call, by a twin of the function whose return annotation is Any, and both
    afterwards, by a twin with the true one. Leaving the first out lets an InputError, which is what users see, win
    over the complaint of the checker; what a function accepts is still checked.
    """
    return function if inspect.signature(function).return_annotation is Any else _check(function)


install_import_hook("mps_battery", "conftest.after_the_call")
