"""The impact of a step: its class of disruption, and the affected initiators."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import CLOSED, Lunmap, NodeState, initiators_of, nodes_of, reporting_nodes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession, Login, Observed
from lunmapd.core.placement.alua_states import state_on
from lunmapd.core.planning.plan import Action, Plan, Step, disruption, shrinks

AclKey = tuple[str, int, str]
"""Target, tag of the TPG and initiator of an ACL."""
Logins = Mapping[str, AbstractSet[Login]]
"""The logins at each node, by the name of the node."""
Disruptions = Mapping[tuple[Action, lio_objects.Key], Disruption]
"""The class of disruption of each step of a plan, by action and key; NONE for a step that is not in it."""


class Impact(Struct, frozen=True):
    """The disruption of a step.

    `worst` if every initiator with an ACL were logged in, `now` for the `sessions` that exist. `cut_off` are
    the initiators among them whose data become unreachable; the others notice what the step itself does.
    """

    worst: Disruption
    now: Disruption = Disruption.NONE
    sessions: tuple[IscsiSession, ...] = ()
    cut_off: AbstractSet[str] = frozenset()


class AccessPaths(Struct, frozen=True):
    """The paths of initiators to their Luns.

    The objects `desired` on this node, and those of other nodes in the map. `logins` maps each node that is
    alive and healthy to the initiators that are logged in there, as it last reported.
    """

    lunmap: Lunmap
    node: str
    desired: lio_objects.DesiredObjects
    logins: Logins = {}


class Audience:
    """The initiators of this node, by object.

    Built once for a plan, so that a step costs only what it concerns.
    """

    def __init__(self, observed: Observed, paths: AccessPaths) -> None:
        """Index the observed objects and sessions; `paths` are the other paths to the Luns."""
        self._paths = paths
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
        """Return the impact of a step.

        A step that removes the path of an initiator to its data makes the data unreachable, unless the
        initiator has a path through another node. An object that is replaced, becomes read-only or shrinks
        may do so on every node at the same time, so other nodes don't count. An initiator does not leave a
        node whose LUN 0 is gone, unless the TPG was disabled before, so other nodes don't count for that
        either. A Lun that the initiator keeps on this node under another LUN number is not lost.
        """
        worst = disruption(step)
        if worst is Disruption.NONE:
            return Impact(worst)
        mapped = self._mapped_through(step.item)
        sessions = tuple(self._logged_in(step.item, mapped))
        now = worst if sessions else Disruption.NONE
        if worst < Disruption.PATH_LOSS:
            return Impact(worst, now, sessions)
        nowhere = self._is_everywhere(step) or lio_objects.answering_tpg(step.item) in self._paths.desired
        lost = [
            item
            for item in mapped
            if not self._keeps_another_number(step, item) and (nowhere or not self._elsewhere(item))
        ]
        cut_off = frozenset(item.initiator for item in lost if _acl(item) in self._sessions)
        if cut_off:
            now = Disruption.DATA_UNREACHABLE
        return Impact(Disruption.DATA_UNREACHABLE if lost else worst, now, sessions, cut_off)

    def _mapped_through(self, item: lio_objects.Object) -> Sequence[lio_objects.MappedLun]:
        """Return the mapped LUNs whose path includes the object."""
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
        self, item: lio_objects.Object, mapped: Iterable[lio_objects.MappedLun]
    ) -> Iterable[IscsiSession]:
        if isinstance(item, lio_objects.Enabled):
            return [
                session
                for (iqn, tag, _), sessions in self._sessions.items()
                if (iqn, tag) == (item.iqn, item.tag)
                for session in sessions
            ]
        acls = (
            {(item.iqn, item.tag, item.initiator)}
            if isinstance(item, lio_objects.NodeAcl)
            else {_acl(entry) for entry in mapped}
        )
        return [session for acl in sorted(acls) for session in self._sessions.get(acl, ())]

    def _is_everywhere(self, step: Step) -> bool:
        """Return whether other nodes do the same.

        The object is replaced, also under another LUN number, or the Lun shrinks.
        """
        item = step.item
        if isinstance(item, lio_objects.MappedLun):
            return (*_acl(item), item.storage_object) in self._desired
        return (
            shrinks(step)
            if isinstance(item, lio_objects.StorageObject)
            else lio_objects.key_of(item) in self._paths.desired
        )

    def _keeps_another_number(self, step: Step, item: lio_objects.MappedLun) -> bool:
        """Return whether the step deletes one mapped LUN of a Lun that the initiator has under two numbers.

        The other number must be observed here, and desired. LIO answers in place of LUN 0, so a deleted LUN 0
        is lost while its TPG is enabled.
        """
        if step.item != item or lio_objects.answering_tpg(item) in self._paths.desired:
            return False
        return any(
            _acl(other) == _acl(item)
            and other.lun != item.lun
            and lio_objects.key_of(other) in self._paths.desired
            for other in self._by_name[item.storage_object]
        )

    @cached_property
    def _desired(self) -> AbstractSet[tuple[str, int, str, str]]:
        items = self._paths.desired.values()
        return {
            (*_acl(item), item.storage_object) for item in items if isinstance(item, lio_objects.MappedLun)
        }

    def _elsewhere(self, item: lio_objects.MappedLun) -> bool:
        """Return whether the initiator is logged in at another node that exports the Lun and accepts I/O."""
        lunmap, lun = self._paths.lunmap, self._paths.lunmap.luns.get(item.storage_object)
        if lun is None:
            return False
        others = {
            node
            for node in reporting_nodes(lunmap, lun)
            if node != self._paths.node
            and node in lunmap.nodes
            and lunmap.nodes[node].state is NodeState.ACTIVE
            and state_on(lun, node) not in CLOSED
        }
        targets = {entry.target for entry in lun.maps if item.initiator in initiators_of(lunmap, entry)}
        return any(
            Login(iqn, item.initiator) in self._paths.logins.get(node, ())
            for iqn in targets & lunmap.targets.keys()
            for node in others & nodes_of(lunmap.targets[iqn])
        )


def _acl(item: lio_objects.MappedLun) -> AclKey:
    return item.iqn, item.tag, item.initiator


def find_disruptions(
    steps: Plan, observed: Observed, paths: AccessPaths, *, sessions_observed: bool
) -> Disruptions:
    """Return the disruption of each step of a plan.

    It is that for the observed sessions. Without `sessions_observed` it is that for all possible ones.
    """
    disruptive = [step for step in steps if disruption(step) and (observed.sessions or not sessions_observed)]
    if not disruptive:
        return {}
    audience = Audience(observed, paths)
    impacts = (((step.action, lio_objects.key_of(step.item)), audience.impact(step)) for step in disruptive)
    return {key: impact.now if sessions_observed else impact.worst for key, impact in impacts}
