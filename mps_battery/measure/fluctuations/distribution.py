"""Distributions of fluctuating numbers, and those of two energy measurements on small systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mps_battery.checks import must, number

Array = np.ndarray


@dataclass(frozen=True)
class Distribution:
    """Probabilities of the values of a fluctuating number.

    Attributes:
        values: Ascending values, or the points of an even grid where the distribution is smooth.
        weights: Probability of each value (density x spacing on a grid); they sum to one.
        width: Standard deviation of the Gaussian that it was smoothed with; 0 where the values are exact.
    """

    values: Array
    weights: Array
    width: float = 0.0

    @property
    def mean(self) -> float:
        """The mean value."""
        return float(self.values @ self.weights)

    @property
    def variance(self) -> float:
        """The variance, that of the smoothing taken off."""
        return float((self.values - self.mean) ** 2 @ self.weights) - self.width**2

    def cumulative(self, value: float) -> float:
        """Probability of at most `value`."""
        return float(self.weights[self.values <= value].sum())

    def characteristic(self, u: Array) -> Array:
        """sum_j w_j exp(i u v_j), the smoothing taken off."""
        return np.exp(1j * np.multiply.outer(u, self.values) + 0.5 * (self.width * u[:, None]) ** 2) @ self.weights

    @classmethod
    def of_atoms(cls, values: Array, weights: Array, tolerance: float = 1e-9) -> Distribution:
        """Exact values put in order; neighbours closer than `tolerance` become one, weights below 1e-18 drop out."""
        kept = weights.ravel() > 1e-18
        values, weights = values.ravel()[kept], weights.ravel()[kept]
        order = np.argsort(values)
        values, weights = values[order], weights[order]
        first = np.flatnonzero(np.diff(values, prepend=-np.inf) > tolerance)
        total = np.add.reduceat(weights, first)
        return cls(np.add.reduceat(values * weights, first) / total, total / total.sum())


def smooth(u: Array, characteristic: Array, centre: float, width: float, blur: float = 0.0) -> Distribution:
    """The distribution behind a characteristic function, as a Gaussian of standard deviation `width` shows it.

    P(w) = (1 / 2 pi) int du exp(-i u w) exp(-u^2 width^2 / 2) G(u), a sum over the even grid `u` from 0 upwards,
    G(-u) = G(u)*. It has the period 2 pi / du, which must hold the values; on its grid it sums to G(0) exactly.

    Args:
        u: Even grid that begins at 0.
        characteristic: G(u).
        centre: Middle of the period shown.
        width: Standard deviation of the Gaussian.
        blur: The part of it that G already has.
    """
    du = float(u[1] - u[0])
    period = 2 * np.pi / du
    points = max(2 * len(u), int(np.ceil(6 * period / width)))
    values = centre + period * (np.arange(points) / points - 0.5)
    g = characteristic * np.exp(-0.5 * (width**2 - blur**2) * u**2)
    waves = np.exp(-1j * np.multiply.outer(values, u)) @ np.r_[0.5 * g[0], g[1:]]
    return Distribution(values, 2 * waves.real / points, width)


def two_point_distribution(rho: Array, energy: Array, unitary: Array) -> Distribution:
    """The distribution of E_m - E_n between two projective measurements of an energy, U in between; dense.

    P(w) = sum_mn tr(P_m U P_n rho P_n U+) delta(w - E_m + E_n) [Talkner, Lutz, Haenggi 2007, PRE 75, 050102].

    Args:
        rho: Density matrix, (D, D); coherences between levels are lost in the first measurement.
        energy: Hermitian, (D, D).
        unitary: U, (D, D).
    """
    for name, matrix in (("rho", rho), ("energy", energy), ("unitary", unitary)):
        must(np.ndim(matrix) == 2 and np.shape(matrix) == np.shape(energy) == np.shape(energy)[::-1], name,
             "be a square matrix like the others", np.shape(matrix))
    must(np.allclose(unitary.conj().T @ unitary, np.eye(len(unitary)), rtol=0, atol=1e-8), "unitary", "be unitary",
         unitary)
    must(np.allclose(energy, energy.conj().T, rtol=0, atol=1e-10), "energy", "be Hermitian", energy)
    (changes,), joint = joint_changes(rho, [energy], unitary)
    return Distribution.of_atoms(changes, joint, 1e-9 * (1 + float(np.abs(changes).max())))


def joint_changes(rho: Array, energies: Sequence[Array], unitary: Array) -> tuple[list[Array], Array]:
    """Changes of commuting energies between two measurements of all of them, and their probabilities.

    Returns:
        (one (D, D) array of changes an energy, (D, D) joint probabilities), rows final and columns initial states.
    """
    golden, total = 0.0, np.zeros_like(energies[0])
    for k, h in enumerate(energies):                     # a generic sum tells all levels apart
        golden = ((np.sqrt(5) - 1) / 2) ** k
        total = total + golden * h
    levels, basis = np.linalg.eigh(total)
    first = np.flatnonzero(np.diff(levels, prepend=-np.inf) > 1e-9 * (1 + np.abs(levels).max()))
    for a, z in zip(first, [*first[1:], len(levels)], strict=True):
        if z - a > 1:                                    # within a level the states that are found by chance
            block = basis[:, a:z]
            basis[:, a:z] = block @ np.linalg.eigh(block.conj().T @ rho @ block)[1]
    found = np.einsum("in,ij,jn->n", basis.conj(), rho, basis, optimize=True).real
    moved = np.abs(basis.conj().T @ unitary @ basis) ** 2
    known = [np.einsum("in,ij,jn->n", basis.conj(), h, basis, optimize=True).real for h in energies]
    return [np.subtract.outer(e, e) for e in known], moved * np.maximum(found, 0.0)


def positive_number(name: str, value: object) -> None:
    """Raise unless a value is a finite number above 0."""
    must(number(value) and np.isfinite(value) and value > 0, name, "be a positive number", value)  # type: ignore
