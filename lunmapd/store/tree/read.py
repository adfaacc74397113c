"""Reading the whole tree at one revision (a full read), or one object; refresh.py reads the changes since."""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, Lunmap
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.history.changes import Head, Revision
from lunmapd.core.history.rollout import base_head, edited_objects
from lunmapd.core.history.spans import objects_at, span_of
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import DamagedError, UnsteadyError
from lunmapd.store.session.session import FORBIDDEN, Forbidden, Session
from lunmapd.store.tree.checkpoint import newest_checkpoint
from lunmapd.store.tree.history import walk_revisions
from lunmapd.store.tree.snapshot import ANY_VERSION, Raw, Snapshot, assemble, find_edits, sections_of
from lunmapd.store.tree.znodes import (
    Top,
    check_recorded,
    read_many,
    read_many_permitted,
    read_revisions,
    read_top,
    read_znodes,
    request_children,
    sync,
)

_ATTEMPTS = 5


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
