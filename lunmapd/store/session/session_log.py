"""The debug log of a session: new, resumed, suspended or lost, each with its id and its server."""

import logging

from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState, KeeperState

from lunmapd.core.base.events import Event
from lunmapd.trace import trace

_log = logging.getLogger(__name__)
_REASONS = {
    KeeperState.AUTH_FAILED: "the login was refused",
    KeeperState.EXPIRED_SESSION: "it expired",
}


class SessionLog:
    """Logs the states of one client at level debug.

    The id is shown in hexadecimal, as ZooKeeper's own log shows it.
    """

    def __init__(self) -> None:
        """Start without a session."""
        self._session = "none"
        self._server = "no server"

    def changed(self, client: KazooClient, state: str, server: str) -> None:
        """Log a state of kazoo's; `server` is the one that is connected."""
        if state == KazooState.CONNECTED:
            before, self._session, self._server = self._session, _session_id(client), server
            event = Event.SESSION_RESUMED if before == self._session else Event.SESSION_NEW
            trace(_log, event, session=self._session, server=server)
        elif state == KazooState.SUSPENDED:
            trace(_log, Event.SESSION_SUSPENDED, session=self._session, server=self._server)
        else:
            reason = _REASONS.get(client.client_state, "it was closed")
            trace(_log, Event.SESSION_LOST, session=self._session, reason=reason)


def _session_id(client: KazooClient) -> str:
    """Return the id, and never the password that kazoo keeps with it."""
    return "none" if client.client_id is None else f"{client.client_id[0]:#x}"
