"""Where heat and work go, and how much entropy is made.

Share H_B among the sites: H_n holds what acts on site n alone and 1/m of every product on m sites, n one of them, so
that sum_n H_n = H_B up to a constant. Then, with the Hamiltonian H(t) that acts and the dissipator D_b of bath b,

    d<H_n>/dt = tr(-i [H(t), rho] H_n) + sum_b tr(H_n D_b(rho)),       summed over n:  d<H_B>/dt,

in which the second part is heat, energy that comes with a change of entropy [Alicki 1979, J. Phys. A 12, L103], and the
first work: of the drive, and of the neighbours of n. Entropy is made at the rate

    sigma = dS/dt + sum_b Phi_b >= 0,      Phi_b = -beta_b tr(H_b D_b(rho))

where exp(-beta_b H_b) is what bath b leaves fixed [Spohn 1978, J. Math. Phys. 19, 1227]. H_b is the whole H for jumps
of a block (Davies), but only the part that makes their detailed balance for local jumps: with the heat tr(H D_b(rho))
of the whole Hamiltonian sigma may be negative [Levy, Kosloff 2014, EPL 107, 20004].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery, Jump, as_schedule
from mps_battery.checks import InputError, must, number, unknown
from mps_battery.liouville import adjoint_dissipator
from mps_battery.measure.flows.currents import HeatCurrent, baths_of
from mps_battery.measure.mixed import MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Snapshot
from mps_battery.tensors.density import Density
from mps_battery.terms import Terms, product_of

LARGEST_WHOLE = 2**10
"""Largest dimension of a chain whose whole density is diagonalised for dS/dt."""
LEAST_POPULATION = 1e-16
"""Populations below count as this in ln rho."""


def shares(terms: Terms) -> list[Terms]:
    """H_n of every site: products on n alone, and 1/m of those on m sites; strings of fermions count as sites."""
    out = [Terms(terms.sites) for _ in terms.sites]
    for product, c in terms.products:
        for n, _ in product:
            out[n]._add(product, c / len(product))
    return out


def _support(terms: Terms) -> set[int]:
    return {n for product, _ in terms.products for n, _ in product}


@dataclass(frozen=True)
class LocalHeat(Quantity):
    """Heat that every bath brings into every site, tr(H_n D_b(rho)); H_n is the share of site n in H_B.

    Summed over baths and sites it is `Power("dissipative")`.
    """

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """(bath, site)."""
        return {"bath": baths_of(battery, self), "site": list(range(len(battery.sites)))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """Values (bath, site)."""
        battery = snapshot.battery
        parts = [(h, _support(h)) for h in shares(battery.energy)]
        heat = {bath: np.zeros(len(parts)) for bath in self.axes(battery)["bath"]}
        for jump in battery.jumps:
            rate, touched = jump.rate_at(snapshot.time), _support(jump.terms)
            for n, (h, support) in enumerate(parts):
                slope = adjoint_dissipator(jump.terms, h) if support & touched else Terms(battery.sites)
                if len(slope):
                    heat[jump.bath][n] += rate * snapshot.state.expect(slope).real
        return np.array(list(heat.values())).reshape(len(heat), len(parts))


@dataclass(frozen=True)
class LocalWork(Quantity):
    """Energy that the Hamiltonian brings into every site, <i [H(t), H_n]>; H_n is the share of site n in H_B.

    What a drive does and what flows in from the neighbours; summed over the sites it is `Power("unitary")`.
    """

    unit = "energy / time"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """One value a site."""
        return {"site": list(range(len(battery.sites)))}

    def measure(self, snapshot: Snapshot) -> np.ndarray:
        """One value a site."""
        battery = snapshot.battery
        h = as_schedule(battery.charging).at(snapshot.time)
        slopes = [1j * h.commutator(part) for part in shares(battery.energy)]
        return np.array([snapshot.state.expect(s).real if len(s) else 0.0 for s in slopes])


@dataclass(frozen=True)
class EntropyProduction(Quantity):
    """Entropy that is made: its flow into the baths, or with part="all" that and dS/dt of the state.

    Without `betas` the flow is read off the jumps: detailed balance pairs every L with L' = exp(-s / 2) L+ of the same
    bath, and each event of L hands the entropy s to it, Phi_b = sum_L s <L+ L>. For jumps that lower the energy H_b by
    w this is s = beta w and Phi_b = -beta_b tr(H_b D_b(rho)), for local and for global jumps; Hermitian jumps
    (dephasing) have s = 0. In a steady state the flow is the entropy production.

    Args:
        betas: Inverse temperature of every bath, for Phi_b = -beta_b J_b with J_b of `HeatCurrent`, the heat in terms
            of the whole H(t): the same for Davies jumps; for local jumps in an interacting chain sigma may then be
            negative.
        part: "flow", sum_b Phi_b at any length; or "all", sigma itself, for chains of up to 1024 dimensions. Where a
            population grows from zero, as in a pure state, sigma is infinite: populations below 1e-16 count as 1e-16.
    """

    betas: Mapping[str, float] | None = None
    part: str = "flow"
    unit = "nats / time"

    def __post_init__(self) -> None:
        must(self.part in ("flow", "all"), "part", "be flow or all", self.part)
        good = self.betas is None or (isinstance(self.betas, Mapping)
                                      and all(number(b) and np.isfinite(b) for b in self.betas.values()))
        must(good, "betas", "map names of baths to finite numbers", self.betas)

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        baths = baths_of(battery, self)
        for bath in self.betas or {}:
            if bath not in baths:
                raise unknown("bath", bath, baths)
        missing = [b for b in baths if b not in self.betas] if self.betas is not None else []
        must(not missing, "betas", f"give the inverse temperature of every bath, also of {', '.join(missing)}",
             self.betas)
        if self.betas is None:
            for jump in battery.jumps:
                entropy_of_event(jump, battery.jumps, None)
        dimension = float(np.prod([float(s.d) for s in battery.sites]))
        must(self.part == "flow" or dimension <= LARGEST_WHOLE, "part",
             f"be flow for a chain of more than {LARGEST_WHOLE} dimensions", self.part)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The part asked for."""
        battery, time = snapshot.battery, snapshot.time
        if self.betas is not None:
            heat = HeatCurrent()
            flow = -float(np.dot([self.betas[b] for b in baths_of(battery, self)], heat.measure(snapshot)))
        else:
            flow = 0.0
            for jump in battery.jumps:
                rate = jump.rate_at(time)
                entropy = entropy_of_event(jump, battery.jumps, time) if rate else 0.0
                if entropy:
                    events = product_of(jump.terms.adjoint(), jump.terms)
                    flow += rate * entropy * snapshot.state.expect(events).real
        if self.part == "flow":
            return flow
        assert isinstance(snapshot, MixedSnapshot)
        return flow + _slope_of_entropy(snapshot.state, battery, time)


