"""Local spaces: spins, bosons, fermions and n-level systems, with named operators, states and charges.

Basis conventions: spins from highest to lowest (|0> = up, Z|0> = +|0>), bosons and fermions from empty
upwards, levels in the order of their names. The integer `charges` of the basis states count excitations,
so that sites of different kinds conserve their sum together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mps_battery.checks import InputError, is_number, is_whole, must, shown, unknown

Array = np.ndarray
Label = str | int | Sequence[complex] | Array


class Site(ABC):
    """One local space of dimension `d`."""

    @property
    @abstractmethod
    def operators(self) -> Mapping[str, Array]:
        """Named operators, each (d, d)."""

    @property
    @abstractmethod
    def states(self) -> Mapping[str, Array]:
        """Named states, each (d,)."""

    @property
    @abstractmethod
    def charges(self) -> Array:
        """Excitations of each basis state, (d,) integers."""

    @property
    def odd(self) -> frozenset[str]:
        """Names of the operators that change fermion parity."""
        return frozenset()

    @property
    def parity(self) -> Array | None:
        """Diagonal of the fermion parity, (d,); None where the site carries no fermion."""
        return None

    @property
    def d(self) -> int:
        """Dimension of the local space."""
        return len(self.charges)

    def operator(self, name: str) -> Array:
        """The operator called `name`, (d, d)."""
        try:
            return self.operators[name]
        except KeyError:
            raise unknown("operator", name, self.operators, f" on {self}") from None

    def vector(self, label: Label) -> Array:
        """The normalised state that `label` names: a name, a basis index, or a vector of length d."""
        if isinstance(label, str):
            if label not in self.states:
                raise unknown("state", label, self.states, f" of {self}")
            return self.states[label]
        if isinstance(label, int | np.integer):
            must(0 <= label < self.d, "empty", f"be a basis index from 0 to {self.d - 1} on {self}", int(label))
            return np.eye(self.d)[label]
        try:
            vector = np.asarray(label)
        except ValueError:      # a ragged list
            vector = np.zeros(0)
        fits = vector.shape == (self.d,) and vector.dtype.kind in "biufc"
        norm = np.linalg.norm(vector) if fits else 0.0
        if not (np.isfinite(norm) and norm > 0):
            raise InputError(f"Argument `empty` must be a non-zero vector of length {self.d} on {self}, "
                             f"but is {shown(label)}.")
        return vector / norm


@dataclass(frozen=True)
class Spin(Site):
    """A spin S; for S = 1/2 also the Pauli matrices.

    Operators: `Sx Sy Sz Sp Sm I`, and `X Y Z` (Pauli) for S = 1/2. States: "up", "down" (highest and lowest
    Sz), and for S = 1/2 "x+ x- y+ y-". Basis index k has Sz = S - k.
    """

    S: float = 0.5

    def __post_init__(self) -> None:
        must(is_number(self.S) and self.S > 0 and float(2 * self.S).is_integer(),
             "S", "be a positive multiple of 1/2", self.S)
        object.__setattr__(self, "S", float(self.S))

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """`Sx Sy Sz Sp Sm I`, and `X Y Z` for S = 1/2."""
        m = self.S - np.arange(round(2 * self.S) + 1)
        plus = np.diag(np.sqrt(self.S * (self.S + 1) - m[1:] * (m[1:] + 1)), 1)
        sx, sy, sz = (plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)
        named = {"I": np.eye(len(m)), "Sx": sx, "Sy": sy, "Sz": sz, "Sp": plus, "Sm": plus.T}
        return named | ({"X": 2 * sx, "Y": 2 * sy, "Z": 2 * sz} if self.S == 0.5 else {})

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """"up", "down", and for S = 1/2 "x+ x- y+ y-"."""
        basis = np.eye(round(2 * self.S) + 1)
        named = {"up": basis[0], "down": basis[-1]}
        if self.S == 0.5:
            for sign, name in ((1, "+"), (-1, "-")):
                named |= {"x" + name: np.array([1, sign]) / np.sqrt(2),
                          "y" + name: np.array([1, sign * 1j]) / np.sqrt(2)}
        return named

    @cached_property
    def charges(self) -> Array:
        """S + Sz."""
        return np.arange(round(2 * self.S), -1, -1)


@dataclass(frozen=True)
class Boson(Site):
    """A bosonic mode with at most `cutoff` quanta.

    Operators: `A Ad N I`. States: "vacuum" or the number of quanta.
    """

    cutoff: int

    def __post_init__(self) -> None:
        must(is_whole(self.cutoff) and self.cutoff >= 1, "cutoff", "be an integer of at least 1", self.cutoff)

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """`A Ad N I`."""
        lower = np.diag(np.sqrt(np.arange(1.0, self.cutoff + 1)), 1)
        return {"I": np.eye(self.cutoff + 1), "A": lower, "Ad": lower.T, "N": np.diag(np.arange(self.cutoff + 1.0))}

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """"vacuum"."""
        return {"vacuum": np.eye(self.cutoff + 1)[0]}

    @cached_property
    def charges(self) -> Array:
        """The number of quanta."""
        return np.arange(self.cutoff + 1)


@dataclass(frozen=True)
class Fermion(Site):
    """A fermionic mode; Jordan-Wigner strings between modes are made by `Terms`.

    Operators: `C Cd N P I` with P = (-1)^N. States: "empty", "full".
    """

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """`C Cd N P I`."""
        lower = np.array([[0.0, 1.0], [0.0, 0.0]])
        return {"I": np.eye(2), "C": lower, "Cd": lower.T, "N": np.diag([0.0, 1.0]), "P": np.diag([1.0, -1.0])}

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """"empty", "full"."""
        return {"empty": np.array([1.0, 0.0]), "full": np.array([0.0, 1.0])}

    @property
    def charges(self) -> Array:
        """The number of fermions."""
        return np.array([0, 1])

    @property
    def odd(self) -> frozenset[str]:
        """`C` and `Cd`."""
        return frozenset({"C", "Cd"})

    @property
    def parity(self) -> Array:
        """(-1)^N."""
        return np.array([1.0, -1.0])


@dataclass(frozen=True)
class Levels(Site):
    """A system of named levels, such as `Levels("gef")` or `Levels(("ground", "one"))`.

    Operators: |i><j| is called `ij` when every name is one letter, else `i,j`; and `I`. States: the names.
    The charge of a level is its place in the list unless `excitations` says otherwise.
    """

    names: Sequence[str]
    excitations: Sequence[int] | None = None

    def __post_init__(self) -> None:
        names = tuple(self.names) if isinstance(self.names, Sequence) else ()
        must(len(names) >= 2 and all(isinstance(n, str) and n for n in names) and len(set(names)) == len(names),
             "names", "hold at least two different level names", self.names)
        object.__setattr__(self, "names", names)
        if self.excitations is not None:
            counts = tuple(self.excitations) if isinstance(self.excitations, Sequence | Array) else ()
            must(len(counts) == len(names) and all(map(is_whole, counts)), "excitations",
                 "hold one integer a level", self.excitations)
            object.__setattr__(self, "excitations", tuple(int(n) for n in counts))

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """|i><j| of every pair of names, and `I`."""
        basis, comma = np.eye(len(self.names)), "" if all(len(n) == 1 for n in self.names) else ","
        pairs = {f"{a}{comma}{b}": np.outer(basis[i], basis[j])
                 for i, a in enumerate(self.names) for j, b in enumerate(self.names)}
        return {"I": basis} | pairs

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """The names."""
        return dict(zip(self.names, np.eye(len(self.names)), strict=True))

    @cached_property
    def charges(self) -> Array:
        """`excitations`, else the place in the list."""
        return np.array(self.excitations if self.excitations is not None else range(len(self.names)))
