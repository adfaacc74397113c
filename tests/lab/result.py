"""The outcome of a command, and running one on the host."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import CommandFailed, CommandTimeout
from lab.wait import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Result:
    """Exit status (128 + n after signal n) and whole output of a command."""

    status: int
    stdout: str
    stderr: str


def text(data: bytes | None) -> str:
    """Return output as text, with any bytes."""
    return (data or b"").decode(errors="replace")


def capture(
    argv: Sequence[str],
    *,
    where: str = "host",
    shown: str | None = None,
    stdin: bytes | None = None,
    timeout: float = PATIENCE,
) -> tuple[int, bytes, bytes]:
    """Run `argv` on the host; return status, stdout, stderr. Raises CommandTimeout.

    `shown` replaces argv in messages.
    """
    stdin_or_null: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    options: dict[str, Any] = {"capture_output": True, "timeout": timeout, "start_new_session": True}
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            argv, check=False, **options, **stdin_or_null
        )
    except subprocess.TimeoutExpired as err:
        output = text(err.stdout) + text(err.stderr)
        raise CommandTimeout(where, shown or shlex.join(argv), timeout, output) from None
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr


def run(
    argv: Sequence[str], *, where: str = "host", stdin: bytes | None = None, timeout: float = PATIENCE
) -> Result:
    """Run `argv` on the host. Raises CommandFailed, CommandTimeout."""
    status, out, err = capture(argv, where=where, stdin=stdin, timeout=timeout)
    result = Result(status, text(out), text(err))
    if status:
        raise CommandFailed(where, shlex.join(argv), result)
    return result
