"""Laws of the file of a backup."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
PATHS = ("meta", "head", "luns/db1", "initiators/iqn.2026-01.org.example:h1", "revisions/0000000007")
DOCUMENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from((b"{}", b' {"a":1}', b'{"a":1} ', b'{"a": [1,\n2]}', b'{"password":"x"}', b"", b"null")),
)
ZNODES = st.dictionaries(
    st.sampled_from((*PATHS, "checkpoints/0000000003", "checkpoints/0000000003/0001")), DOCUMENTS
)


def signed(*lines: bytes) -> list[bytes]:
    """Make a file of these lines, with the right checksum."""
    whole = [line + b"\n" for line in lines]
    return [*whole, encode({"sha256": hashlib.sha256(b"".join(whole)).hexdigest()}) + b"\n"]


@given(ZNODES)
def test_a_backup_survives_its_file(znodes: dict[str, bytes]) -> None:
    """Every byte of every znode comes back, documents or garbage, and each znode is one line."""
    found = Backup(TITLE, znodes)
    lines = list(write_backup(found))
    assert read_backup(lines) == found
    assert b"".join(lines).splitlines(keepends=True) == lines


@given(ZNODES, st.data())
def test_a_file_that_was_damaged_is_refused(znodes: dict[str, bytes], data: st.DataObject) -> None:
    """A byte that changed, or an end that is cut, is noticed wherever it is."""
    whole = b"".join(write_backup(Backup(TITLE, znodes)))
    place = data.draw(st.integers(0, len(whole) - 2))
    bad = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    for damaged in (bad, whole[:place]):
        with pytest.raises(BackupError):
            read_backup(damaged.splitlines(keepends=True))


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
