"""The steps of a protocol, and the branches of a state that they lead to: one a history of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mps_battery.battery import Battery, Schedule
from mps_battery.checks import InputError, must, number, shown, whole
from mps_battery.evolve.choose import Method, choose, coarser
from mps_battery.evolve.exact import Exact
from mps_battery.liouville import generator
from mps_battery.measure.work.feedback import reflection
from mps_battery.measure.work.measuring import act_on, measurement
from mps_battery.measure.work.seen import check_block
from mps_battery.sites import Site
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms

Array = np.ndarray

NEVER = 1e-15
"""Probability below which an outcome does not occur."""
MOST = 1024
"""Largest number of histories that are followed."""


# -- steps -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Measure:
    """Alice measures and tells everybody.

    Args:
        alice: The measured site, or several.
        measure: Name of a Hermitian operator, measured on each of the sites; or Kraus matrices on all of them, the
            first site leading.
        strength: Of a named measurement: 1 is projective, 0 tells nothing.
    """

    alice: int | Sequence[int]
    measure: str | Sequence[Array] = "X"
    strength: float = 1.0


@dataclass(frozen=True)
class Act:
    """Bob draws what he can, knowing every outcome so far.

    Args:
        bob: A site, or neighbouring ones.
        response: "best" for the best unitary of every outcome, the name of an operator that his site has, or a matrix
            on his block: then exp(-i phi G) with the best angle of every outcome. G has two different eigenvalues.
    """

    bob: int | Sequence[int]
    response: str | Array = "best"


@dataclass(frozen=True)
class Wait:
    """Time passes.

    Args:
        time: How long.
        generator: What moves the state: a Hamiltonian, constant or scheduled (time 0 is when the protocol begins), or a
            Battery, whose `charging` and `jumps` act; None for the energy itself.
        method: How to evolve; None lets the engine choose.
        truncation: Bond cap and discarded weight.
    """

    time: float
    generator: Terms | Schedule | Battery | None = None
    method: Method | None = None
    truncation: Truncation = field(default_factory=lambda: Truncation(256, 1e-14))

    def __post_init__(self) -> None:
        must(number(self.time) and 0 <= self.time < np.inf, "time", "be at least 0", self.time)
        must(self.generator is None or isinstance(self.generator, Terms | Schedule | Battery), "generator",
             "be Terms, a Schedule or a Battery", self.generator)
        must(isinstance(self.truncation, Truncation), "truncation", "be a Truncation", self.truncation)


@dataclass(frozen=True)
class Forget:
    """All outcomes are forgotten: what is left is the mean state, a density.

    Args:
        truncation: What the sum is cut to.
    """

    truncation: Truncation = field(default_factory=lambda: Truncation(256, 1e-14))


Step = Measure | Act | Wait | Forget


# -- steps with their arguments checked --------------------------------------------------------------------------
def alices(given: int | Sequence[int], sites: Sequence[Site]) -> list[int]:
    """Alice's sites as given."""
    return _kept("alice", given, sites)[0]


def bobs(given: int | Sequence[int], sites: Sequence[Site]) -> list[int]:
    """Bob's sites in order."""
    block = _kept("bob", given, sites)[1]
    must(block[-1] - block[0] == len(block) - 1, "bob", "be one site or neighbouring ones", given)
    check_block(block[0], block[-1], sites, "bob")
    return block


def _kept(name: str, given: int | Sequence[int], sites: Sequence[Site]) -> tuple[list[int], list[int]]:
    listed = [given] if whole(given) else given
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise InputError(f"Argument `{name}` must be a site or a list of sites, but is {shown(given)}.")
    found = check_kept(listed, sites)  # type: ignore[arg-type]
    for n in found[0]:
        must(sites[n].parity is None, name, "hold no fermions, whose local matrices need not conserve parity", sites[n])
    return found


def generator_of(response: str | Array, sites: Sequence[Site], block: Sequence[int]) -> Array | None:
    """Q of Bob's rotation; None for the best unitaries."""
    if isinstance(response, str):
        if response == "best":
            return None
        must(len(block) == 1, "response", '"best" or a matrix where Bob has several sites', response)
        return reflection(sites[block[0]].operator(response), response)
    d = int(np.prod([sites[n].d for n in block]))
    must(np.shape(response) == (d, d), "response", f'be "best", an operator name or a {d} x {d} matrix', response)
    return reflection(np.asarray(response))


@dataclass(frozen=True)
class Measuring:
    """A checked Measure."""

    sites: list[int]
    kraus: Sequence[Array]


@dataclass(frozen=True)
class Acting:
    """A checked Act."""

    block: list[int]
    generator: Array | None


@dataclass(frozen=True)
class Waiting:
    """A checked Wait: a battery that starts from a pure state, and how to evolve."""

    time: float
    battery: Battery
    method: Method | None
    truncation: Truncation


