"""Machines as User-Mode Linux: the kernel is an ordinary process on the host."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.sandbox import Bind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.machines.driver import Spec
    from lab.network import Place


@dataclass(frozen=True)
class Kernel:
    """A UML kernel: the directories of its program and its modules on the host."""

    version: str
    programs: Path
    modules: Path


@dataclass(frozen=True)
class Uml:
    """The UML driver over `root` with `kernel`."""

    root: Path
    kernel: Kernel
    name: str = "uml"
    slowness: float = 1.0

    def binds(self) -> Sequence[Bind]:
        """Bind the kernel into the sandbox, and its modules also into the machines' root for modprobe."""
        places = ("/usr/lib/modules", "/lab/root/usr/lib/modules")
        return [Bind(self.kernel.programs, "/lab/kernel"), *(Bind(self.kernel.modules, p) for p in places)]

    def command(self, spec: Spec) -> list[str]:
        """Return the kernel's command line; the sandbox's whole view is its root, by hostfs."""
        boot = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "init=/lab/guest/init"]
        console = [
            "con=null",
            "con0=null,fd:1",
            "loglevel=4",
            "panic=-1",
            "seccomp=auto",
            "initcall_blacklist=raid6_select_algo",
            *_STEADY_CLOCK,
            "log_buf_len=1M",  # tests count messages, also old ones
        ]
        identity = [
            f"mem={spec.memory}",
            f"umid={spec.name}",
            "uml_dir=/run/uml/",
            f"lab_machine={spec.name}",
        ]
        return ["/lab/kernel/linux.uml", *boot, *console, *identity, *_wires(spec.place), *_disks(spec)]

    def device(self, index: int) -> str:
        """Return the name of a UML block device."""
        return f"ubd{string.ascii_lowercase[index]}"

    def interfaces(self) -> tuple[str, str]:
        """Return the names of the vector devices."""
        return "vec0", "vec1"

    def shared(self, directory: str) -> str:
        """Return the arguments of mount(8) for a directory below /lab of the sandbox."""
        return f"-t hostfs -o hostfs=/lab/{directory} none"


# With one alarm for each event, the kernel drops the one that comes while it handles the one before with
# interrupts off (unblock_signals in arch/um/os-Linux/signal.c). No other follows it, and a process that waits
# for a time waits for ever: seen in machines on busy hosts, whose daemons fell silent for good. An alarm a
# tick is followed by the next one.
_STEADY_CLOCK = ("nohz=off", "highres=off")


def _wires(place: Place) -> list[str]:
    options = "depth=64,gro=1"
    return [
        f"vec0:transport=tap,ifname={place.data_port},mac={place.data_mac},{options}",
        f"vec1:transport=tap,ifname={place.mgmt_port},mac={place.mgmt_mac},{options}",
    ]


def _disks(spec: Spec) -> list[str]:
    return [f"ubd{i}{'sc' if disk.shared else ''}={disk.inside}" for i, disk in enumerate(spec.disks)]
