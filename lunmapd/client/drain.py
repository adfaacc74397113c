"""Waiting until a node is drained, and until it has removed what it served."""

from collections.abc import Callable

from lunmapd.client.fleet import Fleet, watch_nodes
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import is_drained
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.fleet.status import APPLIED, NodeStatus
from lunmapd.store.session.session import Session

_MAX_NAMED = 3


class NotDrainedError(LunmapdError):
    """The node still serves, or is not known to have stopped."""

    exit_code = Exit.DEGRADED

    def __init__(self, node: str, step: str, seconds: float) -> None:
        self.node = node
        super().__init__(f"not drained within {seconds:g} seconds: {step}")


def wait_drained(
    session: Session, node: str, revision: int, seconds: float, report: Callable[[str], None]
) -> None:
    """Wait until a node offers nothing and has no session, at most `seconds`.

    `report` is called with a sentence for each step. Raises NotDrainedError.
    """
    reported = ""
    for fleet in watch_nodes(session, seconds):
        step = next_step(fleet, node, revision)
        if not step:
            report(f"{node} offers nothing now, and has no session")
            return
        if step != reported:
            reported = step
            report(step)
    raise NotDrainedError(node, reported, seconds)


def wait_removed(session: Session, node: str, revision: int, seconds: float, *, confirmed: bool) -> bool:
    """Wait until a node has applied a revision, at most `seconds`. Raises NotDrainedError.

    Return False if it holds the removals of the revision, which are not `confirmed`.
    """
    for fleet in watch_nodes(session, seconds):
        if node not in fleet.behind(revision):
            return True
        status = fleet.nodes[node].status
        if not confirmed and status is not None and _holds_removals(status, revision):
            return False
    raise NotDrainedError(node, f"{node} has not applied revision {revision} yet", seconds)


def held_elsewhere(fleet: Fleet, node: str) -> tuple[str, ...]:
    """Return the other nodes that hold removals: a confirmation for `node` is one for them, too."""
    statuses = {name: each.status for name, each in fleet.nodes.items() if name != node}
    return tuple(name for name, status in statuses.items() if status is not None and _is_held(status))


def _holds_removals(status: NodeStatus, revision: int) -> bool:
    read = status.observed is not None and status.observed.revision >= revision
    return read and _is_held(status)


def _is_held(status: NodeStatus) -> bool:
    return status.false_conditions.get(APPLIED) == Reason.REMOVAL_HELD


def next_step(fleet: Fleet, node: str, revision: int) -> str:
    """Return what the node still does or waits for, "" once it is drained."""
    if not is_drained(fleet.snapshot.lunmap, node):
        return f"the newest map does not drain {node} any more"
    found = fleet.nodes[node]
    status = found.status
    if found.live is None or status is None:
        return f"lunmapd does not run on {node}: what its kernel serves stays as it is"
    draining = next((each for each in status.failing if each.reason == Reason.DRAINING), None)
    if draining is not None:
        return f"{node} leads hosts to other paths; {draining.message}"
    if node in fleet.behind(revision) and not _is_closed(fleet, status, node, revision):
        return f"{node} has not applied revision {revision} yet"
    if status.sessions:
        hosts = sorted({login.initiator for login in status.logins})
        named = f" of {first_of(hosts, _MAX_NAMED)}" if hosts else ""
        return f"{node} still has {count_of(status.sessions, 'session')}{named}"
    return ""


def _is_closed(fleet: Fleet, status: NodeStatus, node: str, revision: int) -> bool:
    """Return whether a node has disabled all TPGs of a revision that drains it, though objects of Luns fail.

    A TPG that it could not disable would be listed, and no TPG waits for a Lun.
    """
    lists_all = status.failing_count <= len(status.failing)
    return fleet.listed_revision(node) >= revision and lists_all and all(each.lun for each in status.failing)
