"""A full battery that energy teleportation charges further at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.checks import must, number
from mps_battery.measure.flows.thermodynamics import shares
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.steady.ground import ground_state
from mps_battery.teleport.protocol import played
from mps_battery.teleport.result import Teleport
from mps_battery.teleport.steps import Act, Measure, Wait, alices, bobs, checked
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms

Array = np.ndarray


@dataclass(frozen=True)
class Stored:
    """What energy teleportation does to a full battery; energies in the unit of the terms.

    Attributes:
        given: Mean energy that Alice's measurement takes out.
        stored: Mean energy that Bob adds.
        highest: Mean energy of the state at the start, E_max of the full battery.
        classical: highest / number of sites, the energy of a site of a full battery.
        local: Energy of the terms that touch Bob's block, before and after.
        density: Energy a site of the region that holds Bob's block and all sites that share a term with it, every term
            shared equally among its sites, before and after.
        protocol: The same as energy teleportation under -H, with outcomes, audits and bars.
    """

    given: float
    stored: float
    highest: float
    classical: float
    local: tuple[float, float]
    density: tuple[float, float]
    protocol: Teleport


def store(terms: Terms, alice: int | Sequence[int], bob: int | Sequence[int], measure: str | Sequence[Array] = "X",
          response: str | Array = "best", *, state: MPS | Density | None = None, strength: float = 1.0,
          delay: float | Wait = 0.0, truncation: Truncation | None = None) -> Stored:
    """Charge a full battery beyond its energy a site, at Bob's place, by measuring elsewhere.

    No unitary of Bob's raises the energy of the highest eigenstate. After Alice's measurement, which lowers it, one
    that knows the outcome does: his site may then hold more than E_max / N [Hotta, Ikeda, arXiv:2407.01832]. It is
    energy teleportation under -H, whose ground state the full battery is.

    Args:
        terms: H of the battery; Hermitian.
        alice: The measured site, or several.
        bob: A site, or neighbouring ones; none of Alice's.
        measure: See `teleport`.
        response: See `teleport`.
        state: What the battery starts from; None takes the highest eigenstate.
        strength: See `teleport`.
        delay: Time under H until Bob acts; or a Wait.
        truncation: Of the search for the highest state.
    """
    check_terms("terms", terms, hermitian=True)
    full = ground_state(-terms, truncation).state if state is None else state
    check_energy(full, terms)
    must(isinstance(delay, Wait) or (number(delay) and 0 <= delay < np.inf), "delay", "be at least 0, or a Wait", delay)
    wait = delay if isinstance(delay, Wait) else Wait(float(delay))
    wait = Wait(wait.time, terms if wait.generator is None else wait.generator, wait.method, wait.truncation)
    block = bobs(bob, terms.sites)
    must(not {*alices(alice, terms.sites)} & {*block}, "bob", "be none of the sites of Alice", bob)
    steps = [checked(step, -terms) for step in (Measure(alice, measure, strength), wait, Act(bob, response))]
    found, after = played(full, -terms, steps, 0.0 if state is None else None, None)
    near = terms.touching(*block)
    region = sorted({*block, *(n for product, _ in near.products for n, _ in product)})
    parts, inside = shares(terms), Terms(terms.sites)
    for n in region:
        inside += parts[n]
    highest = full.expect(terms).real
    local, density = ((full.expect(h).real, after.mean(h)) for h in (near, inside))
    return Stored(found.injected, found.extracted, highest, highest / len(terms.sites), local,
                  (density[0] / len(region), density[1] / len(region)), found.acts[0])
