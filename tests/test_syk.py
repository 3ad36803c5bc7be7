"""SYK batteries against the models written out on spins, and against the numbers of REFERENCES 2."""

import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.sparse as sp
import solved
from scipy.sparse.linalg import expm_multiply

import mps_battery as mb
from mps_battery.models import syk

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
LOWER = (X - 1j * Y) / 2                     # up = (1, 0)
KEEP = mb.Truncation(bond=4096, weight=1e-20)


def spins(n, matrices):
    """Product of one-spin matrices, {site: matrix}, in the basis (up, down)."""
    out = np.eye(1)
    for k in range(n):
        out = np.kron(out, matrices.get(k, np.eye(2)))
    return out


def written_out(couplings, n, splitting=1.0):
    """(H_B, H_SYK, start): all four indices summed, J antisymmetrised, strings of (-1)^n = -sigma^z."""
    c = [spins(n, {m: -Z for m in range(j)} | {j: LOWER}) for j in range(n)]
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    full = np.zeros((n,) * 4, dtype=complex)
    for (i, j), row in zip(pairs, couplings, strict=True):
        for (k, l), value in zip(pairs, row, strict=True):
            full[i, j, k, l] = full[j, i, l, k] = value
            full[j, i, k, l] = full[i, j, l, k] = -value
    pair_up = {(i, j): c[i].conj().T @ c[j].conj().T for i in range(n) for j in range(n)}
    pair_down = {(k, l): c[k] @ c[l] for k in range(n) for l in range(n)}
    charging = np.zeros((2**n,) * 2, dtype=complex)
    for ij in np.ndindex(n, n):
        for kl in np.ndindex(n, n):
            if full[(*ij, *kl)]:
                charging += full[(*ij, *kl)] * pair_up[ij] @ pair_down[kl]
    energy = 0.5 * splitting * sum(spins(n, {j: Y}) for j in range(n))
    start = np.ones(1)
    for _ in range(n):
        start = np.kron(start, np.array([1, -1j]) / np.sqrt(2))
    return energy, charging, start


def drawn(battery):
    real, imaginary = battery.parameters["couplings"]
    return np.array(real) + 1j * np.array(imaginary)


def test_hamiltonians_are_the_formulas():
    battery = syk.complex_syk(cells=4, splitting=1.3, seed=3)
    energy, charging, start = written_out(drawn(battery), 4, 1.3)
    flip = np.eye(16)[::-1]                  # (up, down) -> (empty, full)
    assert np.abs(flip @ battery.energy.to_dense() @ flip - energy).max() < 1e-13
    assert np.abs(flip @ battery.charging.to_dense() @ flip - charging).max() < 1e-13
    assert abs(abs(np.vdot(start, flip @ battery.initial_state().to_dense())) - 1) < 1e-13
    assert np.abs(charging - charging.conj().T).max() < 1e-14
    assert np.vdot(start, energy @ start).real == pytest.approx(-4 * 1.3 / 2)


def dense_record(energy, charging, start, times, dephasing, n):
    """Stored energy, power, local ergotropy and occupations of the master equation, integrated as matrices."""
    flips = [spins(n, {j: Z}) for j in range(n)] if dephasing else []

    def slope(_, flat):
        rho = flat.reshape(charging.shape)
        out = -1j * (charging @ rho - rho @ charging)
        for z in flips:                      # jump sqrt(dephasing / 2) Z, Z^2 = 1
            out += dephasing / 2 * (z @ rho @ z - rho)
        return out.ravel()

    rho = np.outer(start, start.conj()).astype(complex)
    found = scipy.integrate.solve_ivp(slope, (times[0], times[-1]), rho.ravel(), "DOP853", times, rtol=1e-11,
                                      atol=1e-13).y.T.reshape(len(times), *rho.shape)
    out = {"energy": [], "power": [], "local_ergotropy": [], "n": []}
    for rho in found:
        stored = np.trace(energy @ rho).real
        out["energy"].append(stored)
        out["power"].append(np.trace(energy @ slope(0, rho.ravel()).reshape(rho.shape)).real)
        out["local_ergotropy"].append([stored - solved.local_extremes(rho, energy, j, n)[0] for j in range(n)])
        out["n"].append([np.trace((np.eye(2**n) + spins(n, {j: Z})) / 2 @ rho).real for j in range(n)])
    out = {name: np.array(values) for name, values in out.items()}
    out["energy"] -= out["energy"][0]
    return out


