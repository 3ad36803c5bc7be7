"""Bounds on power and speed: against dense formulas, on random runs, where they are reached, where print is wrong."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import solved

import mps_battery as mb
from mps_battery.measure.flows import audits, norms, power, speed
from mps_battery.measure.flows.populations import populations
from mps_battery.measure.mixed import MixedObservables, MixedSnapshot
from mps_battery.measure.snapshot import Observables, Snapshot
from mps_battery.models import cavity, spin_chain

PAULI = {"X": solved.X, "Y": solved.Y, "Z": solved.Z}
TIME = 0.37


@dataclasses.dataclass
class Case:
    """A random battery in a random state, by the engine and as matrices."""

    battery: mb.Battery
    snapshot: Snapshot
    stored: np.ndarray
    h: np.ndarray
    jumps: list
    start: np.ndarray
    rho: np.ndarray

    @property
    def slope(self):
        """d rho / dt."""
        out = -1j * (self.h @ self.rho - self.rho @ self.h)
        for l in self.jumps:
            decay = l.conj().T @ l
            out = out + l @ self.rho @ l.conj().T - 0.5 * (decay @ self.rho + self.rho @ decay)
        return out

    def mean(self, operator):
        return np.trace(operator @ self.rho).real

    def variance(self, operator):
        return self.mean(operator @ operator) - self.mean(operator) ** 2


def random_products(rng, n, count, most=2):
    """Coefficients and factors of random Pauli products."""
    out = []
    for _ in range(count):
        places = rng.choice(n, size=int(rng.integers(1, most + 1)), replace=False)
        out.append((rng.normal(), {int(k): "XYZ"[rng.integers(3)] for k in places}))
    return out


def as_terms(sites, products):
    out = mb.Terms(sites)
    for c, factors in products:
        out += (c, *((name, k) for k, name in factors.items()))
    return out


def as_matrix(n, products):
    return sum(c * solved.pauli_string(n, {k: PAULI[name] for k, name in f.items()}) for c, f in products)


def random_density(rng, d, rank=None):
    m = rng.normal(size=(d, rank or d)) + 1j * rng.normal(size=(d, rank or d))
    m = m @ m.conj().T
    return m / np.trace(m).real


def random_case(seed, kind, ladder=False):
    """kind "pure", "closed" (a density) or "open"; `ladder` makes H_B a sum of fields of one unit."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    sites = [mb.Spin()] * n
    if ladder:
        energy = [(0.5 * int(rng.integers(1, 4)), {k: "XYZ"[rng.integers(3)]}) for k in range(n) if k != 1]
        energy += [(0.3, {})]
    else:
        energy = random_products(rng, n, 2 * n)
    drive, other = random_products(rng, n, 2 * n, most=min(n, 3)), random_products(rng, n, n)
    wave, rate = (lambda t: np.cos(3 * t)), (lambda t: 1 + t)
    stored = as_matrix(n, energy)
    h = [stored + as_matrix(n, drive), as_matrix(n, drive),
         stored + wave(TIME) * as_matrix(n, drive) + TIME * as_matrix(n, other)][seed % 3]
    a, b, c = (as_terms(sites, p) for p in (energy, drive, other))
    charging = [a + b, b, mb.Schedule([(a, None), (b, wave), (c, lambda t: t)])][seed % 3]
    jumps, matrices = [], []
    if kind == "open":
        for k in range(n):
            l, m = mb.Terms(sites), 0.6 * solved.pauli_string(n, {k: (solved.X - 1j * solved.Y) / 2})
            l += 0.6, ("Sm", k)
            l += 0.3, ("X", k), ("Z", (k + 1) % n)
            m = m + 0.3 * solved.pauli_string(n, {k: solved.X, (k + 1) % n: solved.Z})
            jumps.append(mb.Jump(l, rate if k == 0 else None))
            matrices.append(m * (rate(TIME) ** 0.5 if k == 0 else 1.0))
    if kind == "pure":
        vectors = [rng.normal(size=2**n) + 1j * rng.normal(size=2**n) for _ in range(2)]
        start, now = (v / np.linalg.norm(v) for v in vectors)
        battery = mb.Battery(sites, range(n), a, charging, empty=mb.MPS.from_dense(sites, start))
        state = mb.MPS.from_dense(sites, 1.7 * now)                                   # no norm is taken on trust
        snapshot = Snapshot(state, TIME, Observables(battery))
        return Case(battery, snapshot, stored, h, [], np.outer(start, start.conj()), np.outer(now, now.conj()))
    start, now = random_density(rng, 2**n, 2), random_density(rng, 2**n)
    battery = mb.Battery(sites, range(n), a, charging, jumps, empty=mb.Density.from_dense(sites, start))
    snapshot = MixedSnapshot(mb.Density.from_dense(sites, 1.3 * now), TIME, MixedObservables(battery))
    return Case(battery, snapshot, stored, h, matrices, start, now)


