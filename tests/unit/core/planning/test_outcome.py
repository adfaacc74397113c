"""What stays as it was while a change is held."""

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import kept_objects
from lunmapd.core.planning.plan import plan

T, H, OTHER = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
TPG = (lio_objects.Target(T), lio_objects.Tpg(T, 1))
ACLS = (lio_objects.NodeAcl(T, 1, H), lio_objects.NodeAcl(T, 1, OTHER))
HELD = Failure(Reason.HELD, "")


def mapped(number: int, name: str = "x", initiator: str = H, *, ro: bool = False) -> lio_objects.MappedLun:
    """Return a mapped LUN."""
    return lio_objects.MappedLun(T, 1, initiator, number, name, write_protect=ro)


@pytest.mark.parametrize(
    ("observed", "desired", "kept"),
    [
        ([mapped(5)], [], {5}),
        ([mapped(5)], [mapped(5, ro=True)], {5}),
        ([mapped(5)], [mapped(7)], {5}),
        ([mapped(5)], [mapped(5, "y"), mapped(7)], set()),
        ([], [mapped(5)], set()),
        ([mapped(5)], [mapped(5, ro=True), mapped(5, initiator=OTHER)], set()),
    ],
    ids=["removed", "read-only", "renumbered", "another Lun", "new", "one of two missing"],
)
def test_a_lun_is_kept_if_nothing_of_it_is_missing(
    observed: list[lio_objects.MappedLun], desired: list[lio_objects.MappedLun], kept: set[int]
) -> None:
    """An object that a held step would change or remove stays; one that it would create is not there."""
    storage = [
        item
        for name in ("x", "y")
        for item in (
            lio_objects.StorageObject(name, "iblock", f"/dev/{name}", 0, name),
            lio_objects.TpgLun(T, 1, name),
        )
    ]
    before = lio_objects.by_key([*TPG, *storage, *ACLS, *observed])
    left = plan(lio_objects.by_key([*TPG, *storage, *ACLS, *desired]), before)
    failures = {lio_objects.key_of(step.item): HELD for step in left}
    assert {key[-1] for key in kept_objects(failures, left, before)} == kept


def test_an_object_that_fails_for_another_reason_is_not_kept() -> None:
    """Only held changes leave an object in a state that is known to be usable."""
    before = lio_objects.by_key([*TPG, *ACLS])
    left = plan(lio_objects.by_key(TPG), before)
    failures = {lio_objects.key_of(ACLS[0]): HELD, lio_objects.key_of(ACLS[1]): Failure(Reason.IN_USE, "")}
    assert kept_objects(failures, left, before) == {lio_objects.key_of(ACLS[0])}
    del failures[lio_objects.key_of(ACLS[0])]
    assert not kept_objects(failures, left, before)
