"""What a node reports about the files and devices that LIO has opened: `members/<node>/backings/<chunk>`."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.permissions.principals import CHUNK_NAMES

DM_UUID, WWN, SERIAL = "dm_uuid", "wwn", "serial"
"""The kinds of identity that a device may have."""

MAX_NAMES = 16
"""The largest number of other names of a device in a report."""

_MAX_CHUNK = 1 << 24  # bytes of its JSON


class DeviceDescription(Struct, frozen=True):
    """What a node knows about a block device besides LIO.

    `identity` maps a kind of identity to its text, as far as the device has one; `names` are the other names
    of the device, such as the links of udev.
    """

    identity: Mapping[str, str] = {}
    names: tuple[str, ...] = ()


UNDESCRIBED = DeviceDescription()


class BackingReport(Struct, frozen=True, omit_defaults=True):
    """The file or device that a node has opened for one Lun.

    `path` is the one that was opened. `size` is in bytes, as initiators see it. `block_size` is the logical
    block size of a device in bytes, 0 for a file. `identity` and `names` are as in DeviceDescription.
    """

    path: str
    size: int = 0
    block_size: int = 0
    identity: Mapping[str, str] = {}
    names: tuple[str, ...] = ()


Reports = Mapping[str, BackingReport]
"""The reports of one node by the name of the Lun."""


def chunk_of(lun: str) -> str:
    """Return the name of the chunk that has the report of a Lun: four digits."""
    return CHUNK_NAMES[int.from_bytes(hashlib.sha256(lun.encode()).digest()[:8]) % len(CHUNK_NAMES)]


def pack_reports(reports: Reports) -> bytes:
    """Return the content of a chunk: JSON by the name of the Lun, compressed by zlib."""
    return zlib.compress(encode(dict(sorted(reports.items()))))


def unpack_reports(chunks: Iterable[bytes]) -> dict[str, BackingReport]:
    """Return the reports of all chunks of a node. Raises DocumentError."""
    reports: dict[str, BackingReport] = {}
    for chunk in chunks:
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(chunk, _MAX_CHUNK)
        except zlib.error as error:
            raise DocumentError((), f"no reports of backings: {error}") from None
        if not inflater.eof:
            raise DocumentError((), f"no reports of backings: they don't end within {_MAX_CHUNK} bytes")
        reports |= decode(data, dict[str, BackingReport])
    return reports
