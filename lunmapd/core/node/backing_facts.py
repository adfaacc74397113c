"""The facts about the backing of a storage object, as an observation finds them."""

from enum import StrEnum

from msgspec import Struct


class NameState(StrEnum):
    """The result of comparing what the path of a backing leads to with what LIO has opened.

    - SAME: the same file or device.
    - MISSING: the path leads to nothing. DANGLING: it is a symlink to nothing.
    - WRONG_KIND: the path leads to something that the plugin can't open, such as a directory.
    - RETURNED: the opened device is gone for good, and the path leads to the same device under other numbers,
      as far as both have an identity.
    - REPLACED: the path leads to another file or device than the opened one.
    - UNANSWERED: the file system of the path does not answer.
    - HANDLER_AWAY: no program has opened the device of a `user` storage object.
    """

    SAME = "same"
    MISSING = "missing"
    DANGLING = "dangling"
    WRONG_KIND = "wrong-kind"
    RETURNED = "returned"
    REPLACED = "replaced"
    UNANSWERED = "unanswered"
    HANDLER_AWAY = "handler-away"


class BackingFacts(Struct, frozen=True, gc=False, omit_defaults=True, array_like=True):
    """The facts about the backing of one storage object.

    `name` compares the path with what LIO has opened. `device` are the numbers of the opened block device
    in the form of sysfs (`253:0`), empty for a file. `size` is in bytes, that of the opened device, or that
    of the file at the path; None if unknown. `block_size` is the logical block size of a device in bytes, 0
    if unknown. `file` is the identity of the opened file (device and inode, `2049:131`). `read_only` says
    that the device or the file system accepts no writes. `shrunk_from` is the size in bytes with which a
    device was opened, if it is smaller now; else 0. `other` describes the file or device that the path
    leads to, if it is not the opened one. `twin` names the storage object that has the same file, if there
    is one.
    """

    name: NameState = NameState.SAME
    device: str = ""
    size: int | None = None
    block_size: int = 0
    read_only: bool = False
    shrunk_from: int = 0
    other: str = ""
    twin: str = ""
    file: str = ""


HEALTHY = frozenset({NameState.SAME})
"""The states in which the path leads to what LIO has opened."""
