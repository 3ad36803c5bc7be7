"""Singular spectra of two-site tensors from the subspace that was kept before.

A gate of a short step turns the Schmidt vectors of a bond a little, and a truncation keeps a half of them (two-level
sites) or a quarter (densities of such): to decompose the whole matrix spends most on what is thrown away. With B the
vectors kept before, the range of theta B+ is a first guess for the space that is to be kept now, a step of subspace
iteration as in TEBD by QR [Unfried, Hauschild, Pollmann 2023, Phys. Rev. B 107, 155133]; random vectors beside B let
the bond grow [Halko, Martinsson, Tropp 2011, SIAM Rev. 53, 217]. What lies outside of it is known exactly, as
|theta|^2 - |Q+ theta|^2: it counts as discarded, and where it is more than a small share of that, the guess is
improved or the whole matrix is decomposed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mps_battery.evolve.threads import shared
from mps_battery.tensors import trains
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray

GRAM = 1e-13
"""Least discarded weight at which a Gram matrix, whose eigenvalues are right to 1e-16 of the largest, is enough."""

SMALLEST = 40
"""Matrices with fewer rows or columns are decomposed as a whole."""
FRACTION = 0.6
"""So are those where the subspace would be more than this of the smaller side."""
WORTH_SHARING = 160
"""Rows from which threads that share the charges gain."""
STEPS = 1
"""Further steps of subspace iteration: on the driven XXZ chain at bond 60 the error of a density is 20 % larger with
none, and within 1 % of that of whole matrices with one."""


class Subspace:
    """Left singular vectors of a matrix within a subspace.

    Args:
        matrix: theta.
        start: Columns whose images under theta span about the right space.
    """

    def __init__(self, matrix: Array, start: Array) -> None:
        self.matrix = matrix
        self.total = float(np.vdot(matrix, matrix).real)
        more = growth(start.shape[1])
        image = np.empty((len(matrix), start.shape[1] + more), dtype=matrix.dtype)
        np.matmul(matrix, start, out=image[:, :start.shape[1]])
        np.matmul(matrix, noise(len(start), more), out=image[:, start.shape[1]:])
        self._project(image)
        for _ in range(STEPS):
            self._project(self.matrix @ self.rest.conj().T)

    def _project(self, image: Array) -> None:
        self.basis = np.linalg.qr(image)[0]
        self.rest = self.basis.conj().T @ self.matrix
        self.outside = max(0.0, self.total - float(np.vdot(self.rest, self.rest).real))

    def spectrum(self) -> tuple[Array, Array]:
        """Descending weights s^2 and left singular vectors as columns."""
        weights, turn = np.linalg.eigh(self.rest @ self.rest.conj().T)
        return np.maximum(weights[::-1], 0.0), self.basis @ turn[:, ::-1]


Spectra = dict[int, tuple[Array, Array]]
"""Charge -> descending weights s^2, and left singular vectors as columns."""


def truncated(matrices: dict[int, Array], starts: dict[int, Array], truncation: Truncation, sharp: bool = False,
              hands: int = 1) -> tuple[Spectra, int, float, bool]:
    """What a truncation keeps of the singular spectra of all charges of one bond together.

    Args:
        matrices: Charge -> theta.
        starts: Charge -> columns whose images span about the left space; without, the whole matrix is decomposed.
        truncation: From 1e-13 on by Gram matrices, whose eigenvalues are right to 1e-16 of the largest; singular
            values and whole matrices below.
        sharp: Singular values and whole matrices at any weight.
        hands: How many threads may share the charges; the result is the same.

    Returns:
        (kept spectra, how many values they have, discarded weight, whether the cap did it), the last three as
        `Truncation.kept`.
    """
    sharp = sharp or truncation.weight < GRAM
    spaces: dict[int, Subspace] = {}
    done: Spectra = {}

    def decompose(m: int) -> None:
        if not sharp and m in starts and worthwhile(matrices[m].shape, starts[m].shape[1]):
            spaces[m] = Subspace(matrices[m], starts[m])
        done[m] = spaces[m].spectrum() if m in spaces else spectrum(matrices[m], sharp)

    shared(decompose, matrices, hands if max(map(len, matrices.values())) >= WORTH_SHARING else 1)
    found = {m: done[m] for m in matrices}                # in this order, whoever was first
    while True:
        pooled = np.sort(np.concatenate([w for w, _ in found.values()]))[::-1]
        keep, discarded, capped = truncation.kept(pooled, sum(s.outside for s in spaces.values()))
        # where all that was found is kept, there may be more that should be
        short = [m for m in found if m in spaces and found[m][0][-1] >= pooled[keep - 1]]
        if not short:
            counts = {m: int(np.sum(w >= pooled[keep - 1])) for m, (w, _) in found.items()}
            kept = {m: (found[m][0][:k], found[m][1][:, :k]) for m, k in counts.items() if k}
            return kept, keep, discarded, capped
        for m in short:
            del spaces[m]
            found[m] = spectrum(matrices[m], False)


def spectrum(matrix: Array, sharp: bool) -> tuple[Array, Array]:
    """Descending weights s^2 and left singular vectors of a whole matrix."""
    if sharp:
        vectors, s = trains.left_vectors(matrix)
        return s * s, vectors
    weights, vectors = np.linalg.eigh(matrix @ matrix.conj().T)
    # a high matrix has no more weights than columns
    rank = min(matrix.shape)
    return np.maximum(weights[::-1][:rank], 0.0), vectors[:, ::-1][:, :rank]


def growth(kept: int) -> int:
    """How many random vectors go with those that were kept."""
    return max(6, kept // 8)


def worthwhile(shape: tuple[int, ...], kept: int) -> bool:
    """Whether a subspace is faster than the whole matrix."""
    smaller = min(shape)
    return smaller >= SMALLEST and 0 < kept + growth(kept) <= FRACTION * smaller


def noise(rows: int, columns: int) -> Array:
    """The same random vectors whenever they are asked for, so that a run that is resumed goes on to the same bits."""
    return _drawn(*(1 << (n - 1).bit_length() for n in (rows, columns)))[:rows, :columns]


@lru_cache(64)
def _drawn(rows: int, columns: int) -> Array:
    """A few large arrays in place of many small ones."""
    return np.random.default_rng(rows).normal(size=(rows, columns)) / np.sqrt(rows)
