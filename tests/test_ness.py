"""What `steady_state` says and keeps when it does not get there, and where it begins."""

import numpy as np
import pytest
import solved_open
from test_steady import driven_chain

import mps_battery as mb
from mps_battery.steady import ness
from mps_battery.steady.sweeps import Solver

SMALL = mb.Truncation(64, 1e-24)


@pytest.fixture(scope="module")
def battery():
    return driven_chain(4, 0.7, 0.8, dephasing=0.3)


@pytest.fixture(scope="module")
def exact(battery):
    l = solved_open.lindblad_matrix(battery.charging.to_dense(), [j.terms.to_dense() for j in battery.jumps])
    rho = np.linalg.svd(l)[2][-1].conj().reshape(16, 16)
    return mb.Density.from_dense(battery.sites, rho / np.trace(rho))


def test_one_sweep_is_not_enough_and_says_so(battery):
    steady = mb.steady_state(battery, method=mb.Sweeps(most=1, first_bond=12), truncation=SMALL, tolerance=1e-13)
    assert not steady.converged
    assert steady.certificate.residual > 1e-13
    assert "NOT converged to 1e-13" in steady.outcome
    assert f"residual {steady.certificate.residual:.1e}" in steady.outcome
    assert steady.history.sizes["step"] == 1
    assert 4 <= steady.history["bond"].values[0] <= 16
    assert 0 < steady.history["residual"].values[0] < 1
    assert steady.state.trace == pytest.approx(1, abs=1e-12)


def test_no_time_means_no_sweep(battery):
    for method in (mb.Sweeps(), mb.Relaxation()):
        steady = mb.steady_state(battery, method=method, truncation=SMALL, seconds=1e-9)
        assert steady.history.sizes["step"] == 0
        assert not steady.converged
        assert steady.state.trace == pytest.approx(1, abs=1e-12)
        assert steady.certificate.current_bar == np.inf                   # nothing was compared
        assert steady.expect(battery.energy)[1] == np.inf


def test_bars_of_a_solver_that_was_stopped_early(battery):
    """One stage of relaxation, sweeps that end at an enlargement: what was compared must cover the error."""
    z = mb.Terms(battery.sites)
    z += 1.0, ("Z", 0)
    exact = mb.steady_state(battery, method=mb.Dense())
    methods = [mb.Relaxation(dt=0.1, longest=time) for time in (1.5, 3.0)]
    methods += [mb.Sweeps(most=most, first_bond=2) for most in (1, 3, 8, 10)]
    for method in methods:
        steady = mb.steady_state(battery, method=method, truncation=SMALL, tolerance=1e-12)
        value, bar = steady.expect(z)
        assert bar >= abs(value - exact.expect(z)[0]), method
        assert steady.certificate.current_bar >= abs(steady.certificate.current - exact.certificate.current), method


def test_norms_of_what_sweeps_return(battery):
    """Purity and operator entropy are those of the matrix, of `state` and of `earlier`."""
    steady = mb.steady_state(battery, method=mb.Sweeps(most=12, first_bond=8), truncation=SMALL, tolerance=1e-13)
    assert steady.earlier is not steady.state
    for state in (steady.state, steady.earlier):
        rho = state.to_dense()
        assert state.purity == pytest.approx(np.trace(rho @ rho).real, rel=1e-12)
        vector = mb.Density.from_dense(battery.sites, rho).train
        assert state.operator_entropy(1) == pytest.approx(vector.entropy(1), rel=1e-9)


def test_start_at_the_answer(battery, exact):
    steady = mb.steady_state(battery, method=mb.Sweeps(most=1), truncation=SMALL, start=exact, tolerance=1e-7)
    assert steady.converged
    assert np.abs(steady.state.to_dense() - exact.to_dense()).max() < 1e-7
    short = mb.Relaxation(dt=0.01, longest=0.1)
    near, far = (mb.steady_state(battery, method=short, truncation=SMALL, start=start) for start in (exact, None))
    assert near.certificate.residual < 1e-5 < 0.01 < far.certificate.residual
    assert near.history.sizes["step"] == far.history.sizes["step"] == 1


def test_relaxation_halves_its_step():
    """TEBD with a step has a fixed point of its own: the smaller step at the end brings the residual down."""
    steady = mb.steady_state(driven_chain(3, 0.7, 0.8, dephasing=0.3), method=mb.Relaxation(dt=0.25), truncation=SMALL,
                             tolerance=1e-13)
    residuals = steady.history["residual"].values
    assert np.all(residuals[:5] > 0.9 * residuals[4])                # at dt = 0.25 it ends here
    assert residuals[-1] < 0.1 * residuals[4]


def test_a_sweep_that_spoils_the_state_is_taken_back(battery, monkeypatch):
    whole, calls = Solver.sweep, []

    def sweep(self, *args):
        whole(self, *args)
        calls.append(self.residual)
        if len(calls) > 2:
            rng = np.random.default_rng(len(calls))
            self.x[0] = self.x[0] + rng.normal(size=self.x[0].shape) * np.linalg.norm(self.x[0])

    monkeypatch.setattr(Solver, "sweep", sweep)
    steady = mb.steady_state(battery, method=mb.Sweeps(most=4), truncation=SMALL, tolerance=1e-12)
    spoiled = steady.history["residual"].values
    assert min(spoiled[2:]) > 10 * spoiled[1]
    assert steady.certificate.weighted_residual < 3 * spoiled[1]


def test_bond_grows_where_sweeps_are_stuck(battery):
    steady = mb.steady_state(battery, method=mb.Sweeps(first_bond=2), truncation=SMALL, tolerance=1e-8)
    bonds = steady.history["bond"].values
    assert bonds[0] <= 2 + ness.ENRICHMENT < bonds[-1]
    assert steady.converged
