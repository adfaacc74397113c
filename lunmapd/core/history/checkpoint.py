"""The content of the whole map at one revision, as compressed chunks."""

import zlib
from collections.abc import Mapping, Sequence

from msgspec import Raw, Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.history.digest import digest_documents, show_digest

CHUNK_SIZE = 512 * 1024  # bytes
MAX_CHECKPOINT_SIZE = 1 << 28
"""The limit of a checkpoint's documents in bytes: many times a map of 10,000 Luns, and small enough for
memory."""


class CheckpointHeader(Struct, frozen=True):
    """`checkpoints/<n>`: the revision, the digest of the map and the number of chunks."""

    revision: int
    digest: str
    chunks: int


class Checkpoint(Struct, frozen=True):
    """The canonical documents of all objects, by path, at one revision."""

    revision: int
    documents: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The digest of the whole map."""
        return show_digest(digest_documents(self.documents.items()))


EMPTY_CHECKPOINT = Checkpoint(0, {})


def pack_checkpoint(checkpoint: Checkpoint) -> list[bytes]:
    """Compress the documents (zlib, of JSON by path) into chunks that each fit a znode."""
    content = {path: Raw(data) for path, data in sorted(checkpoint.documents.items())}
    data = zlib.compress(encode(content), level=6)
    return [data[start : start + CHUNK_SIZE] for start in range(0, len(data), CHUNK_SIZE)]


def unpack_checkpoint(header: CheckpointHeader, chunks: Sequence[bytes]) -> Checkpoint:
    """Return the checkpoint that `pack_checkpoint` packed.

    Raises DocumentError if it is incomplete or does not fit the header.
    """
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(b"".join(chunks), MAX_CHECKPOINT_SIZE)
    except zlib.error as error:
        raise DocumentError((), f"not a checkpoint: {error}") from None
    if not inflater.eof:
        raise DocumentError((), f"not a checkpoint: it does not end within {MAX_CHECKPOINT_SIZE} bytes")
    content = decode(data, dict[str, Raw])
    checkpoint = Checkpoint(header.revision, {path: bytes(raw) for path, raw in content.items()})
    if checkpoint.digest != header.digest:
        raise DocumentError((), f"it has the digest {checkpoint.digest}, not {header.digest}")
    return checkpoint
