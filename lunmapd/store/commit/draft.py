"""A commit before it is sent: which znodes it writes and what its revision says; pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.history.changes import (
    Allowance,
    Change,
    Head,
    Revision,
    Staged,
    as_raw,
    diff_maps,
    document_at,
    patch_map_digest,
    split_path,
)
from lunmapd.core.history.digest import replace_document, show_digest
from lunmapd.store.session import paths
from lunmapd.store.tree.snapshot import Snapshot, edits_explained


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


class WriteStep(Struct, frozen=True):
    """What a commit does to one object: what is written, if it is not there already, and what is recorded, if it is not."""

    change: Change | None = None
    write: Write | None = None


class Content(Struct, frozen=True):
    """What a commit is made of: its steps, other writes that go with its release, which removals it confirms, and what it allows, if anything."""

    steps: tuple[WriteStep, ...] = ()
    confirms: int = 0
    writes: tuple[Write, ...] = ()
    allows: Allowance | None = None


class Tip(Struct, frozen=True):
    """Where the next revision goes: after `revision`, which gave `digest`; `head` and its version as they are in the tree.

    `known` tells that the digest is that of the history. If edits around the tools can't be told from the history, it is
    that of what there is, which counts from then on.
    """

    tree_id: str
    head: Head
    version: int
    revision: int
    digest: str
    known: bool = True

    @property
    def part(self) -> int:
        """How many parts of a large commit there are already."""
        return self.revision - self.head.revision


class Draft(Struct, frozen=True):
    """Everything that one multi() writes: head, with the version that it must have, the objects, and the revision.

    `tree_id` must be there, so that nothing is written into a tree that was made anew since. A draft that does not
    record its revision releases it.
    """

    tree_id: str
    head: Head
    head_version: int
    writes: tuple[Write, ...]
    revision: Revision
    records: bool = True

    def all_writes(self) -> tuple[Write, ...]:
        """List the writes in the order in which they are sent; head first, so that it is what a late writer fails at."""
        number = self.revision.revision
        record = (Write(paths.revision(number), None, encode(self.revision)),) if self.records else ()
        return (Write(paths.HEAD, b"", encode(self.head), self.head_version), *self.writes, *record)


def content_from_map(before: Snapshot, after: Lunmap) -> Content | None:
    """Say what makes `after` of `before`, in the order of the map; None when there is nothing to do.

    Changes that were made around the tools are taken in: they stay unless `after` says otherwise, in canonical
    form, and are recorded. An unreadable object stays unless `after` has one of its name.
    """
    touched = {change.path for change in diff_maps(before.lunmap, after)} | before.edited.keys()
    wanted = {path: document_at(after, path) for path in touched}
    return content_from_documents(
        before, {path: data for path, data in wanted.items() if data or path not in before.unreadable}
    )


def content_from_documents(before: Snapshot, wanted: Mapping[str, bytes | None]) -> Content | None:
    """Say what makes these objects as they are wanted, in the order of the map; None when there is nothing to do."""
    steps = tuple(
        step for path in _ordered(wanted) if (step := _step(before, path, wanted[path])) is not None
    )
    return Content(steps) if steps else None


def _ordered(found: Iterable[str]) -> list[str]:
    order = tuple(SECTIONS)
    return sorted(found, key=lambda path: (order.index(split_path(path)[0]), path))


def _step(before: Snapshot, path: str, new: bytes | None) -> WriteStep | None:
    old = before.data(path)
    recorded = before.edited.get(path, None if path in before.unreadable else old)
    if new == old == recorded:
        return None
    write = Write(path, old, new, before.versions.get(path, -1)) if new != old else None
    return WriteStep(Change(path, as_raw(recorded), as_raw(new)), write)


def tip_of(snapshot: Snapshot, head: Head | None = None) -> Tip:
    """Say where the revision after this snapshot goes; `head` is the one in the tree, if another than the snapshot's."""
    known = edits_explained(snapshot)
    return Tip(
        paths.tree_id(snapshot.cluster, snapshot.incarnation),
        head or Head(snapshot.revision, snapshot.head_digest, snapshot.confirmed),
        snapshot.head_version,
        snapshot.revision,
        snapshot.head_digest if known else snapshot.digest,
        known,
    )


def draft_commit(tip: Tip, what: Content, signature: Signature) -> Draft:
    """Prepare a commit in one piece."""
    revision = _record(tip, what, signature)
    head = Head(revision.revision, revision.digest, max(tip.head.confirmed, what.confirms), None, what.allows)
    return Draft(tip.tree_id, head, tip.version, (*_writes(what), *what.writes), revision)


def draft_part(tip: Tip, what: Content, signature: Signature) -> Draft:
    """Prepare one part of a large commit, which no node follows before it is released."""
    revision = _record(tip, what, signature, tip.part + 1)
    staged = Staged(revision.revision, revision.digest, revision.author, revision.time, revision.message)
    return Draft(tip.tree_id, replace(tip.head, staged=staged), tip.version, tuple(_writes(what)), revision)


def draft_release(tip: Tip, newest: Revision, what: Content) -> Draft:
    """Prepare the release of all parts up to `newest`, where `tip` is."""
    head = Head(newest.revision, newest.digest, tip.head.confirmed)
    return Draft(tip.tree_id, head, tip.version, what.writes, newest, records=False)


def tip_after(tip: Tip, done: Draft) -> Tip:
    """Say where the next revision goes once this draft is done: a multi raises the version of head by one."""
    return replace(
        tip,
        head=done.head,
        version=tip.version + 1,
        revision=done.revision.revision,
        digest=done.revision.digest,
    )


def _writes(what: Content) -> Iterator[Write]:
    return (step.write for step in what.steps if step.write is not None)


def _record(tip: Tip, what: Content, signature: Signature, part: int = 0) -> Revision:
    changes = tuple(step.change for step in what.steps if step.change is not None)
    value = int(tip.digest, 16)
    value = patch_map_digest(value, changes) if tip.known else _digest(value, _writes(what))
    return Revision(
        tip.revision + 1,
        show_digest(value),
        signature.author,
        signature.time(),
        signature.message,
        changes,
        what.confirms,
        part,
        what.allows,
    )


def _digest(value: int, writes: Iterable[Write]) -> int:
    for write in writes:
        value = replace_document(value, write.path, write.before, write.after)
    return value
