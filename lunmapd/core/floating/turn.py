"""Whose turn it is to own a floating portal group, as one node sees it."""

from collections.abc import Mapping

from lunmapd.core.base.lunmap import FloatingGroup
from lunmapd.core.floating.choice import UNFIT, Candidate, choose_owner
from lunmapd.core.floating.lease import LeaseRecord, stall_time, take_time

TURN = 5.0
"""How long the chosen node is given to take a group that it may take, before it counts as one that hangs."""


def next_owner(
    group: FloatingGroup,
    candidates: Mapping[str, Candidate],
    record: LeaseRecord,
    wish: str,
    idle: float,
) -> str:
    """Return the node that is to own a group, "" for none.

    `idle` is for how many seconds the group could have been taken, by the clock of the caller. A chosen node
    that does not take it may hang although its session lives, so after each TURN it is another's turn.
    """
    left = dict(candidates)
    able = [node for node in group.nodes if (each := left.get(node, UNFIT)).fit or each.served]
    for _ in range(int(idle // TURN) % max(1, len(able))):
        left[choose_owner(group, left, record.owner, wish)] = UNFIT
    return choose_owner(group, left, record.owner, wish)


def idle_time(record: LeaseRecord, seen_at: float, grace: float, now: float, *, owner_live: bool) -> float:
    """Return for how many seconds a node could have taken the group: from a live owner only if that hangs."""
    hangs = record.owner and owner_live
    since = stall_time(record, seen_at) if hangs else take_time(record, seen_at, grace, "")
    return max(0.0, now - since)
