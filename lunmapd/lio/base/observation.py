"""The notebook of one look at the kernel."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession
from lunmapd.core.node.project import MARK
from lunmapd.lio.base import files
from lunmapd.lio.base.index import KernelIndex

EmitObjects = Callable[[tuple[lio_objects.Object, ...]], None]

_BATCH = 256


class StuckDirectory(Struct, frozen=True):
    """A directory that must not be touched, for a step hangs in it, and the objects last seen there."""

    path: str
    objects: tuple[lio_objects.Object, ...] = ()


class ObservationHints(Struct, frozen=True):
    """What is known before a look: directories that are held, features that no TPG has shown yet, and each storage object's HBA directory as of the last look and the steps since."""

    stuck: tuple[StuckDirectory, ...] = ()
    features: AbstractSet[str] = frozenset()
    hbas: Mapping[str, str] = {}


class Observation:
    """Collects what is found; paths are relative to configfs' target directory.

    With `hand_on` it keeps only some of the objects at a time: it hands them on as they come, for all of them would
    be the largest thing in the worker's memory. `with_group` are the storage objects that have a target port group of ours,
    `expected` are HBA directories, each with the storage object that was in it.
    """

    def __init__(
        self, root: Path, hints: ObservationHints | None = None, emit: EmitObjects | None = None
    ) -> None:
        """Start with what is known before."""
        hints = hints or ObservationHints()
        self._emit = emit
        self.root = str(root)
        self.stuck = {entry.path: entry.objects for entry in hints.stuck}
        self.expected = {hba: name for name, hba in hints.hbas.items()}
        self.objects: dict[lio_objects.Key, lio_objects.Object] = {}
        self.with_alua_group: set[str] = set()
        self.sessions = list[IscsiSession]()
        self.foreign: set[str] = set()
        self.features = set(hints.features)
        self.missing: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.index = KernelIndex()

    def read(self, path: str) -> str | None:
        """Read one file, None if it is absent."""
        return files.read_file(f"{self.root}/{path}")

    def read_files(self, path: str, names: Iterable[str]) -> dict[str, str]:
        """Read files below a directory; absent ones are left out."""
        return files.read_files(f"{self.root}/{path}", names)

    def has_one_directory(self, path: str) -> bool:
        """Tell whether there is exactly one directory in a directory."""
        return files.has_one_directory(f"{self.root}/{path}")

    def list_directories(self, path: str) -> list[str]:
        """List the directories in a directory."""
        return files.list_directories(f"{self.root}/{path}")

    def read_link(self, path: str) -> str | None:
        """Return where the link in a directory points to, None if there is none."""
        return files.read_link(f"{self.root}/{path}", MARK)

    def read_settings(self, path: str, names: Iterable[str]) -> lio_objects.AttributeValues:
        """Read files of a directory as the settings that they are."""
        return tuple(self.read_files(path, names).items())

    def add(self, item: lio_objects.Object) -> None:
        """Note an object."""
        self.objects[lio_objects.key_of(item)] = item
        if isinstance(item, lio_objects.StorageObject) and item.alua is not None:
            self.with_alua_group.add(item.name)
        if self._emit is not None and len(self.objects) >= _BATCH:
            self._emit(tuple(self.objects.values()))
            self.objects.clear()

    def add_leftover(self, kind: str, path: str) -> None:
        """Note half an object."""
        self.add(lio_objects.Leftover(kind, path))

    def skip_stuck(self, path: str) -> bool:
        """If the directory must not be touched, note what was last seen in it and return True."""
        for item in self.stuck.get(path, ()):
            self.add(item)
        return path in self.stuck
