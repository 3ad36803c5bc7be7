"""Reference solutions that share no code with the engine: numpy and scipy only, each with formula and source.

Conventions: hbar = 1; Z|0> = +|0> ("up" is basis index 0); site 0 is the most significant index of a
vector; X, Y, Z are Pauli matrices and S = sigma / 2; entropies in nats. "REFERENCES" is the project's list
of reference results.

Contents:
    dense helpers       pauli_string, dense, evolve, reduced, partial_trace, entropy, cut_entropy
    open Ising quench   IsingQuench (free fermions, any N)
    periodic quench     ring_quench, bulk_quench, bulk_plateau
    parallel charging   isotropic_charging
    local ergotropy     local_extremes (quaternion), local_extremes_search, local_ergotropy_bruteforce,
                        correlation_matrix, local_ergotropy_closed_form
    many-body localised chain   mbl_table_fields, mbl_reference
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import expm
from scipy.optimize import minimize

Array = np.ndarray

I2 = np.eye(2)
X = np.array([[0.0, 1.0], [1.0, 0.0]])
Y = np.array([[0.0, -1j], [1j, 0.0]])
Z = np.diag([1.0, -1.0])
PAULI = np.stack([X, Y, Z])  # a, row, column


# -- dense helpers -----------------------------------------------------------------------------------------
def pauli_string(N: int, factors: Mapping[int, Array], d: int = 2) -> Array:
    """The product of one-site matrices {site: (d, d)} on N sites, identities elsewhere; (d^N, d^N)."""
    if not all(0 <= n < N for n in factors):
        raise ValueError(f"sites must be from 0 to {N - 1}, but are {list(factors)}")
    matrix = np.eye(1)
    for n in range(N):
        matrix = np.kron(matrix, factors.get(n, np.eye(d)))
    return matrix


def dense(N: int, terms: Iterable[tuple[complex, Mapping[int, Array]]], d: int = 2) -> Array:
    """sum of coefficient * pauli_string, as a (d^N, d^N) matrix."""
    matrix: Array = np.zeros((d**N, d**N))
    for coefficient, factors in terms:
        matrix = matrix + coefficient * pauli_string(N, factors, d)
    return matrix


def evolve(H: Array, psi: Array, times: float | Array) -> Array:
    """exp(-i H t) psi by full diagonalisation; shape of `times` + (dim,)."""
    energies, vectors = np.linalg.eigh(H)
    phases = np.exp(-1j * np.multiply.outer(np.asarray(times, dtype=float), energies))
    return phases * (vectors.conj().T @ psi) @ vectors.T


def reduced(psi: Array, keep: Sequence[int], N: int, d: int = 2) -> Array:
    """Reduced density matrix of the sites `keep`, in the order given, from vectors (..., d^N)."""
    batch = psi.shape[:-1]
    tensor = psi.reshape(*batch, *(d,) * N)
    rest = [n for n in range(N) if n not in keep]
    tensor = tensor.transpose(*range(len(batch)), *(len(batch) + n for n in [*keep, *rest]))
    matrix = tensor.reshape(*batch, d ** len(keep), -1)  # ..., kept, [rest]
    return matrix @ matrix.conj().swapaxes(-1, -2)


def partial_trace(rho: Array, keep: Sequence[int], N: int, d: int = 2) -> Array:
    """Reduced density matrix of the sites `keep`, in the order given, from a (d^N, d^N) matrix."""
    rest = [n for n in range(N) if n not in keep]
    order = [*keep, *rest]
    tensor = rho.reshape((d,) * (2 * N)).transpose(order + [N + n for n in order])
    k, r = d ** len(keep), d ** len(rest)
    return np.trace(tensor.reshape(k, r, k, r), axis1=1, axis2=3)  # kept, [rest], kept*, [rest*]


def _shannon(p: Array) -> Array:
    """-sum p ln p over the last axis, with 0 ln 0 = 0."""
    p = np.clip(p, 0.0, None)
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)


def entropy(rho: Array) -> Array:
    """von Neumann entropy of density matrices (..., D, D), in nats."""
    return _shannon(np.linalg.eigvalsh(rho))


def cut_entropy(psi: Array, left: int, d: int = 2) -> Array:
    """Entanglement entropy between the first `left` sites and the rest, of vectors (..., d^N), in nats."""
    schmidt = np.linalg.svd(psi.reshape(*psi.shape[:-1], d**left, -1), compute_uv=False)
    return _shannon(schmidt**2)


# -- the open transverse-field Ising chain after a quench ----------------------------------------------------
class IsingQuench:
    """Open chain H = -sum_n J_n X_n X_{n+1} - sum_n h_n Z_n: ground state of (J0, h0), evolved with (J1, h1).

    Free fermions [Lieb, Schultz, Mattis, Ann. Phys. 16, 407 (1961)] in Majorana form. With
    a_n = (prod_{m<n} Z_m) X_n and b_n = (prod_{m<n} Z_m) Y_n one has Z_n = -i a_n b_n and
    X_n X_{n+1} = -i b_n a_{n+1}, so that H = i sum_{mn} B_mn a_m b_n with B_nn = h_n, B_{n+1,n} = -J_n.
    Let B = U diag(e) V^T. The state of lowest energy has <i a_m b_n> = -(U V^T)_mn and parity
    prod_n Z_n = det(U V^T); where that is -1, the mode of smallest e is filled, which gives the lowest state
    of the even sector. For h0 > 0 this is the ground state; for h0 = 0 it is the even cat. The Majoranas
    w = (a, b) evolve as w(t) = exp(A t) w with A = [[0, 2B], [-2B^T, 0]] of (J1, h1), so that the covariance
    G_ij = (i/2) <[w_i, w_j]> becomes exp(A t) G exp(A t)^T. The first l sites have entropy sum_k s(nu_k),
    +-nu_k the eigenvalues of i G on their Majoranas and s the binary entropy of (1 + nu)/2
    [Vidal et al., PRL 90, 227902 (2003)].

    Args:
        N: Number of sites.
        J0: Couplings of the initial Hamiltonian; a number or N - 1 of them.
        h0: Its fields; a number or N of them.
        J1: Couplings of the Hamiltonian that acts during charging.
        h1: Its fields.
    """

    def __init__(self, N: int, J0: float | Array, h0: float | Array, J1: float | Array,
                 h1: float | Array) -> None:
        self.N = N
        self.B0, self.B1 = self._couplings(J0, h0), self._couplings(J1, h1)

    def _couplings(self, J: float | Array, h: float | Array) -> Array:
        J, h = np.broadcast_to(J, (self.N - 1,)), np.broadcast_to(h, (self.N,))
        return np.diag(h).astype(float) - np.diag(J, -1)

    @cached_property
    def _initial(self) -> Array:
        """Covariance of the initial state, (2N, 2N) in the order a_0..a_{N-1}, b_0..b_{N-1}."""
        U, _, Vt = np.linalg.svd(self.B0)
        if np.linalg.slogdet(U @ Vt)[0] < 0:
            U[:, -1] *= -1
        zero = np.zeros((self.N, self.N))
        return np.block([[zero, -U @ Vt], [(U @ Vt).T, zero]])

    @cached_property
    def _modes(self) -> tuple[Array, Array, Array]:
        return np.linalg.svd(self.B1)

    def covariance(self, t: float) -> Array:
        """G_ij = (i/2) <[w_i, w_j]> at time t, (2N, 2N) in the order a_0..a_{N-1}, b_0..b_{N-1}."""
        U, e, Vt = self._modes
        cos, sin = np.cos(2 * e * t), np.sin(2 * e * t)
        flow = np.block([[U * cos @ U.T, U * sin @ Vt], [-Vt.T * sin @ U.T, Vt.T * cos @ Vt]])
        return flow @ self._initial @ flow.T

    def _ab(self, t: float) -> Array:
        """<i a_m b_n>, (N, N)."""
        return self.covariance(t)[: self.N, self.N :]

    def energy0(self, t: float) -> float:
        """<H(J0, h0)> at time t: the energy in the battery; minus its value at t = 0, the stored energy."""
        return float(np.sum(self.B0 * self._ab(t)))

    def energy1(self, t: float) -> float:
        """<H(J1, h1)> at time t; conserved."""
        return float(np.sum(self.B1 * self._ab(t)))

    def z(self, t: float) -> Array:
        """<Z_n> at time t, (N,)."""
        return -np.diag(self._ab(t))

    def xx(self, t: float) -> Array:
        """<X_n X_{n+1}> at time t, (N - 1,)."""
        return np.diag(self._ab(t), -1).copy()

    def entropy(self, left: int, t: float) -> float:
        """Entanglement entropy of the first `left` sites at time t, in nats."""
        kept = np.r_[:left, self.N : self.N + left]
        occupations = (1 + np.linalg.eigvalsh(1j * self.covariance(t)[np.ix_(kept, kept)])) / 2
        return float(_shannon(occupations))  # the pair (1 + nu)/2, (1 - nu)/2 is one mode


# -- the periodic and the infinite Ising chain ---------------------------------------------------------------
def _pseudo_field(k: Array, J: float, h: float) -> Array:
    """d(k) = 2 (J sin k, h - J cos k), (2, K)."""
    return 2 * np.stack([J * np.sin(k), h - J * np.cos(k)])


def _pair_energy(k: Array, start: tuple[float, float], charge: tuple[float, float]) -> tuple[Array, Array]:
    """(2 |d0| |n0 x n1|^2, |d1|) of every k, each (K,)."""
    d0, d1 = _pseudo_field(k, *start), _pseudo_field(k, *charge)
    e0, e1 = np.linalg.norm(d0, axis=0), np.linalg.norm(d1, axis=0)
    cross = (d0[0] * d1[1] - d0[1] * d1[0]) / (e0 * e1)
    return 2 * e0 * cross**2, e1


def ring_quench(N: int, start: tuple[float, float], charge: tuple[float, float],
                times: float | Array) -> Array:
    """Stored energy W of the periodic chain H = -J sum XX - h sum Z, even parity, even N [REFERENCES 1.1].

    H = sum_{k>0} Psi_k^+ d(k).tau Psi_k with k = (2m + 1) pi / N, and
    W(t) = sum_{k>0} 2 |d0| sin^2(|d1| t) |n0 x n1|^2, n = d / |d|.

    Args:
        N: Number of sites, even.
        start: (J0, h0), whose even ground state is the empty battery and whose H is its energy.
        charge: (J1, h1), which acts for the time t.
        times: Charging times.

    Returns:
        W in the shape of `times`.
    """
    weight, e1 = _pair_energy((2 * np.arange(N // 2) + 1) * np.pi / N, start, charge)
    return np.sin(np.multiply.outer(times, e1)) ** 2 @ weight


def bulk_quench(start: tuple[float, float], charge: tuple[float, float], times: float | Array) -> Array:
    """W / N of `ring_quench` for N -> infinity: the sum over k > 0 becomes N/(2 pi) int_0^pi dk.

    W(t)/N = (1/2 pi) int_0^pi dk 2 |d0| sin^2(|d1| t) |n0 x n1|^2, by Gauss-Legendre nodes. Exponentially
    convergent, since the integrand is analytic on [0, pi] even at criticality, where it has a kink at k = 0.
    """
    times = np.asarray(times, dtype=float)
    bandwidth = 4 * (abs(charge[0]) + abs(charge[1]))
    nodes, weights = np.polynomial.legendre.leggauss(200 + int(2 * bandwidth * np.max(np.abs(times))))
    weight, e1 = _pair_energy(np.pi * (nodes + 1) / 2, start, charge)
    return np.sin(np.multiply.outer(times, e1)) ** 2 @ (weight * weights) / 4  # pi/2 of the map, 1/(2 pi)


def bulk_plateau(start: tuple[float, float], charge: tuple[float, float]) -> float:
    """Time average of `bulk_quench`: (1/2 pi) int_0^pi dk |d0| |n0 x n1|^2 (sin^2 -> 1/2)."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    weight, _ = _pair_energy(np.pi * (nodes + 1) / 2, start, charge)
    return float(weight @ weights / 8)


