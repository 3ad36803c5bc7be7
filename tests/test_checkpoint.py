"""Checkpoints: what is resumed gives the same bits, and what is damaged is refused."""

import dataclasses
import os
import signal
from collections.abc import Mapping

import h5py
import numpy as np
import pytest
from interrupted import in_pieces, killed, same

import mps_battery as mb
from mps_battery import archive, storage
from mps_battery.checkpoint import Keeper, StoppedError
from mps_battery.measure.quantity import Quantity
from mps_battery.models import cavity, light, open_chain, spin_chain, syk


def pulsed(cells: int = 5) -> mb.Battery:
    """A battery with a function of time of the caller's."""
    base = spin_chain.xxz(cells=cells)
    drive = mb.Terms(base.sites)
    for n in range(cells):
        drive += 0.8, ("X", n)
    return mb.Battery(base.sites, range(cells), base.energy, mb.Schedule([(base.energy, None),
                      (drive, lambda t: np.sin(t) ** 2)]), empty="down", name="pulsed")


@dataclasses.dataclass(frozen=True)
class Signalled(Quantity):
    """A quantity of the caller's that sends signals to its own process at a time."""

    at: float = np.inf
    signals: tuple = ()

    def axes(self, battery: mb.Battery) -> Mapping[str, list]:
        del battery
        return {}

    def measure(self, snapshot) -> float:
        if snapshot.time == self.at:
            for s in self.signals:
                os.kill(os.getpid(), s)
        return snapshot.time


RECORD = {"energy": mb.Energy(), "entropy": mb.Entropy()}
MIXED = {"energy": mb.Energy(), "purity": mb.Purity()}
JOBS = {
    "tebd": (lambda: spin_chain.xxz(cells=8), [0.0, 0.3, 1.0], {"method": mb.TEBD(dt=0.05), "record": RECORD}),
    "blocks": (lambda: spin_chain.mbl(cells=8), [0.0, 1.0, 1.7], {"method": mb.TEBD(blocks=3), "record": RECORD}),
    "centre": (lambda: spin_chain.mbl(cells=6), [0.0, 0.5, 1.0], {"method": mb.TEBD(moving_centre=True)}),
    "rigorous": (lambda: spin_chain.xxz(cells=4), [0.0, 0.2, 0.4], {"bars": "rigorous"}),
    "tdvp": (lambda: spin_chain.power_law(cells=6), [0.0, 0.5, 0.6],
             {"method": mb.TDVP(dt=0.05, order=2, start_bond=3), "record": RECORD}),
    "one-site": (lambda: spin_chain.xxz(cells=5), [0.0, 0.2, 0.4],
                 {"method": mb.TDVP(dt=0.1, sites=1, start_bond=3), "record": RECORD}),
    "star in matrices": (lambda: cavity.tavis_cummings(cells=5), [0.0, 0.3, 0.5],
                         {"method": mb.TEBD(dt=0.1), "record": RECORD}),
    "star in blocks": (lambda: cavity.cavity_heisenberg(cells=3, cutoff=5), [0.0, 0.2, 0.3],
                       {"method": mb.TEBD(dt=0.1, order=2), "record": RECORD}),
    "star in flight": (lambda: light.flying_qubits(cells=2), [0.0, 1.5],
                       {"method": mb.TEBD(dt=0.3), "record": RECORD}),
    "exact": (lambda: spin_chain.mbl(cells=6), [0.0, 1.0, 100.0], {"method": mb.Exact()}),
    "krylov": (lambda: spin_chain.xxz(cells=11), [0.0, 0.2], {"method": mb.Exact(), "record": RECORD}),
    "density": (lambda: open_chain.boundary_driven(cells=4), [0.0, 0.5, 1.0],
                {"method": mb.TEBD(), "record": MIXED}),
    "density by tdvp": (lambda: open_chain.boundary_driven(cells=3), [0.0, 0.2, 0.4],
                        {"method": mb.TDVP(dt=0.1, order=2, start_bond=4), "record": MIXED}),
    "dense density": (lambda: open_chain.boundary_driven(cells=3), [0.0, 0.5, 1.0], {"record": MIXED}),
    "schedule of the package": (lambda: light.flying_qubits(cells=2), [0.0, 1.5],
                                {"method": mb.TDVP(dt=0.3, order=2), "record": RECORD}),
    "ground state": (lambda: spin_chain.xyz(cells=9), [0.0, 0.2], {"method": mb.TEBD(dt=0.1), "record": RECORD}),
    "beside it": (lambda: spin_chain.mbl(cells=5), [0.0, 0.3, 0.6],
                  {"method": mb.TEBD(), "record": {"energy": mb.Energy(), "swing": mb.measure.Xi2()},
                   "keep_states": True, "audits": True}),
}


