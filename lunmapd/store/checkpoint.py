"""Checkpoints: the whole map at one revision, from which the history goes on when older revisions are gone."""

from lunmapd.core.checkpoint import EMPTY, Checkpoint, Header, pack, unpack
from lunmapd.core.documents import DocumentError, decode, encode
from lunmapd.store import paths
from lunmapd.store.draft import Write
from lunmapd.store.errors import DamagedError
from lunmapd.store.send import ensure
from lunmapd.store.session import Session
from lunmapd.store.top import children, fetch


def list_checkpoints(session: Session) -> list[int]:
    """List the revisions at which there are checkpoints, whole or not, in order."""
    return paths.numbers(children(session, paths.CHECKPOINTS) or ())


def newest_checkpoint(session: Session, revision: int) -> Checkpoint:
    """Read the newest whole checkpoint at or before `revision`; the empty map of revision 0 when there is none."""
    for number in reversed(list_checkpoints(session)):
        if number <= revision and (found := read_checkpoint(session, number)):
            return found
    return EMPTY


def read_checkpoint(session: Session, number: int) -> Checkpoint | None:
    """Read one checkpoint; None when it is not whole."""
    path = paths.checkpoint(number)
    (raw,), there = fetch(session, (path,)), children(session, path)
    if raw is None or there is None:
        return None
    try:
        header = decode(raw.data, Header)
        if header.chunks > len(there):
            # Nobody knows how many the header of a damaged checkpoint would have us ask for.
            return None
        found = fetch(session, [paths.chunk(number, index) for index in range(header.chunks)])
        chunks = [chunk.data for chunk in found if chunk is not None]
        return unpack(header, chunks) if header.revision == number else None
    except DocumentError:
        return None


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
