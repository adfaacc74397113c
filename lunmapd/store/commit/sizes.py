"""The size of a transaction. ZooKeeper drops the connection of a client that sends more than 1 MiB. Pure.

The limit is jute.maxbuffer (ZooKeeper Administrator's Guide, "Unsafe Options"); no reply says that it was
exceeded.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from lunmapd.core.base.documents import encode
from lunmapd.core.history.batching import TransactionSize, split_into_batches
from lunmapd.core.history.changes import as_bytes
from lunmapd.store.commit.draft import Content, Draft, Signature, Write, WriteStep
from lunmapd.store.session.limits import TooLargeError, check_document

MAX_COMMIT = 900_000
MAX_OPERATIONS = 1000
MAX_NOTE = 8 * 1024
_OVERHEAD = 64  # an upper bound for the header, lengths and version of one operation
_CHANGE = 64  # an upper bound for a recorded change, without its path and documents
_FRAME = TransactionSize(3, 2048)  # the check of tree_id, head and the revision, without author and message


class WriteOverhead(Struct, frozen=True):
    """What each write adds, in bytes: the path of the root, and for each znode that is created its ACL."""

    root: int
    acl: int = 0


def check_content(content: Content, signature: Signature) -> None:
    """Check that a content can be divided into transactions. Raises TooLargeError."""
    note = _note(signature)
    if note > MAX_NOTE:
        raise TooLargeError("the message, with the author,", note, MAX_NOTE, "bytes")
    for step in content.steps:
        if step.write is not None:
            check_document(step.write.path, step.write.after or b"")


def fits(prepared: Draft, extra: WriteOverhead) -> bool:
    """Return whether a draft fits into one transaction."""
    operations = prepared.all_writes()
    size = TransactionSize(len(operations) + 1, sum(_write(write, extra) for write in operations))
    return size.fits(TransactionSize(MAX_OPERATIONS, MAX_COMMIT))


def batches(writes: Iterable[Write], extra: WriteOverhead) -> Iterator[tuple[Write, ...]]:
    """Divide writes into transactions, each with room for one check."""
    limit = TransactionSize(MAX_OPERATIONS - 1, MAX_COMMIT - _OVERHEAD - extra.root)
    return split_into_batches(writes, lambda write: TransactionSize(1, _write(write, extra)), limit)


def divide(
    steps: Iterable[WriteStep], signature: Signature, extra: WriteOverhead
) -> list[tuple[WriteStep, ...]]:
    """Divide the steps of a large commit into parts that fit into one transaction each."""
    frame = _FRAME.plus(TransactionSize(0, 2 * _note(signature) + _FRAME.operations * extra.root + extra.acl))
    limit = TransactionSize(MAX_OPERATIONS - frame.operations, MAX_COMMIT - frame.bytes)
    return list(split_into_batches(steps, lambda step: _step(step, extra), limit))


def _note(signature: Signature) -> int:
    return len(encode((signature.author, signature.message)))


def _step(step: WriteStep, extra: WriteOverhead) -> TransactionSize:
    written = _write(step.write, extra) if step.write else 0
    recorded = 0
    if step.change:
        states = (as_bytes(step.change.before), as_bytes(step.change.after))
        recorded = _CHANGE + len(step.change.path) + sum(len(state or b"") for state in states)
    return TransactionSize(1 if step.write else 0, written + recorded)


def _write(write: Write, extra: WriteOverhead) -> int:
    acl = extra.acl if write.before is None else 0
    return _OVERHEAD + extra.root + acl + len(write.path) + len(write.after or b"")
