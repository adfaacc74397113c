"""Examining paths, also those that do not answer."""

import os
import threading
from pathlib import Path

import pytest

from lunmapd.lio.base import path_probe
from lunmapd.lio.base.path_probe import Kind, PathProbe


def test_each_kind_of_path_is_known(tmp_path: Path) -> None:
    """A file has identity and size, by each of its names; the other kinds are told apart."""
    file, link, hard = tmp_path / "a", tmp_path / "link", tmp_path / "hard"
    file.write_bytes(bytes(512))
    link.symlink_to(file)
    hard.hardlink_to(file)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    paths = [str(tmp_path / name) for name in ("a", "link", "hard", "missing", "dangling", "loop", ".", "a")]
    found = PathProbe().examine([*paths, "/dev/null"])
    status = file.stat()
    assert found[paths[0]] == found[paths[1]] == found[paths[2]]
    assert found[paths[0]].file == f"{status.st_dev}:{status.st_ino}"
    assert (found[paths[0]].kind, found[paths[0]].size, found[paths[0]].read_only) == (Kind.FILE, 512, False)
    assert [found[path].kind for path in paths[3:7]] == ["missing", "dangling", "dangling", "other"]
    assert (found["/dev/null"].kind, found["/dev/null"].numbers) == (Kind.CHAR, "1:3")


def test_no_paths_need_no_thread() -> None:
    """Nothing to examine gives nothing."""
    assert PathProbe().examine([]) == {}


class SlowPaths:
    """Paths below `/dead`, and `/stuck`, do not answer until `release` is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the examination of a path."""
        self.answered = threading.Event()
        self.asked: list[str] = []
        self._examine = path_probe._examine
        monkeypatch.setattr(path_probe, "_examine", self._wait)

    def _wait(self, path: str, read_only: dict[int, bool]) -> path_probe.PathStatus:
        self.asked.append(path)
        if path.startswith(("/dead", "/stuck")):
            self.answered.wait()
        return self._examine(path, read_only)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SlowPaths:
    """Return paths that do not answer, on a file system that is mounted on /dead."""
    mounts = tmp_path / "mountinfo"
    line = "36 35 98:0 / {} rw,noatime master:1 - ext3 /dev/root rw\n"
    mounts.write_text("".join(line.format(point) for point in ("/", "/dead", "/dead/er")))
    monkeypatch.setattr(path_probe, "_MOUNTS", mounts)
    return SlowPaths(monkeypatch)


def test_a_file_system_that_does_not_answer_delays_nothing_else(slow: SlowPaths) -> None:
    """One path of it is tried, and none of it is tried again before that one has answered."""
    probe = PathProbe(patience=0.05)
    paths = ["/dev/null", "/dead/a", "/dev/zero", "/dead/b", "/stuck", "/dev/full"]
    for _ in range(2):
        found = probe.examine(paths)
        assert {path for path, status in found.items() if status.kind is Kind.UNANSWERED} == {
            "/dead/a",
            "/dead/b",
            "/stuck",
        }
        assert all(found[path].kind is Kind.CHAR for path in ("/dev/null", "/dev/zero", "/dev/full"))
    assert [slow.asked.count(path) for path in ("/dead/a", "/dead/b", "/stuck")] == [1, 0, 1]
    slow.answered.set()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(5)
    assert {status.kind for status in probe.examine(paths).values()} == {Kind.CHAR, Kind.MISSING}


def test_only_a_few_threads_are_left_behind(slow: SlowPaths) -> None:
    """With many file systems that do not answer, the others are not tried at all."""
    probe = PathProbe(patience=0.02)
    paths = [f"/stuck{number}" for number in range(9)]
    found = probe.examine([*paths, os.devnull])
    assert {status.kind for status in found.values()} == {Kind.UNANSWERED}
    assert slow.asked == paths[:4]
    slow.answered.set()
