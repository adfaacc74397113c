"""The failures of storage objects whose file or device is not as it was opened, or not as the map needs it.

None of them changes the desired objects, with one exception: a Lun whose device is read-only stays read-only.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from lunmapd.core.base.backings import PluginName, SizeSource, plugin_of
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.opening import OpenMode

_STAYS = "it stays exported"


def block_size_problem(item: lio_objects.StorageObject, logical: int, size: int) -> str | None:
    """Return a sentence if the map's block_size does not fit a device of `size` bytes.

    LIO accepts any block size. If it is not a multiple of the device's `logical` blocks, in bytes, the device
    refuses what initiators write; if it does not divide the size, the last block ends behind the device
    (iblock_get_blocks in drivers/target/target_core_iblock.c converts the last address). 0 means unknown.
    """
    given = int(next((value for name, value in item.attributes if name == "block_size"), "") or "0")
    if given and logical and given % logical:
        return (
            f"{item.path} has logical blocks of {logical} bytes, so block_size {given} does not work: unmap "
            f"the Lun and set block_size to a multiple of {logical}, or remove the attribute"
        )
    if given and size % given:
        return (
            f"{item.path} has {size} bytes, which is no multiple of block_size {given}: initiators would see "
            "a last block that the device does not have; unmap the Lun and correct block_size, or resize the "
            "device"
        )
    return None


def empty_device(path: str) -> str:
    """Return a sentence for a device without content."""
    return (
        f"{path} has 0 bytes on this node: attach or activate what is behind it (a loop device without a "
        "file, a drive without a medium, a volume or replica that is not active)"
    )


def handler_away(lun: str) -> str:
    """Return a sentence for a `user` Lun whose device no program has opened."""
    return (
        f"no program has opened the device of {lun}, so no LUN is made for it: a host that logs in would "
        "lose other LUNs of the target too; start the handler"
    )


def find_backing_failures(
    lunmap: Lunmap, desired: lio_objects.DesiredObjects, observed: Observed
) -> dict[lio_objects.Key, Failure]:
    """Return the failures of the storage objects that are desired and observed, by key."""
    failures = dict[lio_objects.Key, Failure]()
    for name, facts in sorted(observed.backings.items()):
        key = ("storage_object", name)
        item, wanted = observed.objects.get(key), desired.get(key)
        if isinstance(item, lio_objects.StorageObject) and isinstance(wanted, lio_objects.StorageObject):
            found = _failures(lunmap.luns.get(name), item, wanted, facts)
            if (first := next(found, None)) is not None:
                failures[key] = first
    return failures


def _failures(
    lun: Lun | None, item: lio_objects.StorageObject, wanted: lio_objects.StorageObject, facts: BackingFacts
) -> Iterator[Failure]:
    """Yield the failures of one storage object, the worst one first."""
    if facts.name is NameState.HANDLER_AWAY:
        yield Failure(Reason.HANDLER_AWAY, f"{handler_away(item.name)}; LUNs that exist stay")
    yield from _name_failures(item.path, facts)
    if facts.name is NameState.SAME:
        yield from _size_failures(lun, item, facts)
        yield from _access_failures(item, wanted, facts)
        if not item.size and (sentence := block_size_problem(item, facts.block_size, facts.size or 0)):
            yield Failure(Reason.BLOCK_SIZE_MISMATCH, f"{sentence}; {_STAYS}")
    if facts.twin:
        yield Failure(
            Reason.IN_USE,
            f"{item.path} is the file of Lun {facts.twin} too, under another name: two Luns have the same "
            f"data; {_STAYS}: unmap one of them",
        )


def _name_failures(path: str, facts: BackingFacts) -> Iterator[Failure]:
    match facts.name:
        case NameState.MISSING if facts.size is not None:
            yield Failure(
                Reason.BACKING_MISSING,
                f"{path} leads to nothing, and the opened device {facts.device} is still there: {_STAYS}, "
                "and is not found after a reboot; give it this name again, or change the path in the map",
            )
        case NameState.MISSING:
            yield Failure(
                Reason.BACKING_MISSING,
                f"its device or file has vanished: {_STAYS}, and I/O may fail; bring the device or file back",
            )
        case NameState.DANGLING:
            yield Failure(
                Reason.BACKING_MISSING,
                f"{path} is a symlink to nothing: {_STAYS}, and I/O may fail; bring the device or file back",
            )
        case NameState.UNANSWERED:
            yield Failure(
                Reason.STUCK,
                f"{path}: its file system does not answer: {_STAYS}, and I/O may hang; bring the file system "
                "back",
            )
        case NameState.WRONG_KIND:
            yield Failure(
                Reason.BACKING_UNUSABLE,
                f"{path} now leads to {facts.other}: {_STAYS} with the file or device that was opened; put "
                "that back",
            )


def _size_failures(
    lun: Lun | None, item: lio_objects.StorageObject, facts: BackingFacts
) -> Iterator[Failure]:
    size, declared = facts.size, 0 if lun is None else lun.size or 0
    if size is None:
        return
    if not size and item.plugin == PluginName.IBLOCK:
        yield Failure(Reason.BACKING_UNUSABLE, f"{empty_device(item.path)}; {_STAYS}")
    if item.size and size < item.size:
        found = "is empty" if not size else f"has {size} bytes"
        yield Failure(
            Reason.BACKING_TRUNCATED,
            f"{item.path} {found}, and initiators see {item.size}: {_STAYS}, and reads behind the end of the "
            "file return zeros without an error; restore the data into this same file, or unmap the Lun",
        )
    elif lun is not None and plugin_of(lun.backing).size is SizeSource.DECLARED and size < declared:
        yield Failure(
            Reason.SIZE_MISMATCH,
            f"its device has {size} bytes, the Lun needs {declared}: "
            "enlarge the device on this node, or correct the size of the Lun",
        )
    elif facts.shrunk_from and not declared:
        yield Failure(
            Reason.SIZE_MISMATCH,
            f"its device had {facts.shrunk_from} bytes when it was exported, and has {size} now: enlarge the "
            f"device on this node, or accept {size} as the size of the Lun in the map",
        )


def _access_failures(
    item: lio_objects.StorageObject, wanted: lio_objects.StorageObject, facts: BackingFacts
) -> Iterator[Failure]:
    if not facts.read_only:
        return
    if item.access.mode is OpenMode.WRITABLE:
        yield Failure(
            Reason.BACKING_READ_ONLY,
            f"{item.path} has become read-only: {_STAYS}, and writes of initiators fail; make it writable "
            "again, or unmap the Lun",
        )
    elif wanted.access.mode is OpenMode.WRITABLE:
        yield Failure(
            Reason.BACKING_READ_ONLY,
            f"{item.path} is read-only, and a map of the Lun has no 'access: ro': it stays read-only for all "
            "initiators; make the device writable, or give every map 'access: ro'",
        )


def keep_read_only(desired: lio_objects.DesiredObjects, observed: Observed) -> lio_objects.DesiredObjects:
    """Return the desired objects, with Luns of read-only devices that a map lets write as they are observed.

    Without this such a Lun would be removed to be opened for writing, which the kernel refuses. LIO itself
    does not refuse writes through a mapped LUN without write protection in this case.
    """
    kept = {
        name: item
        for name, facts in observed.backings.items()
        if facts.read_only
        and (item := observed.objects.get(key := ("storage_object", name))) is not None
        and isinstance(item, lio_objects.StorageObject)
        and is_open_for_reading(item)
        and is_open_for_writing(desired.get(key))
    }
    return {key: _kept(item, kept) for key, item in desired.items()} if kept else desired


def is_open_for_reading(item: lio_objects.Object | None) -> bool:
    """Return whether the object is a storage object whose device is opened for reading alone."""
    return isinstance(item, lio_objects.StorageObject) and item.access.mode is OpenMode.READ_ONLY


def is_open_for_writing(item: lio_objects.Object | None) -> bool:
    """Return whether the object is a storage object whose device is, or is to be, opened for writing."""
    return isinstance(item, lio_objects.StorageObject) and item.access.mode is OpenMode.WRITABLE


def _kept(
    item: lio_objects.DesiredObject, kept: Mapping[str, lio_objects.StorageObject]
) -> lio_objects.DesiredObject:
    before = kept.get(lio_objects.lun_served_by(item) or "")
    if before is None:
        return item
    if isinstance(item, lio_objects.StorageObject):
        return before
    return replace(item, write_protect=True) if isinstance(item, lio_objects.MappedLun) else item
