"""Open systems: the Liouvillian, evolution of densities, and what is measured of them, against dense references."""

import numpy as np
import pytest
import scipy.linalg
import solved
import solved_open

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve import choose
from mps_battery.evolve.choose import strength
from mps_battery.evolve.tebd import CentreEvolution
from mps_battery.liouville import adjoint_dissipator, dissipator, generator, superoperators, unitary
from mps_battery.models import open_chain as open_chain_models
from mps_battery.models import spin_chain
from mps_battery.tensors.density import density_sites

RNG = np.random.default_rng
KEEP = mb.Truncation(bond=4096, weight=1e-26)
CHAINS = {
    "qubits": [mb.Spin()] * 4,
    "spin one and boson": [mb.Spin(1.0), mb.Boson(2), mb.Spin()],
    "fermions": [mb.Fermion()] * 4,
    "levels": [mb.Levels("gef"), mb.Spin(), mb.Levels("ge")],
}


def random_matrix(site, rng):
    matrix = rng.normal(size=(site.d, site.d)) + 1j * rng.normal(size=(site.d, site.d))
    return np.diag(np.diag(matrix)) if site.parity is not None else matrix


def random_hamiltonian(sites, rng, reach=None):
    """Hermitian terms on one and two sites; hopping where there are fermions."""
    h = mb.Terms(sites)
    for i in range(len(sites)):
        h += 1.0, (random_matrix(sites[i], rng), i)
        for j in range(i + 1, len(sites)):
            if reach is None or j - i <= reach:
                h += 0.5, (random_matrix(sites[i], rng), i), (random_matrix(sites[j], rng), j)
                if sites[i].parity is not None:
                    h += complex(*rng.normal(size=2)), ("Cd", i), ("C", j)
    return 0.5 * (h + h.adjoint())


def random_jumps(sites, rng):
    """Single-site, two-site, collective and, for fermions, odd jumps."""
    single, pair, collective = mb.Terms(sites), mb.Terms(sites), mb.Terms(sites)
    single += 0.4, (random_matrix(sites[1], rng), 1)
    pair += 0.3 + 0.2j, (random_matrix(sites[0], rng), 0), (random_matrix(sites[1], rng), 1)
    pair += 0.2, (random_matrix(sites[1], rng), 1)
    for n, site in enumerate(sites):
        collective += 0.2, (random_matrix(site, rng), n)
    jumps = [single, pair, collective]
    if sites[0].parity is not None:
        odd = mb.Terms(sites)
        odd += 0.5, ("C", 2)
        odd += 0.3j, ("Cd", 3)
        jumps.append(odd)
    return jumps


# -- the Liouvillian -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CHAINS)
def test_liouvillian_is_real_and_that_of_the_master_equation(name):
    sites, rng = CHAINS[name], RNG(1)
    h, jumps = random_hamiltonian(sites, rng), random_jumps(sites, rng)
    found = unitary(h).to_dense() + sum(dissipator(j).to_dense() for j in jumps)
    b = solved_open.product_basis(density_sites(sites))
    expected = b.conj().T @ solved_open.lindblad_matrix(h.to_dense(), [j.to_dense() for j in jumps]) @ b
    assert np.abs(found.imag).max() == 0
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < 1e-13 * scale
    assert all(not np.iscomplexobj(w) for w in dissipator(jumps[2]).to_mpo().tensors)
    # the trace is conserved: the first row belongs to the identity
    assert np.abs(found[0]).max() < 1e-13 * scale


def test_bond_of_the_liouvillian_of_xxz_is_eight():
    sites = [mb.Spin()] * 12
    h = mb.Terms(sites)
    for n in range(11):
        for name, c in (("X", 1.0), ("Y", 1.0), ("Z", 0.5)):
            h += c, (name, n), (name, n + 1)
    mpo = unitary(h).to_mpo()
    assert mpo.bonds[1:-1] == [8] * 9
    assert all(w.dtype == float for w in mpo.tensors)
    collective = mb.Terms(sites)
    for n in range(12):
        collective += 1.0, ("Sm", n)
    assert max(dissipator(collective).to_mpo().bonds) <= 6


