"""Reading the tree: all of it (a full read), or what changed since the last read (a delta read)."""

import logging
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from lunmapd.core.base.access import Role
from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.events import Event, FullRead
from lunmapd.core.base.lunmap import EMPTY_MAP, Lunmap
from lunmapd.core.history.changes import Head, Revision
from lunmapd.core.history.rollout import base_head, edited_objects
from lunmapd.core.history.spans import objects_at, span_of
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import (
    DamagedError,
    ForeignClusterError,
    RestoredError,
    UnsteadyError,
    WentBackError,
)
from lunmapd.store.session.session import FORBIDDEN, Forbidden, Session
from lunmapd.store.tree.checkpoint import newest_checkpoint
from lunmapd.store.tree.history import walk_revisions
from lunmapd.store.tree.snapshot import (
    ANY_VERSION,
    Meta,
    Raw,
    Snapshot,
    advance,
    assemble,
    find_edits,
    meta_of,
    sections_of,
)
from lunmapd.store.tree.znodes import (
    Top,
    check_recorded,
    decode_revisions,
    read_many,
    read_many_permitted,
    read_revisions,
    read_top,
    read_top_with,
    read_znodes,
    request_children,
    sync,
)
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

_ATTEMPTS = 5
MAX_DELTAS = 100
_MOST_EXPECTED = 32


def read_tree(session: Session, known: Lunmap = EMPTY_MAP, *, node: str = "") -> Snapshot:
    """Read the whole tree at one released revision; objects of `known` are reused (see `assemble`).

    `node` is the node that reads, "" for any other client. For a node, an object that it may not read counts
    as unreadable, and it follows the others; a client that commits or keeps a backup must know them all.
    During a rollout a node follows the revision that is meant for it.

    Raises the errors of `read_top`, NotPermittedError, and UnsteadyError.
    """
    return _read_at(session, lambda head: head, known, node=node)


def read_base(session: Session) -> Snapshot:
    """Read the whole tree as it was before a rollout that is not undone; without one this is `read_tree`.

    Raises as `read_tree` does.
    """
    return _read_at(session, base_head, EMPTY_MAP)


def read_object(session: Session, path: str) -> Snapshot | None:
    """Read one object of the map, such as `luns/db1`; the Snapshot has no other, so its digest is not head's.

    None if there is no such object, or if only a whole read shows how it is in the followed revision: while a
    large commit is under way, other clients commit, or a rollout that was undone is not written back. Raises
    the errors of `read_top`, NotPermittedError.
    """
    sync(session)
    top = read_top(session)
    (raw,) = read_znodes(session, (path,))
    if raw is None or top.head.tip != top.head.revision or read_top(session) != top:
        return None
    check_recorded(session, top.head)
    return assemble(top.meta, top.head, top.version, {path: raw})


def read_tip(session: Session) -> Snapshot:
    """Read the whole tree as if all parts of a large commit that is under way were released.

    Raises as `read_tree` does.
    """
    return _read_at(session, _as_released, EMPTY_MAP)


def _as_released(head: Head) -> Head:
    return replace(head, revision=head.staged.revision, digest=head.staged.digest) if head.staged else head


def _read_at(session: Session, choose: Callable[[Head], Head], known: Lunmap, *, node: str = "") -> Snapshot:
    sync(session)
    top = read_top(session, node)
    for _ in range(_ATTEMPTS):
        objects = _read_objects(session, top.meta.schema, partly=bool(node))
        before, top = top, read_top(session, node)
        chosen = top._replace(head=choose(top.head))
        snapshot = _snapshot_at(session, before, chosen, objects, known)
        if snapshot is None and top == before:
            raise DamagedError(session.path(paths.REVISIONS), "the record of a large commit is not complete")
        if snapshot is not None and (top == before or not snapshot.has_edits):
            check_recorded(session, top.head)
            return _with_edits(session, replace(snapshot, staged=top.head.staged))
    raise UnsteadyError(_ATTEMPTS)


def _read_objects(session: Session, schema: int, *, partly: bool) -> dict[str, Raw]:
    """Read every object by path; each object may be read before or after a commit that is made meanwhile."""
    sections = sections_of(schema)
    names = session.gather([request_children(session, section) for section in sections], sections)
    listed: list[str] = []
    for section, members in zip(sections, names, strict=True):
        if members is None:
            raise DamagedError(session.path(section), "it is missing, which is not the same as empty")
        listed += (f"{section}/{name}" for name in sorted(members))
    read = _read_permitted if partly else read_many
    return {path: raw for path, raw in zip(listed, read(session, listed), strict=True) if raw is not None}


