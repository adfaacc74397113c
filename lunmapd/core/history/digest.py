"""The digest of a whole map, kept incrementally: a sum modulo 2^256 over the hash of each document.

Adding and removing documents adds and subtracts, in any order, so checking a revision costs what changed.
It detects edits and lost updates; it is not meant to withstand a forger, who could write `head` as well.
"""

import hashlib
from collections.abc import Iterable

EMPTY_DIGEST = 0
_MODULUS = 1 << 256


def document_digest(path: str, data: bytes) -> int:
    """Hash one document with the path under which it stands."""
    return int.from_bytes(hashlib.sha256(path.encode() + b"\0" + data).digest())


def digest_documents(documents: Iterable[tuple[str, bytes]]) -> int:
    """Digest of a set of documents, as (path, bytes)."""
    return sum(document_digest(path, data) for path, data in documents) % _MODULUS


def replace_document(digest: int, path: str, before: bytes | None, after: bytes | None) -> int:
    """Digest after one document went from `before` to `after`; None stands for absent."""
    if before is not None:
        digest -= document_digest(path, before)
    if after is not None:
        digest += document_digest(path, after)
    return digest % _MODULUS


def show_digest(digest: int) -> str:
    """Print a digest as 64 hex digits."""
    return f"{digest:064x}"
