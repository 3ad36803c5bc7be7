"""TeNPy's block-sparse TEBD for batteries that conserve a charge; the one place where its evolution is used.

Traps of TeNPy 1.1.1 that are worked around here: the options dictionary is written into, so each engine gets a fresh
one; the step of a run is `dt * N_steps`, so the engine is rebuilt when the step changes; the reported truncation
error counts both halves of a pair, so the ledger halves it; `max_trunc_err` does not guard, so it is left alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from mps_battery.battery import Schedule
from mps_battery.checks import InputError, must, number
from mps_battery.evolve.products import equal_steps
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray


@dataclass(frozen=True)
class Tenpy:
    """TEBD by TeNPy with a conserved charge, from a product of basis states.

    Args:
        dt: Largest time step; None lets the engine choose it.
        order: 2, or 4 (TeNPy's optimised "4_opt").
    """

    dt: float | None = None
    order: int = 4

    def __post_init__(self) -> None:
        must(self.dt is None or (number(self.dt) and self.dt > 0), "dt", "be a positive number", self.dt)
        must(self.order in (2, 4), "order", "be 2 or 4", self.order)

    def start(self, state: MPS, generator: Schedule, truncation: Truncation, time: float = 0.0) -> TenpyEvolution:
        """Begin an evolution of `state` under -i `generator`."""
        return TenpyEvolution(self, state, generator, truncation, time)


class TenpyEvolution:
    """A state on its way through time; `advance` moves it, `state` shows it."""

    def __init__(self, method: Tenpy, state: MPS, generator: Schedule, truncation: Truncation, time: float) -> None:
        if not generator.constant:
            raise InputError("Argument `method` must not be Tenpy for a time-dependent schedule: use TEBD.")
        total = generator.at(time)
        if not total.conserves_charge():
            raise InputError("Argument `method` must not be Tenpy for terms that conserve no charge: use TEBD.")
        self.method, self.truncation, self.time = method, truncation, time
        self.ledger = Ledger()
        self._sites = state.sites
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model, legs = _model(total)
            self._psi = _product(state, legs)
        self._lost = 0.0

    @property
    def state(self) -> MPS:
        """The present state, orthogonality centre at site 0."""
        tensors = []
        for n, site in enumerate(self._sites):
            b = self._psi.get_B(n, "B").transpose(["vL", "p", "vR"]).to_ndarray()
            back = np.argsort(_order(site.charges))
            tensors.append(b[:, back, :])
        schmidt = [np.sort(self._psi.get_SR(n))[::-1] for n in range(len(tensors) - 1)]
        return MPS(self._sites, tensors, 0, schmidt)

    def advance(self, time: float) -> None:
        """Evolve to a later time in equal steps not longer than `dt`."""
        from tenpy.algorithms.tebd import TEBDEngine

        span = time - self.time
        if span <= 0:
            return
        steps, dt = equal_steps(span, self.method.dt)
        options: dict[str, Any] = {
            "dt": dt, "N_steps": steps, "order": "4_opt" if self.method.order == 4 else 2,
            "start_time": self.time, "max_N_sites_per_ring": None,
            "trunc_params": {"chi_max": self.truncation.bond, "svd_min": None,
                             "trunc_cut": self.truncation.weight**0.5},
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            engine = TEBDEngine(self._psi, self._model, options)
            engine.run()
        lost = float(engine.trunc_err.eps) / 2
        bond = int(max(self._psi.chi, default=1))
        self.ledger.truncated(lost, bond, bond >= self.truncation.bond and lost > self.truncation.weight * steps)
        self.ledger.end_of_sweep()
        self.time = time


def _order(charges: Array) -> Array:
    """TeNPy wants the basis of a site sorted by charge."""
    return np.argsort(charges, kind="stable")


def _model(terms: Any) -> tuple[Any, list[Any]]:
    """A nearest-neighbour model of the bond gates, and its site legs."""
    import tenpy.linalg.np_conserved as npc
    from tenpy.models.lattice import TrivialLattice
    from tenpy.models.model import NearestNeighborModel
    from tenpy.networks.site import Site as TenpySite

    info = npc.ChargeInfo([1], ["excitations"])
    kinds: dict[Any, Any] = {}
    for site in terms.sites:
        if site not in kinds:
            charges = np.asarray(site.charges)[_order(site.charges)]
            leg = npc.LegCharge.from_qflat(info, charges[:, None])
            kinds[site] = TenpySite(leg, [str(k) for k in range(site.d)])
    sites = [kinds[s] for s in terms.sites]
    legs = [s.leg for s in sites]
    bonds: list[Any] = [None]
    for b, h in enumerate(terms.to_bonds()):
        (i, di), (j, dj) = ((terms.sites[n].charges, terms.sites[n].d) for n in (b, b + 1))
        h4 = h.reshape(di, dj, di, dj)[np.ix_(_order(i), _order(j), _order(i), _order(j))]
        bonds.append(npc.Array.from_ndarray(h4, [legs[b], legs[b + 1], legs[b].conj(), legs[b + 1].conj()],
                                            labels=["p0", "p1", "p0*", "p1*"], cutoff=1e-14))
    return NearestNeighborModel(TrivialLattice(sites, bc_MPS="finite"), bonds), sites


def _product(state: MPS, sites: list[Any]) -> Any:
    """TeNPy's form of a product of basis states."""
    from tenpy.networks.mps import MPS as TenpyMPS

    labels = []
    for n, t in enumerate(state.tensors):
        weights = np.abs(t.ravel()) if t.size == state.sites[n].d else np.zeros(1)
        if np.sum(weights > 1e-12) != 1:
            raise InputError("Argument `method` must not be Tenpy unless the start is a product of basis states: use "
                             "TEBD.")
        labels.append(int(np.argsort(_order(state.sites[n].charges))[int(np.argmax(weights))]))
    return TenpyMPS.from_product_state(sites, [str(k) for k in labels], bc="finite", unit_cell_width=len(sites))
