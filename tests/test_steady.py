"""Steady states against closed forms and dense null spaces, with their certificates."""

import numpy as np
import pytest
import solved_open

import mps_battery as mb


def driven_chain(n, delta, mu, gamma=1.0, dephasing=0.0, empty="mixed"):
    """XXZ chain of REFERENCES 4: ends driven towards +mu and -mu at rate gamma, dephasing on every site."""
    sites = [mb.Spin()] * n
    h = mb.Terms(sites)
    for k in range(n - 1):
        for name, c in (("X", 1.0), ("Y", 1.0), ("Z", delta)):
            if c:
                h += c, (name, k), (name, k + 1)
    jumps = []
    for strength, name, k in ((1 + mu, "Sp", 0), (1 - mu, "Sm", 0), (1 - mu, "Sp", n - 1), (1 + mu, "Sm", n - 1)):
        if strength > 0:
            jump = mb.Terms(sites)
            jump += np.sqrt(gamma * strength), (name, k)
            jumps.append(mb.Jump(jump, bath="left" if k == 0 else "right"))
    for k in range(n if dephasing else 0):
        jump = mb.Terms(sites)
        jump += np.sqrt(dephasing / 2), ("Z", k)
        jumps.append(mb.Jump(jump, bath="dephasing"))
    return mb.Battery(sites, range(n), h, h, jumps, empty=empty, name="driven chain")


def check_certificate(steady, unique=True):
    c = steady.certificate
    assert abs(c.trace - 1) < 1e-10
    assert c.least_eigenvalue > -1e-6
    assert (c.multiplicity == 1) == unique
    assert 0 <= c.residual < 0.02
    assert 0 <= c.weighted_residual < 1e-3
    assert "residual" in str(steady)
    return c


def pauli_current(steady):
    """Mean of 2 <X Y - Y X>, twice the flow of excitations."""
    return 2 * steady.certificate.current


# -- dense ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("delta", "epsilon"), [(1, 0.5), (1, 1), (1, 2), (0.5, 1), (0.5, 2)])
@pytest.mark.parametrize("n", [2, 4, 6])
def test_maximal_driving_dense(n, delta, epsilon):
    """REFERENCES 4.2: current from the dense twin against Prosen's recursion."""
    steady = mb.steady_state(driven_chain(n, delta, 1.0, epsilon))
    check_certificate(steady)
    assert pauli_current(steady) == pytest.approx(solved_open.maximal_driving_current(n, delta, epsilon), abs=1e-9)
    assert steady.certificate.spread is None or steady.certificate.spread < 1e-10
    assert steady.converged


def test_printed_numbers_of_the_driven_chain():
    """The n = 4 profile and local work of REFERENCES 4.2 and 4.4, and the recursion against printed currents."""
    for n, delta, epsilon, j in [(10, 1, 1, 0.3747516649), (50, 1, 1, 0.0161434590), (20, 1, 0.5, 0.1778815502),
                                 (50, 0.5, 1, 1.4031242374), (3, 0.5, 2, 1.8823529412)]:
        assert solved_open.maximal_driving_current(n, delta, epsilon) == pytest.approx(j, abs=1e-10)
    for delta, work, capacity in [(1, (1.05317366, 1.79797980), (1.37907460, 1.79797980)),
                                  (0.5, (0.92718661, 0.96453901), (1.51394770, 0.96453901))]:
        battery = driven_chain(4, delta, 1.0)
        state = mb.steady_state(battery).state
        for site in range(4):
            k = min(site, 3 - site)
            assert mb.local_ergotropy(state, battery.energy, site) == pytest.approx(work[k], abs=1e-7)
            assert mb.local_capacity(state, battery.energy, site) == pytest.approx(capacity[k], abs=1e-7)


