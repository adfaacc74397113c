"""The Luns that a host would lose with a node, because no other node is a way to them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap, nodes_of
from lunmapd.core.base.reasons import OF_BACKINGS
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_state import BEHIND, DEAD, SILENT, UNKNOWN, USABLE

_UNHEARD = frozenset({DEAD, SILENT})
"""The states of paths of a node whose kernel may serve on, without a daemon that reports who is logged in."""
_PERHAPS = USABLE | _UNHEARD | {BEHIND, UNKNOWN} | OF_BACKINGS
"""The states of paths that a host that is logged in there may use, at least as before the newest revision.

A Lun that is exported stays so when its device or file is unfit (core/node/backing_failures.py).
"""


class OnlyWay(Struct, frozen=True):
    """A Lun that a host reaches through one node alone.

    `logged_in`: the host is logged in there, or may be; else it has a map to the Lun, and is logged in
    nowhere. `others` are the paths through other nodes of its target: closed, not usable, or without a login.
    """

    lun: str
    initiator: str
    target: str
    logged_in: bool
    others: tuple[NodePath, ...] = ()


def find_only_ways(lunmap: Lunmap, luns: Iterable[LunPaths], node: str) -> Iterator[OnlyWay]:
    """Yield the Luns to which `node` is the only way, once for each host; `luns` are those of the map."""
    for lun in luns:
        if any(_ends_with(path, node) for path in lun.paths):
            for initiator, hosts in _by_initiator(lunmap, lun).items():
                way = _only_way(lunmap, lun, hosts, node)
                if way is not None and not lunmap.initiators[initiator].probe:
                    yield way


def _ends_with(path: NodePath, node: str) -> bool:
    """Return whether a path that hosts may use ends with the node.

    A floating group with a standby node moves to that.
    """
    return path.node == node and path.state in _PERHAPS and not (path.floating and path.standby)


def _by_initiator(lunmap: Lunmap, lun: LunPaths) -> dict[str, list[Host]]:
    """Return each initiator once for each of its targets."""
    found = defaultdict[str, list[Host]](list)
    for host in lun.initiators:
        if host.target in lunmap.targets and host.initiator in lunmap.initiators:
            found[host.initiator].append(host)
    return found


def _only_way(lunmap: Lunmap, lun: LunPaths, hosts: Sequence[Host], node: str) -> OnlyWay | None:
    """Return the way of one host, None if it has another one or does not use this one."""
    logged_in = any(host.at or host.unknown for host in hosts)
    states = _PERHAPS if logged_in else USABLE | _UNHEARD
    ending = [path for path in lun.paths if _ends_with(path, node) and path.state in states]
    here = [host for host in hosts if any(_leads_to(lunmap, path, host.target) for path in ending)]
    usable = {path.node for path in lun.paths if path.state in USABLE} - {node}
    usable |= {each for path in ending for each in path.standby}  # they take the Lun over
    if not logged_in and any(_moves(path, host.target) for path in lun.paths for host in hosts):
        return None
    is_unheard = any(path.state in _UNHEARD for path in ending)
    is_known = logged_in and not is_unheard
    used = [host for host in here if node in {*host.at, *host.unknown}] if is_known else here
    if not used or any(usable & _ways(lunmap, host, logged_in=logged_in) for host in hosts):
        return None
    first = used[0]
    others = tuple(path for path in lun.paths if path.node != node and _leads_to(lunmap, path, first.target))
    return OnlyWay(lun.lun, first.initiator, first.target, logged_in, others)


def _ways(lunmap: Lunmap, host: Host, *, logged_in: bool) -> AbstractSet[str]:
    """Return the nodes through which the host may reach the Lun: those where it is logged in, if it is."""
    return set(host.at) if logged_in else nodes_of(lunmap.targets[host.target])


def _leads_to(lunmap: Lunmap, path: NodePath, target: str) -> bool:
    return path.target == target if path.floating else path.node in lunmap.targets[target].nodes


def _moves(path: NodePath, target: str) -> bool:
    """Return whether a path leads to a target through a floating group that another node can own."""
    return bool(path.standby) and path.target == target
