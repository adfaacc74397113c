from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.base.permissions.access import Permission, acl_size
from lunmapd.core.base.permissions.principals import Principal
from lunmapd.core.history.changes import Head, Revision, as_bytes
from lunmapd.core.history.checkpoint import EMPTY_CHECKPOINT, Checkpoint
from lunmapd.core.history.digest import show_digest
from lunmapd.core.history.spans import span_of
from lunmapd.store.commit.draft import (
    Content,
    Draft,
    Signature,
    draft_commit,
    draft_part,
    tip_after,
    tip_of,
)
from lunmapd.store.commit.sizes import (
    MAX_COMMIT,
    MAX_NOTE,
    MAX_OPERATIONS,
    WriteOverhead,
    check_content,
    divide,
    fits,
)
from lunmapd.store.session.limits import MAX_DOCUMENT, TooLargeError
from lunmapd.store.tree.snapshot import Raw, Snapshot, advance, assemble, find_edits
from support.commits import content_of
from support.digests import map_digest
from support.stored_map import META, lun, luns, objects
from support.strategies import lunmaps

ROOT = WriteOverhead(len("/lunmap"))
SIGNATURE = Signature("ann", "why", datetime.fromisoformat("2025-01-31T13:00:00+01:00"))


def snapshot(lunmap: Lunmap, revision: int = 0) -> Snapshot:
    """Make the snapshot of a map that was committed as it is."""
    return assemble(META, Head(revision, show_digest(map_digest(lunmap))), revision, objects(lunmap))


def prepare(before: Snapshot, after: Lunmap) -> Draft:
    """Draft the commit that makes `after` of `before`."""
    return draft_commit(tip_of(before), content_of(before, after) or Content(), SIGNATURE)


def revision_of(before: Snapshot, after: Lunmap) -> Revision:
    """Return the revision of a commit that changes something."""
    return prepare(before, after).revision


@given(lunmaps(), lunmaps())
def test_a_draft_leads_from_one_map_to_the_other(before: Lunmap, after: Lunmap) -> None:
    """Following a commit's revision gives the map committed and its digest; equal maps need no commit."""
    known = snapshot(before)
    assert (content_of(known, after) is None) == (before == after)
    prepared = prepare(known, after)
    head = Head(1, prepared.revision.digest)
    assert head.digest == show_digest(map_digest(after))
    advanced = advance(known, head, 1, [prepared.revision])
    assert advanced is not None
    assert replace(advanced, versions={}) == replace(snapshot(after, 1), versions={})


@given(lunmaps())
def test_a_snapshot_survives_json(lunmap: Lunmap) -> None:
    """A snapshot that was written as JSON reads back equal."""
    known = snapshot(lunmap)
    assert msgspec.json.decode(msgspec.json.encode(known), type=Snapshot) == known


def test_the_time_is_printed_in_utc() -> None:
    """A commit's time is RFC 3339 in UTC, wherever it was made."""
    assert SIGNATURE.time() == "2025-01-31T12:00:00Z"


def test_revisions_that_lead_elsewhere_are_not_followed() -> None:
    """Revisions that don't give head's digest are of no use."""
    known = snapshot(Lunmap())
    revision = revision_of(known, luns(1))
    assert advance(known, Head(1, "0" * 64), 1, [revision]) is None


def test_objects_that_were_edited_are_told_from_the_history() -> None:
    """A difference from the newest change of an object is an edit.

    An unknown object only if history is complete.
    """
    first = revision_of(snapshot(Lunmap()), luns(1, 2))
    second = replace(revision_of(snapshot(luns(1, 2), 1), luns(1)), revision=2)
    there = snapshot(Lunmap(luns={"l1": lun(1, 1024), "l2": lun(2), "l3": lun(3)}))
    assert find_edits(there, span_of(2, [second, first]), EMPTY_CHECKPOINT) == {
        "luns/l1": encode(lun(1)),
        "luns/l2": None,
        "luns/l3": None,
    }
    assert find_edits(there, span_of(2, [second]), EMPTY_CHECKPOINT) == {"luns/l2": None}
    assert find_edits(snapshot(luns(1)), span_of(2, [second, first]), EMPTY_CHECKPOINT) == {}


def test_objects_that_were_edited_are_told_from_a_checkpoint() -> None:
    """A checkpoint replaces all revisions up to it, if those after it are complete."""
    base = Checkpoint(1, {"luns/l1": encode(lun(1)), "luns/l2": encode(lun(2))})
    second = replace(revision_of(snapshot(luns(1, 2), 1), luns(1)), revision=2)
    there = snapshot(Lunmap(luns={"l1": lun(1, 1024), "l2": lun(2), "l3": lun(3)}))
    assert find_edits(there, span_of(2, [second]), base) == {
        "luns/l1": encode(lun(1)),
        "luns/l2": None,
        "luns/l3": None,
    }
    assert find_edits(there, span_of(3, [replace(second, revision=3)]), base) == {"luns/l2": None}
    assert find_edits(snapshot(luns(1, 2)), span_of(1, []), base) == {}


def test_an_edit_is_recorded_by_the_next_commit() -> None:
    """A commit after an edit records the edit as a change from the history's value."""
    edited = replace(snapshot(luns(1)), head_digest="0" * 64, edited={"luns/l1": encode(lun(1, 1024))})
    (change,) = revision_of(edited, luns(1)).changes
    assert as_bytes(change.before) == encode(lun(1, 1024))
    assert as_bytes(change.after) == encode(lun(1))


