"""The node as a member of its cluster: its ephemeral, and the status that it writes."""

import logging
import time
from collections.abc import Callable

from msgspec import structs

from lunmapd import __version__
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.base.events import Event
from lunmapd.core.fleet.status import Live, NodeStatus
from lunmapd.core.planning.impact import Logins
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_logins, register, write_status
from lunmapd.trace import trace

log = logging.getLogger(__name__)


class Registration:
    """One node's place in the tree."""

    def __init__(
        self,
        session: Session,
        node: str,
        identity: MachineId,
        since: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is written yet. `since` is when the daemon started, as RFC 3339; `now` a monotonic clock."""
        self._now = now
        self._due = float("-inf")
        self.node = node
        self.boot = identity.boot
        self._session = session
        self._live = Live(identity.machine, identity.boot, __version__, since)
        self._joined = False
        self._written: NodeStatus | None = None
        self._known_session: int | None = None

    def join(self) -> None:
        """Make sure that the node is seen to live. Raises StoreError, as NodeNameTakenError."""
        register(self._session, self.node, self._live, held=self._joined)
        self._joined = True

    def is_new_session(self) -> bool:
        """Tell whether there is another session with ZooKeeper than at the last time."""
        before, now = self._known_session, self._session.session_id
        self._known_session = before if now is None else now
        return self._known_session != before

    def logins(self) -> Logins:
        """Tell of each node that lives and is in order who is logged in there; of none when that can't be read."""
        try:
            return read_logins(self._session)
        except StoreError:
            return {}

    def report(self, status: NodeStatus) -> None:
        """Write the status, unless the last one written says the same and is younger than its beat. Raises StoreError."""
        same = self._written is not None and structs.replace(self._written, time=status.time) == status
        if same and self._now() < self._due:
            trace(log, Event.STATUS_UNCHANGED, seconds=self._due - self._now())
            return
        write_status(self._session, self.node, status)
        trace(log, Event.STATUS_WRITTEN, reason="the heartbeat is due" if same else "it changed")
        self._written, self._due = status, self._now() + status.beat
