"""Batteries on spin-1/2 chains: XXZ, XYZ, Ising, dimerised XY, power-law, Lipkin and many-body localised.

Every cell stores, chains are open unless said otherwise, and operators are Pauli matrices except in `mbl`.
Sums run over sites n, over neighbours (n, n + 1), or over pairs i < j.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mps_battery.battery import Battery
from mps_battery.checks import must, number
from mps_battery.models.build import checked, draw, each, pairs
from mps_battery.sites import Spin
from mps_battery.terms import Terms

__all__ = ["ising_disordered", "ising_quench", "lipkin", "mbl", "power_law", "xxz", "xy_dimerised", "xyz"]

_GHOSH = "Ghosh, Chanda, Sen(De), Phys. Rev. A 101, 032115 (2020), arXiv:1905.12377"
_GRAZI = ("Grazi, Sacco Shaikh, Sassetti, Traverso Ziani, Ferraro, Phys. Rev. Lett. 133, 197001 (2024), "
          "arXiv:2402.09169")
_LE = "Le, Levinsen, Modi, Parish, Pollock, Phys. Rev. A 97, 022106 (2018), arXiv:1712.03559"
_LIPKIN = "Lipkin, Meshkov, Glick, Nucl. Phys. 62, 188 (1965); as a battery: Dou, Wang, Sun, arXiv:2208.04831"
_PAL = ("Pal, Huse, Phys. Rev. B 82, 174411 (2010), arXiv:1010.1992; its local ergotropy: Formicola et al., "
        "arXiv:2502.20002")
_ROSSINI = "Rossini, Andolina, Polini, Phys. Rev. B 100, 115142 (2019), arXiv:1906.00644"


def xxz(cells: int = 20, field: float = 1.3, exchange: float = 0.35, anisotropy: float = 0.7,
        drive: float = 0.9) -> Battery:
    """XXZ chain in a field along z, charged by a uniform drive along x; starts all down.

    Energy: H_B = sum exchange (X_n X_{n+1} + Y_n Y_{n+1} + anisotropy Z_n Z_{n+1}) + field sum Z_n
    Charging: H_B + drive sum X_n

    Without the drive all down is an eigenstate. The nearest-neighbour chain of the reference has
    exchange = -g alpha and anisotropy = 1/alpha.

    Args:
        cells: Number of cells.
        field: Half the splitting of a free cell.
        exchange: Coupling in the plane; positive is antiferromagnetic.
        anisotropy: Coupling along z in units of `exchange`.
        drive: Strength of the charging field.

    Reference:
        Le, Levinsen, Modi, Parish, Pollock, Phys. Rev. A 97, 022106 (2018), arXiv:1712.03559
    """
    parameters = checked(cells=cells, field=field, exchange=exchange, anisotropy=anisotropy, drive=drive)
    sites = (Spin(),) * cells
    energy = (pairs(sites, "X", "X", exchange) + pairs(sites, "Y", "Y", exchange)
              + pairs(sites, "Z", "Z", exchange * anisotropy) + each(sites, "Z", field))
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy + each(sites, "X", drive),
                   empty="down", name="xxz", parameters=parameters, reference=_LE)


def xyz(cells: int = 20, field: float = 2.0, exchange_x: float = 0.5, exchange_y: float = 0.25,
        exchange_z: float = 0.3, dzyaloshinskii: float = 0.0, drive: float = 0.9,
        keep_battery: bool = True) -> Battery:
    """XYZ chain with a Dzyaloshinskii-Moriya term, charged by a drive along x; starts in its ground state.

    Energy: H_B = sum (exchange_x X_n X_{n+1} + exchange_y Y_n Y_{n+1} + exchange_z Z_n Z_{n+1})
        + dzyaloshinskii sum (X_n Y_{n+1} - Y_n X_{n+1}) + field sum Z_n
    Charging: H_B + drive sum X_n, or drive sum X_n alone

    Args:
        cells: Number of cells.
        field: Half the splitting of a free cell.
        exchange_x: Coupling along x; positive is antiferromagnetic.
        exchange_y: Coupling along y.
        exchange_z: Coupling along z.
        dzyaloshinskii: Antisymmetric coupling along z.
        drive: Strength of the charging field.
        keep_battery: Whether H_B acts while charging. False, the protocol of the reference, leaves the drive
            alone, which turns every cell by itself and adds no entanglement.

    Reference:
        Ghosh, Chanda, Sen(De), Phys. Rev. A 101, 032115 (2020), arXiv:1905.12377
    """
    parameters = checked(cells=cells, field=field, exchange_x=exchange_x, exchange_y=exchange_y,
                         exchange_z=exchange_z, dzyaloshinskii=dzyaloshinskii, drive=drive,
                         keep_battery=keep_battery)
    sites = (Spin(),) * cells
    energy = (pairs(sites, "X", "X", exchange_x) + pairs(sites, "Y", "Y", exchange_y)
              + pairs(sites, "Z", "Z", exchange_z) + pairs(sites, "X", "Y", dzyaloshinskii)
              + pairs(sites, "Y", "X", -dzyaloshinskii) + each(sites, "Z", field))
    charging = each(sites, "X", drive)
    if keep_battery:
        charging += energy
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=charging, empty="ground",
                   name="xyz", parameters=parameters, reference=_GHOSH)


def ising_quench(cells: int = 20, coupling: float = 1.0, field: float = 2.0, quench_coupling: float = 1.0,
                 quench_field: float = 0.5, periodic: bool = False) -> Battery:
    """Transverse-field Ising chain charged by a double quench of its parameters; starts in its ground state.

    Energy: H_B = -coupling sum X_n X_{n+1} - field sum Z_n
    Charging: -quench_coupling sum X_n X_{n+1} - quench_field sum Z_n, alone

    Free fermions: the stored energy is known in closed form, and its plateau is non-analytic where the
    charging Hamiltonian is critical, quench_field = quench_coupling. For field < coupling the ground state is
    doubly degenerate up to a splitting exponentially small in `cells`, so that the solver may find any
    combination of the two.

    Args:
        cells: Number of cells.
        coupling: Ferromagnetic coupling of the battery.
        field: Transverse field of the battery.
        quench_coupling: Coupling while charging.
        quench_field: Transverse field while charging.
        periodic: Whether the last cell couples to the first.

    Reference:
        Grazi, Sacco Shaikh, Sassetti, Traverso Ziani, Ferraro, Phys. Rev. Lett. 133, 197001 (2024),
        arXiv:2402.09169
    """
    parameters = checked(cells=cells, coupling=coupling, field=field, quench_coupling=quench_coupling,
                         quench_field=quench_field, periodic=periodic)
    sites = (Spin(),) * cells

    def ising(j: float, h: float) -> Terms:
        terms = pairs(sites, "X", "X", -j) + each(sites, "Z", -h)
        if periodic:
            terms += -j, ("X", cells - 1), ("X", 0)
        return terms

    return Battery(sites=sites, cells=range(cells), energy=ising(coupling, field),
                   charging=ising(quench_coupling, quench_field), empty="ground", name="ising_quench",
                   parameters=parameters, reference=_GRAZI)


def ising_disordered(cells: int = 10, coupling: float = 1.0, field: float = 0.6, next_nearest: float = 0.3,
                     disorder: float = 1.0, splitting: float = 1.0, seed: int = 0, realisation: int = 0,
                     bonds: ArrayLike | None = None) -> Battery:
    """Free cells charged by a disordered Ising chain that acts alone; starts all down, the lowest state.

    Energy: H_B = splitting/2 sum Z_n
    Charging: -sum J_n X_n X_{n+1} - next_nearest sum X_n X_{n+2} - field sum Z_n, alone, with J_n drawn
        uniformly from [coupling - disorder, coupling + disorder]

    Three regimes. Weak disorder with next_nearest != 0 is ergodic: entanglement grows linearly in time and
    spoils the ergotropy of a part of the chain. Strong disorder, beyond about 3 to 4 at the other defaults,
    is many-body localised: entanglement grows logarithmically and most of the energy can be drawn. Without
    next_nearest the chain is free fermions, Anderson localised at any disorder.

    Args:
        cells: Number of cells.
        coupling: Mean of the nearest-neighbour couplings.
        field: Transverse field while charging.
        next_nearest: Coupling between next-nearest neighbours: the interaction of the fermions.
        disorder: Half the width of the distribution of J_n.
        splitting: Level splitting of a cell.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.
        bonds: Explicit J_n, (cells - 1,), instead of the draw from coupling, disorder, seed and realisation.

    Reference:
        Rossini, Andolina, Polini, Phys. Rev. B 100, 115142 (2019), arXiv:1906.00644
    """
    parameters = checked(cells=cells, coupling=coupling, field=field, next_nearest=next_nearest,
                         disorder=disorder, splitting=splitting, seed=seed, realisation=realisation)
    must(disorder >= 0, "disorder", "be at least 0", disorder)
    must(splitting > 0, "splitting", "be positive", splitting)
    drawn = draw("bonds", bonds, cells - 1, coupling, disorder, seed, realisation)
    sites = (Spin(),) * cells
    charging = (pairs(sites, "X", "X", -drawn) + pairs(sites, "X", "X", -next_nearest, distance=2)
                + each(sites, "Z", -field))
    return Battery(sites=sites, cells=range(cells), energy=each(sites, "Z", splitting / 2),
                   charging=charging, empty="down", name="ising_disordered",
                   parameters=parameters | {"bonds": drawn.tolist()}, reference=_ROSSINI)


def xy_dimerised(cells: int = 20, field: float = 1.0, exchange: float = 0.5, dimerisation: float = 0.3,
                 anisotropy: float = 0.5, drive: float = 0.9) -> Battery:
    """XY chain with alternating strong and weak bonds, charged by a uniform drive along x; starts all down.

    Energy: H_B = sum exchange (1 + (-1)^n dimerisation) [(1 + anisotropy)/2 X_n X_{n+1}
        + (1 - anisotropy)/2 Y_n Y_{n+1}] + field sum Z_n
    Charging: H_B + drive sum X_n

    The reference charges the same chain by a quench of the dimerisation instead; without the drive it is free
    fermions.

    Args:
        cells: Number of cells.
        field: Half the splitting of a free cell.
        exchange: Mean coupling; positive is antiferromagnetic.
        dimerisation: Relative alternation of the bonds; positive makes the first strong, 1 cuts every second.
        anisotropy: 0 is the XX chain, 1 the Ising chain along x.
        drive: Strength of the charging field.

    Reference:
        Grazi, Sacco Shaikh, Sassetti, Traverso Ziani, Ferraro, Phys. Rev. Lett. 133, 197001 (2024),
        arXiv:2402.09169
    """
    parameters = checked(cells=cells, field=field, exchange=exchange, dimerisation=dimerisation,
                         anisotropy=anisotropy, drive=drive)
    sites = (Spin(),) * cells
    bonds = exchange * (1 + dimerisation * (-1.0) ** np.arange(cells - 1))
    energy = (pairs(sites, "X", "X", bonds * (1 + anisotropy) / 2)
              + pairs(sites, "Y", "Y", bonds * (1 - anisotropy) / 2) + each(sites, "Z", field))
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy + each(sites, "X", drive),
                   empty="down", name="xy_dimerised", parameters=parameters, reference=_GRAZI)


def power_law(cells: int = 10, field: float = 1.0, coupling: float = 0.5, exponent: float = 2.0,
              anisotropy: float = 0.0, drive: float = 1.0, intrinsic: bool = True) -> Battery:
    """Spins coupled by a power law of their distance, charged by a uniform drive along x; starts all down.

    Energy: H_B = field sum Z_n - sum_{i<j} g_ij [Z_i Z_j + anisotropy (X_i X_j + Y_i Y_j)], with
        g_ij = coupling / |i - j|^exponent
    Charging: H_B + drive sum X_n

    anisotropy = 1 is the isotropic null: the interaction is constant on every product of equal spins, so each
    cell stores 2 field (drive/W)^2 sin^2(W t), W^2 = field^2 + drive^2, whatever g_ij, and none entangles.

    Args:
        cells: Number of cells.
        field: Half the splitting of a free cell.
        coupling: Ferromagnetic coupling of nearest neighbours.
        exponent: Power of the decay; 0 is all to all, inf nearest neighbours only.
        anisotropy: Coupling in the plane in units of that along z.
        drive: Strength of the charging field.
        intrinsic: Whether the interaction is part of what is stored. False makes H_B = field sum Z_n and
            leaves the interaction to the charging, where the reference finds no advantage.

    Reference:
        Le, Levinsen, Modi, Parish, Pollock, Phys. Rev. A 97, 022106 (2018), arXiv:1712.03559
    """
    parameters = checked(cells=cells, field=field, coupling=coupling, anisotropy=anisotropy, drive=drive,
                         intrinsic=intrinsic)
    must(number(exponent) and exponent >= 0, "exponent", "be a number of at least 0 or inf", exponent)
    sites = (Spin(),) * cells
    energy, interaction = each(sites, "Z", field), Terms(sites)
    for distance in range(1, cells if np.isfinite(exponent) else 2):
        g = coupling / distance**exponent
        interaction += pairs(sites, "Z", "Z", -g, distance)
        interaction += pairs(sites, "X", "X", -g * anisotropy, distance)
        interaction += pairs(sites, "Y", "Y", -g * anisotropy, distance)
    charging = energy + interaction + each(sites, "X", drive)
    if intrinsic:
        energy += interaction
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=charging, empty="down",
                   name="power_law", parameters=parameters | {"exponent": float(exponent)}, reference=_LE)


def lipkin(cells: int = 20, field: float = 1.0, coupling: float = 0.5, asymmetry: float = 0.0,
           drive: float = 0.9) -> Battery:
    """Lipkin-Meshkov-Glick spins, each coupled to all, charged by a uniform drive along x; starts all down.

    Energy: H_B = -coupling/cells sum_{i<j} (X_i X_j + asymmetry Y_i Y_j) + field sum Z_n
    Charging: H_B + drive sum X_n

    The dynamics stays in the symmetric subspace of dimension cells + 1, so the entropy of a cut is at most
    logarithmic in its size. For many cells H_B is critical at field = coupling (0 <= asymmetry < 1).

    Args:
        cells: Number of cells.
        field: Half the splitting of a free cell.
        coupling: Ferromagnetic coupling, divided by `cells` to keep the energy extensive.
        asymmetry: Coupling along y in units of that along x.
        drive: Strength of the charging field.

    Reference:
        Lipkin, Meshkov, Glick, Nucl. Phys. 62, 188 (1965); as a battery: Dou, Wang, Sun, arXiv:2208.04831
    """
    parameters = checked(cells=cells, field=field, coupling=coupling, asymmetry=asymmetry, drive=drive)
    sites = (Spin(),) * cells
    energy = each(sites, "Z", field)
    for distance in range(1, cells):
        energy += pairs(sites, "X", "X", -coupling / cells, distance)
        energy += pairs(sites, "Y", "Y", -coupling / cells * asymmetry, distance)
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy + each(sites, "X", drive),
                   empty="down", name="lipkin", parameters=parameters, reference=_LIPKIN)


def mbl(cells: int = 20, disorder: float = 5.0, coupling: float = 1.0, fields: ArrayLike | None = None,
        seed: int = 0, realisation: int = 0) -> Battery:
    """Heisenberg chain in random fields, after a quench from the Néel state (up on even sites).

    Spin operators S = sigma/2.

    Energy: H = coupling sum S_n . S_{n+1} + sum h_n Sz_n, with h_n drawn uniformly from [-disorder, disorder]
    Charging: H itself; its energy is conserved, what moves is how much of it can be drawn locally

    Weak disorder thermalises and the local ergotropy is lost; strong disorder, several times the coupling,
    localises: the entropy of a cut grows logarithmically and the local ergotropy lasts.

    Args:
        cells: Number of cells.
        disorder: Half the width of the distribution of h_n.
        coupling: Exchange; positive is antiferromagnetic.
        fields: Explicit h_n, (cells,), instead of the draw from disorder, seed and realisation.
        seed: First coordinate of the random draw.
        realisation: Second coordinate of the random draw.

    Reference:
        Pal, Huse, Phys. Rev. B 82, 174411 (2010), arXiv:1010.1992; its local ergotropy: Formicola et al.,
        arXiv:2502.20002
    """
    parameters = checked(cells=cells, disorder=disorder, coupling=coupling, seed=seed,
                         realisation=realisation)
    must(disorder >= 0, "disorder", "be at least 0", disorder)
    drawn = draw("fields", fields, cells, 0.0, disorder, seed, realisation)
    sites = (Spin(),) * cells
    energy = each(sites, "Sz", drawn)
    for operator in ("Sx", "Sy", "Sz"):
        energy += pairs(sites, operator, operator, coupling)
    return Battery(sites=sites, cells=range(cells), energy=energy, charging=energy, empty="neel", name="mbl",
                   parameters=parameters | {"fields": drawn.tolist()}, reference=_PAL)