def test_what_a_jump_does_to_a_mean_value():
    sites, rng = CHAINS["qubits"], RNG(2)
    h, jump = random_hamiltonian(sites, rng), random_jumps(sites, rng)[2]
    l, o = jump.to_dense(), h.to_dense()
    decay = l.conj().T @ l
    expected = l.conj().T @ o @ l - 0.5 * (decay @ o + o @ decay)
    assert np.abs(adjoint_dissipator(jump, h).to_dense() - expected).max() < 1e-12


# -- evolution -----------------------------------------------------------------------------------------------------
def open_chain(rng, parity=False, n=5):
    """Nearest-neighbour battery of five qubits with decay, dephasing and pair jumps; with or without a parity."""
    sites = [mb.Spin()] * n
    h = random_hamiltonian(sites, rng, reach=1)
    if parity:
        h = mb.Terms(sites)
        for k in range(n - 1):
            for name in "XYZ":
                h += rng.normal(), (name, k), (name, k + 1)
            h += 0.3, ("X", k), ("X", k + 1)
        h += 0.7, ("Z", 1)
    jumps = []
    for k in range(n - 1):
        pair, phase = mb.Terms(sites), mb.Terms(sites)
        pair += 0.5 * rng.normal(), ("Sm", k)
        pair += 0.5 * rng.normal(), ("Sm", k + 1)
        phase += 0.4, ("Z", k), ("Z", k + 1)
        jumps += [mb.Jump(pair), mb.Jump(phase)]
    return mb.Battery(sites, range(n), h, h, jumps, empty="neel" if parity else "x+")


def dense_answer(battery, time):
    h = battery.charging.to_dense()
    jumps = [j.terms.to_dense() for j in battery.jumps]
    return solved_open.evolve_density(h, jumps, battery.initial_state().to_dense(), time)


METHODS = {"tebd": mb.TEBD(dt=0.014), "tdvp": mb.TDVP(dt=0.05, krylov=1e-12),
           "tdvp one site": mb.TDVP(dt=0.05, sites=1), "exact": mb.Exact()}


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_every_marginal_against_the_dense_twin(name, parity):
    """1e-8 in every marginal of one and two sites; the trace stays where it was."""
    battery = open_chain(RNG(3), parity)
    evolution = METHODS[name].start(battery.initial_state(), generator(battery), KEEP)
    evolution.advance(0.7)
    expected, state = dense_answer(battery, 0.7), evolution.state
    for keep in [[n] for n in range(5)] + [[0, 1], [3, 1], [0, 4], [2, 3, 4]]:
        error = np.abs(state.reduced(keep) - solved.partial_trace(expected, keep, 5)).max()
        assert error < 1e-8, (keep, error)
    assert abs(state.trace - 1) < (1e-10 if name != "tdvp" else 1e-9)
    if name == "tebd":
        assert isinstance(evolution, CentreEvolution)
        assert len(evolution._chain.blocks[2]) == (4 if parity else 1)


@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
@pytest.mark.parametrize("parity", [False, True])
def test_order_in_the_step(order, within, parity):
    battery = open_chain(RNG(4), parity, n=4)
    expected, steps, errors = dense_answer(battery, 1.0), [0.2, 0.1, 0.05], []
    for dt in steps:
        evolution = mb.TEBD(dt=dt, order=order).start(battery.initial_state(), generator(battery), KEEP)
        evolution.advance(1.0)
        errors.append(np.linalg.norm(evolution.state.to_dense() - expected))
    assert abs(np.polyfit(np.log(steps), np.log(errors), 1)[0] - order) < within