def cases(kinds=("pure", "closed", "open"), count=4):
    return [pytest.param(seed, kind, id=f"{kind}-{seed}") for kind in kinds for seed in range(count)]


# -- every bound against matrices ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("seed", "kind"), cases())
def test_robertson(seed, kind):
    case = random_case(seed, kind)
    b, h = case.stored, case.h
    unitary = abs(case.mean(1j * (h @ b - b @ h)))
    found = {}
    for share in (0.0, 1.0, -0.4):
        expected = 2 * np.sqrt(case.variance(b) * case.variance(h - share * b))
        found[share] = audits.RobertsonBound(share).measure(case.snapshot)
        assert found[share] == pytest.approx(expected, abs=1e-8)
    best = audits.RobertsonBound().measure(case.snapshot)
    together = case.mean((b @ h + h @ b) / 2) - case.mean(b) * case.mean(h)
    assert best == pytest.approx(2 * np.sqrt(case.variance(b) * case.variance(h) - together**2), abs=1e-8)
    assert unitary <= best + 1e-9
    assert best <= min(found.values()) + 1e-9


@pytest.mark.parametrize("ladder", [False, True], ids=["whole", "ladder"])
@pytest.mark.parametrize(("seed", "kind"), cases())
def test_fisher(seed, kind, ladder):
    """Projectors on the levels of H_B, degenerate ones together; both ways of the engine."""
    case = random_case(seed, kind, ladder)
    e, u = np.linalg.eigh(case.stored)
    levels = np.unique(np.round(e, 9))
    information = 0.0
    for level in levels:
        v = u[:, np.abs(e - level) < 1e-8]
        p, rate = (np.trace(v.conj().T @ m @ v).real for m in (case.rho, case.slope))
        information += rate**2 / p
    expected = np.sqrt(case.variance(case.stored) * information)
    found = audits.FisherBound().measure(case.snapshot)
    assert found == pytest.approx(expected, abs=1e-8)
    energies, p, rate = populations(case.snapshot)
    assert energies @ p == pytest.approx(case.mean(case.stored), abs=1e-9)
    assert energies @ rate == pytest.approx(np.trace(case.stored @ case.slope).real, abs=1e-9)
    assert abs(np.trace(case.stored @ case.slope).real) <= found + 1e-9
    if kind != "open":
        assert found <= audits.RobertsonBound().measure(case.snapshot) + 1e-8


def symmetric_logarithmic_derivative(rho, slope):
    """L of rho' = (L rho + rho L) / 2, by the Sylvester equation."""
    return scipy.linalg.solve_sylvester(rho / 2, rho / 2, slope)


