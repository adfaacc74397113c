"""The rules of the commits of one client: from the second map on, checking costs what differs."""

from threading import Lock
from typing import TYPE_CHECKING

from lunmapd.core.base.errors import Problem
from lunmapd.core.history.map_change import MapChange, compare_objects
from lunmapd.core.map import rules
from lunmapd.core.map.rule_index import RuleIndex

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap


class KeptRules:
    """Remembers the last map without problems, and its index once a second map is checked.

    A program that checks one map, such as most verbs of lunmapctl, does not pay for an index. Threads may
    share it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: Lunmap | None = None
        self._index: RuleIndex | None = None

    def check_map(self, change: MapChange) -> tuple[Problem, ...]:
        """Return every problem of a changed map, as `rules.check_map` does."""
        with self._lock:
            problems = self._check(change)
            if not problems:
                self._last = change.after
            return problems

    def _check(self, change: MapChange) -> tuple[Problem, ...]:
        if self._last is None:
            return rules.check_map(change.after)
        if change.before is not self._last:
            change = compare_objects(self._last, change.after)
        if not change.objects:
            return ()
        # An interrupt leaves no index that is half advanced.
        index, self._index = self._index or RuleIndex(self._last), None
        problems = index.check(change.after, change.objects)
        if not problems:
            index.advance(change.after, change.objects)
        self._index = index
        return problems
