"""The device or file that a storage object has opened: whether it is the right one, and how it is opened."""

from enum import StrEnum

from msgspec import Struct


class DeclaredSize(Struct, frozen=True, gc=False, array_like=True):
    """The bytes that a device must have at least, as the map declares; 0 if it declares none.

    The size is checked once, when the storage object is created. It is no kernel state, so a plan must not
    see a difference between two storage objects that differ in it alone: all instances are equal.
    """

    size: int = 0

    def __eq__(self, other: object) -> bool:
        """Return True for every other instance."""
        return isinstance(other, DeclaredSize)

    def __hash__(self) -> int:
        """Return the hash of every instance."""
        return 0


UNDECLARED_SIZE = DeclaredSize()


class Opened(StrEnum):
    """What a storage object has opened, compared with what its path leads to.

    CURRENT: the same, and so is every desired storage object. GONE: a device that no longer exists, while the
    path leads to it again. OTHER: another file or device than the path leads to now.
    """

    CURRENT = "current"
    GONE = "gone"
    OTHER = "other"


class OpenMode(StrEnum):
    """How a device is opened. A desired one is WRITABLE, or ANY if no initiator may write to it."""

    WRITABLE = "writable"
    READ_ONLY = "read-only"
    ANY = "any"


class DeviceAccess(Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    """How a device is opened. LIO opens a read-only device only with the option readonly=1.

    An instance with ANY equals every other one, so that a plan sees a difference only if a device that is
    opened for reading must be written to.
    """

    mode: OpenMode = OpenMode.WRITABLE

    def __eq__(self, other: object) -> bool:
        """Return whether one of both satisfies the other."""
        return isinstance(other, DeviceAccess) and (
            self.mode is other.mode or OpenMode.ANY in {self.mode, other.mode}
        )

    def __hash__(self) -> int:
        """Return the hash of every instance, since ANY equals all others."""
        return 0

    def __str__(self) -> str:
        return self.mode


WRITABLE = DeviceAccess()
READ_ONLY = DeviceAccess(OpenMode.READ_ONLY)
ANY_ACCESS = DeviceAccess(OpenMode.ANY)
