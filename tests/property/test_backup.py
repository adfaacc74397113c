"""Laws of the file of a backup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
