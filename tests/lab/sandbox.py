"""A lab's own mount, network and PID namespaces, and the processes in them.

The namespaces have no name on the host and belong to one process (`holder.py`). When it ends, on request or
because its owner ended in any way, the kernel kills every process of the lab and drops its mounts, bridges
and taps. So nothing needs cleaning up, and a crash leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lab.errors import StartFailed
from lab.result import Result, run
from lab.wait import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLDER = Path(__file__).with_name("holder.py")


@dataclass(frozen=True)
class Bind:
    """A host directory shown inside the sandbox at `target` (an absolute path there)."""

    source: Path
    target: str
    writable: bool = False


@dataclass
class Process:
    """A process tree of the lab in a PID namespace of its own: killing it kills all of it at once."""

    name: str
    popen: subprocess.Popen[bytes]
    alive: int
    """The reading end of a pipe whose writing end all processes of the tree inherit."""

    def running(self) -> bool:
        """Return whether the tree's first process still runs."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """Kill the tree without warning; return when its files, ports and taps are free again."""
        if self.alive < 0:
            return
        self.popen.kill()
        self.popen.wait()
        select.select([self.alive], [], [], 10)
        os.close(self.alive)
        self.alive = -1

    def pause(self) -> None:
        """Stop the main process of the tree, and return when each of its threads has stopped.

        A running thread may go on until it is preempted.
        """
        self._signal(signal.SIGSTOP)
        wait_for(f"{self.name} stops", self._states, lambda seen: seen <= {"T"})

    def resume(self) -> None:
        """Let the main process go on."""
        self._signal(signal.SIGCONT)

    def _states(self) -> set[str]:
        """Return the states that threads of the main process are in, by the letters of proc(5)."""
        found: set[str] = set()
        for pid in _grandchildren(self.popen.pid):
            for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                    found.add(stat.read_text().rpartition(")")[2].split()[0])
        return found

    def _signal(self, number: signal.Signals) -> None:
        for pid in _grandchildren(self.popen.pid):
            os.kill(pid, number)


@dataclass
class Sandbox:
    """Namespaces over the root file system `root`; the files `in_use` are locked while they live."""

    in_use: Sequence[Path]
    root: Path
    binds: Sequence[Bind]
    memory: str = "75%"
    pid: int = 0
    _processes: list[Process] = field(default_factory=list, repr=False)
    _unshare: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Make the namespaces. Raises StartFailed."""
        config = {
            "root": str(self.root),
            "in_use": [str(path) for path in self.in_use],
            "memory": self.memory,
            "binds": [[str(b.source), b.target, "rw" if b.writable else "ro"] for b in self.binds],
        }
        namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        self._unshare = subprocess.Popen(
            [*namespaces, sys.executable, "-I", "-S", str(_HOLDER), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = _ready_pid(self._unshare)

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the host command that runs `argv` in the sandbox."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--root", "--wd"]
        return [*enter, "--", *argv]

    def run(self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = PATIENCE) -> Result:
        """Run `argv` in the sandbox and wait. Raises CommandFailed, CommandTimeout."""
        return run(self.inside(argv), where="lab", stdin=stdin, timeout=timeout)

    def spawn(self, name: str, argv: Sequence[str], log: Path) -> Process:
        """Start `argv` in the sandbox in a PID namespace of its own, with its output added to `log`."""
        die_together = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"]
        reading, writing = os.pipe()
        with log.open("ab") as output:
            popen = subprocess.Popen(
                self.inside([*die_together, "--", *argv]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[writing],
                start_new_session=True,
            )
        os.close(writing)
        process = Process(name, popen, reading)
        self._processes.append(process)
        return process

    def keep(self) -> None:
        """Let the namespaces outlive this process."""
        stdin = self._owned().stdin
        assert stdin is not None
        stdin.write("keep\n")
        stdin.flush()

    def stop(self) -> None:
        """Kill everything inside; return when the namespaces are gone."""
        if self._unshare is None:
            return
        # `unshare` ends when it has reaped the holder, and that ends when all else in its namespace has.
        _kill(self.pid or self._unshare.pid)
        self._unshare.communicate()
        self._unshare = None
        for process in self._processes:
            process.kill()

    def _owned(self) -> subprocess.Popen[str]:
        assert self._unshare is not None
        return self._unshare


def _ready_pid(unshare: subprocess.Popen[str]) -> int:
    stdout: IO[str] | None = unshare.stdout
    assert stdout is not None
    word, _, pid = stdout.readline().strip().partition(" ")
    if word != "ready":
        unshare.kill()
        _, stderr = unshare.communicate()
        raise StartFailed(f"can't make the lab's namespaces (see python -m lab check): {stderr}")
    return int(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _grandchildren(pid: int) -> list[int]:
    """Return what `nsenter` -> `unshare` -> started: the main process of a spawned tree."""
    return [main for child in _children(pid) for main in _children(child)]
