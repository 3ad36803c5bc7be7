"""Sums of products applied by halves of the chain, against their sparse matrices."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.battery import as_schedule
from mps_battery.evolve import exact
from mps_battery.evolve.halves import Halves
from mps_battery.models import cavity, spin_chain, syk

BATTERIES = [syk.complex_syk(cells=6), syk.boson_syk(cells=7), syk.majorana_syk(cells=4), spin_chain.xxz(cells=7),
             cavity.dicke(cells=4, cutoff=6), cavity.jaynes_cummings()]


@pytest.mark.parametrize("battery", BATTERIES, ids=lambda b: b.name)
def test_by_halves_as_by_the_matrix(battery):
    matrix = battery.charging.to_sparse()
    real, imaginary = np.random.default_rng(1).normal(size=(2, matrix.shape[0]))
    v = real + 1j * imaginary
    assert np.abs(Halves(battery.charging) @ v - matrix @ v).max() < 1e-12


def test_few_pairs_of_halves():
    """c c, c+ c+ and c+ c of the left half, c and c+ of either: no more pairs than the bond of the operator."""
    n = 8
    assert Halves(syk.complex_syk(cells=n).charging).pairs <= n * n // 2 + 3 * n // 2 + 2


def test_exact_evolution_by_halves(monkeypatch):
    battery, times = syk.complex_syk(cells=9), np.linspace(0, 1, 3)
    record = {"energy": mb.Energy()}
    usual = mb.charge(battery, times, method=mb.Exact(), record=record)
    monkeypatch.setattr(exact, "LARGEST_ENTRIES", 0)
    halved = mb.charge(battery, times, method=mb.Exact(), record=record)
    assert np.abs(halved.data.energy.values - usual.data.energy.values).max() < 1e-10


def test_a_crowded_hamiltonian_may_be_larger(monkeypatch):
    """By halves memory grows as a vector, so that more fits than with a matrix; too much is one sentence."""
    monkeypatch.setattr(exact, "LARGEST", 2**8)
    monkeypatch.setattr(exact, "LARGEST_ENTRIES", 3 * 10**4)
    record = {"energy": mb.Energy()}
    run = mb.charge(syk.complex_syk(cells=9), [0, 0.1], method=mb.Exact(), record=record)
    assert run.budget.energy_drift < 1e-12
    with pytest.raises(mb.InputError, match="a space of dimension 512: at most 256 fit"):
        mb.charge(spin_chain.xxz(cells=9), [0, 0.1], method=mb.Exact(), record=record)
    monkeypatch.setattr(exact, "LARGEST_BY_HALVES", 2**8)
    with pytest.raises(mb.InputError, match="a space of dimension 512: at most 256 fit"):
        mb.charge(syk.complex_syk(cells=9), [0, 0.1], method=mb.Exact(), record=record)


def test_mean_energy_of_the_generator():
    """<H> by halves is that of the matrix, and what a run watches for drift."""
    battery = syk.complex_syk(cells=5)
    evolution = mb.Exact().start(battery.initial_state(), as_schedule(battery.charging), mb.Truncation())
    psi = battery.initial_state().to_dense()
    assert evolution.energy() == pytest.approx(np.vdot(psi, battery.charging.to_dense() @ psi).real, abs=1e-13)
