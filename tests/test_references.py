"""Printed numbers of the driven chain and of one cell beside a cavity that no other file checks one by one."""

import numpy as np
import pytest
import solved_open

import mps_battery as mb
from mps_battery.models import cavity, open_chain

CURRENTS = {                                    # REFERENCES 4.2: (Delta, epsilon) -> length -> current of Pauli Z
    (1.0, 0.5): {2: 0.9411764706, 3: 0.8918032787, 4: 0.8445829007, 5: 0.7966976620, 6: 0.7464313196, 8: 0.6364389076,
                 10: 0.5194570638, 20: 0.1778815502, 50: 0.0315168661, 100: 0.0079511868},
    (1.0, 1.0): {2: 1.6, 3: 1.3793103448, 4: 116 / 99, 5: 0.9856876167, 6: 0.8154255994, 8: 0.5467367919,
                 10: 0.3747516649, 20: 0.1009454539, 50: 0.0161434590, 100: 0.0039998058},
    (1.0, 2.0): {2: 2.0, 3: 1.6, 4: 1.1111111111, 5: 0.8089887640, 6: 0.5894039735, 8: 0.3398851110, 10: 0.2171520989,
                 20: 0.0525795063, 50: 0.0081229301, 100: 0.0020029763},
    (0.5, 1.0): {2: 1.6, 3: 1.5384615385, 4: 1.4751773050, 5: 1.4424552430, 6: 1.4240837695, 8: 1.4089997378,
                 10: 1.4047564306, 20: 1.4031268957, 50: 1.4031242374},
    (0.5, 2.0): {2: 2.0, 3: 1.8823529412, 4: 1.6868217054, 5: 1.6017383207, 6: 1.5615076134, 8: 1.5360509247,
                 10: 1.5312616248, 20: 1.5301700065, 50: 1.5301697684, 100: 1.5301697684},
}


def driven(cells, delta, epsilon):
    """Jumps sqrt(2 epsilon) s+ on the first cell and s- on the last."""
    return open_chain.boundary_driven(cells=cells, anisotropy=delta, bias=1.0, rate=epsilon)


@pytest.mark.parametrize(("delta", "epsilon"), CURRENTS)
def test_table_of_currents(delta, epsilon):
    """Every printed number by the recursion, and up to five cells by the engine."""
    for length, printed in CURRENTS[delta, epsilon].items():
        # at Delta = 1/2, epsilon = 1 the last digits printed for n = 6 and 10 are one off: 1.42408376963, 1.40475643053
        within = 2e-10 if (delta, epsilon) == (0.5, 1.0) else 6e-11
        assert solved_open.maximal_driving_current(length, delta, epsilon) == pytest.approx(printed, abs=within)
        if length <= 5:
            found = mb.steady_state(driven(length, delta, epsilon), method=mb.Dense()).certificate.current
            assert 2 * found == pytest.approx(printed, abs=1e-9)


def test_currents_of_the_isotropic_chain_fall_with_the_square_of_the_length():
    """n^2 j epsilon / (4 pi^2) at Delta = epsilon = 1."""
    for n, printed in ((100, 1.013163), (400, 1.00364)):
        j = solved_open.maximal_driving_current(n, 1.0, 1.0)
        assert n**2 * j / (4 * np.pi**2) == pytest.approx(printed, abs=6e-6)


def test_profile_of_the_isotropic_chain_of_four():
    """z = (41/99, 1/6, -1/6, -41/99) and E = 1.04545455 at epsilon = 1 [REFERENCES 4.2]."""
    battery = driven(4, 1.0, 1.0)
    state = mb.steady_state(battery, method=mb.Dense()).state
    z = [np.trace(state.reduced([n]) @ np.diag([1, -1])).real for n in range(4)]
    assert z == pytest.approx([41 / 99, 1 / 6, -1 / 6, -41 / 99], abs=1e-10)
    assert state.expect(battery.energy).real == pytest.approx(1.04545455, abs=6e-9)


def test_dephased_chain_in_a_field():
    """REFERENCES 4.4: a field h along z leaves the state, so that inner cells have K_zz = h z and nothing else."""
    field, cells = 0.7, 5
    battery = open_chain.boundary_driven(cells=cells, anisotropy=0.0, field=field, bias=0.6, rate=0.8, dephasing=1.1)
    state = mb.steady_state(battery, method=mb.Dense()).state
    _, z = solved_open.dephased_xx(cells, 0.8, 0.6, 1.1)
    for n in range(1, cells - 1):
        assert mb.local_ergotropy(state, battery.energy, n) == pytest.approx(field * (z[n] + abs(z[n])), abs=1e-9)
        assert mb.local_capacity(state, battery.energy, n) == pytest.approx(2 * field * abs(z[n]), abs=1e-9)


def test_one_cell_and_one_photon():
    """REFERENCES 3.2: ergotropy (2 p - 1)_+ of a cell that is up with p = sin^2(coupling t), coupling 0.05."""
    times = np.linspace(0, np.pi / 2 / 0.05, 9)
    battery = cavity.tavis_cummings(cells=1)
    run = mb.charge(battery, times, record={"w": mb.LocalErgotropy(), "e": mb.Energy()}, bars=False)
    p = np.sin(0.05 * times) ** 2
    assert run.data["e"].values == pytest.approx(p, abs=1e-9)
    assert run.data["w"].values[:, 0] == pytest.approx(np.maximum(2 * p - 1, 0), abs=1e-9)
