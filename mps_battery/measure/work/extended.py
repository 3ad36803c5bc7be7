"""Extended local ergotropy: unitaries on one cell and free evolution of the whole by turns.

The free evolution under the energy H itself costs nothing and brings more of the energy within reach of the cell
[Castellano, Farina, Giovannetti, Acin 2024, PRL 133, 150402]. After waits t_1 .. t_m, each followed by a unitary U_k on
the cell,

    W_m = max over t_k >= 0 and U_k of tr H (rho - V rho V+),    V = U_m e^(-i H t_m) .. U_1 e^(-i H t_1),

with waits up to a horizon. W_m is at least the local ergotropy, rises with m and with the horizon, never exceeds the
ergotropy of the whole, and falls under free evolution: what can be reached from a later state can be reached from an
earlier one by waiting. For m = 1 it is the largest local ergotropy of the times to come. For more unitaries the first
choice is greedy, each draws the most it can at its best time; then every unitary in turn is optimised together with the
last one, of whose parameters the energy is a quadratic form, and the last wait again: the work never falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.checks import must, whole
from mps_battery.evolve.choose import Method, choose
from mps_battery.liouville import superoperators, unitary
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.measure.work.ergotropy import cell_extremes, check_energy, need_qubit, one_moment
from mps_battery.measure.work.extremum import Extremum
from mps_battery.measure.work.one_site import act, form_of_moments, form_of_trials, least, least_of_pair
from mps_battery.measure.work.own import spectrum_bounds
from mps_battery.measure.work.passive import ergotropy
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms

Array = np.ndarray
State = MPS | Density

ZOOMS, POINTS, PEAKS = 6, 9, 3
"""How often the surroundings of a peak are looked at more closely, at how many waits, and of how many peaks."""
DENSE = 2**9
"""Largest dimension of the whole at which its ergotropy is found by diagonalisation."""


@dataclass(frozen=True)
class Protocol(Extremum):
    """Unitaries on one cell with free evolution before each; no protocol of as many unitaries draws more than `bound`.

    Attributes:
        waits: Free evolution before each unitary.
    """

    waits: tuple[float, ...] = ()


def extended_local_ergotropy(state: State, terms: Terms, site: int, times: Sequence[float] | Array, kicks: int = 1, *,
                             starts: int = 1, sweeps: int = 3, method: Method | None = None,
                             truncation: Truncation | None = None, seed: int = 0) -> Protocol:
    """Largest mean energy of `terms` that unitaries on one qubit draw, with free evolution before each.

    Args:
        state: The state.
        terms: The energy, which also moves the state; Hermitian.
        site: The cell, a two-level site.
        times: Waits to try before each unitary, increasing from 0; the best one is refined between its neighbours. Make
            them dense enough to see every peak of the local ergotropy.
        kicks: Number of unitaries.
        starts: Protocols to begin with: the greedy one, then with random waits before all unitaries but the last.
        sweeps: Most rounds of optimising every unitary together with the last, and the last wait.
        method: How the state evolves; None lets the engine choose.
        truncation: Bond cap and discarded weight of the evolution.
        seed: Of the random starts.

    Returns:
        The best protocol found. The bound is the ergotropy of a small system; for a long chain the smaller of
        tr(rho H) - e with e below the spectrum of H, and `kicks` times the width of the terms that touch the cell.
    """
    check_energy(state, terms)
    must(whole(site) and 0 <= site < len(state), "site", f"be from 0 to {len(state) - 1}", site)
    need_qubit(state.sites[site].d, site)
    for name, count, fewest in (("kicks", kicks, 1), ("starts", starts, 1), ("sweeps", sweeps, 0)):
        must(whole(count) and count >= fewest, name, f"be a whole number of at least {fewest}", count)
    grid = waits_to_try(times)
    free = Free.under(terms, state, grid, method, truncation)
    energy, rng = float(state.expect(terms).real), np.random.default_rng(seed)
    best: tuple[float, list[float], list[Array]] | None = None
    for start in range(starts if kicks > 1 else 1):
        waits: list[float] = []
        unitaries: list[Array] = []
        if start:
            waits = [float(t) for t in rng.choice(grid, kicks - 1)]
            unitaries = [np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0] for _ in waits]
        found = _optimised(free, state, int(site), grid, kicks, sweeps, waits, unitaries)
        best = found if best is None or found[0] < best[0] else best
    assert best is not None
    lowest, waits, unitaries = best
    value = max(0.0, energy - lowest)
    low, high = spectrum_bounds(terms.touching(int(site)))
    bound = min(_most(state, terms, energy), kicks * (high - low))
    return Protocol(value, max(value, bound), tuple(unitaries), tuple(waits))


def waits_to_try(times: Sequence[float] | Array) -> Array:
    """Waits as an array, after one check."""
    grid = np.asarray(times, dtype=float)
    must(grid.ndim == 1 and grid.size >= 1 and grid[0] == 0 and np.isfinite(grid).all() and np.all(np.diff(grid) > 0),
         "times", "be finite numbers that increase from 0", times)
    return grid


@dataclass(frozen=True)
class Free:
    """Free evolution under an energy."""

    terms: Terms
    schedule: Schedule
    method: Method
    truncation: Truncation

    @classmethod
    def under(cls, terms: Terms, state: State, grid: Array, method: Method | None, truncation: Truncation | None
              ) -> Free:
        """The evolution of pure states or of densities, with its method chosen."""
        truncation = truncation if truncation is not None else Truncation()
        must(isinstance(truncation, Truncation), "truncation", "be a Truncation", truncation)
        schedule = superoperators([(unitary(terms), None)]) if isinstance(state, Density) else as_schedule(terms)
        return cls(terms, schedule, choose(schedule, method, truncation, grid)[0], truncation)

    def along(self, state: State, grid: Array) -> Iterator[State]:
        """The states at increasing times from now, 0 being now."""
        if grid[-1] > 0:
            evolution = self.method.start(state, self.schedule, self.truncation)  # type: ignore[arg-type]
        for t in grid:
            if t > 0:
                evolution.advance(float(t))
            yield evolution.state if t > 0 else state

    def after(self, state: State, wait: float) -> State:
        """The state after a wait."""
        return next(self.along(state, np.array([wait])))


def _optimised(free: Free, state: State, site: int, grid: Array, kicks: int, sweeps: int, waits: list[float],
               unitaries: list[Array]) -> tuple[float, list[float], list[Array]]:
    """(energy left, waits, unitaries): what is given of a protocol completed greedily, then improved in sweeps."""
    waits, unitaries, ready = list(waits), list(unitaries), []      # ready[k]: the state before unitary k
    for k in range(kicks):
        if k < len(unitaries):
            ready.append(free.after(state, waits[k]))
        else:
            wait, here, left, u = _best_wait(free, state, site, grid)
            waits, unitaries, ready = [*waits, wait], [*unitaries, u], [*ready, here]
        state = act(ready[k], unitaries[k], site)
    for _ in range(sweeps if kicks > 1 else 0):
        before = left
        for k in range(kicks - 1):
            def last_form(u: Array, k: int = k) -> Array:
                moved = act(ready[k], u, site)
                for wait, later in zip(waits[k + 1:-1], unitaries[k + 1:-1], strict=True):
                    moved = act(free.after(moved, wait), later, site)
                return form_of_moments(one_moment(free.after(moved, waits[-1]), free.terms, site))

            found = least_of_pair(form_of_trials(last_form))
            if found[0] < left:
                left, unitaries[k], unitaries[-1] = found
            ready[k + 1] = free.after(act(ready[k], unitaries[k], site), waits[k + 1])
        last = _best_wait(free, act(ready[-2], unitaries[-2], site), site, grid)
        if last[2] < left:
            waits[-1], ready[-1], left, unitaries[-1] = last
        if before - left < 1e-11 * max(1.0, abs(left)):
            break
    return left, waits, unitaries


Look = tuple[float, State, float, Array]
"""(wait, state after it, energy left, unitary that leaves it)."""


def _best_wait(free: Free, state: State, site: int, grid: Array) -> Look:
    """The unitary that leaves least, over a grid of waits and then around the best of its peaks."""
    first = _looks(free, state, site, 0.0, grid)
    left = np.array([look[2] for look in first])
    padded = np.pad(left, 1, mode="edge")
    rise = np.maximum(padded[:-2], padded[2:]) - left           # a peak between two waits is not higher than that
    hopeful = (left <= padded[:-2]) & (left <= padded[2:]) & (left - rise <= left.min())
    best = first[int(left.argmin())]
    peaks = np.flatnonzero(hopeful)
    for peak in peaks[np.argsort(left[peaks])][:PEAKS]:
        looks, j = first, int(peak)
        for _ in range(ZOOMS if len(grid) > 1 else 0):
            before, behind = looks[max(j - 1, 0)], looks[min(j + 1, len(looks) - 1)]
            looks = _looks(free, before[1], site, before[0], np.linspace(0, behind[0] - before[0], POINTS))
            j = int(np.argmin([look[2] for look in looks]))
            best = min(best, looks[j], key=lambda look: look[2])
    return best


def _looks(free: Free, state: State, site: int, start: float, grid: Array) -> list[Look]:
    """What the best unitary leaves after each wait of a grid that begins at `start`, where the state is given."""
    states = list(free.along(state, grid))
    return [(start + float(t), s, *least(form_of_moments(one_moment(s, free.terms, site))))
            for t, s in zip(grid, states, strict=True)]


# -- bounds ------------------------------------------------------------------------------------------------------
def _most(state: State, terms: Terms, energy: float) -> float:
    """What no unitary on the whole draws."""
    if np.prod([float(s.d) for s in state.sites]) > DENSE:
        return energy - spectrum_bounds(terms)[0]
    if isinstance(state, MPS):
        return energy - float(np.linalg.eigvalsh(terms.to_dense())[0])
    rho = state.to_dense()
    return ergotropy(rho / np.trace(rho).real, terms.to_dense())


# -- what a run records ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ExtendedLocalErgotropy(Quantity):
    """Largest energy that one unitary on a cell draws after a wait, for every cell, of all of H_B.

    The waits are those of the grid, without refinement; one free evolution under H_B serves all cells, and each time
    of the run costs one.

    Args:
        times: Waits to try, increasing from 0.
        method: How the state evolves; None lets the engine choose.
        truncation: Bond cap and discarded weight of the free evolution.
    """

    times: Sequence[float] | Array
    method: Method | None = None
    truncation: Truncation | None = None
    unit = "energy"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a cell."""
        waits_to_try(self.times)
        for n in battery.cells:
            need_qubit(battery.sites[n].d, n)
        return {"cell": list(battery.cells)}

    def measure(self, snapshot: Snapshot) -> Array:
        """W_1 of every cell."""
        grid, energy = waits_to_try(self.times), snapshot.battery.energy
        free = Free.under(energy, snapshot.state, grid, self.method, self.truncation)
        later = (replace(snapshot, state=s) for s in free.along(snapshot.state, grid))  # type: ignore[arg-type]
        return np.max([cell_extremes(s)[0] for s in later], axis=0)
