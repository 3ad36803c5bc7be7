"""Steady states of open batteries: the verb `steady_state`."""

from __future__ import annotations

import resource
import sys
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import xarray as xr
from threadpoolctl import threadpool_limits

from mps_battery import archive
from mps_battery.battery import Battery, Schedule
from mps_battery.checkpoint import Checkpoint, Keeper
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.choose import check_step, strength
from mps_battery.evolve.tdvp import TDVP
from mps_battery.evolve.tebd import TEBD
from mps_battery.liouville import (
    conserved_sums,
    conserved_swap,
    conserves_parity,
    conserves_weak_charge,
    generator,
)
from mps_battery.steady.certificate import Certificate, certify, residual
from mps_battery.steady.grading import parity, ungraded, weak_charge
from mps_battery.steady.lengthen import closest, continued
from mps_battery.steady.sweeps import ENRICHMENT, KAPPA, Control, Solver
from mps_battery.tensors.density import Density, density_sites
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, matrix_of

Array = np.ndarray

DENSE_LIMIT = 4**6
"""Up to this dimension of the density as a vector the dense twin is faster than sweeps."""
DENSE_LARGEST = 4**8
"""Largest dimension that the dense twin accepts."""
RELAXED = 12.0
"""How long the start relaxes, in units of the inverse strength of the generator."""

SEAM_SITES, SEAM_SWEEPS = 3, 5
"""Where a chain was continued it is off at the seam only: so many sites on both sides of it are solved first, in so
many sweeps. Sweeps of the whole chain carry what is wrong there to where all was well: at Delta = 1, 38 sites, they
end up off by 2e-3 where these bring them to 2e-4."""


@dataclass(frozen=True)
class Sweeps:
    """Stabilised Galerkin sweeps; see `mps_battery.steady.sweeps`.

    Args:
        most: Largest number of sweeps.
        first_bond: Bond cap of the first sweeps; it grows by half until the cap of the truncation. States of small
            exact rank, such as ballistic ones, are found sooner and more surely from a small one.
        identity_weight: How much the identity of a site counts against other operators in every solution and
            truncation. More makes few-body values better and sweeps less stable; up to 2 is worth trying on chains
            with much dephasing.
        stabilisation: Weight of the least-squares part, in units of 1.6 over the strength of the generator. None begins
            with 1 and lets it fall to 1/4. On long chains that are continued from shorter ones, 4 holds an identity
            weight of 2.4: 36 sites at Delta = 1 come out uniform to 5e-4, where the trace is lost in the norm of
            everything else at 1.5.
    """

    most: int = 200
    first_bond: int = 28
    identity_weight: float = KAPPA
    stabilisation: float | None = None

    def __post_init__(self) -> None:
        must(isinstance(self.most, int) and self.most >= 1, "most", "be an integer of at least 1", self.most)
        must(isinstance(self.first_bond, int) and self.first_bond >= 2, "first_bond",
             "be an integer of at least 2", self.first_bond)
        must(number(self.identity_weight) and 0 < self.identity_weight < np.inf, "identity_weight",
             "be a positive number", self.identity_weight)
        must(self.stabilisation is None or (number(self.stabilisation) and 0 < self.stabilisation < np.inf),
             "stabilisation", "be None or a positive number", self.stabilisation)


@dataclass(frozen=True)
class Relaxation:
    """Evolution in time, by TEBD or for longer range TDVP, until nothing moves: the fallback, and the referee.

    What is conserved beside the trace stays as in the start, which decides among several steady states.

    Args:
        dt: Time step; None takes half the inverse strength of the generator, at the end a quarter of it.
        longest: Longest time to evolve.
    """

    dt: float | None = None
    longest: float = 1000.0

    def __post_init__(self) -> None:
        must(self.dt is None or (number(self.dt) and self.dt > 0), "dt", "be a positive number", self.dt)
        must(number(self.longest) and self.longest > 0, "longest", "be a positive number", self.longest)


@dataclass(frozen=True)
class Dense:
    """The null vector of the whole Liouvillian: exact, for small chains."""


Method = Sweeps | Relaxation | Dense
Solution = tuple[Density, Density | None, int]
"""The state, an earlier one that bars are taken from, and how many steady states are known of."""


