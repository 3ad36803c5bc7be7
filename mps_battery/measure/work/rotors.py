"""The energy of a state under one unitary a cell, as a classical model of rotations.

A unitary on cell n turns the operators of the cell, U+ G_a U = sum_b R_ab G_b (see `unitaries`). Written in that basis,
H = sum_S sum_a J_a prod_(n in S) G_(a_n), so that a product of unitaries makes of its mean value

    E(R) = constant + sum_S sum_ab J_a (prod_(n in S) R^n_(a_n b_n)) C_b,    C_b = <prod_(n in S) G_(b_n)>:

nothing but the reduced density matrices of the sets S that H couples enters, and the state itself only once. E is
linear in every R^n, E = rest + tr(K_n^T R^n), with K_n from the rotations of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mps_battery.measure.work.unitaries import lowest_rotation, operator_basis, rotations
from mps_battery.sites import Site
from mps_battery.tensors.mpo import MPO, mpo_from_products
from mps_battery.terms import Terms, matrix_of

Array = np.ndarray
Key = tuple[tuple[int, int], ...]
"""A product of basis operators in order of site: (site, a), a >= 1."""
Coefficients = dict[Key, float]


def coefficients(terms: Terms) -> Coefficients:
    """J of Hermitian terms: their expansion in products of the traceless G_a of every site, the constant left out."""
    totals: dict[Key, complex] = {}
    known: dict[tuple[int, int], list[tuple[int, complex]]] = {}
    for product, c in terms.products:
        parts: list[tuple[complex, Key]] = [(c, ())]
        for n, o in product:
            d = terms.sites[n].d
            if (d, o) not in known:
                weights = np.einsum("aij,ji->a", operator_basis(d), matrix_of(o))
                weights[0] /= d**0.5                                     # in units of the identity
                known[d, o] = [(int(a), weights[a]) for a in np.flatnonzero(np.abs(weights) > 1e-14)]
            parts = [(x * w, (*key, (n, a)) if a else key) for x, key in parts for a, w in known[d, o]]
        for x, key in parts:
            totals[key] = totals.get(key, 0.0) + x
    largest = max(map(abs, totals.values()), default=0.0)
    return {key: float(x.real) for key, x in totals.items() if key and abs(x) > 1e-15 * largest}


def as_operator(j: Coefficients, sites: Sequence[Site]) -> MPO:
    """The operator of an expansion."""
    kinds = sorted({s.d for s in sites})
    first = dict(zip(kinds, np.cumsum([0, *(d * d for d in kinds)]).tolist(), strict=False))
    products = {tuple((n, first[sites[n].d] + a) for n, a in key): complex(x) for key, x in j.items()}
    return mpo_from_products(sites, products, [g for d in kinds for g in operator_basis(d)])


def mean_values(rho: Array, sites: Sequence[Site]) -> Array:
    """<prod_n G_(b_n)> of a few sites, the identity among them; (d_1^2, d_2^2, ..)."""
    dims, k = [s.d for s in sites], len(sites)
    out = rho.reshape(dims + dims)
    for d in dims:                                                       # the first ket and bra become the last index
        out = np.tensordot(out, operator_basis(d), ((0, k), (2, 1)))
        k -= 1
    return out.real


@dataclass(frozen=True)
class Coupling:
    """Products over k cells: J R .. R C for every one of them.

    Args:
        cells: Places of the cells, (products, k).
        hamiltonian: J, (products, D, .., D) with D = d^2 - 1.
        state: C, the same.
    """

    cells: Array
    hamiltonian: Array
    state: Array

    @property
    def order(self) -> int:
        """k."""
        return self.cells.shape[1]

    def part(self, chosen: Sequence[bool]) -> Coupling:
        """Some of the products."""
        rows = np.flatnonzero(chosen)
        return Coupling(self.cells[rows], self.hamiltonian[rows], self.state[rows])

    def correlations(self, r: Array, leg: int, rows: Array) -> Array:
        """What some products add to the K of their cell `leg`; r (starts, cells, D, D) -> (starts, products, D, D)."""
        c, d = self.state[rows], r.shape[-1]
        turned = np.broadcast_to(c, (len(r), *c.shape))
        for other in range(self.order):
            if other != leg:
                moved = np.moveaxis(turned, 2 + other, -1)
                shape = moved.shape
                by = r[:, self.cells[rows, other]].swapaxes(-1, -2)
                turned = np.moveaxis((moved.reshape(*shape[:2], -1, d) @ by).reshape(shape), -1, 2 + other)
        flat = np.moveaxis(turned, 2 + leg, 2).reshape(len(r), len(c), d, -1)
        j = np.moveaxis(self.hamiltonian[rows], 1 + leg, 1).reshape(len(c), d, -1)
        return j @ flat.swapaxes(-1, -2)


@dataclass(frozen=True)
class Rotors:
    """E(R) of cells of one kind, the constant left out.

    Args:
        d: Levels of every cell.
        alone: What each cell adds to its own K, (cells, D, D).
        couplings: Products over two cells and more.
    """

    d: int
    alone: Array
    couplings: tuple[Coupling, ...]

    @classmethod
    def of(cls, j: Coefficients, densities: Mapping[tuple[int, ...], Array], sites: Sequence[Site],
           cells: Sequence[int]) -> Rotors:
        """The model of a Hamiltonian and the reduced densities of the sets of sites that it couples.

        Args:
            j: The Hamiltonian.
            densities: Reduced density matrix of every set of sites of `j` that holds a cell.
            sites: The chain.
            cells: Sites with a unitary; all of the same number of levels. All other sites stay as they are.
        """
        place, d = {n: k for k, n in enumerate(cells)}, sites[cells[0]].d
        size = d * d - 1
        means: dict[tuple[int, ...], Array] = {}
        grown: dict[tuple[Key, tuple[int, ...]], tuple[Array, Array]] = {}
        for key, x in j.items():
            support = tuple(n for n, _ in key)
            open_ = [(n, a) for n, a in key if n in place]
            if not open_:
                continue
            if support not in means:
                means[support] = mean_values(densities[support], [sites[n] for n in support])
            still = tuple((n, a) for n, a in key if n not in place)
            kind = (still, tuple(place[n] for n, _ in open_))
            if kind not in grown:
                fixed = dict(still)
                c = means[support][tuple(fixed.get(n, slice(1, None)) for n in support)]
                grown[kind] = (np.zeros((size,) * len(open_)), c)
            grown[kind][0][tuple(a - 1 for _, a in open_)] += x
        alone, orders = np.zeros((len(cells), size, size)), {len(where) for _, where in grown}
        for (_, where), (h, c) in grown.items():
            if len(where) == 1:
                alone[where[0]] += np.outer(h, c)
        found = []
        for k in sorted(orders - {1}):
            chosen = [(where, h, c) for (_, where), (h, c) in grown.items() if len(where) == k]
            found.append(Coupling(*(np.array(part) for part in zip(*chosen, strict=True))))
        return cls(d, alone, tuple(found))

    def __neg__(self) -> Rotors:
        return Rotors(self.d, -self.alone, tuple(Coupling(c.cells, -c.hamiltonian, c.state) for c in self.couplings))

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.alone)

    @cached_property
    def scale(self) -> float:
        """Size of the energies."""
        pairs = [(c.hamiltonian.reshape(len(c.cells), -1), c.state.reshape(len(c.cells), -1)) for c in self.couplings]
        return float(np.linalg.norm(self.alone, axis=(1, 2)).sum()
                     + sum((np.linalg.norm(j, axis=1) * np.linalg.norm(c, axis=1)).sum() for j, c in pairs)) or 1.0

    @cached_property
    def colours(self) -> list[Array]:
        """Cells by colour, none coupled to another of its colour: their rotations can be chosen at the same time."""
        tied: list[set[int]] = [set() for _ in range(self.size)]
        for c in self.couplings:
            for group in c.cells.tolist():
                for n in group:
                    tied[n] |= {*group}
        colour = np.full(self.size, -1)
        for n in range(self.size):
            taken = {int(colour[m]) for m in tied[n]}
            colour[n] = next(x for x in range(self.size + 1) if x not in taken)
        return [np.flatnonzero(colour == x) for x in range(colour.max() + 1)]

    @cached_property
    def _rows(self) -> list[list[list[Array]]]:
        """rows[colour][coupling][leg]: the products whose cell at that leg has the colour."""
        return [[[np.flatnonzero(np.isin(c.cells[:, leg], members)) for leg in range(c.order)] for c in self.couplings]
                for members in self.colours]

    def correlations(self, r: Array, colour: int | None = None) -> tuple[Array, Array]:
        """K of every cell, or right for those of one colour only, and E without what that colour does not touch.

        Args:
            r: Rotations, (starts, cells, D, D).
            colour: Which cells; None for all, and then E is the energy.

        Returns:
            K (starts, cells, D, D), E (starts,).
        """
        k = np.broadcast_to(self.alone, r.shape).copy()
        energy = np.einsum("nab,znab->z", self.alone, r)
        for i, c in enumerate(self.couplings):
            for leg in range(c.order):
                rows = np.arange(len(c.cells)) if colour is None else self._rows[colour][i][leg]
                if len(rows):
                    added, where = c.correlations(r, leg, rows), c.cells[rows, leg]
                    np.add.at(k.swapaxes(0, 1), where, added.swapaxes(0, 1))
                    if leg == 0:
                        energy += np.einsum("ztab,ztab->z", added, r[:, where])
        return k, energy

    def energy(self, r: Array) -> Array:
        """E, (starts,)."""
        return self.correlations(r)[1]

    def sweep(self, r: Array) -> Array:
        """Every qubit turned to its lowest energy, colour by colour, each by the closed form; E never rises."""
        r = r.copy()
        for colour, members in enumerate(self.colours):
            k, _ = self.correlations(r, colour)
            r[:, members] = lowest_rotation(k[:, members])
        return r

    def slope(self, unitaries: Array) -> tuple[float, Array]:
        """E and dE/dU* = sum_ab K_ab G_a U G_b of every cell; unitaries (cells, d, d)."""
        g = operator_basis(self.d)[1:]
        k, energy = self.correlations(rotations(unitaries)[None])
        right = np.tensordot(k[0], g, 1)                                 # n a [b]; [b] k l -> n a k l
        return float(energy[0]), np.einsum("aij,najk->nik", g, unitaries[:, None] @ right, optimize=True)
