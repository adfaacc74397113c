"""The lab's way into a machine: OpenSSH over the management network, one connection for many commands."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import CommandFailed
from lab.result import capture, run

if TYPE_CHECKING:
    from pathlib import Path

    from lab.network import Place
    from lab.sandbox import Sandbox

_CONFIG = """\
Host *
    User root
    IdentityFile /lab/state/ssh/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ControlPath /run/ssh-%h
    ConnectTimeout 10
"""


def prepare_keys(sandbox: Sandbox, state: Path) -> None:
    """Make the lab's key pair and the ssh client's configuration."""
    directory = state / "ssh"
    directory.mkdir(mode=0o700)
    (directory / "config").write_text(_CONFIG)
    sandbox.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", "/lab/state/ssh/key"])
    (directory / "key.pub").rename(directory / "authorized_keys")


@dataclass(frozen=True)
class Ssh:
    """The connection to one machine."""

    sandbox: Sandbox
    place: Place

    def command(self, *options: str, script: str | None = None) -> list[str]:
        """Return the host command that runs the shell script `script` there (or a login shell)."""
        ssh = ["ssh", "-F", "/lab/state/ssh/config", *options]
        if script is None:
            return self.sandbox.inside([*ssh, self.place.mgmt_address])
        # Without the shared connection there is no machine: don't wait for one of its own.
        return self.sandbox.inside([*ssh, "-o", "ProxyCommand=false", self.place.mgmt_address, "--", script])

    def connect(self, seconds: float) -> None:
        """Open the connection that later commands share. Raises CommandFailed, CommandTimeout."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                run(self.command("-M", "-N", "-f"), where="ssh", timeout=seconds)
            except CommandFailed as err:
                # sshd goes into the background a moment before it listens, and on a busy machine nobody
                # answers ARP for some seconds.
                soon = any(words in err.result.stderr for words in ("refused", "No route to host"))
                if not soon or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def disconnect(self) -> None:
        """Drop the connection at once, even to a dead machine; commands in flight end with status 255."""
        capture(self.command("-O", "exit"))

    def up(self) -> bool:
        """Return whether the connection is established."""
        return capture(self.command("-O", "check"))[0] == 0

    def shell(self) -> str:
        """Return a command line that a person can paste to get a shell."""
        return shlex.join(self.command("-t"))
