"""Mistakes in Python, spec files and on the command line: each gets one sentence and touches nothing."""

import re
import sys
from pathlib import Path

import h5py
import jaxtyping
import numpy as np
import pytest

import mps_battery as mb
from mps_battery import cli, storage
from mps_battery.models import open_chain, spin_chain
from mps_battery.spec import build_battery, read_spec

# -- the tables: what is done => the answer, in which an ellipsis stands for anything -----------------------
PYTHON = """
mb.Spin(S=0.3) => Argument `S` must be a positive multiple of 1/2, but is 0.3.
mb.Spin(S="half") => Argument `S` must be a positive multiple of 1/2, but is 'half'.
mb.Boson(0) => Argument `cutoff` must be an integer of at least 1, but is 0.
mb.Boson(2.5) => Argument `cutoff` must be an integer of at least 1, but is 2.5.
mb.Levels("gg") => Argument `names` must hold at least two different level names, but is 'gg'.
mb.Levels([0, 1]) => Argument `names` must hold at least two different level names, but is [0, 1].
mb.Levels("gef", (0, 1)) => Argument `excitations` must hold one integer a level, but is (0, 1).
mb.Terms([]) => Argument `sites` must be a list of at least one Spin, … but is [].
mb.Terms(mb.Spin()) => Argument `sites` must be a list … but is Spin(S=0.5).
terms((1.0, ("sx", 0))) => Unknown operator 'sx' on Spin(S=0.5): did you mean 'Sx'?
terms((1.0, ("Z", 0)), sites=BOSONS) => Unknown operator 'Z' on Boson(cutoff=2): known are A, Ad, I, N.
terms((1.0, ("Z", 4))) => Argument `site` must be an integer from 0 to 3, but is 4.
terms((1.0, ("Z", -1))) => Argument `site` must be an integer from 0 to 3, but is -1.
terms((1.0, ("Z", 0.5))) => Argument `site` must be an integer from 0 to 3, but is 0.5.
terms((("X", 0), ("X", 1)))
    => Argument `term` must be written as coefficient, ("X", site), … but is (('X', 0), ('X', 1)).
terms((1.0, "X", 0)) => Argument `term` must have factors written as ("X", site), but is 'X'.
terms(1.0) => Argument `term` must be written as coefficient, … but is 1.0.
terms((np.nan, ("X", 0))) => Argument `coefficient` must be a finite number, but is nan.
terms((1.0, (np.eye(3), 0)))
    => Argument `operator` must be a name or a 2 x 2 matrix of finite numbers on site 0, but is ….
terms((1.0, ([[np.nan, 0], [0, 1]], 2)))
    => Argument `operator` must be … on site 2, but is [[nan, 0], [0, 1]].
terms((1.0, ([[0, 1], [1, 0]], 1)), sites=FERMIONS)
    => Argument `operator` must conserve fermion parity when it is a matrix, … on site 1, but is ….
FIELD + SHORT_CHAIN => Argument `terms` must live on the same sites … but its chain has 3 sites against 4 ….
FIELD * DRIVE => Argument `factor` must be a finite number, but is Terms(4 products ….
mb.Terms([mb.Spin()] * 40).to_dense()
    => Argument `sites` must span at most 16384 dimensions for a dense matrix, but spans 1.1e+12….
LONG.to_bonds() => Argument `terms` must couple nearest neighbours only …, but reaches over 3 sites.
battery(energy=1j * FIELD) => Argument `energy` must be Hermitian, but differs from its adjoint.
battery(charging=terms((1.0, ("Sp", 0), ("Sm", 1))))
    => Argument `charging` must be Hermitian, but differs from its adjoint.
battery(energy="Z") => Argument `energy` must be Terms, but is 'Z'.
battery(energy=SHORT_CHAIN)
    => Argument `energy` must live on the 4 sites of the battery, but its chain has 3 sites ….
battery(charging=SHORT_CHAIN) => Argument `charging` must live on the 4 sites ….
battery(cells=[0, 4]) => Argument `cells` must be different sites from 0 to 3, but is [0, 4].
battery(cells=[1, 1]) => Argument `cells` must be different sites from 0 to 3, but is [1, 1].
battery(cells=[0.5]) => Argument `cells` must be different sites from 0 to 3, but is [0.5].
battery(cells=[]) => Argument `cells` must be different sites from 0 to 3, but is [].
battery(cells=4) => Argument `cells` must be different sites from 0 to 3, but is 4.
battery(sites=4) => Argument `sites` must be a list of at least one Spin, … but is 4.
charge(empty="dwon") => Unknown state 'dwon' of Spin(S=0.5): did you mean 'down'?
charge(empty=["up"] * 3) => Argument `empty` must be one label or a list of 4, but is ['up', 'up', 'up'].
charge(empty=2) => Argument `empty` must be a basis index from 0 to 1 …, but is 2.
charge(empty=[[1, 0, 0]] * 4)
    => Argument `empty` must be a non-zero vector of length 2 on Spin(S=0.5), but is [1, 0, 0].
charge(empty=["up", [0, 0], "up", "up"])
    => Argument `empty` must be a non-zero vector of length 2 on Spin(S=0.5), but is [0, 0].
charge(empty=["up", [np.nan, 0], "up", "up"]) => Argument `empty` must be a non-zero vector … but is [nan, 0].
charge(empty=["up", ["a", "b"], "up", "up"])
    => Argument `empty` must be a non-zero vector … but is ['a', 'b'].
charge(empty=None) => Argument `empty` must be a label, a list … an MPS or a Density, but is None.
charge(empty=mb.MPS.product(SITES[:3], "up"))
    => Argument `empty` must be a state on the sites of the battery, but is (…).
charge(empty=mps(np.zeros((1, 2, 1)))) => Argument `empty` must be a state of non-zero norm, but is 0.0.
charge(empty=mps(np.ones((1, 2, 2))))
    => Argument `empty` must have one tensor (vL, p, vR) a site, with matching bonds, but is [(1, 2, 2)….
mb.Schedule([]) => Argument `parts` must hold at least one pair …, but is [].
mb.Schedule([FIELD]) => Argument `parts` must be pairs (terms, envelope) … but is Terms(….
mb.Schedule([(FIELD, 0.5)]) => Argument `parts` must be pairs (terms, envelope) …, 0.5).
mb.Schedule([(FIELD, None), (SHORT_CHAIN, np.cos)])
    => Argument `parts` must live on the same sites, but is Terms(1 products on 3 sites….
mb.Schedule([(1j * FIELD, np.cos)]) => Argument `parts` must be Hermitian, but differs ….
scheduled(lambda _: np.nan) => Argument `envelope` must give a finite real number at time 0, but is nan.
scheduled(lambda t: np.exp(1j * t))
    => Argument `envelope` must give a finite real number at time 0, but is …(1+0j)…
scheduled(lambda _: None) => Argument `envelope` must give a finite real number at time 0, but is None.
charge([0.0, 1.0, 0.5]) => Argument `times` must increase, but goes from 1 to 0.5.
charge([0.0, 0.0]) => Argument `times` must increase, but goes from 0 to 0.
charge([]) => Argument `times` must be a one-dimensional list of at least one time, but is [].
charge(3.0) => Argument `times` must be a one-dimensional list of at least one time, but is 3.0.
charge([0.0, np.nan]) => Argument `times` must be finite, but is [0.0, nan].
charge(np.full(40, np.inf)) => Argument `times` must be finite, but is array([inf, …]).
charge(["now", "then"]) => Argument `times` must be a list of numbers, but is ['now', 'then'].
mb.charge(FIELD, TIMES) => Argument `battery` must be a Battery, but is Terms.
charge(truncation=128) => Argument `truncation` must be a Truncation, but is 128.
charge(trust=0) => Argument `trust` must be a positive number, but is 0.
mb.Truncation(bond=0) => Argument `bond` must be an integer of at least 1, but is 0.
mb.Truncation(bond=64.0) => Argument `bond` must be an integer of at least 1, but is 64.0.
mb.Truncation(weight=1.0) => Argument `weight` must be at least 0 and below 1, but is 1.0.
mb.Truncation(weight=np.nan) => Argument `weight` must be at least 0 and below 1, but is nan.
mb.Truncation(weight="small") => Argument `weight` must be … below 1, but is 'small'.
mb.TEBD(dt=-0.1) => Argument `dt` must be a positive number, but is -0.1.
mb.TDVP(dt=np.nan) => Argument `dt` must be a positive number, but is nan.
mb.TEBD(order=3) => Argument `order` must be 2 or 4, but is 3.
mb.TDVP(sites=3) => Argument `sites` must be 1 or 2, but is 3.
mb.TDVP(krylov=0.0) => Argument `krylov` must be a number between 0 and 1, but is 0.0.
mb.Exact(tolerance=0.0) => Argument `tolerance` must be a number between 0 and 1, but is 0.0.
charge(method="tebd") => Argument `method` must be TEBD, TDVP, Exact or Tenpy, but is 'tebd'.
charge(charging=LONG, method=mb.TEBD())
    => Argument `method` must be TDVP or Exact for terms that reach over 3 sites, but is TEBD, ….
charge(charging=LONG, method=mb.Tenpy())
    => Argument `method` must be TDVP or Exact for terms that reach over 3 sites, but is Tenpy, ….
charge(method=mb.Tenpy()) => Argument `method` must not be Tenpy for terms that conserve no charge….
charge(charging=mb.Schedule([(FIELD, np.cos)]), method=mb.Tenpy())
    => Argument `method` must not be Tenpy for a time-dependent schedule….
charge(charging=FIELD, empty="x+", method=mb.Tenpy())
    => Argument `method` must not be Tenpy unless the start is a product of basis states….
mb.charge(spin_chain.xxz(cells=40), TIMES, method=mb.Exact())
    => Argument `method` must not be Exact for a space of dimension 1.1e+12: ….
spin_chain.xxz(cells=1) => Argument `cells` must be an integer of at least 2, but is 1.
charge(record={}) => Argument `record` must name at least one quantity, but is {}.
charge(record=["energy"]) => Argument `record` must name at least one quantity, but is ['energy'].
charge(record={"z": "Z"}) => Argument `record` must map names to quantities such as Energy(), but 'z' is 'Z'.
charge(record={"e": mb.Energy}) => Argument `record` must map names to quantities … 'e' is <class ….
charge(record={0: mb.Energy()}) => Argument `record` must have names of letters, … but is 0.
charge(record={"a/b": mb.Energy()}) => Argument `record` must have names of letters, … but is 'a/b'.
charge(record={"time": mb.Energy()}) => Argument `record` must have names … other than time, … but is 'time'.
charge(record={"q": mb.Expect("Q")})
    => Unknown operator 'Q': known are I, Sm, Sp, Sx, Sy, Sz, X, Y, Z.
charge(record={"q": mb.Expect(SHORT_CHAIN)})
    => Argument `what` must live on the sites of the battery, but is Terms(…).
charge(record={"q": mb.Correlator("Z", "zz")}) => Unknown operator 'zz' on Spin(S=0.5): …
charge(record={"q": mb.Correlator("Z", "Z", site=4)}) => Argument `site` must be from 0 to 3, but is 4.
mb.charge(modes(FERMIONS), TIMES, record={"q": mb.Correlator("Cd", "C")})
    => Argument `first` must not be a fermionic operator such as 'Cd': ….
charge(record={"q": mb.Reduced([3, 4])}) => Argument `sites` must be …from 0 to 3, but is [3, 4].
charge(record={"q": mb.Reduced([1, 1])})
    => Argument `sites` must be different sites from 0 to 3, but is [1, 1].
leaking(rate=lambda t: -0.5)
    => Argument `rate` must be a finite number of at least 0 at time 0, but is -0.5.
open_chain.decaying(rate=-0.1) => Argument `rate` must be a number of at least 0, but is -0.1.
battery(charging=FIELD - 0.1j * FIELD) => Argument `charging` must be Hermitian, but differs from its adjoint.
mb.Jump(terms((1.0, ("Sm", 7)))) => Argument `site` must be an integer from 0 to 3, but is 7.
battery(jumps=[mb.Jump(SHORT_CHAIN)])
    => Argument `jumps` must live on the 4 sites of the battery, but its chain has 3 sites ….
leaking(method=mb.TEBD(dt=40.0))
    => Argument `dt` must be at most 4 for a density …, but is 40: longer steps are unstable, and 0.15 is accurate.
leaking(method=mb.TDVP(dt=80.0))
    => Argument `dt` must be at most 4 for a density …, but is 80: …, and 0.15 is accurate.
mb.steady_state(leak(), method=mb.Relaxation(dt=30.0))
    => Argument `dt` must be at most 4 for a density …, but is 30: longer steps ….
mb.thermal_state(FIELD * 40, 0.5, method=mb.TEBD(dt=0.5))
    => Argument `dt` must be at most … for a density …, but is 0.5: longer steps are unstable, ….
UP.entropy(3) => Argument `bond` must be from 0 to 2, but is 3.
UP.reduced([4]) => Argument `sites` must be different sites from 0 to 3, but is [4].
UP.reduced([]) => Argument `sites` must be different sites from 0 to 3, but is [].
mb.MPS.product([mb.Spin()] * 20, "up").reduced(range(20))
    => Argument `sites` must span at most 4096 dimensions, but spans 1048576.
UP.expect(SHORT_CHAIN) => Argument `terms` must be Terms on the sites of the state, but is ….
mb.local_ergotropy(UP, FIELD, 4) => Argument `site` must be …from 0 to 3, but is 4.
mb.ground_state(1j * FIELD) => Argument `terms` must be Hermitian, but differs ….
mb.ground_state("H") => Argument `terms` must be Terms, but is 'H'.
mb.load("no.nc") => Argument `path` must name an existing file, but 'no.nc' is none.
charge().save("old.nc") => Argument `path` must name a new file, but 'old.nc' exists: overwrite=True ….
charge().plot("old.png") => Argument `path` must name a new file, but 'old.png' exists: overwrite=True ….
charge().save("no/run.nc")
    => Argument `path` must lie in a folder that exists and can be written to, but 'no' is none.
charge().save(".", overwrite=True) => Argument `path` must name a file, but '.' is a folder.
mb.load("old.nc") => File 'old.nc' must end in the checksum of a saved run, but does not: it is cut short, ….
cut_file(0.6)
    => File 'whole.nc' must end in the checksum of a saved run, but does not: it is cut short, ….
newer_file() => File 'newer.nc' must have schema 1 or older, but has 99: update mps_battery.
damaged_file() => File 'whole.nc' must match the checksum at its end, but does not: it is damaged.
read_spec("no.toml") => Argument `spec` must name an existing file, but 'no.toml' is none.
"""
# a spec file, its lines set off by bars; [model] and [times] are completed where they are left out
SPEC = """
name: xxz => File 'run.toml' must be TOML, but cannot be parsed: ….
[modle] | name = 'xxz' | [times] | stop = 1.0 | points = 3
    => Unknown key `modle` in the spec: did you mean 'model'?
bar = false => Unknown key `bar` in the spec: did you mean 'bars'?
[times] | stp = 1.0 | points = 3 => Unknown key `times.stp` in the spec: did you mean 'stop'?
[truncation] | bnd = 8 => Unknown key `truncation.bnd` in the spec: did you mean 'bond'?
[method] | name = 'tebd' | odrer = 4 => Unknown key `method.odrer` in the spec: did you mean 'order'?
[output] | figur = 'a.png' => Unknown key `output.figur` in the spec: did you mean 'figure'?
[model] | name = 'xxzz' => Unknown model 'xxzz': did you mean 'xxz'?
[model] | name = 'xxz' | feild = 1.0 => Unknown parameter 'feild' of model 'xxz': did you mean 'field'?
[model] | name = 'xxz' | field = 'big' => Argument `field` must be a finite number, but is 'big'.
[model] | name = 'mbl' | seed = -1 => Argument `seed` must be an integer of at least 0, but is -1.
model = 'xxz' => Key `model` must be a table, but is 'xxz'.
[model] | cells = 4 => Key `model.name` must be given in the spec, but is missing.
[model] | name = 3 => Key `model.name` must be the name of a model …, but is 3.
[times] | points = 3 => Key `times.stop` must be given in the spec, but is missing.
[times] | stop = inf | points = 3 => Key `times.stop` must be a finite number, but is inf.
[times] | stop = 1.0 | points = 0 => Key `times.points` must be at least 1, but is 0.
[times] | stop = 1.0 | points = '3' => Key `times.points` must be an integer, but is '3'.
times = 'now' => Key `times` must be a list of numbers, or a table with stop and points, but is 'now'.
times = [0, 'then'] => Key `times.1` must be a number, but is 'then'.
times = [1.0, 0.0] => Argument `times` must increase, but goes from 1 to 0.
truncation = 8 => Key `truncation` must be a table, but is 8.
[truncation] | bond = true => Key `truncation.bond` must be an integer, but is True.
[truncation] | bond = 0 => Argument `bond` must be an integer of at least 1, but is 0.
[method] | name = 'dmrg' => Key `method.name` must be 'tebd', 'tdvp', 'exact' or 'tenpy', but is 'dmrg'.
[method] | dt = 0.1 => Key `method.name` must be given in the spec, but is missing.
[method] | name = 'tebd' | sites = 1
    => Key `method.sites` must belong to the method 'tebd', but that has only ….
[method] | name = 'tebd' | order = 3 => Key `method.order` must be 2 or 4, but is 3.
bars = 'yes' => Key `bars` must be true, false or 'rigorous', but is 'yes'.
bars = 1 => Key `bars` must be true, false or 'rigorous', but is 1.
audits = 'yes' => Key `audits` must be true or false, but is 'yes'.
[output] | figure = 'a.nc' => Key `output.figure` must end in .png, .pdf, .svg, but is 'a.nc'.
[output] | data = 'a.png' | figure = 'a.png'
    => Key `output.figure` must be another file than `output.data`, but both are 'a.png'.
"""
LINE = """
mps-battery chrage xxz => Unknown command 'chrage': did you mean 'charge'?
mps-battery charge => Missing argument 'model' (see `mps-battery charge --help`).
mps-battery charge ising_qench => Unknown model 'ising_qench': did you mean 'ising_quench'?
mps-battery charge xxz --feild 1.0 => Unknown option '--feild' of model 'xxz': did you mean '--field'?
mps-battery charge xxz --outptu run.nc => Unknown option '--outptu' of model 'xxz': did you mean '--output'?
mps-battery charge xxz --cells => Option --cells must be followed by a value, but ends the line.
mps-battery charge xxz 100 => Unexpected word '100': parameters are written --name value.
mps-battery charge xxz --cells many => Argument `cells` must be an integer of at least 2, but is 'many'.
mps-battery charge xxz --stop soon => Key `times.stop` must be a number, but is 'soon'.
mps-battery charge xxz --points few => Key `times.points` must be an integer, but is 'few'.
mps-battery charge xxz --stop -1 => Argument `times` must increase, but goes from 0 to ….
mps-battery charge xxz --bond 0 => Argument `bond` must be an integer of at least 1, but is 0.
mps-battery charge xxz --weight 2 => Argument `weight` must be at least 0 and below 1, but is 2.0.
mps-battery charge xxz --method dmrg
    => Key `method.name` must be 'tebd', 'tdvp', 'exact' or 'tenpy', but is 'dmrg'.
mps-battery charge xxz --dt 0.1 => Option --method must be given where --dt is, but is empty.
mps-battery charge xxz --cells 3 --method tebd --dt -1 => Argument `dt` must be a positive number, but is -1.0.
mps-battery charge lipkin --cells 12 --method tebd => Argument `method` must be TDVP or Exact ….
mps-battery charge xxz --cells 3 --output old.nc => File 'old.nc' must not exist yet, but does: … --overwrite.
mps-battery charge xxz --cells 3 --figure old.png
    => File 'old.png' must not exist yet, but does: … --overwrite.
mps-battery charge xxz --cells 3 --output . --overwrite
    => File '.' must not exist yet, but does: choose another name.
mps-battery charge xxz --cells 3 --output no/run.nc
    => File 'no/run.nc' must lie in a folder that exists …, but '…no' is none.
mps-battery charge xxz --cells 3 --figure a.gif
    => Key `output.figure` must end in .png, .pdf, .svg, but is 'a.gif'.
mps-battery charge xxz --cells 3 --rigorous --no-bars
    => Option --rigorous must not be given together with --no-bars, but is.
mps-battery charge power_law --cells 5 --rigorous
    => Argument `bars` must be True or False for terms that reach over 4 sites, but is 'rigorous': TEBD….
mps-battery run no.toml => Argument `spec` must name an existing file, but 'no.toml' is none.
mps-battery plot no.nc a.png => Argument `path` must name an existing file, but 'no.nc' is none.
mps-battery plot old.nc a.png
    => File 'old.nc' must end in the checksum of a saved run, but does not: it is cut short, ….
mps-battery plot old.nc a => Argument `figure` must end in .png, .pdf, .svg, but is 'a'.
mps-battery models --all => No such option: --all (see `mps-battery models --help`).
"""
# known gaps, outside this file's reach: take a row to PYTHON when it is answered
REPORTED = """
mb.TEBD(dt="fast") => Argument `dt` must be …, but is 'fast'.
mb.TDVP(dt="fast") => Argument `dt` must be …, but is 'fast'.
mb.TDVP(krylov="small") => Argument `krylov` must be …, but is 'small'.
mb.TDVP(start_bond=-1) => Argument `start_bond` must be …, but is -1.
mb.Exact(tolerance="small") => Argument `tolerance` must be …, but is 'small'.
UP.entropy(0.5) => Argument `bond` must be …from 0 to 2, but is 0.5.
UP.reduced([0.5]) => Argument `sites` must be …from 0 to 3, but is [0.5].
UP.reduced(1) => Argument `sites` must be …from 0 to 3, but is 1.
UP.expect("Z") => Argument `terms` must be Terms on the sites of the state, but is 'Z'.
UP.overlap(mb.MPS.product(SITES[:3], "up")) => Argument `other` must ….
mb.MPS.product(SITES, 1.5) => Argument `empty` must be …, but is 1.5.
mb.local_ergotropy(UP, SHORT_CHAIN, 0) => Argument `terms` must live on the 4 sites of the state, but ….
mb.local_ergotropy(UP, 1j * FIELD, 0) => Argument `terms` must be Hermitian, but differs from its adjoint.
mb.local_capacity(UP, "Z", 0) => Argument `terms` must be Terms, but is 'Z'.
mb.ground_state(spin_chain.xxz(cells=12).energy, truncation=64)
    => Argument `truncation` must be a Truncation, but is 64.
charge(record={"q": mb.Reduced(1)}) => Argument `sites` must be …from 0 to 3, but is 1.
charge(record={"q": mb.Correlator("Z", "Z", site=1.0)}) => Argument `site` must be …from 0 to 3, but is 1.0.
charge(record={"q": mb.Expect("z")}) => Unknown operator 'z'…: did you mean 'Z'?
charge().plot("run.gif2") => Argument `path` must end in …, but is 'run.gif2'.
"""