def _read_permitted(session: Session, listed: Sequence[str]) -> list[Raw | None]:
    """Read znodes; one that the client may not read has the reason in place of its bytes."""
    raws = read_many_permitted(session, listed)
    who = session.not_permitted(listed[0], Role.READER).who if FORBIDDEN in raws else ()

    def readable(path: str, raw: Raw | Forbidden | None) -> Raw | None:
        if raw is not FORBIDDEN:
            return raw
        return Raw(b"", ANY_VERSION, str(NotPermittedError(session.path(path), who, Role.READER)))

    return [readable(path, raw) for path, raw in zip(listed, raws, strict=True)]


def _snapshot_at(
    session: Session, before: Top, chosen: Top, objects: dict[str, Raw], known: Lunmap
) -> Snapshot | None:
    """Return the objects as of the head of `chosen`; None if the revisions do not show how they were then.

    The objects were read while the newest revision, released or not, went from that of `before` to that of
    `chosen`. Objects that the revisions in between changed, and those that are not released, are taken from
    these revisions, but those that were edited out of band during a rollout that was undone.
    """
    if before.meta != chosen.meta:
        return None
    target = chosen.head.revision
    numbers = range(min(before.head.tip, target) + 1, max(chosen.head.tip, target) + 1)
    revisions = read_revisions(session, numbers)
    if len(revisions) < len(numbers):
        return None
    edited = _edited_since(revisions[-1], objects) if target > chosen.head.tip else ()
    for path, data in objects_at(target, revisions).items():
        if path in edited:
            continue
        objects.pop(path, None)
        if data is not None:
            objects[path] = Raw(data, ANY_VERSION)
    return assemble(chosen.meta, chosen.head, chosen.version, objects, known)


def _edited_since(undoing: Revision, objects: Mapping[str, Raw]) -> set[str]:
    """Return the paths of objects that were edited since a revision that is undone and not written back.

    An object that this client may not read is none of them.
    """
    readable = {path: raw.data for path, raw in objects.items()}
    edited = edited_objects(undoing, readable)
    return {path for path in edited if path not in objects or not objects[path].forbidden}


def _with_edits(session: Session, snapshot: Snapshot) -> Snapshot:
    if not snapshot.has_edits:
        return snapshot
    base = newest_checkpoint(session, snapshot.revision)
    newer = span_of(snapshot.revision, walk_revisions(session, snapshot.revision, base.revision + 1))
    return replace(snapshot, edited=find_edits(snapshot, newer, base))


def refresh(session: Session, known: Snapshot | None, *, node: str = "") -> Snapshot:
    """Read what is new since `known`, at the cost of the changes; `node` is as in `read_tree`.

    Nearly always that is nothing or the next revision, which is therefore requested together with head.

    Reads everything if the revisions do not lead to the newest map. Raises ForeignClusterError for another
    cluster, RestoredError for a tree that was restored since, and WentBackError for a tree that is older than
    `known` or has another history, besides the errors of `read_tree`. A caller that accepts a restored tree
    continues from None.
    """
    if known is None:
        return read_again(session, None, FullRead.NOTHING_KNOWN, node=node)
    return _refresh(session, known, node, 1, ())[0]


def refresh_for_commit(session: Session, known: Snapshot, expected: int = 1) -> tuple[Snapshot, int]:
    """Read as `refresh` does; return also the number of writers in the commit queue at that time.

    About as many new revisions as `expected` are requested together with head.
    """
    snapshot, (queue,) = _refresh(session, known, "", min(expected, _MOST_EXPECTED), (paths.QUEUE,))
    return snapshot, 0 if queue is None else queue.children


def _refresh(
    session: Session, known: Snapshot, node: str, expected: int, more: Sequence[str]
) -> tuple[Snapshot, Sequence[Raw | None]]:
    """Return the newest snapshot, and the znodes `more` as they were read together with head."""
    # Each part of a large commit changes head, and is as large as a transaction can be.
    count = 0 if known.has_edits or known.staged else expected
    guess = range(known.revision + 1, known.revision + 1 + count)
    top, found = _top_since(session, known, node, (*map(paths.revision, guess), *more))
    records = dict(zip(guess, found, strict=False))
    return _snapshot_since(session, known, top, records, node), found[len(guess) :]


