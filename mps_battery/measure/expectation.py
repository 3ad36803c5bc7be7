"""Expectation values, correlators and reduced density matrices, recorded on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.battery import Battery
from mps_battery.checks import InputError, must, shown, unknown, whole
from mps_battery.measure import bounds
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot
from mps_battery.measure.quantity import Quantity
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import check_sites
from mps_battery.terms import Terms

Array = np.ndarray


@dataclass(frozen=True)
class Expect(Quantity):
    """An expectation value: of Terms (a number), or of a named operator on every site that has it.

    Args:
        what: Terms, or an operator name such as "Z".
    """

    what: Terms | str
    unit = "as the operator"

    def _sites(self, battery: Battery) -> list[int]:
        if not isinstance(self.what, str):
            raise InputError(f"Argument `what` must be Terms or the name of an operator, but is {shown(self.what)}.")
        found = [n for n, s in enumerate(battery.sites) if self.what in s.operators]
        if not found:
            raise unknown("operator", self.what, {name for s in battery.sites for name in s.operators})
        return found

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """Nothing for Terms, sites for a name."""
        if isinstance(self.what, Terms):
            must(self.what.sites == battery.sites, "what", "live on the sites of the battery", self.what)
            return {}
        return {"site": self._sites(battery)}

    def measure(self, snapshot: Snapshot) -> Array | float:
        """<O>, real part where the operator is Hermitian."""
        if isinstance(self.what, Terms):
            return _real(np.asarray(snapshot.state.expect(self.what)))
        densities = snapshot.site_densities
        sites = self._sites(snapshot.battery)
        ops = [snapshot.battery.sites[n].operator(self.what) for n in sites]
        if len({o.shape for o in ops}) == 1:
            return _real(np.einsum("npq,nqp->n", np.array([densities[n] for n in sites]), np.array(ops)))
        return _real(np.array([np.trace(densities[n] @ o) for n, o in zip(sites, ops, strict=True)]))

    def bar(self, snapshot: Snapshot, distance: float) -> Array | float:
        """By the width and the standard deviation of the operator."""
        if isinstance(self.what, Terms):
            return bounds.of_terms(snapshot, self.what, distance)
        return np.array([bounds.of_matrix(snapshot.battery.sites[n].operator(self.what), snapshot.site_densities[n],
                                          distance) for n in self._sites(snapshot.battery)])


@dataclass(frozen=True)
class Imbalance(Quantity):
    """How much of a pattern is left: sum_n z_n(0) z_n(t) / sum_n z_n(0)^2 with z_n = <Z_n> over all sites that have Z.

    From the Néel state it is the staggered magnetisation a site, (1/N) sum_n (-1)^n <Z_n>; it stays finite where the
    chain is localised [Schreiber et al. 2015, Science 349, 842].
    """

    unit = "1"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """A number."""
        Expect("Z").axes(battery)
        return {}

    def measure(self, snapshot: Snapshot) -> float:
        """The overlap of the two patterns."""
        before = snapshot.observables.once(_pattern)
        must(np.linalg.norm(before) > 0, "record", "hold Imbalance for a start with a pattern of <Z> only", before)
        return float(before @ _of_z(snapshot) / (before @ before))


def _pattern(observables: Observables) -> Array:
    """<Z_n> at the start."""
    start = observables.start
    if isinstance(start, Density):
        assert isinstance(observables, MixedObservables)
        return _of_z(MixedSnapshot(start, 0.0, observables))
    return _of_z(Snapshot(start, 0.0, observables))


def _of_z(snapshot: Snapshot) -> Array:
    return np.asarray(Expect("Z").measure(snapshot)).real


@dataclass(frozen=True)
class Correlator(Quantity):
    """<A_i B_j> between all pairs of sites, or from one site to all.

    Args:
        first: Operator name A.
        second: Operator name B.
        site: Fixed site i; None for all pairs.
    """

    first: str
    second: str
    site: int | None = None
    unit = "as the operators"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """(site, other_site), or (other_site,)."""
        for name in (self.first, self.second):
            for s in battery.sites:
                s.operator(name)
                if name in s.odd:
                    raise InputError(f"Argument `first` must not be a fermionic operator such as {name!r}: record "
                                     "Expect(terms) with the product written as Terms instead.")
        every = list(range(len(battery.sites)))
        must(self.site is None or (whole(self.site) and self.site in every), "site",
             f"be from 0 to {every[-1]}", self.site)
        return {"other_site": every} if self.site is not None else {"site": every, "other_site": every}

    def measure(self, snapshot: Snapshot) -> Array:
        """<A_i B_j>; on the diagonal <A_i B_i>."""
        sites = snapshot.battery.sites
        table = snapshot.correlations([s.operator(self.first) for s in sites], [s.operator(self.second) for s in sites])
        return _real(table if self.site is None else table[self.site])

    def bar(self, snapshot: Snapshot, distance: float) -> Array:
        """2 T |A_i B_j|, by the norm of the product."""
        sites = snapshot.battery.sites
        first, second = ([s.operator(name) for s in sites] for name in (self.first, self.second))
        table = np.outer(*(np.array([np.linalg.norm(m, 2) for m in ops]) for ops in (first, second)))
        np.fill_diagonal(table, [np.linalg.norm(a @ b, 2) for a, b in zip(first, second, strict=True)])
        return 2 * distance * (table if self.site is None else table[self.site])


@dataclass(frozen=True)
class Reduced(Quantity):
    """The reduced density matrix of a few sites.

    Args:
        sites: The sites, the first one leading.
    """

    sites: Sequence[int]
    unit = "1"

    def axes(self, battery: Battery) -> Mapping[str, list]:
        """(ket, bra)."""
        check_sites(self.sites, len(battery.sites))
        must(all(0 <= n < len(battery.sites) for n in self.sites), "sites", f"be from 0 to {len(battery.sites) - 1}",
             list(self.sites))
        d = int(np.prod([battery.sites[n].d for n in self.sites]))
        return {"ket": list(range(d)), "bra": list(range(d))}

    def measure(self, snapshot: Snapshot) -> Array:
        """rho, trace one."""
        return snapshot.state.reduced(self.sites).astype(complex)

    def bar(self, snapshot: Snapshot, distance: float) -> Array:
        """T for every entry: it is a mean of an operator whose Hermitian parts have width one."""
        d = int(np.prod([snapshot.battery.sites[n].d for n in self.sites]))
        return np.full((d, d), distance)


def _real(values: Array) -> Array:
    return values.real if np.all(np.abs(values.imag) <= 1e-12 * (1 + np.abs(values))) else values
