"""The sizes of Luns, as the nodes report them."""

from lunmapd.core.base.backing_reports import BackingReport
from lunmapd.core.fleet.lun_sizes import lun_sizes
from lunmapd.core.map.mapfile import parse_map

MAP = """
luns:
  reported: {backing: {type: block, path: /dev/a}, serial: a1, maps: []}
  stated: {backing: {type: fileio, path: /srv/b}, size: 1MiB, serial: b2, maps: []}
  unknown: {backing: {type: block, path: /dev/c}, serial: c3, maps: []}
"""


def test_a_size_is_the_largest_reported_or_that_of_the_map() -> None:
    """A Lun without either has the size 0."""
    lunmap, _ = parse_map(MAP)
    reports = {f"n{size}": {"reported": BackingReport("/dev/a", size=size)} for size in (5, 7)}
    assert lun_sizes(lunmap, reports) == {"reported": 7, "stated": 1 << 20, "unknown": 0}
