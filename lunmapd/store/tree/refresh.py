"""Reading what changed since the last read (a delta read), or everything if the changes do not suffice."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.event_reasons import FullRead
from lunmapd.core.base.events import Event
from lunmapd.core.base.permissions.access import AclEntries
from lunmapd.core.history.changes import Head, Revision, split_path
from lunmapd.core.history.map_change import ObjectName
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.lineage import check_lineage, check_past
from lunmapd.store.tree.permissions.acl import known_acl
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Raw, Snapshot, advance, meta_of, with_head
from lunmapd.store.tree.znodes import Top, decode_revisions, read_top_with, read_znodes, sync
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

MAX_DELTAS = 100
"""The revisions that a delta read reads at most: with more, a full read is cheaper."""
_MOST_EXPECTED = 32


class MapRead(NamedTuple):
    """A map that was read, and the objects that may differ from those of the map that was known before.

    None for the objects: any may differ, since everything was read. `owner` is the id of the session that the
    registration of the reading node belongs to, 0 if there is none or it was not read.
    """

    snapshot: Snapshot
    objects: frozenset[ObjectName] | None = None
    owner: int = 0


def refresh(session: Session, known: Snapshot | None, *, node: str = "") -> Snapshot:
    """Read as `read_newer` does; return the map alone."""
    return read_newer(session, known, node=node).snapshot


def read_newer(session: Session, known: Snapshot | None, *, node: str = "") -> MapRead:
    """Read what is new since `known`, at the cost of the changes; `node` is as in `read_tree`.

    Nearly always that is nothing or the next revision, which is therefore requested together with head.

    Reads everything if the revisions do not lead to the newest map. Raises ForeignClusterError for another
    cluster, RestoredError for a tree that was restored since, and WentBackError for a tree that is older than
    `known` or has another history, besides the errors of `read_tree`. A caller that accepts a restored tree
    continues from None.
    """
    if known is None:
        return read_again(session, None, FullRead.NOTHING_KNOWN, node=node)
    if not node:
        return _refresh(session, known, node, 1, ())[0]
    found, (live,) = _refresh(session, known, node, 1, (paths.live_of(node),))
    return found._replace(owner=0 if live is None else live.owner)


class CommitRead(NamedTuple):
    """The newest map, and the number of writers in the commit queue at that time.

    `acls` are those of `revisions` and `queue`, by path, as far as they are known and were still the same.
    """

    snapshot: Snapshot
    writers: int
    acls: Mapping[str, AclEntries]


def refresh_for_commit(session: Session, known: Snapshot, expected: int) -> CommitRead:
    """Read as `refresh` does, and what a commit needs besides.

    About as many new revisions as `expected` are requested together with head.
    """
    parents = (paths.REVISIONS, paths.QUEUE)
    read, found = _refresh(session, known, "", min(expected, _MOST_EXPECTED), parents)
    raws = {path: raw for path, raw in zip(parents, found, strict=True) if raw is not None}
    acls = {path: known_acl(session, path, raw.acl) for path, raw in raws.items()}
    writers = raws[paths.QUEUE].children if paths.QUEUE in raws else 0
    return CommitRead(read.snapshot, writers, {path: acl for path, acl in acls.items() if acl is not None})


def _refresh(
    session: Session, known: Snapshot, node: str, expected: int, more: Sequence[str]
) -> tuple[MapRead, Sequence[Raw | None]]:
    """Return the newest map, and the znodes `more` as they were read together with head."""
    # Each part of a large commit changes head, and is as large as a transaction can be.
    count = 0 if known.has_edits or known.staged else expected
    guess = range(known.revision + 1, known.revision + 1 + count)
    top, found = _top_since(session, known, node, (*map(paths.revision, guess), *more))
    records = dict(zip(guess, found, strict=False))
    return _map_since(session, known, top, records, node), found[len(guess) :]


def _map_since(
    session: Session, known: Snapshot, top: Top, found: Mapping[int, Raw | None], node: str
) -> MapRead:
    if top.head.revision == known.revision and (not known.has_edits or top.version == known.head_version):
        return MapRead(_with_newer_head(known, top), frozenset())
    advanced = FullRead.OUT_OF_BAND if known.has_edits else _advance(session, known, top, found)
    if isinstance(advanced, FullRead):
        return read_again(session, known, advanced, node=node)
    return advanced


def read_again(
    session: Session, known: Snapshot | None, reason: FullRead = FullRead.DUE, *, node: str = ""
) -> MapRead:
    """Read everything, though `known` may be the newest: this shows out-of-band edits.

    Raises as `refresh` does.
    """
    trace(_log, Event.READ_FULL, reason=reason)
    if known is None:
        return MapRead(read_tree(session, node=node))
    # Before the read, since a frozen node would repeat it at each try; after it, for the head that was read.
    check_past(session, known, _top_since(session, known, node)[0].head)
    snapshot = read_tree(session, known.lunmap, node=node)
    top = _top_of(snapshot)
    check_lineage(known, top)
    check_past(session, known, top.head)
    return MapRead(snapshot)


def _with_newer_head(known: Snapshot, top: Top) -> Snapshot:
    """Return `known` with all that the head of the same revision has now."""
    if top.version == known.head_version:
        trace(_log, Event.READ_NOTHING, revision=known.revision)
        return known
    trace(_log, Event.READ_HEAD, revision=known.revision)
    return with_head(known, top.head, top.version)


def _top_since(
    session: Session, known: Snapshot, node: str, more: Sequence[str] = ()
) -> tuple[Top, list[Raw | None]]:
    """Return the top of the tree, and the znodes `more`."""
    top, found = read_top_with(session, node, more)
    if (top.meta.incarnation, top.head.revision) < (known.incarnation, known.revision):
        # A server that lags behind the leader shows an older tree to a new session.
        sync(session)
        top, found = read_top_with(session, node, more)
    check_lineage(known, top)
    return top, found


def _top_of(snapshot: Snapshot) -> Top:
    head = Head(snapshot.revision, snapshot.head_digest, snapshot.confirmed)
    return Top(meta_of(snapshot), head, snapshot.head_version)


def _read_missing(
    session: Session, numbers: Sequence[int], found: Mapping[int, Raw | None]
) -> list[Revision]:
    """Return the revisions with these numbers, up to the first that is missing; read those not in `found`."""
    absent = [number for number in numbers if found.get(number) is None]
    more = zip(absent, read_znodes(session, [paths.revision(number) for number in absent]), strict=True)
    records = {**found, **dict(more)}
    return decode_revisions(numbers, (records[number] for number in numbers))


def _advance(
    session: Session, known: Snapshot, top: Top, found: Mapping[int, Raw | None]
) -> MapRead | FullRead:
    """Return the newest map at the cost of the changes, or the reason why everything must be read.

    `found` are the records of revisions that are read already.
    """
    missing = range(known.revision + 1, top.head.revision + 1)
    if len(missing) > MAX_DELTAS:
        return FullRead.MANY
    revisions = _read_missing(session, missing, found)
    if len(revisions) < len(missing):
        return FullRead.REVISION_MISSING
    try:
        advanced = advance(known, top.head, top.version, revisions)
    except DocumentError:
        return FullRead.REVISION_UNFIT
    if advanced is None:
        return FullRead.REVISION_UNFIT
    trace(_log, Event.READ_DELTA, count=len(missing), since=known.revision, revision=top.head.revision)
    changed = (change.path for revision in revisions for change in revision.changes)
    return MapRead(advanced, frozenset(map(split_path, changed)))
