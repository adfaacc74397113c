"""The resources of a Pacemaker cluster or of drbd-reactor, as each kind of file gives them."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

TARGET, LOGICAL_UNIT = "iSCSITarget", "iSCSILogicalUnit"
ADDRESS_AGENTS = ("IPaddr2", "IPaddr")
"""The agents of an address, of which the second one is the older."""


class ClusterResource(Struct, frozen=True):
    """A primitive: its name, its agent without class and provider, its parameters, and its place.

    `instance` is OCF_RESOURCE_INSTANCE, after which the agents name what they make.
    """

    name: str
    agent: str
    parameters: Mapping[str, str]
    place: str
    instance: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.agent!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name), ("agent", self.agent)]

    def words(self, parameter: str) -> tuple[str, ...]:
        """Return the words of a parameter; the agents separate them by spaces."""
        return tuple(self.parameters.get(parameter, "").split())


class ClusterResources(Struct, frozen=True):
    """All primitives in the order of the source, and the names of the cluster's nodes."""

    primitives: tuple[ClusterResource, ...]
    nodes: tuple[str, ...] = ()

    def of(self, *agents: str) -> tuple[ClusterResource, ...]:
        """Return the primitives of some agents."""
        return tuple(each for each in self.primitives if each.agent in agents)
