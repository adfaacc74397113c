"""What another tool has opened, as far as an adoption can know it."""

import os
from pathlib import Path

from lunmapd.core.node import lio_objects
from lunmapd.lio.apply.backing import presumed_backing
from lunmapd.lio.base.alias import OpenedBacking


def storage_object(plugin: str, path: str) -> lio_objects.StorageObject:
    """Return a storage object."""
    return lio_objects.StorageObject("a", plugin, path, 1, "1" * 32)


def test_the_file_at_the_path_is_presumed_to_be_opened(tmp_path: Path) -> None:
    """If there is none, nothing is known."""
    (tmp_path / "a").touch()
    status = (tmp_path / "a").stat()
    found = presumed_backing(storage_object("fileio", str(tmp_path / "a")), "")
    assert found == OpenedBacking(file=f"{status.st_dev}:{status.st_ino}")
    assert presumed_backing(storage_object("fileio", str(tmp_path / "b")), "") == OpenedBacking()


def test_a_device_is_known_by_its_numbers(tmp_path: Path) -> None:
    """Those of an iblock are in `info`; a device that is gone has no properties."""
    assert presumed_backing(storage_object("iblock", str(tmp_path)), "999:999") == OpenedBacking()
    assert presumed_backing(storage_object("pscsi", os.devnull), "") == OpenedBacking()
    assert presumed_backing(storage_object("user", "rbd/a"), "") == OpenedBacking()
