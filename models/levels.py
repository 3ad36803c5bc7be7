"""Three-level cells g, e, f charged by schedules: adiabatic passage, shortcuts, closed loops and pulses.

Drives are resonant and in the rotating-wave approximation, and all is written in the frame that turns with H_B. H_B
commutes with that change of frame, so that energy, power and work are those of the laboratory. Exchange between
neighbours keeps only what conserves H_B at any position of the levels. Sums run over the cells n, or neighbours n and
n + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mps_battery.battery import Battery, Envelope, Jump, Schedule
from mps_battery.checks import must
from mps_battery.models.build import check_rates, checked, each, jump
from mps_battery.sites import Levels, Site
from mps_battery.terms import Terms

__all__ = ["closed_loop", "qutrit_pulses", "stirap"]

_DOU = "Dou, Wang, Sun, Europhys. Lett. 131, 43001 (2020)"
_GEMME = "Gemme, Grossi, Vallecorsa, Sassetti, Ferraro, Phys. Rev. Res. 6, 023091 (2024)"
_SANTOS = ("Santos, Cakmak, Campbell, Zinner, Phys. Rev. E 100, 032107 (2019); counterdiabatic: Dou, Wang, Sun, "
           "Front. Phys. 17, 31503 (2022)")


def stirap(cells: int = 4, middle: float = 1.0, top: float = 1.95, rabi: float = 10.0, duration: float = 2.5,
           ramp: str = "smooth", counterdiabatic: bool = False, detuning: float = 0.0, exchange: float = 0.0,
           decay: float = 0.0) -> Battery:
    """Three-level cells charged by stimulated Raman adiabatic passage, with or without the counterdiabatic field.

    Energy: H_B = sum (middle |e><e| + top |f><f|)_n
    Charging: sum (W1(t) |g><e| + W2(t) |e><f| + h.c. + detuning |e><e|)_n + exchange sum (|eg><ge| + |fe><ef| + h.c.)
        and, counterdiabatic, + sum (i h'(t) |g><f| + h.c.)_n with tan h = W1 / W2; with decay also jumps sqrt(decay)
        |g><e| and sqrt(decay) |e><f| on every cell

    The dark state cos h |g> - sin h |f> has no part on e and turns from g to f while h goes from 0 to pi/2; after
    `duration` it is |f>, which the drives that are left do not touch, so that the charge is stable. The counterdiabatic
    field makes a free cell follow it exactly, at any speed: it stores top sin^2 h(t). Without it, and for the ramp
    "sine" on resonance, a cell is in the dark state with probability ((rabi^2 + h'^2 cos(w t)) / w^2)^2,
    w^2 = rabi^2 + h'^2, h' = pi / (2 duration).

    Args:
        cells: Number of cells, from 1.
        middle: Energy of level e.
        top: Energy of level f.
        rabi: Largest drive.
        duration: Time after which the drives stay as they are.
        ramp: With x = t / duration, "linear": W1 = rabi x, W2 = rabi (1 - x); "sine" and "smooth": W1 = rabi sin h,
            W2 = rabi cos h with h = pi x / 2 and h = (pi / 2) sin^2(pi x / 2).
        counterdiabatic: Whether the third field acts.
        detuning: Of both drives from the level e, equal and opposite for the two steps.
        exchange: Between neighbouring cells, an energy; acts while charging and is not stored.
        decay: Rate at which f falls to e and e to g.

    Reference:
        Santos, Cakmak, Campbell, Zinner, Phys. Rev. E 100, 032107 (2019); counterdiabatic: Dou, Wang, Sun, Front. Phys.
        17, 31503 (2022)
    """
    parameters = checked(fewest=1, cells=cells, middle=middle, top=top, rabi=rabi, duration=duration,
                         counterdiabatic=counterdiabatic, detuning=detuning, exchange=exchange, decay=decay)
    check_rates(decay=decay)
    must(duration > 0, "duration", "be a positive number", duration)
    must(ramp in RAMPS, "ramp", f"be one of {', '.join(RAMPS)}", ramp)
    sites = _cells(parameters)
    lower, upper, turn = RAMPS[ramp]
    parts: list[tuple[Terms, Envelope | None]] = [
        (_drive(sites, "ge", rabi), partial(_held, function=lower, duration=float(duration))),
        (_drive(sites, "ef", rabi), partial(_held, function=upper, duration=float(duration)))]
    if counterdiabatic:
        parts.append((_drive(sites, "gf", 1j), partial(_turning, slope=turn, duration=float(duration))))
    if detuning or exchange:
        parts.append((each(sites, "ee", detuning) + _exchange(sites, exchange), None))
    jumps = [jump(sites, np.sqrt(decay), name, n, "decay") for n in range(cells if decay else 0)
             for name in ("ge", "ef")]
    return _battery("stirap", _SANTOS, parameters | {"ramp": ramp}, sites, Schedule(parts), jumps)


def closed_loop(cells: int = 4, middle: float = 1.0, top: float = 1.95, rabi: float = 1.0, third: float = 1.0,
                phase: float = np.pi / 2, exchange: float = 0.0) -> Battery:
    """Three-level cells whose three transitions are driven at once, a loop with a phase; starts in g.

    Energy: H_B = sum (middle |e><e| + top |f><f|)_n
    Charging: sum (rabi |e><g| + rabi |f><e| + third exp(i phase) |g><f| + h.c.)_n
        + exchange sum (|eg><ge| + |fe><ef| + h.c.)

    For three equal drives the levels of the loop are E_k = 2 rabi cos((phase - 2 pi k) / 3), k = 0, 1, 2, and a free
    cell is in f with probability |sum_k exp(-i E_k t + 4 pi i k / 3)|^2 / 9. A phase of pi/2 sends g to f, f to e and e
    to g, each in the time 2 pi / (3 sqrt(3) rabi), 1.8 times sooner than both steps without the third drive; -pi/2 goes
    round the other way, by e.

    Args:
        cells: Number of cells, from 1.
        middle: Energy of level e.
        top: Energy of level f.
        rabi: Drive of the transitions g to e and e to f.
        third: Drive of the transition from g to f.
        phase: Of the loop.
        exchange: Between neighbouring cells, an energy; acts while charging and is not stored.

    Reference:
        Dou, Wang, Sun, Europhys. Lett. 131, 43001 (2020)
    """
    parameters = checked(fewest=1, cells=cells, middle=middle, top=top, rabi=rabi, third=third, phase=phase,
                         exchange=exchange)
    sites = _cells(parameters)
    charging = (_drive(sites, "eg", rabi) + _drive(sites, "fe", rabi)
                + _drive(sites, "gf", third * np.exp(1j * phase)) + _exchange(sites, exchange))
    return _battery("closed_loop", _DOU, parameters, sites, charging)


def qutrit_pulses(cells: int = 4, middle: float = 1.0, top: float = 1.95, rabi: float = 3.0,
                  simultaneous: bool = False, exchange: float = 0.0) -> Battery:
    """Three-level cells charged by two pulses, one after the other or both at once; starts in g.

    Energy: H_B = sum (middle |e><e| + top |f><f|)_n
    Charging: rabi sum (p_1(t) |e><g| + p_2(t) |f><e| + h.c.)_n + exchange sum (|eg><ge| + |fe><ef| + h.c.),
        p = sin^2(pi (t - start) / T) within a pulse; one after the other T = pi / rabi, together T = sqrt(2) pi / rabi

    Both ways end in f when cells are free. With A_1, A_2 the areas of the pulses so far a cell stores
    middle sin^2 A_1 cos^2 A_2 + top sin^2 A_1 sin^2 A_2 one after the other, and, with equal areas A,
    middle sin^2(sqrt(2) A) / 2 + top sin^4(A / sqrt(2)) together: sqrt(2) times sooner at the same largest drive.

    Args:
        cells: Number of cells, from 1.
        middle: Energy of level e.
        top: Energy of level f.
        rabi: Largest drive.
        simultaneous: Whether both pulses come at once.
        exchange: Between neighbouring cells, an energy; acts while charging and is not stored.

    Reference:
        Gemme, Grossi, Vallecorsa, Sassetti, Ferraro, Phys. Rev. Res. 6, 023091 (2024)
    """
    parameters = checked(fewest=1, cells=cells, middle=middle, top=top, rabi=rabi, simultaneous=simultaneous,
                         exchange=exchange)
    must(rabi > 0, "rabi", "be a positive number", rabi)
    sites = _cells(parameters)
    length = float(np.pi / rabi * (np.sqrt(2) if simultaneous else 1))
    starts = (0.0, 0.0 if simultaneous else length)
    parts: list[tuple[Terms, Envelope | None]] = [
        (_drive(sites, name, rabi), partial(_pulse, start=start, length=length))
        for name, start in zip(("eg", "fe"), starts, strict=True)]
    if exchange:
        parts.append((_exchange(sites, exchange), None))
    return _battery("qutrit_pulses", _GEMME, parameters, sites, Schedule(parts))


# -- shapes of the drives --------------------------------------------------------------------------------------
def _sine(x: float) -> float:
    return float(np.sin(np.pi * x / 2))


def _cosine(x: float) -> float:
    return float(np.cos(np.pi * x / 2))


def _smooth_angle(x: float) -> float:
    """h of the ramp "smooth", in units of pi / 2."""
    return float(np.sin(np.pi * x / 2) ** 2)


RAMPS: dict[str, tuple[Callable[[float], float], Callable[[float], float], Callable[[float], float]]] = {
    "linear": (lambda x: x, lambda x: 1 - x, lambda x: 1 / (x**2 + (1 - x) ** 2)),
    "sine": (_sine, _cosine, lambda x: np.pi / 2),                                            # noqa: ARG005
    "smooth": (lambda x: _sine(_smooth_angle(x)), lambda x: _cosine(_smooth_angle(x)),
               lambda x: np.pi**2 / 4 * np.sin(np.pi * x)),
}
"""W1 / rabi, W2 / rabi and dh/dx over x = t / duration, tan h = W1 / W2."""


def _held(time: float, function: Callable[[float], float], duration: float) -> float:
    """A function of time / duration, which stays at its ends outside."""
    return float(function(min(max(time / duration, 0.0), 1.0)))


def _turning(time: float, slope: Callable[[float], float], duration: float) -> float:
    """dh/dt: the slope over x within the ramp, nothing outside."""
    return float(slope(time / duration) / duration) if 0 <= time <= duration else 0.0


def _pulse(time: float, start: float, length: float) -> float:
    """sin^2 from start to start + length."""
    return float(np.sin(np.pi * min(max((time - start) / length, 0.0), 1.0)) ** 2)


# -- parts -----------------------------------------------------------------------------------------------------
def _cells(parameters: dict[str, Any]) -> tuple[Site, ...]:
    must(0 < parameters["middle"] <= parameters["top"], "middle", "be a positive number, at most `top`",
         parameters["middle"])
    return (Levels("gef"),) * parameters["cells"]


def _drive(sites: tuple[Site, ...], name: str, strength: complex) -> Terms:
    """strength |a><b| + h.c. on every cell."""
    half = Terms(sites)
    for n in range(len(sites)):
        half += strength, (name, n)
    return half + half.adjoint()


def _exchange(sites: tuple[Site, ...], strength: float) -> Terms:
    """strength sum (|eg><ge| + |fe><ef| + h.c.)."""
    terms = Terms(sites)
    for n in range(len(sites) - 1 if strength else 0):
        for up, down in (("eg", "ge"), ("fe", "ef")):
            terms += strength, (up, n), (down, n + 1)
            terms += strength, (down, n), (up, n + 1)
    return terms


def _battery(name: str, reference: str, parameters: dict[str, Any], sites: tuple[Site, ...],
             charging: Terms | Schedule, jumps: list[Jump] | None = None) -> Battery:
    energy = each(sites, "ee", parameters["middle"]) + each(sites, "ff", parameters["top"])
    return Battery(sites=sites, cells=range(len(sites)), energy=energy, charging=charging, jumps=jumps or (), empty="g",
                   name=name, parameters=parameters, reference=reference)
