"""One round of energy teleportation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.checks import must, number
from mps_battery.measure.work.ergotropy import check_energy
from mps_battery.teleport.protocol import played
from mps_battery.teleport.result import Teleport
from mps_battery.teleport.steps import Act, Measure, Wait, alices, bobs, checked
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray


def teleport(state: MPS | Density, terms: Terms, alice: int | Sequence[int], bob: int | Sequence[int],
             measure: str | Sequence[Array] = "X", response: str | Array = "best", *, strength: float = 1.0,
             delay: float | Wait = 0.0, temperature: float | None = None, earlier: MPS | Density | None = None
             ) -> Teleport:
    """Energy teleportation from Alice's sites to Bob's, at any distance.

    Outcome k of probability p_k leaves rho_k = M_k rho M_k+ / p_k, and Bob's unitary U_k draws tr H (rho_k - U_k rho_k
    U_k+). A qubit has its closed form, evaluated without a difference of energies so that values far below 1e-16 of the
    total energy are good; blocks and sites of more levels are searched, with `gap`.

    In a Gibbs state of H at temperature T the free energy cannot fall: extracted - injected <= T I [Sagawa, Ueda 2008,
    PRL 100, 080403] with I the information about the whole chain, which is at most the one about Alice's sites.

    With a delay rho_k evolves before Bob acts: what her measurement injected may have reached him by then [Ikeda,
    Timelike quantum energy teleportation, arXiv:2504.05353], and `without_message` says what he draws of that anyway.

    Args:
        state: Ground, thermal, steady or any other state.
        terms: H; Hermitian.
        alice: The measured site, or several.
        bob: A site, or neighbouring ones; none of Alice's.
        measure: Name of a Hermitian operator, measured on each of Alice's sites; or Kraus matrices on all of them, the
            first site leading.
        response: "best" for the best unitary of every outcome, the name of an operator that Bob's site has, or a matrix
            on his block: then exp(-i phi G) with the best angle of every outcome. G has two different eigenvalues.
        strength: Of a named measurement: 1 is projective, 0 tells nothing.
        delay: Time under H until Bob acts; or a Wait, which takes any evolution.
        temperature: T whose Gibbs state of `terms` this is, 0 for the ground state; gives `bound`.
        earlier: The same state less exactly solved (`SteadyState.earlier`, a smaller bond), which gives bars.
    """
    check_energy(state, terms)
    must(isinstance(delay, Wait) or (number(delay) and 0 <= delay < np.inf), "delay", "be at least 0, or a Wait", delay)
    wait = delay if isinstance(delay, Wait) else Wait(float(delay))
    must(temperature is None or (number(temperature) and temperature >= 0), "temperature", "be at least 0", temperature)
    apart = not {*alices(alice, state.sites)} & {*bobs(bob, state.sites)}
    must(apart, "bob", "be none of the sites of Alice", bob)
    if earlier is not None:
        check_energy(earlier, terms)
    steps = [checked(step, terms) for step in (Measure(alice, measure, strength), wait, Act(bob, response))]
    return played(state, terms, steps, temperature, earlier)[0].acts[0]