def entropy_of_event(jump: Jump, jumps: Sequence[Jump], time: float | None) -> float:
    """ln of the rate of a jump over that of its reverse, each summed over the jumps of its bath that are alike."""
    same, reverse, back = 0.0, 0.0, jump.terms.adjoint()
    for other in jumps:
        if other.bath == jump.bath:
            rate = 1.0 if time is None else other.rate_at(time)
            same += rate * _alike(other.terms, jump.terms)
            reverse += rate * _alike(other.terms, back)
    if reverse == 0:
        raise InputError(f"Argument `jumps` must hold the reverse of every jump for an entropy flow, but bath "
                         f"{jump.bath!r} has one without, as at zero temperature.")
    return float(np.log(same / reverse))


def _alike(left: Terms, right: Terms) -> float:
    """|c|^2 where left = c right term by term, else 0."""
    a, b = dict(left.products), dict(right.products)
    key = max(b, key=lambda k: abs(b[k]))
    c = a.get(key, 0.0) / b[key]
    apart = max(abs(a.get(k, 0.0) - c * b.get(k, 0.0)) for k in a.keys() | b.keys())
    return abs(c) ** 2 if apart <= 1e-9 * left.largest else 0.0


def _slope_of_entropy(state: Density, battery: Battery, time: float) -> float:
    """dS/dt = -tr(D(rho) ln rho), to which the Hamiltonian adds nothing."""
    rho = state.to_dense() / state.trace
    p, v = np.linalg.eigh((rho + rho.conj().T) / 2)
    slope = np.zeros(len(p))
    for jump in battery.jumps:
        l = jump.terms.to_sparse()
        decay = l.conj().T @ (l @ v)
        moved = v.conj().T @ (l @ v)                           # |<p| L |q>|^2: from q to p
        gain = np.abs(moved) ** 2 @ p
        slope += jump.rate_at(time) * (gain - p * np.einsum("ia,ia->a", v.conj(), decay).real)
    return float(-slope @ np.log(np.maximum(p, LEAST_POPULATION)))
