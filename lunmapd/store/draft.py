"""A commit before it is sent: which znodes it writes and what its revision says; pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec import Struct

from lunmapd.core import digest as digests
from lunmapd.core.changes import Change, Head, Revision, as_raw, data_at, diff, split
from lunmapd.core.documents import encode
from lunmapd.core.lunmap import SECTIONS, Lunmap
from lunmapd.store import paths
from lunmapd.store.commit_errors import TooLargeError
from lunmapd.store.snapshot import Snapshot

MAX_DOCUMENT = 256 * 1024
MAX_COMMIT = 900_000
MAX_OPERATIONS = 1000
_OVERHEAD = 64  # an upper bound of what each operation adds: header, lengths, version and the ACL


class Signature(Struct, frozen=True):
    """Who commits, why and when; `now` has a time zone."""

    author: str
    message: str
    now: datetime

    def time(self) -> str:
        """Print the time as RFC 3339 in UTC."""
        return self.now.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Write(Struct, frozen=True):
    """One znode goes from `before` to `after`; `version` is the one that it must have, -1 for any."""

    path: str
    before: bytes | None
    after: bytes | None
    version: int = -1


class Step(Struct, frozen=True):
    """What a commit does to one object: what is written, unless it is already there, and what is recorded."""

    change: Change
    write: Write | None = None


class Content(Struct, frozen=True):
    """What a commit is made of: its steps, and the newest revision whose removals it confirms, if it does."""

    steps: tuple[Step, ...] = ()
    confirms: int = 0


class Draft(Struct, frozen=True):
    """Everything that one multi() writes: head, with the version that it must have, the objects, and the revision.

    `identity` must be there, so that nothing is written into a tree that was made anew since.
    """

    identity: str
    head: Head
    head_version: int
    writes: tuple[Write, ...]
    revision: Revision

    def all_writes(self) -> tuple[Write, ...]:
        """List the writes in the order in which they are sent; head first, so that it is what a late writer fails at."""
        head = Write(paths.HEAD, b"", encode(self.head), self.head_version)
        return (
            head,
            *self.writes,
            Write(paths.revision(self.revision.revision), None, encode(self.revision)),
        )


def content(before: Snapshot, after: Lunmap) -> Content | None:
    """Say what makes `after` of `before`, in the order of the map; None when there is nothing to do.

    Changes that were made around the tools are taken in: they stay unless `after` says otherwise, in canonical
    form, and are recorded. An unreadable object stays unless `after` has one of its name.
    """
    found = (_step(before, path, data_at(after, path)) for path in _touched(before, after))
    steps = tuple(step for step in found if step is not None)
    return Content(steps) if steps else None


def _step(before: Snapshot, path: str, new: bytes | None) -> Step | None:
    old = before.data(path)
    if new is None and path in before.unreadable:
        return None
    recorded = before.edited.get(path, None if path in before.unreadable else old)
    write = Write(path, old, new, before.versions.get(path, -1)) if new != old else None
    return Step(Change(path, as_raw(recorded), as_raw(new)), write)


def _touched(before: Snapshot, after: Lunmap) -> list[str]:
    order = tuple(SECTIONS)
    found = {change.path for change in diff(before.lunmap, after)} | before.edited.keys()
    return sorted(found, key=lambda path: (order.index(split(path)[0]), path))


def draft(before: Snapshot, what: Content, signature: Signature) -> Draft:
    """Prepare the commit of this on `before`."""
    writes = tuple(step.write for step in what.steps if step.write is not None)
    revision = Revision(
        before.revision + 1,
        digests.show(_digest(int(before.digest, 16), writes)),
        signature.author,
        signature.time(),
        signature.message,
        tuple(step.change for step in what.steps),
        what.confirms,
    )
    head = Head(revision.revision, revision.digest, max(before.confirmed, what.confirms))
    identity = paths.identity(before.cluster, before.incarnation)
    return Draft(identity, head, before.head_version, writes, revision)


def _digest(value: int, writes: Iterable[Write]) -> int:
    for write in writes:
        value = digests.replace(value, write.path, write.before, write.after)
    return value


def check_size(prepared: Draft, root: str) -> None:
    """Refuse what ZooKeeper would not take. Raises TooLargeError."""
    for write in prepared.writes:
        check_document(write.path, write.after or b"")
    operations = prepared.all_writes()
    if len(operations) > MAX_OPERATIONS:
        raise TooLargeError("the commit", len(operations), MAX_OPERATIONS, "operations")
    size = sum(_sizes(operations, root))
    if size > MAX_COMMIT:
        raise TooLargeError("the commit, with the record of it,", size, MAX_COMMIT, "bytes")


def check_document(path: str, data: bytes) -> None:
    """Refuse a document that is too large. Raises TooLargeError."""
    if len(data) > MAX_DOCUMENT:
        raise TooLargeError(path, len(data), MAX_DOCUMENT, "bytes")


def _sizes(operations: Iterable[Write], root: str) -> Iterator[int]:
    for write in operations:
        yield _OVERHEAD + len(root) + len(write.path) + len(write.after or b"")
