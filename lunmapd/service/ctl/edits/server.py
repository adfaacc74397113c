"""`lunmapctl target` and `node`: what serves the Luns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lunmapd.core.base.lunmap import Authentication, Lunmap, Node, PortalGroup, Target
from lunmapd.service.ctl.commit.permissions import REBACKING, REUSE_ID
from lunmapd.service.ctl.edits.options import How, commit_edit, commit_fields, edit_options
from lunmapd.service.ctl.edits.portals import read_portals

if TYPE_CHECKING:
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.service.ctl.connection import Connection


@click.group()
def target_verbs() -> None:
    """Create, change and delete targets."""


@target_verbs.command("create")
@click.argument("iqn")
@click.option("--on", default="", metavar="NODE,...", help="The nodes that serve it.  [default: all]")
@click.option("--alias", default="", help="A name for people.")
@click.option(
    "--authentication",
    type=click.Choice([each.value for each in Authentication]),
    default=Authentication.NONE.value,
    show_default=True,
)
@edit_options()
@click.pass_obj
def _create(connection: Connection, iqn: str, on: str, alias: str, authentication: str, how: How) -> None:
    """Create the target IQN.

    All portals of its nodes serve it, with new port ids.
    """

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.servers import create_target

        nodes = on.split(",") if on else sorted(lunmap.nodes)
        if not on and iqn in lunmap.targets:
            nodes = list(lunmap.targets[iqn].nodes)
        groups = {name: _served(lunmap, iqn, name) for name in nodes}
        there = lunmap.targets.get(iqn)
        floating = {} if there is None else there.floating
        target = Target(groups, alias, Authentication(authentication), floating=floating)
        return create_target(lunmap, iqn, target)

    commit_edit(connection, edit, how)


def _served(lunmap: Lunmap, iqn: str, node: str) -> PortalGroup:
    """Return how a node serves a target that exists already, else by all its portals."""
    there = lunmap.targets.get(iqn)
    return PortalGroup() if there is None else there.nodes.get(node, PortalGroup())


@target_verbs.command("set")
@click.argument("target")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options(REUSE_ID)
@click.pass_obj
def _set(connection: Connection, target: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of TARGET.

    They are those of a map file, such as alias=san, nodes=n1,n2 or authentication=chap.
    """
    commit_fields(connection, "targets", target, fields, how)


@target_verbs.command("delete")
@click.argument("target")
@click.option("--unmap", is_flag=True, help="Also if it shows Luns.")
@edit_options(can_empty=True)
@click.pass_obj
def _delete(connection: Connection, target: str, unmap: bool, how: How) -> None:
    """Delete TARGET; Luns and hosts stay."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.servers import delete_target
        from lunmapd.core.map.short_names import find_name

        return delete_target(lunmap, find_name(target, lunmap.targets) or target, unmap=unmap)

    commit_edit(connection, edit, how, ("targets", target))


@click.group()
def node_verbs() -> None:
    """Add, change and remove storage nodes."""


@node_verbs.command("add")
@click.argument("node")
@click.option(
    "--portal",
    "portals",
    multiple=True,
    callback=read_portals,
    help="ADDRESS[:PORT], as 10.0.1.4. Repeatable.",
)
@click.option("--tag", type=click.IntRange(1, 65535), help="The TPG tag.  [default: one never used]")
@click.option("--target", "targets", multiple=True, help="Let it serve this target. Repeatable.")
@edit_options(REUSE_ID)
@click.pass_obj
def _add(
    connection: Connection,
    node: str,
    portals: tuple[str, ...],
    tag: int | None,
    targets: tuple[str, ...],
    how: How,
) -> None:
    """Add NODE to the map.

    It is the setting `node` of lunmapd there.
    """

    def edit(lunmap: Lunmap, free: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.servers import add_node

        return add_node(lunmap, node, Node(tag or 0, portals), targets, free)

    commit_edit(connection, edit, how)


@node_verbs.command("set")
@click.argument("node")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options(REBACKING, REUSE_ID)
@click.pass_obj
def _set_node(connection: Connection, node: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of NODE.

    They are those of a map file, such as portals=10.0.1.4,10.0.2.4 or labels.rack=r1; 'drain' and 'undrain'
    change the state.
    """
    commit_fields(connection, "nodes", node, fields, how)


@node_verbs.command("remove")
@click.argument("node")
@edit_options(can_empty=True)
@click.pass_obj
def _remove(connection: Connection, node: str, how: How) -> None:
    """Remove NODE from targets, Luns and the map.

    Then stop lunmapd there, and let 'forget' remove its status.
    """

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.servers import remove_node

        return remove_node(lunmap, node)

    commit_edit(connection, edit, how, ("nodes", node))
