"""The facts of a group at one node, from what it remembers and from what its kernel has."""

from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.local import Local
from lunmapd.agent.floating.memory import Memory
from lunmapd.agent.floating.own_report import Identity
from lunmapd.core.floating.facts import Facts
from lunmapd.core.floating.lease import LeaseTimes
from lunmapd.core.floating.promotion import Promotion


def facts_of(plan: GroupPlan, me: Identity, times: LeaseTimes, memory: Memory, local: Local) -> Facts:
    """Return the facts without the choice of the owner, the life of its session, and a TPG that is stuck."""
    presence, is_placed = local.presence, memory.placed == plan.addresses
    wanted = set(plan.addresses.addresses)
    return Facts(
        node=me.node,
        boot=me.boot,
        times=times,
        grace=float(plan.group.grace),
        record=memory.record,
        version=memory.version,
        seen_at=memory.seen_at,
        contact_at=memory.contact_at,
        proof=memory.proof,
        present=bool(presence.present) or presence.promotion not in {None, Promotion.DEMOTED},
        complete=presence.present | presence.absent >= wanted
        and presence.promotion in {None, Promotion.PROMOTED},
        granted=memory.granted if is_placed else None,
        granted_for=memory.granted_for,
        announced=memory.announced and is_placed,
        enabled=local.enabled,
        check=memory.check,
        promotion=presence.promotion,
    )
