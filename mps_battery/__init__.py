"""mps_battery: tensor-network many-body solver for quantum batteries. The public names, on one screen."""

from mps_battery.battery import Battery as Battery
from mps_battery.battery import Jump as Jump
from mps_battery.battery import Schedule as Schedule
from mps_battery.budget import Budget as Budget
from mps_battery.checks import InputError as InputError
from mps_battery.evolve.exact import Exact as Exact
from mps_battery.evolve.tdvp import TDVP as TDVP
from mps_battery.evolve.tebd import TEBD as TEBD
from mps_battery.evolve.tenpy import Tenpy as Tenpy
from mps_battery.measure.capacity import LocalCapacity as LocalCapacity
from mps_battery.measure.capacity import local_capacity as local_capacity
from mps_battery.measure.energy import Energy as Energy
from mps_battery.measure.energy import EnergyVariance as EnergyVariance
from mps_battery.measure.energy import Power as Power
from mps_battery.measure.entanglement import BlockEntropy as BlockEntropy
from mps_battery.measure.entanglement import Entropy as Entropy
from mps_battery.measure.entanglement import OperatorEntropy as OperatorEntropy
from mps_battery.measure.entanglement import Purity as Purity
from mps_battery.measure.entanglement import Renyi2 as Renyi2
from mps_battery.measure.ergotropy import LocalErgotropy as LocalErgotropy
from mps_battery.measure.ergotropy import local_ergotropy as local_ergotropy
from mps_battery.measure.expectation import Correlator as Correlator
from mps_battery.measure.expectation import Expect as Expect
from mps_battery.measure.expectation import Reduced as Reduced
from mps_battery.record import STANDARD as STANDARD
from mps_battery.record import STANDARD_MIXED as STANDARD_MIXED
from mps_battery.run import Run as Run
from mps_battery.run import charge as charge
from mps_battery.sites import Boson as Boson
from mps_battery.sites import Fermion as Fermion
from mps_battery.sites import Levels as Levels
from mps_battery.sites import Spin as Spin
from mps_battery.steady.ground import ground_state as ground_state
from mps_battery.storage import load as load
from mps_battery.tensors.density import Density as Density
from mps_battery.tensors.mps import MPS as MPS
from mps_battery.tensors.truncation import Truncation as Truncation
from mps_battery.terms import Terms as Terms

__version__ = "0.1.0"
