"""`lunmapctl override`: lets nodes take steps that they hold because an affected initiator is logged in."""

import click

from lunmapd.client import Note
from lunmapd.core.base.disruption import DISRUPTION_WORDS
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.output import echo_committed, note_options

_DAY = 86400.0


@click.command()
@click.argument(
    "disruption", type=click.Choice(list(DISRUPTION_WORDS)), metavar=f"[{'|'.join(DISRUPTION_WORDS)}]"
)
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=1, max=_DAY),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Duration of the override.",
)
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="Only on this node. Repeatable.")
@click.option(
    "--lun",
    "luns",
    multiple=True,
    metavar="LUN",
    help="With other-data: only for this Lun, and no other class. Repeatable.",
)
@note_options
@output_option
@click.pass_obj
def override(
    connection: Connection,
    disruption: str,
    seconds: float,
    nodes: tuple[str, ...],
    luns: tuple[str, ...],
    note: Note,
    output: str,
) -> None:
    """Let nodes apply the newest revision up to this class of disruption, although initiators are logged in.

    It concerns the steps that nodes hold because of their setting 'allow', as 'lunmapd plan' shows, and with
    other-data the LUN numbers that led hosts to another Lun. 'override none' ends it, and so does the next
    commit, unless it has --lun. With --expect-revision it applies only to that revision.
    """
    with connection.client() as client:
        echo_committed(client.override(disruption, seconds, nodes, note, luns=luns), (), output, "")
