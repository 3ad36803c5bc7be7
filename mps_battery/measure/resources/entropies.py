"""Entropies of any set of sites, of pure and mixed states, and what is made of them. Everything in nats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.checks import InputError, is_number, must, whole
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density, coordinates, density_sites
from mps_battery.tensors.mps import MPS, check_kept, check_sites
from mps_battery.terms import Terms, check_terms

Array = np.ndarray
Sites = int | Sequence[int]

LARGEST = 2**24
"""Most numbers that an exact contraction may hold at once."""
SMALL = 64
"""Dimension up to which the density matrix of a set of sites is the shortest way to its entropy."""


def renyi(weights: Array, alpha: float = 1.0) -> Array | float:
    """Rényi entropy ln(sum p^alpha) / (1 - alpha) of distributions (..., k) [Rényi 1961].

    alpha = 1 is the limit -sum p ln p, infinity the limit -ln max p. Weights of zero and below do not count.
    """
    check_alpha(alpha)
    p = np.maximum(weights, 0.0)
    if alpha == 1:
        return np.maximum(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1), 0.0)
    largest = p.max(axis=-1, keepdims=True)                              # taken out, so that no power underflows
    value = -np.log(largest[..., 0])
    if alpha < np.inf:
        value = (np.log(np.sum((p / largest) ** alpha, axis=-1)) - alpha * value) / (1 - alpha)
    return np.maximum(value, 0.0)


def check_alpha(alpha: float) -> None:
    """Raise unless a Rényi index is a positive number."""
    must(is_number(alpha) and alpha > 0, "alpha", "be a positive number, infinity allowed", alpha)


def entropy(state: MPS | Density, sites: Sites, alpha: float = 1.0) -> float:
    """Entropy of a set of sites: von Neumann for alpha = 1, Rényi otherwise.

    Args:
        state: The state.
        sites: A site, or a list of them in any order.
        alpha: Rényi index, positive; `numpy.inf` for -ln of the largest eigenvalue.

    Returns:
        S in nats. Pure states: from the Schmidt values between the sites and the rest, exact as long as those can be
        held, see `schmidt_spectra`; beyond, alpha = 2 still goes through replicas. Densities: alpha = 2 for any set,
        others for sets of at most 4096 dimensions.

    Raises:
        InputError: If the set is too large for its entropy to be had.
    """
    chosen = as_sites(sites, len(state))
    check_alpha(alpha)
    if isinstance(state, Density):
        if alpha == 2:
            return -float(np.log(_overlap_of_halves(state, chosen)))
        check_kept(sorted(chosen), state.sites)
        return float(renyi(np.linalg.eigvalsh(state.reduced(sorted(chosen))), alpha))
    smaller = min(chosen, set(range(len(state))) - chosen, key=lambda part: _dimension(state, part))
    if not smaller:
        return 0.0
    if alpha >= 1 and _dimension(state, smaller) <= SMALL:
        return float(renyi(np.linalg.eigvalsh(state.reduced(sorted(smaller))), alpha))
    try:
        return float(sum(renyi(s**2, alpha) for s in schmidt_spectra(state, chosen)))
    except InputError:
        if alpha != 2:
            raise
        return -float(np.log(_overlap_of_replicas(state, chosen)))


def purity(state: MPS | Density, sites: Sites | None = None) -> float:
    """tr rho_A^2 of a set of sites A, in (0, 1]; of the whole state where none are given."""
    return float(np.exp(-entropy(state, list(range(len(state))) if sites is None else sites, 2.0)))


def mutual_information(state: MPS | Density, a: Sites, b: Sites, alpha: float = 1.0) -> float:
    """S_A + S_B - S_AB of two sites or two sets of sites without a common one.

    For alpha = 1 it is the distance of rho_AB from rho_A x rho_B in relative entropy. Other alphas put Rényi entropies
    in place of the von Neumann ones; alpha = 2 can be had for sets of any length, but may be negative
    [Adesso, Girolami, Serafini 2012, Phys. Rev. Lett. 109, 190502: Gaussian states are safe, others are not].

    Returns:
        I in nats.
    """
    first, second = two_parties(a, b, len(state))
    value = entropy(state, first, alpha) + entropy(state, second, alpha) - entropy(state, first + second, alpha)
    return max(value, 0.0) if alpha == 1 else value


def operator_entropy(operator: Terms | Density, bond: int) -> float:
    """Entropy, in nats, of the operator Schmidt values at the cut behind site `bond`.

    An operator O = sum_k s_k A_k x B_k with orthonormal A_k and B_k has weights s_k^2 / sum s^2 [Zanardi 2001, Phys.
    Rev. A 63, 040304]; of a density it tells what bond its train must have, not how entangled it is.
    """
    length = len(operator) if isinstance(operator, Density) else len(check_terms("operator", operator).sites)
    must(whole(bond) and 0 <= bond < length - 1, "bond", f"be from 0 to {length - 2}", bond)
    if isinstance(operator, Density):
        return operator.operator_entropy(bond)
    local = density_sites(operator.sites)
    return MPS(local, coordinates(operator.to_mpo(), local)).entropy(bond)


# -- sets of sites -------------------------------------------------------------------------------------------
def as_sites(sites: Sites, length: int) -> set[int]:
    """A site or a list of different sites as a set, after one check."""
    listed: Sequence[int] = [sites] if whole(sites) else sites  # type: ignore[list-item, assignment]
    check_sites(listed, length)
    must(len(listed) >= 1 and len(set(listed)) == len(listed) and all(0 <= n < length for n in listed),
         "sites", f"be different sites from 0 to {length - 1}", sites)
    return {int(n) for n in listed}


def two_parties(a: Sites, b: Sites, length: int) -> tuple[list[int], list[int]]:
    """Two sets of sites in order, after a check that they have none in common."""
    first, second = as_sites(a, length), as_sites(b, length)
    must(not first & second, "b", "have no site in common with `a`", b)
    return sorted(first), sorted(second)


def _dimension(state: MPS | Density, sites: set[int]) -> float:
    return float(np.prod([float(state.sites[n].d) for n in sites]))


def _turns(sites: set[int], length: int) -> list[int]:
    """Every site that lies on the other side than the one before it."""
    return [n for n in range(1, length) if (n in sites) != (n - 1 in sites)]


# -- pure states ---------------------------------------------------------------------------------------------
def schmidt_spectra(state: MPS, sites: Sites | set[int]) -> list[Array]:
    """Schmidt values between any set of sites and the rest, exact up to rounding.

    A contiguous end of the chain is one cut. Otherwise one pass goes from the first to the last place where the set
    begins or ends with a tensor of three legs, an orthonormal basis of the set, one of the rest, and the bond: every
    site joins the leg of its side, which then shrinks to its rank. Where a bond has dimension one the state factorises
    and so does the spectrum: the values are the products of one entry of each array returned.

    Raises:
        InputError: If the set is so entangled with the rest that the tensor outgrows 2^24 numbers.
    """
    chosen = sites if isinstance(sites, set) else as_sites(sites, len(state))
    turns = _turns(chosen, len(state))
    if len(turns) < 2:
        return [state.schmidt_values[turns[0] - 1]] if turns else [np.ones(1)]
    tensors = state.canonical(turns[0]).tensors                          # orthonormal on both sides of what follows
    chi = tensors[turns[0]].shape[0]
    theta = np.eye(chi).reshape((chi, 1, chi) if turns[0] - 1 in chosen else (1, chi, chi))   # in out vR
    spectra = []
    for n in range(turns[0], turns[-1]):
        if theta.size * tensors[n].shape[1] * tensors[n].shape[2] > LARGEST * theta.shape[2]:
            raise InputError("Argument `sites` must be a set whose entanglement with the rest fits into 2^24 numbers, "
                             f"but does not at site {n}: take alpha = 2 or a smaller set.")
        theta = np.tensordot(theta, tensors[n], 1)                       # in out [vR]; [vL] p vR -> in out p vR
        theta = _joined(theta) if n in chosen else _joined(theta.swapaxes(0, 1)).swapaxes(0, 1)
        if theta.shape[2] == 1:
            spectra.append(_singular_values(theta[:, :, 0]))
            theta = np.ones((1, 1, 1))
    if turns[-1] in chosen:                                              # the bond belongs to the side that follows
        theta = theta.swapaxes(1, 2).reshape(-1, 1, theta.shape[1])
    spectra.append(_singular_values(theta.reshape(theta.shape[0], -1)))
    return spectra


def _joined(theta: Array) -> Array:
    """The third leg joined to the first, which shrinks to its rank: in out p vR -> in' out vR."""
    grown, out, p, chi = theta.shape
    _, s, v = trains.svd(theta.swapaxes(1, 2).reshape(grown * p, out * chi))
    keep = max(1, int(np.sum(s > 1e-15 * s[0])))
    return (s[:keep, None] * v[:keep]).reshape(keep, out, chi)


