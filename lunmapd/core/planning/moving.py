"""Changes that end the service of a floating group wait until another node serves it. Pure.

A host with one path loses its Luns while an object on this path is replaced. So the nodes of a group make
such a change one after the other: those that do not serve the group at once, its owner after it has given the
group away. Each node decides that alone, by what the others report of themselves (core/floating/others.py).
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import TpgId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.impact import AccessPaths, Audience
from lunmapd.core.planning.plan import Action, Plan, Step, disruption
from lunmapd.core.planning.withhold import Permitted, created_keys, withhold_steps

MOVE_PATIENCE = 60.0
"""How long in seconds a change waits at most: then it is made where it disturbs hosts."""


class Others(StrEnum):
    """The other nodes of a group, as its owner sees them."""

    NONE = "none"
    BEHIND = "behind"
    READY = "ready"


class ServedGroup(Struct, frozen=True):
    """A floating group that this node owns.

    `others` is NONE if no other node can serve it, BEHIND while some have still to apply the revision, READY
    if one can serve it now. `leaving`: a change would have disturbed its hosts before, so this node gives it
    away.
    """

    target: str
    tag: int
    others: Others = Others.NONE
    leaving: bool = False

    @property
    def moves(self) -> bool:
        """Whether this node is giving the group away: its hosts may be gone before the lease is."""
        return self.leaving and self.others is Others.READY

    @property
    def tpg(self) -> TpgId:
        """The TPG of the group."""
        return TpgId(self.target, self.tag)


Groups = Sequence[ServedGroup]


class Moving(Struct, frozen=True):
    """The steps that need not wait, and the groups whose hosts others would disturb."""

    permitted: Permitted
    disturbed: tuple[ServedGroup, ...] = ()


def wait_for_moves(steps: Plan, observed: Observed, paths: AccessPaths, groups: Groups) -> Moving:
    """Withhold the steps that disturb hosts of the groups that another node can serve, or soon will."""
    replacing = tuple(replacing_steps(steps)) if groups else ()
    if not replacing:
        return Moving(Permitted(steps))
    audience, known = Audience(observed, paths), {group.tpg: group for group in groups}
    moved = {group.tpg for group in groups if group.moves}
    disturbed = set[ServedGroup]()
    withheld = dict[tuple[Action, lio_objects.Key], Failure]()
    for step in replacing:
        tpgs = moved | {TpgId(each.iqn, each.tag) for each in audience.impact(step).sessions}
        found = [known[tpg] for tpg in sorted(tpgs & known.keys())]
        disturbed.update(found)
        waiting = [group for group in found if group.others is not Others.NONE]
        if waiting:
            withheld[step.action, lio_objects.key_of(step.item)] = _failure(waiting[0])
    return Moving(withhold_steps(steps, withheld), tuple(sorted(disturbed, key=lambda group: group.tpg)))


def replacing_steps(steps: Plan) -> Iterator[Step]:
    """Yield the deletions that end the use of an object which is created again."""
    created: AbstractSet[lio_objects.Key] = created_keys(steps)
    for step in steps:
        is_replaced = step.action is Action.DELETE and lio_objects.key_of(step.item) in created
        if is_replaced and disruption(step) >= Disruption.PATH_LOSS:
            yield step


def _failure(group: ServedGroup) -> Failure:
    is_behind = group.others is Others.BEHIND
    others = "other nodes have still to make their changes" if is_behind else "the group moves now"
    return Failure(
        Reason.MOVING,
        f"would disturb the hosts of the floating group at TPG {group.tag} of {group.target}: waits until "
        f"another node serves the group, {MOVE_PATIENCE:g} s at most; {others}",
    )
