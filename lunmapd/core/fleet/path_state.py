"""The state of the paths through a node, judged by its last status."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lun, Lunmap, NodeState, initiators_of, portals_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory, changed_since, is_in_history
from lunmapd.core.fleet.status import APPLIED, OFFERED, Failing, NodeStatus, lun_in_key

OK = "ok"
DEGRADED = "degraded"
DRAINED = "drained"
DEAD = "dead"
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
    scopes to their reasons, `degraded` are the targets that some of their portals do not serve, and `changed`
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


def scopes_of(lunmap: Lunmap, name: str, lun: Lun) -> AbstractSet[str]:
    """Return the scopes that the paths of a Lun depend on.

    A scope is the path of an object of the map (`luns/db1`), or `acl TARGET INITIATOR`.
    """
    scopes = {f"luns/{name}"}
    for entry in lun.maps:
        scopes.add(f"targets/{entry.target}")
        if entry.group:
            scopes.add(f"groups/{entry.group}")
        scopes.update(f"acl {entry.target} {initiator}" for initiator in initiators_of(lunmap, entry))
    return scopes


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
    false_conditions = status.false_conditions
    itself = lunmap.nodes.get(node)
    tag = None if itself is None else itself.tpg_tag
    lost, degraded = _portals(lunmap, node, status)
    failing = {**lost, **_failing(status, tag)}
    applied = false_conditions.get(APPLIED, "")
    blind = (
        false_conditions.get(OFFERED)
        or failing.get(f"nodes/{node}")
        or (applied if applied in _BLIND else "")
    )
    if blind:
        return PathState(blind)
    # The observed revision of such a pass counts as applied, except for the failing objects in the status.
    at = status.observed if applied in _LISTED else status.applied
    changed = (
        changed_since(at.revision, recent) if at is not None and is_in_history(status, at, recent) else None
    )
    if changed is not None and f"nodes/{node}" in changed:
        changed = None
    kept = frozenset(scope for entry in status.failing if entry.kept and (scope := scope_of(entry, str(tag))))
    return PathState("", failing, degraded, changed, status.failing_count <= len(status.failing), kept)


def _portals(lunmap: Lunmap, node: str, status: NodeStatus) -> tuple[dict[str, str], AbstractSet[str]]:
    """Return the targets that no portal of the node serves, with a reason, and those that only some serve."""
    lost, degraded = dict[str, str](), set[str]()
    itself = lunmap.nodes.get(node)
    reasons = {} if itself is None else _failing_portals(status, str(itself.tpg_tag))
    if itself is None or not reasons:
        return lost, degraded
    for iqn, target in lunmap.targets.items():
        portals = portals_of(itself, target.nodes[node]) if node in target.nodes else ()
        found = [reasons.get(("", portal)) or reasons.get((iqn, portal), "") for portal in portals]
        if all(found) and found:
            lost[f"targets/{iqn}"] = found[0]
        elif any(found):
            degraded.add(f"targets/{iqn}")
    return lost, degraded


def _failing_portals(status: NodeStatus, tag: str) -> dict[tuple[str, str], str]:
    """Return the reasons of failing portals, by target and portal; the target is "" for all targets."""
    reasons: dict[tuple[str, str], str] = {}
    for entry in status.failing:
        match () if entry.kept else entry.object.split():
            case ("portal", portal):
                reasons["", portal] = entry.reason
            case ("portal", iqn, its, portal) if its == tag:
                reasons[iqn, portal] = entry.reason
    return reasons


def _failing(status: NodeStatus, tag: int | None) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for entry in status.failing:
        scope = "" if entry.kept else scope_of(entry, str(tag))
        if scope:
            reasons.setdefault(scope, entry.reason)
    return reasons


def scope_of(failing: Failing, tag: str) -> str:
    """Return the scope of a failing object, "" if it is a portal or concerns no path."""
    words = tuple(failing.object.split())
    if name := failing.lun or lun_in_key(words):
        return f"luns/{name}"
    match words:
        case ("document", path):
            return path
        case ("target", iqn):
            return f"targets/{iqn}"
        case ("tpg" | "enabled", iqn, its) if its == tag:
            return f"targets/{iqn}"
        case ("acl", iqn, its, initiator) if its == tag:
            return f"acl {iqn} {initiator}"
        case _:
            return ""
