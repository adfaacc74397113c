"""Keeping the history short: a checkpoint, and then the older revisions go.

At every moment the history is whole from its oldest revision on, or from the newest checkpoint on, so whoever stops in
the middle leaves nothing to be mended; the next one goes on.
"""

from collections.abc import Sequence

from msgspec import Struct

from lunmapd.core.base.documents import encode
from lunmapd.core.history.checkpoint import Checkpoint, Header, pack
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import ensure
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.checkpoint import list_checkpoints, newest_checkpoint, read_checkpoint
from lunmapd.store.tree.history import checkpoint_at
from lunmapd.store.tree.read import read_all
from lunmapd.store.tree.znodes import children, list_revisions

KEEP = 1000
BATCH = 500


class Trimmed(Struct, frozen=True):
    """What was done: the oldest revision that is kept, and how many older ones were removed."""

    oldest: int
    removed: int


def trim(session: Session, keep: int) -> Trimmed:
    """Keep the last `keep` revisions, at least one, and write down the whole map at the oldest of them.

    Raises HistoryTrimmedError, HistoryUnknownError and DamagedError when the history can't give that map; nothing is
    removed then.
    """
    snapshot = read_all(session)
    oldest = snapshot.revision - max(keep, 1) + 1
    doomed = [number for number in list_revisions(session) if number < oldest]
    identity = paths.identity(snapshot.cluster, snapshot.incarnation)
    if doomed:
        write_checkpoint(session, identity, checkpoint_at(session, snapshot, oldest))
        _remove(session, identity, [paths.revision(number) for number in doomed])
    _remove_checkpoints(session, identity, newest_checkpoint(session, snapshot.revision).revision)
    return Trimmed(max(oldest, 1), len(doomed))


def trim_if_long(session: Session, keep: int = KEEP) -> None:
    """Trim when there is twice as much as is kept; so most commits pay nothing, and few pay for many."""
    if len(list_revisions(session)) > 2 * keep:
        trim(session, keep)


def write_checkpoint(session: Session, identity: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, and read it back. Raises DamagedError when what is there is something else.

    Chunks are only ever made, never changed, and the header comes last: whoever writes the same one at the same time,
    or wrote a part of it before, does no harm.
    """
    chunks = pack(checkpoint)
    header = Header(checkpoint.revision, checkpoint.digest, len(chunks))
    path = paths.checkpoint(checkpoint.revision)
    ensure(session, identity, (Write(path, None, b""),))
    for index, chunk in enumerate(chunks):
        ensure(session, identity, (Write(paths.chunk(checkpoint.revision, index), None, chunk),))
    ensure(session, identity, (Write(path, b"", encode(header), version=0),))
    if read_checkpoint(session, checkpoint.revision) != checkpoint:
        raise DamagedError(session.path(path), "it is not what was written; remove it and trim again")


def _remove(session: Session, identity: str, oldest_first: Sequence[str]) -> None:
    for start in range(0, len(oldest_first), BATCH):
        batch = oldest_first[start : start + BATCH]
        if not ensure(session, identity, [Write(path, b"", None) for path in batch]):
            # Another client removes some of them at the same time.
            for path in batch:
                ensure(session, identity, (Write(path, b"", None),))


def _remove_checkpoints(session: Session, identity: str, newest: int) -> None:
    for number in list_checkpoints(session):
        if number < newest:
            path = paths.checkpoint(number)
            below = [f"{path}/{name}" for name in children(session, path) or ()]
            ensure(session, identity, [Write(each, b"", None) for each in (*below, path)])
