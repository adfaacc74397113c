"""Reading single znodes of the tree: the primitives of all other reads."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import EXCEPTIONS
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.history.changes import Head, Revision
from lunmapd.core.history.rollout import followed_head
from lunmapd.store.session import multi_read, paths
from lunmapd.store.session.errors import DamagedError, NewerSchemaError, NotInitialisedError
from lunmapd.store.session.refusals import refused
from lunmapd.store.session.session import FORBIDDEN, WINDOW, Forbidden, KazooCall, Reply, Session
from lunmapd.store.tree.snapshot import MIN_SCHEMA, SCHEMA, Meta, Raw

_T = TypeVar("_T")
_ATTEMPTS = 5

_BATCH = 64
"""The number of znodes that one request reads."""
_BATCHES = WINDOW // _BATCH


class Top(NamedTuple):
    """The documents at the top of the tree: meta, and head with its znode version.

    During a rollout `head` is the one that the reader follows (core/history/rollout.py).
    """

    meta: Meta
    head: Head
    version: int


def sync(session: Session) -> None:
    """Make the server of this session catch up with the leader."""
    session.repeat(lambda client: client.sync_async(session.path(paths.HEAD)))


def read_znodes(session: Session, relative: Sequence[str]) -> list[Raw | None]:
    """Read many znodes at once, in the order of `relative`; None stands for a missing znode."""
    # The ZnodeStat of a reply is larger than most data: only those of one window are in memory at a time.
    windows = (relative[start : start + WINDOW] for start in range(0, len(relative), WINDOW))
    return [raw for window in windows for raw in _read_window(session, window)]


def _read_window(session: Session, window: Sequence[str]) -> list[Raw | None]:
    return [
        None if reply is None else Raw(reply[0] or b"", reply[1].version)
        for reply in session.gather([request_znode(session, path) for path in window], window)
    ]


def read_permitted(session: Session, relative: Sequence[str]) -> list[Raw | Forbidden | None]:
    """Read znodes as `read_znodes` does; FORBIDDEN stands for one whose ACL forbids it."""
    windows = (relative[start : start + WINDOW] for start in range(0, len(relative), WINDOW))
    return [raw for window in windows for raw in _read_permitted(session, window)]


def _read_permitted(session: Session, window: Sequence[str]) -> list[Raw | Forbidden | None]:
    return [
        reply if reply is None or reply is FORBIDDEN else Raw(reply[0] or b"", reply[1].version)
        for reply in session.gather_permitted([request_znode(session, path) for path in window])
    ]


def read_many(session: Session, relative: Sequence[str]) -> list[Raw | None]:
    """Read many znodes, several by one request, in the order of `relative`; None stands for a missing znode.

    The server copies the data of all znodes of a request. So revisions and chunks, which can be large, are
    read by `read_znodes`. Needs ZooKeeper 3.6.
    """
    found = read_many_permitted(session, relative)
    for path, raw in zip(relative, found, strict=True):
        if raw is FORBIDDEN:
            raise session.not_permitted(path, Role.READER)
    return [raw for raw in found if raw is not FORBIDDEN]


def read_many_permitted(session: Session, relative: Sequence[str]) -> list[Raw | Forbidden | None]:
    """Read znodes as `read_many` does; FORBIDDEN stands for one whose ACL forbids it."""
    batches = [relative[start : start + _BATCH] for start in range(0, len(relative), _BATCH)]
    windows = (batches[start : start + _BATCHES] for start in range(0, len(batches), _BATCHES))
    return [found for window in windows for found in _read_batches(session, window)]


def _read_batches(session: Session, batches: Sequence[Sequence[str]]) -> Iterator[Raw | Forbidden | None]:
    requests = [
        partial(multi_read.ask_many, paths=[session.path(path) for path in batch]) for batch in batches
    ]
    for batch, replies in zip(batches, session.repeat_all(requests), strict=True):
        for path, reply in zip(batch, replies, strict=True):
            yield _found(path, reply)


def _found(path: str, reply: multi_read.ZnodeRead) -> Raw | Forbidden | None:
    match reply.error:
        case 0:
            return Raw(reply.data, reply.version, children=reply.children, acl=reply.acl, owner=reply.owner)
        case multi_read.NO_NODE:
            return None
        case multi_read.NO_AUTH:
            return FORBIDDEN
        case code:
            raise refused(EXCEPTIONS[code](), path)


def request_znode(session: Session, path: str) -> KazooCall[tuple[bytes | None, ZnodeStat]]:
    """Return the request that reads one znode of the tree."""

    def ask(client: KazooClient) -> Reply[tuple[bytes | None, ZnodeStat]]:
        return client.get_async(session.path(path))

    return ask


def request_stat(session: Session, path: str) -> KazooCall[ZnodeStat | None]:
    """Return the request for the metadata of a znode; the reply is None if it is missing."""

    def ask(client: KazooClient) -> Reply[ZnodeStat | None]:
        return client.exists_async(session.path(path))

    return ask


def read_top(session: Session, node: str = "") -> Top:
    """Read meta and head, during a rollout as `node` follows it, "" for a reader that is no node.

    Raises NotInitialisedError, NewerSchemaError, DamagedError.
    """
    return read_top_with(session, node, ())[0]


def read_top_with(session: Session, node: str, more: Sequence[str]) -> tuple[Top, list[Raw | None]]:
    """Read as `read_top` does, and right after head some more znodes, in the same round trip.

    Raises as `read_top` does.
    """
    for _ in range(_ATTEMPTS):
        top, found = _read_documents(session, more)
        rollout = top.head.rollout
        if rollout is None:
            return top, found
        # After head: a child that is found now is one that the end of the rollout has not overtaken.
        znode = paths.rollout_of(top.meta.incarnation, rollout.revision)
        (stat,) = session.gather([request_stat(session, znode)], (znode,))
        if stat is not None:
            head = followed_head(top.head, node, stat.ctime / 1000, undone=stat.numChildren > 0)
            return top._replace(head=head), found
    raise DamagedError(session.path(znode), "it is missing, though head names it: create it, empty")


def _read_documents(session: Session, more: Sequence[str]) -> tuple[Top, list[Raw | None]]:
    meta_raw, head_raw, *found = read_many(session, (paths.META, paths.HEAD, *more))
    if meta_raw is None:
        raise NotInitialisedError(session.path(paths.META))
    meta = _decode(session, paths.META, meta_raw, Meta)
    if meta.schema > SCHEMA:
        raise NewerSchemaError(meta.schema, SCHEMA)
    if meta.schema < MIN_SCHEMA:
        raise DamagedError(session.path(paths.META), f"there never was a schema {meta.schema}")
    if head_raw is None:
        raise NotInitialisedError(session.path(paths.HEAD))
    return Top(meta, _decode(session, paths.HEAD, head_raw, Head), head_raw.version), found


def _decode(session: Session, path: str, raw: Raw, kind: type[_T]) -> _T:
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        raise DamagedError(session.path(path), str(error)) from None


def read_revisions(session: Session, numbers: Iterable[int]) -> list[Revision]:
    """Read revisions in the order of `numbers`; stop at the first that is missing or can't be decoded."""
    ordered = tuple(numbers)
    return decode_revisions(ordered, read_znodes(session, [paths.revision(number) for number in ordered]))


