"""The single znodes of the tree: what all reading is made of."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from kazoo.client import KazooClient
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.history.changes import Head, Revision
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError, NewerSchemaError, NotInitialisedError
from lunmapd.store.session.session import WINDOW, KazooCall, Reply, Session
from lunmapd.store.tree.snapshot import MIN_SCHEMA, SCHEMA, Meta, Raw

_T = TypeVar("_T")


class Top(NamedTuple):
    """What stands at the top of the tree: meta, and head with its version."""

    meta: Meta
    head: Head
    version: int


def sync(session: Session) -> None:
    """Let the server that is asked catch up with the leader."""
    session.repeat(lambda client: client.sync_async(session.path(paths.HEAD)))


def read_znodes(session: Session, relative: Sequence[str]) -> list[Raw | None]:
    """Read many znodes at once; None stands for a missing one."""
    # What kazoo tells beside the data is more than the data, and not kept for longer than a window.
    windows = (relative[start : start + WINDOW] for start in range(0, len(relative), WINDOW))
    return [raw for window in windows for raw in _read_window(session, window)]


def _read_window(session: Session, window: Sequence[str]) -> list[Raw | None]:
    return [
        None if found is None else Raw(found[0] or b"", found[1].version)
        for found in session.gather([request_znode(session, path) for path in window], window)
    ]


def request_znode(session: Session, path: str) -> KazooCall[tuple[bytes | None, ZnodeStat]]:
    """Make the request that reads one znode of the tree."""

    def ask(client: KazooClient) -> Reply[tuple[bytes | None, ZnodeStat]]:
        return client.get_async(session.path(path))

    return ask


def read_top(session: Session) -> Top:
    """Read meta and head with head's version. Raises NotInitialisedError, NewerSchemaError, DamagedError."""
    meta_raw, head_raw = read_znodes(session, (paths.META, paths.HEAD))
    if meta_raw is None:
        raise NotInitialisedError(session.path(paths.META))
    meta = _decode(session, paths.META, meta_raw, Meta)
    if meta.schema > SCHEMA:
        raise NewerSchemaError(meta.schema, SCHEMA)
    if meta.schema < MIN_SCHEMA:
        raise DamagedError(session.path(paths.META), f"there never was a schema {meta.schema}")
    if head_raw is None:
        raise NotInitialisedError(session.path(paths.HEAD))
    return Top(meta, _decode(session, paths.HEAD, head_raw, Head), head_raw.version)


def _decode(session: Session, path: str, raw: Raw, kind: type[_T]) -> _T:
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        raise DamagedError(session.path(path), str(error)) from None


def read_revisions(session: Session, numbers: Iterable[int]) -> list[Revision]:
    """Read revisions in the order asked for, up to the first that is missing or can't be read."""
    wanted = tuple(numbers)
    found: list[Revision] = []
    for number, raw in zip(
        wanted, read_znodes(session, [paths.revision(number) for number in wanted]), strict=True
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


def list_children(session: Session, path: str) -> list[str] | None:
    """List the children of a znode; None when it is missing."""
    (found,) = session.gather([request_children(session, path)], (path,))
    return found


def request_children(session: Session, path: str) -> KazooCall[list[str]]:
    """Make the request for the children of a znode."""

    def ask(client: KazooClient) -> Reply[list[str]]:
        return client.get_children_async(session.path(path))

    return ask


def list_revisions(session: Session) -> list[int]:
    """List the numbers of all revisions that there are, in order. Raises NotInitialisedError when there is no tree."""
    names = list_children(session, paths.REVISIONS)
    if names is None:
        raise NotInitialisedError(session.path(paths.REVISIONS))
    return paths.numbers_in(names)


def read_newest(session: Session) -> int:
    """Read the number of the newest revision. Raises as `read_top` does."""
    sync(session)
    return read_top(session).head.revision
