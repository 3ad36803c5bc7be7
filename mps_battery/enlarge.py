"""A cutoff that grows until the top levels of every watched mode stay empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mps_battery.battery import Battery
from mps_battery.budget import TOP_HEAVY
from mps_battery.checks import InputError, must, whole
from mps_battery.run import Run

LARGEST = 4096
"""No cutoff is raised beyond this."""


def enlarge(build: Callable[[int], Battery], charge: Callable[[Battery], Run], cutoff: int, most: int = LARGEST) -> Run:
    """Charge again and again with a cutoff half as large again, until that no longer matters.

    It no longer matters where the two top levels of every mode that could be filled beyond its cutoff never hold more
    than `mps_battery.budget.TOP_HEAVY`; see `Budget.cutoff_population`.

        run = mb.enlarge(lambda n: cavity.dicke(cells=10, cutoff=n), lambda b: mb.charge(b, times), cutoff=20)

    Args:
        build: Cutoff -> battery.
        charge: Battery -> run.
        cutoff: Where to begin, an integer of at least 1.
        most: Largest cutoff to try.

    Returns:
        The first run that fits; its outcome names the cutoff.

    Raises:
        InputError: If an argument does not make sense, or if no cutoff up to `most` is enough.
    """
    must(callable(build), "build", "be a function from a cutoff to a Battery", build)
    must(callable(charge), "charge", "be a function from a Battery to a Run", charge)
    must(whole(cutoff) and cutoff >= 1, "cutoff", "be an integer of at least 1", cutoff)
    must(whole(most) and most >= cutoff, "most", f"be an integer of at least {cutoff}, the cutoff to begin with", most)
    while True:
        run = charge(build(int(cutoff)))
        held = run.budget.cutoff_population
        if held is None or held <= TOP_HEAVY:
            return replace(run, outcome=run.outcome + f" A cutoff of {cutoff} is enough.")
        if cutoff >= most:
            raise InputError(f"Argument `most` must be larger for this battery, but is {most}: with it the two "
                             f"top levels of a mode still hold {held:.1e}.")
        cutoff = min(max(cutoff + 2, 3 * cutoff // 2), most)
