"""Going back in the history: examples of a Lun that comes, changes and goes."""

from lunmapd.core.history.changes import Change, Revision, as_raw
from lunmapd.core.history.spans import objects_at

PATH = "luns/a"
CHANGES = (
    Change(PATH, as_raw(None), as_raw(b"1")),
    Change(PATH, as_raw(b"1"), as_raw(b"2")),
    Change(PATH, as_raw(b"2"), as_raw(None)),
)
REVISIONS = [Revision(number, "", "", "", "", (change,)) for number, change in enumerate(CHANGES, 1)]


def test_an_object_is_found_as_it_was_at_a_revision() -> None:
    """It is as the last revision up to the target left it, or as the first one after it found it."""
    assert [objects_at(target, REVISIONS)[PATH] for target in range(4)] == [None, b"1", b"2", None]
    assert objects_at(1, REVISIONS[1:]) == {PATH: b"1"}
