"""The ledger of a restored tree: what the backup, its history and the existing tree had."""

import logging
from collections.abc import Iterator

from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Lunmap
from lunmapd.core.history.backup import Backup
from lunmapd.core.history.changes import Change, Revision, as_raw, patch_map
from lunmapd.core.history.map_change import ObjectName, compare_objects
from lunmapd.core.map.ledger import Ledger, fold_history, merge_ledgers, record_departures
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.ledger import known_maps, ledger_writes
from lunmapd.store.commit.reuse import MapStep, ledger_of_history, problems_of_reuse
from lunmapd.store.session import paths
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.ledger import StoredLedger, decode_ledger
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.store.tree.znodes import list_children, read_many

_log = logging.getLogger(__name__)


class RestoredPoint(Struct, frozen=True):
    """The cluster and the revision of a backup."""

    cluster: str
    revision: int


def try_read(session: Session) -> Snapshot | None:
    """Read the existing tree; None if it is damaged, as a tree that is replaced may be."""
    try:
        return read_tree(session)
    except StoreError as error:
        _log.warning("the LUN numbers of the existing tree are not compared with the backup: %s", error)
        return None


def restored_ledger(
    session: Session, backup: Backup, tree: Snapshot | None, at: RestoredPoint, options: CommitOptions
) -> tuple[Write, ...]:
    """Return the writes that make the ledger of the chroot that of the restored tree.

    Nothing of the existing ledger is lost. Raises InvalidInputError if the map of the backup leads LUN
    numbers, port ids or TPG tags to something else than the existing tree did, and the options don't name it.
    """
    stored = _read_usable(session)
    existing = stored.ledger
    if tree is not None and not stored.exists:
        history = ledger_of_history(session, known_maps(tree)[0], tree.revision)
        existing = merge_ledgers(existing, history)
    after = _map_of(backup)
    befores = (EMPTY_MAP,) if tree is None else known_maps(tree)
    now = at if tree is None else RestoredPoint(tree.cluster, tree.revision)
    touched = frozenset[ObjectName]().union(*(compare_objects(each, after).objects for each in befores))
    step = MapStep(now.cluster, now.revision, befores, after, touched, options, tree is not None)
    difference = step.difference()
    if problems := problems_of_reuse(session, step, difference, existing):
        raise InvalidInputError(problems)
    everything = merge_ledgers(existing, _ledger_of(backup, after, at.revision))
    return tuple(ledger_writes(stored, record_departures(everything, difference, at.revision + 1)))


def _read_usable(session: Session) -> StoredLedger:
    """Read the existing ledger; a record that can't be decoded counts as empty, and is replaced."""
    names = sorted(list_children(session, paths.ADDRESSES) or ())
    wanted = [paths.ADDRESSES, *map(paths.address_record, names)]
    raws = {path: raw for path, raw in zip(wanted, read_many(session, wanted), strict=True) if raw}
    return StoredLedger(_decode_usable({path: raw.data for path, raw in raws.items()}), raws)


def _decode_usable(documents: dict[str, bytes]) -> Ledger:
    ledger = Ledger()
    for path, data in documents.items():
        try:
            ledger = merge_ledgers(ledger, decode_ledger({path: data}))
        except DocumentError as error:
            _log.warning("a record of the ledger is ignored: %s", error)
    return ledger


def _map_of(backup: Backup) -> Lunmap:
    """Return the map in a backup, without objects that can't be decoded."""
    changes = []
    for path, data in backup.znodes.items():
        section, _, name = path.partition("/")
        if section in SECTIONS and name:
            change = Change(path, after=as_raw(data))
            try:
                patch_map(EMPTY_MAP, (change,))
            except DocumentError:
                continue
            changes.append(change)
    return patch_map(EMPTY_MAP, changes)


def _ledger_of(backup: Backup, lunmap: Lunmap, newest: int) -> Ledger:
    """Return the ledger in a backup, with what its revisions lead to; an earlier version wrote none."""
    records = {path: data for path, data in backup.znodes.items() if path.startswith(f"{paths.ADDRESSES}/")}
    return merge_ledgers(_decode_usable(records), fold_history(lunmap, _revisions(backup, newest)))


def _revisions(backup: Backup, newest: int) -> Iterator[Revision]:
    """Yield the revisions of a backup, newest first, up to the first that is missing or can't be decoded."""
    for number in range(newest, 0, -1):
        data = backup.znodes.get(paths.revision(number))
        try:
            yield decode(b"" if data is None else data, Revision)
        except DocumentError:
            return