# -- what the tables speak of -------------------------------------------------------------------------------
SITES, BOSONS, FERMIONS = [mb.Spin()] * 4, [mb.Boson(2)] * 4, [mb.Fermion()] * 4
TIMES = [0.0, 0.1]


def terms(*entries, sites=SITES):
    out = mb.Terms(sites)
    for entry in entries:
        out += entry
    return out


FIELD = terms(*[(1.0, ("Z", n)) for n in range(4)])
DRIVE = terms(*[(1.0, ("X", n)) for n in range(4)])
LONG = terms(*[(1.0, ("X", m), ("X", n)) for m, n in ((0, 3), (0, 2), (1, 3))])   # no star
SHORT_CHAIN = terms((1.0, ("Z", 0)), sites=SITES[:3])
UP = mb.MPS.product(SITES, "up")


def battery(**changes):
    return mb.Battery(**({"sites": SITES, "cells": range(4), "energy": FIELD, "charging": DRIVE} | changes))


def modes(sites=BOSONS, empty=0):
    """A battery of four modes, nothing but numbers."""
    number = terms(*[(1.0, ("N", n)) for n in range(4)], sites=sites)
    return battery(sites=sites, energy=number, charging=number, empty=empty)


def charge(times=TIMES, record=None, method=None, truncation=None, trust=1e-2, **changes):
    return mb.charge(battery(**changes), times, record=record, method=method, truncation=truncation,
                     trust=trust)


