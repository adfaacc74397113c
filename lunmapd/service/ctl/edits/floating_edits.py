"""`lunmapctl float create`, `set` and `delete`: the floating portal groups of the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lunmapd.core.base.lunmap import Failback, FloatingGroup, Lunmap
from lunmapd.service.ctl.commit.permissions import REUSE_ID
from lunmapd.service.ctl.edits.options import How, commit_edit, edit_options
from lunmapd.service.ctl.edits.portals import read_portals

if TYPE_CHECKING:
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.service.ctl.connection import Connection


@click.group("float")
def floating_edits() -> None:
    """Create, change and delete floating portal groups."""


@floating_edits.command("create")
@click.argument("target")
@click.argument("group")
@click.argument("addresses", nargs=-1, required=True, callback=read_portals, metavar="ADDRESS[:PORT]...")
@click.option("--on", default="", metavar="NODE,...", help="Its nodes, preferred first.  [default: all]")
@click.option(
    "--failback",
    type=click.Choice([each.value for each in Failback]),
    default=Failback.AUTO.value,
    show_default=True,
    help="Whether the preferred node takes the group back.",
)
@edit_options()
@click.pass_obj
def create(
    connection: Connection,
    target: str,
    group: str,
    addresses: tuple[str, ...],
    on: str,
    failback: str,
    how: How,
) -> None:
    """Create a floating portal GROUP of TARGET.

    Its addresses move with its owner. TARGET may be new: then it is a full name, and the group alone serves
    it. The TPG tag is one never used.
    """
    nodes = tuple(on.split(",")) if on else ()
    asked = FloatingGroup(0, addresses, nodes, failback=Failback(failback))

    def edit(lunmap: Lunmap, free: FreeNumbers) -> Lunmap:
        from lunmapd.core.base.names import check_iscsi_name
        from lunmapd.core.edits.find import find_target
        from lunmapd.core.edits.floating import create_floating

        iqn = target if check_iscsi_name(target) is None else find_target(lunmap, target)
        return create_floating(lunmap, iqn, group, asked, free)

    commit_edit(connection, edit, how)


@floating_edits.command("set")
@click.argument("target")
@click.argument("group")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options(REUSE_ID)
@click.pass_obj
def set_fields(connection: Connection, target: str, group: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of a floating portal GROUP of TARGET.

    They are those of a map file, such as portals=10.0.1.9, nodes=n1,n2 or failback=manual.
    """

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.find import find_target
        from lunmapd.core.edits.floating import assign_floating

        return assign_floating(lunmap, find_target(lunmap, target), group, fields)

    commit_edit(connection, edit, how)


@floating_edits.command("delete")
@click.argument("target")
@click.argument("group")
@edit_options()
@click.pass_obj
def delete(connection: Connection, target: str, group: str, how: How) -> None:
    """Delete a floating portal GROUP of TARGET.

    Hosts lose its addresses. The target stays.
    """

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.find import find_target
        from lunmapd.core.edits.floating import delete_floating

        return delete_floating(lunmap, find_target(lunmap, target), group)

    commit_edit(connection, edit, how)
