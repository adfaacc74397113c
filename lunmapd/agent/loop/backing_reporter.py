"""The reports of what LIO has opened, computed and written only where something changed.

A Lun is described by a few system calls and, for a device, a look into udev's database. So the reports of a
chunk are made anew only if the facts about one of its Luns changed, or if udev has changed a device.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.base.backing_reports import (
    UNDESCRIBED,
    BackingReport,
    DeviceDescription,
    chunk_of,
    pack_reports,
)
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.observed import Observed

DescribeDevice = Callable[[str], DeviceDescription]
"""Takes the numbers of a block device (`253:0`); returns what the node knows about it."""

_DIGITS = 16


def describe_nothing(_: str) -> DeviceDescription:
    """Return an empty description: for a node that has no database of devices."""
    return UNDESCRIBED


class BackingReporter:
    """The reports of one node, in chunks.

    `_known` has a hash of what each report is made of, which takes less memory than that itself.
    `pending` are the chunks that the tree lacks, by name.
    """

    def __init__(self, describe: DescribeDevice = describe_nothing) -> None:
        """Start without reports."""
        self._describe = describe
        self._seen: Mapping[str, BackingFacts] | None = None
        self._known: dict[str, int] = {}
        self._digests: dict[str, str] = {}
        self._stale = StaleDevices()
        self.pending: dict[str, bytes] = {}

    @property
    def digest(self) -> str:
        """A digest of all reports; empty if there are none."""
        if not self._known:
            return ""
        return _digest("".join(f"{name}{text}" for name, text in sorted(self._digests.items())).encode())

    def devices_changed(self, numbers: AbstractSet[str] | None = None) -> None:
        """Describe these devices anew at the next update, None: all of them. Callable from any thread."""
        self._stale.add(numbers)

    def forget_written(self) -> None:
        """Make all chunks anew at the next update, since the tree may lack them."""
        self._seen, self._known, self._digests = None, {}, {}

    def update(self, observed: Observed) -> None:
        """Add to `pending` the chunks that differ from the last ones."""
        stale = self._stale.take()
        if observed.backings is self._seen and stale == frozenset():
            return
        known = {item.name: hash((item.path, item.size, facts)) for item, facts in _opened(observed)}
        changed = {
            name for name in known.keys() | self._known.keys() if known.get(name) != self._known.get(name)
        }
        if stale is None or stale:
            changed |= {name for name in known if _is_stale(observed.backings[name].device, stale)}
        self._seen, self._known = observed.backings, known
        if changed:
            self._make({chunk_of(lun) for lun in changed}, observed)

    def _make(self, chunks: AbstractSet[str], observed: Observed) -> None:
        luns = defaultdict[str, list[str]](list)
        for lun in self._known:
            if (chunk := chunk_of(lun)) in chunks:
                luns[chunk].append(lun)
        for chunk in sorted(chunks):
            data = pack_reports({lun: self._report(lun, observed) for lun in luns[chunk]})
            digest = _digest(data)
            if self._digests.get(chunk) != digest:
                self._digests[chunk], self.pending[chunk] = digest, data

    def _report(self, lun: str, observed: Observed) -> BackingReport:
        facts, item = observed.backings[lun], observed.objects["storage_object", lun]
        assert isinstance(item, lio_objects.StorageObject), "its key is of the kind storage_object"
        about = self._describe(facts.device) if facts.device else UNDESCRIBED
        size = item.size or facts.size or 0
        return BackingReport(item.path, size, facts.block_size, about.identity, about.names)


class StaleDevices:
    """The devices that udev has changed since their last description: their numbers, None for all."""

    def __init__(self) -> None:
        """Start with none."""
        self._numbers: AbstractSet[str] | None = frozenset()
        self._lock = threading.Lock()

    def add(self, numbers: AbstractSet[str] | None) -> None:
        """Add devices."""
        with self._lock:
            unknown = numbers is None or self._numbers is None
            self._numbers = None if unknown else frozenset(self._numbers or ()) | frozenset(numbers or ())

    def take(self) -> AbstractSet[str] | None:
        """Return the devices, and start again with none."""
        with self._lock:
            taken, self._numbers = self._numbers, frozenset()
            return taken


def _is_stale(device: str, numbers: AbstractSet[str] | None) -> bool:
    return bool(device) and (numbers is None or device in numbers)


def _opened(observed: Observed) -> Iterator[tuple[lio_objects.StorageObject, BackingFacts]]:
    for name, facts in observed.backings.items():
        item = observed.objects.get(("storage_object", name))
        if isinstance(item, lio_objects.StorageObject) and PLUGINS[item.plugin].on_path:
            yield item, facts


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
