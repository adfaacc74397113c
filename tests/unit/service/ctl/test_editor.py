"""Editing a file until it is accepted: unchanged, with errors, and what is kept of it."""

import re
import stat
import tempfile
from pathlib import Path

import pytest

from lunmapd.client import InvalidInputError
from lunmapd.service.ctl.files.editor import EditorError, edit_file
from lunmapd.service.ctl.files.map_file import MapFile

TEXT = "# lunmap c incarnation 0 revision 3\nnodes:\n  n1: {tpg_tag: 1}\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files be made below the test's own directory, and return it."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    monkeypatch.delenv("VISUAL", raising=False)
    return made


def use(monkeypatch: pytest.MonkeyPatch, *scripts: str) -> None:
    """Let each run of the editor be the next one of these scripts of sed, and keep a copy of its file."""
    script = Path(tempfile.gettempdir()).with_name("editor")
    cases = "\n".join(f"{number}) sed -i '{each}' \"$1\" ;;" for number, each in enumerate(scripts, 1))
    script.write_text(
        f'#!/bin/sh\ncd "$(dirname "$0")"\necho >>runs\nn=$(wc -l <runs)\ncp "$1" seen$n\ncase $n in\n{cases}\n*) ;;\nesac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))


def read(file: MapFile) -> tuple[int, int, int]:
    """Return the revision of the base, the tag of n1, and the mode of the file."""
    assert file.base is not None
    mode = stat.S_IMODE(Path(file.name).stat().st_mode)
    return file.base.revision, file.lunmap.nodes["n1"].tpg_tag, mode


def test_an_edited_text_is_committed_and_removed(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """The file can be read by its owner only, and is gone afterwards."""
    use(monkeypatch, "s/tag: 1/tag: 7/")
    assert edit_file(TEXT, read) == (3, 7, 0o600)
    assert list(directory.iterdir()) == []


def test_an_unchanged_text_commits_nothing(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Nothing is asked of the tree, and no file is left."""
    use(monkeypatch)
    assert edit_file(TEXT, lambda _: 1 / 0) is None
    assert list(directory.iterdir()) == []


def test_problems_are_comments_above_their_lines(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """They are not part of the text, and are gone after the next edit."""
    use(monkeypatch, "s/tag: 1/tagg: 1/", "s/tagg: 1/tag: 2/")
    assert edit_file(TEXT, read) == (3, 2, 0o600)
    assert directory.with_name("seen2").read_text().splitlines() == [
        *TEXT.splitlines()[:2],
        "#! nodes[n1].tpg_tagg: unknown field; did you mean 'tpg_tag'?",
        "  n1: {tpg_tagg: 1}",
    ]


def test_equal_problems_are_one_comment(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Above the line of the first, with the places of the next ones."""
    use(monkeypatch, "s/tag: 1/tagg: 1/")
    nodes = "".join(f"  n{number}: {{tpg_tag: 1}}\n" for number in range(2, 9))
    with pytest.raises(InvalidInputError):
        edit_file(TEXT + nodes, read)
    places = "nodes[n2].tpg_tagg, nodes[n3].tpg_tagg, nodes[n4].tpg_tagg and 4 more"
    comments = [line for line in directory.with_name("seen2").read_text().splitlines() if "#!" in line]
    assert comments == [
        f"#! nodes[n1].tpg_tagg: unknown field; did you mean 'tpg_tag'? (7 more such: {places})"
    ]


def test_a_text_with_problems_that_is_left_as_it_is_is_kept(
    monkeypatch: pytest.MonkeyPatch, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problems are the error, and the message names the file, with mode 0600."""
    use(monkeypatch, "s/tag: 1/tag: x/")
    with pytest.raises(InvalidInputError, match="expected a whole number"):
        edit_file(TEXT, read)
    (kept,) = directory.iterdir()
    assert f"'lunmapctl apply -f {kept}' commits it" in capsys.readouterr().err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "tpg_tag: x" in kept.read_text()


def test_a_text_whose_commit_fails_is_kept(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """As with a conflict, or without ZooKeeper."""
    use(monkeypatch, "s/tag: 1/tag: 7/")
    with pytest.raises(ZeroDivisionError):
        edit_file(TEXT, lambda _: 1 / 0)
    (kept,) = directory.iterdir()
    assert kept.read_text() == TEXT.replace("tag: 1", "tag: 7")


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("/nowhere/vi", "can't start the editor '/nowhere/vi'.*set VISUAL or EDITOR"),
        ("sh -c 'exit 3'", "ended with 3: nothing was committed"),
        ("vi '", "can't start the editor"),
    ],
)
def test_an_editor_that_fails_commits_nothing(
    monkeypatch: pytest.MonkeyPatch, directory: Path, editor: str, message: str
) -> None:
    """The error has the editor, and an unedited file is not kept; VISUAL comes before EDITOR."""
    monkeypatch.setenv("VISUAL", editor)
    monkeypatch.setenv("EDITOR", "true")
    with pytest.raises(EditorError, match=message):
        edit_file(TEXT, read)
    assert list(directory.iterdir()) == []


def test_bytes_that_are_no_text_are_refused_and_kept(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """A file that is not UTF-8 is an error with its name."""
    use(monkeypatch, r"s/n1/\xff/")
    with pytest.raises(InvalidInputError, match=re.escape(str(directory)) + ".*not UTF-8"):
        edit_file(TEXT, read)
    assert len(list(directory.iterdir())) == 1


def test_a_text_without_its_first_line_keeps_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others commit meanwhile stays, and a part of the map does not replace all of it."""
    use(monkeypatch, "1d;s/tag: 1/tag: 7/")
    assert edit_file(TEXT, read) == (3, 7, 0o600)


def test_an_empty_text_is_an_accident(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Neither an empty map is committed, nor the removal of the part that is edited, and no file is kept."""
    use(monkeypatch, "d")
    with pytest.raises(EditorError, match="the text is empty: nothing was committed"):
        edit_file(TEXT, read)
    assert list(directory.iterdir()) == []
