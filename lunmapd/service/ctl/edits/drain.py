"""`lunmapctl drain` and `undrain`: a node out of use, and back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.service.ctl.edits.options import How, commit_edit, edit_options
from lunmapd.service.ctl.start.lazy import is_planning
from lunmapd.service.output import echo

if TYPE_CHECKING:
    from lunmapd.client import Client
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.service.ctl.connection import Connection
    from lunmapd.service.ctl.edits.options import EditMap


@click.command()
@click.argument("node")
@edit_options()
@click.pass_obj
def drain(connection: Connection, node: str, how: How) -> None:
    """Lead hosts away from NODE, then end their sessions there.

    It keeps all else ready, as for a reboot or an upgrade; 'undrain' ends the drain. Hosts learn from ALUA to
    use other paths first, and their sessions end once they do, after 40 s at the latest. It is refused (exit
    code 6) while NODE is the only way to a Lun for a host, without --allow data-unreachable. With --wait it
    ends when NODE offers nothing and has no session. It can be repeated.
    """
    if how.wait is not None and how.note.first and node not in how.note.first:
        raise click.UsageError(
            f"--wait would wait in vain: {node} follows the revision after 'lunmapctl rollout continue', or "
            "if --first names it"
        )
    with connection.client() as client:
        drain_node(client, node, how)
        if how.wait is not None and not (how.dry_run or is_planning()):
            wait_until_drained(client, node, how)


def drain_node(client: Client, node: str, how: How) -> None:
    """Commit that a node is drained. Raises NotAgreedError where it is the only way to a Lun."""
    from lunmapd.service.ctl.edits.run import commit_edit_by

    commit_edit_by(
        client,
        _state_edit(node, "DRAINED"),
        replace(
            how,
            consent=replace(how.consent, allow=max(how.consent.allow, Disruption.SESSION_DROP)),
            wait=None,
        ),
        find_losses=functools.partial(find_losses, client, node),
    )


def find_losses(client: Client, node: str) -> tuple[str, ...]:
    """Return which hosts would lose a Lun without this node, a line for each."""
    from lunmapd.service.ctl.text.drain_lines import only_way_lines

    return tuple(only_way_lines(client.read().lunmap, node, client.only_ways(node)))


def wait_until_drained(client: Client, node: str, how: How) -> None:
    """Wait until a node is drained, with a line for each step. Raises NotDrainedError."""
    client.wait_drained(node, how.wait or 0.0, functools.partial(echo, err=True))


@click.command()
@click.argument("node")
@edit_options()
@click.pass_obj
def undrain(connection: Connection, node: str, how: How) -> None:
    """Let NODE serve again after 'drain'.

    Its paths report the states of the map and take logins; hosts come back by themselves, and use it as the
    map's 'preferred' and their failback say.
    """
    commit_edit(connection, _state_edit(node, "ACTIVE"), how)


def _state_edit(node: str, state: str) -> EditMap:
    """Return the edit that gives a node a state, by its name in NodeState."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.base.lunmap import NodeState
        from lunmapd.core.edits.servers import set_node_state

        return set_node_state(lunmap, node, NodeState[state])

    return edit
