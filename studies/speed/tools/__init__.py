"""The tools that compete, one module each.

The KINDS of a module map a kind of workload to a function (workload, settings) -> arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec


@dataclass(frozen=True)
class Tool:
    """A library and how to call it.

    Args:
        name: As in the table.
        module: Module of this package that drives it.
        needs: Import name of the library.
        distribution: Its name on the package index, for the version.
        environment: Variables its experts set.
    """

    name: str
    module: str
    needs: str
    distribution: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.needs) is not None


OURS = "mps_battery"

TOOLS = {t.name: t for t in (
    Tool(OURS, "ours", "mps_battery", "mps_battery"),
    Tool("TeNPy", "with_tenpy", "tenpy", "physics-tenpy", {"TENPY_OPTIMIZE": "3"}),
    Tool("scipy", "with_scipy", "scipy", "scipy"),
    Tool("quimb", "with_quimb", "quimb", "quimb"),
)}
