"""What a node's last words say of the paths through it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lun, Lunmap, NodeState, initiators_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory, changed_since, is_in_history
from lunmapd.core.fleet.status import APPLIED, OFFERED, Failing, NodeStatus, lun_in_key

OK = "ok"
DRAINED = "drained"
DEAD = "dead"
SILENT = "silent"
BEHIND = "behind"
UNKNOWN = "unknown"

# The pass went over all of the map in force, and what it could not do is listed.
_LISTED = {Reason.FAILING, Reason.HELD, Reason.DRIFTED}
# The node does not know, or does not serve, what it served.
_BLIND = {Reason.NO_MAP, Reason.NODE_UNKNOWN, Reason.KERNEL_UNREADABLE, Reason.WITHHELD}


class NodeView(Struct, frozen=True):
    """A node seen from outside: whether its session lives, whether it has long said nothing though it should, its status."""

    live: bool = False
    silent: bool = False
    status: NodeStatus | None = None

    @property
    def is_current(self) -> bool:
        """Whether what the status says is of now."""
        return self.live and not self.silent and self.status is not None


class PathState(Struct, frozen=True):
    """What is known of the paths through one node: `all` is the state of every one, or "" where it depends on the Lun.

    `failing` are the reasons, and `changed` what the node may not have followed yet (None: anything), by scope; see `scopes`. When
    the list of what fails is not `complete`, what is not on it may fail, too.
    """

    all: str = ""
    failing: Mapping[str, str] = {}
    changed: AbstractSet[str] | None = frozenset()
    complete: bool = True

    def state(self, scopes: AbstractSet[str]) -> str:
        """Return the state of the path of a Lun: OK, another word of this module, or the reason why it fails."""
        if self.all:
            return self.all
        if found := self.failing.keys() & scopes:
            return self.failing[min(found)]
        if self.changed is None or not self.changed.isdisjoint(scopes):
            return BEHIND
        return OK if self.complete else UNKNOWN


def scopes_of(lunmap: Lunmap, name: str, lun: Lun) -> AbstractSet[str]:
    """Return what a Lun's paths stand on: paths in the map, and `acl TARGET INITIATOR`."""
    found = {f"luns/{name}"}
    for entry in lun.maps:
        found.add(f"targets/{entry.target}")
        if entry.group:
            found.add(f"groups/{entry.group}")
        found.update(f"acl {entry.target} {initiator}" for initiator in initiators_of(lunmap, entry))
    return found


def path_state_of(lunmap: Lunmap, node: str, said: NodeView, recent: RecentHistory) -> PathState:
    """Take a node's words for what they are worth."""
    itself = lunmap.nodes.get(node)
    if itself is not None and itself.state is NodeState.DRAINED:
        return PathState(DRAINED)
    if not said.live:
        return PathState(DEAD)
    if said.silent:
        return PathState(SILENT)
    if said.status is None:
        return PathState(UNKNOWN)
    return _of_status(node, None if itself is None else itself.tpg_tag, said.status, recent)


def _of_status(node: str, tag: int | None, status: NodeStatus, recent: RecentHistory) -> PathState:
    false_conditions = status.false_conditions
    failing = _failing(status, tag)
    applied = false_conditions.get(APPLIED, "")
    blind = (
        false_conditions.get(OFFERED)
        or failing.get(f"nodes/{node}")
        or (applied if applied in _BLIND else "")
    )
    if blind:
        return PathState(blind)
    # What was seen by a pass that could not do all of it is as good as applied, but for what the pass has listed.
    at = status.observed if applied in _LISTED else status.applied
    changed = (
        changed_since(at.revision, recent) if at is not None and is_in_history(status, at, recent) else None
    )
    if changed is not None and f"nodes/{node}" in changed:
        changed = None
    return PathState("", failing, changed, status.failing_count <= len(status.failing))


def _failing(status: NodeStatus, tag: int | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in status.failing:
        scope = _scope(entry, str(tag))
        if scope:
            found.setdefault(scope, entry.reason)
    return found


def _scope(failing: Failing, tag: str) -> str:
    """Return what a failing object concerns, "" for nothing that leads to a Lun, such as a TPG that stands for another node's."""
    words = tuple(failing.object.split())
    if name := failing.lun or lun_in_key(words):
        return f"luns/{name}"
    match words:
        case ("document", path):
            return path
        case ("target", iqn):
            return f"targets/{iqn}"
        case ("tpg" | "enabled" | "portal", iqn, its, *_) if its == tag:
            return f"targets/{iqn}"
        case ("acl", iqn, its, initiator) if its == tag:
            return f"acl {iqn} {initiator}"
        case _:
            return ""