@pytest.mark.parametrize("method", [mb.TDVP(dt=0.05), mb.Exact()])
def test_collective_jump_and_fermions(method):
    for name in ("qubits", "fermions"):
        sites, rng = CHAINS[name], RNG(5)
        h, jumps = random_hamiltonian(sites, rng), random_jumps(sites, rng)[2:]
        battery = mb.Battery(sites, [0], h, h, [mb.Jump(j) for j in jumps], empty=[1, 0, 1, 0])
        evolution = method.start(battery.initial_state(), generator(battery), KEEP)
        evolution.advance(0.5)
        assert np.abs(evolution.state.to_dense() - dense_answer(battery, 0.5)).max() < 1e-8


def test_order_of_the_jumps_does_not_matter():
    battery = open_chain(RNG(6))
    turned = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, battery.jumps[::-1],
                        empty=battery.empty)
    one, two = (mb.charge(b, [0, 0.5], method=mb.TEBD(dt=0.1), bars=False, truncation=KEEP)
                for b in (battery, turned))
    for name in one.data:
        assert np.allclose(one.data[name], two.data[name], rtol=0, atol=1e-12)


def test_rates_in_time():
    """A jump whose rate decays as 2 exp(-t): the population decays by the integral of the rate."""
    sites = [mb.Spin()] * 2
    h, lower = mb.Terms(sites), mb.Terms(sites)
    h += 1.0, ("Z", 0)
    h += 1.0, ("Z", 1)
    lower += 1.0, ("Sm", 0)
    battery = mb.Battery(sites, [0], h, h, [mb.Jump(lower, rate=lambda t: 2 * np.exp(-t))], empty="up")
    times = np.linspace(0, 2, 5)
    for method, within in ((mb.Exact(), 1e-10), (mb.TEBD(dt=0.02), 1e-8), (mb.TDVP(dt=0.02), 1e-8)):
        run = mb.charge(battery, times, record={"z": mb.Expect("Z")}, method=method)
        population = (1 + run.data["z"].values[:, 0]) / 2
        assert np.abs(population - np.exp(-2 * (1 - np.exp(-times)))).max() < within
        assert np.abs(run.data["z"].values[:, 1] - 1).max() < 1e-10


def test_bonds_between_sites_of_unequal_dimension():
    sites, rng = [mb.Spin(), mb.Levels("gef"), mb.Spin(), mb.Spin()], RNG(10)
    h, jumps = random_hamiltonian(sites, rng, reach=1), random_jumps(sites, rng)[:2]
    battery = mb.Battery(sites, range(4), h, h, [mb.Jump(j) for j in jumps], empty=[0, 1, 1, 0])
    evolution = mb.TEBD(dt=0.02).start(battery.initial_state(), generator(battery), KEEP)
    evolution.advance(0.2)
    assert np.abs(evolution.state.to_dense() - dense_answer(battery, 0.2)).max() < 1e-7


def test_budget_tells_what_truncation_does_to_trace_and_positivity():
    battery = open_chain(RNG(11))
    run = mb.charge(battery, [0, 0.4, 0.8], method=mb.TEBD(dt=0.1), truncation=mb.Truncation(3), keep_states=True)
    assert run.budget.norm_defect == pytest.approx(abs(run.states[-1].trace - 1))
    assert run.budget.norm_defect > 1e-8
    least = [min(np.linalg.eigvalsh(solved.partial_trace(rho / np.trace(rho), [k, k + 1], 5))[0] for k in range(4))
             for rho in (state.to_dense() for state in run.states)]
    assert run.budget.least_eigenvalue == pytest.approx(min(least), abs=1e-12)
    assert min(least) < -1e-4


def test_strength_of_a_commutator_is_that_of_the_hamiltonian():
    """Half the width of the spectrum of what acts on a bond, so that both get the same time step."""
    h = random_hamiltonian([mb.Spin()] * 2, RNG(12))
    energies = np.linalg.eigvalsh(h.to_dense())
    for schedule in (as_schedule(h), superoperators([(unitary(h), None)])):
        assert strength(schedule, np.zeros(1)) == pytest.approx((energies[-1] - energies[0]) / 2)


