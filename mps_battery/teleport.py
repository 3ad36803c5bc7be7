"""Quantum energy teleportation: Alice measures and tells Bob the outcome, and his unitary depends on it.

Her measurement injects energy where she is; what Bob draws comes from his own place, and for a state that no unitary of
his could draw from alone it is the outcome that opens it [Hotta 2008, Phys. Lett. A 372, 5671; Ikeda 2023, PR Applied
20, 024051]. Every term that touches Bob's block counts: its own energy alone rises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.checks import InputError, must, number, shown, whole
from mps_battery.measure.work.block_energy import BlockEnergy
from mps_battery.measure.work.ergotropy import check_energy, one_moment, pauli_correlations
from mps_battery.measure.work.feedback import (
    Feedback,
    circle_of_block,
    circle_of_qubit,
    of_block,
    of_generator,
    of_qubit,
    reflection,
)
from mps_battery.measure.work.measuring import act_on, measurement
from mps_battery.measure.work.seen import check_block, seen
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept, entropy_of
from mps_battery.terms import Terms

Array = np.ndarray

NEVER = 1e-15
"""Probability below which an outcome does not occur."""
ROUNDING = 1e-14
"""Of energies relative to their scale; a drawn energy is of second order in what it is drawn from."""


@dataclass(frozen=True)
class Outcome:
    """One outcome of Alice's measurement.

    Attributes:
        probability: p_k.
        extracted: Energy that Bob's unitary draws, relative to the state after this outcome; not weighted with p_k.
        unitary: What Bob does.
    """

    probability: float
    extracted: float
    unitary: Array


@dataclass(frozen=True)
class Teleport:
    """What energy teleportation gives; energies in the unit of the terms, information in nats.

    Attributes:
        injected: Mean change of the energy by Alice's measurement.
        extracted: Mean energy that Bob draws of the state after her measurement.
        without_message: What the best single unitary for all outcomes would draw.
        surplus: What knowing the outcome is worth, extracted - without_message, summed up without that difference.
        outcomes: Probability, energy and unitary of every outcome that occurs.
        information: "holevo", S(rho_B) - sum_k p_k S(rho_B^k) of Bob's block, and "sagawa_ueda", the same of Alice's
            sites, S(rho_A) - sum_k p_k S(M_k rho_A M_k+ / p_k).
        bound: injected + temperature x sagawa_ueda, which `extracted` never passes in equilibrium; infinite where no
            temperature was given.
        audits: "no_signalling", trace norm by which the measurement changes Bob's block; "ledger", energy after all is
            done, less the energy before, less `injected`, plus `extracted`.
        bars: Error bars of injected, extracted, without_message and surplus: rounding, and twice the change since
            `earlier` where that was given (an estimate).
        gap: How much more the best unitaries of Bob could draw at most; zero for a qubit and for a generator.
    """

    injected: float
    extracted: float
    without_message: float
    surplus: float
    outcomes: tuple[Outcome, ...]
    information: Mapping[str, float]
    bound: float
    audits: Mapping[str, float]
    bars: Mapping[str, float]
    gap: float

    @property
    def efficiency(self) -> float:
        """extracted / injected; not a number where nothing was injected."""
        return self.extracted / self.injected if self.injected > 0 else float("nan")


def teleport(state: MPS | Density, terms: Terms, alice: int | Sequence[int], bob: int | Sequence[int],
             measure: str | Sequence[Array] = "X", response: str | Array = "best", *, strength: float = 1.0,
             temperature: float | None = None, earlier: MPS | Density | None = None) -> Teleport:
    """Energy teleportation from Alice's sites to Bob's, at any distance.

    Outcome k of probability p_k leaves rho_k = M_k rho M_k+ / p_k, and Bob's unitary U_k draws tr H (rho_k - U_k rho_k
    U_k+). A qubit has its closed form, evaluated without a difference of energies so that values far below 1e-16 of the
    total energy are good; blocks and sites of more levels are searched, with `gap`.

    In a Gibbs state of H at temperature T the free energy cannot fall: extracted - injected <= T I [Sagawa, Ueda 2008,
    PRL 100, 080403] with I the information about the whole chain, which is at most the one about Alice's sites.

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
        temperature: T whose Gibbs state of `terms` this is, 0 for the ground state; gives `bound`.
        earlier: The same state less exactly solved (`SteadyState.earlier`, a smaller bond), which gives bars.
    """
    check_energy(state, terms)
    sites, block = _parties(state, alice, bob)
    must(temperature is None or (number(temperature) and temperature >= 0), "temperature", "be at least 0", temperature)
    kraus = measurement(measure, [state.sites[n] for n in sites], strength)
    generator = _generator(response, state, block)
    found = _teleported(state, terms, sites, block, kraus, generator, temperature)
    if earlier is None:
        return found
    check_energy(earlier, terms)
    rough = _teleported(earlier, terms, sites, block, kraus, generator, temperature)
    bars = {name: bar + 2 * abs(getattr(found, name) - getattr(rough, name)) for name, bar in found.bars.items()}
    return Teleport(**{**vars(found), "bars": bars})


def _parties(state: MPS | Density, alice: int | Sequence[int], bob: int | Sequence[int]) -> tuple[list[int], list[int]]:
    """Alice's sites as given and Bob's in order, after one check."""
    sites, block = ([x] if whole(x) else x for x in (alice, bob))
    for name, given in (("alice", sites), ("bob", block)):
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise InputError(f"Argument `{name}` must be a site or a list of sites, but is {shown(given)}.")
    sites, block = check_kept(sites, state.sites)[0], check_kept(block, state.sites)[1]  # type: ignore[arg-type]
    must(block[-1] - block[0] == len(block) - 1, "bob", "be one site or neighbouring ones", bob)
    must(not {*sites} & {*block}, "bob", "be none of the sites of Alice", bob)
    for n in (*sites, *block):
        must(state.sites[n].parity is None, "bob" if n in block else "alice", "hold no fermions, whose local matrices "
             "need not conserve parity", state.sites[n])
    check_block(block[0], block[-1], state.sites, "bob")
    return sites, block


def _generator(response: str | Array, state: MPS | Density, block: list[int]) -> Array | None:
    """Q of Bob's rotation; None for the best unitaries."""
    if isinstance(response, str):
        if response == "best":
            return None
        must(len(block) == 1, "response", '"best" or a matrix where Bob has several sites', response)
        return reflection(state.sites[block[0]].operator(response), response)
    d = int(np.prod([state.sites[n].d for n in block]))
    must(np.shape(response) == (d, d), "response", f'be "best", an operator name or a {d} x {d} matrix', response)
    return reflection(np.asarray(response))


