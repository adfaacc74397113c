"""The floating portal groups and takeover groups of a map: the nodes that own them, by their statuses."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import GroupId, Lunmap, TpgId, is_drained
from lunmapd.core.fleet.path_state import DRAINED, NO_OWNER, OK, NodeView
from lunmapd.core.fleet.status import GroupPhase, GroupStatus, NodeStatus
from lunmapd.core.placement.leased_groups import describe_group, floating_groups, leased_groups, takeover_luns

_PHASES: dict[str, str] = {
    GroupPhase.STANDBY: "could take it",
    GroupPhase.WAITING: "is about to take it",
    GroupPhase.TAKING: "takes it",
    GroupPhase.RELEASING: "releases it",
    GroupPhase.LOST: "has lost its lease",
    GroupPhase.IN_USE: "finds an address in use",
}


class OwnedGroup(Struct, frozen=True):
    """A floating portal group, or a takeover group, which has no portals and the name of its nodes.

    `owner` is the node that serves it, "" for none, and `since` since when (RFC 3339). `state` is `ok`,
    `no-owner`, or `drained` if all nodes of its list are drained. `standby` are the other nodes of the list
    that could own it now. Without an owner `reasons` has a sentence for each node that is not drained.
    """

    target: str
    name: str
    portals: tuple[str, ...]
    owner: str
    state: str
    since: str
    standby: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def group_id(self) -> GroupId:
        """The target and the name."""
        return GroupId(self.target, self.name)

    def __str__(self) -> str:
        return f"{describe_group(self.group_id)} has no owner: {'; '.join(self.reasons)}"


def find_owned_groups(lunmap: Lunmap, views: Mapping[str, NodeView]) -> tuple[OwnedGroup, ...]:
    """Return all groups in the order of their targets and names. A node that is not in `views` is dead."""
    current = {
        name: view.status for name, view in views.items() if view.is_current and view.status is not None
    }
    owners, reports = find_owners(current), _reports(current)
    found = []
    for group_id, group in sorted(leased_groups(lunmap).items()):
        active = [node for node in group.nodes if not is_drained(lunmap, node)]
        own, owner = reports[group_id], owners.get(group_id, "")
        served = (owner, OK, own[owner].since) if owner else ("", NO_OWNER if active else DRAINED, "")
        standby = tuple(node for node in active if node != owner and node in own and own[node].fit)
        reasons = () if owner else tuple(_reasons(active, views, own))
        found.append(OwnedGroup(*group_id, group.portals, *served, standby, reasons))
    return tuple(found)


def _reports(current: Mapping[str, NodeStatus]) -> Mapping[GroupId, Mapping[str, GroupStatus]]:
    """Return what the nodes report of each group, by name of the node."""
    found = defaultdict[GroupId, dict[str, GroupStatus]](dict)
    for node, status in current.items():
        for each in status.floating:
            found[GroupId(each.target, each.name)][node] = each
    return found


def _reasons(
    nodes: Iterable[str], views: Mapping[str, NodeView], reports: Mapping[str, GroupStatus]
) -> Iterable[str]:
    return (f"{node} {_reason(node, views.get(node, NodeView()), reports.get(node))}" for node in nodes)


def _reason(node: str, view: NodeView, report: GroupStatus | None) -> str:
    """Return why a node does not serve a group."""
    if not view.live:
        return "is dead"
    if report is None:
        return "is silent" if view.silent else "does not report it"
    if report.phase == GroupPhase.WAITING and report.owner not in {"", node}:
        return f"waits for the end of the lease of {report.owner}"
    if report.phase == GroupPhase.STANDBY and not report.fit:
        return f"is not fit: {report.reason}"
    return _PHASES.get(report.phase, report.phase)


def find_fit_nodes(current: Mapping[str, NodeStatus]) -> Mapping[GroupId, AbstractSet[str]]:
    """Return the nodes that are fit to own each group, from the current status of each node."""
    fit = defaultdict[GroupId, set[str]](set)
    for name, status in current.items():
        for group in status.floating:
            if group.fit:
                fit[GroupId(group.target, group.name)].add(name)
    return fit


def find_owners(current: Mapping[str, NodeStatus]) -> dict[GroupId, str]:
    """Return the owner of each floating group that has one, from the current status of each node.

    A status may be some seconds old, so of two nodes the later owner counts.
    """
    found = sorted(
        (group.since, name, GroupId(group.target, group.name))
        for name, status in current.items()
        for group in status.floating
        if group.phase == GroupPhase.OWNER
    )
    return {group: name for _, name, group in found}


def owned_tpgs(lunmap: Lunmap, status: NodeStatus) -> frozenset[TpgId]:
    """Return the TPGs of the floating groups that a node serves, by its status."""
    owned = {(group.target, group.name) for group in status.floating if group.phase == GroupPhase.OWNER}
    return frozenset(
        TpgId(iqn, group.tpg_tag) for iqn, name, group in floating_groups(lunmap) if (iqn, name) in owned
    )


def owned_luns(lunmap: Lunmap, status: NodeStatus) -> frozenset[str]:
    """Return the Luns of the takeover groups that a node owns, by its status."""
    owned = {(group.target, group.name) for group in status.floating if group.phase == GroupPhase.OWNER}
    return frozenset(
        name for group, names in takeover_luns(lunmap).items() if group in owned for name in names
    )
