"""Files are replaced as a whole or not at all, and are never readable for others."""

import os
import resource
import select
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lunmapd.client.files import BackupFileError, save_backup
from lunmapd.core.history.backup import Backup, Title
from lunmapd.files import read_regular, replace_file, replace_named_file, write_all
from lunmapd.service.keyfile import KeyFileError, add_key, read_keys

KEY, OTHER = b"\x01" * 32, b"\x02" * 32


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Limit files of this process to `size` bytes (RLIMIT_FSIZE of setrlimit(2)), to get EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the paths that are synced to the disk, in order."""
    real, found = os.fsync, list[Path]()

    def watched(descriptor: int) -> None:
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return found


def _replace(path: Path) -> None:
    replace_file(path, (b"new ", b"text"))


def _add_key(path: Path) -> None:
    add_key(path, KEY)


def _save(path: Path) -> None:
    save_backup(path, Backup(Title("lunmap-backup", 1, "cluster", 1, "", ""), {}))


WRITERS = [_replace, _add_key, _save]


@pytest.mark.parametrize("write", WRITERS)
def test_the_name_is_on_the_disk_too(
    tmp_path: Path, synced: list[Path], write: Callable[[Path], None]
) -> None:
    """The data is synced under the new file's name, and after the rename the directory (fsync(2))."""
    path = tmp_path / "file"
    write(path)
    assert synced == [tmp_path / "file.new", tmp_path]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("write", WRITERS)
def test_only_the_owner_can_read_it(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """The mode is independent of the umask."""
    before = os.umask(0)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    """A full disk costs nothing but the new text."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files_of_at_most(4), pytest.raises(OSError, match="File too large"):
        replace_file(path, (b"123", b"456"))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null"), Path.mkdir])
def test_only_regular_files_that_a_user_names_are_replaced(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Root would replace a device such as /dev/stdout for every other program."""
    make(tmp_path / "file")
    kind = (tmp_path / "file").lstat().st_mode
    with pytest.raises(OSError, match=r"it is not a regular file|Is a directory"):
        replace_named_file(tmp_path / "file", (b"new",))
    assert [path.lstat().st_mode for path in tmp_path.iterdir()] == [kind]


def test_an_error_of_what_is_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """As when a backup is interrupted."""

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "file", parts())
    assert not list(tmp_path.iterdir())


def test_a_failed_write_of_keys_leaves_no_keys_behind(tmp_path: Path) -> None:
    """The key file is as it was, and no other file has keys."""
    path = tmp_path / "secrets.key"
    add_key(path, KEY)
    before = path.read_bytes()
    with (
        files_of_at_most(len(before)),
        pytest.raises(KeyFileError, match=r"can't write .*/secrets\.key: file too large"),
    ):
        add_key(path, OTHER)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert len(read_keys(path).keys) == 1
    absent = tmp_path / "absent" / "secrets.key"
    with pytest.raises(
        KeyFileError, match=f"{absent}: no such file or directory: make {absent.parent}, or name"
    ):
        add_key(absent, KEY)


def test_a_failed_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    """No half of one under another name."""
    with files_of_at_most(10), pytest.raises(BackupFileError, match="can't write the backup"):
        _save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    """The new file of an interrupted attempt is not written to, since another process may have it open."""
    left = tmp_path / "file.new"
    left.write_bytes(b"left")
    with left.open("rb") as reader:
        _replace(tmp_path / "file")
        assert reader.read() == b"left"
    assert (tmp_path / "file").read_bytes() == b"new text"


def test_a_path_without_a_name_is_an_error_of_the_system() -> None:
    """As the empty argument of a script's unset variable: the error is that of a directory."""
    for path in (Path(), Path("/")):
        with pytest.raises(IsADirectoryError):
            replace_file(path, (b"new",))


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """The file that it leads to stays as it is."""
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_bytes(b"other")
    path.symlink_to(other)
    _replace(path)
    assert (other.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"other", b"new text", False)


def test_a_small_file_costs_little_memory_to_read(tmp_path: Path) -> None:
    """The limit of 256 MiB is not allocated: a node or its test machine may have less."""
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100_000)
    tracemalloc.start()
    try:
        assert read_regular(path) == b"x" * 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    assert read_regular(path, 100_000) == b"x" * 100_000


def test_every_byte_is_written() -> None:
    """A pipe takes as much as it has room for; the writer waits only while there is none."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data, found = os.urandom(1 << 20), bytearray()

    def make_room() -> None:
        assert not select.select((), (writer,), (), 0)[1]
        found.extend(os.read(reader, 1 << 16))

    write_all(writer, data, make_room)
    os.close(writer)
    with os.fdopen(reader, "rb") as rest:
        assert bytes(found) + rest.read() == data


def test_a_full_pipe_without_a_wait_is_an_error() -> None:
    """Nothing is written twice, and the writer does not try for ever."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        write_all(writer, bytes(1 << 20))
    os.close(writer)
    os.close(reader)
