"""Strong local passivity: states from which no channel on one site draws energy, though the whole is not passive.

A channel on a site with Kraus operators K_k makes of the energy tr(J C), linear in J = sum_k |K_k>><<K_k|, where
C_(rp),(qs) = tr(H_rq rho_sp) joins what couples to the site with what it is correlated with. J >= 0 with
tr_out J = 1 is a semidefinite program. Its dual says that doing nothing, |1>><<1|, is best if and only if

    C - 1 x L >= 0   with   (1 x L) |1>> = C |1>>,   L = L+

[Frey, Funo, Hotta 2014, PRE 90, 012127; Alhambra, Styliaris, Rodriguez-Briones, Sikora, Martin-Martinez 2019, PRL 123,
190601].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mps_battery.checks import must, whole
from mps_battery.measure.work.ergotropy import check_energy, one_moment
from mps_battery.measure.work.semidefinite import Listed, relax
from mps_battery.measure.work.unitaries import operator_basis
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS
from mps_battery.terms import Terms

Array = np.ndarray

TOLERANCE = 1e-10
"""What counts as zero, relative to the energy scale of the site."""
LARGEST = 8
"""Most levels of the site: the program has matrices of d^2 x d^2."""


@dataclass(frozen=True)
class LocalPassivity:
    """Whether channels on one site draw energy.

    Attributes:
        passive: Whether none does, up to rounding.
        least: Least eigenvalue of C - 1 x L; below zero where some channel close to doing nothing draws.
        asymmetry: |L - L+|; above zero where a small unitary draws.
        drawn: No channel on the site draws more than this, the value of the dual program; zero where `passive`.
    """

    passive: bool
    least: float
    asymmetry: float
    drawn: float


def strong_local_passivity(state: MPS | Density, terms: Terms, site: int) -> LocalPassivity:
    """The certificate of strong local passivity, and the most energy that any channel on one site draws.

    Args:
        state: The state.
        terms: The energy; Hermitian. Every term that touches the site counts.
        site: Where the channel acts; at most 8 levels.
    """
    check_energy(state, terms)
    must(whole(site) and 0 <= site < len(state), "site", f"be from 0 to {len(state) - 1}", site)
    d = state.sites[site].d
    must(d <= LARGEST, "site", f"have at most {LARGEST} levels", state.sites[site])
    moments = one_moment(state, terms.touching(int(site)), int(site))     # q r p s
    c = moments.transpose(0, 3, 1, 2).reshape(d * d, d * d)              # (q s), (r p): E = sum_k <<K_k|C|K_k>>
    c = (c + c.conj().T) / 2
    shift = float(np.trace(c).real) / len(c)                             # a constant energy, tr J = d
    c = c - shift * np.eye(len(c))
    scale = max(float(np.linalg.norm(c, 2)), 1e-300)
    one = np.eye(d).ravel()
    best = (c @ one).reshape(d, d).T                                     # C|1>> = (1 x L)|1>>: L_sp at row p
    least, asymmetry = _distance(c, best)
    passive = least >= -TOLERANCE * scale and asymmetry <= TOLERANCE * scale
    if passive:
        return LocalPassivity(True, least, asymmetry, 0.0)
    g = operator_basis(d)
    operators = np.array([np.kron(np.eye(d), x) for x in g])
    bounds, _ = relax(c[None], Listed(operators), np.trace(g, axis1=1, axis2=2).real, float(d))
    return LocalPassivity(False, least, asymmetry, max(float((one @ c @ one).real - bounds[0]), 0.0))


def _distance(c: Array, best: Array) -> tuple[float, float]:
    """(least eigenvalue of C - 1 x L, |L - L+|)."""
    hermitian = (best + best.conj().T) / 2
    least = np.linalg.eigvalsh(c - np.kron(np.eye(len(best)), hermitian))[0]
    return float(least), float(np.linalg.norm(best - best.conj().T))
