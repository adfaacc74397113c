"""The rules of a client's commits cost an index only if it checks several maps."""

from lunmapd.core.map import rules
from lunmapd.store.commit.kept_rules import KeptRules
from support.maps import lun, luns, with_lun


def test_one_map_needs_no_index() -> None:
    """`lunmapctl apply` checks its map when it proposes it and when it commits it, and indexes nothing."""
    kept = KeptRules()
    assert [kept.check_map(luns(1, 2)) for _ in range(3)] == [(), (), ()]
    assert kept._index is None


def test_a_refused_map_leaves_the_rules_of_the_last_good_one() -> None:
    """After a map with problems the next one is compared with that before it."""
    kept = KeptRules()
    good, more = luns(1), luns(1, 2)
    bad = with_lun(good, "again", lun(1))
    assert kept.check_map(good) == ()
    assert kept.check_map(bad) == rules.check_map(bad) != ()
    assert kept.check_map(more) == ()
    assert kept.check_map(bad) == rules.check_map(bad)
    assert kept._index is not None
    assert kept._index.lunmap is more
