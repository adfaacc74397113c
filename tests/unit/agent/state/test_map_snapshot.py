"""The local snapshot: maps are written and read again, and nothing else is read."""

import errno
import logging
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lunmapd.agent.state.journal import Journal, JournalDamagedError, parse_journal
from lunmapd.agent.state.map_snapshot import (
    SNAPSHOT_FILE,
    TOUCH_EVERY,
    KeptSnapshot,
    LocalSnapshot,
    SnapshotDamagedError,
)
from lunmapd.core.base.backings import Block
from lunmapd.core.base.events import Event
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.history.digest import show_digest
from lunmapd.store.tree.snapshot import Snapshot
from support.debug_log import lines, values
from support.digests import map_digest

CLUSTER = "3f1d6c1e-0000-4f0b-9f3e-7a51c2d40000"


def lunmap(*numbers: int) -> Lunmap:
    """Make a map of Luns l<number>."""
    return Lunmap({f"l{number}": Lun(Block(f"/dev/l{number}"), f"{number:032x}") for number in numbers})


def snapshot(revision: int, *numbers: int) -> Snapshot:
    """Make a snapshot of such a map."""
    content = lunmap(*numbers)
    digest = show_digest(map_digest(content))
    return Snapshot(CLUSTER, revision, digest, digest, revision, content, versions={"luns/l1": 3})


def bare(found: Snapshot) -> Snapshot:
    """Return what of a snapshot is kept."""
    return replace(found, versions={})


def keep_three(local: LocalSnapshot) -> list[Snapshot]:
    """Keep three revisions, the first as a whole, and return them."""
    states = [snapshot(1, 1), snapshot(2, 1, 2), snapshot(3, 2, 3)]
    for state in states:
        local.keep(state)
    return states


def test_nothing_was_kept_at_first(tmp_path: Path) -> None:
    """Without a file there is no snapshot, and that is no error."""
    assert LocalSnapshot(tmp_path).load() is None


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    """Another instance finds the newest map with the time and the hold, in a file of mode 0600."""
    clock = Clock(1_000_000.0)
    states = keep_three(local := LocalSnapshot(tmp_path, clock))
    local.hold(3)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(states[2]), 1_000_000, 3)
    assert (tmp_path / SNAPSHOT_FILE).stat().st_mode & 0o777 == 0o600


def test_a_reader_goes_on_where_the_writer_stopped(tmp_path: Path) -> None:
    """Lines that a new instance adds to the file are read by the next one."""
    keep_three(LocalSnapshot(tmp_path))
    again = LocalSnapshot(tmp_path, Clock(1_000_000.0))
    again.load()
    later = snapshot(4, 3)
    again.keep(later)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(later), 1_000_000)


def test_a_change_costs_a_line(tmp_path: Path) -> None:
    """The line of one changed Lun has the same size with any map."""
    sizes = []
    for count in (10, 1000):
        local, path = LocalSnapshot(tmp_path), tmp_path / SNAPSHOT_FILE
        before, after = snapshot(1, *range(count)), snapshot(2, *range(count + 1))
        local.keep(before)
        size = path.stat().st_size
        local.keep(after)
        sizes.append(path.stat().st_size - size)
    assert abs(sizes[1] - sizes[0]) < 20


def test_changes_that_outgrow_the_map_are_compacted(tmp_path: Path) -> None:
    """At rest the file of a map that changes for ever stays small, and holds the last state."""
    local, path = LocalSnapshot(tmp_path, Clock(1_000_000.0)), tmp_path / SNAPSHOT_FILE
    now = snapshot(1, 1)
    local.keep(now)
    for revision in range(2, 500):
        now = snapshot(revision, revision)
        local.keep(now)
        local.tidy()
    assert path.stat().st_size < 80_000
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(now), 1_000_000)


def test_restarts_dont_put_a_compaction_off(tmp_path: Path) -> None:
    """A daemon that is started again and again keeps its file as small as one that runs on."""
    local = LocalSnapshot(tmp_path)
    local.keep(snapshot(1, 1))
    for revision in range(2, 1000):
        local.keep(snapshot(revision, revision))
        if not revision % 50:
            local = LocalSnapshot(tmp_path)
            local.load()
            local.tidy()
    assert (tmp_path / SNAPSHOT_FILE).stat().st_size < 120_000


