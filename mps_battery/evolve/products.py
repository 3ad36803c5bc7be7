"""Product formulas: one time step as a sequence of layers of commuting gates."""

from __future__ import annotations

from math import ceil

# Symmetric fourth-order products exp(a0 A) exp(b0 B) exp(a1 A) ... exp(a0 A) for the sums A (even bonds) and B (odd
# bonds): stages -> (a coefficients, b coefficients, norm of the fifth-order error over words in A and B). Three stages
# are Forest and Ruth's [1990, Physica D 43, 105]. With four and five stages the free parameters (one and two) were set
# to minimise that norm; five stages stand 10 times below Suzuki's product of as many layers (9.2e-3) and, at equal
# work, level with the six stages of Blanes and Moan [2002, J. Comput. Appl. Math. 142, 313].
_FOREST_RUTH = 1 / (2 - 2 ** (1 / 3))
FOURTH_ORDER = {
    3: ((_FOREST_RUTH / 2, (1 - _FOREST_RUTH) / 2), (_FOREST_RUTH, 1 - 2 * _FOREST_RUTH), 1.84e-1),
    4: ((0.3163930408502195, -0.08163090233541635, 0.5304757229703937),
        (-0.17716087830909555, 0.6771608783090955), 6.48e-3),
    5: ((0.09536904797748579, 0.45997784051259016, -0.05534688849007596),
        (0.25758503262685745, -0.16542859664019374, 0.8156871280266726), 9.61e-4),
}


def layers(order: int, stages: int = 5) -> list[tuple[int, float]]:
    """One time step as (parity of the bonds, fraction of dt), in order of action."""
    if order == 2:
        return [(0, 0.5), (1, 1.0), (0, 0.5)]
    a, b, _ = FOURTH_ORDER[stages]
    a = a + a[::-1] if stages % 2 else a + a[-2::-1]
    b = b + b[-2::-1] if stages % 2 else b + b[::-1]
    return [pair for x, y in zip(a, (*b, 0.0), strict=True) for pair in ((0, x), (1, y))][:-1]


def cheapest(order: int, ratio: float) -> int:
    """Fewest stages whose error at a step `ratio` times shorter is not above that of five stages at the full step."""
    if order == 2:
        return 1
    return min(stages for stages, (_, _, error) in FOURTH_ORDER.items()
               if error <= FOURTH_ORDER[5][2] * max(1.0, ratio) ** 4)


def merged(steps: int, order: int, stages: int = 5) -> list[tuple[int, float]]:
    """Several time steps, adjacent layers of the same bonds merged."""
    out: list[tuple[int, float]] = []
    for parity, fraction in layers(order, stages) * steps:
        if out and out[-1][0] == parity:
            out[-1] = (parity, out[-1][1] + fraction)
        else:
            out.append((parity, fraction))
    return out


def equal_steps(span: float, longest: float | None) -> tuple[int, float]:
    """How many equal steps not longer than `longest` fill a span, and how long each is."""
    assert longest is not None, "the step is chosen before the evolution starts"
    steps = max(1, ceil(span / longest - 1e-9))
    return steps, span / steps


def digits(duration: float) -> float:
    """A duration to 13 digits: gates of durations equal but for rounding are made once, and always from this one."""
    return float(f"{duration:.12e}")
