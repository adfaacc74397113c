"""The verbs for permissions."""

import sys
import time
from pathlib import Path

import click
from msgspec import Struct
from tabulate import tabulate

from lunmapd.core.base.access import Identity, Role, Roles, parse_identity, with_password
from lunmapd.core.base.errors import Exit
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.options import output_option
from lunmapd.store.session.secret_files import read_secret

_SAY_EVERY = 1.0


class Shown(Struct, frozen=True):
    """What `acl show -o json` prints. `strays` counts the znodes with another ACL; None unless they were looked for."""

    open: bool
    admins: list[str]
    readers: list[str]
    nodes: dict[str, list[str]]
    strays: int | None


@click.group()
def acl() -> None:
    """Say who may do what: admins everything, readers read, nodes read the map and write members/NODE.

    An IDENTITY is x509:SUBJECT (a certificate, see `whoami`), sasl:USER, digest:USER, or world: everybody.
    """


@acl.command()
@click.pass_obj
def whoami(connection: Connection) -> None:
    """Print who we are to the servers."""
    with connection.client() as client:
        for who in client.permissions.whoami() or ("anonymous",):
            click.echo(str(who))


@acl.command()
@click.option("--check", is_flag=True, help="Look at every znode; exit code 6 when one has another ACL.")
@output_option
@click.pass_obj
def show(connection: Connection, check: bool, output: str) -> None:
    """Show who has which role."""
    with connection.client() as client:
        roles = client.permissions.roles()
        strays = client.permissions.strays(Progress()) if check else None
    if output == "json":
        echo_json(_shown(roles, strays))
    else:
        _echo(roles, strays)
    if strays:
        sys.exit(Exit.DEGRADED)


def _shown(roles: Roles, strays: int | None) -> Shown:
    nodes = {node: list(map(str, sorted(members))) for node, members in sorted(roles.nodes.items())}
    admins, readers = (list(map(str, sorted(members))) for members in (roles.admins, roles.readers))
    return Shown(roles.is_open, admins, readers, nodes, strays)


def _echo(roles: Roles, strays: int | None) -> None:
    shown = _shown(roles, strays)
    rows = [("admin", "-", who) for who in shown.admins] + [("reader", "-", who) for who in shown.readers]
    rows += [("node", node, who) for node, members in shown.nodes.items() for who in members]
    click.echo(tabulate(rows, ("ROLE", "NODE", "IDENTITY"), tablefmt="plain"))
    if shown.open:
        click.echo("\nthe tree is open: world is an admin")
    if strays is not None:
        click.echo(
            f"\n{strays} znodes have another ACL" + ("; repeat a grant to mend them" if strays else "")
        )


@acl.command()
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("who", metavar="[NODE=]IDENTITY")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="For digest:USER, whose password is its first line; instead of digest:USER:HASH.",
)
@click.pass_obj
def grant(connection: Connection, role: str, who: str, password_file: Path | None) -> None:
    """Give IDENTITY a role in the whole tree; as a node, IDENTITY is NODE. Broken off, repeat it."""
    node, identity = _parse(Role(role), who)
    if identity is None:
        raise click.BadParameter("write NODE=IDENTITY, such as n1=x509:CN=n1", param_hint="WHO")
    identity = _with_hash(identity, password_file)
    with connection.client() as client:
        changed = client.permissions.grant(Role(role), identity, node, Progress())
        still_open = client.permissions.roles().is_open
    click.echo(f"{identity} is {_describe(role, node)}, {changed} znodes changed")
    if still_open:
        click.echo("the tree is open to everybody until 'lunmapctl acl revoke admin world'", err=True)


@acl.command()
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("who", metavar="IDENTITY|NODE[=IDENTITY]")
@click.pass_obj
def revoke(connection: Connection, role: str, who: str) -> None:
    """Take a role from IDENTITY in the whole tree; or from all who are NODE. Broken off, repeat it."""
    node, identity = _parse(Role(role), who)
    with connection.client() as client:
        changed = client.permissions.revoke(Role(role), identity, node, Progress())
    click.echo(
        f"{identity or 'nobody'} is {'' if identity is None else 'not '}{_describe(role, node)}, {changed} znodes changed"
    )


def _describe(role: str, node: str) -> str:
    return f"{role} {node}" if node else role


def _parse(role: Role, text: str) -> tuple[str, Identity | None]:
    """Split `NODE=IDENTITY` or `NODE` for nodes, and else read an identity."""
    node, equals, who = text.partition("=") if role is Role.NODE else ("", "=", text)
    try:
        return node, parse_identity(who) if equals else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WHO") from None


def _with_hash(identity: Identity, password_file: Path | None) -> Identity:
    """Complete a digest, in whose place the password's hash stands in ACLs."""
    if identity.scheme != "digest" or identity.id != identity.user:
        return identity
    if password_file is None:
        raise click.BadParameter(
            "a digest needs --password-file, or its hash: digest:USER:HASH", param_hint="WHO"
        )
    return with_password(identity, read_secret(password_file))


class Progress:
    """Tells on standard error, not more than once a second, how far a walk has come."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SAY_EVERY

    def __call__(self, seen: int) -> None:
        """Take note that so many znodes were looked at."""
        if time.monotonic() >= self._next:
            click.echo(f"lunmapctl: {seen} znodes looked at", err=True)
            self._next = time.monotonic() + _SAY_EVERY
