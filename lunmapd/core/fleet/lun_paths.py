"""The paths of each Lun, computed from the map and the status of each node.

A node that reports a Lun is one path to it, for any number of portals. So is a floating group, through its
owner.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.leased_groups import (
    GroupId,
    TpgId,
    floating_groups,
    takeover_group,
    takeover_luns,
    takeover_nodes,
)
from lunmapd.core.base.lunmap import CLOSED, Lun, Lunmap, Map, NodeState, Target, initiators_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.serving import closed_nodes, nodes_of, reporting_nodes
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.path_state import (
    BEHIND,
    DEGRADED,
    DRAINED,
    NO_OWNER,
    OK,
    USABLE,
    NodeView,
    PathState,
    path_state_of,
    scopes_of,
)
from lunmapd.core.fleet.status import MAX_LOGINS, GroupPhase, NodeStatus

_AS_BEFORE = {BEHIND, Reason.HELD, Reason.LEFT_EMPTY}


class NodePath(Struct, frozen=True, gc=False, omit_defaults=True):
    """A path to a Lun: the node that reports it, and `ok` or a word for the reason why it is not usable.

    `change_held`: the path is usable as it was, because the node holds a change of it. A path through a
    floating group has the group's name in `floating`, and its `target`; its node is the owner, "" if there is
    none, and `standby` are the other nodes that could own it now. So it is with the path through the owner of
    a takeover group, but that has its own node's TPG and no `floating`.
    """

    node: str
    state: str
    change_held: bool = False
    target: str = ""
    floating: str = ""
    standby: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The node as tables show it, behind the name of the floating group: `n1`, `gold@n1`, `gold`."""
        return path_label(self.node, self.floating)


def path_label(node: str, floating: str) -> str:
    """Return a path as tables show it, see NodePath.label."""
    return "@".join(filter(None, (floating, node)))


