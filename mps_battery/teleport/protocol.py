"""Protocols of energy teleportation, step by step: delays, several Bobs, repeated rounds, on any state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mps_battery.checks import InputError, must, number, shown
from mps_battery.measure.work.block_energy import BlockEnergy
from mps_battery.measure.work.ergotropy import check_energy, one_moment, pauli_correlations
from mps_battery.measure.work.feedback import (
    Feedback,
    circle_of_block,
    circle_of_qubit,
    of_block,
    of_generator,
    of_qubit,
)
from mps_battery.measure.work.seen import seen
from mps_battery.teleport.information import entropy, holevo
from mps_battery.teleport.result import Outcome, Teleport
from mps_battery.teleport.steps import Acting, Branches, Measuring, Ready, Step, Waiting, checked, normalised
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray

ROUNDING = 1e-14
"""Of energies relative to their scale; a drawn energy is of second order in what it is drawn from."""

SMALL = 8
"""Largest dimension of a block whose superoperators are compared for bars."""

DIGITS = 1e-9
"""Least bar of a value, relative to it, where a state is compared with an earlier one: the last sweeps of a solver
creep, and what is left may exceed their change (4 times, at a residual of 6e-11 on eight sites)."""


@dataclass(frozen=True)
class Played:
    """What a protocol gives in all; energies in the unit of the terms, information in nats.

    Attributes:
        acts: One Teleport for every act of a Bob. Its `injected`, `drift` and `information["sagawa_ueda"]` are those
            since the act before; its `bound` is what may be drawn here after all that was drawn before.
        injected: Mean change of the energy by all measurements.
        drift: The same by all waiting.
        extracted: What all Bobs draw.
        surplus: What knowing the outcomes is worth, act by act.
        information: What the measurements tell about the measured sites, sum_k p_k of the fall of their entropy.
        bound: injected + drift + temperature x information, which `extracted` never passes from a Gibbs state under
            unitary evolution [Sagawa, Ueda 2008, PRL 100, 080403]; infinite where no temperature was given, or baths
            act, or outcomes were forgotten.
        audits: "ledger", energy in the end, less the energy before, less `injected` and `drift`, plus `extracted`.
        bars: Error bars of injected, drift, extracted and surplus.
        histories: How many histories of outcomes were left in the end.
    """

    acts: tuple[Teleport, ...]
    injected: float
    drift: float
    extracted: float
    surplus: float
    information: float
    bound: float
    audits: Mapping[str, float]
    bars: Mapping[str, float]
    histories: int

    @property
    def efficiency(self) -> float:
        """extracted / injected; not a number where nothing was injected."""
        return self.extracted / self.injected if self.injected > 0 else float("nan")


def play(state: MPS | Density, terms: Terms, steps: Sequence[Step], *, temperature: float | None = None,
         earlier: MPS | Density | None = None) -> Played:
    """A protocol of measurements, delays and conditional unitaries on a pure state, a Gibbs state or a steady state.

    Every outcome is followed through all later steps, so that a Bob knows the history: `[Measure(0), Act(5), Act(8)]`
    has two Bobs, the second finding what the first left; `[Measure(0), Wait(2.0), Act(5)]` a delay [Ikeda, Timelike
    quantum energy teleportation, arXiv:2504.05353]; `2 * [Measure(0), Act(5), Wait(1.0, bath), Forget()]` two rounds
    between which baths act and outcomes are forgotten. Each Bob draws most at once; together they may do better.

    Args:
        state: Ground, thermal, steady or any other state.
        terms: H; Hermitian.
        steps: Measure, Act, Wait and Forget, in the order in which they happen.
        temperature: T whose Gibbs state of `terms` this is, 0 for the ground state; gives bounds.
        earlier: The same state less exactly solved (`SteadyState.earlier`, a smaller bond), which gives bars.
    """
    check_energy(state, terms)
    must(temperature is None or (number(temperature) and temperature >= 0), "temperature", "be at least 0", temperature)
    if isinstance(steps, str) or not isinstance(steps, Sequence) or not steps:
        raise InputError(f"Argument `steps` must be a list of Measure, Act, Wait and Forget, but is {shown(steps)}.")
    if earlier is not None:
        check_energy(earlier, terms)
    return played(state, terms, [checked(step, terms) for step in steps], temperature, earlier)[0]


def played(state: MPS | Density, terms: Terms, steps: Sequence[Ready], temperature: float | None,
           earlier: MPS | Density | None) -> tuple[Played, Branches]:
    """The protocol with its bars, and what it leaves."""
    fine = _Course(state, terms, temperature)
    found = fine.through(steps, coarse=False)
    if earlier is None and fine.exact:
        return found, fine.branches
    coarse = _Course(state if earlier is None else earlier, terms, temperature)
    rough = coarse.through(steps, coarse=True)
    acts = tuple(replace(a, bars=_bars_of_act(a, b, *views))
                 for a, b, *views in zip(found.acts, rough.acts, fine.views, coarse.views, strict=True))
    bars = {name: bar + 2 * abs(getattr(found, name) - getattr(rough, name)) for name, bar in found.bars.items()}
    for name in ("extracted", "surplus"):
        bars[name] = sum(a.bars[name] for a in acts)
    bars["injected"] = max(bars["injected"], sum(a.bars["injected"] for a in acts))
    return replace(found, acts=acts, bars=bars), fine.branches


def _bars_of_act(fine: Teleport, rough: Teleport, view: View, other: View) -> dict[str, float]:
    """Rounding and twice the change; or, where changes cancel by chance, what the change of the view leads to.

    A drawn energy x is of second order in what it is drawn from, so that a change e of that, relative to the scale s of
    the view, moves x by sqrt(x s) e + e^2 s at most: e of the mean over the outcomes for `without_message`, of what
    they differ from it by for `surplus`.
    """
    bars = {name: max(bar + 2 * abs(getattr(fine, name) - getattr(rough, name)), DIGITS * abs(getattr(fine, name)))
            for name, bar in fine.bars.items()}
    if view.energies.shape == other.energies.shape:
        change = float(np.linalg.norm(view.energies - other.energies))
        bars["injected"] = max(bars["injected"], 2 * change)
    if view.seen.shape == other.seen.shape and view.scale > 0:
        mean, apart = (float(np.linalg.norm(x - y)) for x, y in zip(view.parts, other.parts, strict=True))
        for name, change in (("without_message", mean), ("surplus", apart)):
            x, e = getattr(fine, name), change / view.scale
            bars[name] = max(bars[name], 2 * (float(np.sqrt(max(x, 0.0))) * e * view.scale**0.5 + e * e * view.scale))
        bars["extracted"] = max(bars["extracted"], bars["without_message"] + bars["surplus"])
    return bars


@dataclass(frozen=True)
class View:
    """What an act was decided by.

    Attributes:
        seen: Of every outcome, probability included: K of a qubit, the superoperator of E(U) of a small block; empty
            where it is large.
        scale: The scale of that.
        weights: Probabilities.
        energies: Of the measurements since the act before: energies at Alice's place, before and after.
    """

    seen: Array
    scale: float
    weights: Array
    energies: Array

    @property
    def parts(self) -> tuple[Array, Array]:
        """The mean over the outcomes, and what they differ from it by."""
        mean = self.seen.sum(axis=0)
        return mean, self.seen - np.tensordot(self.weights, mean, 0)


@dataclass
class _Since:
    """What has happened since the last act."""

    injected: float = 0.0
    drift: float = 0.0
    gained: float = 0.0
    noise: float = 0.0
    energies: list[float] = field(default_factory=list)
    signals: dict[tuple[int, ...], float] = field(default_factory=dict)


class _Course:
    """A protocol on its way."""

    def __init__(self, state: MPS | Density, terms: Terms, temperature: float | None) -> None:
        self.terms, self.temperature = terms, temperature
        self.branches = Branches((normalised(state),), np.ones(1))
        self.exact, self._bounded = True, temperature is not None
        self._energy = self.branches.mean(terms)                         # before the segment that ends with an act
        self._since, self._all = _Since(), _Since()
        self._acts: list[Teleport] = []
        self.views: list[View] = []

    def through(self, steps: Sequence[Ready], coarse: bool) -> Played:
        """All steps."""
        start = self._energy
        for n, step in enumerate(steps):
            if isinstance(step, Measuring):
                self._measure(step, [s.block for s in steps[n + 1:] if isinstance(s, Acting)])
            elif isinstance(step, Acting):
                self._act(step)
            elif isinstance(step, Waiting):
                self._wait(step, coarse)
            else:
                self._bounded = False
                self.branches = self.branches.forgotten(step)
        sums = {name: float(sum(getattr(a, name) for a in self._acts)) for name in ("extracted", "surplus")}
        bars = {name: float(sum(a.bars[name] for a in self._acts)) for name in sums}
        total, noise = self._all, ROUNDING * self.terms.width
        ledger = self.branches.mean(self.terms) - start - total.injected - total.drift + sums["extracted"]
        bars |= {"injected": total.noise, "drift": noise if total.drift else 0.0}
        return Played(tuple(self._acts), total.injected, total.drift, sums["extracted"], sums["surplus"], total.gained,
                      self._bound(), {"ledger": ledger}, bars, len(self.branches.states))

    def _bound(self) -> float:
        """What may have been drawn in all by now."""
        if not self._bounded:
            return float("inf")
        assert self.temperature is not None
        return self._all.injected + self._all.drift + self.temperature * self._all.gained

    def _measure(self, step: Measuring, later: Sequence[list[int]]) -> None:
        near, before = self.terms.touching(*step.sites), self.branches
        blocks = {tuple(b) for b in later if not {*b} & {*step.sites}}
        found = {b: np.tensordot(before.weights, before.marginals(b), 1) for b in blocks}
        unsure = _uncertainty(before, step.sites)
        self.branches = before.measured(step)
        energies, new = before.values(near), self.branches.values(near)
        injected = sum(new) - sum(energies)
        self._since.energies += [*energies, *new]
        gained = unsure - _uncertainty(self.branches, step.sites)
        for since in (self._since, self._all):
            since.injected += injected
            since.gained += gained
            since.noise += ROUNDING * near.width
        for b, rho in found.items():
            mean = np.tensordot(self.branches.weights, self.branches.marginals(b), 1)
            change = float(np.abs(np.linalg.eigvalsh(mean - rho)).sum())
            self._since.signals[b] = max(change, self._since.signals.get(b, 0.0))

    def _wait(self, step: Waiting, coarse: bool) -> None:
        before = self.branches.mean(self.terms)
        self.branches, exact = self.branches.waited(step, coarse)
        self.exact &= exact
        self._bounded &= not step.battery.jumps
        for since in (self._since, self._all):
            since.drift += self.branches.mean(self.terms) - before

    def _act(self, step: Acting) -> None:
        block, weights, since = step.block, self.branches.weights, self._since
        feedback, seen, scale = answers(self.branches, self.terms.touching(*block), block, step.generator)
        self.views.append(View(seen, scale, weights, np.array(since.energies)))
        told = holevo(weights, self.branches.marginals(block))
        drawn = float(sum(a.extracted for a in self._acts))
        surplus = float(feedback.surplus.sum())
        extracted = feedback.without + surplus
        self.branches = self.branches.acted(feedback.unitaries, block)
        energy = self.branches.mean(self.terms)
        audits = {"ledger": energy - self._energy - since.injected - since.drift + extracted}
        if tuple(block) in since.signals:
            audits["no_signalling"] = since.signals[tuple(block)]
        energies = {"extracted": extracted, "without_message": feedback.without, "surplus": surplus}
        bars = {name: ROUNDING * float(np.sqrt(max(x, 0.0) * scale) + ROUNDING * scale) for name, x in energies.items()}
        bars |= {"injected": since.noise, "drift": ROUNDING * self.terms.width if since.drift else 0.0}
        outcomes = tuple(Outcome(float(p), float(w / p), u)
                         for p, w, u in zip(weights, feedback.drawn, feedback.unitaries, strict=True))
        self._acts.append(Teleport(since.injected, since.drift, extracted, feedback.without, surplus, outcomes,
                                   {"holevo": told, "sagawa_ueda": since.gained}, self._bound() - drawn, audits, bars,
                                   feedback.gap))
        signals = self._since.signals                     # of a measurement that several Bobs answer
        self._since, self._energy = _Since(signals=signals), energy


def _uncertainty(branches: Branches, sites: Sequence[int]) -> float:
    """Mean entropy of a few sites."""
    return float(sum(p * entropy(rho) for p, rho in zip(branches.weights, branches.marginals(sites), strict=True)))


def answers(branches: Branches, near: Terms, block: Sequence[int], generator: Array | None
            ) -> tuple[Feedback, Array, float]:
    """Bob's unitaries, and what he sees of the terms that touch him with its scale; see `View`."""
    sites = branches.states[0].sites
    if len(block) == 1 and sites[block[0]].d == 2:
        k = np.array([p * pauli_correlations(one_moment(rho, near, block[0]))
                      for rho, p in zip(branches.states, branches.weights, strict=True)])
        scale = float(np.linalg.norm(k, axis=(1, 2)).sum())
        found = of_qubit(k) if generator is None else of_generator(*circle_of_qubit(k, generator), generator)
        return found, k, scale
    mpo, ends = near.to_mpo(), [(block[0], block[-1])]
    energies = []
    for rho, p in zip(branches.states, branches.weights, strict=True):
        e = seen(rho, mpo, ends)[0]
        energies.append(BlockEnergy(float(p) * e.hamiltonians, e.states))
    scale = sum(e.scale for e in energies)
    d = energies[0].hamiltonians.shape[-1]
    view = np.array([np.einsum("kij,klm->ijlm", e.hamiltonians, e.states) for e in energies] if d <= SMALL else [])
    found = of_block(energies) if generator is None else of_generator(*circle_of_block(energies, generator), generator)
    return found, view, scale
