"""A cutoff that is raised on request."""

import numpy as np
import pytest

import mps_battery as mb
from mps_battery.models import cavity

TIMES = np.linspace(0, 2, 5)


def charged(battery):
    return mb.charge(battery, TIMES, record={"energy": mb.Energy()})


def built(cutoff):
    return cavity.rabi(photons=2, coupling=1.0, cutoff=cutoff)


def test_a_low_cutoff_is_raised_until_it_is_enough():
    low, found, high = charged(built(3)), mb.enlarge(built, charged, cutoff=3), charged(built(60))
    assert low.budget.cutoff_population > 1e-2
    assert found.budget.cutoff_population < 1e-5
    assert "is enough" in found.outcome
    assert np.abs(found.data.energy.values - high.data.energy.values).max() < 1e-4
    assert np.abs(low.data.energy.values - high.data.energy.values).max() > 1e-2


def test_a_cutoff_that_is_exact_stays():
    run = mb.enlarge(lambda n: cavity.jaynes_cummings(photons=3, cutoff=n), charged, cutoff=3)
    assert run.card["parameters"]["cutoff"] == 3


@pytest.mark.parametrize(("given", "sentence"), [
    ({"cutoff": 0}, "`cutoff` must be an integer of at least 1, but is 0."),
    ({"cutoff": 3, "most": 2}, "`most` must be an integer of at least 3, the cutoff to begin with, but is 2."),
    ({"cutoff": 3, "most": 4}, "`most` must be larger for this battery, but is 4: with it .*"),
])
def test_bad_input(given, sentence):
    with pytest.raises(mb.InputError, match=sentence):
        mb.enlarge(built, charged, **given)
