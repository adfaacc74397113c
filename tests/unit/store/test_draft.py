from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from lunmapd.core import digest as digests
from lunmapd.core.backings import Block
from lunmapd.core.changes import Head, Revision, as_bytes, map_digest
from lunmapd.core.documents import encode
from lunmapd.core.lunmap import Lun, Lunmap
from lunmapd.store.draft import MAX_COMMIT, MAX_DOCUMENT, MAX_OPERATIONS, Signature, check_size, draft
from lunmapd.store.errors import TooLargeError
from lunmapd.store.snapshot import Meta, Raw, Snapshot, advance, assemble, edits
from strategies import lunmaps

SIGNATURE = Signature("ann", "why", datetime.fromisoformat("2025-01-31T13:00:00+01:00"))
META = Meta(1, "c")


def objects(lunmap: Lunmap) -> dict[str, Raw]:
    """List a map as it stands in the tree."""
    return {f"{section}/{name}": Raw(encode(document), 0) for section, name, document in lunmap.documents()}


def snapshot(lunmap: Lunmap, revision: int = 0) -> Snapshot:
    """Make the snapshot of a map that was committed as it is."""
    return assemble(META, Head(revision, digests.show(map_digest(lunmap))), revision, objects(lunmap))


def lun(number: int, size: int = 512) -> Lun:
    """Make a Lun."""
    return Lun(Block(f"/dev/l{number}"), serial=f"{number:032x}", size=size)


def luns(*numbers: int) -> Lunmap:
    """Make a map of Luns."""
    return Lunmap(luns={f"l{number}": lun(number) for number in numbers})


def revision_of(before: Snapshot, after: Lunmap) -> Revision:
    """Return the revision of a commit that changes something."""
    prepared = draft(before, after, SIGNATURE)
    assert prepared is not None
    return prepared.revision


@given(lunmaps(), lunmaps())
def test_a_draft_leads_from_one_map_to_the_other(before: Lunmap, after: Lunmap) -> None:
    """Following a commit's revision gives the map committed and its digest; equal maps need no commit."""
    known = snapshot(before)
    prepared = draft(known, after, SIGNATURE)
    if prepared is None:
        assert before == after
        return
    head = Head(1, prepared.revision.digest)
    assert head.digest == digests.show(map_digest(after))
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
    """What differs from the newest change of each object is an edit; a stranger only when the history is whole."""
    first = revision_of(snapshot(Lunmap()), luns(1, 2))
    second = replace(revision_of(snapshot(luns(1, 2), 1), luns(1)), revision=2)
    there = objects(Lunmap(luns={"l1": lun(1, 1024), "l2": lun(2), "l3": lun(3)}))
    assert edits(there, [second, first]) == {"luns/l1": encode(lun(1)), "luns/l2": None, "luns/l3": None}
    assert edits(there, [second]) == {"luns/l2": None}
    assert edits(objects(luns(1)), [second, first]) == {}


def test_an_edit_is_recorded_by_the_next_commit() -> None:
    """A commit after an edit records the edit as a change from what the history says."""
    edited = replace(snapshot(luns(1)), head_digest="0" * 64, edited={"luns/l1": encode(lun(1, 1024))})
    (change,) = revision_of(edited, luns(1)).changes
    assert as_bytes(change.before) == encode(lun(1, 1024))
    assert as_bytes(change.after) == encode(lun(1))


def test_an_unreadable_object_stays_until_it_is_given_anew() -> None:
    """A commit leaves an unreadable object alone, or replaces it in place, never creates it a second time."""
    known = assemble(META, Head(0, "0" * 64), 0, {"luns/l1": Raw(b"garbage", 7)})
    assert draft(known, Lunmap(), SIGNATURE) is None
    prepared = draft(known, luns(1), SIGNATURE)
    assert prepared is not None
    (write,) = prepared.writes
    assert (write.before, write.version) == (b"garbage", 7)
    assert prepared.revision.digest == digests.show(map_digest(luns(1)))


def test_the_limits_themselves_are_allowed() -> None:
    """A document and a commit of exactly the limit pass, one more byte or operation doesn't."""
    empty = len(encode(Lun(Block(""))))
    for extra, fits in ((0, True), (1, False)):
        large = Lunmap(luns={"a": Lun(Block("x" * (MAX_DOCUMENT - empty + extra)))})
        many = luns(*range(MAX_OPERATIONS - 2 + extra))
        for lunmap in (large, many):
            prepared = draft(snapshot(Lunmap()), lunmap, SIGNATURE)
            assert prepared is not None
            if fits:
                check_size(prepared, "/lunmap")
            else:
                with pytest.raises(TooLargeError):
                    check_size(prepared, "/lunmap")


def test_a_commit_is_measured_with_its_record() -> None:
    """The bytes of a commit count the objects, the record of both their states, and the paths."""
    paths = {f"l{number}": Lun(Block("x" * 150_000)) for number in range(3)}
    prepared = draft(snapshot(Lunmap()), Lunmap(luns=paths), SIGNATURE)
    assert prepared is not None
    with pytest.raises(TooLargeError) as caught:
        check_size(prepared, "/lunmap")
    assert caught.value.size > 6 * 150_000 >= MAX_COMMIT