@dataclass(frozen=True)
class SteadyState:
    """A steady state, never without its certificate.

    Attributes:
        state: The density, trace one.
        earlier: What the solver had before it last enlarged the bond and refined the step or, at one bond, brought the
            residual down by a factor of three; its distance from `state` makes the bars. None for exact solutions,
            `state` itself where the solver had no time to move: bars are then infinite.
        certificate: What speaks for it.
        outcome: What happened, in a sentence.
        converged: Whether the residual reached the tolerance.
        card: Facts about method and cost.
        history: Residual, bond and seconds after every sweep or stretch of time.
    """

    state: Density
    earlier: Density | None
    certificate: Certificate
    outcome: str
    converged: bool
    card: Mapping[str, Any]
    history: xr.Dataset = field(repr=False)

    def expect(self, terms: Terms) -> tuple[float, float]:
        """Mean value of Hermitian terms and its bar (an estimate).

        The bar is twice the change since `earlier`, or twice the root of the summed squares of the changes of all
        products where that is larger: changes of single products may cancel by chance.
        """
        value = self.state.expect(terms).real
        if self.earlier is self.state:
            return value, np.inf
        changes = [0.0]
        for product, c in terms.products if self.earlier is not None else ():
            single = Terms(terms.sites)
            single += (c, *((matrix_of(o), n) for n, o in product))
            changes.append((self.state.expect(single) - self.earlier.expect(single)).real)  # type: ignore[union-attr]
        return value, 2 * max(abs(sum(changes)), float(np.linalg.norm(changes))) + 1e-11 * max(1.0, abs(value))

    def __str__(self) -> str:
        facts = {"cost": f"{self.card['wall_seconds']:.2f} s, peak {self.card['peak_megabytes']:.0f} MB",
                 "bond": max(self.state.bonds, default=1), **self.certificate.lines()}
        width = max(map(len, facts))
        return "\n".join([f"steady state of {self.card['model']}: {self.card['sites']} sites", self.outcome,
                          *(f"  {k:<{width}}  {v}" for k, v in facts.items())])


def steady_state(battery: Battery, *, method: Method | None = None, truncation: Truncation | None = None,
                 tolerance: float = 1e-8, start: Density | tuple[Density, Density] | None = None,
                 seconds: float = np.inf, checkpoint: Checkpoint | None = None,
                 progress: bool | None = None) -> SteadyState:
    """The density that the Hamiltonian and the jumps of a battery leave unchanged.

    Args:
        battery: Its `charging` (constant Terms) and its `jumps` make the Liouvillian.
        method: Sweeps, Relaxation or Dense; None takes Dense for up to 4096 dimensions, else Sweeps.
        truncation: Bond cap and discarded weight; default bond 32 and weight 1e-20.
        tolerance: Residual |L rho| / |rho| at which to stop.
        start: Where to begin, such as the steady state of stronger dissipation; or those of the same chain with 2 k
            and k fewer sites, which are continued to this length (see `lengthen`); None relaxes from the identity.
        seconds: Wall time after which the best state so far is returned.
        checkpoint: Where to write down, at intervals, what `resume` needs to go on; None writes nothing.
        progress: Whether to show residuals as they fall; None shows them on a terminal only.

    Returns:
        The state with certificate and an outcome that says when it did not converge.

    Raises:
        StoppedError: If a signal or the wall time of the checkpoint ended it.
    """
    if not isinstance(battery, Battery):
        raise InputError(f"Argument `battery` must be a Battery, but is {type(battery).__name__}.")
    must(len(battery.jumps) > 0, "battery", "have jumps: without them every eigenstate is steady", battery.name)
    must(number(tolerance) and 0 < tolerance < 1, "tolerance", "be a number between 0 and 1", tolerance)
    must(number(seconds) and seconds > 0, "seconds", "be a positive number", seconds)
    must(checkpoint is None or isinstance(checkpoint, Checkpoint), "checkpoint", "be None or a Checkpoint", checkpoint)
    schedule = generator(battery)
    if not schedule.constant:
        raise InputError("Argument `battery` must have a constant Hamiltonian and constant rates for a steady state.")
    truncation = truncation if truncation is not None else Truncation(32, 1e-20)
    dimension = float(np.prod([float(s.d) for s in schedule.sites]))
    why = "as asked"
    if method is None:
        method = Dense() if dimension <= DENSE_LIMIT else Sweeps()
        why = f"because the density has {dimension:.3g} dimensions"
    pair = start if isinstance(start, tuple) and len(start) == 2 and all(isinstance(x, Density) for x in start) else ()
    if pair:
        start = continued(*pair)
    if start is not None:
        must(isinstance(start, Density) and start.sites == battery.sites, "start",
             "be a Density on the sites of the battery, or two of 2 k and k fewer sites", start)
    if not isinstance(method, Sweeps | Relaxation | Dense):
        raise InputError(f"Argument `method` must be Sweeps, Relaxation or Dense, but is {type(method).__name__}.")
    if pair and isinstance(method, Sweeps):
        start = closest(*pair, _total(schedule).to_mpo(), truncation, method.identity_weight)
    request = {"battery": battery, "method": method, "why": why, "truncation": truncation, "tolerance": tolerance,
               "start": start, "seconds": seconds,
               "seam": len(pair[1]) - len(pair[0]) + len(pair[0]) // 2 if pair else None}
    return solved(request, Keeper(checkpoint, "steady_state", lambda: archive.pack(request)), None, progress)


def solved(request: Mapping[str, Any], keeper: Keeper, memory: Mapping[str, Any] | None, progress: bool | None
           ) -> SteadyState:
    """What was asked for, from the start or from what a checkpoint remembers."""
    battery, method, truncation, tolerance = (request[k] for k in ("battery", "method", "truncation", "tolerance"))
    begun = clock.perf_counter()
    job = _Job(battery, _total(generator(battery)), truncation, tolerance, begun + request["seconds"], progress, keeper,
               memory)
    with keeper:
        if isinstance(method, Sweeps):
            state, earlier, multiplicity = _sweeps(job, method, request["start"], request["seam"])
        elif isinstance(method, Relaxation):
            state, earlier, multiplicity = _relax(job, method, request["start"])
        else:
            state, earlier, multiplicity = _dense(job, method, request["start"])
    conserved = conserved_sums(battery) + (conserved_swap(battery) is not None)
    certificate = certify(battery, job.mpo, state, max(multiplicity, 1 + conserved), earlier)
    converged = certificate.residual <= tolerance and certificate.multiplicity == 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)
    card = {"model": battery.name, "parameters": dict(battery.parameters), "sites": len(battery.sites),
            "method": type(method).__name__, "bond_cap": truncation.bond, "tolerance": tolerance,
            "wall_seconds": keeper.elapsed, "peak_megabytes": peak}
    outcome = _outcome(method, request["why"], certificate, tolerance, state)
    return SteadyState(state, earlier, certificate, outcome, converged, card, job.dataset())


