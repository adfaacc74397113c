"""The history of the map: its revisions, and the map as it was."""

from collections.abc import Iterator

from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Revision, as_bytes, patch_map, patch_map_digest
from lunmapd.core.history.checkpoint import Checkpoint
from lunmapd.core.history.digest import EMPTY_DIGEST, show_digest
from lunmapd.core.history.spans import Span, invert_changes, span_of
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history_errors import (
    HistoryTrimmedError,
    HistoryUnknownError,
    NoSuchRevisionError,
    PartOnlyError,
)
from lunmapd.store.tree.snapshot import Snapshot, edits_explained, recorded_map
from lunmapd.store.tree.znodes import list_revisions, read_revisions

_BATCH = 64


def walk_revisions(session: Session, newest: int, oldest: int = 1) -> Iterator[Revision]:
    """Yield the revisions from `newest` back to `oldest`, as far as they are there without a gap."""
    for start in range(newest, oldest - 1, -_BATCH):
        wanted = range(start, max(start - _BATCH, oldest - 1), -1)
        found = read_revisions(session, wanted)
        yield from found
        if len(found) < len(wanted):
            return


def read_revision(session: Session, number: int, newest: int) -> Revision:
    """Read one revision of a map whose newest one is `newest`. Raises NoSuchRevisionError, HistoryTrimmedError."""
    if not 0 < number <= newest:
        raise NoSuchRevisionError(number, newest)
    for revision in read_revisions(session, (number,)):
        return revision
    raise _trimmed(session, number, newest)


def check_released(session: Session, number: int, newest: int) -> None:
    """Refuse a revision that nodes never followed by itself. Raises PartOnlyError."""
    if 0 < number < newest:
        found = read_revisions(session, (number, number + 1))
        if len(found) > 1 and found[0].part and found[1].part == found[0].part + 1:
            raise PartOnlyError(number)


def map_at(session: Session, snapshot: Snapshot, revision: int) -> Lunmap:
    """Return the map as it was at `revision`, by undoing all newer revisions that led to `snapshot`.

    Objects that were edited around the tools count as the revisions have them. The result is checked by its digest.
    Raises NoSuchRevisionError, HistoryTrimmedError, HistoryUnknownError when the edits can't be told from the history,
    and DamagedError when the revisions don't lead back.
    """
    if not 0 <= revision <= snapshot.revision:
        raise NoSuchRevisionError(revision, snapshot.revision)
    changes = invert_changes(_span_since(session, snapshot, revision).changes)
    now = recorded_map(snapshot)
    if now is None:
        raise HistoryUnknownError
    then = show_digest(patch_map_digest(int(snapshot.head_digest, 16), changes))
    if then != _digest_at(session, revision, snapshot.revision):
        raise _not_leading_back(session, revision)
    try:
        return patch_map(now, changes)
    except DocumentError as error:
        raise DamagedError(session.path(paths.REVISIONS), str(error)) from None


def checkpoint_at(session: Session, snapshot: Snapshot, revision: int) -> Checkpoint:
    """Return every document as it was at `revision`. Raises the errors of `map_at`."""
    if not edits_explained(snapshot):
        raise HistoryUnknownError
    newer = {
        change.path: as_bytes(change.before) for change in _span_since(session, snapshot, revision).changes
    }
    now = {path: snapshot.data(path) for path in snapshot.paths()}
    then = {**now, **snapshot.edited, **newer}
    found = Checkpoint(revision, {path: data for path, data in then.items() if data is not None})
    if found.digest != _digest_at(session, revision, snapshot.revision):
        raise _not_leading_back(session, revision)
    return found


def _span_since(session: Session, snapshot: Snapshot, revision: int) -> Span:
    newest = snapshot.revision
    found = span_of(newest, walk_revisions(session, newest, revision + 1))
    if found.oldest != revision + 1:
        raise _trimmed(session, revision, newest)
    return found


def _not_leading_back(session: Session, revision: int) -> DamagedError:
    return DamagedError(session.path(paths.REVISIONS), f"they don't lead back to revision {revision}")


def _digest_at(session: Session, revision: int, newest: int) -> str:
    if revision == 0:
        return show_digest(EMPTY_DIGEST)
    return read_revision(session, revision, newest).digest


def _trimmed(session: Session, number: int, newest: int) -> HistoryTrimmedError:
    """Name the oldest revision from which there is no gap up to the newest one."""
    there = set(list_revisions(session))
    oldest = newest + 1
    while oldest - 1 in there:
        oldest -= 1
    return HistoryTrimmedError(number, oldest)
