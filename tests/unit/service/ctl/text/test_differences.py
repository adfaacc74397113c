"""Changes of the map as people read them."""

from lunmapd.core.history.changes import Revision
from lunmapd.core.history.fields import ChangeKind, Difference, FieldChange
from lunmapd.service.ctl.text.differences import (
    change_sum,
    difference_lines,
    names_for_changes,
    revision_lines,
    revision_report,
    show_time,
)
from support.small_map import MAP, H, T


def lines(*fields: FieldChange) -> list[str]:
    """Return the lines of the fields of one changed Lun."""
    return list(difference_lines([Difference("luns/a", ChangeKind.CHANGED, fields)], whole=True))[1:]


def test_a_size_has_its_largest_unit() -> None:
    """Without rounding: two sizes that differ look different."""
    assert lines(FieldChange("size", 1 << 27, 1 << 26)) == ["    size: 128 MiB -> 64 MiB"]
    assert lines(FieldChange("size", 1 << 27, (1 << 27) + 512)) == ["    size: 128 MiB -> 134218240 bytes"]
    assert lines(FieldChange("size", after=1 << 30)) == ["    size: + 1 GiB"]
    assert lines(FieldChange("size", before=1 << 30)) == ["    size: - 1 GiB"]


def test_many_objects_have_a_sum() -> None:
    """New, changed and removed objects of each section are counted."""
    changed = [
        *(Difference(f"luns/{n}", ChangeKind.ADDED, ()) for n in range(1200)),
        Difference("nodes/n1", ChangeKind.CHANGED, ()),
        Difference("groups/g", ChangeKind.REMOVED, ()),
    ]
    assert change_sum(changed) == "+1,200 luns, ~1 node, -1 group"


def test_a_time_has_no_fraction() -> None:
    """A text that is no such time stays as it is."""
    assert show_time("2026-01-02T03:04:05.678901Z") == "2026-01-02T03:04:05Z"
    assert show_time("soon") == "soon"


def test_a_revision_that_undoes_another_names_it() -> None:
    """So the end of a rollout can be told from any other revision, in the text and in JSON."""
    undoing = Revision(8, "", "ann", "2026-01-01T00:00:00Z", "not confirmed in time", (), undoes=7)
    assert "undoes   revision 7, which was tried" in list(revision_lines(undoing))
    assert revision_report(undoing).undoes == 7


def test_short_names_are_unique_in_the_map_and_in_the_changes() -> None:
    """A name of an earlier map that is gone keeps the one of another host from its short form."""
    gone = "iqn.2026-01.com.example:h"
    field = FieldChange("maps", before={"target": T, "initiator": gone, "lun": 1})
    names = names_for_changes([Difference("luns/a", ChangeKind.CHANGED, (field,))], MAP)
    assert (names.target(T), names.initiator(gone), names.initiator(H)) == ("t", gone, H)
    assert names_for_changes([], MAP).initiator(H) == "h"
