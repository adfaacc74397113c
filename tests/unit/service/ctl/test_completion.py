"""The names that a shell completes."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from lunmapd.service.ctl.cli import ctl
from support.preloaded import run_lunmapctl

NOWHERE = "127.0.0.1:1"
NAMES = {
    "luns": ["db1", "db2", "logs"],
    "targets": ["san"],
    "initiators": ["host1", "host2"],
    "groups": ["databases"],
    "nodes": ["n1", "n2"],
    "floating": ["gold"],
    "revisions": ["12", "11", "2"],
    "mapped": ["group:web", "host2"],
}


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Let kazoo log as before: a completion silences it for the whole process."""
    logger = logging.getLogger("kazoo")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the cache of the completion; it is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("_LUNMAPCTL_COMPLETE", "bash_complete")
    return tmp_path / "lunmapctl"


def completed(*words: str) -> list[str]:
    """Return what the last of these words is completed to, by a shell that has read the others."""
    shell = ShellComplete(ctl, {}, "lunmapctl", "_LUNMAPCTL_COMPLETE")
    *args, incomplete = words
    return [item.value for item in shell.get_completions(["--hosts", NOWHERE, *args], incomplete)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names of the files in which completions of a tree are kept, and those of its Lun db1."""
    cache = tmp_path_factory.mktemp("names")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setenv("_LUNMAPCTL_COMPLETE", "bash_complete")
        completed("explain", "x")
        completed("unmap", "db1", "x")
    return [file.name for file in (cache / "lunmapctl").iterdir()]


def keep_names(cache: Path, files: list[str]) -> None:
    """Fill the cache, as a completion does that has just read the tree."""
    cache.mkdir()
    for name in files:
        (cache / name).write_text(json.dumps(NAMES))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["get", ""], ["luns", "targets", "initiators", "groups", "nodes"]),
        (["get", "luns", "d"], ["db1", "db2"]),
        (["get", "nodes", ""], ["n1", "n2"]),
        (["explain", ""], ["db1", "db2", "logs", "n1", "n2", "host1", "host2"]),
        (["explain", "host1", "l"], ["logs"]),
        (["status", "h"], ["host1", "host2"]),
        (["map", "db"], ["db1", "db2"]),
        (["map", "db1", "host1", "h"], ["host1", "host2"]),
        (["plan", "unmap", "db1", "h"], ["host2"]),
        (["unmap", "db1", ""], ["group:web", "host2"]),
        (["lun", "set", "db1", "sh"], ["shared.reservations=", "shared.compare_and_write="]),
        (["lun", "set", "db1", "size=1GiB", "pref"], ["preferred="]),
        (["lun", "set", "db1", "preferred=n1,"], ["preferred=n1,n1", "preferred=n1,n2"]),
        (["lun", "set", "db1", "preferred", "=", "n"], ["n1", "n2"]),
        (["lun", "set", "db1", "others", "=", "s"], ["standby"]),
        (["lun", "set", "db1", "size=x"], []),
        (["lun", "set", "db1", "nothing=x"], []),
        (["host", "set", "host1", "probe="], ["probe=true", "probe=false"]),
        (["target", "set", "san", "auth"], ["authentication="]),
        (["target", "set", "san", "nodes=n"], ["nodes=n1", "nodes=n2"]),
        (["float", "set", "san", "gold", "failback="], ["failback=auto", "failback=manual"]),
        (["group", "set", "databases", "initiators=h"], ["initiators=host1", "initiators=host2"]),
        (["node", "set", "n1", "st"], []),
        (["lun", "delete", "lo"], ["logs"]),
        (["lun", "create", "d"], []),
        (["unmap", "db1", "--target", "s"], ["san"]),
        (["show", "1"], ["12", "11"]),
        (["rollback", ""], ["12", "11", "2"]),
        (["override", "path-loss", "--node", "n"], ["n1", "n2"]),
        (["group", "add", "da"], ["databases"]),
        (["float", "set", "san", ""], ["gold"]),
        (["float", "create", "san", ""], []),
        (["log", "--object", "db"], ["db1", "db2"]),
    ],
)
def test_names_are_completed(cache: Path, files: list[str], words: list[str], found: Sequence[str]) -> None:
    """Of the section that the place asks for, or of hosts, Luns and nodes."""
    keep_names(cache, files)
    assert completed(*words) == list(found)


def test_a_value_begins_behind_the_equals_sign(
    cache: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell such as bash hands the = over as a word, and click leaves it out at the end of the line."""
    keep_names(cache, files)
    monkeypatch.setenv("COMP_WORDS", "lunmapctl\nlun\nset\ndb1\npreferred\n=")
    assert completed("lun", "set", "db1", "preferred", "=") == ["n1", "n2"]


def test_without_zookeeper_nothing_is_completed_and_nothing_printed(cache: Path) -> None:
    """The next word is answered at once: for some seconds it is known that there is no answer."""
    started = time.monotonic()
    assert completed("explain", "d") == []
    assert time.monotonic() - started < 4
    (file,) = cache.iterdir()
    assert (json.loads(file.read_text()), file.stat().st_mode & 0o777) == ({}, 0o600)
    kept = file.stat().st_mtime_ns
    assert completed("explain", "d") == []
    assert file.stat().st_mtime_ns == kept


def test_a_shell_gets_lines_and_no_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that can't be read, and a cache that can't be written, are no line in the prompt."""
    cache.write_text("in the way of the directory")
    monkeypatch.setenv("COMP_WORDS", "lunmapctl -c /nonexistent explain d")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert run_lunmapctl([], None, 60) == (0, "\n", "")
