"""Block devices in sysfs."""

from pathlib import Path

import pytest

from lunmapd.lio.base.block_devices import (
    BlockDevice,
    is_claimed,
    list_holders,
    read_block_device,
    read_identity,
)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """Return a directory with the disk 8:0, its partition 8:1 and the device mapper's 254:0."""
    disk = tmp_path / "sda"
    texts = {
        "size": "2048", "ro": "0", "diskseq": "9", "queue/logical_block_size": "4096", "device/wwid": "naa.5 x",
        "sda1/size": "1024", "sda1/ro": "1", "sda1/partition": "1",
    }  # fmt: skip
    for name, text in texts.items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(f"{text}\n")
    mapper = tmp_path / "dm-0"
    (mapper / "dm").mkdir(parents=True)
    (mapper / "size").write_text("8\n")
    (mapper / "dm/uuid").write_text("LVM-abc\n")
    links = tmp_path / "block"
    links.mkdir()
    for numbers, target in (("8:0", disk), ("8:1", disk / "sda1"), ("254:0", mapper)):
        (links / numbers).symlink_to(target)
    return links


def test_a_disk_and_its_partition_are_read(devices: Path) -> None:
    """A partition has its own size and read-only state, the rest is that of its disk."""
    assert read_block_device("8:0", str(devices)) == BlockDevice(2048 * 512, False, "9", 4096)
    assert read_block_device("8:1", str(devices)) == BlockDevice(1024 * 512, True, "9", 4096)
    assert read_block_device("254:0", str(devices)) == BlockDevice(8 * 512, False, "", 0)
    assert read_block_device("8:16", str(devices)) is None


def test_a_device_has_its_own_identity(devices: Path) -> None:
    """Disk, partition and mapped device are distinguished; a device without identity has none."""
    words = [read_identity(numbers, str(devices)) for numbers in ("8:0", "8:1", "254:0")]
    assert [word.partition(":")[0] for word in words] == ["wwid", "wwid", "dm"]
    assert len(set(words)) == 3
    assert all(" " not in word and len(word) < 24 for word in words)
    (devices / "254:0" / "dm/uuid").write_text("\n")
    assert read_identity("254:0", str(devices)) == ""
    assert read_identity("8:16", str(devices)) == ""


def test_what_can_be_opened_alone_is_not_claimed(tmp_path: Path) -> None:
    """A file that can't be opened counts as claimed: nothing follows from it."""
    (tmp_path / "free").touch()
    assert not is_claimed(str(tmp_path / "free"))
    assert is_claimed(str(tmp_path / "missing"))


def test_the_holders_of_a_disk_are_named(devices: Path) -> None:
    """Those of its partitions too; a device of device mapper has a name of its own."""
    for place, holder in (("8:0", "dm-0"), ("8:1", "md127")):
        (devices / place / "holders" / holder / "dm").mkdir(parents=True)
    (devices / "8:0/holders/dm-0/dm/name").write_text("mpatha\n")
    assert list_holders("8:0", str(devices)) == ("dm-0 (mpatha)", "md127")
    assert list_holders("8:1", str(devices)) == ("md127",)
    assert list_holders("254:0", str(devices)) == list_holders("8:16", str(devices)) == ()
