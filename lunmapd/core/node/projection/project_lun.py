"""From the map to the desired objects of one Lun on one node."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.base.backings import PLUGINS, PluginName, SizeSource, plugin_of
from lunmapd.core.base.lunmap import (
    CLOSED,
    Access,
    Lun,
    Lunmap,
    Map,
    Node,
    Scope,
    Shared,
    has_read_only_map,
    initiators_of,
    reporting_nodes,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.governed import READ_ONLY_ATTRIBUTES
from lunmapd.core.node.opening import ANY_ACCESS, UNDECLARED_SIZE, DeclaredSize
from lunmapd.core.node.projection.project_target import ServedTarget
from lunmapd.core.placement.alua_states import offered_state
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.placement.leased_groups import preferred_nodes, takeover_group

_OFFERED: Mapping[Scope, str] = {Scope.OFF: "0", Scope.PER_NODE: "1"}


def project_lun(
    lunmap: Lunmap, name: str, node: str, serves: Mapping[str, ServedTarget]
) -> Iterator[lio_objects.DesiredObject]:
    """Yield the desired objects of `node` for one Lun; an ACL comes once for each map through it.

    `serves` is the result of `served_targets`.
    """
    lun, itself = lunmap.luns[name], lunmap.nodes[node]
    maps = [entry for entry in lun.maps if entry.target in serves]
    reporting = reporting_nodes(lunmap, lun)
    if not maps or node not in reporting:
        return
    several = len(reporting) > 1
    alua = _alua(lunmap, lun, node) if several else None
    yield _storage_object(name, lun, source_on(lun, node, itself), alua, several=several)
    for entry in maps:
        own, remote = serves[entry.target]
        for tag in own:
            yield lio_objects.TpgLun(entry.target, tag, name, _group_through(alua, tag, itself))
        for initiator in initiators_of(lunmap, entry):
            for tag in own:
                yield from _mapping(name, entry, tag, initiator)
            yield from (lio_objects.NodeAcl(entry.target, tag, initiator) for tag in remote)


def _group_through(alua: Alua | None, tag: int, node: Node) -> int:
    """Return the target port group of a LUN in the TPG `tag`.

    A floating group is one port that moves, so its target port group must not change with its owner. That is
    LIO's own group: it has the same id and state on every node. A node on which the map lets a Lun accept no
    I/O refuses it through a floating group, too.
    """
    if alua is None or (tag != node.tpg_tag and alua.state not in CLOSED):
        return 0
    return alua.id


def _mapping(name: str, entry: Map, tag: int, initiator: str) -> Iterator[lio_objects.DesiredObject]:
    read_only = entry.access is Access.READ_ONLY
    yield lio_objects.NodeAcl(entry.target, tag, initiator)
    yield lio_objects.MappedLun(entry.target, tag, initiator, entry.lun, name, read_only)


def _alua(lunmap: Lunmap, lun: Lun, node: str) -> Alua | None:
    """Return the group of a Lun that several nodes show; None if its device or handler does ALUA."""
    if not plugin_of(lun.backing).emulated:
        return None
    tag = lunmap.nodes[node].tpg_tag
    if takeover_group(lun) is not None and node in preferred_nodes(lun):
        return Alua(tag, lun.others.value, leased=True)
    state, preferred = offered_state(lunmap, lun, node)
    return Alua(tag, state.value, preferred)


def _storage_object(
    name: str, lun: Lun, path: str, alua: Alua | None, *, several: bool
) -> lio_objects.StorageObject:
    plugin = plugin_of(lun.backing)
    held = _read_only_attributes(lun, plugin.name)
    values = _shared_state_attributes(lun, several=several) | {"emulate_write_cache": "0"} | held
    governed = ((attribute, values[attribute]) for attribute in plugin.governed)
    more = {name: value for name, value in held.items() if name not in plugin.governed}
    given = sorted(({name: str(value) for name, value in lun.attributes.items()} | more).items())
    size, declared = (lun.size or 0) if plugin.sized else 0, UNDECLARED_SIZE
    if plugin.size is SizeSource.DECLARED and lun.size:
        declared = DeclaredSize(lun.size)
    settings = (*governed, *given)
    item = lio_objects.StorageObject(
        name, plugin.name.value, path, size, lun.serial, settings, lun.vendor, lun.product, alua, declared
    )
    return replace(item, access=ANY_ACCESS) if _is_only_read(lun) else item


def _read_only_attributes(lun: Lun, plugin: PluginName) -> dict[str, str]:
    """Return the attributes without which LIO does not hold a read-only mapping against each command.

    They concern all initiators of the Lun, so a Lun without a read-only map has none of them.
    """
    if not has_read_only_map(lun):
        return {}
    return {
        name: value
        for name, value in READ_ONLY_ATTRIBUTES.items()
        if name in PLUGINS[plugin].governed or (plugin, name) in STORAGE
    }


def _is_only_read(lun: Lun) -> bool:
    """Return whether no initiator may write to a block device, so that LIO need not open it for writing."""
    is_device = plugin_of(lun.backing).name is PluginName.IBLOCK
    return is_device and all(entry.access is Access.READ_ONLY for entry in lun.maps)


def _shared_state_attributes(lun: Lun, *, several: bool) -> dict[str, str]:
    """Return the attributes that enable commands whose state LIO keeps in each node separately.

    With several nodes that state would be inconsistent: reservations and COMPARE AND WRITE are off unless the
    Lun's `shared` says otherwise. EXTENDED COPY knows only the devices of one node, so it is always off with
    several.
    """
    alone = Scope.OFF if several else Scope.PER_NODE
    chosen = lun.shared or Shared(alone, alone)
    return {
        "emulate_3pc": "0" if several else "1",
        "emulate_caw": _OFFERED[chosen.compare_and_write],
        "emulate_pr": _OFFERED[chosen.reservations],
    }
