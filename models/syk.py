"""Batteries charged by the complex Sachdev-Ye-Kitaev model: every mode talks to every other at once.

Cells are qubits written as fermion modes, occupied = up: sigma^z = 2 n - 1 and, in order of site,
c_j = (prod_{m<j} (-1)^{n_m}) sigma^-_j. Papers that write the string with sigma^z in place of (-1)^n have the sign
(-1)^{i+j+k+l} in J_ijkl, which leaves its distribution as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mps_battery.battery import Battery, Jump
from mps_battery.checks import must
from mps_battery.models.build import checked
from mps_battery.sites import Fermion
from mps_battery.terms import Terms

__all__ = ["complex_syk"]

_ROSSINI = "Rossini, Andolina, Rosa, Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234"


def complex_syk(cells: int = 8, splitting: float = 1.0, coupling: float = 1.0, dephasing: float = 0.0, seed: int = 0,
                realisation: int = 0, couplings: ArrayLike | None = None) -> Battery:
    """Free cells charged by the complex SYK model (q = 4) that acts alone; starts in the ground state of H_B.

    Energy: H_B = splitting/2 sum_n sigma^y_n
    Charging: sum_{ijkl} J_ijkl c+_i c+_j c_k c_l, alone, with J_ijkl = -J_jikl = -J_ijlk = conj(J_klij) Gaussian,
        <|J_ijkl|^2> = coupling^2/cells^3; with dephasing also jumps sqrt(dephasing/2) (2 n - 1) on every cell

    H_B is along y because the charging conserves the number of fermions. The best power grows as cells^(3/2), since
    the strings make the cells fluctuate together: without dephasing <Delta H_B^2> ~ cells^2 at the optimal time
    ~ cells^(-1/2). Entanglement then obeys a volume law and a matrix product operator of the charging Hamiltonian has
    a bond of order cells^2, so dense couplings stay below some twenty cells.

    Args:
        cells: Number of cells.
        splitting: Energy of a flipped cell.
        coupling: J.
        dephasing: Rate at which coherences between n = 0 and n = 1 of a cell decay.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        couplings: Explicit J_ijkl for i < j and k < l, instead of the draw: a Hermitian matrix over the pairs
            (0, 1), (0, 2), ..., (1, 2), ..., or its real and imaginary part, (2, pairs, pairs).

    Reference:
        Rossini, Andolina, Rosa, Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234
    """
    parameters = checked(cells=cells, splitting=splitting, coupling=coupling, dephasing=dephasing, seed=seed,
                          realisation=realisation)
    must(splitting > 0, "splitting", "be a positive number", splitting)
    must(dephasing >= 0, "dephasing", "be a number of at least 0", dephasing)
    pairs = [(i, j) for i in range(cells) for j in range(i + 1, cells)]
    if couplings is None:
        rng = np.random.default_rng(np.random.SeedSequence([parameters["seed"], parameters["realisation"]]))
        drawn = coupling / cells**1.5 * _hermitian(rng, len(pairs))
    else:
        drawn = _given(couplings, len(pairs))
    sites = (Fermion(),) * cells
    energy, charging = Terms(sites), Terms(sites)
    for n in range(cells):
        # the string of c_n, once more, leaves the operator of the cell alone: sigma^y = i sigma^- - i sigma^+
        string = [("P", m) for m in range(n)]
        energy += 0.5j * splitting, *string, ("C", n)
        energy += -0.5j * splitting, *string, ("Cd", n)
    for (i, j), row in zip(pairs, drawn, strict=True):
        for (k, l), value in zip(pairs, row, strict=True):
            charging += 4 * value, ("Cd", i), ("Cd", j), ("C", k), ("C", l)
    jumps = []
    for n in range(cells if dephasing else 0):
        terms = Terms(sites)
        terms += -np.sqrt(dephasing / 2), ("P", n)
        jumps.append(Jump(terms, bath="dephasing"))
    lowest = np.array([-1j, 1]) / np.sqrt(2)          # (empty, full) of the lower eigenstate of sigma^y
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=charging, jumps=jumps,
                   empty=[lowest] * cells, name="complex_syk",
                   parameters=parameters | {"couplings": [drawn.real.tolist(), drawn.imag.tolist()]},
                   reference=_ROSSINI)


def _hermitian(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random Hermitian matrix, <|entry|^2> = 1 for each: complex off the diagonal, real on it."""
    real, imaginary = rng.normal(size=(2, size, size))
    upper = np.triu(real + 1j * imaginary, 1) / np.sqrt(2)
    return upper + upper.conj().T + np.diag(np.diag(real))


def _given(couplings: ArrayLike, size: int) -> np.ndarray:
    """The couplings that a caller gave, checked."""
    try:
        values = np.asarray(couplings)
    except ValueError:      # a ragged list
        values = np.zeros(0)
    must(values.dtype.kind in "iufc" and values.shape in ((size, size), (2, size, size))
         and np.all(np.isfinite(values)), "couplings",
         f"be a {size} x {size} matrix of finite numbers over pairs of cells, or its real and imaginary part",
         couplings)
    matrix = values.astype(complex) if values.ndim == 2 else values[0] + 1j * values[1]
    must(np.allclose(matrix, matrix.conj().T, rtol=0, atol=1e-12 * max(np.abs(matrix).max(), 1e-300)), "couplings",
         "be Hermitian, J_ijkl = conj(J_klij)", couplings)
    return matrix
