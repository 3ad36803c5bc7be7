"""A proven bound on the error of one step of a product formula, from nested commutators.

The generator of a chain is H = X_0 + X_1, the sums over bonds 0, 2, ... and 1, 3, ..., and a step of length s is
S(s) = L_m ... L_1 with L_j = exp(-i s a_j X_(x_j)) and sum a_j = 1 for either parity. Differentiating,

    dS/ds = -i F(s) S(s),   F(s) = sum_j a_j Ad(L_m) ... Ad(L_(j+1)) X_(x_j),   Ad(L) Y = L Y L+,

and since S(0) = 1 and unitaries keep norms [Childs, Su, Tran, Wiebe, Zhu 2021, PRX 11, 011020, section III]

    | S(dt) - exp(-i dt H) | <= integral from 0 to dt of | F(s) - H | ds.                                          (1)

F is built layer by layer, F <- Ad(L_j) F + a_j X_j with Ad(L_j) = exp(-i s a_j ad X_j). Let F = sum_(k<q) s^k F_k + R.
Conjugation keeps |R|, and Taylor's formula with the integral form of its remainder, applied to Ad(L_j) F_k up to the
power s^q in all, adds

    | R | <- | R | + s^q sum_(k<q) | (a_j ad X_j)^(q-k) F_k | / (q-k)!                                             (2)

F_k is a sum of nested commutators of k + 1 letters X_0, X_1, with all signs kept; for a formula of order p,
F_0 = H and F_1 .. F_(p-1) vanish (what rounding of the a_j leaves of them is carried along). With q = p + 1 the
leading term F_p is exact and (2) concerns the next order only; (1) and (2) are theorems at every q.

Norms on the whole chain: a nested commutator of m bonds vanishes unless they form one connected piece, so any sum P of
such commutators splits by the leftmost bond of the piece,

    P = sum_l [ P(bonds l .. l+m-1) - P(bonds l+1 .. l+m-1) ],                                                     (3)

into operators on m + 1 sites whose norms are found exactly; their sum bounds |P|. A multiple of the identity in F - H
changes only the phase of the state: norms here are half the distance between the extreme eigenvalues.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import factorial, prod

import numpy as np

from mps_battery.checks import InputError
from mps_battery.evolve.products import layers

Array = np.ndarray
Word = tuple[int, ...]
"""The nested commutator [X_w0, [X_w1, ... X_wk]]; a single letter is X itself."""
Polynomial = dict[Word, float]
"""A real combination of words of one length."""

SHARP, LARGEST = 256, 1024
"""Largest dimensions of the pieces in (3) at which q = p + 1 and q = p are affordable."""


class StepError:
    """Bound on the norm distance, up to a phase, between one step of a product formula and the exact evolution.

    Args:
        bonds: Hermitian matrices of the bonds, (d_b d_(b+1), d_b d_(b+1)).
        dims: Dimension of every site.
        order: Order of the formula, 2 or 4.

    Raises:
        InputError: If nested commutators of sites so large cannot be computed.
    """

    def __init__(self, bonds: Sequence[Array], dims: Sequence[int], order: int) -> None:
        def widest(depth: int) -> int:
            return max(prod(dims[n:n + depth + 2]) for n in range(len(dims)))

        if widest(order) > LARGEST:
            raise InputError(f"Argument `bars` must be True or False for sites of {max(dims)} levels under TEBD of "
                             f"order {order}, but is 'rigorous': the nested commutators of its Trotter error span "
                             f"{widest(order)} dimensions, and {LARGEST} can be done" +
                             ("; order=2 spans fewer." if order > 2 else "."))
        self._bonds, self._dims, self._order = list(bonds), list(dims), order
        self._depth = order + 1 if widest(order + 1) <= SHARP else order
        self._powers: dict[int, list[float]] = {}

    def __call__(self, dt: float, stages: int) -> float:
        """The bound for a step of length dt by the formula of so many stages."""
        if stages not in self._powers:
            self._powers[stages] = self._defect(stages)
        return sum(c * dt ** (k + 1) / (k + 1) for k, c in enumerate(self._powers[stages]))

    def _defect(self, stages: int) -> list[float]:
        """c with |F(s) - H| <= sum_k c_k s^k."""
        terms, rest = expansion(self._order, stages, self._depth)
        out = [float(self._norms([f])[0]) if f else 0.0 for f in terms]
        words = list(rest)
        return [*out, float(np.dot([rest[w] for w in words], self._norms([{w: 1.0} for w in words])))]

    def _norms(self, polynomials: Sequence[Polynomial]) -> Array:
        """Bounds (3) on the half-widths of polynomials in words of one length."""
        words = {w for p in polynomials for w in p}
        length = len(next(iter(words)))
        total, known = np.zeros(len(polynomials)), {}
        for left in range(len(self._bonds)):
            piece = self._bonds[left:left + length]
            key = (left % 2, *(h.tobytes() for h in piece))      # most chains repeat a few pieces
            if key not in known:
                known[key] = _half_widths(piece, self._dims[left:left + len(piece) + 1], left % 2, polynomials, words)
            total += known[key]
        return total


def _half_widths(bonds: Sequence[Array], dims: Sequence[int], parity: int, polynomials: Sequence[Polynomial],
                 words: set[Word]) -> Array:
    """Half-widths of the part of every polynomial whose leftmost bond is the first of `bonds`."""
    whole, without = (_matrices(bonds[k:], dims, k, parity, words) for k in (0, 1))
    parts = {w: whole[w] - without[w] for w in words}
    out = []
    for p in polynomials:
        total = sum(c * parts[w] for w, c in p.items())
        odd = len(next(iter(p))) % 2 == 0            # an odd number of commutators of Hermitian matrices
        spectrum = np.linalg.eigvalsh(1j * total if odd else total)
        out.append((spectrum[-1] - spectrum[0]) / 2)
    return np.array(out)


def _matrices(bonds: Sequence[Array], dims: Sequence[int], first: int, parity: int, words: set[Word]
              ) -> dict[Word, Array]:
    """The words on a piece of the chain whose bonds begin at `first`."""
    x = [np.zeros((prod(dims),) * 2, dtype=complex) for _ in range(2)]
    for b, h in enumerate(bonds, start=first):
        x[(parity + b) % 2] += np.kron(np.kron(np.eye(prod(dims[:b])), h), np.eye(prod(dims[b + 2:])))
    found: dict[Word, Array] = {(0,): x[0], (1,): x[1]}

    def matrix(word: Word) -> Array:
        if word not in found:
            inner = matrix(word[1:])
            product = x[word[0]] @ inner
            # the commutator of (anti-)Hermitian matrices from one product
            found[word] = product - product.conj().T if len(word) % 2 == 0 else product + product.conj().T
        return found[word]

    return {w: matrix(w) for w in words}


@cache
def expansion(order: int, stages: int, depth: int) -> tuple[list[Polynomial], Polynomial]:
    """F_k - delta_k0 H for k < depth, and the absolute coefficients of the words in the remainder (2)."""
    terms: list[Polynomial] = [{} for _ in range(depth)]
    rest: Polynomial = {}
    for letter, a in layers(order, stages):
        moved: list[Polynomial] = [{} for _ in range(depth)]
        for k in range(depth):
            nested = terms[k]
            for r in range(depth - k):
                _add(moved[k + r], nested, a**r / factorial(r))
                nested = bracket(letter, nested)
            scale = abs(a) ** (depth - k) / factorial(depth - k)
            _add(rest, {w: abs(c) for w, c in nested.items()}, scale)
        _add(moved[0], {(letter,): 1.0}, a)
        terms = moved
    _add(terms[0], {(0,): 1.0, (1,): 1.0}, -1.0)
    return terms, rest


def bracket(letter: int, polynomial: Polynomial) -> Polynomial:
    """[X_letter, polynomial] over words that end in [X_0, X_1]."""
    out: Polynomial = {}
    for word, c in polynomial.items():
        new, sign = (letter, *word), 1.0
        if new[-1] == new[-2]:
            continue
        if new[-2:] == (1, 0):
            new, sign = (*new[:-2], 0, 1), -1.0
        if new[-4:] == (1, 0, 0, 1):                 # ad X_0 and ad X_1 commute on [X_0, X_1], by Jacobi's identity
            new = (*new[:-4], 0, 1, 0, 1)
        out[new] = out.get(new, 0.0) + sign * c
    return out


def _add(total: Polynomial, part: Polynomial, factor: float) -> None:
    for word, c in part.items():
        total[word] = total.get(word, 0.0) + factor * c