# -- states and measurements ---------------------------------------------------------------------------------------
def random_density(d, rng):
    a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    rho = a @ a.conj().T
    return rho / np.trace(rho).real


def test_density_measures_against_dense():
    sites, rng = [mb.Spin()] * 4, RNG(7)
    rho = random_density(16, rng)
    state = mb.Density.from_dense(sites, rho)
    assert np.abs(state.to_dense() - rho).max() < 1e-13
    assert abs(state.purity - np.trace(rho @ rho).real) < 1e-13
    for keep in ([0], [2, 0], [1, 2, 3]):
        assert np.abs(state.reduced(keep) - solved.partial_trace(rho, keep, 4)).max() < 1e-13
    h = random_hamiltonian(sites, rng)
    assert abs(state.expect(h) - np.trace(h.to_dense() @ rho)) < 1e-12
    block = solved.partial_trace(rho, [1, 2], 4)
    assert abs(state.renyi2(1, 2) + np.log(np.trace(block @ block).real)) < 1e-12
    assert abs(state.block_entropy(1, 2) - solved.entropy(block)) < 1e-12
    matrix = rho.reshape(4, 4, 4, 4).transpose(0, 2, 1, 3).reshape(16, 16)       # (kets, bras) of the left half
    weights = np.linalg.svd(matrix, compute_uv=False) ** 2
    weights /= weights.sum()
    assert abs(state.operator_entropy(1) + np.sum(weights * np.log(weights))) < 1e-12
    least = min(np.linalg.eigvalsh(solved.partial_trace(rho, [n, n + 1], 4))[0] for n in range(3))
    assert abs(state.least_marginal() - least) < 1e-13
    for site in (0, 2):
        low, high = solved.local_extremes(rho, h.to_dense(), site, 4)
        energy = np.trace(h.to_dense() @ rho).real
        assert abs(mb.local_ergotropy(state, h, site) - (energy - low)) < 1e-9
        assert abs(mb.local_capacity(state, h, site) - (high - low)) < 1e-9


def test_what_a_run_records_of_a_density():
    battery = open_chain(RNG(8))
    record = {**mb.STANDARD_MIXED, "z": mb.Expect("Z"), "xy": mb.Correlator("X", "Y"), "pair": mb.Reduced([3, 1]),
              "block": mb.BlockEntropy(1, 3), "renyi": mb.Renyi2(0, 2)}
    run = mb.charge(battery, [0, 0.4], record=record, method=mb.TEBD(dt=0.02), truncation=KEEP)
    rho, h = dense_answer(battery, 0.4), battery.charging.to_dense()
    l = solved_open.lindblad_matrix(h, [j.terms.to_dense() for j in battery.jumps])
    slope = (l @ rho.ravel()).reshape(rho.shape)
    coherent = -1j * (h @ rho - rho @ h)
    at = run.data.isel(time=-1)
    expected = {
        "energy": np.trace(h @ (rho - battery.initial_state().to_dense())).real, "power": np.trace(h @ slope).real,
        "power_unitary": np.trace(h @ coherent).real, "power_dissipative": np.trace(h @ (slope - coherent)).real,
        "energy_variance": np.trace(h @ h @ rho).real - np.trace(h @ rho).real ** 2,
        "purity": np.trace(rho @ rho).real, "pair": solved.partial_trace(rho, [3, 1], 5),
        "block": solved.entropy(solved.partial_trace(rho, [1, 2, 3], 5)),
        "renyi": -np.log(np.trace(np.linalg.matrix_power(solved.partial_trace(rho, [0, 1, 2], 5), 2)).real),
        "z": [np.trace(solved.partial_trace(rho, [n], 5) @ solved.Z).real for n in range(5)],
        "xy": [[np.trace(rho @ solved.pauli_string(5, {i: solved.X}) @ solved.pauli_string(5, {j: solved.Y}))
                for j in range(5)] for i in range(5)],
    }
    for name, value in expected.items():
        assert np.allclose(at[name].values, value, rtol=0, atol=2e-7), name
        bar = run.bars[name].isel(time=-1).values
        assert np.all(np.abs(at[name].values - value) <= bar + 1e-11), name
    assert run.budget.least_eigenvalue is not None
    assert run.budget.least_eigenvalue > -1e-9
    assert run.budget.norm_defect < 1e-10


