"""Comparing what the paths of backings lead to with what LIO has opened."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.opening import Opened
from lunmapd.lio.base.alias import OpenedBacking
from lunmapd.lio.base.block_devices import BlockDevice, is_claimed, read_block_device, read_identity
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.path_probe import Kind, PathStatus
from lunmapd.lio.base.tcmu import find_handlers

_ABSENT = {
    Kind.MISSING: NameState.MISSING,
    Kind.DANGLING: NameState.DANGLING,
    Kind.UNANSWERED: NameState.UNANSWERED,
}
_FITTING = {
    PluginName.FILEIO: (Kind.FILE,),
    PluginName.IBLOCK: (Kind.BLOCK,),
    PluginName.PSCSI: (Kind.BLOCK, Kind.CHAR),
}
_OPENED = {
    NameState.RETURNED: Opened.GONE,
    NameState.REPLACED: Opened.OTHER,
}


class ReadStorageObject(Struct, frozen=True):
    """A storage object as configfs shows it, and the backing that it has opened.

    `numbers` are those of its block device (`253:0`), empty for other backings.
    """

    item: lio_objects.StorageObject
    numbers: str = ""
    opened: OpenedBacking = OpenedBacking()


def add_storage_objects(observation: Observation, read: Sequence[ReadStorageObject]) -> None:
    """Record the storage objects, each with the facts about its backing.

    A backing that is on no path has them only if it has no handler.
    """
    on_path = [each for each in read if PLUGINS[each.item.plugin].on_path]
    statuses = observation.probe.examine([each.item.path for each in on_path])
    facts = {each.item.name: _facts(observation, each, statuses[each.item.path]) for each in on_path}
    facts |= _without_handler(observation, [each.item for each in read])
    for each in read:
        item = each.item
        if (found := facts.get(item.name)) is not None:
            observation.backings[item.name] = observation.known_facts.setdefault(found, found)
            item = replace(item, opened=_OPENED.get(found.name, Opened.CURRENT))
        observation.add(item)


def _without_handler(
    observation: Observation, items: Iterable[lio_objects.StorageObject]
) -> dict[str, BackingFacts]:
    """Return the facts about the storage objects that have no handler and need one."""
    names = [item.name for item in items if item.plugin == PluginName.USER]
    index = observation.index
    if names:
        index.handlers = find_handlers()
    away = [name for name in names if not index.handlers.get(f"{index.hbas[name]}/{name}")]
    return dict.fromkeys(away, BackingFacts(NameState.HANDLER_AWAY))


def _facts(observation: Observation, each: ReadStorageObject, status: PathStatus) -> BackingFacts:
    if each.item.plugin == PluginName.FILEIO:
        return _file_facts(observation, each, status)
    held = read_block_device(each.numbers, observation.probe.devices) if each.numbers else None
    state = _kind_state(each.item.plugin, status)
    if state is None:
        state = _device_state(observation, each, held, status) if each.numbers else NameState.SAME
    other = _describe(status) if state not in _SILENT else ""
    if held is None:
        return BackingFacts(state, each.numbers, other=other)
    shrunk_from = each.opened.size if held.size < each.opened.size else 0
    return BackingFacts(
        state, each.numbers, held.size, held.block_size, held.read_only, shrunk_from, other=other
    )


_SILENT = frozenset({NameState.SAME, *_ABSENT.values()})


def _kind_state(plugin: str, status: PathStatus) -> NameState | None:
    """Return the state of a path that leads to no file of the right kind, None if it leads to one."""
    if status.kind in _ABSENT:
        return _ABSENT[status.kind]
    return None if status.kind in _FITTING[PluginName(plugin)] else NameState.WRONG_KIND


def _file_facts(observation: Observation, each: ReadStorageObject, status: PathStatus) -> BackingFacts:
    name, state = each.item.name, _kind_state(each.item.plugin, status)
    file = each.opened.file or status.file
    owner = observation.index.files.take(file, name) if file else name
    twin = "" if owner == name else owner
    if state is None:
        state = NameState.SAME if status.file == file else NameState.REPLACED
    if state is NameState.SAME:
        return BackingFacts(state, size=status.size, read_only=status.read_only, twin=twin, file=file)
    return BackingFacts(state, other=_describe(status) if state not in _SILENT else "", twin=twin)


def _device_state(
    observation: Observation, each: ReadStorageObject, held: BlockDevice | None, status: PathStatus
) -> NameState:
    """Compare the device at the path with the opened one, whose numbers lead to `held`."""
    devices, opened = observation.probe.devices, each.opened
    alive = held is not None and _is_same_disk(each.item.path, opened, held, status.numbers == each.numbers)
    if alive and status.numbers == each.numbers:
        return NameState.SAME
    there = read_identity(status.numbers, devices)
    if not alive:
        # Without an identity, the path is all that the map and the node know of the device.
        return NameState.RETURNED if there == opened.identity else NameState.REPLACED
    # Two paths of one disk: udev's links lead to either of them.
    same = there and there == read_identity(each.numbers, devices)
    return NameState.SAME if same else NameState.REPLACED


def _is_same_disk(path: str, opened: OpenedBacking, held: BlockDevice, at_path: bool) -> bool:  # noqa: FBT001
    """Return whether the disk with the numbers of the opened one is still that disk.

    A number may go to another disk once the opened one is gone. Some disks get another sequence number when
    their medium changes: then LIO still claims the device.
    """
    return not opened.disk or opened.disk == held.disk or (at_path and is_claimed(path))


def _describe(status: PathStatus) -> str:
    match status.kind:
        case Kind.FILE:
            device, _, inode = status.file.partition(":")
            return f"the file with inode {inode} of device {device} ({status.size} bytes)"
        case Kind.BLOCK:
            return f"the block device {status.numbers}"
        case Kind.CHAR:
            return f"the character device {status.numbers}"
        case _:
            return "no file and no device"
