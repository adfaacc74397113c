"""`lunmapctl` in a process of its own for each call, without the 0.3 s of CPU of a start of Python.

A process that has imported it, with all verbs, forks for each call. It is a program of its own, so that
nothing is forked from the threads of a test. As for the installed program, arguments, environment, working
directory and standard streams are those of the call.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from lunmapd.service.ctl import main as lunmapctl
from lunmapd.service.ctl.start.verbs import VERBS

ERROR_LINE = re.compile(r"lunmapctl: .+\n")
"""All that lunmapctl writes to stderr for an error."""
_MESSAGE = 1 << 20
_STATUS = 4


def run_lunmapctl(args: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
    """Run it, and return its exit status and its output.

    Raises TimeoutError after `timeout` seconds, when it has been killed.
    """
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin or "")
        given.seek(0)
        status = call_lunmapctl(args, (given, out, err), timeout)
        return status, text_of(out), text_of(err)


def call_lunmapctl(
    args: Sequence[str],
    streams: Sequence[IO[str] | IO[bytes]],
    timeout: float,
    started: Callable[[int], None] = lambda _: None,
) -> int:
    """Run it with three standard streams, and return its exit status; `started` gets its process id.

    Raises TimeoutError after `timeout` seconds, when it has been killed.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = json.dumps({"args": list(args), "env": dict(os.environ), "cwd": str(Path.cwd())}).encode()
        socket.send_fds(_forker().calls, [call], [theirs.fileno(), *(stream.fileno() for stream in streams)])
        theirs.close()
        ours.settimeout(timeout)
        pid = int.from_bytes(ours.recv(_STATUS))
        started(pid)
        try:
            told = ours.recv(_STATUS)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
    assert told, "lunmapctl was killed"
    return int.from_bytes(told)


def text_of(stream: IO[bytes]) -> str:
    """Return all that a file has, from its start."""
    stream.seek(0)
    return stream.read().decode()


class _Forker(NamedTuple):
    """The process that forks, and the connection to it. It ends when the connection is closed."""

    process: subprocess.Popen[bytes]
    calls: socket.socket


@cache
def _forker() -> _Forker:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        return _Forker(subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL), ours)


def _serve(calls: socket.socket) -> None:
    """Import all verbs, and fork for each call until the tests close the connection."""
    for verb in VERBS.values():
        import_module(verb.module)
    import_module("lunmapd.service.ctl.connect")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        call, descriptors, _, _ = socket.recv_fds(calls, _MESSAGE, 4)
        if not call:
            return
        if os.fork() == 0:
            _run(json.loads(call), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _run(call: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Be lunmapctl, and report the process id and then the exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A shell starts background jobs with SIGINT ignored, and tests that are one hand that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reports, *streams = descriptors
    os.write(reports, os.getpid().to_bytes(_STATUS))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(call["env"])
    os.chdir(call["cwd"])
    sys.argv = ["lunmapctl", *call["args"]]
    os.write(reports, _exit_status().to_bytes(_STATUS))
    os._exit(0)


def _exit_status() -> int:
    """Run the command as the interpreter runs a program, and return its exit status."""
    try:
        lunmapctl()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, the interpreter would print it
        traceback.print_exc()
        status = 1
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        _serve(inherited)
