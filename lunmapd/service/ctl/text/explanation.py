"""The explanation of one object, or of a host and a Lun, from what is known of the nodes."""

from collections.abc import Iterable
from datetime import UTC, datetime

from lunmapd.client import Fleet, Lunmap
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.core.explain.host import HostExplanation, PairExplanation, explain_host, explain_pair
from lunmapd.core.explain.lun import LunExplanation, explain_lun
from lunmapd.core.explain.node import NodeExplanation, explain_node
from lunmapd.core.explain.world import World
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.map.find_object import find_object
from lunmapd.core.map.short_names import NoSuchNameError, ShortNames, resolve_name
from lunmapd.service.ctl.text.explain_lines import (
    Paragraphs,
    host_paragraphs,
    lun_paragraphs,
    node_paragraphs,
    pair_paragraphs,
)
from lunmapd.service.table import Layout
from lunmapd.store.tree.snapshot import effective_map

Explanation = HostExplanation | PairExplanation | LunExplanation | NodeExplanation


def world_of(fleet: Fleet, luns: Iterable[LunPaths] | None = None) -> World:
    """Return the effective map and the nodes, as an explanation needs them; `luns` if they are known."""
    now, snapshot = datetime.now(UTC), fleet.snapshot
    found = fleet.lun_paths(now) if luns is None else luns
    return World(
        effective_map(snapshot),
        snapshot.revision,
        fleet.views(now),
        {paths.lun: paths for paths in found},
        {node: reports.luns for node, reports in fleet.backings.items()},
    )


def explain_object(world: World, name: str, lun: str | None = None) -> Explanation:
    """Explain a host, a Lun or a node, or a host and a Lun. Raises NoSuchNameError."""
    if lun is not None:
        return explain_pair(world, _host(world.lunmap, name), _lun(world.lunmap, lun))
    kind, found = find_object(world.lunmap, name)
    if kind == "nodes":
        return explain_node(world, found)
    return explain_lun(world, found) if kind == "luns" else explain_host(world, found)


def _host(lunmap: Lunmap, word: str) -> str:
    return resolve_name(word.removeprefix("initiators/"), lunmap.initiators, "initiator")


def _lun(lunmap: Lunmap, word: str) -> str:
    name = word.removeprefix("luns/")
    if name not in lunmap.luns:
        near = suggestion(nearest(name, lunmap.luns))
        raise NoSuchNameError(f"the map has no Lun {name!r}{near}")
    return name


def explanation_paragraphs(found: Explanation, names: ShortNames, layout: Layout) -> Paragraphs:
    """Yield the text of an explanation."""
    match found:
        case HostExplanation():
            return host_paragraphs(found, names, layout)
        case PairExplanation():
            return pair_paragraphs(found, names)
        case LunExplanation():
            return lun_paragraphs(found, names, layout)
        case NodeExplanation():
            return node_paragraphs(found, names, layout)
