"""Rollouts: which revision a reader of head follows while the newest one is tried. Pure.

The commit that starts a rollout writes three things in one transaction: the revision that is tried, the
record of the revision after it, which undoes it, and a znode of the rollout. Who confirms the rollout deletes
that znode, which ZooKeeper refuses once it has a child (NotEmptyException of PrepRequestProcessor, for
OpCode.delete). A node that sees the deadline pass creates a child. So exactly one of the two happens, and
every reader that finds a child follows the revision that undoes (docs/adr/0035).
"""

from collections.abc import Mapping

from msgspec.structs import replace

from lunmapd.core.history.changes import Head, Revision, Rollout, as_bytes
from lunmapd.core.history.spans import invert_changes


def followed_head(head: Head, node: str, began: float, *, undone: bool) -> Head:
    """Return the head that a reader follows; `head` is that of the tree and has a rollout.

    `node` is the node that reads, "" for any other reader. `began` is as in Rollout; `undone` says whether
    the znode of the rollout has a child.
    """
    rollout = head.rollout
    assert rollout is not None, "a head without a rollout is followed as it is"
    known = replace(head, rollout=replace(rollout, began=began))
    if undone:
        confirmed = max(head.confirmed, rollout.undo_confirms)
        return replace(known, revision=rollout.undo, digest=rollout.digest, confirmed=confirmed)
    return base_head(known) if rollout.waits(node) else known


def base_head(head: Head) -> Head:
    """Return the head of the map before a rollout that is not undone; without a rollout, `head`."""
    rollout = head.rollout
    if rollout is None or head.revision != rollout.revision:
        return head
    return replace(
        head,
        revision=rollout.base,
        digest=rollout.digest,
        confirmed=rollout.confirmed,
        allowance=rollout.allowance,
    )


def is_undone(rollout: Rollout | None, followed: int) -> bool:
    """Return whether a reader that follows revision `followed` has found the rollout undone."""
    return rollout is not None and followed == rollout.undo


def tried_revision(rollout: Rollout | None, followed: int) -> int:
    """Return the revision that is tried, for a reader that follows revision `followed`; 0 for none."""
    return 0 if rollout is None or is_undone(rollout, followed) else rollout.revision


def undoing_revision(tried: Revision, rollout: Rollout) -> Revision:
    """Return the record of the revision that undoes `tried`."""
    return Revision(
        rollout.undo,
        rollout.digest,
        tried.author,
        tried.time,
        _undo_message(tried.revision),
        invert_changes(tried.changes),
        confirms=rollout.undo_confirms,
        undoes=tried.revision,
    )


def _undo_message(tried: int) -> str:
    return f"undo revision {tried}, which was not confirmed"


def aborted_by(record: Revision) -> str:
    """Return who aborted the rollout that a revision undoes, "" for nobody: its deadline passed."""
    return "" if record.message == _undo_message(record.undoes) else record.author


def edited_objects(undoing: Revision, objects: Mapping[str, bytes]) -> frozenset[str]:
    """Return the paths of the objects that were edited out of band since the tried revision.

    They are neither as that revision has them, nor as `undoing` has them, which undoes it: it leaves them as
    they are. `objects` are those in the tree by path.
    """
    return frozenset(
        change.path
        for change in undoing.changes
        if objects.get(change.path) not in {as_bytes(change.before), as_bytes(change.after)}
    )


def seconds_left(rollout: Rollout, now: float) -> float:
    """Return the seconds until the deadline of a rollout; `now` is a Unix time of the servers."""
    return rollout.began + rollout.seconds - now
