"""Heat, work and entropy: the chain between two baths and what is recorded of it, against dense references."""

import numpy as np
import pytest
import scipy.linalg
import solved
import solved_open

import mps_battery as mb
from mps_battery.baths import terms_of
from mps_battery.models import catalogue, open_chain

RNG = np.random.default_rng
X, Y, Z = solved.X, solved.Y, solved.Z
LOWER = (X - 1j * Y) / 2


def two_baths(n, splitting, exchange, anisotropy, betas, rate):
    """(H, {bath: jumps}) of the chain between two baths, written out."""
    h = sum(splitting / 2 * solved.pauli_string(n, {k: Z}) for k in range(n))
    for k in range(n - 1):
        for a, c in ((X, exchange), (Y, exchange), (Z, exchange * anisotropy)):
            h = h + c * solved.pauli_string(n, {k: a, k + 1: a})
    baths = {}
    for bath, k, beta in (("left", 0, betas[0]), ("right", n - 1, betas[1])):
        lower, quanta = solved.pauli_string(n, {k: LOWER}), 1 / (np.exp(beta * splitting) - 1)
        baths[bath] = [np.sqrt(rate * (1 + quanta)) * lower, np.sqrt(rate * quanta) * lower.T]
    return h, baths


def dissipated(rho, jumps):
    out = np.zeros_like(rho)
    for jump in jumps:
        decay = jump.conj().T @ jump
        out = out + jump @ rho @ jump.conj().T - 0.5 * (decay @ rho + rho @ decay)
    return out


def steady_matrix(h, jumps):
    rho = scipy.linalg.null_space(solved_open.lindblad_matrix(h, jumps), rcond=1e-10)
    assert rho.shape[1] == 1
    rho = rho.reshape(h.shape)
    return rho / np.trace(rho)


def ergotropy(rho, h):
    return np.trace(rho @ h).real - np.linalg.eigvalsh(rho)[::-1] @ np.linalg.eigvalsh(h)


# -- the chain between two baths -----------------------------------------------------------------------------------
@pytest.mark.parametrize("betas", [(0.2, 2.0), (2.0, 0.2), (0.7, 0.7)])
@pytest.mark.parametrize("n", [2, 3])
def test_steady_state_between_two_baths_against_dense(n, betas):
    battery = open_chain.two_bath_chain(cells=n, splitting=1.2, exchange=0.6, anisotropy=0.4, beta_left=betas[0],
                                        beta_right=betas[1], rate=0.7)
    h, baths = two_baths(n, 1.2, 0.6, 0.4, betas, 0.7)
    assert np.abs(battery.energy.to_dense() - h).max() < 1e-14
    assert np.abs(battery.charging.to_dense() - h).max() < 1e-14
    rho = steady_matrix(h, baths["left"] + baths["right"])
    steady = mb.steady_state(battery)
    found = steady.state.to_dense()
    assert np.abs(found - rho).max() < 1e-10
    assert ergotropy(found, h) == pytest.approx(ergotropy(rho, h), abs=1e-9)
    assert ergotropy(rho, h) > 0.05
    for k in range(n):
        low, _ = solved.local_extremes(rho, h, k, n)
        expected = np.trace(rho @ h).real - low
        assert mb.local_ergotropy(steady.state, battery.energy, k) == pytest.approx(expected, abs=1e-9)
    heat = recorded(battery, steady.state, {"heat": mb.HeatCurrent()})["heat"].values
    expected = [np.trace(h @ dissipated(rho, jumps)).real for jumps in baths.values()]
    assert np.abs(heat - expected).max() < 1e-10
    assert abs(heat.sum()) < 1e-10
    # from hot to cold, and none between equal temperatures
    assert np.sign(np.round(heat[0], 9)) == np.sign(betas[1] - betas[0])


def recorded(battery, state, record):
    """What a run records of a state at its first time."""
    given = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, battery.jumps, empty=state)
    return mb.charge(given, [0.0], record=record, bars=False).data.isel(time=0)


def test_equal_temperatures_without_interaction_give_gibbs():
    # two cells, so that a bath touches each
    battery = open_chain.two_bath_chain(cells=2, splitting=1.4, exchange=0.0, beta_left=0.6, beta_right=0.6)
    gibbs = scipy.linalg.expm(-0.6 * battery.energy.to_dense())
    assert np.abs(mb.steady_state(battery).state.to_dense() - gibbs / np.trace(gibbs)).max() < 1e-12


