"""Work of the whole battery against assignments of populations to levels, and bounds against what they bound."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import solved
import test_passive

import mps_battery as mb
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot
from mps_battery.measure.resources.least_entropy import blocks, least_entropy
from mps_battery.measure.work import layer, spectrum, whole
from mps_battery.measure.work.spectrum import Spectrum
from mps_battery.models import open_chain, spin_chain
from mps_battery.steady.lengthen import continued

RNG = np.random.default_rng


def chain(rng, n, reach=1):
    """XYZ couplings and fields, all random."""
    h = mb.Terms([mb.Spin()] * n)
    for k in range(n):
        for a in "XYZ":
            h += rng.normal(), (a, k)
            for r in range(1, reach + 1):
                if k + r < n:
                    h += rng.normal() / r, (a, k), (a, k + r)
    h += rng.normal(),
    return h


def cooled(rng, h, beta):
    """A random density near a Gibbs state of another field: correlated, of full rank."""
    other = h.to_mpo().to_dense() + 0.5 * test_passive.hermitian(rng, 2 ** len(h.sites)) / 2 ** (len(h.sites) / 2)
    rho = scipy.linalg.expm(-beta * other)
    return rho / np.trace(rho).real


def gibbs(h, beta):
    """(energy, ln Z, S) of a Gibbs state of a matrix."""
    e = np.linalg.eigvalsh(h)
    log_z = np.log(np.sum(np.exp(-beta * (e - e[0])))) - beta * e[0]
    energy = e @ np.exp(-beta * e - log_z)
    return energy, log_z, beta * energy + log_z


def least_energy(h, entropy):
    """Energy of the Gibbs state of an entropy [Alicki, Fannes 2013]."""
    root = scipy.optimize.brentq(lambda x: gibbs(h, np.exp(x))[2] - entropy, -8, 6, xtol=1e-13)
    return gibbs(h, np.exp(root))[0]


# -- exact -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(102))
def test_pure_and_mixed_against_brute_force(seed):
    """N = 2 to 6, couplings of any range: 1e-8, and the ordering W <= bound of Alicki and Fannes."""
    rng = RNG(seed)
    n = int(rng.integers(2, 7))
    h = chain(rng, n, reach=1 + seed % 3)
    if seed % 2:
        rho = test_passive.random_state(rng, 2**n, int(rng.integers(1, 2**n + 1)))
        state = mb.Density.from_dense(h.sites, rho)
    else:
        vector = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
        vector /= np.linalg.norm(vector)
        rho, state = np.outer(vector, vector.conj()), mb.MPS.from_dense(h.sites, 1.7 * vector)
    dense = h.to_dense()
    low, high = test_passive.extremes(rho, dense)
    e = test_passive.energy(rho, dense)
    found = whole.global_reach(state, h)
    for bracket, wanted in ((whole.global_ergotropy(state, h), e - low), (found.antiergotropy, high - e),
                            (whole.global_antiergotropy(state, h), high - e), (found.passive_energy, low),
                            (found.active_energy, high), (whole.global_capacity(state, h), high - low)):
        assert bracket.lower == bracket.upper == pytest.approx(wanted, abs=1e-8)
        assert bracket.width == 0
        assert abs(bracket.value - wanted) < bracket.bar + 1e-11
        assert bracket.bar < 1e-9
    entropy = test_passive.entropy(rho)
    if seed % 2 and entropy > 0.5:
        assert found.ergotropy.upper <= e - least_energy(dense, entropy) + 1e-8


def test_unitaries_leave_capacity_passive_and_active_energy():
    """A quench of the state, pure or mixed, by another Hamiltonian of the engine."""
    rng = RNG(5)
    h, drive = chain(rng, 5), chain(rng, 5)
    rho = cooled(rng, h, 0.4)
    u = scipy.linalg.expm(-0.7j * drive.to_dense())
    for before, after in ((mb.Density.from_dense(h.sites, rho), mb.Density.from_dense(h.sites, u @ rho @ u.conj().T)),
                          (mb.MPS.from_dense(h.sites, u[0]), mb.MPS.from_dense(h.sites, u @ u[0]))):
        old, new = whole.global_reach(before, h), whole.global_reach(after, h)
        assert abs(old.energy - new.energy) > 0.01
        for name in ("capacity", "passive_energy", "active_energy"):
            assert getattr(old, name).value == pytest.approx(getattr(new, name).value, abs=1e-9)
        work = new.ergotropy.value - old.ergotropy.value
        assert work == pytest.approx(new.energy - old.energy, abs=1e-9)
        assert old.ergotropy.value + old.antiergotropy.value == pytest.approx(old.capacity.value, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_reference_energies_by_sweeps(seed):
    """N = 9 by DMRG: inside the bar, and the bar below 1e-3."""
    rng = RNG(seed)
    h = chain(rng, 9)
    state = mb.MPS.product(h.sites, "up")
    e = np.linalg.eigvalsh(h.to_dense())
    found = whole.global_reach(state, h, exact=1)
    for bracket, wanted in ((found.ergotropy, found.energy - e[0]), (found.capacity, e[-1] - e[0])):
        assert abs(bracket.value - wanted) < bracket.bar < 1e-3
        assert "DMRG" in bracket.how
    assert found.energy == pytest.approx(h.to_dense()[0, 0].real, abs=1e-11)


def test_negative_eigenvalues_widen_the_bar():
    h = chain(RNG(1), 3)
    p = np.r_[-0.01, 0.11, np.full(6, 0.15)]
    found = whole.global_ergotropy(mb.Density.from_dense(h.sites, np.diag(p)), h)
    e = np.linalg.eigvalsh(h.to_dense())
    assert found.bar == pytest.approx(0.02 * (e[-1] - e[0]), rel=1e-6)


# -- the driven chain of REFERENCES ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("anisotropy", "ergotropy", "capacity"), [(1.0, 5.12832157, 6.67649570),
                                                                   (0.5, 3.49956597, 5.47770780)])
def test_maximally_driven_chain_of_four(anisotropy, ergotropy, capacity):
    """REFERENCES 4.2 and 4.4: S, E, ergotropy, capacity, and the bound of Alicki and Fannes from imaginary time."""
    battery = open_chain.boundary_driven(cells=4, anisotropy=anisotropy, bias=1.0)
    state = mb.steady_state(battery).state
    found = whole.global_reach(state, battery.energy)
    assert found.ergotropy.value == pytest.approx(ergotropy, abs=1e-8)
    assert found.capacity.value == pytest.approx(capacity, abs=1e-8)
    entropy = test_passive.entropy(state.to_dense())
    bounded = whole.global_ergotropy(state, battery.energy, entropy=entropy, exact=1)
    if anisotropy == 1:
        assert entropy == pytest.approx(1.87186847, abs=1e-8)
        assert found.energy == pytest.approx(1.04545455, abs=1e-8)
        assert bounded.upper == pytest.approx(5.25751623, abs=1e-8)
    assert bounded.lower <= ergotropy + 1e-8 <= bounded.upper


# -- bounds ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(50))
def test_both_bounds_hold(seed, monkeypatch):
    """Densities of N = 3 to 6 bounded as if they were long, in blocks of one to three: lower <= exact <= upper."""
    rng = RNG(seed)
    n = int(rng.integers(3, 7))
    h = chain(rng, n, reach=1 + seed % 2)
    rho = cooled(rng, chain(rng, n) if seed % 3 else h, rng.uniform(0.05, 1.0))
    state = mb.Density.from_dense(h.sites, rho)
    monkeypatch.setattr(layer, "LARGEST_BLOCK", int(rng.choice([2, 4, 8])))
    exact, found = whole.global_reach(state, h), whole.global_reach(state, h, exact=1)
    for name in ("ergotropy", "antiergotropy", "capacity", "passive_energy", "active_energy"):
        bracket, wanted = getattr(found, name), getattr(exact, name).value
        assert bracket.lower - bracket.bar - 1e-9 <= wanted <= bracket.upper + bracket.bar + 1e-9, name
        assert bracket.bar < 1e-5, name
    drawn = layer.layer_ergotropy(state, h).value
    assert found.ergotropy.lower == pytest.approx(drawn, abs=1e-12)
    known = whole.global_ergotropy(state, h, entropy=test_passive.entropy(rho), exact=1)
    best = exact.energy - least_energy(h.to_mpo().to_dense(), test_passive.entropy(rho))
    assert known.upper == pytest.approx(best, abs=2e-5 + known.bar)      # beta to 1e-4, the bound to its square
    assert known.upper >= best - known.bar - 1e-9
    assert found.ergotropy.upper >= known.upper - 1e-5


def test_floor_by_imaginary_time(monkeypatch):
    """ln Z by truncated imaginary time: N = 6, the error of the bound inside its bar; one walk for two entropies."""
    h = chain(RNG(7), 6)
    monkeypatch.setattr(spectrum, "EXACT", 1)
    for weight in (1e-8, 1e-11):
        cooling = Spectrum(h, 1, mb.Truncation(64, weight))
        for entropy in (3.0, 3.7):
            level = cooling.floor(entropy)
            wanted = least_energy(h.to_dense(), entropy)
            assert "Gibbs state at beta" in level.how
            assert wanted - level.bar - 1e-5 * abs(wanted) < level.energy < wanted + level.bar
            assert 0 < level.bar < (0.2 if weight == 1e-8 else 2e-3)


def test_floor_of_energy():
    """The identity, entropies beyond it, pure states, and an energy that is constant."""
    h = chain(RNG(2), 4)
    e = np.linalg.eigvalsh(h.to_dense())
    own = Spectrum(h, 1)
    for entropy in (4 * np.log(2), 5.0):
        assert own.floor(entropy).energy == pytest.approx(e.mean(), abs=1e-12)
    nearly = own.floor(4 * np.log(2), unsure=0.01)
    assert nearly.bar == pytest.approx(e.mean() - least_energy(h.to_dense(), 4 * np.log(2) - 0.01), rel=1e-4)
    unsure = own.floor(1.0, unsure=0.1)
    assert unsure.bar >= unsure.energy - least_energy(h.to_dense(), 0.9) > 0.5 * unsure.bar
    cold = own.floor(0.0).energy
    assert e[0] - 2e-3 * (e.mean() - e[0]) < cold <= e[0]
    assert own.lowest.energy == pytest.approx(e[0], abs=1e-11)
    constant = mb.Terms(h.sites)
    constant += 2.5,
    assert Spectrum(constant, 1).floor(1.0).energy == 2.5


@pytest.mark.parametrize("seed", range(8))
def test_layer_carries_its_unitaries_out(seed, monkeypatch):
    """The value is the energy drop of the dense state under the listed unitaries; terms of any range count."""
    rng = RNG(seed)
    n = 5
    h = chain(rng, n, reach=1 + seed % 3)
    rho = cooled(rng, chain(rng, n), 0.6)
    monkeypatch.setattr(layer, "LARGEST_BLOCK", 4 if seed % 2 else 8)
    found = layer.layer_ergotropy(mb.Density.from_dense(h.sites, 1.3 * rho), h)
    u = np.ones((1, 1))
    for one in found.unitaries:
        u = np.kron(u, one)
    assert np.abs(u @ u.conj().T - np.eye(2**n)).max() < 1e-12
    after = u @ rho @ u.conj().T
    dense = h.to_dense()
    assert found.value == pytest.approx(test_passive.energy(rho - after, dense), abs=1e-10)
    assert found.value > 0
    assert len(found.unitaries) in ((3,) if seed % 2 else (2, 3))          # 2 + 2 + 1, or 3 + 2 or 1 + 3 + 1 sites


def test_layer_of_cells_that_do_not_interact_is_all_there_is(monkeypatch):
    """Products of single cells: a layer of single sites draws all of it, and the entropy is exact."""
    rng, sites = RNG(3), [mb.Spin()] * 30
    h, cells = mb.Terms(sites), []
    for k in range(30):
        h += rng.uniform(0.5, 1.5), ("X", k)
        cells.append(test_passive.random_state(rng, 2))
    state = mb.Density.product(sites, cells)
    exact = sum(test_passive.entropy(r) for r in cells)
    assert least_entropy(state) == pytest.approx(exact, abs=1e-4)          # sigma has weights of at least 1e-7
    monkeypatch.setattr(layer, "LARGEST_BLOCK", 2)
    own = [mb.Terms([mb.Spin()]) for _ in cells]
    for k, term in enumerate(own):
        term += next(c for p, c in h.products if p[0][0] == k), ("X", 0)
    total = sum(test_passive.energy(r, t.to_dense()) + np.ptp(np.linalg.eigvalsh(t.to_dense())) / 2
                * np.ptp(np.linalg.eigvalsh(r)) for r, t in zip(cells, own, strict=True))
    assert layer.layer_ergotropy(state, h).value == pytest.approx(total, abs=1e-9)


def test_layer_sees_the_mean_field_of_its_neighbours(monkeypatch):
    """Cells along X with sum Z Z and one small field: each turns against the one before, which is the best product."""
    sites = [mb.Spin()] * 5
    h = mb.Terms(sites)
    h += 0.1, ("Z", 0)
    for k in range(4):
        h += 1.0, ("Z", k), ("Z", k + 1)
    state = mb.Density.product(sites, [np.array([[0.5, 0.4], [0.4, 0.5]])] * 5)
    monkeypatch.setattr(layer, "LARGEST_BLOCK", 2)
    for energy in (h, -h):
        assert layer.layer_ergotropy(state, energy).value == pytest.approx(4 * 0.64 + 0.08, abs=1e-12)


# -- long chains -----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_gibbs_state_of_fifty_cells():
    """Passive: W = 0 within the bar where S is known; where it is not, W is below 5 % of the capacity."""
    h = open_chain.boundary_driven(cells=50, anisotropy=0.5, field=0.5).energy
    hot = mb.thermal_state(h, 0.3, truncation=mb.Truncation(64, 1e-12))
    known = whole.global_ergotropy(hot.state, h, entropy=hot.entropy, bars=hot.bars)
    assert known.lower == 0
    assert known.upper <= known.bar < 5e-3
    blind = whole.global_reach(hot.state, h)
    assert blind.ergotropy.lower == 0
    print(f"W of a Gibbs state: {known}\nS unknown: {blind.ergotropy}\nC: {blind.capacity}")
    assert blind.ergotropy.upper < 0.06 * blind.capacity.lower
    assert blind.capacity.width < 0.2 * blind.capacity.lower


@pytest.mark.slow
def test_driven_chain_of_fifty_cells():
    """A steady state that is known exactly (Delta = 1/2, maximal driving, in a field): bounds within 25 % of W."""
    battery = driven(50)
    chain_of = {n: mb.steady_state(driven(n), method=mb.Dense()).state for n in (4, 5, 6)}
    for n, short in ((8, 4), (10, 6), (16, 4), (27, 5)):
        chain_of[n] = continued(chain_of[short], chain_of[(n + short) // 2])
    steady = mb.steady_state(battery, method=mb.Sweeps(most=1), truncation=mb.Truncation(32, 1e-24),
                             start=(chain_of[4], chain_of[27]))
    assert steady.certificate.residual < 1e-11
    found = whole.global_reach(steady.state, battery.energy)
    print(f"W of a steady state: {found.ergotropy}\nC: {found.capacity}")
    assert least_entropy(steady.state) > -np.log(steady.state.purity) + 1.0
    assert 57 < found.ergotropy.lower < found.ergotropy.upper < 73
    assert found.ergotropy.width < 0.25 * found.ergotropy.value
    assert found.capacity.width < 0.3 * found.capacity.value


def driven(cells):
    return open_chain.boundary_driven(cells=cells, anisotropy=0.5, field=0.5, bias=1.0)


# -- entropy from below ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(12))
def test_least_entropy_is_one(seed):
    rng = RNG(seed)
    n = int(rng.integers(3, 7))
    h = chain(rng, n)
    rho = cooled(rng, h, rng.uniform(0.05, 0.6)) if seed % 2 else \
        test_passive.random_state(rng, 2**n, int(rng.integers(1, 2**n)))
    exact, found = test_passive.entropy(rho), least_entropy(mb.Density.from_dense(h.sites, 0.7 * rho))
    assert -np.log(np.trace(rho @ rho).real) - 1e-9 <= found <= exact + 1e-9


def test_least_entropy_beats_the_purity():
    """Hot and in a field: half of the gap between S_2 and S is what sites alone explain; whole blocks give S itself."""
    h = open_chain.boundary_driven(cells=5, anisotropy=0.5, field=0.8).energy
    hot = mb.thermal_state(h, 0.15)
    exact, crude = hot.entropy, -np.log(hot.state.purity)
    assert least_entropy(hot.state) == pytest.approx(exact, abs=1e-6)      # five sites are one block
    long = mb.thermal_state(open_chain.boundary_driven(cells=12, anisotropy=0.5, field=0.8).energy, 0.15)
    found = least_entropy(long.state)
    assert found < long.entropy
    assert long.entropy - found < 0.25 * (long.entropy + np.log(long.state.purity))
    assert exact - crude > 0.1


def test_blocks_of_sites():
    spins = (mb.Spin(),) * 7
    assert blocks(spins, 8) == [range(0, 3), range(3, 6), range(6, 7)]
    assert blocks(spins, 8, 2) == [range(0, 2), range(2, 5), range(5, 7)]
    assert blocks(spins, 1) == [range(n, n + 1) for n in range(7)]
    assert blocks((mb.Boson(9), *spins[:2]), 4) == [range(0, 1), range(1, 3)]


# -- cells beside a charger ------------------------------------------------------------------------------------------
def test_marginals_and_terms_of_some_sites():
    rng = RNG(9)
    h = chain(rng, 5, reach=2)
    rho = cooled(rng, h, 0.5)
    for kept in ([0, 2, 4], [1, 2], [3]):
        found = mb.Density.from_dense(h.sites, rho).marginal(kept)
        np.testing.assert_allclose(found.to_dense(), solved.partial_trace(rho, kept, 5), atol=1e-12)
        assert found.train.center == 0
        assert found.purity == pytest.approx(np.trace(found.to_dense() @ found.to_dense()).real, abs=1e-12)
    part = mb.Terms(h.sites)
    part += 0.3, ("X", 1), ("Y", 4)
    part += 0.2, ("Z", 4)
    part += 1.5,
    x, y, z = (np.array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
    wanted = 0.3 * np.kron(x, y) + 0.2 * np.kron(np.eye(2), z) + 1.5 * np.eye(4)
    np.testing.assert_allclose(part.within([1, 4]).to_dense(), wanted, atol=1e-14)
    np.testing.assert_allclose(part.within([4]).to_dense(), 0.2 * z + 1.5 * np.eye(2), atol=1e-14)


@pytest.mark.parametrize("exact", [1024, 1])
def test_unitaries_act_on_the_cells_only(exact):
    """A pure state with chargers in between: what counts is the marginal of the cells."""
    rng = RNG(11)
    sites, cells = [mb.Spin()] * 6, [1, 3, 5]
    h = mb.Terms(sites)
    for k in cells:
        h += rng.normal(), ("Z", k)
    h += 0.8, ("X", 1), ("X", 3)
    vector = rng.normal(size=64) + 1j * rng.normal(size=64)
    state = mb.MPS.from_dense(sites, vector / np.linalg.norm(vector))
    rho = state.reduced(cells)
    low, high = test_passive.extremes(rho, h.within(cells).to_dense())
    found = whole.global_reach(state, h, cells, exact=exact)
    work = test_passive.energy(rho, h.within(cells).to_dense()) - low
    assert found.ergotropy.lower - 1e-9 <= work <= found.ergotropy.upper + 1e-9
    assert found.capacity.lower - 1e-9 <= high - low <= found.capacity.upper + 1e-9
    assert (found.capacity.width < 1e-9) == (exact == 1024)
    mixed = whole.global_ergotropy(mb.Density.from_pure(state), h, cells)
    assert mixed.value == pytest.approx(work, abs=1e-9)


# -- what runs record ------------------------------------------------------------------------------------------------
RECORD = {"w": whole.Ergotropy(), "a": whole.Antiergotropy(), "c": whole.Capacity(), "low": whole.PassiveEnergy(),
          "high": whole.ActiveEnergy()}


def test_recorded_along_a_pure_run(monkeypatch):
    """W = E - E_0 at all times; the levels are found once."""
    calls = []
    plain = Spectrum.levels.func
    monkeypatch.setattr(Spectrum.levels, "func", lambda self: calls.append(1) or plain(self))
    battery = spin_chain.xxz(cells=6)
    run = mb.charge(battery, [0.0, 0.5, 1.0], record=RECORD | {"energy": mb.Energy()})
    e = np.linalg.eigvalsh(battery.energy.to_dense())
    energy = run.data["energy"].values + run.data["energy"].attrs["energy_initial"]
    np.testing.assert_allclose(run.data["w"], energy - e[0], atol=1e-8)
    np.testing.assert_allclose(run.data["a"], e[-1] - energy, atol=1e-8)
    np.testing.assert_allclose(run.data["c"], e[-1] - e[0], atol=1e-9)
    np.testing.assert_allclose(run.data["low"], e[0], atol=1e-9)
    np.testing.assert_allclose(run.data["high"], e[-1], atol=1e-9)
    assert run.data["w"].dims == ("time",)
    assert len(calls) == 2


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_recorded_beside_chargers(tmp_path, loss):
    """Chargers, leaking or not: both bounds of the marginal of the cells, kept by a file."""
    battery = open_chain.lossy_chargers(cells=2, loss=loss)
    assert battery.mixed == (loss > 0)
    run = mb.charge(battery, [0.0, 1.0, 2.5], record=RECORD, keep_states=True, method=mb.TEBD(),
                    truncation=mb.Truncation(64, 1e-16))
    h = battery.energy.within([1, 3]).to_dense()
    for k, state in enumerate(run.states):
        rho = state.reduced([1, 3])
        low, high = test_passive.extremes(rho, h)
        e = test_passive.energy(rho, h)
        for name, wanted in (("w", e - low), ("a", high - e), ("c", high - low), ("low", low), ("high", high)):
            np.testing.assert_allclose(run.data[name].values[k], wanted, atol=1e-9, err_msg=name)
    assert run.data["w"].dims == ("time", "bound")
    assert list(run.data["bound"].values) == ["lower", "upper"]
    again = mb.load(run.save(tmp_path / "run.nc"))
    assert again.data["c"].equals(run.data["c"])


def test_recorded_bounds_hold_their_bars():
    """A density bounded as if it were long: lower - bar and upper + bar, work not below zero."""
    h = chain(RNG(4), 4)
    battery = mb.Battery(h.sites, range(4), h, h, empty="mixed")
    state = mb.Density.from_dense(h.sites, cooled(RNG(4), h, 0.7))
    observables = MixedObservables(battery)
    observables.__dict__["spectra"] = Spectrum(h, 1), Spectrum(-h, 1)
    snapshot = MixedSnapshot(state, 0.0, observables)
    for name, quantity in RECORD.items():
        bracket, (lower, upper) = getattr(snapshot.reach, quantity.part), quantity.measure(snapshot)
        assert upper == bracket.upper + bracket.bar > lower, name
        assert lower == (max(bracket.lower - bracket.bar, 0.0) if name in "wac" else bracket.lower - bracket.bar), name


# -- bad input -------------------------------------------------------------------------------------------------------
def test_bad_input():
    h = chain(RNG(0), 3)
    state = mb.MPS.product(h.sites, "up")
    drive = mb.Terms(h.sites)
    drive += 1.0j, ("X", 0)
    cases = [((state, drive), {}, "`terms` must be Hermitian"), ((state, h, [0, 3]), {}, "`cells` must be"),
             ((state, chain(RNG(0), 4)), {}, "must live on the 3 sites"),
             ((state, h, [0, 1]), {}, "`terms` must act on the cells only"),
             ((state, h, [1, 1]), {}, "`cells` must be different sites"), ((state, h), {"exact": 0}, "`exact` must be"),
             ((state, h), {"entropy": np.inf}, "`entropy` must be a finite number"),
             ((state, h), {"bars": {"energy": -1.0}}, "`bars` must be numbers of at least 0")]
    for args, settings, sentence in cases:
        for measure in (whole.global_ergotropy, whole.global_antiergotropy, whole.global_capacity, whole.global_reach):
            with pytest.raises(mb.InputError, match=sentence):
                measure(*args, **settings)
    sites = [mb.Spin()] * 2
    both = mb.Terms(sites)
    both += 1.0, ("Z", 0), ("Z", 1)
    with pytest.raises(mb.InputError, match="act on the cells only"):
        mb.charge(mb.Battery(sites, [1], both, both), [0, 1], record={"w": whole.Ergotropy()})
    with pytest.raises(mb.InputError, match="rising sites"):
        mb.Density.product(h.sites, "mixed").marginal([1, 0])
