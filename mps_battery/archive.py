"""Objects of the package as plain data and back, and files of them: what checkpoints are made of.

An object becomes JSON and a list of arrays. Known are numbers, words, lists, tuples, dictionaries, arrays, Terms, the
dataclasses of this package and its functions (also with arguments filled in by `functools.partial`); nothing else is
written, and reading calls nothing: a file cannot make a program run. What comes back equals what went in to the last
bit, with arrays in C order.

A file is HDF5, sealed by a checksum (see `storage`): one dataset for every type of number holds all arrays of it end
to end.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mps_battery.checks import InputError, shown
from mps_battery.storage import atomic, check_seal, seal
from mps_battery.terms import Terms, _intern, matrix_of

Array = np.ndarray

SCHEMA = 1
"""Version of the layout; files of a newer one are refused."""
PACKAGE = "mps_battery"


class OpaqueError(TypeError):
    """Something that has no plain form, such as a function of the caller."""


@dataclasses.dataclass
class Packed:
    """An object as JSON and arrays."""

    tree: Any
    arrays: list[Array]


def pack(value: Any) -> Packed:
    """The plain form of an object.

    Raises:
        OpaqueError: If it holds something without one.
    """
    arrays: list[Array] = []
    return Packed(_tree(value, arrays), arrays)


def plain(value: Any) -> bool:
    """Whether an object has a plain form."""
    try:
        pack(value)
    except OpaqueError:
        return False
    return True


def unpack(packed: Packed) -> Any:
    """The object again."""
    return _value(packed.tree, packed.arrays)


def in_order(value: Any) -> Any:
    """The same object with every array in it copied in C order, as a file would give it back."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _made(type(value), {f.name: in_order(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, list | tuple):
        return type(value)(in_order(v) for v in value)
    if isinstance(value, dict):
        return {k: in_order(v) for k, v in value.items()}
    return value


def fingerprint(value: Any) -> str:
    """A digest of an object's plain form."""
    packed = pack(value)
    digest = hashlib.sha256(json.dumps(packed.tree).encode())
    for a in packed.arrays:
        digest.update(f"{a.dtype.str}{a.shape}".encode())
        digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()


