"""From the map to the desired objects of one node."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from lunmapd.core.base.attributes import PARAMETERS, STORAGE, TPG
from lunmapd.core.base.backing_paths import source_on
from lunmapd.core.base.backings import PLUGINS, PluginName, SizeSource, plugin_of
from lunmapd.core.base.leased_groups import groups_on, preferred_nodes, takeover_group
from lunmapd.core.base.lunmap import (
    CLOSED,
    Access,
    Authentication,
    FloatingGroup,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Scope,
    Shared,
    Target,
    has_read_only_map,
    initiators_of,
    portals_of,
)
from lunmapd.core.base.serving import nodes_of, offered_state, reporting_nodes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.interning import ObjectPool

MARK = "lunmapd"
"""The TargetAlias of each of lunmapd's TPGs: it distinguishes them from those of other tools."""

PORT_ID = "rtpi"
"""The kernel feature of a settable relative target port id: each TPG has a file of this name."""

TPG_ATTRIBUTES: lio_objects.AttributeValues = (
    # Whether logins need CHAP; replaced by the value for the target's authentication.
    ("authentication", "0"),
    ("cache_dynamic_acls", "0"),
    # Discovery answers only initiators with an ACL, and a login does not create an ACL.
    ("demo_mode_discovery", "0"),
    ("demo_mode_write_protect", "1"),
    ("generate_node_acls", "0"),
    # A mapped LUN is read-only from its symlink until its own write protection is written.
    ("prod_mode_write_protect", "1"),
    # Discovery lists the portals of a TPG only while it is enabled, unless this is 0.
    ("tpg_enabled_sendtargets", "1"),
)

TPG_PARAMETERS: lio_objects.AttributeValues = (("TargetAlias", MARK),)

ADMITTING_ATTRIBUTES = frozenset(name for name, _ in TPG_ATTRIBUTES) - {"tpg_enabled_sendtargets"}
"""The attributes of a TPG that decide which initiators get access, and whether they may write."""


READ_ONLY_ATTRIBUTES: Mapping[str, str] = {"emulate_3pc": "0", "max_write_same_len": "0"}
"""EXTENDED COPY and WRITE SAME are off for a Lun with a read-only map.

LIO checks the write protection of a mapping by the direction of the data, when the command arrives
(transport_lookup_cmd_lun in drivers/target/target_core_device.c).
"""


