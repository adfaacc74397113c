"""The index of kernel numbers: HBA indexes and TPG LUN numbers, which are in no key of an object."""

from array import array
from collections import defaultdict
from collections.abc import Mapping
from threading import Lock

from msgspec import Struct, field

from lunmapd.core.node import lio_objects
from lunmapd.lio.base.parse import parse_directory_number

FIRST_INDEX = 10_000
"""The lowest HBA index of lunmapd's range: the mkdir itself marks a storage object as lunmapd's."""

_BITS = 1024
_PAGE = 256  # LUN numbers of one initiator that are kept together

_Tpg = tuple[str, int]
"""The target's name and the TPG's tag."""


class NumberPool:
    """The numbers in use, and the lowest free one, in amortised constant time.

    A reserved number is for one user only: it is free, but never the lowest one. Threads may take and free
    numbers concurrently.

    `_taken` maps a number divided by _BITS to an integer with a bit for each number in use: 3 KB for 10,000
    numbers, for which a set takes 0.8 MB.
    """

    def __init__(self, first: int = 0) -> None:
        """Start with all numbers from `first` on free."""
        self._first = first
        self._taken = defaultdict[int, int](int)
        self._reserved: set[int] = set()
        self._lock = Lock()

    def take(self, number: int) -> None:
        """Mark a number as in use."""
        with self._lock:
            self._taken[number // _BITS] |= 1 << number % _BITS

    def free(self, number: int) -> None:
        """Mark a number as free."""
        with self._lock:
            self._taken[number // _BITS] &= ~(1 << number % _BITS)
            self._first = min(self._first, number)

    def reserve(self, number: int) -> None:
        """Reserve a number."""
        self._reserved.add(number)

    def is_free(self, number: int) -> bool:
        """Return whether a number is not in use; it may be reserved."""
        return not self._taken.get(number // _BITS, 0) >> number % _BITS & 1

    def lowest(self) -> int:
        """Return the lowest free number that is not reserved, without taking it."""
        while not self.is_free(self._first) or self._first in self._reserved:
            self._first += 1
        return self._first


class MappedLuns:
    """The mapped LUNs of a TPG, and the number of mapped LUNs of each storage object.

    `_ids` gives each storage object a small number from 1 on, and `_counts` has its mapped LUNs at that
    place. `_pages` maps an initiator and a LUN number divided by _PAGE to the ids of the storage objects
    under these LUN numbers, 0 for none. A dictionary takes ten times the memory. An array without pages would
    take that of the highest LUN number, which an out-of-band edit chooses.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._ids: dict[str, int] = {}
        self._counts = array("I", (0,))
        self._pages: dict[tuple[str, int], array[int]] = {}

    def add(self, item: lio_objects.MappedLun) -> None:
        """Record a mapped LUN; it replaces one under the same number."""
        known = self._ids.setdefault(item.storage_object, len(self._counts))
        if known == len(self._counts):
            self._counts.append(0)
        self._replace(item, known)

    def discard(self, item: lio_objects.MappedLun) -> None:
        """Remove the mapped LUN under this initiator and number, if there is one."""
        self._replace(item, 0)

    def _replace(self, item: lio_objects.MappedLun, new: int) -> None:
        """Record the storage object with the id `new`, 0 for none, under the address of a mapped LUN."""
        number, place = divmod(item.lun, _PAGE)
        page = self._pages.get((item.initiator, number))
        if page is None:
            page = self._pages[item.initiator, number] = array("I", bytes(4 * _PAGE))
        self._counts[page[place]] -= page[place] > 0
        self._counts[new] += new > 0
        page[place] = new

    def __contains__(self, name: str) -> bool:
        """Return whether a mapped LUN shows this storage object."""
        return self._counts[self._ids.get(name, 0)] > 0


class OpenedFiles:
    """The opened files, known by device and inode (`2049:131`), since a file may have several names.

    `_owners` maps a file to its storage object. It is made from `_files` when it is needed.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._files: dict[str, str] = {}
        self._owners: dict[str, str] | None = None

    def take(self, file: str, name: str) -> str:
        """Record the file of a storage object, and return the storage object that had it first."""
        if self._owners is None:
            self._owners = {known: owner for owner, known in self._files.items()}
        owner = self._owners.setdefault(file, name)
        if owner == name:
            self._files[name] = file
        return owner

    def release(self, name: str) -> None:
        """Remove the record of a storage object, if there is one."""
        file = self._files.pop(name, None)
        if file is not None and self._owners is not None:
            del self._owners[file]

    def compact(self) -> None:
        """Free the memory that is needed only while files are taken."""
        self._owners = None


class KernelIndex(Struct):
    """Built by each observation, and kept up to date by the steps after it."""

    hbas: dict[str, str] = field(default_factory=dict)
    """Name of a storage object to its HBA directory, such as `fileio_10000`."""
    hba_indexes: NumberPool = field(default_factory=lambda: NumberPool(FIRST_INDEX))
    """HBA indexes of lunmapd's range."""
    luns: dict[_Tpg, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """TPG to name of a storage object to the number of its LUN."""
    lun_numbers: dict[_Tpg, NumberPool] = field(default_factory=lambda: defaultdict(NumberPool))
    """TPG to the numbers of its LUN directories, leftovers included."""
    reserved_numbers: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Target, TPG tag and storage object of a LUN that is about to be created, to its number."""
    portals: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """Target, TPG tag and address of a portal to its directory in `np`, if that is spelled in another way."""
    recorded_serials: dict[str, str] = field(default_factory=dict)
    """Name of a storage object with a reservation file to its serial."""
    recorded_numbers: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Target, TPG tag and serial to the number of the LUN in a reservation file."""
    mapped_luns: dict[_Tpg, MappedLuns] = field(default_factory=lambda: defaultdict(MappedLuns))
    """TPG to its mapped LUNs."""
    files: OpenedFiles = field(default_factory=OpenedFiles)
    """The files that storage objects have opened."""
    handlers: Mapping[str, bool] = field(default_factory=dict)
    """Whether each `user` storage object, as `user_10000/NAME`, had a handler at the last look."""


def record_number(index: KernelIndex, tpg: _Tpg, serial: str, number: int) -> None:
    """Reserve the LUN number that a reservation file has for the storage object with this serial."""
    index.recorded_numbers[*tpg, serial] = number
    index.lun_numbers[tpg].reserve(number)


def choose_lun_number(index: KernelIndex, tpg: _Tpg, name: str) -> int:
    """Return the number for a new LUN of a TPG: that of the reservation file, or the lowest free one.

    The kernel restores a reservation only into a LUN with the number that it had before.
    """
    recorded = index.recorded_numbers.get((*tpg, index.recorded_serials.get(name, "")))
    numbers = index.lun_numbers[tpg]
    return recorded if recorded is not None and numbers.is_free(recorded) else numbers.lowest()


def take_lun_number(index: KernelIndex, tpg: _Tpg, name: str) -> int:
    """Take the number for a new LUN, and return it; the one taken before if the LUN is not created yet."""
    key = (*tpg, name)
    if key not in index.reserved_numbers:
        index.reserved_numbers[key] = choose_lun_number(index, tpg, name)
        index.lun_numbers[tpg].take(index.reserved_numbers[key])
    return index.reserved_numbers[key]


def parse_hba_index(hba: str) -> int:
    """Return the index in the name of an HBA directory such as `rd_mcp_3`, -1 for another directory."""
    number = hba.rpartition("_")[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def tpg_path(iqn: str, tag: int) -> str:
    """Return the directory of a TPG, relative to configfs' target directory."""
    return f"iscsi/{iqn}/tpgt_{tag}"


def portal_path(item: lio_objects.Portal, index: KernelIndex) -> str:
    """Return the directory of a portal, relative to configfs' target directory."""
    name = index.portals.get((item.iqn, item.tag, item.address), item.address)
    return f"{tpg_path(item.iqn, item.tag)}/np/{name}"


def blocking_directory(item: lio_objects.Object, index: KernelIndex) -> str:  # noqa: PLR0911 - one arm a kind
    """Return the smallest directory that can't be listed while a step on the object is stuck in the kernel.

    The path is relative to configfs' target directory. Each system call holds the lock of the directory that
    it works in (fs/configfs/dir.c): a rmdir of an ACL blocks the TPG's `acls`, disabling a TPG blocks its
    attributes, an unlink of a LUN blocks only the LUN's own directory.
    """
    match item:
        case lio_objects.StorageObject():
            created = f"{item.plugin}_{index.hba_indexes.lowest()}"
            return f"core/{index.hbas.get(item.name, created)}"
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
    """Return the target or TPG with this directory, judged by the path alone; None for another directory."""
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
    reserved = index.reserved_numbers.get((*tpg, item.storage_object))
    return choose_lun_number(index, tpg, item.storage_object) if reserved is None else reserved
