"""The rules of a client's commits cost an index only if it checks several maps."""

from msgspec.structs import replace

from lunmapd.core.history.map_change import compare_objects
from lunmapd.core.map import rules
from lunmapd.store.commit.kept_rules import KeptRules
from support.maps import lun, luns, with_lun


def test_one_map_needs_no_index() -> None:
    """`lunmapctl apply` checks its map when it proposes it and when it commits it, and indexes nothing."""
    kept = KeptRules()
    assert [kept.check_map(compare_objects(luns(), luns(1, 2))) for _ in range(3)] == [(), (), ()]
    assert kept._index is None


def test_a_refused_map_leaves_the_rules_of_the_last_good_one() -> None:
    """After a map with problems the next one is compared with that before it."""
    kept = KeptRules()
    good, more = luns(1), luns(1, 2)
    bad = with_lun(good, "again", lun(1))
    assert kept.check_map(compare_objects(luns(), good)) == ()
    assert kept.check_map(compare_objects(good, bad)) == rules.check_map(bad) != ()
    assert kept.check_map(compare_objects(luns(), more)) == ()
    assert kept.check_map(compare_objects(good, bad)) == rules.check_map(bad)
    assert kept._index is not None
    assert kept._index.lunmap == more


def test_a_program_may_use_its_dict_again() -> None:
    """A map whose dict the program changed after it was checked is checked for what it has now."""
    kept = KeptRules()
    reused = dict(luns(1).luns)
    before = luns()
    assert kept.check_map(compare_objects(before, replace(before, luns=reused))) == ()
    reused["again"] = lun(1)
    bad = replace(before, luns=reused)
    assert kept.check_map(compare_objects(before, bad)) == rules.check_map(bad) != ()
