"""A lab: its namespaces, and all that lives in them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lab.build import project, zookeeper
from lab.build.cache import in_use_file
from lab.ensemble import Ensemble, Server, write_config
from lab.errors import LabError, StartFailed
from lab.leftovers import Life, Record, reap, states
from lab.machines import kernel
from lab.machines.disk import Disk, make_sparse
from lab.machines.driver import Driver, Spec
from lab.machines.initiator import MODULES as INITIATOR_MODULES
from lab.machines.initiator import Initiator
from lab.machines.machine import LIO_MODULES, Init, Machine
from lab.machines.ssh import Ssh, prepare_keys
from lab.network import Network
from lab.sandbox import Bind, Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_GUEST = Path(__file__).with_name("guest")
_TREE = Path(__file__).parents[2]
_SERVERS_FROM = 201
_STORE_SIZE = "2G"


class Lab:
    """Machines, servers and disks on a network of their own: a context that leaves nothing behind.

    `keep`: leave everything running at the end. `artifacts`: where to copy logs if the context ends with an
    exception. `tree`: the working tree to install into the machines (None: nothing). `driver`: what runs the
    kernels.
    """

    def __init__(
        self,
        *,
        keep: bool = False,
        artifacts: Path | None = None,
        tree: Path | None = _TREE,
        driver: Driver | None = None,
    ) -> None:
        self.keep = keep
        self.artifacts = artifacts
        self.tree = tree
        self.machines: dict[str, Machine] = {}
        self.disks: dict[str, Disk] = {}
        self.ensembles: list[Ensemble] = []
        self._driver = driver

    def __enter__(self) -> Self:
        reap()
        self._driver = driver = self._driver or kernel.driver(trial)
        layer = project.layer(self.tree, driver.root) if self.tree else None
        self.state = Path(tempfile.mkdtemp(prefix="", dir=states()))
        self._jars = zookeeper.jars()
        self.sandbox = _sandbox(self.state, driver, layer, self._jars)
        self.network = Network(self.sandbox)
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and self.artifacts is not None:
                self.save_artifacts(self.artifacts)
        finally:
            self._leave_running() if self.keep else self.close()

    @property
    def name(self) -> str:
        """The lab's name on this host."""
        return self.state.name

    def disk(self, name: str, size: str | int = "64M", *, shared: bool = True) -> Disk:
        """Make a disk; a `shared` one is synchronous and can be given to several machines."""
        assert name not in self.disks, f"there is a disk {name} already"
        path = self.state / "disks" / name
        make_sparse(path, size)
        self.disks[name] = Disk(name, path, f"/lab/state/disks/{name}", shared)
        return self.disks[name]

    def machine(  # noqa: PLR0913 - all but the name are options
        self,
        name: str,
        *,
        init: Init = "bare",
        memory: str = "256M",
        disks: Sequence[Disk] = (),
        modules: Sequence[str] = LIO_MODULES,
        persistent: bool = False,
        cpus: int = 1,
        start: bool = True,
    ) -> Machine:
        """Make a machine and (unless `start` is False) boot it. Raises StartFailed.

        With User-Mode Linux it has one processor, with any value of `cpus`.

        A `persistent` machine keeps its whole file system (except /run, /tmp, /dev) when it is killed and
        started again.
        """
        assert name not in self.machines, f"there is a machine {name} already"
        place = self.network.place(1 + len(self.machines))
        store = self._store(name) if persistent else None
        spec = Spec(name, memory, place, [*disks, *([store] if store else [])], cpus)
        ssh = Ssh(self.sandbox, place)
        directory = self.state / "machines" / name
        machine = Machine(
            spec,
            init,
            modules,
            store,
            directory,
            self.sandbox,
            self.network,
            self.driver,
            ssh,
            self.state / "hosts",
        )
        self.machines[name] = machine
        with (self.state / "hosts").open("a") as hosts:
            hosts.write(f"{place.address} {name}\n")
        self._record()
        if start:
            machine.start()
        return machine

    def initiator(
        self, name: str, iqn: str | None = None, *, memory: str = "256M", start: bool = True
    ) -> Initiator:
        """Make a machine that is an iSCSI initiator with multipath and (unless `start` is False) boot it."""
        machine = self.machine(name, memory=memory, modules=INITIATOR_MODULES, start=False)
        initiator = Initiator(machine, iqn or f"iqn.2026-01.org.example:{name}")
        if start:
            initiator.start()
        return initiator

    def ensemble(
        self,
        servers: int = 1,
        *,
        config: Mapping[str, str] | None = None,
        jvm: Sequence[str] = (),
        disk: str | None = None,
        start: bool = True,
    ) -> Ensemble:
        """Make ZooKeeper servers and (unless `start` is False) wait until all serve.

        `config` adds lines to the servers' configuration, `jvm` options to Java's command line; `disk` is the
        size of a disk of its own for the data of each, such as "64m", which can be filled. Raises
        StartFailed.
        """
        first = _SERVERS_FROM + sum(len(e.servers) for e in self.ensembles)
        members = [self._server(first + n, n + 1, jvm) for n in range(servers)]
        for member in members:
            write_config(member, members, config or {})
            if disk is not None:
                member.mount(disk)
        ensemble = Ensemble(members)
        self.ensembles.append(ensemble)
        if start:
            ensemble.start()
        return ensemble

    def start(self, *parts: Machine | Initiator | Ensemble) -> None:
        """Start machines, initiators and ensembles made with `start=False`, all at the same time."""
        with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
            for future in [pool.submit(part.start) for part in parts]:
                future.result()

    def save_artifacts(self, directory: Path) -> None:
        """Copy consoles, the servers' logs, and what running machines have logged into `directory`."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for machine in self.machines.values():
            _save_machine(machine, directory / machine.name)
        for server in (server for ensemble in self.ensembles for server in ensemble.servers):
            if server.log.exists():
                shutil.copy(server.log, directory / f"{server.name}.log")

    def close(self) -> None:
        """End everything; can be called again."""
        for machine in self.machines.values():
            machine.close()
        self.network.stop()
        self.sandbox.stop()
        shutil.rmtree(self.state, ignore_errors=True)

    @property
    def driver(self) -> Driver:
        """The driver that runs the machines' kernels."""
        assert self._driver is not None, "the lab has not been entered"
        return self._driver

    def _start(self) -> None:
        for directory in ("disks", "machines", "empty"):
            (self.state / directory).mkdir()
        (self.state / "hosts").write_text("127.0.0.1 localhost\n")
        self._record()
        self.sandbox.start()
        self._record()
        self.network.start()
        prepare_keys(self.sandbox, self.state)

    def _store(self, name: str) -> Disk:
        store = self.disk(f"{name}-store", _STORE_SIZE, shared=False)
        self.sandbox.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,nodiscard", store.inside])
        return store

    def _server(self, place_number: int, number: int, jvm: Sequence[str]) -> Server:
        place = self.network.place(place_number)
        directory = self.state / f"zk{place_number}"
        server = Server(
            number,
            place,
            directory,
            f"/lab/state/{directory.name}",
            self.sandbox,
            self.network,
            jvm,
            zookeeper.class_path(self._jars),
        )
        self.network.add_namespace(place, server.name)
        return server

    def _record(self) -> None:
        shells = {name: machine.ssh.command("-t") for name, machine in self.machines.items()}
        Record(self.name, Life.here(), Life.of(self.sandbox.pid), self.keep, shells).write(self.state)

    def _leave_running(self) -> None:
        self.sandbox.keep()
        print(f"lab {self.name} keeps running. Shells (as root):", file=sys.stderr)
        for machine in self.machines.values():
            print(f"  {machine.name}: {machine.shell_command}", file=sys.stderr)
        print(f"End it: PYTHONPATH=tests python3 -m lab reap {self.name}", file=sys.stderr)