# -- sweeps --------------------------------------------------------------------------------------------------------
def test_sweeps_agree_with_the_dense_twin_and_relaxation():
    battery = driven_chain(5, 0.7, 0.8, dephasing=0.3)
    dense = mb.steady_state(battery, method=mb.Dense())
    swept = mb.steady_state(battery, method=mb.Sweeps(), truncation=mb.Truncation(64, 1e-24), tolerance=1e-9)
    relaxed = mb.steady_state(battery, method=mb.Relaxation(dt=0.05), truncation=mb.Truncation(64, 1e-16),
                              tolerance=1e-6)
    rho = dense.state.to_dense()
    l = solved_open.lindblad_matrix(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps])
    assert np.abs(l @ rho.ravel()).max() < 1e-13
    assert np.abs(swept.state.to_dense() - rho).max() < 1e-9
    assert np.abs(relaxed.state.to_dense() - rho).max() < 1e-5
    for steady in (dense, swept, relaxed):
        check_certificate(steady)
    assert swept.converged


@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_dephased_xx_chain(dephasing):
    """REFERENCES 4.1 at N = 10: current and profile to 1e-6, local work of REFERENCES 4.4, bond 4 without dephasing."""
    n, gamma, mu = 10, 1.3, 0.4
    battery = driven_chain(n, 0.0, mu, gamma, dephasing)
    steady = mb.steady_state(battery, truncation=mb.Truncation(32, 1e-24), tolerance=1e-9)
    j, z = solved_open.dephased_xx(n, gamma, mu, dephasing)
    c = check_certificate(steady)
    assert pauli_current(steady) == pytest.approx(j, rel=1e-6)
    assert c.spread <= 1e-6 * j
    profile = [np.trace(steady.state.reduced([k]) @ np.diag([1, -1])).real for k in range(n)]
    assert np.abs(profile - z).max() < 1e-6 * mu
    for site in (0, 4, 9):
        edge = site in (0, 9)
        assert mb.local_ergotropy(steady.state, battery.energy, site) == pytest.approx(j / 2 * edge, abs=1e-6)
        assert mb.local_capacity(steady.state, battery.energy, site) == pytest.approx(j * edge, abs=1e-6)
    if not dephasing:
        for s in steady.state.train.schmidt_values:
            assert np.sum(s > 1e-10 * s[0]) <= 4


def test_maximal_driving_by_sweeps():
    """Delta = 1, epsilon = 1, N = 8 from the identity: 1e-8 with the exact rank."""
    steady = mb.steady_state(driven_chain(8, 1.0, 1.0), truncation=mb.Truncation(32, 1e-22), tolerance=1e-7)
    c = check_certificate(steady)
    assert pauli_current(steady) == pytest.approx(solved_open.maximal_driving_current(8, 1, 1), rel=1e-8)
    assert c.spread < 1e-8
    assert steady.converged
    assert "Solved by Sweeps" in steady.outcome


@pytest.mark.slow
@pytest.mark.parametrize(("n", "gamma", "mu", "dephasing"), [(10, 0.6, 1.0, 1.3), (40, 1.0, 0.5, 1.0),
                                                             (40, 2.0, 0.2, 0.0), (100, 1.0, 0.2, 1.0)])
def test_long_dephased_xx_chain(n, gamma, mu, dephasing):
    """REFERENCES 4.1: current and profile of long chains to 1e-6."""
    # without dephasing the exact bond is 4, and sweeps that start with a small one are the surer
    steady = mb.steady_state(driven_chain(n, 0.0, mu, gamma, dephasing), truncation=mb.Truncation(32, 1e-22),
                             method=mb.Sweeps(first_bond=28 if dephasing else 12), tolerance=1e-8, seconds=400)
    print(steady)
    j, z = solved_open.dephased_xx(n, gamma, mu, dephasing)
    assert pauli_current(steady) == pytest.approx(j, rel=1e-6)
    assert steady.certificate.spread <= 10e-6 * j
    profile = [np.trace(steady.state.reduced([k]) @ np.diag([1, -1])).real for k in range(n)]
    assert np.abs(profile - z).max() < 1e-6