@pytest.mark.parametrize("beta", [None, 0.7])
@pytest.mark.parametrize(("seed", "kind"), cases(("closed", "open")))
def test_quantum_fisher(seed, kind, beta):
    case = random_case(seed, kind)
    rho, slope = case.rho, case.slope
    a = case.stored if beta is None else case.stored + scipy.linalg.logm(rho) / beta
    l = symmetric_logarithmic_derivative(rho, slope)
    information, deviation = case.mean(l @ l), np.sqrt(case.variance(a))
    found = {form: audits.QuantumFisherBound(form, beta).measure(case.snapshot)
             for form in ("quantum", "split", "extended")}
    assert found["quantum"] == pytest.approx(deviation * np.sqrt(information), abs=1e-8)
    p, v = np.linalg.eigh(rho)
    moved = v.conj().T @ slope @ v
    turning = 1j * moved / np.where(np.eye(len(p)) > 0, np.inf, p[None, :] - p[:, None])
    turning = v @ turning @ v.conj().T
    rates = np.diag(moved).real
    assert np.abs(-1j * (turning @ rho - rho @ turning) + v @ np.diag(rates) @ v.conj().T - slope).max() < 1e-8
    extended = deviation * np.sqrt(4 * case.variance(turning) + np.sum(rates**2 / p))
    assert found["extended"] == pytest.approx(extended, rel=1e-8)
    heat = rates @ np.diag(v.conj().T @ a @ v).real
    work = case.mean(1j * (turning @ case.stored - case.stored @ turning))
    assert found["split"] == pytest.approx(abs(work) + abs(heat), abs=1e-8)
    rate = np.trace(a @ slope).real
    assert all(abs(rate) <= value + 1e-9 for value in found.values())
    assert found["quantum"] <= found["extended"] + 1e-9
    if beta is None:
        assert audits.FisherBound().measure(case.snapshot) <= found["quantum"] + 1e-9
    else:
        assert audits.FreeEnergyPower(beta).measure(case.snapshot) == pytest.approx(rate, abs=1e-8)

        def free(step):
            q = np.linalg.eigvalsh(rho + step * slope)
            return np.trace(case.stored @ (rho + step * slope)).real + q @ np.log(q) / beta

        assert rate == pytest.approx((free(1e-6) - free(-1e-6)) / 2e-6, abs=1e-5)


@pytest.mark.parametrize(("seed", "kind"), cases())
def test_angle_and_speed(seed, kind):
    case = random_case(seed, kind)
    rho, start, slope = case.rho, case.start, case.slope
    together = np.trace(start @ rho).real
    purities = np.trace(start @ start).real, np.trace(rho @ rho).real
    if kind == "open":
        length = np.linalg.norm(rho)
        across = slope - np.vdot(rho, slope).real / length**2 * rho
        expected = np.arccos(together / np.sqrt(np.prod(purities))), np.linalg.norm(across) / length
    else:
        fidelity2 = together + np.sqrt(max((1 - purities[0]) * (1 - purities[1]), 0.0))
        expected = np.arccos(np.sqrt(min(fidelity2, 1.0))), np.sqrt(case.variance(case.h))
        root = scipy.linalg.sqrtm(rho + 1e-15 * np.eye(len(rho)))
        bures = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ start @ root.conj().T), 0)).sum()
        assert expected[0] <= np.arccos(min(bures, 1.0)) + 1e-6
    assert speed.Angle().measure(case.snapshot) == pytest.approx(expected[0], abs=1e-8)
    assert speed.Speed().measure(case.snapshot) == pytest.approx(expected[1], abs=1e-8)


@pytest.mark.parametrize(("seed", "kind"), cases(("pure", "closed")))
def test_strength_and_excitation(seed, kind):
    """Bounds by pieces from outside; the extreme states exactly, where the chain is diagonalised."""
    case = random_case(seed, kind)
    e = np.linalg.eigvalsh(case.h)
    half = (e[-1] - e[0]) / 2
    assert speed.Strength().measure(case.snapshot) >= half - 1e-10
    assert np.sqrt(case.variance(case.h)) <= half + 1e-10
    if seed % 3 < 2:
        assert speed.Strength("dmrg").measure(case.snapshot) == pytest.approx(half, abs=1e-9)
        found = [speed.Excitation(norm).measure(case.snapshot) for norm in ("dmrg", "local")]
        mean = case.mean(case.h)
        assert found[0] == pytest.approx(min(mean - e[0], e[-1] - mean), abs=1e-9)
        assert found[1] >= found[0] - 1e-9
    else:
        assert speed.Strength("dmrg").measure(case.snapshot) >= half - 1e-9


