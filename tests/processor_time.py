"""The processor time of a command with all that it starts, machines of the lab included.

A control group counts it. getrusage(2) does not see the lab: the first process of a lab ignores SIGCHLD, so
nobody waits for the machines and their time is added to nobody's (wait(2)).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_GROUPS = Path("/sys/fs/cgroup")
_ENTER = 'echo $$ >"$0" && exec "$@"'


class Meter(NamedTuple):
    """Counts the processor time of commands; `group` is None where no control group can be made."""

    group: Path | None

    def counted(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs `command` and is counted."""
        if self.group is None:
            return list(command)
        return ["sh", "-c", _ENTER, str(self.group / "cgroup.procs"), *command]

    def seconds(self) -> float:
        """Return the processor time so far, in seconds; 0 if it is not counted."""
        if self.group is None:
            return 0.0
        version_1 = (
            self.group / "cpuacct.usage"
        )  # nanoseconds: Documentation/admin-guide/cgroup-v1/cpuacct.rst
        if version_1.exists():
            return int(version_1.read_text()) / 1e9
        words = (self.group / "cpu.stat").read_text().split()  # Documentation/admin-guide/cgroup-v2.rst
        return int(words[words.index("usage_usec") + 1]) / 1e6


@contextmanager
def processor_time(name: str) -> Iterator[Meter]:
    """Give a meter; `name` is that of its control group, which ends with the last process in it."""
    above = _GROUPS / "cpuacct" if (_GROUPS / "cpuacct").exists() else _GROUPS
    group = above / f"lunmapd-{name}-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield Meter(None)
        return
    try:
        yield Meter(group)
    finally:
        with suppress(OSError):
            group.rmdir()
