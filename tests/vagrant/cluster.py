"""The machines of the Vagrantfile, in an enclosure: bring them up, run commands in them, take them down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import CommandFailed
from lab.result import Result, run
from vagrant.box import NAME
from vagrant.enclosure import Enclosure, enclosure

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE = Path(__file__).parents[2]
NODES = int(os.environ.get("LUNMAP_NODES") or 3)
UP, STEP = 2400.0, 1200.0
"""Seconds for `vagrant up`, and for any other command of Vagrant; emulated on two cores."""


@dataclass(frozen=True)
class Cluster:
    """The machines of the Vagrantfile; logs and outputs worth keeping go to `logs`."""

    enclosed: Enclosure
    logs: Path

    @property
    def nodes(self) -> list[str]:
        """The names of the storage nodes."""
        return [f"n{number}" for number in range(1, NODES + 1)]

    def vagrant(self, *words: str, timeout: float = STEP) -> None:
        """Run a Vagrant command in the tree, logged. Raises AssertionError, subprocess.TimeoutExpired."""
        began = time.monotonic()
        log = self.logs / f"vagrant-{'-'.join(words)}.log"
        argv = self.enclosed.inside(["vagrant", *words, "--no-tty", "--no-color"], TREE)
        with log.open("wb") as output:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=timeout, check=False
            )
        print(f"vagrant {' '.join(words)}: {time.monotonic() - began:.0f} s", flush=True)
        assert done.returncode == 0, f"{log} says why:\n" + log.read_text(errors="replace")[-2000:]

    def learn_addresses(self) -> None:
        """Ask Vagrant where the machines are, for `run`."""
        asked = self.enclosed.inside(["vagrant", "ssh-config"], TREE)
        (self.logs / "ssh-config").write_text(run(asked, timeout=300).stdout)

    def run(self, machine: str, script: str, timeout: float = 120) -> Result:
        """Run a shell script as root in a machine. Raises CommandFailed, CommandTimeout."""
        ssh = ["ssh", "-F", str(self.logs / "ssh-config"), machine, "sudo", "sh", "-euc", _quoted(script)]
        return run(self.enclosed.inside(ssh), where=machine, timeout=timeout)

    def answer(self, machine: str, command: str) -> Any:
        """Return the JSON output of a command in a machine; None if it fails."""
        with suppress(CommandFailed):
            return json.loads(self.run(machine, command).stdout)
        return None

    def virsh(self, *words: str) -> str:
        """Return what virsh prints."""
        return run(self.enclosed.inside(["virsh", "--connect", "qemu:///system", *words])).stdout


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


@contextmanager
def cluster(build: Path, box: Path) -> Iterator[Cluster]:
    """Make an enclosure below `build` with the box and no machine. Its disks are removed at the end."""
    work, logs = build / "run", build / "logs"
    for directory in (work, logs):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    try:
        with enclosure(work, _environment(work, logs)) as enclosed:
            made = Cluster(enclosed, logs)
            add = ["vagrant", "box", "add", "--name", NAME, str(box)]
            run(enclosed.inside(add, TREE), timeout=300)
            yield made
    finally:
        for log in work.glob("*.log"):
            shutil.copy(log, logs)
        shutil.rmtree(work)


def _environment(work: Path, logs: Path) -> dict[str, str]:
    """Return what makes the Vagrantfile emulate small machines from the box, and leave the tree as it is."""
    memory = os.environ.get("LUNMAP_MEMORY") or "768"
    return {
        "VAGRANT_HOME": str(work / "home"),
        "VAGRANT_DOTFILE_PATH": str(work / "dotfile"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "LUNMAP_BOX": NAME,
        "LUNMAP_DRIVER": os.environ.get("LUNMAP_DRIVER") or "qemu",
        "LUNMAP_NODES": str(NODES),
        "LUNMAP_MEMORY": memory,
        "LUNMAP_CONSOLES": str(logs),
    }
