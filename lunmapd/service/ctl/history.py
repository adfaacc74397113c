"""The verbs that look back."""

from itertools import islice

import click

from lunmapd.client import differences
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.differences import difference_lines, log_table, report, revision_lines
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.options import output_option


def parse_span(text: str) -> tuple[int, int | None]:
    """Read two revisions: `3..7`, or `3..` for all since revision 3."""
    older, _, newer = text.partition("..")
    if older.isdecimal() and (newer.isdecimal() or not newer):
        return int(older), int(newer) if newer else None
    raise click.BadParameter(
        f"{text!r} is not a span of revisions: use 3..7, or 3.. for all since revision 3"
    )


@click.command()
@click.option(
    "-n", "limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most."
)
@click.option(
    "--object", "path", metavar="PATH", help="Only those that changed this object, such as luns/db1."
)
@output_option
@click.pass_obj
def log(connection: Connection, limit: int, path: str | None, output: str) -> None:
    """List the revisions, newest first."""
    with connection.client() as client:
        found = list(islice(client.log(path), limit))
    if output == "json":
        echo_json([report(revision) for revision in found])
    else:
        click.echo(log_table(found))


@click.command()
@click.argument("revision", type=click.IntRange(min=1))
@output_option
@click.pass_obj
def show(connection: Connection, revision: int, output: str) -> None:
    """Show who made REVISION, when, why, and what it changed, field by field."""
    with connection.client() as client:
        found = client.revision(revision)
    if output == "json":
        echo_json(report(found))
    else:
        click.echo("\n".join(revision_lines(found)))


@click.command()
@click.argument("span", metavar="A..B", type=parse_span)
@output_option
@click.pass_obj
def diff(connection: Connection, span: tuple[int, int | None], output: str) -> None:
    """Show what changed from revision A to B, or from A to the newest (A..), field by field."""
    with connection.client() as client:
        found = differences(client.diff(*span))
    if output == "json":
        echo_json(found)
    else:
        for line in difference_lines(found, whole=True):
            click.echo(line)
