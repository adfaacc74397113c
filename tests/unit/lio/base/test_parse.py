"""Parsing of the kernel's texts."""

import pytest

from lunmapd.lio.base.parse import (
    has_commands_in_flight,
    parse_backing,
    parse_directory_number,
    parse_dynamic_sessions,
    parse_serial,
    parse_session,
)

_FILEIO = """\
Status: ACTIVATED  Max Queue Depth: 0  SectorSize: 512  HwMaxSectors: 16384
        TCM FILEIO ID: 0        File: /srv/vg:a/db1  Size: 1048576  Mode: O_DSYNC Async: 0
"""
_IBLOCK = """\
Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 512  HwMaxSectors: 2560
        iBlock device: sdb  UDEV PATH: /dev/disk/by-id/x  readonly: 0
        Major: 8 Minor: 16  CLAIMED: IBLOCK
"""
_SESSION = """\
InitiatorName: iqn.2020-01.org.example:host
InitiatorAlias: host
LIO Session ID: 3   ISID: 0x00 02 3d 00 00 00  TSIH: 3  SessionType: Normal
Session State: TARG_SESS_STATE_LOGGED_IN
---------------------[iSCSI Session Values]-----------------------
  CmdSN/WR  :  CmdSN/WC  :  ExpCmdSN  :  MaxCmdSN  :     ITT    :     TTT
 0x00000040   0x00000040   0x0000000a   0x00000049   0x00000000   0x00000003
----------------------[iSCSI Connections]-------------------------
CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN
   Address 10.1.0.5 TCP  StatSN: 0x0000000b
"""


def test_a_file_has_path_and_size() -> None:
    """A fileio's info gives both, in bytes, with ':' in the path."""
    assert parse_backing("fileio", _FILEIO) == ("/srv/vg:a/db1", 1048576)


def test_a_device_has_a_path_only() -> None:
    """An iblock's info gives the path that it was made with; the size is the device's own."""
    assert parse_backing("iblock", _IBLOCK) == ("/dev/disk/by-id/x", 0)


def test_memory_has_pages() -> None:
    """A ramdisk's info gives number and size of its pages."""
    assert parse_backing(
        "rd_mcp", "RamDisk Makeup: rd_mcp\n  PAGES/PAGE_SIZE: 256*4096  SG_table_count: 1"
    ) == ("", 1 << 20)


def test_a_program_has_its_configuration_and_size() -> None:
    """A tcmu device's info has the program's configuration, and the size in bytes."""
    assert parse_backing("user", "Config: rbd/pool/a Size: 1048576 MaxDataAreaMB: 8") == (
        "rbd/pool/a",
        1 << 20,
    )


@pytest.mark.parametrize("plugin", ["fileio", "iblock", "rd_mcp", "user"])
def test_an_unconfigured_backing_is_unusable(plugin: str) -> None:
    """Before its control is written, the info has no path."""
    assert parse_backing(plugin, "Status: DEACTIVATED") is None


def test_a_serial_stands_behind_its_title() -> None:
    """The kernel writes a title before the serial, and nothing but the title if there is none."""
    assert parse_serial("T10 VPD Unit Serial Number: 1234-abcd") == "1234-abcd"
    assert not parse_serial("T10 VPD Unit Serial Number:")


def test_a_session_has_state_and_address() -> None:
    """Both come from the info of an ACL whose initiator is logged in."""
    assert parse_session(_SESSION) == ("LOGGED_IN", "10.1.0.5", "0x00023d000000", 3, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CONN_STATE_LOGGED_IN", "CONN_STATE_IN_LOGOUT"),
        ("SESS_STATE_LOGGED_IN", "SESS_STATE_FAILED"),
        ("CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN", ""),
    ],
)
def test_a_session_that_ends_is_not_steady(old: str, new: str) -> None:
    """Neither a failed session nor one whose connection logs out, or is gone, is steady."""
    session = parse_session(_SESSION.replace(old, new))
    assert session is not None
    assert not session.is_steady


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("", "", False), ("0x00000040   0x0000000a", "0x0000003f   0x0000000a", True), (_SESSION, "", False)],
)
def test_commands_in_flight_take_up_the_window(old: str, new: str, expected: bool) -> None:  # noqa: FBT001
    """The window is smaller than at the login until all commands are answered."""
    assert has_commands_in_flight(_SESSION.replace(old, new) if old else _SESSION) is expected


def test_a_session_that_is_going_has_no_address() -> None:
    """A session without connections, in the state with another spelling, is still a session."""
    assert parse_session("InitiatorName: x\nSession State: TARG_SESS_FREE\n") == ("FREE", "", "", 0, False)


def test_nobody_is_no_session() -> None:
    """The kernel has a text for no session."""
    assert parse_session("No active iSCSI Session for Initiator Endpoint: iqn.x") is None


def test_dynamic_sessions_are_split_at_nul() -> None:
    """Each name ends with a newline and a NUL."""
    assert parse_dynamic_sessions("iqn.a\n\0iqn.b\n\0") == ["iqn.a", "iqn.b"]
    assert parse_dynamic_sessions("") == []


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("lun_3", 3),
        ("lun_0", 0),
        ("lun_65535", 65535),
        ("lun_", None),
        ("statistics", None),
        ("lun_x", None),
        ("lun_03", None),
        ("lun_00", None),
        ("lun_+3", None),
        ("lun_\u0663", None),
    ],
)
def test_only_numbered_directories_count(name: str, number: int | None) -> None:
    """Other names beside the numbered directories are ignored."""
    assert parse_directory_number(name, "lun_") == number