def leak(rate=None):
    """Every cell turns and decays."""
    jumps = [mb.Jump(terms((1.0, ("Sm", n))), rate=rate) for n in range(4)]
    return battery(jumps=jumps)


def leaking(method=None, rate=None):
    return mb.charge(leak(rate), [0.0, 100.0], method=method)


def scheduled(envelope):
    return charge(charging=mb.Schedule([(DRIVE, envelope)]))


def mps(tensor):
    return mb.MPS(tuple(SITES), [tensor] * 4)


def cut_file(keep):
    """A saved run of which only a part is left."""
    whole = charge().save("whole.nc").read_bytes()
    return _read("whole.nc", lambda path: path.write_bytes(whole[:int(keep * len(whole))]))


def damaged_file():
    """A saved run with one byte changed."""
    whole = charge().save("whole.nc").read_bytes()
    return _read("whole.nc", lambda path: path.write_bytes(whole[:999] + bytes([whole[999] ^ 1]) + whole[1000:]))


def newer_file():
    """A saved run with a later schema."""
    charge().save("newer.nc")

    def rewrite(path):
        with h5py.File(path, "r+") as file:
            file.attrs["mps_battery_schema"] = 99
        storage.seal(path)

    return _read("newer.nc", rewrite)


def _read(name, spoil):
    try:
        spoil(Path(name))
        return mb.load(name)
    finally:
        Path(name).unlink()


