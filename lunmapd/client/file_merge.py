"""Merging a map file into the newest map, from the revision that the file was made from."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import UNSET, Struct
from msgspec.structs import replace

from lunmapd.client.note import Prefer
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, diff_maps
from lunmapd.core.history.fields import FieldChange, changed_fields
from lunmapd.core.history.last_changes import LastChange, last_changes, undone_by
from lunmapd.core.history.merge import WHOLE, FieldClash, merge_fields
from lunmapd.core.map.file_base import FileBase, part_of
from lunmapd.core.map.fill_in import keep_identities
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import map_at, walk_revisions
from lunmapd.store.tree.history_errors import HistoryTrimmedError
from lunmapd.store.tree.snapshot import Snapshot, effective_map
from lunmapd.store.tree.znodes import read_revisions

_MAX_SEARCHED = 1000


class ForeignFileError(LunmapdError):
    """A file was made from another cluster, or from another incarnation of this one."""

    exit_code = Exit.CONFLICT

    def __init__(self, base: FileBase, now: Snapshot) -> None:
        was = f"cluster {base.cluster}, and this is {now.cluster}"
        if base.cluster == now.cluster:
            was = f"incarnation {base.incarnation} of this cluster, and the tree was restored since"
        super().__init__(
            f"nothing was committed: the file was made from {was}; make a new one with 'lunmapctl get', or "
            "let it replace the map with --replace"
        )


class BaseTrimmedError(LunmapdError):
    """The history does not reach back to the base of a file; `oldest` is its first revision."""

    def __init__(self, base: FileBase, oldest: int) -> None:
        self.base, self.oldest = base, oldest
        super().__init__(
            f"nothing was committed: the file was made from revision {base.revision}, and the oldest one "
            f"kept is {oldest}; make a new one with 'lunmapctl get', or let it replace the map with --replace"
        )


class FieldConflict(Struct, frozen=True):
    """A field that was changed after a file was made; `changes` lead from the file's base to its value now.

    `field` is WHOLE for an object that one side removed; without `changes` it is removed now. `last` is the
    last change, None for an out-of-band edit.
    """

    path: str
    field: str
    changes: tuple[FieldChange, ...]
    last: LastChange | None

    def __str__(self) -> str:
        who = f"by {self.last.author} in revision {self.last.revision}" if self.last else "out of band"
        what = "; ".join(map(str, self.changes)) or "was removed"
        if self.field == WHOLE and self.changes:
            what += "; the object would be removed"
        return f"{self.path}: {what} ({who})"


class FileConflictError(LunmapdError):
    """A file and commits since its base changed the same fields differently; `conflicts` are all of them."""

    exit_code = Exit.CONFLICT

    def __init__(self, base: FileBase, conflicts: Sequence[FieldConflict]) -> None:
        self.base, self.conflicts = base, tuple(conflicts)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """The message: a line for each field, and what to do."""
        made = f"the file was made from revision {self.base.revision}"
        return (
            f"nothing was committed: {made}, and the same fields were changed since:",
            *map(str, self.conflicts),
            "--theirs keeps these, --mine commits the values of the file; 'lunmapctl get' has the newest map",
        )


def merge_file(
    session: Session, target: Lunmap, base: FileBase, now: Snapshot, prefer: Prefer | None
) -> Lunmap:
    """Return the map with the changes of a file since its base, and those of all commits since then.

    Raises ForeignFileError, BaseTrimmedError, FileConflictError unless `prefer` is given, and the other
    errors of `map_at`.
    """
    if base.cluster and (base.cluster, base.incarnation) != (now.cluster, now.incarnation):
        raise ForeignFileError(base, now)
    base = _standing_base(session, base, now)
    if base.revision == now.revision and not base.only:
        return target
    newest = effective_map(now)
    was = newest if base.revision == now.revision else _base_map(session, base, now)
    merged = merge_fields(part_of(was, base.only, target), keep_identities(target, was), newest)
    if merged.clashes and prefer is None:
        conflicts = find_conflicts(session, merged.clashes, was, base.revision, now)
        raise FileConflictError(base, tuple(conflicts))
    return merged.ours if prefer is Prefer.MINE else merged.theirs


def _base_map(session: Session, base: FileBase, now: Snapshot) -> Lunmap:
    try:
        return map_at(session, now, base.revision)
    except HistoryTrimmedError as error:
        raise BaseTrimmedError(base, error.oldest) from None


def _standing_base(session: Session, base: FileBase, now: Snapshot) -> FileBase:
    """Return the base of a file; of one that became a revision that was tried and undone, the one before.

    So the file can be applied again: the undoing is no change of another commit, which would win.
    """
    following = (base.revision + 1,) if base.revision < now.revision else ()
    is_undone = any(record.undoes == base.revision for record in read_revisions(session, following))
    return replace(base, revision=base.revision - 1) if is_undone else base


def find_conflicts(
    session: Session, clashes: Sequence[FieldClash], was: Lunmap, revision: int, now: Snapshot
) -> Iterator[FieldConflict]:
    """Yield for each clash how the field changed since `revision`, whose map is `was`, and who changed it."""
    changes = diff_maps(was, effective_map(now))
    fields = defaultdict[str, list[str]](list)
    for clash in clashes:
        fields[clash.path].append(clash.field)
    newer = walk_revisions(session, now.revision, revision + 1)
    last = {(each.path, each.field): each for each in last_changes(fields, newer)}
    changed = {
        change.path: changed_fields(change) if change.after is not UNSET else ()
        for change in changes
        if change.path in fields
    }
    for clash in clashes:
        shown = [each for each in changed[clash.path] if clash.field in {WHOLE, each.top_field}]
        yield FieldConflict(clash.path, clash.field, tuple(shown), last.get((clash.path, clash.field)))


def changes_undone(session: Session, changes: Sequence[Change], now: Snapshot) -> tuple[LastChange, ...]:
    """Return the last changes of the fields to which `changes` of the newest map give an earlier value.

    At most 1,000 revisions are searched.
    """
    return undone_by(changes, islice(walk_revisions(session, now.revision), _MAX_SEARCHED))
