"""Reading the revisions that nodes have not applied, from which the lag of each node is computed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.fleet.lag import UnappliedRevision, unapplied_revision
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import read_revisions

MAX_BEHIND = 256
"""A node that is further behind is reported only with the time since when it is."""


def read_missed(
    session: Session,
    head: int,
    live: AbstractSet[int],
    dead: AbstractSet[int],
    known: Mapping[int, UnappliedRevision],
) -> Mapping[int, UnappliedRevision]:
    """Read the revisions that nodes have not applied, by number; those in `known` are not read again.

    `live` and `dead` are the revisions, all older than `head`, that live and dead nodes have applied. The
    revision after each of them says since when a node is behind. For live nodes at most MAX_BEHIND revisions
    behind, all newer revisions are read, since they say what the node has not applied.
    """
    oldest = min((revision for revision in live if head - revision <= MAX_BEHIND), default=head)
    wanted = {revision + 1 for revision in live | dead} | set(range(oldest + 1, head + 1))
    read = {number: known[number] for number in known if number >= min(wanted, default=head + 1)}
    missing = wanted - read.keys()
    while missing:
        # Newest first: reading stops at the first missing revision, and the oldest ones are trimmed.
        revisions = read_revisions(session, sorted(missing, reverse=True))
        new = {revision.revision: unapplied_revision(revision) for revision in revisions}
        read |= new
        missing = {number + 1 for number in new if _goes_on(number, read, wanted)} - read.keys() - {head + 1}
    return read


def _goes_on(number: int, read: Mapping[int, UnappliedRevision], wanted: AbstractSet[int]) -> bool:
    """Return whether the next revision may be a further part of the same commit.

    Its last part says since when nodes could follow the commit.
    """
    part = read[number].part
    return bool(part) and (number in wanted or part == read[number - 1].part + 1)
