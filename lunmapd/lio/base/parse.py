"""Parsers for the text files of configfs."""

import re
from typing import NamedTuple

from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.names import parse_portal
from lunmapd.core.node.observed import LOGGED_IN

_FILE = re.compile(r"File: (\S+)\s+Size: (\d+)")
_PAGES = re.compile(r"PAGES/PAGE_SIZE: (\d+)\*(\d+)")
_CONFIG = re.compile(r"Config: (\S+) Size: (\d+)")
_NUMBERS = re.compile(r"Major: (\d+) Minor: (\d+)")
_UDEV_PATH = re.compile(r"UDEV PATH: (\S+)")
_STATE = re.compile(r"TARG_SESS_(?:STATE_)?(\w+)")
_ADDRESS = re.compile(r"Address (\S+)")
_SESSION_ID = re.compile(r"LIO Session ID: (\d+)\s+ISID: (0x[0-9a-f ]+?)\s+TSIH")
_WINDOW = re.compile(r"MaxCmdSN.*\n +0x([0-9a-f]+) +0x([0-9a-f]+) ")
_CONNECTION = re.compile(r"Connection State: TARG_CONN_STATE_(\w+)")


def backing_info_file(plugin: str) -> str:
    """Return the name of the file of a storage object that names its backing.

    For pscsi, `info` has only the address of the device on its bus, so `udev_path` is used.
    """
    return "udev_path" if plugin == PluginName.PSCSI else "info"


def parse_backing(plugin: str, text: str) -> tuple[str, int] | None:
    """Return path and size in bytes (0 for a device) from the text of that file, None if it names no backing.

    Sources: the functions *_show_configfs_dev_params of the plugins in drivers/target.
    """
    match plugin:
        case PluginName.PSCSI:
            return (text, 0) if text else None
        case PluginName.FILEIO:
            file = _FILE.search(text)
            return (file[1], int(file[2])) if file else None
        case PluginName.RD_MCP:
            pages = _PAGES.search(text)
            return ("", int(pages[1]) * int(pages[2])) if pages else None
        case PluginName.USER:
            program = _CONFIG.search(text)
            return (program[1], int(program[2])) if program else None
        case _:
            path = _UDEV_PATH.search(text)
            return (path[1], 0) if path else None


def parse_device_numbers(info: str) -> str | None:
    """Return the device numbers of an iblock backing in the form of sysfs, `253:0`; None if `info` has none.

    Source: iblock_show_configfs_dev_params.
    """
    numbers = _NUMBERS.search(info)
    return f"{numbers[1]}:{numbers[2]}" if numbers else None


def parse_serial(text: str) -> str:
    """Return the serial from `wwn/vpd_unit_serial`, which reads `T10 VPD Unit Serial Number: <serial>`."""
    return text.partition(":")[2].strip()


class SessionInfo(NamedTuple):
    """The session in the `info` of an ACL; the fields are those of IscsiSession."""

    state: str
    address: str = ""
    isid: str = ""
    number: int = 0
    is_steady: bool = False


def parse_session(info: str) -> SessionInfo | None:
    """Return the session in an ACL's `info`, None without a session.

    With several sessions the kernel shows the last one (lio_target_nacl_info_show in
    iscsi_target_configfs.c).
    """
    state = _STATE.search(info)
    if state is None:
        return None
    address, identity = _ADDRESS.search(info), _SESSION_ID.search(info)
    connections = _CONNECTION.findall(info)
    return SessionInfo(
        state[1],
        address[1] if address else "",
        identity[2].replace(" ", "") if identity else "",
        int(identity[1]) if identity else 0,
        state[1] == LOGGED_IN and bool(connections) and set(connections) == {LOGGED_IN},
    )


def has_commands_in_flight(info: str) -> bool:
    """Return whether the session in an ACL's `info` has commands that were not answered yet.

    The window of commands that the initiator may send (CmdSN/WC) is as large as at the login (CmdSN/WR) once
    all are answered: LIO moves MaxCmdSN on with each answer (iscsit_increment_maxcmdsn in
    drivers/target/iscsi/iscsi_target_device.c).
    """
    window = _WINDOW.search(info)
    return window is not None and window[1] != window[2]


def parse_dynamic_sessions(text: str) -> list[str]:
    """Return the initiators in `dynamic_sessions`, which are logged in without an ACL.

    Its lines end with a NUL.
    """
    return [name for name in re.split(r"[\0\s]+", text) if name]


def parse_directory_number(name: str, prefix: str) -> int | None:
    """Return the number of a directory such as `lun_3` or `tpgt_1`, None for another name.

    The kernel also makes a directory `lun_03` or `lun_0x3`, beside `lun_3` and with the same number
    (target_fabric_make_lun). Only the usual spelling leads from the number back to the directory.
    """
    number = name.removeprefix(prefix)
    if number == name or not (number.isascii() and number.isdigit()):
        return None
    return int(number) if number == "0" or not number.startswith("0") else None


def is_misspelled(name: str, prefix: str) -> bool:
    """Return whether a directory begins like a numbered one, and is not spelled as one."""
    return name.startswith(prefix) and parse_directory_number(name, prefix) is None


def parse_portal_directory(name: str) -> str:
    """Return the portal of a directory in `np` as a map spells it; the name itself if no map can have it.

    The kernel keeps the spelling with which the directory was made, such as `[::0]:3260`.
    """
    try:
        return parse_portal(name)
    except ValueError:
        return name


def parse_info(info: str, name: str) -> str | None:
    """Return the word after `name: ` in the `info` of a storage object, None if `info` has no such name."""
    match = re.search(rf"\b{re.escape(name)}: (\S+)", info)
    return match[1] if match else None


def writes_back(info: str) -> bool:
    """Return whether the `info` of a fileio shows a file without O_DSYNC (fd_show_configfs_dev_params)."""
    return "Mode: Buffered-WCE" in info


def discards_writes(info: str) -> bool:
    """Return whether the `info` of a rd_mcp shows that it stores nothing (rd_show_configfs_dev_params)."""
    return "nullio: 1" in info
