"""The two implementations that the contract tests compare: the strict fake, and LIO in a machine's kernel."""

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from msgspec import structs

from fakes.lio import CrashedError, FakeLio
from lab import Machine
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DefaultGroup
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.worker.kernel import Deadlines, Kernel

FOREIGN = "iqn.2020-01.org.example:foreign"
DEVICE = "/dev/disk/lab/d1"
HOT = "/dev/disk/lab/hot"
_ACCESS_TYPES = ("None", "Implicit", "Explicit", "Implicit and Explicit")
_ROOT = "/sys/kernel/config/target"
PARALLEL = "exec python3 -c 'from lunmapd.lio.worker.worker import main; main(parallel=True)'"
WORKER = "exec python3 -m lunmapd.lio.worker.worker"


class Lio(Protocol):
    """The methods that the daemon calls on LIO."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe the claimed and own objects."""

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Observe these objects only."""

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands to these mapped LUNs."""

    def apply(self, steps: Iterable[Step]) -> Iterator[StepOutcome]:
        """Apply the steps, and yield the outcome of each."""

    def close(self) -> None:
        """End the worker, if there is one."""


class Implementation(Protocol):
    """LIO, and the changes that a test makes to it without the daemon."""

    kernel: Lio

    def file(self, path: str, size: int) -> None:
        """Make a backing file of `size` bytes, or change its size."""

    def missing(self, path: str) -> None:
        """Move a backing file away, until `file` moves it back."""

    def replace(self, path: str) -> None:
        """Put another file of the same size in place of a backing file."""

    def alias(self, path: str, other: str, how: str) -> None:
        """Give a backing file another name: `symlink` or `hard link`."""

    def device(self, path: str, size: int, block_size: int = 512, *, read_only: bool = False) -> None:
        """Make a device; or change whether it is read-only, or its size."""

    def pull(self, path: str) -> None:
        """Take the disk at HOT away while LIO has it open."""

    def plug(self, path: str) -> None:
        """Give the disk at HOT, as another device than before if it was taken away while it was open."""

    def lead(self, path: str, other: str) -> None:
        """Let a name lead to a device."""

    def handle(self, name: str) -> None:
        """Start the handler of a `user` storage object, which has none before."""

    def abandon(self, name: str) -> None:
        """End the handler."""

    def size(self, path: str) -> int:
        """Return how many bytes a device has."""

    def attribute(self, name: str, attribute: str) -> str:
        """Return the value of an attribute of a storage object."""

    def half(self, item: lio_objects.Object) -> None:
        """Leave the leftover of a crash in the middle of making the object."""

    def crash_during(self, step: Step) -> None:
        """Kill the process that applies the steps, just before it does this one."""

    def alter_default_group(self, name: str, group: DefaultGroup) -> None:
        """Change the default target port group of a storage object, whose access type is implicit."""

    def make_foreign(self) -> None:
        """Make a target, a storage object and a LUN as another tool would."""

    def foreign(self) -> object:
        """Return the state of the objects that make_foreign made."""


