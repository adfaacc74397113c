"""The content of head and revisions, and its encoding."""

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Head, Revision, Staged

STAGED = Staged(9, "d", "ann", "t", "m")


def test_the_tip_is_the_newest_part_or_the_newest_revision() -> None:
    """While a large commit is under way its newest part is the tip, else the revision that nodes follow."""
    assert Head(7, "d").tip == 7
    assert Head(7, "d", staged=STAGED).tip == 9


def test_what_is_not_so_is_not_written() -> None:
    """A head without confirmation and a plain revision are as short as those of the first schema."""
    assert encode(Head(7, "d")) == b'{"revision":7,"digest":"d"}'
    assert encode(Revision(1, "d", "ann", "t", "", ())).endswith(b'"message":"","changes":[]}')