class Host(Struct, frozen=True):
    """An initiator that sees a Lun through a target.

    `at` are the nodes where it is logged in, `missing` the nodes with a usable path where it is not,
    `unknown` the nodes with a usable path whose status does not list the logins. A node that could take the
    Lun over counts as one with a usable path. A host with one path uses a
    floating group alone, other hosts the nodes' own TPGs: neither misses the other's paths.
    """

    initiator: str
    target: str
    at: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class LunPaths(Struct, frozen=True):
    """A Lun with its paths and the initiators that see it.

    `usable` is the number of usable paths, `intended` that of the map's, without drained nodes and paths
    whose ALUA state accepts no I/O (`others: standby`, `unavailable`). `size` is in bytes, 0 if
    it is unknown.
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


class PathProblem(Struct, frozen=True):
    """Luns that lack the same paths for the same reasons; `paths` are the paths that are not `ok`."""

    luns: tuple[str, ...]
    usable: int
    intended: int
    paths: tuple[NodePath, ...]

    @property
    def is_cut_off(self) -> bool:
        """Whether no path is usable, not even in its state before the newest revision."""
        return not self.usable and all(path.state not in _AS_BEFORE for path in self.paths)

    @property
    def is_outage(self) -> bool:
        """Whether the Luns are cut off although the map intends paths, or has some that accept no I/O."""
        return self.is_cut_off and (bool(self.intended) or any(path.state in CLOSED for path in self.paths))


class LostLogin(Struct, frozen=True):
    """An initiator that is logged in to a target at some of the nodes that serve its Luns, and not at others.

    `luns` is the number of Luns concerned.
    """

    initiator: str
    target: str
    at: tuple[str, ...]
    missing: tuple[str, ...]
    luns: int


def find_lun_paths(
    lunmap: Lunmap, views: Mapping[str, NodeView], recent: RecentHistory
) -> tuple[LunPaths, ...]:
    """Return the paths of each Lun of the map, by name. A node that is not in `views` counts as dead."""
    nodes = lunmap.nodes.keys() | {node for target in lunmap.targets.values() for node in nodes_of(target)}
    states = {node: path_state_of(lunmap, node, views.get(node, NodeView()), recent) for node in nodes}
    current = {
        name: node.status for name, node in views.items() if node.is_current and node.status is not None
    }
    hosts = _Hosts(lunmap, current)
    through = _Through(states, find_owners(current), _find_fit(current))
    return tuple(_of_lun(lunmap, name, lun, through, hosts) for name, lun in sorted(lunmap.luns.items()))


class _Through(NamedTuple):
    """The state of the paths through each node, and of each group the owner and the nodes fit for it."""

    states: Mapping[str, PathState]
    owners: Mapping[GroupId, str]
    fit: Mapping[GroupId, AbstractSet[str]]


def _find_fit(current: Mapping[str, NodeStatus]) -> Mapping[GroupId, AbstractSet[str]]:
    fit = defaultdict[GroupId, set[str]](set)
    for name, status in current.items():
        for group in status.floating:
            if group.fit:
                fit[GroupId(group.target, group.name)].add(name)
    return fit


def find_owners(current: Mapping[str, NodeStatus]) -> dict[GroupId, str]:
    """Return the owner of each floating group that has one, from the current status of each node.

    A status may be some seconds old, so of two nodes the later owner counts.
    """
    found = sorted(
        (group.since, name, GroupId(group.target, group.name))
        for name, status in current.items()
        for group in status.floating
        if group.phase == GroupPhase.OWNER
    )
    return {group: name for _, name, group in found}


def owned_tpgs(lunmap: Lunmap, status: NodeStatus) -> frozenset[TpgId]:
    """Return the TPGs of the floating groups that a node serves, by its status."""
    owned = {(group.target, group.name) for group in status.floating if group.phase == GroupPhase.OWNER}
    return frozenset(
        TpgId(iqn, group.tpg_tag) for iqn, name, group in floating_groups(lunmap) if (iqn, name) in owned
    )


def owned_luns(lunmap: Lunmap, status: NodeStatus) -> frozenset[str]:
    """Return the Luns of the takeover groups that a node owns, by its status."""
    owned = {(group.target, group.name) for group in status.floating if group.phase == GroupPhase.OWNER}
    return frozenset(
        name for group, names in takeover_luns(lunmap).items() if group in owned for name in names
    )


def _of_lun(lunmap: Lunmap, name: str, lun: Lun, through: _Through, hosts: "_Hosts") -> LunPaths:
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


class _Hosts:
    """The initiators of a Lun and their logins.

    Most Luns have the same initiators and paths, so results are cached.
    """

    def __init__(self, lunmap: Lunmap, current: Mapping[str, NodeStatus]) -> None:
        """Start with the current status of each node."""
        self._lunmap = lunmap
        self._hiding = {name for name, status in current.items() if hides_logins(status)}
        self._logins = _logins(current)
        self._cache: dict[tuple[str, str, str, tuple[NodePath, ...]], tuple[Host, ...]] = {}

    def of(self, lun: Lun, paths: tuple[NodePath, ...]) -> tuple[Host, ...]:
        """Return each initiator of a Lun, once for each target."""
        hosts = {host for entry in lun.maps for host in self._by_map(entry, paths)}
        return tuple(sorted(hosts, key=lambda host: (host.target, host.initiator)))

    def _by_map(self, entry: Map, paths: tuple[NodePath, ...]) -> tuple[Host, ...]:
        key = entry.target, entry.group, entry.initiator, paths
        hosts = self._cache.get(key)
        if hosts is None:
            initiators = initiators_of(self._lunmap, entry)
            hosts = tuple(self._host(entry.target, initiator, paths) for initiator in initiators)
            self._cache[key] = hosts
        return hosts

    def _host(self, target: str, initiator: str, paths: Iterable[NodePath]) -> Host:
        served = self._lunmap.targets.get(target)
        known = self._lunmap.initiators.get(initiator)
        is_probe = known is not None and known.probe  # it is logged in at one node after the other
        there = [path for path in paths if served is not None and _leads_to(path, target, served)]
        at = self._logins.get((target, initiator), frozenset())
        without = [] if is_probe else _without(there, at)
        return Host(
            initiator,
            target,
            tuple(dict.fromkeys(path.node for path in there if path.node in at)),
            tuple(node for node in without if node not in self._hiding),
            tuple(node for node in without if node in self._hiding),
        )


def _leads_to(path: NodePath, iqn: str, target: Target) -> bool:
    return path.target == iqn if path.floating else path.node in target.nodes


def _without(paths: Sequence[NodePath], at: AbstractSet[str]) -> list[str]:
    """Return the nodes where a host that is logged in at `at` should be, too.

    They have a usable path to the target, or could take the Lun over.
    """
    owners = [path.node for path in paths if path.floating and path.state in USABLE]
    if not at.isdisjoint(owners):
        return []
    own = [path for path in paths if not path.floating]
    ways = [node for path in own for node in (path.node, *path.standby) if path.state in USABLE]
    nodes = ways if own else owners
    return [node for node in dict.fromkeys(nodes) if node not in at]


def hides_logins(status: NodeStatus) -> bool:
    """Return whether a node has more logins than its status lists."""
    return not status.logins and status.sessions > MAX_LOGINS


def _logins(current: Mapping[str, NodeStatus]) -> dict[tuple[str, str], AbstractSet[str]]:
    logins = defaultdict[tuple[str, str], set[str]](set)
    for name, status in current.items():
        for login in status.logins:
            logins[login.target, login.initiator].add(name)
    return dict(logins)


def sole_path_luns(lunmap: Lunmap, node: str) -> int:
    """Return the number of mapped Luns that have no path when this node fails, judged by the map alone."""
    return sum(_open_nodes(lunmap, lun) == {node} for lun in lunmap.luns.values() if lun.maps)


def _open_nodes(lunmap: Lunmap, lun: Lun) -> set[str]:
    nodes = set(reporting_nodes(lunmap, lun)) - closed_nodes(lunmap, lun)
    return {
        name for name in nodes if name in lunmap.nodes and lunmap.nodes[name].state is not NodeState.DRAINED
    }


def find_path_problems(luns: Iterable[LunPaths]) -> tuple[PathProblem, ...]:
    """Return the Luns that lack paths, grouped by these, those with the fewest usable paths first."""
    alike = defaultdict[tuple[int, int, tuple[NodePath, ...]], list[str]](list)
    for each in luns:
        if not each.is_whole:
            lacking = tuple(path for path in each.paths if path.state != OK)
            alike[each.usable, each.intended, lacking].append(each.lun)
    problems = (
        PathProblem(tuple(names), usable, intended, lacking)
        for (usable, intended, lacking), names in alike.items()
    )
    return tuple(sorted(problems, key=lambda problem: (problem.usable, -len(problem.luns), problem.luns)))


def find_lost_logins(luns: Iterable[LunPaths]) -> tuple[LostLogin, ...]:
    """Return the initiators that are logged in at some nodes and not at others.

    An initiator without any login may be switched off, so it is not reported.
    """
    lost = defaultdict[tuple[str, str], list[Host]](list)
    for each in luns:
        for host in each.initiators:
            if host.at and host.missing:
                lost[host.initiator, host.target].append(host)
    return tuple(_lost(*names, hosts) for names, hosts in sorted(lost.items()))


def _lost(initiator: str, target: str, hosts: list[Host]) -> LostLogin:
    at = {node for host in hosts for node in host.at}
    missing = {node for host in hosts for node in host.missing}
    return LostLogin(initiator, target, tuple(sorted(at)), tuple(sorted(missing)), len(hosts))