def _singular_values(matrix: Array) -> Array:
    s = np.linalg.svd(matrix, compute_uv=False)
    return s / np.linalg.norm(s)


def _overlap_of_replicas(state: MPS, sites: set[int]) -> float:
    """tr rho_A^2 as <psi psi| swap_A |psi psi>, in O(N d chi^5) between the first and the last turn."""
    turns = _turns(sites, len(state))
    tensors = state.canonical(turns[0]).tensors
    between = tensors[turns[0]:turns[-1]]
    if max(a.shape[1] * max(a.shape[0], a.shape[2]) ** 4 for a in between) > 4 * LARGEST:
        raise InputError("Argument `sites` must be an end of the chain, or the bonds that it crosses at most about 70, "
                         f"for its purity, but they reach {max(a.shape[2] for a in between)}.")
    chi = between[0].shape[0]
    env = np.einsum("ab,cd->abcd", np.eye(chi), np.eye(chi))             # ket bra ket' bra'
    env = env.swapaxes(1, 3) if turns[0] - 1 in sites else env
    for n, a in enumerate(between, turns[0]):
        env = env.swapaxes(1, 3) if n in sites else env                  # on A each ket meets the other bra
        for _ in range(2):                                               # the first pair moves on and goes last
            env = np.tensordot(env, a, (0, 0))                           # b k' b' p k
            env = np.tensordot(env, a.conj(), ((0, 3), (0, 1)))          # k' b' k b
        env = env.swapaxes(1, 3) if n in sites else env
    env = env.swapaxes(1, 3) if turns[-1] in sites else env
    return float(np.einsum("aabb->", env).real) / state.norm**4


# -- mixed states --------------------------------------------------------------------------------------------
def _overlap_of_halves(state: Density, sites: set[int]) -> float:
    """tr rho_A^2: the norm of the train with all sites outside of A traced out, O(N d^2 chi^3)."""
    first, last = min(sites), max(sites)
    env = np.outer(state._left_traces[first], state._left_traces[first])
    for n in range(first, last + 1):
        t = state.train.tensors[n]
        t = t if n in sites else state.train.sites[n].trace[0] * t[:, :1]  # type: ignore[attr-defined]
        env = np.tensordot(t, np.tensordot(env, t, 1), ((0, 1), (0, 1)))  # [vL] [x] vR; [vL] [x] vR
    end = state._right_traces[last]
    return float(end @ env @ end) / state.trace**2
