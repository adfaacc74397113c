"""What the kernel of this node has of a group: its addresses, and whether its TPG is enabled."""

from collections.abc import Callable

from msgspec import Struct

from lunmapd.agent.floating.addresses import Addresses, Presence
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.tpgs import Tpgs
from lunmapd.core.floating.promotion import IN_BETWEEN

LOOK = 1.0
"""The longest time in seconds between two looks at the facts."""


class Local(Struct, frozen=True):
    """What the kernel had at a time."""

    plan: GroupPlan
    at: float
    presence: Presence
    enabled: bool

    @property
    def is_settled(self) -> bool:
        """Whether no hook is at work."""
        return self.presence.promotion not in IN_BETWEEN


class LocalLook:
    """Reads what the kernel has, at most twice in LOOK seconds while this node changes nothing.

    A renewal, and the watch that it sets off, change nothing there.
    """

    def __init__(self, addresses: Addresses, tpgs: Tpgs, clock: Callable[[], float]) -> None:
        """Prepare; nothing is read yet."""
        self._addresses, self._tpgs, self._clock = addresses, tpgs, clock
        self._known: Local | None = None

    def at(self, plan: GroupPlan) -> Local:
        """Return what the kernel has of a group. Raises LeaseError, TpgError."""
        now, known = self._clock(), self._known
        if known is not None and known.plan == plan and now < known.at + LOOK / 2 and known.is_settled:
            return known
        self.forget()
        presence = self._addresses.presence(plan.addresses)
        self._known = Local(plan, now, presence, self._tpgs.is_enabled(plan.tpg))
        return self._known

    def forget(self) -> None:
        """Let the next look read the kernel."""
        self._known = None