@pytest.mark.parametrize("name", JOBS)
def test_a_run_stopped_at_every_safe_point_gives_the_same_bits(tmp_path, name):
    make, times, settings = JOBS[name]
    whole = mb.charge(make(), times, **settings)
    pieces, stops = in_pieces(lambda c: mb.charge(make(), times, checkpoint=c, **settings), tmp_path / "job.h5")
    assert stops >= len(times)
    same(pieces.data, whole.data)
    same(pieces.bars, whole.bars)
    assert (pieces.outcome, pieces.budget) == (whole.outcome, whole.budget)
    for one, other in zip([pieces.state, *pieces.states], [whole.state, *whole.states], strict=True):
        trains = [getattr(s, "train", s).tensors for s in (one, other)]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(*trains, strict=True))


def test_long_intervals_have_safe_points_within(tmp_path):
    battery, settings = spin_chain.xxz(cells=4), {"method": mb.TEBD(dt=0.01), "bars": False, "record": RECORD}
    _, stops = in_pieces(lambda c: mb.charge(battery, [0.0, 0.8], checkpoint=c, **settings), tmp_path / "job.h5")
    assert stops == 1 + 80 / 16                          # the first time, and every sixteen steps


def test_a_run_killed_three_times_gives_the_same_bits(tmp_path):
    def begin(checkpoint):
        return mb.charge(spin_chain.xxz(cells=8), np.linspace(0, 2, 9), method=mb.TEBD(dt=0.02), record=RECORD,
                         checkpoint=checkpoint)

    again = killed(begin, tmp_path / "job.h5", 3, 0.3, 1)
    whole = begin(None)
    same(again.data, whole.data)
    same(again.bars, whole.bars)


# -- sweeps ------------------------------------------------------------------------------------------------------
def wild(cells: int = 4, disorder: float = 1.0, seed: int = 0, realisation: int = 0) -> mb.Battery:
    """A model that is not of the package, and fails once."""
    if realisation == 1:
        raise FloatingPointError("no luck")
    return spin_chain.mbl(cells=cells, disorder=disorder, seed=seed, realisation=realisation)


def swept(model=spin_chain.mbl, checkpoint=None, **more):
    return mb.sweep(model, {"cells": 4, "disorder": [1.0, 5.0]}, realisations=4, times=[0.0, 1.0], seed=3,
                    record=RECORD, checkpoint=checkpoint, **more)


@pytest.mark.parametrize(("model", "resumed"), [(spin_chain.mbl, {}), (wild, {"model": wild})])
@pytest.mark.parametrize("more", [{}, {"error": {"entropy": 10.0}, "batch": 3, "bars": True}])
def test_a_sweep_stopped_after_every_run_gives_the_same_bits(tmp_path, model, resumed, more):
    whole = swept(model, **more)
    pieces, stops = in_pieces(lambda c: swept(model, c, **more), tmp_path / "job.h5", **resumed)
    assert stops >= (6 if more else 8)
    same(pieces.data, whole.data)
    same(pieces.bars, whole.bars)
    assert pieces.outcome == whole.outcome


def test_a_sweep_killed_three_times_gives_the_same_bits(tmp_path):
    same(killed(lambda c: swept(checkpoint=c), tmp_path / "job.h5", 3, 0.3, 2).data, swept().data)


