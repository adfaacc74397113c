"""Why a node can't be drained, as text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from lunmapd.client import Lunmap, OnlyWay
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import CLOSED
from lunmapd.core.base.text import first_of
from lunmapd.core.fleet.path_state import USABLE
from lunmapd.core.map.short_names import ShortNames, short_names

_MAX_NAMED = 3
_MAX_LINES = 10


def only_way_lines(lunmap: Lunmap, node: str, ways: Iterable[OnlyWay]) -> Iterator[str]:
    """Yield to which Luns the node is the only way, for whom, and what helps; alike Luns share a line."""
    names, alike = short_names(lunmap), defaultdict[tuple[str, str], list[str]](list)
    for way in ways:
        where = "logged in" if way.logged_in else "not logged in"
        alike[f"{names.initiator(way.initiator)}, {where}", _remedy(lunmap, node, way, names)].append(way.lun)
    lines = [
        f"{node} is the only way: {first_of(luns, _MAX_NAMED)} for {host}; {remedy}, "
        f"or --allow {Disruption.DATA_UNREACHABLE.word}"
        for (host, remedy), luns in alike.items()
    ]
    yield from lines[:_MAX_LINES]
    if (more := len(lines) - _MAX_LINES) > 0:
        yield f"{more} more such"


def _remedy(lunmap: Lunmap, node: str, way: OnlyWay, names: ShortNames) -> str:
    usable = [path.node for path in way.others if path.state in USABLE]
    closed = [path.node for path in way.others if path.state in CLOSED]
    if usable:
        return f"log it in at {first_of(usable, _MAX_NAMED)} first"
    if closed:
        return f"'lunmapctl lun set {way.lun} preferred={closed[0]}' opens another path"
    if way.others:
        states = (f"{path.node} {path.state}" for path in way.others)
        return f"bring another path back first: {first_of(list(states), _MAX_NAMED)}"
    if lunmap.luns[way.lun].nodes:
        return f"'lunmapctl lun set {way.lun} nodes={node},NODE' lets another node report it"
    nodes = ",".join((*lunmap.targets[way.target].nodes, "NODE"))
    return f"'lunmapctl target set {names.target(way.target)} nodes={nodes}' lets another node serve it"