# -- parallel charging ---------------------------------------------------------------------------------------
def isotropic_charging(B: float, omega: float, times: float | Array, battery_on: bool = True) -> Array:
    """W / N of cells B Z, all down, charged by omega X, with any isotropic g_ij (XX + YY + ZZ) between them.

    A polarised product state is an eigenstate of every exchange g_ij, so the cells never entangle:
    W/N = 2 B (omega/Omega)^2 sin^2(Omega t), Omega^2 = B^2 + omega^2; with B Z switched off, Omega = omega
    [REFERENCES 1.2; Le et al., PRA 97, 022106 (2018)].
    """
    Omega = np.hypot(B, omega) if battery_on else omega
    return 2 * B * (omega / Omega) ** 2 * np.sin(Omega * np.asarray(times)) ** 2


# -- local ergotropy -----------------------------------------------------------------------------------------
def local_extremes(rho: Array, h: Array, n: int, N: int) -> tuple[float, float]:
    """(min, max) over U in SU(2) on site n of tr(U rho U^+ h), exact.

    U = q_0 + i q.sigma with |q| = 1 makes the energy a quadratic form q^T M q of the quaternion, with
    M_ij = Re tr(Q_i rho Q_j^+ h), Q = (1, i X, i Y, i Z): its extremes are the extreme eigenvalues of M.
    """
    Q = [pauli_string(N, {n: u}) for u in (I2, 1j * X, 1j * Y, 1j * Z)]
    M = np.array([[np.sum((a @ rho @ b.conj().T) * h.T).real for b in Q] for a in Q])
    eigenvalues = np.linalg.eigvalsh((M + M.T) / 2)
    return float(eigenvalues[0]), float(eigenvalues[-1])