def test_equal_temperatures_with_interaction_give_gibbs_of_the_field_only():
    """Local jumps and an exchange that conserves sum Z: exp(-beta splitting / 2 sum Z) at any coupling, no heat."""
    battery = open_chain.two_bath_chain(cells=7, splitting=0.9, exchange=0.5, anisotropy=0.7, beta_left=1.1,
                                        beta_right=1.1)
    steady = mb.steady_state(battery, truncation=mb.Truncation(16, 1e-24), tolerance=1e-9)
    up = 1 / (1 + np.exp(1.1 * 0.9))
    for k in range(6):
        pair = np.kron(np.diag([up, 1 - up]), np.diag([up, 1 - up]))
        assert np.abs(steady.state.reduced([k, k + 1]) - pair).max() < 1e-8
    data = recorded(battery, steady.state, {"heat": mb.HeatCurrent(), "flow": mb.EnergyCurrent()})
    assert np.abs(data["heat"].values).max() < 1e-8
    assert np.abs(data["flow"].values).max() < 1e-8
    gibbs = mb.thermal_state(battery.energy, 1.1, bars=False).state
    assert np.abs(steady.state.reduced([2, 3]) - gibbs.reduced([2, 3])).max() > 0.02


def test_two_bath_chain_charges_from_all_down():
    battery = open_chain.two_bath_chain(cells=3)
    run = mb.charge(battery, [0, 0.8])
    h, baths = two_baths(3, 1.0, 0.8, 0.5, (0.2, 2.0), 0.5)
    start = np.zeros((8, 8))
    start[7, 7] = 1.0
    rho = solved_open.evolve_density(h, baths["left"] + baths["right"], start, 0.8)
    assert run.data["energy"].values[-1] == pytest.approx(np.trace(h @ (rho - start)).real, abs=1e-9)


@pytest.mark.parametrize("name", ["splitting", "beta_left", "beta_right", "rate"])
def test_two_baths_need_positive_numbers(name):
    with pytest.raises(mb.InputError, match=rf"^Argument `{name}` must be a positive number, but is -1\.0\.$"):
        open_chain.two_bath_chain(**{name: -1.0})


# -- heat and work of every site -----------------------------------------------------------------------------------
def random_energy(n, rng):
    """Terms on one, two and three neighbouring sites."""
    h = mb.Terms([mb.Spin()] * n)
    for k in range(n):
        h += rng.normal(), ("Z", k)
        for a in "XYZ":
            if k + 1 < n:
                h += rng.normal(), (a, k), (a, k + 1)
        if k + 2 < n:
            h += rng.normal(), ("X", k), ("Z", k + 1), ("Y", k + 2)
    return h


def shared(h, n, site):
    """H_n by Pauli strings: each shared equally by the sites that it touches."""
    out = np.zeros_like(h)
    for index in np.ndindex(*[4] * n):
        touched = [k for k in range(n) if index[k]]
        if site in touched:
            string = solved.pauli_string(n, {k: (None, X, Y, Z)[index[k]] for k in touched})
            out = out + np.trace(string @ h) / 2**n / len(touched) * string
    return out


def thermal_pair(sites, k, frequency, beta, bath, rate=0.4, time=None):
    lower = mb.Terms(sites)
    lower += 1.0, ("Sm", k)
    jumps = mb.thermal_jumps(lower, frequency, beta, rate, bath=bath)
    return jumps if time is None else [mb.Jump(j.terms, rate=time, bath=bath) for j in jumps]


def driven_battery(rng):
    """Four spins, driven in time, between three baths, one with a rate in time."""
    energy = random_energy(4, rng)
    drive = mb.Terms(energy.sites)
    for k in range(4):
        drive += rng.normal(), ("X", k)
    jumps = [*thermal_pair(energy.sites, 0, 1.3, 0.7, "left"),
             *thermal_pair(energy.sites, 3, 0.9, 1.9, "right", time=lambda t: 1 + t)]
    phase = mb.Terms(energy.sites)
    phase += 0.5, ("Z", 1), ("Z", 2)
    jumps.append(mb.Jump(phase, bath="noise"))
    charging = mb.Schedule([(energy, None), (drive, np.cos)])
    return mb.Battery(energy.sites, range(4), energy, charging, jumps, empty="x+"), drive