def test_a_sweep_of_a_model_of_the_caller_asks_for_it(tmp_path):
    swept(wild, mb.Checkpoint(tmp_path / "job.h5"))
    for other in (None, spin_chain.mbl):
        with pytest.raises(mb.InputError, match=r"`model` must be given to resume .* test_checkpoint.wild, but is"):
            mb.resume(tmp_path / "job.h5", model=other)
    with pytest.raises(mb.InputError, match="`times` must be None for a sweep"):
        mb.resume(tmp_path / "job.h5", model=wild, times=[2.0])


# -- steady states -----------------------------------------------------------------------------------------------
STEADY = {
    "sweeps": (lambda: open_chain.boundary_driven(cells=4, dephasing=0.5), mb.Sweeps(most=6, first_bond=4)),
    "relaxation": (lambda: open_chain.boundary_driven(cells=3), mb.Relaxation(longest=8.0)),
    "dense": (lambda: open_chain.boundary_driven(cells=3), mb.Dense()),
}


def same_steady(one, other):
    assert one.state.train.bonds == other.state.train.bonds
    for a, b in ((one.state, other.state), (one.earlier, other.earlier)):
        assert (a is None) == (b is None)
        assert a is None or all(x.tobytes() == y.tobytes() for x, y in zip(a.train.tensors, b.train.tensors,
                                                                           strict=True))
    assert one.outcome == other.outcome
    assert str(one.certificate) == str(other.certificate)
    same(one.history[["residual", "bond"]], other.history[["residual", "bond"]])


@pytest.mark.parametrize("name", STEADY)
def test_a_steady_state_stopped_at_every_safe_point_gives_the_same_bits(tmp_path, name):
    make, method = STEADY[name]

    def begin(checkpoint):
        return mb.steady_state(make(), method=method, truncation=mb.Truncation(12, 1e-12), checkpoint=checkpoint)

    whole = begin(None)
    pieces, stops = in_pieces(begin, tmp_path / "job.h5")
    assert stops >= (0 if name == "dense" else 5)
    same_steady(pieces, whole)


def test_a_steady_state_killed_three_times_gives_the_same_bits(tmp_path):
    make, method = STEADY["sweeps"]

    def begin(checkpoint):
        return mb.steady_state(make(), method=method, truncation=mb.Truncation(12, 1e-12), checkpoint=checkpoint)

    same_steady(killed(begin, tmp_path / "job.h5", 3, 0.5, 3), begin(None))


# -- what a file cannot hold -------------------------------------------------------------------------------------
def test_a_battery_of_the_caller_is_asked_for_again(tmp_path):
    whole = mb.charge(pulsed(), [0.0, 0.3], record=RECORD)
    pieces, _ = in_pieces(lambda c: mb.charge(pulsed(), [0.0, 0.3], record=RECORD, checkpoint=c), tmp_path / "job.h5",
                          battery=pulsed())
    same(pieces.data, whole.data)
    with pytest.raises(mb.InputError, match="`battery` must be given to resume"):
        mb.resume(tmp_path / "job.h5")
    base = pulsed()
    for other in (spin_chain.xxz(cells=5), dataclasses.replace(base, charging=mb.Schedule(
            [base.charging.parts[0], (base.charging.parts[1][0], lambda t: np.sin(t))]))):
        with pytest.raises(mb.InputError, match=r"`battery` must be that of .*, but is another one"):
            mb.resume(tmp_path / "job.h5", battery=other)


def test_a_battery_that_is_in_the_file_may_be_given_but_no_other(tmp_path):
    mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1], checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    mb.resume(tmp_path / "job.h5", battery=spin_chain.xxz(cells=3))
    with pytest.raises(mb.InputError, match=r"`battery` must be that of"):
        mb.resume(tmp_path / "job.h5", battery=spin_chain.xxz(cells=3, field=1.2))


