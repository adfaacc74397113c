"""How long ZooKeeper has been silent, and what the node may offer meanwhile."""

import time
from collections.abc import Callable

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import OFFERED, ConditionUpdate, false_condition, true_condition
from lunmapd.core.planning.enablement import Offer
from lunmapd.store.session.errors import NoAccessError, StoreError


def choose_enablement(limit: float | None, silent_since: float | None, now: float, *, met: bool) -> Offer:
    """Return which TPGs may be enabled at `now`.

    `limit` is the setting isolation.after, `silent_since` when contact was lost (None: it was not), `met`
    whether there has been contact since the daemon started.
    """
    if limit is None or silent_since is None:
        return Offer.ALL
    if now - silent_since >= limit:
        return Offer.NONE
    return Offer.ALL if met else Offer.KEPT


class ContactTimer:
    """Counts from the start of the first look that heard nothing of the tree; an answer that is no map counts as one.

    Being refused does not: a node that may not read the map knows as little of it as one that reaches nobody.

    `isolate_after` is in seconds, None for never. `now` is a monotonic clock.
    """

    def __init__(self, isolate_after: float | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Count from now, since nobody knows what was before."""
        self._limit = isolate_after
        self._now = now
        self._asked = self._silent_since = now()
        self._silent = True
        self.met = False

    @property
    def silent_since(self) -> float | None:
        """When the silence began, by the clock; None while there is contact."""
        return self._silent_since if self._silent else None

    def ask(self) -> None:
        """Note that a look begins."""
        self._asked = self._now()

    def answered(self, error: StoreError | None) -> None:
        """Note how the look ended."""
        if not isinstance(error, NoAccessError):
            self._silent, self.met = False, True
        elif not self._silent:
            self._silent, self._silent_since = True, self._asked

    def offer(self) -> Offer:
        """Return what the node may offer.

        Before the first answer of this run nothing new is opened: how long the node was alone before, nobody knows.
        """
        return choose_enablement(self._limit, self.silent_since, self._now(), met=self.met)

    def until_isolated(self) -> float:
        """Return the seconds until the node is isolated if nothing answers; infinity if it is, or never will be."""
        if self._limit is None or not self._silent or self.offer() is Offer.NONE:
            return float("inf")
        return max(0.0, self._silent_since + self._limit - self._now())

    def verdicts(self, offer: Offer) -> tuple[ConditionUpdate, ...]:
        """Say what the offer means; nothing where isolation isn't set."""
        if self._limit is None:
            return ()
        match offer:
            case Offer.ALL:
                return (true_condition(OFFERED, Reason.OFFERED, "TPGs are enabled as the map says"),)
            case Offer.KEPT:
                text = "no TPG is enabled that wasn't before ZooKeeper has answered for the first time since the daemon started"
                return (false_condition(OFFERED, Reason.NO_CONTACT_YET, text),)
            case Offer.NONE:
                text = f"ZooKeeper was silent for {self._limit:g} s: no TPG is enabled, so that initiators use other nodes"
                return (false_condition(OFFERED, Reason.ISOLATED, text),)
