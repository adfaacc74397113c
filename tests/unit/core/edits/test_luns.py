"""Edits of Luns and of their maps."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    Access,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.edits.errors import (
    BadAssignmentError,
    ChoiceNeededError,
    DiffersError,
    MappedOtherwiseError,
    NoNumberLeftError,
    StillUsedError,
)
from lunmapd.core.edits.find import Grantee, find_grantee, find_target
from lunmapd.core.edits.luns import add_lun, drop_lun, rename_lun, resize_lun
from lunmapd.core.edits.maps import (
    AskedMap,
    find_map_target,
    first_unused,
    map_lun,
    unmap_lun,
    with_shared,
    without_maps,
)
from lunmapd.core.map.short_names import NoSuchNameError
from support.free_numbers import FREE
from support.small_map import LUN, MAP, H, T

G, OTHER = "iqn.2026-01.org.example:g", "iqn.2026-01.org.example:other"
OFF = Shared(Scope.OFF, Scope.OFF)
NEW = Lun(Block("/dev/vg/b"), shared=OFF)
TWO = replace(
    MAP, initiators={H: Initiator(), G: Initiator()}, groups={"web": Group((H, G)), "one": Group((G,))}
)


def asked(lunmap: Lunmap, word: str, number: int | None = None, access: Access | None = None) -> AskedMap:
    """Return the wish for a map to a host or a group through the only target."""
    return AskedMap(find_grantee(lunmap, word), find_target(lunmap), number, access)


def test_a_lun_is_added_once() -> None:
    """The second time changes nothing, also when the Lun was mapped and got a serial meanwhile."""
    once = add_lun(MAP, "b", NEW)
    assert once.luns == {"a": LUN, "b": NEW}
    mapped = replace(once, luns={**once.luns, "b": replace(NEW, serial="2" * 32, maps=LUN.maps)})
    assert add_lun(mapped, "b", NEW) is mapped


def test_a_lun_that_differs_is_not_added() -> None:
    """The message has the field, and the verb that changes it."""
    with pytest.raises(
        DiffersError, match=r"luns/a is in the map already, and its backing .*lun set a backing="
    ):
        add_lun(MAP, "a", NEW)


def test_a_lun_keeps_everything_but_its_name() -> None:
    """A second renaming changes nothing; a name that is taken or missing is refused."""
    once = rename_lun(MAP, "a", "b")
    assert once == replace(MAP, luns={"b": LUN})
    assert rename_lun(once, "a", "b") is once
    with pytest.raises(DiffersError, match="luns/b is in the map already"):
        rename_lun(add_lun(MAP, "b", NEW), "a", "b")
    with pytest.raises(NoSuchNameError, match="no Lun 'aa'; did you mean 'a'"):
        rename_lun(MAP, "aa", "c")


def test_a_lun_grows() -> None:
    """Less is refused, as is a file without a size; the size of a device is not in the map."""
    grown = resize_lun(MAP, "a", 2 << 20)
    assert grown.luns["a"] == replace(LUN, size=2 << 20)
    assert resize_lun(grown, "a", 2 << 20) is grown
    with pytest.raises(BadAssignmentError, match="a has 2097152 bytes, and 1048576 are less"):
        resize_lun(grown, "a", 1 << 20)
    with pytest.raises(BadAssignmentError, match="'lunmapctl lun grow a SIZE'"):
        resize_lun(MAP, "a", None)
    device = add_lun(MAP, "b", NEW)
    assert resize_lun(device, "b", None) is device
    assert resize_lun(device, "b", 512).luns["b"].size == 512


def test_a_mapped_lun_is_not_dropped_by_accident() -> None:
    """The message names the hosts; a Lun that is gone stays gone."""
    with pytest.raises(StillUsedError, match=r"a is mapped to h: .* add --unmap"):
        drop_lun(MAP, "a")
    gone = drop_lun(MAP, "a", unmap=True)
    assert gone == replace(MAP, luns={})
    assert drop_lun(gone, "a") is gone


def test_a_lun_is_mapped_once_with_a_free_number() -> None:
    """It is the number that others have, if it is free, else the lowest; the second time changes nothing."""
    once = map_lun(TWO, "a", asked(TWO, "g"), FREE)
    assert once.luns["a"].maps == (*LUN.maps, Map(T, 3, G))
    assert map_lun(once, "a", asked(TWO, "g"), FREE) is once
    assert map_lun(TWO, "a", asked(TWO, "g", 9), FREE).luns["a"].maps == (*LUN.maps, Map(T, 9, G))
    full = replace(once, luns={**once.luns, "b": NEW})
    assert map_lun(full, "b", asked(full, "group:web"), FREE).luns["b"].maps == (Map(T, 1, group="web"),)


def test_a_map_gets_another_access_but_no_other_number() -> None:
    """The message names the verb that takes the map away."""
    read_only = map_lun(MAP, "a", asked(MAP, "h", 3, Access.READ_ONLY), FREE)
    assert read_only.luns["a"].maps == (Map(T, 3, H, access=Access.READ_ONLY),)
    assert map_lun(read_only, "a", asked(MAP, "h"), FREE) is read_only
    with pytest.raises(MappedOtherwiseError, match=r"h sees a as LUN 3: .*'lunmapctl unmap a h' first"):
        map_lun(MAP, "a", asked(MAP, "h", 4), FREE)


def test_a_member_of_a_group_sees_its_luns() -> None:
    """It needs no map of its own, can't have another one, and loses none alone."""
    lunmap = replace(TWO, luns={"a": replace(LUN, maps=(Map(T, 1, group="web"), Map(T, 2, group="gone")))})
    assert map_lun(lunmap, "a", asked(lunmap, "g"), FREE) is lunmap
    with pytest.raises(MappedOtherwiseError, match=r"g sees a as LUN 1, rw, as a member of group:web"):
        map_lun(lunmap, "a", asked(lunmap, "g", 1, Access.READ_ONLY), FREE)
    with pytest.raises(
        MappedOtherwiseError, match=r"'lunmapctl group remove web g' .* 'lunmapctl unmap a group:web'"
    ):
        unmap_lun(lunmap, "a", Grantee(G))
    assert unmap_lun(lunmap, "a", Grantee(G), OTHER) is lunmap
    assert unmap_lun(lunmap, "a", Grantee(group="web")).luns["a"].maps == (Map(T, 2, group="gone"),)