def _total(schedule: Schedule) -> Terms:
    """The whole of a constant generator."""
    total = schedule.parts[0][0].copy()
    for terms, _ in schedule.parts[1:]:
        total += terms
    return total


def _outcome(method: Method, why: str, certificate: Certificate, tolerance: float, state: Density) -> str:
    how = f"Solved by {type(method).__name__}, {why}"
    if certificate.multiplicity > 1:
        return (f"{how}: there are at least {certificate.multiplicity} steady states, and this is only one of them; "
                "Relaxation with `start` keeps what is conserved.")
    if certificate.residual <= tolerance:
        return f"{how}: residual {certificate.residual:.1e} at bond {max(state.bonds, default=1)}."
    return (f"{how}: NOT converged to {tolerance:.0e}, residual {certificate.residual:.1e} at bond "
            f"{max(state.bonds, default=1)}; allow a larger bond or more time.")


class _Job:
    """What all methods share: the generator, limits, and a history."""

    def __init__(self, battery: Battery, total: Terms, truncation: Truncation, tolerance: float, deadline: float,
                 progress: bool | None, keeper: Keeper, memory: Mapping[str, Any] | None) -> None:
        self._keeper, self._memory = keeper, memory
        self.battery, self.total, self.truncation = battery, total, truncation
        self.tolerance, self.deadline = tolerance, deadline
        self.begun = clock.perf_counter()
        self.rows: list[tuple[float, int, float]] = []
        self._shown = progress or (progress is None and sys.stderr.isatty())

    def note(self, residual: float, bond: int) -> None:
        """One line of history."""
        self.rows.append((residual, bond, clock.perf_counter() - self.begun))
        if self._shown:
            sys.stderr.write(f"{self.rows[-1][2]:8.1f} s  bond {bond:4d}  residual {residual:.2e}\n")

    def pause(self, memory: dict[str, Any]) -> dict[str, Any]:
        """A safe point: gives what the solver goes on from, at the first one of a resumed job what it remembers."""
        if self._memory is not None:
            memory, self._memory = dict(self._memory), None
        else:
            memory = archive.in_order({**memory, "rows": list(self.rows)})
            self._keeper.pause(lambda: memory)
        self.rows = memory.pop("rows")
        return memory

    @property
    def resumed(self) -> bool:
        """Whether a memory waits at the first safe point."""
        return self._memory is not None

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return clock.perf_counter() > self.deadline

    def dataset(self) -> xr.Dataset:
        """The history."""
        table = np.array(self.rows).reshape(-1, 3)
        return xr.Dataset({name: ("step", table[:, k]) for k, name in enumerate(("residual", "bond", "seconds"))})

    @cached_property
    def mpo(self) -> MPO:
        """The generator."""
        return self.total.to_mpo()

    def residual(self, state: Density) -> float:
        """|L rho| / |rho|."""
        return residual(self.mpo, state)


