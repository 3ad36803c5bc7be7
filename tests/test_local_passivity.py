"""Strong local passivity: the closed form of a pair, Gibbs states of the exchange, a search over channels."""

import numpy as np
import pytest
import searched
from scipy.optimize import minimize

import mps_battery as mb
from mps_battery.measure.work.local_passivity import strong_local_passivity

QUBIT = mb.Spin()


@pytest.mark.parametrize("coupling", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("populations", [(0.7, 0.2, 0.07, 0.03), (0.4, 0.1, 0.3, 0.2), (0.97, 0.01, 0.01, 0.01),
                                         (0.1, 0.2, 0.3, 0.4), (0.25, 0.25, 0.25, 0.25), (0.05, 0.9, 0.05, 0.0)])
def test_passive_pair(coupling, populations):
    """REFERENCES 5.7 [Frey, Funo, Hotta 2014]: the most that any channel on one of two qubits draws."""
    p0, p1, p2, p3 = populations
    terms = mb.Terms([QUBIT] * 2)
    for entry in ((1.0, ("Z", 0)), (1.0, ("Z", 1)), (coupling, ("X", 0), ("X", 1))):
        terms += entry
    vectors = np.linalg.eigh(terms.to_dense())[1]
    state = mb.Density.from_dense(terms.sites, (vectors * populations) @ vectors.conj().T)
    m = np.sqrt(coupling**2 + 4)
    eta, xi = 2 / m * (p0 - p3), coupling**2 / m * (p0 - p3) + coupling * (p1 - p2)
    smooth = abs(eta * xi) < 1 - eta**2
    expected = (np.sqrt((1 - eta**2 + xi**2) / (1 - eta**2)) if smooth else abs(xi) + abs(eta)) - xi - eta
    found = strong_local_passivity(state, terms, 0)
    assert found.drawn == pytest.approx(expected, abs=1e-9)
    assert found.passive == (expected < 1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_exchange_pair_is_passive(temperature):
    """Gibbs states of X X + Y Y + Z Z are strongly locally passive at every temperature."""
    terms = mb.Terms([QUBIT] * 2)
    for a in "XYZ":
        terms += 1.0, (a, 0), (a, 1)
    assert strong_local_passivity(mb.thermal_state(terms, 1 / temperature).state, terms, 1).passive


@pytest.mark.parametrize("seed", range(4))
def test_channels_draw_no_more(seed):
    """The certificate against a search over all channels of four Kraus operators."""
    rng = np.random.default_rng(seed)
    terms = searched.random_terms(rng, [QUBIT] * 3, 4, 2)
    state, rho = searched.random_state(rng, terms.sites, 1 + seed % 3)
    h = terms.to_dense()
    here = np.sum(rho * h.T).real
    a, b = rho.reshape(2, 2, 2, 2, 2, 2), h.reshape(2, 2, 2, 2, 2, 2)
    near = np.einsum("xbyzdw,zcwxay->acbd", a, b)            # site 1: sum K_ab conj(K_cd) near_acbd

    def energy(v):
        q, r = np.linalg.qr(v.view(complex).reshape(8, 2))
        k = (q * np.exp(1j * np.angle(np.diag(r)))).reshape(4, 2, 2)
        return np.einsum("zab,zcd,acbd->", k, k.conj(), near).real

    drawn = here - min(minimize(energy, rng.normal(size=32), method="BFGS").fun for _ in range(3))
    assert strong_local_passivity(state, terms, 1).drawn == pytest.approx(drawn, abs=1e-6)
