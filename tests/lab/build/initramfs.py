"""A minimal initramfs, for kernels that need modules to see their root."""

from __future__ import annotations

import gzip
import lzma
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BuildFailed
from lab.result import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One file of the archive: path, mode with the file's type, content."""

    path: str
    mode: int
    content: bytes = b""


def write(target: Path, root: Path, kernel: str, modules: Sequence[str], init: Path) -> None:
    """Write an initramfs of `root` with busybox, `init`, and `modules` of `kernel` in loading order."""
    entries = [Entry(name, stat.S_IFDIR | 0o755) for name in ("bin", "dev", "modules", "sandbox")]
    entries.append(Entry("bin/busybox", stat.S_IFREG | 0o755, (root / "usr/bin/busybox").read_bytes()))
    entries.append(Entry("init", stat.S_IFREG | 0o755, init.read_bytes()))
    for number, path in enumerate(_in_order(root, kernel, modules)):
        name = f"modules/{number:03}-{path.name.removesuffix('.xz')}"
        entries.append(Entry(name, stat.S_IFREG | 0o644, _unpacked(path)))
    target.write_bytes(gzip.compress(b"".join(_archive(entries)), 1))


def _in_order(root: Path, kernel: str, modules: Sequence[str]) -> Iterator[Path]:
    """Yield the modules' files, each after those that it depends on."""
    seen = set()
    show = ["chroot", str(root), "modprobe", "--show-depends", "--set-version", kernel]
    for module in modules:
        for line in run([*show, module]).stdout.splitlines():
            verb, _, path = line.strip().partition(" ")
            if verb == "insmod" and path not in seen:
                seen.add(path)
                yield root / path.strip().lstrip("/")


def _unpacked(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".ko":
        return path.read_bytes()
    raise BuildFailed(f"{path}: don't know how to unpack this module")


def _archive(entries: Sequence[Entry]) -> Iterator[bytes]:
    """Yield the archive in the format that the kernel reads ("newc")."""
    for number, entry in enumerate([*entries, Entry("TRAILER!!!", 0)], start=1):
        name = entry.path.encode() + b"\0"
        fields = [number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0]
        yield _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        yield _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
