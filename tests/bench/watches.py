"""The cost of following for the servers: watches, and bytes for each revision."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from bench.figure import AtMost, Figure, Measured
from bench.tree import ensemble, grown, lun_name, luns, terms, tree
from lunmapd.store.commit.commit import commit
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.watch import watch_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Ensemble
    from lunmapd.core.base.event_reasons import WakeCause

_SIZES = (100, 1000, 10_000)
_FOLLOWERS = 3
_PATIENCE = 60.0


def _watches() -> Measured:
    found = [_at(size) for size in _SIZES]
    watches = max(count for count, _ in found)
    sizes = ", ".join(f"{size:,}" for size in _SIZES)
    traffic = ", ".join(f"{read:,}" for _, read in found)
    return Measured(
        watches, f"{watches:g}", note=f"at {sizes} Luns; bytes of a revision of one Lun: {traffic}"
    )


def _at(size: int) -> tuple[float, int]:
    """Return the watches of one follower, and the bytes of the revision that it reads."""
    with ensemble(1) as servers, tree(servers) as admin:
        commit(admin, read_tree(admin), luns(size), terms())
        sessions = [Session(servers.hosts, admin.root, deadline=60.0) for _ in range(_FOLLOWERS)]
        known = []
        rings = [threading.Event() for _ in sessions]
        for session, ring in zip(sessions, rings, strict=True):
            session.start()
            known.append(read_tree(session))
            watch_head(session, _setter(ring))
            ring.clear()
        now = read_tree(admin)
        revision = commit(admin, now, grown(now.lunmap, lun_name(0)), terms())
        assert revision is not None
        for session, ring, before in zip(sessions, rings, known, strict=True):
            assert ring.wait(_PATIENCE), "a watch did not fire"
            assert refresh(session, before).revision == revision.revision
        total = _count(servers)
        read = len(admin.link.current.get(admin.path(f"revisions/{revision.revision:010d}"))[0])
        for session in sessions:
            session.close()
    return total / _FOLLOWERS, read


def _setter(ring: threading.Event) -> Callable[[WakeCause], None]:
    return lambda _: ring.set()


def _count(servers: Ensemble) -> int:
    match = re.search(r"zk_watch_count\s+(\d+)", servers.servers[0].ask("mntr"))
    assert match, "the server does not tell its watches"
    return int(match[1])


FIGURES = (
    Figure(
        "watches_per_node", "watches that a node holds, whatever the number of Luns", AtMost(1.0), _watches
    ),
)
