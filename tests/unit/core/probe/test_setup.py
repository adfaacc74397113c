"""The probe in the map."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Pscsi
from lunmapd.core.base.lunmap import Access, Chap, Group, Initiator, Map
from lunmapd.core.map.rules import check_map
from lunmapd.core.probe.setup import (
    NoProbeError,
    UnknownNameError,
    check_probe,
    chosen_luns,
    mapped_luns,
    shared_targets,
    with_probe,
)
from support.small_map import LUN, MAP, H, T

P = "iqn.2026-01.org.example:probe"
SEALED = "v1:00000000:" + "A" * 38
PROBE = Initiator("probe", Chap("probe", SEALED), probe=True)
TWO = replace(MAP, luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=(Map(T, 4, H),))})


def test_names_of_luns_and_hosts() -> None:
    """A Lun stands for itself, an initiator for all its Luns; any other name is refused with the nearest."""
    assert chosen_luns(TWO, ["b"]) == {"b"}
    assert chosen_luns(TWO, [H]) == {"a", "b"}
    assert chosen_luns(TWO, []) == frozenset()
    with pytest.raises(UnknownNameError, match="no Lun and no initiator 'bb'"):
        chosen_luns(TWO, ["bb"])
    idle = replace(TWO, initiators={**TWO.initiators, P: PROBE})
    with pytest.raises(UnknownNameError, match=f"the map gives no Lun to {P}"):
        chosen_luns(idle, [P])


def test_a_probe_gets_luns_read_only() -> None:
    """Each Lun gets one map for each of its targets, with the given numbers; a second time adds nothing."""
    assert shared_targets(TWO, P, ["b", "a"]) == {T: 2}
    after = with_probe(TWO, P, PROBE, {"a", "b"}, {T: (5, 9)})
    assert {name: lun.maps[1:] for name, lun in after.luns.items()} == {
        "a": (Map(T, 5, P, access=Access.READ_ONLY),),
        "b": (Map(T, 9, P, access=Access.READ_ONLY),),
    }
    assert after.initiators == {H: Initiator(), P: PROBE}
    assert mapped_luns(after, P) == {"a", "b"}
    assert shared_targets(after, P, ["a"]) == {}
    assert with_probe(after, P, PROBE, {"a"}, {}) == after
    assert [problem.place for problem in check_map(after)] == [problem.place for problem in check_map(TWO)]


def test_a_map_without_a_number_is_left_out() -> None:
    """A Lun that gets more targets meanwhile is mapped through those that have a number."""
    other = "iqn.2026-01.org.example:other"
    both = replace(TWO, luns={"a": replace(LUN, maps=(Map(other, 1, H), Map(T, 3, H)))})
    assert shared_targets(both, P, ["a"]) == {T: 1, other: 1}
    assert with_probe(both, P, PROBE, {"a"}, {T: (4,), other: ()}).luns["a"].maps[2:] == (
        Map(T, 4, P, access=Access.READ_ONLY),
    )


def test_a_lun_of_its_own() -> None:
    """A Lun that no host has is mapped to the probe through every target; a second time adds nothing."""
    other = "iqn.2026-01.org.example:other"
    own = replace(LUN, serial="3" * 32, maps=())
    lunmap = replace(TWO, luns={**TWO.luns, "own": own}, targets={**TWO.targets, other: TWO.targets[T]})
    assert shared_targets(lunmap, P, ["own"]) == {T: 1, other: 1}
    after = with_probe(lunmap, P, PROBE, {"own"}, {T: (1,), other: (1,)})
    assert [(entry.target, entry.lun) for entry in after.luns["own"].maps] == [(T, 1), (other, 1)]
    assert shared_targets(after, P, ["own"]) == {}


def test_an_unknown_lun_is_refused() -> None:
    """The error has the nearest name."""
    with pytest.raises(UnknownNameError, match="no Lun 'aa'"):
        with_probe(TWO, P, PROBE, {"aa"}, {})


def test_who_may_be_a_probe() -> None:
    """A probe that can write nothing may; a host, a missing initiator and one that could write may not."""
    good = with_probe(TWO, P, PROBE, {"a"}, {T: (1,)})
    assert check_probe(good, P) == PROBE
    with pytest.raises(NoProbeError, match="is not in the map"):
        check_probe(TWO, P)
    with pytest.raises(NoProbeError, match="is a host"):
        check_probe(TWO, H)
    groups = {"g": Group((P,))}
    writable = replace(LUN, maps=(Map(T, 3, group="g"),))
    with pytest.raises(NoProbeError, match=r"could write to luns/a: use 'access: ro'"):
        check_probe(replace(good, groups=groups, luns={"a": writable}), P)


def test_the_rules_of_a_probe() -> None:
    """A probe without a password, or with a map through which it could write, breaks a rule."""
    bare = replace(MAP, initiators={**MAP.initiators, P: Initiator(probe=True)})
    assert [str(problem) for problem in check_map(bare) if "probe" in problem.message] == [
        f"initiators[{P}].chap: a probe needs a password: 'lunmapctl probe-setup {P}' makes both in one commit"
    ]
    groups = {"g": Group((P, H))}
    maps = (Map(T, 1, P), Map(T, 2, P, access=Access.READ_ONLY), Map(T, 3, group="g"))
    passed = replace(LUN, backing=Pscsi("/dev/sg1"), size=None, maps=(replace(maps[1], lun=4),))
    luns = {"a": replace(LUN, maps=maps), "b": passed}
    wrong = replace(MAP, initiators={H: Initiator(), P: PROBE}, groups=groups, luns=luns)
    sentence = f"'{P}' is a probe, which may write nothing"
    assert [str(problem) for problem in check_map(wrong) if "is a probe" in problem.message] == [
        f"luns[a].maps[0]: {sentence}: use 'access: ro'",
        f"luns[a].maps[2]: {sentence}: use 'access: ro'",
        f"luns[b].maps[0]: {sentence}: 'access: ro' does not hold for a pscsi Lun",
    ]
