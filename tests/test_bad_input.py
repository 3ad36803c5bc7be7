"""Mistakes over Python, spec files and the command line: each is answered by one sentence and touches nothing."""

import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import mps_battery as mb
from mps_battery import cli
from mps_battery.models import spin_chain
from mps_battery.spec import build_battery, read_spec

SITES = [mb.Spin()] * 4
TIMES = [0.0, 0.1]


def terms(*entries, sites=SITES):
    out = mb.Terms(sites)
    for entry in entries:
        out += entry
    return out


FIELD = terms(*[(1.0, ("Z", n)) for n in range(4)])
DRIVE = terms(*[(1.0, ("X", n)) for n in range(4)])
LONG = terms((1.0, ("X", 0), ("X", 3)))
SHORT_CHAIN = terms((1.0, ("Z", 0)), sites=SITES[:3])
BOSONS = [mb.Boson(2)] * 4
FERMIONS = [mb.Fermion()] * 4
UP = mb.MPS.product(SITES, "up")


def battery(**changes):
    return mb.Battery(**({"sites": SITES, "cells": range(4), "energy": FIELD, "charging": DRIVE} | changes))


def mode(**changes):
    """A chain of four modes, nothing but numbers."""
    sites = changes.pop("sites", BOSONS)
    number = terms(*[(1.0, ("N", n)) for n in range(4)], sites=sites)
    return battery(**({"sites": sites, "energy": number, "charging": number, "empty": 0} | changes))


def charge(times=TIMES, *, record=None, method=None, truncation=None, trust=1e-2, **changes):
    return mb.charge(battery(**changes), times, record=record, method=method, truncation=truncation, trust=trust)


def scheduled(envelope):
    return charge(charging=mb.Schedule([(DRIVE, envelope)]))


def spec(text):
    """A spec file with `text` instead of, or after, the tables it lacks."""
    tables = {"[model]": '[model]\nname = "xxz"\ncells = 3\n', "times": "[times]\nstop = 1.0\npoints = 3\n"}
    Path("run.toml").write_text(text + "\n" + "".join(t for key, t in tables.items() if key not in text))
    try:
        given = read_spec("run.toml")
        given.grid(), given.cut(), given.solver()
        build_battery(cli.catalogue(), given.model["name"], {k: v for k, v in given.model.items() if k != "name"})
    finally:
        Path("run.toml").unlink()


class _AtTheCommandLine:
    """Run the program in place; its complaint is raised as an InputError so that one test reads them all."""

    def __init__(self):
        self.patch = self.capsys = None

    def __call__(self, words):
        self.patch.setattr(sys, "argv", ["mps-battery", *words.split()])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = self.capsys.readouterr()
        assert end.value.code == 2, said.out + said.err
        assert said.out == ""
        assert said.err.startswith("mps-battery: ")
        assert said.err.endswith("\n")
        raise mb.InputError(said.err.removeprefix("mps-battery: ").removesuffix("\n"))


line = _AtTheCommandLine()


def cut_file(keep):
    """A saved run of which only a part is left."""
    whole = Path("whole.nc")
    charge().save(whole)
    bytes_of = whole.read_bytes()
    whole.write_bytes(bytes_of[:int(keep * len(bytes_of))])
    try:
        mb.load(whole)
    finally:
        whole.unlink()


def changed_file(change):
    """A saved run with one thing changed in the file."""
    charge().save("changed.nc")
    try:
        with h5py.File("changed.nc", "r+") as file:
            change(file)
        mb.load("changed.nc")
    finally:
        Path("changed.nc").unlink()


def newer(file):
    file.attrs["mps_battery_schema"] = 99


def no_schema(file):
    del file.attrs["mps_battery_schema"]


def other_energy(file):
    file["energy"][1] += 1e-3