# -- dense -----------------------------------------------------------------------------------------------------
def _dense(job: _Job, method: Dense, start: Density | None) -> Solution:
    """The null space: all of it in small spaces, one vector by a sparse factorisation in larger ones."""
    del method, start
    sites = density_sites(job.battery.sites)
    size = int(np.prod([float(s.d) for s in sites]))
    if size > DENSE_LARGEST:
        raise InputError(f"Argument `method` must not be Dense for a density of {size} dimensions: at most "
                         f"{DENSE_LARGEST} fit; use Sweeps.")
    matrix = job.total.to_sparse().real.tocsc()
    even = np.flatnonzero(_parities(job) == 0)
    block = matrix[even][:, even]
    multiplicity = 1
    if size <= 4**5:
        values = scipy.linalg.svdvals(matrix.toarray())
        multiplicity = max(1, int(np.sum(values < 1e-11 * values[0])))
    # the first row of L is zero, since the trace is conserved: in its place the trace is set
    block = block.tolil()
    block[0] = 0.0
    block[0, 0] = 1.0
    target = np.zeros(len(even))
    target[0] = 1.0
    if multiplicity > 1:
        x = scipy.linalg.lstsq(block.toarray(), target)[0]
    else:
        x = scipy.sparse.linalg.spsolve(block.tocsc(), target)
    vector = np.zeros(size)
    vector[even] = x
    state = Density(MPS.from_dense(sites, vector)).normalised()
    job.note(job.residual(state), max(state.bonds, default=1))
    return state, None, multiplicity


def _parities(job: _Job) -> Array:
    """Parity of every product basis operator; zeros where it is not conserved."""
    out = np.zeros(1, dtype=int)
    conserved = conserves_parity(job.total)
    for s in density_sites(job.battery.sites):
        charges = np.asarray(s.charges) if conserved else np.zeros(s.d, dtype=int)
        out = (out[:, None] + charges).ravel() % 2
    return out


# -- relaxation ------------------------------------------------------------------------------------------------
def _relaxed(job: _Job, start: Density, time: float, dt: float, bond: int) -> Density:
    how = TEBD(dt=dt) if job.total.reach <= 1 else TDVP(dt=dt, order=2)     # its fixed point has no error of the step
    evolution = how.start(start, generator(job.battery), Truncation(bond, max(job.truncation.weight, 1e-13)))
    evolution.advance(time)
    state = evolution.state
    assert isinstance(state, Density)
    return state.normalised()


