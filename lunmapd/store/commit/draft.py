"""A commit before it is sent: the znodes that it writes, and its revision. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.clock import rfc3339
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.history.changes import (
    Allowance,
    Change,
    Head,
    Revision,
    Staged,
    as_raw,
    document_at,
    patch_map_digest,
    split_path,
)
from lunmapd.core.history.digest import replace_document, show_digest
from lunmapd.core.history.map_change import MapChange
from lunmapd.store.session import paths
from lunmapd.store.tree.snapshot import Snapshot, edits_explained


class Signature(Struct, frozen=True):
    """Who commits, why and when; `now` has a time zone."""

    author: str
    message: str
    now: datetime

    def time(self) -> str:
        """Return the time as RFC 3339 in UTC, with microseconds."""
        return rfc3339(self.now, "auto")


class Write(Struct, frozen=True):
    """One znode changes from `before` to `after` (None: no znode); it must have `version`, -1 for any."""

    path: str
    before: bytes | None
    after: bytes | None
    version: int = -1


class WriteStep(Struct, frozen=True):
    """What a commit does to one object.

    `change` is recorded in the revision, `write` is made in the tree; each may be None.
    """

    change: Change | None = None
    write: Write | None = None


class Content(Struct, frozen=True):
    """The content of a commit, without its signature and place.

    `steps` are the changes of the map and of the ledger. `confirms` is the revision up to which it confirms
    removals (0: none), `writes` are written together with its release, and `allows` is the override that it
    brings. With `rebuilt` the ledger has all revisions after it. `after` is the map that it leads to, None if
    only a read shows it.
    """

    steps: tuple[WriteStep, ...] = ()
    confirms: int = 0
    writes: tuple[Write, ...] = ()
    allows: Allowance | None = None
    rebuilt: bool = False
    after: Lunmap | None = None


class Tip(Struct, frozen=True):
    """The place of the next revision: after `revision`, whose digest is `digest`.

    `head` and its `version` are as in the tree. `known` says that the digest is that of the history. If the
    revisions do not explain all out-of-band edits, it is the digest of the objects in the tree, which the
    history continues from.
    """

    tree_id: str
    head: Head
    version: int
    revision: int
    digest: str
    known: bool = True

    @property
    def part(self) -> int:
        """The number of parts of a large commit that are written."""
        return self.revision - self.head.revision


class Draft(Struct, frozen=True):
    """Everything that one multi() writes: head, the objects, and the revision.

    Head must have `head_version`. The znode `tree_id` must exist, so that nothing is written into a tree that
    was replaced. A draft that does not record its revision releases it. `replaced` is the record that stands
    in the place of the revision's, None for none.
    """

    tree_id: str
    head: Head
    head_version: int
    writes: tuple[Write, ...]
    revision: Revision
    records: bool = True
    replaced: bytes | None = None

    def all_writes(self) -> tuple[Write, ...]:
        """Return the writes in the order in which they are sent.

        Head comes first, so that an overtaken draft fails there.
        """
        number = self.revision.revision
        record = (
            (Write(paths.revision(number), self.replaced, encode(self.revision)),) if self.records else ()
        )
        return (Write(paths.HEAD, b"", encode(self.head), self.head_version), *self.writes, *record)


def content_from_change(before: Snapshot, change: MapChange) -> Content | None:
    """Return what changes the map of `before` to that after the change, in its order; None for nothing.

    The change starts from the map of `before`, or from the effective one. Out-of-band edits are recorded:
    they stay unless the map after the change has the object otherwise, and are written in canonical form. An
    undecodable object stays unless that map has an object of its name.
    """
    touched = {f"{section}/{name}" for section, name in change.objects} | before.edited.keys()
    documents = {path: document_at(change.after, path) for path in touched}
    content = content_from_documents(
        before, {path: data for path, data in documents.items() if data or path not in before.unreadable}
    )
    return content and replace(content, after=change.after)


def content_from_documents(before: Snapshot, documents: Mapping[str, bytes | None]) -> Content | None:
    """Return what changes these objects to the given documents (None: no object), in the order of the map.

    None if there is nothing to do.
    """
    steps = tuple(
        step for path in _ordered(documents) if (step := _step(before, path, documents[path])) is not None
    )
    return Content(steps) if steps else None


def _ordered(object_paths: Iterable[str]) -> list[str]:
    order = tuple(SECTIONS)
    return sorted(object_paths, key=lambda path: (order.index(split_path(path)[0]), path))


def _step(before: Snapshot, path: str, new: bytes | None) -> WriteStep | None:
    old = before.data(path)
    recorded = before.edited.get(path, None if path in before.unreadable else old)
    if new == old == recorded:
        return None
    write = Write(path, old, new, before.versions.get(path, -1)) if new != old else None
    return WriteStep(Change(path, as_raw(recorded), as_raw(new)), write)


def lasting(allowance: Allowance | None, now: datetime) -> Allowance | None:
    """Return the override if later commits leave it in effect.

    That is the one for reused LUN numbers: the commit checked each of its Luns, and nodes wait between
    deleting and creating a mapped LUN. `now` has a time zone.
    """
    if allowance is None or not allowance.luns or allowance.until <= rfc3339(now):
        return None
    return allowance


def tip_of(snapshot: Snapshot, head: Head | None = None) -> Tip:
    """Return the place of the revision after this snapshot.

    `head` is the one in the tree, if it is not the snapshot's.
    """
    known = edits_explained(snapshot)
    return Tip(
        paths.tree_id(snapshot.cluster, snapshot.incarnation),
        head or head_of(snapshot),
        snapshot.head_version,
        snapshot.revision,
        snapshot.head_digest if known else snapshot.digest,
        known,
    )


def head_of(snapshot: Snapshot, staged: Staged | None = None) -> Head:
    """Return the head that a commit continues from; of the overrides only that for reused LUN numbers."""
    allowance = snapshot.allowance if snapshot.allowance and snapshot.allowance.luns else None
    return Head(
        snapshot.revision, snapshot.head_digest, snapshot.confirmed, staged, allowance, snapshot.ledger
    )


def draft_commit(tip: Tip, content: Content, signature: Signature) -> Draft:
    """Prepare a commit in one piece."""
    revision = _record(tip, content, signature)
    head = Head(
        revision.revision,
        revision.digest,
        max(tip.head.confirmed, content.confirms),
        None,
        content.allows or lasting(tip.head.allowance, signature.now),
        tip.head.ledger or content.rebuilt,
    )
    return Draft(tip.tree_id, head, tip.version, (*_writes(content), *content.writes), revision)


def draft_part(tip: Tip, content: Content, signature: Signature) -> Draft:
    """Prepare one part of a large commit, which no node follows before the release."""
    revision = _record(tip, content, signature, tip.part + 1)
    staged = Staged(revision.revision, revision.digest, revision.author, revision.time, revision.message)
    return Draft(
        tip.tree_id,
        replace(tip.head, staged=staged),
        tip.version,
        (*_writes(content), *content.writes),
        revision,
    )


def draft_release(tip: Tip, newest: Revision, content: Content) -> Draft:
    """Prepare the release of all parts up to `newest`, the revision of `tip`."""
    head = Head(
        newest.revision,
        newest.digest,
        tip.head.confirmed,
        None,
        content.allows or tip.head.allowance,
        tip.head.ledger or content.rebuilt,
    )
    return Draft(tip.tree_id, head, tip.version, content.writes, newest, records=False)


def tip_after(tip: Tip, done: Draft) -> Tip:
    """Return the place of the revision after a draft that was written.

    A multi() raises the version of head by one.
    """
    return replace(
        tip,
        head=done.head,
        version=tip.version + 1,
        revision=done.revision.revision,
        digest=done.revision.digest,
    )


def _writes(content: Content) -> Iterator[Write]:
    return (step.write for step in content.steps if step.write is not None)


def _record(tip: Tip, content: Content, signature: Signature, part: int = 0) -> Revision:
    changes = tuple(step.change for step in content.steps if step.change is not None)
    value = int(tip.digest, 16)
    value = patch_map_digest(value, changes) if tip.known else _digest(value, _writes(content))
    return Revision(
        tip.revision + 1,
        show_digest(value),
        signature.author,
        signature.time(),
        signature.message,
        changes,
        content.confirms,
        part,
        content.allows,
    )


def _digest(value: int, writes: Iterable[Write]) -> int:
    for write in writes:
        if write.path.partition("/")[0] not in SECTIONS:
            continue
        value = replace_document(value, write.path, write.before, write.after)
    return value
