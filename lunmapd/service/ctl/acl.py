"""`lunmapctl acl`: roles in the tree."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from msgspec import Struct

from lunmapd.core.base.errors import Exit
from lunmapd.core.base.password import Secret
from lunmapd.core.base.permissions.access import Permission, Roles, parse_principal
from lunmapd.core.base.permissions.acl_entries import AclDifference, show_permission
from lunmapd.core.base.permissions.principals import Principal, Role
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.output import echo, echo_json
from lunmapd.service.table import table
from lunmapd.store.session.secret_files import read_secret

_PROGRESS_INTERVAL = 1.0  # seconds
_MAX_LINES = 20


class DifferenceReport(Struct, frozen=True):
    """A znode whose ACL differs from the roles: what each principal may do beyond its role, or can't do.

    `refused` is whether this client may not read the ACL or list the children.
    """

    znode: str
    more: dict[str, list[str]]
    less: dict[str, list[str]]
    refused: bool


class RolesReport(Struct, frozen=True):
    """The JSON of `acl show`. `strays` counts the `differences` from the roles (None without --check)."""

    open: bool
    admins: list[str]
    readers: list[str]
    nodes: dict[str, list[str]]
    strays: int | None
    differences: list[DifferenceReport] | None


@click.group()
def acl() -> None:
    """Manage roles: an admin may do everything, a reader reads, a node reads the map.

    It writes members/NODE, the leases of its floating portal groups, and marks that end rollouts.

    A PRINCIPAL is x509:SUBJECT (a certificate, see `whoami`), sasl:USER, digest:USER, or world (everybody).
    """


@acl.command()
@click.pass_obj
def whoami(connection: Connection) -> None:
    """Print the principals that the servers see for this client."""
    with connection.client() as client:
        for who in client.permissions.whoami() or ("anonymous",):
            echo(str(who))


@acl.command("show")
@click.option(
    "--check", is_flag=True, help="Check the ACL of every znode; exit code 6 if one differs from the roles."
)
@output_option
@click.pass_obj
def show_roles(connection: Connection, check: bool, output: str) -> None:
    """Show the principals of each role."""
    with connection.client() as client:
        roles = client.permissions.roles()
        found = client.permissions.differences(WalkProgress()) if check else None
    if output == "json":
        echo_json(_roles_report(roles, found))
    else:
        _echo(roles, found)
    if found:
        sys.exit(Exit.DEGRADED)


Found = Sequence[AclDifference] | None


def _roles_report(roles: Roles, found: Found) -> RolesReport:
    nodes = {node: list(map(str, sorted(members))) for node, members in sorted(roles.nodes.items())}
    admins, readers = (list(map(str, sorted(members))) for members in (roles.admins, roles.readers))
    differences = None if found is None else [_difference(each) for each in found]
    count = None if found is None else len(found)
    return RolesReport(roles.is_open, admins, readers, nodes, count, differences)


def _difference(each: AclDifference) -> DifferenceReport:
    return DifferenceReport(each.znode, _permissions(each.more), _permissions(each.less), each.refused)


def _permissions(by: Mapping[Principal, Permission]) -> dict[str, list[str]]:
    return {str(who): show_permission(may).split(", ") for who, may in by.items()}


def _echo(roles: Roles, found: Found) -> None:
    report = _roles_report(roles, found)
    rows = [("admin", "-", who) for who in report.admins] + [("reader", "-", who) for who in report.readers]
    rows += [("node", node, who) for node, members in report.nodes.items() for who in members]
    echo(*table(("ROLE", "NODE", "PRINCIPAL"), rows))
    if report.open:
        echo("", "the tree is open: everybody is an admin")
    if found is not None:
        echo(f"\n{len(found)} znodes have another ACL" + ("; repeat a grant to repair them" if found else ""))
        lines = [line for each in found for line in difference_sentences(each)]
        for line in lines[:_MAX_LINES]:
            echo(line)
        if (more := len(lines) - _MAX_LINES) > 0:
            echo(f"{more} more lines; -o json has all")


def difference_sentences(each: AclDifference) -> Iterator[str]:
    """Yield how the ACL of one znode differs from the roles."""
    znode = each.znode or "the root"
    if each.refused:
        yield f"{znode}: refuses this client, so its ACL is not known"
    for who, may in each.more.items():
        yield f"{znode}: {who} may {show_permission(may)} beyond its role"
    for who, may in each.less.items():
        yield f"{znode}: {who} lacks {show_permission(may)}"


@acl.command()
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("who", metavar="[NODE=]PRINCIPAL")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="For digest:USER: the file whose first line is the password; instead of digest:USER:HASH.",
)
@click.pass_obj
def grant(connection: Connection, role: str, who: str, password_file: Path | None) -> None:
    """Give PRINCIPAL a role in the whole tree.

    For the role node, name the NODE too. An interrupted grant is completed by repeating it.
    """
    node, identity = _parse(Role(role), who)
    if identity is None:
        raise click.BadParameter("write NODE=PRINCIPAL, such as n1=x509:CN=n1", param_hint="WHO")
    password = _password_of(identity, password_file)
    with connection.client() as client:
        if password is not None:
            identity = client.permissions.with_password(identity, password)
        changed = client.permissions.grant(Role(role), identity, node, WalkProgress())
        still_open = client.permissions.roles().is_open
    echo(f"{identity} is {_describe(role, node)}, {changed} znodes changed")
    if still_open:
        echo("the tree is open to everybody until 'lunmapctl acl revoke admin world'", err=True)


@acl.command()
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("who", metavar="PRINCIPAL|NODE[=PRINCIPAL]")
@click.pass_obj
def revoke(connection: Connection, role: str, who: str) -> None:
    """Take a role from PRINCIPAL in the whole tree.

    The role node can be taken from every principal of NODE. An interrupted revoke is completed by
    repeating it.
    """
    node, identity = _parse(Role(role), who)
    with connection.client() as client:
        changed = client.permissions.revoke(Role(role), identity, node, WalkProgress())
    removed = (
        f"every principal of node {node}" if identity is None else f"{identity} from {_describe(role, node)}"
    )
    echo(f"removed {removed} ({changed} znodes changed)")


def _describe(role: str, node: str) -> str:
    return f"{role} {node}" if node else role


def _parse(role: Role, text: str) -> tuple[str, Principal | None]:
    """Split `NODE=PRINCIPAL` or `NODE` for the role node; parse a principal for any other role."""
    node, equals, who = text.partition("=") if role is Role.NODE else ("", "=", text)
    try:
        return node, parse_principal(who) if equals else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WHO") from None


def _password_of(identity: Principal, password_file: Path | None) -> Secret | None:
    """Read the password of a digest principal whose hash is not given: ACLs hold the hash."""
    if identity.scheme != "digest" or identity.id != identity.user:
        return None
    if password_file is None:
        raise click.BadParameter(
            "a digest needs --password-file, or its hash: digest:USER:HASH", param_hint="WHO"
        )
    return read_secret(password_file)


class WalkProgress:
    """Reports on standard error, at most once a second, how many znodes a walk has visited."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PROGRESS_INTERVAL

    def __call__(self, visited: int) -> None:
        """Report that the walk has visited `visited` znodes."""
        if time.monotonic() >= self._next:
            echo(f"lunmapctl: {visited} znodes visited", err=True)
            self._next = time.monotonic() + _PROGRESS_INTERVAL