def test_starts_of_densities():
    sites, rng = [mb.Spin()] * 3, RNG(9)
    h = random_hamiltonian(sites, rng)
    matrices = [random_density(2, rng) for _ in sites]
    starts = {"mixed": np.eye(8) / 8, "down": np.diag(np.eye(8)[7])}
    for label, expected in starts.items():
        assert np.abs(mb.Density.product(sites, label).to_dense() - expected).max() < 1e-14
    battery = mb.Battery(sites, range(3), h, h, empty=matrices)
    assert battery.mixed
    expected = np.kron(np.kron(*matrices[:2]), matrices[2])
    assert np.abs(battery.initial_state().to_dense() - expected).max() < 1e-14
    psi = rng.normal(size=8) + 1j * rng.normal(size=8)
    pure = mb.Density.from_pure(mb.MPS.from_dense(sites, psi))
    psi /= np.linalg.norm(psi)
    assert np.abs(pure.to_dense() - np.outer(psi, psi.conj())).max() < 1e-13
    assert pure.train.tensors[1].dtype == float
    # a closed battery that starts from a density: unitary evolution of it
    run = mb.charge(mb.Battery(sites, range(3), h, h, empty=matrices), [0, 0.6], bars=False)
    u = scipy.linalg.expm(-0.6j * h.to_dense())
    assert np.abs(run.state.to_dense() - u @ expected @ u.conj().T).max() < 1e-10
    assert abs(run.data["power_dissipative"].values).max() == 0


# -- models --------------------------------------------------------------------------------------------------------
def test_lossy_charger_against_the_closed_form():
    """REFERENCES 4.5: c(t) = -i (g / Omega) exp(-gamma t / 4) sin Omega t, Omega^2 = g^2 - gamma^2 / 16."""
    g, loss, times = 0.7, 0.5, np.linspace(0, 6, 7)
    battery = open_chain_models.lossy_chargers(cells=6, splitting=1.2, coupling=g, loss=loss)
    run = mb.charge(battery, times)
    omega = np.sqrt(g**2 - loss**2 / 16)
    held = (g / omega) ** 2 * np.exp(-loss * times / 2) * np.sin(omega * times) ** 2
    assert np.abs(run.data["energy"].values - 6 * 1.2 * held).max() < 1e-6
    assert np.abs(run.data["local_ergotropy"].values - 1.2 * np.maximum(2 * held - 1, 0)[:, None]).max() < 1e-6
    assert np.all(np.abs(run.data["energy"] - 6 * 1.2 * held) <= run.bars["energy"] + 1e-10)


def test_thermal_charging_against_the_closed_form():
    """REFERENCES 4.5: the fixed point has ergotropy h tanh(beta h / 2) a cell."""
    battery = open_chain_models.thermal_charging(cells=3, splitting=1.3, beta=0.9)
    assert mb.local_ergotropy(battery.initial_state(), battery.energy, 1) < 1e-12
    steady = mb.steady_state(battery)
    for site in range(3):
        found = mb.local_ergotropy(steady.state, battery.energy, site)
        assert found == pytest.approx(1.3 * np.tanh(0.9 * 1.3 / 2), abs=1e-9)


def test_dark_pair_keeps_a_quarter():
    """REFERENCES 4.5: the singlet part of an excited charger and an empty cell never decays."""
    run = mb.charge(open_chain_models.dark_pairs(cells=5, rate=1.0), [0, 20.0], record={"n": mb.Expect("Z")})
    populations = (1 + run.data["n"].values[-1]) / 2
    assert np.abs(populations - 0.25).max() < 1e-6


