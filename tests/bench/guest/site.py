"""lunmapd on one machine: a node's whole cycle, except for the way to ZooKeeper and back."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.guest.shape import NODE
from lunmapd.agent.loop.report import CycleResult, first_status, next_status
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.core.base.documents import decode, encode
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.history.changes import Head, Revision, diff_maps, patch_map_digest, split_path
from lunmapd.core.history.digest import digest_documents, show_digest
from lunmapd.core.history.map_change import change_among
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.secrets.sealing import Keyring, Vault
from lunmapd.lio.worker.kernel import Kernel
from lunmapd.store.tree.snapshot import Snapshot, advance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.history.map_change import MapChange

_TIME = "2026-01-01T00:00:00Z"


class Node:
    """A node that follows maps; `audit` as in Schedule."""

    def __init__(self, directory: Path, audit: float) -> None:
        self.kernel = Kernel()
        self.snapshot: Snapshot | None = None
        self._claims = Claims(directory)
        self._local = LocalSnapshot(directory)
        self._state = PassState(audit)
        self._status = first_status("boot", _TIME)

    def record(self, lunmap: Lunmap) -> bytes:
        """Return the revision from the followed map to this one, as it is stored in ZooKeeper."""
        known = self.snapshot
        assert known is not None
        changes = diff_maps(known.lunmap, lunmap)
        value = show_digest(patch_map_digest(int(known.digest, 16), changes))
        return encode(Revision(known.revision + 1, value, "bench", _TIME, "", changes))

    def start(self, lunmap: Lunmap) -> None:
        """Follow a map as it was read as a whole."""
        value = show_digest(
            digest_documents(
                (f"{section}/{name}", encode(item)) for section, name, item in lunmap.documents()
            )
        )
        self._turn(Snapshot("bench", 1, value, value, 1, lunmap))

    def follow(self, record: bytes) -> None:
        """Follow one revision."""
        assert self.snapshot is not None
        revision = decode(record, Revision)
        head = Head(revision.revision, revision.digest)
        snapshot = advance(self.snapshot, head, revision.revision, [revision])
        assert snapshot is not None
        objects = (split_path(change.path) for change in revision.changes)
        self._turn(snapshot, change_among(objects, self.snapshot.lunmap, snapshot.lunmap))

    def again(self) -> None:
        """Make a pass by the same map."""
        assert self.snapshot is not None
        self._turn(self.snapshot)

    def _turn(self, snapshot: Snapshot, change: MapChange | None = None) -> None:
        """Store a map and make a pass by it, as the daemon does; `change` leads to it."""
        if snapshot is not self.snapshot:
            self._local.keep(snapshot, change)
        self.snapshot = snapshot
        vault = Vault("bench", Keyring())
        given = PassInput(NODE, snapshot.revision, snapshot.lunmap, {}, vault, change=change)
        result = reconcile(PassPorts(self.kernel, self._claims), given, self._state)
        at = HistoryPoint("bench", snapshot.revision, snapshot.digest)
        self._status = next_status(self._status, CycleResult(at, result), _TIME)
        assert result.converged, (result.failures, result.left[:1])


@contextmanager
def node(audit: float = 0.0) -> Iterator[Node]:
    """Give a node, and end its worker."""
    with tempfile.TemporaryDirectory() as directory:
        made = Node(Path(directory), audit)
        try:
            yield made
        finally:
            made.kernel.close()
