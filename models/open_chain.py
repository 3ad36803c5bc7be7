"""Batteries that leak, and batteries that are charged by leaking; spin-1/2, Pauli matrices, all with jumps.

Sums run over sites n or neighbours (n, n + 1); s+ and s- raise and lower a spin. A jump L acts as
L rho L+ - {L+ L, rho} / 2.
"""

from __future__ import annotations

import numpy as np

from mps_battery.baths import thermal_jumps
from mps_battery.battery import Battery, Jump
from mps_battery.checks import must
from mps_battery.models.build import check_rates, checked, each, jump, pairs
from mps_battery.sites import Spin
from mps_battery.terms import Terms

__all__ = ["boundary_driven", "dark_pairs", "decaying", "lossy_chargers", "thermal_charging", "two_bath_chain"]

_BARRA = "Barra, Phys. Rev. Lett. 122, 210601 (2019)"
_DICKE = "Gross, Haroche, Phys. Rep. 93, 301 (1982); bounds: arXiv:2209.05789"
_FARINA = "Farina, Andolina, Mari, Polini, Giovannetti, Phys. Rev. B 99, 035421 (2019)"
_MOJAVERI = "Mojaveri et al., Phys. Rev. A 109, 042619 (2024); Tacchino et al., Phys. Rev. E 102, 062133 (2020)"
_QUACH = "Quach, Munro, Phys. Rev. Applied 14, 024092 (2020)"
_ZNIDARIC = "Znidaric, J. Stat. Mech. L05002 (2010); Prosen, Phys. Rev. Lett. 107, 137201 (2011)"


def boundary_driven(cells: int = 10, exchange: float = 1.0, anisotropy: float = 0.5, field: float = 0.0,
                    rate: float = 1.0, bias: float = 0.5, dephasing: float = 0.0) -> Battery:
    """XXZ chain between two magnetisation baths, with dephasing; starts in the identity.

    Energy: H_B = exchange sum (X_n X_{n+1} + Y_n Y_{n+1} + anisotropy Z_n Z_{n+1}) + field sum Z_n
    Charging: H_B with jumps sqrt(rate (1 + bias)) s+ and sqrt(rate (1 - bias)) s- on the first cell, the opposite on
        the last, sqrt(dephasing / 2) Z_n on every cell

    Args:
        cells: Number of cells.
        exchange: Coupling in the plane.
        anisotropy: Coupling along z in units of `exchange`.
        field: Field along z.
        rate: Strength of the baths.
        bias: From 0 (infinite temperature) to 1 (maximal driving).
        dephasing: Rate of dephasing.

    Reference:
        Znidaric, J. Stat. Mech. L05002 (2010); Prosen, Phys. Rev. Lett. 107, 137201 (2011)
    """
    parameters = checked(cells=cells, exchange=exchange, anisotropy=anisotropy, field=field, rate=rate, bias=bias,
                         dephasing=dephasing)
    check_rates(rate=rate, dephasing=dephasing)
    must(-1 <= bias <= 1, "bias", "be a number from -1 to 1", bias)
    sites = (Spin(),) * cells
    energy = (pairs(sites, "X", "X", exchange) + pairs(sites, "Y", "Y", exchange)
              + pairs(sites, "Z", "Z", exchange * anisotropy) + each(sites, "Z", field))
    jumps = [jump(sites, np.sqrt(rate * strength), name, n, "left" if n == 0 else "right")
             for strength, name, n in ((1 + bias, "Sp", 0), (1 - bias, "Sm", 0), (1 - bias, "Sp", cells - 1),
                                       (1 + bias, "Sm", cells - 1)) if strength * rate > 0]
    jumps += [jump(sites, np.sqrt(dephasing / 2), "Z", n, "dephasing") for n in range(cells if dephasing else 0)]
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy, jumps=jumps, empty="mixed",
                   name="boundary_driven", parameters=parameters, reference=_ZNIDARIC)


