"""Ground states by two-site DMRG [White 1992, PRL 69, 2863; Schollwoeck 2011, Ann. Phys. 326, 96].

Our own and not TeNPy's because it shares the effective operators of TDVP: 1.6 s against 126 s for the transverse
Ising chain of 100 sites at J = 1, h = 2 (both to 1e-11 in energy).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mps_battery.evolve.tdvp import pair_operator
from mps_battery.tensors import environment, krylov, trains
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation
from mps_battery.terms import Terms, check_terms


@dataclass(frozen=True)
class Ground:
    """A ground state with its certificate.

    Attributes:
        state: The state, normalised, orthogonality centre at site 0.
        energy: <H>.
        variance: <H^2> - <H>^2; an eigenvalue lies within sqrt(variance) of `energy`.
        outcome: A sentence.
    """

    state: MPS
    energy: float
    variance: float
    outcome: str


def ground_state(terms: Terms, truncation: Truncation | None = None, sweeps: int = 40, tolerance: float = 1e-12
                 ) -> Ground:
    """The lowest state of Hermitian terms of any range.

    Starts from a random state of fixed seed; where several lowest states have equal energy one of them, or a
    superposition, is returned.

    Args:
        terms: H.
        truncation: Bond cap and discarded weight; default bond 256, weight 1e-14.
        sweeps: Largest number of sweeps, there and back.
        tolerance: Stop when a sweep changes the energy by less than this fraction.

    Returns:
        The state, its energy, and the energy variance as certificate.
    """
    check_terms("terms", terms, hermitian=True)
    truncation = truncation or Truncation(256, 1e-14)
    if len(terms.sites) == 1 or np.prod([float(s.d) for s in terms.sites]) <= 2**8:
        e, u = np.linalg.eigh(terms.to_dense())
        return Ground(MPS.from_dense(terms.sites, u[:, 0]).canonical(0), float(e[0]), 0.0, "Diagonalised exactly.")
    mpo = terms.to_mpo()
    tensors = _random_start([s.d for s in terms.sites], min(8, truncation.bond))
    energy, settled, count = np.inf, 0, 0
    for count in range(1, sweeps + 1):
        # bonds open slowly: the first sweeps only find the neighbourhood
        cap = min(truncation.bond, 16 * 2 ** (count // 2))
        before, energy = energy, _sweep(tensors, mpo.tensors, Truncation(cap, max(truncation.weight, 10.0 ** (-6 - 2 * count))))
        settled = settled + 1 if abs(energy - before) <= tolerance * max(1.0, abs(energy)) else 0
        if settled == 2:
            break
    state = MPS(terms.sites, [tensors[0] / np.linalg.norm(tensors[0]), *tensors[1:]], 0)
    energy = environment.expectation(state.tensors, mpo.tensors).real
    square = environment.expectation(state.tensors, (mpo @ mpo).compress().tensors).real
    variance = max(0.0, square - energy**2)
    sentence = f"Converged in {count} sweeps" if settled == 2 else f"Not converged in {sweeps} sweeps"
    return Ground(state, energy, variance, f"{sentence}: bond {max(state.bonds)}, energy variance {variance:.1e}.")


def _random_start(dims: list[int], bond: int) -> list[np.ndarray]:
    """A right-canonical random train."""
    rng = np.random.default_rng(0)
    left = np.minimum(np.cumprod([1.0, *dims]), bond).astype(int)
    right = np.minimum(np.cumprod([1.0, *dims[::-1]]), bond).astype(int)[::-1]
    b = np.minimum(left, right)
    train = [rng.normal(size=(b[n], d, b[n + 1])) + 1j * rng.normal(size=(b[n], d, b[n + 1]))
             for n, d in enumerate(dims)]
    return trains.right_canonical(train)


def _sweep(tensors: list[np.ndarray], mpo: list[np.ndarray], truncation: Truncation) -> float:
    """Right and back, in place; returns the last local energy."""
    last, energy = len(tensors) - 2, 0.0
    left = [environment.edge()]
    right = environment.right_environments(tensors, mpo)
    for rightward in (True, False):
        for b in range(last + 1) if rightward else range(last, -1, -1):
            # 1. the lowest vector of the pair
            theta = np.tensordot(tensors[b], tensors[b + 1], 1)                    # vL p [v]; [v] q vR
            operator = pair_operator(left[b], mpo[b], mpo[b + 1], right[b + 1])
            energy, theta, _ = krylov.lowest(operator, theta / np.linalg.norm(theta))
            # 2. split and truncate
            l, d, e, r = theta.shape
            u, s, v = np.linalg.svd(theta.reshape(l * d, e * r), full_matrices=False)
            keep, *_ = truncation.kept(s * s)
            u, s, v = u[:, :keep].reshape(l, d, keep), s[:keep] / np.linalg.norm(s[:keep]), v[:keep].reshape(keep, e, r)
            tensors[b] = u if rightward else u * s
            tensors[b + 1] = s[:, None, None] * v if rightward else v
            # 3. absorb the finished site into its environment
            if rightward and b < last:
                left.append(environment.from_left(left[b], u, mpo[b]))
            elif not rightward and b > 0:
                right[b] = environment.from_right(right[b + 1], v, mpo[b + 1])
    return energy
