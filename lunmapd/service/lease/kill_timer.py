"""A timer that kills this process at an absolute time, also while it is stopped.

A process that is stopped between its decision and its system call makes the call when it is continued, which
may be minutes later. SIGKILL ends a stopped process too (signal(7)), so within the timer no call begins late.
The standard library has no timer_create(2).
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

_SIGEV_SIGNAL = 0
_TIMER_ABSTIME = 1
_SIGEV_SIZE = 64  # bytes of struct sigevent (asm-generic/siginfo.h, SIGEV_MAX_SIZE)
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Sigevent(ctypes.Structure):
    """`struct sigevent` of sigevent(3type)."""

    _fields_: ClassVar = [
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * (_SIGEV_SIZE - 16)),
    ]


class _Itimerspec(ctypes.Structure):
    """`struct itimerspec` of itimerspec(3type): the interval, then the time."""

    _fields_: ClassVar = [
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    ]


@contextmanager
def killed_at(end: float) -> Iterator[None]:
    """Let the kernel kill this process at `end`, a time of CLOCK_BOOTTIME, unless the context has ended.

    Raises OSError if the kernel makes no timer.
    """
    event = _Sigevent(signo=signal.SIGKILL, notify=_SIGEV_SIGNAL)
    timer = ctypes.c_void_p()
    _check(_libc.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer)))
    try:
        _check(_libc.timer_settime(timer, _TIMER_ABSTIME, ctypes.byref(_until(end)), None))
        yield
    finally:
        _libc.timer_delete(timer)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the thread ends that started it in the process `parent`.

    It ends a stopped process too, so a new daemon never waits for the process of the former one. Raises
    OSError, and ProcessLookupError if the parent has ended already.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        raise ProcessLookupError(parent)


def _until(end: float) -> _Itimerspec:
    seconds = max(0.0, end)
    # A time of zero would disarm the timer.
    return _Itimerspec(seconds=int(seconds), nanoseconds=max(1, int(seconds % 1 * 1e9)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
