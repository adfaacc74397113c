"""What a commit is bound to."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.errors import InvalidInputError, Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map import rules
from lunmapd.store.commit.draft import Signature

Precondition = Callable[[Lunmap, Lunmap], Sequence[Problem]]
"""Gets the map that there is and the one to commit; returns the rules that this would break."""
CommitProgress = Callable[[int, int], None]
"""Gets how many parts of a large commit are done, and how many there are."""


def ignore_progress(_done: int, _total: int) -> None:
    """Say nothing of the progress."""


class CommitOptions(Struct, frozen=True):
    """Who signs a commit, the rules, the one revision on top of which it may be, if not on any, and who hears of its progress."""

    signature: Signature
    check: Precondition
    expect: int | None = None
    progress: CommitProgress = ignore_progress

    def check_map(self, before: Lunmap, after: Lunmap) -> None:
        """Refuse a map that breaks a rule. Raises InvalidInputError."""
        if found := self.check(before, after):
            raise InvalidInputError(found)


def commit_rules(shrink: AbstractSet[str] = frozenset()) -> Precondition:
    """Return the rules for a commit that may make the named Luns smaller."""

    def check(before: Lunmap, after: Lunmap) -> Sequence[Problem]:
        return (*rules.problems(after), *rules.change_problems(before, after, shrink))

    return check
