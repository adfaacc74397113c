"""How far a node is behind the map, as far as that follows from what it last said and from the revisions since."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import STORE, UNEDITED, HistoryPoint, NodeStatus
from lunmapd.core.history.changes import Revision

# The node has looked at the tree, and does not follow it.
_OTHER_HISTORY = {Reason.FOREIGN_CLUSTER, Reason.WENT_BACK, Reason.RESTORED}


class UnappliedRevision(Struct, frozen=True):
    """What is kept of a revision that a node has not applied: when it was committed, and what it changed.

    `part` is that of the revision.
    """

    time: str
    paths: AbstractSet[str]
    part: int = 0


class RecentHistory(Struct, frozen=True):
    """The newest revision of a cluster's map and its digest, and of those up to it the ones that were read because a node lacks them."""

    cluster: str
    revision: int
    digest: str
    missed: Mapping[int, UnappliedRevision] = {}


class Lag(Struct, frozen=True):
    """By how many revisions a node is behind, and since when; `since` is "" where the history does not tell.

    That is when nodes could first follow the oldest of them, by the clock of who committed it.
    """

    revisions: int
    since: str = ""


def unapplied_revision(revision: Revision) -> UnappliedRevision:
    """Keep what is needed of a revision."""
    return UnappliedRevision(
        revision.time, frozenset(change.path for change in revision.changes), revision.part
    )


def compute_lag(status: NodeStatus | None, recent: RecentHistory) -> Lag | None:
    """Tell how far a node is behind; None where that can't be told, since it has applied nothing of this history."""
    applied = None if status is None else status.applied
    if status is None or applied is None or not is_in_history(status, applied, recent):
        return None
    behind = recent.revision - applied.revision
    return Lag(behind, _followable(applied.revision + 1, recent.missed)) if behind else Lag(0)


def is_in_history(status: NodeStatus, at: HistoryPoint, recent: RecentHistory) -> bool:
    """Tell whether a point that a node names is one of this history, as far as can be told.

    Of the newest revision the digest tells, unless the node saw edits around the tools: what it read is as no revision has it.
    """
    false_conditions = status.false_conditions
    if at.cluster != recent.cluster or false_conditions.get(STORE) in _OTHER_HISTORY:
        return False
    if at.revision == recent.revision:
        return at.digest == recent.digest or UNEDITED in false_conditions
    return at.revision < recent.revision


def changed_since(revision: int, recent: RecentHistory) -> AbstractSet[str] | None:
    """Return the paths of all objects that were changed after a revision; None when the history does not tell."""
    since = range(revision + 1, recent.revision + 1)
    if any(number not in recent.missed for number in since):
        return None
    return frozenset().union(*(recent.missed[number].paths for number in since))


def _followable(number: int, known: Mapping[int, UnappliedRevision]) -> str:
    """Return when nodes could first follow a revision: of a commit in parts they see all with the last one."""
    if number not in known:
        return ""
    while (following := known.get(number + 1)) and 0 < known[number].part == following.part - 1:
        number += 1
    return known[number].time
