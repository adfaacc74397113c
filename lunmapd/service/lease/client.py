"""The daemon's side of the lease process: it is started by the first request, and again after its end."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar

from msgspec import Struct

from lunmapd.agent.floating.addresses import (
    Duplicate,
    GrantLateError,
    GroupAddresses,
    LeaseError,
    LeaseProcessError,
    NoInterfaceError,
    Presence,
)
from lunmapd.clock import boot_time
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.files import write_all
from lunmapd.service.lease import wire

# -P: no module is imported from the working directory.
LEASE_COMMAND = (sys.executable, "-P", "-m", "lunmapd.service.lease.process")
_CHUNK = 1 << 16

_Answer = TypeVar("_Answer", bound=wire.NumberedAnswer)


class LeaseDeadlines(Struct, frozen=True):
    """Limits in seconds.

    `start` is how long a request waits for a process that starts, killed after `start_end`. `request`
    is for an answer, `grant_end` for what a grant takes at its end, `close` for the end of a process.
    """

    start: float = 5.0
    start_end: float = 60.0
    request: float = 5.0
    grant_end: float = 0.2
    close: float = 1.0


class LeaseProcess:
    """Gives addresses to the kernel by a process of its own (agent.floating.addresses.Addresses).

    `lock` is a file that only one such process locks at a time.
    """

    def __init__(
        self, lock: Path, command: Sequence[str] = LEASE_COMMAND, deadlines: LeaseDeadlines | None = None
    ) -> None:
        """Prepare; the first request starts the process."""
        self._command = (*command, str(lock), str(os.getpid()))
        self._deadlines = deadlines or LeaseDeadlines()
        self._numbers = count(1)
        self._starting = Lock()
        self._connection: _Connection | None = None

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which addresses the kernel has now."""
        answer = self._ask(lambda number: wire.PresenceRequest(number, group), wire.PresenceAnswer)
        return Presence(frozenset(answer.present), answer.problem)

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Ask the network whether another machine has one of the addresses."""
        return self._ask(lambda number: wire.DetectRequest(number, group), wire.DuplicateAnswer).duplicate

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Give all addresses to the kernel for `lifetime` seconds, or extend them; not after `not_after`."""
        seconds = max(0.0, not_after - boot_time()) + self._deadlines.grant_end
        try:
            self._ask(
                lambda number: wire.GrantRequest(number, group, lifetime, not_after), wire.DoneAnswer, seconds
            )
        except LeaseProcessError as error:
            if boot_time() >= not_after:
                raise GrantLateError(f"the kernel was not given {_texts(group)} in time: {error}") from None
            raise

    def announce(self, group: GroupAddresses) -> None:
        """Inform the neighbours of the hardware address; return once that was sent for the first time."""
        self._ask(lambda number: wire.AnnounceRequest(number, group), wire.DoneAnswer)

    def drop(self, group: GroupAddresses) -> None:
        """Remove the addresses from the kernel; one that is missing is no error."""
        self._ask(lambda number: wire.DropRequest(number, group), wire.DoneAnswer)

    def close(self) -> None:
        """End the process. The addresses stay until their lifetime ends, or until another one extends it."""
        with self._starting:
            if self._connection is not None:
                self._connection.close(self._deadlines.close)
            self._connection = None

    def _ask(
        self, make: Callable[[int], wire.LeaseRequest], kind: type[_Answer], seconds: float | None = None
    ) -> _Answer:
        """Return the answer to a request. Raises LeaseError."""
        connection = self._connected()
        number = next(self._numbers)
        answer = connection.ask(make(number), seconds or self._deadlines.request)
        if isinstance(answer, wire.RefusedAnswer):
            raise _error_of(answer.failure)
        assert isinstance(answer, kind), "each request has its own kind of answer"
        return answer

    def _connected(self) -> "_Connection":
        """Return the connection to a process that is ready; start one if there is none."""
        with self._starting:
            if self._connection is None or self._connection.over.is_set():
                self._connection = _Connection(self._command)
            connection = self._connection
        connection.wait_ready(self._deadlines)
        return connection


