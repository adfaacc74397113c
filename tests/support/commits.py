"""What the integration tests share: maps, commits, waiting, and edits around the tools."""

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Self, TypeVar

from kazoo.client import KazooClient
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap
from lunmapd.core.history.changes import Revision, diff, map_digest
from lunmapd.core.history.digest import show
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_options import CommitOptions, Precondition
from lunmapd.store.commit.draft import Signature
from lunmapd.store.session import paths
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot

NOW = "2025-01-31T12:00:00Z"
NOON = datetime.fromisoformat(NOW)
GIB = 1 << 30
T = TypeVar("T")


def wait_until(condition: Callable[[], bool], deadline: float = 120.0) -> None:
    """Poll a condition, for at most `deadline` seconds."""
    until = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.05)


def at_last(call: Callable[[], T]) -> T:
    """Return what a call gives, made again as long as a session with a short deadline has not found its server."""
    until = time.monotonic() + 120.0
    while True:
        try:
            return call()
        except UnreachableError:
            assert time.monotonic() < until, "ZooKeeper was out of reach all the time"


def owns(session: Session, node: str) -> bool:
    """Tell whether the ephemeral of a node belongs to a session."""
    path = session.path(paths.live_of(node))
    stat = session.repeat(lambda client: client.exists_async(path))
    return stat is not None and stat.ephemeralOwner == session.session_id


def lun(number: int, size: int = GIB) -> Lun:
    """Make a Lun whose path and serial follow from its number."""
    return Lun(Block(f"/dev/vg/l{number}"), serial=f"{number:025x}", size=size)


def luns(*numbers: int) -> Lunmap:
    """Make a map of Luns l<number>."""
    return Lunmap(luns={f"l{number}": lun(number) for number in numbers})


def with_lun(lunmap: Lunmap, name: str, value: Lun | None) -> Lunmap:
    """Return the map with one Lun set, or removed."""
    others = {key: other for key, other in lunmap.luns.items() if key != name}
    return replace(lunmap, luns=others if value is None else others | {name: value})


def any_map(_before: Lunmap, _after: Lunmap) -> tuple[Problem, ...]:
    """Allow every map, where the rules are not what is tested."""
    return ()


def terms(author: str = "ann", check: Precondition = any_map, expect: int | None = None) -> CommitOptions:
    """Make the terms of a commit."""
    return CommitOptions(Signature(author, "a test", NOON), check, expect)


def put(
    session: Session,
    after: Lunmap,
    before: Snapshot | None = None,
    *,
    author: str = "ann",
    check: Precondition = any_map,
) -> Revision | None:
    """Commit a map, on top of what is there unless `before` is given."""
    return commit(session, before or read_tree(session), after, terms(author, check))


def mutate(lunmap: Lunmap, dice: random.Random) -> Lunmap:
    """Change, add or remove up to three objects."""
    for _ in range(dice.randint(1, 3)):
        number = dice.randint(0, 20)
        value = None if dice.random() < 0.3 else lun(number, dice.randint(1, 9) * GIB)
        lunmap = with_lun(lunmap, f"l{number}", value)
    if dice.random() < 0.3:
        lunmap = replace(
            lunmap, initiators={"iqn.2025-01.org.example:h": Initiator(alias=str(dice.random()))}
        )
    return lunmap


def make_former_tree(session: Session, lunmap: Lunmap) -> None:
    """Make a tree as version 1 of the schema had it: empty, or with a map that revision 1 brought."""
    digest, changes = show(map_digest(lunmap)), diff(Lunmap(), lunmap)
    content = {
        "meta": b'{"schema":1,"cluster":"former"}',
        "head": encode({"revision": len(changes) and 1, "digest": digest}),
        **dict.fromkeys(("luns", "targets", "initiators", "nodes", "revisions", "live", "status"), b""),
        **{f"{section}/{name}": encode(document) for section, name, document in lunmap.documents()},
    }
    if changes:
        content["revisions/0000000001"] = encode(Revision(1, digest, "ann", NOW, "", changes))
    with Shell(session) as shell:
        shell.client.create(session.root, makepath=True)
        for path, data in content.items():
            shell.create(path, data)


class Shell:
    """A plain client on the same tree, as zkCli would be used around the tools."""

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
        """Copy what lies below a path, parents first, but for what belongs to a session."""
        found: dict[str, bytes] = {}
        for name in self.children(path):
            below = f"{path}/{name}".strip("/")
            if not self.owner(below):
                found |= {below: self.get(below), **self.copy(below)}
        return found

    def put_back(self, copy: dict[str, bytes]) -> None:
        """Make the tree what it was when it was copied, as older data of the servers do."""
        self.delete("")
        self.client.create(self.session.root, makepath=True)
        for path, data in copy.items():
            self.create(path, data)

    def owner(self, path: str) -> int | None:
        """Return the session that owns an ephemeral, None when it isn't there."""
        stat = self.client.exists(self._path(path))
        return None if stat is None else stat.ephemeralOwner
