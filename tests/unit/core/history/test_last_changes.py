"""The last change of a field, and the changes that another change undoes."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap, Map
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.history.last_changes import LastChange, last_changes, undone_by
from lunmapd.core.history.merge import WHOLE
from support.maps import GIB, lun, luns, with_lun


def history(*maps: Lunmap) -> list[Revision]:
    """Return the revisions that make these maps one after the other, by admins a, b, ..., newest first."""
    revisions = []
    before = Lunmap()
    for number, after in enumerate(maps, 1):
        author = "abcdefgh"[number - 1]
        revisions.append(Revision(number, "", author, f"t{number}", "", diff_maps(before, after)))
        before = after
    return revisions[::-1]


def undone(after: Lunmap, *maps: Lunmap) -> list[tuple[str, str, str]]:
    """Return path, field and author of what the change from the last of the maps to `after` undoes."""
    found = undone_by(diff_maps(maps[-1], after), history(*maps))
    return [(each.path, each.field, each.author) for each in found]


def product(lunmap: Lunmap, text: str) -> Lunmap:
    """Return the map with another product of l1."""
    return with_lun(lunmap, "l1", replace(lunmap.luns["l1"], product=text))


ONE = luns(1)


def test_new_values_and_new_objects_undo_nothing() -> None:
    """A field gets a value that it never had, and a Lun is added that never was."""
    assert undone(luns(1, 2), ONE) == []
    assert undone(product(ONE, "x"), ONE, product(ONE, "y")) == []
    assert undone(with_lun(ONE, "l1", lun(1, 2 * GIB)), ONE) == []


def test_an_earlier_value_undoes_the_last_change_of_the_field() -> None:
    """Also if the field had other values in between; a field that others did not touch is not one."""
    assert undone(ONE, ONE, product(ONE, "x")) == [("luns/l1", "product", "b")]
    assert undone(ONE, ONE, product(ONE, "x"), product(ONE, "y")) == [("luns/l1", "product", "c")]
    grown = with_lun(product(ONE, "x"), "l1", replace(product(ONE, "x").luns["l1"], size=2 * GIB))
    assert undone(with_lun(ONE, "l1", lun(1, 4 * GIB)), ONE, product(ONE, "x"), grown) == [
        ("luns/l1", "product", "b")
    ]


def test_a_removal_undoes_the_last_change_of_the_object() -> None:
    """As of a Lun that somebody added after the file was made."""
    assert undone(ONE, ONE, luns(1, 2)) == [("luns/l2", WHOLE, "b")]
    assert undone(Lunmap(), ONE, product(ONE, "x")) == [("luns/l1", WHOLE, "b")]


def test_to_add_what_was_removed_undoes_the_removal() -> None:
    """Whatever the Lun has now."""
    assert undone(luns(1, 2), luns(1, 2), ONE) == [("luns/l2", WHOLE, "b")]


def test_values_of_an_object_that_was_removed_and_made_anew_do_not_count() -> None:
    """The history of the former object is that of another one."""
    assert undone(ONE, ONE, Lunmap(), product(ONE, "x")) == []


def test_members_count_for_themselves() -> None:
    """A file that lacks the map of one host undoes its addition, although it adds another one."""
    one, other = (
        with_lun(ONE, "l1", replace(ONE.luns["l1"], maps=(Map("t", 1, f"h{number}"),))) for number in (1, 2)
    )
    assert undone(other, ONE, one) == [("luns/l1", "maps", "b")]
    assert undone(other, one) == []


def test_the_last_change_of_each_field_is_found() -> None:
    """With author, time and revision; a field without a change is left out, and the object has any change."""
    revisions = history(ONE, product(ONE, "x"), with_lun(product(ONE, "x"), "l2", lun(2)))
    wanted: dict[str, tuple[str, ...]] = {"luns/l1": ("product", "size", WHOLE), "luns/l9": ("size",)}
    assert last_changes(wanted, revisions) == (
        LastChange("luns/l1", WHOLE, 2, "b", "t2"),
        LastChange("luns/l1", "product", 2, "b", "t2"),
        LastChange("luns/l1", "size", 1, "a", "t1"),
    )
    assert last_changes({"luns/l2": ("size",)}, revisions) == (LastChange("luns/l2", "size", 3, "c", "t3"),)
