"""Rules of a Lun by itself: its backing, size, identity, attributes, and who reports it."""

from collections.abc import Iterator

from lunmapd.core.base import attributes, names
from lunmapd.core.base.backings import Backing, FileIO, RamDisk, SizeSource, User, plugin_of, source
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import AluaState, Lun, Lunmap, reporting_nodes, serving_nodes
from lunmapd.core.map.rules.common import check_repeated, check_text


def check_luns(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every Lun."""
    for name, lun in lunmap.luns.items():
        place: Place = ("luns", name)
        yield from check_text(place, names.check_name, name)
        yield from check_text((*place, "serial"), names.check_serial, lun.serial)
        yield from _backing(lunmap, (*place, "backing"), lun.backing)
        yield from _size(place, lun)
        yield from _inquiry(place, lun)
        yield from _attributes((*place, "attributes"), lun)
        yield from _nodes(lunmap, place, lun)


def check_choices(lunmap: Lunmap) -> Iterator[Problem]:
    """Ask for what an admin must choose, rather than learn later."""
    for name, lun in lunmap.luns.items():
        if lun.shared is None and len(reporting_nodes(lunmap, lun)) > 1:
            yield Problem(
                ("luns", name, "shared"),
                "several nodes report this Lun, and LIO keeps reservations and COMPARE AND WRITE in each node by itself: "
                "say {reservations: off, compare_and_write: off}, or per-node for what initiators use on one node only",
            )


def warn_of_luns(lunmap: Lunmap) -> Iterator[Problem]:
    """Warn of what may be meant, but rarely is."""
    for name, lun in lunmap.luns.items():
        if isinstance(lun.backing, FileIO) and len(reporting_nodes(lunmap, lun)) > 1:
            yield Problem(
                ("luns", name, "backing"),
                "several nodes serve this file: only a cluster file system keeps what they cache equal",
            )
        if lun.others is not AluaState.NON_OPTIMIZED and not lun.preferred:
            yield Problem(("luns", name, "others"), "has no effect without 'preferred'")


def _backing(lunmap: Lunmap, place: Place, backing: Backing) -> Iterator[Problem]:
    if isinstance(backing, RamDisk):
        yield from _ram_disk(place, backing)
        return
    field, checker = (
        ("config", names.check_user_config) if isinstance(backing, User) else ("path", names.check_path)
    )
    yield from check_text((*place, field), checker, source(backing))
    for node, path in backing.overrides.items():
        yield from check_text((*place, "overrides", node), checker, path)
        if node not in lunmap.nodes:
            yield Problem((*place, "overrides", node), f"there is no node {node!r}")


def _ram_disk(place: Place, backing: RamDisk) -> Iterator[Problem]:
    if not backing.volatile:
        yield Problem(
            (*place, "volatile"),
            "a ramdisk loses its data with the storage object: say 'volatile: true' if that is meant",
        )


def _size(place: Place, lun: Lun) -> Iterator[Problem]:
    place = (*place, "size")
    kind, plugin = lun.backing.__struct_config__.tag, plugin_of(lun.backing)
    if plugin.size is SizeSource.DEVICE:
        if lun.size is not None:
            yield Problem(place, f"a {kind} Lun has the size of its device: leave it out")
    elif lun.size is None:
        if plugin.sized:
            yield Problem(place, f"a {kind} Lun needs a size")
    elif lun.size > names.MAX_SIZE:
        yield Problem(place, f"{lun.size} bytes are more than any device or file can have, {names.MAX_SIZE}")
    elif lun.size <= 0 or lun.size % _unit(lun):
        yield Problem(place, f"{lun.size} bytes is not a positive multiple of {_unit(lun)}")


def _unit(lun: Lun) -> int:
    """Return what must divide the size: the block size, and the plugin's granule. Both are powers of 2."""
    return max(lun.attributes.get("block_size", 0), plugin_of(lun.backing).granule)


def _inquiry(place: Place, lun: Lun) -> Iterator[Problem]:
    for field, text, length in (
        ("vendor", lun.vendor, names.MAX_VENDOR),
        ("product", lun.product, names.MAX_PRODUCT),
    ):
        if text and plugin_of(lun.backing).own_inquiry:
            kind = lun.backing.__struct_config__.tag
            yield Problem((*place, field), f"a {kind} Lun shows what its device says: leave it out")
        elif sentence := names.check_inquiry(text, length):
            yield Problem((*place, field), sentence)


def _attributes(place: Place, lun: Lun) -> Iterator[Problem]:
    plugin = plugin_of(lun.backing).name
    for name, value in lun.attributes.items():
        known = attributes.STORAGE.get((plugin, name))
        if name in attributes.STORAGE_ELSEWHERE:
            yield Problem((*place, name), f"is lunmapd's own: {attributes.STORAGE_ELSEWHERE[name]}")
        elif known is None:
            yield Problem((*place, name), f"is not an attribute that a {plugin} storage object can be given")
        elif sentence := known.range.check(value):
            yield Problem((*place, name), sentence)


def _nodes(lunmap: Lunmap, place: Place, lun: Lun) -> Iterator[Problem]:
    yield from check_repeated((*place, "nodes"), "node", lun.nodes)
    serving = serving_nodes(lunmap, lun)
    for index, node in enumerate(lun.nodes):
        if node not in lunmap.nodes:
            yield Problem((*place, "nodes", index), f"there is no node {node!r}")
        elif lun.maps and node not in serving:
            yield Problem((*place, "nodes", index), f"node {node!r} serves no target of the Lun's maps")
    reporting = reporting_nodes(lunmap, lun)
    if lun.preferred and lun.preferred not in (reporting if lun.maps else lun.nodes or lunmap.nodes):
        yield Problem((*place, "preferred"), f"node {lun.preferred!r} does not report the Lun")
    if lun.preferred and not plugin_of(lun.backing).emulated:
        yield Problem((*place, "preferred"), "the states of the paths are what is behind this Lun says")
    if isinstance(lun.backing, RamDisk) and len(reporting) > 1:
        yield Problem(
            (*place, "backing"),
            f"a ramdisk is another one on each node: name one in 'nodes', not {', '.join(reporting)}",
        )
