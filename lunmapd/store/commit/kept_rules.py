"""The rules of the commits of one client: from the second map on, checking costs what differs."""

from threading import Lock

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map import rules
from lunmapd.core.map.rule_index import RuleIndex, changed_objects


class KeptRules:
    """Remembers the last map without problems, and its index once a second map is checked.

    A program that checks one map, such as most verbs of lunmapctl, does not pay for an index. Threads may
    share it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: Lunmap | None = None
        self._index: RuleIndex | None = None

    def check_map(self, lunmap: Lunmap) -> tuple[Problem, ...]:
        """Return every problem of a map, as `rules.check_map` does."""
        with self._lock:
            problems = self._check(lunmap)
            if not problems:
                self._last = lunmap
            return problems

    def _check(self, lunmap: Lunmap) -> tuple[Problem, ...]:
        if self._last is None:
            return rules.check_map(lunmap)
        changed = changed_objects(self._last, lunmap)
        if not changed:
            return ()
        # An interrupt leaves no index that is half advanced.
        index, self._index = self._index or RuleIndex(self._last), None
        problems = index.check(lunmap, changed)
        if not problems:
            index.advance(lunmap, changed)
        self._index = index
        return problems
