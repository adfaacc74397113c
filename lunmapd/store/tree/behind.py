"""The revisions that nodes have not applied, as far as they are needed to tell how far these are behind, and in what."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.fleet.lag import UnappliedRevision, unapplied_revision
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import read_revisions

MAX_BEHIND = 256
"""Of a node that is further behind it is only told since when."""


def read_missed(
    session: Session,
    head: int,
    live: AbstractSet[int],
    dead: AbstractSet[int],
    known: Mapping[int, UnappliedRevision],
) -> Mapping[int, UnappliedRevision]:
    """Read what nodes miss that have applied these revisions, all older than `head`, as far as it is not `known`.

    The revision after each of them tells since when a node is behind; all since those of live nodes tell in what.
    """
    oldest = min((revision for revision in live if head - revision <= MAX_BEHIND), default=head)
    wanted = {revision + 1 for revision in live | dead} | set(range(oldest + 1, head + 1))
    found = {number: known[number] for number in known if number >= min(wanted, default=head + 1)}
    missing = wanted - found.keys()
    while missing:
        # Newest first, since reading ends at the first that is missing, and the oldest are those that are trimmed.
        revisions = read_revisions(session, sorted(missing, reverse=True))
        new = {revision.revision: unapplied_revision(revision) for revision in revisions}
        found |= new
        missing = (
            {number + 1 for number in new if _goes_on(number, found, wanted)} - found.keys() - {head + 1}
        )
    return found


def _goes_on(number: int, found: Mapping[int, UnappliedRevision], wanted: AbstractSet[int]) -> bool:
    """Tell whether the next revision may be a further part of the same commit, which says when nodes could follow it."""
    part = found[number].part
    return bool(part) and (number in wanted or part == found[number - 1].part + 1)
