"""The options of a commit: its signature, its rules, and the revision that it is bound to."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.errors import InvalidInputError, Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.map_change import MapChange, names_in, with_few_luns
from lunmapd.core.map.rules.changes import check_lun_changes
from lunmapd.core.map.rules.floating import check_moved_addresses
from lunmapd.core.map.rules.sources import (
    NO_EVIDENCE,
    Evidences,
    SourceChange,
    find_source_changes,
    judge_source_changes,
)
from lunmapd.store.commit.draft import Signature
from lunmapd.store.commit.kept_rules import KeptRules

Precondition = Callable[[MapChange], Sequence[Problem]]
"""Takes the change of the current map to commit; returns the rules that the new map would break."""
CommitProgress = Callable[[int, int], None]
"""Called with the number of parts of a large commit that are written, and the number of all parts."""


def ignore_progress(_done: int, _total: int) -> None:
    """Do nothing; the default of `CommitOptions.progress`."""


def ignore_revision(_number: int) -> None:
    """Do nothing; the default of `CommitOptions.committed`."""


class Trial(Struct, frozen=True):
    """How a commit is rolled out: see Rollout for `first` and `seconds`.

    `applied` is the revision that every node of the map had applied, 0 for none. With `confirms` the removals
    of the commit are confirmed by itself, since another revision can't do it during the rollout.
    """

    first: tuple[str, ...] = ()
    seconds: int = 0
    applied: int = 0
    confirms: bool = False


class CommitOptions(Struct, frozen=True):
    """The options of a commit: who signs it, the rules, and the only revision that it may follow (None: any).

    `progress` is called for a large commit only. The Luns named in `reuse_luns` may take LUN numbers that led
    to another Lun, the nodes named in `reuse_ids` port ids and TPG tags that another one had, and the Luns
    named in `rebacking` another path under their serial. `new_serials` were chosen at random for this commit.
    With `trial` the commit starts a rollout.

    `committed` is called with the number of a revision as soon as it is known that nodes can follow it, so
    that an interrupt at any later time does not hide that.
    """

    signature: Signature
    check: Precondition
    expect: int | None = None
    progress: CommitProgress = ignore_progress
    reuse_luns: AbstractSet[str] = frozenset()
    reuse_ids: AbstractSet[str] = frozenset()
    rebacking: AbstractSet[str] = frozenset()
    new_serials: AbstractSet[str] = frozenset()
    trial: Trial | None = None
    committed: Callable[[int], None] = ignore_revision

    def check_map(self, change: MapChange) -> None:
        """Check a changed map against the rules. Raises InvalidInputError."""
        if problems := self.check(change):
            raise InvalidInputError(problems)


ReadEvidence = Callable[[Sequence[SourceChange]], Evidences]
"""Takes changed paths; returns what the nodes know about them."""


def read_no_evidence(_: Sequence[SourceChange]) -> Evidences:
    """Return no evidence: then no change of a path is proven to be harmless."""
    return NO_EVIDENCE


def commit_rules(
    shrink: AbstractSet[str] = frozenset(),
    rebacking: AbstractSet[str] = frozenset(),
    evidence: ReadEvidence = read_no_evidence,
    kept: KeptRules | None = None,
) -> Precondition:
    """Return the rules of a commit.

    It may make the Luns named in `shrink` smaller, and change the paths of those named in `rebacking`.
    `evidence` is called if other mapped Luns change their paths. `kept` are the rules of earlier commits.
    """
    known = kept or KeptRules()

    def check(change: MapChange) -> Sequence[Problem]:
        former, latter = _differing(change)
        moved = tuple(find_source_changes(former, latter, rebacking))
        return (
            *known.check_map(change),
            *check_moved_addresses(change.before, change.after),
            *check_lun_changes(former, latter, shrink),
            *judge_source_changes(moved, evidence(moved) if moved else NO_EVIDENCE),
        )

    return check


def _differing(change: MapChange) -> tuple[Lunmap, Lunmap]:
    """Return both maps with the Luns that differ; with all if nodes differ, since these can rewrite paths."""
    if names_in("nodes", change.objects):
        return change.before, change.after
    former, latter = with_few_luns((change.before, change.after), change.objects)
    return former, latter
