"""The sizes of Luns, as the nodes report them."""

from collections.abc import Mapping

from lunmapd.core.base.backing_reports import Reports
from lunmapd.core.base.lunmap import Lunmap


def lun_size(lunmap: Lunmap, reports: Mapping[str, Reports], name: str) -> int:
    """Return the size of a Lun in bytes, 0 if it is unknown.

    It is the largest one that a node reports; without a report it is that of the map. `reports` has the
    reports of each node by its name.
    """
    found = [report.size for luns in reports.values() if (report := luns.get(name)) is not None]
    return max(found, default=0) or lunmap.luns[name].size or 0


def lun_sizes(lunmap: Lunmap, reports: Mapping[str, Reports]) -> dict[str, int]:
    """Return the size of each Lun in bytes, by its name, 0 if it is unknown."""
    return {name: lun_size(lunmap, reports, name) for name in lunmap.luns}
