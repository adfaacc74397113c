"""`lunmapctl revert`: undoes one revision, and keeps the later ones."""

import click

from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.commit.steps import commit_proposal, nothing_text
from lunmapd.service.ctl.commit.waiting import wait_for
from lunmapd.service.ctl.edits.run import How, edit_options


@click.command()
@click.argument("revision", type=click.IntRange(min=1))
@edit_options
@click.pass_obj
def revert(connection: Connection, revision: int, how: How) -> None:
    """Undo the changes of REVISION in the newest map; the revisions after it stay.

    If a later revision changed the same fields, nothing is committed: exit code 4 names object, field, author
    and revision. Like 'rollback' it obeys the rules of any commit, shows what the nodes would do, and asks.
    """
    with connection.client() as client:
        proposal = client.propose_revert(revision, how.note)
        nothing = nothing_text(proposal, dry_run=how.dry_run)
        agreed = None if how.dry_run else how.consent
        made = commit_proposal(client, proposal, how.note, agreed, how.output, nothing, wait=how.wait)
        if not how.dry_run:
            wait_for(client, made, proposal.before.revision, how.wait, how.output, proposal.changes)
