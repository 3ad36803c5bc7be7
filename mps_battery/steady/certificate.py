"""What speaks for a steady state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.liouville import adjoint_dissipator
from mps_battery.measure.flows.currents import charge_current
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mpo import MPO
from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class Certificate:
    """Checks that a steady state must pass, whatever found it.

    Attributes:
        residual: |L rho| / |rho| in the Hilbert-Schmidt norm.
        weighted_residual: The same where the identity has twice the weight of the other operators of a site: strings of
            k operators count as 2^-k. Most of the Hilbert-Schmidt norm of a long chain lies in strings that no few-body
            value sees.
        trace: tr rho.
        least_eigenvalue: Smallest eigenvalue of any marginal of two and of three neighbouring sites; positivity.
        currents: Flow of charge through the bonds between which nothing creates or destroys it; empty where charge
            is not conserved.
        spread: Largest minus smallest of `currents`; None where there are fewer than two.
        current_bar: Claimed error of the mean current: twice the spread, or three times the change since the solver's
            earlier state if that is larger (an estimate; with these factors it covers the error on every rung of
            studies/steady_states); infinite where the solver did not move, None without currents.
        multiplicity: How many steady states are known to exist: from the null space (Dense), or one more than the
            conserved one-site sums and exchanges of two sites; one where none is known.
    """

    residual: float
    weighted_residual: float
    trace: float
    least_eigenvalue: float
    currents: Array
    spread: float | None
    current_bar: float | None
    multiplicity: int

    @property
    def current(self) -> float | None:
        """Mean of the conserved current."""
        return float(self.currents.mean()) if len(self.currents) else None

    def lines(self) -> dict[str, str]:
        """For a card."""
        out = {"residual": f"{self.residual:.2e}, {self.weighted_residual:.2e} where long strings weigh less",
               "trace": f"1 {self.trace - 1:+.1e}",
               "positivity": f"smallest eigenvalue of a marginal {self.least_eigenvalue:.2e}"}
        if self.spread is not None:
            out["current"] = (f"{self.current:.10g} +- {self.current_bar:.1e}, spread over the bonds "
                              f"{self.spread:.1e}")
        if self.multiplicity > 1:
            out["uniqueness"] = f"at least {self.multiplicity} steady states"
        return out


def residual(generator: MPO, state: Density, weight: float = 1.0) -> float:
    """|L rho| / |rho| in the Hilbert-Schmidt norm, with the identity of a site weighted against other operators."""
    scales = [np.r_[weight, np.ones(t.shape[1] - 1)] for t in state.train.tensors]
    x = [t * k[None, :, None] for t, k in zip(state.train.tensors, scales, strict=True)]
    operator = [w * (k[:, None] / k) for w, k in zip(generator.tensors, scales, strict=True)]
    return trains.image_norm(operator, x) / trains.norm(x)


def certify(battery: Battery, generator: MPO, state: Density, multiplicity: int, earlier: Density | None
            ) -> Certificate:
    """The certificate of a density under a Liouvillian; an earlier approximation gives the bar of the current."""
    flows = [charge_current(battery, b) for b in conserving_bonds(battery)]
    currents = np.array([state.expect(flow).real for flow in flows])
    least = min(state.least_marginal(w) for w in (2, 3))
    spread = float(np.ptp(currents)) if len(currents) > 1 else None
    bar = None
    if earlier is state:
        bar = np.inf if len(currents) else None
    elif len(currents):
        moved = 0.0 if earlier is None else float(np.mean([earlier.expect(f).real for f in flows]) - currents.mean())
        bar = max(2 * (spread or 0.0), 3 * abs(moved), 1e-11)
    return Certificate(residual(generator, state), residual(generator, state, 2.0), state.trace, least, currents,
                       spread, bar, multiplicity)


def conserving_bonds(battery: Battery) -> list[int]:
    """The longest run of bonds between which jumps leave the charge alone; empty where the Hamiltonian does not."""
    n_sites, free, h = len(battery.sites), [], battery.charging
    if not isinstance(h, Terms) or not h.conserves_charge():
        return []
    for n, site in enumerate(battery.sites):
        local = Terms(battery.sites)
        local += 1.0, (np.diag(site.charges.astype(float)), n)
        touched = [j for j in battery.jumps if any(m == n for product, _ in j.terms.products for m, _ in product)]
        slope = Terms(battery.sites)
        for jump in touched:
            slope += adjoint_dissipator(jump.terms, local)
        free.append(slope.vanishes(1e-12))
    best: list[int] = []
    run: list[int] = [0]
    for bond in range(1, n_sites - 1):
        run = [*run, bond] if free[bond] else [bond]         # site `bond` lies between bonds bond - 1 and bond
        best = max(best, run, key=len)
    return best or run if n_sites > 1 else []
