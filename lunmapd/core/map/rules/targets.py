"""Rules of targets: their nodes, and the settings of their TPGs."""

from collections.abc import Iterator

from lunmapd.core.base import attributes, names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, PortalGroup, Target, portals_of
from lunmapd.core.map.rules.common import check_repeated, check_text, no_such
from lunmapd.core.map.rules.floating import check_times


def check_targets(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every target."""
    for iqn, target in lunmap.targets.items():
        place: Place = ("targets", iqn)
        yield from check_text(place, names.check_iscsi_name, iqn)
        for name, group in target.nodes.items():
            yield from _portal_group(lunmap, (*place, "nodes", name), name, group)
        yield from _attributes((*place, "attributes"), target)
        yield from _parameters((*place, "parameters"), target)
        yield from check_times((*place, "takeover"), target.takeover)


def _portal_group(lunmap: Lunmap, place: Place, name: str, group: PortalGroup) -> Iterator[Problem]:
    if not 0 < group.port_id <= names.MAX_TAG:
        yield Problem((*place, "port_id"), f"{group.port_id} is not a port id: use 1 to {names.MAX_TAG}")
    node = lunmap.nodes.get(name)
    if node is None:
        yield Problem(place, no_such("node", name, lunmap.nodes))
        return
    there = (*node.portals, *node.iser_portals)
    if not there:
        yield Problem(place, f"node {name!r} has no portals to serve a target through")
    yield from check_repeated((*place, "portals"), "portal", group.portals)
    if len(lunmap.targets[str(place[1])].nodes) > 1:
        for portal in filter(names.is_every_address, portals_of(node, group)):
            yield Problem(
                place,
                f"{portal} is no address that discovery on other nodes can report: give the node's own "
                "address",
            )
    for index, portal in enumerate(group.portals):
        if portal not in there:
            yield Problem((*place, "portals", index), f"{portal!r} is not a portal of node {name!r}")


def _attributes(place: Place, target: Target) -> Iterator[Problem]:
    for name, value in target.attributes.items():
        row = attributes.TPG.get(name)
        if name in attributes.TPG_ELSEWHERE:
            yield Problem((*place, name), f"is lunmapd's own: {attributes.TPG_ELSEWHERE[name]}")
        elif row is None:
            yield Problem((*place, name), "is not an attribute that a target can be given")
        elif sentence := row.range.check(value):
            yield Problem((*place, name), sentence)


def _parameters(place: Place, target: Target) -> Iterator[Problem]:
    good: dict[str, str] = {}
    for name, text in target.parameters.items():
        row = attributes.PARAMETERS.get(name)
        if name in attributes.PARAMETERS_ELSEWHERE:
            yield Problem((*place, name), f"is lunmapd's own: {attributes.PARAMETERS_ELSEWHERE[name]}")
        elif row is None:
            yield Problem((*place, name), "is not a parameter that a target can be given")
        elif sentence := row.check(text):
            yield Problem((*place, name), sentence)
        else:
            good[name] = text
    yield from _bursts(place, good)


def _bursts(place: Place, parameters: dict[str, str]) -> Iterator[Problem]:
    """Check that the first burst is not longer than MaxBurstLength (RFC 7143, section 13.14)."""
    first, most = (
        int(parameters.get(name, attributes.PARAMETERS[name].default))
        for name in ("FirstBurstLength", "MaxBurstLength")
    )
    if first > most:
        yield Problem((*place, "FirstBurstLength"), f"{first} is more than MaxBurstLength, {most}")
