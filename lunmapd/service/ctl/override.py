"""The verb that lets nodes go on with steps that they hold for the sake of initiators that are logged in."""

import click

from lunmapd.client import Note
from lunmapd.core.planning.disruption_limit import WORDS
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.output import note_options, say_committed
from lunmapd.service.options import output_option

_DAY = 86400.0


@click.command()
@click.argument("disruption", type=click.Choice(list(WORDS)), metavar=f"[{'|'.join(WORDS)}]")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=1, max=_DAY),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long it lasts.",
)
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="Only there; may be given again.")
@note_options
@output_option
@click.pass_obj
def override(
    connection: Connection, disruption: str, seconds: float, nodes: tuple[str, ...], note: Note, output: str
) -> None:
    """Let nodes do what the newest revision asks for, up to this class of disruption, though initiators are logged in.

    It is about what nodes hold because of their setting 'allow'; 'lunmapd plan' shows that. The next commit ends it, and
    so does 'override none'. With --expect-revision it is only for what you have looked at.
    """
    with connection.client() as client:
        say_committed(client.override(disruption, seconds, nodes, note), (), output, "")
