"""The map and the nodes, as an explanation needs them."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.base.backing_reports import BackingReport, Reports
from lunmapd.core.base.lunmap import Lun, Lunmap, Map, initiators_of
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.lun_sizes import lun_size
from lunmapd.core.fleet.path_state import UNKNOWN, NodeView
from lunmapd.core.fleet.status import NodeStatus


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

    def state(self, lun: str, node: str) -> str:
        """Return the state of the path to a Lun through a node, as `lunmapctl status --luns` shows it."""
        paths = self.paths[lun].paths if lun in self.paths else ()
        return next((path.state for path in paths if path.node == node), UNKNOWN)

    def report(self, node: str, lun: str) -> BackingReport | None:
        """Return what a node has opened for a Lun, None if that is not known."""
        return self.reports.get(node, {}).get(lun)

    def size(self, lun: str) -> int:
        """Return the size of a Lun in bytes, 0 if it is unknown."""
        return lun_size(self.lunmap, self.reports, lun)


def maps_to(lunmap: Lunmap, lun: Lun, initiator: str) -> tuple[Map, ...]:
    """Return the maps by which an initiator sees a Lun."""
    return tuple(entry for entry in lun.maps if initiator in initiators_of(lunmap, entry))
