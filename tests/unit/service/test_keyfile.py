"""The key file: only its owner's, and damaged lines are named."""

import base64
import os
from pathlib import Path

import pytest

from lunmapd.core.secrets.sealing import Keyring, key_id
from lunmapd.service.keyfile import KeyFileError, add_key, read_keys

KEY, OTHER = b"\x01" * 32, b"\x02" * 32


def test_keys_survive_and_the_newest_is_current(tmp_path: Path) -> None:
    """Added keys are read back, the last one first, from a file that only its owner may use."""
    path = tmp_path / "secrets.key"
    assert read_keys(path) == Keyring()
    assert add_key(path, KEY) == key_id(KEY)
    add_key(path, OTHER)
    assert dict(read_keys(path).keys) == {key_id(OTHER): OTHER, key_id(KEY): KEY}
    assert read_keys(path).current == key_id(OTHER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Keys that others can read or write are not used, nor is such a file added to."""
    path = tmp_path / "secrets.key"
    add_key(path, KEY)
    path.chmod(mode)
    for use in (lambda: read_keys(path), lambda: add_key(path, OTHER)):
        with pytest.raises(KeyFileError, match="chmod 0600"):
            use()


@pytest.mark.parametrize(
    "line", ["hello", base64.b64encode(b"short").decode(), "ä", base64.b64encode(KEY + b"x").decode()]
)
def test_a_damaged_line_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    """A line that is no key gives its number, not its text."""
    path = tmp_path / "secrets.key"
    path.write_text(f"# keys\n\n{base64.b64encode(KEY).decode()}\n{line}\n")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"secrets.key:4: not a key") as caught:
        read_keys(path)
    assert line not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory is no key file, and a failed write has its reason."""
    with pytest.raises(KeyFileError, match="key file"):
        add_key(tmp_path / "gone" / "secrets.key", KEY)
    with pytest.raises(KeyFileError, match="not a regular file"):
        read_keys(tmp_path)


def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """A key file whose owner is neither root nor the reader is refused."""
    path = tmp_path / "secrets.key"
    add_key(path, KEY)
    os.chown(path, 12345, -1)
    with pytest.raises(KeyFileError, match="belongs to user 12345"):
        read_keys(path)


def test_what_can_not_be_looked_at_is_not_absent(tmp_path: Path) -> None:
    """An unreadable file is an error with its reason, and doesn't count as a missing key."""
    path = tmp_path / "secrets.key"
    path.symlink_to(path)
    with pytest.raises(KeyFileError, match="symbolic links"):
        read_keys(path)
