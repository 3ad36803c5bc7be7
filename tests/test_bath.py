"""Baths with memory against closed forms and small problems written out: one excitation is one vector."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.special import j0, jv

import mps_battery as mb
from mps_battery import baths
from mps_battery.models import bath

ENERGY = {"energy": mb.Energy()}
TIGHT = mb.Truncation(64, 1e-16)


def kept(battery, times, method=None, record=None):
    """What a charged cell still has, as a share of its splitting a cell."""
    run = mb.charge(battery, times, method=method, record=record or ENERGY, truncation=TIGHT, bars=False)
    start = run.data["energy"].attrs["energy_initial"]
    return (run.data["energy"].values + start) / battery.parameters["splitting"]


def star(energies, couplings, splitting):
    """The one-excitation Hamiltonian of cells (rows of couplings) beside modes."""
    couplings = np.atleast_2d(couplings)
    n = len(couplings)
    h = np.diag(np.r_[np.full(n, splitting), energies]).astype(complex)
    h[:n, n:], h[n:, :n] = couplings, couplings.conj().T
    return h


def amplitudes(h, times, start=0):
    values, v = np.linalg.eigh(h)
    return np.array([v @ (np.exp(-1j * values * t) * v[start].conj()) for t in times])


# -- chains --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_power_law_with_a_sharp_end_has_jacobi_coefficients(s):
    chain = baths.SpectralDensity(lambda w: w**s, 0.0, 1.0).chain(40)
    n = np.arange(40)
    energies = 0.5 * (1 + s**2 / ((s + 2 * n) * (2 + s + 2 * n)))
    hoppings = (1 + n) * (1 + s + n) / ((s + 2 + 2 * n) * (3 + s + 2 * n)) * np.sqrt((3 + s + 2 * n) / (1 + s + 2 * n))
    np.testing.assert_allclose(chain.energies, energies, atol=1e-10)
    np.testing.assert_allclose(chain.hoppings, hoppings[:-1], atol=1e-10)
    assert chain.coupling == pytest.approx((s + 1) ** -0.5, abs=1e-10)


def test_semicircle_is_a_uniform_chain():
    chain = baths.semicircle(1.3, 0.7, 0.2).chain(30)
    np.testing.assert_allclose(chain.hoppings, 0.7, atol=1e-11)
    np.testing.assert_allclose(chain.energies, 0.2, atol=1e-11)
    assert chain.coupling == pytest.approx(1.3, abs=1e-11)


def test_lattice_is_a_chain_with_a_double_first_hop():
    chain = baths.lattice(0.9, 0.7, 0.2).chain(20)
    np.testing.assert_allclose(chain.hoppings, [0.7 * 2**0.5, *[0.7] * 18], atol=1e-11)
    assert chain.coupling == pytest.approx(0.9, abs=1e-11)


@pytest.mark.parametrize("density", [baths.ohmic(0.3, 1.5), baths.ohmic(0.3, 1.5, power=3.0),
                                     baths.lorentzian(1.2, 0.5, 3.0), baths.band_edge(0.7, 1.0, 4.0),
                                     baths.waveguide(0.7, 1.0, 4.0)])
def test_memory_of_a_chain_is_that_of_its_density(density):
    chain = density.chain(60)
    h = np.diag(chain.energies) + np.diag(chain.hoppings, 1) + np.diag(chain.hoppings, -1)
    memory = chain.coupling**2 * expm(-0.9j * h)[0, 0]
    def part(turn):
        ends = (density.lowest, *density.breaks, density.highest)
        def near(u, end, sign):
            # an end that diverges as a root is regular in the root of the distance to it
            w = end + sign * u**2
            return 2 * u * density.function(w) * turn(0.9 * w)
        return sum(quad(near, 0, ((b - a) / 2) ** 0.5, args=given, epsabs=1e-11, limit=400)[0]
                   for a, b in pairwise(ends) for given in ((a, 1), (b, -1)))
    assert memory == pytest.approx(part(np.cos) - 1j * part(np.sin), abs=1e-8)


@pytest.mark.parametrize("beta", [0.4, 3.0])
def test_thermal_memory(beta):
    # C(t) = int J (coth(beta w / 2) cos w t - i sin w t) dw, from the chain of modes on both sides of zero
    density = baths.ohmic(0.3, 1.5)
    chain = density.thermal(beta).chain(60)
    h = np.diag(chain.energies) + np.diag(chain.hoppings, 1) + np.diag(chain.hoppings, -1)
    real = quad(lambda w: density.function(w) / np.tanh(beta * w / 2) * np.cos(0.8 * w), 0, 15, epsabs=1e-11,
                limit=300)[0]
    imaginary = quad(lambda w: density.function(w) * np.sin(0.8 * w), 0, 15, epsabs=1e-11, limit=300)[0]
    assert chain.coupling**2 * expm(-0.8j * h)[0, 0] == pytest.approx(real - 1j * imaginary, abs=1e-8)


def test_narrow_peaks_need_breaks():
    with pytest.raises(mb.InputError, match="`function` must be smooth between `breaks`"):
        baths.SpectralDensity(lambda w: 1e-12 / ((w - 0.3) ** 2 + 1e-12), 0.0, 1.0).chain(10)


# -- one excitation ------------------------------------------------------------------------------------------------
def test_bessel_decay():
    times = np.linspace(0, 10, 11)
    found = kept(bath.self_discharge(length=15), times, mb.TEBD(dt=0.05))
    expected = np.r_[1, jv(1, 2 * times[1:]) / times[1:]] ** 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def bound_state(times):
    """g = 2 k: amplitude 2/3 cos(4 t / sqrt(3)) at late times."""
    return (2 / 3 * np.cos(4 * times / np.sqrt(3))) ** 2


def test_bound_states_keep_two_thirds_of_the_amplitude():
    times = np.r_[0, np.linspace(8.5, 10, 6)]
    found = kept(bath.self_discharge(strength=2.0, length=19), times, mb.TEBD(dt=0.05))
    h = star(np.full(90, 2.0), np.r_[2.0, np.zeros(89)], 2.0) + np.diag(np.r_[0, np.ones(89)], 1) + np.diag(
        np.r_[0, np.ones(89)], -1)
    np.testing.assert_allclose(found, np.abs(amplitudes(h, times)[:, 0]) ** 2, atol=1e-6)
    np.testing.assert_allclose(found[1:], bound_state(times[1:]), atol=0.02)      # the rest falls as t^(-3/2)


@pytest.mark.slow
def test_bound_state_at_late_times():
    found = kept(bath.self_discharge(strength=2.0, length=80), np.array([0, 60.0]), mb.TEBD(dt=0.05))
    assert np.sqrt(found[1]) == pytest.approx(0.629721, abs=1e-6)          # REFERENCES 8; the asymptote is 0.629828


def test_pseudo_mode_formula():
    times = np.linspace(0, 4, 9)
    for strength in (3.0, 0.3):
        d = np.emath.sqrt(1 - 2 * strength)
        c = np.exp(-times / 2) * (np.cosh(d * times / 2) + np.sinh(d * times / 2) / d)
        np.testing.assert_allclose(kept(bath.pseudo_mode(strength=strength), times), np.abs(c) ** 2, atol=1e-10)


def test_chain_and_pseudo_mode_are_one_lorentzian_bath():
    """Ends of the spectrum at +- R widths are missed as R^-3: what is beyond only changes the weight of the cell."""
    times = np.linspace(0, 2.5, 6)
    mode = kept(bath.pseudo_mode(), times)
    gaps = []
    for reach, length in ((5.0, 12), (10.0, 20)):
        density = baths.lorentzian(3.0, 1.0, 2.0, reach=reach)
        chain = kept(bath.self_discharge(spectrum=density, length=length), times, mb.TEBD(dt=0.25 / reach))
        modes = np.abs(amplitudes(star(*density.modes(300), 2.0), times)[:, 0]) ** 2
        np.testing.assert_allclose(chain, modes, atol=2e-7)
        gaps.append(np.abs(chain - mode).max())
    # measured: 6.1e-3, 1.4e-4, 4.3e-5, 6.8e-6 at 5, 10, 20, 40 widths
    assert gaps[0] < 8e-3
    assert gaps[1] < 2e-4


def test_two_cells_and_a_pseudo_mode_agree_with_a_chain():
    """Three quanta at the start of the dark and bright states: many excitations, one Lorentzian bath."""
    times = np.linspace(0, 1.0, 3)
    mode = kept(bath.pseudo_mode(cells=2), times)
    density = baths.lorentzian(3.0, 1.0, 2.0, reach=10.0)
    chain = kept(bath.self_discharge(cells=2, spectrum=density, length=8), times, mb.TDVP(dt=0.05, order=4))
    np.testing.assert_allclose(chain, mode, atol=3e-3)


def test_any_density_against_its_modes():
    density = baths.SpectralDensity(lambda w: 0.2 * np.exp(-(w - 2) ** 2) * (1 + np.sin(3 * w)), 0.0, 4.0)
    times = np.linspace(0, 3, 4)
    found = kept(bath.self_discharge(spectrum=density, length=12), times, mb.TEBD(dt=0.05))
    expected = np.abs(amplitudes(star(*density.modes(300), 2.0), times)[:, 0]) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


# -- remote charging -----------------------------------------------------------------------------------------------
def on_a_lattice(g, splitting, distance, size=120):
    h = np.zeros((size + 2,) * 2)
    h[2:, 2:] = splitting * np.eye(size) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)
    for cell, place in ((0, size // 2), (1, size // 2 + distance)):
        h[cell, cell] = splitting
        h[cell, 2 + place] = h[2 + place, cell] = g
    return h


@pytest.mark.parametrize("distance", [1, 3])
def test_exchange_through_a_lattice(distance):
    times = np.linspace(0, 2.5, 3)
    found = kept(bath.remote_charging(distance=distance, length=8), times, mb.TDVP(dt=0.08, order=4))
    expected = np.abs(amplitudes(on_a_lattice(2.0, 3.0, distance), times)[:, 1]) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_bound_states_exchange_for_ever():
    """The residues of E = Sigma_11 +- Sigma_12 against the lattice, at late times; energies from the splitting."""
    from scipy.optimize import brentq
    g, d, total = 3.0, 1, 0.0
    t = np.linspace(28, 30, 21)
    for sign in (1, -1):
        def sigma(e, sign=sign):
            root = np.sign(e) * np.sqrt(e**2 - 4)
            return g**2 / root * (1 + sign * ((e - root) / 2) ** d)
        for low, high in ((2 + 1e-9, 20), (-20, -2 - 1e-9)):
            f = lambda e: e - sigma(e)                                                        # noqa: E731
            if f(low) * f(high) > 0:
                continue
            e = brentq(f, low, high, xtol=1e-14)
            residue = 1 / (1 - (sigma(e + 1e-5) - sigma(e - 1e-5)) / 2e-5)
            total = total + sign * residue * np.exp(-1j * e * t) / 2
    lattice = amplitudes(on_a_lattice(g, 0.0, d, 200), t)[:, 1]
    assert np.abs(lattice).max() > 0.3
    np.testing.assert_allclose(np.abs(total), np.abs(lattice), atol=2e-3)


def test_exchange_through_a_waveguide():
    given = {"dispersion": "waveguide", "splitting": 1.2, "strength": 0.8, "scale": 3.0, "centre": 1.0, "distance": 2.5}
    times = np.linspace(0, 2.5, 3)
    found = kept(bath.remote_charging(length=10, **given), times, mb.TDVP(dt=0.05, order=4))
    w, g = baths.waveguide(0.8, 1.0, 3.0).modes(400)
    phase = np.exp(1j * np.sqrt(w**2 - 1) * 2.5)
    both = np.array([np.r_[g, g], np.r_[g * phase, g * phase.conj()]]) / np.sqrt(2)       # waves to the right and left
    expected = np.abs(amplitudes(star(np.r_[w, w], both, 1.2), times)[:, 1]) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


# -- temperature ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("beta", [1.0, np.inf])
def test_pure_dephasing(beta):
    battery = bath.dissipative_charging(splitting=0.7, drive=0.0, strength=0.05, scale=1.0, beta=beta, axis="Z",
                                        length=8)
    battery = replace(battery, empty=["x+", *battery.empty[1:]])
    times = np.array([0, 0.5, 1.0])
    run = mb.charge(battery, times, record={"one": mb.Reduced([0])}, bars=False,
                    truncation=mb.Truncation(64, 1e-14))
    def exponent(t):
        coth = (lambda w: 1 / np.tanh(beta * w / 2)) if np.isfinite(beta) else (lambda w: 1.0)                 # noqa: ARG005
        return 4 * quad(lambda w: 0.05 * np.exp(-w) / w * coth(w) * (1 - np.cos(w * t)), 0, 10, epsabs=1e-12)[0]
    expected = [np.cos(0.7 * t) * np.exp(-exponent(t)) for t in times]
    np.testing.assert_allclose(2 * run.data["one"].values[:, 0, 1].real, expected, atol=1e-5)


@pytest.mark.parametrize("up", [True, False])
def test_one_warm_mode(up):
    """A spectrum so narrow that its chain has one site: Jaynes-Cummings with a thermal mode, sum_n p_n cos^2."""
    density = baths.SpectralDensity(lambda w: 0.25 / 1e-4 + 0 * w, 2.0 - 5e-5, 2.0 + 5e-5)
    battery = bath.self_discharge(spectrum=density, beta=0.6, length=1, cutoff=18)
    battery = battery if up else replace(battery, empty=["vacuum", "down", "vacuum"])
    times = np.linspace(0, 2, 5)
    n = np.arange(60)
    p = np.exp(-1.2 * n) * (1 - np.exp(-1.2))
    flips = np.sin(0.5 * np.outer(times, np.sqrt(n + up))) ** 2 @ p
    np.testing.assert_allclose(kept(battery, times), 1 - flips if up else flips, atol=1e-4)


# -- collisions and Floquet ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("swap", [0.0, 0.4, 1.0])
def test_collisions_of_one_excitation(swap):
    coupling, collision, steps = 0.6, 0.8, 3
    battery = bath.memory_collisions(coupling=coupling, collision=collision, swap=swap, steps=steps)
    psi = np.eye(2 + steps)[1].astype(complex)                                             # cell, charger, ancillas
    def rotate(n, m, angle, exchange=True):
        c, s = np.cos(angle), -1j * np.sin(angle)
        if exchange:
            psi[[n, m]] = c * psi[n] + s * psi[m], s * psi[n] + c * psi[m]
        else:
            both = c * psi[n] + s * psi[m], s * psi[n] + c * psi[m]
            psi[:] = np.exp(-1j * angle) * psi
            psi[[n, m]] = both
    expected = [0.0]
    for m in range(steps):
        rotate(0, 1, coupling)
        rotate(1, 2 + m, collision)
        if m + 1 < steps and swap:
            rotate(2 + m, 3 + m, np.arcsin(np.sqrt(swap)), exchange=False)
        expected.append(abs(psi[0]) ** 2)
    found = kept(battery, 0.5 * np.arange(steps + 1))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_no_memory_without_swaps():
    battery = bath.memory_collisions(coupling=0.0, swap=0.0, steps=3)
    run = mb.charge(battery, 0.5 * np.arange(4), record={"charger": mb.Reduced([1])}, bars=False)
    np.testing.assert_allclose(run.data["charger"].values[:, 0, 0].real, np.cos(0.8) ** (2 * np.arange(4)), atol=1e-9)


def by_floquet(coupling, period, times, strength=1.0, size=12):
    """Charger, cell and their chains as one vector, by DOP853."""
    h = np.zeros((2 * size + 2,) * 2)
    hops = np.r_[np.ones(size - 1), strength, 0.0, strength, np.ones(size - 1)]
    h = np.diag(hops, 1) + np.diag(hops, -1)
    def slope(t, v):
        out = h @ v
        f = coupling * 2 * np.sin(np.pi * t / period) ** 2
        out[[size, size + 1]] += f * v[[size + 1, size]]
        return -1j * out
    return solve_ivp(slope, (0, times[-1]), np.eye(2 * size + 2)[size].astype(complex), method="DOP853", t_eval=times,
                     rtol=1e-11, atol=1e-12).y


def test_floquet_battery():
    times = np.array([0, 0.7, 1.4])
    found = kept(bath.floquet_battery(length=5), times, mb.TEBD(dt=0.02))
    np.testing.assert_allclose(found, np.abs(by_floquet(3.0, 1.0, times)[9 + 4]) ** 2, atol=1e-6)


def test_driving_keeps_what_a_weak_coupling_loses():
    times = np.linspace(0, 20, 201)
    strong, weak = (np.abs(by_floquet(c, 1.0, times, size=30)[30:32]) ** 2 for c in (3.0, 0.1))
    assert strong.sum(0)[-50:].min() > 0.5
    assert weak.sum(0)[-50:].max() < 0.05


def test_fast_modulation_takes_the_coupling_away():
    times = np.linspace(0, 2, 3)
    def left(depth, frequency):
        battery = bath.self_discharge(strength=0.8, modulation=depth * frequency, frequency=frequency, length=4)
        return kept(battery, times)
    assert left(2.404826, 40.0)[-1] > 0.99
    g = 0.8 * j0(1.0)
    h = star(np.full(30, 2.0), np.r_[g, np.zeros(29)], 2.0)
    h += np.diag(np.r_[0, np.ones(29)], 1) + np.diag(np.r_[0, np.ones(29)], -1)
    np.testing.assert_allclose(left(1.0, 40.0), np.abs(amplitudes(h, times)[:, 0]) ** 2, atol=0.01)


# -- input ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("model", "arguments", "word"), [
    ("self_discharge", {"spectrum": "pink"}, "spectrum"), ("self_discharge", {"beta": 0.0}, "beta"),
    ("self_discharge", {"length": 0}, "length"), ("self_discharge", {"strength": -1.0}, "strength"),
    ("self_discharge", {"beta": 1.0, "centre": 0.0}, "lowest"), ("dissipative_charging", {"axis": "Y"}, "axis"),
    ("remote_charging", {"distance": 1.5}, "distance"), ("remote_charging", {"dispersion": "flat"}, "dispersion"),
    ("memory_collisions", {"swap": 1.2}, "swap"), ("memory_collisions", {"steps": 0}, "steps"),
    ("floquet_battery", {"period": 0.0}, "period"), ("pseudo_mode", {"width": -1.0}, "width")])
def test_bad_arguments(model, arguments, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        getattr(bath, model)(**arguments)


@pytest.mark.parametrize(("make", "word"), [
    (lambda: baths.SpectralDensity(1.0, 0.0, 1.0), "function"),                               # type: ignore[arg-type]
    (lambda: baths.SpectralDensity(abs, 1.0, 0.0), "highest"),
    (lambda: baths.SpectralDensity(abs, 0.0, 1.0, (2.0,)), "breaks"),
    (lambda: baths.SpectralDensity(lambda w: -w, 0.0, 1.0).chain(3), "function"),
    (lambda: baths.ohmic(1.0, 1.0).thermal(-1.0), "beta"), (lambda: baths.ohmic(1.0, 1.0).chain(0), "length"),
    (lambda: baths.band_edge(1.0, 0.0, 1.0, -1.0), "power")])
def test_bad_densities(make, word):
    with pytest.raises(mb.InputError, match=f"`{word}`"):
        make()
