"""When and where to try again. No clock and no dice: `now` (monotonic) and `chance` (0 to 1) are passed in. Times are in seconds."""

from typing import Generic, TypeVar

_A = TypeVar("_A")

_DOUBLINGS = 16  # more make no difference, but numbers too large to compute with
_SHORTEST_DIAL = 1.0


def rebuild_pause(failures: int, timeout: float, chance: float) -> float:
    """Wait for a second before a client is made anew, twice as long after each failure, about three session timeouts at most.

    A refused password is such a failure: many nodes that ask every second would keep the servers busy refusing.
    """
    return min(2.0 ** min(failures, _DOUBLINGS), 3 * timeout) * (0.5 + chance)


def reconnect_pause(early: int, timeout: float, chance: float) -> float:
    """Spread the clients of a server that went away over a quarter of the session timeout.

    Over half of it when connections were lost `early`, within a session timeout, several times in a row.
    """
    return min(2.0 ** min(early, _DOUBLINGS) * timeout / 4, timeout / 2) * chance


def dial_timeout(timeout: float, servers: int) -> float:
    """Give up a server that doesn't answer early enough to try another before the session expires.

    A server's silence is noticed after two thirds of the session timeout (kazoo.protocol.connection).
    """
    return max(_SHORTEST_DIAL, timeout / (servers + 2))


class Losses(Generic[_A]):
    """What is remembered of the last connection, for the next one. A is an address, `timeout` the session timeout."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._last: _A | None = None
        self._made = self._heard = 0.0
        self._early = 0
        self._avoided: _A | None = None

    def connected(self, address: _A, now: float) -> None:
        """Note that there is a session through a server."""
        self._last, self._made, self._heard = address, now, now

    def heard(self, now: float) -> None:
        """Note that the server said something, if only goodbye."""
        self._heard = now

    def silent(self, now: float) -> bool:
        """Tell whether the server has said nothing for so long that it must be lost."""
        return self._last is not None and now - self._heard > self._timeout * 2 / 3

    def pause(self, now: float, chance: float) -> float:
        """Return how long to wait before an attempt to connect: after a loss, only before the first one.

        Not after a server's silence: nobody else need have lost it, and the session has little time left.
        """
        last, self._last = self._last, None
        if last is None:
            return 0.0
        if now - self._heard > self._timeout / 4:
            self._avoided = last
            return 0.0
        self._early = self._early + 1 if now - self._made < self._timeout else 0
        return reconnect_pause(self._early, self._timeout, chance)

    def avoids(self, address: _A) -> bool:
        """Tell, once, that a server fell silent just now, so that the others are tried first."""
        avoided = address == self._avoided
        if avoided:
            self._avoided = None
        return avoided
