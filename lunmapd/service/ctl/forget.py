"""The verb that takes a retired node off the list of those that are waited for."""

import click

from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.options import output_option


@click.command()
@click.argument("node")
@output_option
@click.pass_obj
def forget(connection: Connection, node: str, output: str) -> None:
    """Remove what NODE said of itself, after it was taken out of the map and its daemon was stopped.

    Until then 'status' and 'check' miss it. It is refused (exit code 4) as long as NODE is in the map, lives, or has a role, and
    changes nothing in LIO there.
    """
    with connection.client() as client:
        found = client.forget(node)
    if output == "json":
        return echo_json(found)
    last = f", which said something last at {found.last_said}" if found.last_said else ""
    return click.echo(f"forgot {found.node}{last}")
