"""Which storage objects of tcmu have a handler, by the files that processes have open."""

import os
from pathlib import Path

from lunmapd.lio.base.tcmu import find_handlers

NULL = os.stat("/dev/null").st_rdev  # noqa: PTH116


def device(directory: Path, entry: str, name: str, numbers: str) -> None:
    """Make a device of UIO as sysfs shows it."""
    (directory / entry).mkdir(parents=True)
    (directory / entry / "name").write_text(f"{name}\n")
    (directory / entry / "dev").write_text(f"{numbers}\n")


def test_a_device_that_a_process_has_open_has_a_handler(tmp_path: Path) -> None:
    """Other devices of UIO, other files and processes that end meanwhile are passed over."""
    devices = tmp_path / "uio"
    numbers = f"{os.major(NULL)}:{os.minor(NULL)}"
    device(devices, "uio0", "tcm-user/10001/a/none/such/path", numbers)
    device(devices, "uio1", "tcm-user/10002/b/none/x", "252:77")
    device(devices, "uio2", "another driver", "252:78")
    with Path("/dev/null").open("rb"):
        assert find_handlers(devices) == {"user_10001/a": True, "user_10002/b": False}
    (tmp_path / "proc" / "1").mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    assert find_handlers(devices, tmp_path / "proc") == {"user_10001/a": False, "user_10002/b": False}


def test_a_node_without_tcmu_has_none(tmp_path: Path) -> None:
    """The directory of the devices need not exist."""
    assert find_handlers(tmp_path / "uio") == {}
