"""Reading checkpoints.

A checkpoint is the whole map at one revision, from which the history continues when older revisions are
trimmed.
"""

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.history.checkpoint import EMPTY_CHECKPOINT, Checkpoint, CheckpointHeader, unpack_checkpoint
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import list_children, read_znodes


def list_checkpoints(session: Session) -> list[int]:
    """Return the revisions that have a checkpoint, whole or not, in order."""
    return paths.numbers_in(list_children(session, paths.CHECKPOINTS) or ())


def newest_checkpoint(session: Session, revision: int) -> Checkpoint:
    """Read the newest whole checkpoint at or before `revision`.

    Without one, return the empty map of revision 0.
    """
    for number in reversed(list_checkpoints(session)):
        if number <= revision and (checkpoint := read_checkpoint(session, number)):
            return checkpoint
    return EMPTY_CHECKPOINT


def read_checkpoint(session: Session, number: int) -> Checkpoint | None:
    """Read the checkpoint at revision `number`; None if it is not whole."""
    path = paths.checkpoint(number)
    (raw,), names = read_znodes(session, (path,)), list_children(session, path)
    if raw is None or names is None:
        return None
    try:
        header = decode(raw.data, CheckpointHeader)
        if header.chunks > len(names):
            # A damaged header could ask for any number of chunks.
            return None
        raws = read_znodes(session, [paths.chunk(number, index) for index in range(header.chunks)])
        chunks = [chunk.data for chunk in raws if chunk is not None]
        return unpack_checkpoint(header, chunks) if header.revision == number else None
    except DocumentError:
        return None