def test_an_unreadable_object_stays_until_it_is_given_anew() -> None:
    """A commit leaves an unreadable object alone, or replaces it in place, never creates it a second time."""
    known = assemble(META, Head(0, "0" * 64), 0, {"luns/l1": Raw(b"garbage", 7)})
    assert content_of(known, Lunmap()) is None
    prepared = prepare(known, luns(1))
    (write,) = prepared.writes
    assert (write.before, write.version) == (b"garbage", 7)
    assert prepared.revision.digest == show_digest(map_digest(luns(1)))


def test_the_limits_themselves_are_allowed() -> None:
    """A commit of exactly the largest number of operations goes into one transaction, one more doesn't."""
    limit = MAX_OPERATIONS - 3
    assert fits(prepare(snapshot(Lunmap()), luns(*range(limit))), ROOT)
    assert not fits(prepare(snapshot(Lunmap()), luns(*range(limit + 1))), ROOT)


def test_a_commit_is_measured_with_its_record() -> None:
    """The bytes of a commit count the objects, the record of both their states, and the paths."""
    paths = {f"l{number}": Lun(Block("x" * 150_000)) for number in range(3)}
    assert MAX_COMMIT <= 6 * 150_000
    assert not fits(prepare(snapshot(Lunmap()), Lunmap(luns=paths)), ROOT)


def test_a_commit_is_measured_with_the_acls_of_what_it_makes() -> None:
    """The ACL of a new object is part of its request, that of an old one isn't; it makes parts smaller."""
    acl = {Principal("x509", f"CN=node-{number},O=Example"): Permission.READ for number in range(300)}
    closed = replace(ROOT, acl=acl_size(acl))
    for before, good in ((Lunmap(), False), (luns(*range(100)), True)):
        changed = Lunmap(luns={f"l{n}": Lun(Block(f"/dev/{n}")) for n in range(100)})
        assert fits(prepare(snapshot(before), changed), ROOT)
        assert fits(prepare(snapshot(before), changed), closed) == good
    what = content_of(snapshot(Lunmap()), luns(*range(100)))
    assert what is not None
    tip = tip_of(snapshot(Lunmap()))
    parts = divide(what.steps, SIGNATURE, closed)
    assert len(parts) > 1
    assert all(fits(draft_part(tip, Content(part), SIGNATURE), closed) for part in parts)


def test_what_can_not_be_divided_is_refused() -> None:
    """A document, and a message, may be of the largest size and not larger."""
    empty = len(encode(Lun(Block(""))))
    for extra in (0, 1):
        large = Lunmap(luns={"a": Lun(Block("x" * (MAX_DOCUMENT - empty + extra)))})
        wordy = replace(SIGNATURE, message="x" * (MAX_NOTE - len(encode(("ann", ""))) + extra))
        for lunmap, signature in ((large, SIGNATURE), (Lunmap(), wordy)):
            what = content_of(snapshot(Lunmap()), lunmap) or Content()
            if extra:
                with pytest.raises(TooLargeError):
                    check_content(what, signature)
            else:
                check_content(what, signature)


@pytest.mark.parametrize("size", [10, 2_000, 80_000, 250_000])
@pytest.mark.parametrize("message", ["", "x" * 4000])
def test_the_parts_of_a_large_commit_fit(size: int, message: str) -> None:
    """Each part of a large commit fits one transaction, and the last digest is that of the whole."""
    before = snapshot(Lunmap(luns={f"l{n}": Lun(Block("y" * size)) for n in range(30)}))
    after_all = Lunmap(luns={f"l{n}": Lun(Block("x" * size)) for n in range(10, 2000 if size < 100 else 40)})
    what, signature = content_of(before, after_all), replace(SIGNATURE, message=message)
    assert what is not None
    tip = tip_of(before)
    parts = divide(what.steps, signature, ROOT)
    for part in parts:
        prepared = draft_part(tip, Content(part), signature)
        assert fits(prepared, ROOT)
        assert prepared.head.revision == 0
        tip = tip_after(tip, prepared)
    assert tip.part == len(parts)
    assert tip.digest == show_digest(map_digest(after_all))
    assert [step for part in parts for step in part] == list(what.steps)


def test_edits_that_no_history_explains_count_from_then_on() -> None:
    """If the revisions can't explain an edit, a commit takes the current document as the base."""
    strange = replace(snapshot(luns(1)), head_digest="0" * 64)
    prepared = prepare(strange, luns(1, 2))
    assert prepared.revision.digest == show_digest(map_digest(luns(1, 2)))


def test_an_unreadable_object_is_not_forgotten_by_a_commit() -> None:
    """As long as an object is unreadable the digest stays that of the history, and so the edit is seen."""
    clean = snapshot(luns(1), 1)
    there = objects(luns(1)) | {"luns/l1": Raw(b"garbage", 7)}
    broken = replace(assemble(META, Head(1, clean.head_digest), 1, there), edited={"luns/l1": encode(lun(1))})
    prepared = prepare(broken, luns(2))
    assert [change.path for change in prepared.revision.changes] == ["luns/l2"]
    assert prepared.revision.digest == show_digest(map_digest(luns(1, 2)))
