"""Trimming the history: a checkpoint is written, then the older revisions are deleted.

At every moment the history is whole from its oldest revision on, or from the newest checkpoint on. A trim
that stops half-way leaves nothing to repair; the next trim continues it.
"""

from collections.abc import Sequence

from msgspec import Struct

from lunmapd.core.base.documents import encode
from lunmapd.core.history.checkpoint import Checkpoint, CheckpointHeader, pack_checkpoint
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import submit_in_tree
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.checkpoint import list_checkpoints, newest_checkpoint, read_checkpoint
from lunmapd.store.tree.history import checkpoint_at
from lunmapd.store.tree.read import read_base
from lunmapd.store.tree.znodes import list_children, list_revisions

MAX_BATCH = 500
"""The revisions that one transaction deletes at most."""


class Trimmed(Struct, frozen=True):
    """The result of a trim: the oldest revision that is kept, and the number of deleted revisions."""

    oldest: int
    removed: int


def trim(session: Session, keep: int) -> Trimmed:
    """Keep the last `keep` revisions, at least one, and a checkpoint of the whole map at the oldest of them.

    During a rollout the revision before it counts as the last one, since nodes may still follow it. Raises
    HistoryTrimmedError, HistoryUnknownError and DamagedError if the history does not lead to that map;
    nothing is deleted then.
    """
    snapshot = read_base(session)
    oldest = snapshot.revision - max(keep, 1) + 1
    old = [number for number in list_revisions(session) if number < oldest]
    tree_id = paths.tree_id(snapshot.cluster, snapshot.incarnation)
    if old:
        write_checkpoint(session, tree_id, checkpoint_at(session, snapshot, oldest))
        _remove(session, tree_id, [paths.revision(number) for number in old])
    _remove_checkpoints(session, tree_id, newest_checkpoint(session, snapshot.revision).revision)
    return Trimmed(max(oldest, 1), len(old))


def trim_if_long(session: Session, keep: int) -> None:
    """Trim if there are more than twice as many revisions as `keep`, so that few commits pay for a trim."""
    if len(list_revisions(session)) > 2 * keep:
        trim(session, keep)


def write_checkpoint(session: Session, tree_id: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, and read it back. Raises DamagedError if another content is read.

    Chunks are only created, never changed, and the header comes last. So another client that writes the same
    checkpoint, or wrote a part of it before, does no harm.
    """
    chunks = pack_checkpoint(checkpoint)
    header = CheckpointHeader(checkpoint.revision, checkpoint.digest, len(chunks))
    path = paths.checkpoint(checkpoint.revision)
    submit_in_tree(session, tree_id, (Write(path, None, b""),))
    for index, chunk in enumerate(chunks):
        submit_in_tree(session, tree_id, (Write(paths.chunk(checkpoint.revision, index), None, chunk),))
    submit_in_tree(session, tree_id, (Write(path, b"", encode(header), version=0),))
    if read_checkpoint(session, checkpoint.revision) != checkpoint:
        raise DamagedError(session.path(path), "it differs from what was written; delete it and trim again")


def _remove(session: Session, tree_id: str, oldest_first: Sequence[str]) -> None:
    for start in range(0, len(oldest_first), MAX_BATCH):
        batch = oldest_first[start : start + MAX_BATCH]
        if not submit_in_tree(session, tree_id, [Write(path, b"", None) for path in batch]):
            # Another client deletes some of them at the same time.
            for path in batch:
                submit_in_tree(session, tree_id, (Write(path, b"", None),))


def _remove_checkpoints(session: Session, tree_id: str, newest: int) -> None:
    for number in list_checkpoints(session):
        if number < newest:
            path = paths.checkpoint(number)
            below = [f"{path}/{name}" for name in list_children(session, path) or ()]
            submit_in_tree(session, tree_id, [Write(each, b"", None) for each in (*below, path)])
