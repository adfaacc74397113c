"""How long to wait before the next attempt. Pure: `chance`, from 0 to 1, is drawn by the caller. Times are in seconds."""

_DOUBLINGS = 16  # more make no difference, but numbers too large to compute with


def rebuild_pause(failures: int, timeout: float, chance: float) -> float:
    """Wait for a second before a client is made anew, twice as long after each failure, about three session timeouts at most.

    A refused password is such a failure: many nodes that ask every second would keep the servers busy refusing.
    """
    return min(2.0 ** min(failures, _DOUBLINGS), 3 * timeout) * (0.5 + chance)
