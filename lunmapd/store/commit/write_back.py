"""Before and after a rollout: the parent of its znode, and writing back the objects that it changed."""

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.permissions.principals import ROLLOUTS
from lunmapd.core.history.changes import Head, Revision, Rollout, patch_map
from lunmapd.core.history.spans import invert_changes
from lunmapd.store.commit.commit_errors import RolloutEditedError
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.draft_rollout import undoing_writes, undone_changes
from lunmapd.store.commit.ledger import departure_writes
from lunmapd.store.commit.send import submit_in_tree, submit_repeatable
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import read_revision
from lunmapd.store.tree.snapshot import Raw, Snapshot
from lunmapd.store.tree.znodes import list_children, read_znodes


def prepare_rollout(session: Session, latest: Snapshot) -> None:
    """Create the parent of the znodes of rollouts, which a tree of an earlier version lacks.

    Raises RolloutEditedError.
    """
    if latest.has_edits:
        raise RolloutEditedError(sorted(latest.edited))
    submit_repeatable(session, (Write(ROLLOUTS, None, b""),), (paths.META,))


def write_back(session: Session, latest: Snapshot) -> None:
    """Write the objects as the revision has them that undid a rollout, and make that revision the head.

    An object that was edited out of band since stays as it is, an out-of-band edit of that revision.

    Nodes follow that revision already. If another client is faster, nothing is written; the caller reads the
    tree again in any case. Raises DamagedError, and the errors of `submit_repeatable`.
    """
    rollout = latest.rollout
    assert rollout is not None, "the caller has found a rollout that was undone"
    record = read_revision(session, rollout.undo, rollout.undo)
    found = read_objects(session, record)
    tried = patch_map(latest.lunmap, invert_changes(undone_changes(record, found)))
    tree_id = paths.tree_id(latest.cluster, latest.incarnation)
    write_departures(session, latest, tried, latest.lunmap, rollout)
    head = Head(rollout.undo, rollout.digest, latest.confirmed, None, latest.allowance, latest.ledger)
    writes = undoing_writes(record, found)
    if submit_in_tree(session, tree_id, (Write(paths.HEAD, b"", encode(head), latest.head_version), *writes)):
        _remove_marks(session, tree_id, paths.rollout_of(latest.incarnation, rollout.revision))


def write_departures(
    session: Session, latest: Snapshot, before: Lunmap, after: Lunmap, rollout: Rollout
) -> None:
    """Record in the ledger what undoing a rollout ends. Raises DamagedError."""
    writes = departure_writes(session, latest, before, after, rollout.undo)
    for batch in batches(writes, WriteOverhead(len(session.root))):
        submit_in_tree(session, paths.tree_id(latest.cluster, latest.incarnation), batch)


def read_objects(session: Session, record: Revision) -> dict[str, Raw]:
    """Return the objects in the tree that a revision changes, by path."""
    touched = [change.path for change in record.changes]
    return {path: raw for path, raw in zip(touched, read_znodes(session, touched), strict=True) if raw}


def _remove_marks(session: Session, tree_id: str, znode: str) -> None:
    """Delete the znode of a rollout with the marks of nodes; what is left does no harm."""
    marks = list_children(session, znode) or ()
    for path in (*(f"{znode}/{name}" for name in marks), znode):
        submit_in_tree(session, tree_id, (Write(path, b"", None),))