def test_a_lun_is_unmapped_from_one_or_all_through_one_or_all_targets() -> None:
    """The second time changes nothing."""
    maps = (Map(T, 3, H), Map(OTHER, 4, H), Map(T, 3, G))
    lunmap = replace(TWO, luns={"a": replace(LUN, maps=maps), "b": NEW})
    once = unmap_lun(lunmap, "a", Grantee(H), T)
    assert once.luns["a"].maps == maps[1:]
    assert unmap_lun(once, "a", Grantee(H), T) is once
    assert unmap_lun(lunmap, "a", Grantee(H)).luns["a"].maps == maps[2:]
    assert unmap_lun(lunmap, "a", None).luns["a"].maps == ()
    assert without_maps(lunmap, target=T).luns == {"a": replace(LUN, maps=maps[1:2]), "b": NEW}


def test_a_lun_of_several_nodes_needs_a_choice() -> None:
    """It is the one that is given, else the one that all others have."""
    given = with_shared(MAP, "a", OFF)
    assert given.luns["a"].shared == OFF
    assert with_shared(given, "a", None) is given
    with pytest.raises(ChoiceNeededError, match=r"several nodes would report a, .* --shared off"):
        with_shared(MAP, "a", None)
    assert with_shared(add_lun(MAP, "b", NEW), "a", None).luns["a"].shared == OFF
    alone = replace(MAP, targets={T: Target({"n1": PortalGroup(1)})})
    assert with_shared(alone, "a", None) is alone


def test_words_that_stand_for_nothing_are_refused() -> None:
    """A map without a target, or with several, needs a name; a group is written with its kind."""
    assert find_target(MAP, "t") == T
    with pytest.raises(ChoiceNeededError, match="the map has no target: 'lunmapctl target create"):
        find_target(replace(MAP, targets={}))
    several = replace(MAP, targets={**MAP.targets, OTHER: Target({})})
    with pytest.raises(ChoiceNeededError, match=r"several targets \(other, t\): add --target"):
        find_target(several)
    with pytest.raises(NoSuchNameError, match="no group 'wob'; did you mean 'web'"):
        find_grantee(TWO, "group:wob")
    assert str(find_grantee(TWO, "group:web")) == "group:web"


def test_a_map_has_the_target_of_the_lun() -> None:
    """That of the host's map, else the one of all maps of the Lun; with neither, a name is needed."""
    several = replace(add_lun(TWO, "b", NEW), targets={**MAP.targets, OTHER: Target({})})
    there = find_map_target(several, "a", Grantee(G))
    both = map_lun(several, "a", AskedMap(Grantee(G), OTHER), FREE)
    assert (there, find_map_target(both, "a", Grantee(G)), find_map_target(both, "a", Grantee(H))) == (
        T,
        OTHER,
        T,
    )
    assert find_map_target(both, "a", Grantee(H), "other") == OTHER
    for name, grantee in (("a", Grantee(group="web")), ("b", Grantee(H))):
        with pytest.raises(ChoiceNeededError, match="several targets"):
            find_map_target(both, name, grantee)


def test_numbers_can_run_out() -> None:
    """The message has the kind of number."""
    with pytest.raises(NoNumberLeftError, match="every LUN number was used once"):
        first_unused((), "LUN number")
