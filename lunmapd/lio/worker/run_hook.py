"""Runs a hook: a program of the node's administrator that promotes and demotes storage (docs/hooks.md)."""

import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lunmapd.clock import boot_time
from lunmapd.core.floating.promotion import HookAction, HookCall, HookResult

HOOKS = "/etc/lunmapd/hooks.d"
LOCKS = "/run"

_LOOK = 0.1  # seconds between two looks at a lock, or at a limit that another thread changes
_KILLED = 5.0  # seconds for a killed hook to end: a call into the kernel may hang
_MAX_OUTPUT = 300  # characters


Limit = Callable[[], float]
"""Returns the time of CLOCK_BOOTTIME in seconds at which the hook is killed. It may change."""

RunHook = Callable[[HookAction, HookCall, Limit], HookResult]


class HookDirectories(NamedTuple):
    """Where the hooks are, and where the files are that keep two runs for one group apart."""

    hooks: str = HOOKS
    locks: str = LOCKS


_PLACES = HookDirectories()


def run_hook(
    action: HookAction, call: HookCall, limit: Limit, where: HookDirectories = _PLACES
) -> HookResult:
    """Run a hook until it ends or until its limit. Its output goes to standard error, too.

    A run that was orphaned by the end of an earlier process is waited for.
    """
    path = f"{where.hooks}/{call.name}"
    if why := _unfit(where.hooks, path):
        return HookResult(None, why)
    try:
        with _locked(where.locks, call, limit) as lock, tempfile.TemporaryFile() as output:
            result = _run([path, action, *(each for _, each in call.luns)], call, limit, (lock, output))
    except OSError as error:
        return HookResult(None, str(error))
    _log(action, call, result)
    return result


def _unfit(directory: str, path: str) -> str:
    """Return why a program may not be run, "" if it may: only root may be able to change it."""
    try:
        found, folder = Path(path).stat(), Path(directory).stat()
    except OSError as error:
        return f"the hook can't be run: {error}"
    mine = {0, os.geteuid()}
    if not stat.S_ISREG(found.st_mode) or not os.access(path, os.X_OK):
        return f"the hook {path} is not an executable file: chmod +x"
    if any(
        each.st_uid not in mine or each.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for each in (found, folder)
    ):
        return f"others than root can change the hook {path} or its directory: chown root and chmod go-w"
    return ""


@contextmanager
def _locked(directory: str, call: HookCall, limit: Limit) -> Iterator[int]:
    """Yield a locked file of the group, which the hook inherits. Raises OSError."""
    digest = hashlib.sha256(f"{call.target} {call.group}".encode()).hexdigest()[:16]
    lock = os.open(f"{directory}/lunmapd-hook-{digest}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        while not _lock(lock):
            if boot_time() >= limit():
                raise TimeoutError("an earlier run of the hook has not ended")
            time.sleep(_LOOK)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _run(command: list[str], call: HookCall, limit: Limit, files: tuple[int, BinaryIO]) -> HookResult:
    lock, output = files
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_environment(call),
        pass_fds=(lock,),
        start_new_session=True,
    )
    status = _wait(process, limit)
    output.seek(0)
    lines = output.read(1 << 16).decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return HookResult(
        status, last[:_MAX_OUTPUT] if status is not None else f"it was killed: {last[:_MAX_OUTPUT]}"
    )


def _environment(call: HookCall) -> dict[str, str]:
    names = " ".join(name for name, _ in call.luns)
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "LUNMAPD_NODE": call.node,
        "LUNMAPD_TARGET": call.target,
        "LUNMAPD_GROUP": call.group,
        "LUNMAPD_LUNS": names,
    }


def _wait(process: "subprocess.Popen[bytes]", limit: Limit) -> int | None:
    """Return the exit status; None if the hook and its children were killed."""
    while (left := limit() - boot_time()) > 0:
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(min(left, _LOOK))
            return status if status >= 0 else None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILLED)
    return None


def _log(action: HookAction, call: HookCall, result: HookResult) -> None:
    if action is HookAction.STATUS:
        return
    ended = "was killed" if result.status is None else f"ended with {result.status}"
    text = f"hook {call.name} {action} for {call.group} of {call.target} {ended}: {result.message}"
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
