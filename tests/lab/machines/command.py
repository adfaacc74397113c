"""Commands in a machine: how they are written, and handles on those that run for long."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from lab.result import Result, capture, text
from lab.wait import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.machines.ssh import Ssh


def script_of(cmd: str | Sequence[str]) -> str:
    """Return a shell script as it is, an argument list quoted."""
    return cmd if isinstance(cmd, str) else shlex.join(cmd)


@dataclass
class Running:
    """A command that runs in a machine."""

    ssh: Ssh
    where: str
    script: str
    mark: str
    popen: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    @classmethod
    def start(cls, ssh: Ssh, where: str, script: str) -> Running:
        """Start `script` through the machine's connection."""
        mark = f"/run/lab/{uuid.uuid4().hex}"
        stdout = tempfile.TemporaryFile()  # noqa: SIM115 - they live as long as the handle
        stderr = tempfile.TemporaryFile()  # noqa: SIM115
        popen = subprocess.Popen(
            ssh.command(script=f"echo $$ >{mark}; {script}"),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        return cls(ssh, where, script, mark, popen, stdout, stderr)

    def poll(self) -> int | None:
        """Return the exit status, None while it runs; 255 if the connection broke."""
        return self.popen.poll()

    def output(self) -> str:
        """Return the command's stdout so far."""
        return _whole(self.stdout)

    def errors(self) -> str:
        """Return the command's stderr so far."""
        return _whole(self.stderr)

    def wait(self, timeout: float = PATIENCE) -> Result:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        status = self.popen.wait(timeout)
        return Result(status, self.output(), self.errors())

    def close(self) -> None:
        """Forget the command and its output; if it still runs, it is left to its machine."""
        self.popen.kill()
        self.popen.wait()
        self.stdout.close()
        self.stderr.close()

    def signal(self, name: str) -> None:
        """Send the signal `name` ("TERM", "USR1", ...) to the command's whole session."""
        capture(self.ssh.command(script=f"kill -{name} -- -$(cat {self.mark})"), timeout=PATIENCE)

    def terminate(self, timeout: float = PATIENCE) -> Result:
        """End it: SIGTERM, then SIGKILL after `timeout` seconds. Returns the outcome."""
        for name in ("TERM", "KILL"):
            self.signal(name)
            try:
                return self.wait(timeout)
            except subprocess.TimeoutExpired:
                continue
        self.popen.kill()
        return self.wait()


def _whole(file: IO[bytes]) -> str:
    file.flush()
    with open(f"/proc/self/fd/{file.fileno()}", "rb") as again:  # noqa: PTH123 - a file without a name
        return text(again.read())
