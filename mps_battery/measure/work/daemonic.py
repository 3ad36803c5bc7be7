"""Daemonic ergotropy: work drawn after a measurement elsewhere whose outcome is known.

With outcomes k of probability p_k, W_D = sum_k p_k W(rho_k) >= W(sum_k p_k rho_k) [Francica, Goold, Plastina,
Paternostro 2017, npj Quantum Inf. 3, 12]: never less than with the outcomes forgotten, and the same for product states.
Where the energy does not touch the measured site, the state with the outcomes forgotten draws as much as the one before
the measurement, and W_D <= E - e_0, which every rank-one measurement reaches if the joint state is pure: each outcome
then leaves a pure state behind.

What is drawn from can be one cell of an interacting chain, with all of its energy and in closed form for every outcome;
a block with its own energy; or any small density matrix. What is measured is one other site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, shown, whole
from mps_battery.measure.mixed import density_moments
from mps_battery.measure.neighbours import PAULI4
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot, site_moments
from mps_battery.measure.work.coherent import unit_vector
from mps_battery.measure.work.directions import Work, best_direction, quadratic_form
from mps_battery.measure.work.ergotropy import check_energy, need_qubit, pauli_correlations, qubit_extremes
from mps_battery.measure.work.one_site import act
from mps_battery.measure.work.own import block, own_energy
from mps_battery.measure.work.passive import ergotropy
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS, check_kept
from mps_battery.terms import Terms

Array = np.ndarray
Measurement = str | Sequence[float] | Sequence[Array] | Array


@dataclass(frozen=True)
class Daemonic:
    """Work drawn after a measurement.

    Attributes:
        value: sum_k p_k W(rho_k) of the measurement below.
        bound: No measurement of the asked kind gives more; `value` itself where the measurement was given.
        forgotten: W(sum_k p_k rho_k), the same state with the outcomes forgotten.
        probabilities: p_k.
        kraus: The operators of the measurement on its site, one an outcome.
    """

    value: float
    bound: float
    forgotten: float
    probabilities: tuple[float, ...]
    kraus: tuple[Array, ...]

    @property
    def gain(self) -> float:
        """What knowing the outcomes is worth, at least 0."""
        return self.value - self.forgotten

    @property
    def gap(self) -> float:
        """How much more the best measurement of its kind can give at most."""
        return self.bound - self.value


def daemonic_ergotropy(rho: Array, h: Array, measurement: Measurement = "best") -> Daemonic:
    """Largest mean energy that unitaries on a battery draw after a measurement of an ancilla.

    Args:
        rho: Density matrix of ancilla and battery, the ancilla leading.
        h: Hamiltonian of the battery, (d, d).
        measurement: On the ancilla: "X", "Y", "Z" or a direction (projective, for a qubit); Kraus operators with
            sum M+ M = 1, one an outcome; "best" for the best direction of a qubit.
    """
    d = len(h)
    must(len(rho) % d == 0 and np.shape(rho) == np.shape(rho)[::-1], "rho", f"be square, a multiple of {d} wide",
         np.shape(rho))
    ancilla = len(rho) // d
    tensor = rho.reshape(ancilla, d, ancilla, d)
    ergotropy(np.einsum("aiaj->ij", tensor), h)          # checks both

    def after(m: Array) -> Array:
        return np.einsum("ba,aicj,bc->ij", m, tensor, m.conj(), optimize=True)

    levels = np.linalg.eigvalsh(h)
    ceiling = float(np.einsum("aiaj,ji->", tensor, h).real - levels[0])
    return _measured(after, _drawn(h), lambda x: float(np.trace(x).real), measurement, ancilla, ceiling,
                     levels[-1] - levels[0])


def block_daemonic_ergotropy(state: MPS | Density, terms: Terms, sites: Sequence[int], measured: int,
                             measurement: Measurement = "best") -> Daemonic:
    """Largest mean own energy that unitaries on a block draw after a measurement of one site, inside it or not.

    Args:
        state: The state.
        terms: Their products within the block are its energy; all of them if it is the whole chain.
        sites: The block; with the measured site at most 4096 dimensions.
        measured: The measured site. Inside the block the measurement itself changes the energy: work then counts
            from the states that it leaves.
        measurement: See `daemonic_ergotropy`.
    """
    check_energy(state, terms)
    measured = _measured_site(measured, len(state))
    d = state.sites[measured].d
    order = sorted(int(n) for n in check_kept(sites, state.sites)[0])
    if measured not in order:
        return daemonic_ergotropy(state.reduced([measured, *order]), own_energy(terms, order), measurement)
    rho, h = block(state, terms, order)
    left = int(np.prod([state.sites[n].d for n in order[:order.index(measured)]]))
    tensor = rho.reshape(left, d, -1, left, d, len(rho) // (left * d))

    def after(m: Array) -> Array:
        return np.einsum("ba,laruct,ec->lbruet", m, tensor, m.conj(), optimize=True).reshape(rho.shape)

    levels = np.linalg.eigvalsh(h)
    return _measured(after, _drawn(h), lambda x: float(np.trace(x).real), measurement, d, np.inf,
                     levels[-1] - levels[0])


def local_daemonic_ergotropy(state: MPS | Density, terms: Terms, site: int, measured: int,
                             measurement: Measurement = "best") -> Daemonic:
    """Largest mean energy of `terms` that unitaries on one qubit draw after a measurement of another site.

    The full interacting energy counts, in closed form for every outcome; where it couples the two sites the
    measurement changes the energy of the cell, and work counts from the states that it leaves.

    Args:
        state: The state.
        terms: The energy; Hermitian.
        site: The cell, a two-level site.
        measured: The measured site, another one.
        measurement: See `daemonic_ergotropy`.
    """
    check_energy(state, terms)
    measured = _measured_site(measured, len(state))
    must(whole(site) and 0 <= site < len(state) and site != measured, "site",
         f"be from 0 to {len(state) - 1} and not the measured site {measured}", site)
    need_qubit(state.sites[site].d, site)
    return _of_cells(state, terms, (int(site),), measured, measurement)[0]


def _of_cells(state: MPS | Density, terms: Terms, cells: tuple[int, ...], measured: int, measurement: Measurement
              ) -> list[Daemonic]:
    """Daemonic ergotropy of several cells, whose K and probability (10 numbers) come from one pass an operator."""
    mpo = terms.to_mpo()

    def after(m: Array) -> Array:
        moved, weight = applied(state, m, measured)
        if weight <= 1e-15:
            return np.zeros((len(cells), 10))
        moments = density_moments if isinstance(moved, Density) else site_moments
        found = moments(moved, mpo, cells)  # type: ignore[arg-type]
        return np.array([weight * np.r_[pauli_correlations(found[n]).ravel(), 1.0] for n in cells])

    d = state.sites[measured].d
    kraus = kraus_operators(measurement, d)
    if kraus is None:
        forms = quadratic_form(after)
        return [_best(forms[:, :, k], _drawn_from_qubit, _last, np.inf, float(np.abs(forms[0, 0, k, :9]).max()))
                for k in range(len(cells))]
    outcomes = np.array([after(m) for m in kraus])
    return [_given(outcomes[:, k], _drawn_from_qubit, _last, kraus) for k in range(len(cells))]


# -- the measurement ---------------------------------------------------------------------------------------------
def kraus_operators(measurement: Measurement, d: int) -> tuple[Array, ...] | None:
    """The operators of a measurement on a site of d levels; None for "best"."""
    fits = isinstance(measurement, str | Sequence | np.ndarray) and len(measurement) > 0
    must(fits, "measurement", "be a direction, Kraus operators or \"best\"", measurement)
    if isinstance(measurement, str) or np.ndim(measurement[0]) == 0:
        if d != 2:
            raise InputError(f"Argument `measurement` must be a list of Kraus operators on a site of {d} levels, but "
                             f"is {shown(measurement)}.")
        if isinstance(measurement, str) and measurement == "best":
            return None
        return along(unit_vector("measurement", measurement))  # type: ignore[arg-type]
    kraus = tuple(np.asarray(m) for m in measurement)
    must(all(m.shape == (d, d) for m in kraus), "measurement", f"hold {d} x {d} matrices", [m.shape for m in kraus])
    total = sum(m.conj().T @ m for m in kraus)
    must(np.allclose(total, np.eye(d), rtol=0, atol=1e-10), "measurement", "be complete (sum M+ M = 1)", total)
    return kraus


def along(direction: Array) -> tuple[Array, Array]:
    """Projectors of a qubit on both states along a direction."""
    p = (PAULI4[0] + np.tensordot(direction, PAULI4[1:], 1)) / 2
    return p, np.eye(2) - p


def applied(state: MPS | Density, matrix: Array, site: int) -> tuple[MPS | Density, float]:
    """(M rho M+ on one site, not normalised; its trace relative to that of rho)."""
    if isinstance(state, Density):
        density = act(Density(state.train.canonical(site)), matrix, site)
        return density, density.trace / state.trace  # type: ignore[union-attr]
    moved = act(state.canonical(site), matrix, site)
    return moved, (moved.norm / state.norm) ** 2  # type: ignore[union-attr]


def _measured(after: Callable[[Array], Array], work: Work, probability: Callable[[Array], float],
              measurement: Measurement, d: int, ceiling: float, scale: float) -> Daemonic:
    """The answer for one object that is linear in the state; `after` takes an operator to what it leaves behind."""
    kraus = kraus_operators(measurement, d)
    if kraus is None:
        return _best(quadratic_form(after), work, probability, ceiling, scale)
    return _given(np.array([after(m) for m in kraus]), work, probability, kraus)


def _given(outcomes: Array, work: Work, probability: Callable[[Array], float], kraus: tuple[Array, ...]) -> Daemonic:
    """The answer from what every outcome leaves behind."""
    value = float(work(outcomes).sum())
    forgotten = min(value, float(work(outcomes.sum(axis=0)[None])[0]))
    return Daemonic(value, value, forgotten, tuple(probability(x) for x in outcomes), kraus)


def _best(form: Array, work: Work, probability: Callable[[Array], float], ceiling: float, scale: float) -> Daemonic:
    """The answer for the best direction."""
    found = best_direction(form, work, GAP * scale, ceiling)
    m = np.array([np.r_[1.0, found.direction], np.r_[1.0, -found.direction]])
    outcomes = np.einsum("ki,kj,ij...->k...", m, m, form) / 4
    given = _given(outcomes, work, probability, along(found.direction))
    return Daemonic(given.value, max(given.value, found.bound), given.forgotten, given.probabilities, given.kraus)


GAP = 1e-8
"""Gap at which the search for a direction ends, relative to the scale of the energy."""


def _drawn(h: Array) -> Work:
    """tr(X h) - sum of falling eigenvalues of X times rising ones of h, for a stack of X."""
    levels = np.linalg.eigvalsh(h)

    def work(x: Array) -> Array:
        return np.einsum("kij,ji->k", x, h).real - np.linalg.eigvalsh(x)[:, ::-1] @ levels

    return work


def _drawn_from_qubit(x: Array) -> Array:
    """The closed form for a stack of (K, probability)."""
    return qubit_extremes(x[:, :9].reshape(-1, 3, 3))[0]


def _last(x: Array) -> float:
    return float(x[-1])


def _measured_site(measured: int, count: int) -> int:
    must(whole(measured) and 0 <= measured < count, "measured", f"be from 0 to {count - 1}", measured)
    return int(measured)


# -- what a run records ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class DaemonicErgotropy(Quantity):
    """Energy that a unitary on one cell draws after a measurement of another site, for every other cell, of all of H_B.

    Args:
        measured: The measured site: a cell, or a site of the charger.
        measurement: "X", "Y", "Z", a direction, Kraus operators, or "best" for the best direction of every cell.
        sites: A block to draw from instead, with its own part of H_B; then one number.
    """

    measured: int
    measurement: Measurement = "best"
    sites: Sequence[int] | None = None
    unit = "energy"

    def _cells(self, battery: Battery) -> tuple[int, ...]:
        return tuple(n for n in battery.cells if n != self.measured)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell other than the measured one, or a number for a block."""
        measured = _measured_site(self.measured, len(battery.sites))
        kraus_operators(self.measurement, battery.sites[measured].d)
        if self.sites is not None:
            own_energy(battery.energy, self.sites)
            return {}
        must(self._cells(battery), "measured", "leave another cell to draw from", self.measured)
        for n in self._cells(battery):
            need_qubit(battery.sites[n].d, n)
        return {"cell": list(self._cells(battery))}

    def measure(self, snapshot: Snapshot) -> Array | float:
        """W_D of every cell, or of the block."""
        state, energy = snapshot.state, snapshot.battery.energy
        if self.sites is not None:
            return block_daemonic_ergotropy(state, energy, self.sites, self.measured, self.measurement).value
        cells = self._cells(snapshot.battery)
        return np.array([d.value for d in _of_cells(state, energy, cells, self.measured, self.measurement)])