# -- who answers --------------------------------------------------------------------------------------------
def python(code):
    eval(code, {"np": np, "spin_chain": spin_chain, "open_chain": open_chain} | globals())


def spec_file(lines):
    whole = lines.replace(" | ", "\n") + "\n"
    whole += "" if "[times]" in whole or "times =" in whole else "[times]\nstop = 1.0\npoints = 3\n"
    whole += "" if "[model]" in whole or "model =" in whole else "[model]\nname = 'xxz'\ncells = 3\n"
    path = Path("run.toml")
    path.write_text(whole)
    try:
        given = read_spec(path)
        given.grid(), given.cut(), given.solver()
        build_battery(cli.catalogue(), given.model.pop("name"), given.model)
    finally:
        path.unlink()


@pytest.fixture
def command_line(monkeypatch, capsys):
    """The program run in place; what it says on standard error comes back as an InputError."""
    def run(words):
        monkeypatch.setattr(sys, "argv", words.split())
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert end.value.code == 2, said.out + said.err
        assert said.out == ""
        assert said.err.startswith("mps-battery: ")
        assert said.err.endswith("\n")
        raise mb.InputError(said.err.removeprefix("mps-battery: ").removesuffix("\n"))

    return run


def rows(where, table, *marks):
    return [pytest.param(where, do, answer, id=f"{where}: {do}", marks=marks)
            for do, answer in re.findall(r"^(\S.*?)\s+=> (.+)$", table, re.MULTILINE)]


