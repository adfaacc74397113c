"""The verbs that initialise the tree and change the map."""

import functools
import sys
from collections.abc import Callable
from typing import TextIO

import click
from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Problem, Proposal, Revision
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import SECTIONS, Section
from lunmapd.core.fleet.backing_differences import is_divided
from lunmapd.core.map import rules
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.commit.consent import Consent, agree, can_ask, consent_options, foresee
from lunmapd.service.ctl.files.editor import edit_file
from lunmapd.service.ctl.files.map_file import (
    Basis,
    MapFile,
    basis_options,
    check_undone,
    map_text,
    read_map_file,
    renew_base,
)
from lunmapd.service.ctl.text.forecast_lines import plan_report
from lunmapd.service.ctl.text.output import echo_committed, note_options, reuse_options
from lunmapd.service.output import echo, echo_json

_REPORT_TIME = 3.0  # seconds after a revision was applied in which nodes report what they have opened

wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait until every live node has applied the revision.",
)


dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Show the changes and what nodes would do, and commit nothing."
)


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


def permission_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that allow what a commit refuses; the command receives them in its `note`."""

    @click.option(
        "--shrink",
        multiple=True,
        metavar="LUN",
        help="Allow this Lun to shrink: initiators lose the data at its end. Repeatable.",
    )
    @click.option(
        "--rebacking",
        multiple=True,
        metavar="LUN",
        help="Allow this Lun another path or configuration while it is mapped: initiators get the data there "
        "and don't notice. Not needed if each node reports it as another name of what it has opened. "
        "Repeatable.",
    )
    @reuse_options
    @functools.wraps(command)
    def wrapped(
        *args: object, note: Note, shrink: tuple[str, ...], rebacking: tuple[str, ...], **rest: object
    ) -> None:
        command(*args, note=replace(note, shrink=shrink, rebacking=rebacking), **rest)

    return wrapped


file_option = click.option(
    "-f",
    "--file",
    "file",
    type=click.File("r", encoding="utf-8"),
    required=True,
    help="The whole map, as YAML; - for standard input.",
)


@click.command()
@file_option
@basis_options
@note_options
@permission_options
@consent_options
@dry_run_option
@resume_option
@wait_option
@output_option
@click.pass_obj
def apply(
    connection: Connection,
    file: TextIO,
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
    given = read_map_file(file)
    base = basis.of(given)
    with connection.client() as client, given.located():
        proposal = client.propose(given.lunmap, note, base=base, prefer=basis.prefer, resume=resume)
        _warn(proposal.after, given.source.problem)
        _warn_of_backings(client, proposal)
        check_undone(client, proposal, given, basis, dry_run=dry_run, can_ask=can_ask(output))
        nothing = _nothing(proposal, dry_run=dry_run)
        revision = _commit(client, proposal, note, None if dry_run else consent, output, nothing)
        renew_base(given, basis, revision)
        if not dry_run:
            _wait(client, revision, proposal.before.revision, wait)
            if wait is not None:
                _warn_of_backings(client, proposal, patience=_REPORT_TIME)


@click.command()
@file_option
@basis_options
@note_options
@permission_options
@output_option
@click.pass_obj
def plan(connection: Connection, file: TextIO, basis: Basis, note: Note, output: str) -> None:
    """Show what every node would do if the map were made equal to FILE, and to whom. Nothing is committed.

    It takes the file as 'apply' does, with the same options about it. Each node is taken to be as the newest
    map says, with the logins that it last reported. Exit code 6 if a host would lose a path, a node would
    hold steps or leave the map, or an object would fail; a unit attention disturbs nobody.
    """
    given = read_map_file(file)
    with connection.client() as client, given.located():
        proposal = client.propose(given.lunmap, note, base=basis.of(given), prefer=basis.prefer)
        _warn(proposal.after, given.source.problem)
        check_undone(client, proposal, given, basis, dry_run=True)
        forecast = foresee(client, proposal, note, output)
    if output == "json":
        echo_json(plan_report(proposal, forecast))
    if forecast.is_noticed:
        sys.exit(Exit.DEGRADED)


def _refuse_dry_resume(*, resume: bool, dry_run: bool) -> None:
    if resume and dry_run:
        raise click.UsageError("--resume commits, and --dry-run does not: leave one of them out")


def _commit(
    client: Client, proposal: Proposal, note: Note, consent: Consent | None, output: str, nothing: str
) -> Revision | None:
    """Show what the nodes would do, ask for what `consent` lacks, and commit; without it commit nothing."""
    if proposal.changes:
        forecast = foresee(client, proposal, note, output)
        if consent is not None:
            agree(proposal, forecast, consent, output)
    made = None if consent is None else client.apply(proposal, note)
    echo_committed(made, proposal.changes, output, nothing, is_shown=bool(proposal.changes))
    return made


@click.command("edit")
@click.argument("section", type=click.Choice(list(SECTIONS)), required=False)
@click.argument("name", required=False)
@note_options
@permission_options
@consent_options
@wait_option
@output_option
@click.pass_obj
def edit_map(
    connection: Connection,
    section: Section | None,
    name: str | None,
    note: Note,
    consent: Consent,
    wait: float | None,
    output: str,
) -> None:
    """Edit the map, one SECTION, or the object NAME of it, in $VISUAL or $EDITOR, and commit the result.

    What others commit meanwhile stays, as with `apply`. Problems are shown as comments at their lines, in the
    editor again. A text that is left as it is commits nothing.
    """

    def commit(file: MapFile) -> tuple[Proposal, Revision | None]:
        with connection.client() as client, file.located():
            proposal = client.propose(file.lunmap, note, base=file.base)
            _warn(proposal.after, file.source.problem)
            revision = _commit(client, proposal, note, consent, output, _nothing(proposal, dry_run=False))
            return proposal, revision

    with connection.client() as client:
        text = map_text(client.read(), section, name)
    done = edit_file(text, commit)
    if done is None:
        echo_committed(None, (), output, "nothing was edited, and nothing committed")
        return
    proposal, revision = done
    if wait is not None:
        with connection.client() as client:
            _wait(client, revision, proposal.before.revision, wait)


def _warn(lunmap: Lunmap, locate: Callable[..., Problem]) -> None:
    for warning in rules.map_warnings(lunmap):
        echo(f"lunmapctl: warning: {locate(warning.place, warning.message)}", err=True)


def _warn_of_backings(client: Client, proposal: Proposal, patience: float = 0.0) -> None:
    """Warn of Luns of the commit whose nodes have different paths, and report different devices under them.

    Wait at most `patience` seconds until the nodes report the paths of the map.
    """
    names = {path for change in proposal.changes if (path := change.path).startswith("luns/")}
    luns = {name for path in names if is_divided(proposal.after, name := path.removeprefix("luns/"))}
    if luns:
        for difference in client.backing_differences(luns, patience):
            echo(f"lunmapctl: warning: {difference}", err=True)


def _nothing(proposal: Proposal, *, dry_run: bool) -> str:
    if dry_run and proposal.changes:
        return "nothing was committed (dry run)"
    return f"nothing to change: the map is at revision {proposal.before.revision}"


def _wait(client: Client, revision: Revision | None, head: int, seconds: float | None) -> None:
    if seconds is not None:
        client.wait_applied(revision.revision if revision else head, seconds)


@click.command()
@click.argument("revision", type=click.IntRange(min=0))
@note_options
@permission_options
@consent_options
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
        proposal = client.propose_rollback(revision, note, resume=resume)
        if dry_run and proposal.changes:
            nothing = _nothing(proposal, dry_run=True)
        made = _commit(client, proposal, note, None if dry_run else consent, output, nothing)
        if not dry_run:
            _wait(client, made, client.newest(), wait)


@click.command()
@click.argument("revision", type=click.IntRange(min=1), required=False)
@click.option(
    "--rewound",
    is_flag=True,
    help="Also let nodes follow this tree although they know a newer one: after ZooKeeper was put back.",
)
@note_options
@output_option
@click.pass_obj
def confirm(connection: Connection, revision: int | None, rewound: bool, note: Note, output: str) -> None:
    """Confirm the removals of all revisions up to REVISION, by default the newest.

    A node holds a map that would remove a large part of its LIO objects until the removals are confirmed;
    every node does so after a restore.
    """
    if rewound and revision is not None:
        raise click.UsageError("--rewound confirms the tree as it is: omit REVISION")
    with connection.client() as client:
        made = client.confirm_rewound(note) if rewound else client.confirm(revision, note)
        echo_committed(made, (), output, "nothing to do: the removals are already confirmed")


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
