"""The address file: what a node remembers of LUN addresses and of the hosts that may hold Luns there."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node.observed import SessionCounters
from lunmapd.core.planning.former import Former, HolderRecord
from lunmapd.core.planning.hosts import Hosts, Interval, SessionId, TargetHost, end_intervals
from lunmapd.files import read_regular, replace_file

ADDRESS_FILE = "addresses.json"
_FORMAT = 1


class AddressFileDamagedError(LunmapdError):
    """The address file can't be used, so the node remembers nothing."""


class FormerEntry(Struct, frozen=True):
    """An address with its former occupants, the oldest first."""

    target: str
    initiator: str
    lun: int
    former: tuple[Former, ...]


class HostEntry(Struct, frozen=True):
    """A host that may hold devices, with the ISIDs of its sessions that are not known to be logged out."""

    target: str
    initiator: str
    isids: tuple[str, ...] = ()


class IntervalEntry(Struct, frozen=True):
    """The open interval of a target."""

    target: str
    start: SessionCounters
    live: tuple[SessionId, ...] = ()
    began: tuple[SessionId, ...] = ()
    initiators: tuple[str, ...] = ()


class AddressDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file, of the boot with this id.

    `since` is the first revision that is remembered. `hosts` to `suspects` are the fields of Hosts.
    """

    format: int
    boot: str
    since: int
    former: tuple[FormerEntry, ...] = ()
    hosts: tuple[HostEntry, ...] = ()
    intervals: tuple[IntervalEntry, ...] = ()
    unsure: tuple[str, ...] = ()
    suspects: tuple[TargetHost, ...] = ()


class AddressFile:
    """The address file in `directory`, in the boot with the id `boot`.

    `problem` is the last error of the disk, "" if the file is as written last.
    """

    def __init__(self, directory: Path, boot: str) -> None:
        """Prepare; nothing is read or written yet."""
        self._path = directory / ADDRESS_FILE
        self._boot = boot
        self._written: HolderRecord | None = None
        self.problem = ""

    def load(self) -> HolderRecord | None:
        """Return the record, None if there is none. Raises AddressFileDamagedError."""
        try:
            document = decode(read_regular(self._path), AddressDocument)
        except FileNotFoundError:
            return None
        except (OSError, DocumentError) as error:
            raise AddressFileDamagedError(self._sentence(error)) from error
        if document.format != _FORMAT:
            raise AddressFileDamagedError(self._sentence(f"unknown format {document.format}"))
        record = _record(document)
        if document.boot == self._boot:
            self._written = record
            return record
        return HolderRecord(record.since, record.former, end_intervals(record.hosts))

    def _sentence(self, error: object) -> str:
        return (
            f"{self._path} can't be used: {error}; every initiator of the map now counts as one that may "
            "hold the Luns that it reaches here, and earlier Luns are forgotten"
        )

    def save(self, record: HolderRecord) -> bool:
        """Replace the record; return whether the file holds it.

        If the disk refuses, the file is removed: a record that lacks a change is worse than none.
        """
        if record == self._written:
            return True
        try:
            replace_file(self._path, (encode(_document(record, self._boot)),))
        except OSError as error:
            self._written = None
            self.problem = f"can't write {self._path}: {error}"
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return False
        self._written, self.problem = record, ""
        return True


def _document(record: HolderRecord, boot: str) -> AddressDocument:
    hosts = record.hosts
    return AddressDocument(
        _FORMAT,
        boot,
        record.since,
        tuple(FormerEntry(*address, former) for address, former in sorted(record.former.items())),
        tuple(HostEntry(*host, tuple(sorted(isids))) for host, isids in sorted(hosts.isids.items())),
        tuple(_intervals(hosts)),
        tuple(sorted(hosts.unsure)),
        tuple(sorted(hosts.suspects)),
    )


def _intervals(hosts: Hosts) -> Iterator[IntervalEntry]:
    for target, each in sorted(hosts.intervals.items()):
        yield IntervalEntry(
            target,
            each.start,
            tuple(sorted(each.live)),
            tuple(sorted(each.began)),
            tuple(sorted(each.initiators)),
        )


def _record(document: AddressDocument) -> HolderRecord:
    return HolderRecord(
        document.since,
        {LunAddress(each.target, each.initiator, each.lun): each.former for each in document.former},
        Hosts(
            {TargetHost(each.target, each.initiator): frozenset(each.isids) for each in document.hosts},
            {
                each.target: Interval(
                    each.start, frozenset(each.live), frozenset(each.began), frozenset(each.initiators)
                )
                for each in document.intervals
            },
            frozenset(document.unsure),
            frozenset(document.suspects),
        ),
    )