@pytest.mark.parametrize("norm", ["local", "dmrg"])
@pytest.mark.parametrize("ladder", [False, True], ids=["interacting", "ladder"])
@pytest.mark.parametrize("seed", range(4))
def test_bernstein_is_above_every_power(seed, ladder, norm):
    case = random_case(seed, "pure", ladder)
    slope = 1j * (case.h @ case.stored - case.stored @ case.h)
    assert np.linalg.norm(slope, 2) <= audits.BernsteinBound(norm).measure(case.snapshot) + 1e-9


def test_bernstein_by_hand():
    """H_B = B sum Z: a field on one site changes it by 2 B, X X by 4 B, X X + Y Y by nothing."""
    n, b = 4, 0.7
    sites = [mb.Spin()] * n
    energy = as_terms(sites, [(b, {k: "Z"}) for k in range(n)])
    fields, bonds = [(0.3 + k, {k: "X"}) for k in range(n)], [(0.4, {k: "X", k + 1: "X"}) for k in range(n - 1)]
    swaps = [(0.9, {k: a, k + 1: a}) for k in range(n - 1) for a in "XY"]
    charging = energy + as_terms(sites, fields)
    assert audits.bernstein_limit(charging - energy, energy) == pytest.approx(2 * b * sum(c for c, _ in fields))
    assert audits.bernstein_limit(as_terms(sites, fields + bonds), energy) == pytest.approx(
        2 * b * sum(c for c, _ in fields) + 4 * b * 0.4 * (n - 1))
    assert audits.bernstein_limit(as_terms(sites, swaps), energy) == 0
    whole = np.linalg.eigvalsh(as_matrix(n, fields[:3] + bonds))
    resting = [(1.3, {3: "Z"}), (0.9, {0: "Z", 2: "Z"})]                              # H_B does not see them
    found = audits.bernstein_limit(as_terms(sites, fields[:3] + bonds + resting), energy, "dmrg")
    assert found == pytest.approx(4 * b * (whole[-1] - whole[0]) / 2)
    # an H_B that does not commute within itself has no reach: its whole width takes the place
    chain = [(1.0, {k: "X", k + 1: "X"}) for k in range(n - 1)] + [(0.6, {k: "Z"}) for k in range(n)]
    widths = [np.ptp(np.linalg.eigvalsh(as_matrix(n, p))) for p in (chain, [(0.5, {0: "Y"}), (0.2, {3: "Y"})])]
    found = audits.bernstein_limit(as_terms(sites, [(0.5, {0: "Y"}), (0.2, {3: "Y"})]), as_terms(sites, chain), "dmrg")
    assert found == pytest.approx(widths[0] * widths[1] / 2)
    # N spins flipped at once change the energy by 2 B N: quadratic where the norm grows with N too, and reached
    flip = as_terms(sites, [(0.8, dict.fromkeys(range(n), "X"))])
    for norm in ("local", "dmrg"):
        assert audits.bernstein_limit(flip, energy, norm) == pytest.approx(2 * b * n * 0.8)
    slope = 1j * (flip.to_dense() @ energy.to_dense() - energy.to_dense() @ flip.to_dense())
    assert np.linalg.norm(slope, 2) == pytest.approx(2 * b * n * 0.8)


