"""What a node has to do with a floating portal group, by the map."""

from msgspec import Struct

from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap, TpgId, floating_groups
from lunmapd.core.node.portals import host_of


class GroupPlan(Struct, frozen=True):
    """A group of the map that names this node."""

    id: GroupId
    group: FloatingGroup

    @property
    def tpg(self) -> TpgId:
        """The TPG of the group."""
        return TpgId(self.id.target, self.group.tpg_tag)

    @property
    def addresses(self) -> GroupAddresses:
        """The addresses of the group, each once."""
        hosts = dict.fromkeys(host_of(portal) for portal in self.group.portals)
        return GroupAddresses(tuple(hosts), self.group.interface)


def plans_for(lunmap: Lunmap, node: str) -> dict[GroupId, GroupPlan]:
    """Return the groups of a map that a node may own."""
    return {
        GroupId(iqn, name): GroupPlan(GroupId(iqn, name), group)
        for iqn, name, group in floating_groups(lunmap)
        if node in group.nodes and node in lunmap.nodes
    }