LOCAL = {"heat": mb.LocalHeat(), "work": mb.LocalWork(), "power": mb.Power(), "unitary": mb.Power("unitary")}


def test_heat_and_work_of_every_site_against_dense():
    battery, drive = driven_battery(RNG(1))
    run = mb.charge(battery, [0, 0.3, 0.7], record=LOCAL, keep_states=True)
    energy = battery.energy.to_dense()
    for k, t in enumerate([0, 0.3, 0.7]):
        rho, h = run.states[k].to_dense(), energy + np.cos(t) * drive.to_dense()
        at = run.data.isel(time=k)
        assert list(at["heat"].coords["bath"].values) == ["left", "right", "noise"]
        for n in range(4):
            part = shared(energy, 4, n)
            assert at["work"].values[n] == pytest.approx(np.trace(-1j * (h @ rho - rho @ h) @ part).real, abs=1e-10)
            for b, bath in enumerate(["left", "right", "noise"]):
                jumps = [(j.rate(t) if j.rate else 1.0) ** 0.5 * j.terms.to_dense() for j in battery.jumps
                         if j.bath == bath]
                heat = np.trace(part @ dissipated(rho, jumps)).real
                assert at["heat"].values[b, n] == pytest.approx(heat, abs=1e-10)
        assert at["heat"].values.sum() + at["work"].values.sum() == pytest.approx(float(at["power"]), abs=1e-10)
        assert at["work"].values.sum() == pytest.approx(float(at["unitary"]), abs=1e-10)
    assert np.abs(run.data["heat"].values).max() > 0.1
    assert np.abs(run.data["work"].values).max() > 0.1


def test_heat_and_work_are_the_slope_of_the_energy_of_a_site():
    """Central differences of fourth order of <H_n>."""
    battery, _ = driven_battery(RNG(2))
    step = 1e-3
    record = {f"h{n}": mb.Expect(part) for n, part in enumerate(_shares(battery.energy))}
    times = 0.4 + step * np.arange(-2, 3)
    run = mb.charge(battery, [0.0, *times], record=record | LOCAL, method=mb.Exact(1e-14), bars=False)
    for n in range(4):
        a, b, _, c, d = run.data[f"h{n}"].values[1:]
        slope = (a - 8 * b + 8 * c - d) / (12 * step)
        found = run.data["work"].values[3, n] + run.data["heat"].values[3, :, n].sum()
        assert found == pytest.approx(slope, abs=1e-9)


def _shares(terms):
    """H_n as Terms, from Pauli strings."""
    out = []
    for n in range(len(terms.sites)):
        part = mb.Terms(terms.sites)
        part += terms_of(terms, shared(terms.to_dense(), len(terms.sites), n))
        out.append(part)
    return out


def test_work_on_a_pure_state():
    energy = random_energy(4, RNG(3))
    drive = mb.Terms(energy.sites)
    drive += 0.8, ("X", 1)
    battery = mb.Battery(energy.sites, range(4), energy, energy + drive, empty="y+")
    run = mb.charge(battery, [0, 0.5], record={"work": mb.LocalWork(), "power": mb.Power()})
    psi, h = run.state.to_dense(), (energy + drive).to_dense()
    for n in range(4):
        part = shared(energy.to_dense(), 4, n)
        expected = (1j * psi.conj() @ (h @ part - part @ h) @ psi).real
        assert run.data["work"].values[-1, n] == pytest.approx(expected, abs=1e-10)
    assert run.data["work"].values[-1].sum() == pytest.approx(run.data["power"].values[-1], abs=1e-10)


# -- entropy -------------------------------------------------------------------------------------------------------
def kms_chain(rng, n=4):
    """A random chain whose cells are coupled to local baths of random frequency and temperature."""
    h = random_energy(n, rng)
    baths = {f"b{k}": (k, float(rng.uniform(0.3, 2)), float(rng.uniform(0.2, 2))) for k in range(0, n, 2)}
    jumps = [j for bath, (k, w, beta) in baths.items() for j in thermal_pair(h.sites, k, w, beta, bath)]
    return mb.Battery(h.sites, range(n), h, h, jumps), baths


