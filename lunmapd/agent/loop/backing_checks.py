"""The reads that check the node's files and devices, as a cycle uses them."""

from collections.abc import Mapping
from typing import Protocol

from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.node.backing_reads import ReadProblems


class BackingChecks(Protocol):
    """Reads backings beside the cycles, which never wait for it."""

    def problems(self) -> ReadProblems:
        """Return what the last reads found, by name of the Lun."""

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Make these reads from now on; they are by name of the Lun."""


class NoBackingChecks:
    """Reads nothing, and so finds nothing."""

    def problems(self) -> ReadProblems:
        """Return nothing."""
        return {}

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Do nothing."""
