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
from mps_battery.steady.certificate import residual
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density
from mps_battery.tensors.mpo import MPO
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Truncation

Array = np.ndarray

LEAST_SCHMIDT = (2e-2, 1e-3, 3e-4, 1e-4, 3e-5)
"""Schmidt values of the shorter state below this, relative to the largest, are not inverted: they would multiply what
both states are off by. States of Delta = 1, 20 sites and bond 40 that are right to 1e-3 stand the first only; states of
26 and 28 sites right to 1e-5 continue to a current off by 2e-2 at the first, 2e-3 at 1e-4 and 4e-4 at 1e-6."""


def continued(shorter: Density, longer: Density, least: float = LEAST_SCHMIDT[0]) -> Density:
    """The density of N + k sites that continues those of N - k and N sites of one family.

    Args:
        shorter: N - k sites.
        longer: N sites, more than `shorter` has.
        least: Schmidt values of `shorter` below this, relative to the largest, are not inverted.

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
    keep = s > least * s[0]
    inverse = (v[keep].T / s[keep]) @ u[:, keep].T
    rest[0] = np.tensordot(centre @ rights @ inverse @ lefts @ other, rest[0], 1)
    sites = (*longer.train.sites[:cut + step], *longer.train.sites[cut:])
    return Density(MPS(sites, trains.compress(left + rest, 1e-13), 0)).normalised()


def closest(shorter: Density, longer: Density, generator: MPO, truncation: Truncation, weight: float) -> Density:
    """The continuation of least residual among those at every `LEAST_SCHMIDT`.

    Args:
        shorter: As for `continued`.
        longer: As for `continued`.
        generator: The Liouvillian of the longer chain.
        truncation: Each is cut to it, with the identity of a site weighted against other operators.
        weight: That weight, in the residual too.

    Returns:
        A density of trace one.
    """
    best, least = None, np.inf
    for smallest in LEAST_SCHMIDT:
        train = continued(shorter, longer, smallest).train
        scales = [np.r_[1.0, np.full(s.d - 1, 1 / weight)] for s in train.sites]
        short = trains.cut([t * k[:, None] for t, k in zip(train.tensors, scales, strict=True)], truncation)
        plain = [t / k[:, None] for t, k in zip(short, scales, strict=True)]
        found = Density(MPS(train.sites, plain).canonical(0)).normalised()
        here = residual(generator, found, weight)
        if best is None or here < least:
            best, least = found, here
        if least < 1e-9:
            break
    assert best is not None
    return best


def _at_cut(state: Density, cut: int) -> tuple[list[Array], Array, list[Array]]:
    """Left-canonical tensors of sites 0..cut-1, the matrix at the bond, right-canonical tensors of the rest."""
    tensors = list(state.train.canonical(cut).tensors)
    l, d, r = tensors[cut].shape
    q, c = np.linalg.qr(tensors[cut].reshape(l, d * r).T)
    tensors[cut] = q.T.reshape(-1, d, r)
    return tensors[:cut], c.T, tensors[cut:]