def test_norms_of_long_chains():
    """N = 24, where nothing is diagonalised, against free fermions."""
    n = 24
    terms = spin_chain.ising_quench(cells=n, coupling=1.0, field=2.0).energy
    exact = -solved.IsingQuench(n, 1.0, 2.0, 1.0, 0.5).energy0(0.0)
    assert norms.half_range(terms) >= exact
    assert norms.half_range(terms) < 1.25 * exact
    assert -1e-9 <= norms.half_range(terms, "dmrg") - exact < 1e-3
    # strings of fermions over many sites are bounded product by product
    modes = mb.Terms([mb.Fermion()] * 12)
    modes += 0.5, ("Cd", 0), ("C", 11)
    modes += 0.5, ("Cd", 11), ("C", 0)
    assert 0.5 - 1e-12 <= norms.half_range(modes) <= 1.0 + 1e-12


def test_levels_far_from_small():
    """Sixty cells in a field of their own: binomial populations, and the bound is the power itself."""
    n, drive, when = 60, 0.9, 0.5
    sites = [mb.Spin()] * n
    energy, field = mb.Terms(sites), mb.Terms(sites)
    for k in range(n):
        energy += 0.5, ("Z", k)
        field += drive, ("X", k)
    run = mb.charge(mb.Battery(sites, range(n), energy, field), [0, when], bars=False,
                    record={"p": mb.Power(), "fisher": audits.FisherBound()})
    expected = n * drive * np.sin(2 * drive * when)
    assert run.data["p"].values[-1] == pytest.approx(expected, rel=1e-9)
    assert run.data["fisher"].values[-1] == pytest.approx(expected, rel=1e-8)


# -- runs ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("seed", "kind"), cases())
def test_bounds_hold_on_random_runs(seed, kind):
    """Random pure, mixed, scheduled and open batteries: no bound is broken, and each is compared."""
    battery = random_case(seed, kind).battery
    run = mb.charge(battery, np.linspace(0, 1.5, 21), record={"energy": mb.Energy()}, audits=True)
    expected = {"robertson", "bernstein", "fisher", "mandelstam_tamm"}
    expected |= {"quantum_fisher"} if kind != "pure" else set()
    expected |= {"strength", "variances"} if kind != "open" else set()
    expected |= {"margolus_levitin"} if kind != "open" and seed % 3 < 2 else set()
    assert set(run.audits) == expected
    for audit in run.audits.values():
        assert audit.holds, str(audit)
        assert audit.factor >= 1 - 1e-6
    assert "all bounds hold: robertson by" in str(run)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pure", "closed", "open"])
def test_bounds_hold_on_forty_random_runs_of_a_kind(kind):
    """The same by number; every other pure run by TDVP, with the bars of one."""
    broken = []
    for seed in range(100, 140):
        run = mb.charge(random_case(seed, kind).battery, np.linspace(0, 1.5, 21), audits=True,
                        method=mb.TDVP(dt=0.05) if seed % 2 and kind == "pure" else None)
        broken += [str(audit) for audit in run.audits.values() if not audit.holds]
    assert broken == []


@pytest.mark.parametrize("battery", [
    lambda: spin_chain.xxz(cells=14), lambda: cavity.dicke(cells=4), lambda: cavity.tavis_cummings(cells=3, loss=0.1),
    lambda: mb.Battery(*_still())], ids=["xxz", "dicke", "leaking", "still"])
def test_bounds_hold_on_models(battery):
    """Truncated chains, bosons, jumps, and a battery in which nothing moves."""
    run = mb.charge(battery(), np.linspace(0, 1, 11), audits=True)
    assert all(audit.holds for audit in run.audits.values()), str(run)
    assert len(run.audits) >= 4


def _still():
    sites = [mb.Spin()] * 6
    energy = as_terms(sites, [(1.0, {k: "Z"}) for k in range(6)])
    return sites, range(6), energy, energy


