"""The transactions that start and end a rollout (docs/adr/0035). Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Change, Head, Revision, Rollout, as_bytes
from lunmapd.core.history.rollout import edited_objects, undoing_revision
from lunmapd.store.commit.commit_options import Trial
from lunmapd.store.commit.draft import Draft, Signature, Tip, Write, lasting
from lunmapd.store.session import paths
from lunmapd.store.tree.snapshot import Raw, Snapshot


def draft_rollout(whole: Draft, tip: Tip, latest: Snapshot, trial: Trial) -> Draft:
    """Return a commit in one piece as the start of a rollout: with the record that undoes it.

    `latest` is the snapshot before it.
    """
    tried = whole.revision
    if trial.confirms:
        tried = replace(tried, confirms=tried.revision)
    rollout = Rollout(
        tried.revision,
        tip.revision,
        tip.digest,
        trial.first,
        trial.seconds,
        settled=trial.applied == tip.revision,
        confirmed=latest.confirmed,
        allowance=latest.allowance,
    )
    undoing = undoing_revision(tried, rollout)
    writes = (
        Write(paths.rollout_of(latest.incarnation, rollout.revision), None, b""),
        Write(paths.revision(rollout.undo), None, encode(undoing)),
    )
    head = replace(whole.head, rollout=rollout, confirmed=max(whole.head.confirmed, tried.confirms))
    return replace(whole, head=head, writes=(*whole.writes, *writes), revision=tried)


def draft_confirmed(snapshot: Snapshot, rollout: Rollout, record: bytes, signature: Signature) -> Draft:
    """Prepare the end of a rollout that keeps its revision, and confirms the removals.

    The new revision takes the place of the `record` that undoes.
    """
    revision = _keeping(snapshot, rollout, signature, f"confirm revision {rollout.revision}")
    return _kept(snapshot, rollout, record, replace(revision, confirms=rollout.revision), signature)


def draft_released(snapshot: Snapshot, rollout: Rollout, record: bytes, signature: Signature) -> Draft:
    """Prepare the end of a rollout without a deadline that lets all nodes follow its revision.

    It confirms no removal: `--pause` makes it without an admin. Removals that were agreed to before the
    commit are confirmed already. For `record` see `draft_confirmed`.
    """
    revision = _keeping(snapshot, rollout, signature, f"release revision {rollout.revision} to all nodes")
    return _kept(snapshot, rollout, record, revision, signature)


def _keeping(snapshot: Snapshot, rollout: Rollout, signature: Signature, message: str) -> Revision:
    text = signature.message or message
    return Revision(rollout.undo, snapshot.head_digest, signature.author, signature.time(), text, ())


def _kept(
    snapshot: Snapshot, rollout: Rollout, record: bytes, revision: Revision, signature: Signature
) -> Draft:
    head = _head(snapshot, revision, max(snapshot.confirmed, revision.confirms), signature)
    return _ended(snapshot, rollout, head, revision, record)


def draft_aborted(
    snapshot: Snapshot, rollout: Rollout, record: Revision, found: Mapping[str, Raw], signature: Signature
) -> Draft:
    """Prepare the end of a rollout that undoes its revision, before a node does it.

    The new revision has the changes of the `record` that undoes. `found` are the objects in the tree that
    it changes, by path.
    """
    revision = replace(
        record,
        author=signature.author,
        time=signature.time(),
        message=signature.message or f"abort the rollout of revision {rollout.revision}",
    )
    head = _head(snapshot, revision, max(snapshot.confirmed, revision.confirms), signature)
    draft = _ended(snapshot, rollout, head, revision, encode(record))
    return replace(draft, writes=(*draft.writes, *undoing_writes(record, found)))


def undone_changes(record: Revision, found: Mapping[str, Raw]) -> tuple[Change, ...]:
    """Return the changes of the `record` that undoes, without those of objects that were edited out of band.

    `found` are the objects in the tree that it changes, by path.
    """
    edited = edited_objects(record, {path: raw.data for path, raw in found.items()})
    return tuple(change for change in record.changes if change.path not in edited)


def undoing_writes(record: Revision, found: Mapping[str, Raw]) -> tuple[Write, ...]:
    """Return the writes that make the changes of `undone_changes`."""
    changes = undone_changes(record, found)
    pairs = ((change.path, as_bytes(change.after), found.get(change.path)) for change in changes)
    return tuple(
        Write(path, None if raw is None else raw.data, after, -1 if raw is None else raw.version)
        for path, after, raw in pairs
        if (None if raw is None else raw.data) != after
    )


def _head(snapshot: Snapshot, revision: Revision, confirmed: int, signature: Signature) -> Head:
    allowance = lasting(snapshot.allowance, signature.now)
    return Head(revision.revision, revision.digest, confirmed, None, allowance, snapshot.ledger)


def _ended(snapshot: Snapshot, rollout: Rollout, head: Head, revision: Revision, record: bytes) -> Draft:
    return Draft(
        paths.tree_id(snapshot.cluster, snapshot.incarnation),
        head,
        snapshot.head_version,
        (Write(paths.rollout_of(snapshot.incarnation, rollout.revision), b"", None),),
        revision,
        replaced=record,
    )
