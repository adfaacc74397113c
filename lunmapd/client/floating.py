"""The floating portal groups and takeover groups of a cluster: their owners, their nodes, and moving them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client.author import default_author
from lunmapd.clock import rfc3339
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.documents import CandidateViews, Wish
from lunmapd.core.map.rules.common import no_such
from lunmapd.core.placement.leased_groups import describe_group, leased_groups
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import GroupState, WatchedGroup
from lunmapd.store.tree.own_group import write_wish
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import effective_map

_POLL = 0.1  # seconds


class NoSuchGroupError(LunmapdError):
    """The map has no such floating portal or takeover group in this target, or no such node in its list."""

    exit_code = Exit.INVALID


class NotFitError(LunmapdError):
    """The node can't own the group now, or no other node can."""

    exit_code = Exit.CONFLICT


class NotMovedError(LunmapdError):
    """The group was not taken by the node in time. The wish stays: the node takes it when it can."""

    exit_code = Exit.DEGRADED


class FloatingGroupStatus(Struct, frozen=True):
    """A floating portal group, or a takeover group: `owner` is the node that the lease names, "" for none.

    Another node may take the group `lease` seconds and the group's `grace` after the owner's last renewal; it
    is 0 without an owner.
    A takeover group has no portals; its name is that of its nodes, such as `n1,n2`.
    `wish` is the node that an admin moved it to, as long as that has effect. `nodes` are the nodes of its
    list, in this order.
    """

    target: str
    name: str
    portals: tuple[str, ...]
    owner: str
    wish: str
    nodes: tuple["GroupCandidate", ...]
    lease: float = 0.0


class GroupCandidate(Struct, frozen=True):
    """A node of a group's list.

    `phase` is what it does with the group, a GroupPhase. A node that is not `fit` to own the group gives the
    `reason`; `since` is when it became fit or unfit (RFC 3339).
    """

    node: str
    live: bool
    fit: bool
    phase: str
    reason: str
    since: str


def list_groups(session: Session, lunmap: Lunmap) -> tuple[FloatingGroupStatus, ...]:
    """Read all groups of a map, in the order of their targets and names."""
    found = sorted(leased_groups(lunmap).items())
    return tuple(_line(name, group, _read(session, name, group)) for name, group in found)


def move_group(session: Session, lunmap: Lunmap, name: GroupId, wish: Wish) -> tuple[FloatingGroup, str]:
    """Write a wish of an admin; return the group, and the node that is to own it.

    A wish without a node is for the next fit node of the list after the owner. Raises NoSuchGroupError and
    NotFitError.
    """
    group = _group(lunmap, name)
    state = _read(session, name, group)
    chosen = wish.node or _next_fit(group, _owner(state), state.candidates)
    if chosen not in group.nodes:
        raise NoSuchGroupError(no_such("node", chosen, group.nodes))
    _check_fit(name, chosen, state.candidates)
    if not write_wish(session, name, replace(wish, node=chosen)):
        raise NotFitError(f"{describe_group(name)} has no znodes yet: commit the map again")
    return group, chosen


def wait_moved(session: Session, name: GroupId, group: FloatingGroup, node: str, seconds: float) -> None:
    """Wait until a node serves a group, at most `seconds`. Raises NotMovedError."""
    watched = WatchedGroup(session, name, lambda: None)
    until = time.monotonic() + seconds
    while not _serves(state := watched.read(group.nodes), node):
        if time.monotonic() > until:
            owner = _owner(state)
            raise NotMovedError(
                f"{node} does not serve {describe_group(name)} after {seconds:g} seconds; the owner is "
                f"{owner or 'nobody'}: see 'lunmapctl float list' and the journal of both nodes"
            )
        time.sleep(_POLL)


def _group(lunmap: Lunmap, name: GroupId) -> FloatingGroup:
    if name.target not in lunmap.targets:
        raise NoSuchGroupError(no_such("target", name.target, lunmap.targets.keys()))
    groups = {each.name: group for each, group in leased_groups(lunmap).items() if each.target == name.target}
    if name.name not in groups:
        raise NoSuchGroupError(no_such("floating group", name.name, groups.keys()))
    return groups[name.name]


def _read(session: Session, name: GroupId, group: FloatingGroup) -> GroupState:
    return WatchedGroup(session, name, lambda: None).read(group.nodes)


def _owner(state: GroupState) -> str:
    """Return the node that the lease names; a record that is not written names none."""
    owner = "" if state.lease is None else state.lease.record.owner
    return owner if owner in state.candidates else ""


def _serves(state: GroupState, node: str) -> bool:
    return _owner(state) == node and state.candidates[node].report.phase == GroupPhase.OWNER


def _next_fit(group: FloatingGroup, owner: str, candidates: CandidateViews) -> str:
    place = group.nodes.index(owner) + 1 if owner in group.nodes else 0
    others = (*group.nodes[place:], *group.nodes[:place])
    fit = [node for node in others if node != owner and candidates[node].candidate.fit]
    if not fit:
        raise NotFitError("no other node is fit to own the group: see 'lunmapctl float list'")
    return fit[0]


def _check_fit(name: GroupId, node: str, candidates: CandidateViews) -> None:
    found = candidates[node]
    if not found.live:
        raise NotFitError(f"{node} can't own {describe_group(name)}: its daemon does not run")
    if not found.report.fit:
        raise NotFitError(f"{node} can't own {describe_group(name)}: {found.report.reason}")


def _line(name: GroupId, group: FloatingGroup, state: GroupState) -> FloatingGroupStatus:
    nodes = tuple(_nodes(group, state.candidates))
    owner = _owner(state)
    lease = state.lease.record.lease_ms / 1000 if state.lease is not None and owner else 0.0
    return FloatingGroupStatus(name.target, name.name, group.portals, owner, state.wish.node, nodes, lease)


def _nodes(group: FloatingGroup, candidates: CandidateViews) -> Iterator[GroupCandidate]:
    for node in group.nodes:
        found = candidates[node]
        fit = found.candidate.fit
        reason = found.report.reason if found.live else "its daemon does not run"
        yield GroupCandidate(
            node, found.live, fit, found.report.phase, "" if fit else reason, found.report.since
        )


def move_floating_group(session: Session, target: str, name: str, node: str, seconds: float) -> str:
    """Move a group, and wait: see `Client.move_floating_group`."""
    group_id = GroupId(target, name)
    wish = Wish(node, default_author(), rfc3339(datetime.now(UTC)))
    group, chosen = move_group(session, effective_map(read_tree(session)), group_id, wish)
    wait_moved(session, group_id, group, chosen, seconds)
    return chosen