class FakeImplementation:
    """The fake LIO, in this process."""

    def __init__(self) -> None:
        """Start with a fresh fake."""
        self._fake = FakeLio()
        self.kernel: Lio = self._fake

    def file(self, path: str, size: int) -> None:
        """See Implementation."""
        self._fake.sizes[path] = size
        self._fake.missing.discard(path)

    def missing(self, path: str) -> None:
        """See Implementation."""
        self._fake.missing.add(path)

    def replace(self, path: str) -> None:
        """See Implementation."""
        self._fake.identities[path] = f"another file than {self._fake.identities.get(path, path)}"

    def alias(self, path: str, other: str, how: str) -> None:  # noqa: ARG002 - the kernel has two ways
        """See Implementation."""
        self._fake.identities[other] = path
        self._fake.sizes[other] = self._fake.sizes[path]

    def device(self, path: str, size: int, block_size: int = 512, *, read_only: bool = False) -> None:
        """See Implementation."""
        self._fake.sizes[path], self._fake.block_sizes[path] = size, block_size
        self._fake.read_only = self._fake.read_only - {path} | ({path} if read_only else set())

    def pull(self, path: str) -> None:
        """See Implementation."""
        self._fake.gone.add(self._fake.identities[path])
        self._fake.missing.add(path)

    def plug(self, path: str) -> None:
        """See Implementation."""
        self._fake.identities[path] = f"disk {len(self._fake.gone)}"
        self._fake.missing.discard(path)

    def lead(self, path: str, other: str) -> None:
        """See Implementation."""
        self._fake.identities[path] = other

    def handle(self, name: str) -> None:
        """See Implementation."""
        self._fake.unhandled.discard(name)

    def abandon(self, name: str) -> None:
        """See Implementation."""
        self._fake.unhandled.add(name)

    def size(self, path: str) -> int:
        """See Implementation."""
        return self._fake.sizes.setdefault(path, 1 << 26)

    def attribute(self, name: str, attribute: str) -> str:
        """Return the desired value, else a default."""
        item = self._fake.objects["storage_object", name]
        assert isinstance(item, lio_objects.StorageObject)
        return dict(item.attributes).get(attribute, "4096")

    def half(self, item: lio_objects.Object) -> None:
        """See Implementation."""
        self.crash_during(Step(Action.CREATE, item, "half"))

    def crash_during(self, step: Step) -> None:
        """See Implementation."""
        self._fake.crash_after = 0
        try:
            list(self._fake.apply([step]))
        except CrashedError:
            return
        raise AssertionError(step)

    def alter_default_group(self, name: str, group: DefaultGroup) -> None:
        """See Implementation."""
        item = self._fake.objects["storage_object", name]
        assert isinstance(item, lio_objects.StorageObject)
        self._fake.objects["storage_object", name] = structs.replace(item, default_group=group)

    def make_foreign(self) -> None:
        """See Implementation."""
        self._fake.foreign.add(FOREIGN)

    def foreign(self) -> object:
        """See Implementation."""
        return frozenset(self._fake.foreign)


