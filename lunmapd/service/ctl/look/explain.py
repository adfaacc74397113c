"""`lunmapctl explain`: why a host sees a Lun, or why not, and what mends it."""

import sys

import click
from msgspec.structs import replace

from lunmapd.core.base.root_error import Exit
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.layout import full_names_option
from lunmapd.service.output import echo_json, echo_paragraphs


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
    way to this Lun is shown. Exit code 6 if any check fails; that a node is drained is no failure beside
    another way.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.text.explanation import explain_object, explanation_paragraphs, world_of
        from lunmapd.service.ctl.text.layout import names_for
        from lunmapd.service.table import terminal_layout

        world = world_of(client.fleet())
        found = explain_object(world, name, lun)
    if output == "json":
        echo_json(found)
    else:
        layout = replace(terminal_layout(), full_names=full_names)
        echo_paragraphs(*explanation_paragraphs(found, names_for(world.lunmap, layout), layout))
    if not found.is_well:
        sys.exit(Exit.DEGRADED)
