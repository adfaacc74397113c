"""Numbers that only the kernel cares about."""

from lunmapd.core.node import lio_objects
from lunmapd.lio.base.index import (
    FIRST_INDEX,
    KernelIndex,
    MappedLuns,
    NumberPool,
    blocking_directory,
    parse_hba_index,
    record_number,
    take_lun_number,
    target_or_tpg_at,
)

IQN = "iqn.2020-01.org.example:disks"


def test_the_lowest_free_number_is_given() -> None:
    """Gaps are filled before new numbers are used, and a freed number comes back."""
    numbers = NumberPool()
    for number in (0, 1, 3):
        numbers.take(number)
    assert numbers.lowest() == 2
    numbers.take(2)
    assert numbers.lowest() == 4
    numbers.free(1)
    assert numbers.lowest() == 1


def test_a_reserved_number_is_given_to_its_user_alone() -> None:
    """It is free, and never the lowest one."""
    numbers = NumberPool()
    numbers.reserve(0)
    assert (numbers.lowest(), numbers.is_free(0)) == (1, True)
    numbers.take(0)
    assert (numbers.lowest(), numbers.is_free(0)) == (1, False)
    numbers.free(0)
    assert numbers.lowest() == 1


def test_a_lun_gets_the_number_of_its_reservation_file() -> None:
    """Others don't, also while that LUN does not exist; a number is taken once."""
    index = KernelIndex()
    index.recorded_serials["db"] = "5" * 32
    record_number(index, (IQN, 1), "5" * 32, 1)
    record_number(index, (IQN, 1), "6" * 32, 0)
    assert [take_lun_number(index, (IQN, 1), name) for name in ("a", "b", "db", "db")] == [2, 3, 1, 1]
    assert take_lun_number(index, (IQN, 2), "db") == 0


def test_of_two_luns_with_one_recorded_number_the_second_gets_another() -> None:
    """As when one of the files is of an earlier configuration."""
    index = KernelIndex()
    for name, serial in (("a", "5" * 32), ("b", "6" * 32)):
        index.recorded_serials[name] = serial
        record_number(index, (IQN, 1), serial, 3)
    assert [take_lun_number(index, (IQN, 1), name) for name in "ab"] == [3, 0]


def _mapped(number: int, storage_object: str) -> lio_objects.MappedLun:
    return lio_objects.MappedLun(IQN, 1, "i", number, storage_object, write_protect=False)


def test_a_directory_is_that_of_a_target_or_a_tpg() -> None:
    """Only such a directory's objects are known."""
    assert target_or_tpg_at(f"iscsi/{IQN}") == lio_objects.Target(IQN)
    assert target_or_tpg_at(f"iscsi/{IQN}/tpgt_3") == lio_objects.Tpg(IQN, 3)
    for path in (
        "",
        "core",
        "iscsi",
        f"iscsi/{IQN}/fabric_statistics",
        "core/fileio_10000",
        f"iscsi/{IQN}/tpgt_3/acls",
    ):
        assert target_or_tpg_at(path) is None


def test_a_storage_object_is_seen_as_long_as_anybody_sees_it() -> None:
    """Recording a mapped LUN twice, or a removed one, changes nothing.

    A reused number counts for its new LUN.
    """
    maps = MappedLuns()
    for item in (_mapped(0, "a"), _mapped(0, "a"), _mapped(1, "a")):
        maps.add(item)
    maps.discard(_mapped(0, "a"))
    maps.discard(_mapped(0, "a"))
    assert "a" in maps
    maps.add(_mapped(1, "b"))
    assert "a" not in maps
    assert "b" in maps
    maps.discard(_mapped(1, "b"))
    maps.discard(lio_objects.MappedLun(IQN, 1, "nobody", 1, "b", write_protect=False))
    assert "b" not in maps


def test_our_indexes_start_above_those_of_others() -> None:
    """The first storage object goes to an index that no other tool would choose."""
    assert KernelIndex().hba_indexes.lowest() == FIRST_INDEX


def test_an_index_is_the_end_of_the_name() -> None:
    """Plugins have underscores in their names; directories without a number have no index."""
    assert parse_hba_index("rd_mcp_10000") == 10000
    assert parse_hba_index("alua") == -1


def test_each_object_blocks_the_smallest_directory() -> None:
    """A LUN blocks its own directory, an ACL all ACLs of the TPG, a TPG itself."""
    index = KernelIndex()
    index.lun_numbers[IQN, 1].take(0)
    tpg = f"iscsi/{IQN}/tpgt_1"
    assert blocking_directory(lio_objects.TpgLun(IQN, 1, "a"), index) == f"{tpg}/lun/lun_1"
    index.luns[IQN, 1]["a"] = 0
    assert blocking_directory(lio_objects.TpgLun(IQN, 1, "a"), index) == f"{tpg}/lun/lun_0"
    assert blocking_directory(lio_objects.NodeAcl(IQN, 1, "i"), index) == f"{tpg}/acls"
    assert blocking_directory(lio_objects.Enabled(IQN, 1, 1), index) == tpg
    assert blocking_directory(lio_objects.Target(IQN), index) == f"iscsi/{IQN}"
    assert blocking_directory(lio_objects.Leftover("hba", "core/fileio_10000"), index) == "core/fileio_10000"
    assert (
        blocking_directory(lio_objects.StorageObject("a", "fileio", "/a", 1, "1"), index)
        == "core/fileio_10000"
    )