class _Connection:
    """One lease process. A thread starts it, reads its answers and waits for its end.

    The process dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG), so this thread starts it
    and none that may end earlier.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Begin to start the process."""
        self.over = Event()
        self._ready = Future[subprocess.Popen[bytes]]()
        self._waiting: dict[int, Future[wire.NumberedAnswer]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._began = boot_time()
        self._sending = Lock()
        Thread(target=self._run, args=(command,), name="lease process", daemon=True).start()

    def wait_ready(self, deadlines: LeaseDeadlines) -> None:
        """Wait until no other lease process runs; a slow start goes on. Raises LeaseProcessError."""
        try:
            self._ready.result(deadlines.start)
        except NoAnswer:
            waited = boot_time() - self._began
            if waited >= deadlines.start_end:
                self._kill()
            raise LeaseProcessError(
                f"the lease process is not ready yet after {waited:.1f} s: this node is overloaded, or a "
                "former one hangs in the kernel"
            ) from None

    def ask(self, request: wire.LeaseRequest, seconds: float) -> wire.NumberedAnswer:
        """Return the answer; kill the process if there is none in time. Raises LeaseProcessError."""
        answer = Future[wire.NumberedAnswer]()
        with self._sending:
            if self.over.is_set():
                raise _ended(None)
            self._waiting[request.number] = answer
            self._write(wire.encode_frame(request) + b"\n")
        try:
            return answer.result(seconds)
        except NoAnswer:
            self._kill()
            raise LeaseProcessError(f"the lease process gave no answer for {seconds:.1f} s") from None

    def close(self, seconds: float) -> None:
        """End the process after the request that it carries out; kill it after `seconds`."""
        process = self._process
        if process is not None and process.stdin is not None:
            with self._sending:
                process.stdin.close()
        if not self.over.wait(seconds):
            self._kill()
            self.over.wait(seconds)

    def _write(self, line: bytes) -> None:
        process = self._ready.result()
        assert process.stdin is not None, "it is a pipe"
        try:
            write_all(process.stdin.fileno(), line)
        except BlockingIOError:
            raise LeaseProcessError("the lease process does not read its requests: it hangs") from None
        except (BrokenPipeError, ValueError):
            raise _ended(process.poll()) from None

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _run(self, command: Sequence[str]) -> None:
        status: int | None = None
        try:
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
            ) as process:
                assert process.stdin is not None, "it is a pipe"
                os.set_blocking(process.stdin.fileno(), False)
                self._process = process
                self._read(process)
                with self._sending:
                    # Another file may get the number of the descriptor, so no request is being sent.
                    process.stdin.close()
                status = process.wait()
        except OSError as error:
            self._finish(LeaseProcessError(f"the lease process can't be started: {error}"))
        else:
            self._finish(_ended(status))

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None, "it is a pipe"
        rest = b""
        while data := os.read(process.stdout.fileno(), _CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(wire.decode_lease_answer(line), process)

    def _take(self, answer: wire.LeaseAnswer, process: subprocess.Popen[bytes]) -> None:
        if isinstance(answer, wire.ReadyAnswer):
            self._ready.set_result(process)
        elif (waiting := self._waiting.pop(answer.number, None)) is not None:
            waiting.set_result(answer)

    def _finish(self, error: LeaseProcessError) -> None:
        """Let all that wait know that the process has ended."""
        with self._sending:
            self.over.set()
            waiting = list(self._waiting.values())
        for each in waiting:
            each.set_exception(error)
        if not self._ready.done():
            self._ready.set_exception(error)


def _error_of(failure: Failure) -> LeaseError:
    match failure.reason:
        case Reason.NO_INTERFACE:
            return NoInterfaceError(failure.message)
        case Reason.LEASE_UNBOUNDED:
            return GrantLateError(failure.message)
    return LeaseProcessError(failure.message)


def _ended(status: int | None) -> LeaseProcessError:
    how = "" if status is None else f" by signal {-status}" if status < 0 else f" with status {status}"
    return LeaseProcessError(f"the lease process has ended{how}")


def _texts(group: GroupAddresses) -> str:
    return ", ".join(group.addresses)