def lossy_chargers(cells: int = 4, splitting: float = 1.0, coupling: float = 0.5, loss: float = 0.2) -> Battery:
    """Cells beside excited chargers that leak: charger, cell, charger, cell, ... in pairs.

    With Omega^2 = coupling^2 - loss^2 / 16 a cell holds splitting (coupling / Omega)^2 exp(-loss t / 2) sin^2(Omega t).

    Energy: H_B = splitting sum_cells (1 + Z_n) / 2
    Charging: H_B + splitting sum_chargers (1 + Z_n) / 2 + coupling sum_pairs (s+_n s-_{n+1} + s-_n s+_{n+1}) with jumps
        sqrt(loss) s- on every charger

    Args:
        cells: Number of cells, each with a charger of its own.
        splitting: Energy of an excitation.
        coupling: Exchange between charger and cell.
        loss: Decay rate of the chargers.

    Reference:
        Farina, Andolina, Mari, Polini, Giovannetti, Phys. Rev. B 99, 035421 (2019)
    """
    parameters = checked(cells=cells, splitting=splitting, coupling=coupling, loss=loss)
    check_rates(loss=loss)
    sites = (Spin(),) * (2 * cells)
    energy, charging = Terms(sites), Terms(sites)
    for n in range(2 * cells):
        target = energy if n % 2 else charging
        target += splitting / 2, ("Z", n)
        target += splitting / 2,
    for n in range(0, 2 * cells, 2):
        charging += coupling, ("Sp", n), ("Sm", n + 1)
        charging += coupling, ("Sm", n), ("Sp", n + 1)
    jumps = [jump(sites, np.sqrt(loss), "Sm", n, "loss") for n in range(0, 2 * cells if loss else 0, 2)]
    return Battery(sites=sites, cells=range(1, 2 * cells, 2), energy=energy, charging=energy + charging, jumps=jumps,
                   empty=["up", "down"] * cells, name="lossy_chargers", parameters=parameters, reference=_FARINA)


def thermal_charging(cells: int = 4, splitting: float = 1.0, beta: float = 1.0, rate: float = 1.0) -> Battery:
    """Cells that thermalise with respect to the inverted Hamiltonian: repeated collisions with a thermal stream.

    The ancillas conserve H_0 = -H_B with the cells, so that the fixed point exp(-beta H_0) / Z is active: its
    ergotropy is splitting tanh(beta splitting / 2) a cell. Starts in the passive Gibbs state.

    Energy: H_B = splitting / 2 sum Z_n
    Charging: H_B with jumps sqrt(rate (1 + n)) s+ and sqrt(rate n) s- on every cell, n = 1 / (exp(beta splitting) - 1)

    Args:
        cells: Number of cells.
        splitting: Energy between down and up.
        beta: Inverse temperature of the stream.
        rate: Rate of collisions.

    Reference:
        Barra, Phys. Rev. Lett. 122, 210601 (2019)
    """
    parameters = checked(cells=cells, splitting=splitting, beta=beta, rate=rate)
    check_rates(rate=rate)
    must(beta * splitting > 0, "beta", "be a positive number, as `splitting`", beta)
    sites = (Spin(),) * cells
    energy = each(sites, "Z", splitting / 2)
    n = 1 / np.expm1(beta * splitting)
    jumps = []
    for k in range(cells):
        jumps += [jump(sites, np.sqrt(rate * (1 + n)), "Sp", k, "stream"),
                  jump(sites, np.sqrt(rate * n), "Sm", k, "stream")]
    low = 1 / (1 + np.exp(-beta * splitting))
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy, jumps=jumps,
                   empty=[np.diag([1 - low, low])] * cells, name="thermal_charging", parameters=parameters,
                   reference=_BARRA)


