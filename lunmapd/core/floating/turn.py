"""Whose turn it is to own a floating portal group, as one node sees it."""

from collections.abc import Mapping

from lunmapd.core.base.lunmap import FloatingGroup
from lunmapd.core.floating.choice import UNFIT, Candidate, choose_owner
from lunmapd.core.floating.facts import CHECK_LEAD
from lunmapd.core.floating.lease import LeaseRecord

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

    `idle` is for how many seconds another node than the owner could have taken the group, by the clock of the
    caller; it is negative before that, and minus infinity at the owner. An owner whose lease has ended counts
    no more, though its session may live. The node to which a group was released keeps its turn while it is
    fit: it may be slow. A chosen node that does not take the group may hang, too, so after each TURN it is
    another's turn.
    """
    left = dict(candidates)
    asked = wish if left.get(wish, UNFIT).fit else record.successor
    if record.owner and idle >= -CHECK_LEAD:
        left[record.owner] = UNFIT
    able = [node for node in group.nodes if (each := left.get(node, UNFIT)).fit or each.served]
    for _ in range(int(max(0.0, idle) // TURN) % max(1, len(able))):
        left[choose_owner(group, left, record.owner, asked)] = UNFIT
    return choose_owner(group, left, record.owner, asked)