def test_a_record_of_the_caller_is_asked_for_again(tmp_path):
    record = {"energy": mb.Energy(), "clock": Signalled()}
    mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1], record=record, checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    with pytest.raises(mb.InputError, match=r"`record` must be that of .*energy: Energy, clock: Signalled\), but is"):
        mb.resume(tmp_path / "job.h5")
    assert mb.resume(tmp_path / "job.h5", record=record).data["clock"].values.tolist() == [0.0, 0.1]


# -- longer ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("done", [2, 5, 7])
def test_a_finished_run_goes_on_to_later_times(tmp_path, done):
    battery, times = spin_chain.xxz(cells=8), np.linspace(0, 0.6, 7)
    settings = {"method": mb.TEBD(dt=0.05), "record": RECORD}
    mb.charge(battery, times[:done], checkpoint=mb.Checkpoint(tmp_path / "job.h5"), **settings)
    longer = mb.resume(tmp_path / "job.h5", times=times)
    whole = mb.charge(battery, times, **settings)
    same(longer.data, whole.data)
    same(longer.bars, whole.bars)
    assert longer.budget == whole.budget


def test_a_short_step_between_times_goes_on_too(tmp_path):
    battery, times, method = spin_chain.xxz(cells=8), np.linspace(0, 0.6, 13), mb.TEBD(dt=0.05)
    mb.charge(battery, times[:6], method=method, record=RECORD, checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    longer = mb.resume(tmp_path / "job.h5", times=times[6:])
    whole = mb.charge(battery, times, method=method, record=RECORD)
    same(longer.data, whole.data)
    exact = mb.charge(battery, times, method=mb.Exact(), record=RECORD).data
    for name, bar in longer.bars.items():
        assert bool((np.abs(longer.data[name] - exact[name]) <= bar).all()), name
        assert bool((bar <= 2 * whole.bars[name]).all()), name       # the second run was visited at the right times


def test_times_that_do_not_go_on_are_refused(tmp_path):
    mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1], checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    with pytest.raises(mb.InputError, match=r"`times` must go on from the times of the run, which end at 0.1, but is"):
        mb.resume(tmp_path / "job.h5", times=[0.05, 0.2])


# -- ended from outside ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_at_the_next_safe_point(tmp_path, number):
    before = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    record = {"energy": mb.Energy(), "clock": Signalled(0.2, (number,))}
    with pytest.raises(StoppedError) as stop:
        mb.charge(spin_chain.xxz(cells=4), [0.0, 0.1, 0.2, 0.3], record=record,
                  checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    assert stop.value.by == signal.Signals(number).name
    assert str(stop.value) == (f"Stopped by {stop.value.by}; all that was done is in {str(tmp_path / 'job.h5')!r}: "
                               "resume it.")
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == before
    memory = archive.unpack(archive.read(tmp_path / "job.h5")[1]["memory"])
    assert len(memory["main"]["rows"]["energy"]) == 3
    same(mb.resume(tmp_path / "job.h5", record=record).data, mb.charge(spin_chain.xxz(cells=4), [0.0, 0.1, 0.2, 0.3],
         record={"energy": mb.Energy(), "clock": Signalled()}).data)


def test_a_second_signal_ends_it_at_once(tmp_path):
    record = {"clock": Signalled(0.1, (signal.SIGINT, signal.SIGINT))}
    with pytest.raises(KeyboardInterrupt):
        mb.charge(spin_chain.xxz(cells=4), [0.0, 0.1, 0.2], record=record,
                  checkpoint=mb.Checkpoint(tmp_path / "job.h5"))


def test_checkpoints_take_no_more_than_their_share(tmp_path, monkeypatch):
    now, writes = [0.0], []
    monkeypatch.setattr("mps_battery.checkpoint.clock.monotonic", lambda: now[0])

    def slow(*_, **__):
        now[0] += 2.0
        writes.append(now[0])

    monkeypatch.setattr(archive, "write", slow)
    keeper = Keeper(mb.Checkpoint(tmp_path / "job.h5", interval=10.0), "charge", lambda: archive.pack(None))
    for _ in range(1000):
        now[0] += 1.0
        keeper.pause(lambda: None)
    assert writes[0] == 3.0                              # the first safe point
    assert np.all(np.diff(writes) >= 2.0 / 0.02)
    assert len(writes) >= 9


def test_what_is_written_already_is_not_written_again(tmp_path):
    keeper = Keeper(mb.Checkpoint(tmp_path / "job.h5", interval=0.0), "charge", lambda: archive.pack(None))
    assert not keeper.pause(lambda: None, news=False)
    assert not (tmp_path / "job.h5").exists()
    assert keeper.pause(lambda: None)
    assert (tmp_path / "job.h5").exists()


def test_a_finished_sweep_starts_no_workers(tmp_path, monkeypatch):
    whole = swept(checkpoint=mb.Checkpoint(tmp_path / "job.h5"))
    monkeypatch.setattr(mb.executors.InProcess, "open", lambda _: pytest.fail("workers were started"))
    same(mb.resume(tmp_path / "job.h5").data, whole.data)


# -- files -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "job.h5"
    mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1], checkpoint=mb.Checkpoint(path))
    return path.read_bytes()


