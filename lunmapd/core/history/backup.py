"""The file of a backup: one JSON document a line, the last one a checksum of all lines before it.

See docs/history.md.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import SECTIONS

_T = TypeVar("_T")

BACKUP_FORMAT = "lunmap-backup"
BACKUP_FORMAT_NUMBER = 1
_PATH = re.compile(
    rf"meta|head|(?:{'|'.join(SECTIONS)}|addresses)/[^/]+|revisions/\d{{10}}|checkpoints/\d{{10}}(?:/\d{{4}})?"
)


class BackupError(LunmapdError):
    """The file is incomplete, damaged, or of a format that this version does not know."""

    exit_code = Exit.INVALID

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


class Title(Struct, frozen=True):
    """The first line: format and its number, cluster, revision, time (RFC 3339, UTC), lunmapd's version."""

    format: str
    number: int
    cluster: str
    revision: int
    time: str
    version: str


class _Znode(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A line of one znode: its path and its bytes, as JSON if that gives the same bytes, else in base64."""

    path: str
    json: Raw | UnsetType = UNSET
    base64: str | UnsetType = UNSET


class _End(Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: SHA-256 of all bytes before it, in hex."""

    sha256: str


class Backup(Struct, frozen=True):
    """A whole tree without the znodes of the nodes: path to bytes."""

    title: Title
    znodes: Mapping[str, bytes]


def write_backup(backup: Backup) -> Iterator[bytes]:
    """Yield the lines of the file, each with its line end."""
    digest = hashlib.sha256()
    for line in _lines(backup):
        digest.update(line)
        yield line
    yield encode(_End(digest.hexdigest())) + b"\n"


def _lines(backup: Backup) -> Iterator[bytes]:
    yield encode(backup.title) + b"\n"
    for path, data in backup.znodes.items():
        yield encode(_znode(path, data)) + b"\n"


def _znode(path: str, data: bytes) -> _Znode:
    try:
        plain = b"\n" not in data and bytes(decode(data, Raw)) == data
    except DocumentError:
        plain = False
    if plain:
        return _Znode(path, json=Raw(data))
    return _Znode(path, base64=base64.b64encode(data).decode())


def read_backup(lines: Sequence[bytes]) -> Backup:
    """Return the backup in the lines of a file, each with its line end. Raises BackupError."""
    if len(lines) < 2:  # noqa: PLR2004 - title and end
        raise BackupError(len(lines), "not a whole backup")
    title = _title(lines[0])
    end = _decode(len(lines), lines[-1], _End)
    if hashlib.sha256(b"".join(lines[:-1])).hexdigest() != end.sha256:
        raise BackupError(len(lines), "the checksum does not match: the file is damaged or cut off")
    znodes: dict[str, bytes] = {}
    for number, line in enumerate(lines[1:-1], 2):
        znode = _decode(number, line, _Znode)
        if znode.path in znodes or not _PATH.fullmatch(znode.path):
            raise BackupError(number, f"{znode.path!r} occurs twice, or is no path of the tree")
        znodes[znode.path] = _data(number, znode)
    return Backup(title, znodes)


def _title(line: bytes) -> Title:
    title = _decode(1, line, Title)
    if title.format != BACKUP_FORMAT or title.number != BACKUP_FORMAT_NUMBER:
        raise BackupError(
            1,
            f"it is {title.format} number {title.number}, "
            f"this version reads {BACKUP_FORMAT} number {BACKUP_FORMAT_NUMBER}",
        )
    return title


def _decode(number: int, line: bytes, kind: type[_T]) -> _T:
    try:
        return decode(line, kind)
    except DocumentError as error:
        raise BackupError(number, str(error)) from None


def _data(number: int, znode: _Znode) -> bytes:
    if znode.json is not UNSET:
        return bytes(znode.json)
    try:
        return base64.b64decode("" if znode.base64 is UNSET else znode.base64, validate=True)
    except (binascii.Error, ValueError):
        raise BackupError(number, "not base64") from None
