"""The reports of what nodes have opened, as chunks."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.backing_reports import (
    BackingReport,
    chunk_of,
    pack_reports,
    unpack_reports,
)
from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.permissions.principals import CHUNK_NAMES

_TEXTS = st.text(max_size=20)
_REPORTS = st.dictionaries(
    st.text(min_size=1, max_size=10),
    st.builds(
        BackingReport,
        _TEXTS,
        st.integers(0, 1 << 62),
        st.integers(0, 4096),
        st.dictionaries(_TEXTS, _TEXTS, max_size=3),
        st.lists(_TEXTS, max_size=3).map(tuple),
    ),
    max_size=9,
)


@given(_REPORTS, _REPORTS)
def test_reports_are_read_as_they_were_packed(
    one: dict[str, BackingReport], other: dict[str, BackingReport]
) -> None:
    """Chunks together have the reports of each; equal reports have equal bytes."""
    assert unpack_reports([pack_reports(one), pack_reports(other)]) == one | other
    assert pack_reports(dict(reversed(one.items()))) == pack_reports(one)


@pytest.mark.parametrize(
    "data", [b"garbage", zlib.compress(b"garbage"), zlib.compress(b"{}")[:-4], zlib.compress(bytes(1 << 25))]
)
def test_garbage_is_an_error(data: bytes) -> None:
    """What is no chunk, is cut off or unpacks to too much is refused."""
    with pytest.raises(DocumentError):
        unpack_reports([data])


def test_luns_are_spread_over_the_chunks() -> None:
    """10,000 Luns are about 300 in each chunk, so that none is too large for a znode."""
    counts = dict.fromkeys(CHUNK_NAMES, 0)
    for number in range(10_000):
        counts[chunk_of(f"lun{number}")] += 1
    assert len(counts) == 32
    assert min(counts.values()) > 200
    assert max(counts.values()) < 400
    chunk = {
        f"lun{number}": BackingReport(
            f"/dev/vg0/lun{number}",
            1 << 40,
            512,
            {"dm_uuid": f"LVM-{number:064x}"},
            tuple(f"/dev/disk/by-id/{link}-{number:064x}" for link in range(8)),
        )
        for number in range(400)
    }
    assert len(pack_reports(chunk)) < 64 * 1024
