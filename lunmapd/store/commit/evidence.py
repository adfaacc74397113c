"""What the nodes know about a changed path: whether it is another name of the device that is opened."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lunmapd.core.map.rules.sources import Evidences, SourceChange, weigh_evidence
from lunmapd.store.session.session import Session
from lunmapd.store.tree.backings import read_backings_of
from lunmapd.store.tree.liveness import view_of
from lunmapd.store.tree.members import FleetNode, read_members


def read_evidence(session: Session, changes: Sequence[SourceChange]) -> Evidences:
    """Return the evidence of each node about each change. Raises UnreachableError."""
    nodes = sorted({change.node for change in changes})
    members, now = read_members(session, nodes), datetime.now(UTC)
    reports = read_backings_of(session, nodes, {change.lun for change in changes})
    current = {node: view_of(members.get(node, FleetNode()), now).is_current for node in nodes}
    return {
        (change.lun, change.node): weigh_evidence(
            change, reports[change.node].get(change.lun), is_current=current[change.node]
        )
        for change in changes
    }
