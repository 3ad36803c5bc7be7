"""Chains of free fermions between baths, solved by their covariance: a referee for steady states of any length.

With a_n = (prod_(k<n) Z_k) X_n and b_n = (prod_(k<n) Z_k) Y_n, listed as w = (a_0, b_0, a_1, ...), the transverse Ising
chain is H = (i/4) sum A_ij w_i w_j, and jumps of the end sites are linear, L = sum l_i w_i: the string of the last site
is the parity, which even observables do not see. The covariance G_ij = i <w_i w_j> (i != j) of the steady state obeys

    X G + G X^T = -4 Im M,    X = A - 2 Re M,    M = sum_L l l^+,

and Wick's theorem gives <w_i1 ... w_i2m> = (-i)^m Pf G for rising indices.
"""

import numpy as np
from scipy.linalg import solve_continuous_lyapunov


def pfaffian(matrix):
    """Pf of an antisymmetric matrix, by elimination with pivots."""
    a, result = np.array(matrix), 1.0
    for k in range(0, len(a), 2):
        p = k + 1 + int(np.argmax(np.abs(a[k + 1:, k])))
        if p != k + 1:
            a[[k + 1, p]] = a[[p, k + 1]]
            a[:, [k + 1, p]] = a[:, [p, k + 1]]
            result = -result
        if a[k, k + 1] == 0:
            return 0.0
        result *= a[k, k + 1]
        tau, row = a[k, k + 2:] / a[k, k + 1], a[k + 2:, k + 1].copy()
        a[k + 2:, k + 2:] += np.outer(tau, row) - np.outer(row, tau)
    return result


def ising_generator(n, coupling, field):
    """A of H = coupling sum X X + field sum Z."""
    a = np.zeros((2 * n, 2 * n))
    for k in range(n):
        a[2 * k, 2 * k + 1] = -2 * field
    for k in range(n - 1):
        a[2 * k + 1, 2 * k + 2] = -2 * coupling
    return a - a.T


def steady_covariance(generator, baths):
    """G of the steady state; baths: (site, rate down, rate up) of jumps sqrt(rate) s-, sqrt(rate) s+ at the ends."""
    m = np.zeros(generator.shape, dtype=complex)
    for site, down, up in baths:
        for rate, sign in ((down, -1), (up, 1)):
            l = np.zeros(len(m), dtype=complex)
            l[2 * site], l[2 * site + 1] = np.sqrt(rate) / 2, sign * 1j * np.sqrt(rate) / 2
            m += np.outer(l, l.conj())
    return solve_continuous_lyapunov(generator - 2 * m.real, -4 * m.imag)


def gibbs_covariance(generator, beta):
    """G of exp(-beta H) / Z: from H = (i/4) w A w, <w w^T> = 1 - i G = 2 / (1 + exp(beta i A))."""
    e, u = np.linalg.eigh(1j * generator)
    return (1j * (u * (1 - np.tanh(-beta * e / 2)) @ u.conj().T - 1j * np.eye(len(e)))).real


def product(left, right):
    """(phase, which Majorana operators, rising) of a product of two such."""
    (p, a), (q, b) = left, right
    behind = np.cumsum(a[::-1])[::-1] - a                                # how many of `a` stand behind each place
    return p * q * (-1) ** int(b @ behind), a ^ b


def string(n, factors):
    """A product of Pauli matrices {site: "X" | "Y" | "Z"} in Majorana operators."""
    total = (1.0, np.zeros(2 * n, dtype=int))
    for site, name in factors.items():
        one = np.zeros(2 * n, dtype=int)
        if name == "Z":
            one[2 * site:2 * site + 2] = 1
            total = product(total, (-1j, one))
            continue
        one[2 * site + (name == "Y")] = 1
        before = np.zeros(2 * n, dtype=int)
        before[:2 * site] = 1
        total = product(total, product(((-1j) ** site, before), (1.0, one)))
    return total


def mean(covariance, factors):
    """<product of Pauli matrices> of a Gaussian state."""
    phase, which = string(len(covariance) // 2, factors)
    places = np.flatnonzero(which)
    if len(places) % 2:
        return 0.0
    value = phase * (-1j) ** (len(places) // 2) * pfaffian(covariance[np.ix_(places, places)])
    assert abs(value.imag) < 1e-10
    return value.real


def teleported(covariance, coupling, field, alice, bob):
    """K_cd = <P sigma_c B_d> of qubit `bob`, B_d = tr_bob(sigma_d H) / 2, for both P = (1 +- X) / 2 of `alice`."""
    n, k = len(covariance) // 2, np.zeros((2, 3, 3))

    def both(weight, c, d, factors):
        """Adds weight <P sigma_c factors>."""
        local = {bob: c} | factors
        plain = mean(covariance, local)
        name = local.get(alice)
        measured = {s: f for s, f in local.items() if s != alice} | ({} if name else {alice: "X"})
        told = mean(covariance, measured)
        for outcome, sign in enumerate((1, -1)):
            k[outcome, "XYZ".index(c), "XYZ".index(d)] += weight * (plain + sign * told) / 2

    for c in "XYZ":
        both(field, c, "Z", {})
        for neighbour in (bob - 1, bob + 1):
            if 0 <= neighbour < n:
                both(coupling, c, "X", {neighbour: "X"})
    return k


def work(correlations):
    """tr K + s1 + s2 - sign(det K) s3 of a stack of K: the most that a unitary on the qubit draws (REFERENCES 6.1)."""
    s = np.linalg.svd(correlations, compute_uv=False)
    last = np.where(np.linalg.det(correlations) < 0, -s[:, 2], s[:, 2])
    return np.trace(correlations, axis1=1, axis2=2) + s[:, 0] + s[:, 1] - last
