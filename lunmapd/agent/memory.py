"""What the last whole pass found, so that the next one can go by the change of the map alone."""

import time
from collections.abc import Callable

from lunmapd.agent.orders import Orders
from lunmapd.core import lio
from lunmapd.core.desire import Desire
from lunmapd.core.observed import Observed
from lunmapd.core.offer import Offer
from lunmapd.core.view import Part, View


class Memory:
    """Remembers what is wanted and what was seen, as long as they were the same, for at most `audit` seconds.

    After that the kernel is looked at as a whole again: that finds what somebody else has changed in it. `now` is a
    monotonic clock.
    """

    def __init__(self, audit: float, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing; with 0 each pass is a whole one."""
        self._audit = audit
        self._now = now
        self._until = float("-inf")
        self._view: View | None = None
        self._pending: View | None = None
        self.observed = Observed()

    def learn(self, orders: Orders, want: Desire, observed: Observed) -> None:
        """Remember a whole pass that left nothing to do."""
        if self._audit and orders.offer is Offer.ALL and not orders.unreadable and not want.failures:
            # What is wanted is what was seen, and once in memory is enough for both.
            self._view = View(orders.lunmap, orders.node, orders.vault, observed.foreign, observed.objects)
            self._until = self._now() + self._audit
            self.observed = observed

    def part(self, orders: Orders) -> Part | None:
        """Return the part of the objects that these orders concern; None when a whole pass must be made.

        All is forgotten unless `settle` tells that this part is as it is wanted.
        """
        view = self._view
        self._view = self._pending = None
        if view is None or self._now() >= self._until or not _is_alike(orders, view):
            return None
        self._pending = view
        return view.follow(orders.lunmap)

    def see(self, part: Part, found: lio.Objects) -> None:
        """Note how the objects concerned were found."""
        objects = self.observed.objects
        assert isinstance(objects, dict), "what was observed is the pass's own"
        for name in part.keys:
            objects.pop(name, None)
        objects |= found

    def settle(self) -> None:
        """Note that the last part was seen as it is wanted."""
        self._view = self._pending


def _is_alike(orders: Orders, view: View) -> bool:
    plain = orders.offer is Offer.ALL and not orders.unreadable and not orders.decided
    return plain and orders.vault == view.vault