def test_a_wrong_number_is_found():
    run = mb.charge(spin_chain.xxz(cells=6), np.linspace(0, 1, 11), audits=True)
    wrong = dataclasses.replace(run, data=run.data.assign(power=3 * run.data["power"]))
    broken = {name for name, audit in wrong.audits.items() if not audit.holds}
    assert {"robertson", "fisher"} <= broken
    assert "robertson is VIOLATED" in str(wrong)
    assert "the others hold" in str(wrong)
    slow = dataclasses.replace(run, data=run.data.assign(speed=0.5 * run.data["speed"]))
    assert not slow.audits["mandelstam_tamm"].holds
    # an excess within the bars is no violation
    bars = run.bars.assign(power=10 * np.abs(run.data["power"]))
    assert all(a.holds for a in dataclasses.replace(wrong, bars=bars).audits.values())


def test_audits_change_nothing_else(tmp_path):
    battery, times = spin_chain.xxz(cells=12), np.linspace(0, 1, 6)
    plain, watched = (mb.charge(battery, times, method=mb.TEBD(), audits=on) for on in (False, True))
    assert plain.audits == {}
    assert "audits" not in str(plain)
    assert plain.outcome == watched.outcome
    assert plain.budget == watched.budget
    for name in plain.data:
        np.testing.assert_array_equal(plain.data[name], watched.data[name])
    # bars of the bounds do not count for what is trusted
    only = {"energy": mb.Energy()}
    alone = [mb.charge(battery, times, method=mb.TEBD(), record=only, audits=on) for on in (False, True)]
    assert alone[0].budget == alone[1].budget
    watched.save(tmp_path / "run.nc")
    again = mb.load(tmp_path / "run.nc")
    assert str(again) == str(watched)
    assert again.audits.keys() == watched.audits.keys()


def test_entries_by_hand():
    """The entries work in a record of one's own, and only what was recorded is audited."""
    run = mb.charge(spin_chain.xxz(cells=4), [0, 0.5, 1], record={
        "power": mb.Power(), "bound_bernstein": audits.BernsteinBound("dmrg"), "other": audits.RobertsonBound(0.0)})
    assert set(run.audits) == {"bernstein"}
    assert run.audits["bernstein"].holds
    entries = {"energy": mb.Energy(), "energy_variance": mb.EnergyVariance(), "speed": speed.Speed(),
               "strength": speed.Strength()}
    assert set(mb.charge(spin_chain.xxz(cells=4), [0, 0.5, 1], record=entries).audits) == {"variances"}


# -- where the limits are reached ----------------------------------------------------------------------------------
def test_qubit_in_the_best_field():
    """H_B = Z / 2 under a field along x: every limit is reached at all times, P = w sin(2 w t)."""
    sites = [mb.Spin()]
    battery = mb.Battery(sites, [0], as_terms(sites, [(0.5, {0: "Z"})]), as_terms(sites, [(0.6, {0: "X"})]))
    run = mb.charge(battery, np.linspace(0, np.pi / 1.2, 41), audits=True)
    found = run.audits
    for name in ("robertson", "fisher", "mandelstam_tamm", "strength"):
        used = found[name].used[1:-1]
        np.testing.assert_allclose(used, 1, atol=1e-6, err_msg=name)
        assert found[name].holds
    assert found["bernstein"].used.max() == pytest.approx(1, abs=1e-9)
    t = found["variances"].times
    np.testing.assert_allclose(found["variances"].value, np.sin(0.6 * t) ** 2, atol=1e-10)
    swept = np.maximum(t / 8 - np.sin(2.4 * t) / 19.2, 0)                          # int Var H_B dt, Var H_B = sin^2 / 4
    missed = np.abs(found["variances"].limit - 2 * 0.6 * np.sqrt(t * swept))
    assert np.all(missed <= found["variances"].bar)
    assert missed.max() < 1e-5
    assert found["variances"].bar.max() < 1e-2
    assert found["margolus_levitin"].used[-1] == pytest.approx(1, abs=1e-6)        # orthogonal at the end
    # eq. 21: W / t = 2 W E_max / pi
    best = power.maximum_energy(run)
    assert best.value / best.time == pytest.approx(2 * best.value * 0.6 / np.pi, rel=1e-6)