def check(battery, method, times, dephasing, within):
    n = len(battery.sites)
    expected = dense_record(*written_out(drawn(battery), n), times, dephasing, n)
    record = {"energy": mb.Energy(), "power": mb.Power(), "local_ergotropy": mb.LocalErgotropy(), "n": mb.Expect("N")}
    run = mb.charge(battery, times, record=record, method=method, truncation=KEEP, bars=False)
    for name, values in expected.items():
        assert np.abs(run.data[name].values - values).max() < within, name
    assert expected["energy"].max() > 1.0


def test_dephased_battery_of_six_against_the_dense_master_equation():
    check(syk.complex_syk(cells=6, dephasing=0.3, seed=1), mb.TDVP(dt=0.1), np.linspace(0, 1.2, 4), 0.3, 1e-6)


@pytest.mark.parametrize("method", [mb.Exact(), mb.TDVP(dt=0.05)])
@pytest.mark.parametrize("realisation", [0, 1])
def test_closed_realisations_of_six(method, realisation):
    check(syk.complex_syk(cells=6, seed=2, realisation=realisation), method, np.linspace(0, 2, 5), 0.0, 1e-7)


def test_mean_power_is_that_of_the_reference():
    """REFERENCES 2: disorder means of the best mean power, P = 1.311(34), 1.705(44), 2.273(43) at N = 4, 5, 6."""
    times = np.linspace(0.02, 2, 100)
    for n, mean, spread, count in ((4, 1.311, 0.034, 40), (5, 1.705, 0.044, 20), (6, 2.273, 0.043, 12)):
        powers = []
        for realisation in range(count):
            battery = syk.complex_syk(cells=n, seed=5, realisation=realisation)
            energy, start = battery.energy.to_dense(), battery.initial_state().to_dense()
            e, u = np.linalg.eigh(battery.charging.to_dense())
            states = (np.exp(-1j * np.outer(times, e)) * (u.conj().T @ start)) @ u.T
            stored = np.einsum("ta,ab,tb->t", states.conj(), energy, states).real + n / 2
            powers.append((stored / times).max())
        error = np.hypot(spread, np.std(powers) / np.sqrt(len(powers)))
        assert abs(np.mean(powers) - mean) < 3 * error, (n, np.mean(powers), error)


def test_statistics_of_the_draw():
    values = np.array([drawn(syk.complex_syk(cells=4, coupling=2.0, realisation=r)) for r in range(200)])
    squares = np.mean(np.abs(values) ** 2, axis=0) * 4**3 / 2.0**2
    assert np.abs(squares - 1).max() < 5 * np.sqrt(2 / 200)          # the diagonal is real, with a variance of 2
    assert abs(squares.mean() - 1) < 0.06
    assert abs(np.mean(values[:, 0, 1] ** 2) * 4**3 / 2.0**2) < 4 / np.sqrt(200)     # real and imaginary part alike
    assert not np.array_equal(values[0], values[1])
    again = drawn(syk.complex_syk(cells=4, coupling=2.0, realisation=199))
    assert np.array_equal(again, values[-1])


def sparse_spins(n, matrices):
    out = sp.identity(1, format="csr")
    for k in range(n):
        out = sp.kron(out, matrices.get(k, np.eye(2)), format="csr")
    return out


