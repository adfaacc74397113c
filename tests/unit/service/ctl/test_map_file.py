"""The base that is used with a map file, and the question if there is none."""

import io
import os
from pathlib import Path

import click
import pytest

from lunmapd.client import FileBase, LastChange, Revision
from lunmapd.service.ctl.files.map_file import (
    MapFile,
    UndoesCommitsError,
    ask_undone,
    read_map_file,
    renew_base,
)
from lunmapd.service.ctl.files.options import Basis

REVISION = Revision(32, "d", "ann", "2026-11-29T12:00:00Z", "", ())
UNDONE = (LastChange("luns/db1", "size", 5, "ann", "2026-11-29T12:00:00Z"),)
LINE = "# lunmap c incarnation 2 revision 31 only luns/db1\n"


@pytest.fixture
def map_file(tmp_path: Path) -> MapFile:
    """Return a file of a part of the map."""
    path = tmp_path / "map.yaml"
    path.write_text(f"{LINE}luns: {{}}\n")
    with path.open() as file:
        return read_map_file(file)


def test_another_base_leaves_the_part(map_file: MapFile) -> None:
    """With --base a file of a part does not become the whole map, which would remove all the rest."""
    assert Basis(None, None, replaces=False).of(map_file) == FileBase(31, "c", 2, "luns/db1")
    assert Basis(7, None, replaces=False).of(map_file) == FileBase(7, only="luns/db1")
    assert Basis(7, None, replaces=False).of(map_file._replace(base=None)) == FileBase(7)
    assert Basis(None, None, replaces=True).of(map_file._replace(base=FileBase(31))) is None


class Terminal(io.StringIO):
    """A stream of a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> Terminal:
    """Let a terminal answer the next question, and return what it shows."""
    shown = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(text))
    monkeypatch.setattr("sys.stderr", shown)
    return shown


def test_the_answer_no_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error does not repeat the changes that the question has named; its exit code is the same."""
    shown = answer(monkeypatch, "n\n")
    with pytest.raises(UndoesCommitsError) as refused:
        ask_undone(UNDONE, can_ask=True)
    assert "luns/db1 (size): revision 5 by ann" in shown.getvalue()
    assert [line.partition(":")[0] for line in refused.value.lines] == ["nothing was committed"]
    assert refused.value.exit_code == 4


def test_the_answer_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised."""
    answer(monkeypatch, "y\n")
    ask_undone(UNDONE, can_ask=True)


def test_without_a_terminal_nobody_is_asked() -> None:
    """The error has the changes."""
    with pytest.raises(UndoesCommitsError, match=r"luns/db1 \(size\): revision 5 by ann"):
        ask_undone(UNDONE, can_ask=False)


def test_a_file_of_a_part_replaces_no_whole_map(map_file: MapFile) -> None:
    """--replace would remove all the rest, so it is wrong usage."""
    with pytest.raises(click.UsageError, match="has only luns/db1: --replace would remove all the rest"):
        Basis(None, None, replaces=True).of(map_file)


def test_a_renewed_file_keeps_owner_and_mode(map_file: MapFile) -> None:
    """Also if root commits the file of somebody else, who goes on editing it."""
    path = Path(map_file.name)
    if os.geteuid() == 0:
        os.chown(path, 4711, 4712)
    path.chmod(0o640)
    before = path.stat()
    renew_base(map_file, Basis(None, None, replaces=False), REVISION)
    after = path.stat()
    assert path.read_text().startswith(LINE.replace("revision 31", "revision 32"))
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_a_key_is_not_renewed_and_a_note_says_so(
    map_file: MapFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON has no comments; applied again, the file would conflict with what it became itself."""
    path = Path(map_file.name)
    path.write_text('{"base": {"revision": 31}, "luns": {}}')
    with path.open() as file:
        renew_base(read_map_file(file), Basis(None, None, replaces=False), REVISION)
    assert '"revision": 31' in path.read_text()
    assert f"{path}: its key 'base' still names revision 31: set it to 32" in capsys.readouterr().err