def _relax(job: _Job, method: Relaxation, start: Density | None) -> Solution:
    """Evolve until the residual falls no more, at three quarters of the bond; then with half the step and all of it."""
    state = start if start is not None else Density.product(job.battery.sites, "mixed")
    dt = method.dt or 0.5 / strength(generator(job.battery), np.zeros(1))
    check_step(generator(job.battery), TEBD(dt=dt), job.truncation, np.array([0.0, 20 * dt]))
    stages = [(dt, max(1, 3 * job.truncation.bond // 4)), (dt / 2, job.truncation.bond)]
    m: dict[str, Any] = {"stage": 0, "elapsed": 0.0, "state": state, "earlier": None, "before": state, "best": np.inf,
                         "stale": 0}
    while m["stage"] < len(stages):
        m = job.pause(m)
        step, bond = stages[m["stage"]]
        if m["elapsed"] >= method.longest or m["stale"] >= 4 or job.late or m["best"] <= job.tolerance:
            m |= {"stage": m["stage"] + 1, "best": np.inf, "stale": 0, "before": m["state"]}
            continue
        m |= {"earlier": m["before"], "state": _relaxed(job, m["state"], 20 * step, step, bond)}
        m["elapsed"] += 20 * step
        now = job.residual(m["state"])
        job.note(now, max(m["state"].bonds, default=1))
        m |= {"stale": m["stale"] + 1 if now > 0.98 * m["best"] else 0, "best": min(m["best"], now)}
    return m["state"], m["earlier"] or m["state"], 1


def _stuck(fallen: list[float], sweeps: int, factor: float) -> bool:
    """Whether the last sweeps did not bring the residual below a factor of what it was before."""
    return len(fallen) > sweeps and min(fallen[-sweeps:]) > factor * min(fallen[:-sweeps])


# -- sweeps ----------------------------------------------------------------------------------------------------
def _control(method: Sweeps, rate: float) -> Control:
    return Control.falling(1.6 / rate) if method.stabilisation is None else \
        Control.constant(1.6 * method.stabilisation / rate)


def _sweeps(job: _Job, method: Sweeps, start: Density | None, seam: int | None) -> Solution:
    """A short relaxation, then sweeps with a growing bond until the residual falls no more."""
    cap, rate = job.truncation.bond, max(strength(generator(job.battery), np.zeros(1)), 1e-300)
    if start is None:
        start = Density.product(job.battery.sites, "mixed")
        if job.total.reach <= 1 and len(job.battery.sites) > 1 and not job.resumed:
            start = _relaxed(job, start, RELAXED / rate, 0.5 / rate, min(cap, method.first_bond))
    sites = density_sites(job.battery.sites)
    conserved = (weak_charge if conserves_weak_charge(job.battery) else
                 parity if conserves_parity(job.total) else ungraded)
    solver = Solver(job.mpo, start.train.tensors, conserved(sites), method.identity_weight)
    best, good, control = solver.residual, solver.copy(), _control(method, rate)
    mark = (best, solver.tensors)                  # where the residual was three times larger, or the bond smaller
    earlier: list[Array] | None = None             # the mark before, once there is something to compare
    bond = min(cap, max(method.first_bond, *start.bonds, 2))
    around = None if seam is None else range(seam - SEAM_SITES, seam + SEAM_SITES)
    fallen: list[float] = []                       # residuals of good sweeps at this bond
    refused = count = 0                            # sweeps taken back in a row, and all
    while True:
        m = job.pause({"solver": solver.memory(), "control": control, "best": best, "good": good, "mark": mark,
                       "earlier": earlier, "bond": bond, "fallen": fallen, "refused": refused, "count": count})
        solver.recall(m["solver"])
        control, best, good, mark, earlier, bond, fallen, refused, count = (
            m[k] for k in ("control", "best", "good", "mark", "earlier", "bond", "fallen", "refused", "count"))
        if job.late or count == method.most:
            break
        more = min(ENRICHMENT if method.stabilisation is None else max(ENRICHMENT, bond // 4), bond // 2)
        truncation = Truncation(bond - more, job.truncation.weight)
        with threadpool_limits(1 if bond < 24 else None, user_api="blas"):
            solver.sweep(control, best, truncation, more, around if count < SEAM_SWEEPS else None)
            now = solver.residual
        job.note(now, max(len(b) for b in solver.bonds))
        if now < (control.patience if count else 3.0) * best and solver.change < 1.0:
            best = now if not fallen else min(best, now)
            good = solver.copy()
            earlier = mark[1] if not fallen else earlier
            if now < mark[0] / 3:
                mark, earlier = (now, solver.tensors), mark[1]
            fallen.append(now)
            refused = 0
            control.better()
        else:
            solver.restore(good)
            refused += 1
            control.worse()
        count += 1
        if best < 0.03 * job.tolerance:
            break
        # a larger bond helps only where truncation is what holds the residual up
        limited = rate * solver.discarded**0.5 > 0.1 * best
        stuck = _stuck(fallen, 10, 0.8) or refused >= 5
        if bond < cap and (stuck or (limited and _stuck(fallen, 6, 0.7))):
            bond, fallen, refused = min(cap, bond + max(4, bond // 2)), [], 0
            control = _control(method, rate)
            mark = (best, solver.tensors)
        elif stuck or (bond == cap and limited and _stuck(fallen, 6, 0.85)):
            break
    # the frames of the sweeps are orthonormal where the identity weighs kappa, not in the plain norm
    state, *before = (Density(MPS(sites, tensors).canonical(0)).normalised()
                      for tensors in (solver.tensors, earlier) if tensors is not None)
    return state, before[0] if before else state, 1
