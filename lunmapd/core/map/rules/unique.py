"""Values that no two objects of a map may share."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.backings import RamDisk, source, source_field
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, initiators_of, reporting_nodes
from lunmapd.core.map.rules.common import UniqueValue, check_clashes
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.placement.leased_groups import floating_groups


def check_unique(lunmap: Lunmap) -> Iterator[Problem]:
    """Report every second use of an identifier, a backing, an address or a number."""
    yield from check_clashes(_naas(lunmap), "LIO derives the same NAA identifier from it as from")
    yield from check_clashes(_sources(lunmap), "the same backing is already that of")
    yield from check_clashes(_sources_on_nodes(lunmap), "on this node the same backing is already that of")
    yield from check_clashes(_tags(lunmap), "the same TPG tag is already that of")
    yield from check_clashes(_port_ids(lunmap), "the same port id is already that of")
    yield from check_clashes(_addresses(lunmap), "the same portal is already that of")
    yield from check_clashes(
        _numbers(lunmap), "this LUN number is already taken for this initiator and target by"
    )
    yield from check_clashes(
        _mappings(lunmap), "this Lun is already mapped to this initiator through this target in"
    )


def _naas(lunmap: Lunmap) -> Iterator[UniqueValue]:
    identifiers = {name: names.naa(lun.serial) for name, lun in lunmap.luns.items()}
    if len(set(identifiers.values())) == len(identifiers):
        return
    for name, lun in lunmap.luns.items():
        if names.check_serial(lun.serial) is None:
            yield identifiers[name], ("luns", name, "serial"), 2


def _sources(lunmap: Lunmap) -> Iterator[UniqueValue]:
    sources = {
        name: source(lun.backing) for name, lun in lunmap.luns.items() if not isinstance(lun.backing, RamDisk)
    }
    if len(set(sources.values())) == len(sources):
        return
    for name, path in sources.items():
        place: Place = ("luns", name, "backing", source_field(lunmap.luns[name].backing))
        yield path, place, 2


def _sources_on_nodes(lunmap: Lunmap) -> Iterator[UniqueValue]:
    """Yield the paths on the nodes that rewrite or override them; `_sources` covers all other nodes."""
    special = {name for name, node in lunmap.nodes.items() if node.devices}
    for lun in lunmap.luns.values():
        special.update(getattr(lun.backing, "overrides", ()))
    # A node may be missing: its document can't be read, or was removed out of band.
    special &= lunmap.nodes.keys()
    if not special:
        return
    for name, lun in lunmap.luns.items():
        for node in special.intersection(reporting_nodes(lunmap, lun)):
            path = source_on(lun, node, lunmap.nodes[node])
            if path:
                yield (node, path), ("luns", name, "backing", "overrides", node), 2


def _tags(lunmap: Lunmap) -> Iterator[UniqueValue]:
    for name, node in lunmap.nodes.items():
        yield node.tpg_tag, ("nodes", name, "tpg_tag"), 2
    for iqn, name, group in floating_groups(lunmap):
        yield group.tpg_tag, ("targets", iqn, "floating", name, "tpg_tag"), 4


def _port_ids(lunmap: Lunmap) -> Iterator[UniqueValue]:
    for iqn, target in lunmap.targets.items():
        for name, group in target.nodes.items():
            yield group.port_id, ("targets", iqn, "nodes", name, "port_id"), 4
    for iqn, name, floating in floating_groups(lunmap):
        yield floating.port_id, ("targets", iqn, "floating", name, "port_id"), 4


def _addresses(lunmap: Lunmap) -> Iterator[UniqueValue]:
    for name, node in lunmap.nodes.items():
        own = [("portals", index, portal) for index, portal in enumerate(node.portals)]
        own += [("iser_portals", index, portal) for index, portal in enumerate(node.iser_portals)]
        # A portal that a node has twice is reported by the rules of nodes.
        first = {portal: (field, index) for field, index, portal in reversed(own)}
        for portal, (field, index) in first.items():
            if not names.is_every_address(portal):
                yield portal, ("nodes", name, field, index), 2


def _numbers(lunmap: Lunmap) -> Iterator[UniqueValue]:
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            for initiator in dict.fromkeys(initiators_of(lunmap, entry)):
                value = (entry.target, initiator, entry.lun)
                yield value, ("luns", name, "maps", index, "lun"), 4


def _mappings(lunmap: Lunmap) -> Iterator[UniqueValue]:
    for name, lun in lunmap.luns.items():
        # Two maps of one Lun can clash, and neither those of two Luns nor the initiators of one map.
        for index, entry in enumerate(lun.maps) if len(lun.maps) > 1 else ():
            for initiator in dict.fromkeys(initiators_of(lunmap, entry)):
                value = (name, entry.target, initiator)
                yield value, ("luns", name, "maps", index), 4
