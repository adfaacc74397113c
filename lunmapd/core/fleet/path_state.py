"""The state of the paths through a node, judged by its last status."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import GroupId, Lun, Lunmap, NodeState, initiators_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory, changed_since, is_in_history
from lunmapd.core.fleet.status import APPLIED, OFFERED, Failing, HistoryPoint, NodeStatus, lun_in_key
from lunmapd.core.node.portals import portals_by_tag
from lunmapd.core.placement.leased_groups import floating_groups

OK = "ok"
DEGRADED = "degraded"
DRAINED = "drained"
DEAD = "dead"
NO_OWNER = "no-owner"
SILENT = "silent"
BEHIND = "behind"
UNKNOWN = "unknown"

USABLE = frozenset({OK, DEGRADED})
"""The states of paths that initiators can use."""

# A full pass was made, and the objects that it could not make as desired are in the status.
_LISTED = {
    Reason.FAILING,
    Reason.HELD,
    Reason.LEFT_EMPTY,
    Reason.DRAINING,
    Reason.MOVING,
    Reason.DRIFTED,
    Reason.CLAIMS_UNREADABLE,
    Reason.CLAIMS_UNWRITABLE,
}
# The node does not know its objects, or does not serve them.
_BLIND = {Reason.NO_MAP, Reason.NODE_UNKNOWN, Reason.KERNEL_UNREADABLE, Reason.WITHHELD}


class NodeView(Struct, frozen=True):
    """A node as other machines see it.

    `live`: its ZooKeeper session exists. `silent`: its heartbeat is overdue. `status` is its last status,
    None if there is none.
    """

    live: bool = False
    silent: bool = False
    status: NodeStatus | None = None

    @property
    def is_current(self) -> bool:
        """Whether the status describes the present."""
        return self.live and not self.silent and self.status is not None


class PathState(Struct, frozen=True):
    """The state of the paths through one node.

    `all` is the state of every path, or "" if it depends on the Lun. In that case `failing` maps the failing
    scopes to their reasons, `degraded` are the TPGs of which some portals do not serve, and `changed`
    are the scopes whose changes the node may not have applied, None for all scopes; see `scopes_of`. `kept`
    are the scopes with an object that stays as it was because its change is held: such a path counts. If the
    list of failing objects is not `complete`, objects outside it may fail too.
    """

    all: str = ""
    failing: Mapping[str, str] = {}
    degraded: AbstractSet[str] = frozenset()
    changed: AbstractSet[str] | None = frozenset()
    complete: bool = True
    kept: AbstractSet[str] = frozenset()

    def state(self, scopes: AbstractSet[str]) -> str:
        """Return the state of a path with these scopes: a constant of this module, or a failure's reason."""
        if self.all:
            return self.all
        if failing := self.failing.keys() & scopes:
            return self.failing[min(failing)]
        if self.changed is None or not self.changed.isdisjoint(scopes):
            return BEHIND
        if not self.complete:
            return UNKNOWN
        return OK if self.degraded.isdisjoint(scopes) else DEGRADED

    def is_change_held(self, scopes: AbstractSet[str]) -> bool:
        """Return whether a path with these scopes counts as it was, because a change of it is held."""
        return self.state(scopes) in USABLE and not self.kept.isdisjoint(scopes)


def scopes_of(lunmap: Lunmap, name: str, lun: Lun, group: GroupId | None = None) -> AbstractSet[str]:
    """Return the scopes that the paths of a Lun depend on: those through nodes' own TPGs, or through `group`.

    A scope is the path of an object of the map (`luns/db1`), `tpg TARGET` or `acl TARGET INITIATOR`. For the
    TPG of a floating group the name of the group follows.
    """
    scopes, suffix = {f"luns/{name}"}, "" if group is None else f" {group.name}"
    for entry in lun.maps:
        if group is not None and entry.target != group.target:
            continue
        scopes.add(f"targets/{entry.target}")
        scopes.add(f"tpg {entry.target}{suffix}")
        if entry.group:
            scopes.add(f"groups/{entry.group}")
        scopes.update(f"acl {entry.target} {initiator}{suffix}" for initiator in initiators_of(lunmap, entry))
    return scopes


