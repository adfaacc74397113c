"""Checkpoints as they are stored in the tree."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history import checkpoint
from lunmapd.core.history.checkpoint import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    CheckpointHeader,
    pack_checkpoint,
    unpack_checkpoint,
)
from support.strategies import lunmaps


def checkpoint_of(lunmap: Lunmap) -> Checkpoint:
    """Make the checkpoint of a map."""
    return Checkpoint(3, {f"{section}/{name}": encode(value) for section, name, value in lunmap.documents()})


def header(found: Checkpoint, chunks: list[bytes]) -> CheckpointHeader:
    """Make the header that fits."""
    return CheckpointHeader(found.revision, found.digest, len(chunks))


@given(lunmaps(), st.integers(1, 300))
def test_a_checkpoint_survives_its_chunks(lunmap: Lunmap, size: int) -> None:
    """A checkpoint read from chunks of any size is equal, and no chunk is larger."""
    found = checkpoint_of(lunmap)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "CHUNK_SIZE", size)
        chunks = pack_checkpoint(found)
    assert unpack_checkpoint(header(found, chunks), chunks) == found
    assert all(0 < len(chunk) <= size for chunk in chunks)


def test_the_same_map_gives_the_same_chunks() -> None:
    """The order in which documents were read does not matter."""
    documents = {"luns/a": b"{}", "luns/b": b"{}"}
    assert pack_checkpoint(Checkpoint(1, documents)) == pack_checkpoint(
        Checkpoint(1, dict(reversed(documents.items())))
    )
    assert EMPTY_CHECKPOINT.digest == "0" * 64


@pytest.mark.parametrize(
    "chunks", [[], [b"garbage"], [zlib.compress(b"garbage")], [zlib.compress(b'{"luns/a":{}}')]]
)
def test_what_is_not_the_checkpoint_is_refused(chunks: list[bytes]) -> None:
    """Chunks that are missing, no data, no documents or other documents are not taken for it."""
    found = Checkpoint(1, {"luns/a": b'{"x":1}'})
    with pytest.raises(DocumentError):
        unpack_checkpoint(header(found, chunks), chunks)


def test_a_checkpoint_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small checkpoint that unpacks to a very large map is refused."""
    found = Checkpoint(1, {"luns/a": encode({"x": "y" * 1000})})
    chunks = pack_checkpoint(found)
    monkeypatch.setattr(checkpoint, "MAX_CHECKPOINT_SIZE", 1000)
    with pytest.raises(DocumentError, match="does not end within 1000 bytes"):
        unpack_checkpoint(header(found, chunks), chunks)


def test_a_chunk_too_few_is_refused() -> None:
    """A checkpoint without its last chunk is none."""
    found = Checkpoint(1, {"luns/a": encode({"x": "y" * 1000})})
    (chunk,) = pack_checkpoint(found)
    with pytest.raises(DocumentError):
        unpack_checkpoint(replace(header(found, [chunk]), chunks=2), [chunk[:-3]])