def test_the_time_is_written_now_and_then(tmp_path: Path) -> None:
    """The time is written again only if it is TOUCH_EVERY seconds old, or in the future."""
    clock, path = Clock(1_000_000.0), tmp_path / SNAPSHOT_FILE
    local = LocalSnapshot(tmp_path, clock)
    local.touch(0)
    assert not path.exists()
    local.keep(snapshot(1, 1))
    size = path.stat().st_size
    clock.now += TOUCH_EVERY - 1
    local.touch(0)
    assert path.stat().st_size == size
    clock.now += 1
    local.touch(0)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(snapshot(1, 1)), 1_000_000 + TOUCH_EVERY)
    clock.now -= 5000
    local.touch(0)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(
        bare(snapshot(1, 1)), 1_000_000 + TOUCH_EVERY - 5000
    )


@pytest.mark.parametrize(("limit", "every"), [(0.0, TOUCH_EVERY), (1e9, TOUCH_EVERY), (300.0, 100), (1.0, 1)])
def test_the_time_is_written_often_enough_for_the_greatest_age(
    tmp_path: Path, limit: float, every: int
) -> None:
    """A snapshot with an age limit is confirmed three times within it, so a fresh one never looks old."""
    clock = Clock(1_000_000.0)
    local = LocalSnapshot(tmp_path, clock)
    local.keep(snapshot(1, 1))
    clock.now += every - 1
    local.touch(limit)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(snapshot(1, 1)), 1_000_000)
    clock.now += 1
    local.touch(limit)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(snapshot(1, 1)), 1_000_000 + every)


def test_bytes_that_are_no_canonical_document_survive(tmp_path: Path) -> None:
    """An unreadable object and one with newlines are kept byte for byte."""
    whole = replace(
        snapshot(1, 1),
        raw={"luns/bad": b"\xff\n{"},
        unreadable={"luns/bad": "why"},
        edited={"luns/bad": None},
    )
    local = LocalSnapshot(tmp_path, Clock(1_000_000.0))
    local.keep(whole)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(whole), 1_000_000)
    local.keep(later := replace(whole, revision=2))
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(later), 1_000_000)


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    """After a crash in the middle of a write the line before counts, and the next write mends the file."""
    states = keep_three(LocalSnapshot(tmp_path, Clock(1_000_000.0)))
    path = tmp_path / SNAPSHOT_FILE
    path.write_bytes(path.read_bytes()[:-10])
    local = LocalSnapshot(tmp_path, Clock(1_000_000.0))
    assert local.load() == KeptSnapshot(bare(states[1]), 1_000_000)
    local.keep(states[2])
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(states[2]), 1_000_000)


def test_a_last_line_with_holes_is_torn(tmp_path: Path) -> None:
    """Blocks of the last line that never reached the disk read as NUL bytes; the line before counts."""
    states = keep_three(LocalSnapshot(tmp_path))
    path = tmp_path / SNAPSHOT_FILE
    data = path.read_bytes()
    path.write_bytes(data[:-40] + bytes(30) + data[-10:])
    kept = LocalSnapshot(tmp_path).load()
    assert kept is not None
    assert kept.snapshot == bare(states[1])


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_line_is_damage(tmp_path: Path, line: int) -> None:
    """Any whole line that is not as it was written makes the file worthless, which is put aside and named."""
    keep_three(LocalSnapshot(tmp_path))
    path = tmp_path / SNAPSHOT_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"luns", b"lans").replace(b"l1", b"l7").replace(b"l3", b"l9")
    path.write_bytes(b"".join(lines))
    with pytest.raises(SnapshotDamagedError, match=f"line {line + 1} .*{SNAPSHOT_FILE}.damaged"):
        LocalSnapshot(tmp_path).load()
    assert not path.exists()
    assert (tmp_path / f"{SNAPSHOT_FILE}.damaged").read_bytes() == b"".join(lines)
    assert LocalSnapshot(tmp_path).load() is None


