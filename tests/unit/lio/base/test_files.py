"""Files that are opened together and closed together."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.lio.base import files


def _open() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture(params=["in a row", "with a gap"])
def numbers(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the next descriptors be in a row, or not."""
    others = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
    if request.param == "with a gap":
        os.close(others.pop(0))
    yield request.param
    for other in others:
        os.close(other)


@pytest.mark.usefixtures("numbers")
def test_nothing_stays_open(tmp_path: Path) -> None:
    """Each file is read, missing ones are left out; afterwards only the files from before are open."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"{name}\n")
    before = _open()
    assert files.read_files(str(tmp_path), ("a", "none", "b", "c")) == {"a": "a", "b": "b", "c": "c"}
    assert _open() == before
    files.write_files(str(tmp_path), {"a": "1", "b": "2", "c": "3"})
    assert _open() == before
    assert files.read_files(str(tmp_path), ("a", "b", "c")) == {"a": "1", "b": "2", "c": "3"}


def test_writing_ends_at_the_first_refusal(tmp_path: Path) -> None:
    """Files after a file that can't be written are not written, and no file stays open."""
    for name in ("a", "c"):
        (tmp_path / name).write_text("-")
    before = _open()
    with pytest.raises(FileNotFoundError):
        files.write_files(str(tmp_path), {"a": "1", "none": "2", "c": "3"})
    assert _open() == before
    assert files.read_files(str(tmp_path), ("a", "c")) == {"a": "1", "c": "-"}


@pytest.mark.parametrize("links", [(), ("usual",), ("other",), ("usual", "other")])
def test_a_directory_is_removed_with_its_links(tmp_path: Path, links: tuple[str, ...]) -> None:
    """The links may have any name, and a directory that is gone counts as removed."""
    (tmp_path / "lun").mkdir()
    for name in links:
        (tmp_path / "lun" / name).symlink_to(tmp_path)
    for _ in range(2):
        files.remove_linked_directory(str(tmp_path / "lun"), "usual")
        assert not (tmp_path / "lun").exists()


def test_a_directory_that_is_in_use_is_not_removed(tmp_path: Path) -> None:
    """The kernel's refusal is raised."""
    (tmp_path / "lun" / "below").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        files.remove_linked_directory(str(tmp_path / "lun"), "usual")
    assert (tmp_path / "lun" / "below").is_dir()


def test_a_refused_write_names_its_file() -> None:
    """The error has the path: the kernel's own names no file."""
    with pytest.raises(OSError, match="/dev/full"):
        files.write_file("/dev/full", "x")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_directory_tells_whether_there_is_one_in_it(tmp_path: Path, number: int) -> None:
    """Files don't count, and where there is no directory there is none in it."""
    (tmp_path / "file").touch()
    for name in range(number):
        (tmp_path / str(name)).mkdir()
    assert files.has_one_directory(str(tmp_path)) is (number == 1)
    assert not files.has_one_directory(str(tmp_path / "none"))
