"""`lunmapctl rollout`: the revision that is tried, and how its rollout goes on."""

import click

from lunmapd.client import Note
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.options import wait_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.output import note_options
from lunmapd.service.output import echo, echo_json


@click.group("rollout")
def rollout_verbs() -> None:
    """Show and end the rollout that --first or --confirm-within started. 'lunmapctl confirm' keeps it."""


@rollout_verbs.command("show")
@output_option
@click.pass_obj
def show_rollout(connection: Connection, output: str) -> None:
    """Show what is tried, by which nodes, and until when."""
    with connection.client() as client:
        from lunmapd.service.ctl.text.rollout_lines import rollout_report, rollout_sentence

        fleet = client.fleet()
    report = rollout_report(fleet)
    if output == "json":
        echo_json(report)
    elif report is None:
        echo("no rollout is under way")
    else:
        echo(rollout_sentence(report), *(f"{name}: {state}" for name, state in report.nodes.items()))


@rollout_verbs.command("continue")
@note_options
@wait_option
@output_option
@click.pass_obj
def proceed(connection: Connection, note: Note, wait: float | None, output: str) -> None:
    """Let all nodes follow the revision that is tried.

    With --confirm-within it is still undone unless 'confirm' keeps it.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.commit.waiting import echo_made, wait_for

        made = client.continue_rollout(note)
        going_on = "all nodes may follow the revision; 'lunmapctl confirm' keeps it"
        echo_made(made, (), output, going_on, wait)
        wait_for(client, made, client.newest(), wait, output)


@rollout_verbs.command()
@note_options
@wait_option
@output_option
@click.pass_obj
def abort(connection: Connection, note: Note, wait: float | None, output: str) -> None:
    """Undo the revision that is tried, on all nodes.

    An object that was edited out of band meanwhile keeps that edit, and is named: 'repair' reverts it.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.commit.steps import echo_duties
        from lunmapd.service.ctl.commit.waiting import echo_made, remember_nodes, wait_for

        tried = client.read()
        remember_nodes(client, note, wait, tried)
        made = client.abort_rollout(note)
        echo_made(made, made.changes, output, "", wait)
        if output != "json":
            echo_duties(tried.lunmap, client.read().lunmap)
        undone = {change.path for change in made.changes}
        for edit in client.edited():
            if edit.path in undone:
                sentence = f"{edit.path} keeps its out-of-band edit: see 'lunmapctl repair'"
                echo(f"lunmapctl: warning: {sentence}", err=True)
        wait_for(client, made, made.revision, wait, output, made.changes)
