"""When to connect again, and to which server. Pure: `now` (monotonic) and `chance` (0 to 1) are passed in.

All times are in seconds.
"""

from typing import Generic, TypeVar

_A = TypeVar("_A")

_DOUBLINGS = 16  # a limit, since 2.0**n overflows for a large n
_SHORTEST_DIAL = 1.0


def rebuild_pause(failures: int, timeout: float, chance: float) -> float:
    """Return the pause before a dead client is replaced.

    It is about 1 s, doubled by each failure, at most about 3 session timeouts. A refused password is such a
    failure: many nodes that retried every second would keep the servers busy.
    """
    return min(2.0 ** min(failures, _DOUBLINGS), 3 * timeout) * (0.5 + chance)


def reconnect_pause(early: int, timeout: float, chance: float) -> float:
    """Return a pause that spreads the clients of a lost server over a quarter of the session timeout.

    After several connections in a row that were lost `early`, within a session timeout, it spreads them over
    half of it.
    """
    return min(2.0 ** min(early, _DOUBLINGS) * timeout / 4, timeout / 2) * chance


def dial_timeout(timeout: float, servers: int) -> float:
    """Return how long to wait for one server, so that another one can be tried before the session expires.

    The client notices a silent server after two thirds of the session timeout (kazoo.protocol.connection).
    """
    return max(_SHORTEST_DIAL, timeout / (servers + 2))


class Losses(Generic[_A]):
    """State of the last connection that the next one depends on. `timeout` is the session timeout."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._last: _A | None = None
        self._made = self._heard = 0.0
        self._early = 0
        self._suspected = False
        self._avoided: _A | None = None

    def connected(self, address: _A, now: float) -> None:
        """Record that there is a session through the server at `address`."""
        self._last, self._made, self._heard, self._suspected = address, now, now, False

    def heard(self, now: float) -> None:
        """Record that the server sent something, or closed the connection."""
        self._heard, self._suspected = now, False

    def unanswered(self, sent: float) -> None:
        """Record that a request that was sent at `sent` got no answer within the time of its caller."""
        self._suspected = self._suspected or (self._last is not None and self._heard < sent)

    def silent(self, now: float) -> bool:
        """Return whether the server has been silent for so long that the connection must be lost."""
        is_long = self._last is not None and now - self._heard > self._timeout * 2 / 3
        return is_long or self._suspected

    def pause(self, now: float, chance: float) -> float:
        """Return the pause before an attempt to connect.

        Only the first attempt after a lost connection waits. It does not wait after a server's silence: other
        clients need not have lost that server, and the session has little time left.
        """
        last, self._last = self._last, None
        if last is None:
            return 0.0
        if self._suspected or now - self._heard > self._timeout / 4:
            self._avoided, self._suspected = last, False
            return 0.0
        self._early = self._early + 1 if now - self._made < self._timeout else 0
        return reconnect_pause(self._early, self._timeout, chance)

    def avoids(self, address: _A) -> bool:
        """Return, once, whether the server at `address` fell silent just now.

        The other servers are tried first then.
        """
        avoided = address == self._avoided
        if avoided:
            self._avoided = None
        return avoided
