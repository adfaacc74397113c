"""Checkpoints: the whole map at one revision, from which the history goes on when older revisions are gone."""

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.history.checkpoint import EMPTY_CHECKPOINT, Checkpoint, CheckpointHeader, unpack_checkpoint
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import list_children, read_znodes


def list_checkpoints(session: Session) -> list[int]:
    """List the revisions at which there are checkpoints, whole or not, in order."""
    return paths.numbers_in(list_children(session, paths.CHECKPOINTS) or ())


def newest_checkpoint(session: Session, revision: int) -> Checkpoint:
    """Read the newest whole checkpoint at or before `revision`; the empty map of revision 0 when there is none."""
    for number in reversed(list_checkpoints(session)):
        if number <= revision and (found := read_checkpoint(session, number)):
            return found
    return EMPTY_CHECKPOINT


def read_checkpoint(session: Session, number: int) -> Checkpoint | None:
    """Read one checkpoint; None when it is not whole."""
    path = paths.checkpoint(number)
    (raw,), there = read_znodes(session, (path,)), list_children(session, path)
    if raw is None or there is None:
        return None
    try:
        header = decode(raw.data, CheckpointHeader)
        if header.chunks > len(there):
            # Nobody knows how many the header of a damaged checkpoint would have us ask for.
            return None
        found = read_znodes(session, [paths.chunk(number, index) for index in range(header.chunks)])
        chunks = [chunk.data for chunk in found if chunk is not None]
        return unpack_checkpoint(header, chunks) if header.revision == number else None
    except DocumentError:
        return None
