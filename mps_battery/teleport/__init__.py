"""Quantum energy teleportation: Alice measures and tells Bob the outcome, and his unitary depends on it.

Her measurement injects energy where she is; what Bob draws comes from his own place, and for a state that no unitary of
his could draw from alone it is the outcome that opens it [Hotta 2008, Phys. Lett. A 372, 5671; Ikeda 2023, PR Applied
20, 024051]. Every term that touches Bob's block counts: its own energy alone rises.

`teleport` is one round; `play` takes any protocol, one step after the other; `store` charges a full battery further.
"""

from mps_battery.teleport.battery import Stored as Stored
from mps_battery.teleport.battery import store as store
from mps_battery.teleport.protocol import Played as Played
from mps_battery.teleport.protocol import play as play
from mps_battery.teleport.result import Outcome as Outcome
from mps_battery.teleport.result import Teleport as Teleport
from mps_battery.teleport.single import teleport as teleport
from mps_battery.teleport.steps import Act as Act
from mps_battery.teleport.steps import Forget as Forget
from mps_battery.teleport.steps import Measure as Measure
from mps_battery.teleport.steps import Wait as Wait
