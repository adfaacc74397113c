"""`lunmapctl status`: the nodes, and the paths of each Lun."""

import sys

import click

from lunmapd.core.base.root_error import Exit
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.layout import output_options
from lunmapd.service.table import Layout


@click.command()
@click.argument("name", required=False, metavar="[NODE|LUN|HOST]")
@click.option(
    "--luns", is_flag=True, help="Also show the paths of each Lun, and the initiators that are logged in."
)
@click.option("--bad", is_flag=True, help="Only nodes that have a problem, and Luns that lack a path.")
@output_options("html")
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(0.1, 3600),
    is_flag=False,
    flag_value=2.0,
    metavar="SECONDS",
    help="Repeat every SECONDS, by default 2: on a terminal a screen with keys, else each change.",
)
@click.pass_obj
def status(
    connection: Connection,
    name: str | None,
    luns: bool,
    bad: bool,
    output: str,
    layout: Layout,
    watch: float | None,
) -> None:
    """Show the nodes, the revision that each has applied, failing objects, and Luns that lack paths.

    With a name only what concerns this node, Lun or host; of a host the part after the last colon is enough.
    Write nodes/NAME, luns/NAME or initiators/NAME if it could be several.

    With -o html it is a page for browsers, with all Luns, refused logins and the last revisions.

    Exit code 6 if there is any problem. LAG compares the clocks of this machine and of the committing one.
    """
    if output == "html":
        _check_html(whole=name is None and not bad and watch is None)
    with connection.client() as client:
        from lunmapd.service.ctl.look.show_status import View, show_status

        is_well = show_status(client, connection, View(luns, bad, name, output, layout), watch)
    if not is_well:
        sys.exit(Exit.DEGRADED)


def _check_html(*, whole: bool) -> None:
    """Check that a page can be printed: of the whole cluster, once. Raises PageLibrariesError."""
    from lunmapd.service.ctl.page.libraries import check_libraries

    if not whole:
        raise click.UsageError("-o html is a page of the whole cluster: leave NAME, --bad and --watch out")
    check_libraries("jinja2")
