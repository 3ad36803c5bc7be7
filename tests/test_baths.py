"""Baths and noise channels against rates and maps written down by hand."""

import numpy as np
import pytest
import solved
import solved_open

import mps_battery as mb
from mps_battery import channels

RNG = np.random.default_rng


def random_density(d, rng):
    a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    rho = a @ a.conj().T
    return rho / np.trace(rho).real


def mapped(kraus, rho):
    return sum(k @ rho @ k.conj().T for k in kraus)


# -- baths ---------------------------------------------------------------------------------------------------------
def secular_matrix(h, coupling, beta, spectrum, at_zero):
    """Davies' dissipator entry by entry: A_mn |m><n| and A_kl |k><l| act together where E_n - E_m = E_l - E_k."""
    e, v = np.linalg.eigh(h)
    a, d = v.conj().T @ coupling @ v, len(e)
    total = np.zeros((d * d, d * d), dtype=complex)
    one = np.eye(d)
    for m in range(d):
        for n in range(d):
            w = e[n] - e[m]                                          # energy that goes to the bath
            if abs(w) < 1e-9:
                g = at_zero
            else:
                n_bose = 1 / (np.exp(beta * abs(w)) - 1)
                g = spectrum(abs(w)) * (n_bose + 1 if w > 0 else n_bose)
            left = a[m, n] * np.outer(v[:, m], v[:, n].conj())
            for k in range(d):
                for l in range(d):
                    if abs(e[l] - e[k] - w) < 1e-9:
                        right = a[k, l] * np.outer(v[:, k], v[:, l].conj())
                        both = right.conj().T @ left
                        total += g * (np.kron(left, right.conj())
                                      - 0.5 * (np.kron(both, one) + np.kron(one, both.T)))
    return total


@pytest.mark.parametrize("ohmic", [True, False])
def test_davies_jumps_are_the_secular_rates(ohmic):
    """With gaps that are equal to rounding, a part at zero frequency, and an Ohmic or another spectrum."""
    sites, beta = [mb.Spin()] * 2, 0.7
    h, coupling = mb.Terms(sites), mb.Terms(sites)
    for n, (x, z) in enumerate(((0.3, 0.7), (0.7, 0.3))):
        h += x, ("X", n)
        h += z, ("Z", n)
    coupling += 1.0, ("X", 0)
    coupling += 0.5, ("Y", 1)
    coupling += 0.4, ("Z", 1)
    coupling += 0.3, ("X", 0), ("Y", 1)

    def smooth(w):
        return 3 * w * np.exp(-w / 4)

    jumps = mb.davies_jumps(h, coupling, beta, spectrum=None if ohmic else smooth, bath="room")
    found = solved_open.lindblad_matrix(np.zeros((4, 4)), [j.terms.to_dense() for j in jumps])
    # J(w) n(w) -> J'(0) / beta
    expected = secular_matrix(h.to_dense(), coupling.to_dense(), beta, (lambda w: w) if ohmic else smooth,
                              (1 if ohmic else 3) / beta)
    assert np.abs(found - expected).max() < 1e-5
    assert {j.bath for j in jumps} == {"room"}


@pytest.mark.parametrize("statistics", ["bose", "fermi"])
def test_rates_of_a_local_bath(statistics):
    """Down rate (1 +- n), up rate n, at a rate that is not one."""
    lower = mb.Terms([mb.Spin()] * 2)
    lower += 1.0, ("Sm", 1)
    frequency, beta, rate = 1.5, 0.9, 0.35
    n = 1 / (np.exp(beta * frequency) + (-1 if statistics == "bose" else 1))
    down, up = mb.thermal_jumps(lower, frequency, beta, rate=rate, statistics=statistics, bath="cold")
    s = solved.pauli_string(2, {1: np.array([[0, 0], [1, 0]])})
    assert np.allclose(down.terms.to_dense(), np.sqrt(rate * (1 + n if statistics == "bose" else 1 - n)) * s)
    assert np.allclose(up.terms.to_dense(), np.sqrt(rate * n) * s.T)
    assert down.bath == up.bath == "cold"


# -- channels ------------------------------------------------------------------------------------------------------
def test_channels_in_closed_form():
    rho = random_density(2, RNG(1))
    x, y, z = (np.trace(p @ rho).real for p in (solved.X, solved.Y, solved.Z))
    p = 0.3
    assert np.allclose(mapped(channels.depolarising(p), rho), (1 - p) * rho + p * np.eye(2) / 2)
    a, b, c = 0.1, 0.2, 0.05
    shrunk = mapped(channels.pauli(a, b, c), rho)
    bloch = [np.trace(q @ shrunk).real for q in (solved.X, solved.Y, solved.Z)]
    assert np.allclose(bloch, [(1 - 2 * (b + c)) * x, (1 - 2 * (a + c)) * y, (1 - 2 * (a + b)) * z])
    damped = mapped(channels.amplitude_damping(p, 0.2), rho)
    assert damped[0, 0].real == pytest.approx((1 - p) * rho[0, 0].real + p * 0.2)
    assert damped[0, 1] == pytest.approx(np.sqrt(1 - p) * rho[0, 1])
    assert np.allclose(mapped(channels.amplitude_damping(1.0), rho), np.diag([0, 1]))


def test_correlated_channel_in_closed_form():
    """Chance `correlation`: both suffer the same; else each for itself."""
    rho, weights, correlation = random_density(4, RNG(2)), [0.6, 0.1, 0.25, 0.05], 0.7
    paulis = [np.eye(2), solved.X, solved.Y, solved.Z]
    same = sum(p * np.kron(o, o) @ rho @ np.kron(o, o) for p, o in zip(weights, paulis, strict=True))
    apart = sum(p * q * np.kron(o, u) @ rho @ np.kron(o, u) for p, o in zip(weights, paulis, strict=True)
                for q, u in zip(weights, paulis, strict=True))
    found = mapped(channels.correlated_pauli(weights, correlation), rho)
    assert np.allclose(found, correlation * same + (1 - correlation) * apart)


def test_complex_channels_on_unequal_sites():
    """Kraus operators without symmetry, on one site and on two of different dimension, of a normalised density."""
    sites, rng = [mb.Spin(), mb.Levels("gef"), mb.Spin()], RNG(3)
    rho = random_density(12, rng)
    for where, before, d, after in (([1], 2, 3, 2), ([0, 1], 1, 6, 2), ([1, 2], 2, 6, 1)):
        raw = [rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d)) for _ in range(2)]
        root = np.linalg.cholesky(sum(k.conj().T @ k for k in raw)).conj().T
        kraus = [k @ np.linalg.inv(root) for k in raw]
        whole = [np.kron(np.kron(np.eye(before), k), np.eye(after)) for k in kraus]
        found = mb.apply_channel(mb.Density.from_dense(sites, rho), kraus, where)
        assert np.abs(found.to_dense() - mapped(whole, rho)).max() < 1e-12
        assert found.trace == pytest.approx(1, abs=1e-12)
