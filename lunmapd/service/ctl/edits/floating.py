"""`lunmapctl float`: floating portal groups and takeover groups: changing, listing and moving them."""

from typing import TYPE_CHECKING

import click

from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.edits.floating_edits import floating_edits
from lunmapd.service.ctl.files.sections import full_name
from lunmapd.service.output import echo, echo_json, echo_paragraphs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lunmapd.client import FloatingGroupStatus, GroupCandidate


@click.group("float")
def floating() -> None:
    """Create and change floating portal groups; show them and takeover groups, or move one."""


for _edit in floating_edits.commands.values():
    floating.add_command(_edit)


@floating.command("list")
@output_option
@click.pass_obj
def list_floating(connection: Connection, output: str) -> None:
    """List floating and takeover groups, and who can own them."""
    with connection.client() as client:
        found = client.floating_groups()
    if output == "json":
        return echo_json(found)
    if not found:
        return echo("the map has no floating portal groups and no takeover groups")
    return echo_paragraphs(_table(found))


def _table(lines: "Sequence[FloatingGroupStatus]") -> list[str]:
    from lunmapd.service.table import Column, Table, terminal_layout

    rows = [
        (line.target, line.name, line.owner, _lease(line), line.wish, ", ".join(map(_node, line.nodes)))
        for line in lines
    ]
    columns = (
        Column("TARGET"),
        Column("GROUP"),
        Column("OWNER"),
        Column("LEASE", drop=2),
        Column("MOVED TO", drop=1),
        Column("NODES"),
    )
    return Table(columns, rows).lines(terminal_layout())


def _lease(line: "FloatingGroupStatus") -> str:
    return f"{line.lease:g} s" if line.owner else ""


def _node(node: "GroupCandidate") -> str:
    return node.node if node.fit else f"{node.node} (not fit: {node.reason})"


@floating.command("move")
@click.argument("target")
@click.argument("group")
@click.argument("node", default="")
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the new owner.",
)
@output_option
@click.pass_obj
def move(connection: Connection, target: str, group: str, node: str, seconds: float, output: str) -> None:
    """Move a group of TARGET to another node.

    It is a floating portal group or a takeover group. TARGET is a name, an alias or the part after the last
    colon. The node is NODE, by default the next fit node of the group's list. Hosts log in again there; those
    of a takeover group, such as `n1,n2`, use their other path. The new owner keeps the group, whatever
    `failback` says, until another node has to take it or the group is moved again. The verb is refused (exit
    code 4) while NODE is not fit to own the group. Exit code 6 if NODE does not serve it in time; it does so
    once it can.
    """
    with connection.client() as client:
        from lunmapd.core.base.lunmap import GroupId
        from lunmapd.core.placement.leased_groups import describe_group

        target = full_name(client.read().lunmap, "targets", target) or target
        moved_to = client.move_floating_group(target, group, node, seconds)
    if output == "json":
        return echo_json({"target": target, "name": group, "owner": moved_to})
    return echo(f"{moved_to} owns {describe_group(GroupId(target, group))}")
