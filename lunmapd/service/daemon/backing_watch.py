"""Reads the files and devices that LIO exports, at intervals, and reports those that can't be read.

The reads are made by a process of their own (lio/worker/reader.py), which exists only while reads are due or
under way. The daemon's loop never waits for a read.
"""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.node.backing_reads import Pace, ReadProblems, ReadSchedule
from lunmapd.lio.worker.reader_process import ReaderGoneError, ReaderProcess
from lunmapd.service.daemon.background import running

_log = logging.getLogger(__name__)

_KEEP = 5.0  # seconds; a process that has nothing to do for longer is ended
_END = 1.0  # seconds for the thread at the end of the daemon


class BackingWatch:
    """The reads of a node's backings. `run` is the thread, the other methods are for any thread."""

    def __init__(
        self,
        notify: Callable[[], None],
        pace: Pace = Pace(),  # noqa: B008 - it is frozen
        start: Callable[[], ReaderProcess] = ReaderProcess,
    ) -> None:
        """Prepare. `notify` is called when the problems have changed; `start` starts a process that reads."""
        self._notify = notify
        self._start = start
        self._schedule = ReadSchedule(pace)
        self._reader: ReaderProcess | None = None
        self._reads: Mapping[str, BackingRead] = {}
        self._followed: Mapping[str, BackingRead] = {}
        self._problems: ReadProblems = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._over = threading.Event()

    def problems(self) -> ReadProblems:
        """Return the problems that the last reads found."""
        return self._problems

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Make these reads from now on; they are by name of the Lun."""
        if reads != self._reads:
            self._reads = reads
            os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        """Read until `stop`."""
        while not self._over.is_set():
            try:
                self._turn()
            except (OSError, ReaderGoneError) as error:
                self._lose(error)
        self._close()

    def _turn(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        reads, now = self._reads, time.monotonic()
        if reads is not self._followed:
            self._followed = reads
            self._schedule.follow(reads.values(), now)
        if self._reader is not None and not self._reader.is_running():
            raise ReaderGoneError
        self._begin(now)
        self._report(reads, now)
        pause = self._schedule.pause(now)
        if self._schedule.is_idle and pause > _KEEP:
            self._close()
        self._wait(pause)

    def _begin(self, now: float) -> None:
        if due := self._schedule.begin(now):
            self._reader = self._reader or self._start()
            self._reader.begin(due)

    def _report(self, reads: Mapping[str, BackingRead], now: float) -> None:
        found = self._schedule.problems(now)
        problems = {lun: found[read.key] for lun, read in reads.items() if read.key in found} if found else {}
        if problems != self._problems:
            self._problems = problems
            self._notify()

    def _wait(self, seconds: float) -> None:
        """Wait for answers, another task or the end, at most `seconds`. Raises ReaderGoneError."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if self._reader is not None:
            poll.register(self._reader, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self._reader is not None and self._reader.fileno() in ready:
            for answer in self._reader.answers():
                self._schedule.end(answer.key, answer.error, time.monotonic())

    def _lose(self, error: Exception) -> None:
        self._close()
        self._schedule.lose(time.monotonic())
        _log.warning(
            "exported files and devices could not be read: %s; they are read again after an interval",
            error,
            extra=journal_fields(Message.BACKINGS_UNREAD),
        )

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


@contextmanager
def watched_backings(watch: BackingWatch) -> Iterator[None]:
    """Make the reads in a thread as long as the context lasts."""
    with running(watch.run, watch.stop, "backings", _END):
        yield
