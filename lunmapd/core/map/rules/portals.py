"""Portals that a node can't listen on at the same time.

A node listens on its own portals, and for each of its targets on those of the target's other nodes, which
discovery reports (core/node/projection, remote TPGs).
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, Node, portals_of
from lunmapd.core.base.names import excludes


def check_overlaps(lunmap: Lunmap) -> Iterator[Problem]:
    """Report each portal that excludes another one of the same node, or of a node of the same target."""
    for name, node in lunmap.nodes.items():
        yield from _own(("nodes", name), node)
    listening = _listening(lunmap)
    for iqn, target in lunmap.targets.items():
        for name in target.nodes:
            for other, group in target.nodes.items():
                if other not in {name, *(target.nodes.keys() - lunmap.nodes.keys())}:
                    portals = portals_of(lunmap.nodes[other], group)
                    yield from _remote(("targets", iqn, "nodes", name), listening.get(name, set()), portals)


def _own(place: Place, node: Node) -> Iterator[Problem]:
    before: list[str] = []
    for field, portals in (("portals", node.portals), ("iser_portals", node.iser_portals)):
        for index, portal in enumerate(portals):
            clash = next((other for other in before if other != portal and excludes(portal, other)), None)
            if clash is not None:
                yield Problem((*place, field, index), _sentence(portal, clash))
            before.append(portal)


def _listening(lunmap: Lunmap) -> Mapping[str, AbstractSet[str]]:
    """Return the portals of each node that some target uses, by the name of the node."""
    used: dict[str, set[str]] = {}
    for target in lunmap.targets.values():
        for name, group in target.nodes.items():
            if name in lunmap.nodes:
                used.setdefault(name, set()).update(portals_of(lunmap.nodes[name], group))
    return used


def _remote(place: Place, own: AbstractSet[str], portals: Sequence[str]) -> Iterator[Problem]:
    for portal in portals:
        for mine in sorted(own):
            if mine != portal and excludes(mine, portal):
                sentence = _sentence(mine, portal)
                yield Problem(place, f"for discovery this node listens on {portal} too: {sentence}")


def _sentence(portal: str, other: str) -> str:
    return f"{portal} and {other} exclude each other: give the addresses one by one, or different ports"
