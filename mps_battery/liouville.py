"""The Liouvillian as real Terms on densities written as vectors.

A density has real coordinates over products of the Hermitian bases of `DensitySite`, and there

    d rho / dt = -i [H, rho] + sum_j ( L_j rho L_j+ - {L_j+ L_j, rho} / 2 )

is a real linear map. Write the product of a term as P = prod_k A_k; then rho -> P rho R is the product over sites of
the matrices M_k of rho -> A_k rho R_k, M_k = X_k + i Y_k with X_k, Y_k real, and conjugation of a matrix is the
exchange of left and right: the map of rho -> R+ rho P+ is prod_k (X_k - i Y_k). Hence

    -i [H, rho]                      = 2 Im (rho -> H rho),
    -{K, rho} / 2 with K = L+ L      = -Re (rho -> K rho),
    sum_mn c_m c_n* P_m rho P_n+     = sum_m |c_m|^2 (..) + sum_(m<n) 2 Re (c_m c_n* (..)),

and the real and imaginary parts of a product are sums of products of X_k and Y_k [for nearest neighbours the form
C_A S_B + S_A C_B of S = {A, .} / 2 and C = -i [A, .] / 2]. Fermionic strings of jumps need nothing more:
rho -> Z rho Z is real. Strings of a Hamiltonian are not, and n factors have 2^(n-1) such products: long ones are kept
as two complex products, prod (X_k + i Y_k) and its conjugate, whose sum is real as a matrix and is made real as an MPO.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from mps_battery.battery import Battery, Schedule, as_schedule
from mps_battery.sites import Array, DensitySite, Site
from mps_battery.tensors.density import density_sites
from mps_battery.terms import Terms, matrix_of, product_of

LONGEST = 4
"""Longest product, in factors with real and imaginary parts, that becomes real products: up to half of 2^4."""


EXPANDED = 6
"""Longest product that is expanded in the operator basis to find what is conserved: it has up to 4^6 parts."""


def unitary(terms: Terms) -> Terms:
    """rho -> -i [terms, rho] as real Terms on density sites."""
    out = Terms(density_sites(terms.sites))
    for product, c in terms.products:
        _add_parts(out, [(n, _sides(terms.sites[n], o, None)) for n, o in product], 2 * c, imaginary=True)
    return out


def cooling(terms: Terms) -> Terms:
    """rho -> -{terms, rho} / 2 as real Terms: imaginary time, d rho / d beta, for Hermitian terms."""
    out = Terms(density_sites(terms.sites))
    for product, c in terms.products:
        _add_parts(out, [(n, _sides(terms.sites[n], o, None)) for n, o in product], -c)
    return out


def dissipator(jump: Terms) -> Terms:
    """rho -> L rho L+ - {L+ L, rho} / 2 as real Terms on density sites."""
    return sandwich(jump) + cooling(product_of(jump.adjoint(), jump))


def sandwich(jump: Terms) -> Terms:
    """rho -> L rho L+, what the events of a jump leave behind, as real Terms on density sites."""
    out = Terms(density_sites(jump.sites))
    products = list(jump.products)
    for i, (left, c) in enumerate(products):
        for j in range(i, len(products)):
            right, e = products[j]
            a, b = dict(left), dict(right)
            factors = [(n, _sides(jump.sites[n], a.get(n), b.get(n))) for n in sorted(a.keys() | b.keys())]
            _add_parts(out, factors, (1 if i == j else 2) * c * np.conj(e))
    return out


def adjoint_dissipator(jump: Terms, observable: Terms) -> Terms:
    """L+ O L - {L+ L, O} / 2 = (L+ [O, L] + [L+, O] L) / 2: what a jump does to a mean value, as Terms."""
    up = jump.adjoint()
    return 0.5 * (product_of(up, observable.commutator(jump)) + product_of(up.commutator(observable), jump))


def generator(battery: Battery) -> Schedule:
    """What moves the state of a battery: its Hamiltonian, or the Liouvillian where the state is a density.

    The unitary parts come first, then all jumps without a rate in one part, then one part for every rate.
    """
    schedule = as_schedule(battery.charging)
    if not battery.mixed:
        return schedule
    parts: list[tuple[Terms, Callable[[float], float] | None]] = [(unitary(h), f) for h, f in schedule.parts]
    constant = Terms(density_sites(battery.sites))
    for jump in battery.jumps:
        if jump.rate is None:
            constant += dissipator(jump.terms)
        else:
            parts.append((dissipator(jump.terms), jump.rate_at))
    if len(constant):
        parts.append((constant, None))
    return superoperators(parts)


def superoperators(parts: list[tuple[Terms, Callable[[float], float] | None]]) -> Schedule:
    """A schedule of superoperators, which need not be Hermitian."""
    total = object.__new__(Schedule)
    object.__setattr__(total, "parts", tuple(parts))
    return total


@cache
def _sides(site: Site, left: int | None, right: int | None) -> tuple[Array | None, Array | None]:
    """Real and imaginary part of rho -> A rho B+ on one site; None for a part that is zero."""
    one = np.eye(site.d)
    a = one if left is None else matrix_of(left)
    b = one if right is None else matrix_of(right)
    m = DensitySite(site).superoperator(a, b.conj().T)
    return tuple(part if np.abs(part).max() > 1e-14 else None for part in (m.real, m.imag))  # type: ignore[return-value]


def _add_parts(out: Terms, factors: Iterable[tuple[int, tuple[Array | None, Array | None]]], coefficient: complex,
               imaginary: bool = False) -> None:
    """Add the real (or imaginary) part of coefficient x prod (X + i Y)."""
    factors = list(factors)
    if sum(x is not None and y is not None for _, (x, y) in factors) > LONGEST:
        half = complex(coefficient) * (-0.5j if imaginary else 0.5)
        for c, i in ((half, 1j), (half.conjugate(), -1j)):
            out += (c, *((x if y is None else i * y if x is None else x + i * y, n) for n, (x, y) in factors))
        return
    open_products: list[tuple[complex, tuple]] = [(complex(coefficient), ())]
    for n, (x, y) in factors:
        grown = []
        for c, chosen in open_products:
            if x is not None:
                grown.append((c, (*chosen, (x, n))))
            if y is not None:
                grown.append((1j * c, (*chosen, (y, n))))
        open_products = grown
    for c, chosen in open_products:
        value = c.imag if imaginary else c.real
        if abs(value) > 1e-15 * abs(coefficient):
            out += (value, *chosen)


def conserves_parity(total: Terms) -> bool:
    """Whether a Liouvillian conserves the parity of `DensitySite.charges`, as it does where charge is conserved."""
    for product, _ in total.products:
        odd = 0
        for n, o in product:
            charges = np.asarray(total.sites[n].charges)
            moved = np.abs(matrix_of(o)) > 1e-13
            changes = (charges[:, None] + charges[None, :]) % 2
            if np.any(moved & (changes == 0)) and np.any(moved & (changes == 1)):
                return False
            odd += bool(np.any(moved & (changes == 1)))
        if odd % 2:
            return False
    return True


def conserves_weak_charge(battery: Battery) -> bool:
    """Whether the charge of the ket less that of the bra is conserved, and not zero on every operator.

    It is where the Hamiltonian conserves the charge of the sites and every jump changes it by a fixed amount.
    """
    charge = Terms(battery.sites)
    for n, site in enumerate(battery.sites):
        charge += 1.0, (np.diag(site.charges.astype(float)), n)
    if not any(np.ptp(site.charges) for site in battery.sites):
        return False
    if not all(h.conserves_charge() for h in as_schedule(battery.charging).terms):
        return False
    for jump in battery.jumps:
        product = next(iter(jump.terms.products))[0]
        change = 0
        for n, o in product:
            places = np.argwhere(np.abs(matrix_of(o)) > 1e-13)[0]
            change += int(battery.sites[n].charges[places[0]] - battery.sites[n].charges[places[1]])
        if not (charge.commutator(jump.terms) - change * jump.terms).vanishes(1e-12 * jump.terms.largest):
            return False
    return True


def heisenberg(battery: Battery, observable: Terms) -> Terms:
    """L+(O) = i [H, O] + sum_j (L_j+ O L_j - {L_j+ L_j, O} / 2), the slope of a mean value, as Terms.

    Constant Hamiltonian and rates only.
    """
    out = Terms(battery.sites)
    for h in as_schedule(battery.charging).terms:
        out += 1j * h.commutator(observable)
    touched = {n for product, _ in observable.products for n, _ in product}
    for jump in battery.jumps:
        if any(n in touched for product, _ in jump.terms.products for n, _ in product):
            out += adjoint_dissipator(jump.terms, observable)
    return out


def conserved_sums(battery: Battery) -> int:
    """How many independent one-site sums sum_n A_n, beside the identity, have L+(sum A_n) = 0.

    Each makes the steady state one of many: a conserved charge under dephasing, a site that nothing touches. Products
    over many sites are not expanded in a basis but taken as independent, so that none is found where there is none.
    """
    sites, columns = battery.sites, []
    places: dict[tuple, int] = {}
    locals_ = density_sites(sites)
    for n, local in enumerate(locals_):
        for matrix in local.basis[1:]:
            parity = sites[n].parity
            if parity is not None and np.abs(parity[:, None] * matrix * parity - matrix).max() > 0:
                continue                                   # odd in the fermions, so no observable
            observable = Terms(sites)
            observable += 1.0, (matrix, n)
            column: dict[tuple, complex] = {}
            for product, c in heisenberg(battery, observable).products:
                if len(product) > EXPANDED:
                    column[product] = column.get(product, 0.0) + c
                    continue
                parts: list[tuple[complex, tuple]] = [(c, ())]
                for m, o in product:
                    weights = np.einsum("aij,ji->a", locals_[m].basis, matrix_of(o))
                    parts = [(x * w, (*key, (m, a)) if a else key) for x, key in parts
                             for a, w in enumerate(weights) if abs(w) > 1e-14]
                for x, key in parts:
                    column[key] = column.get(key, 0.0) + x
            columns.append({places.setdefault(key, len(places)): x for key, x in column.items()})
    rows, cols, values = [], [], []
    for k, column_ in enumerate(columns):
        for place, x in column_.items():
            rows.append(place)
            cols.append(k)
            values.append(x)
    if not values:
        return len(columns)
    matrix = np.zeros((max(len(places), len(columns)), len(columns)), dtype=complex)
    matrix[rows, cols] = values
    s = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(s < 1e-12 * s[0]))


def conserved_swap(battery: Battery) -> tuple[int, int] | None:
    """Two sites whose exchange is conserved, so that the steady state is one of many: cells of a collective bath.

    Neighbours are tried, and sites next to each other in a jump of several sites. Fermionic sites are left out.
    """
    sites, pairs = battery.sites, {(n, n + 1) for n in range(len(battery.sites) - 1)}
    for jump in battery.jumps:
        support = sorted({n for product, _ in jump.terms.products for n, _ in product})
        pairs |= set(itertools.pairwise(support))
    for m, n in sorted(pairs):
        if sites[m] != sites[n] or sites[m].parity is not None:
            continue
        exchange, units = Terms(sites), np.eye(sites[m].d)
        for a, b in itertools.product(units, units):
            exchange += 1.0, (np.outer(a, b), m), (np.outer(b, a), n)
        if heisenberg(battery, exchange).vanishes(1e-12):
            return m, n
    return None
