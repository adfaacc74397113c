"""Reading a backup of the tree: everything except the znodes of the nodes."""

from lunmapd import __version__
from lunmapd.core.base.documents import encode
from lunmapd.core.history.backup import BACKUP_FORMAT, BACKUP_FORMAT_NUMBER, Backup, Title
from lunmapd.core.history.changes import Head
from lunmapd.store.session import paths
from lunmapd.store.session.errors import UnsteadyError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.checkpoint import newest_checkpoint
from lunmapd.store.tree.ledger import read_whole_ledger
from lunmapd.store.tree.read import read_base
from lunmapd.store.tree.snapshot import Snapshot, meta_of
from lunmapd.store.tree.znodes import list_children, list_revisions, read_znodes

_ATTEMPTS = 3


def take_backup(session: Session, time: str) -> Backup:
    """Read the tree at its newest revision, with its history; `time` (RFC 3339 in UTC) goes into the title.

    Staged parts are left out, and so is a revision that is tried. Raises UnsteadyError if the history was
    trimmed during each attempt, and the errors of `read_tree`.
    """
    for _ in range(_ATTEMPTS):
        snapshot = read_base(session)
        history = _history(session, snapshot.revision)
        if history is not None:
            title = Title(
                BACKUP_FORMAT, BACKUP_FORMAT_NUMBER, snapshot.cluster, snapshot.revision, time, __version__
            )
            return Backup(title, {**_map(snapshot), **history, **_ledger(session)})
    raise UnsteadyError(_ATTEMPTS)


def _map(snapshot: Snapshot) -> dict[str, bytes]:
    head = Head(snapshot.revision, snapshot.head_digest, snapshot.confirmed)
    documents = {path: snapshot.data(path) for path in sorted(snapshot.paths())}
    objects = {path: data for path, data in documents.items() if data is not None}
    return {paths.META: encode(meta_of(snapshot)), paths.HEAD: encode(head), **objects}


def _ledger(session: Session) -> dict[str, bytes]:
    """Read the records of the ledger, by path; commits made meanwhile may have added to them."""
    stored = read_whole_ledger(session)
    return {path: raw.data for path, raw in sorted(stored.raws.items()) if path != paths.ADDRESSES}


def _history(session: Session, newest: int) -> dict[str, bytes] | None:
    """Read the revisions and the checkpoint before them, by path; None if some were trimmed meanwhile."""
    wanted = [paths.revision(number) for number in list_revisions(session) if number <= newest]
    base = newest_checkpoint(session, newest).revision
    if base:
        below = list_children(session, paths.checkpoint(base)) or ()
        wanted += [paths.checkpoint(base), *(f"{paths.checkpoint(base)}/{name}" for name in sorted(below))]
    znodes = {path: raw.data for path, raw in zip(wanted, read_znodes(session, wanted), strict=True) if raw}
    return znodes if len(znodes) == len(wanted) else None
