"""Ctrl-C: an interrupt that ends the verb wherever it comes, also while kazoo sends a request.

Two places drop each exception, so an interrupt raised there would be lost: `KazooClient._call` while it wakes
kazoo's thread (kazoo/client.py), and the callback by which an import forgets its lock (`_get_module_lock` in
Lib/importlib/_bootstrap.py). Modules of an operation are imported when a connection is already made.
A third place replaces it by a RuntimeError: `Condition.wait` between the release of its lock and the wait,
and while it takes the lock again (Lib/threading.py). The lock would be released twice.
"""

import signal
import threading
from types import FrameType

_PAUSE = 0.001  # seconds; kazoo sends one byte on a socket, and most modules are imported in less
_IMPORT = "<frozen importlib._bootstrap>"
_WAIT = threading.Condition.wait.__code__
_TAKES_LOCK = "Condition._acquire_restore"
_WAITING = "gotit"
"""The variable that `Condition.wait` sets right before it waits."""


def raise_interrupts() -> None:
    """Let SIGINT raise KeyboardInterrupt as Python's own handler does, but in none of these places.

    It is raised as soon as they are left, a millisecond later each time. SIGALRM is used for that.
    """
    signal.signal(signal.SIGALRM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if _is_dropping(frame):
        signal.setitimer(signal.ITIMER_REAL, _PAUSE)
    else:
        raise KeyboardInterrupt


def _is_dropping(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_qualname == _TAKES_LOCK or (code is _WAIT and _WAITING not in frame.f_locals):
            return True
        if code.co_name == "_call" and frame.f_globals.get("__name__") == "kazoo.client":
            return True
        if code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