# -- what does not hold as printed ---------------------------------------------------------------------------------
def test_free_energy_bound_is_none_of_the_power():
    """Eqs 22 to 24 with the power of eq. 13: a Gibbs state that a hotter bath heats has Delta A = 0."""
    beta = 1.0
    populations = np.exp(-beta * np.array([0.5, -0.5]))
    sites = [mb.Spin()]
    energy, up = as_terms(sites, [(0.5, {0: "Z"})]), mb.Terms(sites)
    up += 1.0, ("Sp", 0)
    battery = mb.Battery(sites, [0], energy, energy, [mb.Jump(up)], empty=[np.diag(populations / populations.sum())])
    snapshot = MixedSnapshot(battery.initial_state(), 0.0, MixedObservables(battery))
    heated = mb.Power().measure(snapshot)
    for form in ("quantum", "extended"):
        assert audits.QuantumFisherBound(form, beta).measure(snapshot) < 1e-7 < heated
        assert audits.QuantumFisherBound(form).measure(snapshot) >= heated - 1e-12
    assert abs(audits.FreeEnergyPower(beta).measure(snapshot)) < 1e-9


def test_extended_information_needs_four_variances():
    """Eq. 25 as printed halves the speed of a nearly pure qubit: |P| would exceed the bound."""
    r = 1 - 1e-9
    sites = [mb.Spin()]
    battery = mb.Battery(sites, [0], as_terms(sites, [(0.5, {0: "Z"})]), as_terms(sites, [(0.6, {0: "X"})]),
                         empty=[(np.eye(2) + r * solved.Y) / 2])
    snapshot = MixedSnapshot(battery.initial_state(), 0.0, MixedObservables(battery))
    found, rate = audits.QuantumFisherBound("extended").measure(snapshot), mb.Power().measure(snapshot)
    assert found == pytest.approx(abs(rate), rel=1e-4)
    assert found / 2 < abs(rate)


# -- bad input -----------------------------------------------------------------------------------------------------
def test_bad_input_is_one_sentence():
    xxz = spin_chain.xxz(cells=14)
    scheduled, leaking = random_case(2, "pure").battery, random_case(0, "open").battery

    def record(battery, entry):
        return lambda: mb.charge(battery, [0, 1], record={"x": entry})

    cases = [
        (lambda: audits.RobertsonBound(np.inf), "`share` must be a finite number or None"),
        (lambda: audits.BernsteinBound("exact"), "`norm` must be local or dmrg, but is 'exact'"),
        (lambda: speed.Strength("exact"), "`norm` must be local or dmrg"),
        (lambda: audits.QuantumFisherBound("half"), "`form` must be quantum, split or extended"),
        (lambda: audits.QuantumFisherBound(beta=-1.0), "`beta` must be a positive number or None"),
        (lambda: audits.FreeEnergyPower(0.0), "`beta` must be a positive number"),
        (lambda: speed.margolus_levitin(2.0), "`angle` must be from 0 to pi / 2"),
        (record(xxz, audits.FisherBound()), "must not hold FisherBound for this battery"),
        (record(xxz, audits.QuantumFisherBound()), "must not hold QuantumFisherBound for a pure state"),
        (record(scheduled, speed.Excitation()), "must not hold Excitation for a battery with jumps or a schedule"),
        (record(leaking, speed.Strength()), "must not hold Strength for a battery with jumps"),
        (lambda: mb.charge(xxz, [0, 1], record={"speed": mb.Power()}, audits=True), "`record` must not name Power("),
    ]
    for call, words in cases:
        with pytest.raises(mb.InputError) as error:
            call()
        assert words in str(error.value), (words, str(error.value))
        assert "\n" not in str(error.value)
