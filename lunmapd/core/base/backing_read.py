"""A read that checks whether an exported file or device can be read."""

from msgspec import Struct


class BackingRead(Struct, frozen=True, gc=False):
    """A read of the first and the last block of a file or block device.

    `numbers` are those of the device (`253:0`), empty for a file. `size` is the number of bytes that hosts
    see, `block` that of a block.
    """

    path: str
    numbers: str
    size: int
    block: int

    @property
    def last(self) -> int:
        """The offset of the last block in bytes."""
        return (self.size - 1) // self.block * self.block
