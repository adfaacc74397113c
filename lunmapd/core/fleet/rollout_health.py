"""What is wrong with a node that tries a revision and was not wrong before. Pure."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.base.lunmap import Lunmap, NodeState, initiators_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import APPLIED, NodeStatus
from lunmapd.core.node.observed import Login

_IN_PASSING = {Reason.REMAINING, Reason.LEFT_EMPTY, Reason.DRAINING, Reason.MOVING}
"""The reasons of Applied, and of failing objects, that a node has on its way to a revision."""


def new_problems(node: str, before: NodeView, now: NodeView, lunmap: Lunmap) -> tuple[str, ...]:
    """Return what is wrong with a node since `before`, in sentences without its name.

    That is: its session or heartbeats, a condition, an object that fails, a login that is refused, and the
    end of a login of a host to which the node still shows a Lun of the target, by `lunmap`. A node with more
    logins than a status lists shows none of them.
    """
    if not now.is_current or now.status is None:
        return ("it is silent" if now.live else "it is dead",)
    known = _problems(before.status) if before.status is not None else {}
    fresh = (text for key, text in _problems(now.status).items() if key not in known)
    return (*fresh, *_lost_logins(before.status, now.status, _mapped(lunmap, node)))


def _problems(status: NodeStatus) -> Mapping[tuple[str, ...], str]:
    """Return the problems in a status: a sentence by the key that distinguishes the problem."""
    conditions: dict[tuple[str, ...], str] = {
        (each.type, each.reason): f"{each.type}: {each.reason}: {each.message}"
        for each in status.conditions
        if not (each.status or (each.type == APPLIED and each.reason in _IN_PASSING))
    }
    failing: dict[tuple[str, ...], str] = {
        (each.object, each.reason): f"{each.object}: {each.reason}: {each.message}"
        for each in status.failing
        if each.reason not in _IN_PASSING
    }
    refused: dict[tuple[str, ...], str] = {
        ("refused", each.target, each.cause, each.initiator): f"{each.target} refused a login of "
        f"{each.initiator or 'a host'}: {each.cause}"
        for each in status.refused
    }
    return {**conditions, **failing, **refused}


def _lost_logins(before: NodeStatus | None, now: NodeStatus, mapped: AbstractSet[Login]) -> Iterator[str]:
    lost = frozenset(before.logins if before is not None else ()) - frozenset(now.logins)
    if now.sessions and not now.logins:
        return
    for login in sorted(lost & mapped):
        yield f"{login.initiator} is not logged in to {login.target} any more"


def _mapped(lunmap: Lunmap, node: str) -> AbstractSet[Login]:
    """Return the logins at a node for which the map has a Lun; none if it is drained or serves no target."""
    entry_of = lunmap.nodes.get(node)
    if entry_of is None or entry_of.state is NodeState.DRAINED:
        return frozenset()
    return {
        Login(entry.target, initiator)
        for lun in lunmap.luns.values()
        for entry in lun.maps
        if entry.target in lunmap.targets and node in lunmap.targets[entry.target].nodes
        for initiator in initiators_of(lunmap, entry)
    }
