"""The iSCSI resources of a cluster as a map. Pure.

What the agents make of their parameters is read from resource-agents, heartbeat/iSCSITarget.in and
iSCSILogicalUnit.in (2026-08): one TPG with tag 1, a storage object with the name of the resource, which is
its product, too (targetcli's preference export_backstore_name_as_model), and a serial of 8 digits.
"""

import hashlib
from collections.abc import Iterator, Mapping

from lunmapd.core.base.attributes import PARAMETERS
from lunmapd.core.base.backings import Backing, Block, FileIO, Pscsi
from lunmapd.core.base.lunmap import (
    Authentication,
    FloatingGroup,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.conversion.agent_access import allowed_initiators, initiators_of_units, note_access
from lunmapd.core.conversion.cluster_resources import (
    ADDRESS_AGENTS,
    LOGICAL_UNIT,
    TARGET,
    ClusterResource,
    ClusterResources,
)
from lunmapd.core.conversion.conversion import DEFAULT_NODE, Choices, Conversion, Notes
from lunmapd.core.conversion.moving import (
    floating_groups_of,
    group_nodes,
    is_moving,
    note_address,
    portal_of,
    portals_of_target,
)

_LIO = {"", "lio", "lio-t"}
_BACKINGS: Mapping[str, type[Block | FileIO | Pscsi]] = {"block": Block, "fileio": FileIO, "pscsi": Pscsi}
_MODEL = 15  # the kernel cuts the name there (dev_set_t10_wwn_model_alias)
_SERIAL_DIGITS = 8
_PORT_BLOCK = "portblock"
_Groups = Mapping[str, Mapping[str, FloatingGroup]]
"""The floating groups of each target, by its name and theirs."""


def convert_resources(resources: ClusterResources, choices: Choices) -> Conversion:
    """Return the conversion of the iSCSI resources of a cluster."""
    notes = Notes()
    targets = _targets(resources, notes)
    units = [
        each
        for each in _served(resources.of(LOGICAL_UNIT), notes)
        if _has_target(each, targets, notes) and _has_number(each, notes)
    ]
    groups = floating_groups_of(resources, targets, group_nodes(resources, choices), notes)
    nodes = _nodes(resources, targets, groups, choices, notes)
    made = {iqn: _target(each, nodes, groups.get(iqn, {}), choices, notes) for iqn, each in targets.items()}
    lunmap = Lunmap(
        luns=dict(_luns(units, targets, made, choices, notes)),
        targets=made,
        initiators=initiators_of_units(units, targets, choices, notes),
        nodes=nodes,
    )
    note_access(units, targets, choices, notes)
    _note_others(resources, nodes, groups, notes)
    return notes.conversion(lunmap)


def _targets(resources: ClusterResources, notes: Notes) -> dict[str, ClusterResource]:
    """Return the first resource of each target name, by name."""
    targets: dict[str, ClusterResource] = {}
    for each in _served(resources.of(TARGET), notes):
        first = targets.setdefault(each.parameters.get("iqn", ""), each)
        if first is not each:
            notes.lost(each.place, f"{each.name} has the target name of {first.name}, which is converted")
    return targets


def _served(found: tuple[ClusterResource, ...], notes: Notes) -> Iterator[ClusterResource]:
    """Yield the resources that LIO serves; other servers give disks an identity that LIO can't have."""
    for each in found:
        server = each.parameters.get("implementation", "")
        if server in _LIO:
            yield each
        else:
            notes.lost(each.place, f"{each.name} is served by {server}: LIO can't keep its WWIDs")


def _has_target(unit: ClusterResource, targets: Mapping[str, ClusterResource], notes: Notes) -> bool:
    iqn = unit.parameters.get("target_iqn", "")
    if iqn not in targets:
        notes.lost(unit.place, f"{unit.name} is of target {iqn!r}, for which there is no {TARGET}")
    return iqn in targets


def _has_number(unit: ClusterResource, notes: Notes) -> bool:
    number = unit.parameters.get("lun", "")
    good = number.isascii() and number.isdigit()
    if not good:
        notes.lost(unit.place, f"{unit.name} has no LUN number")
    return good


def _nodes(
    resources: ClusterResources,
    targets: Mapping[str, ClusterResource],
    groups: _Groups,
    choices: Choices,
    notes: Notes,
) -> dict[str, Node]:
    """Return the nodes with the chosen addresses; without any, one node has those that do not move."""
    portals = dict.fromkeys(
        portal for iqn, each in targets.items() for portal in _fixed_portals(each, groups.get(iqn, {}))
    )
    if choices.portals or (groups and not portals):
        for tag, node in enumerate(choices.portals, start=1 + len(groups)):
            if tag > 1:
                notes.changed(f"node {node}", f"its TPGs have tag {tag}; the agents give every TPG tag 1")
        own = {name: choices.portals.get(name, ()) for name in _names(choices, groups)}
        return {
            node: Node(tag, tuple(map(portal_of, addresses)))
            for tag, (node, addresses) in enumerate(own.items(), start=1 + len(groups))
        }
    names = choices.nodes or resources.nodes or (DEFAULT_NODE,)
    node = names[0]
    others = ", ".join(name for name in dict.fromkeys((*names, *resources.nodes)) if name != node)
    notes.changed(
        f"node {node}",
        "it alone serves the targets"
        + (f", {others} can't take over" if others else ": rename it as needed")
        + "; --portal NODE=ADDRESS makes each node serve them through addresses of its own, --node NODE for "
        "each node lets the addresses of the cluster move between them",
    )
    iser = {portal for each in targets.values() for portal in map(portal_of, each.words("iser_portals"))}
    tag = 1 + len(groups)
    first = Node(tag, tuple(p for p in portals if p not in iser), tuple(p for p in portals if p in iser))
    rest = [name for name in _names(choices, groups) if name != node]
    return {node: first, **{name: Node(number) for number, name in enumerate(rest, start=tag + 1)}}


def _names(choices: Choices, groups: _Groups) -> tuple[str, ...]:
    """Return the nodes that are chosen, and those of the floating groups."""
    moving = [node for named in groups.values() for group in named.values() for node in group.nodes]
    return tuple(dict.fromkeys((*choices.portals, *moving)))


def _fixed_portals(target: ClusterResource, groups: Mapping[str, FloatingGroup]) -> tuple[str, ...]:
    """Return the portals of a target that are in none of its floating groups."""
    return tuple(portal for portal in portals_of_target(target) if not is_moving(portal, groups))


def _luns(
    units: list[ClusterResource],
    targets: Mapping[str, ClusterResource],
    made: Mapping[str, Target],
    choices: Choices,
    notes: Notes,
) -> Iterator[tuple[str, Lun]]:
    for unit in units:
        instance, given = unit.instance or unit.name, unit.parameters
        name, iqn = given.get("backstore_name") or instance, given["target_iqn"]
        maps = tuple(
            Map(iqn, int(given["lun"]), initiator)
            for initiator in allowed_initiators(unit, targets[iqn], choices)
        )
        serial = given.get("scsi_sn") or hashlib.md5(instance.encode(), usedforsecurity=False).hexdigest()
        own = given.get("liot_bstype") == "pscsi"
        yield (
            name,
            Lun(
                _backing(unit),
                "" if own else given.get("scsi_sn") or serial[:_SERIAL_DIGITS],
                choices.sizes.get(name),
                product="" if own else _product(unit) or name[:_MODEL],
                attributes=dict(_attributes(unit)),
                shared=_shared(unit, made[iqn]),
                maps=maps,
            ),
        )
        notes.carried(unit.place, f"luns[{name}]")
        _note_unit(unit, maps, notes)


def _backing(unit: ClusterResource) -> Backing:
    kind = unit.parameters.get("liot_bstype") or "block"
    return _BACKINGS.get(kind, Block)(unit.parameters.get("path", ""))


def _product(unit: ClusterResource) -> str:
    """Return the `product_id`, which the agent sets for block devices alone."""
    return "" if unit.parameters.get("liot_bstype") == "fileio" else unit.parameters.get("product_id", "")


def _attributes(unit: ClusterResource) -> Iterator[tuple[str, int]]:
    for name in ("block_size", "emulate_tpu"):
        text = unit.parameters.get(name, "")
        if text.isascii() and text.isdigit():
            yield name, int(text)


def _shared(unit: ClusterResource, target: Target) -> Shared | None:
    """Return what is offered: a single node keeps what it offers today, several paths offer nothing.

    A floating group is a single path. COMPARE AND WRITE keeps nothing in the node behind the command. But the
    reservations of an owner would stay there after a move, and be in effect again when it is the owner again.
    """
    if len(target.nodes) > 1 or (target.nodes and target.floating):
        return Shared(Scope.OFF, Scope.OFF)
    off = unit.parameters.get("emulate_caw") == "0"
    compare = Scope.OFF if off else Scope.PER_NODE
    if target.floating:
        return Shared(Scope.OFF, compare)
    return Shared(Scope.PER_NODE, compare) if off else None


def _note_unit(unit: ClusterResource, maps: tuple[Map, ...], notes: Notes) -> None:
    given = unit.parameters
    if not maps:
        notes.lost(unit.place, "it admits every initiator: name those that may see it with --initiator")
    if given.get("liot_bstype") == "fileio":
        notes.lost(unit.place, "the write-back cache with which targetcli opens its file: lunmapd has none")
    if given.get("write_cache") == "1":
        notes.lost(unit.place, "its write-back cache (write_cache=1): lunmapd always writes through")
    if given.get("emulate_3pc") == "1":
        notes.changed(unit.place, "EXTENDED COPY (emulate_3pc) is on only while one node serves the Lun")


def _target(
    resource: ClusterResource,
    nodes: Mapping[str, Node],
    floating: Mapping[str, FloatingGroup],
    choices: Choices,
    notes: Notes,
) -> Target:
    iqn, given = resource.parameters.get("iqn", ""), resource.parameters
    notes.carried(resource.place, f"targets[{iqn}]")
    if not resource.words("portals"):
        notes.changed(
            resource.place,
            "it has no portals: resource-agents 4.16 then makes none, so no host can log in; the map has all "
            "addresses, or those that move",
        )
    own = _fixed_portals(resource, floating)
    serving = {name: node for name, node in nodes.items() if node.portals or node.iser_portals}
    groups = {
        name: PortalGroup(
            portals=own if not choices.portals and {*own} != {*node.portals, *node.iser_portals} else ()
        )
        for name, node in serving.items()
        if own or choices.portals
    }
    asks = Authentication.CHAP if given.get("incoming_username") else Authentication.NONE
    parameters = dict(_parameters(resource, notes))
    return Target(groups, authentication=asks, parameters=parameters, floating=floating)


def _parameters(resource: ClusterResource, notes: Notes) -> Iterator[tuple[str, str]]:
    for word in resource.words("additional_parameters"):
        name, _, value = word.partition("=")
        if name not in PARAMETERS:
            notes.lost(resource.place, f"its additional parameter {name}")
        elif value != PARAMETERS[name].default:
            yield name, value


def _note_others(
    resources: ClusterResources, nodes: Mapping[str, Node], groups: _Groups, notes: Notes
) -> None:
    """Note the other resources; an address that moves is that of a floating group, of a node, or of none."""
    for each in resources.primitives:
        if each.agent in ADDRESS_AGENTS:
            note_address(each, groups, nodes, notes)
        elif each.agent == _PORT_BLOCK:
            notes.changed(
                each.place, f"{each.name}: no rule is needed, since a TPG is disabled while it moves"
            )
        elif each.agent.startswith("@"):
            notes.lost(
                each.place, f"{each.name} is of template {each.agent}, which is not read: write it out"
            )
        elif each.agent not in {TARGET, LOGICAL_UNIT}:
            notes.lost(each.place, f"{each.name} ({each.agent}) is not iSCSI: lunmapd does not start it")
