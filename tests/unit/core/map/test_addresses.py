"""LUN addresses: which of them lead to another Lun after a change of the map."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, Group, Lun, Lunmap, Map
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses, occupants_of
from support.small_map import LUN, MAP, H, T

OTHER = "iqn.2026-01.org.example:other"
AT_3 = LunAddress(T, H, 3)


def with_luns(**luns: Lun) -> Lunmap:
    """Return the small map with these Luns."""
    return replace(MAP, luns=luns)


def test_an_address_of_a_removed_lun_leads_nowhere() -> None:
    """The address of a Lun that is removed is left, with the name and the serial that it had."""
    assert left_addresses(MAP, with_luns()) == {AT_3: Occupant("a", LUN.serial)}
    assert new_addresses(MAP, with_luns()) == {}


def test_two_luns_that_swap_their_numbers_leave_both_addresses() -> None:
    """A swap is found for both numbers, with the Lun before and the Lun after."""
    other = replace(LUN, serial="2" * 32, maps=(Map(T, 4, H),))
    swapped = with_luns(a=replace(LUN, maps=other.maps), b=replace(other, maps=LUN.maps))
    before = with_luns(a=LUN, b=other)
    assert left_addresses(before, swapped) == {
        AT_3: Occupant("a", LUN.serial),
        AT_3._replace(lun=4): Occupant("b", other.serial),
    }
    assert new_addresses(before, swapped) == {
        AT_3: Occupant("b", other.serial),
        AT_3._replace(lun=4): Occupant("a", LUN.serial),
    }


def test_a_renamed_lun_keeps_its_addresses() -> None:
    """The serial decides, not the name: a Lun that is renamed leads nobody elsewhere."""
    renamed = with_luns(renamed=LUN)
    assert left_addresses(MAP, renamed) == {}
    assert new_addresses(MAP, renamed) == {}


def test_a_member_that_leaves_a_group_leaves_the_addresses_of_the_group() -> None:
    """The Lun itself is unchanged: the group decides which initiators reach it."""
    lun = replace(LUN, maps=(Map(T, 3, group="g"),))
    before = replace(with_luns(a=lun), groups={"g": Group((H, OTHER))})
    after = replace(before, groups={"g": Group((H,))})
    assert left_addresses(before, after) == {LunAddress(T, OTHER, 3): Occupant("a", LUN.serial)}
    assert new_addresses(after, before) == {LunAddress(T, OTHER, 3): Occupant("a", LUN.serial)}


def test_a_lun_that_the_map_lacks_has_no_addresses() -> None:
    """A name that is not in the map adds no address."""
    assert occupants_of(MAP, {"a", "none"}) == {AT_3: Occupant("a", LUN.serial)}
    assert new_addresses(EMPTY_MAP, MAP) == {AT_3: Occupant("a", LUN.serial)}