def formula(battery):
    """(H_B, charging, start) in the basis (up, down) from the couplings of the record, every string in full."""
    p, n, lower = battery.parameters, len(battery.sites), sp.csr_matrix(LOWER)
    start = np.ones(1)
    for _ in range(n):
        start = np.kron(start, np.array([1, -1j]) / np.sqrt(2))
    energy = 0.5 * p["splitting"] * sum(sparse_spins(n, {j: Y}) for j in range(n))
    if battery.name == "majorana_syk":
        chi = [sparse_spins(n, {m: Z for m in range(a // 2)} | {a // 2: (X, Y)[a % 2]}) / np.sqrt(2)
               for a in range(2 * n)]
        phase = 1j if p["q"] == 2 else 1.0
        chosen = itertools.combinations(chi, p["q"])
        charging = sum(phase * value * math.prod(some[1:], start=some[0])
                       for value, some in zip(p["couplings"], chosen, strict=True) if value)
    else:
        string = {} if battery.name == "boson_syk" else {m: -Z for m in range(n)}
        modes = [sparse_spins(n, {m: string[m] for m in range(j) if m in string} | {j: lower}) for j in range(n)]
        groups = [math.prod(some[1:], start=some[0]) for some in itertools.combinations(modes, p["q"] // 2)]
        # c+_i c+_j = -(c_i c_j)+ for fermions, +(b_i b_j)+ for bosons; 4 orders of (i, j), (k, l)
        factor = {2: 1, 4: 4 if battery.name == "boson_syk" else -4}[p["q"]]
        charging = sum(factor * value * left.conj().T @ right
                       for left, row in zip(groups, drawn(battery), strict=True)
                       for right, value in zip(groups, row, strict=True) if value)
    return energy.tocsr(), charging.tocsr(), start


MODELS = [(syk.complex_syk, {"q": 2}), (syk.boson_syk, {}), (syk.boson_syk, {"q": 2}), (syk.majorana_syk, {}),
          (syk.majorana_syk, {"q": 2}), (syk.majorana_syk, {"kept": 0.5}), (syk.sparse_syk, {}),
          (syk.sparse_syk, {"q": 2, "degree": 1}), (syk.complex_syk, {"kept": 0.3})]


@pytest.mark.parametrize(("model", "options"), MODELS, ids=lambda p: getattr(p, "__name__", str(p)))
def test_every_model_is_its_formula(model, options):
    battery = model(cells=5, splitting=0.7, coupling=1.4, seed=4, **options)
    energy, charging, start = formula(battery)
    turn = slice(None, None, -1) if isinstance(battery.sites[0], mb.Fermion) else slice(None)
    assert np.abs(battery.energy.to_dense()[turn, turn] - energy).max() < 1e-13
    assert np.abs(battery.charging.to_dense()[turn, turn] - charging).max() < 1e-13
    assert np.abs(charging - charging.conj().T).max() < 1e-13
    assert abs(charging).max() > 0.1
    assert abs(abs(np.vdot(start, battery.initial_state().to_dense()[turn])) - 1) < 1e-13
    again = model(**battery.parameters)
    assert abs(again.charging.to_sparse() - battery.charging.to_sparse()).max() == 0


CLOSED = [(syk.complex_syk, {}), (syk.boson_syk, {}), (syk.majorana_syk, {}), (syk.sparse_syk, {}),
          (syk.majorana_syk, {"q": 2})]


def closed_realisation(model, options, n):
    battery, times = model(cells=n, seed=6, **options), np.linspace(0, 1.2, 4)
    energy, charging, start = formula(battery)
    states = expm_multiply(-1j * charging, start, times[0], times[-1], len(times), traceA=0)
    expected = [np.vdot(v, energy @ v).real + n / 2 for v in states]
    run = mb.charge(battery, times, record={"energy": mb.Energy()}, method=mb.Exact())
    assert np.abs(run.data.energy.values - expected).max() < 1e-8
    assert expected[-1] > 0.3


@pytest.mark.parametrize(("model", "options"), CLOSED, ids=lambda p: getattr(p, "__name__", str(p)))
def test_realisations_of_eight(model, options):
    closed_realisation(model, options, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "options"), CLOSED, ids=lambda p: getattr(p, "__name__", str(p)))
def test_realisations_of_ten(model, options):
    closed_realisation(model, options, 10)


def best_power(battery, times):
    energy, charging = battery.energy.to_sparse(), battery.charging.to_sparse()
    states = expm_multiply(-1j * charging, battery.initial_state().to_dense(), times[0], times[-1], len(times),
                           traceA=0)
    stored = np.array([np.vdot(v, energy @ v).real for v in states]) + len(battery.sites) / 2
    return (stored[1:] / times[1:]).max()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "exponent", "means"), [
    (syk.complex_syk, 1.44, (1.705, 2.273, 2.754, 3.423, 3.978)),
    (syk.boson_syk, 0.93, (1.503, 1.782, 2.050, 2.320, 2.606))])
def test_disorder_means_and_exponents_of_the_reference(model, exponent, means):
    """REFERENCES 2: mean of the best power at N = 5 to 9, and P ~ N^1.44 with strings against N^0.93 without."""
    times, found, errors = np.linspace(0, 1.8, 61), [], []
    for n, count in zip(range(5, 10), (64, 48, 40, 28, 20), strict=True):
        powers = [best_power(model(cells=n, seed=11, realisation=r), times) for r in range(count)]
        found.append(np.mean(powers))
        errors.append(np.std(powers) / np.sqrt(count))
    assert np.abs(np.array(found) - means).max() < 3 * np.hypot(max(errors), 0.059)
    assert abs(np.polyfit(np.log(range(5, 10)), np.log(found), 1)[0] - exponent) < 0.1


def test_bond_of_the_charging_hamiltonian():
    """Operators left of a cut at m: 1 and all, c and c+ of one mode, cc, c+c+ and c+c of two, three against one."""
    for n in (4, 6):
        assert max(syk.complex_syk(cells=n).charging.to_mpo().bonds) == n * n // 2 + 3 * n // 2 + 2


def test_pruned_couplings_keep_their_variance():
    some = np.array([drawn(syk.complex_syk(cells=5, seed=2, realisation=r, kept=0.25)) for r in range(40)])
    independent = some[:, *np.triu_indices(10)]
    assert abs(np.mean(independent != 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / independent.size)
    assert abs(np.mean(np.abs(some) ** 2) * 5**3 - 1) < 0.2
    full = drawn(syk.complex_syk(cells=5, seed=2))
    assert np.allclose(some[0][some[0] != 0], 2 * full[some[0] != 0], rtol=1e-14)
    counts = [np.count_nonzero(np.triu(drawn(syk.sparse_syk(cells=5, degree=3, realisation=r)))) for r in range(40)]
    assert abs(np.mean(counts) - 15) < 4 * np.sqrt(15 * (1 - 15 / 55) / 40)
    majorana = np.array([syk.majorana_syk(cells=3, coupling=1.5, realisation=r).parameters["couplings"]
                         for r in range(40)])
    assert abs(np.mean(majorana**2) * 6**3 / (6 * 1.5**2) - 1) < 4 * np.sqrt(2 / majorana.size)


@pytest.mark.slow
def test_tdvp_agrees_at_twelve_to_the_power_optimum():
    battery, times = syk.complex_syk(cells=12), np.linspace(0, 0.66, 4)
    runs = [mb.charge(battery, times, record={"energy": mb.Energy()}, method=method, truncation=KEEP, bars=False)
            for method in (mb.Exact(), mb.TDVP(dt=0.055))]
    assert np.abs(runs[0].data.energy.values - runs[1].data.energy.values).max() < 1e-6


def test_given_couplings():
    couplings = drawn(syk.complex_syk(cells=4, seed=9))
    given = syk.complex_syk(cells=4, couplings=couplings)
    assert np.array_equal(drawn(given), couplings)
    record = dict(given.parameters)
    assert np.array_equal(syk.complex_syk(**record).charging.to_dense(), given.charging.to_dense())


@pytest.mark.parametrize(("given", "sentence"), [
    ({"couplings": [1.0]}, r"`couplings` must be a 6 x 6 matrix of finite numbers over pairs of cells, .*"),
    ({"couplings": np.full((6, 6), np.nan)}, r"`couplings` must be a 6 x 6 matrix of finite numbers .*"),
    ({"couplings": 1j * np.eye(6)}, r"`couplings` must be Hermitian, J_ijkl = conj\(J_klij\), but is .*"),
    ({"dephasing": -0.1}, r"`dephasing` must be a number of at least 0, but is -0\.1\."),
    ({"q": 3}, r"`q` must be 2 or 4, but is 3\."),
    ({"kept": 0.0}, r"`kept` must be a probability above 0, but is 0\.0\."),
    ({"q": 2, "couplings": [1.0]}, r"`couplings` must be a 4 x 4 matrix of finite numbers over cells, .*"),
    ({"splitting": 0.0}, r"`splitting` must be a positive number, but is 0\.0\."),
])
def test_bad_input(given, sentence):
    with pytest.raises(mb.InputError, match=f"^Argument {sentence}$"):
        syk.complex_syk(cells=4, **given)


@pytest.mark.parametrize(("model", "given", "sentence"), [
    (syk.majorana_syk, {"couplings": [1.0]}, r"`couplings` must hold 70 finite real numbers, but is .*"),
    (syk.sparse_syk, {"degree": 0.0}, r"`degree` must be a positive number, but is 0\.0\."),
])
def test_bad_input_of_the_others(model, given, sentence):
    with pytest.raises(mb.InputError, match=f"^Argument {sentence}$"):
        model(cells=4, **given)
