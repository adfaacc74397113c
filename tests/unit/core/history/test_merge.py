"""Merging fields: what both sides removed or changed."""

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Access, Lunmap, Map
from lunmapd.core.history.merge import WHOLE, FieldClash, merge_fields, merge_maps
from support.maps import GIB, lun, luns, with_lun

BASE = luns(1, 2)
LUN = BASE.luns["l1"]


def with_product(lunmap: Lunmap, product: str) -> Lunmap:
    """Return the map with another product of l1."""
    return with_lun(lunmap, "l1", replace(lunmap.luns["l1"], product=product))


def test_the_same_change_on_both_sides_is_no_clash() -> None:
    """Both give one object the same value."""
    changed = with_product(BASE, "p")
    merged = merge_maps(BASE, changed, changed)
    assert (merged.lunmap, merged.clashes) == (changed, ())


def test_different_fields_of_one_object_are_merged() -> None:
    """One side changes the size, the other sets the product: the Lun has both."""
    grown = with_lun(BASE, "l1", lun(1, 2 * GIB))
    merged = merge_fields(BASE, with_product(BASE, "p"), grown)
    assert merged.clashes == ()
    assert merged.ours == merged.theirs == with_product(grown, "p")


def test_a_field_that_both_changed_clashes() -> None:
    """The maps have either value; a field that only one side removed is removed in both."""
    base = with_product(BASE, "old")
    merged = merge_fields(
        base, with_product(base, "a"), with_lun(base, "l1", replace(LUN, product="b", size=None))
    )
    assert merged.clashes == (FieldClash("luns/l1", "product"),)
    assert (merged.ours.luns["l1"].product, merged.theirs.luns["l1"].product) == ("a", "b")
    assert (merged.ours.luns["l1"].size, merged.theirs.luns["l1"].size) == (None, None)


def test_a_field_that_one_side_removed_and_the_other_changed_clashes() -> None:
    """Ours has no product any more, theirs another one."""
    base = with_product(BASE, "old")
    merged = merge_fields(base, with_product(base, ""), with_product(base, "new"))
    assert merged.clashes == (FieldClash("luns/l1", "product"),)
    assert (merged.ours.luns["l1"].product, merged.theirs.luns["l1"].product) == ("", "new")


def test_an_object_that_one_side_removed_and_the_other_changed_clashes_as_a_whole() -> None:
    """It is there on the side that changed it; other objects are merged as ever."""
    changed, gone = with_product(BASE, "p"), with_lun(luns(1, 2, 3), "l1", None)
    merged = merge_fields(BASE, gone, changed)
    assert merged.clashes == (FieldClash("luns/l1", WHOLE),)
    assert merged.ours == gone
    assert merged.theirs == with_lun(changed, "l3", lun(3))
    merged = merge_fields(BASE, changed, gone)
    assert (merged.ours.luns["l1"].product, "l1" in merged.theirs.luns) == ("p", False)


def test_an_object_that_both_added_is_merged_field_by_field() -> None:
    """Equal fields do not clash."""
    ours, theirs = with_lun(BASE, "n", lun(9)), with_lun(BASE, "n", lun(9, 2 * GIB))
    assert merge_fields(BASE, ours, theirs).clashes == (FieldClash("luns/n", "size"),)


def mapped(*maps: Map, **fields: object) -> Lunmap:
    """Return the map with these maps of l1, and other fields of it."""
    return with_lun(BASE, "l1", replace(LUN, maps=maps, **fields))


def test_members_of_lists_and_mappings_are_merged() -> None:
    """Two admins map one Lun to different hosts and set different attributes; a third map is removed."""
    old, one, other = (Map("t", number, f"h{number}") for number in range(3))
    base = mapped(old, attributes={"a": 1})
    ours = mapped(old, one, attributes={"a": 1, "b": 1}, nodes=("n1",))
    theirs = mapped(other, attributes={"a": 2}, nodes=("n2",))
    merged = merge_fields(base, ours, theirs)
    assert merged.clashes == ()
    assert merged.ours.luns["l1"] == replace(
        LUN, maps=(other, one), attributes={"a": 2, "b": 1}, nodes=("n2", "n1")
    )


def test_one_map_that_both_changed_is_merged_by_its_fields() -> None:
    """Different fields are merged, the same field clashes; the host has one map in either case."""
    old = Map("t", 0, "h")
    ours, theirs = mapped(replace(old, lun=5)), mapped(replace(old, access=Access.READ_ONLY))
    merged = merge_fields(mapped(old), ours, theirs)
    assert (merged.ours, merged.clashes) == (mapped(Map("t", 5, "h", access=Access.READ_ONLY)), ())
    merged = merge_fields(mapped(old), ours, mapped(replace(old, lun=6)))
    assert merged.clashes == (FieldClash("luns/l1", "maps"),)
    assert (merged.ours, merged.theirs) == (ours, mapped(replace(old, lun=6)))


def test_what_belongs_together_is_merged_as_a_whole() -> None:
    """The path of one side and the overrides of the other are no backing that anybody chose."""
    ours = with_lun(BASE, "l1", replace(LUN, backing=Block("/dev/other")))
    theirs = with_lun(BASE, "l1", replace(LUN, backing=Block("/dev/vg/l1", {"n1": "/dev/sdb"})))
    merged = merge_fields(BASE, ours, theirs)
    assert merged.clashes == (FieldClash("luns/l1", "backing"),)
    assert (merged.ours, merged.theirs) == (ours, theirs)


def test_a_list_that_names_a_member_twice_is_not_merged() -> None:
    """The rules are to see both, such as two maps of a Lun to one host of which one was meant for another."""
    first, second, other = Map("t", 1, "h"), Map("t", 2, "h"), Map("t", 3, "other")
    base = with_lun(BASE, "l1", replace(LUN, maps=(first,)))
    twice = with_lun(BASE, "l1", replace(LUN, maps=(first, second)))
    theirs = with_lun(BASE, "l1", replace(LUN, maps=(first, other)))
    merged = merge_fields(base, twice, theirs)
    assert merged.clashes == (FieldClash("luns/l1", "maps"),)
    assert (merged.ours, merged.theirs) == (twice, theirs)
