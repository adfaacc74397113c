"""Rules of a single Lun: its backing, size, serial, attributes and nodes."""

from collections.abc import Iterator

from lunmapd.core.base import attributes, names
from lunmapd.core.base.backings import Backing, FileIO, Pscsi, RamDisk, SizeSource, User, plugin_of, source
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import AluaState, Lun, Lunmap, has_read_only_map, reporting_nodes, serving_nodes
from lunmapd.core.map.rules.common import check_repeated, check_text, no_such
from lunmapd.core.placement.alua_states import closed_nodes
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.placement.leased_groups import preferred_nodes

_FEWEST = 2  # nodes of a list of preferred nodes


def check_luns(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every Lun."""
    for name, lun in lunmap.luns.items():
        place: Place = ("luns", name)
        if sentence := names.check_name(name):
            yield Problem(place, sentence)
        if sentence := names.check_serial(lun.serial):
            yield Problem((*place, "serial"), sentence)
        yield from _backing(lunmap, (*place, "backing"), lun.backing)
        yield from _size(place, lun)
        # Most Luns have none of the following: a large map is checked in a third less time.
        if lun.vendor or lun.product:
            yield from _inquiry(place, lun)
        if lun.attributes:
            yield from _attributes((*place, "attributes"), lun)
        if lun.nodes or lun.preferred != "" or isinstance(lun.backing, RamDisk):
            yield from _nodes(lunmap, place, lun)
    yield from _rewritten_paths(lunmap)


def check_choices(lunmap: Lunmap) -> Iterator[Problem]:
    """Check the choices that an admin must make explicitly."""
    for name, lun in lunmap.luns.items():
        if lun.shared is None and len(reporting_nodes(lunmap, lun)) > 1:
            yield Problem(
                ("luns", name, "shared"),
                "several nodes report this Lun, and LIO keeps reservations and the locks of COMPARE AND "
                "WRITE in each node: "
                "set {reservations: off, compare_and_write: off}, or per-node for a command that "
                "initiators use on one node only",
            )


def check_descriptors(lunmap: Lunmap) -> Iterator[Problem]:
    """Check that LIO can show the serials of new Luns; a Lun with another serial is served all the same."""
    for name, lun in lunmap.luns.items():
        product = lun.product or plugin_of(lun.backing).product
        if product and (sentence := names.check_serial_length(lun.serial, product)):
            yield Problem(("luns", name, "serial"), sentence)


def warn_of_luns(lunmap: Lunmap) -> Iterator[Problem]:
    """Warn of Luns that are probably not meant so."""
    for name, lun in lunmap.luns.items():
        if isinstance(lun.backing, FileIO) and len(reporting_nodes(lunmap, lun)) > 1:
            yield Problem(
                ("luns", name, "backing"),
                "several nodes serve this file: only a cluster file system keeps their caches consistent",
            )
        yield from _warn_of_states(lunmap, name, lun)
        if has_read_only_map(lun) and isinstance(lun.backing, Pscsi | User):
            yield Problem(
                ("luns", name, "maps"),
                "commands of a pscsi or user Lun go to its device or program, which does not know of "
                "'access: ro': let that itself refuse writes",
            )


def _warn_of_states(lunmap: Lunmap, name: str, lun: Lun) -> Iterator[Problem]:
    """Warn of ALUA states without the effect that their names promise (docs/initiators.md)."""
    place: Place = ("luns", name, "others")
    if lun.others is not AluaState.NON_OPTIMIZED and not lun.preferred:
        yield Problem(place, "has no effect without 'preferred'")
    elif lun.preferred and lun.others is AluaState.OPTIMIZED:
        yield Problem(place, "with Linux' default settings 'preferred' has no effect beside it: both get I/O")
    elif isinstance(lun.preferred, str) and closed_nodes(lunmap, lun):
        yield Problem(
            place,
            f"if node {lun.preferred} fails, the Lun has no path: no host can use a path in "
            f"{lun.others.value} until a change of the map opens it; non-optimized paths need no change, and "
            "a list of nodes in 'preferred' lets another node take the Lun over",
        )


def _backing(lunmap: Lunmap, place: Place, backing: Backing) -> Iterator[Problem]:
    if isinstance(backing, RamDisk):
        yield from _ram_disk(place, backing)
        return
    field, checker = (
        ("config", names.check_user_config) if isinstance(backing, User) else ("path", names.check_path)
    )
    if sentence := checker(source(backing)):
        yield Problem((*place, field), sentence)
    for node, path in backing.overrides.items():
        yield from check_text((*place, "overrides", node), checker, path)
        if node not in lunmap.nodes:
            yield Problem((*place, "overrides", node), no_such("node", node, lunmap.nodes))


def _preferred(lunmap: Lunmap, place: Place, lun: Lun, reporting: tuple[str, ...]) -> Iterator[Problem]:
    for node in preferred_nodes(lun):
        if node not in (reporting if lun.maps else lun.nodes or lunmap.nodes):
            yield Problem(place, f"node {node!r} does not report the Lun")
    if not isinstance(lun.preferred, str):
        yield from _takeover(lunmap, place, lun, lun.preferred)
    if lun.preferred and not plugin_of(lun.backing).emulated:
        yield Problem(place, "ALUA states come from the device or the tcmu program: omit this field")


def _takeover(lunmap: Lunmap, place: Place, lun: Lun, nodes: tuple[str, ...]) -> Iterator[Problem]:
    """Check a Lun whose preferred nodes take it over from one another."""
    yield from check_repeated(place, "node", nodes)
    if len(nodes) < _FEWEST:
        yield Problem(place, "a list names at least two nodes: write one node without a list")
    targets = sorted({entry.target for entry in lun.maps})
    if len(targets) > 1:
        yield Problem(
            place,
            f"a Lun with a list has maps through one target alone, not through {', '.join(targets)}: "
            "name one node",
        )
    floating = [iqn for iqn in targets if iqn in lunmap.targets and lunmap.targets[iqn].floating]
    if floating:
        yield Problem(
            place, f"{floating[0]} has floating portal groups, whose owner serves the Lun: name one node"
        )
    if lun.others is AluaState.OPTIMIZED:
        yield Problem(place, "a list has no effect beside 'others: optimized'")


def _rewritten_paths(lunmap: Lunmap) -> Iterator[Problem]:
    """Check the paths that the `devices` of nodes make of the Luns' paths."""
    rewriting = {name for name, node in lunmap.nodes.items() if node.devices}
    for name, lun in lunmap.luns.items() if rewriting else ():
        given = source(lun.backing)
        for node in rewriting.intersection(reporting_nodes(lunmap, lun)):
            path = source_on(lun, node, lunmap.nodes[node])
            rewritten = path != given and node not in getattr(lun.backing, "overrides", ())
            if rewritten and (sentence := names.check_path(path)):
                yield Problem(
                    ("luns", name, "backing", "path"),
                    f"on node {node}, whose 'devices' rewrites it: {sentence}",
                )


def _ram_disk(place: Place, backing: RamDisk) -> Iterator[Problem]:
    if not backing.volatile:
        yield Problem(
            (*place, "volatile"),
            "a ramdisk loses its data with the storage object: set 'volatile: true' to accept that",
        )


def _size(place: Place, lun: Lun) -> Iterator[Problem]:
    place = (*place, "size")
    kind, plugin = lun.backing.__struct_config__.tag, plugin_of(lun.backing)
    if plugin.size is SizeSource.DEVICE:
        if lun.size is not None:
            yield Problem(place, f"a {kind} Lun has the size of its device: omit this field")
    elif lun.size is None:
        if plugin.sized:
            yield Problem(place, f"a {kind} Lun needs a size")
    elif lun.size > names.MAX_SIZE:
        yield Problem(place, f"{lun.size} bytes are more than any device or file can have, {names.MAX_SIZE}")
    elif lun.size <= 0 or lun.size % _unit(lun):
        yield Problem(place, f"{lun.size} bytes is not a positive multiple of {_unit(lun)}")


def _unit(lun: Lun) -> int:
    """Return the divisor of the size: the larger of block size and granule, both powers of 2."""
    return max(lun.attributes.get("block_size", 0), plugin_of(lun.backing).granule)


def _inquiry(place: Place, lun: Lun) -> Iterator[Problem]:
    for field, text, length in (
        ("vendor", lun.vendor, names.MAX_VENDOR),
        ("product", lun.product, names.MAX_PRODUCT),
    ):
        if not text:
            continue
        if plugin_of(lun.backing).own_inquiry:
            kind = lun.backing.__struct_config__.tag
            yield Problem(
                (*place, field), f"a {kind} Lun has the INQUIRY data of its device: omit this field"
            )
        elif sentence := names.check_inquiry(text, length):
            yield Problem((*place, field), sentence)


def _attributes(place: Place, lun: Lun) -> Iterator[Problem]:
    plugin = plugin_of(lun.backing).name
    for name, value in lun.attributes.items():
        row = attributes.STORAGE.get((plugin, name))
        if name in attributes.STORAGE_ELSEWHERE:
            yield Problem((*place, name), f"is lunmapd's own: {attributes.STORAGE_ELSEWHERE[name]}")
        elif row is None:
            yield Problem((*place, name), f"is not an attribute that a {plugin} storage object can be given")
        elif sentence := row.range.check(value):
            yield Problem((*place, name), sentence)
        elif name == "max_write_same_len" and value and has_read_only_map(lun):
            yield Problem((*place, name), "is 0 for a Lun with a map of 'access: ro': omit it, or set 0")


def _nodes(lunmap: Lunmap, place: Place, lun: Lun) -> Iterator[Problem]:
    yield from check_repeated((*place, "nodes"), "node", lun.nodes)
    serving = serving_nodes(lunmap, lun)
    for index, node in enumerate(lun.nodes):
        if node not in lunmap.nodes:
            yield Problem((*place, "nodes", index), no_such("node", node, lunmap.nodes))
        elif lun.maps and node not in serving:
            yield Problem((*place, "nodes", index), f"node {node!r} serves no target of the Lun's maps")
    reporting = reporting_nodes(lunmap, lun)
    yield from _preferred(lunmap, (*place, "preferred"), lun, reporting)
    if isinstance(lun.backing, RamDisk) and len(reporting) > 1:
        yield Problem(
            (*place, "backing"),
            "each node would have a separate ramdisk: name exactly one in 'nodes', not "
            f"{', '.join(reporting)}",
        )
