"""What a node has to do with a floating portal group or a takeover group, by the map."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.core.base.lunmap import EMPTY_MAP, AluaState, FloatingGroup, GroupId, Lunmap, TpgId
from lunmapd.core.floating.hooks import hook_calls
from lunmapd.core.floating.promotion import HookCall
from lunmapd.core.history.map_change import MapChange, ObjectName, change_between
from lunmapd.core.node.portals import host_of
from lunmapd.core.placement.leased_groups import leased_groups, takeover_group, takeover_luns


class GroupPlan(Struct, frozen=True):
    """A group of the map that names this node.

    `luns` are the Luns of a takeover group with their states on nodes that don't own it. `hook` promotes the
    storage of the group's Luns.
    """

    id: GroupId
    group: FloatingGroup
    luns: tuple[tuple[str, AluaState], ...] = ()
    hook: HookCall | None = None

    @property
    def tpg(self) -> TpgId:
        """The TPG of the group."""
        return TpgId(self.id.target, self.group.tpg_tag)

    @property
    def addresses(self) -> GroupAddresses:
        """The addresses of the group, each once; for a takeover group, its Luns."""
        if self.luns:
            return GroupAddresses(tuple(name for name, _ in self.luns), closed=self.luns, hook=self.hook)
        hosts = dict.fromkeys(host_of(portal) for portal in self.group.portals)
        return GroupAddresses(tuple(hosts), self.group.interface, hook=self.hook)

    def ended(self) -> "GroupPlan":
        """Return the plan of a group that the map no longer has: its Luns are as the map says without it."""
        return replace(self, luns=(), hook=None)


class GroupPlans:
    """The groups that a node may own, followed from map to map: most changes concern none."""

    def __init__(self, node: str) -> None:
        """Start with the empty map."""
        self._node = node
        self._lunmap = EMPTY_MAP
        self._plans: Mapping[GroupId, GroupPlan] = {}

    def follow(self, lunmap: Lunmap, known: MapChange | None = None) -> Mapping[GroupId, GroupPlan]:
        """Return `plans_for` the map; `known` is the change that led to it, if it is known."""
        change = change_between(self._lunmap, lunmap, known)
        if any(_may_concern_groups(change, each) for each in change.objects):
            self._plans = plans_for(lunmap, self._node)
        self._lunmap = lunmap
        return self._plans


def _may_concern_groups(change: MapChange, each: ObjectName) -> bool:
    """Return whether the plan of a group may depend on an object that changed."""
    section, name = each
    if section != "luns":
        return section in {"targets", "nodes"}
    luns = (lunmap.luns.get(name) for lunmap in (change.before, change.after))
    return any(lun is not None and (lun.hook or takeover_group(lun) is not None) for lun in luns)


def plans_for(lunmap: Lunmap, node: str) -> dict[GroupId, GroupPlan]:
    """Return the groups of a map that a node may own."""
    if node not in lunmap.nodes:
        return {}
    luns, hooks = takeover_luns(lunmap), hook_calls(lunmap, node)
    return {
        name: GroupPlan(
            name,
            group,
            tuple((lun, lunmap.luns[lun].others) for lun in luns.get(name, ())),
            hooks.get(name),
        )
        for name, group in leased_groups(lunmap).items()
        if node in group.nodes
    }
