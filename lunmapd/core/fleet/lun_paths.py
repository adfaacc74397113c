"""The paths of each Lun, from the map and from what the nodes say of themselves; pure.

A node that reports a Lun is one path to it, whatever the number of its portals.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lun, Lunmap, Map, initiators_of, reporting_nodes
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.path_state import BEHIND, DRAINED, OK, NodeView, PathState, path_state_of, scopes_of
from lunmapd.core.fleet.status import MAX_LOGINS, NodeStatus

_AS_BEFORE = {BEHIND, Reason.HELD}


class NodePath(Struct, frozen=True, gc=False):
    """A path to a Lun: the node that reports it, and `ok` or why it does not count, in a word."""

    node: str
    state: str


class Host(Struct, frozen=True):
    """An initiator that sees a Lun through a target: the nodes where it is logged in, and the usable ones where it is not.

    `unknown` are the usable nodes that don't say who is logged in.
    """

    initiator: str
    target: str
    at: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class LunPaths(Struct, frozen=True):
    """A Lun with its paths: how many can be used, how many the map asks for, and who sees it. Drained nodes are not asked for."""

    lun: str
    usable: int
    intended: int
    paths: tuple[NodePath, ...]
    initiators: tuple[Host, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all paths can be used that the map asks for, and one at least; a Lun that nobody sees needs none."""
        return not self.initiators or 0 < self.usable >= self.intended


class PathProblem(Struct, frozen=True):
    """Luns that lack the same paths for the same reasons: `paths` are those."""

    luns: tuple[str, ...]
    usable: int
    intended: int
    paths: tuple[NodePath, ...]

    @property
    def is_cut_off(self) -> bool:
        """Whether there is no path, not even one that is left as it was before the newest revision."""
        return not self.usable and all(path.state not in _AS_BEFORE for path in self.paths)

    @property
    def is_outage(self) -> bool:
        """Whether there is no path though the map asks for some."""
        return self.is_cut_off and bool(self.intended)


class LostLogin(Struct, frozen=True):
    """An initiator that is logged in to a target, but not at every node through which it could use its Luns, so many."""

    initiator: str
    target: str
    at: tuple[str, ...]
    missing: tuple[str, ...]
    luns: int


def find_lun_paths(
    lunmap: Lunmap, said: Mapping[str, NodeView], recent: RecentHistory
) -> tuple[LunPaths, ...]:
    """Say of each Lun of the map which paths there are to it; a node that is not in `said` is a dead one."""
    nodes = lunmap.nodes.keys() | {node for target in lunmap.targets.values() for node in target.nodes}
    witnesses = {node: path_state_of(lunmap, node, said.get(node, NodeView()), recent) for node in nodes}
    current = {
        name: node.status for name, node in said.items() if node.is_current and node.status is not None
    }
    hosts = _Hosts(lunmap, current)
    return tuple(_of_lun(lunmap, name, lun, witnesses, hosts) for name, lun in sorted(lunmap.luns.items()))


def _of_lun(
    lunmap: Lunmap, name: str, lun: Lun, witnesses: Mapping[str, PathState], hosts: "_Hosts"
) -> LunPaths:
    concerned = scopes_of(lunmap, name, lun)
    paths = tuple(NodePath(node, witnesses[node].state(concerned)) for node in reporting_nodes(lunmap, lun))
    return LunPaths(
        name,
        sum(path.state == OK for path in paths),
        sum(path.state != DRAINED for path in paths),
        paths,
        hosts.of(lun, paths),
    )


class _Hosts:
    """Who sees a Lun, and where they are logged in. Most Luns have the same initiators and paths, so answers are kept."""

    def __init__(self, lunmap: Lunmap, current: Mapping[str, NodeStatus]) -> None:
        """Go by the statuses that are of now."""
        self._lunmap = lunmap
        self._silent = {name for name, status in current.items() if _hides_logins(status)}
        self._logins = _logins(current)
        self._known: dict[tuple[str, str, str, tuple[NodePath, ...]], tuple[Host, ...]] = {}

    def of(self, lun: Lun, paths: tuple[NodePath, ...]) -> tuple[Host, ...]:
        """Return each initiator of a Lun, once for each target."""
        found = {host for entry in lun.maps for host in self._by_map(entry, paths)}
        return tuple(sorted(found, key=lambda host: (host.target, host.initiator)))

    def _by_map(self, entry: Map, paths: tuple[NodePath, ...]) -> tuple[Host, ...]:
        key = entry.target, entry.group, entry.initiator, paths
        found = self._known.get(key)
        if found is None:
            initiators = initiators_of(self._lunmap, entry)
            found = tuple(self._host(entry.target, initiator, paths) for initiator in initiators)
            self._known[key] = found
        return found

    def _host(self, target: str, initiator: str, paths: Iterable[NodePath]) -> Host:
        served = self._lunmap.targets.get(target)
        there = [path for path in paths if served is not None and path.node in served.nodes]
        at = self._logins.get((target, initiator), frozenset())
        without = [path.node for path in there if path.state == OK and path.node not in at]
        return Host(
            initiator,
            target,
            tuple(path.node for path in there if path.node in at),
            tuple(node for node in without if node not in self._silent),
            tuple(node for node in without if node in self._silent),
        )


def _hides_logins(status: NodeStatus) -> bool:
    return not status.logins and status.sessions > MAX_LOGINS


def _logins(current: Mapping[str, NodeStatus]) -> dict[tuple[str, str], AbstractSet[str]]:
    found = defaultdict[tuple[str, str], set[str]](set)
    for name, status in current.items():
        for login in status.logins:
            found[login.target, login.initiator].add(name)
    return dict(found)


def find_path_problems(found: Iterable[LunPaths]) -> tuple[PathProblem, ...]:
    """Put the Luns that lack paths together, those with the fewest first."""
    alike = defaultdict[tuple[int, int, tuple[NodePath, ...]], list[str]](list)
    for each in found:
        if not each.is_whole:
            lacking = tuple(path for path in each.paths if path.state != OK)
            alike[each.usable, each.intended, lacking].append(each.lun)
    made = (
        PathProblem(tuple(luns), usable, intended, lacking)
        for (usable, intended, lacking), luns in alike.items()
    )
    return tuple(sorted(made, key=lambda trouble: (trouble.usable, -len(trouble.luns), trouble.luns)))


def find_lost_logins(found: Iterable[LunPaths]) -> tuple[LostLogin, ...]:
    """List the initiators that are logged in at some nodes, and at others not. One that is nowhere may be switched off."""
    lost = defaultdict[tuple[str, str], list[Host]](list)
    for each in found:
        for host in each.initiators:
            if host.at and host.missing:
                lost[host.initiator, host.target].append(host)
    return tuple(_lost(*names, hosts) for names, hosts in sorted(lost.items()))


def _lost(initiator: str, target: str, hosts: list[Host]) -> LostLogin:
    at = {node for host in hosts for node in host.at}
    missing = {node for host in hosts for node in host.missing}
    return LostLogin(initiator, target, tuple(sorted(at)), tuple(sorted(missing)), len(hosts))
