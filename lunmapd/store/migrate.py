"""Bringing a tree of the former schema to this one, as one commit that nodes see all at once."""

from collections.abc import Callable, Mapping

from lunmapd.core.errors import Exit
from lunmapd.store.errors import StoreError

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""Gets all documents by path, and returns those that must change; nothing for documents that were converted already."""


class OldNodesError(StoreError):
    """Nodes that run the former version are alive; they could not read the new schema."""

    exit_code = Exit.CONFLICT

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        super().__init__(
            f"these nodes still run a version that knows only the former schema: {', '.join(nodes)}; upgrade lunmapd there first"
        )
