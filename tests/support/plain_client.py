"""A plain ZooKeeper client on the tree of a session, for changes that lunmapd itself never makes."""

from typing import Self

from kazoo.client import KazooClient

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.history.digest import show_digest
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from support.commits import NOW
from support.digests import map_digest


class PlainClient:
    """A plain client on the same tree, for out-of-band changes as with zkCli."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.client = KazooClient(session.hosts)
        self._path = session.path

    def __enter__(self) -> Self:
        self.client.start(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop()
        self.client.close()

    def set(self, path: str, data: bytes) -> None:
        """Set a znode."""
        self.client.set(self._path(path), data)

    def create(self, path: str, data: bytes, *, ephemeral: bool = False) -> None:
        """Create a znode."""
        self.client.create(self._path(path), data, ephemeral=ephemeral)

    def delete(self, path: str) -> None:
        """Delete a znode and all below it."""
        self.client.delete(self._path(path).rstrip("/"), recursive=True)

    def get(self, path: str) -> bytes:
        """Read a znode."""
        data, _ = self.client.get(self._path(path))
        return bytes(data)

    def children(self, path: str) -> list[str]:
        """List the children of a znode, sorted."""
        return sorted(self.client.get_children(self._path(path).rstrip("/")))

    def copy(self, path: str = "") -> dict[str, bytes]:
        """Copy the znodes below a path, parents first, without ephemerals."""
        found: dict[str, bytes] = {}
        for name in self.children(path):
            below = f"{path}/{name}".strip("/")
            if not self.owner(below):
                found |= {below: self.get(below), **self.copy(below)}
        return found

    def put_back(self, copy: dict[str, bytes]) -> None:
        """Rewind the tree to a copy, as servers with older data do."""
        self.delete("")
        self.client.create(self.session.root, makepath=True)
        for path, data in copy.items():
            self.create(path, data)

    def owner(self, path: str) -> int | None:
        """Return the session that owns an ephemeral, None when it isn't there."""
        stat = self.client.exists(self._path(path))
        return None if stat is None else stat.ephemeralOwner


def owns(session: Session, node: str) -> bool:
    """Return whether the ephemeral of a node belongs to a session."""
    path = session.path(paths.live_of(node))
    stat = session.repeat(lambda client: client.exists_async(path))
    return stat is not None and stat.ephemeralOwner == session.session_id


def make_former_tree(session: Session, lunmap: Lunmap) -> None:
    """Make a tree as version 1 of the schema had it: empty, or with a map that revision 1 brought."""
    digest, changes = show_digest(map_digest(lunmap)), diff_maps(Lunmap(), lunmap)
    content = {
        "meta": b'{"schema":1,"cluster":"former"}',
        "head": encode({"revision": len(changes) and 1, "digest": digest}),
        **dict.fromkeys(("luns", "targets", "initiators", "nodes", "revisions", "live", "status"), b""),
        **{f"{section}/{name}": encode(document) for section, name, document in lunmap.documents()},
    }
    if changes:
        content["revisions/0000000001"] = encode(Revision(1, digest, "ann", NOW, "", changes))
    with PlainClient(session) as shell:
        shell.client.create(session.root, makepath=True)
        for path, data in content.items():
            shell.create(path, data)
