"""Runs on disk: what is saved comes back, and nothing is lost where a write or a file goes wrong."""

import json
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import mps_battery as mb
from mps_battery import storage
from mps_battery.budget import Budget

BUDGET = Budget(discarded_weight=1e-13, state_error=0.1 + 0.2, energy_drift=None, norm_defect=5e-324,
                krylov_residual=0.0, max_bond=7, cap_bound=0, t_trust=1 / 3, trust=1e-2, worst_bar=2.5e-9)
CARD = {"model": "chain: Néel", "parameters": {"field": 1.3, "bonds": [0.1, 0.2], "periodic": False},
        "sites": 3, "times": 4}


def made(seed=0):
    """A run with numbers of every kind, from nothing but a seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 11]))
    times = np.array([0.0, 0.1, 1 / 3, 0.7])
    matrices = rng.normal(size=(4, 2, 2)) + 1j * rng.normal(size=(4, 2, 2))
    values = {
        "energy": ("time", rng.normal(size=4)),
        "local_ergotropy": (("time", "cell"), rng.normal(size=(4, 2))),
        "rho": (("time", "rho_ket", "rho_bra"), matrices), "holes": ("time", [np.nan, np.inf, -0.0, 1e-320]),
        "count": ("time", [1, 2, 3, 2**62]),
    }
    coords = {"time": times, "cell": [0, 2], "rho_ket": [0, 1], "rho_bra": [0, 1]}
    data = xr.Dataset(values, coords)
    data["energy"].attrs.update(unit="energy", energy_initial=-1 / 3)
    data["rho"].attrs["unit"] = "1"
    kinds = {"energy": "rigorous", "local_ergotropy": "estimate", "rho": "estimate"}
    bars = xr.Dataset({name: (data[name].dims, np.abs(data[name].values)) for name in kinds}, coords)
    for name, kind in kinds.items():
        bars[name].attrs.update(kind=kind, unit=data[name].attrs.get("unit", ""))
    return mb.Run(data, bars, "Reached t = 0.7; trusted throughout.", BUDGET, CARD)


def assert_same(one, other):
    xr.testing.assert_identical(one.data, other.data)
    xr.testing.assert_identical(one.bars, other.bars)
    for name in one.data.variables:
        assert one.data[name].dtype == other.data[name].dtype, name
        assert one.data[name].values.tobytes() == other.data[name].values.tobytes(), name
    assert (one.outcome, one.budget, dict(one.card)) == (other.outcome, other.budget, dict(other.card))


# -- there and back --------------------------------------------------------------------------------------
def test_all_comes_back(tmp_path):
    run = made()
    assert run.save(tmp_path / "run.nc") == tmp_path / "run.nc"
    again = mb.load(tmp_path / "run.nc")
    assert_same(again, run)
    assert np.iscomplexobj(again.data["rho"])
    assert {n: b.attrs["kind"] for n, b in again.bars.items()} == {
        "energy": "rigorous", "local_ergotropy": "estimate", "rho": "estimate"}
    assert again.data["energy"].attrs == {"unit": "energy", "energy_initial": -1 / 3}
    assert again.state is None
    assert again.states == ()


def test_a_charged_battery_comes_back_and_can_be_saved_again(tmp_path):
    sites = [mb.Spin(), mb.Boson(2), mb.Spin()]
    store, charging = mb.Terms(sites), mb.Terms(sites)
    for n in (0, 2):
        store += 1.0, ("Z", n)
        charging += 0.4, ("Sp", n), ("A", 1)
        charging += 0.4, ("Sm", n), ("Ad", 1)
    battery = mb.Battery(sites, [0, 2], store, charging, empty=["down", 2, "down"], parameters={"g": 0.4})
    record = {**mb.STANDARD, "rho": mb.Reduced([0, 2]), "z": mb.Expect("Z"), "n": mb.Expect("N")}
    run = mb.charge(battery, [0.0, 0.5, 1.0], record=record, method=mb.TDVP(), keep_states=True)
    run.save(tmp_path / "run.nc")
    again = mb.load(str(tmp_path / "run.nc"))
    assert_same(again, run)
    assert str(again) == str(run)
    assert again.data["rho"].dims == ("time", "rho_ket", "rho_bra")
    again.save(tmp_path / "again.nc")
    assert_same(mb.load(tmp_path / "again.nc"), run)


def test_sites_of_two_kinds_are_recorded_side_by_side():
    """Operators that different sites have keep a dimension each instead of being padded with nan."""
    sites = [mb.Spin(), mb.Boson(2), mb.Spin()]
    energy = mb.Terms(sites)
    energy += 1.0, ("Z", 0)
    battery = mb.Battery(sites, [0], energy, energy, empty=["up", 1, "down"])
    record = {"z": mb.Expect("Z"), "n": mb.Expect("N"), "x": mb.Expect("X")}
    run = mb.charge(battery, [0.0, 0.1], record=record)
    np.testing.assert_allclose(run.data["z"], [[1, -1]] * 2, atol=1e-12)
    np.testing.assert_allclose(run.data["n"], [[1]] * 2, atol=1e-12)
    assert [run.data[q].dims[1] for q in "znx"] == ["site", "n_site", "site"]
    assert run.data["n_site"].values.tolist() == [1]


def test_a_run_without_bars_comes_back(tmp_path):
    run = made()
    bare = mb.Run(run.data, xr.Dataset(), run.outcome, run.budget, run.card)
    bare.save(tmp_path / "run.nc")
    assert not mb.load(tmp_path / "run.nc").bars


def test_the_file_is_plain_netcdf_and_holds_no_pickle(tmp_path):
    made().save(tmp_path / "run.nc")
    with h5py.File(tmp_path / "run.nc") as file:
        assert json.loads(file.attrs["card"])["model"] == CARD["model"]
        assert file.attrs["mps_battery_schema"] == storage.SCHEMA
        kinds = []
        file.visititems(lambda _, item: kinds.append(getattr(item, "dtype", np.dtype(float)).kind))
    assert set(kinds) <= set("iuf")


def test_saving_leaves_the_run_as_it_was(tmp_path):
    run = made()
    run.save(tmp_path / "run.nc")
    assert_same(run, made())


def test_numbers_of_numpy_come_back_as_plain_ones(tmp_path):
    run = made()
    card = {"cells": np.int64(3), "bonds": np.array([0.1, 0.2]), "field": np.float32(0.5), "model": Path("a")}
    mb.Run(run.data, run.bars, run.outcome, run.budget, card).save(tmp_path / "run.nc")
    assert mb.load(tmp_path / "run.nc").card == {"cells": 3, "bonds": [0.1, 0.2], "field": 0.5, "model": "a"}


# -- writing ---------------------------------------------------------------------------------------------
def test_an_existing_file_is_kept_unless_told(tmp_path):
    made(0).save(tmp_path / "run.nc")
    before = (tmp_path / "run.nc").read_bytes()
    with pytest.raises(mb.InputError, match="must name a new file"):
        made(1).save(tmp_path / "run.nc")
    assert (tmp_path / "run.nc").read_bytes() == before
    made(1).save(tmp_path / "run.nc", overwrite=True)
    assert_same(mb.load(tmp_path / "run.nc"), made(1))
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("moment", ["first write", "second write", "flush", "rename"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment, overwrite):
    if overwrite:
        made(0).save(tmp_path / "run.nc")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    calls, write, fails = [], xr.Dataset.to_netcdf, {"first write": 1, "second write": 2}.get(moment)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def writes(*arguments, **settings):
        calls.append(arguments)
        return full() if len(calls) == fails else write(*arguments, **settings)

    monkeypatch.setattr(xr.Dataset, "to_netcdf", writes)
    if moment == "flush":
        monkeypatch.setattr(os, "fsync", full)
    if moment == "rename":
        monkeypatch.setattr(os, "replace", full)
        monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space left"):
        made(1).save(tmp_path / "run.nc", overwrite=overwrite)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_file_made_meanwhile_is_kept(tmp_path):
    path = tmp_path / "run.nc"

    def slow_write():
        with storage.atomic(path, overwrite=False) as aside:
            aside.write_bytes(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(mb.InputError, match="must name a new file"):
        slow_write()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("run.nc", b"theirs")]


def test_the_new_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "run.nc"
    path.write_bytes(b"old")
    with storage.atomic(path, overwrite=True) as aside:
        aside.write_bytes(b"new")
        assert aside.parent == path.parent
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]


def test_the_file_has_the_permissions_of_any_other(tmp_path):
    made().save(tmp_path / "run.nc")
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "run.nc").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def none(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", none)
    made().save(tmp_path / "run.nc")
    assert_same(mb.load(tmp_path / "run.nc"), made())


# -- reading what is damaged -----------------------------------------------------------------------------
def load_or_sentence(path):
    """The run, or the sentence that refuses it; anything else fails the test."""
    try:
        return mb.load(path)
    except mb.InputError as error:
        said = str(error)
    assert re.fullmatch(rf"File '{re.escape(str(path))}' must .+, but .+\.", said), said
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run.nc"
    made().save(path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_file_cut_short_is_refused(tmp_path, whole, share):
    path = tmp_path / "cut.nc"
    path.write_bytes(whole[:int(share * len(whole))])
    assert "it is cut short, damaged, or of another program" in load_or_sentence(path)


def test_a_flipped_bit_is_refused_wherever_it_is(tmp_path, whole):
    rng = np.random.default_rng(np.random.SeedSequence([5, 3]))
    path, sealed_from = tmp_path / "flipped.nc", len(whole) - len(storage.SEAL) - 32
    in_seal = range(sealed_from, len(whole), 7)
    # HDF5 was seen to hang in a file damaged at the first place
    for place in [2697, *in_seal, *rng.integers(sealed_from, size=200)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert "damaged" in load_or_sentence(path)


def test_a_longer_file_is_refused(tmp_path, whole):
    path = tmp_path / "longer.nc"
    for more in (b"\0", whole, b"\0" * len(whole)):
        path.write_bytes(whole + more)
        found = load_or_sentence(path)
        assert "damaged" in found


@pytest.mark.parametrize("change", [
    lambda file: file.attrs.__setitem__("outcome", "Reached t = 9.7; trusted throughout."),
    lambda file: file["energy"].__setitem__(1, 0.5),
    lambda file: file["bars/local_ergotropy"].attrs.__setitem__("kind", "rigorous"),
    lambda file: file.__delitem__("holes"),
], ids=["outcome", "energy", "kind", "variable"])
def test_a_file_changed_by_another_program_is_refused(tmp_path, whole, change):
    path = tmp_path / "changed.nc"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        change(file)
    assert "damaged" in load_or_sentence(path)


def test_other_readers_do_not_see_the_checksum(tmp_path, whole):
    path = tmp_path / "run.nc"
    path.write_bytes(whole)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_array_equal(data["energy"], made().data["energy"])
    assert_same(mb.load(path), made())


def test_a_newer_schema_is_refused(tmp_path, whole):
    path = tmp_path / "newer.nc"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.attrs["mps_battery_schema"] = storage.SCHEMA + 1
        del file["bars"]             # what a later layout may do
    storage.seal(path)
    assert load_or_sentence(path).endswith(
        f"must have schema {storage.SCHEMA} or older, but has {storage.SCHEMA + 1}: update mps_battery.")


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"energy": ("time", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")
    assert "of another program" in load_or_sentence(path)
    path.write_text("no HDF5 at all")
    assert "of another program" in load_or_sentence(path)