Ready = Measuring | Acting | Waiting | Forget


def checked(step: object, terms: Terms) -> Ready:
    """A step whose arguments fit the chain of an energy."""
    sites = terms.sites
    if isinstance(step, Measure):
        where = alices(step.alice, sites)
        return Measuring(where, measurement(step.measure, [sites[n] for n in where], step.strength))
    if isinstance(step, Act):
        block = bobs(step.bob, sites)
        return Acting(block, generator_of(step.response, sites, block))
    if isinstance(step, Wait):
        moving = terms if step.generator is None else step.generator
        must(moving.sites == sites, "generator", f"live on the {len(sites)} sites of the energy",
             f"on {len(moving.sites)} sites")
        if not isinstance(moving, Battery):
            moving = Battery(sites, range(len(sites)), terms, moving, empty=0)
        return Waiting(float(step.time), moving, step.method, step.truncation)
    if isinstance(step, Forget):
        return step
    raise InputError(f"Argument `steps` must hold Measure, Act, Wait and Forget only, but has {shown(step)}.")


# -- branches ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Branches:
    """Histories of outcomes, each with its state and probability.

    Attributes:
        states: One a history, of norm or trace one.
        weights: Probabilities, (histories,).
        time: How much time has passed.
    """

    states: tuple[MPS | Density, ...]
    weights: Array
    time: float = 0.0

    def values(self, terms: Terms) -> list[float]:
        """Mean value in every history times its probability."""
        return [float(p * rho.expect(terms).real) for rho, p in zip(self.states, self.weights, strict=True)]

    def mean(self, terms: Terms) -> float:
        """Mean value over all histories."""
        return sum(self.values(terms))

    def marginals(self, sites: Sequence[int]) -> Array:
        """Reduced density matrix of every history, (histories, d, d)."""
        return np.array([rho.reduced(sites) for rho in self.states])

    def measured(self, step: Measuring) -> Branches:
        """After a measurement: one history for every outcome of every history."""
        states, weights = [], []
        for rho, p in zip(self.states, self.weights, strict=True):
            for m in step.kraus:
                after, q = act_on(rho, m, step.sites)
                if p * q > NEVER:
                    states.append(normalised(after))
                    weights.append(p * q)
            if len(states) > MOST:
                raise InputError(f"Argument `steps` must lead to at most {MOST} histories of outcomes, but these lead "
                                 "to more: Forget some of them.")
        return Branches(tuple(states), np.array(weights), self.time)

    def acted(self, unitaries: Sequence[Array], block: Sequence[int]) -> Branches:
        """After one unitary a history."""
        states = (act_on(rho, u, block)[0] for rho, u in zip(self.states, unitaries, strict=True))
        return Branches(tuple(normalised(rho) for rho in states), self.weights, self.time)

    def waited(self, step: Waiting, coarse: bool) -> tuple[Branches, bool]:
        """After an evolution, or a coarser one, and whether it has no error; baths turn pure states into densities."""
        if step.time == 0:
            return self, True
        states = [rho if isinstance(rho, Density) or not step.battery.jumps else Density.from_pure(rho)
                  for rho in self.states]
        moving = Battery(step.battery.sites, step.battery.cells, step.battery.energy, step.battery.charging,
                         step.battery.jumps, empty=states[0])
        schedule, times = generator(moving), np.array([self.time, self.time + step.time])
        method, truncation = choose(schedule, step.method, step.truncation, times)[0], step.truncation
        if coarse:
            method, truncation = coarser(method, truncation)
        out = []
        for rho in states:
            evolution = method.start(rho, schedule, truncation, self.time)  # type: ignore[arg-type]
            evolution.advance(float(times[1]))
            out.append(evolution.state)
        return Branches(tuple(out), self.weights, float(times[1])), isinstance(method, Exact)

    def forgotten(self, step: Forget) -> Branches:
        """One history left: the mean of all."""
        total: list[Array] = []
        for rho, p in zip(self.states, self.weights, strict=True):
            train = (rho if isinstance(rho, Density) else Density.from_pure(rho)).train
            part = [p * train.tensors[0], *train.tensors[1:]]
            total = trains.cut(trains.add(total, part), step.truncation) if total else part
        density = Density(MPS(train.sites, total, None)).normalised()
        return Branches((density,), np.ones(1), self.time)


def normalised(state: MPS | Density) -> MPS | Density:
    """Of norm or trace one, in canonical form."""
    if isinstance(state, Density):
        return Density(MPS(state.train.sites, state.train.canonical(0).tensors, 0)).normalised()
    tensors = state.canonical(0).tensors
    return MPS(state.sites, [tensors[0] / np.linalg.norm(tensors[0]), *tensors[1:]], 0)
