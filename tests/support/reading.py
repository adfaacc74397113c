"""A cluster as `lunmapctl serve` has read it, made of a map and the state of its nodes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from lunmapd.client import Fleet, Revision
from lunmapd.core.base.backing_reports import BackingReport
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Document, Lunmap
from lunmapd.core.fleet.status import Failing, HistoryPoint
from lunmapd.core.history.changes import Change
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.node.observed import Login
from lunmapd.core.node.refused_logins import RefusedLogins
from lunmapd.service.ctl.page.reading import ClusterReading, reading_of
from lunmapd.store.tree.backings import NodeReports
from lunmapd.store.tree.members import FleetNode
from lunmapd.store.tree.snapshot import Snapshot
from support.forecasts import NOW, REVISION, status
from support.sessions import LIVE
from support.small_map import LUN, MAP, H, T

HERE = Login(T, H)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def node(*logins: Login, **fields: Any) -> FleetNode:
    """Return a live node that has applied the newest revision, unless `fields` of its status say else."""
    return FleetNode(LIVE, status(*logins, hosts=len(logins), **fields))


WELL = {"n1": node(HERE), "n2": node(HERE)}
DEAD = {"n1": node(HERE), "n2": FleetNode(None, status())}


ADDED: Mapping[str, Document] = {"luns/a": LUN}


def revisions(
    last: int = REVISION, count: int = 5, changes: Mapping[str, Document] = ADDED
) -> tuple[Revision, ...]:
    """Return the last revisions, the newest first; each adds these objects, by their paths."""
    added = tuple(Change(path, after=Raw(encode(document))) for path, document in changes.items())
    numbers = range(last, max(last - count, 0), -1)
    return tuple(Revision(number, "d", "ann@desk", NOW, f"change {number}", added) for number in numbers)


def reading(
    nodes: Mapping[str, FleetNode] = WELL,
    lunmap: Lunmap = MAP,
    history: Sequence[Revision] = revisions(),
    reports: Mapping[str, NodeReports] = {},
    **fields: Any,
) -> ClusterReading:
    """Return what was read of such a cluster; `fields` are those of the snapshot."""
    snapshot = replace(Snapshot("c", REVISION, "d", "d", 0, lunmap), **fields)
    fleet = Fleet(snapshot, nodes, backings=reports)
    return reading_of(fleet, tuple(history), AT, "/lunmap")


def many_luns(count: int) -> Lunmap:
    """Return the small map with this number of Luns."""
    maps = [replace(LUN.maps[0], lun=number) for number in range(count)]
    luns = {
        f"l{number:05}": replace(LUN, serial=f"{number:025x}{0:07}", maps=(entry,))
        for number, entry in enumerate(maps)
    }
    return replace(MAP, luns=luns)


SAN = "iqn.2026-01.org.example:san"
DB = "iqn.2026-01.org.example:host1"
_MISSING = Failing(
    "storage_object logs",
    "BackingDeviceMissing",
    "/dev/vg0/logs does not exist on this node: create it, or give this node's path in 'overrides'",
    "logs",
)
_REFUSED = RefusedLogins(SAN, "authentication", 4, NOW, "2026-01-01T00:04:01Z", DB, "10.0.2.7")


def example() -> ClusterReading:
    """Return a reading of the map in config/ with every kind of problem, the same at any time."""
    lunmap, _ = parse_map(Path("config/lunmap.yaml").read_text())
    here = (Login(SAN, DB), Login("iqn.2026-01.org.example:scratch", DB))
    behind = HistoryPoint("c", REVISION - 1, "d")
    nodes = {
        "n1": node(*here),
        "n2": FleetNode(None, status(applied=behind)),
        "n3": node(here[0], failing=(_MISSING,), failing_count=1, refused=(_REFUSED,)),
    }
    history = revisions(changes={f"luns/{name}": lun for name, lun in lunmap.luns.items()})
    sizes = {"db1": 64 << 30, "logs": 10 << 30}
    reports = {name: BackingReport(f"/dev/vg0/{name}", size) for name, size in sizes.items()}
    return reading(nodes, lunmap, history, {"n1": NodeReports(reports)})
