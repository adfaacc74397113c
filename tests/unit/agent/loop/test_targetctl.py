"""The targets that targetctl would restore at the next boot."""

import os
from pathlib import Path

import pytest

from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.core.base.lunmap import Lunmap, PortalGroup, Target
from support.floating_map import FLOATING
from support.floating_map import T as POOL
from support.targetctl_disk import UNIT, Disk

OURS, OTHER = "iqn.2026-01.org.example:ours", "iqn.2026-01.org.example:other"
MAP = Lunmap(targets={OURS: Target({"n1": PortalGroup(1)}), OTHER: Target({"n2": PortalGroup(2)})})


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Give a machine."""
    return Disk(tmp_path)


def test_saved_targets_of_the_map_are_contested_as_long_as_the_service_is_enabled(disk: Disk) -> None:
    """The contest is reported with target, file and unit, and ends when the unit is masked."""
    rival = Targetctl(disk.root)
    disk.save(OURS)
    found = rival.condition(MAP, "n1")
    assert (found.status, found.reason) == (False, "SavedElsewhere")
    assert f"{UNIT} would make {OURS} from /etc/rtslib-fb-target/saveconfig.json" in found.message
    (disk.units / UNIT).symlink_to("/dev/null")
    assert rival.condition(MAP, "n1").status


def test_a_service_that_is_not_enabled_contests_nothing(disk: Disk) -> None:
    """Without a unit that wants it, nothing is restored at a boot."""
    disk.save(OURS)
    (disk.wants / UNIT).unlink()
    assert Targetctl(disk.root).condition(MAP, "n1").status


def test_other_tools_targets_contest_nothing(disk: Disk) -> None:
    """Saved targets of other tools, or of another node, are not contested."""
    disk.save(OTHER)
    assert Targetctl(disk.root).condition(MAP, "n1").status


def test_a_target_with_our_mark_is_ours_though_the_map_has_it_no_more(disk: Disk) -> None:
    """It would come back from the file at the next boot."""
    disk.save(OTHER, alias="lunmapd")
    assert not Targetctl(disk.root).condition(MAP, "n1").status


def test_a_file_is_read_again_only_when_it_has_changed(disk: Disk) -> None:
    """The file is identified by time, size and inode, and read again when one of them differs."""
    rival = Targetctl(disk.root)
    disk.save(OURS)
    assert not rival.condition(MAP, "n1").status
    before = disk.file.stat()
    disk.file.write_bytes(disk.file.read_bytes().replace(b":ours", b":ourz"))
    os.utime(disk.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not rival.condition(MAP, "n1").status
    os.utime(disk.file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert rival.condition(MAP, "n1").status


@pytest.mark.parametrize("text", [b"", b"{", b'{"targets": 1}', b'{"\xff": 1}', b"[" * 100_000])
def test_a_file_that_is_no_saveconfig_contests_nothing(disk: Disk, text: bytes) -> None:
    """Targetctl can't restore it either."""
    disk.file.write_bytes(text)
    assert Targetctl(disk.root).condition(MAP, "n1").status


def test_a_removed_file_contests_nothing(disk: Disk) -> None:
    """It is over once the file is gone."""
    rival = Targetctl(disk.root)
    disk.save(OURS)
    assert not rival.condition(MAP, "n1").status
    disk.file.unlink()
    assert rival.condition(MAP, "n1").status


def test_a_target_of_a_floating_group_is_contested_on_each_of_its_nodes(disk: Disk) -> None:
    """A boot would make it, with the group's addresses bound; a node that serves nothing has no contest."""
    disk.save(POOL)
    statuses = [Targetctl(disk.root).condition(FLOATING, node).status for node in ("n1", "n2", "n3")]
    assert statuses == [False, False, True]