def two_bath_chain(cells: int = 3, splitting: float = 1.0, exchange: float = 0.8, anisotropy: float = 0.5,
                   beta_left: float = 0.2, beta_right: float = 2.0, rate: float = 0.5) -> Battery:
    """XXZ chain in a field between two heat baths, whose steady state can be drawn upon; starts all down.

    The jumps of a bath obey detailed balance with the field of the cell that it touches, not with the chain: at equal
    temperatures exp(-beta splitting/2 sum Z_n) is steady, carries no heat and is not the Gibbs state of H_B, so that it
    too has ergotropy once the exchange reorders the levels of H_B. Unequal ones add a flow of heat and correlations.

    Energy: H_B = splitting/2 sum Z_n + exchange sum (X_n X_{n+1} + Y_n Y_{n+1} + anisotropy Z_n Z_{n+1})
    Charging: H_B with jumps sqrt(rate (1 + n)) s- and sqrt(rate n) s+ on the first and the last cell,
        n = 1 / (exp(beta splitting) - 1) with the beta of that end

    Args:
        cells: Number of cells.
        splitting: Energy between down and up of a free cell.
        exchange: Coupling in the plane.
        anisotropy: Coupling along z in units of `exchange`.
        beta_left: Inverse temperature at the first cell.
        beta_right: Inverse temperature at the last cell.
        rate: Spontaneous rate of the baths.

    Reference:
        Mojaveri et al., Phys. Rev. A 109, 042619 (2024); Tacchino et al., Phys. Rev. E 102, 062133 (2020)
    """
    parameters = checked(cells=cells, splitting=splitting, exchange=exchange, anisotropy=anisotropy,
                         beta_left=beta_left, beta_right=beta_right, rate=rate)
    positive = {"splitting": splitting, "beta_left": beta_left, "beta_right": beta_right, "rate": rate}
    for name, value in positive.items():
        must(value > 0, name, "be a positive number", value)
    sites = (Spin(),) * cells
    energy = (each(sites, "Z", splitting / 2) + pairs(sites, "X", "X", exchange)
              + pairs(sites, "Y", "Y", exchange) + pairs(sites, "Z", "Z", exchange * anisotropy))
    jumps = []
    for n, beta, bath in ((0, beta_left, "left"), (cells - 1, beta_right, "right")):
        lowering = Terms(sites)
        lowering += 1.0, ("Sm", n)
        jumps += thermal_jumps(lowering, splitting, beta, rate, bath=bath)
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy, jumps=jumps, empty="down",
                   name="two_bath_chain", parameters=parameters, reference=_MOJAVERI)


def dark_pairs(cells: int = 4, splitting: float = 1.0, rate: float = 1.0) -> Battery:
    """Charger and cell in pairs that decay together: the singlet is dark and keeps a quarter of the excitation.

    Energy: H_B = splitting sum_cells (1 + Z_n) / 2
    Charging: splitting sum (1 + Z_n) / 2 with one jump sqrt(rate) (s-_n + s-_{n+1}) for every pair

    Args:
        cells: Number of cells, each with an excited charger of its own.
        splitting: Energy of an excitation.
        rate: Collective decay rate of a pair.

    Reference:
        Quach, Munro, Phys. Rev. Applied 14, 024092 (2020)
    """
    parameters = checked(cells=cells, splitting=splitting, rate=rate)
    check_rates(rate=rate)
    sites = (Spin(),) * (2 * cells)
    energy, charging, jumps = Terms(sites), Terms(sites), []
    for n in range(2 * cells):
        target = energy if n % 2 else charging
        target += splitting / 2, ("Z", n)
        target += splitting / 2,
    for n in range(0, 2 * cells if rate else 0, 2):
        both = Terms(sites)
        both += np.sqrt(rate), ("Sm", n)
        both += np.sqrt(rate), ("Sm", n + 1)
        jumps.append(Jump(both, bath="decay"))
    return Battery(sites=sites, cells=range(1, 2 * cells, 2), energy=energy, charging=energy + charging, jumps=jumps,
                   empty=["up", "down"] * cells, name="dark_pairs", parameters=parameters, reference=_QUACH)


def decaying(cells: int = 6, splitting: float = 1.0, rate: float = 0.1, collective: bool = False) -> Battery:
    """A full battery that loses its energy, cell by cell or all together (superradiance).

    Independent cells give sum_n e^(-rate t) of it back, together the current starts at rate splitting <J+ J->.

    Energy: H_B = splitting sum (1 + Z_n) / 2
    Charging: H_B with jumps sqrt(rate) s-_n on every cell, or the single jump sqrt(rate) sum s-_n

    Args:
        cells: Number of cells.
        splitting: Energy of an excitation.
        rate: Decay rate.
        collective: Whether the cells decay together.

    Reference:
        Gross, Haroche, Phys. Rep. 93, 301 (1982); bounds: arXiv:2209.05789
    """
    parameters = checked(cells=cells, splitting=splitting, rate=rate, collective=collective)
    check_rates(rate=rate)
    sites = (Spin(),) * cells
    energy, together = each(sites, "Z", splitting / 2), Terms(sites)
    energy += cells * splitting / 2,
    for n in range(cells):
        together += np.sqrt(rate), ("Sm", n)
    jumps = [] if rate == 0 else [Jump(together, bath="decay")] if collective else \
        [jump(sites, np.sqrt(rate), "Sm", n, "decay") for n in range(cells)]
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy, jumps=jumps, empty="up",
                   name="decaying", parameters=parameters, reference=_DICKE)