@pytest.mark.slow
def test_long_dephased_xxz_chain():
    """N = 100, Delta = 0.5, dephasing 1, from the identity: current uniform to 1e-3 and confirmed at a larger bond."""
    found = [mb.steady_state(driven_chain(100, 0.5, 0.5, dephasing=1.0), method=mb.Sweeps(identity_weight=2.0),
                             truncation=mb.Truncation(bond, 1e-20), tolerance=1e-6, seconds=570).certificate
             for bond in (32, 40)]
    for c in found:
        print(c)
        assert c.spread <= 1e-3 * c.current
    assert abs(found[0].current - found[1].current) <= found[0].current_bar + found[1].current_bar


@pytest.mark.slow
@pytest.mark.parametrize(("n", "delta", "bond", "weight", "within"), [
    (10, 1.0, 44, 1e-20, 1e-6), (20, 1.0, 40, 1e-20, 1e-4)])
def test_long_maximally_driven_chain(n, delta, bond, weight, within):
    """REFERENCES 4.2 from the identity; fifty sites at Delta = 1/2 from shorter chains are in test_lengthen."""
    steady = mb.steady_state(driven_chain(n, delta, 1.0), truncation=mb.Truncation(bond, weight), tolerance=1e-9,
                             seconds=600)
    print(steady)
    assert pauli_current(steady) == pytest.approx(solved_open.maximal_driving_current(n, delta, 1), rel=within)


def test_bars_of_two_methods_overlap():
    """Relaxation and sweeps at a bond that truncates agree within their bars, and those cover the dense twin."""
    battery = driven_chain(6, 0.5, 0.5, dephasing=1.0)
    exact = mb.steady_state(battery, method=mb.Dense())
    assert exact.certificate.current_bar <= 1e-10
    truncation = mb.Truncation(24, 1e-20)
    found = [mb.steady_state(battery, method=method, truncation=truncation, tolerance=1e-7)
             for method in (mb.Sweeps(first_bond=16, most=20), mb.Relaxation(dt=0.1))]
    energies = [steady.expect(battery.energy) for steady in found]
    assert abs(energies[0][0] - energies[1][0]) <= energies[0][1] + energies[1][1]
    for steady, (energy, bar) in zip(found, energies, strict=True):
        c = check_certificate(steady)
        assert c.spread <= 10 * c.current_bar
        assert 0 < c.current_bar < 0.02 * c.current
        assert abs(c.current - exact.certificate.current) <= c.current_bar
        assert abs(energy - exact.expect(battery.energy)[0]) <= bar
        assert "+-" in str(steady)


# -- more than one, and none ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [3, 7])
def test_two_steady_states_are_reported(n):
    """Dephasing and a hopping Hamiltonian conserve the magnetisation: as many steady states as sectors."""
    sites = [mb.Spin()] * n
    h, jumps = mb.Terms(sites), []
    for k in range(n - 1):
        h += 1.0, ("X", k), ("X", k + 1)
        h += 1.0, ("Y", k), ("Y", k + 1)
    for k in range(n):
        jump = mb.Terms(sites)
        jump += 0.5, ("Z", k)
        jumps.append(mb.Jump(jump))
    steady = mb.steady_state(mb.Battery(sites, range(n), h, h, jumps))
    assert steady.certificate.multiplicity >= 2
    assert not steady.converged
    assert "only one of them" in steady.outcome
    if n == 3:
        assert steady.certificate.multiplicity == n + 1


def two_collective_baths(n, hot, cold, rate=0.1, splitting=1.0):
    """All cells coupled alike to two baths with the given Planck occupations."""
    sites, jumps = [mb.Spin()] * n, []
    h = mb.Terms(sites)
    for k in range(n):
        h += splitting / 2, ("Z", k)
    for bath, occupation in (("hot", hot), ("cold", cold)):
        for name, strength in (("Sm", occupation + 1), ("Sp", occupation)):
            jump = mb.Terms(sites)
            for k in range(n):
                jump += np.sqrt(rate * strength), (name, k)
            jumps.append(mb.Jump(jump, bath=bath))
    return mb.Battery(sites, range(n), h, h, jumps, empty="down", name="collective baths")


