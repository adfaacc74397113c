"""`lunmapctl forget`: removes a retired node's registration and status."""

import click

from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.output import echo, echo_json


@click.command()
@click.argument("node")
@output_option
@click.pass_obj
def forget(connection: Connection, node: str, output: str) -> None:
    """Remove the registration and status of NODE, once it is out of the map and its daemon is stopped.

    Until then 'status' and 'check' report it as dead. The verb is refused (exit code 4) while NODE is in the
    map, lives, or has a role. It changes nothing in LIO on NODE.
    """
    with connection.client() as client:
        forgotten = client.forget(node)
    if output == "json":
        return echo_json(forgotten)
    last_status = f", whose last status is of {forgotten.last_said}" if forgotten.last_said else ""
    return echo(f"forgot {forgotten.node}{last_status}")
