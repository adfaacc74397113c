"""The digest of a whole map, maintained incrementally: a sum modulo 2^256 over the hash of each document.

A document is added or subtracted in any order, so the cost of checking a revision depends on its changes. The
digest detects out-of-band edits and lost updates. It does not protect against forgery: a client
that can write documents can write `head` too.
"""

import hashlib
from collections.abc import Iterable

EMPTY_DIGEST = 0
_MODULUS = 1 << 256


def document_digest(path: str, data: bytes) -> int:
    """Return the hash of one document and its path."""
    return int.from_bytes(hashlib.sha256(path.encode() + b"\0" + data).digest())


def digest_documents(documents: Iterable[tuple[str, bytes]]) -> int:
    """Return the digest of a set of documents, given as pairs of path and bytes."""
    return sum(document_digest(path, data) for path, data in documents) % _MODULUS


def replace_document(digest: int, path: str, before: bytes | None, after: bytes | None) -> int:
    """Return the digest after one document changes from `before` to `after`; None means absent."""
    if before is not None:
        digest -= document_digest(path, before)
    if after is not None:
        digest += document_digest(path, after)
    return digest % _MODULUS


def show_digest(digest: int) -> str:
    """Return a digest as 64 hex digits."""
    return f"{digest:064x}"
