"""The node in the tree: its registration in live/, and the status that it writes."""

import logging
import time
from collections.abc import Callable

from msgspec import structs

from lunmapd import __version__
from lunmapd.agent.loop.backing_reporter import BackingReporter
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.base.events import Event
from lunmapd.core.fleet.status import Live, NodeStatus
from lunmapd.core.planning.impact import Logins
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.backings import write_chunk
from lunmapd.store.tree.members import is_registered, read_logins, register, write_status
from lunmapd.trace import trace

_log = logging.getLogger(__name__)


class Registration:
    """Registers one node and writes its status."""

    def __init__(
        self,
        session: Session,
        node: str,
        ids: MachineId,
        since: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is written yet.

        `since` is when the daemon started, in RFC 3339; `now` is a monotonic clock, in seconds.
        """
        self._now = now
        self._due = float("-inf")
        self.node = node
        self.boot = ids.boot
        self._session = session
        self._live = Live(ids.machine, ids.boot, __version__, since)
        self._registered = False
        self._written: NodeStatus | None = None
        self._last_session: int | None = None

    def register(self) -> None:
        """Make sure that the node is registered by this session. Raises StoreError, as NodeNameTakenError."""
        register(self._session, self.node, self._live, held=self._registered)
        self._registered = True

    @property
    def is_made(self) -> bool:
        """Whether this daemon has registered the node, by this session or an earlier one."""
        return self._registered

    def is_held_by(self, owner: int) -> bool:
        """Return whether this session is the owner that the registration was just read with.

        For the owner 0, it is read again. If the registration is not held, `register` must be called. Raises
        StoreError.
        """
        if owner:
            return owner == self._session.session_id
        return is_registered(self._session, self.node)

    def is_new_session(self) -> bool:
        """Return whether the session with ZooKeeper is another one than at the last call."""
        before, now = self._last_session, self._session.session_id
        self._last_session = before if now is None else now
        return self._last_session != before

    def logins(self) -> Logins:
        """Return the logins at each node that is alive and healthy, by node; {} when they can't be read."""
        try:
            return read_logins(self._session)
        except StoreError:
            return {}

    def report_backings(self, reporter: BackingReporter) -> bool:
        """Write the chunks that the tree lacks; return whether there were any. Raises StoreError."""
        written = False
        for name, data in list(reporter.pending.items()):
            write_chunk(self._session, self.node, name, data)
            del reporter.pending[name]
            written = True
        return written

    def report(self, status: NodeStatus) -> None:
        """Write the status if it differs from the last one, or if its heartbeat is due. Raises StoreError."""
        same = self._written is not None and structs.replace(self._written, time=status.time) == status
        if same and self._now() < self._due:
            trace(_log, Event.STATUS_UNCHANGED, seconds=self._due - self._now())
            return
        write_status(self._session, self.node, status)
        trace(_log, Event.STATUS_WRITTEN, reason="the heartbeat is due" if same else "it changed")
        self._written, self._due = status, self._now() + status.beat
