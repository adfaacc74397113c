"""Commits that record no change of the map: confirming, overriding, repairing, accepting a rewound tree."""

from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Allowance, Change, Revision, as_raw
from lunmapd.core.history.map_change import compare_objects
from lunmapd.store.commit.commit import commit_on_newest
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content, Write, WriteStep
from lunmapd.store.commit.ledger import known_maps, with_ledger
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import check_released
from lunmapd.store.tree.history_errors import HistoryUnknownError, NoSuchRevisionError
from lunmapd.store.tree.snapshot import ANY_VERSION, Snapshot, edits_explained, effective_map, meta_of


def confirm(session: Session, before: Snapshot, revision: int, options: CommitOptions) -> Revision | None:
    """Confirm the removals of every revision up to `revision`, by a new revision; None if they are confirmed.

    Nodes that hold these removals then apply them. Raises NoSuchRevisionError, PartOnlyError, and the errors
    of `commit`.
    """

    def make(latest: Snapshot) -> Content | None:
        if not 0 < revision <= latest.revision:
            raise NoSuchRevisionError(revision, latest.revision)
        check_released(session, revision, latest.revision)
        return Content(confirms=revision) if revision > latest.confirmed else None

    return commit_on_newest(session, before, make, options)


def override(session: Session, before: Snapshot, allowance: Allowance, options: CommitOptions) -> Revision:
    """Let nodes apply the steps of the newest revision that they hold, by a new revision.

    The next revision ends it. The override is committed only on top of `before`, because nobody has reviewed
    a newer map. Raises UnexpectedRevisionError, and the errors of `commit`.
    """
    bound = replace(options, expect=before.revision if options.expect is None else options.expect)
    revision = commit_on_newest(session, before, lambda _: Content(allows=allowance), bound)
    assert revision is not None, "an override is always something to commit"
    return revision


def edited_changes(snapshot: Snapshot) -> tuple[Change, ...]:
    """Return what a repair would change: each object edited out of band, from the tree to the revisions."""
    return tuple(
        Change(path, as_raw(snapshot.data(path)), as_raw(data)) for path, data in snapshot.edited.items()
    )


def repair(session: Session, before: Snapshot, options: CommitOptions) -> Revision | None:
    """Set every object that was edited out of band back to what the revisions say; None if there is none.

    The new revision records no change; it makes the nodes read the tree. Raises HistoryUnknownError, and the
    errors of `commit`: an edit may have led a LUN number to another Lun.
    """

    def make(latest: Snapshot) -> Content | None:
        if not latest.has_edits:
            return None
        if not edits_explained(latest):
            raise HistoryUnknownError
        content = Content(tuple(_write_back(latest, path, data) for path, data in latest.edited.items()))
        change = compare_objects(effective_map(latest), known_maps(latest)[0])
        return with_ledger(session, latest, change, content, options)

    return commit_on_newest(session, before, make, options)


def _write_back(latest: Snapshot, path: str, data: bytes | None) -> WriteStep:
    version = latest.versions.get(path, ANY_VERSION)
    return WriteStep(write=Write(path, latest.data(path), data, version))


def accept_rewound(session: Session, before: Snapshot, options: CommitOptions) -> Revision | None:
    """Make the tree a new incarnation and confirm it, so that nodes that knew a newer revision follow it.

    For a tree that went back together with ZooKeeper's own data, such as a copy of its data directory. Raises
    the errors of `commit`.
    """

    def make(latest: Snapshot) -> Content:
        meta = meta_of(latest)
        renewed = replace(meta, incarnation=meta.incarnation + 1, restored=latest.revision)
        writes = (
            Write(paths.META, b"", encode(renewed)),
            Write(paths.tree_id(meta.cluster, meta.incarnation), b"", None),
            Write(paths.tree_id(renewed.cluster, renewed.incarnation), None, b""),
        )
        return Content(confirms=latest.revision, writes=writes)

    return commit_on_newest(session, before, make, options)
