"""The table of hosts with their logins."""

from collections import defaultdict
from collections.abc import Iterable

from lunmapd.client import Lunmap
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.table import Column, Table

_listed = ",".join


def hosts_table(lunmap: Lunmap, luns: Iterable[LunPaths], names: ShortNames) -> Table:
    """Return a line for each host: the number of its Luns, and the nodes where it is logged in, or is not."""
    count = defaultdict[str, int](int)
    at, missing = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for each in luns:
        for initiator in {host.initiator for host in each.initiators}:
            count[initiator] += 1
        for host in each.initiators:
            at[host.initiator].update(host.at)
            missing[host.initiator].update(host.missing if host.at else ())
    rows = [
        (
            names.initiator(iqn),
            initiator.alias,
            count[iqn],
            tuple(sorted(at[iqn])) or None,
            tuple(sorted(missing[iqn])) or None,
        )
        for iqn, initiator in sorted(lunmap.initiators.items())
    ]
    columns = (
        Column("HOST", cut=True),
        Column("ALIAS", drop=1, cut=True),
        Column("LUNS"),
        Column("LOGGED IN AT", cut=True, show=_listed),
        Column("NOT AT", cut=True, show=_listed),
    )
    return Table(columns, rows)
