"""What the paths of backings lead to, found by threads that can be left behind.

stat(2) on a network file system whose server is gone does not return. An observation must not wait for it: it
would be late, and with it everything else on the node.
"""

import os
import stat
import threading
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path

from msgspec import Struct

from lunmapd.lio.base.block_devices import DEVICES
from lunmapd.lio.base.helper_thread import HelperThread

_PATIENCE = 2.0  # seconds without an answer after which a path counts as unanswered
_MAX_HANGING = 4  # threads left behind; with so many, further paths are not tried
_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4  # field of a line of mountinfo (proc_pid_mountinfo(5))


class Kind(StrEnum):
    """The kind of file that a path leads to."""

    FILE = "file"
    BLOCK = "block"
    CHAR = "char"
    OTHER = "other"
    MISSING = "missing"
    DANGLING = "dangling"
    UNANSWERED = "unanswered"


class PathStatus(Struct, frozen=True, gc=False):
    """What a path leads to.

    `numbers` are those of a device (`253:0`). `file` is the identity of a regular file on this node: device
    and inode (`2049:131`). `size` is that of a regular file in bytes; `read_only` says that its file system
    is mounted read-only.
    """

    kind: Kind
    numbers: str = ""
    file: str = ""
    size: int = 0
    read_only: bool = False


_UNANSWERED = PathStatus(Kind.UNANSWERED)


class PathProbe:
    """Examines paths. It remembers which file systems do not answer, until they do."""

    def __init__(self, patience: float = _PATIENCE, devices: str = DEVICES) -> None:
        """Start without hanging threads. `patience` is in seconds; `devices` is as in block_devices.py."""
        self._patience = patience
        self._helper = HelperThread()
        self._hanging: dict[str, HelperThread] = {}
        self.devices = devices

    def examine(self, paths: Sequence[str]) -> dict[str, PathStatus]:
        """Return the status of each path."""
        self._hanging = {path: helper for path, helper in self._hanging.items() if helper.alive}
        found: dict[str, PathStatus] = {}
        waiting = list(dict.fromkeys(paths))
        while waiting := self._askable(waiting):
            answers = self._ask(waiting)
            found |= zip(waiting, answers, strict=False)
            waiting = waiting[len(answers) :]
            if waiting:
                self._hanging[_mount_point(waiting[0])] = self._helper
                self._helper.end()
                self._helper = HelperThread()
        return {path: found.get(path, _UNANSWERED) for path in paths}

    def _askable(self, paths: list[str]) -> list[str]:
        if not self._hanging:
            return paths
        if len(self._hanging) >= _MAX_HANGING:
            return []
        return [path for path in paths if not any(_is_below(path, above) for above in self._hanging)]

    def _ask(self, paths: Sequence[str]) -> Sequence[PathStatus]:
        """Return the answers for the first paths, all of them unless the thread got no answer for one."""
        answers: list[PathStatus] = []
        over, left = threading.Event(), threading.Event()
        self._helper.run(partial(_examine_all, paths, answers, over, left))
        count = 0
        while not over.wait(self._patience) and len(answers) > count:
            count = len(answers)
        left.set()
        return tuple(answers)


def _examine_all(
    paths: Sequence[str], answers: list[PathStatus], over: threading.Event, left: threading.Event
) -> None:
    """Append the status of each path, until the thread has been left behind."""
    read_only: dict[int, bool] = {}
    for path in paths:
        status = _examine(path, read_only)
        if left.is_set():
            return
        answers.append(status)
    over.set()


def _examine(path: str, read_only: dict[int, bool]) -> PathStatus:
    try:
        status = os.stat(path)  # noqa: PTH116 - one call, on a path that is a string everywhere
        if stat.S_ISREG(status.st_mode) and status.st_dev not in read_only:
            read_only[status.st_dev] = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return PathStatus(Kind.DANGLING if os.path.lexists(path) else Kind.MISSING)
    if stat.S_ISREG(status.st_mode):
        identity = f"{status.st_dev}:{status.st_ino}"
        return PathStatus(Kind.FILE, "", identity, status.st_size, read_only[status.st_dev])
    numbers = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    if stat.S_ISBLK(status.st_mode):
        return PathStatus(Kind.BLOCK, numbers)
    return PathStatus(Kind.CHAR, numbers) if stat.S_ISCHR(status.st_mode) else PathStatus(Kind.OTHER)


def _mount_point(path: str) -> str:
    """Return the mount point above a path, from the kernel's table; the path itself below `/` alone.

    Reading the table asks no file system.
    """
    lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = (line.split()[_MOUNT_POINT] for line in lines)
    above = [point for point in points if point != "/" and _is_below(path, point)]
    return max(above, key=len, default=path)


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")