def refused(path):
    with pytest.raises(mb.InputError) as error:
        mb.resume(path)
    return str(error.value)


def test_a_checkpoint_cut_short_or_altered_by_a_byte_is_refused(tmp_path, whole):
    path, rng = tmp_path / "job.h5", np.random.default_rng(5)
    for share in (0.0, 0.01, 0.5, 0.99):
        path.write_bytes(whole[:int(share * len(whole))])
        assert refused(path) == (f"File {str(path)!r} must end in the checksum of a saved run, but does not: it is cut "
                                 "short, damaged, or of another program.")
    for place in [0, len(whole) - 1, *rng.integers(len(whole), size=60)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert "damaged" in refused(path)


def test_a_newer_layout_and_other_files_are_refused(tmp_path, whole):
    path = tmp_path / "job.h5"
    assert refused(path) == f"Argument `path` must name an existing file, but {str(path)!r} is none."
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.attrs["mps_battery_checkpoint"] = archive.SCHEMA + 1
    storage.seal(path)
    assert refused(path) == (f"File {str(path)!r} must have schema {archive.SCHEMA} or older, but has "
                             f"{archive.SCHEMA + 1}: update mps_battery.")
    mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1]).save(path, overwrite=True)
    assert refused(path) == f"File {str(path)!r} must be a checkpoint, but is a result: load() reads it."
    path.write_bytes(whole)
    with pytest.raises(mb.InputError, match=r"must be a result, but is a checkpoint: resume\(\) goes on from it"):
        mb.load(path)


def test_an_existing_file_is_kept_unless_told(tmp_path, whole):
    path = tmp_path / "job.h5"
    path.write_bytes(whole)
    with pytest.raises(mb.InputError, match=r"`checkpoint` must name a new file, but .* exists: resume it"):
        mb.charge(spin_chain.xxz(cells=4), [0.0, 0.1], checkpoint=mb.Checkpoint(path))
    assert path.read_bytes() == whole
    mb.charge(spin_chain.xxz(cells=4), [0.0, 0.1], checkpoint=mb.Checkpoint(path, overwrite=True))
    assert mb.resume(path).card["cells"] == 4


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: mb.Checkpoint(""), "Argument `path` must be the name of a file, but is ''."),
    (lambda: mb.Checkpoint("a", interval=-1), "Argument `interval` must be a number of at least 0, but is -1."),
    (lambda: mb.Checkpoint("a", wall_time=0), "Argument `wall_time` must be a positive number, but is 0."),
    (lambda: mb.charge(spin_chain.xxz(cells=3), [0.0, 0.1], checkpoint="a"),
     "Argument `checkpoint` must be None or a Checkpoint, but is 'a'."),
    (lambda: mb.charge(spin_chain.mbl(cells=4), [0.0, 0.1], method=mb.Tenpy(), checkpoint=mb.Checkpoint("a")),
     "Argument `checkpoint` must be None for Tenpy, whose states are not written down: use TEBD."),
])
def test_bad_input(make, sentence):
    with pytest.raises(mb.InputError) as error:
        make()
    assert str(error.value) == sentence


