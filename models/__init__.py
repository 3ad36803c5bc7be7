"""Batteries of the literature, one family a file: plain functions from numbers to a `Battery`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

from mps_battery.battery import Battery
from mps_battery.checks import InputError
from mps_battery.models import bath, cavity, control, levels, light, networks, open_chain, spin_chain, syk

FAMILIES: tuple[ModuleType, ...] = (spin_chain, networks, open_chain, cavity, light, levels, syk, bath, control)


def catalogue(families: Iterable[ModuleType] = FAMILIES) -> dict[str, Callable[..., Battery]]:
    """Every public model by name.

    Args:
        families: Modules whose `__all__` names their models.

    Raises:
        InputError: If two families share a name.
    """
    models: dict[str, Callable[..., Battery]] = {}
    for family in families:
        for name in family.__all__:
            if name in models:
                raise InputError(f"Model {name!r} is in {models[name].__module__} and in {family.__name__}.")
            models[name] = getattr(family, name)
    return models