MISTAKES = [*rows("python", PYTHON), *rows("spec", SPEC), *rows("line", LINE),
            *rows("python", REPORTED)]
ONE_SENTENCE = re.compile(
    r"(Argument|Key|File|Option) .+ must .+, but .+\."
    r"|(Argument|Option) .+ must not .+\."
    r"|Unknown .+: (did you mean .+\?|known are .+\.)"
    r"|(Unexpected word|Missing argument|No such option).+\.")


@pytest.mark.parametrize(("where", "do", "answer"), MISTAKES)
def test_mistake_gets_one_sentence_touches_nothing(where, do, answer, tmp_path, monkeypatch, command_line):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)     # as users have it
    monkeypatch.chdir(tmp_path)
    for name in ("old.nc", "old.png"):
        (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(mb.InputError) as error:
        {"python": python, "spec": spec_file, "line": command_line}[where](do)
    said = str(error.value)
    assert re.fullmatch(".*".join(map(re.escape, answer.split("…"))), said), said
    assert ONE_SENTENCE.fullmatch(said), said
    assert not re.search(r"[.?!] [A-Z]", said), said
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left == {"old.nc": b"precious", "old.png": b"precious"}


def test_there_are_enough_distinct_mistakes():
    assert len({row.values for row in MISTAKES}) == len(MISTAKES)
    assert len({answer for _, _, answer in (row.values for row in MISTAKES)}) >= 120