# what is done -> the sentence; an ellipsis stands for anything
PYTHON = {
    # sites
    "spin of no spin": (lambda: mb.Spin(S=0.3), "Argument `S` must be a positive multiple of 1/2, but is 0.3."),
    "spin in words": (lambda: mb.Spin(S="half"), "Argument `S` must be a positive multiple of 1/2, but is 'half'."),
    "no quanta": (lambda: mb.Boson(0), "Argument `cutoff` must be an integer of at least 1, but is 0."),
    "half a quantum": (lambda: mb.Boson(2.5), "Argument `cutoff` must be an integer of at least 1, but is 2.5."),
    "two levels of one name": (lambda: mb.Levels("gg"),
                               "Argument `names` must hold at least two different level names, but is 'gg'."),
    "numbered levels": (lambda: mb.Levels([0, 1]),
                        "Argument `names` must hold at least two different level names, but is [0, 1]."),
    "too few excitations": (lambda: mb.Levels("gef", (0, 1)),
                            "Argument `excitations` must hold one integer a level, but is (0, 1)."),
    # terms
    "no sites": (lambda: mb.Terms([]), "Argument `sites` must be a list of at least one Spin, … but is []."),
    "a site, not a list": (lambda: mb.Terms(mb.Spin()), "Argument `sites` must be a list … but is Spin(S=0.5)."),
    "unknown operator": (lambda: terms((1.0, ("sx", 0))), "Unknown operator 'sx' on Spin(S=0.5): did you mean 'Sx'?"),
    "operator of other sites": (lambda: terms((1.0, ("Z", 0)), sites=BOSONS),
                                "Unknown operator 'Z' on Boson(cutoff=2): known are A, Ad, I, N."),
    "site behind the end": (lambda: terms((1.0, ("Z", 4))),
                            "Argument `site` must be an integer from 0 to 3, but is 4."),
    "site counted from the end": (lambda: terms((1.0, ("Z", -1))),
                                  "Argument `site` must be an integer from 0 to 3, but is -1."),
    "half a site": (lambda: terms((1.0, ("Z", 0.5))), "Argument `site` must be an integer from 0 to 3, but is 0.5."),
    "no coefficient": (lambda: terms((("X", 0), ("X", 1))),
                       "Argument `term` must be written as coefficient, (\"X\", site), … but is (('X', 0), ('X', 1))."),
    "no brackets": (lambda: terms((1.0, "X", 0)), "Argument `term` must have factors written as (\"X\", site), but is 'X'."),
    "a number, not a term": (lambda: terms(1.0), "Argument `term` must be written as coefficient, … but is 1.0."),
    "coefficient nan": (lambda: terms((np.nan, ("X", 0))), "Argument `coefficient` must be a finite number, but is nan."),
    "matrix of another size": (lambda: terms((1.0, (np.eye(3), 0))),
                               "Argument `operator` must be a name or a 2 x 2 matrix of finite numbers on site 0, but is …."),
    "matrix with a hole": (lambda: terms((1.0, ([[np.nan, 0], [0, 1]], 2))),
                           "Argument `operator` must be … on site 2, but is [[nan, 0], [0, 1]]."),
    "odd matrix on a fermion": (lambda: terms((1.0, ([[0, 1], [1, 0]], 1)), sites=FERMIONS),
                                "Argument `operator` must conserve fermion parity when it is a matrix, … on site 1, but is …."),
    "terms of another chain added": (lambda: FIELD + SHORT_CHAIN,
                                     "Argument `terms` must live on the same sites … but its chain has 3 sites against 4 …."),
    "product of terms": (lambda: FIELD * DRIVE, "Argument `factor` must be a finite number, but is Terms(4 products …."),
    "too large a matrix": (lambda: mb.Terms([mb.Spin()] * 40).to_dense(),
                           "Argument `sites` must span at most 16384 dimensions for a dense matrix, but spans 1.1e+12…."),
    "gates of a long range": (LONG.to_bonds, "Argument `terms` must couple nearest neighbours only …, but is 'of reach 3'."),
    # batteries
    "energy that grows": (lambda: battery(energy=1j * FIELD),
                          "Argument `energy` must be Hermitian, but differs from its adjoint."),
    "half a hopping": (lambda: battery(charging=terms((1.0, ("Sp", 0), ("Sm", 1)))),
                       "Argument `charging` must be Hermitian, but differs from its adjoint."),
    "energy in words": (lambda: battery(energy="Z"), "Argument `energy` must be Terms, but is 'Z'."),
    "energy of another chain": (lambda: battery(energy=SHORT_CHAIN),
                                "Argument `energy` must live on the 4 sites of the battery, but its chain has 3 sites …."),
    "charging of another chain": (lambda: battery(charging=SHORT_CHAIN), "Argument `charging` must live on the 4 sites …."),
    "cell behind the end": (lambda: battery(cells=[0, 4]),
                            "Argument `cells` must be different sites from 0 to 3, but is [0, 4]."),
    "cell twice": (lambda: battery(cells=[1, 1]), "Argument `cells` must be different sites from 0 to 3, but is [1, 1]."),
    "half a cell": (lambda: battery(cells=[0.5]), "Argument `cells` must be different sites from 0 to 3, but is [0.5]."),
    "no cell": (lambda: battery(cells=[]), "Argument `cells` must be different sites from 0 to 3, but is []."),
    "number of cells": (lambda: battery(cells=4), "Argument `cells` must be different sites from 0 to 3, but is 4."),
    "sites by number": (lambda: battery(sites=4), "Argument `sites` must be a list of at least one Spin, … but is 4."),
    # where it starts
    "unknown label": (lambda: charge(empty="dwon"), "Unknown state 'dwon' of Spin(S=0.5): did you mean 'down'?"),
    "too few labels": (lambda: charge(empty=["up"] * 3),
                       "Argument `empty` must be one label or a list of 4, but is ['up', 'up', 'up']."),
    "level too high": (lambda: charge(empty=2), "Argument `empty` must be a basis index from 0 to 1 …, but is 2."),
    "vector too long": (lambda: charge(empty=[[1, 0, 0]] * 4),
                        "Argument `empty` must be a non-zero vector of length 2 on Spin(S=0.5), but is [1, 0, 0]."),
    "vector of zeros": (lambda: charge(empty=["up", [0, 0], "up", "up"]),
                        "Argument `empty` must be a non-zero vector of length 2 on Spin(S=0.5), but is [0, 0]."),
    "vector with a hole": (lambda: charge(empty=["up", [np.nan, 0], "up", "up"]),
                           "Argument `empty` must be a non-zero vector … but is [nan, 0]."),
    "vector of words": (lambda: charge(empty=["up", ["a", "b"], "up", "up"]),
                        "Argument `empty` must be a non-zero vector … but is ['a', 'b']."),
    "no start": (lambda: charge(empty=None), "Argument `empty` must be a label, a list … or an MPS, but is None."),
    "state of another chain": (lambda: charge(empty=mb.MPS.product(SITES[:3], "up")),
                               "Argument `empty` must be a state on the sites of the battery, but is (…)."),
    "state that vanishes": (lambda: charge(empty=mb.MPS(tuple(SITES), [np.zeros((1, 2, 1))] * 4)),
                            "Argument `empty` must be a state of non-zero norm, but is 0.0."),
    "state with torn bonds": (lambda: charge(empty=mb.MPS(tuple(SITES), [np.ones((1, 2, 2))] * 4)),
                              "Argument `empty` must have one tensor (vL, p, vR) a site, with matching bonds, but is [(1, 2, 2)…."),
    # schedules
    "empty schedule": (lambda: mb.Schedule([]), "Argument `parts` must hold at least one pair …, but is []."),
    "part without envelope": (lambda: mb.Schedule([FIELD]), "Argument `parts` must be pairs (terms, envelope) … but is Terms(…."),
    "envelope by number": (lambda: mb.Schedule([(FIELD, 0.5)]), "Argument `parts` must be pairs (terms, envelope) …, 0.5)."),
    "parts on two chains": (lambda: mb.Schedule([(FIELD, None), (SHORT_CHAIN, np.cos)]),
                            "Argument `parts` must live on the same sites, but is Terms(1 products on 3 sites…."),
    "part that grows": (lambda: mb.Schedule([(1j * FIELD, np.cos)]), "Argument `parts` must be Hermitian, but differs …."),
    "envelope nan": (lambda: scheduled(lambda t: np.nan),
                     "Argument `envelope` must give a finite real number at time 0, but is nan."),
    "envelope complex": (lambda: scheduled(lambda t: np.exp(1j * t)),
                         "Argument `envelope` must give a finite real number at time 0, but is …(1+0j)…"),
    "envelope of nothing": (lambda: scheduled(lambda t: None),
                            "Argument `envelope` must give a finite real number at time 0, but is None."),
    # charging
    "times go back": (lambda: charge([0.0, 1.0, 0.5]), "Argument `times` must increase, but goes from 1 to 0.5."),
    "time twice": (lambda: charge([0.0, 0.0]), "Argument `times` must increase, but goes from 0 to 0."),
    "no times": (lambda: charge([]), "Argument `times` must be a one-dimensional list of at least one time, but is []."),
    "one number": (lambda: charge(3.0), "Argument `times` must be a one-dimensional list of at least one time, but is 3.0."),
    "time nan": (lambda: charge([0.0, np.nan]), "Argument `times` must be finite, but is [0.0, nan]."),
    "times without end": (lambda: charge(np.full(40, np.inf)), "Argument `times` must be finite, but is array([inf, …])."),
    "times in words": (lambda: charge(["now", "then"]), "Argument `times` must be a list of numbers, but is ['now', 'then']."),
    "no battery": (lambda: mb.charge(FIELD, TIMES), "Argument `battery` must be a Battery, but is Terms."),
    "truncation by number": (lambda: charge(truncation=128), "Argument `truncation` must be a Truncation, but is 128."),
    "no trust": (lambda: charge(trust=0), "Argument `trust` must be a positive number, but is 0."),
    "no bond": (lambda: mb.Truncation(bond=0), "Argument `bond` must be an integer of at least 1, but is 0."),
    "broken bond": (lambda: mb.Truncation(bond=64.0), "Argument `bond` must be an integer of at least 1, but is 64.0."),
    "all weight": (lambda: mb.Truncation(weight=1.0), "Argument `weight` must be at least 0 and below 1, but is 1.0."),
    "weight nan": (lambda: mb.Truncation(weight=np.nan), "Argument `weight` must be at least 0 and below 1, but is nan."),
    "weight in words": (lambda: mb.Truncation(weight="small"), "Argument `weight` must be … below 1, but is 'small'."),
    "step back": (lambda: mb.TEBD(dt=-0.1), "Argument `dt` must be positive, but is -0.1."),
    "step nan": (lambda: mb.TDVP(dt=np.nan), "Argument `dt` must be positive, but is nan."),
    "third order": (lambda: mb.TEBD(order=3), "Argument `order` must be 2 or 4, but is 3."),
    "three-site TDVP": (lambda: mb.TDVP(sites=3), "Argument `sites` must be 1 or 2, but is 3."),
    "Krylov without end": (lambda: mb.TDVP(krylov=0.0), "Argument `krylov` must be between 0 and 1, but is 0.0."),
    "exact to nothing": (lambda: mb.Exact(tolerance=0.0), "Argument `tolerance` must be between 0 and 1, but is 0.0."),
    "method in words": (lambda: charge(method="tebd"), "Argument `method` must be TEBD, TDVP, Exact or Tenpy, but is 'tebd'."),
    "TEBD on a long range": (lambda: charge(charging=LONG, method=mb.TEBD()),
                             "Argument `method` must be TDVP or Exact for terms that reach over 3 sites, but is TEBD, …."),
    "Tenpy on a long range": (lambda: charge(charging=LONG, method=mb.Tenpy()),
                              "Argument `method` must be TDVP or Exact for terms that reach over 3 sites, but is Tenpy, …."),
    "Tenpy without a charge": (lambda: charge(method=mb.Tenpy()),
                               "Argument `method` must not be Tenpy for terms that conserve no charge…."),
    "Tenpy in time": (lambda: charge(charging=mb.Schedule([(FIELD, np.cos)]), method=mb.Tenpy()),
                      "Argument `method` must not be Tenpy for a time-dependent schedule…."),
    "Tenpy from a superposition": (lambda: charge(charging=FIELD, empty="x+", method=mb.Tenpy()),
                                   "Argument `method` must not be Tenpy unless the start is a product of basis states…."),
    "Exact, too large": (lambda: mb.charge(spin_chain.xxz(cells=40), TIMES, method=mb.Exact()),
                         "Argument `method` must not be Exact for a space of dimension 1.1e+12: …."),
    "Levels that do not count": (lambda: spin_chain.xxz(cells=1), "Argument `cells` must be an integer of at least 2, but is 1."),
    # what to record
    "nothing to record": (lambda: charge(record={}), "Argument `record` must name at least one quantity, but is {}."),
    "list of records": (lambda: charge(record=["energy"]),
                        "Argument `record` must name at least one quantity, but is ['energy']."),
    "record in words": (lambda: charge(record={"z": "Z"}),
                        "Argument `record` must map names to quantities such as Energy(), but 'z' is 'Z'."),
    "record of a class": (lambda: charge(record={"e": mb.Energy}), "Argument `record` must map names to quantities … 'e' is <class …."),
    "record by number": (lambda: charge(record={0: mb.Energy()}), "Argument `record` must have names of letters, … but is 0."),
    "record with a slash": (lambda: charge(record={"a/b": mb.Energy()}),
                            "Argument `record` must have names of letters, … but is 'a/b'."),
    "record called time": (lambda: charge(record={"time": mb.Energy()}),
                           "Argument `record` must have names … other than time, … but is 'time'."),
    "expectation of nothing": (lambda: charge(record={"q": mb.Expect("Q")}),
                               "Argument `what` must be Terms or an operator of at least one site, but is 'Q'."),
    "expectation elsewhere": (lambda: charge(record={"q": mb.Expect(SHORT_CHAIN)}),
                              "Argument `what` must live on the sites of the battery, but is Terms(…)."),
    "correlator of nothing": (lambda: charge(record={"q": mb.Correlator("Z", "zz")}), "Unknown operator 'zz' on Spin(S=0.5): …"),
    "correlator from nowhere": (lambda: charge(record={"q": mb.Correlator("Z", "Z", site=4)}),
                                "Argument `site` must be from 0 to 3, but is 4."),
    "correlator of fermions": (lambda: mb.charge(mode(sites=FERMIONS), TIMES, record={"q": mb.Correlator("Cd", "C")}),
                               "Argument `first` must not be a fermionic operator such as 'Cd': …."),
    "reduced beyond the end": (lambda: charge(record={"q": mb.Reduced([3, 4])}),
                               "Argument `sites` must be … from 0 to 3, but is [3, 4]."),
    "reduced twice": (lambda: charge(record={"q": mb.Reduced([1, 1])}),
                      "Argument `sites` must be different sites from 0 to 3, but is [1, 1]."),
    "local work of modes": (lambda: mb.charge(mode(), TIMES, record={"w": mb.LocalErgotropy()}),
                            "Argument `cells` must be two-level sites …, but site 0 has 3 levels."),
    "local capacity of modes": (lambda: mb.charge(mode(), TIMES, record={"c": mb.LocalCapacity()}),
                                "Argument `cells` must be two-level sites …, but site 0 has 3 levels."),
    # questions to a state
    "cut behind the end": (lambda: UP.entropy(3), "Argument `bond` must be from 0 to 2, but is 3."),
    "reduced to a site outside": (lambda: UP.reduced([4]), "Argument `sites` must be different sites from 0 to 3, but is [4]."),
    "reduced to nothing": (lambda: UP.reduced([]), "Argument `sites` must be different sites from 0 to 3, but is []."),
    "reduced to too much": (lambda: mb.MPS.product([mb.Spin()] * 20, "up").reduced(range(20)),
                            "Argument `sites` must span at most 4096 dimensions, but spans 1048576."),
    "expect elsewhere": (lambda: UP.expect(SHORT_CHAIN), "Argument `terms` must live on the sites of the state, but is …."),
    "work of a site outside": (lambda: mb.local_ergotropy(UP, FIELD, 4), "Argument `site` must be … from 0 to 3, but is 4."),
    "work of a mode": (lambda: mb.local_ergotropy(mode().initial_state(), mode().energy, 0),
                       "Argument … must be … two-level …, but site 0 has 3 levels."),
    "ground of a growth": (lambda: mb.ground_state(1j * FIELD), "Argument `terms` must be Hermitian, but differs …."),
    "ground of a word": (lambda: mb.ground_state("H"), "Argument `terms` must be Terms, but is 'H'."),
    # files
    "no file": (lambda: mb.load("no.nc"), "Argument `path` must name an existing file, but 'no.nc' is none."),
    "file that exists": (lambda: charge().save("old.nc"),
                         "Argument `path` must name a new file, but 'old.nc' exists: pass overwrite=True …."),
    "figure that exists": (lambda: charge().plot("old.png"),
                           "Argument `path` must name a new file, but 'old.png' exists: pass overwrite=True …."),
    "no folder": (lambda: charge().save("no/run.nc"),
                  "Argument `path` must lie in a folder that exists and can be written to, but 'no' is none."),
    "a folder": (lambda: charge().save(".", overwrite=True), "Argument `path` must name a file, but '.' is a folder."),
    "not a NetCDF file": (lambda: mb.load("old.nc"), "File 'old.nc' must be a NetCDF file of a run, but cannot be read …."),
    "file cut short": (lambda: cut_file(0.6), "File 'whole.nc' must be a NetCDF file of a run, but cannot be read …."),
    "file of the future": (lambda: changed_file(newer),
                           "File 'changed.nc' must have schema 1 or older, but has 99: update mps_battery."),
    "file of another program": (lambda: changed_file(no_schema),
                                "File 'changed.nc' must be a run saved by mps_battery, but carries no schema version."),
    "file that was touched": (lambda: changed_file(other_energy),
                              "File 'changed.nc' must hold what was saved, but does not match its checksum: …."),
}
SPEC = {
    "no file": (lambda: read_spec("no.toml"), "Argument `spec` must name an existing file, but 'no.toml' is none."),
    "not TOML": ("name: xxz", "File 'run.toml' must be TOML, but cannot be parsed: …."),
    "unknown table": ("[modle]\nname = 'xxz'\n[times]\nstop = 1.0\npoints = 3", "Unknown key `modle` in the spec: did you mean 'model'?"),
    "unknown key above": ("bar = false", "Unknown key `bar` in the spec: did you mean 'bars'?"),
    "unknown key in times": ("[times]\nstp = 1.0\npoints = 3", "Unknown key `times.stp` in the spec: did you mean 'stop'?"),
    "unknown key in truncation": ("[truncation]\nbnd = 8", "Unknown key `truncation.bnd` in the spec: did you mean 'bond'?"),
    "unknown key in method": ("[method]\nname = 'tebd'\nodrer = 4", "Unknown key `method.odrer` in the spec: did you mean 'order'?"),
    "unknown key in output": ("[output]\nfigur = 'a.png'", "Unknown key `output.figur` in the spec: did you mean 'figure'?"),
    "unknown model": ("[model]\nname = 'xxzz'", "Unknown model 'xxzz': did you mean 'xxz'?"),
    "unknown parameter": ("[model]\nname = 'xxz'\nfeild = 1.0", "Unknown parameter 'feild' of model 'xxz': did you mean 'field'?"),
    "parameter in words": ("[model]\nname = 'xxz'\nfield = 'big'", "Argument `field` must be a finite number, but is 'big'."),
    "negative seed": ("[model]\nname = 'mbl'\nseed = -1", "Argument `seed` must be an integer of at least 0, but is -1."),
    "model by word": ("model = 'xxz' #[model]", "Key `model` must be a table, but is 'xxz'."),
    "model without name": ("[model]\ncells = 4", "Key `model.name` must be given in the spec, but is missing."),
    "model by number": ("[model]\nname = 3", "Key `model.name` must be the name of a model …, but is 3."),
    "no end": ("[times]\npoints = 3", "Key `times.stop` must be given in the spec, but is missing."),
    "end without end": ("[times]\nstop = inf\npoints = 3", "Key `times.stop` must be a finite number, but is inf."),
    "no points": ("[times]\nstop = 1.0\npoints = 0", "Key `times.points` must be at least 1, but is 0."),
    "points in words": ("[times]\nstop = 1.0\npoints = '3'", "Key `times.points` must be an integer, but is '3'."),
    "times in words": ("times = 'now'", "Key `times` must be a list of numbers, or a table with stop and points, but is 'now'."),
    "a time in words": ("times = [0, 'then']", "Key `times.1` must be a number, but is 'then'."),
    "times go back": ("times = [1.0, 0.0]", "Argument `times` must increase, but goes from 1 to 0."),
    "truncation by number": ("truncation = 8", "Key `truncation` must be a table, but is 8."),
    "bond as a switch": ("[truncation]\nbond = true", "Key `truncation.bond` must be an integer, but is True."),
    "bond of zero": ("[truncation]\nbond = 0", "Argument `bond` must be an integer of at least 1, but is 0."),
    "unknown method": ("[method]\nname = 'dmrg'", "Key `method.name` must be 'tebd', 'tdvp', 'exact' or 'tenpy', but is 'dmrg'."),
    "method without name": ("[method]\ndt = 0.1", "Key `method.name` must be given in the spec, but is missing."),
    "setting of another method": ("[method]\nname = 'tebd'\nsites = 1",
                                  "Key `method.sites` must belong to the method 'tebd', but that has only dt, …."),
    "third order": ("[method]\nname = 'tebd'\norder = 3", "Key `method.order` must be 2 or 4, but is 3."),
    "switch in words": ("bars = 'yes'", "Key `bars` must be true or false, but is 'yes'."),
    "figure of no kind": ("[output]\nfigure = 'a.nc'", "Key `output.figure` must end in .png, .pdf, .svg, but is 'a.nc'."),
    "figure over data": ("[output]\ndata = 'a.png'\nfigure = 'a.png'",
                         "Key `output.figure` must be another file than `output.data`, but both are 'a.png'."),
}
LINE = {
    "unknown command": ("chrage xxz", "Unknown command 'chrage': did you mean 'charge'?"),
    "no model": ("charge", "Missing argument 'model' (see `mps-battery charge --help`)."),
    "unknown model": ("charge ising_qench", "Unknown model 'ising_qench': did you mean 'ising_quench'?"),
    "unknown parameter": ("charge xxz --feild 1.0", "Unknown option '--feild' of model 'xxz': did you mean '--field'?"),
    "unknown option": ("charge xxz --outptu run.nc", "Unknown option '--outptu' of model 'xxz': did you mean '--output'?"),
    "option without value": ("charge xxz --cells", "Option --cells must be followed by a value, but ends the line."),
    "a word too many": ("charge xxz 100", "Unexpected word '100': parameters are written --name value."),
    "parameter in words": ("charge xxz --cells many", "Argument `cells` must be an integer of at least 2, but is 'many'."),
    "end in words": ("charge xxz --stop soon", "Key `times.stop` must be a number, but is 'soon'."),
    "points in words": ("charge xxz --points few", "Key `times.points` must be an integer, but is 'few'."),
    "end before the start": ("charge xxz --stop -1", "Argument `times` must increase, but goes from 0 to …."),
    "bond of zero": ("charge xxz --bond 0", "Argument `bond` must be an integer of at least 1, but is 0."),
    "weight of two": ("charge xxz --weight 2", "Argument `weight` must be at least 0 and below 1, but is 2."),
    "unknown method": ("charge xxz --method dmrg", "Key `method.name` must be 'tebd', 'tdvp', 'exact' or 'tenpy', but is 'dmrg'."),
    "step without method": ("charge xxz --dt 0.1", "Option --method must be given where --dt is, but is empty."),
    "step back": ("charge xxz --cells 3 --method tebd --dt -1", "Argument `dt` must be positive, but is -1."),
    "TEBD on a long range": ("charge lipkin --cells 12 --method tebd", "Argument `method` must be TDVP or Exact …."),
    "data that exist": ("charge xxz --cells 3 --output old.nc", "File 'old.nc' must not exist yet, but does: … --overwrite."),
    "figure that exists": ("charge xxz --cells 3 --figure old.png", "File 'old.png' must not exist yet, but does: … --overwrite."),
    "a folder": ("charge xxz --cells 3 --output . --overwrite", "File '.' must not exist yet, but does: choose another name."),
    "no folder": ("charge xxz --cells 3 --output no/run.nc", "File 'no/run.nc' must lie in a folder that exists …, but '…no' is none."),
    "figure of no kind": ("charge xxz --cells 3 --figure a.gif", "Key `output.figure` must end in .png, .pdf, .svg, but is 'a.gif'."),
    "no spec": ("run no.toml", "Argument `spec` must name an existing file, but 'no.toml' is none."),
    "no data": ("plot no.nc a.png", "Argument `path` must name an existing file, but 'no.nc' is none."),
    "data of no kind": ("plot old.nc a.png", "File 'old.nc' must be a NetCDF file of a run, but cannot be read …."),
    "plot of no kind": ("plot old.nc a", "Argument `figure` must end in .png, .pdf, .svg, but is 'a'."),
    "unknown flag": ("models --all", "No such option: --all (see `mps-battery models --help`)."),
}
MISTAKES = [pytest.param(do if callable(do) else (lambda how=how, do=do: how(do)), sentence, id=f"{where}: {name}")
            for where, how, table in (("Python", None, PYTHON), ("spec", spec, SPEC), ("line", line, LINE))
            for name, (do, sentence) in table.items()]
