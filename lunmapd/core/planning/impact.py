"""Who notices a step: the disruption that it has at worst, and the initiators that are logged in where it happens."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from msgspec import Struct

from lunmapd.core.base.lunmap import CLOSED, Lunmap, NodeState, initiators_of, reporting_nodes, state_on
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession, Login, Observed
from lunmapd.core.planning.plan import Action, Disruption, Plan, Step, disruption, shrinks

AclKey = tuple[str, int, str]
Logins = Mapping[str, AbstractSet[Login]]
Disruptions = Mapping[tuple[Action, lio_objects.Key], Disruption]
"""What initiators notice of the steps of a plan; nothing of those that are left out."""


class Impact(Struct, frozen=True):
    """What a step does to initiators: `worst` if any were logged in, `now` to the sessions that are."""

    worst: Disruption
    now: Disruption = Disruption.NONE
    sessions: tuple[IscsiSession, ...] = ()


class AccessPaths(Struct, frozen=True):
    """Through what initiators reach their Luns: what is `wanted` on this node, and what the map gives them on others.

    `logins` maps each node that is alive and healthy to the initiators that are logged in there, as it last reported.
    """

    lunmap: Lunmap
    node: str
    wanted: lio_objects.Objects
    logins: Logins = {}


class Audience:
    """Who sees what on this node. Built once for a plan, so that a step costs what it concerns."""

    def __init__(self, observed: Observed, ways: AccessPaths) -> None:
        """Look at what was observed, and at what leads to the Luns beside it."""
        self._ways = ways
        self._sessions: dict[AclKey, list[IscsiSession]] = defaultdict(list)
        for session in observed.sessions:
            self._sessions[session.iqn, session.tag, session.initiator].append(session)
        self._by_name: dict[str, list[lio_objects.MappedLun]] = defaultdict(list)
        self._by_tpg: dict[tuple[str, int], list[lio_objects.MappedLun]] = defaultdict(list)
        for item in observed.objects.values():
            if isinstance(item, lio_objects.MappedLun):
                self._by_name[item.storage_object].append(item)
                self._by_tpg[item.iqn, item.tag].append(item)

    def impact(self, step: Step) -> Impact:
        """Tell who notices the step.

        Taking away what leads an initiator to its data makes these unreachable, unless the
        initiator has a way through another node, too. What is
        made anew, read-only or smaller becomes so on every node at the same time, as far as anyone knows here, so that none is a way out;
        and from a LUN 0 that is gone initiators don't turn away, unless its TPG is closed before.
        """
        worst = disruption(step)
        if worst is Disruption.NONE:
            return Impact(worst)
        over = self._leading_over(step.item)
        sessions = tuple(self._logged_in(step.item, over))
        now = worst if sessions else Disruption.NONE
        if worst < Disruption.PATH_LOSS:
            return Impact(worst, now, sessions)
        nowhere = self._is_everywhere(step) or lio_objects.answering_tpg(step.item) in self._ways.wanted
        lost = [item for item in over if nowhere or not self._elsewhere(item)]
        if any(_acl(item) in self._sessions for item in lost):
            now = Disruption.DATA_UNREACHABLE
        return Impact(Disruption.DATA_UNREACHABLE if lost else worst, now, sessions)

    def _leading_over(self, item: lio_objects.Object) -> Sequence[lio_objects.MappedLun]:
        """Return the mapped LUNs that lead over the object."""
        match item:
            case lio_objects.MappedLun():
                return [item]
            case lio_objects.Enabled():
                return self._by_tpg.get((item.iqn, item.tag), [])
            case lio_objects.NodeAcl():
                there = self._by_tpg.get((item.iqn, item.tag), [])
                return [mapped for mapped in there if mapped.initiator == item.initiator]
            case lio_objects.TpgLun():
                there = self._by_name.get(item.storage_object, [])
                return [mapped for mapped in there if (mapped.iqn, mapped.tag) == (item.iqn, item.tag)]
            case _:
                return self._by_name.get(lio_objects.lun_served_by(item) or "", [])

    def _logged_in(
        self, item: lio_objects.Object, over: Iterable[lio_objects.MappedLun]
    ) -> Iterable[IscsiSession]:
        if isinstance(item, lio_objects.Enabled):
            return [
                session
                for (iqn, tag, _), found in self._sessions.items()
                if (iqn, tag) == (item.iqn, item.tag)
                for session in found
            ]
        acls = (
            {(item.iqn, item.tag, item.initiator)}
            if isinstance(item, lio_objects.NodeAcl)
            else {_acl(entry) for entry in over}
        )
        return [session for acl in sorted(acls) for session in self._sessions.get(acl, ())]

    def _is_everywhere(self, step: Step) -> bool:
        """Tell whether other nodes do the same: what is taken away is wanted again, be it under another LUN number, or it is the Lun that changes."""
        item = step.item
        if isinstance(item, lio_objects.MappedLun):
            return (*_acl(item), item.storage_object) in self._wanted
        return (
            shrinks(step)
            if isinstance(item, lio_objects.StorageObject)
            else lio_objects.key_of(item) in self._ways.wanted
        )

    @cached_property
    def _wanted(self) -> AbstractSet[tuple[str, int, str, str]]:
        items = self._ways.wanted.values()
        return {
            (*_acl(item), item.storage_object) for item in items if isinstance(item, lio_objects.MappedLun)
        }

    def _elsewhere(self, item: lio_objects.MappedLun) -> bool:
        """Tell whether another node offers the Lun to the initiator, which is logged in there, and takes its I/O."""
        lunmap, lun = self._ways.lunmap, self._ways.lunmap.luns.get(item.storage_object)
        if lun is None:
            return False
        others = {
            node
            for node in reporting_nodes(lunmap, lun)
            if node != self._ways.node
            and node in lunmap.nodes
            and lunmap.nodes[node].state is NodeState.ACTIVE
            and state_on(lun, node) not in CLOSED
        }
        targets = {entry.target for entry in lun.maps if item.initiator in initiators_of(lunmap, entry)}
        return any(
            Login(iqn, item.initiator) in self._ways.logins.get(node, ())
            for iqn in targets & lunmap.targets.keys()
            for node in others & lunmap.targets[iqn].nodes.keys()
        )


def _acl(item: lio_objects.MappedLun) -> AclKey:
    return item.iqn, item.tag, item.initiator


def find_disruptions(steps: Plan, observed: Observed, ways: AccessPaths, *, looked: bool) -> Disruptions:
    """Tell what initiators notice of a plan: those that are logged in, or if nobody has just `looked` who is, all that may be."""
    noticed = [step for step in steps if disruption(step) and (observed.sessions or not looked)]
    if not noticed:
        return {}
    audience = Audience(observed, ways)
    effects = (((step.action, lio_objects.key_of(step.item)), audience.impact(step)) for step in noticed)
    return {name: effect.now if looked else effect.worst for name, effect in effects}
