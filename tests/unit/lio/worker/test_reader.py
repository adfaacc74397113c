"""The process that reads files and devices: what it answers, and its end."""

import fcntl
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wait import PATIENCE, wait_until
from lunmapd.core.base.backing_read import BackingRead
from lunmapd.lio.base.block_ends import read_ends
from lunmapd.lio.worker.reader import ReadAnswer
from lunmapd.lio.worker.reader_process import ReaderGoneError, ReaderProcess
from support.ended_process import STAYS


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    """Return a process that reads."""
    process = ReaderProcess()
    yield process
    process.close()


def file(path: Path, size: int, seen: int | None = None) -> BackingRead:
    """Make a file, and return the read of what hosts see of it."""
    path.touch()
    os.truncate(path, size)
    return BackingRead(str(path), "", seen or size, 4096)


@pytest.mark.parametrize("size", [512, 4096, 4608, 1 << 20])
def test_a_file_is_read(tmp_path: Path, size: int) -> None:
    """Of any size, also where the last block is not a whole one."""
    assert read_ends(file(tmp_path / "a", size)) == ""


def test_memory_that_takes_no_direct_read_is_read() -> None:
    """A file system without O_DIRECT, or with another alignment, is read through the page cache."""
    descriptor = os.memfd_create("a")
    os.truncate(descriptor, 8192)
    assert read_ends(BackingRead(f"/proc/self/fd/{descriptor}", "", 8192, 4096)) == ""
    os.close(descriptor)


def test_errors_name_the_block(tmp_path: Path) -> None:
    """A file that is too short has no last block; one that is gone can't be opened."""
    assert read_ends(file(tmp_path / "a", 4096, 8192)) == "last block: the end comes before it"
    assert read_ends(file(tmp_path / "b", 0, 8192)) == "first block: the end comes before it"
    assert read_ends(BackingRead(f"{tmp_path}/c", "", 4096, 4096)) == "open: No such file or directory"
    assert read_ends(BackingRead(str(tmp_path), "", 4096, 4096)).startswith("first block: ")


def test_another_device_under_the_path_is_no_error() -> None:
    """Whether a path still leads to the opened device is what an observation finds."""
    assert read_ends(BackingRead("/dev/null", "7:0", 4096, 512)) == ""


def test_a_read_that_hangs_costs_no_other(reader: ReaderProcess, tmp_path: Path) -> None:
    """The open of a file with a lease is not answered until the lease is gone; later reads are answered."""
    slow, fast = file(tmp_path / "a", 4096), file(tmp_path / "b", 4096)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with (tmp_path / "a").open("r+b") as leased:
        fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        reader.begin([slow])
        reader.begin([fast])
        assert answers(reader) == [ReadAnswer(fast.path, fast.identity, "")]
        fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    assert answers(reader) == [ReadAnswer(slow.path, slow.identity, "")]
    signal.signal(signal.SIGIO, before)


def answers(reader: ReaderProcess) -> list[ReadAnswer]:
    """Return the next answers, none if there are none for long."""
    return reader.answers() if select.select([reader], [], [], PATIENCE)[0] else []


def test_answers_in_pieces_are_put_together() -> None:
    """A pipe may return half a line."""
    script = (
        "import sys,time\n"
        'sys.stdout.buffer.write(b\'{"path":"/a","identity":"","err\');sys.stdout.flush();sys.stdin.readline();'
        'sys.stdout.buffer.write(b\'or":""}\\n\');sys.stdout.flush()'
    )
    reader = ReaderProcess(("python3", "-c", script))
    assert reader.answers() == []
    reader.begin([BackingRead("/a", "", 1, 1)])
    assert reader.answers() == [ReadAnswer("/a", "", "")]
    with pytest.raises(ReaderGoneError):
        reader.answers()
    reader.close()


def test_a_killed_process_with_a_read_that_hangs_has_ended() -> None:
    """Its last thread keeps its pipes open, so they show no end."""
    reader = ReaderProcess(STAYS)
    reader.begin([BackingRead("/a", "", 1, 1)])
    wait_until("its end", lambda: not reader.is_running())
    assert not select.select([reader], [], [], 0)[0]
    reader.close()


def test_a_process_that_was_reaped_has_ended() -> None:
    """Its directory in /proc is gone."""
    reader = ReaderProcess(("true",))
    reader.close()
    assert not reader.is_running()


def test_a_process_that_ended_takes_no_reads() -> None:
    """Its end is an error of its own."""
    reader = ReaderProcess(("sh", "-c", "exec <&-; exec >&-"))
    with pytest.raises(ReaderGoneError):
        reader.answers()
    with pytest.raises(ReaderGoneError):
        reader.begin([BackingRead("/a", "", 1, 1)])
    reader.close()
