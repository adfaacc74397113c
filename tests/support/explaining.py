"""A map and nodes in various states, to be explained."""

from collections.abc import Mapping

from lunmapd.core.base.backing_reports import BackingReport, Reports
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.explain.world import World
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.lun_paths import LunPaths, find_lun_paths
from lunmapd.core.fleet.path_state import NodeView
from support.forecasts import REVISION
from support.small_map import MAP

GIB = 1 << 30
REPORTS: dict[str, Reports] = {"n1": {"a": BackingReport("/srv/a", GIB)}}


RECENT = RecentHistory("c", REVISION, "d")


def paths(lunmap: Lunmap, **views: NodeView) -> LunPaths:
    """Return the paths of the one Lun of a map."""
    (found,) = find_lun_paths(lunmap, views, RECENT)
    return found


def world(views: Mapping[str, NodeView], lunmap: Lunmap = MAP) -> World:
    """Return the map with these nodes, of which n1 reports what it has opened."""
    found = {each.lun: each for each in find_lun_paths(lunmap, views, RECENT)}
    return World(lunmap, REVISION, views, found, REPORTS)
