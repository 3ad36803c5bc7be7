"""Reference solutions of open systems that share no code with the engine; conventions as in `solved`.

    Lindblad matrix      lindblad_matrix, evolve_density
    boundary driving     dephased_xx, MaximalDriving
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import expm

Array = np.ndarray


def lindblad_matrix(H: Array, jumps: Sequence[Array]) -> Array:
    """The matrix of d rho / dt = -i [H, rho] + sum L rho L+ - {L+ L, rho} / 2 on rho.ravel() (rows first)."""
    one = np.eye(len(H))
    # (A rho B).ravel() = kron(A, B^T) rho.ravel()
    total = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for jump in jumps:
        decay = jump.conj().T @ jump
        total = total + np.kron(jump, jump.conj()) - 0.5 * (np.kron(decay, one) + np.kron(one, decay.T))
    return total


def evolve_density(H: Array, jumps: Sequence[Array], rho: Array, time: float) -> Array:
    """rho after `time`."""
    return (expm(time * lindblad_matrix(H, jumps)) @ rho.ravel()).reshape(rho.shape)


def dephased_xx(N: int, gamma: float, mu: float, dephasing: float) -> tuple[float, Array]:
    """(current, <Z_n>) of the steady state of REFERENCES 4.1: H = sum XX + YY, ends driven, dephasing on every site.

    Jumps sqrt(gamma (1 + mu)) s+_1, sqrt(gamma (1 - mu)) s-_1, the opposite at the other end, sqrt(dephasing/2) Z_n.
    j = 8 mu / (4/gamma + gamma + (N - 1) dephasing) with j = 2 <X_n Y_(n+1) - Y_n X_(n+1)>; <Z_1> = mu - j/(2 gamma);
    <Z> drops by (2 dephasing + gamma) j/8 over the edge bonds and by dephasing j/4 over the others.
    """
    j = 8 * mu / (4 / gamma + gamma + (N - 1) * dephasing)
    drops = np.full(N - 1, dephasing * j / 4)
    drops[[0, -1]] = (2 * dephasing + gamma) * j / 8
    z = mu - j / (2 * gamma) - np.r_[0.0, np.cumsum(drops)]
    return j, z


def maximal_driving_current(N: int, delta: float, epsilon: float) -> float:
    """Current of the XXZ chain with jumps sqrt(2 epsilon) s+_1, sqrt(2 epsilon) s-_N [Prosen 2011; REFERENCES 4.2].

    Z_n = (T^n)_00 with T_kk = 2 |sin l(s - k)|^2, T_(k,k+1) = |sin (k+1) l|^2, T_(k+1,k) = |sin (2s - k) l|^2,
    delta = cos l and tan(l s) = -2i sin(l) / epsilon; j = 4 |sin l sin 2 l s| Z_(N-1) / Z_N. At delta = 1 the sines
    become their arguments and s = -2i / epsilon.
    """
    k = np.arange(N + 1)
    if delta == 1:
        diagonal, up, down = 2 * (4 / epsilon**2 + k**2), (k + 1.0) ** 2, 16 / epsilon**2 + k**2
        factor = 16 / epsilon
    else:
        l = np.arccos(delta + 0j)
        s = np.arctan(-2j * np.sin(l) / epsilon) / l
        diagonal = 2 * np.abs(np.sin(l * (s - k))) ** 2
        up, down = np.abs(np.sin((k + 1) * l)) ** 2, np.abs(np.sin((2 * s - k) * l)) ** 2
        factor = float(4 * np.abs(np.sin(l) * np.sin(2 * l * s)))
    T = np.diag(diagonal) + np.diag(up[:-1], 1) + np.diag(down[:-1], -1)
    v, norms = np.eye(N + 1)[0], []
    log = 0.0
    for _ in range(N):
        v = v @ T
        norms.append((v[0], log))
        log += np.log(np.abs(v).max())
        v = v / np.abs(v).max()
    (last, a), (before, b) = norms[-1], norms[-2]
    return float(factor * before / last * np.exp(b - a))


def collective_heat(n, rate, splitting, hot, cold):
    """Heat per time from the hot to the cold bath through n cells that couple to both collectively, from all down.

    J_+ and J_- lead along the ladder of symmetric states with one ratio of rates, (hot + cold) / (hot + cold + 2).
    """
    k = np.arange(n + 1)                                   # excitations
    share = ((hot + cold) / (hot + cold + 2)) ** k
    share = share / share.sum()
    up, down = (n - k) * (k + 1), k * (n - k + 1)
    return rate * splitting * (hot * share @ up - (hot + 1) * share @ down)


def product_basis(sites):
    """Columns: the ravelled products of the local bases of density sites, first site slowest."""
    columns = np.ones((1, 1, 1))
    for site in sites:
        columns = np.einsum("aij,bkl->abikjl", columns, site.basis)
        columns = columns.reshape(columns.shape[0] * columns.shape[1], columns.shape[2] * columns.shape[3], -1)
    return columns.reshape(len(columns), -1).T
