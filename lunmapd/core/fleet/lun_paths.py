"""The paths of each Lun, computed from the map and the status of each node.

A node that reports a Lun is one path to it, for any number of portals. So is a floating group, through its
owner.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import GroupId, Lun, Lunmap, nodes_of, reporting_nodes
from lunmapd.core.fleet.group_owners import find_fit_nodes, find_owners
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.logins import Host, HostLogins
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_state import (
    DEGRADED,
    DRAINED,
    NO_OWNER,
    USABLE,
    NodeView,
    PathState,
    path_state_of,
    scopes_of,
)
from lunmapd.core.placement.alua_states import closed_nodes
from lunmapd.core.placement.leased_groups import takeover_group, takeover_nodes


class LunPaths(Struct, frozen=True):
    """A Lun with its paths and the initiators that see it.

    `usable` is the number of usable paths, `intended` that of the map's, without drained nodes and paths
    whose ALUA state accepts no I/O (`others: standby`, `unavailable`). `size` is in bytes, 0 if it is
    unknown.
    """

    lun: str
    usable: int
    intended: int
    paths: tuple[NodePath, ...]
    initiators: tuple[Host, ...]
    size: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all intended paths are usable through all portals, and at least one is.

        A Lun without initiators needs none.
        """
        is_degraded = any(path.state == DEGRADED for path in self.paths)
        return not self.initiators or (0 < self.usable >= self.intended and not is_degraded)


def find_lun_paths(
    lunmap: Lunmap, views: Mapping[str, NodeView], recent: RecentHistory
) -> tuple[LunPaths, ...]:
    """Return the paths of each Lun of the map, by name. A node that is not in `views` counts as dead."""
    nodes = lunmap.nodes.keys() | {node for target in lunmap.targets.values() for node in nodes_of(target)}
    states = {node: path_state_of(lunmap, node, views.get(node, NodeView()), recent) for node in nodes}
    current = {
        name: node.status for name, node in views.items() if node.is_current and node.status is not None
    }
    hosts = HostLogins(lunmap, current)
    through = _Through(states, find_owners(current), find_fit_nodes(current))
    return tuple(_of_lun(lunmap, name, lun, through, hosts) for name, lun in sorted(lunmap.luns.items()))


class _Through(NamedTuple):
    """The state of the paths through each node, and of each group the owner and the nodes fit for it."""

    states: Mapping[str, PathState]
    owners: Mapping[GroupId, str]
    fit: Mapping[GroupId, AbstractSet[str]]


def _of_lun(lunmap: Lunmap, name: str, lun: Lun, through: _Through, hosts: HostLogins) -> LunPaths:
    takeover = takeover_group(lun)
    owner = None if takeover is None else through.owners.get(takeover, "")
    concerned, closed = scopes_of(lunmap, name, lun), closed_nodes(lunmap, lun, owner)
    nodes, groups = _routes_to(lunmap, lun)
    own: Iterable[NodePath] = (
        _path(node, lun, through.states[node], concerned, is_closed=node in closed) for node in nodes
    )
    if takeover is not None:
        own = (_with_successors(path, takeover, owner, through) for path in own)
    paths = (
        *own,
        *(_floating_path(lunmap, name, group, through) for group in groups),
    )
    return LunPaths(
        name,
        sum(path.state in USABLE for path in paths),
        sum(path.state != DRAINED and path.node not in closed for path in paths),
        paths,
        hosts.of(lun, paths),
    )


def _with_successors(path: NodePath, group: GroupId, owner: str | None, through: _Through) -> NodePath:
    """Return a path, if it is that of the owner with the nodes that could take the Lun over."""
    if path.node != owner:
        return path
    return replace(path, standby=_standby(group, takeover_nodes(group), owner, through))


def _standby(group: GroupId, nodes: Iterable[str], owner: str | None, through: _Through) -> tuple[str, ...]:
    """Return those of the nodes of a group that could own it now, without its owner."""
    fit = through.fit.get(group, frozenset()) & through.states.keys() - {owner}
    return tuple(node for node in nodes if node in fit and through.states[node].all != DRAINED)


def _routes_to(lunmap: Lunmap, lun: Lun) -> tuple[tuple[str, ...], tuple[GroupId, ...]]:
    """Return the nodes that report a Lun through their own TPGs, and the groups that lead to it, sorted."""
    reporting = reporting_nodes(lunmap, lun)
    targets = {entry.target for entry in lun.maps} & lunmap.targets.keys()
    groups = [GroupId(iqn, name) for iqn in targets for name in lunmap.targets[iqn].floating]
    if not groups:
        return reporting, ()
    own = (node for node in reporting if any(node in lunmap.targets[iqn].nodes for iqn in targets))
    return tuple(own), tuple(sorted(groups))


def _floating_path(lunmap: Lunmap, name: str, group: GroupId, through: _Through) -> NodePath:
    """Return the path through a floating group, which is that through its owner."""
    lun, owner = lunmap.luns[name], through.owners.get(group, "")
    nodes = lunmap.targets[group.target].floating[group.name].nodes
    drained = {node for node in nodes if node in through.states and through.states[node].all == DRAINED}
    if owner not in through.states:
        state = DRAINED if drained.issuperset(nodes) else NO_OWNER
        return NodePath("", state, target=group.target, floating=group.name)
    concerned = scopes_of(lunmap, name, lun, group)
    is_closed = owner in closed_nodes(lunmap, lun)
    path = _path(owner, lun, through.states[owner], concerned, is_closed=is_closed)
    standby = _standby(group, nodes, owner, through)
    return replace(path, target=group.target, floating=group.name, standby=standby)


def _path(
    node: str, lun: Lun, through: PathState, concerned: AbstractSet[str], *, is_closed: bool
) -> NodePath:
    """Return a path; one that would be usable has its ALUA state if hosts can do no I/O in that."""
    state, is_held = through.state(concerned), through.is_change_held(concerned)
    return NodePath(
        node, lun.others.value if is_closed and state in USABLE and not is_held else state, is_held
    )