def _teleported(state: MPS | Density, terms: Terms, sites: list[int], block: list[int], kraus: Sequence[Array],
                generator: Array | None, temperature: float | None) -> Teleport:
    """The protocol on one state."""
    left = [act_on(state, m, sites) for m in kraus]
    left = [(rho, p) for rho, p in left if p > NEVER]
    weights = np.array([p for _, p in left])
    near = terms.touching(*sites)
    injected = sum(p * rho.expect(near).real for rho, p in left) - state.expect(near).real
    feedback, scale = _answers([rho for rho, _ in left], weights, terms.touching(*block), block, generator)
    after = sum(p * act_on(rho, u, block)[0].expect(terms).real
                for (rho, p), u in zip(left, feedback.unitaries, strict=True))
    surplus = float(feedback.surplus.sum())
    extracted = feedback.without + surplus
    audits = {"ledger": float(after - state.expect(terms).real - injected + extracted)}
    information, audits["no_signalling"] = _information(state, left, weights, sites, block)
    energies = {"extracted": extracted, "without_message": feedback.without, "surplus": surplus}
    bars = {name: ROUNDING * float(np.sqrt(max(x, 0.0) * scale) + ROUNDING * scale) for name, x in energies.items()}
    bars["injected"] = ROUNDING * near.width
    bound = np.inf if temperature is None else injected + temperature * information["sagawa_ueda"]
    outcomes = tuple(Outcome(float(p), float(w / p), u)
                     for p, w, u in zip(weights, feedback.drawn, feedback.unitaries, strict=True))
    return Teleport(float(injected), extracted, feedback.without, surplus, outcomes, information, float(bound), audits,
                    bars, feedback.gap)


