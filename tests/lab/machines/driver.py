"""Drivers, which start a machine's kernel, and their description of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.machines.disk import Disk
    from lab.network import Place
    from lab.sandbox import Bind


@dataclass(frozen=True)
class Spec:
    """One machine as its kernel's driver sees it."""

    name: str
    memory: str
    place: Place
    disks: Sequence[Disk]
    cpus: int = 1


class Driver(Protocol):
    """A way to run a machine's kernel inside the sandbox; a process tree that dies when killed."""

    @property
    def name(self) -> str:
        """The driver's name, as in LUNMAPD_LAB_DRIVER."""
        ...

    @property
    def root(self) -> Path:
        """The root file system on the host that the sandbox and all machines use."""
        ...

    @property
    def slowness(self) -> float:
        """By what to multiply deadlines, compared with a native processor."""
        ...

    def binds(self) -> Sequence[Bind]:
        """Return what must be visible inside the sandbox."""
        ...

    def command(self, spec: Spec) -> list[str]:
        """Return the command that runs the machine, console on its standard output."""
        ...

    def device(self, index: int) -> str:
        """Return the kernel's name of the disk `index`."""
        ...

    def interfaces(self) -> tuple[str, str]:
        """Return the kernel's names of the data and the management interface."""
        ...

    def shared(self, directory: str) -> str:
        """Return the arguments of mount(8), in a machine, for the sandbox's /lab/DIRECTORY (read-only)."""
        ...
