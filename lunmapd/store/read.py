"""Reading the tree: everything at once, or what changed since the last look."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from kazoo.client import KazooClient
from kazoo.protocol.states import ZnodeStat
from msgspec.structs import replace

from lunmapd.core.changes import Head, Revision
from lunmapd.core.documents import DocumentError, decode
from lunmapd.store import paths
from lunmapd.store.errors import (
    DamagedError,
    ForeignClusterError,
    NewerSchemaError,
    NotInitialisedError,
    UnsteadyError,
    WentBackError,
)
from lunmapd.store.session import Answer, Ask, Session
from lunmapd.store.snapshot import (
    MIN_SCHEMA,
    SCHEMA,
    Meta,
    Raw,
    Snapshot,
    advance,
    assemble,
    edits,
    sections_of,
)

T = TypeVar("T")
_ATTEMPTS = 5
MAX_DELTAS = 100
MAX_HISTORY = 1000


def sync(session: Session) -> None:
    """Let the server that is asked catch up with the leader."""
    session.repeat(lambda client: client.sync_async(session.path(paths.HEAD)))


def fetch(session: Session, relative: Sequence[str]) -> list[Raw | None]:
    """Read many znodes at once; None stands for a missing one."""
    return [
        None if found is None else Raw(found[0] or b"", found[1].version)
        for found in session.gather([_get(session, path) for path in relative])
    ]


def _get(session: Session, path: str) -> Ask[tuple[bytes | None, ZnodeStat]]:
    def ask(client: KazooClient) -> Answer[tuple[bytes | None, ZnodeStat]]:
        return client.get_async(session.path(path))

    return ask


def read_top(session: Session) -> tuple[Meta, Head, int]:
    """Read meta and head with head's version. Raises NotInitialisedError, NewerSchemaError, DamagedError."""
    meta_raw, head_raw = fetch(session, (paths.META, paths.HEAD))
    if meta_raw is None:
        raise NotInitialisedError(session.path(paths.META))
    meta = _decode(session, paths.META, meta_raw, Meta)
    if meta.schema > SCHEMA:
        raise NewerSchemaError(meta.schema, SCHEMA)
    if meta.schema < MIN_SCHEMA:
        raise DamagedError(session.path(paths.META), f"there never was a schema {meta.schema}")
    if head_raw is None:
        raise NotInitialisedError(session.path(paths.HEAD))
    return meta, _decode(session, paths.HEAD, head_raw, Head), head_raw.version


def _decode(session: Session, path: str, raw: Raw, kind: type[T]) -> T:
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        raise DamagedError(session.path(path), str(error)) from None


def read_all(session: Session) -> Snapshot:
    """Read the whole tree as it was at one revision. Raises the errors of `read_top`, and UnsteadyError."""
    sync(session)
    top = read_top(session)
    for _ in range(_ATTEMPTS):
        objects = _read_objects(session, top[0].schema)
        before, top = top, read_top(session)
        if top == before and objects is not None:
            return _settled(session, top, objects)
    raise UnsteadyError(_ATTEMPTS)


def _read_objects(session: Session, schema: int) -> dict[str, Raw] | None:
    """Read every object; None when one vanished meanwhile."""
    sections = sections_of(schema)
    names = session.gather([_children(session, section) for section in sections])
    listed: list[str] = []
    for section, members in zip(sections, names, strict=True):
        if members is None:
            raise DamagedError(session.path(section), "it is missing, which is not the same as empty")
        listed += (f"{section}/{name}" for name in sorted(members))
    found = {path: raw for path, raw in zip(listed, fetch(session, listed), strict=True) if raw is not None}
    return found if len(found) == len(listed) else None


def _children(session: Session, path: str) -> Ask[list[str]]:
    def ask(client: KazooClient) -> Answer[list[str]]:
        return client.get_children_async(session.path(path))

    return ask


def _settled(session: Session, top: tuple[Meta, Head, int], objects: dict[str, Raw]) -> Snapshot:
    meta, head, version = top
    snapshot = assemble(meta, head, version, objects)
    if not snapshot.edited_around:
        return snapshot
    history = read_revisions(session, range(head.revision, max(0, head.revision - MAX_HISTORY), -1))
    return replace(snapshot, edited=edits(objects, history))


def read_revisions(session: Session, numbers: Iterable[int]) -> list[Revision]:
    """Read revisions in the order asked for, up to the first that is missing or can't be read."""
    wanted = tuple(numbers)
    found: list[Revision] = []
    for number, raw in zip(
        wanted, fetch(session, [paths.revision(number) for number in wanted]), strict=True
    ):
        revision = None if raw is None else _revision(raw)
        if revision is None or revision.revision != number:
            break
        found.append(revision)
    return found


def _revision(raw: Raw) -> Revision | None:
    try:
        return decode(raw.data, Revision)
    except DocumentError:
        return None


def refresh(session: Session, known: Snapshot | None) -> Snapshot:
    """Read what is new since `known`, at the cost of the changes; everything if that can't be done.

    Raises ForeignClusterError for another cluster and WentBackError for a tree that is older than `known` or has
    another history, besides the errors of `read_all`.
    """
    if known is None:
        return read_all(session)
    _, head, version = _top_since(session, known)
    same = head.revision == known.revision
    if same and version == known.head_version:
        return known
    advanced = None if same or known.edited_around else _advance(session, known, head, version)
    if advanced is not None:
        return advanced
    snapshot = read_all(session)
    _check(known, snapshot.cluster, Head(snapshot.revision, snapshot.head_digest))
    return snapshot


def _top_since(session: Session, known: Snapshot) -> tuple[Meta, Head, int]:
    top = read_top(session)
    if top[1].revision < known.revision:
        # A server that lags behind shows an older tree to a new session.
        sync(session)
        top = read_top(session)
    _check(known, top[0].cluster, top[1])
    return top


def _check(known: Snapshot, cluster: str, head: Head) -> None:
    if cluster != known.cluster:
        raise ForeignClusterError(known.cluster, cluster)
    if head.revision < known.revision or (
        head.revision == known.revision and head.digest != known.head_digest
    ):
        raise WentBackError(known.revision, head.revision)


def _advance(session: Session, known: Snapshot, head: Head, version: int) -> Snapshot | None:
    missing = range(known.revision + 1, head.revision + 1)
    if len(missing) > MAX_DELTAS:
        return None
    revisions = read_revisions(session, missing)
    if len(revisions) < len(missing):
        return None
    try:
        return advance(known, head, version, revisions)
    except DocumentError:
        return None
