"""The state of one observation of the kernel while it is made."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.governed import MARK
from lunmapd.core.node.observed import IscsiSession, LoginCounters, SessionCounters
from lunmapd.lio.base import files
from lunmapd.lio.base.index import KernelIndex
from lunmapd.lio.base.parse import is_misspelled, parse_directory_number
from lunmapd.lio.base.path_probe import PathProbe
from lunmapd.lio.base.reservation_files import list_files

EmitObjects = Callable[[tuple[lio_objects.Object, ...], Mapping[str, BackingFacts]], None]
"""Receives some of the objects and backings while an observation goes on; the mapping is emptied then."""

_BATCH = 256  # objects that are emitted at a time
_OFFERED = ("emulate_pr", "1")


class StuckDirectory(Struct, frozen=True):
    """A directory that must not be read, since a step is stuck in it, and the objects last observed in it."""

    path: str
    objects: tuple[lio_objects.Object, ...] = ()


class ObservationHints(Struct, frozen=True):
    """What an observation knows before it starts.

    `stuck` are the directories that must not be read. `features` are kernel features that may not be visible
    in any TPG yet. `hbas` has the HBA directory of each storage object by its name, as of the last
    observation and the steps since; the observation checks it. `reservations` are the directories of the
    reservation files, as in reservation_directories; without any, none are read. `probe` examines the paths
    of backings; it knows which file systems did not answer the last time.
    """

    stuck: tuple[StuckDirectory, ...] = ()
    features: AbstractSet[str] = frozenset()
    hbas: Mapping[str, str] = {}
    reservations: tuple[Path, ...] = ()
    probe: PathProbe | None = None


class Observation:
    """Collects the observed objects. All paths are relative to configfs' target directory.

    With `emit`, objects and backings are handed out in batches and then dropped: all together would be most
    of the worker's memory.
    `expected` maps an HBA directory to the storage object that was last observed in it. `stuck` maps the path
    of a stuck directory to the objects last observed in it. `reservation_files` maps serials to reservation
    files. `offers_reservations`: some storage object offers them. `known_facts` keep equal facts in memory
    once. `backings`, `counters`, `foreign` and `features` are as in Observed.
    """

    def __init__(
        self, root: Path, hints: ObservationHints | None = None, emit: EmitObjects | None = None
    ) -> None:
        """Start with `hints`, without any object."""
        hints = hints or ObservationHints()
        self._emit = emit
        self.root = str(root)
        self.stuck = {entry.path: entry.objects for entry in hints.stuck}
        self.expected = {hba: name for name, hba in hints.hbas.items()}
        self.objects: dict[lio_objects.Key, lio_objects.Object] = {}
        self.sessions = list[IscsiSession]()
        self.login_counters = list[LoginCounters]()
        self.misspelled: set[str] = set()
        self.foreign: set[str] = set()
        self.features = set(hints.features)
        self.reservation_directories = hints.reservations
        self.reservation_files = list_files(hints.reservations)
        self.offers_reservations = False
        self.backings = dict[str, BackingFacts]()
        self.known_facts = dict[BackingFacts, BackingFacts]()
        self.counters = dict[str, SessionCounters]()
        self.probe = hints.probe or PathProbe()
        self.index = KernelIndex()

    def read(self, path: str) -> str | None:
        """Return the text of a file, None if it is absent."""
        return files.read_file(f"{self.root}/{path}")

    def read_files(self, path: str, names: Iterable[str]) -> dict[str, str]:
        """Return file name to text of files below a directory; absent files are left out."""
        return files.read_files(f"{self.root}/{path}", names)

    def has_one_directory(self, path: str) -> bool:
        """Return whether a directory has exactly one subdirectory."""
        return files.has_one_directory(f"{self.root}/{path}")

    def list_directories(self, path: str) -> list[str]:
        """Return the names of the subdirectories of a directory."""
        return files.list_directories(f"{self.root}/{path}")

    def list_numbers(self, path: str, prefix: str) -> list[int]:
        """Return the numbers of the subdirectories such as `lun_3`; record others with this prefix."""
        names = self.list_directories(path)
        self.misspelled.update(f"{path}/{name}" for name in names if is_misspelled(name, prefix))
        return [number for name in names if (number := parse_directory_number(name, prefix)) is not None]

    def read_link(self, path: str) -> str | None:
        """Return the target of the symlink in a directory, None if there is none."""
        return files.read_link(f"{self.root}/{path}", MARK)

    def read_settings(self, path: str, names: Iterable[str]) -> lio_objects.AttributeValues:
        """Return files of a directory as pairs of name and value; absent files are left out."""
        return tuple(self.read_files(path, names).items())

    def add(self, item: lio_objects.Object) -> None:
        """Record an object."""
        self.objects[lio_objects.key_of(item)] = item
        if isinstance(item, lio_objects.StorageObject):
            self._note(item)
        if self._emit is not None and len(self.objects) >= _BATCH:
            self._emit(tuple(self.objects.values()), self.backings)
            self.objects.clear()
            self.backings.clear()

    def _note(self, item: lio_objects.StorageObject) -> None:
        if item.serial in self.reservation_files:
            self.index.recorded_serials[item.name] = item.serial
        self.offers_reservations = self.offers_reservations or _OFFERED in item.attributes

    def add_leftover(self, kind: str, path: str) -> None:
        """Record a leftover of `kind`."""
        self.add(lio_objects.Leftover(kind, path))

    def skip_stuck(self, path: str) -> bool:
        """Return whether the directory is stuck; if so, record the objects last observed in it."""
        for item in self.stuck.get(path, ()):
            self.add(item)
        return path in self.stuck
