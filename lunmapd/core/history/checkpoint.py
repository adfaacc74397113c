"""The content of the whole map at one revision, as compressed chunks; pure."""

import zlib
from collections.abc import Mapping, Sequence

from msgspec import Raw, Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.history.digest import digest_documents, show_digest

CHUNK_SIZE = 512 * 1024
MAX_CHECKPOINT_SIZE = 1 << 28
"""Bytes of documents that a checkpoint may have: many times a map of 10,000 Luns, and no more than a node can hold."""


class CheckpointHeader(Struct, frozen=True):
    """`checkpoints/<n>`: what its chunks hold, the digest that it must have, and how many chunks there are."""

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
    """Read what `pack` wrote. Raises DocumentError when it is not whole, or not what the header says."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(b"".join(chunks), MAX_CHECKPOINT_SIZE)
    except zlib.error as error:
        raise DocumentError((), f"not a checkpoint: {error}") from None
    if not inflater.eof:
        raise DocumentError((), f"not a checkpoint: it has no end within {MAX_CHECKPOINT_SIZE} bytes")
    content = decode(data, dict[str, Raw])
    found = Checkpoint(header.revision, {path: bytes(raw) for path, raw in content.items()})
    if found.digest != header.digest:
        raise DocumentError((), f"it has the digest {found.digest}, not {header.digest}")
    return found
