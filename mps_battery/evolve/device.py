"""TEBD of pure states in Hastings' form on a device of torch, such as a graphics processor.

The arithmetic is that of `hastings_layer` in tebd.py, in double precision: dense tensors with legs p vL vR, whatever
is conserved. Tensors, gates and Schmidt values stay on the device; the weights of every truncation come to the
processor, one array a stack, and whole states only where they are measured or remembered. Importing this file imports
torch, so it is imported where a device is asked for and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from mps_battery.battery import Schedule
from mps_battery.checks import InputError, shown
from mps_battery.evolve.products import digits
from mps_battery.evolve.tebd import GRAM, TEBD, Evolution, unitary_gates
from mps_battery.tensors import trains
from mps_battery.tensors.mps import MPS
from mps_battery.tensors.truncation import Ledger, Truncation

Array = np.ndarray
Tensor: TypeAlias = torch.Tensor

LARGEST = 2**24
"""Most entries of a stack of two-site matrices, 256 MiB: a single one may be larger, but more would not go faster."""


def check_name(name: str) -> None:
    """Raise where torch has no such device, or one without double precision."""
    try:
        torch.zeros(1, dtype=torch.complex128, device=name).cpu()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(f"Argument `device` must name a device that torch finds and that has double precision, but is "
                         f"{shown(name)}: {reason}.") from None


class DeviceEvolution(Evolution):
    """Unitary gates without a moving centre, on tensors of a device."""

    def __init__(self, method: TEBD, state: MPS, generator: Schedule, truncation: Truncation, time: float) -> None:
        super().__init__(method, generator, truncation, time, max(state.bonds, default=1))
        self._sites = state.sites
        start = state.canonical(0)
        self._tensors = [self._put(t.transpose(1, 0, 2).astype(complex)) for t in start.tensors]
        self._schmidt = [self._put(s) for s in start.schmidt_values]

    def _put(self, array: Array) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), device=self.method.device)

    @property
    def state(self) -> MPS:
        """The present state, orthogonality centre at site 0."""
        tensors = [_fetched(t).transpose(1, 0, 2) for t in self._tensors]
        return MPS(self._sites, tensors, 0, [_fetched(s) for s in self._schmidt])

    def memory(self) -> dict[str, Any]:
        """Tensors with Schmidt values, and the ledger."""
        return {"time": self.time, "ledger": replace(self.ledger), "tensors": [_fetched(t) for t in self._tensors],
                "schmidt": [_fetched(s) for s in self._schmidt]}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.time, self.ledger = memory["time"], memory["ledger"]
        self._tensors = [self._put(t) for t in memory["tensors"]]
        self._schmidt = [self._put(s) for s in memory["schmidt"]]

    def _run(self, sequence: list[tuple[int, float]], values: Array, dt: float) -> None:
        self._room()
        for parity, fraction in sequence:
            gates = self._layer_gates(parity, digits(fraction * dt), values)
            layer(self._tensors, self._schmidt, gates, parity, self.truncation, self.ledger)
            self.ledger.end_of_sweep()

    def _layer_gates(self, parity: int, tau: float, values: Array) -> list[Tensor]:
        key = (parity, tau)
        if key not in self._gates:
            gates = unitary_gates(self._totals(parity, values), tau)
            flat = self._put(np.concatenate([np.zeros(0, complex), *map(np.ravel, gates)]))     # one way there
            self._gates[key] = [part.reshape(g.shape) for part, g in
                                zip(flat.split([g.size for g in gates]), gates, strict=True)]
        return self._gates[key]


def layer(tensors: list[Tensor], schmidt: list[Tensor], gates: Sequence[Tensor], parity: int, truncation: Truncation,
          ledger: Ledger) -> None:
    """Gates on every second bond of a right-canonical chain, in place; bonds of equal shape are updated together."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for b in range(parity, len(tensors) - 1, 2):
        alike[(*tensors[b].shape, *tensors[b + 1].shape)].append(b)
    for (d, l, _, e, _, r), bonds in alike.items():
        together = max(1, LARGEST // (d * l * e * r))
        for k in range(0, len(bonds), together):
            _update_alike(bonds[k:k + together], tensors, schmidt, gates, truncation, ledger)


def _update_alike(bonds: list[int], tensors: list[Tensor], schmidt: list[Tensor], gates: Sequence[Tensor],
                  truncation: Truncation, ledger: Ledger) -> None:
    """Bonds of equal shape in one stack; n counts them."""
    left, right = torch.stack([tensors[b] for b in bonds]), torch.stack([tensors[b + 1] for b in bonds])
    (n, d, l, m), (_, e, _, r) = left.shape, right.shape
    c = left.reshape(n, d * l, m) @ right.transpose(1, 2).reshape(n, m, e * r)      # n (p vL) [m]; n [m] (q vR)
    c = c.reshape(n, d, l, e, r).transpose(2, 3).reshape(n, d * e, l * r)
    c = torch.stack([gates[b // 2] for b in bonds]) @ c                             # bond b is gate b // 2 of its layer
    c = c.reshape(n, d, e, l, r).transpose(2, 3).reshape(n, d * l, e * r)
    s = torch.stack([schmidt[b - 1] if b else torch.ones_like(schmidt[0][:1]) for b in bonds])
    weights, v = _right_spectra((c.reshape(n, d, l, e * r) * s[:, None, :, None]).reshape(n, d * l, e * r), truncation)
    rest = c @ v
    dagger = v.mH.resolve_conj().reshape(n, -1, e, r).transpose(1, 2)
    for j, (b, seen) in enumerate(zip(bonds, _fetched(weights), strict=True)):
        keep, discarded, capped = truncation.kept(seen)
        ledger.truncated(discarded, keep, capped)
        w = weights[j, :keep]
        schmidt[b] = torch.sqrt(w / w.sum())
        tensors[b] = (rest[j, :, :keep] * (1 - discarded) ** -0.5).reshape(d, l, keep)
        tensors[b + 1] = dagger[j, :, :keep].clone()                                # a view would keep what was cut


def _right_spectra(theta: Tensor, truncation: Truncation) -> tuple[Tensor, Tensor]:
    """Descending weights s^2 and right singular vectors (as columns) of a stack of matrices."""
    if truncation.weight < GRAM:
        try:
            _, s, dagger = torch.linalg.svd(theta, full_matrices=False)
        except torch.linalg.LinAlgError:                                            # numpy has a sturdier driver
            _, s, dagger = (torch.tensor(x, device=theta.device) for x in trains.svd(_fetched(theta)))
        return s * s, dagger.mH
    weights, v = torch.linalg.eigh(theta.mH @ theta)
    rank = min(theta.shape[1:])                                                     # a wide matrix has no more weights
    return weights.flip(1)[:, :rank].clamp(min=0.0), v.flip(2)[:, :, :rank]


def _fetched(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.cpu().numpy())
