"""Luns whose nodes have opened different files or devices."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backing_reports import BackingReport
from lunmapd.core.base.backings import FileIO
from lunmapd.core.fleet.backing_differences import find_backing_differences, is_divided, sources_of
from support.small_map import LUN, MAP

GIB = 1 << 30
ONE = BackingReport("/dev/a", GIB, 512, {"dm_uuid": "LVM-1", "wwn": "0x1", "serial": "s1"})


def differences(other: BackingReport | None, *, block_size: bool = False) -> list[tuple[str, bool]]:
    """Return kind and seriousness of what differs between n1, which has ONE, and n2."""
    lun = replace(LUN, attributes={"block_size": 4096}) if block_size else LUN
    reports = {
        "n1": {"a": ONE},
        "n2": {} if other is None else {"a": other},
        "n9": {"a": replace(ONE, size=7)},
    }
    found = find_backing_differences(replace(MAP, luns={"a": lun}), reports)
    return [(each.kind, each.serious) for each in found]


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (None, []),
        (ONE, []),
        (replace(ONE, path="/dev/b", names=("/dev/c",)), []),
        (replace(ONE, size=0, block_size=0, identity={}), []),
        (replace(ONE, size=2 * GIB), [("size", True)]),
        (replace(ONE, block_size=4096), [("block_size", True)]),
        (replace(ONE, identity={"dm_uuid": "LVM-2"}), [("volume", True)]),
        (replace(ONE, identity={"dm_uuid": "mpath-2"}), []),
        (replace(ONE, identity={"wwn": "0x2"}), [("disk", False)]),
        (replace(ONE, identity={"wwn": "0x1", "serial": "s2"}), []),
        (replace(ONE, size=1, identity={"dm_uuid": "LVM-2", "wwn": "0x2"}), [("size", True), ("volume", True), ("disk", False)]),
    ],
)  # fmt: skip
def test_what_must_be_equal_is_a_problem_and_what_may_differ_a_note(
    other: BackingReport | None, found: list[tuple[str, bool]]
) -> None:
    """Size, block size and logical volume must be equal; WWNs of disks that an array mirrors may differ."""
    assert differences(other) == found


def test_a_block_size_of_the_map_makes_devices_equal() -> None:
    """Initiators see the map's block size, whatever that of the devices is."""
    assert differences(replace(ONE, block_size=4096), block_size=True) == []


def test_serials_count_where_there_is_no_wwn() -> None:
    """A disk without WWN is known by its serial."""
    reports = {node: {"a": BackingReport("/dev/a", GIB, 512, {"serial": node})} for node in ("n1", "n2")}
    assert [each.kind for each in find_backing_differences(MAP, reports)] == ["disk"]


def test_a_difference_names_values_and_nodes() -> None:
    """The sentence has the Lun, each value, and the nodes that report it."""
    assert str(find_backing_differences(MAP, {"n1": {"a": ONE}, "n2": {"a": replace(ONE, size=5)}})[0]) == (
        "luns/a: its nodes have opened backings of different sizes in bytes, and initiators see one size for "
        "each path: 1073741824 on n1; 5 on n2"
    )


def test_a_lun_is_divided_if_its_nodes_have_different_paths() -> None:
    """Overrides and `devices` count; a Lun that is not in the map is not divided."""
    assert not is_divided(MAP, "a")
    assert not is_divided(MAP, "nothing")
    assert sources_of(MAP, "a") == {"n1": "/srv/a", "n2": "/srv/a"}
    lun = replace(LUN, backing=FileIO("/srv/a", {"n2": "/srv/b"}))
    assert is_divided(replace(MAP, luns={"a": lun}), "a")


def test_a_lun_of_one_report_does_not_differ() -> None:
    """Nor do two files, which have no identity."""
    file = BackingReport("/srv/a", GIB)
    assert find_backing_differences(MAP, {"n1": {"a": ONE}}) == ()
    assert find_backing_differences(MAP, {"n1": {"a": file}, "n2": {"a": file}}) == ()