ONE_SENTENCE = re.compile(
    r"(Argument|Key|File|Option) .+ must .+, but .+\."
    r"|(Argument|Option) .+ must not .+\."
    r"|Unknown .+: (did you mean .+\?|known are .+\.)"
    r"|(Unexpected word|Missing argument|No such option).+\.")


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    """An empty folder to stand in, but for two files that nobody may touch."""
    monkeypatch.chdir(tmp_path)
    for name in ("old.nc", "old.png"):
        (tmp_path / name).write_bytes(b"precious")
    line.patch, line.capsys = monkeypatch, capsys
    return tmp_path


@pytest.mark.parametrize(("mistake", "sentence"), MISTAKES)
def test_mistake_is_answered_by_one_sentence_and_touches_nothing(mistake, sentence, folder):
    with pytest.raises(mb.InputError) as error:
        mistake()
    said = str(error.value)
    assert re.fullmatch(".*".join(map(re.escape, sentence.split("…"))), said), said
    assert ONE_SENTENCE.fullmatch(said), said
    assert not re.search(r"[.?!] [A-Z]", said), said
    assert len(said) <= 320
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"old.nc": b"precious", "old.png": b"precious"}


def test_there_are_enough_distinct_mistakes():
    assert len({sentence for _, sentence in (m.values for m in MISTAKES)}) >= 100


def test_a_failed_charge_shows_no_traceback_and_asks_no_terminal(folder):
    assert not any(folder.glob("*.nc-*"))
    with pytest.raises(mb.InputError) as error:
        mb.Boson(0)
    assert error.value.__cause__ is None
