"""A libvirt of our own: mount, network and PID namespaces in which libvirtd, its machines and Vagrant run.

Nothing of the host's libvirt is seen or touched, nothing leaves by the network, and the kernel kills
everything inside when the first process goes: it waits on a pipe from this process, so it goes with us in any
case.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import CommandFailed, StartFailed
from lab.result import run
from lab.wait import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# No AppArmor, control groups or D-Bus in here; everything belongs to root.
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
"""
# $1 has what libvirt would write elsewhere. A fresh /sys is that of the new network namespace. Process 1
# ignores SIGCHLD, so that the kernel reaps what libvirtd leaves to it; a machine that isn't reaped can't be
# stopped.
_FIRST = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mkdir -p /run/lock /run/libvirt
for place in etc/libvirt var/lib/libvirt var/log/libvirt var/cache/libvirt; do
    mkdir -p "/$place"
    mount --bind "$1/$place" "/$place"
done
ip link set lo up
echo ready
exec env --ignore-signal=CHLD cat >/dev/null
"""


@dataclass(frozen=True)
class Enclosure:
    """Namespaces whose first process is `pid`, with `environment` for programs in them."""

    pid: int
    environment: dict[str, str]

    def inside(self, argv: Sequence[str], directory: Path = Path("/")) -> list[str]:
        """Return the host command that runs `argv` inside."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid"]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return [*enter, "--", "env", f"--chdir={directory}", *variables, *argv]


@contextmanager
def enclosure(work: Path, environment: dict[str, str]) -> Iterator[Enclosure]:
    """Make the namespaces and start libvirtd in them; `work` gets its state and logs. Raises StartFailed."""
    _furnish(work)
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    first = ["sh", "-euc", _FIRST, "sh", str(work)]
    with ExitStack() as stack:
        holder = stack.enter_context(
            subprocess.Popen([*namespaces, *first], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise StartFailed("can't make namespaces for libvirt: is this root?")
        made = Enclosure(_child(holder.pid), environment)
        for daemon in ("virtlogd", "libvirtd"):
            stack.enter_context(_started(made, daemon, work / f"{daemon}.log"))
        # The first to be undone: with its first process gone, the kernel ends all the others.
        stack.callback(holder.stdin.close)
        wait_for(f"libvirtd (its log is in {work})", lambda: _answers(made), bool, 60)
        yield made


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def _furnish(work: Path) -> None:
    for place in ("var/log/libvirt", "var/cache/libvirt"):
        (work / place).mkdir(parents=True)
    for place in ("etc/libvirt", "var/lib/libvirt"):
        shutil.copytree(Path("/", place), work / place, symlinks=True, ignore=_others)
    (work / "etc/libvirt/qemu.conf").write_text(_QEMU_CONF)


def _others(directory: str, names: list[str]) -> list[str]:
    """Leave out sockets, and the images and networks of the host's own machines."""
    path = Path(directory)
    return [name for name in names if name == "images" or (path / name).is_socket()]


def _started(made: Enclosure, daemon: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(made.inside([daemon]), stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _answers(made: Enclosure) -> bool:
    try:
        run(made.inside(["virsh", "--connect", "qemu:///system", "version"]))
    except CommandFailed:
        return False
    return True
