"""The initiators of a Lun, and the nodes at which they are logged in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lun, Lunmap, Map, Target, initiators_of
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_state import USABLE
from lunmapd.core.fleet.status import MAX_LOGINS, NodeStatus


class Host(Struct, frozen=True):
    """An initiator that sees a Lun through a target.

    `at` are the nodes where it is logged in, `missing` the nodes with a usable path where it is not,
    `unknown` the nodes with a usable path whose status does not list the logins. A node that could take the
    Lun over counts as one with a usable path. A host with one path uses a floating group alone, other hosts
    the nodes' own TPGs: neither misses the other's paths.
    """

    initiator: str
    target: str
    at: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class HostLogins:
    """The logins at all nodes, and from them the initiators of each Lun.

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