def _sandbox(state: Path, driver: Driver, layer: Path | None, jars: Path | None) -> Sandbox:
    """Return the namespaces, still to be started, with what machines boot from under /lab."""
    binds = [
        Bind(driver.root, "/lab/root"),
        Bind(layer or state / "empty", "/lab/layer"),
        Bind(state, "/lab/state", writable=True),
        Bind(_GUEST, "/lab/guest"),
        *([Bind(jars, zookeeper.INSIDE)] if jars else []),
        *driver.binds(),
    ]
    return Sandbox([in_use_file(part) for part in (driver.root, layer, jars) if part], driver.root, binds)


def trial(driver: Driver) -> str | None:
    """Boot a machine with `driver`; return None if that works, else why not."""
    try:
        with Lab(driver=driver, tree=None) as lab:
            lab.machine("probe").run("true")
    except StartFailed as err:
        return str(err)
    return None


def _save_machine(machine: Machine, directory: Path) -> None:
    directory.mkdir()
    if machine.console.exists():
        shutil.copy(machine.console, directory)
    commands = {
        "journal.log": "journalctl --no-pager -b || true",
        "lunmapd.log": "cat /var/log/lunmapd.log",
        "dmesg.log": "dmesg",
        "clock.log": "cat /proc/uptime /proc/interrupts /proc/timer_list; date; ps ax",
    }
    for name, command in commands.items():
        try:
            (directory / name).write_text(machine.run(command, timeout=10.0).stdout)
        except LabError as err:
            (directory / name).write_text(f"not to be had: {err}\n")
