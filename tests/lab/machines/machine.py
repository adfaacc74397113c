"""A machine: a real kernel with its own overlay over the shared root, reached by ssh."""

from __future__ import annotations

import posixpath
import shlex
import shutil
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lab.errors import CommandFailed, CommandTimeout, MachineUnreachable, StartFailed
from lab.machines.command import Running, script_of
from lab.result import Result, capture, text
from lab.wait import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.machines.disk import Disk
    from lab.machines.driver import Driver, Spec
    from lab.machines.ssh import Ssh
    from lab.network import Network
    from lab.sandbox import Process, Sandbox

Init = Literal["bare", "systemd"]
LIO_MODULES = ("target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod")
"""The modules of a storage node; configfs is always mounted."""

_BOOT_SECONDS: dict[str, float] = {"bare": PATIENCE, "systemd": 2 * PATIENCE}


@dataclass
class Machine:
    """One machine. `directory` (on the host) holds its console log and what its boot reads."""

    spec: Spec
    init: Init
    modules: Sequence[str]
    store: Disk | None
    directory: Path
    sandbox: Sandbox
    network: Network
    driver: Driver
    ssh: Ssh
    hosts: Path
    _commands: list[Running] = field(default_factory=list, repr=False)
    _process: Process | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The machine's host name."""
        return self.spec.name

    @property
    def address(self) -> str:
        """The IPv4 address in the data network."""
        return self.spec.place.address

    @property
    def address6(self) -> str:
        """The IPv6 address in the data network."""
        return self.spec.place.address6

    @property
    def console(self) -> Path:
        """The console's log, of all boots."""
        return self.directory / "console.log"

    @property
    def shell_command(self) -> str:
        """A command line that a person can paste (as root) to get a shell in the machine."""
        return self.ssh.shell()

    def start(self) -> None:
        """Boot and wait until commands can be run (and systemd has finished). Raises StartFailed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "env").write_text(self._environment())
        shutil.copy(self.hosts, self.directory / "hosts")
        self.network.add_taps(self.spec.place)
        seen = self.console.stat().st_size if self.console.exists() else 0
        self._process = self.sandbox.spawn(self.name, self.driver.command(self.spec), self.console)
        deadline = time.monotonic() + _BOOT_SECONDS[self.init] * self.driver.slowness
        self._await_ready(seen, deadline)
        self._connect(deadline)

    def running(self) -> bool:
        """Return whether the kernel runs."""
        return self._process is not None and self._process.running()

    def kill(self) -> None:
        """Cut the power: nothing is written back, and no peer is notified."""
        if self._process is not None:
            self._process.kill()
            self.ssh.disconnect()
            self._process = None

    def close(self) -> None:
        """End the connections of all that was started with `spawn`."""
        for command in self._commands:
            command.close()
        self._commands.clear()

    def restart(self) -> None:
        """Pull the plug and boot again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop the machine's processor; its peers see silence."""
        self._alive().pause()

    def resume(self) -> None:
        """Let the processor go on."""
        self._alive().resume()

    def cut(self) -> None:
        """Pull the cable of the data network; commands can still be run."""
        self.network.cut(self.spec.place)

    def heal(self) -> None:
        """Plug the cable in again."""
        self.network.heal(self.spec.place)

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        timeout: float = PATIENCE,
        check: bool = True,
        input: str | bytes | None = None,  # noqa: A002 - the name subprocess.run has made usual
    ) -> Result:
        """Run a shell script or an argument list as root; commands can run at the same time.

        Raises CommandFailed (unless `check` is False), CommandTimeout (the command has been killed),
        MachineUnreachable.
        """
        stdin = input.encode() if isinstance(input, str) else input
        status, out, err = self._capture(script_of(cmd), timeout, stdin)
        result = Result(status, text(out), text(err))
        if check and status:
            raise CommandFailed(self.name, script_of(cmd), result)
        return result

    def spawn(self, cmd: str | Sequence[str]) -> Running:
        """Start a long-running command; its output is collected."""
        self._alive()
        command = Running.start(self.ssh, self.name, script_of(cmd))
        self._commands.append(command)
        return command

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file (its directory is made), replacing it in one step."""
        data = content.encode() if isinstance(content, str) else content
        new = shlex.quote(f"{path}.{uuid.uuid4().hex[:8]}")
        at, directory = shlex.quote(path), shlex.quote(posixpath.dirname(path))
        self.run(f"mkdir -p {directory} && cat >{new} && chmod {mode:o} {new} && mv {new} {at}", input=data)

    def get(self, path: str) -> bytes:
        """Read a file. Raises CommandFailed."""
        script = f"cat {shlex.quote(path)}"
        status, out, err = self._capture(script, PATIENCE, None)
        if status:
            raise CommandFailed(self.name, script, Result(status, "", text(err)))
        return out

    def _capture(self, script: str, timeout: float, stdin: bytes | None) -> tuple[int, bytes, bytes]:
        self._alive()
        timeout *= self.driver.slowness
        mark = f"/run/lab/{uuid.uuid4().hex}"
        argv = self.ssh.command(script=f"echo $$ >{mark}; {script}")
        try:
            status, out, err = capture(argv, where=self.name, shown=script, stdin=stdin, timeout=timeout)
        except CommandTimeout:
            # The remote shell leads a session of its own, which outlives its connection.
            capture(self.ssh.command(script=f"kill -KILL -- -$(cat {mark})"), timeout=PATIENCE)
            raise
        if status == 255 and not self.ssh.up():
            raise MachineUnreachable(f"{self.name}: connection lost during: {script}\n{text(err)}")
        return status, out, err

    def _alive(self) -> Process:
        if self._process is None or not self._process.running():
            raise MachineUnreachable(f"{self.name} is not running; its console is in {self.console}")
        return self._process

    def _environment(self) -> str:
        data, mgmt = self.driver.interfaces()
        place = self.spec.place
        disks = [f"{d.name}:{self.driver.device(i)}" for i, d in enumerate(self.spec.disks)]
        store = "" if self.store is None else self.driver.device(self.spec.disks.index(self.store))
        values = {
            "init": self.init,
            "modules": " ".join(self.modules),
            "store": store,
            "disks": " ".join(disks),
            "shared_root": self.driver.shared("root"),
            "shared_layer": self.driver.shared("layer"),
            "data_interface": data,
            "mgmt_interface": mgmt,
            "address": place.address,
            "address6": place.address6,
            "mgmt_address": place.mgmt_address,
        }
        return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())

    def _await_ready(self, seen: int, deadline: float) -> None:
        while b"lab: ready" not in self.console.read_bytes()[seen:]:
            if not self.running() or time.monotonic() > deadline:
                self.kill()
                tail = text(self.console.read_bytes()[seen:])[-4000:]
                raise StartFailed(
                    f"{self.name} didn't boot; the end of its console ({self.console}):\n{tail}"
                )
            time.sleep(0.02)

    def _connect(self, deadline: float) -> None:
        self.ssh.connect(max(5.0, deadline - time.monotonic()))
        if self.init == "systemd":
            state = self.run("systemctl is-system-running --wait", check=False, timeout=2 * PATIENCE)
            if state.stdout.strip() not in ("running", "degraded"):
                raise StartFailed(f"{self.name}: systemd says {state.stdout.strip()}: {state.stderr}")