def spohn(rho, battery, baths):
    """-sum_b tr(D_b(rho) (ln rho - ln rho_b)) with ln rho_b = -beta w Z / 2 on the site of the bath, by matrices."""
    n, total, log = len(battery.sites), 0.0, scipy.linalg.logm(rho)
    for bath, (k, w, beta) in baths.items():
        slope = dissipated(rho, [j.terms.to_dense() for j in battery.jumps if j.bath == bath])
        total -= np.trace(slope @ (log + beta * w / 2 * solved.pauli_string(n, {k: Z}))).real
    return total


@pytest.mark.parametrize("seed", range(6))
def test_second_law_of_random_chains(seed):
    rng = RNG([seed, 4])
    battery, baths = kms_chain(rng)
    record = {"flow": mb.EntropyProduction(), "sigma": mb.EntropyProduction(part="all")}
    a = rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))
    rho = a @ a.conj().T
    rho /= np.trace(rho).real
    data = recorded(battery, mb.Density.from_dense(battery.sites, rho), record)
    assert float(data["sigma"]) == pytest.approx(spohn(rho, battery, baths), abs=1e-9)
    assert float(data["sigma"]) >= 0
    flow = sum(-beta * w / 2 * np.trace(solved.pauli_string(4, {k: Z}) @ dissipated(
        rho, [j.terms.to_dense() for j in battery.jumps if j.bath == bath])).real
        for bath, (k, w, beta) in baths.items())
    assert float(data["flow"]) == pytest.approx(flow, abs=1e-10)
    steady = mb.steady_state(battery)
    data = recorded(battery, steady.state, record)
    assert float(data["flow"]) == pytest.approx(float(data["sigma"]), abs=1e-8)
    assert float(data["flow"]) > 1e-4


def test_slope_of_entropy_is_that_of_finite_differences():
    battery, _ = kms_chain(RNG(5), 3)
    step, start = 1e-3, mb.charge(kms_chain(RNG(5), 3)[0], [0, 0.5], bars=False).state
    given = mb.Battery(battery.sites, range(3), battery.energy, battery.charging, battery.jumps, empty=start)
    record = {"s": mb.BlockEntropy(0, 2), "flow": mb.EntropyProduction(), "sigma": mb.EntropyProduction(part="all")}
    data = mb.charge(given, step * np.arange(5), record=record, method=mb.Exact(1e-14), bars=False).data
    a, b, _, c, d = data["s"].values
    slope = (a - 8 * b + 8 * c - d) / (12 * step)
    assert (data["sigma"] - data["flow"]).values[2] == pytest.approx(slope, abs=1e-8)


def test_davies_jumps_give_the_entropy_of_the_heat():
    """Global jumps: the flow read off the jumps is -sum beta J with the heat of the whole H."""
    h = random_energy(2, RNG(6))
    betas, jumps = {"hot": 0.4, "cold": 1.7}, []
    for n, (bath, beta) in enumerate(betas.items()):
        coupling = mb.Terms(h.sites)
        coupling += 1.0, ("X", n)
        coupling += 0.4, ("Z", n)
        jumps += mb.davies_jumps(h, coupling, beta, bath=bath)
    battery = mb.Battery(h.sites, range(2), h, h, jumps)
    state = mb.steady_state(battery).state
    data = recorded(battery, state, {"own": mb.EntropyProduction(), "heat": mb.EntropyProduction(betas),
                                     "j": mb.HeatCurrent()})
    rho, expected = steady_matrix(h.to_dense(), [j.terms.to_dense() for j in jumps]), 0.0
    for bath, beta in betas.items():
        slope = dissipated(rho, [j.terms.to_dense() for j in jumps if j.bath == bath])
        expected -= beta * np.trace(h.to_dense() @ slope).real
    assert float(data["own"]) == pytest.approx(expected, abs=1e-9)
    assert float(data["heat"]) == pytest.approx(expected, abs=1e-9)
    assert expected > 1e-2
    gibbs = mb.Density.from_dense(h.sites, scipy.linalg.expm(-0.4 * h.to_dense())).normalised()
    alone = mb.Battery(h.sites, range(2), h, h, [j for j in jumps if j.bath == "hot"])
    assert abs(float(recorded(alone, gibbs, {"s": mb.EntropyProduction(part="all")})["s"])) < 1e-9


