"""From the map to the objects of one node, and what stays as it is where the map can't be trusted."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core import lio
from lunmapd.core.backings import Block, FileIO
from lunmapd.core.lunmap import (
    Access,
    Authentication,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    Target,
    initiators_of,
    reporting_nodes,
    source_on,
)

MARK = "lunmapd"
"""The TargetAlias of every TPG that lunmapd made: it tells our targets from those of other tools."""

PORT_ID = "rtpi"
"""The kernel feature of a settable relative target port id: a file of this name in each TPG."""

TPG_ATTRIBUTES: lio.Settings = (
    # Whether logins need CHAP; what a target asks for comes in its place.
    ("authentication", "0"),
    ("cache_dynamic_acls", "0"),
    # Discovery answers only initiators that have an ACL, and nobody gets one by logging in.
    ("demo_mode_discovery", "0"),
    ("demo_mode_write_protect", "1"),
    ("generate_node_acls", "0"),
    # A mapped LUN takes this at its link: it is read-only until its own flag is written, never the other way.
    ("prod_mode_write_protect", "1"),
)

TPG_PARAMETERS: lio.Settings = (("TargetAlias", MARK),)

# LIO keeps reservations, COMPARE AND WRITE and EXTENDED COPY per node: with several nodes they would lie.
_PER_NODE_STATE = ("emulate_3pc", "emulate_caw", "emulate_pr")

STORAGE_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "fileio": (*_PER_NODE_STATE, "emulate_write_cache"),
    "iblock": _PER_NODE_STATE,
}
"""The attributes of a storage object that lunmapd manages, by plugin, in the order of StorageObject.attributes."""

_PLUGINS: Mapping[type, str] = {Block: "iblock", FileIO: "fileio"}


def project(
    lunmap: Lunmap,
    node: str,
    features: AbstractSet[str] = frozenset(),
    foreign: AbstractSet[str] = frozenset(),
) -> dict[lio.Key, lio.Object]:
    """Return the objects that `node` must have. `features` are those of its kernel, such as PORT_ID.

    Maps to targets that this node does not serve, that don't exist or that are `foreign` here give nothing.
    """
    itself = lunmap.nodes.get(node)
    if itself is None:
        return {}
    serves = {
        iqn: target for iqn, target in lunmap.targets.items() if node in target.nodes and iqn not in foreign
    }
    objects: list[lio.Object] = [] if itself.discovery is None else [lio.DiscoveryAuth()]
    for iqn, target in serves.items():
        objects.extend(_target(iqn, target, node, itself, features))
    for name, lun in lunmap.luns.items():
        if node in reporting_nodes(lunmap, lun):
            objects.extend(_lun(lunmap, name, node, serves))
    return lio.keyed(objects)


def _target(
    iqn: str, target: Target, name: str, node: Node, features: AbstractSet[str]
) -> Iterator[lio.Object]:
    tag, group = node.tpg_tag, target.nodes[name]
    yield lio.Target(iqn)
    yield lio.Tpg(iqn, tag, tpg_attributes(target), TPG_PARAMETERS)
    for portal in group.portals or node.portals:
        yield lio.Portal(iqn, tag, portal)
    if node.state is NodeState.ACTIVE:
        yield lio.Enabled(iqn, tag, group.port_id if PORT_ID in features else 0)


def tpg_attributes(target: Target) -> lio.Settings:
    """Return the attributes that a target's TPGs must have."""
    asks = "0" if target.authentication is Authentication.NONE else "1"
    return tuple((name, asks if name == "authentication" else value) for name, value in TPG_ATTRIBUTES)


def _lun(lunmap: Lunmap, name: str, node: str, serves: Mapping[str, Target]) -> Iterator[lio.Object]:
    lun, itself = lunmap.luns[name], lunmap.nodes[node]
    maps = [entry for entry in lun.maps if entry.target in serves]
    plugin = _PLUGINS.get(type(lun.backing))
    if not maps or plugin is None:
        return
    shared = len(reporting_nodes(lunmap, lun)) > 1
    yield _storage_object(name, lun, plugin, source_on(lun, node, itself), shared=shared)
    for entry in maps:
        yield lio.TpgLun(entry.target, itself.tpg_tag, name)
        for initiator in initiators_of(lunmap, entry):
            yield from _mapping(name, entry, itself.tpg_tag, initiator)


def _mapping(name: str, entry: Map, tag: int, initiator: str) -> Iterator[lio.Object]:
    read_only = entry.access is Access.READ_ONLY
    yield lio.NodeAcl(entry.target, tag, initiator)
    yield lio.MappedLun(entry.target, tag, initiator, entry.lun, name, read_only)


def _storage_object(name: str, lun: Lun, plugin: str, path: str, *, shared: bool) -> lio.StorageObject:
    values = dict.fromkeys(_PER_NODE_STATE, "0" if shared else "1") | {"emulate_write_cache": "0"}
    attributes = tuple((attribute, values[attribute]) for attribute in STORAGE_ATTRIBUTES[plugin])
    size = (lun.size or 0) if plugin == "fileio" else 0
    return lio.StorageObject(name, plugin, path, size, lun.serial, attributes)
