"""`lunmapctl plan`: what the nodes would do for a file, or for a short verb that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.permissions import EVERY_PERMISSION, permission_options
from lunmapd.service.ctl.files.options import basis_options, file_option
from lunmapd.service.ctl.start.lazy import LazyGroup, start_planning
from lunmapd.service.ctl.start.verbs import EDITS
from lunmapd.service.ctl.text.output import note_options

if TYPE_CHECKING:
    from lunmapd.client import Note
    from lunmapd.service.ctl.connection import Connection
    from lunmapd.service.ctl.files.options import Basis


@click.group(cls=LazyGroup, verbs=EDITS, invoke_without_command=True)
@file_option
@basis_options
@note_options
@permission_options(*EVERY_PERMISSION)
@output_option
@click.pass_context
def plan(context: click.Context, file: TextIO | None, basis: Basis, note: Note, output: str) -> None:
    """Show what every node would do if the map were made equal to FILE, and to whom. Nothing is committed.

    A short verb with its arguments can take the place of FILE, as in 'plan unmap db1 host2'.

    It takes the file as 'apply' does, with the same options about it. Each node is taken to be as the newest
    map says, with the logins that it last reported. Exit code 6 if a host would lose a path, a node would
    hold steps or leave the map, or an object would fail; a unit attention disturbs nobody.
    """
    if context.invoked_subcommand is not None:
        _check_no_option(context)
        start_planning(context)
        return
    if file is None:
        raise click.UsageError("Missing option '-f' / '--file', or a verb such as 'unmap'")
    _plan_file(context.obj, file, basis, note, output)


def _check_no_option(context: click.Context) -> None:
    """Refuse options between `plan` and a verb, which has its own."""
    for parameter in context.command.params:
        source = parameter.name and context.get_parameter_source(parameter.name)
        if source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[-1]} is for a whole map: write the options of {context.invoked_subcommand} "
                "behind it"
            )


def _plan_file(connection: Connection, file: TextIO, basis: Basis, note: Note, output: str) -> None:
    from lunmapd.service.ctl.files.map_file import check_undone, read_map_file

    given = read_map_file(file)
    base = basis.of(given)
    with connection.client() as client, given.located(client, base):
        from lunmapd.service.ctl.commit.steps import show_plan, warn_of_file

        proposal = client.propose(given.lunmap, note, base=base, prefer=basis.prefer)
        warn_of_file(proposal, given.source.problem)
        check_undone(client, proposal, given, basis, dry_run=True)
        show_plan(client, proposal, note, output)
