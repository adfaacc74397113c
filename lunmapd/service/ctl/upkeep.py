"""The verbs that maintain the tree: trim, backup, restore, repair, migrate."""

from pathlib import Path

import click
from msgspec.structs import replace

from lunmapd.client import KEEP, Client, Lunmap, LunmapdError, Note
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.options import dry_run_option
from lunmapd.service.ctl.commit.permissions import REUSE_ID, REUSE_LUN, permission_options
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.output import (
    closed_option,
    echo_committed,
    note_options,
    restore_note_options,
)
from lunmapd.service.output import echo, echo_json

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@click.option(
    "--keep", type=click.IntRange(min=1), default=KEEP, show_default=True, help="Number of revisions to keep."
)
@output_option
@click.pass_obj
def trim(connection: Connection, keep: int, output: str) -> None:
    """Remove old revisions, after a checkpoint of the map at the oldest revision that is kept.

    A commit trims by itself when there are twice as many revisions as the default of --keep.
    """
    with connection.client() as client:
        trimmed = client.trim(keep)
    if output == "json":
        return echo_json(trimmed)
    return echo(f"removed {trimmed.removed} revisions; the oldest kept revision is {trimmed.oldest}")


@click.command()
@file_argument
@output_option
@click.pass_obj
def backup(connection: Connection, file: Path, output: str) -> None:
    """Write the map and its history to FILE, readable by its owner only."""
    if str(file) == "-":
        raise click.UsageError("a backup is written to a file of its own mode: name a FILE, not -")
    with connection.client() as client:
        title = client.backup(file)
    if output == "json":
        return echo_json(title)
    return echo(f"wrote revision {title.revision} of cluster {title.cluster} to {file}")


@click.command()
@file_argument
@click.option("--replace", "replaced", metavar="CLUSTER", help="Replace the tree of this cluster uuid.")
@closed_option
@restore_note_options
@permission_options(REUSE_LUN, REUSE_ID)
@output_option
@click.pass_obj
def restore(
    connection: Connection,
    file: Path,
    replaced: str | None,
    closed: bool,
    note: Note,
    output: str,
) -> None:
    """Restore the map of a backup into an empty chroot, or with --replace over a tree, whose roles stay.

    Nodes that know the cluster keep their state until 'lunmapctl confirm' is run.
    """
    note = replace(note, message=note.message or f"restored from {file.name}")
    with connection.client() as client:
        from lunmapd.service.ctl.commit.steps import echo_duties

        former = _readable_map(client) if replaced else None
        meta = client.restore(file, note, replaced=replaced, closed=closed)
        restored = client.read()
    if output == "json":
        return echo_json({"meta": meta, "revision": restored.revision})
    echo(f"restored cluster {meta.cluster}, revision {restored.revision}, incarnation {meta.incarnation}")
    echo("check it with 'lunmapctl get' and 'lunmapctl status', then run 'lunmapctl confirm'")
    return None if former is None else echo_duties(former, restored.lunmap)


def _readable_map(client: Client) -> Lunmap | None:
    """Return the map that is to be replaced; None if it can't be read, which a restore may mend."""
    try:
        return client.read().lunmap
    except LunmapdError:
        return None


@click.command()
@note_options
@permission_options(REUSE_LUN, REUSE_ID)
@dry_run_option
@output_option
@click.pass_obj
def repair(connection: Connection, note: Note, dry_run: bool, output: str) -> None:
    """Revert out-of-band edits to the committed objects, and print what the hosts have to do.

    To keep the edits instead, commit anything else: a commit includes them, except in objects that it sets.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.commit.steps import commit_proposal, echo_duties

        proposal = client.propose_repair()
        nothing = "nothing was reverted (dry run)" if proposal.changes else "there are no out-of-band edits"
        if dry_run:
            commit_proposal(client, proposal, note, None, output, nothing)
            return
        made = client.repair(note)
        echo_committed(made, proposal.changes, output, nothing)
        if output != "json":
            echo_duties(proposal.before.lunmap, proposal.after)


@click.command()
@note_options
@click.option("--resume", is_flag=True, help="Resume an interrupted migration.")
@output_option
@click.pass_obj
def migrate(connection: Connection, note: Note, resume: bool, output: str) -> None:
    """Migrate the tree to the schema of this version, once every node runs this version.

    Before that, nodes of both versions follow the map, and this version can't commit.
    """
    with connection.client() as client:
        made = client.migrate(note, resume=resume)
    echo_committed(made, (), output, "nothing to do: the tree has this version's schema")
