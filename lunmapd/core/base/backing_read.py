"""A read that checks whether an exported file or device can be read."""

from typing import NamedTuple

from msgspec import Struct


class BackingKey(NamedTuple):
    """A backing: its path, and the numbers of the device, or the identity of the file, that it leads to."""

    path: str
    identity: str


class BackingRead(Struct, frozen=True, gc=False):
    """A read of the first and the last block of a file or block device.

    `numbers` are those of the device (`253:0`), empty for a file. `size` is the number of bytes that hosts
    see, `block` that of a block. `file` is the identity of a file (device and inode, `2049:131`).
    """

    path: str
    numbers: str
    size: int
    block: int
    file: str = ""

    @property
    def identity(self) -> str:
        """The numbers of the device, or the identity of the file."""
        return self.numbers or self.file

    @property
    def key(self) -> BackingKey:
        """The backing that is read."""
        return BackingKey(self.path, self.identity)

    @property
    def last(self) -> int:
        """The offset of the last block in bytes."""
        return (self.size - 1) // self.block * self.block
