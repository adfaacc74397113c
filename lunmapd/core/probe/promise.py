"""What the map promises to one initiator: portals, targets, and the properties of each LUN on each path."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.backings import DEFAULT_VENDOR, SizeSource, plugin_of
from lunmapd.core.base.lunmap import (
    CLOSED,
    AluaState,
    Authentication,
    GroupId,
    Lunmap,
    Map,
    Node,
    NodeState,
    initiators_of,
    nodes_of,
    portals_of,
    reporting_nodes,
)
from lunmapd.core.base.names import is_every_address, naa
from lunmapd.core.placement.alua_states import offered_state
from lunmapd.core.placement.leased_groups import floating_groups, takeover_group, takeover_nodes

_DEFAULT_BLOCK_SIZE = 512


class PromisedLun(Struct, frozen=True, kw_only=True):
    """A LUN of a target on one node.

    `serial` and `naa` are "" if the device or program gives its own. `product` is None if the map has none
    and no default is known. `size` is in bytes, and the exact size unless it `may_exceed`; None if the map
    does not have it. `state` is None if the device or program does ALUA; `group` is then 0.
    """

    lun: str
    number: int
    serial: str = ""
    naa: str = ""
    vendor: str = ""
    product: str = ""
    size: int | None = None
    may_exceed: bool = False
    block_size: int | None = None
    state: AluaState | None = None
    preferred: bool = False
    group: int = 0
    read_only: bool = False

    @property
    def is_open(self) -> bool:
        """Whether hosts can read and write through this path."""
        return self.state not in CLOSED


class PromisedTarget(Struct, frozen=True):
    """A target on one node, as the initiator sees it: the LUNs to probe by number.

    `others` are the numbers of its other LUNs. `obstacle` is the reason why libiscsi can't log in, "" if it
    can.
    """

    luns: Mapping[int, PromisedLun]
    others: AbstractSet[int] = frozenset()
    authentication: Authentication = Authentication.NONE
    obstacle: str = ""


class PromisedPortal(Struct, frozen=True, kw_only=True):
    """A portal of a node; that of a floating group is promised by the group's owner.

    `targets` maps the targets that the initiator sees through this portal. `listed` maps targets to the
    portals that discovery lists, as `address:port,tag`. A node that is not `active` accepts no login.
    `asks_password`: discovery on this node needs CHAP.
    """

    node: str
    portal: str
    active: bool
    asks_password: bool = False
    targets: Mapping[str, PromisedTarget] = {}
    listed: Mapping[str, AbstractSet[str]] = {}


def promised_portals(
    lunmap: Lunmap, initiator: str, owners: Mapping[GroupId, str] = {}
) -> Iterator[PromisedPortal]:
    """Yield each portal of the map, node by node, with what `initiator` sees there ("" for nobody).

    A portal on all addresses of its node is left out: the map does not have its addresses. So are
    those of a node that serves floating groups alone: nothing listens there. The portals of the groups come
    last; `owners` are the owners of floating groups and of takeover groups, without which the first active
    node counts.
    """
    seen = _luns_of(lunmap, initiator, owners)
    for name, node in sorted(lunmap.nodes.items()):
        targets = {target: luns[name] for target, luns in seen.items() if name in luns}
        listed = {target: frozenset(_listed(lunmap, target)) for target in targets}
        own = () if _only_floats(lunmap, name) else (*node.portals, *node.iser_portals)
        for portal in dict.fromkeys(own):
            if not is_every_address(portal):
                yield PromisedPortal(
                    node=name,
                    portal=portal,
                    active=node.state is NodeState.ACTIVE,
                    asks_password=node.discovery is not None,
                    targets={
                        target: promised
                        for target, promised in targets.items()
                        if portal in _portals(lunmap, target, name, node)
                    },
                    listed=listed,
                )
    yield from _floating_portals(lunmap, seen, owners)


def _only_floats(lunmap: Lunmap, node: str) -> bool:
    """Return whether a node has floating groups, and serves no target through portals of its own."""
    targets = [target for target in lunmap.targets.values() if node in nodes_of(target)]
    return bool(targets) and not any(node in target.nodes for target in targets)


def _floating_portals(
    lunmap: Lunmap, seen: Mapping[str, Mapping[str, PromisedTarget]], owners: Mapping[GroupId, str]
) -> Iterator[PromisedPortal]:
    for iqn, group_name, group in floating_groups(lunmap):
        active = [name for name in group.nodes if _is_active(lunmap, name)]
        owner = _owner(lunmap, GroupId(iqn, group_name), group.nodes, owners)
        if owner not in lunmap.nodes:
            continue
        promised = seen.get(iqn, {}).get(owner)
        for portal in group.portals:
            yield PromisedPortal(
                node=owner,
                portal=portal,
                active=bool(active),
                asks_password=lunmap.nodes[owner].discovery is not None,
                targets={} if promised is None else {iqn: _through_group(promised)},
                listed={
                    target: frozenset(_listed(lunmap, target)) for target, at in seen.items() if owner in at
                },
            )


def _owner(lunmap: Lunmap, group: GroupId, nodes: Iterable[str], owners: Mapping[GroupId, str]) -> str:
    """Return the owner of a group; without one the first active node, or the first one."""
    known = [name for name in nodes if name in lunmap.nodes]
    active = (name for name in known if _is_active(lunmap, name))
    return owners.get(group) or next(iter((*active, *known)), "")


def _is_active(lunmap: Lunmap, node: str) -> bool:
    return node in lunmap.nodes and lunmap.nodes[node].state is NodeState.ACTIVE


def _through_group(target: PromisedTarget) -> PromisedTarget:
    """Return a target of a node as a floating group shows it: with LIO's own target port group.

    A LUN that accepts no I/O on the node keeps the node's target port group.
    """
    luns = {
        number: replace(lun, group=0, state=AluaState.OPTIMIZED, preferred=False)
        if lun.group and lun.is_open
        else lun
        for number, lun in target.luns.items()
    }
    return replace(target, luns=luns)


def unaddressed_nodes(lunmap: Lunmap, luns: AbstractSet[str] | None) -> frozenset[str]:
    """Return the nodes whose portals are all on all addresses, of those that report `luns` (None for all)."""
    names = lunmap.luns.keys() if luns is None else luns
    concerned = {node for name in names for node in reporting_nodes(lunmap, lunmap.luns[name])}
    return frozenset(
        name
        for name, node in lunmap.nodes.items()
        if (luns is None or name in concerned)
        and (portals := (*node.portals, *node.iser_portals))
        and all(map(is_every_address, portals))
    )


def with_address(lunmap: Lunmap, node: str, address: str) -> Lunmap:
    """Return the map with the portals of a node that are on all addresses at one of them, `address:port`.

    LIO lists such a portal with the address through which it is asked (iscsit_build_sendtargets_response in
    drivers/target/iscsi/iscsi_target.c). Its port stays.
    """
    host = address.rpartition(":")[0]

    def at(portals: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{host}:{_port(each)}" if is_every_address(each) else each for each in portals)

    itself = lunmap.nodes[node]
    nodes = {node: replace(itself, portals=at(itself.portals), iser_portals=at(itself.iser_portals))}
    targets = {
        iqn: replace(target, nodes={**target.nodes, node: replace(group, portals=at(group.portals))})
        for iqn, target in lunmap.targets.items()
        if (group := target.nodes.get(node)) is not None
    }
    return replace(lunmap, nodes={**lunmap.nodes, **nodes}, targets={**lunmap.targets, **targets})


def _port(portal: str) -> str:
    return portal.rpartition(":")[2]


def _luns_of(
    lunmap: Lunmap, initiator: str, owners: Mapping[GroupId, str]
) -> dict[str, dict[str, PromisedTarget]]:
    """Return what the initiator sees: target, then node, to LUNs. Targets without LUNs of it are left out."""
    seen: dict[str, dict[str, dict[int, PromisedLun]]] = {}
    for name, lun in lunmap.luns.items():
        entries = [entry for entry in lun.maps if initiator in initiators_of(lunmap, entry)]
        reporting = reporting_nodes(lunmap, lun) if entries else ()
        takeover = takeover_group(lun)
        owner = None if takeover is None else _owner(lunmap, takeover, takeover_nodes(takeover), owners)
        for entry in entries:
            if entry.target not in lunmap.targets:
                continue
            for node in lunmap.nodes.keys() & nodes_of(lunmap.targets[entry.target]) & set(reporting):
                tag = 0 if len(reporting) == 1 else lunmap.nodes[node].tpg_tag
                promised = _promised(lunmap, (name, entry), (node, owner), tag)
                seen.setdefault(entry.target, {}).setdefault(node, {})[entry.lun] = promised
    return {
        target: {node: _target(lunmap, target, luns) for node, luns in nodes.items()}
        for target, nodes in seen.items()
    }


def _target(lunmap: Lunmap, target: str, luns: Mapping[int, PromisedLun]) -> PromisedTarget:
    document = lunmap.targets[target]
    only_crc = document.parameters.get("DataDigest") == "CRC32C"
    obstacle = "it requires DataDigest=CRC32C, which libiscsi does not offer" if only_crc else ""
    return PromisedTarget(luns, authentication=document.authentication, obstacle=obstacle)


def _promised(
    lunmap: Lunmap, mapped: tuple[str, Map], through: tuple[str, str | None], group: int
) -> PromisedLun:
    """Return a LUN on a node; its target port group is LIO's own (0) if the node alone reports it.

    `through` is the node, and the owner of the Lun's takeover group.
    """
    (name, entry), (node, owner) = mapped, through
    lun = lunmap.luns[name]
    plugin = plugin_of(lun.backing)
    read_only = entry.access.value == "ro"
    if not plugin.emulated:
        # The device or program answers INQUIRY, and does ALUA.
        size = lun.size if plugin.sized else None
        return PromisedLun(lun=name, number=entry.lun, size=size, read_only=read_only)
    state, preferred = offered_state(lunmap, lun, node, owner) if group else (AluaState.OPTIMIZED, False)
    default_block = _DEFAULT_BLOCK_SIZE if plugin.sized else None
    return PromisedLun(
        lun=name,
        number=entry.lun,
        serial=lun.serial,
        naa=naa(lun.serial),
        vendor=lun.vendor or DEFAULT_VENDOR,
        product=lun.product or plugin.product,
        size=lun.size,
        may_exceed=plugin.size is SizeSource.DECLARED,
        block_size=lun.attributes.get("block_size", default_block),
        state=state,
        preferred=preferred,
        group=group,
        read_only=read_only,
    )


def _portals(lunmap: Lunmap, target: str, name: str, node: Node) -> tuple[str, ...]:
    group = lunmap.targets[target].nodes.get(name)
    return () if group is None else portals_of(node, group)


def _listed(lunmap: Lunmap, target: str) -> Iterator[str]:
    """Yield what discovery at any node lists of a target, with tags.

    That are the portals of its active nodes and of its floating groups.
    """
    for name in lunmap.targets[target].nodes.keys() & lunmap.nodes.keys():
        node = lunmap.nodes[name]
        if node.state is NodeState.ACTIVE:
            for portal in _portals(lunmap, target, name, node):
                yield f"{portal},{node.tpg_tag}"
    for group in lunmap.targets[target].floating.values():
        yield from (f"{portal},{group.tpg_tag}" for portal in group.portals)


def only(
    portals: Iterable[PromisedPortal], luns: AbstractSet[str] | None, nodes: AbstractSet[str]
) -> Iterator[PromisedPortal]:
    """Yield the portals of `nodes` (empty for all) that lead to `luns` (None for all), with these LUNs."""
    for portal in portals:
        chosen = portal if luns is None else _with_luns(portal, luns)
        if (not nodes or portal.node in nodes) and (luns is None or chosen.targets):
            yield chosen


def _with_luns(portal: PromisedPortal, luns: AbstractSet[str]) -> PromisedPortal:
    targets = {}
    for name, target in portal.targets.items():
        chosen = {number: lun for number, lun in target.luns.items() if lun.lun in luns}
        if chosen:
            targets[name] = replace(target, luns=chosen, others=target.luns.keys() - chosen.keys())
    return replace(portal, targets=targets)
