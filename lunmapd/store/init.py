"""Making an empty tree."""

import uuid

from lunmapd.core import digest as digests
from lunmapd.core.changes import Head
from lunmapd.core.documents import encode
from lunmapd.store import paths
from lunmapd.store.draft import Write
from lunmapd.store.errors import (
    AlreadyInitialisedError,
    DamagedError,
    LostError,
    NotInitialisedError,
    UnreachableError,
)
from lunmapd.store.send import Failure, submit
from lunmapd.store.session import Session, make
from lunmapd.store.snapshot import SCHEMA, Meta
from lunmapd.store.top import read_top

_ATTEMPTS = 3


def initialise(session: Session) -> str:
    """Make the chroot and an empty tree at revision 0; returns the uuid of the new cluster.

    Raises AlreadyInitialisedError, or DamagedError when a part of a tree is there.
    """
    make_chroot(session)
    meta = Meta(SCHEMA, str(uuid.uuid4()))
    writes = (
        Write(paths.META, None, encode(meta)),
        Write(paths.identity(meta.cluster, meta.incarnation), None, b""),
        Write(paths.HEAD, None, encode(Head(0, digests.show(digests.EMPTY)))),
        *(Write(parent, None, b"") for parent in paths.PARENTS),
    )
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, writes)
        except LostError:
            continue
        return meta.cluster if failure is None else _initialised(session, meta, failure)
    raise UnreachableError(session.hosts, session.deadline)


def _initialised(session: Session, ours: Meta, failure: Failure) -> str:
    """Tell why the tree could not be made: it's that of a lost attempt of our own, another's, or half a tree."""
    try:
        found = read_top(session).meta
    except NotInitialisedError:
        raise DamagedError(failure.path, "it exists without meta or head") from None
    if found == ours:
        return ours.cluster
    raise AlreadyInitialisedError(session.root, found.cluster)


def make_chroot(session: Session) -> None:
    """Make the chroot and what is above it, where they are missing."""
    steps = session.root.strip("/").split("/")
    for depth in range(1, len(steps) + 1):
        make(session, "/" + "/".join(steps[:depth]))
