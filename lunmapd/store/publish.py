"""Writing a prepared commit: in one transaction, or in parts that are released together."""

from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from lunmapd.core.changes import Revision
from lunmapd.store import paths
from lunmapd.store.commit_errors import EditedMeanwhileError, StoppedError, TakenOverError
from lunmapd.store.draft import Content, Draft, Tip, after, draft, draft_part, draft_release
from lunmapd.store.errors import DamagedError, NotInitialisedError, RefusedError, StoreError
from lunmapd.store.read import refresh
from lunmapd.store.send import Failure, send
from lunmapd.store.session import Session
from lunmapd.store.sizes import check_content, divide, fits
from lunmapd.store.snapshot import Snapshot
from lunmapd.store.terms import Terms


class LateError(StoreError):
    """Another commit was made meanwhile, and nothing of this one."""

    def __init__(self) -> None:
        super().__init__("another commit was made meanwhile; try again")


def publish(session: Session, latest: Snapshot, tip: Tip, what: Content, terms: Terms) -> Revision:
    """Commit `what` at the tip, in as many parts as it takes; returns the last revision.

    Raises LateError, StoppedError when the first part was made, and the errors of `commit`.
    """
    check_content(what, terms.signature)
    whole = draft(tip, what, terms.signature)
    if fits(whole, session.root) and not tip.part:
        _send(session, latest, whole)
        return whole.revision
    return _in_parts(session, latest, tip, what, terms)


def _in_parts(session: Session, latest: Snapshot, tip: Tip, what: Content, terms: Terms) -> Revision:
    parts = divide(what.steps, terms.signature, session.root)
    newest = None
    for done, part in enumerate(parts, 1):
        prepared = draft_part(tip, Content(part), terms.signature)
        with _stopping(tip, done - 1, len(parts)):
            _send(session, latest, prepared)
        tip, newest = after(tip, prepared), prepared.revision
        terms.progress(done, len(parts))
    assert newest is not None, "a commit without steps needs no parts"
    with _stopping(tip, len(parts), len(parts)):
        return release(session, latest, tip, newest, what)


@contextmanager
def _stopping(tip: Tip, done: int, total: int) -> Iterator[None]:
    """Tell of an error what it leaves behind, once a part is made."""
    try:
        yield
    except StoreError as error:
        if not tip.part:
            raise
        if isinstance(error, LateError):
            raise TakenOverError from None
        raise StoppedError(error, done, total) from error


def release(session: Session, latest: Snapshot, tip: Tip, newest: Revision, what: Content) -> Revision:
    """Let nodes follow all parts up to `newest`, where the tip is. Raises LateError."""
    _send(session, latest, draft_release(tip, newest, what))
    return newest


def _send(session: Session, latest: Snapshot, prepared: Draft) -> None:
    failure = send(session, prepared)
    if failure is not None:
        raise _reason(session, prepared, latest, failure)


def _reason(session: Session, prepared: Draft, latest: Snapshot, failure: Failure) -> StoreError:
    match failure.path, failure.error:
        case paths.HEAD, BadVersionError():
            return LateError()
        case paths.HEAD, NoNodeError():
            return NotInitialisedError(session.path(paths.HEAD))
        case path, NoNodeError() if path == prepared.identity:
            # Says so if there is no tree any more, or another one.
            refresh(session, latest)
            return DamagedError(session.path(path), "it is missing")
        case path, NodeExistsError() if path == paths.revision(prepared.revision.revision):
            return DamagedError(session.path(path), "head doesn't know of this revision")
        case path, (BadVersionError() | NodeExistsError() | NoNodeError()):
            return EditedMeanwhileError(path)
        case path, error:
            return RefusedError(f"{type(error).__name__} at {path}")
