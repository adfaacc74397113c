"""Whether a tree is the one that was read before, or another, a restored or an older one."""

from lunmapd.core.history.changes import Head
from lunmapd.store.session.errors import ForeignClusterError, RestoredError, WentBackError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.snapshot import Meta, Snapshot
from lunmapd.store.tree.znodes import Top, read_revisions


def check_lineage(known: Snapshot, top: Top) -> None:
    """Check that a tree is that of `known`, at its revision or a later one.

    Raises ForeignClusterError, RestoredError or WentBackError.
    """
    meta, head = top.meta, top.head
    if meta.cluster != known.cluster:
        raise ForeignClusterError(known.cluster, meta.cluster)
    if meta.incarnation > known.incarnation:
        raise RestoredError(
            known.incarnation, meta.incarnation, head.revision, confirmed=_is_accepted(meta, head)
        )
    older = (meta.incarnation, head.revision) < (known.incarnation, known.revision)
    if older or (head.revision == known.revision and head.digest != known.head_digest):
        raise WentBackError(known.revision, head.revision)


def check_past(session: Session, known: Snapshot, head: Head) -> None:
    """Check that the tree still has the revision of `known`, not another one of that number.

    Raises WentBackError. This finds a tree that went back and has new commits since. Where that revision was
    trimmed nothing can be proven, and the tree is followed: otherwise a node that was away for long could
    never follow it again.
    """
    if head.revision > known.revision:
        for revision in read_revisions(session, (known.revision,)):
            if revision.digest != known.head_digest:
                raise WentBackError(known.revision, revision.revision)


def _is_accepted(meta: Meta, head: Head) -> bool:
    """Return whether the tree was confirmed since it was restored; a restore leaves nothing confirmed."""
    return 0 < head.confirmed >= meta.restored
