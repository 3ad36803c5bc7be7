"""Currents, heat and power of a driven open chain with rates in time, against dense matrices."""

import numpy as np
import scipy.integrate
import solved

import mps_battery as mb

PAULI = {"X": solved.X, "Y": solved.Y, "Z": solved.Z}
DRIFT = [(0.7, {0: "X", 1: "X"}), (0.7, {0: "Y", 1: "Y"}), (0.4, {1: "Z", 2: "Z"}), (0.9, {1: "X", 2: "Y"}),
         (0.5, {0: "Z"}), (-0.3, {2: "X"})]
DRIVE = [(0.8, {0: "X"}), (0.6, {1: "Y", 2: "Y"}), (-0.2, {1: "Z"})]
LOSSES = [("left", 0.9, {0: [[0, 0], [1, 0]]}, lambda t: 1 + t), ("left", 0.5, {0: solved.Z}, None),
          ("right", 0.7, {2: [[0, 1], [0, 0]]}, lambda t: 2 * np.exp(-t)),
          ("right", 0.4, {1: solved.X, 2: solved.Z}, None)]


def drive(t):
    return np.cos(3 * t) + 0.2


def dense(products, last=2):
    """The sum of the products on sites up to `last`."""
    return sum((c * solved.pauli_string(3, {n: PAULI[a] for n, a in places.items()}) for c, places in products
                if max(places) <= last), np.zeros((8, 8), dtype=complex))


def terms(products):
    out = mb.Terms([mb.Spin()] * 3)
    for c, places in products:
        out += (c, *((a, n) for n, a in places.items()))
    return out


def test_everything_that_flows_in_a_driven_open_chain():
    h, v = terms(DRIFT), terms(DRIVE)
    jumps, losses = [], []
    for bath, c, places, rate in LOSSES:
        jump = mb.Terms(h.sites)
        jump += (c, *((np.array(matrix), n) for n, matrix in places.items()))
        jumps.append(mb.Jump(jump, rate=rate, bath=bath))
        losses.append((bath, c * solved.pauli_string(3, {n: np.array(m) for n, m in places.items()}), rate))
    energy = [(0.5, {0: "Z"}), (0.3, {1: "X", 2: "Y"})]
    battery = mb.Battery(h.sites, range(3), terms(energy), mb.Schedule([(h, None), (v, drive)]), jumps, empty="x+")

    def dissipated(rho, t, bath=None):
        out = np.zeros((8, 8), dtype=complex)
        for name, l, rate in losses:
            if bath in (None, name):
                decay = l.conj().T @ l
                out += (rate(t) if rate else 1.0) * (l @ rho @ l.conj().T - 0.5 * (decay @ rho + rho @ decay))
        return out

    def slope(t, flat):
        rho, whole = flat.reshape(8, 8), dense(DRIFT) + drive(t) * dense(DRIVE)
        return (-1j * (whole @ rho - rho @ whole) + dissipated(rho, t)).ravel()

    times = [0.0, 0.35, 0.8]
    path = scipy.integrate.solve_ivp(slope, (0, 0.8), np.full(64, 1 / 8, dtype=complex), rtol=1e-11, atol=1e-12,
                                     t_eval=times).y.T.reshape(-1, 8, 8)
    run = mb.charge(battery, times, record={
        "charge": mb.ChargeCurrent(), "energy": mb.EnergyCurrent(), "heat": mb.HeatCurrent(), "power": mb.Power(),
        "unitary": mb.Power("unitary"), "dissipative": mb.Power("dissipative")}, method=mb.Exact())
    assert list(run.data["bath"].values) == ["left", "right"]
    for k, (t, rho) in enumerate(zip(times, path, strict=True)):
        whole, stored = dense(DRIFT) + drive(t) * dense(DRIVE), dense(energy)

        def outflow(left, rho=rho, whole=whole):
            return np.trace(-1j * (whole @ left - left @ whole) @ rho).real

        charges = [sum((np.eye(8) + solved.pauli_string(3, {n: solved.Z})) / 2 for n in range(b + 1)) for b in (0, 1)]
        unitary = np.trace(1j * (whole @ stored - stored @ whole) @ rho).real
        dissipative = np.trace(stored @ dissipated(rho, t)).real
        expected = {
            "charge": [outflow(q) for q in charges],
            "energy": [outflow(dense(DRIFT, b) + drive(t) * dense(DRIVE, b)) for b in (0, 1)],
            "heat": [np.trace(whole @ dissipated(rho, t, bath)).real for bath in ("left", "right")],
            "unitary": unitary, "dissipative": dissipative, "power": unitary + dissipative}
        for name, value in expected.items():
            assert np.allclose(run.data[name].values[k], value, rtol=0, atol=1e-8), (name, t)