def local_extremes_search(rho: Array, h: Array, n: int, N: int, rng: np.random.Generator,
                          starts: int = 6) -> tuple[float, float]:
    """(min, max) as in `local_extremes`, by search over U = exp(i theta.sigma) from random theta."""

    def energy(theta: Array, sign: float) -> float:
        U = pauli_string(N, {n: expm(1j * np.tensordot(theta, PAULI, 1))})
        return sign * np.sum((U @ rho @ U.conj().T) * h.T).real

    def best(sign: float) -> float:
        angles = rng.uniform(-np.pi, np.pi, (starts, 3))
        return sign * min(minimize(energy, x, args=(sign,), method="BFGS").fun for x in angles)

    return best(1.0), best(-1.0)


def local_ergotropy_bruteforce(rho: Array, h: Array, n: int, N: int,
                               rng: np.random.Generator) -> tuple[float, float]:
    """(local ergotropy E - min, local capacity max - min) of site n by `local_extremes_search`."""
    low, high = local_extremes_search(rho, h, n, N, rng)
    return float(np.sum(rho * h.T).real) - low, high - low


def correlation_matrix(rho: Array, h: Array, n: int, N: int) -> Array:
    """K_ab = <sigma^b_n B_a>, B_a = (1/2) Tr_n[sigma^a_n h], (3, 3) real [REFERENCES 6.1], fully dense."""
    rest = [m for m in range(N) if m != n]
    B = [partial_trace(pauli_string(N, {n: s}) @ h, rest, N) / 2 for s in PAULI]
    states = [partial_trace(pauli_string(N, {n: s}) @ rho, rest, N) for s in PAULI]
    return np.array([[np.sum(state * b.T).real for state in states] for b in B])


