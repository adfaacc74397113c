"""The map and the nodes, as an explanation needs them."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from lunmapd.core.base.backing_reports import BackingReport, Reports
from lunmapd.core.base.lunmap import GroupId, Lun, Lunmap, Map, initiators_of
from lunmapd.core.fleet.group_owners import find_owners
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.lun_sizes import lun_size
from lunmapd.core.fleet.path_state import UNKNOWN, NodeView
from lunmapd.core.fleet.status import GroupStatus, NodeStatus


class Route(NamedTuple):
    """A path: the node, and for a floating group its target and its name, else ""."""

    node: str
    target: str = ""
    floating: str = ""


class World(Struct, frozen=True):
    """The effective map at `revision`, and by name: the nodes, the paths of each Lun, and what is opened."""

    lunmap: Lunmap
    revision: int
    views: Mapping[str, NodeView]
    paths: Mapping[str, LunPaths]
    reports: Mapping[str, Reports] = {}

    def view(self, node: str) -> NodeView:
        """Return a node; one that never registered is dead."""
        return self.views.get(node, NodeView())

    def current_status(self, node: str) -> NodeStatus | None:
        """Return the status of a node if it describes the present."""
        view = self.view(node)
        return view.status if view.is_current else None

    def state(self, lun: str, route: Route) -> str:
        """Return the state of a path to a Lun, as `lunmapctl status --luns` shows it."""
        paths = self.paths[lun].paths if lun in self.paths else ()
        found = (path.state for path in paths if (path.node, path.target, path.floating) == route)
        return next(found, UNKNOWN)

    def group_status(self, node: str, group: GroupId) -> GroupStatus | None:
        """Return what a node reports of a floating group, None if it reports nothing of the present."""
        status = self.current_status(node)
        found = () if status is None else status.floating
        return next((each for each in found if (each.target, each.name) == group), None)

    def owner(self, group: GroupId) -> str:
        """Return the owner of a floating group, "" for none."""
        current = {node: self.current_status(node) for node in self.views}
        return find_owners({node: each for node, each in current.items() if each is not None}).get(group, "")

    def report(self, node: str, lun: str) -> BackingReport | None:
        """Return what a node has opened for a Lun, None if that is not known."""
        return self.reports.get(node, {}).get(lun)

    def size(self, lun: str) -> int:
        """Return the size of a Lun in bytes, 0 if it is unknown."""
        return lun_size(self.lunmap, self.reports, lun)


def maps_to(lunmap: Lunmap, lun: Lun, initiator: str) -> tuple[Map, ...]:
    """Return the maps by which an initiator sees a Lun."""
    return tuple(entry for entry in lun.maps if initiator in initiators_of(lunmap, entry))
