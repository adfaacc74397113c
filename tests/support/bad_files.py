"""What can be in place of a file that a program expects."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

_LARGE = 10 << 20


def _socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _sparse(path: Path) -> None:
    _bytes(b"")(path)
    os.truncate(path, 1 << 33)


def _bytes(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)
        path.chmod(0o600)

    return write


BAD_FILES: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "empty": _bytes(b""),
        "binary": _bytes(bytes(range(256)) * 16),
        "not UTF-8": _bytes(b'"\xff\xfe"\n'),
        "null": _bytes(b"null"),
        "other JSON": _bytes(b'[1, {"a": [null]}]'),
        "deep": _bytes(b"[" * 200_000),
        "large": _bytes(b"[" * _LARGE),
        "sparse": _sparse,
        "directory": Path.mkdir,
        "FIFO": os.mkfifo,
        "socket": _socket,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "loop": lambda path: path.symlink_to(path),
    }
)
"""Makes each at a path where nothing is. A symbolic link to itself can't be opened by root either."""


def refuse_writes(path: Path) -> None:
    """Let `replace_file(path)` fail as on a full disk: a directory is in the place of its new file."""
    path.with_name(f"{path.name}.new").mkdir()
