"""Which revision a reader follows during a rollout, and the record that undoes one."""

import pytest
from msgspec import UNSET, Raw
from msgspec.structs import replace

from lunmapd.core.history.changes import Allowance, Change, Head, Revision, Rollout
from lunmapd.core.history.rollout import (
    aborted_by,
    base_head,
    edited_objects,
    followed_head,
    is_undone,
    seconds_left,
    tried_revision,
    undoing_revision,
)

ROLLOUT = Rollout(5, 4, "before", ("n1",), 60)
HEAD = Head(5, "tried", confirmed=2, rollout=ROLLOUT)


@pytest.mark.parametrize(
    ("node", "undone", "revision", "digest"),
    [
        ("n1", False, 5, "tried"),
        ("n2", False, 4, "before"),
        ("", False, 5, "tried"),
        ("n1", True, 6, "before"),
        ("n2", True, 6, "before"),
        ("", True, 6, "before"),
    ],
)
def test_a_reader_follows_its_revision(node: str, revision: int, digest: str, *, undone: bool) -> None:
    """Others than the first nodes follow the map before it; once undone, all follow that revision."""
    followed = followed_head(HEAD, node, 7.0, undone=undone)
    assert (followed.revision, followed.digest, followed.tip) == (revision, digest, 5)
    assert followed.rollout is not None
    assert followed.rollout.began == 7.0
    assert is_undone(followed.rollout, followed.revision) == undone
    assert tried_revision(followed.rollout, followed.revision) == (0 if undone else 5)


def test_a_released_rollout_keeps_no_node_waiting() -> None:
    """Without first nodes all follow the revision that is tried."""
    released = Head(5, "tried", rollout=Rollout(5, 4, "before", (), 60))
    assert followed_head(released, "n2", 0.0, undone=False).revision == 5


def test_undoing_confirms_only_what_every_node_had() -> None:
    """The removals of the undoing revision are confirmed if all nodes had applied the map before."""
    settled = Head(5, "tried", confirmed=2, rollout=Rollout(5, 4, "before", settled=True))
    assert followed_head(settled, "n1", 0.0, undone=True).confirmed == 6
    assert followed_head(HEAD, "n1", 0.0, undone=True).confirmed == 2


def test_a_backup_has_the_map_before_a_rollout() -> None:
    """A rollout that is undone, and a head without one, are taken as they are."""
    assert base_head(HEAD).revision == 4
    undone = followed_head(HEAD, "", 0.0, undone=True)
    assert base_head(undone) == undone
    assert base_head(Head(5, "tried")) == Head(5, "tried")


def test_objects_that_others_edited_are_not_undone() -> None:
    """Objects as the tried revision has them are, also new and deleted ones; so are those undone already."""
    before, after = Raw(b'{"alias":"a"}'), Raw(b'{"alias":"b"}')
    changes = [
        Change("luns/tried", after, before),
        Change("luns/undone", after, before),
        Change("luns/edited", after, before),
        Change("luns/lost", after, before),
        Change("luns/new", after, UNSET),
        Change("luns/gone", UNSET, before),
        Change("luns/back", UNSET, before),
    ]
    found = {f"luns/{name}": bytes(after) for name in ("tried", "new")}
    found |= {"luns/undone": bytes(before), "luns/edited": b"{}", "luns/back": b"{}"}
    undoing = Revision(6, "before", "ann", "then", "undo", tuple(changes), undoes=5)
    assert edited_objects(undoing, found) == {"luns/edited", "luns/lost", "luns/back"}


def test_a_reader_of_the_base_has_its_confirmation_and_override() -> None:
    """The tried revision may have others, which are not meant for the nodes that wait."""
    override = Allowance("path-loss", "2026-01-01T00:00:00Z")
    rollout = Rollout(5, 4, "before", ("n1",), confirmed=3, allowance=override)
    of_base = base_head(Head(5, "tried", confirmed=5, rollout=rollout))
    assert (of_base.confirmed, of_base.allowance) == (3, override)
    reused = Head(5, "tried", allowance=Allowance("other-data", "", luns=("a",)), rollout=ROLLOUT)
    assert base_head(reused).allowance is None
    assert not is_undone(None, 6)
    assert tried_revision(None, 6) == 0


def test_the_undoing_record_goes_back() -> None:
    """It has the changes backwards, the digest of the map before, and names what it undoes."""
    tried = Revision(5, "tried", "ann", "then", "why", (Change("luns/a", UNSET, Raw(b"{}")),))
    record = undoing_revision(tried, ROLLOUT)
    assert record.changes == (Change("luns/a", Raw(b"{}"), UNSET),)
    assert (record.revision, record.digest, record.author, record.undoes) == (6, "before", "ann", 5)
    assert record.message == "undo revision 5, which was not confirmed"


def test_the_admin_who_aborts_is_known() -> None:
    """The record of an abort has its author and message; that of the deadline is nobody's."""
    tried = Revision(5, "tried", "ann", "then", "why", ())
    record = undoing_revision(tried, ROLLOUT)
    assert aborted_by(record) == ""
    assert aborted_by(replace(record, author="bob", message="no")) == "bob"


def test_the_deadline_counts_from_the_commit() -> None:
    """By the clock of the servers."""
    assert seconds_left(Rollout(5, 4, "before", seconds=60, began=100.0), 130.0) == 30.0
