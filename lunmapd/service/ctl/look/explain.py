"""`lunmapctl explain`: why a host sees a Lun, or why not, and what mends it."""

import sys
from datetime import UTC, datetime

import click

from lunmapd.client import Fleet, Lunmap
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.core.explain.host import (
    HostExplanation,
    PairExplanation,
    explain_host,
    explain_pair,
)
from lunmapd.core.explain.lun import LunExplanation, explain_lun
from lunmapd.core.explain.node import NodeExplanation, explain_node
from lunmapd.core.explain.world import World
from lunmapd.core.map.find_object import find_object
from lunmapd.core.map.short_names import NoSuchNameError, ShortNames, resolve_name
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.text.explain_lines import (
    Paragraphs,
    host_paragraphs,
    lun_paragraphs,
    node_paragraphs,
    pair_paragraphs,
)
from lunmapd.service.ctl.text.layout import full_names_option, names_for
from lunmapd.service.output import echo_json, echo_paragraphs
from lunmapd.service.table import Layout, terminal_layout
from lunmapd.store.tree.snapshot import effective_map

Explanation = HostExplanation | PairExplanation | LunExplanation | NodeExplanation


@click.command()
@click.argument("name")
@click.argument("lun", required=False)
@output_option
@full_names_option
@click.pass_obj
def explain(connection: Connection, name: str, lun: str | None, output: str, full_names: bool) -> None:
    """Show what a host, a Lun or a node has to do with the others, what is wrong there, and what mends it.

    NAME is that of a host (its alias or the part after the last colon is enough), a Lun or a node; write
    luns/NAME, nodes/NAME or initiators/NAME if it could be several. With a host and a LUN every check on the
    way to this Lun is shown. Exit code 6 if any check fails.
    """
    with connection.client() as client:
        world = _world(client.fleet())
        found = _explain(world, name, lun)
    if output == "json":
        echo_json(found)
    else:
        layout = terminal_layout()._replace(full_names=full_names)
        echo_paragraphs(*_paragraphs(found, names_for(world.lunmap, layout), layout))
    if not found.is_well:
        sys.exit(Exit.DEGRADED)


def _world(fleet: Fleet) -> World:
    now, snapshot = datetime.now(UTC), fleet.snapshot
    return World(
        effective_map(snapshot),
        snapshot.revision,
        fleet.views(now),
        {paths.lun: paths for paths in fleet.lun_paths(now)},
        {node: reports.luns for node, reports in fleet.backings.items()},
    )


def _explain(world: World, name: str, lun: str | None) -> Explanation:
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


def _paragraphs(found: Explanation, names: ShortNames, layout: Layout) -> Paragraphs:
    match found:
        case HostExplanation():
            return host_paragraphs(found, names, layout)
        case PairExplanation():
            return pair_paragraphs(found, names)
        case LunExplanation():
            return lun_paragraphs(found, names, layout)
        case NodeExplanation():
            return node_paragraphs(found, names, layout)
