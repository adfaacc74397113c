"""The verbs that look after the tree itself."""

from pathlib import Path

import click

from lunmapd.client import KEEP, Note
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.output import closed_option, echo_json, note_options, say_committed
from lunmapd.service.options import output_option

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


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


@click.command()
@file_argument
@output_option
@click.pass_obj
def backup(connection: Connection, file: Path, output: str) -> None:
    """Write the map and its history into FILE, which only its owner can read."""
    with connection.client() as client:
        title = client.backup(file)
    if output == "json":
        return echo_json(title)
    return click.echo(f"wrote revision {title.revision} of cluster {title.cluster} to {file}")


@click.command()
@file_argument
@click.option("--replace", "replaced", metavar="CLUSTER", help="Replace the tree of this cluster uuid.")
@closed_option
@click.option("-m", "--message", default="", help="Why, for the log.")
@click.option("--author", default="", help="Who, for the log.  [default: user@host]")
@output_option
@click.pass_obj
def restore(
    connection: Connection,
    file: Path,
    replaced: str | None,
    closed: bool,
    message: str,
    author: str,
    output: str,
) -> None:
    """Make the map of a backup in an empty chroot, or in place of the tree that is there, whose roles stay.

    Nodes that know the cluster keep what they have until 'lunmapctl confirm' is called.
    """
    note = Note(message or f"restored from {file.name}", author)
    with connection.client() as client:
        meta = client.restore(file, note, replaced=replaced, closed=closed)
        revision = client.newest()
    if output == "json":
        return echo_json({"meta": meta, "revision": revision})
    click.echo(f"restored cluster {meta.cluster}, revision {revision}, incarnation {meta.incarnation}")
    return click.echo("look at it with 'lunmapctl get' and 'lunmapctl status', then say 'lunmapctl confirm'")


@click.command()
@note_options
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be put back, change nothing.")
@output_option
@click.pass_obj
def repair(connection: Connection, note: Note, dry_run: bool, output: str) -> None:
    """Put objects that were edited around the tools back to what the history says.

    To keep the edits instead, take them in: any other commit does so, but for what it sets itself.
    """
    with connection.client() as client:
        changes = client.edited()
        made = None if dry_run else client.repair(note)
    nothing = "nothing was put back (dry run)" if changes else "nothing was edited around the tools"
    say_committed(made, changes, output, nothing)


@click.command()
@note_options
@click.option("--resume", is_flag=True, help="Go on with a migration that stopped in the middle.")
@output_option
@click.pass_obj
def migrate(connection: Connection, note: Note, resume: bool, output: str) -> None:
    """Bring the tree to the schema of this version, once every node runs it.

    Before that, nodes of both versions follow the map, and nobody can commit with this version.
    """
    with connection.client() as client:
        made = client.migrate(note, resume=resume)
    say_committed(made, (), output, "nothing to do, the tree has this version's schema")
