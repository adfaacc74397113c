"""`lunmapctl revert`: undoes one revision, and keeps the later ones."""

import click

from lunmapd.service.ctl.commit.permissions import EVERY_PERMISSION
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.edits.options import How, edit_options


@click.command()
@click.argument("revision", type=click.IntRange(min=1))
@edit_options(*EVERY_PERMISSION, can_empty=True)
@click.pass_obj
def revert(connection: Connection, revision: int, how: How) -> None:
    """Undo the changes of REVISION in the newest map; the revisions after it stay.

    If a later revision changed the same fields, nothing is committed: exit code 4 names object, field, author
    and revision. Like 'rollback' it obeys the rules of any commit, shows what the nodes would do, and asks.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.edits.run import commit_proposed

        commit_proposed(client, client.propose_revert(revision, how.note), how)
