"""Undoing one revision in the newest map: the revisions after it stay."""

from collections.abc import Sequence

from lunmapd.client.file_merge import FieldConflict, find_conflicts
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.merge import merge_fields
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import check_released, map_at, read_revision
from lunmapd.store.tree.snapshot import Snapshot, effective_map
from lunmapd.store.upkeep.migrate import convert_map


class RevertConflictError(LunmapdError):
    """Later revisions changed the same fields as the revision to undo; `conflicts` are all of them."""

    exit_code = Exit.CONFLICT

    def __init__(self, revision: int, conflicts: Sequence[FieldConflict]) -> None:
        self.revision, self.conflicts = revision, tuple(conflicts)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """The message: a line for each field, and what to do."""
        return (
            f"nothing was committed: the same fields as in revision {self.revision} were changed later:",
            *map(str, self.conflicts),
            "revert those revisions first, newest first; 'lunmapctl edit' changes single fields",
        )


def reverted_map(session: Session, now: Snapshot, revision: int) -> Lunmap:
    """Return the newest map without the changes of one revision; the last part stands for a large commit.

    Raises RevertConflictError, PartOnlyError, and the errors of `read_revision` and `map_at`.
    """
    record = read_revision(session, revision, now.revision)
    check_released(session, revision, now.revision)
    after, before = (
        convert_map(map_at(session, now, number), migrate_to_schema_2)
        for number in (revision, revision - max(record.part, 1))
    )
    merged = merge_fields(after, before, effective_map(now))
    if merged.clashes:
        raise RevertConflictError(
            revision, tuple(find_conflicts(session, merged.clashes, after, revision, now))
        )
    return merged.theirs
