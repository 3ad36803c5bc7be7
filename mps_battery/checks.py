"""Checks of user input, made once at the public boundary, in one sentence form."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


class InputError(ValueError):
    """A mistake in what the caller gave; the message is one sentence that names it and the remedy."""


def must(condition: Any, argument: str, requirement: str, value: object) -> None:
    """Raise "Argument `argument` must requirement, but is value." unless `condition` holds."""
    if not condition:
        raise InputError(f"Argument `{argument}` must {requirement}, but is {shown(value)}.")


def number(value: object) -> bool:
    """Whether a value is a real number of Python or numpy, True and False excluded."""
    return isinstance(value, Real) and not isinstance(value, bool)


def whole(value: object) -> bool:
    """Whether a value is an integer of Python or numpy, True and False excluded."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def shown(value: object) -> str:
    """A value as it stands in an error sentence: one short line, strings in quotes, what is too long cut inside."""
    return " ".join(_SHORT.repr(value).split())


_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 6
_SHORT.maxstring = _SHORT.maxother = 80


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint behind an unknown name: the nearest known one, else all of them."""
    known = sorted(known)
    same = [k for k in known if k.lower() == str(name).lower()]
    close = same or difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    """The error for a name that is not in a list of known ones."""
    return InputError(f"Unknown {kind} {shown(name)}{where}: {nearest(name, known)}")
