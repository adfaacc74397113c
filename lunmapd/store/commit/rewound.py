"""Accepting a tree that ZooKeeper itself was put back to, as from a copy of its data directory."""

from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Revision
from lunmapd.store.commit.commit import commit_on_newest
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content, Write
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.snapshot import Snapshot, meta_of


def accept_rewound(session: Session, before: Snapshot, options: CommitOptions) -> Revision | None:
    """Make the tree a new incarnation and confirm it at once, so that nodes that knew a newer one follow it.

    Raises the errors of `commit`.
    """

    def wanted(latest: Snapshot) -> Content:
        meta = meta_of(latest)
        renewed = replace(meta, incarnation=meta.incarnation + 1, restored=latest.revision)
        writes = (
            Write(paths.META, b"", encode(renewed)),
            Write(paths.tree_id(meta.cluster, meta.incarnation), b"", None),
            Write(paths.tree_id(renewed.cluster, renewed.incarnation), None, b""),
        )
        return Content(confirms=latest.revision, writes=writes)

    return commit_on_newest(session, before, wanted, options)