def decode_revisions(numbers: Iterable[int], raws: Iterable[Raw | None]) -> list[Revision]:
    """Return the revisions with these numbers, as far as they are there and can be decoded."""
    revisions: list[Revision] = []
    for number, raw in zip(numbers, raws, strict=True):
        revision = None if raw is None else _revision(raw)
        if revision is None or revision.revision != number:
            break
        revisions.append(revision)
    return revisions


def _revision(raw: Raw) -> Revision | None:
    try:
        return decode(raw.data, Revision)
    except DocumentError:
        return None


def list_children(session: Session, path: str) -> list[str] | None:
    """Return the names of the children of a znode, in no order; None if the znode is missing."""
    (names,) = session.gather([request_children(session, path)], (path,))
    return names


def request_children(session: Session, path: str) -> KazooCall[list[str]]:
    """Return the request for the names of the children of a znode."""

    def ask(client: KazooClient) -> Reply[list[str]]:
        return client.get_children_async(session.path(path))

    return ask


def list_revisions(session: Session) -> list[int]:
    """Return the numbers of all revisions, in order. Raises NotInitialisedError if there is no tree."""
    names = list_children(session, paths.REVISIONS)
    if names is None:
        raise NotInitialisedError(session.path(paths.REVISIONS))
    return paths.numbers_in(names)


def check_recorded(session: Session, head: Head) -> None:
    """Check that the revision of head is recorded with the digest of head. Raises DamagedError.

    A commit writes both in one transaction. A head that was set by other means may name a revision that no
    commit made. A node that followed it could not follow the right one afterwards.
    """
    if head.revision == 0:
        return
    recorded = read_revisions(session, (head.revision,))
    if not recorded or recorded[0].digest != head.digest:
        raise DamagedError(
            session.path(paths.HEAD),
            f"it names revision {head.revision}, which is not recorded with its digest: set head to the "
            "newest recorded revision",
        )


def read_newest(session: Session) -> int:
    """Read the number of the newest revision. Raises as `read_top` and `check_recorded` do."""
    sync(session)
    head = read_top(session).head
    check_recorded(session, head)
    return head.revision
