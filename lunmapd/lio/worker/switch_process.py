"""The daemon's side of the process that carries out what leases decide (switch.py)."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from msgspec import Struct

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.floating.promotion import HookCall, HookReport
from lunmapd.files import write_all
from lunmapd.lio.worker.switch import (
    SwitchAction,
    SwitchAnswer,
    SwitchRequest,
    decode_switch_answer,
    encode_switch_line,
)

# -P: no module is imported from the working directory.
SWITCH_COMMAND = (sys.executable, "-P", "-m", "lunmapd.lio.worker.switch")


_Answers = SimpleQueue[SwitchAnswer | None]
_Waiting = dict[int, _Answers]


class SwitchRefusedError(Exception):
    """LIO refused a request, or the process ended with it."""


class SwitchForeignError(Exception):
    """Another tool has made the target of the request, so nothing was done."""


class SwitchLateError(Exception):
    """A request was not answered within its deadline."""


class SwitchDeadlines(Struct, frozen=True):
    """Limits in seconds; disabling waits for the commands of the TPG."""

    start: float = 10.0
    disable: float = 10.0


class SwitchProcess:
    """Sends requests of any thread to one process, which is started when there is none."""

    def __init__(
        self, command: Sequence[str] = SWITCH_COMMAND, deadlines: SwitchDeadlines | None = None
    ) -> None:
        """Prepare; the first request starts the process."""
        self._command, self._deadlines = command, deadlines or SwitchDeadlines()
        self._numbers = count(1)
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: _Waiting = {}

    def ask(self, action: SwitchAction, iqn: str, tag: int, port_id: int = 0) -> bool:
        """Return whether the TPG is enabled afterwards.

        Raises SwitchForeignError, SwitchRefusedError and SwitchLateError.
        """
        request = SwitchRequest(next(self._numbers), action, iqn, tag, port_id)
        limit = self._deadlines.disable if action is SwitchAction.DISABLE else self._deadlines.start
        answer = self._answer(request, limit)
        if answer.foreign:
            raise SwitchForeignError
        return answer.enabled

    def ask_luns(self, group: str, luns: Mapping[str, AluaState]) -> Mapping[str, str]:
        """Return the states of those Luns that LIO has. Raises SwitchRefusedError and SwitchLateError."""
        return self._about_luns(SwitchAction.READ_LUNS, group, luns)

    def open_luns(
        self, group: str, luns: Mapping[str, AluaState], not_after: float, until: float
    ) -> Mapping[str, str]:
        """Make the Luns of a group optimized until a time, but not after `not_after`; see ask_luns."""
        return self._about_luns(SwitchAction.OPEN_LUNS, group, luns, not_after, until)

    def close_luns(self, group: str, luns: Mapping[str, AluaState]) -> Mapping[str, str]:
        """Give the Luns of a group these states; see ask_luns."""
        return self._about_luns(SwitchAction.CLOSE_LUNS, group, luns)

    def ask_hook(
        self,
        action: SwitchAction,
        group: str,
        hook: HookCall | None,
        not_after: float,
        until: float,
    ) -> HookReport:
        """Return how far the storage of a group is, after READ_HOOK, PROMOTE, DEMOTE or FORGET_HOOK.

        The times are as in open_luns, and the errors those of ask_luns.
        """
        request = SwitchRequest(
            next(self._numbers), action, group=group, not_after=not_after, until=until, hook=hook
        )
        return self._answer(request, self._deadlines.start).hook or HookReport()

    def _about_luns(
        self,
        action: SwitchAction,
        group: str,
        luns: Mapping[str, AluaState],
        not_after: float = 0.0,
        until: float = 0.0,
    ) -> Mapping[str, str]:
        request = SwitchRequest(
            next(self._numbers), action, group=group, luns=luns, not_after=not_after, until=until
        )
        return self._answer(request, self._deadlines.start).states

    def _answer(self, request: SwitchRequest, limit: float) -> SwitchAnswer:
        answers, waiting = self._send(request)
        try:
            answer = answers.get(timeout=limit)
        except Empty:
            raise SwitchLateError(f"no answer from the kernel for {limit:g} s") from None
        finally:
            waiting.pop(request.number, None)
        if answer is None:
            raise SwitchRefusedError("the process that enables TPGs has ended")
        if answer.error:
            raise SwitchRefusedError(answer.error)
        return answer

    def close(self) -> None:
        """End the process; a request that hangs in the kernel ends with it, once the kernel lets it go."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _send(self, request: SwitchRequest) -> tuple[_Answers, _Waiting]:
        answers: _Answers = SimpleQueue()
        with self._lock:
            try:
                process = self._started()
                self._waiting[request.number] = answers
                assert process.stdin is not None, "it is a pipe"
                write_all(process.stdin.fileno(), encode_switch_line(request) + b"\n")
            except OSError as error:
                self._waiting.pop(request.number, None)
                raise SwitchRefusedError(f"the process that enables TPGs: {error}") from None
            return answers, self._waiting

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None or _has_no_input(self._process):
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
            )
            # The end of a process concerns its own requests only.
            self._waiting = {}
            arguments = (self._process, self._waiting)
            Thread(target=self._hand_over, args=arguments, name="switch", daemon=True).start()
        return self._process

    def _hand_over(self, process: "subprocess.Popen[bytes]", waiting: _Waiting) -> None:
        """Hand each answer to the thread that waits for it; all wait in vain once the process has ended."""
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        with process.stdout:
            for line in process.stdout:
                answer = decode_switch_answer(line)
                if (found := waiting.get(answer.number)) is not None:
                    found.put(answer)
        with self._lock:
            # Another file may get the number of the descriptor, so no request is being sent.
            process.stdin.close()
        for each in list(waiting.values()):
            each.put(None)
        process.kill()
        process.wait()


def _has_no_input(process: "subprocess.Popen[bytes]") -> bool:
    return process.stdin is None or process.stdin.closed