def project_map(
    lunmap: Lunmap,
    node: str,
    features: AbstractSet[str] = frozenset(),
    foreign: AbstractSet[str] = frozenset(),
    previous: lio_objects.Objects = lio_objects.NO_OBJECTS,
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return the desired objects of `node` by key; none if the map has no such node.

    `features` are those of its kernel, such as PORT_ID. Objects that equal one in `previous` are that
    instance (see interning.py). Maps to targets that this node does not serve, that don't exist or that are
    `foreign` are ignored. Every floating group is enabled, as if the node were the owner: leases.py. Luns
    of takeover groups are `leased` (Alua).
    """
    itself = lunmap.nodes.get(node)
    if itself is None:
        return {}
    serves = served_targets(lunmap, node, foreign)
    targets = (_target(iqn, lunmap.targets[iqn], node, itself, features) for iqn in serves)
    remote = (_remote(lunmap, iqn, node) for iqn in serves)
    luns = (project_lun(lunmap, name, node, serves) for name in lunmap.luns)
    discovery = () if itself.discovery is None else (lio_objects.DiscoveryAuth(),)
    pool = ObjectPool[lio_objects.DesiredObject](previous)
    pool.add(chain(discovery, chain.from_iterable(chain(targets, remote, luns))))
    return pool.objects()


class ServedTarget(NamedTuple):
    """The tags of a target's TPGs on a node: of those that it serves itself, and of its remote TPGs."""

    own: tuple[int, ...]
    remote: tuple[int, ...]


def served_targets(
    lunmap: Lunmap, node: str, foreign: AbstractSet[str] = frozenset()
) -> dict[str, ServedTarget]:
    """Return the targets that `node` serves, each with the tags of its TPGs there."""
    return {
        iqn: ServedTarget(
            own_tags(lunmap, target, node),
            (
                *(lunmap.nodes[other].tpg_tag for other in _other_active_nodes(lunmap, target, node)),
                *(group.tpg_tag for group in _other_groups(target, node)),
            ),
        )
        for iqn, target in lunmap.targets.items()
        if node in nodes_of(target) and iqn not in foreign
    }


def own_tags(lunmap: Lunmap, target: Target, node: str) -> tuple[int, ...]:
    """Return the tags of the TPGs through which a node of the map can serve a target: they have LUNs."""
    fixed = (lunmap.nodes[node].tpg_tag,) if node in target.nodes else ()
    return (*fixed, *(group.tpg_tag for group in groups_on(target, node).values()))


def _other_groups(target: Target, node: str) -> Iterator[FloatingGroup]:
    """Yield the floating groups of a target that other nodes alone may own."""
    return (group for group in target.floating.values() if node not in group.nodes)


def _other_active_nodes(lunmap: Lunmap, target: Target, node: str) -> Iterator[str]:
    for other in target.nodes:
        if other != node and other in lunmap.nodes and lunmap.nodes[other].state is NodeState.ACTIVE:
            yield other


def _remote(lunmap: Lunmap, iqn: str, name: str) -> Iterator[lio_objects.DesiredObject]:
    """Yield the remote TPGs of a target, so that discovery on this node lists the portals of all nodes.

    No initiator can log in to them: they are never enabled and have no LUNs. `project_lun` gives them ACLs
    for the initiators that may discover the target.
    """
    target = lunmap.targets[iqn]
    others = [
        (node.tpg_tag, portals_of(node, target.nodes[other]))
        for other in _other_active_nodes(lunmap, target, name)
        for node in (lunmap.nodes[other],)
    ]
    others += [(group.tpg_tag, group.portals) for group in _other_groups(target, name)]
    for tag, portals in others:
        yield lio_objects.Tpg(iqn, tag, _always_listed(target), TPG_PARAMETERS)
        for portal in portals:
            # Discovery lists the address only; RDMA is enabled on the node that has the address.
            yield lio_objects.Portal(iqn, tag, portal)


def _always_listed(target: Target) -> lio_objects.AttributeValues:
    """Return the attributes of a TPG whose portals discovery lists while it is disabled, too."""
    return tuple(
        (attribute, "0" if attribute == "tpg_enabled_sendtargets" else value)
        for attribute, value in tpg_attributes(target)
    )


def is_always_listed(item: lio_objects.Tpg) -> bool:
    """Return whether a TPG is a remote TPG, or one of a floating group: no map alone enables either."""
    return ("tpg_enabled_sendtargets", "0") in item.attributes


def _target(
    iqn: str, target: Target, name: str, node: Node, features: AbstractSet[str]
) -> Iterator[lio_objects.DesiredObject]:
    yield lio_objects.Target(iqn)
    if name in target.nodes:
        yield from _own_tpg(iqn, target, target.nodes[name], node, features)
    for floating in groups_on(target, name).values():
        yield lio_objects.Tpg(iqn, floating.tpg_tag, _always_listed(target), tpg_parameters(target))
        for portal in floating.portals:
            yield lio_objects.Portal(iqn, floating.tpg_tag, portal)
    yield from enabled_groups(iqn, target, name, features)


def enabled_groups(
    iqn: str, target: Target, node: str, features: AbstractSet[str]
) -> Iterator[lio_objects.Enabled]:
    """Yield the enablement of the TPGs of a target's floating groups that a node may own."""
    for group in groups_on(target, node).values():
        yield lio_objects.Enabled(iqn, group.tpg_tag, group.port_id if PORT_ID in features else 0)


def _own_tpg(
    iqn: str, target: Target, group: PortalGroup, node: Node, features: AbstractSet[str]
) -> Iterator[lio_objects.DesiredObject]:
    tag = node.tpg_tag
    yield lio_objects.Tpg(iqn, tag, tpg_attributes(target), tpg_parameters(target))
    for portal in portals_of(node, group):
        yield lio_objects.Portal(iqn, tag, portal, portal in node.iser_portals)
    if node.state is NodeState.ACTIVE:
        yield lio_objects.Enabled(iqn, tag, group.port_id if PORT_ID in features else 0)


def tpg_attributes(target: Target) -> lio_objects.AttributeValues:
    """Return the desired attributes of a target's TPGs."""
    asks = "0" if target.authentication is Authentication.NONE else "1"
    governed = ((name, asks if name == "authentication" else value) for name, value in TPG_ATTRIBUTES)
    given = sorted((name, value) for name, value in target.attributes.items() if value != TPG[name].default)
    return (*governed, *((name, str(value)) for name, value in given))


def tpg_parameters(target: Target) -> lio_objects.AttributeValues:
    """Return the desired parameters of a target's TPGs."""
    given = sorted(target.parameters.items())
    return (*TPG_PARAMETERS, *((name, text) for name, text in given if text != PARAMETERS[name].default))


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


def _group_through(alua: lio_objects.Alua | None, tag: int, node: Node) -> int:
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


def _alua(lunmap: Lunmap, lun: Lun, node: str) -> lio_objects.Alua | None:
    """Return the group of a Lun that several nodes show; None if its device or handler does ALUA."""
    if not plugin_of(lun.backing).emulated:
        return None
    tag = lunmap.nodes[node].tpg_tag
    if takeover_group(lun) is not None and node in preferred_nodes(lun):
        return lio_objects.Alua(tag, lun.others.value, leased=True)
    state, preferred = offered_state(lunmap, lun, node)
    return lio_objects.Alua(tag, state.value, preferred)


def _storage_object(
    name: str, lun: Lun, path: str, alua: lio_objects.Alua | None, *, several: bool
) -> lio_objects.StorageObject:
    plugin = plugin_of(lun.backing)
    held = _read_only_attributes(lun, plugin.name)
    values = _shared_state_attributes(lun, several=several) | {"emulate_write_cache": "0"} | held
    governed = ((attribute, values[attribute]) for attribute in plugin.governed)
    more = {name: value for name, value in held.items() if name not in plugin.governed}
    given = sorted(({name: str(value) for name, value in lun.attributes.items()} | more).items())
    size, declared = (lun.size or 0) if plugin.sized else 0, lio_objects.UNDECLARED_SIZE
    if plugin.size is SizeSource.DECLARED and lun.size:
        declared = lio_objects.DeclaredSize(lun.size)
    settings = (*governed, *given)
    item = lio_objects.StorageObject(
        name, plugin.name.value, path, size, lun.serial, settings, lun.vendor, lun.product, alua, declared
    )
    return replace(item, access=lio_objects.ANY_ACCESS) if _is_only_read(lun) else item


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


_OFFERED: Mapping[Scope, str] = {Scope.OFF: "0", Scope.PER_NODE: "1"}
