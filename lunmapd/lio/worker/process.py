"""The parent's side of a worker process, which is abandoned when it misses a deadline."""

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from lunmapd.files import write_all
from lunmapd.lio.worker import wire

_CHUNK = 1 << 16  # what a pipe holds


class WorkerError(Exception):
    """Base of the errors of a worker process."""


class WorkerLateError(WorkerError):
    """The worker did not answer in time."""


class WorkerGoneError(WorkerError):
    """The worker ended."""


class WorkerProcess:
    """One worker process. Requests and answers alternate; see wire.py.

    `under_way` maps the numbers of the steps that the worker last reported as under way to the directories
    they block.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start the process in its own process group, so that Ctrl-C at the terminal does not reach it."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
        )
        os.set_blocking(_stream(self._process.stdin), False)
        self._buffer = b""
        self.under_way: Mapping[int, str] = {}

    @property
    def pid(self) -> int:
        """The process id, for messages."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs; an ended process is reaped."""
        return self._process.poll() is None

    def send(self, request: wire.Request, deadline: float) -> None:
        """Send a request.

        `deadline` is a time of time.monotonic(). Raises WorkerLateError, WorkerGoneError.
        """
        self.under_way = {}
        descriptor = _stream(self._process.stdin)
        line = wire.encode_message(request) + b"\n"
        try:
            write_all(descriptor, line, lambda: _wait(descriptor, select.POLLOUT, deadline))
        except BrokenPipeError:
            raise WorkerGoneError(self._exit_text()) from None

    def receive(self, deadline: float) -> wire.Answer:
        """Return the next answer. Raises WorkerLateError, WorkerGoneError."""
        descriptor = _stream(self._process.stdout)
        parts = [self._buffer]
        while b"\n" not in parts[-1]:
            _wait(descriptor, select.POLLIN, deadline)
            parts.append(os.read(descriptor, _CHUNK))
            if not parts[-1]:
                raise WorkerGoneError(self._exit_text())
        line, _, self._buffer = b"".join(parts).partition(b"\n")
        answer: wire.Answer = wire.decode_answer(line)
        if isinstance(answer, wire.ProgressAnswer):
            self.under_way = dict(answer.under_way)
        return answer

    def kernel_stack(self) -> str:
        """Return the kernel stack of the process from /proc, `unknown` if /proc does not show it."""
        for name in ("stack", "wchan"):
            try:
                text = Path(f"/proc/{self.pid}/{name}").read_text(encoding="utf-8")
            except OSError:
                continue
            if text.strip("0 \n"):
                return "; ".join(text.split("\n")).strip("; ")
        return "unknown"

    def abandon(self) -> None:
        """Kill the process without waiting. In D state it dies when the call into the kernel returns."""
        self._process.kill()
        self._close_pipes()

    def close(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the process to finish its step and end; then kill it."""
        self._close_pipes()
        if not self.wait_ended(timeout):
            self._process.kill()

    def wait_ended(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the end of the process, and return whether it has ended."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()

    def _exit_text(self) -> str:
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return f"worker {self.pid} closed its output"
        return f"worker {self.pid} ended with {f'signal {-status}' if status < 0 else f'status {status}'}"


def _stream(pipe: IO[bytes] | None) -> int:
    return _pipe(pipe).fileno()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "stdin and stdout are pipes"
    return pipe


def _wait(descriptor: int, events: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, events)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise WorkerLateError
