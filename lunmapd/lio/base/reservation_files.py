"""The files in which the kernel keeps persistent reservations (APTPL): `DBROOT/pr/aptpl_SERIAL`.

The kernel replaces the content at each PERSISTENT RESERVE OUT command, in place and without a sync
(__core_scsi3_write_aptpl_to_file in drivers/target/target_core_pr.c). It never reads the files itself.
"""

import fcntl
import os
import re
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.files import read_regular, replace_file

PREFIX = "aptpl_"
_NO_RECORDS = "No Registrations or Reservations"
_NEEDED = ("initiator_node", "sa_res_key", "mapped_lun", "target_node", "tpgt", "target_lun")
_NUMBERS = _NEEDED[1:3] + _NEEDED[4:]
_LIVE = re.compile(r"Node: ([^,\s]+)(?:,i,0x(\w+))? Key: (0x[0-9a-fA-F]+)")
_PAGE = 4096
_SETTLED = 5.0  # seconds; the kernel truncates a file before it writes it
_LONGEST_LINE = 384  # of the list of registrations in memory (target_core_configfs.c)
_GET_FLAGS, _SET_FLAGS, _SYNC = 0x80086601, 0x40086602, 0x08  # FS_IOC_*, FS_SYNC_FL in linux/fs.h


class SavedRegistration(Struct, frozen=True):
    """A registration in a file: its lines, `name=value`, and the values that lunmapd needs.

    `isid` is empty if the registration has none. `number` is that of the LUN of the TPG.
    """

    lines: tuple[str, ...]
    initiator: str
    isid: str
    key: int
    lun: int
    iqn: str
    tag: int
    number: int
    holder: bool

    def metadata(self, number: int) -> str:
        """Return the text that restores the registration, for the LUN `number` of the TPG."""
        others = (line for line in self.lines if not line.startswith("target_lun="))
        return ",".join([*others, f"target_lun={number}"])


class SavedRegistrations(Struct, frozen=True):
    """The content of a file. `damaged`: it is cut off. `changing`: it was written a moment ago."""

    registrations: tuple[SavedRegistration, ...] = ()
    damaged: bool = False
    changing: bool = False


def list_files(directories: Iterable[Path]) -> dict[str, Path]:
    """Return serial to path of the files; of two files for a serial the one in the first directory."""
    found: dict[str, Path] = {}
    for directory in directories:
        with suppress(OSError):
            for path in sorted(directory.iterdir()):
                if path.name.startswith(PREFIX) and path.suffix != ".new":
                    found.setdefault(path.name.removeprefix(PREFIX), path)
    return found


def find_file(serial: str, directories: Iterable[Path]) -> Path | None:
    """Return the file for a serial, None if there is none."""
    paths = (directory / f"{PREFIX}{serial}" for directory in directories)
    return next((path for path in paths if path.exists()), None)


def read_registrations(path: Path) -> SavedRegistrations:
    """Read a file. An absent one is empty; one that can't be read counts as damaged."""
    try:
        saved = parse_registrations(read_regular(path).decode(errors="replace"))
        return replace(saved, changing=0 <= time.time() - path.stat().st_mtime < _SETTLED)
    except FileNotFoundError:
        return SavedRegistrations()
    except OSError:
        return SavedRegistrations(damaged=True)


def parse_registrations(text: str) -> SavedRegistrations:
    """Parse the content of a file."""
    text = text.replace("\0", "").strip()
    if text == _NO_RECORDS:
        return SavedRegistrations()
    parsed = [_parse(block) for block in text.split("PR_REG_START:")[1:]]
    whole = tuple(one for one in parsed if one is not None)
    return SavedRegistrations(whole, damaged=not whole or len(whole) < len(parsed))


def _parse(block: str) -> SavedRegistration | None:
    """Return the registration of a block, None if the block is cut off or lacks a value."""
    head, end, _ = block.partition("PR_REG_END:")
    lines = tuple(line.strip() for line in head.splitlines()[1:] if "=" in line)
    values = dict(line.split("=", 1) for line in lines)
    if not end or any(not values.get(name) for name in _NEEDED):
        return None
    if not all(values[name].isdecimal() for name in _NUMBERS):
        return None
    key, lun, tag, number = (int(values[name]) for name in _NUMBERS)
    return SavedRegistration(
        lines,
        values["initiator_node"],
        values.get("initiator_sid", ""),
        key,
        lun,
        values["target_node"],
        tag,
        number,
        holder=values.get("res_holder") == "1",
    )


def forget_registrations(serial: str, nexus: tuple[str, int, str], directories: Sequence[Path]) -> None:
    """Remove registrations from the file for a serial. Raises OSError.

    `nexus` is the target, the tag of the TPG and the initiator whose registrations are removed.

    The kernel forgets them when it removes a mapped LUN of the initiator, and leaves them in the file
    (core_scsi3_free_pr_reg_from_nacl). A file without a registration is removed, also from the other
    directories, where an older file could be; a damaged one stays.
    """
    path = find_file(serial, directories)
    if path is None:
        return
    file = read_registrations(path)
    saved = file.registrations
    left = [one for one in saved if (one.iqn, one.tag, one.initiator) != nexus]
    if not left and not file.damaged:
        for directory in directories:
            (directory / path.name).unlink(missing_ok=True)
    elif len(left) < len(saved):
        replace_file(path, (show_registrations(left).encode(),))


def show_registrations(registrations: Iterable[SavedRegistration]) -> str:
    """Return the content of a file, as the kernel writes it."""
    blocks = (
        "\n".join((f"PR_REG_START: {number}", *one.lines, f"PR_REG_END: {number}\n"))
        for number, one in enumerate(registrations)
    )
    return "".join(blocks)


def count_live(text: str) -> Counter[tuple[str, str, int]] | None:
    """Return how often initiator, ISID and key are in the list of the registrations in memory.

    `text` is the file `pr/res_pr_registered_i_pts` of a storage object. Return None if the list is cut off.
    """
    if len(text) > _PAGE - _LONGEST_LINE:
        return None
    return Counter((initiator, isid.lower(), int(key, 16)) for initiator, isid, key in _LIVE.findall(text))


def keep_synced(directory: Path) -> None:
    """Let each write to the kernel's files reach the disk before it ends, where the file system can do so.

    New files inherit the flag from their directory. Without it a reservation that was granted in the last
    seconds before a power loss may be lost, or the whole file.
    """
    for path in (directory, *list_files((directory,)).values()):
        with suppress(OSError):
            _set_sync_flag(path)


def _set_sync_flag(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        flags = array("i", [0, 0])
        fcntl.ioctl(handle, _GET_FLAGS, flags)
        if not flags[0] & _SYNC:
            flags[0] |= _SYNC
            fcntl.ioctl(handle, _SET_FLAGS, flags)
    finally:
        os.close(handle)


def find_write_problem(directory: Path) -> str:
    """Return why the kernel can't write a file into the directory, "" if it can; make a missing directory."""
    probe = directory / "lunmapd-probe"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(_PAGE))
        probe.unlink()
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        return f"can't write to {directory}: {error.strerror or error}"
    return ""


def live_flags(
    registrations: Iterable[SavedRegistration], memory: Counter[tuple[str, str, int]] | None
) -> Iterator[bool]:
    """Yield for each registration whether it is in memory too; True for all if that is not known."""
    left = None if memory is None else Counter(memory)
    for one in registrations:
        identity = (one.initiator, one.isid.lower().removeprefix("0x"), one.key)
        yield left is None or left[identity] > 0
        if left is not None:
            left[identity] -= 1
