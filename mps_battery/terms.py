"""Terms: a sum of coefficient x product of site operators, and its many forms.

One list serves the dense and sparse matrix, the matrix-product operator and the bond gates. Products may have
any range and any number of factors; fermionic factors get their Jordan-Wigner strings when they are added,
so that below this file every operator commutes with every operator on another site.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Number
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from mps_battery.checks import InputError, must, shown, whole
from mps_battery.sites import Array, Site
from mps_battery.tensors.mpo import MPO, mpo_from_products

if TYPE_CHECKING:
    from mps_battery.tensors.mps import MPS

Product = tuple[tuple[int, int], ...]
"""Factors of a product in order of site: (site, operator identifier); identities are left out."""

LARGEST_SPARSE, LARGEST_DENSE = 2**24, 2**14
"""Largest dimensions of the whole space that become sparse and dense matrices."""
LARGEST_BLOCK = 2**8
"""Largest dimension of a block of sites whose part of a sum is diagonalised for `Terms.width`."""

_MATRICES: list[Array] = []          # operator identifier -> matrix, Frobenius norm sqrt(d), leading entry > 0
_IDENTIFIERS: dict[bytes, int] = {}


def matrix_of(identifier: int) -> Array:
    """The normalised matrix behind an operator identifier, (d, d)."""
    return _MATRICES[identifier]


def _intern(matrix: Array) -> tuple[int | None, complex]:
    """(identifier, scalar) with matrix = scalar * normalised matrix; identifier None for the identity."""
    d = len(matrix)
    norm = np.linalg.norm(matrix) / np.sqrt(d)
    if norm == 0:
        return None, 0.0
    flat = matrix.ravel()
    leading = flat[np.argmax(np.abs(flat) > 1e-12 * norm)]
    scalar = norm * leading / abs(leading)
    unit = np.round(matrix / scalar, 14) + 0.0
    if np.array_equal(unit, np.eye(d)):
        return None, scalar
    if np.iscomplexobj(unit) and not unit.imag.any():
        unit = unit.real
    # a rounding of 14 digits makes the same operator reached by two ways the same key
    key = (np.round(unit, 10) + 0.0).astype(complex).tobytes()
    if key not in _IDENTIFIERS:
        _IDENTIFIERS[key] = len(_MATRICES)
        _MATRICES.append(unit)
    return _IDENTIFIERS[key], scalar


@cache
def _named(site: Site, names: tuple[str, ...]) -> tuple[int | None, complex]:
    """Interned product of named operators on one site; the name "(-1)^N" stands for the fermion parity."""
    matrix = np.eye(site.d)
    for name in names:
        factor = np.diag(site.parity) if name == "(-1)^N" else site.operator(name)  # type: ignore[arg-type]
        matrix = matrix @ factor
    return _intern(matrix)


@cache
def _times(left: int, right: int) -> tuple[int | None, complex]:
    """Interned product of two interned operators on one site."""
    return _intern(_MATRICES[left] @ _MATRICES[right])


@cache
def _adjoint_of(identifier: int) -> tuple[int | None, complex]:
    """Interned adjoint of an interned operator."""
    return _intern(_MATRICES[identifier].conj().T)


class Terms:
    """A sum of products of site operators on a chain; build it by adding tuples.

    `H += 0.5, ("X", 0), ("X", 1)` adds 0.5 X_0 X_1. A factor is (operator name, site) or ((d, d) matrix, site);
    factors on one site multiply in the order written; `H += 2.0,` adds a constant. Fermionic `C` and `Cd`
    anticommute between sites.

    Args:
        sites: The local space of every site, in order.
    """

    def __init__(self, sites: Sequence[Site]) -> None:
        self.sites = check_sites(sites)
        self._products: dict[Product, complex] = {}
        self._mpo: MPO | None = None
        self._width: float | None = None

    # -- building ------------------------------------------------------------------------------------------
    def __iadd__(self, other: tuple | Terms) -> Terms:
        if isinstance(other, Terms):
            self._same_chain(other)
            for product, coefficient in other._products.items():
                self._add(product, coefficient)
        else:
            self._add_factors(other)
        return self

    def __isub__(self, other: tuple | Terms) -> Terms:
        if isinstance(other, Terms):
            self += -1.0 * other
        else:
            self._add_factors(other, sign=-1.0)
        return self

    def _add(self, product: Product, coefficient: complex) -> None:
        total = self._products.get(product, 0.0) + coefficient
        if total == 0:
            self._products.pop(product, None)
        else:
            self._products[product] = total
        self._mpo = self._width = None

    def _add_factors(self, entry: tuple, sign: float = 1.0) -> None:
        must(isinstance(entry, tuple) and len(entry) >= 1 and isinstance(entry[0], Number), "term",
             'be written as coefficient, ("X", site), ("Y", site), ...', entry)
        coefficient, factors = sign * complex(entry[0]), entry[1:]
        must(np.isfinite(coefficient), "coefficient", "be a finite number", entry[0])
        for factor in factors:
            must(isinstance(factor, tuple) and len(factor) == 2, "term",
                 'have factors written as ("X", site)', factor)
            must(whole(factor[1]) and 0 <= factor[1] < len(self.sites), "site",
                 f"be an integer from 0 to {len(self.sites) - 1}", factor[1])
        product: list[tuple[int, int]] = []
        odd = [n for o, n in factors if isinstance(o, str) and o in self.sites[n].odd]
        string = {k for k in range(max(odd, default=0)) if self.sites[k].parity is not None}
        for k in sorted({n for _, n in factors} | string):
            identifier, scalar = self._on_site(k, factors)
            coefficient *= scalar
            if identifier is not None:
                product.append((k, identifier))
        if coefficient != 0:
            self._add(tuple(product), coefficient)

    def _on_site(self, k: int, factors: tuple) -> tuple[int | None, complex]:
        """What the factors leave on site k: own operators in order, parities for odd operators to the right."""
        site, words = self.sites[k], []
        for operator, n in factors:
            if n == k:
                words.append(operator)
            elif n > k and site.parity is not None and isinstance(operator, str) and operator in self.sites[n].odd:
                words.append("(-1)^N")
        if all(isinstance(w, str) for w in words):
            return _named(site, tuple(words))
        matrix = np.eye(site.d)
        for word in words:
            if isinstance(word, str):
                word = np.diag(site.parity) if word == "(-1)^N" else site.operator(word)  # type: ignore[arg-type]
            matrix = matrix @ self._checked_matrix(k, word)
        return _intern(matrix)

    def _checked_matrix(self, k: int, given: Array) -> Array:
        """A one-site matrix that a caller gave, or a matrix of our own."""
        d, parity = self.sites[k].d, self.sites[k].parity
        try:
            matrix = np.asarray(given)
        except ValueError:      # a ragged list
            matrix = np.zeros(0)
        must(matrix.shape == (d, d) and matrix.dtype.kind in "biufc" and np.all(np.isfinite(matrix)), "operator",
             f"be a name or a {d} x {d} matrix of finite numbers on site {k}", given)
        # an odd matrix would need a string, which only names get
        must(parity is None or np.allclose(parity[:, None] * matrix * parity, matrix, rtol=0, atol=1e-14), "operator",
             f"conserve fermion parity when it is a matrix, or be the name C or Cd, on site {k}", given)
        return matrix

    def _same_chain(self, other: Terms) -> None:
        if not isinstance(other, Terms):
            raise InputError(f"Argument `terms` must be Terms, but is {shown(other)}.")
        if self.sites != other.sites:
            raise InputError("Argument `terms` must live on the same sites as the terms it is combined with, but its "
                             f"chain has {len(other.sites)} sites against {len(self.sites)} or other site types.")

    # -- algebra -------------------------------------------------------------------------------------------
    def copy(self) -> Terms:
        """The same sum as an object of its own."""
        new = Terms(self.sites)
        new._products = dict(self._products)
        return new

    def __add__(self, other: Terms) -> Terms:
        new = self.copy()
        new += other
        return new

    def __sub__(self, other: Terms) -> Terms:
        return self + (-1.0) * other

    def __mul__(self, scalar: complex) -> Terms:
        must(isinstance(scalar, Number) and np.isfinite(scalar), "factor", "be a finite number", scalar)
        new = Terms(self.sites)
        if scalar != 0:
            new._products = {p: c * scalar for p, c in self._products.items()}
        return new

    __rmul__ = __mul__

    def __neg__(self) -> Terms:
        return self * -1.0

    def adjoint(self) -> Terms:
        """The Hermitian adjoint."""
        new = Terms(self.sites)
        for product, c in self._products.items():
            factors = [(n, _adjoint_of(o)) for n, o in product]
            new._add(tuple((n, i) for n, (i, _) in factors if i is not None),
                     np.conj(c) * np.prod([s for _, (_, s) in factors]))
        return new

    def commutator(self, other: Terms) -> Terms:
        """[self, other] = self other - other self, term by term; products without a common site drop out."""
        self._same_chain(other)
        touching: dict[int, list[Product]] = defaultdict(list)
        for product in other._products:
            for n, _ in product:
                touching[n].append(product)
        new = Terms(self.sites)
        for left, c in self._products.items():
            for right in dict.fromkeys(p for n, _ in left for p in touching[n]):
                for a, b, sign in ((left, right, 1), (right, left, -1)):
                    product, scalar = _multiply(a, b)
                    new._add(product, sign * scalar * c * other._products[right])
        scale = self.largest * other.largest
        new._products = {p: c for p, c in new._products.items() if abs(c) > 1e-13 * scale}
        return new

    # -- facts ---------------------------------------------------------------------------------------------
    @property
    def products(self) -> Iterator[tuple[Product, complex]]:
        """Pairs (product, coefficient) over normalised operators."""
        return iter(self._products.items())

    def __len__(self) -> int:
        return len(self._products)

    @property
    def largest(self) -> float:
        """Largest coefficient in modulus, over operators of Frobenius norm sqrt(d)."""
        return max((abs(c) for c in self._products.values()), default=0.0)

    @property
    def reach(self) -> int:
        """Largest distance between the first and last site of a product; 1 means nearest neighbours."""
        return max((p[-1][0] - p[0][0] for p in self._products if p), default=0)

    def vanishes(self, tolerance: float = 1e-12) -> bool:
        """Whether the sum is zero as an operator (not only term by term)."""
        kept = {p: c for p, c in self._products.items() if abs(c) > tolerance}
        if not kept:
            return True
        rest = Terms(self.sites)
        rest._products = kept
        return bool(rest.to_mpo().frobenius() < tolerance)

    def is_hermitian(self, tolerance: float = 1e-12) -> bool:
        """Whether the sum equals its adjoint, relative to its largest coefficient."""
        return (self - self.adjoint()).vanishes(tolerance * max(self.largest, 1e-300))

    def conserves_charge(self) -> bool:
        """Whether the sum commutes with the total charge of its sites."""
        charge = Terms(self.sites)
        for n, site in enumerate(self.sites):
            charge += 1.0, (np.diag(site.charges.astype(float)), n)
        return self.commutator(charge).vanishes(1e-12 * max(self.largest, 1e-300))

    @property
    def width(self) -> float:
        """Largest minus smallest eigenvalue of Hermitian terms, or a bound on it from above (cached).

        Neighbouring products are gathered in blocks of sites of at most `LARGEST_BLOCK` dimensions, each diagonalised;
        the widths of blocks add. Exact where all products fit into one block.
        """
        if self._width is None:
            supports: dict[tuple[int, ...], list[Product]] = defaultdict(list)
            for product in self._products:
                if product:
                    supports[tuple(n for n, _ in product)].append(product)
            self._width = 0.0
            block: tuple[int, ...] = ()
            members: list[Product] = []
            for support in sorted(supports):
                union = tuple(sorted({*block, *support}))
                if float(np.prod([float(self.sites[n].d) for n in union])) > LARGEST_BLOCK:
                    self._width += self._block_width(block, members)
                    union, members = support, []
                block, members = union, members + supports[support]
            self._width += self._block_width(block, members)
        return self._width

    def _block_width(self, block: tuple[int, ...], members: list[Product]) -> float:
        """Width of the Hermitian part of a few products on the sites of a block."""
        dims = [self.sites[n].d for n in block]
        if float(np.prod([float(d) for d in dims])) > LARGEST_BLOCK:     # one long product and its like
            return float(sum(2 * abs(self._products[p]) * np.prod([np.linalg.norm(_MATRICES[o], 2) for _, o in p])
                             for p in members))
        total = np.zeros((int(np.prod(dims)),) * 2, dtype=complex)
        for product in members:
            matrix, factors = np.array([[self._products[product]]]), dict(product)
            for n, d in zip(block, dims, strict=True):
                matrix = np.kron(matrix, _MATRICES[factors[n]] if n in factors else np.eye(d))
            total += matrix
        spectrum = np.linalg.eigvalsh((total + total.conj().T) / 2)
        return float(spectrum[-1] - spectrum[0])

    def touching(self, *sites: int) -> Terms:
        """The products that act on one of some sites."""
        new = Terms(self.sites)
        new._products = {p: c for p, c in self._products.items() if any(n in sites for n, _ in p)}
        return new

    def within(self, sites: Sequence[int]) -> Terms:
        """The products that act on nothing but some sites, and the constant, as Terms on those sites in their order."""
        place = {n: k for k, n in enumerate(sites)}
        new = Terms([self.sites[n] for n in sites])
        for product, c in self._products.items():
            if all(n in place for n, _ in product):
                new._add(tuple(sorted((place[n], o) for n, o in product)), c)
        return new

    def expect(self, state: MPS) -> complex:
        """<terms> in a state."""
        return state.expect(self)

    # -- forms ---------------------------------------------------------------------------------------------
    def to_mpo(self) -> MPO:
        """Matrix-product operator of optimal bond, up to a numerical rank of 1e-13 (cached)."""
        if self._mpo is None:
            self._mpo = mpo_from_products(self.sites, self._products, _MATRICES)
        return self._mpo

    def to_sparse(self) -> sp.csr_matrix:
        """Sparse matrix on the whole space; site 0 is the most significant index."""
        self._fits(LARGEST_SPARSE, "sparse")
        return _sparse_sum(self.sites, self._products)

    def to_dense(self) -> Array:
        """Dense matrix on the whole space; site 0 is the most significant index."""
        self._fits(LARGEST_DENSE, "dense")
        return self.to_sparse().toarray()

    def _fits(self, largest: int, form: str) -> None:
        dimension = float(np.prod([float(s.d) for s in self.sites]))
        if dimension > largest:
            raise InputError(f"Argument `sites` must span at most {largest} dimensions for a {form} matrix, but spans "
                             f"{dimension:.3g}: use to_mpo().")

    def to_bonds(self) -> list[Array]:
        """Two-site matrices h_b on sites (b, b + 1), each (d d', d d'), that sum to the whole.

        A one-site term is shared equally by the bonds that touch its site; a constant goes to the first bond.
        """
        if self.reach > 1:
            raise InputError("Argument `terms` must couple nearest neighbours only for bond gates, but reaches over "
                             f"{self.reach} sites.")
        must(len(self.sites) >= 2, "sites", "be at least two for bond gates", len(self.sites))
        d = [s.d for s in self.sites]
        bonds = [np.zeros((d[b] * d[b + 1],) * 2, dtype=complex) for b in range(len(d) - 1)]
        for product, c in self._products.items():
            if not product:
                bonds[0] += c * np.eye(len(bonds[0]))
            elif len(product) == 2:
                (n, a), (_, b) = product
                bonds[n] += c * np.kron(_MATRICES[a], _MATRICES[b])
            else:
                ((n, a),) = product
                shares = [b for b in (n - 1, n) if 0 <= b < len(bonds)]
                for b in shares:
                    pair = (np.eye(d[b]), _MATRICES[a]) if b < n else (_MATRICES[a], np.eye(d[b + 1]))
                    bonds[b] += c / len(shares) * np.kron(*pair)
        return bonds

    def __repr__(self) -> str:
        return f"Terms({len(self._products)} products on {len(self.sites)} sites, reach {self.reach})"


def _multiply(left: Product, right: Product) -> tuple[Product, complex]:
    """The product of two products."""
    scalar, factors = 1.0 + 0j, dict(left)
    for n, o in right:
        if n not in factors:
            factors[n] = o
            continue
        identifier, s = _times(factors[n], o)
        scalar *= s
        if identifier is None:
            del factors[n]
        else:
            factors[n] = identifier
    return tuple(sorted(factors.items())), scalar


def _sparse_sum(sites: Sequence[Site], products: Mapping[Product, complex]) -> sp.csr_matrix:
    """sum_j c_j prod O as a sparse matrix, cut in the middle: many products share few halves.

    With the entries of every half in a row, indexed by (row, column) of the half, sum_(a b) A_a C_ab B_b is the whole
    matrix with its legs grouped by half.
    """
    middle = (len(sites) + 1) // 2
    halves: tuple[dict[Product, int], dict[Product, int]] = ({}, {})
    places = []
    for product in products:
        cut = sum(n < middle for n, _ in product)
        shifted = tuple((n - middle, o) for n, o in product[cut:])
        places.append([half.setdefault(part, len(half))
                       for half, part in zip(halves, (product[:cut], shifted), strict=True)])
    row, column = np.array(places, dtype=int).reshape(-1, 2).T
    coefficients = sp.csr_matrix((np.array(list(products.values()), dtype=complex), (row, column)),
                                 shape=(len(halves[0]), len(halves[1])))
    left, right = _stacked(sites[:middle], halves[0]), _stacked(sites[middle:], halves[1])
    whole = (left.T @ (coefficients @ right)).tocoo()
    dl, dr = (round(np.sqrt(stack.shape[1])) for stack in (left, right))
    rows = whole.row // dl * dr + whole.col // dr
    columns = whole.row % dl * dr + whole.col % dr
    return sp.csr_matrix((whole.data, (rows, columns)), shape=(dl * dr,) * 2)


def _stacked(sites: Sequence[Site], products: Iterable[Product]) -> sp.csr_matrix:
    """The entries of one product a row, at column d i + j for the entry (i, j) of its d x d matrix."""
    d = int(np.prod([s.d for s in sites], initial=1))
    ends, columns, values = [0], [], []
    for product in products:
        i, j, v, factors = np.zeros(1, dtype=int), np.zeros(1, dtype=int), np.ones(1, dtype=complex), dict(product)
        for n, site in enumerate(sites):
            matrix = _MATRICES[factors[n]] if n in factors else np.eye(site.d)
            here = np.nonzero(matrix)
            i, j = (np.add.outer(site.d * k, h).ravel() for k, h in zip((i, j), here, strict=True))
            v = np.multiply.outer(v, matrix[here]).ravel()
        ends.append(ends[-1] + len(v))
        columns.append(d * i + j)
        values.append(v)
    if not values:
        return sp.csr_matrix((0, d * d), dtype=complex)
    return sp.csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(values), d * d))


def on_longer_chain(terms: Terms, sites: Sequence[Site]) -> Terms:
    """The same products on a chain that begins with their own."""
    new = Terms(sites)
    must(new.sites[:len(terms.sites)] == terms.sites, "sites", "begin with the chain of the terms", sites)
    new._products = dict(terms._products)
    return new


def product_of(left: Terms, right: Terms) -> Terms:
    """left right, product by product."""
    left._same_chain(right)
    new = Terms(left.sites)
    for a, c in left.products:
        for b, e in right.products:
            product, scalar = _multiply(a, b)
            new._add(product, scalar * c * e)
    return new


def one_site_sum(sites: Sequence[Site], operator: str, coefficients: Iterable[complex] | None = None) -> Terms:
    """sum_n c_n O_n with one operator name on every site; coefficients default to one."""
    terms = Terms(sites)
    for n, c in enumerate(coefficients if coefficients is not None else [1.0] * len(sites)):
        terms += c, (operator, n)
    return terms


def check_sites(sites: object) -> tuple[Site, ...]:
    """The sites of a chain as a tuple, after one check."""
    chain: tuple[Site, ...] = tuple(sites) if isinstance(sites, Sequence) else ()
    must(len(chain) >= 1 and all(isinstance(s, Site) for s in chain), "sites",
         "be a list of at least one Spin, Boson, Fermion or Levels", sites)
    return chain


def check_terms(argument: str, terms: object, hermitian: bool = False) -> Terms:
    """`terms` itself, after one check of its type and, on request, of hermiticity."""
    if not isinstance(terms, Terms):
        raise InputError(f"Argument `{argument}` must be Terms, but is {shown(terms)}.")
    if hermitian and not terms.is_hermitian():
        raise InputError(f"Argument `{argument}` must be Hermitian, but differs from its adjoint.")
    return terms
