"""A steady state continued to a longer chain, from those of two shorter ones.

Where the bulk of a chain is uniform and its length enters nowhere else, as in the exact steady states of driven XXZ
chains [Prosen 2011, Phys. Rev. Lett. 107, 137201], rho_N = X_m Y_(N-m) with matrices X_m (m sites by bond) and Y_l
(bond by l sites) that know nothing of N. Then, as matrices between the sites left and right of a cut,

    rho_(N+k) = rho_N[a + k | b]  rho_(N-k)[a | b]^-1  rho_N[a | b + k],         a + b = N - k,

wherever the bond space of a sites holds what flows through the middle. The prediction of infinite DMRG is the same
formula for a centre that grows [McCulloch 2008, arXiv:0804.2509]. Elsewhere it is a start for a solver: right but for
the neighbourhood of the cut.
"""

from __future__ import annotations

import numpy as np

from mps_battery.checks import InputError
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mps import MPS

Array = np.ndarray

LEAST_SCHMIDT = 2e-2
"""Schmidt values of the shorter state below this, relative to the largest, are not inverted: they would multiply what
both states are off by. At Delta = 1, 20 sites and bond 40 the current is then off by 0.2, at 1e-3 by several."""


def continued(shorter: Density, longer: Density) -> Density:
    """The density of N + k sites that continues those of N - k and N sites of one family.

    Args:
        shorter: N - k sites.
        longer: N sites, more than `shorter` has.

    Returns:
        A density of trace one whose first and last (N + k) / 2 sites are those of `longer`.
    """
    step = len(longer) - len(shorter)
    if step <= 0 or len(shorter) < 2:
        raise InputError(f"Argument `start` must hold two densities of growing length, the first of at least 2 sites, "
                         f"but holds {len(shorter)} and {len(longer)} sites.")
    cut = len(shorter) // 2
    first, middle, second = _at_cut(shorter, cut)
    left, centre, right = _at_cut(longer, cut + step)
    again, other, rest = _at_cut(longer, cut)
    lefts, rights = np.ones((1, 1)), np.ones((1, 1))
    for a, b in zip(first, again, strict=True):
        lefts = np.tensordot(a, np.tensordot(lefts, b, 1), ((0, 1), (0, 1)))             # [vL] [p] vR; [vL] [p] vR
    for a, b in zip(right[::-1], second[::-1], strict=True):
        rights = np.tensordot(a, np.tensordot(b, rights, (2, 1)), ((1, 2), (1, 2)))      # vL [p] [vR]; vL [p] [vR]
    u, s, v = trains.svd(middle)
    keep = s > LEAST_SCHMIDT * s[0]
    inverse = (v[keep].T / s[keep]) @ u[:, keep].T
    rest[0] = np.tensordot(centre @ rights @ inverse @ lefts @ other, rest[0], 1)
    sites = (*longer.train.sites[:cut + step], *longer.train.sites[cut:])
    return Density(MPS(sites, trains.compress(left + rest, 1e-13), 0)).normalised()


def _at_cut(state: Density, cut: int) -> tuple[list[Array], Array, list[Array]]:
    """Left-canonical tensors of sites 0..cut-1, the matrix at the bond, right-canonical tensors of the rest."""
    tensors = list(state.train.canonical(cut).tensors)
    l, d, r = tensors[cut].shape
    q, c = np.linalg.qr(tensors[cut].reshape(l, d * r).T)
    tensors[cut] = q.T.reshape(-1, d, r)
    return tensors[:cut], c.T, tensors[cut:]
