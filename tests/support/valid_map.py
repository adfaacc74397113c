"""A map that keeps every rule, as text to be changed."""

from lunmapd.core.map import rules
from lunmapd.core.map.mapfile import parse_map

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
GOOD = f"""
luns:
  db1:
    serial: {"1" * 32}
    shared: {{reservations: off, compare_and_write: off}}
    size: 64MiB
    backing: {{type: fileio, path: /srv/db1.img}}
    maps:
      - {{target: {T}, lun: 0, initiator: {H}}}
  db2:
    serial: {"2" * 32}
    shared: {{reservations: off, compare_and_write: per-node}}
    backing: {{type: block, path: /dev/vg/db2}}
    maps:
      - {{target: {T}, lun: 1, initiator: {H}, access: ro}}
targets:
  {T}: {{nodes: {{n1: {{port_id: 1}}, n2: {{port_id: 2}}}}}}
initiators:
  {H}: {{}}
groups:
  hosts: {{initiators: [{H}]}}
nodes:
  n1: {{tpg_tag: 1, portals: [10.0.0.1]}}
  n2: {{tpg_tag: 2, portals: ["[fd00::2]"]}}
"""


def edited(old: str, new: str) -> str:
    """Return the good map with the first `old` replaced."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def problems_of(text: str) -> list[str]:
    """Return the problems of a map, as they are printed."""
    return [str(problem) for problem in rules.check_map(parse_map(text)[0])]
