"""The verbs that look after the tree itself."""

import click

from lunmapd.client import KEEP
from lunmapd.service.ctl.group import Connection
from lunmapd.service.ctl.output import echo_json, output_option


@click.command()
@click.option(
    "--keep", type=click.IntRange(min=1), default=KEEP, show_default=True, help="How many revisions to keep."
)
@output_option
@click.pass_obj
def trim(connection: Connection, keep: int, output: str) -> None:
    """Remove old revisions, after writing down the whole map at the oldest one that is kept.

    Commits do the same by themselves, when there are twice as many revisions as are kept by default.
    """
    with connection.client() as client:
        found = client.trim(keep)
    if output == "json":
        return echo_json(found)
    return click.echo(f"removed {found.removed} revisions, the oldest one kept is {found.oldest}")
