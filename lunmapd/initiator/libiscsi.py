"""The functions of libiscsi that the probe calls (iscsi/iscsi.h and iscsi/scsi-lowlevel.h of libiscsi 1.19).

All structs but those of discovery are opaque here: `struct scsi_task` has another layout in 1.20.
"""

import ctypes
from collections.abc import Iterator, Mapping
from ctypes import POINTER, Structure, c_char_p, c_int, c_void_p
from typing import Any, ClassVar

from lunmapd.core.base.errors import Exit, LunmapdError

SONAME = "libiscsi.so.7"

Libiscsi = ctypes.CDLL
"""The loaded library: its functions have the names of the C headers."""

CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_void_p)
"""`iscsi_command_cb`: context, status, data of the command, private data."""

DISCOVERY_SESSION, NORMAL_SESSION = 1, 2
XFER_NONE, XFER_READ = 0, 1
GOOD, CHECK_CONDITION, RESERVATION_CONFLICT = 0x00, 0x02, 0x18
STATUS_NAMES: Mapping[int, str] = {
    0x08: "BUSY",
    RESERVATION_CONFLICT: "RESERVATION CONFLICT",
    0x28: "TASK SET FULL",
    0x30: "ACA ACTIVE",
    0x40: "TASK ABORTED",
}
"""SCSI statuses (SAM-5, 5.3.1); those of libiscsi itself are above 0xff."""

_PROTOTYPES: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "iscsi_create_context": (c_void_p, (c_char_p,)),
    "iscsi_destroy_context": (c_int, (c_void_p,)),
    "iscsi_set_noautoreconnect": (None, (c_void_p, c_int)),
    "iscsi_set_session_type": (c_int, (c_void_p, c_int)),
    "iscsi_set_targetname": (c_int, (c_void_p, c_char_p)),
    "iscsi_set_alias": (c_int, (c_void_p, c_char_p)),
    "iscsi_set_initiator_username_pwd": (c_int, (c_void_p, c_char_p, c_char_p)),
    "iscsi_set_target_username_pwd": (c_int, (c_void_p, c_char_p, c_char_p)),
    "iscsi_connect_async": (c_int, (c_void_p, c_char_p, CALLBACK, c_void_p)),
    "iscsi_login_async": (c_int, (c_void_p, CALLBACK, c_void_p)),
    "iscsi_logout_async": (c_int, (c_void_p, CALLBACK, c_void_p)),
    "iscsi_discovery_async": (c_int, (c_void_p, CALLBACK, c_void_p)),
    "iscsi_scsi_command_async": (c_int, (c_void_p, c_int, c_void_p, CALLBACK, c_void_p, c_void_p)),
    "iscsi_get_fd": (c_int, (c_void_p,)),
    "iscsi_which_events": (c_int, (c_void_p,)),
    "iscsi_service": (c_int, (c_void_p, c_int)),
    "iscsi_get_error": (c_char_p, (c_void_p,)),
    "scsi_create_task": (c_void_p, (c_int, c_char_p, c_int, c_int)),
    "scsi_free_scsi_task": (None, (c_void_p,)),
    "scsi_task_add_data_in_buffer": (c_int, (c_void_p, c_int, c_char_p)),
    "scsi_task_get_status": (c_int, (c_void_p, c_void_p)),
}


class LibiscsiMissingError(LunmapdError):
    """libiscsi is not installed, or is not the tested one."""

    exit_code = Exit.UNUSABLE


class _Portal(Structure):
    """`struct iscsi_target_portal`."""


class _Target(Structure):
    """`struct iscsi_discovery_address`."""


_Portal._fields_ = [("next", POINTER(_Portal)), ("portal", c_char_p)]
_Target._fields_ = [("next", POINTER(_Target)), ("name", c_char_p), ("portals", POINTER(_Portal))]


class SenseHead(Structure):
    """The first fields of `struct scsi_sense`; what follows them depends on the version."""

    _fields_: ClassVar = [
        ("error_type", ctypes.c_ubyte),
        ("key", c_int),
        ("code", c_int),
        ("rest", ctypes.c_ubyte * 256),
    ]


def load() -> Libiscsi:
    """Load libiscsi, with the prototypes of its functions. Raises LibiscsiMissingError."""
    try:
        library = ctypes.CDLL(SONAME)
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise LibiscsiMissingError(
            f"this needs {SONAME} ({error}): on Debian run 'apt install libiscsi7'"
        ) from None
    return library


def discovered(address: int | None) -> Iterator[tuple[str, list[str]]]:
    """Yield each target of a discovery with its portals. The data are those of the callback, valid in it."""
    target = ctypes.cast(address, POINTER(_Target)) if address else None
    while target:
        portals, portal = list[str](), target.contents.portals
        while portal:
            portals.append(_text(portal.contents.portal))
            portal = portal.contents.next
        yield _text(target.contents.name), portals
        target = target.contents.next


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