def _tree(value: Any, arrays: list[Array]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if (isinstance(value, np.generic) and value.dtype.kind in "biufc") or isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise OpaqueError(f"an array of {value.dtype}")
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1, "number": isinstance(value, np.generic)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if type(value) is list:
        return [_tree(v, arrays) for v in value]
    if type(value) is tuple:
        return {"tuple": [_tree(v, arrays) for v in value]}
    if isinstance(value, Mapping):
        return {"pairs": [[_tree(k, arrays), _tree(v, arrays)] for k, v in value.items()]}
    if isinstance(value, Terms):
        return {"terms": _terms_tree(value, arrays)}
    if isinstance(value, partial):
        return {"partial": [_name(value.func), _tree(value.args, arrays), _tree(value.keywords, arrays)]}
    if inspect.isfunction(value):
        return {"function": _name(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _tree(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"object": _name(type(value)), "fields": fields}
    raise OpaqueError(shown(value))


def _name(thing: Any) -> str:
    """Where a class or function of the package is found."""
    module, name = thing.__module__, thing.__qualname__
    if module.split(".")[0] != PACKAGE or getattr(importlib.import_module(module), name, None) is not thing:
        raise OpaqueError(f"{module}.{name}")
    return f"{module}:{name}"


def _find(name: str) -> Any:
    module, _, attribute = name.partition(":")
    assert module.split(".")[0] == PACKAGE
    thing = getattr(importlib.import_module(module), attribute)
    assert inspect.isfunction(thing) or dataclasses.is_dataclass(thing)
    return thing


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """A dataclass with given fields, nothing checked or computed again."""
    made: Any = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _terms_tree(terms: Terms, arrays: list[Array]) -> Any:
    """Products as index arrays into a list of matrices: identifiers are those of one process only."""
    places: dict[int, int] = {}
    products = list(terms.products)
    ids = [[places.setdefault(o, len(places)) for _, o in p] for p, _ in products]
    return _tree([list(terms.sites), [matrix_of(o) for o in places],
                  np.cumsum([0, *map(len, ids)]), np.array([n for p, _ in products for n, _ in p], dtype=int),
                  np.array([i for row in ids for i in row], dtype=int),
                  np.array([c for _, c in products], dtype=complex)], arrays)


def _terms(tree: Any, arrays: list[Array]) -> Terms:
    sites, matrices, ends, places, ids, coefficients = _value(tree, arrays)
    known = [_intern(m)[0] for m in matrices]
    terms = Terms(sites)
    for k, c in enumerate(coefficients):
        span = slice(int(ends[k]), int(ends[k + 1]))
        product = tuple((int(n), known[i]) for n, i in zip(places[span], ids[span], strict=True))
        terms._add(product, complex(c))
    return terms


def _value(tree: Any, arrays: list[Array]) -> Any:
    if isinstance(tree, list):
        return [_value(v, arrays) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        array = np.ascontiguousarray(arrays[tree["array"]]).reshape(arrays[tree["array"]].shape)
        return array[()] if tree["number"] else array
    if "object" in tree:
        return _made(_find(tree["object"]), {name: _value(part, arrays) for name, part in tree["fields"].items()})
    (form, inner), = tree.items()
    if form == "complex":
        return complex(*inner)
    if form == "range":
        return range(*inner)
    if form == "tuple":
        return tuple(_value(v, arrays) for v in inner)
    if form == "pairs":
        return {_value(k, arrays): _value(v, arrays) for k, v in inner}
    if form == "terms":
        return _terms(inner, arrays)
    if form == "function":
        return _find(inner)
    assert form == "partial"
    function, given, named = inner
    return partial(_find(function), *_value(given, arrays), **_value(named, arrays))


# -- files -------------------------------------------------------------------------------------------------------
def write(path: Path, kind: str, parts: Mapping[str, Packed], overwrite: bool) -> None:
    """Write objects to a file, atomically and durably."""
    stores: dict[str, list[Array]] = {}
    ends: dict[str, int] = {}
    header: dict[str, Any] = {}
    for name, packed in parts.items():
        places = []
        for a in packed.arrays:
            key = a.dtype.newbyteorder("<").str.strip("<|")
            places.append([key, ends.get(key, 0), list(a.shape)])
            stores.setdefault(key, []).append(np.ravel(a))
            ends[key] = ends.get(key, 0) + a.size
        header[name] = [packed.tree, places]
    with atomic(path, overwrite) as aside:
        with h5py.File(aside, "w") as file:
            file.attrs["mps_battery_checkpoint"] = SCHEMA
            file.attrs["kind"] = kind
            file.create_dataset("header", data=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8))
            for key, pieces in stores.items():
                whole, end = file.create_dataset(key, shape=(ends[key],), dtype=pieces[0].dtype), 0
                for piece in pieces:
                    whole[end:end + piece.size] = piece
                    end += piece.size
        seal(aside)


def read(path: str | Path) -> tuple[str, dict[str, Packed]]:
    """(kind, objects) of a file.

    Raises:
        InputError: If the file is missing, damaged, of another program, or of a newer layout.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Argument `path` must name an existing file, but {str(path)!r} is none.")
    check_seal(path)
    with h5py.File(path) as file:
        schema = int(file.attrs.get("mps_battery_checkpoint", 0))
        if not schema:
            raise InputError(f"File {str(path)!r} must be a checkpoint, but is a result: load() reads it.")
        if schema > SCHEMA:
            raise InputError(f"File {str(path)!r} must have schema {SCHEMA} or older, but has {schema}: update "
                             "mps_battery.")
        kind = str(file.attrs["kind"])
        header = json.loads(file["header"][()].tobytes().decode())
        stores = {key: file[key][()] for key in file if key != "header"}
    return kind, {name: Packed(tree, _arrays(places, stores)) for name, (tree, places) in header.items()}


def _arrays(places: Sequence[Any], stores: Mapping[str, Array]) -> list[Array]:
    return [stores[key][start:start + int(np.prod(shape, dtype=int))].reshape(shape).copy()
            for key, start, shape in places]