def local_ergotropy_closed_form(K: Array) -> tuple[Array, Array]:
    """(local ergotropy, local capacity) from K (..., 3, 3): Tr K + s1 + s2 - sign(det K) s3, 2 (s1 + s2).

    s1 >= s2 >= s3 are the singular values of K [REFERENCES 6.1; Salvia et al., PRA 107, 012405 (2023)].
    """
    s = np.linalg.svd(K, compute_uv=False)
    pair = s[..., 0] + s[..., 1]
    return np.trace(K, axis1=-2, axis2=-1) + pair - np.sign(np.linalg.det(K)) * s[..., 2], 2 * pair


# -- the disordered Heisenberg chain -------------------------------------------------------------------------
class MBLReference(NamedTuple):
    """What `mbl_reference` returns; arrays (..., times), the leading axes those of the fields."""

    imbalance: Array
    entropy: Array
    local_ergotropy: Array
    local_capacity: Array


def mbl_table_fields(W: float, samples: int) -> Array:
    """Fields of the L = 10 baseline [REFERENCES 7]: successive draws of one generator, (samples, 10)."""
    return np.random.default_rng(5).uniform(-W, W, (samples, 10))


def mbl_reference(fields: Array, times: Sequence[float], site: int = 5) -> MBLReference:
    """Neel state (up on even sites) under H = sum S.S + sum_n h_n Sz_n, open chain, exact in its Sz sector.

    imbalance = (1/L) sum_n (-1)^n <Z_n>; entropy at the centre cut; local ergotropy and capacity of `site`
    with H itself as the energy, from K_ab = (1/4) sum_m <sigma^b_n sigma^a_m> + (h_n/2) delta_az <sigma^b_n>,
    n = site and m its neighbours [REFERENCES 6.1].

    Args:
        fields: h_n, (..., L) with even L.
        times: Times of the records, any order.
        site: Site of the local ergotropy, counted from 0.
    """
    fields, times = np.asarray(fields, dtype=float), np.asarray(times, dtype=float)
    L = fields.shape[-1]
    words = np.array([w for w in range(2**L) if w.bit_count() == L // 2])
    bits = words[:, None] >> np.arange(L - 1, -1, -1) & 1  # site 0 most significant, 0 = up
    exchange = _exchange(words, L)
    neel = np.searchsorted(words, sum(1 << (L - 1 - n) for n in range(1, L, 2)))
    records = []
    for h in fields.reshape(-1, L):
        energies, vectors = np.linalg.eigh(exchange + np.diag((0.5 - bits) @ h))
        phases = np.exp(-1j * np.multiply.outer(times, energies))
        psi = np.zeros((len(times), 2**L), dtype=complex)
        psi[:, words] = phases * vectors[neel] @ vectors.T
        z = np.abs(psi[:, words]) ** 2 @ (1 - 2 * bits)
        K = _heisenberg_correlations(psi, h[site], site, L)
        imbalance = z @ (-1.0) ** np.arange(L) / L
        records.append((imbalance, cut_entropy(psi, L // 2), *local_ergotropy_closed_form(K)))
    shape = (*fields.shape[:-1], len(times))
    return MBLReference(*(np.reshape(record, shape) for record in zip(*records, strict=True)))


def _exchange(words: Array, L: int) -> Array:
    """sum_n S_n.S_{n+1} on the basis `words`; S.S = P/2 - 1/4 with P the exchange of two sites."""
    H = np.zeros((len(words),) * 2)
    columns = np.arange(len(words))
    for n in range(L - 1):
        differ = (words >> n ^ words >> n + 1) & 1
        H[np.searchsorted(words, words ^ differ * (3 << n)), columns] += 0.5
        H[columns, columns] -= 0.25
    return H


def _heisenberg_correlations(psi: Array, h: float, n: int, L: int) -> Array:
    """K_ab of site n in states (T, 2^L), (T, 3, 3)."""
    K = np.zeros((len(psi), 3, 3))
    for m in (m for m in (n - 1, n + 1) if 0 <= m < L):
        pair = reduced(psi, [n, m], L).reshape(-1, 2, 2, 2, 2)  # t, n, m, n*, m*
        K += np.einsum("tijkl,bki,alj->tab", pair, PAULI, PAULI).real / 4
    K[:, 2] += h / 2 * np.einsum("tij,bji->tb", reduced(psi, [n], L), PAULI).real
    return K
