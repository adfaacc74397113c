"""Disks: sparse files on the host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Disk:
    """A disk at /dev/disk/lab/NAME of machines.

    Several machines may have it only if it is `shared` (then it is synchronous).
    """

    name: str
    path: Path
    inside: str
    """The path of the file in the lab's sandbox."""
    shared: bool = True

    @property
    def device(self) -> str:
        """The device node in a machine that has the disk."""
        return f"/dev/disk/lab/{self.name}"


def parse_size(size: str | int) -> int:
    """Return the bytes of `size` ("64M", "1G", 4096). Raises ValueError."""
    match = re.fullmatch(r"(\d+)([KMG]?)", str(size))
    if match is None:
        raise ValueError(f"not a size: {size!r} (write 64M, 1G, ...)")
    return int(match[1]) * _UNITS[match[2]]


def make_sparse(path: Path, size: str | int) -> None:
    """Make `path` a sparse file of `size`, or grow it to that."""
    with path.open("ab") as file:
        os.ftruncate(file.fileno(), parse_size(size))
