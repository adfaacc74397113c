"""The reads of backings beside the daemon's cycles: problems, their end, and the process that reads."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from lab.wait import wait_until
from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.node.backing_reads import Pace
from lunmapd.lio.worker.reader_process import ReaderProcess
from lunmapd.service.daemon.backing_watch import BackingWatch, watched_backings
from support.ended_process import STAYS

QUICK = Pace(interval=0.05, confirm=0.01, patience=60.0)


def read(path: Path) -> BackingRead:
    """Return the read of a file of 8192 bytes."""
    return BackingRead(str(path), "", 8192, 4096)


def found(watch: BackingWatch) -> dict[str, str]:
    """Return the reasons of the problems by Lun."""
    return {lun: why.reason for lun, why in watch.problems().items()}


def test_a_problem_is_reported_and_its_end_too(tmp_path: Path) -> None:
    """The cycle is woken once for each change; the other Lun has none."""
    changes = list[None]()
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(8192))
    watch = BackingWatch(lambda: changes.append(None), QUICK)
    with watched_backings(watch):
        watch.check({name: read(tmp_path / name) for name in "ab"})
        os.truncate(tmp_path / "a", 4096)
        wait_until("the problem", lambda: (found(watch), len(changes)) == ({"a": "BackingUnreadable"}, 1))
        os.truncate(tmp_path / "a", 8192)
        wait_until("its end", lambda: (found(watch), len(changes)) == ({}, 2))


def test_the_process_ends_while_nothing_is_due(tmp_path: Path) -> None:
    """Between two reads of few backings there is no further process; the next read starts one."""
    (tmp_path / "a").write_bytes(bytes(8192))
    started = list[Recorder]()

    def start() -> ReaderProcess:
        started.append(Recorder())
        return started[-1]

    watch = BackingWatch(lambda: None, Pace(interval=600.0), start)
    with watched_backings(watch):
        watch.check({"a": read(tmp_path / "a")})
        wait_until("the end of the process", lambda: [each.closed for each in started] == [True])
        watch.check({"b": BackingRead(f"{tmp_path}/b", "", 8192, 4096)})
        wait_until("another one", lambda: [each.reads for each in started] == [1, 1])


class Recorder(ReaderProcess):
    """A process that counts its reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads, self.closed = 0, False

    def begin(self, reads: Iterable[BackingRead]) -> None:
        """Count them."""
        some = list(reads)
        self.reads += len(some)
        super().begin(some)

    def close(self) -> None:
        """Remember it."""
        super().close()
        self.closed = True


def test_a_process_that_is_killed_during_a_read_that_hangs_is_replaced(tmp_path: Path) -> None:
    """The other reads hang no longer than it takes to find that it has ended."""
    (tmp_path / "a").write_bytes(bytes(4096))
    started = list[str]()

    def start() -> ReaderProcess:
        started.append("")
        return ReaderProcess(STAYS) if len(started) == 1 else ReaderProcess()

    reasons = set[str]()
    watch = BackingWatch(
        lambda: reasons.update(found(watch).values()), Pace(interval=0.05, confirm=0.01, patience=2.0), start
    )
    with watched_backings(watch):
        watch.check({"a": read(tmp_path / "a")})
        wait_until("the answer of another process", lambda: found(watch) == {"a": "BackingUnreadable"})
    assert reasons == {"BackingUnreadable"}


def test_a_process_that_dies_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its reads are made again after an interval."""
    started = list[str]()

    def start() -> ReaderProcess:
        started.append("")
        if len(started) == 1:
            return ReaderProcess(("true",))
        if len(started) == 2:
            raise OSError("no process")
        return ReaderProcess()

    watch = BackingWatch(lambda: None, QUICK, start)
    with watched_backings(watch):
        watch.check({"a": read(tmp_path / "a")})
        wait_until("a problem", lambda: found(watch) == {"a": "BackingUnreadable"})
    assert "the process that reads them has ended" in caplog.text
    assert "no process" in caplog.text