@pytest.mark.parametrize("n", [2, 5])
def test_collective_baths_in_the_symmetric_sector(n):
    """From all down the ladder of Dicke states fills geometrically; other sectors have other steady states."""
    battery = two_collective_baths(n, 3.0, 1.0)
    for method in (None, mb.Sweeps()):
        steady = mb.steady_state(battery, method=method)
        assert steady.certificate.multiplicity >= 2
        assert "only one of them" in steady.outcome
    down = mb.Density.product(battery.sites, "down")
    steady = mb.steady_state(battery, method=mb.Relaxation(dt=0.1), start=down, tolerance=1e-7)
    run = mb.charge(mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, battery.jumps,
                               empty=steady.state), [0.0], record={"heat": mb.HeatCurrent()})
    heat = solved_open.collective_heat(n, 0.1, 1.0, 3.0, 1.0)
    assert np.allclose(run.data["heat"].values[0], [heat, -heat], atol=1e-6)
    energy, bar = steady.expect(battery.energy)
    share = (4.0 / 6.0) ** np.arange(n + 1)
    assert energy == pytest.approx(share @ (np.arange(n + 1) - n / 2) / share.sum(), abs=1e-6)
    assert bar < 1e-4


def test_heat_and_currents_balance():
    """In a steady state all heat currents add up to zero, and the left bath feeds the flow through the chain."""
    battery = driven_chain(5, 0.6, 0.7, dephasing=0.4)
    steady = mb.steady_state(battery)
    start = mb.Battery(battery.sites, battery.cells, battery.energy, battery.charging, battery.jumps,
                       empty=steady.state)
    run = mb.charge(start, [0.0, 0.5], record={"heat": mb.HeatCurrent(), "charge": mb.ChargeCurrent(),
                                               "energy": mb.EnergyCurrent(), "power": mb.Power()})
    heat = run.data["heat"].isel(time=0)
    assert list(run.data["bath"].values) == ["left", "right", "dephasing"]
    assert abs(float(heat.sum())) < 1e-10
    assert np.allclose(run.data["charge"].values, steady.certificate.current, atol=1e-9)
    assert abs(float(run.data["power"][-1])) < 1e-9
    assert np.abs(run.data["energy"].values).max() > 1e-6       # dephasing takes energy on every bond


def bad_steady_inputs():
    sites = [mb.Spin()] * 8
    h = mb.Terms(sites)
    h += 1.0, ("X", 0), ("X", 3)
    closed = mb.Battery(sites, range(8), h, h)
    lower = mb.Terms(sites)
    lower += 1.0, ("Sm", 0)
    far = mb.Battery(sites, range(8), h, h, [mb.Jump(lower)])
    moving = mb.Battery(sites, range(8), h, mb.Schedule([(h, lambda t: t)]), [mb.Jump(lower)])
    long = driven_chain(12, 1.0, 1.0)
    return [
        (lambda: mb.steady_state("battery"), "`battery` must be a Battery"),
        (lambda: mb.steady_state(closed), "`battery` must have jumps"),
        (lambda: mb.steady_state(moving), "constant Hamiltonian and constant rates"),
        (lambda: mb.steady_state(far, method=mb.TEBD()), "Sweeps, Relaxation or Dense, but is TEBD"),
        (lambda: mb.steady_state(long, method=mb.Dense()), "must not be Dense for a density of"),
        (lambda: mb.steady_state(far, tolerance=0), "`tolerance` must be a number between 0 and 1"),
        (lambda: mb.steady_state(far, start="mixed"), "`start` must be a Density"),
        (lambda: mb.Sweeps(most=0), "`most` must be an integer of at least 1"),
        (lambda: mb.Sweeps(identity_weight=-1), "`identity_weight` must be a positive number"),
        (lambda: mb.Relaxation(dt=-1), "`dt` must be a positive number"),
    ]


@pytest.mark.parametrize("case", range(10))
def test_bad_input(case):
    attempt, told = bad_steady_inputs()[case]
    with pytest.raises(mb.InputError) as caught:
        attempt()
    assert told in str(caught.value)
