"""Alike cells around one mode as one large spin j = N / 2 beside a number of photons; shares no code with the engine.

Pure states only. Basis |m> (x) |n>, m excited cells of N and n photons, index m (cutoff + 1) + n.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import expm_multiply


class Collective:
    """J+ and a of N cells and a mode, and the energy stored by H = splitting m + photon n + whatever is added."""

    def __init__(self, N, cutoff):
        m = np.arange(N)
        self.N, self.cutoff = N, cutoff
        one, light = sp.identity(N + 1), sp.identity(cutoff + 1)
        self.plus = sp.kron(sp.diags(np.sqrt((N - m) * (m + 1.0)), -1), light).tocsr()
        self.a = sp.kron(one, sp.diags(np.sqrt(np.arange(1.0, cutoff + 1)), 1)).tocsr()
        self.excited = sp.kron(sp.diags(np.arange(N + 1.0)), light).tocsr()
        self.photons = (self.a.T @ self.a).tocsr()

    def dicke(self, splitting, coupling, counter=1.0, quanta=1):
        """splitting m + (splitting / quanta) a+ a + coupling (a^q J+ + h.c. + counter (a+^q J+ + h.c.))."""
        taken = self.a**quanta if quanta > 1 else self.a
        meet = taken @ self.plus + counter * (taken.T @ self.plus)
        return splitting * (self.excited + self.photons / quanta) + coupling * (meet + meet.T)

    def start(self, light):
        """No cell and a number of photons, or a vector of the mode."""
        vector = np.eye(self.cutoff + 1)[light] if np.ndim(light) == 0 else np.asarray(light)
        return np.kron(np.eye(self.N + 1)[0], vector).astype(complex)

    def excitations(self, h, start, times):
        """Mean excited cells at rising times."""
        out, before = [], 0.0
        for t in times:
            start = expm_multiply(-1j * (t - before) * h, start, traceA=0) if t > before else start
            out.append(np.vdot(start, self.excited @ start).real)
            before = t
        return np.array(out)


def conserving(N, coupling, times):
    """(energies / splitting, populations (time, m)) of N Tavis-Cummings cells from N photons: a tridiagonal matrix."""
    m = np.arange(N)
    e, v = eigh_tridiagonal(np.zeros(N + 1), coupling * np.sqrt((N - m) * (m + 1.0) * (N - m)))
    amplitudes = (np.exp(-1j * np.outer(times, e)) * v[0]) @ v.T
    populations = np.abs(amplitudes) ** 2
    return populations @ np.arange(N + 1), populations


def best(stored, first, last, points=200):
    """(largest mean power E / t, its time) of E = stored(times) within first..last."""
    grid = np.linspace(first, last, points)
    near = grid[np.argmax(stored(grid) / grid)]
    step = grid[1] - grid[0]
    found = minimize_scalar(lambda t: -stored(np.array([t]))[0] / t, bounds=(max(near - step, first), near + step),
                            method="bounded", options={"xatol": 1e-7 * near})
    return -found.fun, found.x


def ergotropy(populations):
    """Of a mixture of the N + 1 symmetric states |m> with unit splitting, all 2^N states of the cells at hand."""
    N = len(populations) - 1
    m = np.arange(N + 1)
    levels = np.repeat(m, [round(np.prod([(N - i) / (i + 1) for i in range(k)])) for k in m])[:N + 1]
    return float(populations @ m - np.sort(populations)[::-1] @ levels)
