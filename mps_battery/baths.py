"""Jumps of thermal baths: rates that obey detailed balance, local ones and those of a whole block (Davies)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mps_battery.battery import Jump
from mps_battery.checks import InputError, must, number
from mps_battery.sites import DensitySite
from mps_battery.terms import Array, Terms, check_terms

LARGEST_BLOCK = 2**4
"""Largest dimension of a block whose Hamiltonian is diagonalised."""


def thermal_jumps(lowering: Terms, frequency: float, beta: float, rate: float = 1.0, statistics: str = "bose",
                  bath: str = "bath") -> list[Jump]:
    """The two jumps of a local thermal bath: sqrt(rate (1 +- n)) A down and sqrt(rate n) A+ up.

    n = 1 / (exp(beta frequency) -+ 1), so that up / down = exp(-beta frequency) (KMS).

    Args:
        lowering: A, which lowers the energy by `frequency`.
        frequency: Positive energy of the transition.
        beta: Inverse temperature; negative and infinite ones are fine for "fermi", not negative for "bose".
        rate: Spontaneous rate at zero temperature.
        statistics: "bose" (down 1 + n) or "fermi" (down 1 - n).
        bath: Name of the bath.
    """
    check_terms("lowering", lowering)
    must(number(frequency) and frequency > 0, "frequency", "be a positive number", frequency)
    must(number(rate) and rate > 0, "rate", "be a positive number", rate)
    must(statistics in ("bose", "fermi"), "statistics", "be bose or fermi", statistics)
    must(number(beta) and (beta > 0 or statistics == "fermi"), "beta", "be a positive number for bosons", beta)
    with np.errstate(over="ignore"):
        n = float(1 / np.expm1(beta * frequency)) if statistics == "bose" else float(1 / (np.exp(beta * frequency) + 1))
    down, up = (1 + n, n) if statistics == "bose" else (1 - n, n)
    jumps = [Jump(float(np.sqrt(rate * down)) * lowering, bath=bath)]
    if up > 0:
        jumps.append(Jump(float(np.sqrt(rate * up)) * lowering.adjoint(), bath=bath))
    return jumps


def davies_jumps(hamiltonian: Terms, coupling: Terms, beta: float, spectrum: Callable[[float], float] | None = None,
                 bath: str = "bath", tolerance: float = 1e-9) -> list[Jump]:
    """Global jumps of a bath that couples to a small system through `coupling` [Davies 1974, CMP 39, 91].

    With A(w) = sum over energies E' - E = -w of P_E' A P_E, the part of the coupling that lowers the energy by w, the
    jumps are sqrt(g(w)) A(w) with g(w) = J(w) (1 + n(w)) for w > 0, J(|w|) n(|w|) for w < 0: detailed balance, so the
    Gibbs state of `hamiltonian` is left fixed.

    Args:
        hamiltonian: H of the whole chain, at most 16 dimensions: a global jump is a sum of very many products.
        coupling: A, Hermitian.
        beta: Inverse temperature, positive.
        spectrum: J(w) for w > 0; None is the Ohmic J(w) = w. At w = 0 the limit J(w) n(w) is taken at w = 1e-6.
        bath: Name of the bath.
        tolerance: Energies closer than this count as equal.
    """
    check_terms("hamiltonian", hamiltonian, hermitian=True)
    check_terms("coupling", coupling, hermitian=True)
    must(coupling.sites == hamiltonian.sites, "coupling", "live on the sites of the Hamiltonian", coupling)
    must(number(beta) and beta > 0, "beta", "be a positive number", beta)
    dimension = float(np.prod([float(s.d) for s in hamiltonian.sites]))
    if dimension > LARGEST_BLOCK:
        raise InputError(f"Argument `hamiltonian` must span at most {LARGEST_BLOCK} dimensions for global jumps, but "
                         f"spans {dimension:.0f}: use thermal_jumps.")
    density = spectrum if spectrum is not None else lambda w: w
    energies, vectors = np.linalg.eigh(hamiltonian.to_dense())
    a = vectors.conj().T @ coupling.to_dense() @ vectors
    gaps = energies[None, :] - energies[:, None]                         # E_column - E_row: energy that a entry takes
    found: list[float] = []
    for w in np.sort(gaps[np.abs(a) > 1e-12]):
        if not found or w - found[-1] > tolerance:
            found.append(float(w))
    jumps = []
    for w in found:
        part = vectors @ np.where(np.abs(gaps - w) <= 2 * tolerance, a, 0.0) @ vectors.conj().T
        size = max(abs(w), 1e-6)
        n = 1 / np.expm1(beta * size)
        value = density(size) * ((1 + n) if w > tolerance else n)
        must(np.isfinite(value) and value >= 0, "spectrum", f"be at least 0 at frequency {size:g}", value)
        if value > 0:
            jumps.append(Jump(float(np.sqrt(value)) * terms_of(hamiltonian, part), bath=bath))
    return jumps


def terms_of(like: Terms, matrix: Array) -> Terms:
    """A dense matrix on the whole chain as Terms over products of Hermitian basis operators."""
    locals_ = [DensitySite(s) for s in like.sites]
    d = [s.d for s in like.sites]
    t, n = matrix.reshape(d + d), len(d)
    for s in locals_:                     # ket and bra leg of the first site -> coordinate at the end
        t = np.tensordot(t, s.basis, ((0, n), (2, 1)))
        n -= 1
    out, largest = Terms(like.sites), np.abs(t).max()
    for index in np.argwhere(np.abs(t) > 1e-14 * largest):
        factors = [(s.basis[k], m) for m, (s, k) in enumerate(zip(locals_, index, strict=True)) if k]
        scale = np.prod([s.basis[0][0, 0].real for s, k in zip(locals_, index, strict=True) if not k])
        out += (complex(t[tuple(index)] * scale), *factors)
    return out
