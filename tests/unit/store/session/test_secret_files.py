"""Files with secrets: their permissions, and that no text shows their content."""

import os
from pathlib import Path

import pytest

from lunmapd.core.base.password import Secret
from lunmapd.store.session.access_errors import CredentialsError
from lunmapd.store.session.secret_files import NOT_OTHERS, check_private, read_secret


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a password file."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("open sesame\nand a comment\n")
    return path


def test_the_first_line_is_the_password(file: Path) -> None:
    """A password is the first line of its file, without the line end."""
    assert read_secret(file).text == "open sesame"


def test_a_secret_shows_nothing() -> None:
    """Neither printing nor formatting gives the text away."""
    secret = Secret("open sesame")
    assert not any("sesame" in text for text in (str(secret), repr(secret), f"{secret}", repr([secret])))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_password_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    """Any right of the group or of others is too much, and the error gives the command that mends it."""
    file.chmod(mode)
    with pytest.raises(CredentialsError, match=f"{file}: its mode {mode:04o} .*chmod 0600"):
        read_secret(file)


def test_a_key_may_be_its_groups(file: Path) -> None:
    """A key may be readable by a group such as ssl-cert, but not by all."""
    file.chmod(0o640)
    check_private(file, NOT_OTHERS)
    file.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 0640"):
        check_private(file, NOT_OTHERS)


def test_a_strangers_file_is_refused(file: Path) -> None:
    """The owner of the file may write it, so it must be root or ourselves."""
    os.chown(file, 12345, -1)
    with pytest.raises(CredentialsError, match="belongs to user 12345"):
        read_secret(file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "first line is empty"), (b"\nx", "first line is empty"), (b"\xff", "not UTF-8")],
)
def test_a_file_without_a_password_is_refused(file: Path, content: bytes, reason: str) -> None:
    """Nothing, or no text, is no password."""
    file.write_bytes(content)
    with pytest.raises(CredentialsError, match=reason):
        read_secret(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named with the reason."""
    with pytest.raises(CredentialsError, match="absent: no such file or directory"):
        read_secret(tmp_path / "absent")


@pytest.fixture
def credential(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a password file in the directory of systemd's credentials, with the mask of an ACL."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    file.chmod(0o440)
    return file


def test_a_credential_of_systemd_may_have_an_acl(credential: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mask is the group's read bit, which other files may not have."""
    assert read_secret(credential).text == "open sesame"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/other")
    with pytest.raises(CredentialsError, match="gives others access"):
        read_secret(credential)


@pytest.mark.parametrize("mode", [0o444, 0o460, 0o441])
def test_a_credential_with_any_other_right_is_refused(credential: Path, mode: int) -> None:
    """A reader of the file would not need the ACL."""
    credential.chmod(mode)
    with pytest.raises(CredentialsError, match="gives others access"):
        read_secret(credential)
