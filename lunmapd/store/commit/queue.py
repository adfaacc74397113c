"""The commit queue: writers that met another commit make theirs one after the other, in their order.

The queue only orders writers: head's version still decides which commit is made. So a client that does not
know the queue, or a writer that was passed over, does no harm.
"""

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import WatchedEvent

from lunmapd.core.base.permissions.access import AclEntries
from lunmapd.core.base.permissions.acl_entries import inherit
from lunmapd.core.base.permissions.principals import Role
from lunmapd.store.commit.commit_errors import NestedCommitError
from lunmapd.store.commit.draft import Write
from lunmapd.store.session import paths
from lunmapd.store.session.session import FORBIDDEN, KazooCall, Reply, Session
from lunmapd.store.tree.permissions.acl import to_kazoo
from lunmapd.store.tree.permissions.roles import NO_ACLS, create_znode, read_parent_acls
from lunmapd.store.tree.znodes import list_children

LONGEST_TURN = 30.0
"""The seconds for which the first writer of the queue may let the others wait."""
_MEANWHILE = 3
"""The revisions that may be made while a writer enters the queue, and its own."""
_SEQUENCE = 10  # digits that ZooKeeper appends to the name of a sequential znode


class CommitQueue:
    """The place of one writer in the queue; use it as a context manager, whose end leaves the queue.

    The place is an ephemeral sequential znode, so it ends with the session of its writer. Each writer watches
    the one before it (ZooKeeper Recipes and Solutions, "Locks").

    `has_turn` is whether no other writer was before this one when it last waited, `expected` the number of
    revisions that are new to it then.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._mark = uuid.uuid4().hex
        self._place = ""
        self._unanswered = 0
        self.has_turn = False
        self.expected = 1

    def __enter__(self) -> Self:
        """Begin a commit. Raises NestedCommitError if this thread makes one with this session already."""
        if threading.get_ident() in self._session.committing:
            raise NestedCommitError
        self._session.committing.add(threading.get_ident())
        return self

    def __exit__(self, *_: object) -> None:
        self._session.committing.remove(threading.get_ident())
        if self._unanswered:
            self._session.finish(self._delete_places)
        elif self._place:
            self._session.finish(_delete(self._session.path(self._place)))

    def wait(self, acls: Mapping[str, AclEntries] = NO_ACLS) -> None:
        """Enter the queue if this writer is not in it; return when no other writer is before it.

        The ACL of the queue is read unless it is in `acls`, by path. A writer that is the first for
        LONGEST_TURN is passed over: its place is deleted. Raises the errors of `Session.repeat`, and
        NotInitialisedError if there is no tree any more.
        """
        self.has_turn = False
        before = self._before() if self._place else self._enter(acls)
        first, until = "", 0.0
        while before != []:
            if before is None:
                before = self._enter(NO_ACLS)
                continue
            if before[0] != first:
                first, until = before[0], time.monotonic() + LONGEST_TURN
            if time.monotonic() >= until:
                self._delete(first)
            elif self._wait_for_end(before[-1], until):
                # Nearly always it was the first. Otherwise this writer may overtake another one.
                break
            before = self._before()
        self.has_turn = True

    def leaving(self) -> tuple[Write, ...]:
        """Return the write that ends the place, for the transaction of the commit."""
        return (Write(self._place, b"", None),) if self._place else ()

    def left(self) -> None:
        """Take note that the transaction was made."""
        self._place = ""

    def _before(self) -> list[str] | None:
        """Return the names of the places before this one, in their order; None if this one is gone."""
        names = sorted(list_children(self._session, paths.QUEUE) or (), key=_order)
        own = next((name for name in names if name.startswith(self._mark)), None)
        if own is None:
            return None
        self._place = f"{paths.QUEUE}/{own}"
        before = names[: names.index(own)]
        self.expected = max(self.expected, len(before) + _MEANWHILE)
        return before

    def _enter(self, acls: Mapping[str, AclEntries]) -> list[str] | None:
        """Make a place, and return those before it; None if there is no place, as without a connection."""
        parent = acls if paths.QUEUE in acls else read_parent_acls(self._session, (paths.QUEUE,))
        if paths.QUEUE not in parent:
            create_znode(self._session, paths.QUEUE)
            return None
        acl = to_kazoo(inherit(parent[paths.QUEUE]))
        path = self._session.path(f"{paths.QUEUE}/{self._mark}-")
        self._unanswered += 1
        made = self._session.begin(
            lambda client: client.create_async(path, b"", acl=acl, ephemeral=True, sequence=True)
        )
        # The requests of a session are done in their order: the listing has the place, unless it is missing.
        before, reply = self._before(), made()
        if reply is FORBIDDEN:
            raise self._session.not_permitted(paths.QUEUE, Role.ADMIN)
        if reply is not None:
            self._unanswered -= 1
        return before

    def _delete_places(self, client: KazooClient) -> Reply[list[str]]:
        """Request the deletion of all places of this writer, one of which may be made late.

        A creation without an answer may be done all the same, and a server that lags behind does not list it.
        """
        parent = self._session.path(paths.QUEUE)

        def delete(reply: Reply[list[str]]) -> None:
            names = [] if reply.exception else reply.get()
            for name in names:
                if name.startswith(self._mark):
                    self._session.finish(_delete(f"{parent}/{name}"))

        client.sync_async(parent)
        listed = client.get_children_async(parent)
        listed.rawlink(delete)
        return listed

    def _delete(self, name: str) -> None:
        with suppress(NoNodeError):
            self._session.repeat(_delete(self._session.path(f"{paths.QUEUE}/{name}")), paths.QUEUE)

    def _wait_for_end(self, name: str, until: float) -> bool:
        """Return whether the place ends before `until` on the monotonic clock, or its watch."""
        ended = threading.Event()

        def wake(_: WatchedEvent) -> None:
            ended.set()

        path = self._session.path(f"{paths.QUEUE}/{name}")
        try:
            # Not exists(): on a missing znode it would leave a watch behind.
            self._session.repeat(lambda client: client.get_async(path, watch=wake), paths.QUEUE)
        except NoNodeError:
            return True
        return ended.wait(max(0.0, until - time.monotonic()))


def _order(name: str) -> int:
    digits = name[-_SEQUENCE:]
    return int(digits) if digits.isdecimal() else 0


def _delete(path: str) -> KazooCall[object]:
    def ask(client: KazooClient) -> Reply[object]:
        return client.delete_async(path)

    return ask
