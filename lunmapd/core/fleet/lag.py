"""How far a node is behind the map, computed from its last status and the revisions since."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import STORE, UNEDITED, HistoryPoint, NodeStatus
from lunmapd.core.history.changes import Revision

# The node can read the tree, but does not follow it.
_OTHER_HISTORY = {Reason.FOREIGN_CLUSTER, Reason.WENT_BACK, Reason.RESTORED}


class UnappliedRevision(Struct, frozen=True):
    """A revision that some node has not applied.

    `time` is that of the commit (RFC 3339, UTC), `paths` the paths of the objects that it changed, `part` its
    number within a commit in parts, 0 for a commit in one piece.
    """

    time: str
    paths: AbstractSet[str]
    part: int = 0


class RecentHistory(Struct, frozen=True):
    """The newest revision of a cluster and its digest, with the revisions that some node lacks.

    `missed` maps the number of such a revision to its content, as far as it was read.
    """

    cluster: str
    revision: int
    digest: str
    missed: Mapping[int, UnappliedRevision] = {}


class Lag(Struct, frozen=True):
    """The number of revisions that a node is behind, and since when.

    `since` is the time when nodes could first apply the oldest of them (RFC 3339, UTC), by the clock of the
    committing machine; "" if the history does not have it.
    """

    revisions: int
    since: str = ""


def unapplied_revision(revision: Revision) -> UnappliedRevision:
    """Return the parts of a revision that the lag needs."""
    return UnappliedRevision(
        revision.time, frozenset(change.path for change in revision.changes), revision.part
    )


def compute_lag(status: NodeStatus | None, recent: RecentHistory) -> Lag | None:
    """Return the lag of a node; None if the node has applied no revision of this history."""
    applied = None if status is None else status.applied
    if status is None or applied is None or not is_in_history(status, applied, recent):
        return None
    behind = recent.revision - applied.revision
    return Lag(behind, _followable(applied.revision + 1, recent.missed)) if behind else Lag(0)


def is_in_history(status: NodeStatus, at: HistoryPoint, recent: RecentHistory) -> bool:
    """Return whether a point in a node's status belongs to this history.

    For the newest revision the digests are compared, unless the node has read out-of-band edits: its digest
    then belongs to no revision. Older revisions can't be compared.
    """
    false_conditions = status.false_conditions
    if at.cluster != recent.cluster or false_conditions.get(STORE) in _OTHER_HISTORY:
        return False
    if at.revision == recent.revision:
        return at.digest == recent.digest or UNEDITED in false_conditions
    return at.revision < recent.revision


def changed_since(revision: int, recent: RecentHistory) -> AbstractSet[str] | None:
    """Return the paths of all objects that changed after a revision; None if revisions are unknown."""
    since = range(revision + 1, recent.revision + 1)
    if any(number not in recent.missed for number in since):
        return None
    return frozenset().union(*(recent.missed[number].paths for number in since))


def _followable(number: int, missed: Mapping[int, UnappliedRevision]) -> str:
    """Return the time when nodes could first apply a revision, "" if unknown.

    A commit in parts can be applied after its last part.
    """
    if number not in missed:
        return ""
    while (following := missed.get(number + 1)) and 0 < missed[number].part == following.part - 1:
        number += 1
    return missed[number].time