def _snapshot_since(
    session: Session, known: Snapshot, top: Top, found: Mapping[int, Raw | None], node: str
) -> Snapshot:
    if top.head.revision == known.revision and (not known.has_edits or top.version == known.head_version):
        return _with_head(known, top)
    advanced = FullRead.OUT_OF_BAND if known.has_edits else _advance(session, known, top, found)
    if isinstance(advanced, FullRead):
        return read_again(session, known, advanced, node=node)
    return advanced


def read_again(
    session: Session, known: Snapshot | None, reason: FullRead = FullRead.DUE, *, node: str = ""
) -> Snapshot:
    """Read everything, though `known` may be the newest: this shows out-of-band edits.

    Raises as `refresh` does.
    """
    trace(_log, Event.READ_FULL, reason=reason)
    if known is None:
        return read_tree(session, node=node)
    # Before the read, since a frozen node would repeat it at each try; after it, for the head that was read.
    _check_past(session, known, _top_since(session, known, node)[0].head)
    snapshot = read_tree(session, known.lunmap, node=node)
    top = _top_of(snapshot)
    _check_lineage(known, top)
    _check_past(session, known, top.head)
    return snapshot


def _with_head(known: Snapshot, top: Top) -> Snapshot:
    """Return `known` with what head says besides its revision."""
    if top.version == known.head_version:
        trace(_log, Event.READ_NOTHING, revision=known.revision)
        return known
    trace(_log, Event.READ_HEAD, revision=known.revision)
    head = top.head
    return replace(
        known,
        head_version=top.version,
        confirmed=head.confirmed,
        staged=head.staged,
        allowance=head.allowance,
        ledger=head.ledger,
        rollout=head.rollout,
    )


def _top_since(
    session: Session, known: Snapshot, node: str, more: Sequence[str] = ()
) -> tuple[Top, list[Raw | None]]:
    """Return the top of the tree, and the znodes `more`."""
    top, found = read_top_with(session, node, more)
    if (top.meta.incarnation, top.head.revision) < (known.incarnation, known.revision):
        # A server that lags behind the leader shows an older tree to a new session.
        sync(session)
        top, found = read_top_with(session, node, more)
    _check_lineage(known, top)
    return top, found


def _top_of(snapshot: Snapshot) -> Top:
    head = Head(snapshot.revision, snapshot.head_digest, snapshot.confirmed)
    return Top(meta_of(snapshot), head, snapshot.head_version)


def _check_lineage(known: Snapshot, top: Top) -> None:
    meta, head = top.meta, top.head
    if meta.cluster != known.cluster:
        raise ForeignClusterError(known.cluster, meta.cluster)
    if meta.incarnation > known.incarnation:
        raise RestoredError(
            known.incarnation, meta.incarnation, head.revision, confirmed=_is_accepted(meta, head)
        )
    older = (meta.incarnation, head.revision) < (known.incarnation, known.revision)
    if older or (head.revision == known.revision and head.digest != known.head_digest):
        raise WentBackError(known.revision, head.revision)


def _check_past(session: Session, known: Snapshot, head: Head) -> None:
    """Check that the tree still has the revision of `known`, not another one of that number.

    Raises WentBackError. This finds a tree that went back and has new commits since. Where that revision was
    trimmed nothing can be proven, and the tree is followed: otherwise a node that was away for long could
    never follow it again.
    """
    if head.revision > known.revision:
        for revision in read_revisions(session, (known.revision,)):
            if revision.digest != known.head_digest:
                raise WentBackError(known.revision, revision.revision)


def _is_accepted(meta: Meta, head: Head) -> bool:
    """Return whether the tree was confirmed since it was restored; a restore leaves nothing confirmed."""
    return 0 < head.confirmed >= meta.restored


def _advance(
    session: Session, known: Snapshot, top: Top, found: Mapping[int, Raw | None]
) -> Snapshot | FullRead:
    """Return the newest snapshot at the cost of the changes, or the reason why everything must be read.

    `found` are the records of revisions that are read already.
    """
    missing = range(known.revision + 1, top.head.revision + 1)
    if len(missing) > MAX_DELTAS:
        return FullRead.MANY
    is_read = all(found.get(number) is not None for number in missing)
    revisions = (
        decode_revisions(missing, (found[number] for number in missing))
        if is_read
        else read_revisions(session, missing)
    )
    if len(revisions) < len(missing):
        return FullRead.REVISION_MISSING
    try:
        advanced = advance(known, top.head, top.version, revisions)
    except DocumentError:
        return FullRead.REVISION_UNFIT
    if advanced is None:
        return FullRead.REVISION_UNFIT
    trace(_log, Event.READ_DELTA, count=len(missing), since=known.revision, revision=top.head.revision)
    return advanced
