"""A process that makes each request in a thread of its own, since the kernel may let one wait for ever."""

import signal
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from lunmapd.files import write_all

_T = TypeVar("_T")
_STACK = 256 * 1024  # bytes for each thread


def serve_in_threads(decode: Callable[[bytes], _T], answer: Callable[[_T], bytes]) -> None:
    """Answer the request in each line of stdin by a line of stdout, until there are no more requests.

    `answer` returns a line without its end. Signals to the process group don't end the process; the daemon
    does.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.stack_size(_STACK)
    lock = threading.Lock()

    def write_answer(request: _T) -> None:
        line = answer(request) + b"\n"
        with lock:
            write_all(sys.stdout.fileno(), line)

    for line in sys.stdin.buffer:
        threading.Thread(target=write_answer, args=(decode(line),), daemon=True).start()
