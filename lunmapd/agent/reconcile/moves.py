"""Follows from pass to pass how long changes wait until floating groups have moved."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.core.planning.moving import MOVE_PATIENCE, Groups, Others, ServedGroup

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import TpgId

_LOOK = 2.0  # seconds until the next pass while a change waits


class MoveWatch:
    """Holds since when the changes for each group wait, in memory alone; `now` is a monotonic clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Start without a change that waits."""
        self._now = now
        self._since: dict[TpgId, float] = {}
        self._disturbed: tuple[ServedGroup, ...] = ()

    def served(self, groups: Groups) -> tuple[ServedGroup, ...]:
        """Return the groups, and which of them move; after a long time no other node counts for a group."""
        known = (replace(each, leaving=each.tpg in self._since) for each in groups)
        return tuple(replace(each, others=Others.NONE) if self._is_over(each) else each for each in known)

    def follow(self, disturbed: Iterable[ServedGroup]) -> None:
        """Take the groups whose hosts a pass would disturb, or disturbs now."""
        now, self._disturbed = self._now(), tuple(disturbed)
        self._since = {group.tpg: self._since.get(group.tpg, now) for group in self._disturbed}

    def disturbed(self, groups: Groups) -> tuple[ServedGroup, ...]:
        """Return those of the groups that this node owns whose hosts the last full pass would have disturbed.

        A cycle without a full pass, as one that the move itself sets off, changes nothing of it.
        """
        owned = {group.tpg for group in groups}
        return tuple(each for each in self._disturbed if each.tpg in owned)

    def seconds_left(self) -> float:
        """Return the seconds until the next look, infinity if nothing waits."""
        is_waiting = any(self._now() < since + MOVE_PATIENCE for since in self._since.values())
        return _LOOK if is_waiting else float("inf")

    def _is_over(self, group: ServedGroup) -> bool:
        return self._now() >= self._since.get(group.tpg, float("inf")) + MOVE_PATIENCE
