"""Which `user` storage objects have a handler: a program that has opened their device.

The kernel makes a device of UIO for each, whose name is `tcm-user/INDEX/NAME/CONFIG`, and lets one process
open it (tcmu_open in drivers/target/target_core_user.c). It does not show whether one has. To open the
device as a test could refuse it to the handler. So the open files of all processes are looked at, which
needs CAP_SYS_PTRACE (proc_pid_fd(5)).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lunmapd.lio.base import files

UIO = Path("/sys/class/uio")
PROCESS_FILES = Path("/proc")
_PREFIX = "tcm-user"


def find_handlers(devices: Path = UIO, processes: Path = PROCESS_FILES) -> dict[str, bool]:
    """Return whether some process has the device of each `user` storage object open, by `user_INDEX/NAME`."""
    names = dict(_tcmu_devices(devices))
    if not names:
        return {}
    is_open = set(_open_devices(processes))
    return {name: numbers in is_open for numbers, name in names.items()}


def _tcmu_devices(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the numbers of each device of tcmu (`252:0`), and its storage object."""
    entries = os.listdir(directory) if directory.exists() else ()  # noqa: PTH208 - names are needed
    for entry in entries:
        texts = files.read_files(f"{directory}/{entry}", ("name", "dev"))
        words = texts.get("name", "").split("/", 3)
        if words[0] == _PREFIX and "dev" in texts:
            yield texts["dev"], f"user_{words[1]}/{words[2]}"


def _open_devices(directory: Path) -> Iterator[str]:
    """Yield the numbers of the character devices below /dev that processes have open."""
    for process in filter(str.isdecimal, os.listdir(directory)):  # noqa: PTH208 - as above
        with suppress(OSError), os.scandir(f"{directory}/{process}/fd") as entries:  # it may have ended
            for entry in entries:
                with suppress(OSError):
                    if os.readlink(entry.path).startswith("/dev/"):  # noqa: PTH115 - paths are strings here
                        status = entry.stat()
                        if stat.S_ISCHR(status.st_mode):
                            yield f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
