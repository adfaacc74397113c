"""`lunmapctl serve`: a page for browsers, which only reads."""

import sys

import click

from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.page.libraries import check_libraries
from lunmapd.service.ctl.page.listen import Listen, open_socket, parse_listen, url_of
from lunmapd.service.output import echo

_WARNING = (
    "lunmapctl: warning: this page has no login and no encryption: everybody who reaches {url} can read the "
    "map, the names of hosts and the state of nodes"
)


def _parse_listen(_: click.Context, __: click.Parameter, text: str) -> Listen:
    try:
        return parse_listen(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _check_names(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(names):
        raise click.BadParameter("it is empty: name a value, or leave the option out")
    return names


@click.command("serve")
@click.option(
    "--listen",
    default="127.0.0.1:9811",
    show_default=True,
    callback=_parse_listen,
    metavar="ADDRESS:PORT",
    help="Where browsers find the page; port 0 is any free one.",
)
@click.option(
    "--no-login",
    is_flag=True,
    help="Listen on an address that other machines reach, although the page has no login.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    callback=_check_names,
    metavar="NAME",
    help="A name by which browsers may ask too, such as that of a proxy. Repeatable.",
)
@click.pass_obj
def serve_pages(connection: Connection, listen: Listen, no_login: bool, names: tuple[str, ...]) -> None:
    """Serve a page for browsers until Ctrl-C: what is wrong, nodes, Luns, hosts, history, refused logins.

    It only reads, and needs no JavaScript. Each page shows the commands to copy. Addresses and localhost are
    allowed as the name of the server; --name allows others.
    """
    _check_login(listen, no_login=no_login)
    check_libraries("jinja2", "waitress")
    from lunmapd.service.ctl.page.call import call_of
    from lunmapd.service.ctl.page.server import serve_cluster

    with open_socket(listen) as opened, connection.client() as client:
        url = url_of(opened)
        if not listen.is_loopback:
            echo(_WARNING.format(url=url), err=True)
        echo(f"serving {url}")
        sys.stdout.flush()
        serve_cluster(client, call_of(connection, client.chroot), opened, names)


def _check_login(listen: Listen, *, no_login: bool) -> None:
    if not listen.is_loopback and not no_login:
        raise click.UsageError(
            f"other machines reach {listen.address}, and the page has no login: add --no-login if everybody "
            "there may read it, or put a proxy with a login before 127.0.0.1"
        )