class RealImplementation:
    """LIO in a machine, through a worker that runs there."""

    def __init__(self, machine: Machine, worker: str = WORKER) -> None:
        """Start with an empty LIO."""
        self._machine = machine
        self._script("clean")
        self._pid = f"/run/{uuid4().hex}"
        command = machine.ssh.command(script=f"echo $$ >{self._pid}; {worker}")
        self.kernel: Lio = Kernel(command, Deadlines(step=20.0))

    def empty(self) -> None:
        """Empty LIO for another test, and let the worker know: its start takes longer than most tests."""
        self._script("clean")
        self.kernel.observe(frozenset())

    def file(self, path: str, size: int) -> None:
        """See Implementation."""
        self._machine.run(f"[ ! -e {path}.away ] || mv {path}.away {path}; truncate -s {size} {path}")

    def missing(self, path: str) -> None:
        """See Implementation."""
        self._machine.run(f"[ ! -e {path} ] || mv {path} {path}.away")

    def replace(self, path: str) -> None:
        """See Implementation."""
        self._machine.run(f"cp {path} {path}.new; mv {path}.new {path}")

    def alias(self, path: str, other: str, how: str) -> None:
        """See Implementation."""
        self._machine.run(f"ln {'-s' if how == 'symlink' else ''} {path} {other}")

    def device(self, path: str, size: int, block_size: int = 512, *, read_only: bool = False) -> None:
        """Make a loop device, whose file is in /srv, or change it."""
        file, option = f"/srv/{Path(path).name}", "--setro" if read_only else "--setrw"
        bind = f"losetup -b {block_size} {path} {file}"
        self._machine.run(
            f"modprobe loop; truncate -s {size} {file}; losetup -c {path} 2>/dev/null || {bind}; "
            f"blockdev {option} {path}"
        )

    def pull(self, path: str) -> None:
        """Delete the SCSI device, as the kernel does when a disk is pulled."""
        self._machine.run(f"echo 1 >/sys/block/$(basename $(readlink {path}))/device/delete; rm {path}")

    def plug(self, path: str) -> None:
        """Let the kernel find the disk of scsi_debug, and link it as udev would."""
        self._machine.run(
            "modprobe -a sd_mod scsi_debug; for host in /sys/class/scsi_host/host*; do echo '- - -' >$host/scan; "
            f"done; until [ -b /dev/sd? ]; do sleep 0.1; done; ln -sf $(echo /dev/sd?) {path}"
        )

    def lead(self, path: str, other: str) -> None:
        """See Implementation."""
        self._machine.run(f"ln -sfn {other} {path}")

    def handle(self, name: str) -> None:
        """Let a process hold the device open; it answers no commands."""
        self._machine.run(
            f"device=/dev/$(basename $(dirname $(grep -l ^tcm-user/[0-9]*/{name}/ /sys/class/uio/*/name))); "
            f"setsid sleep 600 <>$device >/dev/null 2>&1 & echo $! >/run/handler-{name}; "
            f'until [ "$(readlink /proc/$(cat /run/handler-{name})/fd/0)" = $device ]; do sleep 0.05; done'
        )

    def abandon(self, name: str) -> None:
        """See Implementation."""
        pid = f"/run/handler-{name}"
        self._machine.run(f"[ ! -e {pid} ] || {{ kill $(cat {pid}); rm {pid}; }}")

    def size(self, path: str) -> int:
        """See Implementation."""
        return int(self._machine.run(f"blockdev --getsize64 {path}").stdout)

    def attribute(self, name: str, attribute: str) -> str:
        """See Implementation."""
        return self._machine.run(f"cat {_ROOT}/core/*_*/{name}/attrib/{attribute}").stdout.strip()

    def half(self, item: lio_objects.Object) -> None:
        """See Implementation."""
        self._machine.run(f"mkdir {_ROOT}/{_half_path(item)}")

    def crash_during(self, step: Step) -> None:
        """Kill the worker, so that the step finds it dead."""
        self._machine.run(f"kill -KILL $(cat {self._pid})")
        (report,) = self.kernel.apply([step])
        assert report.failure is not None
        assert report.failure.reason == "WorkerDied"

    def alter_default_group(self, name: str, group: DefaultGroup) -> None:
        """See Implementation."""
        texts = {
            "alua_access_state": str(list(AluaState).index(AluaState(group.state))),
            "preferred": str(int(group.preferred)),
            "alua_access_type": str(_ACCESS_TYPES.index(group.access_type)),
        }
        directory = f"{_ROOT}/core/*_*/{name}/alua/default_tg_pt_gp"
        self._machine.run("; ".join(f"echo {text} >{directory}/{file}" for file, text in texts.items()))

    def make_foreign(self) -> None:
        """See Implementation."""
        self._script("foreign", FOREIGN)

    def foreign(self) -> object:
        """See Implementation."""
        return json.loads(self._script("show", FOREIGN))

    def close(self) -> None:
        """End the worker."""
        self.kernel.close()

    def _script(self, *arguments: str) -> str:
        script = Path(__file__).with_name("guest.py").read_text(encoding="utf-8")
        return self._machine.run(f"python3 - {' '.join(arguments)}", input=script).stdout


def _half_path(item: lio_objects.Object) -> str:
    match item:
        case lio_objects.StorageObject():
            return f"core/{item.plugin}_10777"
        case lio_objects.Target():
            return f"iscsi/{item.iqn}"
        case lio_objects.Tpg():
            return tpg_path(item.iqn, item.tag)
        case lio_objects.TpgLun():
            return f"{tpg_path(item.iqn, item.tag)}/lun/lun_777"
        case lio_objects.MappedLun():
            return f"{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}/lun_{item.lun}"
        case _:
            raise AssertionError(item)
