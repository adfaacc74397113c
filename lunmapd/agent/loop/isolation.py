"""How long the node has been without contact to ZooKeeper, and which TPGs it may enable meanwhile."""

import time
from collections.abc import Callable

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import OFFERED, ConditionUpdate, false_condition, true_condition
from lunmapd.core.planning.enablement import Enablement
from lunmapd.store.session.errors import NoAccessError, StoreError


def choose_enablement(
    limit: float | None, silent_since: float | None, now: float, *, met: bool
) -> Enablement:
    """Return which TPGs may be enabled at `now`.

    `limit` is the setting isolation.after, `silent_since` when contact was lost (None: it was not), `met`
    whether there has been contact since the daemon started.
    """
    if limit is None or silent_since is None:
        return Enablement.ALL
    if now - silent_since >= limit:
        return Enablement.NONE
    return Enablement.ALL if met else Enablement.KEPT


class ContactTimer:
    """Measures the time without contact, from the start of the first read that got no answer.

    An answer without a usable map counts as contact. A refused authentication does not: a node that may not
    read the map knows as little of it as one that reaches no server.
    """

    def __init__(self, isolate_after: float | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Measure from now, since the time without contact before the start is not known.

        The node is isolated after `isolate_after` seconds, None for never. `now` is a monotonic clock.
        """
        self._limit = isolate_after
        self._now = now
        self._read_at = self._silent_since = now()
        self._silent = True
        self.met = False

    @property
    def silent_since(self) -> float | None:
        """When the silence began, by the clock; None while there is contact."""
        return self._silent_since if self._silent else None

    def read_begins(self) -> None:
        """Record that a read begins."""
        self._read_at = self._now()

    def read_ended(self, error: StoreError | None) -> None:
        """Record how the read ended: `error` is None for a map."""
        if not isinstance(error, NoAccessError):
            self._silent, self.met = False, True
        elif not self._silent:
            self._silent, self._silent_since = True, self._read_at

    def enablement(self) -> Enablement:
        """Return which TPGs the node may enable.

        Before this daemon's first contact they are those that are enabled now: the node may have been
        isolated before the daemon started.
        """
        return choose_enablement(self._limit, self.silent_since, self._now(), met=self.met)

    def until_isolated(self) -> float:
        """Return the seconds until isolation without contact; infinity if it is isolated or never will be."""
        if self._limit is None or not self._silent or self.enablement() is Enablement.NONE:
            return float("inf")
        return max(0.0, self._silent_since + self._limit - self._now())

    def conditions(self, enablement: Enablement) -> tuple[ConditionUpdate, ...]:
        """Return the condition PathsOffered; none if `isolation` is not set."""
        if self._limit is None:
            return ()
        match enablement:
            case Enablement.ALL:
                return (true_condition(OFFERED, Reason.OFFERED, "TPGs are enabled as in the map"),)
            case Enablement.KEPT:
                text = (
                    "no further TPG is enabled until ZooKeeper answers for the first time since the daemon "
                    "started"
                )
                return (false_condition(OFFERED, Reason.NO_CONTACT_YET, text),)
            case Enablement.NONE:
                text = (
                    f"no contact to ZooKeeper for {self._limit:g} s: TPGs are disabled, so that initiators "
                    "use other nodes"
                )
                return (false_condition(OFFERED, Reason.ISOLATED, text),)
