"""A part of a status: what concerns one object, or what is wrong."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.lunmap import GroupId, Lunmap
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.path_problems import PathProblem
from lunmapd.core.fleet.path_state import NO_OWNER
from lunmapd.core.fleet.status import Standing
from lunmapd.core.map.find_object import ObjectSection
from lunmapd.core.placement.leased_groups import groups_of, leased_groups
from lunmapd.service.ctl.text.node_lines import NodeLine
from lunmapd.service.ctl.text.summary import FleetStatus


def only_object(whole: FleetStatus, lunmap: Lunmap, kind: ObjectSection, name: str) -> FleetStatus:
    """Return what concerns a Lun, a node or a host, of a status that lists each Lun.

    A Lun has its nodes and groups, a host its Luns and those of them, a node the Luns that lack their path
    through it, and the groups that it may own.
    """
    luns = [each for each in whole.luns or () if _concerns(each, kind, name)]
    through = {node for each in luns for path in each.paths for node in (path.node, *path.standby)}
    nodes = {name} if kind == "nodes" else through
    names = {each.lun for each in luns}
    groups = _groups_with(lunmap, name) if kind == "nodes" else _groups_to(lunmap, names)
    narrowed = _narrowed(whole, nodes, names)
    return replace(narrowed, groups=tuple(each for each in whole.groups if each.group_id in groups))


def _groups_with(lunmap: Lunmap, node: str) -> set[GroupId]:
    return {group_id for group_id, group in leased_groups(lunmap).items() if node in group.nodes}


def _groups_to(lunmap: Lunmap, luns: AbstractSet[str]) -> set[GroupId]:
    return {group_id for name in luns for group_id in groups_of(lunmap, lunmap.luns[name])}


def _concerns(lun: LunPaths, kind: ObjectSection, name: str) -> bool:
    if kind == "luns":
        return lun.lun == name
    if kind == "nodes":
        return any(name in {path.node, *path.standby} for path in lun.paths) and not lun.is_whole
    return any(host.initiator == name for host in lun.initiators)


def only_bad(whole: FleetStatus) -> FleetStatus:
    """Return the nodes that have a problem and the Luns that lack a path, of a status that lists each Lun."""
    return replace(
        whole,
        nodes=tuple(line for line in whole.nodes if not is_well(line)),
        luns=tuple(each for each in whole.luns or () if not each.is_whole),
        groups=tuple(each for each in whole.groups if each.state == NO_OWNER),
    )


def is_well(line: NodeLine) -> bool:
    """Return whether a node lives, has applied the map, and has no problem."""
    return line.alive and line.standing is Standing.CONVERGED and line.behind == 0 and not line.problems


def _narrowed(whole: FleetStatus, nodes: AbstractSet[str], luns: AbstractSet[str]) -> FleetStatus:
    return replace(
        whole,
        nodes=tuple(line for line in whole.nodes if line.node in nodes),
        lun_count=len(luns),
        lun_troubles=tuple(_problems(whole.lun_troubles, luns)),
        lost_logins=tuple(each for each in whole.lost_logins if nodes & {*each.at, *each.missing}),
        luns=tuple(each for each in whole.luns or () if each.lun in luns),
        backing_differences=tuple(each for each in whole.backing_differences if each.lun in luns),
        backings_unreadable={name: why for name, why in whole.backings_unreadable.items() if name in nodes},
    )


def _problems(problems: tuple[PathProblem, ...], luns: AbstractSet[str]) -> Iterator[PathProblem]:
    for problem in problems:
        if these := tuple(lun for lun in problem.luns if lun in luns):
            yield replace(problem, luns=these)