def tags_on(lunmap: Lunmap, node: str) -> dict[str, str]:
    """Return the tags of the TPGs through which a node can serve, each with the suffix of its scopes."""
    itself = lunmap.nodes.get(node)
    groups = {
        str(group.tpg_tag): f" {name}" for _, name, group in floating_groups(lunmap) if node in group.nodes
    }
    return groups if itself is None else {**groups, str(itself.tpg_tag): ""}


def path_state_of(lunmap: Lunmap, node: str, view: NodeView, recent: RecentHistory) -> PathState:
    """Return the state of the paths through a node."""
    itself = lunmap.nodes.get(node)
    if itself is not None and itself.state is NodeState.DRAINED:
        return PathState(DRAINED)
    if not view.live:
        return PathState(DEAD)
    if view.silent:
        return PathState(SILENT)
    if view.status is None:
        return PathState(UNKNOWN)
    return _of_status(lunmap, node, view.status, recent)


def _of_status(lunmap: Lunmap, node: str, status: NodeStatus, recent: RecentHistory) -> PathState:
    false_conditions, tags = status.false_conditions, tags_on(lunmap, node)
    lost, degraded = _portals(lunmap, node, status)
    failing = {**lost, **_failing(status, tags)}
    applied = false_conditions.get(APPLIED, "")
    blind = (
        false_conditions.get(OFFERED)
        or failing.get(f"nodes/{node}")
        or (applied if applied in _BLIND else "")
    )
    if blind:
        return PathState(blind)
    at = listed_point(status, recent)
    changed = None if at is None else changed_since(at.revision, recent)
    if changed is not None and f"nodes/{node}" in changed:
        changed = None
    kept = frozenset(scope for entry in status.failing if entry.kept and (scope := scope_of(entry, tags)))
    return PathState("", failing, degraded, changed, status.failing_count <= len(status.failing), kept)


def listed_point(status: NodeStatus, recent: RecentHistory) -> HistoryPoint | None:
    """Return the point of this history that a node has applied, but for the failing objects in its status.

    That is the observed revision if a full pass was made of it. None if it has applied nothing of this
    history.
    """
    at = status.observed if status.false_conditions.get(APPLIED) in _LISTED else status.applied
    return at if at is not None and is_in_history(status, at, recent) else None


def _portals(lunmap: Lunmap, node: str, status: NodeStatus) -> tuple[dict[str, str], AbstractSet[str]]:
    """Return the TPGs of which no portal serves, with a reason, and those of which only some do."""
    lost, degraded = dict[str, str](), set[str]()
    reasons = _failing_portals(status)
    if not reasons:
        return lost, degraded
    tags = tags_on(lunmap, node)
    for iqn, target in lunmap.targets.items():
        for number, portals in portals_by_tag(lunmap, target, node):
            tag = str(number)
            found = [reasons.get(("", "", each)) or reasons.get((iqn, tag, each), "") for each in portals]
            if all(found) and found:
                lost[f"tpg {iqn}{tags[tag]}"] = found[0]
            elif any(found):
                degraded.add(f"tpg {iqn}{tags[tag]}")
    return lost, degraded


def _failing_portals(status: NodeStatus) -> dict[tuple[str, str, str], str]:
    """Return the reasons of failing portals, by target, tag and portal; the first two are "" for all TPGs."""
    reasons: dict[tuple[str, str, str], str] = {}
    for entry in status.failing:
        match () if entry.kept else entry.object.split():
            case ("portal", portal):
                reasons["", "", portal] = entry.reason
            case ("portal", iqn, tag, portal):
                reasons[iqn, tag, portal] = entry.reason
    return reasons


def _failing(status: NodeStatus, tags: Mapping[str, str]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for entry in status.failing:
        scope = "" if entry.kept else scope_of(entry, tags)
        if scope:
            reasons.setdefault(scope, entry.reason)
    return reasons


def scope_of(failing: Failing, tags: Mapping[str, str]) -> str:
    """Return the scope of a failing object, "" if it is a portal or concerns no path.

    `tags` are those of the node's TPGs (tags_on).
    """
    words = tuple(failing.object.split())
    if name := failing.lun or lun_in_key(words):
        return f"luns/{name}"
    match words:
        case ("document", path):
            return path
        case ("target", iqn):
            return f"targets/{iqn}"
        case ("tpg" | "enabled", iqn, tag) if tag in tags:
            return f"tpg {iqn}{tags[tag]}"
        case ("acl", iqn, tag, initiator) if tag in tags:
            return f"acl {iqn} {initiator}{tags[tag]}"
        case _:
            return ""
