"""Ctrl-C: an interrupt that ends the verb wherever it comes, also while kazoo sends a request.

`KazooClient._call` drops each exception that comes while it wakes kazoo's thread (kazoo/client.py), so an
interrupt raised there would be lost.
"""

import signal
from types import FrameType

_PAUSE = 0.001  # seconds; kazoo sends one byte on a socket


def raise_interrupts() -> None:
    """Let SIGINT raise KeyboardInterrupt as Python's own handler does, but not inside kazoo's `_call`.

    There it is raised a millisecond later. SIGALRM is used for that.
    """
    signal.signal(signal.SIGALRM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if _is_sending(frame):
        signal.setitimer(signal.ITIMER_REAL, _PAUSE)
    else:
        raise KeyboardInterrupt


def _is_sending(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "_call" and frame.f_globals.get("__name__") == "kazoo.client":
            return True
        frame = frame.f_back
    return False
