"""Audits: the bounds on power and speed that a run can be asked to keep an eye on.

`charge(..., audits=True)` adds the entries of `audit_record` to the record: upper bounds `bound_...` on the power, and
the angle to the start with what limits its growth. `audits` then compares, at all times recorded, each left side with
its limit. No bound says anything about a battery that the dynamics do not; what a violation beyond the bars says is
that the numbers are wrong, and how close a bound is says how much faster the same resources might charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery, as_schedule
from mps_battery.checks import InputError
from mps_battery.measure.flows.audits import BernsteinBound, FisherBound, QuantumFisherBound, RobertsonBound
from mps_battery.measure.flows.energy import Energy, EnergyVariance, Power
from mps_battery.measure.flows.populations import countable, whole_fits
from mps_battery.measure.flows.power import Charged, integral
from mps_battery.measure.flows.speed import Angle, Excitation, Speed, Strength, margolus_levitin
from mps_battery.measure.quantity import Quantity

Array = np.ndarray

ROUNDING, FLOOR = 1e-8, 1e-12
"""Allowance relative to both sides, and of itself: roots of differences of double-precision numbers are no better."""


@dataclass(frozen=True)
class Audit:
    """One bound over the times of a run: value <= limit.

    Attributes:
        name: Which bound.
        claim: It in symbols.
        times: When.
        value: Left side.
        limit: Right side.
        bar: Bars of both sides together, with the error of integrals over time, and rounding.
        grows: Whether both sides add up over time, so that the last time tells; else every time does.
    """

    name: str
    claim: str
    times: Array
    value: Array
    limit: Array
    bar: Array
    grows: bool = False

    @property
    def used(self) -> Array:
        """value / limit at every time, zero where the limit is within its bar of zero."""
        return np.where(self.limit > self.bar, self.value / np.where(self.limit > self.bar, self.limit, 1.0), 0.0)

    @property
    def factor(self) -> float:
        """limit / value where it is least, or at the last time where both add up; infinite where nothing moves."""
        used = float(self.used[-1] if self.grows else self.used.max())
        return 1 / used if used > 0 else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the value is nowhere above the limit by more than the bar."""
        return bool(np.all(self.value - self.limit <= self.bar))

    def __str__(self) -> str:
        if self.holds:
            return f"{self.name} holds by a factor of {self.factor:.3g}"
        k = int(np.argmax(self.value - self.limit - self.bar))
        return (f"{self.name} is VIOLATED, {self.claim}: at t = {self.times[k]:g} by "
                f"{self.value[k] - self.limit[k]:.1e}, with a bar of {self.bar[k]:.1e}")


def audit_record(battery: Battery) -> dict[str, Quantity]:
    """The entries that audits need, those that apply to a battery."""
    record: dict[str, Quantity] = {"energy": Energy(), "power": Power(), "energy_variance": EnergyVariance()}
    if battery.mixed:
        record["power_unitary"] = Power("unitary")
    record |= {"bound_robertson": RobertsonBound(), "bound_bernstein": BernsteinBound()}
    if countable(battery):
        record["bound_fisher"] = FisherBound()
    if battery.mixed and whole_fits(battery):
        record["bound_quantum_fisher"] = QuantumFisherBound()
    record |= {"angle": Angle(), "speed": Speed()}
    if not battery.jumps:
        record["strength"] = Strength()
    if not battery.jumps and as_schedule(battery.charging).constant:
        record["excitation"] = Excitation()
    return record


def with_audits(record: Mapping[str, Quantity], battery: Battery) -> dict[str, Quantity]:
    """A record with the entries of audits added."""
    added = audit_record(battery)
    for name, quantity in record.items():
        if name in added and added[name] != quantity:
            raise InputError(f"Argument `record` must not name {quantity!r} {name!r} with audits, which record "
                             f"{added[name]!r} under that name.")
    return {**record, **added}


def audits(run: Charged) -> dict[str, Audit]:
    """The audits of a run, those for which it recorded what they need; see `audit_record`."""
    data, bars = run.data, run.bars
    times = data["time"].values - data["time"].values[0]
    found: dict[str, Audit] = {}

    def read(name: str) -> tuple[Array, Array]:
        values = data[name].values
        return values, bars[name].values if name in bars else np.zeros_like(values)

    def add(name: str, claim: str, left: tuple[Array, Array], right: tuple[Array, Array], grows: bool = False) -> None:
        (value, value_bar), (limit, limit_bar) = left, right
        scale = np.abs(value).max() + np.median(np.abs(limit))
        bar = value_bar + limit_bar + ROUNDING * scale + FLOOR
        found[name] = Audit(name, claim, data["time"].values, np.abs(value), limit, bar, grows)

    unitary = "power_unitary" if "power_unitary" in data else "power"
    for name, of, symbol, claim in (
            ("robertson", unitary, "|P_unitary|", "2 sqrt(Var H_B Var H - Cov^2)"),
            ("bernstein", unitary, "|P_unitary|", "sum dl ||V||"),
            ("fisher", "power", "|P|", "Delta H_B sqrt(I_E)"),
            ("quantum_fisher", "power", "|P|", "Delta H_B sqrt(I_Q)")):
        if {of, f"bound_{name}"} <= set(data):
            add(name, f"{symbol} <= {claim}", read(of), read(f"bound_{name}"))
    if {"angle", "speed"} <= set(data):
        add("mandelstam_tamm", "angle <= int speed dt", read("angle"), integral(times, *read("speed")), grows=True)
    if "strength" not in data:                             # recorded without jumps only
        return found
    if "angle" in data:
        add("strength", "angle <= int ||H|| dt", read("angle"), integral(times, *read("strength")), grows=True)
    if {"energy", "energy_variance", "speed"} <= set(data):
        speed, speed_bar = read("speed")
        stored, stored_bar = integral(times, *read("energy_variance"))
        moved, moved_bar = integral(times, speed**2, 2 * speed * speed_bar)
        limit = 2 * np.sqrt(np.maximum(stored * moved, 0.0))
        bar = 2 * np.sqrt((np.abs(stored) + stored_bar) * (moved + moved_bar)) - limit
        add("variances", "|W| <= 2 sqrt(int Var H_B dt int Var H dt)", read("energy"), (limit, bar), grows=True)
    if {"angle", "excitation"} <= set(data):
        angle, blur = read("angle")
        energy, energy_bar = read("excitation")
        least = margolus_levitin(angle)
        spread = margolus_levitin(np.minimum(angle + blur, np.pi / 2)) - least
        add("margolus_levitin", "alpha(cos^2 angle) <= t excitation", (least, spread),
            (times * energy, times * energy_bar), grows=True)
    return found


def sentence(found: Mapping[str, Audit]) -> str:
    """All audits in a sentence."""
    broken = [str(a) for a in found.values() if not a.holds]
    kept = ", ".join(f"{a.name} by {a.factor:.3g}" for a in found.values() if a.holds)
    parts = [*broken, f"{'all bounds hold' if not broken else 'the others hold'}: {kept}"] if kept else broken
    return "; ".join(parts)