def _answers(states: Sequence[MPS | Density], weights: Array, near: Terms, block: list[int], generator: Array | None
             ) -> tuple[Feedback, float]:
    """Bob's unitaries, and the scale of what he sees of the terms that touch him."""
    if len(block) == 1 and states[0].sites[block[0]].d == 2:
        k = np.array([p * pauli_correlations(one_moment(rho, near, block[0]))
                      for rho, p in zip(states, weights, strict=True)])
        scale = float(np.linalg.norm(k, axis=(1, 2)).sum())
        if generator is None:
            return of_qubit(k), scale
        return of_generator(*circle_of_qubit(k, generator), generator), scale
    mpo, ends = near.to_mpo(), [(block[0], block[-1])]
    energies = []
    for rho, p in zip(states, weights, strict=True):
        e = seen(rho, mpo, ends)[0]
        energies.append(BlockEnergy(float(p) * e.hamiltonians, e.states))
    scale = sum(e.scale for e in energies)
    if generator is None:
        return of_block(energies), scale
    return of_generator(*circle_of_block(energies, generator), generator), scale


def _information(state: MPS | Density, left: Sequence[tuple[MPS | Density, float]], weights: Array, sites: list[int],
                 block: list[int]) -> tuple[dict[str, float], float]:
    """Holevo's and Sagawa and Ueda's information, and the change of Bob's block by the measurement."""
    alice, bob = state.reduced(sites), state.reduced(block)
    alices, bobs = ([rho.reduced(where) for rho, _ in left] for where in (sites, block))
    mean = np.tensordot(weights, bobs, 1)
    holevo = sum(p * relative_entropy(rho, mean) for p, rho in zip(weights, bobs, strict=True))
    gained = _entropy(alice) - sum(p * _entropy(rho) for p, rho in zip(weights, alices, strict=True))
    return ({"holevo": float(holevo), "sagawa_ueda": float(gained)},
            float(np.abs(np.linalg.eigvalsh(mean - bob)).sum()))


def _entropy(rho: Array) -> float:
    return entropy_of(np.linalg.eigvalsh(rho))


SMALL = 1e-6
"""Relative entropy below which its two parts cancel, and it is taken as an integral instead."""


def relative_entropy(rho: Array, sigma: Array) -> float:
    """tr rho (ln rho - ln sigma) of a state whose support lies within that of sigma, good where it is tiny.

    With D = rho - sigma it is int_0^1 ds (1 - s) sum_ij |D_ij|^2 / L_ij, where D_ij are taken in the eigenbasis of
    sigma + s D and L_ij is the logarithmic mean of two of its eigenvalues.
    """
    levels, vectors = np.linalg.eigh(sigma)
    inside = levels > 1e-14 * levels[-1]
    populations = np.einsum("ik,ij,jk->k", vectors.conj(), rho, vectors, optimize=True).real
    direct = -_entropy(rho) - float(populations[inside] @ np.log(levels[inside]))
    if direct > SMALL:
        return direct
    basis, total = vectors[:, inside], 0.0
    change = basis.conj().T @ (rho - sigma) @ basis
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for s, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        x, u = np.linalg.eigh(np.diag(levels[inside]) + s * change)
        ratio = np.log(x[:, None] / x) if x[0] > 0 else np.zeros((len(x),) * 2)
        close = np.abs(ratio) < 1e-4                                     # L = sqrt(x y) sinh(r / 2) / (r / 2)
        half = np.where(close, 1.0, ratio / 2)
        mean = np.sqrt(np.abs(x[:, None] * x)) * np.where(close, 1.0 + ratio**2 / 24, np.sinh(half) / half)
        d = np.abs(u.conj().T @ change @ u) ** 2
        total += w * (1 - s) * float((d / mean).sum())
    return total
