"""How far a value can be from the true one where the state is known to a trace distance.

Let phi be the normalised state at hand and psi = cos(theta) phi + sin(theta) chi the true one, chi orthogonal to phi.
Their trace distance is T = sin(theta), and |psi><psi| - |phi><phi| has the eigenvalues T and -T only. For a Hermitian
O with the width w = largest - smallest eigenvalue and the standard deviation D in phi,

    <O>_psi - <O>_phi = 2 sin(theta) cos(theta) Re <phi|O|chi> + sin(theta)^2 (<O>_chi - <O>_phi),

so that |<O>_psi - <O>_phi| <= min( T w, 2 T D + T^2 w ). The first holds for mixed states as well; the second gains
where D is far below w: D of a sum over N cells grows as sqrt(N), its width as N.
"""

from __future__ import annotations

import numpy as np

from mps_battery.measure.snapshot import Snapshot
from mps_battery.terms import Terms

Array = np.ndarray


def of_moments(mean: float, square: float, width: float, distance: float) -> float:
    """min(T w, 2 T D + T^2 w) from <O> and <O^2>.

    Args:
        mean: <O>.
        square: <O^2>; rounding of 1e-13 in its difference to <O>^2 is allowed for.
        width: w, or a bound on it from above.
        distance: T.
    """
    deviation = np.sqrt(max(square - mean**2, 0.0) + 1e-13 * abs(square))
    return float(min(distance * width, 2 * distance * deviation + distance**2 * width))


def of_terms(snapshot: Snapshot, terms: Terms, distance: float) -> float:
    """The bar of <terms>; those of the Hermitian and the anti-Hermitian part add in squares."""
    parts = [terms] if terms.is_hermitian() else [0.5 * (terms + terms.adjoint()), -0.5j * (terms - terms.adjoint())]
    bars = []
    for part in parts:
        mpo = part.to_mpo()
        square = snapshot.expect((mpo @ mpo).compress())
        bars.append(of_moments(snapshot.expect(mpo), square, part.width, distance))
    return float(np.linalg.norm(bars))


def of_matrix(operator: Array, rho: Array, distance: float) -> float:
    """The bar of tr(rho operator) for a matrix on the sites of a reduced density matrix."""
    bars = []
    for part in ((operator + operator.conj().T) / 2, (operator - operator.conj().T) / 2j):
        spectrum = np.linalg.eigvalsh(part)
        moments = (np.trace(rho @ part).real, np.trace(rho @ part @ part).real)
        bars.append(of_moments(*moments, float(spectrum[-1] - spectrum[0]), distance))
    return float(np.linalg.norm(bars))