def test_heat_of_the_whole_chain_may_break_the_second_law_of_local_jumps():
    """Levy, Kosloff 2014: detuned cells with local baths, where -sum beta J of the whole H is negative."""
    sites = [mb.Spin()] * 2
    h = mb.Terms(sites)
    h += 2.0, ("Z", 0)
    h += 0.5, ("Z", 1)
    h += 0.3, ("X", 0), ("X", 1)
    h += 0.3, ("Y", 0), ("Y", 1)
    betas = {"hot": 0.5, "cold": 1.0}
    jumps = thermal_pair(sites, 0, 4.0, 0.5, "hot") + thermal_pair(sites, 1, 1.0, 1.0, "cold")
    battery = mb.Battery(sites, range(2), h, h, jumps)
    record = {"own": mb.EntropyProduction(), "heat": mb.EntropyProduction(betas)}
    data = recorded(battery, mb.steady_state(battery).state, record)
    assert float(data["own"]) > 1e-3
    assert float(data["heat"]) < -1e-3


def test_dephasing_makes_entropy_without_a_flow():
    battery = open_chain.boundary_driven(cells=3, bias=0.0, dephasing=0.6)
    given = mb.Battery(battery.sites, range(3), battery.energy, battery.charging, battery.jumps,
                       empty=[np.diag([0.9, 0.1]), np.diag([0.5, 0.5]), np.array([[0.5, 0.4], [0.4, 0.5]])])
    data = mb.charge(given, [0.0], bars=False, record={"flow": mb.EntropyProduction(),
                                                       "sigma": mb.EntropyProduction(part="all")}).data
    assert abs(float(data["flow"].values[0])) < 1e-12
    assert float(data["sigma"].values[0]) > 0.1
    pure = mb.charge(open_chain.two_bath_chain(cells=2), [0, 0.1], record={"s": mb.EntropyProduction(part="all")})
    assert np.all(np.isfinite(pure.data["s"].values))
    assert pure.data["s"].values[0] > pure.data["s"].values[1] > 0


def test_entropy_flow_of_a_long_chain():
    """Sixteen cells in the product state that equal temperatures leave fixed: detailed balance, no flow."""
    battery = open_chain.two_bath_chain(cells=16, beta_left=0.8, beta_right=0.8)
    up = 1 / (1 + np.exp(0.8))
    state = mb.Density.product(battery.sites, [np.diag([up, 1 - up])] * 16)
    data = recorded(battery, state, {"flow": mb.EntropyProduction(), "work": mb.LocalWork(), "heat": mb.LocalHeat()})
    assert abs(float(data["flow"])) < 1e-12
    assert np.abs(data["heat"].values).max() < 1e-12
    assert np.abs(data["work"].values).max() < 1e-12


@pytest.mark.parametrize(("model", "quantity", "told"), [
    ("two_bath_chain", lambda: mb.EntropyProduction({"left": 1.0}), "`betas` must give the inverse temperature"),
    ("two_bath_chain", lambda: mb.EntropyProduction({"lft": 1.0, "right": 2.0}), "Unknown bath 'lft'"),
    ("two_bath_chain", lambda: mb.EntropyProduction({"left": "hot"}), "`betas` must map names of baths to finite"),
    ("two_bath_chain", lambda: mb.EntropyProduction(part="some"), "`part` must be flow or all, but is 'some'"),
    ("decaying", lambda: mb.EntropyProduction(), "`jumps` must hold the reverse of every jump for an entropy flow"),
    ("boundary_driven", lambda: mb.EntropyProduction(part="all"), "`part` must be flow for a chain of more than 1024"),
    ("xxz", lambda: mb.EntropyProduction(), "`record` must not hold EntropyProduction for a battery without jumps"),
    ("xxz", lambda: mb.LocalHeat(), "`record` must not hold LocalHeat for a battery without jumps"),
    ("xxz", lambda: mb.HeatCurrent(), "`record` must not hold HeatCurrent for a battery without jumps"),
])
def test_bad_entropy(model, quantity, told):
    cells = 12 if model == "boundary_driven" else 4
    with pytest.raises(mb.InputError) as caught:
        mb.charge(catalogue()[model](cells=cells), [0.0], record={"s": quantity()})
    assert told in str(caught.value)
