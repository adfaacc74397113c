"""The znodes of a floating portal group, as the loop of the group uses them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.floating.documents import Report, Wish
from lunmapd.core.floating.lease import LeaseRecord
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import GroupState, WatchedGroup
from lunmapd.store.tree.own_group import appear, write_lease, write_report, write_wish


class GroupStore(Protocol):
    """The znodes of one group. Every method raises StoreError."""

    def read(self, nodes: Sequence[str]) -> GroupState:
        """Return the state of the group; `nodes` are the candidates."""

    def appear(self) -> None:
        """Let this node appear as a candidate, if it does not; do so after its report."""

    def reread(self) -> None:
        """Let the next read be of all znodes."""

    def write(self, record: LeaseRecord, version: int) -> int | None:
        """Write the record if it has this version; return the new one, None if another node was faster."""

    def report(self, report: Report) -> bool:
        """Write the report of this node; return whether there is a znode for it."""

    def end_wish(self) -> None:
        """End the wish of an admin."""


class StoredGroup:
    """The znodes of one group in the tree of a session."""

    def __init__(self, session: Session, group: GroupId, node: str, wake: Callable[[], None]) -> None:
        """Prepare; `wake` is called from another thread when something may have changed."""
        self._session, self._group, self._node = session, group, node
        self._watched = WatchedGroup(session, group, wake)
        self._appeared: int | None = None

    def read(self, nodes: Sequence[str]) -> GroupState:
        """Return the state of the group; `nodes` are the candidates."""
        with self._answered():
            return self._watched.read(nodes)

    def appear(self) -> None:
        """Let this node appear as a candidate in each new session; do so after its report."""
        session = self._session.session_id
        if session != self._appeared and appear(self._session, self._group, self._node):
            self._appeared = session

    def reread(self) -> None:
        """Let the next read be of all znodes."""
        self._watched.forget()

    def write(self, record: LeaseRecord, version: int) -> int | None:
        """Write the record if it has this version; return the new one, None if another node was faster."""
        with self._answered():
            return write_lease(self._session, self._group, record, version)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Leave a server that has sent nothing until the deadline of a request.

        Otherwise the connection is given up after two thirds of the session timeout, later than a lease ends.
        """
        sent = time.monotonic()
        try:
            yield
        except UnreachableError:
            if time.monotonic() >= sent + self._session.deadline:
                self._session.link.unanswered(sent)
            raise

    def report(self, report: Report) -> bool:
        """Write the report of this node; return whether there is a znode for it."""
        return write_report(self._session, self._group, self._node, report)

    def end_wish(self) -> None:
        """End the wish of an admin."""
        write_wish(self._session, self._group, Wish())
