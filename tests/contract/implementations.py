"""The two implementations that the contract tests compare: the strict fake, and LIO in a machine's kernel."""

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

from msgspec import structs

from fakes.lio import CrashedError, FakeLio
from lab import Machine
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.worker.kernel import Deadlines, Kernel

FOREIGN = "iqn.2020-01.org.example:foreign"
DEVICE = "/dev/disk/lab/d1"
_ACCESS_TYPES = ("None", "Implicit", "Explicit", "Implicit and Explicit")
_ROOT = "/sys/kernel/config/target"
PARALLEL = "exec python3 -c 'from lunmapd.lio.worker.worker import main; main(parallel=True)'"
WORKER = "echo $$ >/run/lunmapd-worker; exec python3 -m lunmapd.lio.worker.worker"


class Lio(Protocol):
    """The methods that the daemon calls on LIO."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe the claimed and own objects."""

    def observe_some(self, items: Sequence[lio_objects.Object]) -> lio_objects.Objects | None:
        """Observe these objects only."""

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
        """Remove a backing file."""

    def size(self, path: str) -> int:
        """Return how many bytes a device has."""

    def half(self, item: lio_objects.Object) -> None:
        """Leave the leftover of a crash in the middle of making the object."""

    def crash_during(self, step: Step) -> None:
        """Kill the process that applies the steps, just before it does this one."""

    def alter_default_group(self, name: str, group: lio_objects.DefaultGroup) -> None:
        """Change the default target port group of a storage object, whose access type is implicit."""

    def make_foreign(self) -> None:
        """Make a target, a storage object and a LUN as another tool would."""

    def foreign(self) -> object:
        """Return the state of the objects that make_foreign made."""

    def close(self) -> None:
        """Clean up."""


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

    def size(self, path: str) -> int:
        """See Implementation."""
        return self._fake.sizes.setdefault(path, 1 << 26)

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

    def alter_default_group(self, name: str, group: lio_objects.DefaultGroup) -> None:
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

    def close(self) -> None:
        """See Implementation."""
        self._fake.close()


class RealImplementation:
    """LIO in a machine, through a worker that runs there."""

    def __init__(self, machine: Machine, worker: str = WORKER) -> None:
        """Start with an empty LIO."""
        self._machine = machine
        self._script("clean")
        self.kernel: Lio = Kernel(machine.ssh.command(script=worker), Deadlines(step=20.0))

    def file(self, path: str, size: int) -> None:
        """See Implementation."""
        self._machine.run(f"truncate -s {size} {path}")

    def missing(self, path: str) -> None:
        """See Implementation."""
        self._machine.run(f"rm -f {path}")

    def size(self, path: str) -> int:
        """See Implementation."""
        return int(self._machine.run(f"blockdev --getsize64 {path}").stdout)

    def half(self, item: lio_objects.Object) -> None:
        """See Implementation."""
        self._machine.run(f"mkdir {_ROOT}/{_half_path(item)}")

    def crash_during(self, step: Step) -> None:
        """Kill the worker, so that the step finds it dead."""
        self._machine.run("kill -KILL $(cat /run/lunmapd-worker)")
        (report,) = self.kernel.apply([step])
        assert report.failure is not None
        assert report.failure.reason == "WorkerDied"

    def alter_default_group(self, name: str, group: lio_objects.DefaultGroup) -> None:
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
        """See Implementation."""
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
