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

from mps_battery.checks import InputError, must, number, shown, unknown, whole

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
    def modulus(self) -> int:
        """Charges add modulo this number; 0 for plain integers."""
        return 0

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
        must(number(self.S) and self.S > 0 and float(2 * self.S).is_integer(),
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
        must(whole(self.cutoff) and self.cutoff >= 1, "cutoff", "be an integer of at least 1", self.cutoff)

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
            must(len(counts) == len(names) and all(map(whole, counts)), "excitations",
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


@dataclass(frozen=True)
class DensitySite(Site):
    """The operators on a site as a local space of dimension d^2, for density matrices written as vectors.

    The basis is orthonormal and Hermitian, tr(G_a G_b) = delta_ab: G_0 = 1 / sqrt(d), then for every pair of states
    the symmetric and antisymmetric matrix, then the diagonal ones (generalised Gell-Mann matrices); for qubits
    1, X, Y, Z over sqrt(2). Hermitian operators have real coordinates r_a = tr(G_a A). States: the names of the site,
    as |v><v|, and "mixed", the identity over d.

    Args:
        site: The site whose operators these are.
    """

    site: Site

    @cached_property
    def basis(self) -> Array:
        """The matrices G_a, (d^2, d, d)."""
        d = self.site.d
        out = [np.eye(d, dtype=complex) / np.sqrt(d)]
        for j in range(d):
            for k in range(j + 1, d):
                flip = np.zeros((d, d), dtype=complex)
                flip[j, k] = np.sqrt(0.5)
                out += [flip + flip.T, -1j * flip + 1j * flip.T]
        for k in range(1, d):
            out.append(np.diag(np.r_[np.ones(k), -k, np.zeros(d - k - 1)] / np.sqrt(k * (k + 1))).astype(complex))
        return np.array(out)

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """The identity only; superoperators are made by `liouville`."""
        return {"I": np.eye(self.site.d**2)}

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """|v><v| of every named state, and "mixed"."""
        named = {name: self.coordinates(np.outer(v, np.conj(v))) for name, v in self.site.states.items()}
        return named | {"mixed": self.coordinates(np.eye(self.site.d) / self.site.d)}

    @cached_property
    def charges(self) -> Array:
        """Parity of the charge that G_a moves between ket and bra: what any charge-conserving generator conserves."""
        c = self.site.charges
        moved = [0, *((c[j] - c[k]) % 2 for j in range(self.site.d) for k in range(j + 1, self.site.d) for _ in "xy")]
        return np.array(moved + [0] * (self.site.d - 1))

    @property
    def modulus(self) -> int:
        """2."""
        return 2

    @cached_property
    def trace(self) -> Array:
        """tr(G_a), (d^2,): the vector whose overlap is the trace."""
        return np.r_[np.sqrt(self.site.d), np.zeros(self.site.d**2 - 1)]

    def coordinates(self, matrix: Array) -> Array:
        """r_a = tr(G_a A) of a (d, d) matrix, real where it is Hermitian."""
        r = np.einsum("aij,ji->a", self.basis, matrix)
        return r.real if np.allclose(matrix, np.conj(matrix).T, rtol=0, atol=1e-14) else r

    def vector(self, label: Label) -> Array:
        """The density that a label names: "mixed", what the site itself takes (a pure state), or a (d, d) density."""
        if isinstance(label, str) and label == "mixed":
            return self.states["mixed"]
        if isinstance(label, np.ndarray | list | tuple) and np.ndim(label) == 2:
            matrix = np.asarray(label, dtype=complex)
            d = self.site.d
            fits = matrix.shape == (d, d) and np.allclose(matrix, matrix.conj().T, rtol=0, atol=1e-12)
            fits = fits and bool(np.linalg.eigvalsh(matrix)[0] > -1e-12) and abs(np.trace(matrix) - 1) < 1e-10
            must(fits, "empty", f"be a {d} x {d} Hermitian, positive matrix of trace one on {self.site}", label)
            return self.coordinates((matrix + matrix.conj().T) / 2)
        v = self.site.vector(label)
        return self.coordinates(np.outer(v, np.conj(v)))

    def superoperator(self, left: Array, right: Array) -> Array:
        """rho -> left rho right as a matrix on coordinates, M_ab = tr(G_a left G_b right); (d^2, d^2) complex."""
        g = self.basis
        return np.einsum("aij,bji->ab", g, left @ g @ right)


@dataclass(frozen=True)
class OperatorSite(Site):
    """Ket and bra of a site as one local space of dimension d^2: operators of any kind, Hermitian or not, as vectors.

    The basis is |p><q| at index p d + q; the charge is that of the ket less that of the bra.

    Args:
        site: The site whose operators these are.
    """

    site: Site

    @cached_property
    def operators(self) -> Mapping[str, Array]:
        """The identity only."""
        return {"I": np.eye(self.site.d**2)}

    @cached_property
    def states(self) -> Mapping[str, Array]:
        """"identity", of norm one."""
        return {"identity": np.eye(self.site.d).ravel() / np.sqrt(self.site.d)}

    @cached_property
    def charges(self) -> Array:
        """Charge of the ket less charge of the bra."""
        c = np.asarray(self.site.charges)
        return np.subtract.outer(c, c).ravel()
