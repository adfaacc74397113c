"""Where the objects of LIO are kept: the numbers that only the kernel cares about."""

from collections import Counter, defaultdict
from threading import Lock

from msgspec import Struct, field

from lunmapd.core.node import lio_objects
from lunmapd.lio.base.parse import parse_directory_number

FIRST_INDEX = 10_000
"""The HBA indexes from here on are lunmapd's, so that the mkdir itself marks a storage object as ours."""

TpgId = tuple[str, int]


class NumberPool:
    """Numbers in use, and the lowest one that is free, found in constant time while filling up. Several threads may free some."""

    def __init__(self, first: int = 0) -> None:
        """Start with all free from `first` on."""
        self._first = first
        self._taken: set[int] = set()
        self._lock = Lock()

    def take(self, number: int) -> None:
        """Note that the number is in use."""
        self._taken.add(number)

    def free(self, number: int) -> None:
        """Note that the number is free again."""
        with self._lock:
            self._taken.discard(number)
            self._first = min(self._first, number)

    def lowest(self) -> int:
        """Return the lowest free number, without taking it."""
        while self._first in self._taken:
            self._first += 1
        return self._first


class MappedLuns:
    """The mapped LUNs of a TPG: what each initiator sees under each number, and so how often a storage object is seen."""

    def __init__(self) -> None:
        """Start with none."""
        self._seen: dict[str, dict[int, str]] = defaultdict(dict)
        self._times = Counter[str]()

    def add(self, item: lio_objects.MappedLun) -> None:
        """Note a mapped LUN; it may be known."""
        self.discard(item)
        self._seen[item.initiator][item.lun] = item.storage_object
        self._times[item.storage_object] += 1

    def discard(self, item: lio_objects.MappedLun) -> None:
        """Note that an initiator sees nothing any more under this number."""
        name = self._seen.get(item.initiator, {}).pop(item.lun, None)
        if name is not None:
            self._times[name] -= 1

    def __contains__(self, name: str) -> bool:
        """Tell whether anybody sees this storage object."""
        return self._times[name] > 0


class KernelIndex(Struct):
    """Found by each look at the kernel and kept up to date by the steps that follow it."""

    hbas: dict[str, str] = field(default_factory=dict)
    """Storage object to its HBA directory, such as `fileio_10000`."""
    hba_indexes: NumberPool = field(default_factory=lambda: NumberPool(FIRST_INDEX))
    luns: dict[TpgId, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """TPG to storage object to TPG LUN."""
    lun_numbers: dict[TpgId, NumberPool] = field(default_factory=lambda: defaultdict(NumberPool))
    """TPG to the numbers of its LUN directories, whatever is in them."""
    reserved_numbers: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """The numbers that LUNs will have which are about to be made, by TPG and storage object."""
    mapped_luns: dict[TpgId, MappedLuns] = field(default_factory=lambda: defaultdict(MappedLuns))
    """TPG to its mapped LUNs."""


def parse_hba_index(hba: str) -> int:
    """Return the index of an HBA directory such as `rd_mcp_3`, -1 for another directory."""
    number = hba.rpartition("_")[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def tpg_path(iqn: str, tag: int) -> str:
    """Return a TPG's directory below configfs' target directory."""
    return f"iscsi/{iqn}/tpgt_{tag}"


def blocking_directory(item: lio_objects.Object, index: KernelIndex) -> str:  # noqa: PLR0911 - one arm a kind
    """Return the smallest directory that nobody can list while a step on the object hangs in the kernel.

    A rmdir of an ACL blocks its TPG's `acls`, disabling blocks the TPG's attributes, an unlink of a LUN only its
    own directory: each holds the lock of the directory that it works in (fs/configfs/dir.c).
    """
    match item:
        case lio_objects.StorageObject():
            fresh = f"{item.plugin}_{index.hba_indexes.lowest()}"
            return f"core/{index.hbas.get(item.name, fresh)}"
        case lio_objects.TpgLun():
            tpg = (item.iqn, item.tag)
            return f"{tpg_path(*tpg)}/lun/lun_{_lun_number(item, index)}"
        case lio_objects.NodeAcl() | lio_objects.MappedLun():
            return f"{tpg_path(item.iqn, item.tag)}/acls"
        case lio_objects.Tpg() | lio_objects.Enabled() | lio_objects.Portal():
            return tpg_path(item.iqn, item.tag)
        case lio_objects.Target():
            return f"iscsi/{item.iqn}"
        case lio_objects.DiscoveryAuth():
            return "iscsi/discovery_auth"
        case lio_objects.Leftover():
            return item.path.rpartition("/")[0] if item.kind == "storage_object" else item.path


def target_or_tpg_at(path: str) -> lio_objects.Target | lio_objects.Tpg | None:
    """Return the target or TPG whose directory this is, so far as its name tells; None for another directory."""
    match path.split("/"):
        case ["iscsi", iqn]:
            return lio_objects.Target(iqn)
        case ["iscsi", iqn, tpgt] if (tag := parse_directory_number(tpgt, "tpgt_")) is not None:
            return lio_objects.Tpg(iqn, tag)
        case _:
            return None


def _lun_number(item: lio_objects.TpgLun, index: KernelIndex) -> int:
    tpg = (item.iqn, item.tag)
    number = index.luns[tpg].get(item.storage_object)
    if number is not None:
        return number
    return index.reserved_numbers.get((*tpg, item.storage_object), index.lun_numbers[tpg].lowest())
