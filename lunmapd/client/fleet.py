"""The nodes as they say of themselves."""

import time
from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.errors import Exit, LunmapdError
from lunmapd.store.node import FleetNode, read_fleet
from lunmapd.store.read import refresh
from lunmapd.store.session import Session
from lunmapd.store.snapshot import Snapshot

_POLL = 0.2


class NotAppliedError(LunmapdError):
    """These live nodes have not applied the revision in time."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, behind: tuple[str, ...], seconds: float) -> None:
        self.revision, self.behind = revision, behind
        super().__init__(
            f"after {seconds:g} seconds not at revision {revision}: {', '.join(behind)}; see 'lunmapctl status'"
        )


class Fleet(Struct, frozen=True):
    """The map, and every node that is in it or has registered, by name."""

    snapshot: Snapshot
    nodes: Mapping[str, FleetNode]

    def behind(self, revision: int) -> tuple[str, ...]:
        """Name the live nodes that have not applied this revision of the map."""
        return tuple(
            name for name, node in self.nodes.items() if node.live and self._applied(node) < revision
        )

    def _applied(self, node: FleetNode) -> int:
        at = node.status.applied if node.status else None
        return at.revision if at and at.cluster == self.snapshot.cluster else 0


def read_nodes(session: Session, known: Snapshot | None = None) -> Fleet:
    """Read the map, or what is new since `known`, and what every node says of itself."""
    snapshot, found = refresh(session, known), read_fleet(session)
    names = sorted(snapshot.lunmap.nodes.keys() | found.keys())
    return Fleet(snapshot, {name: found.get(name, FleetNode()) for name in names})


def wait_applied(session: Session, revision: int, seconds: float) -> Fleet:
    """Wait until every live node has applied `revision`, at most `seconds`. Raises NotAppliedError."""
    until = time.monotonic() + seconds
    known = None
    while True:
        fleet = read_nodes(session, known)
        known, behind = fleet.snapshot, fleet.behind(revision)
        if not behind:
            return fleet
        if time.monotonic() >= until:
            raise NotAppliedError(revision, behind, seconds)
        time.sleep(_POLL)
