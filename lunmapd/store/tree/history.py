"""The history of the map: its revisions, and the map at an older revision."""

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
    """Yield the revisions from `newest` back to `oldest`; end at the first gap."""
    for start in range(newest, oldest - 1, -_BATCH):
        numbers = range(start, max(start - _BATCH, oldest - 1), -1)
        revisions = read_revisions(session, numbers)
        yield from revisions
        if len(revisions) < len(numbers):
            return


def read_revision(session: Session, number: int, newest: int) -> Revision:
    """Read one revision of a map at revision `newest`. Raises NoSuchRevisionError, HistoryTrimmedError."""
    if not 0 < number <= newest:
        raise NoSuchRevisionError(number, newest)
    for revision in read_revisions(session, (number,)):
        return revision
    raise _trimmed(session, number, newest)


def check_released(session: Session, number: int, newest: int) -> None:
    """Check that nodes could follow the revision `number` by itself.

    Raises PartOnlyError for a part of a large commit.
    """
    if 0 < number < newest:
        pair = read_revisions(session, (number, number + 1))
        if len(pair) > 1 and pair[0].part and pair[1].part == pair[0].part + 1:
            raise PartOnlyError(number)


def map_at(session: Session, snapshot: Snapshot, revision: int) -> Lunmap:
    """Return the map at `revision`: the recorded map of `snapshot` with all newer revisions undone.

    Out-of-band edits do not count. The digest of `revision` verifies the result. Raises NoSuchRevisionError,
    HistoryTrimmedError, HistoryUnknownError if the revisions do not explain the out-of-band edits, and
    DamagedError if the revisions do not lead back.
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
    checkpoint = Checkpoint(revision, {path: data for path, data in then.items() if data is not None})
    if checkpoint.digest != _digest_at(session, revision, snapshot.revision):
        raise _not_leading_back(session, revision)
    return checkpoint


def _span_since(session: Session, snapshot: Snapshot, revision: int) -> Span:
    newest = snapshot.revision
    newer = span_of(newest, walk_revisions(session, newest, revision + 1))
    if newer.oldest != revision + 1:
        raise _trimmed(session, revision, newest)
    return newer


def _not_leading_back(session: Session, revision: int) -> DamagedError:
    return DamagedError(session.path(paths.REVISIONS), f"they don't lead back to revision {revision}")


def _digest_at(session: Session, revision: int, newest: int) -> str:
    if revision == 0:
        return show_digest(EMPTY_DIGEST)
    return read_revision(session, revision, newest).digest


def _trimmed(session: Session, number: int, newest: int) -> HistoryTrimmedError:
    """Return the error that names the oldest revision from which there is no gap up to `newest`."""
    numbers = set(list_revisions(session))
    oldest = newest + 1
    while oldest - 1 in numbers:
        oldest -= 1
    return HistoryTrimmedError(number, oldest)