def test_decay_alone_and_together():
    """Independent: J = rate splitting L exp(-rate t); two together from the top: 2 e^(-2 rate t) (1 + 2 rate t)."""
    rate, times = 0.3, np.linspace(0, 2, 5)
    alone = mb.charge(open_chain_models.decaying(cells=7, rate=rate), times, record={"j": mb.HeatCurrent()})
    assert np.abs(alone.data["j"].values[:, 0] + 7 * rate * np.exp(-rate * times)).max() < 1e-6
    pair = mb.charge(open_chain_models.decaying(cells=2, rate=rate, collective=True), times,
                     record={"j": mb.HeatCurrent(), "p": mb.Power("dissipative")})
    expected = -2 * rate * np.exp(-2 * rate * times) * (1 + 2 * rate * times)
    assert np.abs(pair.data["j"].values[:, 0] - expected).max() < 1e-9
    assert np.abs(pair.data["p"].values - expected).max() < 1e-9


def test_boundary_driven_model_is_the_chain_of_the_reference():
    battery = open_chain_models.boundary_driven(cells=5, anisotropy=0.0, rate=1.3, bias=0.4, dephasing=0.7)
    steady = mb.steady_state(battery)
    j, z = solved_open.dephased_xx(5, 1.3, 0.4, 0.7)
    assert 2 * steady.certificate.current == pytest.approx(j, abs=1e-10)
    assert np.allclose([2 * steady.state.reduced([n])[0, 0].real - 1 for n in range(5)], z, atol=1e-10)


# -- steps ---------------------------------------------------------------------------------------------------------
def test_steps_that_are_too_long_are_refused_before_they_are_unstable(monkeypatch):
    """Below the limit a density stays one; far above it purity and trace grow without end."""
    battery = open_chain_models.boundary_driven(cells=6, dephasing=5.0, rate=8.0)
    longest = 10 / choose.strength(generator(battery), np.zeros(1))
    few = {"truncation": mb.Truncation(24, 1e-6), "bars": False}
    run = mb.charge(battery, [0, 4 * longest], method=mb.TEBD(dt=0.99 * longest), **few)
    assert run.budget.norm_defect < 1e-3
    assert run.data["purity"].values[-1] < 0.04
    assert run.budget.least_eigenvalue > 0
    with pytest.raises(mb.InputError, match="`dt` must be at most"):
        mb.charge(battery, [0, 4 * longest], method=mb.TEBD(dt=1.01 * longest), **few)
    # no step is longer than the times are apart
    mb.charge(battery, [0, longest / 2], method=mb.TEBD(dt=100 * longest), **few)
    monkeypatch.setattr(choose, "LARGEST_STEP", np.inf)
    run = mb.charge(battery, [0, 20 * longest], method=mb.TEBD(dt=5 * longest), **few)
    assert run.data["purity"].values[-1] > 1


