"""Whether this node can't serve a group though its last pass shows nothing wrong: the kernel refuses it."""

from lunmapd.core.node.failure import Failure

UNABLE_AFTER = 3.0
"""For how many seconds an owner tries to serve a group before another node should own it."""

UNABLE_FOR = 10.0
"""After how many further seconds the node can own the group again."""


class Inability:
    """Follows the refusals of one group's TPG or addresses. Times are of CLOCK_BOOTTIME, in seconds."""

    def __init__(self) -> None:
        """Begin without a refusal."""
        self._since: float | None = None
        self._failure: Failure | None = None

    def refused(self, failure: Failure, now: float) -> None:
        """Take it that the kernel refused to enable the TPG, or to take the addresses."""
        self._since = now if self._since is None else self._since
        self._failure = failure

    def served(self) -> None:
        """Take it that the node serves the group."""
        self._since = self._failure = None

    def problem(self, now: float) -> Failure | None:
        """Return why another node should own the group, None if this one may try to serve it."""
        if self._since is None or now < self._since + UNABLE_AFTER:
            return None
        if now >= self._since + UNABLE_AFTER + UNABLE_FOR:
            self.served()
        return self._failure
