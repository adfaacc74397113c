"""The Luns that a host would lose with a node, because no other node is a way to them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.lun_paths import Host, LunPaths, NodePath
from lunmapd.core.fleet.path_state import USABLE


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
        if any(path.node == node and path.state in USABLE for path in lun.paths):
            for initiator, hosts in _by_initiator(lunmap, lun).items():
                way = _only_way(lunmap, lun, hosts, node)
                if way is not None and not lunmap.initiators[initiator].probe:
                    yield way


def _by_initiator(lunmap: Lunmap, lun: LunPaths) -> dict[str, list[Host]]:
    """Return each initiator once for each of its targets."""
    found = defaultdict[str, list[Host]](list)
    for host in lun.initiators:
        if host.target in lunmap.targets and host.initiator in lunmap.initiators:
            found[host.initiator].append(host)
    return found


def _only_way(lunmap: Lunmap, lun: LunPaths, hosts: Sequence[Host], node: str) -> OnlyWay | None:
    """Return the way of one host, None if it has another one or does not use this one."""
    here = [host for host in hosts if node in lunmap.targets[host.target].nodes]
    usable = {path.node for path in lun.paths if path.state in USABLE} - {node}
    logged_in = any(host.at or host.unknown for host in hosts)
    used = [host for host in here if node in {*host.at, *host.unknown}] if logged_in else here
    if not used or any(usable & _ways(lunmap, host, logged_in=logged_in) for host in hosts):
        return None
    first = used[0]
    served = lunmap.targets[first.target].nodes
    others = tuple(path for path in lun.paths if path.node in served and path.node != node)
    return OnlyWay(lun.lun, first.initiator, first.target, logged_in, others)


def _ways(lunmap: Lunmap, host: Host, *, logged_in: bool) -> AbstractSet[str]:
    """Return the nodes through which the host may reach the Lun: those where it is logged in, if it is."""
    return set(host.at) if logged_in else lunmap.targets[host.target].nodes.keys()
