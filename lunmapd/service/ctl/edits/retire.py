"""`lunmapctl retire`: a node out of use for good."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from lunmapd.client import Note
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.service.ctl.edits.drain import drain_node, find_losses, wait_until_drained
from lunmapd.service.ctl.edits.options import How, edit_options
from lunmapd.service.output import echo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lunmapd.client import Client
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.service.ctl.connection import Connection

_POLL = 0.2  # seconds
_PATIENCE = 60.0  # seconds
_STOP = "'systemctl disable --now lunmapd' there"


class RetireUnfinishedError(LunmapdError):
    """A node is not retired yet; the message has what is missing."""

    exit_code = Exit.DEGRADED

    def __init__(self, node: str, missing: str) -> None:
        self.node = node
        super().__init__(f"{missing}, then repeat 'lunmapctl retire {node}'")


@click.command()
@click.argument("node")
@edit_options(can_empty=True, can_try=False)
@click.pass_obj
def retire(connection: Connection, node: str, how: How) -> None:
    """Take NODE out of use for good: drain it, remove it from targets, Luns and the map, and forget it.

    Each step is shown, and awaited for --wait seconds (60); a dead node is not awaited. It can be repeated:
    it goes on where it ended. Stop lunmapd on NODE when it says so; the command is printed. It is refused
    like 'drain'. With -o json each commit is a document of its own.
    """
    with connection.client() as client:
        from lunmapd.core.edits.find import find_node

        lunmap = client.read().lunmap
        if node not in client.fleet().nodes:
            find_node(lunmap, node)
        report = partial(echo, err=how.output == "json")
        if how.dry_run:
            report(*_steps(lunmap, node))
            _show_plan(client, node, how)
            return
        if node in lunmap.nodes:
            _end_service(client, node, how, report)
        _forget(client, node, how, report)


def _show_plan(client: Client, node: str, how: How) -> None:
    """Print what changes in the map by all steps, and what the nodes would do by those until its end."""
    from lunmapd.core.edits.servers import remove_node
    from lunmapd.service.ctl.commit.consent import show_foreseen

    serving = client.propose_edit(lambda newest, _: _without_service(newest, node), how.note)
    whole = client.propose_edit(lambda newest, _: remove_node(newest, node), how.note)
    if how.output != "json":
        echo("")
    show_foreseen(whole, client.forecast(serving, how.note), how.output)
    if node in whole.before.lunmap.nodes:
        echo(*find_losses(client, node), err=True)


def _without_service(lunmap: Lunmap, node: str) -> Lunmap:
    from lunmapd.core.edits.servers import end_service

    return end_service(lunmap, node) if node in lunmap.nodes else lunmap


def _steps(lunmap: Lunmap, node: str) -> Iterator[str]:
    """Yield what is left to do."""
    from lunmapd.core.base.lunmap import is_drained

    if node in lunmap.nodes:
        if not is_drained(lunmap, node):
            yield f"drain {node}: hosts are led to other paths, then their sessions end"
        yield f"remove {node} from its targets and Luns, and wait until it has removed their objects from LIO"
        yield f"remove {node} from the map"
    yield f"wait until lunmapd is stopped on {node} by {_STOP}"
    yield f"forget {node}"


def _end_service(client: Client, node: str, how: How, report: Callable[[str], None]) -> None:
    """Take a node out of the map, step by step."""
    from lunmapd.core.edits.servers import end_service, remove_node
    from lunmapd.service.ctl.edits.run import commit_edit_by

    waiting = replace(how, wait=_seconds(how))
    later = replace(how, wait=None, note=replace(how.note, expect=None))
    # Whatever refuses the last commit does so before the first one.
    client.propose_edit(lambda newest, _: remove_node(newest, node), how.note)
    is_live = client.fleet().nodes[node].live is not None
    drain_node(client, node, how)
    if is_live:
        wait_until_drained(client, node, waiting)
    made = commit_edit_by(client, lambda newest, _: end_service(newest, node), later)
    if is_live:
        # Later revisions of others are not confirmed with it.
        revision = client.newest() if made is None else made.revision
        _await_removal(client, node, revision, waiting, report)
    commit_edit_by(client, lambda newest, _: remove_node(newest, node), later)


def _await_removal(client: Client, node: str, revision: int, how: How, report: Callable[[str], None]) -> None:
    """Wait until a node has removed its LIO objects; confirm that with --yes if the node holds it."""
    if client.wait_removed(node, revision, how.wait or 0.0):
        return
    if not how.consent.yes:
        raise RetireUnfinishedError(
            node, f"{node} waits for a confirmation of this removal: 'lunmapctl confirm {revision}'"
        )
    from lunmapd.client.drain import held_elsewhere

    if others := held_elsewhere(client.fleet(), node):
        raise RetireUnfinishedError(
            node,
            f"a confirmation of this removal is also one of what {', '.join(others)} would remove: look at "
            f"'lunmapctl status', then 'lunmapctl confirm {revision}'",
        )
    client.confirm(revision, Note(how.note.message, how.note.author))
    report(f"confirmed the removals up to revision {revision}")
    client.wait_removed(node, revision, how.wait or 0.0, confirmed=True)


def _forget(client: Client, node: str, how: How, report: Callable[[str], None]) -> None:
    from lunmapd.client import NeverRegisteredError

    until = time.monotonic() + _seconds(how)
    if _is_live(client, node):
        report(f"stop lunmapd on {node} for good: {_STOP}")
    while _is_live(client, node):
        if time.monotonic() >= until:
            raise RetireUnfinishedError(node, f"lunmapd still runs on {node}: stop it by {_STOP}")
        time.sleep(_POLL)
    try:
        client.forget(node)
    except NeverRegisteredError:
        report(f"{node} is retired: it has no status to forget")
    else:
        report(f"{node} is retired and forgotten")


def _is_live(client: Client, node: str) -> bool:
    found = client.fleet().nodes.get(node)
    return found is not None and found.live is not None


def _seconds(how: How) -> float:
    return _PATIENCE if how.wait is None else how.wait