# -- plain form --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [
    lambda: spin_chain.mbl(cells=5), lambda: light.flying_qubits(cells=2), lambda: syk.complex_syk(cells=4),
    lambda: open_chain.boundary_driven(cells=3), lambda: spin_chain.power_law(cells=4, exponent=np.inf),
])
def test_a_battery_comes_back(make):
    battery = make()
    again = archive.unpack(archive.pack(battery))
    assert archive.fingerprint(again) == archive.fingerprint(battery)
    assert list(again.energy.products) == list(battery.energy.products)
    assert again.sites == battery.sites
    assert again.parameters == battery.parameters


def test_numbers_come_back_to_the_last_bit():
    values = [None, True, 3, 1 / 3, float("inf"), 1e-320, "Néel", 2 - 1j, (1, [2.0]), {"a": {(1, 2): np.float64(0.1)}},
              range(2, 9, 3), np.arange(6.0).reshape(2, 3).T, np.array([1 + 2j]), np.zeros((0, 3)), np.array(7)]
    packed = archive.pack(values)
    again = archive.unpack(packed)
    assert archive.fingerprint(again) == archive.fingerprint(values)
    assert [type(a) for a in again] == [type(v) for v in values]
    assert again[11].flags.c_contiguous
    for a, v in zip(again[11:], values[11:], strict=True):
        np.testing.assert_array_equal(a, v)
        assert a.shape == v.shape


@pytest.mark.parametrize("thing", [lambda t: t, Signalled(), object(), np.array(["a"]), os.getcwd])
def test_what_has_no_plain_form_is_not_written(thing):
    with pytest.raises(archive.OpaqueError):
        archive.pack({"a": [thing]})


# -- many kills --------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["charge", "steady state", "sweep"])
def test_jobs_killed_thirty_times_give_the_same_bits(tmp_path, kind):
    def charge(checkpoint):
        return mb.charge(spin_chain.mbl(cells=12, disorder=6.0), np.geomspace(0.1, 30, 12), checkpoint=checkpoint)

    def sweep(checkpoint):
        return mb.sweep(spin_chain.mbl, {"cells": 8, "disorder": [1.0, 5.0]}, realisations=20, times=[0.0, 1.0, 10.0],
                        seed=3, checkpoint=checkpoint)

    def steady(checkpoint):
        return mb.steady_state(open_chain.boundary_driven(cells=8, dephasing=0.5), method=mb.Sweeps(first_bond=8),
                               truncation=mb.Truncation(16, 1e-12), checkpoint=checkpoint)

    if kind == "steady state":
        same_steady(killed(steady, tmp_path / "job.h5", 30, 2.0, 4), steady(None))
        return
    begin = charge if kind == "charge" else sweep
    again, whole = killed(begin, tmp_path / "job.h5", 30, 1.5, 4), begin(None)
    same(again.data, whole.data)
    same(again.bars, whole.bars)


@pytest.mark.slow
def test_a_sweep_in_processes_killed_thirty_times_gives_the_same_bits(tmp_path):
    def begin(checkpoint, executor):
        return mb.sweep(spin_chain.mbl, {"cells": 6, "disorder": [1.0, 5.0]}, realisations=200, times=[0.0, 1.0, 10.0],
                        seed=3, checkpoint=checkpoint, executor=executor)

    processes, path, done = mb.executors.Processes(2), tmp_path / "job.h5", []

    def look():
        done.append(int(archive.unpack(archive.read(path)[1]["memory"])["done"].sum()))

    again = killed(lambda c: begin(c, processes), path, 30, 0.1, 4, writes=6, watch=look, executor=processes)
    assert done[-1] < 400                               # not one came too late
    assert len(set(done)) >= 15                         # and half of them in the midst
    same(again.data, begin(None, mb.executors.InProcess()).data)
