"""Prints the steps of the demo, its commands, and how long each step took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab import Machine
    from support.cluster import Answer, Cluster


class Narrator:
    """Prints numbered steps, and the output below each."""

    def __init__(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._number = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._number += 1
        print(f"\n[{time.monotonic() - self._began:5.1f} s] {self._number}. {title}", flush=True)

    def say(self, text: str) -> None:
        """Print a line, indented below the step."""
        print("\n".join(f"    {line}".rstrip() for line in text.splitlines()), flush=True)

    def ctl(self, cluster: Cluster, *args: str, expect: int = 0) -> None:
        """Run lunmapctl, and print the command and its output."""
        self._show(f"lunmapctl {' '.join(args)}", cluster.ctl(*args, expect=expect))

    def apply(self, cluster: Cluster, text: str, name: str, message: str) -> None:
        """Apply a map and wait for the nodes; `name` is the file that an admin would have it in."""
        answer = cluster.ctl("apply", "-f", "-", "-m", message, "--yes", "--wait", "30", stdin=text)
        self._show(f"lunmapctl apply -f {name} -m '{message}' --yes --wait 30", answer)

    def _show(self, command: str, answer: Answer) -> None:
        self.say(f"$ {command}")
        self.say(answer.out.rstrip())
        print(flush=True)

    def command(self, machine: Machine, command: str) -> None:
        """Run a command in a machine, and print it and its output."""
        self.say(f"{machine.name}$ {command}")
        self.say(machine.run(command).stdout.rstrip())

    def end(self) -> None:
        """Print how long the last step took."""
        print(f"\nDone in {time.monotonic() - self._began:.0f} s.", flush=True)
