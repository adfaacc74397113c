"""Making an empty tree."""

import uuid

from kazoo.exceptions import NodeExistsError
from kazoo.security import ACL

from lunmapd.core.base.documents import encode
from lunmapd.core.base.permissions.access import Permission
from lunmapd.core.base.permissions.acl_entries import CREATOR
from lunmapd.core.base.permissions.principals import WORLD, Principal
from lunmapd.core.history.changes import Head
from lunmapd.core.history.digest import EMPTY_DIGEST, show_digest
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import SendFailure, submit
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import (
    AlreadyInitialisedError,
    DamagedError,
    LostError,
    NotInitialisedError,
    ServerRefusedError,
    UnreachableError,
)
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.acl import to_kazoo
from lunmapd.store.tree.snapshot import SCHEMA, Meta
from lunmapd.store.tree.znodes import read_top, read_znodes

_ATTEMPTS = 3


def initialise(session: Session, *, closed: bool = False) -> str:
    """Make the chroot and an empty tree at revision 0; return the uuid of the new cluster.

    For `closed` see `make_chroot`. Raises AlreadyInitialisedError, DamagedError if a part of a tree exists,
    and UnreachableError.
    """
    make_chroot(session, closed=closed)
    meta = Meta(SCHEMA, str(uuid.uuid4()))
    writes = (
        Write(paths.META, None, encode(meta)),
        Write(paths.tree_id(meta.cluster, meta.incarnation), None, b""),
        Write(paths.HEAD, None, encode(Head(0, show_digest(EMPTY_DIGEST), ledger=True))),
        *(Write(parent, None, b"") for parent in paths.PARENTS),
    )
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, writes)
        except LostError:
            continue
        return meta.cluster if failure is None else _initialised(session, meta, failure)
    raise UnreachableError(session.hosts, session.deadline)


def _initialised(session: Session, ours: Meta, failure: SendFailure) -> str:
    """Return the cluster if the existing tree was made by a lost attempt of this call.

    Raises AlreadyInitialisedError for another tree, and DamagedError for a part of one.
    """
    try:
        existing = read_top(session).meta
    except NotInitialisedError:
        raise DamagedError(failure.path, "it exists without meta or head") from None
    if existing == ours:
        return ours.cluster
    raise AlreadyInitialisedError(session.root, existing.cluster)


def make_chroot(session: Session, *, closed: bool = False) -> None:
    """Create the chroot and its missing ancestors.

    With `closed`, a chroot without a tree gets an ACL for the principals of this session only, and so does
    everything that is made in it. Raises UnknownIdentityError if this session is anonymous, and
    ServerRefusedError without permission to create a znode.
    """
    steps = session.root.strip("/").split("/")
    for depth in range(1, len(steps)):
        _make(session, "/" + "/".join(steps[:depth]), WORLD)
    created = _make(session, session.root, CREATOR if closed else WORLD)
    if closed and not created and read_znodes(session, (paths.META,)) == [None]:
        session.repeat(lambda client: client.set_acls_async(session.root, _all(CREATOR)))


def _make(session: Session, path: str, owner: Principal) -> bool:
    """Create a znode by its absolute path; return False if it exists."""
    try:
        session.repeat(lambda client: client.create_async(path, b"", acl=_all(owner)))
    except NodeExistsError:
        return False
    except NotPermittedError:
        raise ServerRefusedError(f"no permission to create {path}") from None
    return True


def _all(owner: Principal) -> list[ACL]:
    return to_kazoo({owner: Permission.ALL})
