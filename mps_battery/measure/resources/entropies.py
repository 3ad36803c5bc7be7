"""Entropies of any set of sites, of pure and mixed states, and what is made of them. Everything in nats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mps_battery.checks import InputError, must, number, whole
from mps_battery.tensors import trains
from mps_battery.tensors.density import Density, coordinates, density_sites
from mps_battery.tensors.mps import MPS, check_kept, check_sites
from mps_battery.terms import Terms, check_terms

Array = np.ndarray
Sites = int | Sequence[int]

LARGEST_TRAIN, LARGEST_REPLICAS = 2**20, 2**26
"""Most numbers that the tensors behind Schmidt values and behind a purity may hold."""
LARGEST_WORK = 1e12
"""Most multiplications behind a density matrix whose entropy is wanted: some minutes."""


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
    must(number(alpha) and alpha > 0, "alpha", "be a positive number, infinity allowed", alpha)


def entropy(state: MPS | Density, sites: Sites, alpha: float = 1.0) -> float:
    """Entropy of a set of sites: von Neumann for alpha = 1, Rényi otherwise.

    Args:
        state: The state.
        sites: A site, or a list of them in any order.
        alpha: Rényi index, positive; `numpy.inf` for -ln of the largest eigenvalue.

    Returns:
        S in nats, exact up to rounding. Pure states: from a density matrix of the sites or of the rest, the blocks at
        the ends of the chain in their Schmidt bases, or from `schmidt_spectra`, whichever is less work; where neither
        can be had, alpha = 2 still goes through two replicas. Densities: alpha = 2 for any set, others for sets of at
        most 4096 dimensions.

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
    try:
        return _pure_entropy(state, chosen, alpha)
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


def _turns(sites: set[int], length: int) -> list[int]:
    """Every site that lies on the other side than the one before it."""
    return [n for n in range(1, length) if (n in sites) != (n - 1 in sites)]


# -- pure states ---------------------------------------------------------------------------------------------
def _pure_entropy(state: MPS, sites: set[int], alpha: float) -> float:
    """The entropy by the way of least work; Schmidt values alone are good enough for the roots that alpha < 1 takes."""
    others = set(range(len(state))) - sites
    if len(_turns(sites, len(state))) > 1 and alpha >= 1:
        work, kept = min(((_tracing_work(state, part), part) for part in (sites, others)), key=lambda way: way[0])
        if work < min(_schmidt_work(state, sites), LARGEST_WORK):
            rho = _marginal(state, kept)
            return float(-np.log(np.linalg.norm(rho) ** 2) if alpha == 2 else renyi(np.linalg.eigvalsh(rho), alpha))
    return float(sum(renyi(s**2, alpha) for s in schmidt_spectra(state, sites)))


def _marginal(state: MPS, kept: set[int]) -> Array:
    """Density matrix of a set of sites, those before the first and behind the last turn in their Schmidt bases."""
    turns = _turns(kept, len(state))
    tensors = state.canonical(turns[0]).tensors
    chi = tensors[turns[0]].shape[0]
    env = np.eye(chi).reshape(1, chi, 1, chi)                            # k vR k* vR*
    if turns[0] - 1 in kept:
        env = np.einsum("ab,cd->abcd", np.eye(chi), np.eye(chi))
    for n in range(turns[0], turns[-1]):
        a, bra = tensors[n], tensors[n].conj()
        t = np.tensordot(env, a, (1, 0))                                 # k [vL] k* vL*; [vL] p vR -> k k* vL* p vR
        if n in kept:
            t = np.tensordot(t, bra, (2, 0)).transpose(0, 2, 3, 1, 4, 5)                      # k p vR k* p* vR*
            env = t.reshape(t.shape[0] * t.shape[1], t.shape[2], -1, t.shape[5])
        else:
            env = np.tensordot(t, bra, ((2, 3), (0, 1))).swapaxes(1, 2)
    k, chi = env.shape[:2]
    rho = env.reshape(k * chi, k * chi) if turns[-1] in kept else np.trace(env, axis1=1, axis2=3)
    return rho / np.trace(rho).real


def _tracing_work(state: MPS, kept: set[int]) -> float:
    """Multiplications behind `_marginal` and its eigenvalues."""
    turns = _turns(kept, len(state))
    v = state.tensors[turns[0]].shape[0]
    k, work = float(v if turns[0] - 1 in kept else 1), 0.0
    for n in range(turns[0], turns[-1]):
        _, d, right = state.tensors[n].shape
        work += k * k * v * d * right * (v + (d if n in kept else 1) * right)
        k, v = k * (d if n in kept else 1), right
    return work + 10 * (k * (v if turns[-1] in kept else 1)) ** 3


def _schmidt_work(state: MPS, sites: set[int]) -> float:
    """Multiplications behind `schmidt_spectra` where no leg is below its largest rank."""
    turns = _turns(sites, len(state))
    v = state.tensors[turns[0]].shape[0]
    legs, work = ([1.0, v] if turns[0] - 1 in sites else [v, 1.0]), 0.0     # outside, inside
    for n in range(turns[0], turns[-1]):
        _, d, v = state.tensors[n].shape
        side = n in sites
        rows, columns = legs[side] * d, legs[not side] * v
        work += 10 * rows * columns * min(rows, columns)
        legs[side] = min(rows, columns)
        legs = legs if v > 1 else [1.0, 1.0]
    return work


def schmidt_spectra(state: MPS, sites: Sites | set[int]) -> list[Array]:
    """Schmidt values between any set of sites and the rest, exact up to rounding.

    A contiguous end of the chain is one cut. Otherwise one pass goes from the first to the last place where the set
    begins or ends with a tensor of three legs, an orthonormal basis of the set, one of the rest, and the bond: every
    site joins the leg of its side, which then shrinks to its rank. Where a bond has dimension one the state factorises
    and so does the spectrum: the values are the products of one entry of each array returned.

    Raises:
        InputError: If the set is so entangled with the rest that the tensor outgrows 2^20 numbers.
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
        if theta.size * tensors[n].shape[1] * tensors[n].shape[2] > LARGEST_TRAIN * theta.shape[2]:
            raise InputError("Argument `sites` must be a set whose entanglement with the rest fits into "
                             f"{LARGEST_TRAIN} numbers, but at site {n} it does not: take alpha = 2 or a smaller set.")
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
    between = [tensors[turns[0]] / state.norm, *tensors[turns[0] + 1:turns[-1]]]
    if max(a.shape[1] * max(a.shape[0], a.shape[2]) ** 4 for a in between) > LARGEST_REPLICAS:
        raise InputError("Argument `sites` must have bonds of at most about 70 between its first and last end for its "
                         f"purity, but they reach {max(a.shape[2] for a in between)}.")
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
    return float(np.einsum("aabb->", env).real)


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
