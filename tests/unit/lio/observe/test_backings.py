"""What the path of a backing leads to, compared with what the kernel shows and the alias records."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.opening import Opened
from lunmapd.lio.base.alias import OpenedBacking
from lunmapd.lio.base.block_devices import read_identity
from lunmapd.lio.base.observation import Observation, ObservationHints
from lunmapd.lio.base.path_probe import Kind, PathProbe, PathStatus
from lunmapd.lio.observe import backings
from lunmapd.lio.observe.backings import ReadStorageObject, add_storage_objects

ITEM = lio_objects.StorageObject("a", "iblock", "/dev/a", 0, "1" * 32)


class Probe(PathProbe):
    """Answers with what the test says about each path."""

    def __init__(self, devices: Path) -> None:
        """Start with a directory of devices."""
        super().__init__(devices=str(devices))
        self.statuses: dict[str, PathStatus] = {}

    def examine(self, paths: Sequence[str]) -> dict[str, PathStatus]:
        """Return the statuses that were set."""
        return {path: self.statuses[path] for path in paths}


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    """Return a node with two disks, 8:0 and 8:16, and a third one that is the first by another path."""
    for numbers, disk, wwid in (("8:0", "5", "naa.1"), ("8:16", "6", "naa.2"), ("8:32", "7", "naa.1")):
        (tmp_path / numbers / "device").mkdir(parents=True)
        for name, text in (("size", "2048"), ("ro", "0"), ("diskseq", disk), ("device/wwid", wwid)):
            (tmp_path / numbers / name).write_text(text)
    return Probe(tmp_path)


def opened_8_0(probe: Probe) -> OpenedBacking:
    """Return the record of the first disk."""
    return OpenedBacking(disk="5", identity=read_identity("8:0", probe.devices), size=1 << 20)


def look(probe: Probe, numbers: str, opened: OpenedBacking, there: PathStatus) -> tuple[BackingFacts, Opened]:
    """Return the facts about a storage object whose path leads to `there`."""
    probe.statuses[ITEM.path] = there
    observation = Observation(Path("/nowhere"), ObservationHints(probe=probe))
    add_storage_objects(observation, [ReadStorageObject(ITEM, numbers, opened)])
    item = observation.objects["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    return observation.backings["a"], item.opened


def vanish(probe: Probe, numbers: str) -> None:
    """Remove a device, as the kernel does."""
    Path(probe.devices, numbers).rename(Path(probe.devices, f"gone {numbers}"))


def test_the_opened_device_under_its_path_is_right(probe: Probe) -> None:
    """It is right with and without a record."""
    for opened in (opened_8_0(probe), OpenedBacking()):
        facts, state = look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:0"))
        assert (facts.name, facts.device, facts.size, facts.other, state) == (
            "same",
            "8:0",
            1 << 20,
            "",
            "current",
        )


def test_another_path_of_the_same_disk_is_right(probe: Probe) -> None:
    """Without multipathing, a link of udev leads to either path of a disk."""
    facts, state = look(probe, "8:0", opened_8_0(probe), PathStatus(Kind.BLOCK, "8:32"))
    assert (facts.name, state) == ("same", "current")


def test_another_disk_beside_the_opened_one_is_other_data(probe: Probe) -> None:
    """The opened one is there and serves; a device without any identity is another one, too."""
    facts, state = look(probe, "8:0", opened_8_0(probe), PathStatus(Kind.BLOCK, "8:16"))
    assert (facts.name, facts.other, state) == ("replaced", "the block device 8:16", "other")
    for numbers in ("8:0", "8:16"):
        Path(probe.devices, numbers, "device/wwid").unlink()
    facts, state = look(probe, "8:0", replace(opened_8_0(probe), identity=""), PathStatus(Kind.BLOCK, "8:16"))
    assert (facts.name, state) == ("replaced", "other")


def test_the_same_disk_after_the_opened_one_is_gone_has_returned(probe: Probe) -> None:
    """It has the same identity; where neither has one, the path alone decides."""
    opened = opened_8_0(probe)
    vanish(probe, "8:0")
    facts, state = look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:32"))
    assert (facts.name, facts.size, state) == ("returned", None, "gone")
    Path(probe.devices, "8:32/device/wwid").unlink()
    facts, state = look(probe, "8:0", replace(opened, identity=""), PathStatus(Kind.BLOCK, "8:32"))
    assert (facts.name, state) == ("returned", "gone")


def test_another_disk_after_the_opened_one_is_gone_is_other_data(probe: Probe) -> None:
    """A new disk in the slot of a broken one is not what the initiators have written to."""
    opened = opened_8_0(probe)
    vanish(probe, "8:0")
    facts, state = look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:16"))
    assert (facts.name, state) == ("replaced", "other")
    Path(probe.devices, "8:16/device/wwid").unlink()
    assert look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:16"))[0].name == "replaced"


def test_a_number_that_went_to_another_disk_does_not_hide_that(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIO does not claim the disk that has the number now, so the opened one is gone."""
    opened = replace(opened_8_0(probe), disk="4")
    monkeypatch.setattr(backings, "is_claimed", lambda _: False)
    assert look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:0"))[0].name == "returned"
    assert look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:32"))[0].name == "returned"
    Path(probe.devices, "8:0/device/wwid").write_text("naa.3")
    assert look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:0"))[0].name == "replaced"


def test_another_medium_in_the_opened_disk_is_not_another_disk(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sequence number is a new one, and LIO claims the disk as before."""
    opened = replace(opened_8_0(probe), disk="4")
    monkeypatch.setattr(backings, "is_claimed", lambda _: True)
    assert look(probe, "8:0", opened, PathStatus(Kind.BLOCK, "8:0"))[0].name == "same"


@pytest.mark.parametrize(
    ("status", "name", "other"),
    [
        (PathStatus(Kind.MISSING), "missing", ""),
        (PathStatus(Kind.DANGLING), "dangling", ""),
        (PathStatus(Kind.UNANSWERED), "unanswered", ""),
        (PathStatus(Kind.FILE, "", "24:7", 9), "wrong-kind", "the file with inode 7 of device 24 (9 bytes)"),
        (PathStatus(Kind.CHAR, "1:3"), "wrong-kind", "the character device 1:3"),
        (PathStatus(Kind.OTHER, "0:0"), "wrong-kind", "no file and no device"),
    ],
)
def test_a_path_that_leads_to_no_device_is_described(
    probe: Probe, status: PathStatus, name: str, other: str
) -> None:
    """Nothing is made anew for it."""
    facts, state = look(probe, "8:0", opened_8_0(probe), status)
    assert (facts.name, facts.other, state) == (name, other, "current")


def test_many_storage_objects_are_compared_in_batches(tmp_path: Path) -> None:
    """All are recorded, whatever their number, and backings in memory have no facts."""
    (tmp_path / "f").write_bytes(bytes(7))
    items = [
        lio_objects.StorageObject(f"l{number}", "fileio", str(tmp_path / "f"), 7, "1") for number in range(9)
    ]
    items.append(lio_objects.StorageObject("ram", "rd_mcp", "", 4096, "1"))
    observation = Observation(tmp_path)
    add_storage_objects(observation, [ReadStorageObject(item) for item in items])
    assert len(observation.objects) == 10
    assert observation.backings.keys() == {f"l{number}" for number in range(9)}
    assert [observation.backings[f"l{number}"].twin for number in range(3)] == ["", "l0", "l0"]
    status = os.stat(tmp_path / "f")  # noqa: PTH116
    assert observation.index.files.take(f"{status.st_dev}:{status.st_ino}", "new") == "l0"
