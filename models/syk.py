"""Batteries charged by Sachdev-Ye-Kitaev models: every mode talks to every other at once.

Every model has the same cells, qubits with H_B = splitting/2 sum_n sigma^y_n, and starts in the ground state of H_B;
only what charges them differs. Complex fermions: occupied = up, so sigma^z = 2 n - 1 and, in order of site,
c_j = (prod_{m<j} (-1)^{n_m}) sigma^-_j. Papers that write the string with sigma^z in place of (-1)^n have the sign
(-1)^{i+j+k+l} in J_ijkl, which leaves its distribution as it is. Hard-core bosons have no string, b_j = sigma^-_j.
Majoranas sit two on a cell, chi_2j = (prod_{m<j} sigma^z_m) sigma^x_j / sqrt(2) and chi_(2j+1) the same with sigma^y.

Sums run over all indices. With `kept` below one a coupling (with its conjugate) survives with that probability and
grows by kept^(-1/2), which keeps the variance of H. All couplings are random: the disorder mean is over `realisation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mps_battery.battery import Battery, Jump
from mps_battery.checks import must
from mps_battery.models.build import check_rates, checked, each, jump
from mps_battery.sites import Fermion, Site, Spin
from mps_battery.terms import Terms

__all__ = ["boson_syk", "complex_syk", "majorana_syk", "sparse_syk"]

_MALDACENA = "Maldacena, Stanford, Phys. Rev. D 94, 106002 (2016), arXiv:1604.07818; charging: "
_ROSSINI = "Rossini, Andolina, Rosa, Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234"
_XU = "Xu, Susskind, Su, Swingle, arXiv:2008.02303 (2020); charging: " + _ROSSINI


def complex_syk(cells: int = 8, splitting: float = 1.0, coupling: float = 1.0, dephasing: float = 0.0, seed: int = 0,
                realisation: int = 0, couplings: ArrayLike | None = None, q: int = 4, kept: float = 1.0) -> Battery:
    """Free cells charged by the complex SYK model that acts alone; starts in the ground state of H_B.

    Energy: H_B = splitting/2 sum_n sigma^y_n
    Charging: sum_{ijkl} J_ijkl c+_i c+_j c_k c_l, alone, with J_ijkl = -J_jikl = -J_ijlk = conj(J_klij) Gaussian,
        <|J_ijkl|^2> = coupling^2/cells^3; for q = 2 sum_{ij} J_ij c+_i c_j, J_ij = conj(J_ji), <|J_ij|^2> =
        coupling^2/cells; with dephasing also jumps sqrt(dephasing/2) (2 n - 1) on every cell

    H_B is along y because the charging conserves the number of fermions. For q = 4 the best power grows as cells^(3/2),
    since the strings make the cells fluctuate together: without dephasing <Delta H_B^2> ~ cells^2 at the optimal time
    ~ cells^(-1/2). Entanglement then obeys a volume law and the matrix product operator of the charging Hamiltonian has
    the bond cells^2/2 + 3 cells/2 + 2 in the middle, so dense couplings stay below some twenty cells.

    Args:
        cells: Number of cells.
        splitting: Energy of a flipped cell.
        coupling: J.
        dephasing: Rate at which coherences between n = 0 and n = 1 of a cell decay.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        couplings: Explicit J_ijkl for i < j and k < l, instead of the draw: a Hermitian matrix over the pairs
            (0, 1), (0, 2), ..., (1, 2), ..., or its real and imaginary part, (2, pairs, pairs). For q = 2 over cells.
        q: How many modes a coupling joins, 2 or 4.
        kept: Probability that a drawn coupling is kept.

    Reference:
        Rossini, Andolina, Rosa, Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234
    """
    parameters = _parameters(q, kept=kept, cells=cells, splitting=splitting, coupling=coupling, dephasing=dephasing,
                             seed=seed, realisation=realisation)
    return _charge_conserving("complex_syk", _ROSSINI, Fermion(), parameters, couplings, kept)


def boson_syk(cells: int = 8, splitting: float = 1.0, coupling: float = 1.0, dephasing: float = 0.0, seed: int = 0,
              realisation: int = 0, couplings: ArrayLike | None = None, q: int = 4, kept: float = 1.0) -> Battery:
    """Free cells charged by the SYK model of hard-core bosons, alone: `complex_syk` without the strings.

    Energy: H_B = splitting/2 sum_n sigma^y_n
    Charging: sum_{ijkl} J_ijkl b+_i b+_j b_k b_l, alone, with J_ijkl = J_jikl = J_ijlk = conj(J_klij) Gaussian, nothing
        for i = j or k = l, <|J_ijkl|^2> = coupling^2/cells^3; for q = 2 sum_{ij} J_ij b+_i b_j, <|J_ij|^2> =
        coupling^2/cells; with dephasing also jumps sqrt(dephasing/2) sigma^z on every cell

    The cells fluctuate independently, <Delta H_B^2> ~ cells, and the best power grows as `cells`: what the strings of
    `complex_syk` add is seen by comparing the two at the same seed and realisation, which draw the same couplings.

    Args:
        cells: Number of cells.
        splitting: Energy of a flipped cell.
        coupling: J.
        dephasing: Rate at which coherences between up and down of a cell decay.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        couplings: Explicit J_ijkl for i < j and k < l, instead of the draw: a Hermitian matrix over the pairs
            (0, 1), (0, 2), ..., (1, 2), ..., or its real and imaginary part, (2, pairs, pairs). For q = 2 over cells.
        q: How many modes a coupling joins, 2 or 4.
        kept: Probability that a drawn coupling is kept.

    Reference:
        Rossini, Andolina, Rosa, Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234
    """
    parameters = _parameters(q, kept=kept, cells=cells, splitting=splitting, coupling=coupling, dephasing=dephasing,
                             seed=seed, realisation=realisation)
    return _charge_conserving("boson_syk", _ROSSINI, Spin(), parameters, couplings, kept)


def sparse_syk(cells: int = 10, splitting: float = 1.0, coupling: float = 1.0, degree: float = 4.0, seed: int = 0,
               realisation: int = 0, couplings: ArrayLike | None = None, q: int = 4) -> Battery:
    """Free cells charged by a pruned complex SYK model: some `degree` couplings a cell are left of ~ cells^3.

    Energy: H_B = splitting/2 sum_n sigma^y_n
    Charging: sum_{ijkl} x_ijkl J_ijkl c+_i c+_j c_k c_l, alone, with J of `complex_syk`, x_ijkl = x_klij = 1 / sqrt(p)
        with probability p and 0 else, p = degree cells / count of independent couplings (at most 1)

    Args:
        cells: Number of cells.
        splitting: Energy of a flipped cell.
        coupling: J.
        degree: Couplings kept a cell, in the mean; a coupling and its conjugate count as one.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        couplings: Explicit couplings instead of the draw, as for `complex_syk`.
        q: How many modes a coupling joins, 2 or 4.

    Reference:
        Xu, Susskind, Su, Swingle, arXiv:2008.02303 (2020); charging: Rossini, Andolina, Rosa, Carrega, Polini,
        Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234
    """
    parameters = _parameters(q, cells=cells, splitting=splitting, coupling=coupling, degree=degree, seed=seed,
                             realisation=realisation)
    must(degree > 0, "degree", "be a positive number", degree)
    count = comb(cells, q // 2)
    kept = min(1.0, degree * cells / (count * (count + 1) / 2))
    return _charge_conserving("sparse_syk", _XU, Fermion(), parameters, couplings, kept)


def majorana_syk(cells: int = 6, splitting: float = 1.0, coupling: float = 1.0, dephasing: float = 0.0, seed: int = 0,
                 realisation: int = 0, couplings: ArrayLike | None = None, q: int = 4, kept: float = 1.0) -> Battery:
    """Free cells charged by the SYK model of Majoranas, two on every cell, alone; starts in the ground state of H_B.

    Energy: H_B = splitting/2 sum_n sigma^y_n
    Charging: sum_{a<b<c<d} J_abcd chi_a chi_b chi_c chi_d, alone, {chi_a, chi_b} = delta_ab, J Gaussian and real,
        <J_abcd^2> = 6 coupling^2/M^3 for M = 2 cells Majoranas; for q = 2 i sum_{a<b} J_ab chi_a chi_b,
        <J_ab^2> = coupling^2/M; with dephasing also jumps sqrt(dephasing/2) sigma^z on every cell

    Nothing is conserved but the parity prod_n sigma^z_n.

    Args:
        cells: Number of cells, each of two Majoranas.
        splitting: Energy of a flipped cell.
        coupling: J.
        dephasing: Rate at which coherences between up and down of a cell decay.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        couplings: Explicit J_abcd (J_ab) instead of the draw, in the order (0, 1, 2, 3), (0, 1, 2, 4), ...
        q: How many Majoranas a coupling joins, 2 or 4.
        kept: Probability that a drawn coupling is kept.

    Reference:
        Maldacena, Stanford, Phys. Rev. D 94, 106002 (2016), arXiv:1604.07818; charging: Rossini, Andolina, Rosa,
        Carrega, Polini, Phys. Rev. Lett. 125, 236402 (2020), arXiv:1912.07234
    """
    parameters = _parameters(q, kept=kept, cells=cells, splitting=splitting, coupling=coupling, dephasing=dephasing,
                             seed=seed, realisation=realisation)
    majoranas = 2 * cells
    count = comb(majoranas, q)
    if couplings is None:
        rng = _generator(parameters)
        width = coupling * np.sqrt((6 if q == 4 else 1) / majoranas ** (q - 1))
        drawn = width * rng.normal(size=count)
        if kept < 1:
            drawn *= (rng.random(count) < kept) / np.sqrt(kept)
    else:
        drawn = _finite(couplings, [(count,)], f"hold {count} finite real numbers", "iuf").astype(float)
    sites, phase = (Spin(),) * cells, {2: 0.5j, 4: 0.25}[q]
    charging = Terms(sites)
    for chosen, value in zip(combinations(range(majoranas), q), drawn, strict=True):
        # two strings cancel up to the second of a pair
        factors = [("XY"[chosen[0] % 2], chosen[0] // 2)]
        for k, a in enumerate(chosen[1:], 1):
            if k % 2:
                factors += [("Z", m) for m in range(chosen[k - 1] // 2, a // 2)]
            factors.append(("XY"[a % 2], a // 2))
        charging += phase * value, *factors
    return _battery("majorana_syk", _MALDACENA + _ROSSINI, charging, parameters | {"couplings": drawn.tolist()})


def _parameters(q: int, **arguments: Any) -> dict[str, Any]:
    """The arguments of a model, checked, for its record."""
    parameters = checked(**arguments)
    must(isinstance(q, int | np.integer) and q in (2, 4), "q", "be 2 or 4", q)
    if "kept" in parameters:
        must(0 < parameters["kept"] <= 1, "kept", "be a probability above 0", parameters["kept"])
    must(parameters["splitting"] > 0, "splitting", "be a positive number", parameters["splitting"])
    check_rates(dephasing=parameters.get("dephasing", 0.0))
    return parameters | {"q": int(q)}


def _charge_conserving(name: str, reference: str, site: Fermion | Spin, parameters: dict[str, Any],
                       couplings: ArrayLike | None, kept: float) -> Battery:
    """The battery of complex fermions or hard-core bosons."""
    cells, q = parameters["cells"], parameters["q"]
    groups = list(combinations(range(cells), q // 2))
    if couplings is None:
        rng = _generator(parameters)
        drawn = parameters["coupling"] / cells ** ((q - 1) / 2) * _hermitian(rng, len(groups))
        if kept < 1:
            survive = np.triu(rng.random(drawn.shape) < kept)
            drawn = drawn * (survive | survive.T) / np.sqrt(kept)
    else:
        drawn = _given(couplings, len(groups), q)
    raising, lowering = ("Cd", "C") if isinstance(site, Fermion) else ("Sp", "Sm")
    charging = Terms((site,) * cells)
    for left, row in zip(groups, drawn, strict=True):
        for right, value in zip(groups, row, strict=True):
            charging += q**2 / 4 * value, *((raising, n) for n in left), *((lowering, n) for n in right)
    return _battery(name, reference, charging,
                    parameters | {"couplings": [drawn.real.tolist(), drawn.imag.tolist()]})


def _battery(name: str, reference: str, charging: Terms, parameters: dict[str, Any]) -> Battery:
    """The cells with what charges them."""
    cells, splitting, dephasing = parameters["cells"], parameters["splitting"], parameters.get("dephasing", 0.0)
    sites = charging.sites
    fermions = isinstance(sites[0], Fermion)
    energy = Terms(sites) if fermions else each(sites, "Y", splitting / 2)
    for n in range(cells if fermions else 0):
        # the string of c_n, once more, leaves the operator of the cell alone: sigma^y = i sigma^- - i sigma^+
        string = [("P", m) for m in range(n)]
        energy += 0.5j * splitting, *string, ("C", n)
        energy += -0.5j * splitting, *string, ("Cd", n)
    jumps = list(_jumps(sites, "P" if fermions else "Z", -1 if fermions else 1, dephasing))
    lowest = np.array([-1j, 1] if fermions else [1, -1j]) / np.sqrt(2)      # the lower eigenstate of sigma^y
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=charging, jumps=jumps,
                   empty=[lowest] * cells, name=name, parameters=parameters, reference=reference)


def _jumps(sites: tuple[Site, ...], operator: str, sign: int, dephasing: float) -> Iterator[Jump]:
    """sqrt(dephasing / 2) sigma^z on every cell."""
    for n in range(len(sites) if dephasing else 0):
        yield jump(sites, sign * np.sqrt(dephasing / 2), operator, n, "dephasing")


def _generator(parameters: dict[str, Any]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([parameters["seed"], parameters["realisation"]]))


def _hermitian(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random Hermitian matrix, <|entry|^2> = 1 for each: complex off the diagonal, real on it."""
    real, imaginary = rng.normal(size=(2, size, size))
    upper = np.triu(real + 1j * imaginary, 1) / np.sqrt(2)
    return upper + upper.conj().T + np.diag(np.diag(real))


def _finite(couplings: ArrayLike, shapes: list[tuple[int, ...]], wanted: str, kinds: str) -> np.ndarray:
    """The couplings that a caller gave as an array of one of some shapes, checked."""
    try:
        values = np.asarray(couplings)
    except ValueError:      # a ragged list
        values = np.zeros(0)
    must(values.dtype.kind in kinds and values.shape in shapes and np.all(np.isfinite(values)), "couplings", wanted,
         couplings)
    return values


def _given(couplings: ArrayLike, size: int, q: int) -> np.ndarray:
    """The Hermitian couplings that a caller gave, checked."""
    values = _finite(couplings, [(size, size), (2, size, size)], f"be a {size} x {size} matrix of finite numbers over "
                     f"{'pairs of cells' if q == 4 else 'cells'}, or its real and imaginary part", "iufc")
    matrix = values.astype(complex) if values.ndim == 2 else values[0] + 1j * values[1]
    must(np.allclose(matrix, matrix.conj().T, rtol=0, atol=1e-12 * max(np.abs(matrix).max(), 1e-300)), "couplings",
         "be Hermitian, J_ijkl = conj(J_klij)", couplings)
    return matrix
