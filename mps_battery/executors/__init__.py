"""Where the runs of a sweep are done: here, in processes of this machine, or on a cluster through Dask.

All of them call the same function of one item with one BLAS thread and hand back what it returned, so that results do
not depend on the choice, to the last bit on processors of one kind.
"""

from mps_battery.executors.cluster import Dask as Dask
from mps_battery.executors.cluster import JobQueue as JobQueue
from mps_battery.executors.interface import Executor as Executor
from mps_battery.executors.interface import InProcess as InProcess
from mps_battery.executors.interface import Lost as Lost
from mps_battery.executors.interface import Pool as Pool
from mps_battery.executors.processes import Processes as Processes
