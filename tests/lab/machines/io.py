"""Verified I/O on a device of a machine, by the program guest/lab-pattern."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import CommandFailed
from lab.wait import PATIENCE, wait_until

if TYPE_CHECKING:
    from lab.machines.command import Running
    from lab.machines.machine import Machine

_PROGRAM = "/run/lab/lab-pattern"


@dataclass(frozen=True)
class Progress:
    """Counts of 4 KiB operations so far; `pause` is the longest that one took, in seconds."""

    operations: int = 0
    errors: int = 0
    mismatches: int = 0
    pause: float = 0.0
    done: bool = False

    @classmethod
    def parse(cls, output: str) -> Progress:
        """Return the counts of the last whole line of the program's output."""
        lines = [line for line in output.splitlines(keepends=True) if line.endswith("\n")]
        return cls(**json.loads(lines[-1])) if lines else cls()


@dataclass(frozen=True)
class VerifiedIO:
    """I/O that goes on in the background until it is stopped."""

    command: Running

    @property
    def progress(self) -> Progress:
        """The counts a tenth of a second ago, or at the beginning of an operation that still waits."""
        return Progress.parse(self.command.output())

    def running(self) -> bool:
        """Return whether the program runs."""
        return self.command.poll() is None

    def goes_on(self, count: int = 50) -> None:
        """Wait for that many more operations. Raises WaitTimeout, and CommandFailed if the program ended."""
        then = self.progress.operations
        wait_until("the I/O goes on", lambda: self._progressed(then + count))

    def _progressed(self, operations: int) -> bool:
        status = self.command.poll()
        if status is not None:
            raise CommandFailed(self.command.where, self.command.script, self.command.wait())
        return self.progress.operations > operations

    def stop(self, timeout: float = PATIENCE) -> Progress:
        """Finish the current operation and return the final counts. Raises CommandTimeout."""
        self.command.signal("TERM")
        self.command.wait(timeout)
        return self.progress


def start_verified_io(
    machine: Machine, device: str, numbers: tuple[int, int, int], rest: float
) -> VerifiedIO:
    """Write and read random blocks until stopped; each block read is compared with the last one written.

    `numbers` are the seed, the offset and the length of the area, in bytes; `rest` is a pause in seconds.
    """
    return VerifiedIO(machine.spawn([_PROGRAM, "loop", device, *map(str, (*numbers, rest))]))


def pattern(machine: Machine, verb: str, device: str, numbers: tuple[int, int, int]) -> Progress:
    """Write ("write") or compare ("verify") the pattern of (seed, offset, length) once."""
    done = machine.run([_PROGRAM, verb, device, *map(str, numbers)], timeout=PATIENCE, check=False)
    if done.status not in (0, 1) or not done.stdout:
        machine.run(["false", f"{_PROGRAM} {verb} {device}: {done.stderr}"])
    return Progress.parse(done.stdout)