@pytest.mark.parametrize("order", [(0, 2), (0, 2, 1), (0, 1, 1, 2), (1, 2), ()])
def test_lost_moved_and_doubled_lines_are_damage(tmp_path: Path, order: tuple[int, ...]) -> None:
    """Each line vouches for the one before it."""
    keep_three(LocalSnapshot(tmp_path))
    path = tmp_path / SNAPSHOT_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[index] for index in order))
    with pytest.raises(SnapshotDamagedError):
        LocalSnapshot(tmp_path).load()


@pytest.mark.parametrize("line", [b"garbage", b"{}", b'{"type":"seen","seen":1}'])
def test_a_good_line_of_something_else_is_damage(tmp_path: Path, line: bytes) -> None:
    """A file with right digests but other content, as of another version, counts as damaged."""
    Journal(tmp_path / SNAPSHOT_FILE).replace(line)
    with pytest.raises(SnapshotDamagedError):
        LocalSnapshot(tmp_path).load()


def test_another_format_is_not_guessed_at(tmp_path: Path) -> None:
    """A file of a format that this version doesn't know is put aside."""
    keep_three(LocalSnapshot(tmp_path))
    path = tmp_path / SNAPSHOT_FILE
    (base, *_) = parse_journal(path.read_bytes()).contents
    Journal(path).replace(base.replace(b'"format":1', b'"format":2'))
    with pytest.raises(SnapshotDamagedError, match="format 2"):
        LocalSnapshot(tmp_path).load()


def test_changes_that_dont_lead_to_the_digest_are_damage(tmp_path: Path) -> None:
    """A line that leaves out a change does not pass for the map that it names."""
    local = LocalSnapshot(tmp_path)
    local.keep(snapshot(1, 1))
    local.keep(replace(snapshot(2, 1, 2), digest="0" * 64))
    with pytest.raises(SnapshotDamagedError, match="digest"):
        LocalSnapshot(tmp_path).load()


def test_a_disk_that_refuses_is_said_and_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a problem and no exception, keeps the stored map, and the next touch writes all."""
    local = LocalSnapshot(tmp_path, Clock(1_000_000.0))
    keep_three(local)
    later = snapshot(4, 3)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        local.keep(later)
        local.touch(0)
        local.hold(4)
        local.tidy()
        assert "No space left" in local.problem
    kept = LocalSnapshot(tmp_path).load()
    assert kept is not None
    assert kept.snapshot.revision in {3, 4}
    local.touch(0)
    assert local.problem == ""
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(later), 1_000_000, 4)


def test_a_file_that_was_removed_comes_back(tmp_path: Path) -> None:
    """When the file is removed under a running daemon, that is a problem, and the next touch writes all."""
    local = LocalSnapshot(tmp_path, Clock(1_000_000.0))
    keep_three(local)
    (tmp_path / SNAPSHOT_FILE).unlink()
    later = snapshot(4, 3)
    local.keep(later)
    assert "No such file" in local.problem
    local.touch(0)
    assert LocalSnapshot(tmp_path).load() == KeptSnapshot(bare(later), 1_000_000)


def test_a_directory_that_cant_be_read_is_said(tmp_path: Path) -> None:
    """An unreadable file is one error with its reason."""
    (tmp_path / SNAPSHOT_FILE).mkdir()
    with pytest.raises(SnapshotDamagedError, match="not a regular file"):
        LocalSnapshot(tmp_path).load()


def test_an_empty_file_is_damage() -> None:
    """The first line comes with the file in one step, so a file without one was not made by us."""
    assert parse_journal(b"").contents == ()
    with pytest.raises(JournalDamagedError):
        parse_journal(b"x\ny\n")


def test_each_write_is_in_the_debug_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The kind of the line and the size of the file are logged, and why a write failed."""
    with caplog.at_level(logging.DEBUG):
        local = LocalSnapshot(tmp_path)
        keep_three(local)
        local.hold(3)
        (tmp_path / SNAPSHOT_FILE).unlink()
        local.hold(0)
    assert values(caplog.records, Event.SNAPSHOT_WRITTEN, "entry") == ["base", "advance", "advance", "held"]
    (line,) = lines(caplog.records, Event.SNAPSHOT_FAILED)
    assert line.startswith("local snapshot: held not written: [Errno 2]")
