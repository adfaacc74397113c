"""Reading and writing the tree with a plain ZooKeeper client and the documented layout only."""

from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.client import KazooClient

from chaos.history import Tree
from lunmapd.core.base.documents import decode
from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.core.history.changes import Head, Revision

_CONNECT = 60.0


@contextmanager
def bare(hosts: str) -> Iterator[KazooClient]:
    """Give a client of its own, connected."""
    client = KazooClient(hosts, timeout=10.0)
    client.start(_CONNECT)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def read_head(hosts: str, root: str) -> Head:
    """Read the newest head."""
    with bare(hosts) as client:
        client.sync_async(f"{root}/head").get(timeout=_CONNECT)
        return decode(client.get(f"{root}/head")[0], Head)


def read_tree(hosts: str, root: str) -> Tree:
    """Read everything that commits write; no commit may be running."""
    with bare(hosts) as client:
        client.sync_async(f"{root}/head").get(timeout=_CONNECT)
        head = decode(client.get(f"{root}/head")[0], Head)
        revisions = [
            decode(client.get(f"{root}/revisions/{name}")[0], Revision)
            for name in sorted(client.get_children(f"{root}/revisions"))
        ]
        objects = {
            f"{section}/{name}": client.get(f"{root}/{section}/{name}")[0]
            for section in SECTIONS
            for name in client.get_children(f"{root}/{section}")
        }
        records = {
            name: client.get(f"{root}/addresses/{name}")[0]
            for name in client.get_children(f"{root}/addresses")
            if name != "ids"
        }
    return Tree(head, tuple(revisions), objects, records)
