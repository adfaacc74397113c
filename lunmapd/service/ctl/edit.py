"""The verbs that initialise the tree and change the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.options import (
    Consent,
    consent_options,
    dry_run_option,
    rollout_options,
    wait_option,
)
from lunmapd.service.ctl.commit.permissions import EVERY_PERMISSION, permission_options
from lunmapd.service.ctl.files.options import Basis, basis_options, file_option
from lunmapd.service.ctl.files.sections import full_name, section_and_name, section_argument
from lunmapd.service.ctl.text.output import echo_committed, note_options
from lunmapd.service.output import echo

if TYPE_CHECKING:
    from lunmapd.client import Client, Note, Proposal, Revision
    from lunmapd.service.ctl.connection import Connection
    from lunmapd.service.ctl.files.map_file import MapFile

_REPORT_TIME = 3.0  # seconds after a revision was applied in which nodes report what they have opened

resume_option = click.option(
    "--resume", is_flag=True, help="Resume an interrupted large commit, if there is one."
)


@click.command()
@click.option(
    "--acl",
    "closed",
    is_flag=True,
    help="Make this client's principal the only admin; see 'acl whoami'.",
)
@click.pass_obj
def init(connection: Connection, closed: bool) -> None:
    """Create an empty map in ZooKeeper with a new cluster uuid. Without --acl it is open to everybody."""
    with connection.client() as client:
        cluster = client.initialise(closed=closed)
        echo(f"initialised {client.chroot}: cluster {cluster}, revision 0")


@click.command()
@click.argument("given_file", metavar="FILE", type=click.File("r", encoding="utf-8"), required=False)
@file_option
@basis_options
@note_options
@permission_options(*EVERY_PERMISSION)
@rollout_options
@consent_options(can_empty=True)
@dry_run_option
@resume_option
@wait_option
@output_option
@click.pass_obj
def apply(
    connection: Connection,
    given_file: TextIO | None,
    file: TextIO | None,
    basis: Basis,
    note: Note,
    consent: Consent,
    dry_run: bool,
    resume: bool,
    wait: float | None,
    output: str,
) -> None:
    """Make the map equal to FILE, in one commit. Objects that FILE does not name are removed from the map.

    The first line of a file from `get` names its revision: what others committed since stays, and after the
    commit the line names the new revision. A file without that line may undo no commit without a question,
    in scripts not without --replace.

    A Lun without a serial keeps its serial, or gets a new one. An unchanged map makes no revision. A map that
    is too large for one transaction is written in parts, which nodes apply together once all are written.

    What the nodes would do is shown first, as by 'plan'. If a host would lose a path, or a node would hold
    the removal of much, it asks on a terminal; elsewhere it commits nothing without --allow or --yes.
    """
    _refuse_dry_resume(resume=resume, dry_run=dry_run)
    from lunmapd.service.ctl.files.map_file import check_undone, read_map_file, renew_base

    given = read_map_file(_one_file(given_file, file))
    base = basis.of(given)
    with connection.client() as client, given.located(client, base):
        from lunmapd.service.ctl.commit.consent import can_ask
        from lunmapd.service.ctl.commit.steps import commit_proposal, nothing_text, warn_of_file
        from lunmapd.service.ctl.commit.waiting import wait_for

        proposal = client.propose(given.lunmap, note, base=base, prefer=basis.prefer, resume=resume)
        warn_of_file(proposal, given.source.problem)
        _warn_of_backings(client, proposal)
        check_undone(client, proposal, given, basis, dry_run=dry_run, can_ask=can_ask(output))
        nothing = nothing_text(proposal, dry_run=dry_run)
        agreed = None if dry_run else consent
        revision = commit_proposal(client, proposal, note, agreed, output, nothing, wait=wait)
        renew_base(given, basis, revision)
        if not dry_run:
            wait_for(client, revision, proposal.before.revision, wait, output, proposal.changes)
            if wait is not None:
                _warn_of_backings(client, proposal, patience=_REPORT_TIME)


def _one_file(*files: TextIO | None) -> TextIO:
    """Return the file that is named, as an argument or by -f. Raises UsageError."""
    named = [file for file in files if file is not None]
    if len(named) != 1:
        raise click.UsageError("name one FILE with the whole map, - for standard input")
    return named[0]


def _refuse_dry_resume(*, resume: bool, dry_run: bool) -> None:
    if resume and dry_run:
        raise click.UsageError("--resume commits, and --dry-run does not: leave one of them out")


@click.command("edit")
@section_argument
@click.argument("name", required=False)
@note_options
@permission_options(*EVERY_PERMISSION)
@rollout_options
@consent_options(can_empty=True)
@wait_option
@output_option
@click.pass_obj
def edit_map(
    connection: Connection,
    section: str | None,
    name: str | None,
    note: Note,
    consent: Consent,
    wait: float | None,
    output: str,
) -> None:
    """Edit the map, one SECTION, or the object NAME of it, in $VISUAL or $EDITOR, and commit the result.

    What others commit meanwhile stays, as with `apply`. Problems are shown as comments at their lines, in the
    editor again. A text that is left as it is, or empty, commits nothing.
    """

    def commit(file: MapFile) -> tuple[Proposal, Revision | None]:
        with connection.client() as client, file.located(client, file.base):
            from lunmapd.service.ctl.commit.steps import commit_proposal, nothing_text, warn_of_file

            proposal = client.propose(file.lunmap, note, base=file.base)
            warn_of_file(proposal, file.source.problem)
            revision = commit_proposal(
                client, proposal, note, consent, output, nothing_text(proposal, dry_run=False), wait=wait
            )
            return proposal, revision

    with connection.client() as client:
        from lunmapd.service.ctl.commit.waiting import is_waiting, wait_for
        from lunmapd.service.ctl.files.editor import edit_file
        from lunmapd.service.ctl.files.map_text import map_text

        snapshot = client.read()
        part, name = section_and_name(section, name)
        text = map_text(snapshot, part, full_name(snapshot.lunmap, part, name))
    done = edit_file(text, commit)
    if done is None:
        echo_committed(None, (), output, "nothing was edited, and nothing committed")
        return
    proposal, revision = done
    if is_waiting(wait):
        with connection.client() as client:
            wait_for(client, revision, proposal.before.revision, wait, output, proposal.changes)


def _warn_of_backings(client: Client, proposal: Proposal, patience: float = 0.0) -> None:
    """Warn of Luns of the commit whose nodes have different paths, and report different devices under them.

    Wait at most `patience` seconds until the nodes report the paths of the map.
    """
    from lunmapd.core.fleet.backing_differences import is_divided

    names = {path for change in proposal.changes if (path := change.path).startswith("luns/")}
    luns = {name for path in names if is_divided(proposal.after, name := path.removeprefix("luns/"))}
    if luns:
        for difference in client.backing_differences(luns, patience):
            echo(f"lunmapctl: warning: {difference}", err=True)


@click.command()
@click.argument("revision", type=click.IntRange(min=0))
@note_options
@permission_options(*EVERY_PERMISSION)
@rollout_options
@consent_options(can_empty=True)
@dry_run_option
@resume_option
@wait_option
@output_option
@click.pass_obj
def rollback(
    connection: Connection,
    revision: int,
    note: Note,
    consent: Consent,
    dry_run: bool,
    resume: bool,
    wait: float | None,
    output: str,
) -> None:
    """Commit the map of REVISION as a new revision.

    A rollback obeys the rules of any commit: it can't give a Lun another serial, for instance, and a mapped
    Lun gets its former path back only with --rebacking. Like 'apply' it shows what the nodes would do, and
    asks.
    """
    _refuse_dry_resume(resume=resume, dry_run=dry_run)
    nothing = f"nothing to change: the map equals revision {revision}"
    with connection.client() as client:
        from lunmapd.service.ctl.commit.steps import commit_proposal, nothing_text, warn_of_changes
        from lunmapd.service.ctl.commit.waiting import wait_for

        proposal = client.propose_rollback(revision, note, resume=resume)
        if dry_run and proposal.changes:
            nothing = nothing_text(proposal, dry_run=True)
        warn_of_changes(proposal)
        agreed = None if dry_run else consent
        made = commit_proposal(client, proposal, note, agreed, output, nothing, wait=wait)
        if not dry_run:
            wait_for(client, made, client.newest(), wait, output, proposal.changes)


@click.command()
@click.argument("revision", type=click.IntRange(min=1), required=False)
@click.option(
    "--rewound",
    is_flag=True,
    help="Also let nodes follow this tree although they know a newer one: after ZooKeeper was put back.",
)
@note_options
@wait_option
@output_option
@click.pass_obj
def confirm(
    connection: Connection,
    revision: int | None,
    rewound: bool,
    note: Note,
    wait: float | None,
    output: str,
) -> None:
    """Keep the revision that is tried, and confirm the removals up to REVISION, by default the newest.

    A revision that is not confirmed in time is undone; then the exit code is 4. A node holds a map
    that would remove a large part of its LIO objects until the removals are confirmed; every node does so
    after a restore.
    """
    if rewound and revision is not None:
        raise click.UsageError("--rewound confirms the tree as it is: omit REVISION")
    with connection.client() as client:
        from lunmapd.service.ctl.commit.waiting import echo_made, wait_for

        made = client.confirm_rewound(note) if rewound else client.confirm(revision, note)
        echo_made(made, (), output, "nothing to do: the removals are already confirmed", wait)
        wait_for(client, made, client.newest(), wait, output)


@click.group("import")
def large() -> None:
    """Handle an interrupted large commit, which is written in parts."""


@large.command()
@note_options
@output_option
@click.pass_obj
def undo(connection: Connection, note: Note, output: str) -> None:
    """Undo the written parts so that other commits are possible again. No node has applied them."""
    with connection.client() as client:
        echo_committed(client.undo_import(note), (), output, "")