# -- bad input -----------------------------------------------------------------------------------------------------
def bad_open_inputs():
    sites = [mb.Spin()] * 3
    h, jump, other = mb.Terms(sites), mb.Terms(sites), mb.Terms([mb.Spin()] * 2)
    h += 1.0, ("Z", 0)
    jump += 1.0, ("Sm", 0)
    other += 1.0, ("Sm", 0)

    def charged(rate):
        battery = mb.Battery(sites, range(3), h, h, [mb.Jump(jump, rate=rate)])
        return mb.charge(battery, [0, 1.0], method=mb.Exact())

    return [
        (lambda: charged(lambda _: -1.0), "`rate` must be a finite number of at least 0 at time"),
        (lambda: charged(lambda _: 1j), "`rate` must be a finite number"),
        (lambda: mb.Jump(jump, rate=2.0), "`rate` must be a function of time or None, but is 2.0"),
        (lambda: mb.Jump("Sm"), "`jumps` must be Terms"),
        (lambda: mb.Jump(mb.Terms(sites)), "`jumps` must have at least one product"),
        (lambda: mb.Battery(sites, range(3), h, h, [jump]), "`jumps` must be a list of Jump"),
        (lambda: mb.Battery(sites, range(3), h, h, [mb.Jump(other)]), "`jumps` must live on the 3 sites"),
        (lambda: mb.Battery(sites, range(3), h, h, empty=[np.eye(2)] * 3).initial_state(), "matrix of trace one"),
        (lambda: mb.Battery(sites, range(3), h, h, empty=[np.diag([1.2, -0.2])] * 3).initial_state(), "positive"),
        (lambda: mb.charge(mb.Battery(sites, range(3), h, h, [mb.Jump(jump)]), [0, 1], method=mb.Tenpy()),
         "`method` must be TEBD, TDVP or Exact for a density"),
        (lambda: mb.charge(mb.Battery(sites, range(3), h, h, [mb.Jump(jump)]), [0, 1],
                           record={"s": mb.Entropy()}), "must hold OperatorEntropy"),
        (lambda: mb.charge(mb.Battery(sites, range(3), h, h), [0, 1], record={"s": mb.Purity()}),
         "must not hold Purity for a pure state"),
        (lambda: mb.Density.product(sites, "mixed").renyi2(2, 1), "begin a block first..last"),
        (lambda: mb.Power("heat"), "`part` must be all, unitary or dissipative"),
    ]


@pytest.mark.parametrize("case", range(14))
def test_bad_input(case):
    attempt, told = bad_open_inputs()[case]
    with pytest.raises(mb.InputError) as caught:
        attempt()
    assert told in str(caught.value)


def test_weight_of_the_identity_where_densities_are_truncated():
    """Without truncation it changes nothing; with it, few-body values gain."""
    battery, times = open_chain_models.boundary_driven(cells=8), [0.0, 2.0]
    record = {"z": mb.Expect("Z"), "purity": mb.Purity()}

    def run(weight, truncation):
        data = mb.charge(battery, times, method=mb.TEBD(dt=0.1, identity_weight=weight), truncation=truncation,
                         record=record, bars=False).data
        return data["z"].values[-1], float(data["purity"][-1])

    z, purity = run(1.0, KEEP)
    same = run(1.5, KEEP)
    assert np.abs(same[0] - z).max() < 1e-9
    assert same[1] == pytest.approx(purity, rel=1e-9)
    errors = {w: run(w, mb.Truncation(20, 1e-20)) for w in (1.0, 1.5)}
    assert np.abs(errors[1.5][0] - z).max() < 0.7 * np.abs(errors[1.0][0] - z).max()
    with pytest.raises(mb.InputError, match="`identity_weight` must be a positive number"):
        mb.TEBD(identity_weight=0)


def test_defaults_of_densities_and_of_pure_states():
    driven = open_chain_models.boundary_driven(cells=6)
    times, record = np.linspace(0, 2, 5), {"z": mb.Expect("Z")}
    run = mb.charge(driven, times, record=record, progress=False)
    assert (run.card["bond_cap"], run.card["weight"]) == (160, 1e-13)
    assert "TEBD" in run.card["method"]
    exact = mb.charge(driven, times, record=record, method=mb.Exact(), bars=False, progress=False).data["z"]
    error = np.abs(run.data["z"] - exact)
    assert 1e-9 < error.max() < 1e-5
    assert np.all(error <= run.bars["z"])       # the step, for no bond is cut here
    pure = mb.charge(spin_chain.xxz(cells=11), times, record=record, bars=False, progress=False)
    assert (pure.card["bond_cap"], pure.card["weight"]) == (256, 1e-12)
    given = mb.charge(driven, times, record=record, truncation=mb.Truncation(64, 1e-9), bars=False, progress=False)
    assert (given.card["bond_cap"], given.card["weight"]) == (64, 1e-9)
