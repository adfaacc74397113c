"""The file of a backup: what it shows, and what is refused."""

import base64
import hashlib

import pytest

from lunmapd.core.base.documents import encode
from lunmapd.core.history.backup import (
    BACKUP_FORMAT,
    BACKUP_FORMAT_NUMBER,
    Backup,
    BackupError,
    Title,
    read_backup,
    write_backup,
)

TITLE = Title(BACKUP_FORMAT, BACKUP_FORMAT_NUMBER, "c", 7, "2025-01-31T12:00:00Z", "0.1")


def signed(*lines: bytes) -> list[bytes]:
    """Make a file of these lines, with the right checksum."""
    whole = [line + b"\n" for line in lines]
    return [*whole, encode({"sha256": hashlib.sha256(b"".join(whole)).hexdigest()}) + b"\n"]


def test_documents_can_be_read_in_the_file() -> None:
    """A document is in the file as it is in the tree, other bytes in base64."""
    znodes = {"luns/a": b'{"size":1}', "luns/b": b"\xff"}
    text = b"".join(write_backup(Backup(TITLE, znodes)))
    assert b'{"path":"luns/a","json":{"size":1}}' in text
    assert base64.b64encode(b"\xff") in text


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((), "line 1: not a whole backup"),
        ((b'{"x":1}',), "line 1"),
        ((encode(TITLE).replace(b'"number":1', b'"number":9'),), "number 9, this version reads"),
        ((encode(TITLE), b'{"path":"luns/a"'), "line 2"),
        ((encode(TITLE), b'{"path":"members/n1/live","json":{}}'), "is no path of the tree"),
        (
            (encode(TITLE), b'{"path":"meta","json":{}}', b'{"path":"meta","json":{}}'),
            "line 3: 'meta' occurs twice",
        ),
        ((encode(TITLE), b'{"path":"meta","base64":"%%%"}'), "line 2: not base64"),
    ],
)
def test_what_is_no_backup_is_refused(lines: tuple[bytes, ...], sentence: str) -> None:
    """A file that is something else, or of another format, is refused with the line."""
    with pytest.raises(BackupError, match=sentence):
        read_backup(signed(*lines))


def test_a_line_without_content_is_an_empty_znode() -> None:
    """A znode may be empty."""
    assert read_backup(signed(encode(TITLE), b'{"path":"meta"}')).znodes == {"meta": b""}


def test_a_file_with_another_checksum_is_refused() -> None:
    """The last line is that of other bytes."""
    *lines, _ = signed(encode(TITLE))
    with pytest.raises(BackupError, match="line 2: the checksum does not match"):
        read_backup([*lines, signed()[-1]])
