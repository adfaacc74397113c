"""The checks of the node's portals from outside LIO, as a cycle uses them."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.core.node.portals import PortalProblems


class PortalChecks(Protocol):
    """Checks portals beside the cycles, which never wait for it."""

    def problems(self) -> PortalProblems:
        """Return what the last checks found."""

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:
        """Check these portals from now on; `credentials` are those that discovery requires."""


class NoPortalChecks:
    """Checks nothing, and so finds nothing."""

    def problems(self) -> PortalProblems:
        """Return nothing."""
        return {}

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:
        """Do nothing."""
