"""Which process wrote a file, and whether it still runs."""

import os
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
_START_TIME = 22
"""The field `starttime` of /proc/PID/stat, in clock ticks since the boot (proc_pid_stat(5))."""


class Process(Struct, frozen=True):
    """A process: its id, its start in clock ticks since the boot, and the id of the boot.

    No other one has all three.
    """

    pid: int
    start: int
    boot: str


def this_process(boot: str) -> Process:
    """Return the process that calls this."""
    return Process(os.getpid(), _start(os.getpid()) or 0, boot)


def is_running(process: Process, boot: str) -> bool:
    """Return whether the process still runs, in this boot of the machine."""
    return process.boot == boot and _start(process.pid) == process.start


def _start(pid: int) -> int | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the command in parentheses, which may hold spaces and parentheses.
    return int(text.rpartition(")")[2].split()[_START_TIME - 3])
