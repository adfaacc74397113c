"""Reading the ledger: the records of LUN numbers, port ids and TPG tags that led to something else before."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.names import check_iscsi_name
from lunmapd.core.map.ledger import AddressRecord, IdRecord, Ledger
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.snapshot import Raw
from lunmapd.store.tree.znodes import list_children, read_many


class StoredLedger(Struct, frozen=True):
    """The part of the ledger that was read, and its znodes by path.

    A tree of an earlier version has none: `raws` then lacks `addresses` itself.
    """

    ledger: Ledger
    raws: Mapping[str, Raw]

    @property
    def exists(self) -> bool:
        """Whether the tree has a ledger."""
        return paths.ADDRESSES in self.raws


def read_ledger(session: Session, initiators: Collection[str], *, ids: bool) -> StoredLedger:
    """Read the records of some initiators, and with `ids` those of the ids, at once.

    Raises DamagedError for a record that can't be decoded.
    """
    named = sorted(name for name in initiators if is_recorded(name))
    wanted = [paths.ADDRESSES, *([paths.IDS] if ids else []), *map(paths.address_record, named)]
    raws = {path: raw for path, raw in zip(wanted, read_many(session, wanted), strict=True) if raw}
    try:
        return StoredLedger(decode_ledger({path: raw.data for path, raw in raws.items()}), raws)
    except DocumentError as error:
        raise DamagedError(session.path(str(error.place[0])), error.reason) from None


def read_whole_ledger(session: Session) -> StoredLedger:
    """Read all records. Raises as `read_ledger` does."""
    return read_ledger(session, list_children(session, paths.ADDRESSES) or (), ids=True)


def decode_ledger(documents: Mapping[str, bytes]) -> Ledger:
    """Return the ledger in documents by path; other paths are ignored.

    Raises DocumentError, with the path as the first step of its place.
    """
    prefix = f"{paths.ADDRESSES}/"
    records = {
        path.removeprefix(prefix): decode(data, AddressRecord, (path,))
        for path, data in documents.items()
        if path.startswith(prefix) and path != paths.IDS
    }
    ids = decode(documents[paths.IDS], IdRecord, (paths.IDS,)) if paths.IDS in documents else IdRecord()
    return Ledger(records, ids)


def is_recorded(initiator: str) -> bool:
    """Return whether an initiator has a record; a name that no host can have has none."""
    return check_iscsi_name(initiator) is None
