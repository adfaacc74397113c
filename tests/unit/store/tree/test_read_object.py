"""Reading one object, from the answers of a server."""

from typing import Any, NamedTuple

from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Head, Revision, Rollout
from lunmapd.store.session import paths
from lunmapd.store.session.multi_read import NO_NODE, ZnodeRead
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_object
from lunmapd.store.tree.snapshot import Meta, Snapshot
from support.stored_map import lun

ROLLOUT = Rollout(2, 1, "base", seconds=60)
UNDOING = Revision(3, "base", "a", "t", "m", (), undoes=2)
TREE = {
    "/lunmap/meta": encode(Meta(2, "c")),
    "/lunmap/head": encode(Head(2, "tried", rollout=ROLLOUT)),
    "/lunmap/luns/l1": encode(lun(1, 1024)),
    f"/lunmap/{paths.revision(2)}": encode(Revision(2, "tried", "a", "t", "m", ())),
    f"/lunmap/{paths.revision(3)}": encode(UNDOING),
}


_new_stat: Any = ZnodeStat


class Reply(NamedTuple):
    """A reply that is there already."""

    found: Any

    def get(self, timeout: float | None = None) -> Any:
        """Return it, or raise its error."""
        assert timeout is not None
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Promise:
    """A reply to a request for many znodes, which `Server` fills in."""

    found: Any = None

    def get(self, timeout: float | None = None) -> Any:
        """Return it."""
        assert timeout is not None
        return self.found


class Handler:
    """Makes replies."""

    def async_result(self) -> Promise:
        """Make one."""
        return Promise()


class Server(NamedTuple):
    """A server, and the connection to it; its rollout has so many marks of nodes."""

    marks: int

    def client(self, _until: float) -> "Server":
        """Return the client that is connected."""
        return self

    def answered(self) -> None:
        """Need no record."""

    def _stat(self, path: str) -> Any:
        children = self.marks if path == f"/lunmap/{paths.rollout_of(0, 2)}" else 0
        return _new_stat(*(0,) * 9, children, 0)

    def sync_async(self, path: str) -> Reply:
        """Answer at once."""
        return Reply(path)

    @property
    def handler(self) -> Handler:
        """What makes replies."""
        return Handler()

    def _call(self, request: Any, promise: Promise) -> None:
        promise.found = [
            ZnodeRead(TREE[path], 0) if path in TREE else ZnodeRead(b"", 0, NO_NODE) for path in request.paths
        ]

    def get_async(self, path: str) -> Reply:
        """Return the bytes of a znode."""
        return Reply((TREE[path], self._stat(path)) if path in TREE else NoNodeError())

    def exists_async(self, path: str) -> Reply:
        """Return the metadata of any znode."""
        return Reply(self._stat(path))


def _read(marks: int) -> Snapshot | None:
    session, server = Session("127.0.0.1:9"), Server(marks)
    vars(session)["link"] = server
    return read_object(session, "luns/l1")


def test_an_object_of_a_rollout_that_is_undone_is_not_read() -> None:
    """Until the next commit the tree has it as it was tried, and not as the followed revision has it."""
    tried = _read(marks=0)
    assert tried is not None
    assert (tried.revision, tried.lunmap.luns["l1"].size) == (2, 1024)
    assert _read(marks=1) is None
